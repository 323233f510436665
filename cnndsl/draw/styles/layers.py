"""Chains of layers as the figure of LeNet-5 has them (LeCun et al. 1998): maps in stacks, windows that converge to
points, dense layers as columns; sizes above and operations below."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.draw import text as letters
from cnndsl.draw.facts import Colors, facts, said
from cnndsl.draw.geometry import moved, moved_area
from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Point, Rect, Scene, Text, Thing
from cnndsl.draw.styles import paper
from cnndsl.draw.styles.flow import Flow, absorbed, flow, is_quiet
from cnndsl.draw.styles.labels import ACTIVE, BARE, FULL, kernel_sides, lines, operation, size_text
from cnndsl.draw.styles.sheets import Body, Scales, body, converging, fan, is_stack, scales, split, spot, window
from cnndsl.draw.wanted import Wanted
from cnndsl.record import Record
from cnndsl.shape import Shape

MOST = 20
"""Tensors that a chain may have for this style to be the natural one."""
WRITTEN_OUT = 14
"""Tensors up to which rows of equals are drawn one by one."""
GAP = 20.0
"""Between two bodies, in points: the lines between them need it."""
PAD = 5.0
"""Between two labels that stand side by side."""
OPERATION_ROOM = 46.0
"""About how wide an operation's label may become before it takes another line."""
ROWS_APART = 16.0
RETURN = 9.0
"""How far the line from one row to the next goes out to the sides."""
TAKEN, GIVEN = (0.66, 0.33), (0.33, 0.67)
"""Where on a map the next layer's window is, and the point that the last window gave, as shares of its sides."""
TRANSPOSED = frozenset({"deconv", "unpool", "upsample", "pixelshuffle"})
"""Kinds that make maps larger."""
LEVELS = (
    (FULL, 1.0, 8.0),
    (FULL, 1.0, 7.0),
    (ACTIVE, 0.9, 7.0),
    (ACTIVE, 0.75, 7.0),
    (BARE, 0.75, 7.0),
    (BARE, 0.6, 7.0),
)
"""What a figure of a given width may give up, step by step: words of operations, the factor of its lengths, and the
size of text in points."""
STEP_COST = 0.22
"""What a step costs, in rows: a figure gives something up where that saves it more."""


class Element(Record):
    """One tensor of the chain: the item that gives it, its body, and what is written above it and under the gap before
    it. factor: that of its lengths. flat: whether it is the flattened input of a dense layer."""

    id: str
    item: Item
    shape: Shape | None
    body: Body
    above: tuple[str, ...] = ()
    operation: tuple[str, ...] = ()
    factor: float = 1.0
    flat: bool = False


class Placed(Record):
    """Where an element stands: the left upper corner of its body, and the number of its row."""

    element: Element
    at: Point
    row: int


def fits(network: Item) -> bool:
    """Whether a network is a chain that this style draws well: no branches, and not too long."""
    chain = absorbed(flow(network, _is_open), is_quiet)
    return _is_chain(chain) and len(chain.items) <= MOST


def scene(network: Item, wanted: Wanted) -> Scene:
    """The figure; a network with branches is drawn as volumes."""
    chain = absorbed(flow(network, _is_open), is_quiet)
    if not _is_chain(chain):
        from cnndsl.draw.styles import volumes

        return volumes.scene(network, wanted)
    colors = Colors(network, wanted.color)
    found = _fitted(chain, colors, wanted)
    return _Drawing(network, colors, wanted, *found).scene()


# --- the chain ------------------------------------------------------------------------------------------------------


def _is_open(item: Item) -> bool:
    """Whether a block gives way to its layers: any that stands there once."""
    return item.count == 1


def _is_chain(chain: Flow) -> bool:
    expected = [(i, i + 1) for i in range(len(chain.items) - 1)]
    ends = [link for link in chain.links if OUTSIDE in (link.source, link.target)]
    return (
        [(link.source, link.target) for link in chain.inner] == expected
        and all(link.source in (OUTSIDE, len(chain.items) - 1) for link in ends)
        and all(link.target in (OUTSIDE, 0) for link in ends)
        and not any(item.children for item in chain.items)
        and not any(item.auxiliary or (item.outputs and item is not chain.items[-1]) for item in chain.items)
        and bool(chain.items)
    )


def _elements(chain: Flow, colors: Colors, wanted: Wanted, words: int, factor: float, size: float) -> list[Element]:
    known = scales((item.shape for item in chain.items if item.shape is not None), factor)
    total = sum(item.count for item in chain.items)
    found: list[Element] = []
    for item in chain.items:
        if found and _flattens(item, found[-1].shape):
            found.append(_flattened(item, found[-1].shape, known, wanted))
        written = item.count if total <= WRITTEN_OUT and not item.children else 1
        for number in range(written):
            one = item._replace(count=1) if written > 1 else item
            name = item.id if number == 0 else f"{item.id} ({number + 1})"
            found.append(_element(name, one, colors, known, wanted, words, size))
    return found


def _element(name: str, item: Item, colors: Colors, known: Scales, wanted: Wanted, words: int, size: float) -> Element:
    texture = "hatch" if item.kind in TRANSPOSED and wanted.color == "kind" else None
    drawn = body(item.shape, colors.role(item), known, texture)
    if not wanted.labels:
        return Element(name, item, item.shape, drawn, factor=known.factor)
    above = tuple(_said(item, what) for what in wanted.show)
    parts = operation(item, words)
    if item.count > 1:
        parts = (*parts[:-1], f"{parts[-1]} ×{item.count}")
    room = OPERATION_ROOM * size / 8
    return Element(name, item, item.shape, drawn, tuple(filter(None, above)), lines(parts, size, room) if parts else ())


def _said(item: Item, what: str) -> str:
    return size_text(item.shape) if what == "shape" else said(item, what)


def _flattens(item: Item, before: Shape | None) -> bool:
    """Whether a dense layer takes maps, whose cells stand in a row before they meet its weights."""
    return item.kind == "dense" and before is not None and is_stack(before)


def _flattened(item: Item, before: Shape | None, known: Scales, wanted: Wanted) -> Element:
    assert before is not None
    shape = Shape((before.elements,))
    drawn = body(shape, "other" if wanted.color == "kind" else "page", known)
    above, under = ((size_text(shape),), ("flatten",)) if wanted.labels else ((), ())
    return Element(f"{item.id} flattened", item, shape, drawn, above, under, known.factor, True)


# --- places ---------------------------------------------------------------------------------------------------------


def _fitted(chain: Flow, colors: Colors, wanted: Wanted) -> tuple[list[list[Element]], float]:
    """The elements in rows that fit into the width, with as many words and as large as that allows; the text's size."""
    if wanted.width is None:
        return [_elements(chain, colors, wanted, FULL, 1.0, wanted.size)], wanted.size
    room = paper.room(wanted.width)
    best: tuple[float, list[Element], float, int] | None = None
    for step, (words, factor, size) in enumerate(LEVELS):
        elements = _elements(chain, colors, wanted, words, factor, size)
        rows = _rows(elements, size, room)
        too_wide = sum(_Row(row, size, first=row is rows[0]).width > room for row in rows)
        cost = len(rows) + 10 * too_wide + step * STEP_COST
        if best is None or cost < best[0]:
            best = cost, elements, size, len(rows)
    assert best is not None
    _, elements, size, count = best
    return _balanced(elements, size, room, count), size


def _rows(elements: list[Element], size: float, room: float) -> list[list[Element]]:
    """As few rows as fit into `room`, each as full as it may be."""
    rows: list[list[Element]] = [[]]
    for element in elements:
        longer = [*rows[-1], element]
        if rows[-1] and _Row(longer, size, first=len(rows) == 1).width > room:
            rows.append([element])
        else:
            rows[-1] = longer
    return rows


def _balanced(elements: list[Element], size: float, room: float, count: int) -> list[list[Element]]:
    """`count` rows that are about equally long."""
    low, high = 0.0, room
    for _ in range(12):
        middle = (low + high) / 2
        if len(_rows(elements, size, middle)) <= count:
            high = middle
        else:
            low = middle
    return _rows(elements, size, high)


class _Row:
    """Where the bodies and labels of a row stand, as far to the left as they can without meeting; the row's left end
    is at 0. lefts: of the bodies; operations: the middles of their operations' labels. A row that is not the first
    has room for the line that comes from the row before, and every row for the line to the next one."""

    def __init__(self, row: list[Element], size: float, *, first: bool) -> None:
        self.lefts: list[float] = []
        self.operations: list[float] = []
        end = above_end = under_end = float("-inf")
        start = 0.0 if first else RETURN
        for element in row:
            wide, above, under = (
                element.body.area.width,
                letters.widest(element.above, size),
                letters.widest(element.operation, size),
            )
            gap = GAP * min(max(element.factor, 0.75), 1.0)
            if not self.lefts:
                left = max(start, start + above / 2 - wide / 2)
                middle = max(left - gap / 2, under / 2)
            else:
                left = end + gap
                if above:
                    left = max(left, above_end + PAD + above / 2 - wide / 2)
                if under:
                    left = max(left, under_end + PAD + under / 2 + gap / 2)
                middle = left - gap / 2
            self.lefts.append(left)
            self.operations.append(middle)
            end = left + wide
            above_end = left + wide / 2 + above / 2 if above else above_end
            under_end = middle + under / 2 if under else under_end
        self.right = max(end, under_end)
        """Where the line to the next row may go down."""
        self.width = max(self.right + RETURN, above_end)


# --- drawing --------------------------------------------------------------------------------------------------------


class _Drawing:
    def __init__(self, network: Item, colors: Colors, wanted: Wanted, rows: list[list[Element]], size: float) -> None:
        self.network = network
        self.colors = colors
        self.wanted = wanted
        self.size = size
        self.leading = letters.LEADING * size
        self.placed: list[Placed] = []
        self.labels: dict[str, list[Mark]] = {}
        self.returns: list[tuple[float, float]] = []
        """For each row where the line to the next one goes down, and the height at which lines come to it."""
        top = 0.0
        for number, row in enumerate(rows):
            top = self._row(row, number, top) + ROWS_APART

    def _row(self, row: list[Element], number: int, top: float) -> float:
        """Place a row whose upper end is at `top`; its lower end."""
        places = _Row(row, self.size, first=number == 0)
        lines_above = max(len(e.above) for e in row)
        height = max(e.body.area.height for e in row)
        under = top + lines_above * self.leading + (3.0 if lines_above else 0.0) + height
        for element, left, operation_at in zip(row, places.lefts, places.operations, strict=True):
            at = (left, under - height / 2 - element.body.area.height / 2)
            self.placed.append(Placed(element, at, number))
            middle = left + element.body.area.width / 2
            base = under - height - 3.0 - letters.DESCENT * self.size
            marks = self._lines(element.above, middle, base - (len(element.above) - 1) * self.leading)
            first = under + 4.0 + letters.ASCENT * self.size
            marks += self._lines(element.operation, operation_at, first)
            self.labels[element.id] = marks
        rows_under = max(len(e.operation) for e in row)
        self.returns.append((places.right + RETURN, top - ROWS_APART / 2))
        return under + (4.0 + rows_under * self.leading if rows_under else 0.0)

    def _lines(self, said: Sequence[str], x: float, y: float) -> list[Mark]:
        return [Text(x, y + i * self.leading, line, self.size) for i, line in enumerate(said)]

    def scene(self) -> Scene:
        things: list[Thing] = []
        arrows: list[Arrow] = []
        for number, placed in enumerate(self.placed):
            marks: list[Mark] = [moved(mark, *placed.at) for mark in placed.element.body.marks]
            if number:
                line, between = self._between(self.placed[number - 1], placed)
                marks += between
                arrows.append(Arrow(self.placed[number - 1].element.id, placed.element.id, line))
            things.append(self._thing(placed, marks))
        scene = paper.picture(self.network, self.wanted, things, arrows, colors=self.colors)
        return paper.noted(scene, self.wanted, "Show less (--show, --no-labels), or choose --style volumes.")

    def _thing(self, placed: Placed, marks: list[Mark]) -> Thing:
        element = placed.element
        item = element.item
        return Thing(
            element.id,
            "flatten" if element.flat else item.kind,
            moved_area(element.body.area, *placed.at),
            (*marks, *self.labels[element.id]),
            (*element.above, *element.operation),
            facts(item, self.network) if not element.flat else (("output", str(element.shape)),),
            "other" if element.flat else self.colors.role(item),
            count=item.count,
            span=item.span,
            fault=None if element.flat else item.fault,
        )

    def _between(self, a: Placed, b: Placed) -> tuple[Line, list[Mark]]:
        """The line from one body to the next, and what else shows how the one comes from the other."""
        if a.row != b.row:
            return self._return(a, b), []
        before, after = a.element, b.element
        left, right = before.body, after.body
        start, end = moved_area(left.face, *a.at), moved_area(right.face, *b.at)
        outer, inner = moved_area(left.area, *a.at), moved_area(right.area, *b.at)
        if not left.stacked or not right.stacked:
            *connections, last = fan(left, right, a.at, b.at)
            return last, list(connections)
        sides = kernel_sides(after.item)
        if sides and before.shape is not None and after.shape is not None:
            *others, line = _windowed(before, after, start, end, sides)
            assert isinstance(line, Line)
            parts = split(line, outer, inner)
            return parts[1], [*others, parts[0], parts[2]]
        middle = a.at[1] + left.area.height / 2
        return Line(((outer.right, middle), (inner.x, middle)), head=True), []

    def _return(self, a: Placed, b: Placed) -> Line:
        """The line from the end of a row to the start of the next, around what stands between them."""
        start, end = moved_area(a.element.body.area, *a.at), moved_area(b.element.body.area, *b.at)
        leaves, comes = (_height_at_edge(p.element.body, right=p is a) + p.at[1] for p in (a, b))
        right, _ = self.returns[a.row]
        _, between = self.returns[b.row]
        return Line(
            (
                (start.right, leaves),
                (right, leaves),
                (right, between),
                (0.0, between),
                (0.0, comes),
                (end.x, comes),
            ),
            radius=4.0,
            head=True,
        )


def _height_at_edge(body: Body, *, right: bool) -> float:
    """Where a line meets the left or right end of a body: as near to its middle as the sheet there reaches."""
    end, middle = (body.area.right if right else body.area.x), body.area.height / 2
    areas = [mark.area for mark in body.marks if isinstance(mark, Rect)]
    sheets = [area for area in areas if abs((area.right if right else area.x) - end) < 0.1]
    kept = [min(max(middle, sheet.y + sheet.height / 4), sheet.bottom - sheet.height / 4) for sheet in sheets]
    return min(kept, key=lambda y: abs(y - middle), default=middle)


def _windowed(before: Element, after: Element, start: Area, end: Area, sides: tuple[int, ...]) -> list[Mark]:
    """A window on one map and the lines from it to a point of the other, the line that stands for the tensor last; the
    other way round where maps grow."""
    assert before.shape is not None
    assert after.shape is not None
    grows = after.item.kind in TRANSPOSED
    if grows:
        patch = window(end, after.shape, sides, GIVEN)
        point = (start.x + TAKEN[0] * start.width, start.y + TAKEN[1] * start.height)
    else:
        patch = window(start, before.shape, sides, TAKEN)
        point = (end.x + GIVEN[0] * end.width, end.y + GIVEN[1] * end.height)
    upper, lower = converging(patch, point)
    return [patch, upper, spot(point), lower._replace(points=lower.points[::-1]) if grows else lower]
