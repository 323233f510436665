"""`cnndsl explain`: problems, layer kinds, words of the language, settings, shipped blocks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from cnndsl.cli import main
from cnndsl.diagnostics.index import CODES
from cnndsl.elaborate.functions import BUILTINS
from cnndsl.layers import names
from cnndsl.recipe.settings import SETTINGS
from cnndsl.reference.topics import known_names, topics_named
from cnndsl.report.as_page import render
from cnndsl.syntax.tables import KEYWORDS
from cnndsl.terminal import Look, width_of

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


Explained = Callable[..., str]


@pytest.fixture
def explained(capsys: pytest.CaptureFixture[str]) -> Explained:
    """Runs `cnndsl explain` with these words, asserts its exit code, and gives all that it printed."""

    def run(*words: str, code: int = 0) -> str:
        found = main(["explain", *words])
        output = "".join(capsys.readouterr())
        assert found == code, output
        return output

    return run


def all_names() -> Iterator[str]:
    yield from (*CODES, *names(), *KEYWORDS, *BUILTINS)
    yield from (f"{kind.name} {option.name}" for kind in SETTINGS for option in kind.options)
    yield from ("->", "...", "|", "{}", "*", "/", "~", "#", "std.residual.bottleneck", "std.unet", "std")


def test_everything_has_a_page() -> None:
    for name in (*all_names(), *known_names()):
        found = topics_named(name)
        assert found, name
        assert [topic.sort for topic in topics_named(name.upper())] == [topic.sort for topic in found], name
        for topic in found:
            assert topic.name, topic
            assert len(topic.page) > 40, topic


def test_a_word_that_is_a_kind_is_both() -> None:
    assert [topic.sort for topic in topics_named("max")] == ["layer kind", "word"]
    assert [topic.sort for topic in topics_named("pad")] == ["layer kind", "word"]


def test_a_block_is_shown_with_its_lines(explained: Explained) -> None:
    text = explained("std.residual.bottleneck")
    assert "use std.residual: bottleneck" in text
    assert "conv 3x3x{inner} /{stride} pad=1" in text
    assert explained("bottleneck") == text


@pytest.mark.parametrize(
    ("asked", "guess"), [("convv", "conv"), ("repaet", "repeat"), ("WindowTooLrge", None), ("bottelneck", "bottleneck")]
)
def test_did_you_mean(asked: str, guess: str | None, explained: Explained) -> None:
    said = explained(asked, code=2)
    assert f"'{asked}' is no problem's code" in said
    assert guess is None or f"Did you mean '{guess}'?" in said


def test_a_wrong_option_is_no_topic(explained: Explained) -> None:
    assert "No such option '--fromat'" in explained("conv", "--fromat", "json", code=2)


def test_json(explained: Explained) -> None:
    found = json.loads(explained("E306", "--format", "json"))
    assert [topic["name"] for topic in found["topics"]] == ["E306"]
    assert "**Wrong:**" in found["topics"][0]["markdown"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_pages_fit_the_terminal(width: int) -> None:
    for name in ("conv", "attention", "E306", "repeat", "optimizer adam", "std.mobile.inverted_residual"):
        for topic in topics_named(name):
            plain, coloured = (render(topic.page, Look(width, colour, True)) for colour in (False, True))
            fenced = [line for line in topic.page.splitlines() if line.startswith(" ")]
            for line in plain.splitlines():
                whole = line.strip().count(" ") == 0 or line.strip() in (one.strip() for one in fenced)
                assert width_of(line) <= width or whole or line.startswith("    "), line
            assert "\x1b" in coloured
            assert "`" not in ESCAPE.sub("", coloured), coloured


def test_the_overview_names_everything(explained: Explained) -> None:
    said = explained().split()
    assert {*names(), *CODES, *KEYWORDS} - {"identity"} - set(said) <= {"bn", *_aliases()}


def _aliases() -> set[str]:
    from cnndsl.layers import find

    return {name for name in names() if (kind := find(name)) is not None and kind.kind != name}
