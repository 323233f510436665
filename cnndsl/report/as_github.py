"""What is wrong with specs as workflow commands of GitHub Actions, which show it in a pull request's changes.

::error file=nets/lenet.cnn,line=7,endLine=7,col=6,endColumn=15,title=E301 wrong number of dimensions::a 3-D kernel …
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.diagnostics import Diagnostic
from cnndsl.diagnostics.render import of_option, unread

FIXES = 3
"""Fixes that an annotation names."""
_COMMANDS = ("error", "warning")


def render(diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    """One line for each problem; none if nothing is wrong."""
    for diagnostic in diagnostics:
        command = diagnostic.severity if diagnostic.severity in _COMMANDS else "notice"
        properties = ",".join(f"{name}={_property(value)}" for name, value in _properties(diagnostic))
        said = [diagnostic.message_text(), *diagnostic.note_texts()]
        fixes = [fix.title for fix in diagnostic.fixes if f"help: {fix.title}" not in said]
        texts = "\n".join([*said, *(f"fix: {title}" for title in fixes[:FIXES])])
        yield f"::{command} {properties}::{_data(texts)}\n"


def _properties(diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    """Where it stands, as far as it stands in a file. Columns go with a place within one line only."""
    source = diagnostic.span.source
    if not of_option(diagnostic):
        yield "file", source.name
    if not of_option(diagnostic) and not unread(diagnostic):
        line, column = source.position(diagnostic.span.start)
        end_line, end_column = source.position(diagnostic.span.end)
        yield "line", str(line)
        yield "endLine", str(end_line)
        if line == end_line:
            yield "col", str(column)
            yield "endColumn", str(end_column)
    yield "title", f"{diagnostic.code} {diagnostic.title}"


def _data(text: str) -> str:
    """A text in which no character ends the command: a percent sign begins an escape, a line end ends it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property's value, which a comma or a colon would end as well."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
