"""Blocks drawn once beside a figure of volumes: small graphs that flow downwards, in a frame with the block's name."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import fsum

from cnndsl.draw import text as letters
from cnndsl.draw.facts import Colors, facts
from cnndsl.draw.fold import every
from cnndsl.draw.geometry import moved_arrow, moved_thing
from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Point, Rect, Text, Thing
from cnndsl.draw.styles.boxes import MERGE, merge
from cnndsl.draw.styles.flow import Flow
from cnndsl.draw.styles.labels import BARE, FULL, SHORT, operation, printed
from cnndsl.draw.styles.plan import Plan, Sort, inside, key, name_of
from cnndsl.draw.styles.stations import CIRCLES
from cnndsl.draw.styles.tracks import Node, Pair, paths, tracks
from cnndsl.record import Record

PADDING = 5.0
BOX_PADDING = 3.0
GAP = 9.0
COLUMNS_APART = {FULL: 6.0, BARE: 6.0, SHORT: 1.0}
APART = 10.0
"""Between insets."""
LOW = 300.0
"""Insets say less if they are higher than this, all together, and higher than they may be wide."""


class Panel(Record):
    """A part of a figure, its left upper corner at the origin."""

    width: float
    height: float
    things: tuple[Thing, ...]
    arrows: tuple[Arrow, ...]
    marks: tuple[Mark, ...] = ()


def insets(plan: Plan, network: Item, colors: Colors, size: float, room: float) -> Panel:
    """An inset for each sort of block, side by side in rows of at most `room` points, with as many words as fit."""
    common = _common_dress(plan)
    low = max(room, LOW)
    tried: list[tuple[Panel, int]] = []
    for words in (FULL, BARE, SHORT):
        made = [_panel(sort, plan, network, colors, size, words, common, room) for sort in plan.sorts.values()]
        tried.append((shelved(made, room), words))
        if tried[-1][0].height <= low:
            break
    best, words = min(tried, key=lambda one: (max(one[0].height, low), one[1]))
    if not common or words > FULL:
        return best
    said = f"Each convolution is followed by {' and '.join(map(printed, common))}."
    note = Text(best.width / 2, best.height + APART, said, size, role="muted")
    return best._replace(height=best.height + APART + letters.DESCENT * size, marks=(note,))


def _panel(
    sort: Sort,
    plan: Plan,
    network: Item,
    colors: Colors,
    size: float,
    words: int,
    common: tuple[str, ...],
    room: float,
) -> Panel:
    for fewer in range(words, SHORT + 1):
        if fewer not in COLUMNS_APART:
            continue
        panel = _Inset(sort, plan, network, colors, size, fewer, common).panel()
        if panel.width <= room:
            break
    return panel


def _common_dress(plan: Plan) -> tuple[str, ...]:
    """What follows every convolution of several blocks, if it is always the same."""
    members = [member for sort in plan.sorts.values() for member in sort.members]
    leaves = [leaf for member in members for leaf in every(member) if leaf.role == "convolution" and not leaf.children]
    dress = {leaf.dress for leaf in leaves}
    return dress.pop() if len(dress) == 1 and len(leaves) > 2 else ()


def shelved(found: Sequence[Panel], room: float) -> Panel:
    """Panels side by side in rows of at most `room` points, each row in the middle."""
    rows: list[list[Panel]] = []
    for panel in found:
        row = next((r for r in rows if fsum(p.width + APART for p in r) + panel.width <= room), None)
        if row is None:
            rows.append([panel])
        else:
            row.append(panel)
    wide = max((fsum(p.width for p in row) + APART * (len(row) - 1) for row in rows), default=0.0)
    things: list[Thing] = []
    arrows: list[Arrow] = []
    y = 0.0
    for row in rows:
        x = (wide - fsum(p.width for p in row) - APART * (len(row) - 1)) / 2
        for panel in row:
            things += [moved_thing(thing, x, y) for thing in panel.things]
            arrows += [moved_arrow(arrow, x, y) for arrow in panel.arrows]
            x += panel.width + APART
        y += max(p.height for p in row) + APART
    return Panel(wide, max(y - APART, 0.0), tuple(things), tuple(arrows))


class _Inset:
    def __init__(
        self, sort: Sort, plan: Plan, network: Item, colors: Colors, size: float, words: int, common: tuple[str, ...]
    ) -> None:
        self.sort = sort
        self.plan = plan
        self.network = network
        self.colors = colors
        self.size = size
        self.words = words
        self.common = common
        self.leading = letters.LEADING * size
        self.flow: Flow = inside(sort.members[0])
        self.leaves = [[one for one in every(member) if not one.children] for member in sort.members]
        self.symbols: set[str] = set()
        self.padding, self.margin = (PADDING, BOX_PADDING) if words < SHORT else (PADDING - 2.0, BOX_PADDING - 1.0)

    def panel(self) -> Panel:
        shown = [self._label(item) for item in self.flow.items]
        nodes = [_port(), *map(self._node, self.flow.items, shown), _port()]
        final = len(nodes) - 1
        links = self._links(final)
        laid = tracks(nodes, links, paths(len(nodes), links, final), both_sides=True, apart=COLUMNS_APART[self.words])
        title = self._title()
        left = min(y - node.over for (_, y), node in zip(laid.places, nodes, strict=True))
        left = min([left, *(y for line in laid.lines.values() for _, y in line)])
        right = max(y + node.under for (_, y), node in zip(laid.places, nodes, strict=True))
        right = max([right, *(y for line in laid.lines.values() for _, y in line)])
        wide = max(right - left, letters.widest(title, self.size, bold=True)) + 2 * self.padding
        top = PADDING + len(title) * self.leading
        dx = (wide - (right - left)) / 2 - left
        length = max(x for x, _ in laid.places)
        frame = Area(0.0, 0.0, wide, top + length + PADDING)
        name = f"{self.sort.name} (drawn once)"

        def turned(points: Sequence[Point]) -> tuple[Point, ...]:
            """Points of the layout, which flows along x, on paper, where it flows down."""
            return tuple((y + dx, x + top) for x, y in points)

        things = [self._frame(name, frame, title)]
        things += [
            self._thing(item, label, turned([place])[0], name)
            for item, label, place in zip(self.flow.items, shown, laid.places[1:-1], strict=True)
        ]
        ids = [name, *(item.id for item in self.flow.items), name]
        arrows = tuple(self._arrow(ids[a], ids[b], turned(laid.lines[a, b]), (a, b) in laid.lanes) for a, b in links)
        return Panel(wide, frame.height, tuple(things), arrows)

    def _links(self, final: int) -> list[Pair]:
        """Links between nodes, the surroundings being node 0 and the last one."""
        found = {
            (link.source + 1 if link.source != OUTSIDE else 0, link.target + 1 if link.target != OUTSIDE else final)
            for link in self.flow.links
        }
        given = {a for a, _ in found}
        # What nothing takes is what the block gives, or an output of the network.
        found |= {(n, final) for n in range(1, final) if n not in given}
        return sorted(found)

    # --- boxes ------------------------------------------------------------------------------------------------------

    def _node(self, item: Item, label: tuple[str, ...]) -> Node:
        if _is_circle(item):
            return Node(MERGE, MERGE, MERGE, MERGE, MERGE, MERGE, MERGE, MERGE, GAP, True)
        tall = len(label) * self.leading / 2 + BOX_PADDING - 1.0
        half = letters.widest(label, self.size) / 2 + self.margin
        return Node(tall, tall, half, half, tall, tall, half + 1.0, half + 1.0, GAP)

    def _thing(self, item: Item, label: tuple[str, ...], at: Point, parent: str) -> Thing:
        role = self.colors.role(item)
        x, y = at
        if _is_circle(item):
            area = Area(x - MERGE, y - MERGE, 2 * MERGE, 2 * MERGE)
            marks: list[Mark] = merge(x, y, item.kind, role, self.size)
        else:
            node = self._node(item, label)
            area = Area(x - node.rise, y - node.body_before, node.rise + node.drop, 2 * node.body_before)
            marks = [Rect(area, role, radius=2.0, width=0.5)]
            first = y - (len(label) - 1) * self.leading / 2 + 0.36 * self.size
            marks += [Text(x, first + i * self.leading, line, self.size) for i, line in enumerate(label)]
        return Thing(
            item.id,
            item.kind,
            area,
            tuple(marks),
            label,
            facts(item, self.network),
            role,
            parent,
            count=item.count,
            span=item.span,
            fault=item.fault,
        )

    def _frame(self, name: str, area: Area, title: tuple[str, ...]) -> Thing:
        marks: list[Mark] = [Rect(area, "group", "group-outline", radius=4.0)]
        y = PADDING + letters.ASCENT * self.size - 1.0
        marks += [
            Text(area.width / 2, y + i * self.leading, line, self.size, bold=i == 0, role="muted" if i else "text")
            for i, line in enumerate(title)
        ]
        member = self.sort.members[0]
        return Thing(name, member.kind, area, tuple(marks), title, (), "group", holds=True, span=member.span)

    def _arrow(self, source: str, target: str, points: tuple[Point, ...], skip: bool) -> Arrow:
        line = Line(points, "arrow", 0.7, radius=4.0, head=True)
        return Arrow(source, target, line, skip)

    # --- words ------------------------------------------------------------------------------------------------------

    def _title(self) -> tuple[str, ...]:
        said = [words for symbol, words in (("D", "takes D"), ("C", "gives C")) if symbol in self.symbols]
        return (self.sort.name, f"{', '.join(said)} channels") if said else (self.sort.name,)

    def _label(self, item: Item) -> tuple[str, ...]:
        """What a box says: what all blocks of the sort have in common."""
        if item.children:
            sort = self.plan.sorts.get(key(item))
            name = sort.name if sort is not None else name_of(item)
            return (f"{name} ×{item.count}",) if item.count > 1 else (name,)
        index = next(i for i, leaf in enumerate(self.leaves[0]) if leaf.id == item.id)
        alike = [leaves[index] for leaves in self.leaves if index < len(leaves)]
        said = [operation(one._replace(dress=()), SHORT if self.words == SHORT else FULL) for one in alike]
        head = _common([parts[0] for parts in said])
        rest = [part for part in said[0][1:] if all(part in parts for parts in said)]
        if any(part.startswith("/") for parts in said for part in parts) and not any(p.startswith("/") for p in rest):
            rest.insert(0, "/s")
        channels = self._channels(alike) if item.role in ("convolution", "dense") else ""
        first = " ".join([head, *(p for p in rest if p.startswith("/"))])
        words = [first, *([channels] if channels else []), *(p for p in rest if not p.startswith("/"))]
        if item.count > 1:
            words[-1] += f" ×{item.count}"
        known = item.role == "convolution" and item.dress == self.common
        dress = [printed(title) for title in item.dress] if self.words == FULL and not known else []
        return tuple(", ".join(part) for part in (words, dress) if part)

    def _channels(self, alike: Sequence[Item]) -> str:
        """The channels of a layer, as a number if all blocks agree, or else as a multiple of what
        the block gives or takes."""
        numbers = [one.shape.channels if one.shape is not None else None for one in alike]
        if None in numbers:
            return ""
        if len(set(numbers)) == 1:
            return str(numbers[0])
        for symbol, shapes in (
            ("C", [member.shape for member in self.sort.members]),
            ("D", [member.input_shape for member in self.sort.members]),
        ):
            whole = [shape.channels if shape is not None else 0 for shape in shapes]
            ratios = {Fraction(n, w) for n, w in zip(numbers, whole, strict=False) if n is not None and w}
            if len(ratios) != 1:
                continue
            ratio = ratios.pop()
            if ratio.numerator == 1 or ratio.denominator == 1:
                self.symbols.add(symbol)
                times = "" if ratio.numerator == 1 else str(ratio.numerator)
                return f"{times}{symbol}" if ratio.denominator == 1 else f"{symbol}/{ratio.denominator}"
        return ""


def _port() -> Node:
    return Node(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, GAP)


def _is_circle(item: Item) -> bool:
    return item.kind in CIRCLES


def _common(said: Sequence[str]) -> str:
    """One operation for several: `k×k conv` where only the windows differ."""
    if len(set(said)) == 1:
        return said[0]
    rest = {text.split(" ", 1)[-1] for text in said}
    return f"k×k {rest.pop()}" if len(rest) == 1 and all("×" in text for text in said) else said[0]
