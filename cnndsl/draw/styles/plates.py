"""What the boxes of a graph say, and how large they are by that: plates of text, before anything is placed."""

from __future__ import annotations

from math import fsum

from cnndsl.draw import text as letters
from cnndsl.draw.facts import said
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Mark, Rect, Text
from cnndsl.draw.text import wrapped
from cnndsl.draw.wanted import SMALLEST, Wanted
from cnndsl.draw.words import shortened
from cnndsl.record import Record

PAD, SIDE = 2.6, 5.0
"""Around the text of a box: above and below, at the sides."""
RADIUS = 3.0
SHEET = 2.5
"""From one sheet of a stack to the next: what is repeated has two more behind it."""
SHEETS = 2 * SHEET
CAPS = 0.72
"""How high capitals are, as a share of the size."""
FAULT_ROOM = 150.0
"""How wide the text of an error may be."""
DASH = (3.0, 2.0)
_BLANK = (26.0, 13.0)
"""A box without labels."""


class Run(Record):
    """A piece of a line of text."""

    text: str
    size: float
    role: str = "text"
    bold: bool = False
    space: float = 0.0
    """Before it: formats drop blanks at the beginning of a text."""

    @property
    def width(self) -> float:
        return self.space + letters.width(self.text, self.size, bold=self.bold)


Row = tuple[Run, ...]


class Look(Record):
    """How labels are set. room: how wide they may be, in points. row: whether what a layer is dressed with stands in
    one row with it. shapes: whether labels tell shapes, which otherwise stand at lines."""

    wanted: Wanted
    room: float
    row: bool = False
    shapes: bool = False

    @property
    def size(self) -> float:
        return max(self.wanted.size, SMALLEST)

    @property
    def small(self) -> float:
        return max(self.size - 1, SMALLEST)


class Plate(Record):
    """What a box says. width, height: of the box in which that fits, its stack of sheets included."""

    rows: tuple[Row, ...]
    width: float
    height: float
    count: int = 1  # type: ignore[assignment]  # hides tuple.count
    round: bool = False


def plate(item: Item, look: Look) -> Plate:
    """The plate of a layer or of a block that is not looked into."""
    stack = SHEETS if item.count > 1 else 0.0
    if not look.wanted.labels:
        return Plate((), _BLANK[0] + stack, _BLANK[1] + stack, item.count, item.kind == "input")
    rows = tuple(_rows(item, look))
    return sized(rows, item.count, pill=item.kind == "input")


def sized(rows: tuple[Row, ...], count: int = 1, *, pill: bool = False) -> Plate:
    """The plate on which rows of text fit."""
    stack = SHEETS if count > 1 else 0.0
    side = SIDE + 2.0 if pill else SIDE
    width = max((row_width(row) for row in rows), default=0.0) + 2 * side + stack
    height = fsum(letters.LEADING * row_size(row) for row in rows) + 2 * PAD + stack
    return Plate(rows, width, height, count, pill)


def row_width(row: Row) -> float:
    return fsum(run.width for run in row)


def row_size(row: Row) -> float:
    return max((run.size for run in row), default=0.0)


# --- words ----------------------------------------------------------------------------------------------------------


def _rows(item: Item, look: Look) -> list[Row]:
    wanted, size, small = look.wanted, look.size, look.small
    block = item.kind in ("block", "repeat")
    title = shortened(item.title, item.input_shape, item.shape)
    times = repeats(item, size)
    room = look.room - row_width(times)
    lines = _evenly(title, size, room, bold=block)
    rows: list[Row] = [(Run(line, size, bold=block),) for line in lines]
    rows[-1] = (*rows[-1], *times)
    more = [text for text in (" · ".join(item.dress),) if text]
    if more and look.row and len(rows) == 1:
        whole = (*rows[0], Run(f"· {more[0]}", small, "muted", space=0.28 * size))
        if row_width(whole) <= look.room:
            rows, more = [whole], []
    if "name" in wanted.show and said(item, "name") not in ("", title):
        rows.insert(0, (Run(letters.cut(said(item, "name"), small, look.room), small, "muted"),))
    facts = [said(item, what) for what in wanted.show if what != "name" and (what != "shape" or look.shapes)]
    if item.kind == "input":
        facts = [said(item, "shape")] if "shape" in wanted.show else []
    for text in [*more, *_packed([fact for fact in facts if fact], small, look.room), item.change.said]:
        rows += [(Run(line, small, "muted"),) for line in wrapped(text, small, look.room)]
    if item.fault is not None:
        rows += [(Run(line, small),) for line in _evenly(item.fault, small, FAULT_ROOM, bold=False)]
    return rows


def _evenly(text: str, size: float, room: float, *, bold: bool) -> list[str]:
    """A text in as few lines as there is room for, none much shorter than the others."""
    lines = wrapped(text, size, room, bold=bold) or [""]
    while len(lines) > 1:
        narrower = wrapped(text, size, letters.widest(tuple(lines), size, bold=bold) - 0.01, bold=bold)
        if len(narrower) > len(lines) or "…" in "".join(narrower):
            break
        lines = narrower
    return lines


def repeats(item: Item, size: float) -> Row:
    """How often an item is repeated, for the end of its title."""
    return (Run(f"×{item.count}", size, bold=True, space=0.45 * size),) if item.count > 1 else ()


def _packed(facts: list[str], size: float, room: float) -> list[str]:
    """Facts in as few lines as there is room for."""
    lines: list[str] = []
    for fact in facts:
        longer = f"{lines[-1]} · {fact}" if lines else fact
        if lines and letters.width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(fact)
    return lines


# --- marks ----------------------------------------------------------------------------------------------------------


def front(area: Area, count: int) -> Area:
    """The uppermost sheet of a stack, or the box itself."""
    stack = SHEETS if count > 1 else 0.0
    return Area(area.x, area.y + stack, area.width - stack, area.height - stack)


def sheets(area: Area, count: int, fill: str, stroke: str, *, radius: float, dash: tuple[float, ...]) -> list[Mark]:
    """The box, with two more behind it if it is repeated."""
    top = front(area, count)
    behind = (2, 1, 0) if count > 1 else (0,)
    return [
        Rect(Area(top.x + n * SHEET, top.y - n * SHEET, top.width, top.height), fill, stroke, radius=radius, dash=dash)
        for n in behind
    ]


def painted(one: Plate, area: Area, role: str, *, dashed: bool = False) -> tuple[Mark, ...]:
    """The marks of a plate that has been given its place."""
    top = front(area, one.count)
    radius = min(top.height / 2, top.width / 2) if one.round else RADIUS
    marks = sheets(area, one.count, role, "outline", radius=radius, dash=DASH if dashed else ())
    high = fsum(letters.LEADING * row_size(row) for row in one.rows)
    y = top.y + (top.height - high) / 2
    for row in one.rows:
        size = row_size(row)
        base = y + (letters.LEADING + CAPS) * size / 2
        x = top.x + (top.width - row_width(row)) / 2
        marks += set_row(row, x, base)
        y += letters.LEADING * size
    return tuple(marks)


def set_row(row: Row, x: float, base: float) -> list[Mark]:
    """A line of text that begins at a place."""
    marks: list[Mark] = []
    for run in row:
        marks.append(Text(x + run.space, base, run.text, run.size, "start", run.role, run.bold))
        x += run.width
    return marks


def row_text(row: Row) -> str:
    return " ".join(run.text for run in row)
