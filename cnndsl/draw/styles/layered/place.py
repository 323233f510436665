"""Where cells stand across: chains and long lines straight, what branches in the middle of its branches.

Segments that should be straight are joined to chains, the most important first, as far as they don't cross (the idea
of Brandes and Köpf 2001, with importance in the place of medians). Then every chain moves to the mean of what it is
connected with, as far as the order of cells lets it: of the positions that are pushed to the far and to the near side
the means are taken, which keeps the order and treats both sides alike.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import pairwise

from cnndsl.draw.styles.layered.grid import Grid

ROUNDS = 30
STEP = 10.0
"""Between lines that end in the same spot."""
MARGIN = 5.0
"""From them to its corners."""
PULL = 0.08
"""Of a lane that skips others, where another line pulls with 1."""
SNAP = 6.0
"""Bends smaller than this are taken out, if there is room."""


class Placed:
    """at: the near side of each cell. starts, ends: where segments touch their cells, from their near sides.

    cuts: the ranks behind which another column begins, whose cells stand for themselves."""

    def __init__(self, grid: Grid, cuts: frozenset[int] = frozenset()) -> None:
        self.grid = grid
        self.cuts = cuts
        self.starts = [0.0] * len(grid.segments)
        self.ends = [0.0] * len(grid.segments)
        self.straight = _straight(grid)
        self._ports()
        self.chain = list(range(len(grid.rank)))
        """The chain of each cell, named by its first one."""
        self.shift = [0.0] * len(grid.rank)
        """From a chain's position to that of each of its cells."""
        self._join()
        self.at = self._settle()

    # --- ports --------------------------------------------------------------------------------------------------

    def _ports(self) -> None:
        grid = self.grid
        for cell in range(len(grid.rank)):
            if grid.lane(cell):
                continue
            spot = grid.level.spots[grid.spot[cell]]
            ends = [n for n in grid.up[cell] if grid.segments[n].wire >= 0]
            ends.sort(key=lambda n: grid.place[grid.segments[n].upper])
            fixed = [self._fixed(n, end=True) for n in ends]
            for number, offset in zip(ends, self._spread(spot.across, ends, fixed), strict=True):
                self.ends[number] = offset
            groups: dict[int, list[int]] = {}
            for number in grid.down[cell]:
                if grid.segments[number].wire >= 0:
                    groups.setdefault(grid.segments[number].wire, []).append(number)
            wires = sorted(groups, key=lambda w: self._mean(groups[w]))
            leading = [next((n for n in groups[w] if self.straight[n]), groups[w][0]) for w in wires]
            fixed = [self._fixed(n, end=False) for n in leading]
            for wire, offset in zip(wires, self._spread(spot.across, leading, fixed), strict=True):
                for number in groups[wire]:
                    self.starts[number] = offset

    def _mean(self, numbers: list[int]) -> float:
        places = [self.grid.place[self.grid.segments[n].lower] for n in numbers]
        return sum(places) / len(places)

    def _fixed(self, number: int, *, end: bool) -> float | None:
        segment = self.grid.segments[number]
        wire = self.grid.level.wires[segment.wire]
        return wire.start if not end else wire.ends[segment.target] if wire.ends else None

    def _spread(self, across: float, numbers: list[int], fixed: list[float | None]) -> list[float]:
        """Where segments touch a spot: in its middle if there is one, the straight one in the middle if there is."""
        middle = next((place for place, n in enumerate(numbers) if self.straight[n]), None)
        centre = float(middle) if middle is not None else (len(numbers) - 1) / 2
        reach = max(centre, len(numbers) - 1 - centre)
        step = min(STEP, max(0.0, across / 2 - MARGIN) / reach) if reach else 0.0
        return [
            given if given is not None else across / 2 + (place - centre) * step for place, given in enumerate(fixed)
        ]

    # --- chains -------------------------------------------------------------------------------------------------

    def _join(self) -> None:
        """Join cells by what should be straight, as far as that doesn't cross."""
        grid = self.grid
        taken: list[list[tuple[int, int]]] = [[] for _ in grid.order]
        wanted = [number for number, importance in enumerate(self.straight) if importance and not self._cut(number)]
        wanted.sort(key=lambda n: (-self.straight[n], grid.rank[grid.segments[n].upper], n))
        below: dict[int, int] = {}
        above: set[int] = set()
        for number in wanted:
            segment = grid.segments[number]
            if segment.upper in below or segment.lower in above:
                continue
            pair = grid.place[segment.upper], grid.place[segment.lower]
            row = taken[grid.rank[segment.upper]]
            at = bisect_left(row, pair)
            if (at and row[at - 1][1] >= pair[1]) or (at < len(row) and row[at][1] <= pair[1]):
                continue
            insort(row, pair)
            below[segment.upper] = number
            above.add(segment.lower)
        for cell in [c for row in grid.order for c in row]:  # from rank to rank: chains grow from their first cells
            if cell in below:
                number = below[cell]
                lower = grid.segments[number].lower
                self.chain[lower] = self.chain[cell]
                self.shift[lower] = self.shift[cell] + self.starts[number] - self.ends[number]

    def _cut(self, number: int) -> bool:
        return self.grid.rank[self.grid.segments[number].upper] in self.cuts

    # --- positions ----------------------------------------------------------------------------------------------

    def _settle(self) -> list[float]:
        grid = self.grid
        gaps = self._gaps()
        chains = _sorted_chains([c for row in grid.order for c in row if self.chain[c] == c], gaps)
        before: dict[int, list[tuple[int, float]]] = {c: [] for c in chains}
        behind: dict[int, list[tuple[int, float]]] = {c: [] for c in chains}
        for (one, other), gap in gaps.items():
            behind[one].append((other, gap))
            before[other].append((one, gap))
        pulls = self._pulls()
        at = dict.fromkeys(chains, 0.0)
        for chain in chains:
            for other, gap in before[chain]:
                at[chain] = max(at[chain], at[other] + gap)
        for _ in range(ROUNDS):
            wanted = {chain: (at[chain] + _mean_pull(pulls.get(chain, ()), at, at[chain])) / 2 for chain in chains}
            far: dict[int, float] = {}
            near: dict[int, float] = {}
            for chain in chains:
                place = wanted[chain]
                for other, gap in before[chain]:
                    place = max(place, far[other] + gap)
                far[chain] = place
            for chain in reversed(chains):
                place = wanted[chain]
                for other, gap in behind[chain]:
                    place = min(place, near[other] - gap)
                near[chain] = place
            at = {chain: (far[chain] + near[chain]) / 2 for chain in chains}
        self._snap(chains, at, before, behind, pulls)
        found = [at[self.chain[cell]] + self.shift[cell] for cell in range(len(grid.rank))]
        least = min(found, default=0.0)
        return [place - least for place in found]

    def _gaps(self) -> dict[tuple[int, int], float]:
        """How far apart chains must be, for those with cells beside each other."""
        gaps: dict[tuple[int, int], float] = {}
        for row in self.grid.order:
            for one, other in pairwise(row):
                pair = self.chain[one], self.chain[other]
                gap = self._room(one, other) + self.shift[one] - self.shift[other]
                gaps[pair] = max(gap, gaps.get(pair, gap))
        return gaps

    def _room(self, one: int, other: int) -> float:
        """From the near side of a cell to that of the next one in its rank."""
        grid = self.grid
        spacing = grid.level.spacing
        points = sum(grid.lane(cell) or grid.level.spots[grid.spot[cell]].port for cell in (one, other))
        gap = (spacing.box, spacing.side, spacing.lane)[points]
        after = 0.0 if grid.lane(one) else grid.level.spots[grid.spot[one]].after
        return grid.width(one) + max(gap, after + 2.0) if after else grid.width(one) + gap

    def _pulls(self) -> dict[int, list[tuple[int, float, float]]]:
        """For each chain what pulls at it: another chain, where that wants it from its own position, how strongly."""
        grid = self.grid
        pulls: dict[int, list[tuple[int, float, float]]] = {}
        for number, segment in enumerate(grid.segments):
            one, other = self.chain[segment.upper], self.chain[segment.lower]
            if one == other or self._cut(number):
                continue
            offset = self.shift[segment.upper] + self.starts[number] - self.shift[segment.lower] - self.ends[number]
            strength = PULL if grid.skip[segment.upper] or grid.skip[segment.lower] else 1.0
            pulls.setdefault(other, []).append((one, offset, strength))
            pulls.setdefault(one, []).append((other, -offset, strength))
        return pulls

    def _snap(
        self,
        chains: list[int],
        at: dict[int, float],
        before: dict[int, list[tuple[int, float]]],
        behind: dict[int, list[tuple[int, float]]],
        pulls: dict[int, list[tuple[int, float, float]]],
    ) -> None:
        """Take small bends out: move chains to where more of their lines are straight."""
        for chain in sorted(chains, key=lambda c: len(pulls.get(c, ()))):
            places = [at[other] + offset for other, offset, strength in pulls.get(chain, ()) if strength >= 1]
            for place in places:
                if not 0.001 < abs(place - at[chain]) < SNAP or _agree(places, place) <= _agree(places, at[chain]):
                    continue
                free = all(at[o] + gap <= place for o, gap in before[chain])
                if free and all(place <= at[o] - gap for o, gap in behind[chain]):
                    at[chain] = place


def _agree(places: list[float], place: float) -> int:
    return sum(abs(other - place) < 0.001 for other in places)


def _mean_pull(pulls: list[tuple[int, float, float]] | tuple[()], at: dict[int, float], own: float) -> float:
    """Where a chain is pulled to."""
    total, strengths = 0.0, 0.0
    for other, offset, strength in pulls:
        total += strength * (at[other] + offset)
        strengths += strength
    return total / strengths if strengths else own


def _sorted_chains(chains: list[int], gaps: dict[tuple[int, int], float]) -> list[int]:
    """Chains so that each stands behind all on its near side."""
    waiting = dict.fromkeys(chains, 0)
    following: dict[int, list[int]] = {chain: [] for chain in chains}
    for one, other in gaps:
        waiting[other] += 1
        following[one].append(other)
    ready = [chain for chain in chains if not waiting[chain]]
    for chain in ready:
        for other in following[chain]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return ready


def _straight(grid: Grid) -> list[int]:
    """How important it is that each segment is straight; 0: not at all."""
    found = []
    best_up = [_only_best(grid, cell, grid.up[cell], upwards=True) for cell in range(len(grid.rank))]
    best_down = [_only_best(grid, cell, grid.down[cell], upwards=False) for cell in range(len(grid.rank))]
    for number, segment in enumerate(grid.segments):
        upper, lower = segment.upper, segment.lower
        if segment.wire < 0:
            found.append(1000)
        elif grid.lane(upper) and grid.lane(lower):
            found.append(6)
        elif best_up[lower] != number or best_down[upper] != number:
            found.append(0)
        elif grid.lane(upper) or grid.lane(lower):
            found.append(3)
        else:
            critical = not grid.slacks[grid.spot[upper]] and not grid.slacks[grid.spot[lower]]
            found.append(8 if critical else 4)
    return found


def _only_best(grid: Grid, cell: int, numbers: list[int], *, upwards: bool) -> int:
    """The segment that goes on straight from a cell: that to a spot with the least slack, if only one has that."""
    keys = []
    for number in numbers:
        segment = grid.segments[number]
        other = segment.upper if upwards else segment.lower
        if grid.lane(cell) and not grid.lane(other) and len(grid.down[cell]) > 1 and not upwards:
            continue  # a lane goes on as a lane
        keys.append((grid.lane(other), 0 if grid.lane(other) else grid.slacks[grid.spot[other]], number))
    keys.sort()
    if not keys or (len(keys) > 1 and keys[0][:2] == keys[1][:2]):
        return -1
    return keys[0][2]
