"""Drawing diagnostics: the only place that knows what a problem looks like in a terminal.

    error[E301]: the kernel is larger than its input
     --> lenet.cnn:7:6
      |
    5 | conv 5x5x16 valid, tanh
      | ----------------- 10x10x16 comes out here
      :
    9 | conv 17x17x120
      |      ^^^^^^^^^ 17 cells, but only 10 are there
      |
      = fix: write a kernel that fits
    9 - conv 17x17x120
    9 + conv 10x10x120

Everything a spec says is made visible (`terminal.visible`) before it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnndsl.diagnostics import Diagnostic, Edit, Fix
from cnndsl.diagnostics.snippet import Mark, cut, draw, gutter, mark
from cnndsl.source import Source
from cnndsl.terminal import BOLD, CYAN, GREEN, PLAIN, RED, YELLOW, Look, visible, wrap

SHOWN = 20
"""How many errors, and how many warnings, one run shows."""

FIXES_SHOWN = 4
FIX_LINES_SHOWN = 8
LONGEST = 1000
"""Characters of one message, label or note that are drawn: specs may hold names of any length."""

_COLOURS = {"error": RED, "warning": YELLOW}


def render_all(diagnostics: Sequence[Diagnostic], look: Look = PLAIN, *, shown: int = SHOWN) -> str:
    """All diagnostics as one text: in the order of the files and of the places in them, up to `shown` of each
    severity, then a line that counts them all. Empty if there are none."""
    parts = []
    drawn: dict[str, int] = {}
    for diagnostic in _ordered(diagnostics):
        drawn[diagnostic.severity] = drawn.get(diagnostic.severity, 0) + 1
        if drawn[diagnostic.severity] <= shown:
            parts.append(render(diagnostic, look))
    counted = summary(diagnostics)
    if counted:
        cut_short = [severity for severity, count in drawn.items() if count > shown]
        note = f" (only the first {shown} {' and '.join(s + 's' for s in cut_short)} are shown)" if cut_short else ""
        parts.append(look.paint(counted, BOLD) + note + "\n")
    return "\n".join(parts)


def _ordered(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    files: dict[str, int] = {}
    for diagnostic in diagnostics:
        files.setdefault(diagnostic.span.source.name, len(files))
    return sorted(diagnostics, key=lambda d: (files[d.span.source.name], d.span.start))


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning in lenet.cnn`. Files that could not be read are not counted; empty if nothing is left."""
    counts: dict[str, int] = {}
    files: dict[str, None] = {}
    for diagnostic in diagnostics:
        if not unread(diagnostic):
            counts[diagnostic.severity] = counts.get(diagnostic.severity, 0) + 1
            files[diagnostic.span.source.name] = None
    if not counts:
        return ""
    order = sorted(counts, key=lambda severity: (severity != "error", severity != "warning", severity))
    said = ", ".join(f"{counts[s]:,} {s}{'s' * (counts[s] != 1)}" for s in order)
    return f"{said} in {visible(next(iter(files))) if len(files) == 1 else f'{len(files):,} files'}"


def unread(diagnostic: Diagnostic) -> bool:
    """Whether it says that a file can't be read: then there is no text to point at."""
    return diagnostic.code.startswith("E0")


def of_option(diagnostic: Diagnostic) -> bool:
    """Whether it is about what the command line says, as `--set` does, and not about a spec."""
    return diagnostic.span.source.name.startswith("--")


def render(diagnostic: Diagnostic, look: Look = PLAIN, *, fixes: bool = True) -> str:
    """One diagnostic: header, the marked source, notes, help and, if asked for, fixes. Ends with a newline."""
    colour = _COLOURS.get(diagnostic.severity, CYAN)
    lines = _header(diagnostic, look, colour)
    shown = diagnostic.fixes[:FIXES_SHOWN] if fixes else ()
    sources = {} if unread(diagnostic) else _by_source(diagnostic)
    margin = _margin(sources, shown)
    for source, marks in sources.items():
        arrow = "-->" if source is diagnostic.span.source else ":::"
        place = f"{visible(source.name)}:{marks[0].first}:{marks[0].start + 1}"
        lines += [f"{' ' * margin}{look.paint(arrow, CYAN)} {place}", gutter(look, margin)]
        lines += draw(source, marks, look, margin, colour)
    notes = _notes(diagnostic, look, margin)
    if notes and sources:
        lines.append(gutter(look, margin))
    lines += notes
    for fix in shown:
        lines += _fix(fix, diagnostic.span.source, look, margin)
    left_out = len(diagnostic.fixes) - len(shown)
    if left_out and fixes:
        lines.append(f"{' ' * margin} = and {left_out} more way{'s' * (left_out != 1)} to mend it")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render_fix(fix: Fix, diagnostic: Diagnostic, look: Look = PLAIN) -> str:
    """One fix of a diagnostic alone: its title, and the lines before and after it. Ends with a newline."""
    lines = _fix(fix, diagnostic.span.source, look, _margin({}, [fix]))[1:]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _header(diagnostic: Diagnostic, look: Look, colour: str) -> list[str]:
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    first, *rest = wrap(f"{head}: {visible(_clipped(diagnostic.message_text()))}", look.width)
    painted = look.paint(head, colour, BOLD) + look.paint(first[len(head) :], BOLD)
    return [painted, *(look.paint(line, BOLD) for line in rest)]


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 100]} ... {text[-90:]}"


def _by_source(diagnostic: Diagnostic) -> dict[Source, list[Mark]]:
    """Every mark, the primary first, under the source it stands in."""
    label = _clipped(diagnostic.label_text())
    marks: dict[Source, list[Mark]] = {diagnostic.span.source: [mark(diagnostic.span, label, primary=True)]}
    for span, text in diagnostic.labels:
        marks.setdefault(span.source, []).append(mark(span, _clipped(text)))
    return marks


def _margin(sources: dict[Source, list[Mark]], fixes: Sequence[Fix]) -> int:
    """The width of the column of line numbers."""
    marked = [m.last for marks in sources.values() for m in marks]
    edited = [e.span.source.position(e.span.end)[0] + e.text.count("\n") for fix in fixes for e in fix.edits]
    return len(str(max([*marked, *edited, 1])))


_GUESSES = ("did you mean `", "it is called `", "docs/layers.md lists")
"""How helps begin that guess what was meant, as a fix does better."""


def _notes(diagnostic: Diagnostic, look: Look, margin: int) -> list[str]:
    lines = []
    titles = {fix.title for fix in diagnostic.fixes}
    for text in diagnostic.note_texts():
        prefix, _, said = text.partition(": ")
        guessed = bool(titles) and said.startswith(_GUESSES)
        if said not in titles and not guessed:  # else the fix says it
            lines += _note(prefix, said, look, margin)
    return lines


def _note(prefix: str, said: str, look: Look, margin: int) -> list[str]:
    indent = margin + len(f" = {prefix}: ")
    room = None if look.width is None else max(look.width - indent, 20)
    lines = [line for part in _clipped(said).split("\n") for line in wrap(visible(part), room)]
    lead = f"{' ' * margin} {look.paint('=', CYAN)} {look.paint(prefix, CYAN, BOLD)}: "
    return [lead + lines[0], *(" " * indent + line for line in lines[1:])]


def _fix(fix: Fix, main: Source, look: Look, margin: int) -> list[str]:
    """A fix: its title, and each file's changed lines before and after."""
    lines = [gutter(look, margin), *_note("fix", fix.title, look, margin)]
    by_source: dict[Source, list[Edit]] = {}
    for edit in fix.edits:
        by_source.setdefault(edit.span.source, []).append(edit)
    for source, run in ((one, run) for one, edits in by_source.items() for run in _runs(one, edits)):
        first, before, after = _changed(source, run)
        if source is not main:
            lines.append(f"{' ' * margin}{look.paint(':::', CYAN)} {visible(source.name)}:{first}")
        lines += _sided(first, before, "-", RED, look, margin, _difference(before, after))
        lines += _sided(first, after, "+", GREEN, look, margin, _difference(after, before))
    return lines


def _runs(source: Source, edits: list[Edit]) -> list[list[Edit]]:
    """Edits of one file in the order of their places, those of lines that touch together."""
    runs: list[list[Edit]] = []
    last = 0
    for edit in sorted(edits, key=lambda edit: (edit.span.start, edit.span.end)):
        if not runs or source.position(edit.span.start)[0] > last + 1:
            runs.append([])
        runs[-1].append(edit)
        last = max(last, source.position(edit.span.end)[0])
    return runs


def _changed(source: Source, edits: list[Edit]) -> tuple[int, list[str], list[str]]:
    """The number of the first line that edits change, and the changed lines before and after."""
    ordered = sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))
    number = source.position(ordered[0].span.start)[0]
    start = source.starts[number - 1]
    last = source.position(max(edit.span.end for edit in ordered))[0]
    end = source.starts[last] if last < len(source.starts) else len(source.text)
    pieces, at = [], start
    for edit in ordered:
        pieces += [source.text[at : edit.span.start], edit.text]
        at = max(at, edit.span.end)
    before, after = _lines(source.text[start:end]), _lines("".join(pieces) + source.text[at:end])
    while before and after and before[0] == after[0]:
        number, before, after = number + 1, before[1:], after[1:]
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return number, before, after


def _lines(text: str) -> list[str]:
    return [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def _difference(lines: list[str], others: list[str]) -> int:
    """The column at which the first line stops being like the first of the others."""
    if not lines or not others:
        return 0
    pairs = zip(lines[0], others[0], strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(lines[0]), len(others[0])))


def _sided(first: int, lines: list[str], sign: str, colour: str, look: Look, margin: int, column: int) -> list[str]:
    drawn = []
    for i, line in enumerate(lines[:FIX_LINES_SHOWN]):
        text = cut(line, column if i == 0 else 0, look, margin).text
        drawn.append(look.paint(f"{first + i:>{margin}} {sign} {text}", colour))
    if len(lines) > FIX_LINES_SHOWN:
        drawn.append(look.paint(f"{'':>{margin}} {sign} ... {len(lines) - FIX_LINES_SHOWN} more lines", colour))
    return drawn
