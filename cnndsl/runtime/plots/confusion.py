"""The table of which classes were taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnndsl.draw import text as letters
from cnndsl.draw.colors import channels
from cnndsl.draw.facts import LEVELS
from cnndsl.draw.scene import Area, Image, Line, Mark, Rect, Scene, Text
from cnndsl.draw.theme import LIGHT
from cnndsl.draw.wanted import SMALLEST
from cnndsl.runtime.plots.grid import MARGIN, PAGE, pixel_bytes

_TITLE, _HEADING = 11.0, 9.0
_CELLS = 30
"""Most classes with a cell that has words; more are pixels."""
_LARGEST, _SMALLEST_CELL = 26.0, 12.0
_NAME = 90.0
"""Most room for a class's name, in points."""


def confusion(title: str, note: str, counts: Sequence[Sequence[int]], names: Sequence[str]) -> Scene:
    """Rows are the true classes, columns what they were taken for. A cell's colour is its share of the row: the darker
    of a row's examples the more. note: a line below the title."""
    many = len(counts)
    cells = many <= _CELLS
    shown = _Names(names, (PAGE - 2 * MARGIN) / 4) if cells else _Names([], 0.0)
    left = MARGIN + _HEADING * letters.LEADING + 4.0 + (shown.wide + 4.0 if cells else 24.0)
    side = min(_LARGEST, (PAGE - MARGIN - left) / many)
    side = max(side, _SMALLEST_CELL) if cells else side
    head = MARGIN + _TITLE * letters.LEADING + SMALLEST * letters.LEADING + 8.0
    turned = cells and any(letters.width(name, SMALLEST) > side - 2.0 for name in shown.short)
    top = head + _HEADING * letters.LEADING + (shown.wide if turned else SMALLEST * letters.LEADING) + 3.0
    table = Area(left, top, many * side, many * side)
    marks: list[Mark] = [
        Text(MARGIN, MARGIN + letters.ASCENT * _TITLE, title, _TITLE, "start", bold=True),
        Text(MARGIN, MARGIN + _TITLE * letters.LEADING + SMALLEST, note, SMALLEST, "start", "muted"),
        Text(table.middle[0], head + letters.ASCENT * _HEADING, "taken for", _HEADING, bold=True),
        Text(MARGIN + letters.ASCENT * _HEADING, table.middle[1], "true class", _HEADING, bold=True, turned=-90.0),
    ]
    if cells:
        marks += shown.marks(table, side, turned=turned)
        marks += _cells(counts, table, side)
    else:
        marks += _pixels(counts, table)
    marks.append(Rect(table, None, "outline", 0.6))
    widest = max(letters.width(title, _TITLE, bold=True), letters.width(note, SMALLEST)) + 2 * MARGIN
    high = max(table.bottom, table.middle[1] + letters.width("true class", _HEADING, bold=True) / 2)
    return Scene(max(table.right + MARGIN, widest), high + MARGIN, title, f"{title}. {note}", (), (), tuple(marks))


class _Names:
    """The names of classes, shortened to a width."""

    def __init__(self, names: Sequence[str], room: float) -> None:
        self.short = [letters.cut(name, SMALLEST, min(room, _NAME)) for name in names]
        self.wide = letters.widest(tuple(self.short), SMALLEST)

    def marks(self, table: Area, side: float, *, turned: bool) -> list[Mark]:
        found: list[Mark] = []
        for number, name in enumerate(self.short):
            middle = (number + 0.5) * side
            found.append(Text(table.x - 4.0, table.y + middle + 0.35 * SMALLEST, name, SMALLEST, "end"))
            x, y = table.x + middle, table.y - 3.0
            if turned:
                found.append(Text(x + 0.35 * SMALLEST, y, name, SMALLEST, "start", turned=-90.0))
            else:
                found.append(Text(x, y, name, SMALLEST))
        return found


def _shares(counts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Each cell's share of its row; 0 in rows without examples."""
    table = np.asarray(counts, np.float64)
    shares: NDArray[np.float64] = table / np.maximum(table.sum(1, keepdims=True), 1)
    return shares


def _levels(counts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """The step of the scale for each cell: 0 for none, the rest in equal parts of the share's square root, in which few
    confusions are still seen."""
    steps: NDArray[np.float64] = np.ceil(np.sqrt(_shares(counts)) * (LEVELS - 1))
    return steps.astype(np.int64)


def _cells(counts: Sequence[Sequence[int]], table: Area, side: float) -> list[Mark]:
    marks: list[Mark] = []
    levels = _levels(counts)
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            area = Area(table.x + column * side, table.y + row * side, side, side)
            marks.append(Rect(area, f"scale{levels[row, column]}", "page", 0.5))
            label = f"{count:,}" if letters.width(f"{count:,}", SMALLEST) <= side - 1.5 else _brief(count)
            if count and letters.width(label, SMALLEST) <= side - 1.0:
                at = area.middle
                marks.append(Text(at[0], at[1] + 0.35 * SMALLEST, label, SMALLEST, bold=row == column))
    return marks


def _brief(count: int) -> str:
    return f"{count / 1e6:.0f}M" if count >= 1e6 else f"{count / 1000:.0f}k" if count >= 1000 else str(count)


def _pixels(counts: Sequence[Sequence[int]], table: Area) -> list[Mark]:
    """A pixel for each cell, and every tenth class's number beside them."""
    colors = np.array([channels(LIGHT[f"scale{level}"]) for level in range(LEVELS)], np.uint8)
    many = len(counts)
    marks: list[Mark] = [Image(table, many, many, pixel_bytes(colors[_levels(counts)]))]
    side = table.width / many
    every = 10 if many <= 200 else 10 ** len(str(many // 20))
    for number in range(0, many, every):
        middle = (number + 0.5) * side
        marks.append(Text(table.x - 6.0, table.y + middle + 0.35 * SMALLEST, f"{number:,}", SMALLEST, "end"))
        marks.append(Text(table.x + middle, table.y - 6.0, f"{number:,}", SMALLEST))
        for points in (
            ((table.x - 4.0, table.y + middle), (table.x, table.y + middle)),
            ((table.x + middle, table.y - 4.0), (table.x + middle, table.y)),
        ):
            marks.append(Line(points, "outline", 0.5))
    return marks
