"""Encoder-decoders as a U: each resolution a level, down on the left, up on the right, skips straight across."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, log2

from cnndsl.draw import text as letters
from cnndsl.draw.geometry import united
from cnndsl.draw.scene import Arrow, Mark, Point, Rect, Thing
from cnndsl.draw.styles.boxes import is_map
from cnndsl.draw.styles.figure import Figure, bounded
from cnndsl.draw.styles.insets import Panel
from cnndsl.draw.styles.stations import Station, gap_between, reach
from cnndsl.draw.styles.tracks import ENTRY, Pair
from cnndsl.record import Record

DEEP = 2
"""Levels below the first that a U has, at least."""
SHALLOW = 1
"""The level at which its right end has to arrive, at most."""
HALVED = 0.585
"""How much smaller, as a logarithm to the base of 2, the maps of another level are: by half or more."""
CHANNEL = 6.0
LABEL_PAD = 3.0
LEVELS_APART = 14.0
ACROSS = 24.0
"""Between the two arms, at least."""


class Valley(Record):
    """level: of each station. left, right: the stations of each level on the two arms, in order; those that stand on a
    skip are on the left. bottom: the deepest level, whose stations all count as left."""

    level: tuple[int, ...]
    left: tuple[tuple[int, ...], ...]
    right: tuple[tuple[int, ...], ...]

    @property
    def bottom(self) -> int:
        return len(self.left) - 1


def valley(figure: Figure) -> Valley | None:
    """The levels of a figure, if its maps get smaller and then as large again; None if they don't."""
    spine = figure.paths[0].nodes
    sizes = [_side(figure.stations[n]) for n in spine]
    known = [size for size in sizes if size]
    if not known:
        return None
    deepest = _deepest(sizes)
    places = _descent(sizes[: deepest + 1])
    bottom = places[-1] if places else 0
    ascent = _ascent(sizes[deepest + 1 :], min(known), bottom)
    if places is None or ascent is None:
        return None
    met = sorted({level for level in ascent if level < bottom})
    if bottom < DEEP or not met or met[0] > SHALLOW or len(met) < 2:
        return None
    level = dict(zip(spine, [*places, *ascent], strict=True))
    side = {n: "left" if i <= deepest or level[n] == bottom else "right" for i, n in enumerate(spine)}
    for path in figure.paths[1:]:
        if path.entry is None or path.exit is None or side.get(path.entry) != "left" or path.exit not in side:
            return None
        level.update(dict.fromkeys(path.nodes, level[path.entry]))
        side.update(dict.fromkeys(path.nodes, "left"))
    across = {(path.nodes[-1], path.exit) for path in figure.paths[1:]} | set(figure.links)
    skips = [(a, b) for a, b in across if b is not None and (a, b) not in set(pairwise(spine))]
    if any(side[a] == "right" or level[a] - level[b] not in (0, 1) for a, b in skips):
        return None
    order = {n: i for path in figure.paths for i, n in enumerate(path.nodes)}
    rows = [
        [n for n in sorted(level, key=lambda n: (n not in spine, order[n])) if level[n] == k] for k in range(bottom + 1)
    ]
    return Valley(
        tuple(level[n] for n in range(len(figure.stations))),
        tuple(tuple(n for n in row if side[n] == "left") for row in rows),
        tuple(tuple(n for n in row if side[n] == "right") for row in rows),
    )


def _side(station: Station) -> float:
    """The longer side of a station's maps as a logarithm; 0 for a vector. A merge has that of what it gives."""
    shape = station.first.shape
    return log2(max(shape.spatial)) if shape is not None and is_map(shape) else 0.0


def _deepest(sizes: Sequence[float]) -> int:
    """The last place before the maps grow again."""
    lowest = min(size for size in sizes if size)
    first = sizes.index(lowest)
    deepest = first
    for i in range(first, len(sizes)):
        if sizes[i] and sizes[i] > lowest + HALVED:
            break
        deepest = i
    return deepest


def _descent(sizes: Sequence[float]) -> list[int] | None:
    """The level of each place on the way down; None if it goes up again."""
    largest = last = sizes[0]
    level = 0
    places = []
    for size in sizes:
        if size and size > last + HALVED:
            return None
        if size and size < largest - HALVED:
            largest, level = size, level + 1
        largest, last = max(largest, size), size or last
        places.append(level)
    return places


def _ascent(sizes: Sequence[float], smallest: float, bottom: int) -> list[int] | None:
    """The level of each place on the way up; None if it goes down again."""
    found: list[int] = []
    level, reached = bottom, smallest
    for size in sizes:
        if size and size > reached + HALVED:
            level -= max(1, round(size - reached))
            reached = size
        if size and (size < reached - HALVED or level < 0):
            return None
        found.append(level)
    return found


# --- layout ---------------------------------------------------------------------------------------------------------


def in_valley(figure: Figure, found: Valley, *, stairs: bool) -> Layout:
    """The figure as a U. stairs: whether each level begins where the one above ends; else all begin at the left, which
    is narrower."""
    return Layout(figure, found, stairs)


class Layout:
    """A U, laid out. width: how wide it is."""

    def __init__(self, figure: Figure, found: Valley, stairs: bool) -> None:
        self.figure = figure
        self.valley = found
        self.stairs = stairs
        self.channel = CHANNEL * max(figure.factor, 0.5)
        self.spine = figure.paths[0].nodes
        self.along = set(pairwise(self.spine))
        self.downs = [(a, b) for a, b in self.along if found.level[b] > found.level[a]]
        self.ups = [(a, b) for a, b in self.along if found.level[b] < found.level[a]]
        self.turns = {a for a, _ in self.downs}
        self.arrivals = {b for _, b in self.ups}
        self.x: dict[int, float] = {}
        self.axes: list[float] = []
        self.betweens: list[float] = []
        """The heights of lines between each level and the next one."""
        self.sizes = self._sizes()
        self._place()
        self._rows()

    # --- along the flow ---------------------------------------------------------------------------------------------

    def _sizes(self) -> dict[int, str]:
        """The sizes to write, by the first station of those that stand together and have it."""
        found: dict[int, str] = {}
        for rows in (self.valley.left, self.valley.right):
            for row in rows:
                last = ""
                for n in row:
                    size = self.figure.stations[n].size
                    if size and size != last:
                        found[n] = size
                    last = size or last
        return found

    def _turn(self, n: int) -> float:
        """Where the line down leaves a station: under its last box."""
        return self._middle(n, -1)

    def _arrival(self, n: int) -> float:
        """Where the line up comes to a station: under its first box."""
        return self._middle(n, 0)

    def _middle(self, n: int, piece: int) -> float:
        """The middle of a box's front, whose lower end is level."""
        one = self.figure.stations[n].pieces[piece]
        fronts = united(mark.area for mark in one.marks if isinstance(mark, Rect))
        return fronts.x + fronts.width / 2

    def _extents(self, n: int) -> tuple[float, float]:
        """From a station's point to the ends of all that belongs to it."""
        station = self.figure.stations[n]
        half = letters.widest(station.operation, self.figure.size) / 2 + LABEL_PAD / 2
        before, after = max(-station.body.x, half), max(station.body.right, half)
        for x, said in station.channels:
            wide = letters.width(said, self.figure.size) / 2
            before, after = max(before, wide - x + 1.5), max(after, wide + x + 1.5)
        size = letters.width(self.sizes.get(n, ""), self.figure.size)
        if n in self.turns:
            before = max(before, size + LABEL_PAD - self._turn(n))
        elif n in self.arrivals:
            after = max(after, size + LABEL_PAD + self._arrival(n))
        else:
            before, after = max(before, size / 2 + LABEL_PAD / 2), max(after, size / 2 + LABEL_PAD / 2)
        if any(self._rises(pair) for pair in self.figure.links if pair[0] == n):
            after += 2 * self.channel
        if not station.merges and any(self._falls(pair) for pair in self.figure.links if pair[1] == n):
            before += 2 * self.channel
        return before, after

    def _first(self, b: int) -> int:
        """The station of the right arm that comes first in the level of one of them; the station itself on the left."""
        row = self.valley.right[self.valley.level[b]]
        return row[0] if b in row else b

    def _near(self, pair: Pair) -> bool:
        """Whether a skip comes to the station, or the arm, that stands beside its own."""
        a, b = pair
        k = self.valley.level[b]
        row = (*self.valley.left[k], *self.valley.right[k])
        return a in row and row.index(self._first(b)) - row.index(a) == 1

    def _rises(self, pair: Pair) -> bool:
        """Whether a skip leaves its row at once."""
        return pair not in self.along and not self._near(pair)

    def _falls(self, pair: Pair) -> bool:
        """Whether a skip comes down over its target's row."""
        same = self.valley.level[pair[0]] == self.valley.level[pair[1]]
        return pair not in self.along and (self._first(pair[1]) != pair[1] or (same and not self._near(pair)))

    def _place(self) -> None:
        starts: dict[int, float] = {}
        for k, row in enumerate(self.valley.left):
            start = 0.0
            if k and self.stairs:
                above = next(a for a, b in self.downs if b in row)
                start = self.x[above] + self._turn(above) + 2 * self.channel
            self._line(row, start + (2 * self.channel if k else 0.0))
            starts[k] = start
        right_end = max(self.x[n] + self._extents(n)[1] for row in self.valley.left for n in row)
        wide = {k: self._length(row) for k, row in enumerate(self.valley.right)}
        end = 0.0
        for k in reversed(range(len(self.valley.right))):
            row = self.valley.right[k]
            if not row:
                continue
            left = (
                max((self.x[n] + self._extents(n)[1] for n in self.valley.left[k]), default=0.0)
                + ACROSS * self.figure.factor
            )
            if self.stairs:
                source = next((a for a, b in self.ups if b == row[0]), None)
                if source is not None:
                    after = max(self.figure.stations[source].body.right + self.channel, self._extents(source)[1] + 2.0)
                    left = max(left, self.x[source] + after - self._arrival(row[0]) - self._extents(row[0])[0])
                self._line(row, left)
            else:
                end = max(end, left + wide[k], right_end)
        if not self.stairs:
            for k, row in enumerate(self.valley.right):
                if row:
                    self._line(row, end - wide[k])

    def _length(self, row: Sequence[int]) -> float:
        """How long a row of stations is."""
        kept = dict(self.x)
        end = self._line(row, 0.0)
        self.x = kept
        return end

    def _line(self, row: Sequence[int], start: float) -> float:
        """Place stations in a row from `start` on; its end."""
        at = start
        before: Station | None = None
        for n in row:
            station = self.figure.stations[n]
            left, right = self._extents(n)
            x = at + left
            if before is not None:
                previous = row[row.index(n) - 1]
                gap = gap_between(before, station, self.figure.factor)
                x = max(x, self.x[previous] + before.body.right + gap - station.body.x)
            self.x[n] = x
            at = x + right
            before = station
        return at

    # --- across it --------------------------------------------------------------------------------------------------

    def _heads(self, k: int) -> tuple[float, float]:
        """How many points the labels over a level's boxes take: for operations, and for channels and repeats."""
        stations = [self.figure.stations[n] for n in (*self.valley.left[k], *self.valley.right[k])]
        operations = self.figure.leading * max((len(s.operation) for s in stations), default=0)
        numbers = self.figure.leading if any(s.channels for s in stations) else 0.0
        if any(s.times > 1 for s in stations):
            numbers += self.figure.leading + 3.0
        return operations, numbers

    def _rows(self) -> None:
        below = 0.0
        for k in range(self.valley.bottom + 1):
            stations = [self.figure.stations[n] for n in (*self.valley.left[k], *self.valley.right[k])]
            rise = max(-s.body.y for s in stations)
            drop = max(s.body.bottom for s in stations)
            lane = self.channel if any(self._falls(pair) for pair in self._across(k)) else 0.0
            axis = below + lane + fsum(self._heads(k)) + 3.0 + rise
            self.axes.append(axis)
            sized = any(n in self.sizes for n in (*self.valley.left[k], *self.valley.right[k]))
            below = axis + drop + (self.figure.leading + 2.0 if sized else 0.0) + LEVELS_APART
            self.betweens.append(below - LEVELS_APART / 2)

    def _across(self, k: int) -> list[Pair]:
        """The skips that arrive at a level."""
        return [(a, b) for a, b in self.figure.links if (a, b) not in self.along and self.valley.level[b] == k]

    @property
    def width(self) -> float:
        xs = [x for pair in self.figure.links for x, _ in self._points(pair)[0]]
        before = [self.x[n] - self._extents(n)[0] for n in self.x]
        after = [self.x[n] + self._extents(n)[1] for n in self.x]
        return max(xs + after) - min(xs + before) + 1.0

    # --- drawing ----------------------------------------------------------------------------------------------------

    def panel(self) -> Panel:
        things: list[Thing] = []
        arrows: list[Arrow] = []
        for n in range(len(self.figure.stations)):
            at = (self.x[n], self.axes[self.valley.level[n]])
            things += self.figure.things(n, at, self._labels(n, at))
            arrows += self.figure.inner_arrows(n, at)
        for pair in self.figure.links:
            points, skip = self._points(pair)
            arrows.append(self.figure.arrow(pair, points, skip=skip))
        return bounded(things, arrows)

    def _labels(self, n: int, at: Point) -> list[Mark]:
        figure, station = self.figure, self.figure.stations[n]
        k = self.valley.level[n]
        stations = [figure.stations[m] for m in (*self.valley.left[k], *self.valley.right[k])]
        rise, drop = max(-s.body.y for s in stations), max(s.body.bottom for s in stations)
        _, numbers = self._heads(k)
        x, y = at
        top = y - rise - 3.0 - numbers
        marks = figure.operation(n, x, top - figure.leading * len(station.operation))
        if any(s.times > 1 for s in stations):
            marks += figure.bracket(n, x, top, above=True) if station.times > 1 else []
            top += figure.leading + 3.0
        marks += figure.channels(n, x, top)
        size = self.sizes.get(n)
        if size:
            under = y + drop + 2.0
            if n in self.turns:
                marks.append(figure.text(x + self._turn(n) - LABEL_PAD, under, size, anchor="end"))
            elif n in self.arrivals:
                marks.append(figure.text(x + self._arrival(n) + LABEL_PAD, under, size, anchor="start"))
            else:
                marks.append(figure.text(x, under, size))
        return marks

    def _points(self, pair: Pair) -> tuple[list[Point], bool]:
        a, b = pair
        one, other = self.figure.stations[a], self.figure.stations[b]
        level, to = self.valley.level[a], self.valley.level[b]
        y, v = self.axes[level], self.axes[to]
        start, end = (self.x[a] + one.body.right, y), (self.x[b] + other.body.x, v)
        if pair in self.downs:
            return self._down(a, b), False
        if pair in self.ups:
            return self._up(a, b), False
        if pair in self.along:
            return [start, end], False
        if self._near(pair) and not self._falls(pair):
            return [start, end], True
        return self._skip(pair, start, end), True

    def _down(self, a: int, b: int) -> list[Point]:
        one, other = self.figure.stations[a], self.figure.stations[b]
        y, v = self.axes[self.valley.level[a]], self.axes[self.valley.level[b]]
        x, left = self.x[a] + self._turn(a), self.x[b] + other.body.x
        start = (x, y + one.body.bottom)
        port = min(self.x[b] - self._extents(b)[0] - self.channel / 2, left - ENTRY)
        if port >= x:
            return [start, (x, v), (left, v)]
        between = self.betweens[self.valley.level[a]]
        return [start, (x, between), (port, between), (port, v), (left, v)]

    def _up(self, a: int, b: int) -> list[Point]:
        one, other = self.figure.stations[a], self.figure.stations[b]
        y, v = self.axes[self.valley.level[a]], self.axes[self.valley.level[b]]
        right, x = self.x[a] + one.body.right, self.x[b] + self._arrival(b)
        end = (x, v + reach(other, self._arrival(b))[1])
        if x >= right + self.channel - 0.1:
            return [(right, y), (x, y), end]
        port = self.x[a] + self._extents(a)[1] + self.channel / 2
        between = self.betweens[self.valley.level[a] - 1]
        return [(right, y), (port, y), (port, between), (x, between), end]

    def _skip(self, pair: Pair, start: Point, end: Point) -> list[Point]:
        """A skip: along its level, over what stands before its end there."""
        a, b = pair
        k = self.valley.level[b]
        lane = self.axes[k] - self._top(k) - self.channel / 2
        first = self._first(b)
        turn = self.x[first] - self._extents(first)[0] - self.channel
        out = self.x[a] + self._extents(a)[1] - self.channel
        if self._near(pair):
            points = [start, (turn, start[1])]
        elif self.valley.level[a] == k:
            points = [start, (out, start[1])]
            turn = out
        else:
            between = self.betweens[max(self.valley.level[a] - 1, 0)]
            points = [start, (out, start[1]), (out, between), (turn, between)]
        if not self._falls(pair):
            return [*points, (turn, end[1]), end]
        points.append((turn, lane))
        other = self.figure.stations[b]
        if other.merges:
            return [*points, (self.x[b], lane), (self.x[b], self.axes[k] + other.body.y)]
        port = self.x[b] - self._extents(b)[0] + self.channel
        return [*points, (port, lane), (port, end[1]), end]

    def _top(self, k: int) -> float:
        stations = [self.figure.stations[n] for n in (*self.valley.left[k], *self.valley.right[k])]
        return max(-s.body.y for s in stations) + 3.0 + fsum(self._heads(k))
