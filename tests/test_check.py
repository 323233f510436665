"""What is said about wrong specs: every `tests/check/TOPIC/NAME.cnn` stands beside what it gives, `NAME.out`.

`pytest tests/test_check.py --rewrite` writes the `.out` files; read the difference before you commit it. A first
line `# options: --set depth=3 --input 8x8x1 --network A` stands for the command line's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnndsl.diagnostics import Diagnostic
from cnndsl.diagnostics.index import CODES
from cnndsl.diagnostics.render import render_all
from cnndsl.files import read_source
from cnndsl.pipeline import Options, check
from cnndsl.repair import repair

FOLDER = Path(__file__).parent / "check"
SPECS = sorted(FOLDER.glob("*/*.cnn"))

# These run into a limit that takes seconds to reach.
LONG = {"layers"}
PARAMETERS = [
    pytest.param(path, id=f"{path.parent.name}/{path.stem}", marks=[pytest.mark.slow] if path.stem in LONG else [])
    for path in SPECS
]

# Problems that no spec can show alone: they are about files, folders and packages, or about a size of megabytes.
BEYOND_SPECS = {
    "E001": "a missing file",
    "E002": "a folder instead of a file",
    "E003": "a file that may not be read",
    "E004": "a file of more than 8 MiB",
    "E007": "a machine without git",
    "E008": "a folder that is in no git repository",
    "E009": "a revision that git does not know",
    "E010": "a file that is not in a revision",
    "E254": "an installed package that fails",
    "E701": "a line of more than 20,000 words",
    "E703": "brackets 500 deep",
    "E704": "more than a hundred files",
}


def options_of(path: Path) -> Options:
    """The command line that a spec's first line asks for."""
    first = path.read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    if not first.startswith("# options: "):
        return Options()
    given = re.findall(r"--(\w+) (\S+)", first)
    sets = tuple(tuple(value.split("=", 1)) for name, value in given if name == "set")
    others = {name: value for name, value in given if name != "set"}
    return Options(sets=sets, input=others.get("input"), network=others.get("network"))  # type: ignore[arg-type]


def diagnostics_of(path: Path) -> list[Diagnostic]:
    source = read_source(path.name)
    if isinstance(source, Diagnostic):
        return [source]
    options = options_of(path)
    return list(repair(check(source, options), options).diagnostics)


@pytest.mark.parametrize("path", PARAMETERS)
def test_golden(path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    said = render_all(diagnostics_of(path), shown=1000)
    expected = path.with_suffix(".out")
    if request.config.getoption("--rewrite"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


def test_no_expected_output_without_a_spec() -> None:
    assert {p.stem for p in FOLDER.glob("*/*.out")} == {p.stem for p in SPECS}


def test_every_code_has_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "\n".join(p.read_text(encoding="utf-8") for p in FOLDER.glob("*/*.out"))
    missing = {code: CODES[code] for code in CODES if f"[{code}]" not in said and code not in BEYOND_SPECS}
    assert missing == {}


@pytest.mark.parametrize("path", PARAMETERS)
def test_places_lie_in_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every span, label and edit lies within its text and begins and ends in the right order."""
    monkeypatch.chdir(path.parent)
    for diagnostic in diagnostics_of(path):
        spans = [diagnostic.span, *(label.span for label in diagnostic.labels)]
        spans += [edit.span for fix in diagnostic.fixes for edit in fix.edits]
        for span in spans:
            assert 0 <= span.start <= span.end <= len(span.source.text), diagnostic
        assert diagnostic.to_json()
