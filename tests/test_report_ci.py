"""The formats of continuous integration, held to what was written elsewhere: the JSON schema of SARIF 2.1.0, and the
way in which GitHub's runner reads a workflow command.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_check import FOLDER, LONG, options_of

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label
from cnndsl.files import read_source
from cnndsl.pipeline import Options, check
from cnndsl.report import as_github, as_sarif
from cnndsl.report.as_sarif import uri_of
from cnndsl.source import Source, Span

REFERENCE = Path(__file__).parent / "reference"
SCHEMA = jsonschema.Draft4Validator(
    json.loads((REFERENCE / "sarif-schema-2.1.0.json").read_text(encoding="utf-8")),
    format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
)
TOPICS = sorted(path for path in FOLDER.iterdir() if path.is_dir())


def sarif_of(sources: list[Source], diagnostics: list[Diagnostic]) -> dict[str, Any]:
    """The one run of the document, which has the form that the standard asks for."""
    document = json.loads(as_sarif.render(sources, diagnostics))
    SCHEMA.validate(document)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


@cache
def found_in(topic: Path) -> tuple[list[Source], list[Diagnostic]]:
    sources, diagnostics = [], []
    for path in sorted(topic.glob("*.cnn")):
        source = read_source(path.name)
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
        elif path.stem not in LONG:
            sources.append(source)
            diagnostics += check(source, options_of(path)).diagnostics
    return sources, diagnostics


def cut(text: str, region: dict[str, int]) -> tuple[int, int]:
    """The offsets of a region, as the standard counts: columns are code points, lines end with CR LF or LF."""
    lines = re.split(r"(?<=\n)", text)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines))]
    ends = (("startLine", "startColumn"), ("endLine", "endColumn"))
    first, last = (starts[region[line] - 1] + region[column] - 1 for line, column in ends)
    return first, last


def mended(text: str, replacements: list[dict[str, Any]]) -> str:
    """The text after a fix: regions are those of the text as it was, so the last one is replaced first."""
    for one in sorted(replacements, key=lambda r: cut(text, r["deletedRegion"]), reverse=True):
        first, last = cut(text, one["deletedRegion"])
        text = text[:first] + one["insertedContent"]["text"] + text[last:]
    return text


def applied(text: str, edits: tuple[Edit, ...]) -> str:
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end), reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_sarif_of_every_wrong_spec(topic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(topic)
    sources, diagnostics = found_in(topic)
    run = sarif_of(sources, diagnostics)
    rules = run["tool"]["driver"]["rules"]
    placed = [d for d in diagnostics if d.code[:2] != "E0" and not d.span.source.name.startswith("--")]
    assert len(run["results"]) == len(placed)
    for result, diagnostic in zip(run["results"], placed, strict=True):
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"] == diagnostic.code
        regions = [place["physicalLocation"]["region"] for place in result["locations"]]
        assert [cut(diagnostic.span.source.text, r) for r in regions] == [(diagnostic.span.start, diagnostic.span.end)]
        assert [place["id"] for place in result.get("relatedLocations", [])] == [
            i + 1 for i in range(len(diagnostic.labels))
        ]
        for fix, told in zip(diagnostic.fixes, result.get("fixes", []), strict=True):
            for change in told["artifactChanges"]:
                uri = change["artifactLocation"]["uri"]
                edits = tuple(e for e in fix.edits if uri_of(e.span.source.name) == uri)
                text = edits[0].span.source.text
                assert mended(text, change["replacements"]) == applied(text, edits)


def test_sarif_of_nothing_wrong() -> None:
    run = sarif_of([Source("a.cnn", ""), Source("a.cnn", "")], [])
    assert run["results"] == []
    assert [one["location"]["uri"] for one in run["artifacts"]] == ["a.cnn"]
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_what_is_no_fault_of_a_spec_is_no_result() -> None:
    source = Source("a.cnn", "network A\ninput 8x8x1\nconv 3x3x4\n")
    missing = read_source("no such.cnn")
    assert isinstance(missing, Diagnostic)
    run = sarif_of([source], [*check(source, Options(sets=(("width", "3"),))).diagnostics, missing])
    assert run["results"] == []
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (option,) = invocation["toolConfigurationNotifications"]
    assert option["message"]["text"].startswith("--set width=3: ")
    (file,) = invocation["toolExecutionNotifications"]
    assert file["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "no%20such.cnn"}}}]
    names = [notice["id"] for notice in run["tool"]["driver"]["notifications"]]
    assert [names[n["descriptor"]["index"]] for n in (option, file)] == ["E208", "E001"]


def test_sarif_messages_have_no_placeholders_and_no_links() -> None:
    """Section 3.11.5: a brace is written twice. Section 3.11.6: `[text](target)` is a link."""
    source = Source("a.cnn", "network A\ninput 8x8x1\nconv 1x1x{[1, 2][0](3)}\n")
    told = sarif_of([source], [a_problem(source, 0, 7, "{0} of [a](1)")])["results"][0]["message"]["text"]
    assert "{{0}} of [a] (1)" in told


class Made(Diagnostic):
    code = "E299"
    title = "made here"
    message = "{name} is wrong"
    label = "{name}"
    help = "not {name}"


def a_problem(source: Source, start: int, end: int, name: str) -> Diagnostic:
    span = Span(source, start, end)
    fix = Fix("write it so", (Edit(span, name), Edit(Span(source, start, start), "\n")))
    return Made(span, name=name, labels=(Label(span, name),), fixes=(fix,))


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.text(max_size=10),
    st.data(),
)
def test_sarif_of_any_text(text: str, name: str, data: st.DataObject) -> None:
    text = text.replace("\r", "")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    diagnostic = a_problem(Source("a.cnn", text), start, end, name)
    (result,) = sarif_of([], [diagnostic])["results"]
    assert cut(text, result["locations"][0]["physicalLocation"]["region"]) == (start, end)


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("nets/a.cnn", "nets/a.cnn"),
        ("./a.cnn", "a.cnn"),
        ("../a.cnn", "../a.cnn"),
        ("a b%é:.cnn", "a%20b%25%C3%A9%3A.cnn"),
        ("<stdin>", "%3Cstdin%3E"),
    ],
)
def test_uris_are_relative(name: str, uri: str) -> None:
    assert uri_of(name) == uri


def test_uris_of_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert uri_of(str(tmp_path / "project" / "nets" / "a.cnn")) == "nets/a.cnn"
    outside = urlsplit(uri_of(str(tmp_path / "a b.cnn")))
    assert (outside.scheme, unquote(outside.path)) == ("file", str(tmp_path / "a b.cnn"))


# --- GitHub ---------------------------------------------------------------------------------------------------------


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it: a name, properties, the message."""
    assert line.startswith("::")
    end = line.index("::", 2)
    name, _, listed = line[2:end].partition(" ")
    pairs = [pair.split("=", 1) for pair in listed.split(",")]
    properties = {key: _unescaped(value, "%0D %0A %3A %2C %25") for key, value in pairs}
    return name, properties, _unescaped(line[end + 2 :], "%0D %0A %25")


def _unescaped(text: str, escapes: str) -> str:
    for escape in escapes.split():  # the percent sign last
        text = text.replace(escape, chr(int(escape[1:], 16)))
    return text


def test_github() -> None:
    source = Source("nets/a, b: 50%.cnn", "network A\ninput 8x8x1\nconv 3x3x4, rellu\ndense 10\n")
    (line,) = as_github.render(check(source).diagnostics)
    assert line == (
        "::error file=nets/a%2C b%3A 50%25.cnn,line=3,endLine=3,col=13,endColumn=18,"
        "title=E201 unknown layer kind::there is no layer kind or block named `rellu`%0Ahelp: did you mean `relu`?\n"
    )


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_github_of_every_wrong_spec(topic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(topic)
    _, diagnostics = found_in(topic)
    lines = list(as_github.render(diagnostics))
    assert len(lines) == len(diagnostics)
    for line, diagnostic in zip(lines, diagnostics, strict=True):
        assert line.index("\n") == len(line) - 1
        assert "\r" not in line
        name, properties, message = read_command(line[:-1])
        assert name == {"note": "notice"}.get(diagnostic.severity, diagnostic.severity)
        assert message.startswith(diagnostic.message_text())
        assert properties["title"] == f"{diagnostic.code} {diagnostic.title}"
        # GitHub takes no columns of a place that has several lines.
        assert "col" not in properties or properties["line"] == properties["endLine"]


@given(st.text(min_size=1), st.text())
def test_github_escapes_anything(file: str, name: str) -> None:
    diagnostic = a_problem(Source(file, "conv 3x3"), 0, 4, name)
    (line,) = as_github.render([diagnostic])
    assert line.count("\n") == 1
    _, properties, message = read_command(line[:-1])
    assert (properties["file"], properties["line"], properties["endColumn"]) == (file, "1", "5")
    assert name in message
