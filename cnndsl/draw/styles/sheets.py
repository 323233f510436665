"""Tensors as the layers style draws them: stacks of feature maps, and columns of units."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2

from cnndsl.draw.geometry import around, moved, moved_area
from cnndsl.draw.scene import Area, Line, Mark, Point, Polygon, Rect
from cnndsl.draw.styles.scales import Scale, scale
from cnndsl.record import Record
from cnndsl.shape import Shape

MOST_SHEETS = 8
"""Maps of a stack that are drawn one by one; of more, seven and an ellipsis between them."""
STEP = 2.6
"""From one sheet of a stack to the next, to the right and down, in points."""
BEHIND, BEFORE = 4, 3
"""Sheets on the two sides of an ellipsis."""
STRIP = 5.0
"""How wide a map with a single axis is."""
SLANT = (0.5, 0.5)
"""What a point of depth is on paper: to the right, and up."""
SHORTEST, LONGEST, STEEPEST = 10.0, 62.0, 13.0
UNIT = 4.0
"""The diameter of a dense layer's units."""
PITCH = 4.8
MOST_UNITS = 10
"""Units of a column that are drawn one by one."""
GROWTH = 4.0
"""How much longer a column with twice as many units is, if not all are drawn."""
COLUMN = 8.0
PATCH = 3.4
"""A window on a map is at least so wide."""


class Body(Record):
    """A tensor on paper, its left upper corner at (0, 0). face: the foremost map, or the column; units: the middles of
    the units of a column that shows all of them."""

    area: Area
    face: Area
    marks: tuple[Mark, ...]
    stacked: bool
    units: tuple[Point, ...] = ()


class Scales(Record):
    """Of sides of maps, of the depths of volumes, and everything's factor."""

    side: Scale
    depth: Scale
    factor: float


def scales(shapes: Iterable[Shape], factor: float = 1.0) -> Scales:
    """What lengths the maps of a network have; factor: smaller figures have all of them shorter."""
    mapped = [shape for shape in shapes if is_stack(shape)]
    sides = [size for shape in mapped for size in _plane(shape)]
    depths = [shape.sizes[0] for shape in mapped if shape.rank == 3]
    shortest, longest = SHORTEST * max(factor, 0.7), LONGEST * factor
    return Scales(
        scale(sides, shortest, longest, STEEPEST * factor),
        scale(depths, 2.0, 18.0 * factor, 5.0),
        factor,
    )


def is_stack(shape: Shape) -> bool:
    """Whether a tensor is drawn as maps: it has positions, and more than one."""
    return shape.rank > 0 and any(size > 1 for size in shape.spatial)


def _plane(shape: Shape) -> tuple[int, ...]:
    """The sides of a map that face the reader."""
    return shape.spatial[-2:]


def body(shape: Shape | None, role: str, known: Scales, texture: str | None = None) -> Body:
    """A tensor as a stack or a column; one of unknown shape as a dashed sheet."""
    if shape is None:
        side = 24.0 * known.factor
        whole = Area(0.0, 0.0, side, side)
        return Body(whole, whole, (Rect(whole, role, dash=(2.0, 2.0)),), True)
    if is_stack(shape):
        return _stack(shape, role, known, texture)
    return _column(shape.channels, role, known)


# --- stacks ---------------------------------------------------------------------------------------------------------


def _stack(shape: Shape, role: str, known: Scales, texture: str | None) -> Body:
    plane = _plane(shape)
    height = known.side(plane[0])
    wide = known.side(plane[1]) if len(plane) > 1 else STRIP * max(known.factor, 0.7)
    deep = known.depth(shape.sizes[0]) if shape.rank == 3 else 0.0
    step = STEP * max(known.factor, 0.75) + (1.6 if deep else 0.0)
    offsets, dots = _offsets(shape.channels, step, 0.7 * min(wide, height))
    sheet = _sheet(wide, height, deep, role, texture)
    marks = [moved(mark, offset, offset) for offset in offsets for mark in sheet]
    corner = (wide + deep * SLANT[0], -deep * SLANT[1])
    marks += [_dot(corner[0] + at, corner[1] + at) for at in dots]
    face = Area(offsets[-1], offsets[-1], wide, height)
    sides = around([(0.0, corner[1]), (corner[0] + offsets[-1], height + offsets[-1])])
    return Body(
        moved_area(sides, -sides.x, -sides.y),
        moved_area(face, -sides.x, -sides.y),
        tuple(moved(mark, -sides.x, -sides.y) for mark in marks),
        True,
    )


def _offsets(channels: int, step: float, furthest: float) -> tuple[list[float], list[float]]:
    """How far each sheet is from the first along the diagonal, and where the dots between them stand.

    furthest: what may lie between two sheets, so that they still cover each other.
    """
    if channels <= MOST_SHEETS:
        return [i * step for i in range(channels)], []
    hidden = (2.0 + log2(channels / MOST_SHEETS)) * step * 0.75
    gap = max(min(hidden, furthest), 1.5 * step)
    behind = [i * step for i in range(BEHIND)]
    start = behind[-1] + gap
    dots = [behind[-1] + gap * share for share in (0.25, 0.5, 0.75)]
    return [*behind, *(start + i * step for i in range(BEFORE))], dots


def _sheet(wide: float, height: float, deep: float, role: str, texture: str | None) -> list[Mark]:
    """One map: a rectangle, or a box if it has a depth."""
    front = Rect(Area(0.0, 0.0, wide, height), role, texture=texture)
    if not deep:
        return [front]
    dx, dy = deep * SLANT[0], -deep * SLANT[1]
    top = Polygon(((0.0, 0.0), (dx, dy), (wide + dx, dy), (wide, 0.0)), role, shade=-0.35)
    side = Polygon(((wide, 0.0), (wide + dx, dy), (wide + dx, height + dy), (wide, height)), role, shade=0.18)
    return [top, side, front]


def _dot(x: float, y: float, size: float = 1.3, role: str = "outline") -> Rect:
    return Rect(Area(x - size / 2, y - size / 2, size, size), role, stroke=None, radius=size / 2)


# --- columns --------------------------------------------------------------------------------------------------------


def _column(units: int, role: str, known: Scales) -> Body:
    factor = max(known.factor, 0.75)
    pitch, diameter, wide = PITCH * factor, UNIT * factor, COLUMN * factor
    shown = min(units, MOST_UNITS)
    height = shown * pitch + 3.0
    if units > MOST_UNITS:
        height += GROWTH * factor * log2(units / MOST_UNITS)
    whole = Area(0.0, 0.0, wide, height)
    marks: list[Mark] = [Rect(whole, role, radius=2.0)]
    first, last = 1.5 + pitch / 2, height - 1.5 - pitch / 2
    middles = [first + i * pitch for i in range(shown)]
    if units > MOST_UNITS:
        ends = max(2, int(((last - first) / pitch - 2.0) / 2))
        middles = [first + i * pitch for i in range(ends)] + [last - i * pitch for i in reversed(range(ends))]
        marks += [_dot(wide / 2, height / 2 + i * 0.6 * pitch) for i in (-1, 0, 1)]
    circles = [
        Rect(Area((wide - diameter) / 2, y - diameter / 2, diameter, diameter), "page", width=0.5, radius=diameter / 2)
        for y in middles
    ]
    every = tuple((wide / 2, y) for y in middles) if units <= MOST_UNITS else ()
    return Body(whole, whole, (*marks, *circles), False, every)


# --- between two tensors --------------------------------------------------------------------------------------------


def window(face: Area, shape: Shape, sides: tuple[int, ...], at: tuple[float, float]) -> Rect:
    """A layer's window on a map, to the map's scale; `at`: where its middle is, as shares of the map's sides."""
    plane, kernel = _plane(shape), sides[-2:]
    tall = _patch(face.height, kernel[0], plane[0])
    wide = _patch(face.width, kernel[1], plane[1]) if len(plane) > 1 and len(kernel) > 1 else face.width
    x = min(max(face.x + at[0] * face.width - wide / 2, face.x), face.right - wide)
    y = min(max(face.y + at[1] * face.height - tall / 2, face.y), face.bottom - tall)
    return Rect(Area(x, y, wide, tall), "page", opacity=0.75, width=0.6)


def _patch(side: float, kernel: int, size: int) -> float:
    return min(side, max(PATCH, side * min(kernel / max(size, 1), 1.0)))


def converging(patch: Rect, point: Point) -> list[Line]:
    """Lines from the sides of a window to the point that is computed of it."""
    area = patch.area
    right = area.right if point[0] > area.right else area.x
    return [Line(((right, y), point), "outline", 0.5) for y in (area.y, area.bottom)]


def split(line: Line, start: Area, end: Area) -> tuple[Line, Line, Line]:
    """A straight line from one body to another in three parts: on the one, between them, on the other."""
    (x, y), (u, v) = line.points
    leaves = _until(start, (x, y), (u, v))
    enters = max(leaves, 1.0 - _until(end, (u, v), (x, y)))
    a, b = ((x + t * (u - x), y + t * (v - y)) for t in (leaves, enters))
    first, middle, last = (line._replace(points=pair) for pair in (((x, y), a), (a, b), (b, (u, v))))
    return first, middle, last


def _until(area: Area, inside: Point, outside: Point) -> float:
    """The share of a line at which it leaves the area that it begins in."""
    shares = [1.0]
    bounds = ((area.x, area.right), (area.y, area.bottom))
    for start, end, (low, high) in zip(inside, outside, bounds, strict=True):
        if end != start:
            shares.append(max((high if end > start else low) - start, 0.0, key=abs) / (end - start))
    return min(shares)


def spot(point: Point) -> Rect:
    """The point that a window gives."""
    return _dot(*point, size=2.0, role="text")


def corners(area: Area, *, right: bool) -> tuple[Point, Point]:
    """The upper and the lower corner on one side."""
    x = area.right if right else area.x
    return (x, area.y), (x, area.bottom)


def fan(left: Body, right: Body, at: Point, to: Point) -> list[Line]:
    """Lines that say that all is connected with all: between the corners, or between all units if they are few.

    at, to: where the two bodies are.
    """
    a, b = moved_area(left.face, *at), moved_area(right.face, *to)
    if left.units and right.units and len(left.units) * len(right.units) <= MOST_UNITS**2:
        return [
            Line(((x + at[0] + UNIT / 2, y + at[1]), (u + to[0] - UNIT / 2, v + to[1])), "outline", 0.35)
            for x, y in left.units
            for u, v in right.units
        ]
    ends = zip(corners(a, right=True), corners(b, right=False), strict=True)
    return [Line(pair, "outline", 0.5) for pair in ends]
