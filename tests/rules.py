"""Rules of geometry that pictures keep: each gives what breaks it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from math import dist

from cnndsl.draw.geometry import area_of, corners_of, marks_of, overlap
from cnndsl.draw.scene import Area, Line, Point, Polygon, Rect, Scene, Text, box

TOUCHING = 2.0
"""Arrows that are shorter are between boxes that stand in each other's perspective."""
BESIDE = 0.6
"""From what is drawn of a box to where an arrow at it ends, at most."""
CLEAR = 0.7
"""White between a label's letters and a line beside them, at least."""
SLACK = 0.05
"""Points by which two areas may overlap, as numbers are rounded."""


def broken(scene: Scene) -> list[str]:
    """All rules that a picture breaks."""
    rules = (leaving, named, colliding, covered, loose, floating, passing, struck, ruled)
    return [f"{rule.__name__}: {said}" for rule in rules for said in rule(scene)]


def leaving(scene: Scene) -> Iterator[str]:
    """Marks that leave the page."""
    for mark in marks_of(scene):
        area = area_of(mark)
        if area.x < -SLACK or area.y < -SLACK or area.right > scene.width + SLACK or area.bottom > scene.height + SLACK:
            yield str(mark)


def named(scene: Scene) -> Iterator[str]:
    """Things of one name, and arrows whose ends are none."""
    ids = [thing.id for thing in scene.things]
    yield from (f"{one} twice" for one in {one for one in ids if ids.count(one) > 1})
    known = set(ids)
    for arrow in scene.arrows:
        if not {arrow.source, arrow.target} <= known:
            yield f"{arrow.source} to {arrow.target}"


def colliding(scene: Scene) -> Iterator[str]:
    """Labels that overlap."""
    texts = [(mark.text, area_of(mark)) for mark in marks_of(scene) if isinstance(mark, Text)]
    for (one, a), (other, b) in combinations(texts, 2):
        if overlap(a, b, SLACK):
            yield f"{one!r} and {other!r}"


def covered(scene: Scene) -> Iterator[str]:
    """Labels that are over boxes which are not theirs."""
    boxes = [thing for thing in scene.things if not thing.holds]
    labels = [(thing.id, mark) for thing in scene.things for mark in thing.marks if isinstance(mark, Text)]
    labels += [("", mark) for mark in scene.marks if isinstance(mark, Text)]
    for owner, mark in labels:
        area = area_of(mark)
        for thing in boxes:
            if thing.id != owner and overlap(area, thing.area, SLACK):
                yield f"{mark.text!r} over {thing.id}"


def loose(scene: Scene) -> Iterator[str]:
    """Arrows that don't end on their boxes."""
    areas = {thing.id: thing.area for thing in scene.things}
    for arrow in scene.arrows:
        for name, point in ((arrow.source, arrow.line.points[0]), (arrow.target, arrow.line.points[-1])):
            if name in areas and not _holds(box(areas[name], around=0.5), point):
                yield f"{arrow.source} to {arrow.target} at {name}: {point} not on {areas[name]}"


def floating(scene: Scene) -> Iterator[str]:
    """Arrow heads that end within the bounds of their box, but on nothing that is drawn of it."""
    things = {thing.id: thing for thing in scene.things}
    for arrow in scene.arrows:
        if not arrow.line.head or arrow.target not in things:
            continue
        end = arrow.line.points[-1]
        drawn = [mark for mark in things[arrow.target].marks if isinstance(mark, Rect | Polygon)]
        if drawn and min(_away(end, mark) for mark in drawn) > BESIDE:
            yield f"{arrow.source} to {arrow.target}: {end}"


def passing(scene: Scene) -> Iterator[str]:
    """Arrows that run through boxes."""
    boxes = [(thing.id, box(thing.area, around=-1.0)) for thing in scene.things if not thing.holds]
    for arrow in scene.arrows:
        if sum(dist(a, b) for a, b in pairwise(arrow.line.points)) < TOUCHING:
            continue
        for name, area in boxes:
            if name not in (arrow.source, arrow.target) and _through(area, arrow.line.points):
                yield f"{arrow.source} to {arrow.target} through {name}"


def struck(scene: Scene) -> Iterator[str]:
    """Arrows that run through labels."""
    for text in [mark for mark in marks_of(scene) if isinstance(mark, Text)]:
        area = box(area_of(text), around=-0.3)
        for arrow in scene.arrows:
            if _through(area, arrow.line.points):
                yield f"{text.text!r} by {arrow.line.points}"


def ruled(scene: Scene) -> Iterator[str]:
    """Lines that belong to labels, such as brackets, and touch the text of one."""
    lines = [mark for mark in marks_of(scene) if isinstance(mark, Line) and mark.role == "muted"]
    for text in [mark for mark in marks_of(scene) if isinstance(mark, Text)]:
        area = box(area_of(text), around=CLEAR)
        for line in lines:
            if _through(area, line.points):
                yield f"{text.text!r} by {line.points}"


def small(scene: Scene, size: float) -> Iterator[str]:
    """Text that is too small to read."""
    yield from (f"{m.text!r} of {m.size}" for m in marks_of(scene) if isinstance(m, Text) and m.size < size)


def crossings(scene: Scene) -> int:
    """How many arrows that pass others by cross each other."""
    skips = [arrow.line for arrow in scene.arrows if arrow.skip]
    return sum(
        any(_cut(pair, other) for pair in pairwise(a.points) for other in pairwise(b.points))
        for a, b in combinations(skips, 2)
    )


def _away(point: Point, mark: Rect | Polygon) -> float:
    """How far a point is from a mark; 0 within it."""
    corners = corners_of(mark)
    sides = [*pairwise(corners), (corners[-1], corners[0])]
    turns = [(b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]) for a, b in sides]
    if all(turn >= 0 for turn in turns) or all(turn <= 0 for turn in turns):
        return 0.0
    return min(_from_side(point, a, b) for a, b in sides)


def _from_side(point: Point, a: Point, b: Point) -> float:
    """The distance of a point from a line between two others."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / (dx * dx + dy * dy or 1.0)
    t = min(max(along, 0.0), 1.0)
    return dist(point, (a[0] + t * dx, a[1] + t * dy))


def _through(area: Area, points: Sequence[Point]) -> bool:
    """Whether a line through points touches an area."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if max(xs) < area.x or min(xs) > area.right or max(ys) < area.y or min(ys) > area.bottom:
        return False
    return any(_meets(area, a, b) for a, b in pairwise(points))


def _holds(area: Area, point: Point) -> bool:
    return area.x <= point[0] <= area.right and area.y <= point[1] <= area.bottom


def _meets(area: Area, a: Point, b: Point) -> bool:
    """Whether a straight line touches an area (Liang and Barsky 1984)."""
    if area.width <= 0 or area.height <= 0:
        return False
    low, high = 0.0, 1.0
    for start, end, least, most in ((a[0], b[0], area.x, area.right), (a[1], b[1], area.y, area.bottom)):
        step = end - start
        if step == 0:
            if not least <= start <= most:
                return False
            continue
        near, far = sorted(((least - start) / step, (most - start) / step))
        low, high = max(low, near), min(high, far)
    return low <= high


def _cut(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two lines cross, not only touch."""

    def side(a: Point, b: Point, c: Point) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    (a, b), (c, d) = one, other
    return side(a, b, c) * side(a, b, d) < -SLACK and side(c, d, a) * side(c, d, b) < -SLACK
