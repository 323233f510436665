"""From cells in their places to boxes and lines with corners: lengths of ranks, tracks between them, columns."""

from __future__ import annotations

from cnndsl.draw.scene import Point
from cnndsl.draw.styles.layered.columns import cuts
from cnndsl.draw.styles.layered.grid import Grid
from cnndsl.draw.styles.layered.level import Laid
from cnndsl.draw.styles.layered.place import Placed
from cnndsl.draw.styles.layered.tracks import Crossover, tracked

END = 4
"""What a line to an end weighs, where another weighs 1, when columns are cut."""
CLEAR = 4.0
"""Around a lane that leads to the side of a spot."""
FLAT = 0.01
"""Places that differ by no more are the same."""


class Routes:
    """The way from a grid and its places to what is drawn. cuts: the ranks behind which another column begins."""

    def __init__(self, grid: Grid, placed: Placed) -> None:
        self.grid = grid
        self.cuts = sorted(placed.cuts)
        self.placed = placed
        self.spacing = grid.level.spacing
        self.side = self._at_sides()
        self.lines = [self._crossovers(rank) for rank in range(len(grid.order) - 1)]
        self.tracks = [tracked(lines) for lines in self.lines]
        self._lengths()
        self._columns()

    # --- lines in the space between two ranks -------------------------------------------------------------------

    def _start(self, number: int) -> float:
        return self.placed.at[self.grid.segments[number].upper] + self.placed.starts[number]

    def _end(self, number: int) -> float:
        if number in self.side:
            return self._start(number)
        return self.placed.at[self.grid.segments[number].lower] + self.placed.ends[number]

    def _crossovers(self, rank: int) -> dict[int, Crossover]:
        """The wires between a rank and the next."""
        found: dict[int, Crossover] = {}
        for cell in self.grid.order[rank]:
            for number in self.grid.down[cell]:
                wire = self.grid.segments[number].wire
                if wire >= 0:
                    known = found.get(wire)
                    ends = known.ends if known is not None else ()
                    found[wire] = Crossover(self._start(number), (*ends, self._end(number)))
        return found

    def _at_sides(self) -> dict[int, bool]:
        """The segments that end at the side of their spot, where the lane that they come from runs free beside it, the
        outmost of all that end there: whether that is the far side."""
        grid, at = self.grid, self.placed.at
        found: dict[int, bool] = {}
        for cell in range(len(grid.rank)):
            spot = grid.spot[cell]
            if spot < 0 or grid.spans[spot] > 1 or not grid.level.spots[spot].sides or len(grid.up[cell]) < 2:
                continue
            row, place = grid.order[grid.rank[cell]], grid.place[cell]
            near, far = at[cell], at[cell] + grid.width(cell)
            before = max((at[c] + self._extent(c) for c in row[:place]), default=-1e9)
            behind = min((at[c] for c in row[place + 1 :]), default=1e9)
            ends = sorted(grid.up[cell], key=lambda n: grid.place[grid.segments[n].upper])
            for number, is_far in ((ends[-1], True), (ends[0], False)):
                upper = grid.segments[number].upper
                if grid.lane(upper) and self._free(number):
                    least, most = (far, behind) if is_far else (before, near)
                    if least + CLEAR < at[upper] < most - CLEAR:
                        found[number] = is_far
        return found

    def _extent(self, cell: int) -> float:
        spot = self.grid.spot[cell]
        return self.grid.width(cell) + (self.grid.level.spots[spot].after if spot >= 0 else 0.0)

    def _free(self, number: int) -> bool:
        """Whether nothing else of its wire leaves the lane where this segment does, in the same column."""
        upper = self.grid.segments[number].upper
        return len(self.grid.down[upper]) == 1 and self.grid.rank[upper] not in self.cuts

    # --- along --------------------------------------------------------------------------------------------------

    def _lengths(self) -> None:
        """tops, bottoms: of each rank, in one column."""
        grid = self.grid
        spots = grid.level.spots
        count = len(grid.order)
        self.tops, self.bottoms = [0.0] * count, [0.0] * count
        ends: list[list[int]] = [[] for _ in range(count)]
        for number, rank in enumerate(grid.ranks):
            ends[rank + grid.spans[number] - 1].append(number)
        top = 0.0
        for rank in range(count):
            self.tops[rank] = top
            length = 0.0
            for number in ends[rank]:
                begun = self.tops[grid.ranks[number]]
                length = max(length, spots[number].along - (top - begun))
            self.bottoms[rank] = top + length
            top += length + (self._between(rank) if rank + 1 < count else 0.0)
        self.tails = [max((spots[n].tail for n in ends[rank]), default=0.0) for rank in range(count)]

    def _between(self, rank: int) -> float:
        """The space between a rank and the next."""
        return self._out(rank) + self._in(rank) + max(0, self._count(rank) - 1) * self.spacing.track

    def _count(self, rank: int) -> int:
        """The tracks behind a rank."""
        return max(self.tracks[rank].values(), default=-1) + 1

    def _real(self, rank: int, *, end: bool) -> bool:
        """Whether a box, no port, ends or begins in a rank."""
        grid = self.grid
        return any(
            not grid.lane(cell)
            and not grid.level.spots[grid.spot[cell]].port
            and cell == (grid.last(grid.spot[cell]) if end else grid.first[grid.spot[cell]])
            for cell in grid.order[rank]
        )

    def _out(self, rank: int) -> float:
        """From a rank to the first track behind it."""
        grid = self.grid
        tails = [grid.level.spots[grid.spot[c]].tail for c in grid.order[rank] if grid.spot[c] >= 0]
        tail = max(tails, default=0.0)
        if self._count(rank):
            return tail + self.spacing.out
        return max(tail, self.spacing.port if self._real(rank, end=True) else 0.0)

    def _in(self, rank: int) -> float:
        """From the last track behind a rank to the next rank."""
        if not self._real(rank + 1, end=False):
            return self.spacing.port if self._count(rank) else 0.0
        return self.spacing.head

    def _track(self, rank: int, wire: int) -> float:
        """Where the track of a wire behind a rank is, from that rank's end."""
        return self._out(rank) + self.tracks[rank][wire] * self.spacing.track

    # --- columns ------------------------------------------------------------------------------------------------

    def _columns(self) -> None:
        """column: of each rank. dx, dy: how far each column is moved."""
        grid, spacing = self.grid, self.spacing
        count = len(grid.order)
        self.column = [sum(cut < rank for cut in self.cuts) for rank in range(count)]
        self.short = [self._shortcuts(cut) for cut in self.cuts]
        self.over = [self._in_gutter(number) for number in range(len(self.cuts))]
        self.dx, self.dy, self.far = [], [], []
        across = 0.0
        for column in range(len(self.cuts) + 1):
            first = self.cuts[column - 1] + 1 if column else 0
            near, far = self._extents(column)
            above = spacing.head + len(self.over[column - 1]) * spacing.track if column else 0.0
            self.far.append(far)
            self.dx.append(across - near)
            self.dy.append(above - self.tops[first] if count else 0.0)
            across += far - near
            if column < len(self.cuts):
                across += 2 * spacing.box + (len(self.over[column]) - 1) * spacing.track
        self.across = across
        self.along = max(
            (self.bottoms[rank] + self.dy[self.column[rank]] + self._below(rank) for rank in range(count)), default=0.0
        )

    def _extents(self, column: int) -> tuple[float, float]:
        """Where the cells of a column begin and end; lanes that nothing is drawn in are left out."""
        grid = self.grid
        unused = self.short[column] if column < len(self.cuts) else {}
        cells = [c for rank, row in enumerate(grid.order) if self.column[rank] == column for c in row]
        ends = {wire: self._last_rank(wire, column) for wire in unused}
        used = [c for c in cells if not (grid.lane(c) and grid.rank[c] >= ends.get(grid.wire[c], grid.rank[c] + 1))]
        near = min((self.placed.at[c] for c in used), default=0.0)
        return near, max((self.placed.at[c] + self._extent(c) for c in used), default=0.0)

    def _last_rank(self, wire: int, column: int) -> int:
        """The last rank of a column in which a wire has a target; -1 if it has none there."""
        ranks = (self.grid.ranks[target] for target in self.grid.level.wires[wire].targets)
        return max((rank for rank in ranks if self.column[rank] == column), default=-1)

    def _shortcuts(self, cut: int) -> dict[int, int]:
        """The wires that need not follow their lanes down to a cut, but leave the column where they come into it: those
        with nothing beside them but others of that kind. By wire the rank that they come from, -1: another column."""
        grid = self.grid
        column = self.column[cut]
        first = self.column.index(column)
        found: dict[int, int] = {}
        for cell in reversed(grid.order[cut]):
            if not grid.lane(cell):
                break
            wire = grid.wire[cell]
            way = [cell]
            while grid.lane(way[-1]) and grid.rank[way[-1]] > first:
                way.append(grid.segments[grid.up[way[-1]][0]].upper)
            lanes = [c for c in way if grid.lane(c)]
            beside = [c for lane in lanes for c in grid.order[grid.rank[lane]][grid.place[lane] + 1 :]]
            start = -1 if grid.lane(way[-1]) else grid.rank[way[-1]]
            bent = start < 0 or wire in self.tracks[start]
            if not bent or any(not grid.lane(c) or grid.wire[c] not in found for c in beside):
                break
            found[wire] = start
        return found

    def _in_gutter(self, number: int) -> list[int]:
        """The wires over a cut, the inmost between the columns first: those that leave early, then those from below,
        from the far side on."""
        short = self.short[number]
        lines = self.lines[self.cuts[number]]
        early = sorted(short, key=lambda w: (short[w], -lines[w].start if short[w] < 0 else self.tracks[short[w]][w]))
        return [*early, *sorted(lines.keys() - short.keys(), key=lambda wire: -lines[wire].start)]

    def wanted_cuts(self) -> frozenset[int]:
        """The ranks behind which a long picture is better cut."""
        count = len(self.grid.order)
        lines = [0 if self._whole(rank) else self._weight(rank) for rank in range(count - 1)]
        return frozenset(cuts(self.tops, self.bottoms, [*lines, 0], self.grid.level.limit))

    def _weight(self, rank: int) -> int:
        """How many lines there are behind a rank; those to what takes nothing else and leads nowhere weigh more, as it
        is best seen beside what it belongs to."""
        grid = self.grid
        lower = [grid.segments[n].lower for cell in grid.order[rank] for n in grid.down[cell]]
        ends = [c for c in lower if not grid.lane(c) and len(grid.up[c]) == 1 and not grid.degree[grid.spot[c]]]
        return len(self.lines[rank]) + END * len(ends)

    def _whole(self, rank: int) -> bool:
        """Whether there is something behind a rank that can't be cut: a box, or ports of the surrounding one."""
        grid = self.grid
        if any(grid.segments[n].wire < 0 for cell in grid.order[rank] for n in grid.down[cell]):
            return True
        rows = (*grid.order[rank], *grid.order[rank + 1])
        return any(grid.spot[c] >= 0 and grid.level.spots[grid.spot[c]].port for c in rows)

    def _below(self, rank: int) -> float:
        """The space that lines to the next column need behind a rank."""
        if rank not in self.cuts:
            return 0.0
        number = self.cuts.index(rank)
        count = len(self.over[number]) - len(self.short[number])
        return self.tails[rank] + self.spacing.out + count * self.spacing.track

    # --- results ------------------------------------------------------------------------------------------------

    def laid(self) -> Laid:
        grid = self.grid
        starts = tuple(self._corner(number) for number in range(len(grid.level.spots)))
        lines, skips = [], []
        for number, wire in enumerate(grid.level.wires):
            ways = [self._way(number, target) for target in range(len(wire.targets))]
            lines.append(tuple(self._line(number, way) for way in ways))
            skips.append(tuple(any(grid.skip[grid.segments[n].upper] for n in way) for way in ways))
        return Laid(self.across, self.along, starts, tuple(lines), tuple(skips))

    def _corner(self, number: int) -> Point:
        """Where a spot is: in the middle of its ranks, at the border if it is a port."""
        grid, spot = self.grid, self.grid.level.spots[number]
        rank = grid.ranks[number]
        column = self.column[rank]
        across = self.placed.at[grid.first[number]] + self.dx[column]
        if spot.port:
            return across, 0.0 if spot.first else self.along
        top, bottom = self.tops[rank], self.bottoms[rank + grid.spans[number] - 1]
        return across, (top + bottom - spot.along) / 2 + self.dy[column]

    def _way(self, wire: int, target: int) -> list[int]:
        """The segments from a wire's source to one of its targets."""
        grid = self.grid
        spot = grid.level.wires[wire].targets[target]
        number = next(
            n for n in grid.up[grid.first[spot]] if (grid.segments[n].wire, grid.segments[n].target) == (wire, target)
        )
        way = [number]
        while grid.lane(grid.segments[way[-1]].upper):
            way.append(grid.up[grid.segments[way[-1]].upper][0])
        return way[::-1]

    def _line(self, wire: int, way: list[int]) -> tuple[Point, ...]:
        grid = self.grid
        source = grid.spot[grid.segments[way[0]].upper]
        target = grid.spot[grid.segments[way[-1]].lower]
        across, along = self._corner(source)
        column = self.column[grid.ranks[source]]
        points = [(self._start(way[0]) + self.dx[column], along + grid.level.spots[source].along)]
        for number in way:
            self._step(points, number, wire)
        column = self.column[grid.ranks[target]]
        across, along = self._corner(target)
        if way[-1] in self.side:
            spot = grid.level.spots[target]
            middle = along + spot.along / 2
            points.append((self._end(way[-1]) + self.dx[column], middle))
            points.append((across + (spot.across if self.side[way[-1]] else 0.0), middle))
        else:
            points.append((self._end(way[-1]) + self.dx[column], along))
        return straightened(points)

    def _step(self, points: list[Point], number: int, wire: int) -> None:
        """Add the corners of a segment."""
        rank = self.grid.rank[self.grid.segments[number].upper]
        start, end = self._start(number), self._end(number)
        column = self.column[rank]
        if rank in self.cuts:
            self._over(points, self.cuts.index(rank), wire, start + self.dx[column], end + self.dx[column + 1])
        elif abs(start - end) > FLAT:
            along = self.bottoms[rank] + self._track(rank, wire) + self.dy[column]
            points += [(start + self.dx[column], along), (end + self.dx[column], along)]

    def _over(self, points: list[Point], cut: int, wire: int, start: float, end: float) -> None:
        """Add the way from one column to the next: below the one, between both, above the other. What is inmost between
        them is outmost above."""
        spacing, wires = self.spacing, self.over[cut]
        place, rank = wires.index(wire), self.cuts[cut]
        between = self.far[cut] + self.dx[cut] + spacing.box + place * spacing.track
        above = self.tops[rank + 1] + self.dy[cut + 1] - spacing.head - (len(wires) - 1 - place) * spacing.track
        if wire in self.short[cut]:
            along = points[-1][1]
            while len(points) > 1 and abs(points[-1][1] - along) <= FLAT and abs(points[-2][1] - along) <= FLAT:
                points.pop()
            points.append((between, along))
        else:
            inner = place - len(self.short[cut])
            below = self.bottoms[rank] + self.dy[cut] + self.tails[rank] + spacing.out + inner * spacing.track
            points += [(start, below), (between, below)]
        points += [(between, above), (end, above)]


def straightened(points: list[Point]) -> tuple[Point, ...]:
    """The points without those that lie on the way between their neighbours."""
    found: list[Point] = []
    for point in points:
        if found and abs(point[0] - found[-1][0]) <= FLAT and abs(point[1] - found[-1][1]) <= FLAT:
            continue
        if len(found) > 1 and any(
            abs(found[-2][axis] - found[-1][axis]) <= FLAT and abs(found[-1][axis] - point[axis]) <= FLAT
            for axis in (0, 1)
        ):
            found.pop()
        found.append(point)
    return tuple(found)
