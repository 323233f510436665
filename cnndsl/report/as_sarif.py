"""What is wrong with specs as SARIF 2.1.0, the OASIS standard's form for code scanning.

Paragraphs (§) are those of its text. Columns count code points, as everywhere here, and `columnKind` says so
(§3.14.27). What isn't wrong in a spec, a file that can't be read or an option, is a notification of the run and no
result (§3.20.21, §3.20.22).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from cnndsl import __version__
from cnndsl.diagnostics import Diagnostic, Edit, Fix
from cnndsl.diagnostics.render import of_option, unread
from cnndsl.source import Source, Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(sources: Iterable[Source], diagnostics: Sequence[Diagnostic]) -> str:
    """The document. `sources` are the specs that were checked, those without a mistake included."""
    results = [d for d in diagnostics if not unread(d) and not of_option(d)]
    others = [d for d in diagnostics if unread(d) or of_option(d)]
    rules, notices = _classes(results), _classes(others)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "cnndsl",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_descriptor(rule) for rule in rules],
                "notifications": [_descriptor(notice) for notice in notices],
            }
        },
        "columnKind": "unicodeCodePoints",
        "artifacts": [
            {"location": {"uri": uri}, "roles": ["analysisTarget"], "sourceLanguage": "cnn"}
            for uri in dict.fromkeys(uri_of(source.name) for source in sources)
        ],
        "results": [_result(d, rules) for d in results],
        "invocations": [_invocation(others, notices)],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1) + "\n"


def _classes(diagnostics: Iterable[Diagnostic]) -> list[type[Diagnostic]]:
    """The kinds of problem that occur, by code."""
    return sorted({type(d) for d in diagnostics}, key=lambda kind: kind.code)


def _descriptor(kind: type[Diagnostic]) -> dict[str, Any]:
    """A kind of problem as a rule (§3.49), with the text of the reference as its help."""
    from inspect import cleandoc

    told: dict[str, Any] = {
        "id": kind.code,
        "name": kind.__name__,
        "shortDescription": _message(_sentence(kind.title)),
        "defaultConfiguration": {"level": _level(kind.severity)},
    }
    if kind.__doc__:
        text = cleandoc(kind.__doc__)
        told["fullDescription"] = _message(text.partition("\n\n")[0].replace("\n", " "))
        told["help"] = {"text": _escaped(text), "markdown": _escaped(text)}
    return told


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _result(diagnostic: Diagnostic, rules: list[type[Diagnostic]]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rules.index(type(diagnostic)),
        "level": _level(diagnostic.severity),
        "message": _message("\n".join([diagnostic.message_text(), *diagnostic.note_texts()])),
        "locations": [_location(diagnostic.span, diagnostic.label_text())],
    }
    if diagnostic.labels:
        told["relatedLocations"] = [
            {"id": i, **_location(label.span, label.text)} for i, label in enumerate(diagnostic.labels, start=1)
        ]
    if diagnostic.fixes:
        told["fixes"] = [_fix(fix) for fix in diagnostic.fixes]
    return told


def _level(severity: str) -> str:
    return severity if severity in ("error", "warning") else "note"


def _location(span: Span, text: str) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": uri_of(span.source.name)}, "region": _region(span)}
    return {"physicalLocation": place, **({"message": _message(text)} if text else {})}


def _region(span: Span) -> dict[str, int]:
    """Both ends; the last column is not part of it (§3.30.8), and one of length 0 is a point to insert at."""
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _fix(fix: Fix) -> dict[str, Any]:
    """A fix as replacements, each in terms of the file as it is (§3.57)."""
    by_file: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        by_file.setdefault(uri_of(edit.span.source.name), []).append(edit)
    changes = [
        {
            "artifactLocation": {"uri": uri},
            "replacements": [
                {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}} for edit in edits
            ],
        }
        for uri, edits in by_file.items()
    ]
    told: dict[str, Any] = {"description": _message(fix.title), "artifactChanges": changes}
    return told | {"properties": {"applicability": fix.applicability}}


def _invocation(others: Sequence[Diagnostic], notices: list[type[Diagnostic]]) -> dict[str, Any]:
    """Whether all that was asked for could be looked at, and what could not."""
    told: dict[str, Any] = {"executionSuccessful": all(d.severity != "error" for d in others)}
    for name, which in (("toolExecutionNotifications", unread), ("toolConfigurationNotifications", of_option)):
        found = [_notification(d, notices) for d in others if which(d)]
        if found:
            told[name] = found
    return told


def _notification(diagnostic: Diagnostic, notices: list[type[Diagnostic]]) -> dict[str, Any]:
    texts = [diagnostic.message_text(), *diagnostic.note_texts()]
    if of_option(diagnostic):
        texts[0] = f"{diagnostic.span.source.name} {diagnostic.span.source.text}: {texts[0]}"
    told: dict[str, Any] = {
        "descriptor": {"id": diagnostic.code, "index": notices.index(type(diagnostic))},
        "level": _level(diagnostic.severity),
        "message": _message("\n".join(texts)),
    }
    if unread(diagnostic):
        told["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": uri_of(diagnostic.span.source.name)}}}]
    return told


def _message(text: str) -> dict[str, str]:
    return {"text": _escaped(text)}


def _escaped(text: str) -> str:
    """A text in which braces are no places to fill in (§3.11.5), and brackets no links (§3.11.6)."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def uri_of(name: str) -> str:
    """A file's name as a URI: relative to the current folder if it lies in it, or was given so; else `file://`."""
    from urllib.parse import quote

    path = os.path.relpath(name) if os.path.isabs(name) else os.path.normpath(name)
    if os.path.isabs(name) and path.split(os.sep)[0] == os.pardir:
        return "file://" + quote(name.replace(os.sep, "/"))
    return quote(path.replace(os.sep, "/"))
