"""Laid out levels on paper: boxes, frames around them, and lines through all the levels that they pass."""

from __future__ import annotations

from itertools import pairwise

from cnndsl.draw import text as letters
from cnndsl.draw.facts import Colors, facts
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Point, Text, Thing
from cnndsl.draw.styles.layered import straightened
from cnndsl.draw.styles.nest import GAP, Key, Nest, Output, Taken
from cnndsl.draw.styles.plates import CAPS, DASH, RADIUS, Plate, front, painted, row_text, set_row, sheets
from cnndsl.draw.wanted import Wanted
from cnndsl.record import Record

BEND = 4.0
"""The radius of a line's corners."""
SAME = 0.01
"""Points nearer than that are one."""


class Way(Record):
    """What a tensor has come so far: the id of the box that gives it, the points, and what is said at its line, how far
    beside it."""

    origin: str
    points: tuple[Point, ...]
    label: str = ""
    beside: float = 0.0

    def on(self, points: list[Point]) -> Way:
        return self._replace(points=(*self.points, *points))


NOWHERE = Way("", ())


class Painting:
    """What a network's nest looks like: its things and arrows. nests: by the id of their things."""

    def __init__(self, nest: Nest, wanted: Wanted) -> None:
        self.network = nest.item
        self.wanted = wanted
        self.nest = nest
        self.colors = Colors(nest.item, wanted.color)
        self.right = wanted.direction == "right"
        self.things: list[Thing] = []
        self.arrows: list[Arrow] = []
        self.nests: dict[str, Nest] = {}
        self.drawn: dict[str, list[tuple[Point, ...]]] = {}
        """The lines from each box that are there already: others that share their way begin where they part."""
        self.ways: list[tuple[Way, Taken, bool]] = []
        """What arrows are made of, and whether they skip others."""
        self._inside(nest, (0.0, 0.0), None, {})
        # Lines that share a way with others are drawn from where they part: those that go straight on have all of it.
        for way, taken, skip in sorted(self.ways, key=lambda one: (_dashed(one[1]), one[2])):
            self._arrow(way, taken, skip=skip)

    # --- things -------------------------------------------------------------------------------------------------

    def _inside(self, nest: Nest, corner: Point, parent: str | None, coming: dict[Key, Way]) -> None:
        """What is in a nest whose contents begin at a corner on paper. coming: where the tensors at its ports come
        from, and on which way so far."""
        nests: list[tuple[Nest, Point, str]] = []
        for number, part in enumerate(nest.parts):
            area = self._area(nest, corner, number)
            if isinstance(part, Output):
                self.things.append(self.output(part, area))
            elif isinstance(part, Plate):
                self.things.append(self.box(nest.item.children[number], part, area, parent))
            else:
                self.nests[part.item.id] = part
                self.things.append(self.frame(part, area, parent))
                nests.append((part, (area.x + part.dx, area.y + part.dy), part.item.id))
        ways = self._wires(nest, corner, coming)
        for inner, place, name in nests:
            self._inside(inner, place, name, ways.get(id(inner), {}))

    def _area(self, nest: Nest, corner: Point, number: int) -> Area:
        part = nest.parts[number]
        one = part.plate if isinstance(part, Output) else part
        across, along = nest.laid.starts[nest.first + number]
        x, y = self._paper((across, along), corner)
        return Area(x, y, one.width, one.height)

    def _paper(self, point: Point, corner: Point) -> Point:
        across, along = point
        return (corner[0] + along, corner[1] + across) if self.right else (corner[0] + across, corner[1] + along)

    def box(self, item: Item, one: Plate, area: Area, parent: str | None) -> Thing:
        role = self.colors.role(item)
        marks = painted(one, area, role, dashed=item.auxiliary)
        label = tuple(row_text(row) for row in one.rows)
        return Thing(
            item.id,
            item.kind,
            area,
            marks,
            label,
            facts(item, self.network),
            role,
            parent,
            count=item.count,
            span=item.span,
            fault=item.fault,
            tells=bool(one.rows),
        )

    def output(self, output: Output, area: Area) -> Thing:
        marks = painted(output.plate, area, "input", dashed=output.training)
        told = (("kind", "output for training" if output.training else "output"),)
        return Thing(f"output {output.name}", "output", area, marks, (output.name,), told, "input")

    def frame(self, nest: Nest, area: Area, parent: str | None) -> Thing:
        item = nest.item
        dash = DASH if item.auxiliary else ()
        marks: list[Mark] = sheets(area, item.count, "group", "group-outline", radius=RADIUS, dash=dash)
        top = front(area, item.count)
        heading = nest.heading
        if heading is not None and heading.row:
            base = top.y + GAP / 2 + (letters.LEADING + CAPS) * heading.row[0].size / 2
            marks += set_row(heading.row, area.x + heading.x, base)
        label = (row_text(heading.row),) if heading is not None and heading.row else ()
        return Thing(
            item.id,
            item.kind,
            area,
            tuple(marks),
            label,
            facts(item, self.network),
            "group",
            parent,
            True,
            item.count,
            item.span,
            item.fault,
            tells=True,  # as what is in it does
        )

    # --- arrows -------------------------------------------------------------------------------------------------

    def _wires(self, nest: Nest, corner: Point, coming: dict[Key, Way]) -> dict[int, dict[Key, Way]]:
        """Add the arrows that end in a nest's own boxes; the ways to ports of nests in it, by nest and tensor."""
        ways: dict[int, dict[Key, Way]] = {}
        for number, ((source, key), takers) in enumerate(nest.taken.items()):
            before = self._before(nest, corner, source, key, coming)
            for place, (target, taken) in enumerate(takers):
                way = before.on(self._points(nest, corner, number, place))
                part = nest.part(target)
                if isinstance(part, Nest):
                    ways.setdefault(id(part), {})[nest.outer_key(source, key, target)] = way
                elif part is not None and way.origin:
                    self.ways.append((way, taken, nest.laid.skips[number][place]))
        return ways

    def _points(self, nest: Nest, corner: Point, wire: int, place: int) -> list[Point]:
        return [self._paper(point, corner) for point in nest.laid.lines[wire][place]]

    def _before(self, nest: Nest, corner: Point, source: int, key: Key, coming: dict[Key, Way]) -> Way:
        """Where a wire comes from, and its way before this level."""
        part = nest.part(source)
        if part is None:
            return coming.get(key, NOWHERE)
        if isinstance(part, Nest):
            area = self._area(nest, corner, source - nest.first)
            return self._within(part, (area.x + part.dx, area.y + part.dy), key)
        label = nest.labels.get(source, "")
        return Way(
            nest.item.children[source - nest.first].id, (), label, nest.label_place(source, key) if label else 0.0
        )

    def _within(self, nest: Nest, corner: Point, key: Key) -> Way:
        """The way of a tensor from the box that gives it to the border of a nest."""
        port = nest.outs.get(key, next(iter(nest.outs.values()), -1))
        for number, ((source, inner), takers) in enumerate(nest.taken.items()):
            for place, (target, _) in enumerate(takers):
                if target == port:
                    return self._before(nest, corner, source, inner, {}).on(self._points(nest, corner, number, place))
        return NOWHERE

    def _arrow(self, way: Way, taken: Taken, *, skip: bool) -> None:
        taker = taken.item
        assert taker is not None
        name = f"output {taker.name}" if isinstance(taker, Output) else taker.id
        line = straightened([*way.points])
        others = self.drawn.setdefault(way.origin, [])
        role = taken.change or ("skip" if skip else "arrow")
        dash = DASH if _dashed(taken) else ()
        drawn = Line(_parted(line, others), role, radius=BEND, head=True, dash=dash)
        label, mark = "" if others else way.label, None
        others.append(line)
        if label:
            (x, y), size = line[0], self.nest.wish.look.small
            mark = Text(x + way.beside, y + 0.95 * size, label, size, "start", "muted")
        self.arrows.append(Arrow(way.origin, name, drawn, skip, label, mark))


def _dashed(taken: Taken) -> bool:
    """Whether a line leads to what serves training only, or is gone."""
    taker = taken.item
    training = taker.training if isinstance(taker, Output) else taker is not None and taker.auxiliary
    return training or taken.change == "removed"


def _parted(line: tuple[Point, ...], others: list[tuple[Point, ...]]) -> tuple[Point, ...]:
    """A line without what it shares with another from the same box, but for enough to part in a bend."""
    shared = max((_shared(line, other) for other in others), default=0.0) - 1.5 * BEND
    if shared <= 0:
        return line
    walked = 0.0
    for number, (one, other) in enumerate(pairwise(line)):
        length = abs(other[0] - one[0]) + abs(other[1] - one[1])
        if walked + length > shared:
            share = (shared - walked) / length
            x, y = one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1])
            return (x, y), *line[number + 1 :]
        walked += length
    return line


def _shared(line: tuple[Point, ...], other: tuple[Point, ...]) -> float:
    """How long two lines along the axes run together from their beginning."""
    length = 0.0
    if not _same(line[0], other[0]):
        return length
    for (a, b), (c, d) in zip(pairwise(line), pairwise(other), strict=False):
        first = b[0] - a[0], b[1] - a[1]
        second = d[0] - c[0], d[1] - c[1]
        if first[0] * second[0] + first[1] * second[1] <= 0:
            return length
        one, two = (abs(x) + abs(y) for x, y in (first, second))
        length += min(one, two)
        if not _same(b, d):
            return length
    return length


def _same(one: Point, other: Point) -> bool:
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) < SAME
