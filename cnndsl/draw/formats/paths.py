"""Lines as strokes and curves, and the heads of arrows: what all formats that draw shapes share."""

from __future__ import annotations

from math import hypot

from cnndsl.draw.scene import Line, Point
from cnndsl.record import Record

_ROUND = 0.5523
"""How far the handles of a cubic curve stand from its ends, towards the corner, for it to be a quarter of a circle."""


class Curve(Record):
    """A step of a path: straight to `end` if there are no handles, else a cubic curve."""

    end: Point
    first: Point | None = None
    second: Point | None = None


class Stroke(Record):
    """A line ready to draw: where it starts, its steps, and its heads as filled triangles."""

    start: Point
    steps: tuple[Curve, ...]
    heads: tuple[tuple[Point, ...], ...]


def number(value: float) -> str:
    """A number with two decimals at most, the same on every machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def head_length(line: Line) -> float:
    """How long an arrow's head is, in points."""
    return 2.4 + 2.8 * line.width


def stroke(line: Line) -> Stroke:
    """The line with its corners rounded. It ends inside its heads, so that their tips stay sharp."""
    points = _without_doubles(line.points)
    if len(points) < 2:
        return Stroke(points[0], (), ())
    heads = []
    if line.head:
        tip = points[-1]
        points[-1] = _towards(tip, points[-2], min(head_length(line) * 0.8, _length(tip, points[-2])))
        heads.append(_head(tip, line.points, head_length(line)))
    if line.tail:
        tip = points[0]
        points[0] = _towards(tip, points[1], min(head_length(line) * 0.8, _length(tip, points[1])))
        heads.append(_head(tip, line.points[::-1], head_length(line)))
    return Stroke(points[0], tuple(_steps(points, line.radius)), tuple(heads))


def _steps(points: list[Point], radius: float) -> list[Curve]:
    steps = []
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        room = min(radius, _length(before, corner) / 2, _length(corner, after) / 2)
        if room < 0.05 or _straight(before, corner, after):
            steps.append(Curve(corner))
            continue
        start, end = _towards(corner, before, room), _towards(corner, after, room)
        steps.append(Curve(start))
        steps.append(Curve(end, _towards(start, corner, room * _ROUND), _towards(end, corner, room * _ROUND)))
    return [*steps, Curve(points[-1])]


def _head(tip: Point, points: tuple[Point, ...], length: float) -> tuple[Point, ...]:
    """A triangle that points along the last stretch of a line."""
    before = next((p for p in points[-2::-1] if _length(p, tip) > 0.01), (tip[0], tip[1] - 1))
    along = _length(before, tip)
    x, y = (tip[0] - before[0]) / along, (tip[1] - before[1]) / along
    half = length * 0.4
    base = tip[0] - x * length, tip[1] - y * length
    return tip, (base[0] - y * half, base[1] + x * half), (base[0] + y * half, base[1] - x * half)


def _without_doubles(points: tuple[Point, ...]) -> list[Point]:
    """The points without those that stand where the one before does."""
    kept = [points[0]]
    for point in points[1:]:
        if _length(point, kept[-1]) > 0.01:
            kept.append(point)
    return kept


def _length(one: Point, other: Point) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])


def _towards(start: Point, goal: Point, by: float) -> Point:
    length = _length(start, goal)
    if not length:
        return start
    return start[0] + (goal[0] - start[0]) * by / length, start[1] + (goal[1] - start[1]) * by / length


def _straight(one: Point, middle: Point, other: Point) -> bool:
    area = (middle[0] - one[0]) * (other[1] - one[1]) - (middle[1] - one[1]) * (other[0] - one[0])
    return abs(area) < 0.01
