"""What diagnostics look like. Every expected text here must read well alone."""

from __future__ import annotations

import re
from itertools import pairwise
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label
from cnndsl.diagnostics.render import render, render_all, summary
from cnndsl.source import Source, Span
from cnndsl.terminal import PLAIN, Look, visible, width_of


class TooLarge(Diagnostic):
    """A kernel is larger than what it slides over."""

    code = "E301"
    title = "kernel too large"
    message = "`{kind}` has a kernel of {kernel} cells, but its input is {size} cells high"
    label = "{kernel} cells"
    help = "write a kernel of at most {size}"


class Remark(Diagnostic):
    """Something worth a look."""

    code = "W301"
    severity = "warning"
    message = "{text}"


class Missing(Diagnostic):
    """A file that is not there."""

    code = "E001"
    message = "there is no file {name}"
    help = "did you mean {suggestion}?"


def source(text: str, name: str = "net.cnn") -> Source:
    return Source(name, dedent(text).lstrip("\n"))


def at(text: Source, piece: str, which: int = 0) -> Span:
    """The place of the `which`-th occurrence of a piece of text."""
    start = [m.start() for m in re.finditer(re.escape(piece), text.text)][which]
    return Span(text, start, start + len(piece))


def too_large(span: Span, **more: object) -> Diagnostic:
    return TooLarge(span, kind="conv", kernel=17, size=10, **more)  # type: ignore[arg-type]


LENET = source(
    """
    network LeNet5
    input 32x32x1
    conv 5x5x6, tanh
    pool 2 avg
    conv 5x5x16, tanh
    conv 17x17x120 /1 pad=0
    dense 10
    """
)


def drawn(expected: str) -> str:
    return dedent(expected).lstrip("\n")


def test_the_cause_the_chain_and_the_fix() -> None:
    diagnostic = too_large(
        at(LENET, "17x17"),
        labels=(Label(at(LENET, "conv 5x5x16"), "makes it 10x10x16"),),
        notes=("32 -conv 5-> 28 -pool 2-> 14 -conv 5-> 10",),
        fixes=(Fix("make the kernel fit", (Edit(at(LENET, "17x17"), "10x10"),)),),
    )
    assert render(diagnostic) == drawn(
        """
        error[E301]: `conv` has a kernel of 17 cells, but its input is 10 cells high
         --> net.cnn:6:6
          |
        5 | conv 5x5x16, tanh
          | ----------- makes it 10x10x16
        6 | conv 17x17x120 /1 pad=0
          |      ^^^^^ 17 cells
          |
          = note: 32 -conv 5-> 28 -pool 2-> 14 -conv 5-> 10
          = help: write a kernel of at most 10
          |
          = fix: make the kernel fit
        6 - conv 17x17x120 /1 pad=0
        6 + conv 10x10x120 /1 pad=0
        """
    )


def test_several_labels_on_one_line() -> None:
    labels = (Label(at(LENET, "/1"), "one step at a time"), Label(at(LENET, "pad=0"), "no zeros around it"))
    assert render(too_large(at(LENET, "17x17"), labels=labels)) == drawn(
        """
        error[E301]: `conv` has a kernel of 17 cells, but its input is 10 cells high
         --> net.cnn:6:6
          |
        6 | conv 17x17x120 /1 pad=0
          |      ^^^^^     -- ----- no zeros around it
          |      |         |
          |      |         one step at a time
          |      17 cells
          |
          = help: write a kernel of at most 10
        """
    )


def test_a_mark_inside_another() -> None:
    labels = (Label(at(LENET, "conv 17x17x120 /1 pad=0"), "this layer"),)
    assert "\n".join(render(too_large(at(LENET, "17x17"), labels=labels)).split("\n")[3:8]) == drawn(
        """
        6 | conv 17x17x120 /1 pad=0
          | -----^^^^^-------------
          | |    |
          | |    17 cells
          | this layer"""
    )


def test_lines_apart_and_lines_close() -> None:
    labels = (Label(at(LENET, "32x32x1"), "input"), Label(at(LENET, "pool 2"), "halves it"))
    rows = render(too_large(at(LENET, "17x17"), labels=labels)).split("\n")
    assert rows[2:-2] == drawn(
        """
          |
        2 | input 32x32x1
          |       ------- input
        3 | conv 5x5x6, tanh
        4 | pool 2 avg
          | ------ halves it
        5 | conv 5x5x16, tanh
        6 | conv 17x17x120 /1 pad=0
          |      ^^^^^ 17 cells
          |"""
    ).split("\n")


BRANCHES = source(
    """
    network Two
    input 8x8x3
    conv 3x3x8, add:
        | conv 3x3x8
        | conv 3x3x8 same
    # one
    # two
    # three
    # four
    relu
    """
)


def test_a_mark_over_lines_that_begins_its_line() -> None:
    span = Span(BRANCHES, at(BRANCHES, "conv 3x3x8, add").start, at(BRANCHES, "same").end)
    labels = (Label(at(BRANCHES, "conv 3x3x8\n"), "4x4x8"),)
    assert "\n".join(render(too_large(span, labels=labels)).split("\n")[1:8]) == drawn(
        """
         --> net.cnn:3:1
          |
        3 | / conv 3x3x8, add:
        4 | |     | conv 3x3x8
          | |       ---------- 4x4x8
        5 | |     | conv 3x3x8 same
          | |_____________________^ 17 cells"""
    )


def test_a_mark_over_lines_that_begins_inside_one_and_is_long() -> None:
    span = Span(BRANCHES, at(BRANCHES, "add").start, at(BRANCHES, "relu").end)
    assert "\n".join(render(too_large(span)).split("\n")[1:11]) == drawn(
        """
          --> net.cnn:3:13
           |
         3 |   conv 3x3x8, add:
           |  _____________^
         4 | |     | conv 3x3x8
         5 | |     | conv 3x3x8 same
           : |
         9 | | # four
        10 | | relu
           | |____^ 17 cells"""
    )


def test_places_at_the_very_end() -> None:
    text = source("network N\ninput 3\n")
    rows = render(too_large(Span(text, len(text.text), len(text.text)))).split("\n")
    assert rows[1:5] == [" --> net.cnn:3:1", "  |", "3 |", "  | ^ 17 cells"]
    empty = source("")
    assert "1 |\n  | ^ 17 cells\n" in render(too_large(Span(empty, 0, 0)))
    beyond = Span(text, 500, 900)
    assert "3 |\n  | ^ 17 cells\n" in render(too_large(beyond))


def test_a_file_that_was_not_read_has_no_snippet() -> None:
    missing = Missing(Span(Source("lenet.cn", ""), 0, 0), name="lenet.cn", suggestion="lenet.cnn")
    assert render(missing) == drawn(
        """
        error[E001]: there is no file lenet.cn
          = help: did you mean lenet.cnn?
        """
    )
    unknown = Missing(Span(Source("x", ""), 0, 0), name="x", suggestion=None)
    assert render(unknown) == "error[E001]: there is no file x\n"


def test_wide_and_combining_characters_and_tabs_keep_the_marks_in_place() -> None:
    text = Source("net.cnn", '\tconv "漢字" "e\u0301e\u0301", pool')
    rows = render(too_large(at(text, "pool"), labels=(Label(at(text, '"漢字"'), "wide"),))).split("\n")
    assert rows[3:7] == [
        '1 |     conv "漢字" "e\u0301e\u0301", pool',
        "  |          ------       ^^^^ 17 cells",
        "  |          |",
        "  |          wide",
    ]
    assert width_of(rows[3][: rows[3].index("pool")]) == rows[4].index("^")


def test_control_characters_are_shown_and_never_sent() -> None:
    text = source('conv "\x1b[31m\u202e" x', name="a\x1b]0;b.cnn")
    diagnostic = TooLarge(at(text, "x"), labels=(), notes=("\x07",), kind="\x1b[2J", kernel=1, size="\x9b")
    drawing = render(diagnostic, Look(None, False, True))
    assert not [c for c in drawing if c != "\n" and not c.isprintable()]
    assert '1 │ conv "\\x1b[31m\\u202e" x\n  │                       ^ 1 cells' in drawing
    assert "`\\x1b[2J`" in drawing
    assert "a\\x1b]0;b.cnn:1:" in drawing
    assert "= note: \\x07" in drawing


@pytest.mark.parametrize("filler", ["x", "漢", "\t", "\x1b"])
def test_long_lines_are_cut_around_the_mark(filler: str) -> None:
    for before, after in ((0, 500_000), (500_000, 0), (3000, 3000)):
        text = source(filler * before + "HERE" + filler * after)
        for look in (PLAIN, Look(60)):
            rows = render(too_large(at(text, "HERE")), look).split("\n")
            line, under = next((a, b) for a, b in pairwise(rows) if "HERE" in a)
            assert "^^^^" in under
            assert width_of(line[: line.index("HERE")]) == under.index("^^^^")
            assert width_of(line) <= (look.width or 170)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    text = source(" ".join(f"item{i}" for i in range(12)))
    labels = tuple(Label(at(text, f"item{i} "), f"the {i}th of the labels, quite long") for i in range(0, 11, 3))
    diagnostic = too_large(
        at(text, "item4"), labels=labels, notes=("a note with so many words that it needs several lines",)
    )
    rows = render(diagnostic, Look(width, False, True)).split("\n")
    assert max(width_of(row) for row in rows) <= max(width, 40)
    if width >= 80:
        assert all(text in "\n".join(rows) for text in ("17 cells", "the 9th of the labels"))


def test_labels_with_no_room_beside_or_below_move_to_the_left() -> None:
    text = source("a long line of text whose last word is BAD")
    assert "\n".join(render(too_large(at(text, "BAD")), Look(46)).split("\n")[4:8]) == drawn(
        """
        1 | a long line of text whose last word is BAD
          |                                        ^^^
          |                                        |
          |                                   17 cells"""
    )


def test_a_label_in_another_file() -> None:
    blocks = source("block b:\n    conv 3x3x8\n", name="blocks.cnn")
    labels = (Label(at(blocks, "conv 3x3x8"), "called from there"),)
    assert "\n".join(render(too_large(at(LENET, "17x17"), labels=labels)).split("\n")[1:9]) == drawn(
        """
         --> net.cnn:6:6
          |
        6 | conv 17x17x120 /1 pad=0
          |      ^^^^^ 17 cells
         ::: blocks.cnn:2:5
          |
        2 |     conv 3x3x8
          |     ---------- called from there"""
    )


def test_fixes_that_insert_delete_and_change_lines() -> None:
    start = at(LENET, "pool").start
    fixes = (
        Fix("pad first", (Edit(Span(LENET, start, start), "pad 2\n"),)),
        Fix("leave it out", (Edit(Span(LENET, start, start + len("pool 2 avg\n")), ""),)),
        Fix("both", (Edit(at(LENET, "17x17"), "3x3"), Edit(at(LENET, "pad=0"), "same"))),
    )
    rows = render(too_large(at(LENET, "17x17"), fixes=fixes)).split("\n")
    assert "\n".join(rows[7:-1]) == drawn(
        """
          |
          = fix: pad first
        4 + pad 2
          |
          = fix: leave it out
        4 - pool 2 avg
          |
          = fix: both
        6 - conv 17x17x120 /1 pad=0
        6 + conv 3x3x120 /1 same"""
    )


def test_many_fixes_are_counted() -> None:
    fixes = tuple(Fix(f"way {i}", (Edit(at(LENET, "17x17"), f"{i}x{i}"),)) for i in range(7))
    drawing = render(too_large(at(LENET, "17x17"), fixes=fixes))
    assert "= fix: way 3" in drawing
    assert "way 4" not in drawing
    assert "= and 3 more ways to mend it" in drawing


def test_a_fix_that_says_what_the_help_says_is_said_once() -> None:
    fix = Fix("write a kernel of at most 10", (Edit(at(LENET, "17x17"), "10x10"),))
    drawing = render(too_large(at(LENET, "17x17"), fixes=(fix,)))
    assert drawing.count("write a kernel of at most 10") == 1


def test_colours_only_add_escapes() -> None:
    diagnostic = too_large(
        at(LENET, "17x17"),
        labels=(Label(at(LENET, "/1"), "step"), Label(at(LENET, "conv 5x5x6, tanh\npool"), "both")),
        fixes=(Fix("shrink it", (Edit(at(LENET, "17x17"), "5x5"),)),),
    )
    coloured = render(diagnostic, Look(80, True, False))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(diagnostic, Look(80))
    assert coloured.startswith("\x1b[31;1merror[E301]\x1b[0m")
    assert re.sub(r"\x1b\[[0-9;]+m[^\x1b]+\x1b\[0m", "", coloured).count("\x1b") == 0


def test_unicode_changes_the_gutter_only() -> None:
    diagnostic = too_large(at(LENET, "17x17"), labels=(Label(at(LENET, "input"), "from here"),))
    assert render(diagnostic, Look(None, False, True)).replace("│", "|").replace("·", ":") == render(diagnostic)


def test_run_of_many_shows_the_first_in_the_order_of_the_text() -> None:
    text = source("\n".join(f"line{i}." for i in range(40)))
    errors = [too_large(at(text, f"line{i}.")) for i in reversed(range(33))]
    warnings = [Remark(at(text, "line39."), text="look")]
    everything = render_all([*errors, *warnings])
    assert everything.count("error[E301]") == 20
    assert everything.index("net.cnn:1:1") < everything.index("net.cnn:20:1")
    assert "net.cnn:21:1" not in everything
    assert everything.endswith("\n\n33 errors, 1 warning in net.cnn (only the first 20 errors are shown)\n")


def test_the_summary_counts() -> None:
    error, remark = too_large(at(LENET, "17x17")), Remark(at(LENET, "dense"), text="x")
    other = too_large(Span(source("x", name="b.cnn"), 0, 1))
    missing = Missing(Span(Source("c.cnn", ""), 0, 0), name="c.cnn", suggestion=None)
    assert summary([error]) == "1 error in net.cnn"
    assert summary([remark, error, error]) == "2 errors, 1 warning in net.cnn"
    assert summary([error, other, missing]) == "2 errors in 2 files"
    assert summary([missing]) == ""
    assert render_all([]) == ""


def test_a_message_of_a_million_characters_is_clipped() -> None:
    drawing = render(TooLarge(at(LENET, "17x17"), kind="k" * 1_000_000, kernel=1, size=1))
    assert len(drawing) < 3000


def test_visible() -> None:
    assert visible("conv é 漢") == "conv é 漢"
    assert visible("a\tb\r\n\x00\x7f\x9b\u200b\u2028\ud800\U000e0001") == (
        "a\\tb\\r\\n\\x00\\x7f\\x9b\\u200b\\u2028\\ud800\\U000e0001"
    )


@st.composite
def diagnostics(draw: st.DrawFn) -> Diagnostic:
    """Any marks and edits, sensible or not, in any text."""
    text = Source("any.cnn", draw(st.text(st.sampled_from("ab \t\n\r\x1b漢\u0301\u202e#|"), max_size=60)))
    places = st.integers(0, len(text.text))
    spans = st.builds(lambda a, b: Span(text, min(a, b), max(a, b)), places, places)
    labels = draw(st.lists(st.builds(Label, spans, st.text(max_size=12)), max_size=4))
    fixes = draw(
        st.lists(st.builds(lambda span, new: Fix("so", (Edit(span, new),)), spans, st.text(max_size=8)), max_size=2)
    )
    return too_large(draw(spans), labels=tuple(labels), fixes=tuple(fixes))


@settings(max_examples=300, deadline=None)
@given(diagnostics(), st.sampled_from([None, 20, 40, 80]), st.booleans())
def test_any_marks_in_any_text_can_be_drawn(diagnostic: Diagnostic, width: int | None, unicode: bool) -> None:
    drawing = render(diagnostic, Look(width, False, unicode))
    assert not [c for c in drawing if c != "\n" and not c.isprintable()]
    assert drawing.endswith("\n")
    assert "17 cells" in drawing.replace("\n", " ")
    assert "^" in drawing
