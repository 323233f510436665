"""Rules of geometry that pictures keep: each gives what breaks it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from math import dist

from cnndsl.draw.geometry import area_of, marks_of, overlap
from cnndsl.draw.scene import Area, Point, Scene, Text, box

TOUCHING = 2.0
"""Arrows that are shorter are between boxes that stand in each other's perspective."""
SLACK = 0.05
"""Points by which two areas may overlap, as numbers are rounded."""


def broken(scene: Scene) -> list[str]:
    """All rules that a picture breaks."""
    rules = (leaving, named, colliding, covered, loose, passing, struck)
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
