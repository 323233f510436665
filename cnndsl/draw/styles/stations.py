"""What stands at each place of a figure of volumes: boxes that are packed together, or a merge, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cnndsl.draw import text as letters
from cnndsl.draw.facts import Colors, said
from cnndsl.draw.fold import every
from cnndsl.draw.geometry import corners_of, moved, moved_area, united
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Mark, Polygon, Rect
from cnndsl.draw.styles.boxes import MERGE, Scales, Slice, box, is_map, lengths, merge
from cnndsl.draw.styles.labels import NONE, NORMS, QUIET, SHORT, lines, operation, plane_text
from cnndsl.draw.styles.plan import Plan, key, name_of
from cnndsl.draw.styles.tracks import Node, Pair, Path
from cnndsl.draw.wanted import Wanted
from cnndsl.record import Record

PACKED = 1.5
"""Between boxes of one station."""
MOST_PACKED = 4
"""Equal layers in a row up to which each has a box of its own; more are counted."""
SLICE = 2.2
"""The thickness that each layer of a block needs for its colour to show."""
SLICED = frozenset({"convolution", "pooling", "dense", "attention", "normalisation"})
"""Roles that show in a block's colours."""
STAGE_GAP = 15.0
SAME_GAP = 9.0
MERGE_GAP = 11.0
SMALLEST_GAPS = 0.6
"""What is left of gaps in small figures."""
LABEL_PAD = 4.0
BORDER = 0.15
"""How much of a map convolutions without padding take away, at most, for it to count as the same size."""
OPERATION_ROOM = 44.0
TRANSPOSED = frozenset({"deconv", "unpool", "upsample", "pixelshuffle"})
CIRCLES = frozenset({"add", "mul", "concat", "absdiff", "max"})


class Piece(Record):
    """One box, or merge. id: of its thing; item: what it is; area, marks: relative to the station's point."""

    id: str
    item: Item
    area: Area
    marks: tuple[Mark, ...]


class Station(Record):
    """items: numbers in the flow. pieces: from left to right. plane: the size of its maps,
    without channels, empty if it has none; size: the same as it is written, if it is; channels: what is
    written under boxes, with the place along the flow. operation: lines; times: how often all of it stands in a row.
    body: bounds of the pieces; merges: whether it is a circle."""

    items: tuple[int, ...]
    pieces: tuple[Piece, ...]
    plane: str
    size: str
    channels: tuple[tuple[float, str], ...]
    operation: tuple[str, ...]
    times: int
    body: Area
    merges: bool

    @property
    def first(self) -> Item:
        return self.pieces[0].item


class Maker:
    """Makes stations of the items of one figure: with one scale, one size of text, and as many words."""

    def __init__(self, plan: Plan, known: Scales, colors: Colors, wanted: Wanted, size: float, words: int) -> None:
        self.plan = plan
        self.known = known
        self.colors = colors
        self.wanted = wanted
        self.size = size
        self.words = words
        self.outputs = sum(bool(item.outputs) for item in plan.flow.items) > 1

    def stations(self, path: Path, links: Sequence[Pair]) -> list[Station]:
        """The stations of a path of items: those that do the same to maps of one size stand in one."""
        runs: list[list[int]] = []
        for number in path.nodes:
            if runs and self._packs(runs[-1][-1], number, links):
                runs[-1].append(number)
            else:
                runs.append([number])
        return [self._station(run) for run in runs]

    def _packs(self, a: int, b: int, links: Sequence[Pair]) -> bool:
        """Whether two items stand in one station."""
        one, other = self.plan.flow.items[a], self.plan.flow.items[b]
        alone = [pair for pair in links if pair[0] == a or pair[1] == b] == [(a, b)]
        layers = not (one.children or other.children) and one.role == other.role != "input"
        plain = layers and one.role != "merge" and not one.outputs and self.wanted.show in ((), ("shape",))
        return (
            alone
            and plain
            and max(one.count, other.count) <= MOST_PACKED
            and self._same_size(one, other)
            and operation(one, self.words) == operation(other, self.words)
            and one.fault is None is other.fault
        )

    def _same_size(self, one: Item, other: Item) -> bool:
        """Whether two maps may share a label: those that differ by a border, too, where labels are few."""
        size, another = _size_of(one), _size_of(other)
        if size == another or self.words < NONE or not (size and another):
            return size == another != ""
        assert one.shape is not None
        assert other.shape is not None
        pairs = zip(one.shape.spatial, other.shape.spatial, strict=False)
        return one.kind == other.kind and all(abs(a - b) <= BORDER * max(a, b) for a, b in pairs)

    def _station(self, run: list[int]) -> Station:
        items = [self.plan.flow.items[number] for number in run]
        first = items[0]
        if first.kind in CIRCLES and first.count == 1:
            area = Area(-MERGE, -MERGE, 2 * MERGE, 2 * MERGE)
            marks = tuple(merge(0.0, 0.0, first.kind, self.colors.role(first), self.size))
            return Station(tuple(run), (Piece(first.id, first, area, marks),), "", "", (), (), 1, area, True)
        pieces, channels = self._pieces(items)
        body = united(piece.area for piece in pieces)
        middle = body.x + body.width / 2
        shifted = tuple(
            piece._replace(
                area=moved_area(piece.area, -middle, 0.0), marks=tuple(moved(m, -middle, 0.0) for m in piece.marks)
            )
            for piece in pieces
        )
        # A number alone stands in the middle; several stand under the front of their boxes.
        labelled = tuple((x - middle if len(channels) > 1 else 0.0, text) for x, text in channels)
        count = first.count if first.children or first.count > MOST_PACKED else 1
        return Station(
            tuple(run),
            shifted,
            _size_of(items[-1]),
            _size_of(items[-1]) if "shape" in self.wanted.show and self.wanted.labels else "",
            labelled if "shape" in self.wanted.show and self.wanted.labels else (),
            self._said(first),
            count,
            moved_area(body, -middle, 0.0),
            False,
        )

    def _pieces(self, items: list[Item]) -> tuple[list[Piece], list[tuple[float, str]]]:
        """Boxes one after the other from x = 0, and the numbers of channels with the places where they are written."""
        pieces: list[Piece] = []
        marks: list[tuple[float, float, str]] = []
        x = 0.0
        for item in items:
            written = item.count if item.count <= MOST_PACKED and not item.children else 1
            text = str(item.shape.channels) if item.shape is not None else "?"
            wide = letters.width(text, self.size)
            for number in range(written):
                thick, _, _ = lengths(item.shape, self.known)
                differs = bool(marks) and marks[-1][2] != text
                if differs:
                    # Numbers under two boxes must not meet.
                    before = marks[-1]
                    x = max(
                        x,
                        (before[0] + before[1]) / 2
                        + letters.width(before[2], self.size) / 2
                        + 3.0
                        + wide / 2
                        - thick / 2,
                    )
                drawn = box(
                    x,
                    item.shape,
                    self._slices(item),
                    self.known,
                    band=activated(item) and self.wanted.color == "kind",
                    dashed=item.auxiliary,
                )
                name = item.id if number == 0 else f"{item.id} ({number + 1})"
                one = item._replace(count=1) if written > 1 else item
                pieces.append(Piece(name, one, drawn.area, drawn.marks))
                front = drawn.area.right - lengths(item.shape, self.known)[2]
                if differs or not marks:
                    marks.append((x, front, text))
                else:
                    marks[-1] = (marks[-1][0], front, text)
                x = front + PACKED
        return pieces, [((a + b) / 2, text) for a, b, text in marks]

    def _slices(self, item: Item) -> list[Slice]:
        """The colours of a box: a block's are those of its layers, one after the other."""
        texture = "hatch" if item.kind in TRANSPOSED and self.wanted.color == "kind" else None
        role = self.colors.role(item)
        if role != "block" or not item.children:
            return [Slice(role, 1.0, texture=texture)]
        roles = [one.role for one in every(item) if not one.children and one.role in SLICED]
        framed = item.shape is not None and item.shape.rank == 3
        room = 1 if framed else max(int(lengths(item.shape, self.known)[0] / SLICE), 1)
        if len(roles) > room:
            roles = [one for one, before in zip(roles, ["", *roles], strict=False) if one != before]
        if len(roles) > room:
            roles = [max(dict.fromkeys(roles), key=roles.count)]
        return [Slice(one, 0.4 if one == "normalisation" else 1.0) for one in roles] or [Slice(role, 1.0)]

    def _said(self, item: Item) -> tuple[str, ...]:
        """The lines under a station."""
        if not self.wanted.labels:
            return ()
        room = OPERATION_ROOM * self.size / 8
        if item.kind == "input":
            parts: tuple[str, ...] = (item.title,)
        elif item.children:
            sort = self.plan.sorts.get(key(item))
            parts = tuple((sort.name if sort is not None else name_of(item)).split(" · "))
        else:
            parts = operation(item, self.words)
        if item.shares is not None and self.words < SHORT:
            parts = (*parts, "shared")
        found = list(lines(parts, self.size, room))
        if self.outputs and item.outputs:
            found += [f"→ {name}" for name in item.outputs]
        more = [said(item, what) for what in self.wanted.show if what != "shape"]
        return tuple(found + [text for text in more if text])


def activated(item: Item) -> bool:
    """Whether an activation of its own follows a layer."""
    kinds = [title.split(" ")[0] for title in item.dress]
    return not item.children and any(kind not in NORMS | QUIET for kind in kinds)


def _size_of(item: Item) -> str:
    """The size of an item's maps; empty for a tensor without positions."""
    return plane_text(item.shape) if item.shape is None or is_map(item.shape) else ""


def gap_between(one: Station | None, other: Station, factor: float) -> float:
    """The least distance between the bodies of two stations in a row; factor: that of the figure's lengths."""
    if one is None:
        gap = STAGE_GAP
    elif one.merges or other.merges:
        gap = MERGE_GAP
    else:
        gap = SAME_GAP if one.plane == other.plane else STAGE_GAP
    return gap * max(factor, SMALLEST_GAPS)


def reach(station: Station, x: float) -> tuple[float, float]:
    """From where to where a station is drawn at x: the faces of boxes in perspective slant."""
    return _met(station, 0, x, (station.body.y, station.body.bottom))


def _met(station: Station, axis: int, at: float, whole: tuple[float, float]) -> tuple[float, float]:
    """Where a line meets what is drawn of a station first and last; `whole` if it misses all of it. axis: 0 for the
    upright line at x, 1 for the level one at y."""
    marks = [mark for piece in station.pieces for mark in piece.marks if isinstance(mark, Polygon | Rect)]
    sides = [pair for corners in map(corners_of, marks) for pair in pairwise((*corners, corners[0]))]
    along = 1 - axis
    met = [
        a[along] + (b[along] - a[along]) * (at - a[axis]) / (b[axis] - a[axis])
        for a, b in sides
        if min(a[axis], b[axis]) <= at <= max(a[axis], b[axis]) and a[axis] != b[axis]
    ]
    return (min(met), max(met)) if met else whole


def labels_height(stations: Sequence[Station], size: float) -> float:
    """How much room labels need under the boxes of a row."""
    leading = letters.LEADING * size
    height = 3.0 if any(s.channels or s.operation or s.times > 1 for s in stations) else 0.0
    height += leading if any(s.channels for s in stations) else 0.0
    height += leading + 4.0 if any(s.times > 1 for s in stations) else 0.0
    return height + leading * max((len(s.operation) for s in stations), default=0)


def node_of(station: Station, before: Station | None, over: float, under: float, size: float, factor: float) -> Node:
    """A station as the layout sees it; over, under: room for labels beyond its body."""
    body = station.body
    upper, lower = reach(station, 0.0)
    near, far = _met(station, 1, 0.0, (body.x, body.right))
    ends = [(x, letters.width(text, size)) for x, text in station.channels]
    half = letters.widest(station.operation, size) / 2
    if station.times > 1:
        half = max(half, letters.width(f"×{station.times}", size) / 2)
    left = max([-body.x, half, *(wide / 2 - x + 1.0 for x, wide in ends)])
    right = max([body.right, half, *(wide / 2 + x + 1.0 for x, wide in ends)])
    return Node(
        -near,
        far,
        -upper,
        lower,
        left + LABEL_PAD / 2 if half > body.width / 2 else left,
        right + LABEL_PAD / 2 if half > body.width / 2 else right,
        -body.y + over,
        body.bottom + under,
        gap_between(before, station, factor),
        station.merges,
    )
