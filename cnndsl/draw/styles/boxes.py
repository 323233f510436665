"""Tensors as boxes in perspective: height and width of the map, channels as thickness, all to a logarithmic scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from cnndsl.draw.geometry import around
from cnndsl.draw.scene import Area, Line, Mark, Polygon, Rect, Text
from cnndsl.draw.styles.scales import Scale, scale
from cnndsl.record import Record
from cnndsl.shape import Shape

SLANT = 0.36
"""What a point of a box's depth is on paper, to the right and upwards."""
SHORTEST, LONGEST, STEEPEST = 9.0, 76.0, 15.0
THINNEST, THICKEST, BOLDEST = 3.5, 24.0, 4.5
VECTOR = 5.0
"""How thick a tensor without positions is; its channels are its height."""
VECTOR_LOW, VECTOR_HIGH = 14.0, 64.0
FLAT = 4.0
"""The depth of a map with a single axis, before it is slanted."""
TOP, SIDE = -0.4, 0.2
"""Shades of a box's upper and right face."""
BAND = 0.28
"""The shade of the band that says: an activation follows."""
MERGE = 5.5
"""The radius of a merge."""
MOST_FRAMES = 6
FRAME_GAP = 1.0


class Scales(Record):
    """Of sides, of thickness by channels, of the height of vectors."""

    side: Scale
    thickness: Scale
    vector: Scale
    factor: float


class Box(Record):
    """A tensor on paper. x: of its left end; its axis is at y = 0, the middle of its bounds. area: those; marks: all
    that draws it."""

    area: Area
    marks: tuple[Mark, ...]


class Slice(Record):
    """A part of a box along its thickness: a colour's role and its share."""

    role: str
    share: float
    shade: float = 0.0
    texture: str | None = None


def scales(shapes: Iterable[Shape], hidden: Iterable[Shape], factor: float = 1.0) -> Scales:
    """What lengths the tensors of a network have. hidden: those that are neither inputs nor outputs, between whose
    channels thickness is scaled; factor: smaller figures have all lengths shorter."""
    known = list(shapes)
    mapped = [shape for shape in known if is_map(shape)]
    inner = [shape for shape in hidden if is_map(shape)] or mapped
    vectors = [shape.channels for shape in known if not is_map(shape)]
    longest = max(LONGEST * factor, SHORTEST + 12)
    return Scales(
        scale((size for shape in mapped for size in shape.spatial[-2:]), SHORTEST * factor, longest, STEEPEST * factor),
        scale((shape.channels for shape in inner), THINNEST, THICKEST * factor, BOLDEST),
        scale(vectors, VECTOR_LOW * factor, VECTOR_HIGH * factor, 6.0),
        factor,
    )


def is_map(shape: Shape) -> bool:
    """Whether a tensor has more than one position."""
    return shape.rank > 0 and any(size > 1 for size in shape.spatial)


def lengths(shape: Shape | None, known: Scales) -> tuple[float, float, float]:
    """Thickness, height and slanted depth of a tensor's box."""
    if shape is None:
        return 16.0 * known.factor, 24.0 * known.factor, 6.0
    if not is_map(shape):
        return VECTOR, known.vector(shape.channels), 2.0
    height = known.side(shape.spatial[-2] if shape.rank > 1 else shape.spatial[0])
    depth = known.side(shape.spatial[-1]) * SLANT if shape.rank > 1 else FLAT
    return known.thickness(shape.channels), height, depth


def box(
    left: float,
    shape: Shape | None,
    slices: Sequence[Slice],
    known: Scales,
    *,
    band: bool = False,
    dashed: bool = False,
) -> Box:
    """A tensor as a box whose left end is at `left` and whose bounds have their middle at y = 0.

    slices: the colours of its thickness, from left to right. band: whether its right end is darker, for an activation.
    dashed: whether its outline is. A tensor with a time axis falls into frames.
    """
    thick, height, depth = lengths(shape, known)
    dashes = (2.0, 1.5) if dashed or shape is None else ()
    top = -(height + depth) / 2 + depth
    frames = min(MOST_FRAMES, shape.sizes[0].bit_length()) if shape is not None and shape.rank == 3 else 1
    marks: list[Mark] = []
    x = left
    each = max(thick / frames, 2.2) if frames > 1 else thick
    for frame in range(frames):
        ends = _ends(x, each, slices)
        marks += [_top(part, a, b, top, depth, dashes) for part, a, b in ends if depth]
        if depth:
            marks.append(_side(slices[-1], x + each, top, height, depth, dashes))
        marks += [_front(part, a, b, top, height, dashes) for part, a, b in ends]
        if band and frame == frames - 1:
            marks += _band(slices[-1], x + each, each, top, height, depth)
        x += each + FRAME_GAP
    right = x - FRAME_GAP
    corners = [(left, top), (left, top + height), (right + depth, top - depth), (right, top + height)]
    return Box(around(corners), tuple(marks))


def _ends(left: float, thick: float, slices: Sequence[Slice]) -> list[tuple[Slice, float, float]]:
    total = fsum(part.share for part in slices)
    found: list[tuple[Slice, float, float]] = []
    x = left
    for part in slices:
        wide = thick * part.share / total
        found.append((part, x, x + wide))
        x += wide
    return found


def _front(part: Slice, a: float, b: float, top: float, height: float, dash: tuple[float, ...]) -> Mark:
    area = Area(a, top, b - a, height)
    return Rect(area, part.role, width=0.5, shade=part.shade, texture=part.texture, dash=dash)


def _top(part: Slice, a: float, b: float, top: float, depth: float, dash: tuple[float, ...]) -> Mark:
    points = ((a, top), (a + depth, top - depth), (b + depth, top - depth), (b, top))
    return Polygon(points, part.role, width=0.5, shade=part.shade + TOP, dash=dash)


def _side(part: Slice, right: float, top: float, height: float, depth: float, dash: tuple[float, ...]) -> Mark:
    points = ((right, top), (right + depth, top - depth), (right + depth, top - depth + height), (right, top + height))
    return Polygon(points, part.role, width=0.5, shade=part.shade + SIDE, dash=dash)


def _band(part: Slice, right: float, thick: float, top: float, height: float, depth: float) -> list[Mark]:
    wide = min(max(thick * 0.2, 1.2), 2.4)
    a = right - wide
    upper = ((a, top), (a + depth, top - depth), (right + depth, top - depth), (right, top))
    found: list[Mark] = [Rect(Area(a, top, wide, height), part.role, stroke="outline", width=0.3, shade=BAND)]
    if depth:
        found.insert(0, Polygon(upper, part.role, width=0.3, shade=BAND + TOP / 2))
    return found


def merge(x: float, y: float, kind: str, role: str, size: float, r: float = MERGE) -> list[Mark]:
    """A merge as a circle of radius r about a point: + for a sum, × for a product, a letter for the others."""
    circle = Rect(Area(x - r, y - r, 2 * r, 2 * r), role, width=0.7, radius=r)
    arm = r * 0.55
    if kind == "add":
        return [circle, *_cross([((x - arm, y), (x + arm, y)), ((x, y - arm), (x, y + arm))])]
    if kind == "mul":
        arm *= 0.75
        return [circle, *_cross([((x - arm, y - arm), (x + arm, y + arm)), ((x - arm, y + arm), (x + arm, y - arm))])]
    if kind == "absdiff":
        return [circle, *_cross([((x - arm, y), (x + arm, y))])]
    letter = {"concat": "C", "max": "M"}.get(kind, kind[:1].upper())
    return [circle, Text(x, y + 0.36 * size, letter, size, bold=True)]


def _cross(lines: list[tuple[tuple[float, float], tuple[float, float]]]) -> list[Mark]:
    return [Line(pair, "text", 0.9) for pair in lines]
