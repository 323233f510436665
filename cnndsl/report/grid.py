"""Columns of text, fitted into a width: aligned cells, columns that shorten and go when there is no room."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnndsl.record import Record
from cnndsl.terminal import BOLD, DIM, Look, pad, shorten, width_of

GAP = "  "
_SHORTEST = 12
"""Cells that a column which may be shortened keeps until others have gone."""


class Column(Record):
    """One column: its title, its cells from top to bottom, and what stands under the line.

    right: whether it is a column of numbers. short: a shorter title. brief: makes shorter cells.
    elastic: whether its cells may be cut. leaves: the columns with 1 go first when the width is small,
    those with 0 never.
    """

    title: str
    cells: list[str]
    total: str = ""
    right: bool = True
    short: str = ""
    brief: Callable[[], Column] | None = None
    elastic: bool = False
    leaves: int = 0


class Fitted(Record):
    """Columns that fit, and the titles of those that were left out."""

    columns: list[Column]
    left_out: list[str]


def fit(columns: list[Column], look: Look) -> Fitted:
    """The columns in the form that tells most within the look's width. In this order: short titles, the columns
    that leave first, brief numbers, names cut, the other columns that may leave."""
    best = Fitted(columns, [])
    for best in _forms(columns):
        if look.width is None or _width(best.columns) <= look.width:
            return best
        cut = _shrunk(best.columns, look, _SHORTEST) if best.left_out else None
        if cut:
            return Fitted(cut, best.left_out)
    return Fitted(_shrunk(best.columns, look, 1) or best.columns, best.left_out)


def _forms(columns: list[Column]) -> Iterator[Fitted]:
    """Ever narrower forms of the columns."""
    yield Fitted(columns, [])
    columns = [c._replace(title=c.short) if c.short else c for c in columns]
    yield Fitted(columns, [])
    for leaving in sorted({c.leaves for c in columns if c.leaves}):
        left_out = [c.title for c in columns if 0 < c.leaves <= leaving]
        yield Fitted([c for c in columns if not 0 < c.leaves <= leaving], left_out)
        columns = [c.brief()._replace(title=c.title) if c.brief else c for c in columns]
        yield Fitted([c for c in columns if not 0 < c.leaves <= leaving], left_out)


def _width(columns: list[Column]) -> int:
    return sum(map(_column_width, columns)) + len(GAP) * (len(columns) - 1)


def _column_width(column: Column) -> int:
    cells = max(map(len if "".join(column.cells).isascii() else width_of, column.cells), default=0)
    return max(cells, width_of(column.title), width_of(column.total))


def _shrunk(columns: list[Column], look: Look, shortest: int) -> list[Column] | None:
    """The columns with the elastic one cut so that all fit; None if it would get shorter than `shortest`."""
    elastic = next((i for i, c in enumerate(columns) if c.elastic), None)
    if elastic is None:
        return None
    column = columns[elastic]
    room = (look.width or 0) - (_width(columns) - _column_width(column))
    if room < min(shortest, _column_width(column)):
        return None
    room = max(room, len(column.total), 1)
    mark = look.drawn("…", "...")
    cells = [cell if len(cell) <= room and cell.isascii() else shorten(cell, room, mark) for cell in column.cells]
    return [*columns[:elastic], column._replace(cells=cells, title=column.title[:room]), *columns[elastic + 1 :]]


def draw(columns: list[Column], look: Look, *, gap_at: int | None = None, gap: str = "") -> list[str]:
    """The lines of the table: titles, a rule, the rows, and below another rule the totals if there are any.

    A line `gap` stands before row `gap_at`, where rows were left out.
    """
    widths = list(map(_column_width, columns))
    rule = look.drawn("─", "-") * (sum(widths) + len(GAP) * (len(widths) - 1))
    rows = map(GAP.join, zip(*(_padded(c, w, look) for c, w in zip(columns, widths, strict=True)), strict=True))
    body = [row.rstrip() for row in rows]
    if gap_at is not None:
        body.insert(gap_at, look.paint(gap, DIM))
    lines = [_strong([c.title for c in columns], columns, widths, look), rule, *body]
    if any(c.total for c in columns):
        lines += [rule, _strong([c.total for c in columns], columns, widths, look)]
    return lines


def _padded(column: Column, width: int, look: Look) -> list[str]:
    """Every cell, filled up; equal cells are made once."""
    made: dict[str, str] = {}
    for cell in column.cells:
        if cell not in made:
            filled = pad(cell, width, right=column.right)
            made[cell] = look.paint(filled, DIM) if look.colour and cell == "0" else filled
    return [made[cell] for cell in column.cells]


def _strong(texts: list[str], columns: list[Column], widths: list[int], look: Look) -> str:
    cells = [pad(text, w, right=c.right) for text, c, w in zip(texts, columns, widths, strict=True)]
    return look.paint(GAP.join(cells).rstrip(), BOLD)
