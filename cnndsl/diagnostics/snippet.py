"""The marked source of a diagnostic: lines with numbers, underlines, and labels beside or below them.

Marks within a line are underlined (`^^^^` the primary, `----` the others); a mark over several lines
is a bar at the left that leads to its ends. All columns here are cells of the terminal.
"""

from __future__ import annotations

from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.terminal import BOLD, CYAN, Look, visible, width_of, wrap

WIDEST = 160
"""Cells of a source line that are drawn where the width is not limited."""

LONG = 6
"""A mark over more lines than this is drawn with its middle left out."""

TAB = "    "
_NARROWEST = 24
"""Cells that a label's text wants; with less room it moves to where there is more."""


class Mark(Record):
    """Something to mark in a source: 1-based lines, columns in code points from 0, the end exclusive."""

    first: int
    start: int
    last: int
    end: int
    text: str
    primary: bool


def mark(span: Span, text: str, *, primary: bool = False) -> Mark:
    """The mark of a span. The ends of its last lines are left out of it."""
    source, start, end = span
    start, end = min(start, len(source.text)), min(end, len(source.text))
    while end > start and source.text[end - 1] in "\r\n":
        end -= 1
    first, column = source.position(start)
    last, end_column = source.position(max(start, end))
    return Mark(first, column - 1, last, end_column - 1, text, primary)


def gutter(look: Look, margin: int, number: str = "", text: str = "", bar: str = "") -> str:
    """A row: a line number or blanks, the bar, and what stands right of it."""
    return look.paint(f"{number:>{margin}} {bar or look.drawn('│', '|')}", CYAN) + (f" {text}" if text else "")


def draw(source: Source, marks: list[Mark], look: Look, margin: int, colour: str) -> list[str]:
    """The rows that show the marks of one source, the primary in `colour`."""
    long = [m for m in marks if m.last > m.first]
    rows = []
    previous = None
    for number in _lines_shown(marks):
        if previous is not None and number > previous + 1:
            gap = _Canvas(look, colour)
            for i, m in enumerate(long):
                if m.first < number and m.last > previous:
                    gap.put(0, 2 * i, look.drawn("│", "|"), m)
            rows.append(gutter(look, margin, text="".join(gap.rows()), bar=look.drawn("·", ":")))
        previous = number
        first, *others = _line(source, number, marks, long, look, margin, colour)
        rows += [gutter(look, margin, str(number), first), *(gutter(look, margin, text=row) for row in others)]
    return rows


def _lines_shown(marks: list[Mark]) -> list[int]:
    """The numbers of the lines to draw: marked ones, the ends of long marks, and lines that stand alone between."""
    shown: set[int] = set()
    for m in marks:
        if m.last - m.first < LONG:
            shown.update(range(m.first, m.last + 1))
        else:
            shown.update((m.first, m.first + 1, m.first + 2, m.last - 1, m.last))
    shown |= {number + 1 for number in shown if number + 2 in shown}
    return sorted(shown)


def _line(
    source: Source, number: int, marks: list[Mark], long: list[Mark], look: Look, margin: int, colour: str
) -> list[str]:
    """One source line and the rows under it."""
    text = source.line(number)
    inside = [m for m in marks if m.first == m.last == number]
    opened = [m for m in long if m.first == number]
    closed = [m for m in long if m.last == number]
    shift = 2 * len(long)
    points = [(m.primary, m.start, m.end) for m in inside + opened] + [(m.primary, m.end, m.end) for m in closed]
    start = _focus(points, _room(look, margin) - shift)
    line = cut(text, start, look, margin + shift)
    canvas = _Canvas(look, colour)
    canvas.put(0, shift, line.text, None)
    _put_labels(canvas, inside, line, shift, _room(look, margin))
    bars = {m: (0, -1) for m in long if m.first < number < m.last}
    for m in closed:
        bars[m] = (0, len(canvas))
        _put_corner(canvas, m, 2 * long.index(m) + 1, shift + max(line.at(m.end) - 1, 0), m.text)
    for m in opened:
        if text[: m.start].strip():
            bars[m] = (len(canvas) + 1, -1)
            _put_corner(canvas, m, 2 * long.index(m) + 1, shift + line.at(m.start), "")
        else:
            bars[m] = (1, -1)
            canvas.put(0, 2 * long.index(m), "/", m)
    for m, (top, bottom) in bars.items():
        for row in range(top, len(canvas) if bottom < 0 else bottom + 1):
            canvas.put(row, 2 * long.index(m), look.drawn("│", "|"), m)
    return canvas.rows()


def _put_corner(canvas: _Canvas, m: Mark, start: int, column: int, text: str) -> None:
    """The row that leads from a mark's bar to its first or last character."""
    row = len(canvas)
    for at in range(start, column):
        canvas.put(row, at, "_", m)
    canvas.put(row, column, "^" if m.primary else "-", m)
    if text:
        canvas.put(row, column + 2, visible(text), m)


# --- lines too long, tabs, what is not seen -------------------------------------------------------------------------


class Cut(Record):
    """A line as drawn. `columns[i]` is the cell at which its code point `first + i` begins."""

    text: str
    first: int
    columns: list[int]

    def at(self, column: int) -> int:
        """The cell at which a code point begins; of those that are drawn, the nearest."""
        return self.columns[min(max(column - self.first, 0), len(self.columns) - 1)]


def cut(line: str, focus: int, look: Look, margin: int) -> Cut:
    """The line with tabs widened and everything made visible; if it is too long, the part around `focus`."""
    room = _room(look, margin)
    start, end = 0, len(line)
    if len(line) > room or width_of(_shown(line)) > room:
        start, end = _part(line, focus, room - 6)
    head, tail = "..." if start else "", "..." if end < len(line) else ""
    cells = [_shown(c) for c in line[start:end]]
    columns = [len(head)]
    for cell in cells:
        columns.append(columns[-1] + width_of(cell))
    return Cut(head + "".join(cells) + tail, start, columns)


def _room(look: Look, margin: int) -> int:
    return max(min(look.width or WIDEST, WIDEST) - margin - 3, 20)


def _shown(text: str) -> str:
    return visible(text.replace("\t", TAB))


def _focus(points: list[tuple[bool, int, int]], room: int) -> int:
    """Where the part of a long line that is drawn has to begin, or a little before: at the first mark, unless
    the primary one would then not be seen."""
    first = min((start for _, start, _ in points), default=0)
    primary = next(((start, end) for is_primary, start, end in points if is_primary), None)
    if primary and primary[1] - first > room // 2:
        return primary[0]
    return first


def _part(line: str, focus: int, room: int) -> tuple[int, int]:
    """Which code points of a long line to draw in `room` cells: some before `focus`, most of them after it."""
    start, used = min(focus, len(line)), 0
    while start and used < room // 4:
        start -= 1
        used += width_of(_shown(line[start]))
    end, used = start, 0
    while end < len(line) and used + width_of(_shown(line[end])) <= room:
        used += width_of(_shown(line[end]))
        end += 1
    while end == len(line) and start and used + width_of(_shown(line[start - 1])) <= room:
        start -= 1
        used += width_of(_shown(line[start]))
    return start, end


# --- labels under a line --------------------------------------------------------------------------------------------


class _Canvas:
    """Rows of pieces of text at columns, each in the style of the mark it belongs to."""

    def __init__(self, look: Look, colour: str) -> None:
        self._look = look
        self._colour = colour
        self._rows: list[dict[int, tuple[str, Mark | None]]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, row: int, column: int, text: str, m: Mark | None) -> None:
        while len(self._rows) <= row:
            self._rows.append({})
        self._rows[row][column] = (text, m)

    def rows(self) -> list[str]:
        """Every row, painted. A piece that an earlier one covers is left out."""
        return [self._joined(row) for row in self._rows]

    def _joined(self, row: dict[int, tuple[str, Mark | None]]) -> str:
        runs: list[tuple[str, Mark | None]] = []
        at = 0
        for column in sorted(row):
            text, m = row[column]
            if column < at:
                continue
            if column > at or not runs or runs[-1][1] is not m:
                runs.append((" " * (column - at), None))
                runs.append((text, m))
            else:
                runs[-1] = (runs[-1][0] + text, m)
            at = column + width_of(text)
        return "".join(self._painted(text, m) for text, m in runs)

    def _painted(self, text: str, m: Mark | None) -> str:
        return text if m is None else self._look.paint(text, self._colour if m.primary else CYAN, BOLD)

    @property
    def bar(self) -> str:
        return self._look.drawn("│", "|")

    @property
    def limited(self) -> bool:
        return self._look.width is not None


class _Label(Record):
    start: int
    end: int
    mark: Mark


def _put_labels(canvas: _Canvas, marks: list[Mark], line: Cut, shift: int, room: int) -> None:
    """Underlines, the last label beside them where it has room, the others hanging below, rightmost first."""
    if not marks:
        return
    spots = [(shift + line.at(m.start), shift + line.at(m.end), m) for m in marks]
    labels = sorted((_Label(a, max(b, a + 1), m) for a, b, m in spots), key=lambda label: label[:2])
    for label in sorted(labels, key=lambda label: (label.mark.primary, label.start - label.end)):
        for column in range(label.start, label.end):
            canvas.put(1, column, "^" if label.mark.primary else "-", label.mark)
    end = max(label.end for label in labels)
    said = [label for label in labels if label.mark.text]
    if said and _stands_last(said[-1], labels) and _fits(said[-1].mark.text, end + 1, canvas, room):
        beside = said.pop()
        for row, text in enumerate(_text_lines(beside.mark.text, end + 1, canvas, room), 1):
            canvas.put(row, end + 1, text, beside.mark)
    _hang(canvas, said, room)


def _stands_last(label: _Label, labels: list[_Label]) -> bool:
    """Whether text right of all underlines would plainly belong to this label."""
    return all(other is label or (other.start < label.start and other.end <= label.end) for other in labels)


def _fits(text: str, column: int, canvas: _Canvas, room: int) -> bool:
    return not canvas.limited or column + min(width_of(visible(text)), _NARROWEST) <= room


def _hang(canvas: _Canvas, labels: list[_Label], room: int) -> None:
    """The labels below the underlines, each at the end of a bar, the rightmost first."""
    if not labels:
        return
    row = max(len(canvas), 3)
    for above in range(2, row):
        for label in labels:
            canvas.put(above, label.start, canvas.bar, label.mark)
    while labels:
        label = labels.pop()
        text, column = label.mark.text, label.start
        if not _fits(text, column, canvas, room):
            column = max(room - min(width_of(visible(text)), _NARROWEST), 0)
        for line in _text_lines(text, column, canvas, room):
            for other in labels:
                if other.start < column:
                    canvas.put(row, other.start, canvas.bar, other.mark)
            canvas.put(row, column, line, label.mark)
            row += 1


def _text_lines(text: str, column: int, canvas: _Canvas, room: int) -> list[str]:
    width = room - column if canvas.limited else None
    return [line for part in text.split("\n") for line in wrap(visible(part), width)]
