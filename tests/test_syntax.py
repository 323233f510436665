"""The parser of single lines against Lark itself; the layout of lines; what the tree keeps."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import lark
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnndsl.source import Source
from cnndsl.syntax import build, parse, parse_line, tree
from cnndsl.syntax.fault import SyntaxFault
from cnndsl.syntax.tree import Document, Line

ROOT = Path(__file__).resolve().parent.parent
LARK = lark.Lark(
    (ROOT / "grammars" / "cnn.lark").read_text(encoding="utf-8"),
    parser="lalr",
    lexer="basic",
    maybe_placeholders=True,
    propagate_positions=True,
)


# --- Lark runs the grammar, and the tree is the same ------------------------------------------------------------------


def built(node: Any) -> Any:
    """A tree of Lark's as the builders make it, each with the place that Lark gives."""
    if node is None:
        return None
    if isinstance(node, lark.Token):
        return (node.type, str(node), node.start_pos, node.end_pos)
    start, end = getattr(node.meta, "start_pos", 0), getattr(node.meta, "end_pos", 0)
    return getattr(build, node.data + "_")(start, end, *map(built, node.children))


def by_lark(text: str) -> Any:
    """The statement of a line as Lark reads it; None if it can't be read."""
    try:
        return built(LARK.parse(text))
    except lark.exceptions.LarkError:
        return None
    except SyntaxFault:
        return None


def by_driver(text: str) -> Any:
    try:
        return parse_line(text)
    except SyntaxFault:
        return None


# One line of every form that docs/language.md and the published sketches use, in words of our own.
LINES = """
network LeNet5
network VGG(depth=16, classes=1_000)
network VGG():
network VGG19 = VGG(depth=19)
network VGG19 = VGG(depth=19, widths=[64, 128], act=gelu):
block stem:
block unit(k, expand, c, stride=1, act=relu, se=false):
block passing(c, ...):
train:
train warm:
train gan of Generator, Discriminator:
train of A:
use "blocks.cnn"
use "blocks.cnn": se, bottleneck as neck
use std.residual: bottleneck
let x = 3
let stages = {50: [3,4,6,3], 101: [3,4,23,3], 152: [3,8,36,3]}[depth]
let a, (b, c) = [1, (2, 3)]
let f(x) = x * x
let f() = 3
let f(x, y) = make_divisible(x * y, divisor=8)
expect params == 61_706
expect macs ~ 416.5K
expect params < 5M and rf == 427 or not depth >= 50
expect c3.params == 1_516
expect stage[0].conv2.shape == 28x28x6
input 32x32x1
input left 28x28x1
input HxWx3 = 224x224x3 where H % 32 == 0, W % 32 == 0
input L tokens
input 59 tokens
input {n}x{n}x3
input Hx32xC = 7x32x3
output match
output early training:
output scale[2]
repeat 3:
repeat n - 1 as i:
for i, n in enumerate(stages):
for (a, b), c in zip(x, y):
if stride > 1 or input.channels != c:
elif not (a and b):
else:
conv 5x5x6 valid as c1, tanh                   # `as` names the one item it follows
conv 3x3x64 same, bn, relu
pool 2 avg                     -> 14x14x6
conv 1x7x192
conv 9x16
conv 3x3x3x64
conv ... nobias, bn, {act}
conv 1x1x{c} /{stride} nobias, bn
conv {k}x{k}x{4 * c} /2x1 pad=0x1
conv {k}x3 pad=[1, 0, 1, 0]
conv 3x3x64 groups=4 dilation=2 init=he frozen=weight l2=1e-4
conv 5x5x16 connect=[[0, 1, 2], [1, 2, 3], [i for i in range(6) if i % 2]]
dense 10 -> 10
dense -1
dropout .5
leaky -0.1
bottleneck {64 * 2**i} * {n - 1} as stage[i]
relu * 0
relu * {n} as r[i]
add:
concat crop:
concat skip, conv 3x3x{c}
concat {skip}
{unit} 64
{act}
from left, tower as embed
from stage[2].conv1
reuse embed
reuse stage[0] as again
from right, reuse embed
absdiff embed
unpool 2x2 p1
-> 7x7x2048
-> 120
-> _x_x64
-> Lx37
-> {h}x{w}x3
upsample to=c[3]
cbl 1x1x256, upsample 2, concat c[3]
batch 64
data mnist folder="/data/mnist"
optimizer adam lr=1e-3 betas=[0.9, 0.999]
loss aux1 cross_entropy weight=0.3
dense {[1, 2, 3][-1]}
dense {[1, 2, 3,][1:]}
dense {x[::2][:1][1:][a:b:c]}
dense {{1: 2, 3: 4,}[1]}
dense {{k: v for k, v in pairs if v}[1]}
dense {()[0] + (1,)[0] + (1, 2)[0] + (1, 2,)[0]}
dense {f(1, x=2)(3).channels}
dense {a if b else c if d else e}
dense {not not a}
dense {-+-a ** -b ** 2}
dense {a - b - c / d // e % f * g}
dense {1 < 2 <= 3 == 3 != 4 > 3 >= 3}
dense {(1 < 2) < 3}
dense {a in b not in c}
dense {28x28x1[0]}
dense {input.height}
dense {"a" + "b"}
dense {true and false or true}
"""  # fmt: skip
WRONG = """
conv 3x3x
conv 3 x 3
= 3
network
network 3
let = 3
let x 3
repeat:
if:
for x:
conv 3x3x64 as
conv 3x3x64 ->
conv (3)
dense {3
dense 3}
dense {[1, 2}
conv 3,, relu
conv [1]
output
use
1
{a}x3
input
input a b
input 3 4
a.b
a[1]
-> a b
expect
relu |
"""


def lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize("text", lines_of(LINES))
def test_every_form_is_read_as_lark_reads_it(text: str) -> None:
    assert by_driver(text) is not None
    assert by_driver(text) == by_lark(text)


@pytest.mark.parametrize("text", lines_of(WRONG))
def test_what_lark_refuses_is_refused(text: str) -> None:
    assert by_lark(text) is None
    assert by_driver(text) is None


def all_specs() -> list[Path]:
    return sorted(ROOT.glob("specs/**/*.cnn"))


@pytest.mark.parametrize("path", all_specs(), ids=lambda path: path.name)
def test_specs_are_read_as_lark_reads_them(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    document, diagnostics = parse(source)
    assert diagnostics == []
    for line in document.walk():
        if not isinstance(line.statement, tree.Arm):
            assert line.statement == by_lark(line.text)


# --- lines made from the grammar itself -------------------------------------------------------------------------------

RULES: dict[str, list[list[str]]] = {}
for _rule in LARK.rules:
    RULES.setdefault(str(_rule.origin.name), []).append([s.name for s in _rule.expansion])

TOKENS = {
    "NAME": ["conv", "relu", "x", "same", "a_1", "H", "_", "xx", "in_", "K"],
    "NUMBER": ["3", "0", "61_706", "1e-3", ".5", "2.50", "4.1G", "1E+2K", "007"],
    "SIDE": ["3x", "Hx", "_x", "12x"],
    "STRING": ['""', '"a b"', '"# no comment"', '"[({"'],
    "COMPARE": ["==", "!=", "<=", ">=", "<", ">", "~"],
    "OPERATOR": ["//", "%"],
}
LITERALS = {t.name: t.pattern.value for t in LARK.terminals if type(t.pattern).__name__ == "PatternStr"}


def depths() -> dict[str, int]:
    """How deep the shallowest tree of each rule is."""
    found: dict[str, int] = {}
    while True:
        before = len(found)
        for origin, expansions in RULES.items():
            possible = [max((found.get(s, 0) for s in e if s in RULES), default=0) + 1 for e in expansions
                        if all(s not in RULES or s in found for s in e)]  # fmt: skip
            if possible and origin not in found:
                found[origin] = min(possible)
        if len(found) == before:
            return found


DEPTHS = depths()


@st.composite
def derived_lines(draw: st.DrawFn) -> str:
    """A line that the grammar makes, token by token."""
    pieces: list[str] = []

    def expand(symbol: str, depth: int) -> None:
        if symbol not in RULES:
            pieces.append(draw(st.sampled_from(TOKENS[symbol])) if symbol in TOKENS else LITERALS[symbol])
            return
        options = RULES[symbol]
        if depth <= 0:
            cost = [max((DEPTHS[s] for s in option if s in RULES), default=0) for option in options]
            options = [option for option, c in zip(options, cost, strict=True) if c == min(cost)]
        for one in draw(st.sampled_from(options)):
            expand(one, depth - 1)

    expand("start", draw(st.integers(4, 22)))
    text = pieces[0]
    for before, piece in pairwise(pieces):
        # What follows a side belongs to it.
        text += piece if before in TOKENS["SIDE"] or before == "}x" else draw(st.sampled_from([" ", "  "])) + piece
    return text


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(derived_lines())
def test_lines_of_the_grammar_are_read_as_lark_reads_them(text: str) -> None:
    assert by_driver(text) == by_lark(text)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(derived_lines())
def test_many_lines_of_the_grammar(text: str) -> None:
    assert by_driver(text) == by_lark(text)


SOUP = [
    *(word for words in TOKENS.values() for word in words), *LITERALS.values(), " ", "  ", "#", "\t", "x", "$", "|",
    "×", "3x3", "{", "}", "[", "]", "(", ")", "->", ":", "=", ",", '"', "é", "0x", "1_", "K", "...",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(SOUP), max_size=14).map("".join))
def test_any_tokens_are_read_as_lark_reads_them(text: str) -> None:
    assert by_driver(text) == by_lark(text)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("416.5K", 416_500),
        ("4.1G", 4_100_000_000),
        ("61_706", 61_706),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("44.5M", 44_500_000),
        ("1.0000005M", 1_000_000.5),
        ("0.0000001K", 0.0001),
        ("0K", 0),
        ("0e99999K", 0),
        ("1T", 10**12),
        ("0.1K", 100),
        ("1e2K", 100_000),
        ("1_000.5", 1000.5),
        ("3.0", 3.0),
        ("007", 7),
        ("123456789.123456789G", 123_456_789_123_456_789),
    ],
)
def test_number_values(text: str, value: float) -> None:
    statement = parse_line(f"dense {text}")
    assert isinstance(statement, tree.Chain)
    number = statement.items[0].arguments[0]
    assert number.text == text
    assert number.value == value
    assert type(number.value) is type(value)


@pytest.mark.parametrize("text", ["1" * 41, "1e400", "1e308T", "1k", "1_", "1__0", "0x", "1.5.2", "3a", "٣"])
def test_not_numbers(text: str) -> None:
    with pytest.raises(SyntaxFault):
        parse_line(f"dense {text}")


@given(st.integers(0, 10**29))
def test_whole_numbers_are_exact(value: int) -> None:
    for text in (str(value), f"{value:_}"):
        statement = parse_line(f"let x = {text}")
        assert isinstance(statement, tree.Let)
        assert statement.value.value == value


# --- layout -----------------------------------------------------------------------------------------------------------


def outline(lines: list[Line]) -> list[Any]:
    """The texts of lines, each with those of its body."""
    return [(line.text, outline(line.body)) if line.body else line.text for line in lines]


def read(text: str) -> tuple[list[Any], list[str]]:
    document, diagnostics = parse(Source("a.cnn", text))
    assert_nothing_is_lost(document)
    return outline(document.lines), [f"{type(d).__name__} {d.span.line}:{d.span.column}" for d in diagnostics]


def assert_nothing_is_lost(document: Document) -> None:
    """Lines and what stands between them make up the text; what is left are spaces and line ends."""
    text = document.source.text
    places = sorted([(line.start, line.end) for line in document.walk()] + [(t.start, t.end) for t in document.trivia])
    at = 0
    for start, end in places:
        assert at <= start <= end
        assert not text[at:start].strip()
        at = end
    assert not text[at:].strip()
    comments = [t for t in document.trivia if t.kind == "comment"]
    assert all(text[t.start] == "#" and "\n" not in text[t.start : t.end] for t in comments)


def test_bodies_nest_by_their_columns() -> None:
    assert read("if a:\n    relu\n    if b:\n      tanh\n      relu\n    bn\nsoftmax\n") == (
        [("if a:", ["relu", ("if b:", ["tanh", "relu"]), "bn"]), "softmax"],
        [],
    )


def test_lines_go_on_while_a_bracket_is_open() -> None:
    text = "let a = [1,  # one\n         2,\n\n  # two\n]\nrelu\n"
    assert read(text) == (["let a = [1,  # one\n         2,\n\n  # two\n]", "relu"], [])
    assert read("conv {\n 3 }x3x4,\nrelu")[0] == ["conv {\n 3 }x3x4,", "relu"]
    assert read('data files folder="a[b" # ]\nrelu')[0] == ['data files folder="a[b"', "relu"]
    assert read("network A(\n  depth=3,\n  width=4)\nrelu") == (["network A(\n  depth=3,\n  width=4)", "relu"], [])


def test_comments_may_stand_everywhere() -> None:
    text = "# first\n  # indented\nif a: # behind\n# at the margin\n    relu # behind\n    # at the end\n\nrelu#\n#"
    assert read(text) == ([("if a:", ["relu"]), "relu"], [])
    document, _ = parse(Source("a.cnn", text))
    said = [text[t.start : t.end] for t in document.trivia if t.kind == "comment"]
    assert said == [
        "# first", "# indented", "# behind", "# at the margin", "# behind", "# at the end", "#", "#",
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends(end: str) -> None:
    text = end.join(["# a", "if a:", "    relu  ", "", "   ", "    dense {", "3}", "tanh # b", "softmax"])
    lines, problems = read(text)
    assert problems == []
    assert lines == [("if a:", ["relu", f"dense {{{end}3}}"]), "tanh", "softmax"]
    assert read(text + end) == (lines, problems)


def test_form_feeds_and_lone_carriage_returns_are_spaces() -> None:
    assert read("\f\nrelu\n\f# a\n\r\rtanh\n") == (["relu", "tanh"], [])
    assert read("conv\f3\rrelu") == (["conv\f3\rrelu"], [])


def test_nothing() -> None:
    for text in ("", "\n", "\n\n  \n", "   ", "#", "\r\n"):
        assert read(text) == ([], [])


def test_arms() -> None:
    text = "add:\n    | relu\n      tanh\n    | if a:\n          bn\n      relu\n"
    text += "    |\n        bn\n    if b:\n        | ln\nbn"
    assert read(text) == (
        [
            (
                "add:",
                [
                    ("|", ["relu", "tanh"]),
                    ("|", [("if a:", ["bn"]), "relu"]),
                    ("|", ["bn"]),
                    ("if b:", [("|", ["ln"])]),
                ],
            ),
            "bn",
        ],
        [],
    )


def test_arms_within_arms() -> None:
    text = "add:\n  | mul:\n      | a\n      | b\n    c\n  |d # e\n"
    assert read(text) == (
        [("add:", [("|", [("mul:", [("|", ["a"]), ("|", ["b"])]), "c"]), ("|", ["d"])])],
        [],
    )
    # A comment behind the bar: the body is on the next lines.
    assert read("add:\n  | # left\n      a\n      b\n  | c\n")[0] == [("add:", [("|", ["a", "b"]), ("|", ["c"])])]


def test_tabs_are_reported_once_and_count_four_columns() -> None:
    lines, problems = read("if a:\n\trelu\n    tanh\n\tif b:\n\t\tbn\n")
    assert lines == [("if a:", ["relu", "tanh", ("if b:", ["bn"])])]
    assert problems == ["TabIndentation 2:1"]
    assert read("relu\n\t\n\t# comment\nconv\t3\t\n") == (["relu", "conv\t3"], [])
    assert read("let a = [\n\t1]\n")[1] == []


def test_uneven_indentation() -> None:
    assert read("if a:\n    relu\n  tanh\nbn\n")[1] == ["UnevenIndent 3:3"]
    assert read("relu\n  tanh\n  bn\nln\n")[1] == ["UnexpectedIndent 2:3"]
    assert read("  relu\n  tanh\n")[1] == ["UnexpectedIndent 1:3"]


@pytest.mark.parametrize("opener", ["(", "[", "{"])
def test_unclosed_brackets_end_with_their_line(opener: str) -> None:
    lines, problems = read(f"let a = {opener}1,\ndense 3\nrelu\n")
    assert lines == [f"let a = {opener}1,", "dense 3", "relu"]
    assert problems == ["UnclosedBracket 1:9"]
    assert read(f"let a = {opener}1,")[1] == ["UnclosedBracket 1:9"]
    assert read(f"let a = {opener}1,\n\n\n")[1] == ["UnclosedBracket 1:9"]


def test_a_string_ends_with_its_line() -> None:
    assert read('data "abc\nrelu\n') == (['data "abc', "relu"], ["UnclosedString 1:6"])


def test_a_line_that_can_be_understood_keeps_its_body() -> None:
    document, diagnostics = parse(Source("a.cnn", "block twice(c)\n    relu\nrepeat 3\n    tanh\n"))
    assert [type(d).__name__ for d in diagnostics] == ["MissingColon", "MissingColon"]
    assert [type(line.statement).__name__ for line in document.walk()] == ["Block", "Chain", "Repeat", "Chain"]
    assert all(line.mended == (not isinstance(line.statement, tree.Chain)) for line in document.walk())


def test_mending_keeps_every_other_place() -> None:
    document, diagnostics = parse(Source("a.cnn", "conv 3 × 3×64 same relu as r → 7x7x64"))
    assert [type(d).__name__ for d in diagnostics] == ["SpacedSize", "LookAlike"]
    (line,) = document.lines
    item = line.statement.items[0]
    assert [line.span(argument).text for argument in item.arguments] == ["3 × 3×", "same", "relu"]
    assert line.span(item.alias).text == "r"
    assert line.span(line.statement.claim.shape).text == "7x7x64"


def test_remembered_lines_are_parsed_once() -> None:
    text = "relu\nconv 3x3x4 same\nrelu\nconv ?\n" * 3
    memory: dict[str, Any] = {}
    first, problems = parse(Source("a.cnn", text), memory)
    assert len(memory) == 3
    again, same = parse(Source("a.cnn", text + "relu"), memory)
    assert same == problems or [repr(d) for d in same] == [repr(d) for d in problems]
    assert again.lines[0].statement is first.lines[2].statement
    assert len(problems) == 3


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["", " ", "  ", "    ", "      ", "\t"]).flatmap(
        lambda indent: st.sampled_from(
            ["relu", "if a:", "| relu", "|", "| if a:", "add:", "# c", "", "conv {", "3}", "else:", "]", '"', "\r"]
        ).map(indent.__add__)
    ), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_no_text_is_lost(lines: list[str], end: str) -> None:
    document, diagnostics = parse(Source("a.cnn", end.join(lines)))
    assert_nothing_is_lost(document)
    for diagnostic in diagnostics:
        assert diagnostic.to_json()


# --- limits -----------------------------------------------------------------------------------------------------------


def problems_of(text: str) -> list[str]:
    return [type(d).__name__ for d in parse(Source("a.cnn", text))[1]]


def test_limits() -> None:
    assert problems_of("dense {" + "-" * 19_000 + "1}") == ["BracketsTooDeep"]
    assert problems_of("dense {" + "(" * 9_000 + "1" + ")" * 9_000 + "}") == ["BracketsTooDeep"]
    assert problems_of("dense {" + "1 if a else " * 3_000 + "1}") == ["BracketsTooDeep"]
    assert problems_of("dense {" + "(" * 400 + "1" + ")" * 400 + "}") == []
    assert problems_of("relu" + ", relu" * 10_000) == ["LineTooLong"]
    assert problems_of("relu" + ", relu" * 9_000) == []
    deep = "".join(" " * i + "if a:\n" for i in range(60)) + " " * 60 + "relu\n"
    assert problems_of(deep) == ["TooDeeplyIndented"]
    assert problems_of("|" * 5_000 + " relu") == ["TooDeeplyIndented"]


def test_problems_are_counted_up_to_a_limit() -> None:
    """However much is wrong, and wherever brackets stay open, reading takes a time that grows as the text does."""
    assert len(problems_of("a b = c d ? e\n" * 5_000)) == 1000
    assert problems_of("[\n" * 20_000) == ["UnclosedBracket"] * 1000
    assert len(problems_of("dense {\n" * 5_000)) == 1000
    assert problems_of("[" * 100_000) == ["LineTooLong"]
    assert problems_of('"' * 1_001) == ["UnclosedString"]
    assert problems_of('"' * 100_001) == ["LineTooLong"]
    assert problems_of("\trelu\n" * 5_000) == ["TabIndentation"]


@pytest.mark.slow
def test_a_file_of_the_largest_size_is_read() -> None:
    text = "conv 3x3x64 same, bn, relu\n" * 300_000
    document, diagnostics = parse(Source("a.cnn", text))
    assert diagnostics == []
    assert len(document.lines) == 300_000
