"""What is wrong with a picture, in words: the rules that every picture of a graph keeps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from cnndsl.draw.geometry import area_of, marks_of, overlap, text_area, united
from cnndsl.draw.scene import Area, Arrow, Point, Scene, Text, Thing

SLACK = 0.05


def texts(scene: Scene) -> list[Text]:
    return [mark for mark in marks_of(scene) if isinstance(mark, Text)]


def overlapping(areas: list[Area], slack: float = SLACK) -> Iterator[tuple[int, int]]:
    """The pairs of areas that overlap, found from left to right."""
    order = sorted(range(len(areas)), key=lambda n: areas[n].x)
    open_: list[int] = []
    for number in order:
        open_ = [other for other in open_ if areas[other].right > areas[number].x]
        yield from ((other, number) for other in open_ if overlap(areas[other], areas[number], slack))
        open_.append(number)


def text_faults(scene: Scene) -> Iterator[str]:
    """Labels that overlap, are too small, or leave the page."""
    found = texts(scene)
    areas = [text_area(text) for text in found]
    for one, other in overlapping(areas):
        yield f"'{found[one].text}' overlaps '{found[other].text}'"
    for text, area in zip(found, areas, strict=True):
        if text.size < 7:
            yield f"'{text.text}' has {text.size} pt"
        if area.x < 0 or area.y < 0 or area.right > scene.width or area.bottom > scene.height:
            yield f"'{text.text}' leaves the page"


def inside(inner: Area, outer: Area) -> bool:
    return (
        inner.x >= outer.x - SLACK
        and inner.y >= outer.y - SLACK
        and inner.right <= outer.right + SLACK
        and inner.bottom <= outer.bottom + SLACK
    )


def box_faults(scene: Scene) -> Iterator[str]:
    """Boxes that overlap, or stick out of what they stand in; labels that stick out of their box."""
    by_id = {thing.id: thing for thing in scene.things}
    if len(by_id) != len(scene.things):
        yield "ids occur twice"
    for one, other in overlapping([thing.area for thing in scene.things]):
        a, b = scene.things[one], scene.things[other]
        if a.id not in holders(b, by_id) and b.id not in holders(a, by_id):
            yield f"{a.id} overlaps {b.id}"
    for thing in scene.things:
        if thing.parent is not None and not inside(thing.area, by_id[thing.parent].area):
            yield f"{thing.id} sticks out of {thing.parent}"
        for mark in thing.marks:
            if isinstance(mark, Text) and not inside(text_area(mark), thing.area):
                yield f"'{mark.text}' sticks out of {thing.id}"


def holders(thing: Thing, by_id: dict[str, Thing]) -> set[str]:
    """The ids of what a thing stands in."""
    found: set[str] = set()
    while thing.parent is not None:
        thing = by_id[thing.parent]
        found.add(thing.id)
    return found


def arrow_faults(scene: Scene) -> Iterator[str]:
    """Arrows that don't end on their boxes, run through others, through labels, or not along the axes."""
    by_id = {thing.id: thing for thing in scene.things}
    begun: dict[str, list[Arrow]] = {}
    labels = [(text.text, text_area(text)) for text in texts(scene)]
    held = {thing.id: holders(thing, by_id) for thing in scene.things}
    for arrow in scene.arrows:
        points = arrow.line.points
        name = f"{arrow.source} -> {arrow.target}"
        if not on_border(points[-1], by_id[arrow.target].area):
            yield f"{name} does not end on its box"
        others = begun.setdefault(arrow.source, [])
        if not on_border(points[0], by_id[arrow.source].area) and not any(on_line(points[0], o) for o in others):
            yield f"{name} does not begin on its box"
        others.append(arrow)
        if any(abs(a[0] - b[0]) > SLACK and abs(a[1] - b[1]) > SLACK for a, b in pairwise(points)):
            yield f"{name} is not along the axes"
        ends = {arrow.source, arrow.target}
        allowed = held[arrow.source] | held[arrow.target]
        for thing in scene.things:
            if thing.id not in allowed and crosses(points, thing.area, 0.3 if thing.id in ends else -0.3):
                yield f"{name} runs through {thing.id}"
        for said, area in labels:
            if crosses(points, area, 0.2):
                yield f"{name} runs through '{said}'"


def on_border(point: Point, area: Area) -> bool:
    x, y = point
    within = area.x - SLACK <= x <= area.right + SLACK and area.y - SLACK <= y <= area.bottom + SLACK
    near = min(abs(x - area.x), abs(x - area.right), abs(y - area.y), abs(y - area.bottom))
    return within and near <= SLACK


def on_line(point: Point, arrow: Arrow) -> bool:
    x, y = point
    return any(
        min(a[0], b[0]) - SLACK <= x <= max(a[0], b[0]) + SLACK
        and min(a[1], b[1]) - SLACK <= y <= max(a[1], b[1]) + SLACK
        for a, b in pairwise(arrow.line.points)
    )


def crosses(points: tuple[Point, ...], area: Area, slack: float) -> bool:
    """Whether a line along the axes runs through an area, made smaller by `slack` on each side."""
    return any(
        max(a[0], b[0]) > area.x + slack
        and min(a[0], b[0]) < area.right - slack
        and max(a[1], b[1]) > area.y + slack
        and min(a[1], b[1]) < area.bottom - slack
        for a, b in pairwise(points)
    )


def page_faults(scene: Scene, margin: float) -> Iterator[str]:
    """A page that is larger than it need be, or smaller."""
    drawn = united([area_of(mark) for mark in marks_of(scene)])
    for name, space in {
        "left": drawn.x,
        "top": drawn.y,
        "right": scene.width - drawn.right,
        "bottom": scene.height - drawn.bottom,
    }.items():
        if not -SLACK <= space - margin <= 1.0:
            yield f"{space:.2f} pt at the {name}"


def crossings(scene: Scene) -> list[tuple[Arrow, Arrow]]:
    """The pairs of arrows from different boxes that cross."""
    found = []
    for one, other in combinations(scene.arrows, 2):
        if one.source != other.source and any(
            _cross(a, b) for a in pairwise(one.line.points) for b in pairwise(other.line.points)
        ):
            found.append((one, other))
    return found


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two segments along different axes cross, other than in their ends."""
    if abs(one[0][0] - one[1][0]) > abs(one[0][1] - one[1][1]):
        one, other = other, one
    (x, y1), (_, y2) = one
    (x1, y), (x2, _) = other
    return (
        abs(other[0][1] - other[1][1]) < SLACK
        and min(x1, x2) + SLACK < x < max(x1, x2) - SLACK
        and min(y1, y2) + SLACK < y < max(y1, y2) - SLACK
    )
