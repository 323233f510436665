"""What a scene's marks cover on paper, and the same marks elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, dist, radians, sin

from cnndsl.draw import text as letters
from cnndsl.draw.scene import Area, Arrow, Image, Line, Mark, Point, Polygon, Rect, Scene, Text, Thing, box

HEAD = 4.0
"""How long the head of an arrow is, in points; it is half as wide to either side."""


def area_of(mark: Mark) -> Area:
    """The bounds of a mark, its strokes and the heads of its arrows included."""
    if isinstance(mark, Text):
        return text_area(mark)
    if isinstance(mark, Image):
        return mark.area
    if isinstance(mark, Rect):
        return box(mark.area, around=mark.width / 2 if mark.stroke else 0.0)
    if isinstance(mark, Polygon):
        return around(mark.points, mark.width / 2 if mark.stroke else 0.0)
    ends = [_head(*pair) for pair, drawn in ((mark.points[-2:], mark.head), (mark.points[1::-1], mark.tail)) if drawn]
    return united([around(mark.points, mark.width / 2), *ends])


def _head(before: Point, tip: Point) -> Area:
    """The bounds of an arrow's head."""
    long = dist(before, tip) or 1.0
    dx, dy = ((b - a) / long * HEAD for a, b in zip(before, tip, strict=True))
    x, y = tip[0] - dx, tip[1] - dy
    return around([tip, (x - dy / 2, y + dx / 2), (x + dy / 2, y - dx / 2)])


def text_area(mark: Text) -> Area:
    """What a line of text covers, from the widths of its letters."""
    wide = letters.width(mark.text, mark.size, bold=mark.bold)
    start = mark.x - {"start": 0.0, "middle": wide / 2, "end": wide}[mark.anchor]
    top, bottom = mark.y - letters.ASCENT * mark.size, mark.y + letters.DESCENT * mark.size
    if not mark.turned:
        return Area(start, top, wide, bottom - top)
    turn = radians(mark.turned)
    corners = [(x - mark.x, y - mark.y) for x in (start, start + wide) for y in (top, bottom)]
    return around(
        [(mark.x + x * cos(turn) - y * sin(turn), mark.y + x * sin(turn) + y * cos(turn)) for x, y in corners]
    )


def around(points: Iterable[Point], margin: float = 0.0) -> Area:
    """The smallest area that holds points, grown by a margin."""
    xs, ys = zip(*points, strict=True)
    left, top = min(xs) - margin, min(ys) - margin
    return Area(left, top, max(xs) + margin - left, max(ys) + margin - top)


def corners_of(mark: Polygon | Rect) -> tuple[Point, ...]:
    """The corners of a filled mark, one after the other."""
    if isinstance(mark, Polygon):
        return mark.points
    area = mark.area
    return (area.x, area.y), (area.right, area.y), (area.right, area.bottom), (area.x, area.bottom)


def united(areas: Iterable[Area]) -> Area:
    """The smallest area that holds all of them; empty at the origin if there are none."""
    known = list(areas)
    if not known:
        return Area(0.0, 0.0, 0.0, 0.0)
    left, top = min(a.x for a in known), min(a.y for a in known)
    return Area(left, top, max(a.right for a in known) - left, max(a.bottom for a in known) - top)


def overlap(a: Area, b: Area, slack: float = 0.0) -> bool:
    """Whether two areas share more than `slack` points on both axes."""
    across = min(a.right, b.right) - max(a.x, b.x)
    down = min(a.bottom, b.bottom) - max(a.y, b.y)
    return across > slack and down > slack


def moved(mark: Mark, dx: float, dy: float) -> Mark:
    """A mark elsewhere."""
    if isinstance(mark, Text):
        return mark._replace(x=mark.x + dx, y=mark.y + dy)
    if isinstance(mark, Rect | Image):
        return mark._replace(area=moved_area(mark.area, dx, dy))
    return mark._replace(points=tuple((x + dx, y + dy) for x, y in mark.points))


def moved_area(area: Area, dx: float, dy: float) -> Area:
    return Area(area.x + dx, area.y + dy, area.width, area.height)


def moved_thing(thing: Thing, dx: float, dy: float) -> Thing:
    """A thing elsewhere, with all its marks."""
    return thing._replace(area=moved_area(thing.area, dx, dy), marks=tuple(moved(m, dx, dy) for m in thing.marks))


def moved_arrow(arrow: Arrow, dx: float, dy: float) -> Arrow:
    line = moved(arrow.line, dx, dy)
    label = moved(arrow.label_mark, dx, dy) if arrow.label_mark is not None else None
    assert isinstance(line, Line)
    assert label is None or isinstance(label, Text)
    return arrow._replace(line=line, label_mark=label)


def marks_of(scene: Scene) -> list[Mark]:
    """Every mark of a picture, those of arrows included, from back to front."""
    found: list[Mark] = [mark for thing in scene.things if thing.holds for mark in thing.marks]
    for arrow in scene.arrows:
        found.append(arrow.line)
        if arrow.label_mark is not None:
            found.append(arrow.label_mark)
    found += [mark for thing in scene.things if not thing.holds for mark in thing.marks]
    return [*found, *scene.marks]
