"""Curves of a run: each loss and metric by epoch, of the training and the validation part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from cnndsl.draw import text as letters
from cnndsl.draw.scene import Area, Line, Mark, Point, Rect, Scene, Text
from cnndsl.draw.wanted import SMALLEST
from cnndsl.runtime.plots.axes import Axis, axis_of, whole_axis
from cnndsl.runtime.plots.grid import MARGIN, PAGE

PARTS = ("train", "validation")
"""Columns of metrics.csv begin with these, and roles of colours have these names."""
_TITLE, _HEADING = 11.0, 9.0
_GAP = 22.0
_HIGH = 120.0
"""Of a panel's frame, in points."""
_MOST = 8
_DOTS = 12
"""Most epochs of which each has a dot."""


def curves(
    title: str, history: Sequence[Mapping[str, float]], shares: frozenset[str], best: int | None = None
) -> Scene | None:
    """A panel for each number of an epoch's row that has a curve; None where no epoch was finished.

    shares: the names of those that are shares; best: the epoch whose weights were kept, where that is not the last.
    """
    names = _names(history)
    if not names:
        return None
    columns = min(2, len(names))
    room = (PAGE - 2 * MARGIN - (columns - 1) * _GAP) / 2
    marks: list[Mark] = [Text(MARGIN, MARGIN + letters.ASCENT * _TITLE, title, _TITLE, "start", bold=True)]
    top = MARGIN + _TITLE * letters.LEADING + 6.0
    high = _HEADING * letters.LEADING + 4.0 + _HIGH + 2 * SMALLEST * letters.LEADING + 6.0
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        place = Area(MARGIN + column * (room + _GAP), top + row * (high + 10.0), room, high)
        marks += _panel(name, place, history, share=name in shares, best=best)
    rows = -(-len(names) // columns)
    width = max(columns * (room + _GAP) - _GAP, letters.width(title, _TITLE, bold=True)) + 2 * MARGIN
    said = f"{title}: {', '.join(names)} by epoch, of the training and the validation examples"
    return Scene(width, top + rows * (high + 10.0) - 10.0 + MARGIN, title, said, (), (), tuple(marks))


def _names(history: Sequence[Mapping[str, float]]) -> list[str]:
    """The numbers with a curve, losses first; those of single classes are too many."""
    found = [
        column.removeprefix(part + "_")
        for part in PARTS
        for row in history[-1:]
        for column in row
        if column.startswith(part + "_")
    ]
    names = [name for name in dict.fromkeys(found) if not name.startswith("class_")]
    return sorted(names, key=lambda name: (name != "loss", not name.endswith("loss")))[:_MOST]


def _panel(
    name: str, place: Area, history: Sequence[Mapping[str, float]], *, share: bool, best: int | None
) -> list[Mark]:
    series = {
        part: [
            (row["epoch"], row[f"{part}_{name}"])
            for row in history
            if isfinite(row.get(f"{part}_{name}", float("nan")))
        ]
        for part in PARTS
    }
    values = [value for points in series.values() for _, value in points]
    across = whole_axis(int(history[-1]["epoch"]))
    up = axis_of(values, share=share, log=not share, bound=1.0 if share else None)
    base = place.y + letters.ASCENT * _HEADING
    marks: list[Mark] = [Text(place.x, base, _said(name, up), _HEADING, "start", bold=True)]
    marks += _legend(place, base, [part for part in PARTS if series[part]])
    left = max(letters.width(label, SMALLEST) for _, label in up.ticks) + 4.0
    over = max(0.0, letters.width(across.ticks[-1][1], SMALLEST) / 2 - 4.0)
    frame = Area(place.x + left, place.y + _HEADING * letters.LEADING + 4.0, place.width - left - over, _HIGH)
    marks += framed(frame, across, up, "epoch")
    if best is not None:
        marks += _best(frame, across, best)
    for part in PARTS:
        marks += _curve(frame, across, up, series[part], part)
    return marks


def _said(name: str, axis: Axis) -> str:
    return name.replace("_", " ") + (" (logarithmic)" if axis.log else "")


def _legend(place: Area, base: float, parts: list[str]) -> list[Mark]:
    """A stroke and a word for each part, at the panel's upper right."""
    marks: list[Mark] = []
    x = place.right
    for part in reversed(parts):
        x -= letters.width(part, SMALLEST)
        marks.append(Text(x, base, part, SMALLEST, "start"))
        middle = base - 0.33 * SMALLEST
        marks.append(Line(((x - 15.0, middle), (x - 3.0, middle)), part, 1.6, dash=_dash(part)))
        x -= 24.0
    return marks


def _dash(part: str) -> tuple[float, ...]:
    return (3.0, 1.5) if part == "train" else ()


def framed(frame: Area, across: Axis, up: Axis, below_it: str) -> list[Mark]:
    """The frame, faint lines at the marks of the upright axis, the labels of both, and what the lower one shows."""
    marks: list[Mark] = []
    for value, label in up.ticks:
        y = frame.bottom - up.share(value) * frame.height
        marks.append(Line(((frame.x, y), (frame.right, y)), "group-outline", 0.4))
        marks.append(Text(frame.x - 3.0, y + 0.35 * SMALLEST, label, SMALLEST, "end"))
    below = frame.bottom + 3.0 + letters.ASCENT * SMALLEST
    for value, label in _fitting(across, frame):
        x = frame.x + across.share(value) * frame.width
        marks.append(Line(((x, frame.bottom), (x, frame.bottom + 2.5)), "outline", 0.5))
        marks.append(Text(x, below + 1.0, label, SMALLEST))
    marks.append(Rect(frame, None, "outline", 0.5))
    marks.append(Text(frame.middle[0], below + SMALLEST * letters.LEADING + 1.0, below_it, SMALLEST, role="muted"))
    return marks


def _fitting(axis: Axis, frame: Area) -> list[tuple[float, str]]:
    """The marks whose labels have room beside each other."""
    kept: list[tuple[float, str]] = []
    end = -1e9
    for value, label in axis.ticks:
        x, half = axis.share(value) * frame.width, letters.width(label, SMALLEST) / 2
        if x - half > end + 3.0:
            kept.append((value, label))
            end = x + half
    return kept


def _best(frame: Area, across: Axis, best: int) -> list[Mark]:
    """A dashed line at the epoch whose weights were kept."""
    x = frame.x + across.share(best) * frame.width
    return [Line(((x, frame.y), (x, frame.bottom)), "skip", 0.6, dash=(1.5, 1.5))]


def _curve(frame: Area, across: Axis, up: Axis, points: Sequence[tuple[float, float]], part: str) -> list[Mark]:
    where: list[Point] = [
        (frame.x + across.share(epoch) * frame.width, frame.bottom - up.share(value) * frame.height)
        for epoch, value in points
    ]
    marks: list[Mark] = [Line(tuple(where), part, 1.3, dash=_dash(part))] if len(where) > 1 else []
    if len(where) <= _DOTS:
        marks += [Rect(Area(x - 1.6, y - 1.6, 3.2, 3.2), part, None, radius=1.6) for x, y in where]
    return marks
