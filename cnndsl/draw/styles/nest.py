"""Levels of a graph inside each other: every open block is laid out by itself and is then a box among others.

Where a tensor enters or leaves an open block, its level has a port, and the level around it a fixed place for the line.
"""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw import text as letters
from cnndsl.draw.facts import said
from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.draw.styles.layered import STEP, Laid, Level, Spot, Wire, laid_out, usual
from cnndsl.draw.styles.plates import SHEETS, Look, Plate, Row, Run, plate, repeats, row_width, sized
from cnndsl.graph import Edge
from cnndsl.record import Record

INSET = 7.0
"""From the border of an open block to what is in it."""
BORDER = 2.0
"""Where lines enter and leave it, which keep their own distance."""
GAP = 4.0
"""Around its title, and from a line to the label at it."""
LEFT = 40.0
"""A title stands at the left unless there is so much more room at the right."""
COMMON = 1.6
"""Boxes of one level are equally wide but for those that want more than this many times the usual width."""
NARROWEST = 80.0
"""A column is never shorter than that."""

Key = Edge
"""A tensor as it is drawn: what a row of repeats gives, the first of them gives on paper."""


class Wish(Record):
    """How levels are laid out. right: whether tensors go to the right, not down. limit: of the length of a column."""

    look: Look
    right: bool
    limit: float | None


class Output(Record):
    """The box that names a result of the network."""

    name: str
    plate: Plate
    training: bool


class Taken(Record):
    """What a wire's target is: the item or output that takes the tensor, `change` what became of that link. None: the
    surroundings, which take it further."""

    item: Item | Output | None
    change: str = ""


class Heading(Record):
    """The title of an open block: its runs, how wide they are, and where they begin, from its left border."""

    row: Row
    width: float
    x: float


class Nest:
    """An open block, or the network, laid out.

    parts: its children, each a plate or a nest, then the network's outputs; part n is spot `first + n` of `laid`.
    ins, outs: the spots of ports by tensor. width, height: as on paper, border and title included; dx, dy: from its
    corner to what is in it. label: what is said at the line from each spot.
    """

    def __init__(self, item: Item, wish: Wish, *, outer: bool = False) -> None:
        self.item = item
        self.wish = wish
        self.outer = outer
        look = wish.look._replace(row=not wish.right and _is_chain(item))
        inner = wish._replace(limit=wish.limit and max(NARROWEST, wish.limit - 3 * INSET - look.size))
        self.parts: list[Plate | Nest | Output] = [
            Nest(child, inner) if child.children else plate(child, look) for child in item.children
        ]
        if not wish.right:
            _align(item, self.parts)
        self._ports()
        self._connect()
        self.level = Level(tuple(self._spots()), tuple(self._wires()), near=wish.right, limit=wish.limit)
        self.laid: Laid = laid_out(self.level)
        self._frame()

    # --- what it consists of ------------------------------------------------------------------------------------

    def _ports(self) -> None:
        item = self.item
        coming = dict.fromkeys(link.edge for link in item.links if link.source == OUTSIDE)
        going = dict.fromkeys(link.edge for link in item.links if link.target == OUTSIDE)
        named = item.outputs if self.outer else ()
        self.results = {name: key for name in named if (key := tensor(item, name)) is not None}
        self.parts += [self._output(name) for name in self.results]
        self.first = len(coming)
        self.ins = {key: number for number, key in enumerate(coming)}
        self.outs = {key: self.first + len(self.parts) + number for number, key in enumerate(going)}

    def _output(self, name: str) -> Output:
        look = self.wish.look
        rows = ((Run(letters.cut(name, look.size, look.room), look.size),),) if look.wanted.labels else ()
        giver = next(child for child in self.item.children if name in child.outputs)
        return Output(name, sized(rows, pill=True), giver.auxiliary)

    def _connect(self) -> None:
        """taken: for each wire, as the spot and the tensor, the spots that it goes to, and what they are."""
        self.taken: dict[tuple[int, Key], list[tuple[int, Taken]]] = {}
        children = self.item.children
        for link in self.item.links:
            if link.source == OUTSIDE:
                source, key = self.ins[link.edge], link.edge
            else:
                source, key = self.first + link.source, inside(children[link.source], link.edge)
            if link.target == OUTSIDE:
                target, taken = self.outs[link.edge], Taken(None)
            else:
                target, taken = self.first + link.target, Taken(children[link.target], link.change)
            self.taken.setdefault((source, key), []).append((target, taken))
        for number, part in enumerate(self.parts):
            if isinstance(part, Output):
                giver = next(n for n, child in enumerate(children) if part.name in child.outputs)
                takers = self.taken.setdefault((self.first + giver, self.results[part.name]), [])
                takers.append((self.first + number, Taken(part)))

    def _spots(self) -> Iterator[Spot]:
        for _ in self.ins:
            yield Spot(0.0, 0.0, first=True)
        self.labels: dict[int, str] = {}
        for number, part in enumerate(self.parts):
            one = part.plate if isinstance(part, Output) else part
            across, along = (one.height, one.width) if self.wish.right else (one.width, one.height)
            after = tail = 0.0
            if isinstance(part, Plate) and any(source == self.first + number for source, _ in self.taken):
                text = self._label(self.item.children[number])
                if text:
                    self.labels[self.first + number] = text
                    size = self.wish.look.small
                    lines = sum(source == self.first + number for source, _ in self.taken)
                    middle = across / 2 + (lines - 1) * STEP
                    after = max(0.0, middle + GAP + letters.width(text, size) - across)
                    tail = letters.LEADING * size
            minor = part.training if isinstance(part, Output) else self.item.children[number].auxiliary
            yield Spot(across, along, after, tail, sides=not isinstance(part, Nest), minor=minor)
        for _ in self.outs:
            yield Spot(0.0, 0.0, last=True)

    def _label(self, item: Item) -> str:
        """The shape at the line from a layer, where the layer makes it another one."""
        look = self.wish.look
        if look.shapes or not look.wanted.labels or "shape" not in look.wanted.show or item.kind == "input":
            return ""
        return said(item, "shape") if item.shape != item.input_shape else ""

    def label_place(self, spot: int, key: Key) -> float:
        """Where the label at the lines from a spot begins, from the line of one tensor: beside the last of them."""
        starts = {
            wire: lines[0][0][0] for wire, lines in zip(self.taken, self.laid.lines, strict=True) if wire[0] == spot
        }
        return max(starts.values()) - starts[spot, key] + GAP

    def _wires(self) -> Iterator[Wire]:
        for (source, key), takers in self.taken.items():
            part = self.part(source)
            start = part.out(key) if isinstance(part, Nest) else None
            ends = tuple(self._end(target, source, key) for target, _ in takers)
            yield Wire(source, tuple(target for target, _ in takers), start, ends)

    def part(self, spot: int) -> Plate | Nest | Output | None:
        number = spot - self.first
        return self.parts[number] if 0 <= number < len(self.parts) else None

    def _end(self, target: int, source: int, key: Key) -> float | None:
        part = self.part(target)
        return part.into(self.outer_key(source, key, target)) if isinstance(part, Nest) else None

    def outer_key(self, source: int, key: Key, target: int) -> Key:
        """The tensor of a wire as what takes it knows it: the graph's own."""
        children = self.item.children
        for link in self.item.links:
            if link.target + self.first != target or link.target == OUTSIDE:
                continue
            if link.source == OUTSIDE:
                if self.ins[link.edge] == source and link.edge == key:
                    return link.edge
            elif link.source + self.first == source and inside(children[link.source], link.edge) == key:
                return link.edge
        return key

    # --- its place in the level around it -----------------------------------------------------------------------

    def into(self, key: Key) -> float | None:
        """Where a tensor comes in, from the near side."""
        return self._at(self.ins.get(key, next(iter(self.ins.values()), None)))

    def out(self, key: Key) -> float | None:
        """Where a tensor leaves, from the near side."""
        return self._at(self.outs.get(key, next(iter(self.outs.values()), None)))

    def _at(self, spot: int | None) -> float | None:
        if spot is None:
            return None
        return self.laid.starts[spot][0] + (self.dy if self.wish.right else self.dx)

    def _frame(self) -> None:
        """The border, the title in a place where no line enters, and the size of all."""
        laid, right = self.laid, self.wish.right
        wide, high = (laid.along, laid.across) if right else (laid.across, laid.along)
        self.heading: Heading | None = None
        if self.outer:
            self.dx = self.dy = 0.0
            self.width, self.height = wide, high
            return
        look = self.wish.look
        stack = SHEETS if self.item.count > 1 else 0.0
        left = rest = BORDER if right else INSET
        row = title_row(self.item, look)
        room = row_width(row) + 2 * GAP
        ports = [] if right else [left + laid.starts[spot][0] for spot in self.ins.values()]
        whole = left + wide + rest
        ends = (min(ports), whole - max(ports)) if ports else (whole, whole)
        at_left = ends[0] >= room or ends[0] + LEFT >= ends[1]
        if at_left and ports:
            left += max(0.0, room - ends[0])
        else:
            rest += max(0.0, room - ends[1])
        header = letters.LEADING * look.size + GAP / 2 if row else GAP
        self.dx, self.dy = left, header + stack + (INSET / 2 if right else 0.0)
        self.width = left + wide + rest + stack
        self.height = self.dy + high + (INSET if right else BORDER)
        x = GAP if at_left else self.width - stack - GAP - row_width(row)
        self.heading = Heading(row, row_width(row), x)


def title_row(item: Item, look: Look) -> Row:
    """The title of an open block."""
    if not look.wanted.labels:
        return ()
    size = look.size
    times = repeats(item, size)
    return Run(letters.cut(item.title, size, 1.5 * look.room - row_width(times)), size, "muted"), *times


def inside(item: Item, edge: Edge) -> Key:
    """The tensor as it is drawn in an item: what the last of its repeats gives, the first that is drawn gives."""
    if item.count == 1 or not item.children or len(item.nodes) % item.count or edge.node not in item.nodes:
        return edge
    return Edge(item.nodes[item.nodes.index(edge.node) % (len(item.nodes) // item.count)], edge.output)


def tensor(item: Item, name: str) -> Key | None:
    """The tensor that is a result of the network, as what is drawn of an item gives it."""
    if not item.children:
        return item.result if item.result is not None else Edge(item.nodes[-1])
    giver = next((child for child in item.children if name in child.outputs), None)
    if giver is not None:
        return tensor(giver, name)
    # The last of some repeats, of which the first is drawn.
    return next((link.edge for link in item.links if link.target == OUTSIDE), None)


def _is_chain(item: Item) -> bool:
    """Whether all that stands in an item stands in a row, one behind the other."""
    ranks: list[int] = [0] * len(item.children)
    for link in item.links:
        if OUTSIDE not in (link.source, link.target):
            ranks[link.target] = max(ranks[link.target], ranks[link.source] + 1)
    return len(set(ranks)) == len(ranks)


def _align(item: Item, parts: list[Plate | Nest | Output]) -> None:
    """Make the plates of a level equally wide, as far as that suits them."""
    plates = [part for part, child in zip(parts, item.children, strict=True) if _is_common(part, child)]
    widths = [part.width for part in plates if isinstance(part, Plate)]
    if not widths:
        return
    most = COMMON * usual(widths)
    common = max(width for width in widths if width <= most)
    for number, (part, child) in enumerate(zip(parts, item.children, strict=True)):
        if isinstance(part, Plate) and _is_common(part, child):
            parts[number] = part._replace(width=max(part.width, common))


def _is_common(part: Plate | Nest | Output, child: Item) -> bool:
    return isinstance(part, Plate) and child.kind != "input" and child.fault is None
