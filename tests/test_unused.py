"""Warnings about names that nothing reads: silent over all that ships, and there for whatever is put in unread."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnndsl.elaborate.unused import unused_names
from cnndsl.files import read_source
from cnndsl.pipeline import check
from cnndsl.source import Source
from cnndsl.syntax import parse

ROOT = Path(__file__).parent.parent
SHIPPED = sorted([*ROOT.glob("specs/**/*.cnn"), *ROOT.glob("cnndsl/templates/*.cnn")])
CODES = ("W224", "W225", "W226")


def found_in(text: str, name: str = "a.cnn") -> list[tuple[str, str]]:
    """The codes of the warnings and what they mark."""
    found = check(Source(name, text)).diagnostics
    return [(d.code, d.span.text) for d in found if d.code in CODES]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_ships_reads_all_its_names(path: Path) -> None:
    source = read_source(str(path))
    assert isinstance(source, Source)
    assert unused_names(parse(source)[0]) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_put_in_unread_is_found(path: Path) -> None:
    """A parameter more for every block and network, a `let` at the end of every network."""
    text = path.read_text(encoding="utf-8")
    text, parameters = re.subn(r"(?m)^((?:block|network) \w+\()(?=\w)", r"\1unread_=1, ", text)
    text, plain = re.subn(r"(?m)^(block|network) (\w+)(?=:|$| +#)", r"\1 \2(unread_=1)", text)
    text = text.rstrip() + "\n\nblock unread_:\n    let unread_ = 1\n    relu\n"
    # Blocks that are passed as values have the parameters that others have.
    document, faults = parse(Source("a.cnn", text))
    assert faults == []
    found = [(d.code, d.span.text) for d in unused_names(document)]
    assert {name for _, name in found} == {"unread_"}
    assert found.count(("W225", "unread_")) == 1
    assert found.count(("W226", "unread_")) == bool(re.search(r"(?m)^network", text))
    count = sum(code == "W224" for code, _ in found)
    assert 0 < count <= parameters + plain if parameters + plain else count == 0


def test_files_for_others_keep_what_they_define(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    library = "let wide = 64\nblock here(c, lost):\n    conv 1x1x{c}\nblock other:\n    relu\n"
    Path("blocks.cnn").write_text(library)
    used = 'use "blocks.cnn": here\nnetwork A\ninput 8x8x1\nhere 4 5\n'
    assert found_in(used) == []
    assert found_in(library, "blocks.cnn") == [("W224", "lost")]


@pytest.mark.parametrize(
    "lines",
    [
        "conv 3x3x{n}",
        "if n > 2:\n    relu\nelse:\n    tanh",
        "repeat n:\n    relu",
        "relu * {n}",
        "conv 1x1x1 as x[n]",
        "relu\nexpect params < n",
        "relu -> {n}x3x1",
        "for i in range(n):\n    dropout {i / 10}",
        "let f(x) = x + n\nconv 1x1x{f(1)}",
        "conv 1x1x4 init=he connect=[[n - 3], [0], [0], [0]]",
        "add:\n    | identity\n    | conv 1x1x1 dilation={n}",
        "output side:\n    dense {n}",
        "dense 2\ntrain:\n    data synthetic\n    epochs {n}",
    ],
)
def test_uses(lines: str) -> None:
    assert [name for _, name in found_in(f"network A(n=3, other=1)\ninput 3x3x1\n{lines}\n")] == ["other"]


def test_a_line_with_an_error_may_have_read_them() -> None:
    assert found_in("network A(width=3)\ninput 3x3x1\ndense {widht}\n") == []
    assert found_in("network A(width=3)\ninput 3x3x1\nconv 3 x 3 x {width}\n") == []
