"""The order of cells within their ranks: as few crossings as can be found quickly.

Sweeps by barycentres (Sugiyama, Tagawa and Toda 1981), then exchanges of neighbours and of whole lanes; what is best of
all that was seen is kept. An order without crossings is left as it is.
"""

from __future__ import annotations

from bisect import bisect_right, insort

from cnndsl.draw.styles.layered.grid import Grid

SWEEPS = 6
BODY = 8
"""Crossings that a line through a spot counts for."""
MANY = 4000
"""Cells up to which neighbours are exchanged; lanes are moved as a whole up to a tenth of it."""


def ordered(grid: Grid) -> None:
    """Put the cells of every rank of a grid in order."""
    best, fewest = [row[:] for row in grid.order], crossings(grid)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        _sweep(grid, upwards=bool(sweep % 2))
        if len(grid.rank) <= MANY:
            _exchange(grid)
        found = crossings(grid)
        if found < fewest:
            best, fewest = [row[:] for row in grid.order], found
    grid.order = best
    grid.number()
    if fewest and len(grid.rank) <= MANY // 10:
        _move_lanes(grid, fewest)


def torn(grid: Grid) -> frozenset[int]:
    """The spots in several ranks that a line would run through."""
    found: set[int] = set()
    for row in grid.order:
        numbers = [number for cell in row for number in grid.down[cell]]
        bodies = [number for number in numbers if grid.segments[number].wire < 0]
        for body in bodies:
            upper, lower = (grid.place[cell] for cell in grid.segments[body][:2])
            for number in numbers:
                one, other = (grid.place[cell] for cell in grid.segments[number][:2])
                if (one - upper) * (other - lower) < 0:
                    found.add(grid.spot[grid.segments[body].upper])
    return frozenset(found)


def _port(grid: Grid, number: int, *, end: bool) -> float:
    """Where a segment touches its upper or lower cell, if that is known."""
    segment = grid.segments[number]
    if segment.wire < 0:
        return 0.0
    wire = grid.level.wires[segment.wire]
    if end:
        return (wire.ends[segment.target] or 0.0) if segment.target >= 0 and wire.ends else 0.0
    return (wire.start or 0.0) if grid.spot[segment.upper] >= 0 else 0.0


def crossings(grid: Grid) -> int:
    """How many pairs of segments cross."""
    return sum(_between(grid, rank) for rank in range(len(grid.order) - 1))


def _between(grid: Grid, rank: int) -> int:
    """Crossings between a rank and the next."""
    ends: list[tuple[int, float, int, float]] = []
    for cell in grid.order[rank]:
        for number in grid.down[cell]:
            segment = grid.segments[number]
            upper = grid.place[segment.upper], _port(grid, number, end=False)
            lower = grid.place[segment.lower], _port(grid, number, end=True)
            ends += [(*upper, *lower)] * (BODY if segment.wire < 0 else 1)
    ends.sort()
    seen: list[tuple[int, float]] = []
    count = 0
    for *_, place, port in ends:
        count += len(seen) - bisect_right(seen, (place, port))
        insort(seen, (place, port))
    return count


def _sweep(grid: Grid, *, upwards: bool) -> None:
    """Order each rank by the means of its neighbours' places in the rank before it."""
    rows = range(len(grid.order) - 2, -1, -1) if upwards else range(1, len(grid.order))
    links = grid.down if upwards else grid.up
    for rank in rows:
        keys: dict[int, float] = {}
        for cell in grid.order[rank]:
            near = [_neighbour(grid, number, upwards=upwards) for number in links[cell]]
            total = 0.0
            for place in near:
                total += place
            keys[cell] = total / len(near) if near else float(grid.place[cell])
        grid.order[rank].sort(key=keys.__getitem__)
        for place, cell in enumerate(grid.order[rank]):
            grid.place[cell] = place


def _neighbour(grid: Grid, number: int, *, upwards: bool) -> float:
    """The place of a segment's other end; ports tell apart what ends in the same cell."""
    segment = grid.segments[number]
    cell = segment.lower if upwards else segment.upper
    width = grid.width(cell)
    return grid.place[cell] + (_port(grid, number, end=upwards) / (2 * width) if width else 0.0)


def _exchange(grid: Grid) -> None:
    """Exchange neighbours as long as that saves crossings."""
    for _ in range(4):
        better = False
        for row in grid.order:
            for at in range(len(row) - 1):
                one, other = row[at], row[at + 1]
                if _pair(grid, one, other) > _pair(grid, other, one):
                    row[at], row[at + 1] = other, one
                    grid.place[one], grid.place[other] = at + 1, at
                    better = True
        if not better:
            return


def _pair(grid: Grid, one: int, other: int) -> int:
    """Crossings of the segments of two cells, if the first stands before the second."""
    count = 0
    for links, end in ((grid.up, False), (grid.down, True)):
        near = [_end(grid, number, end=end) for number in links[one]]
        for number in links[other]:
            place = _end(grid, number, end=end)
            count += sum(weight * place[2] for *at, weight in near if tuple(at) > place[:2])
    return count


def _end(grid: Grid, number: int, *, end: bool) -> tuple[int, float, int]:
    segment = grid.segments[number]
    cell = segment.lower if end else segment.upper
    return grid.place[cell], _port(grid, number, end=end), BODY if segment.wire < 0 else 1


def _move_lanes(grid: Grid, fewest: int) -> None:
    """Try every lane on the other side of all that it passes, and keep it there where that saves crossings."""
    lanes = dict.fromkeys(grid.wire[cell] for cell in range(len(grid.rank)) if grid.skip[cell])
    for wire in lanes:
        if not fewest:
            return
        before = [row[:] for row in grid.order]
        for rank, row in enumerate(grid.order):
            cells = [cell for cell in row if grid.wire[cell] == wire]
            rest = [cell for cell in row if grid.wire[cell] != wire]
            if cells:
                grid.order[rank] = [*rest, *cells] if grid.level.near else [*cells, *rest]
        grid.number()
        found = crossings(grid)
        if found < fewest:
            fewest = found
        else:
            grid.order = before
            grid.number()
