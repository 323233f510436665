"""Layers of a block's insides, as graphs have them: which rank each piece stands in, the lanes that pass ranks, and the
order in each. Neither depends on how large things are, so that a page can fold them without asking again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from cnndsl.draw.page.model import Step
from cnndsl.draw.styles.layered.grid import Grid
from cnndsl.draw.styles.layered.level import Level, Spot, Wire
from cnndsl.draw.styles.layered.order import ordered
from cnndsl.record import Record

Way = tuple[int, int, Hashable]


class Ranked(Record):
    """ranks: vertices from left to right, rank by rank. paths: of each link, the vertices from its source to its
    target. lanes: the vertices that are places in a lane, from the given count on, lane by lane."""

    ranks: tuple[tuple[int, ...], ...]
    paths: tuple[tuple[int, ...], ...]
    lanes: tuple[tuple[int, ...], ...]


def ranked(count: int, links: Sequence[Way], entries: int = 0, exits: int = 0) -> Ranked:
    """Layers for so many pieces, then entries, which stand in the first rank, then exits, which stand in the last.

    links: (source, target, tensor), none from a piece to one before it; links of one tensor share a lane.
    """
    total = count + entries + exits
    # The layout wants what takes a tensor behind what gives it: entries first.
    vertices = [*range(count, count + entries), *range(count), *range(count + entries, total)]
    spots = {vertex: spot for spot, vertex in enumerate(vertices)}
    wires: dict[tuple[int, Hashable], list[int]] = {}
    for source, target, tensor in links:
        wires.setdefault((source, tensor), []).append(spots[target])
    grid = Grid(
        Level(
            tuple(Spot(1.0, 1.0, first=count <= v < count + entries, last=v >= count + entries) for v in vertices),
            tuple(Wire(spots[source], tuple(targets)) for (source, _), targets in wires.items()),
        )
    )
    ordered(grid)
    names, lanes = _named(grid, vertices)
    numbers = {wire: number for number, wire in enumerate(wires)}
    paths = []
    for source, target, tensor in links:
        lane = lanes.get(numbers[source, tensor], [])
        between = grid.ranks[spots[target]] - grid.ranks[spots[source]] - 1
        paths.append((source, *lane[:between], target))
    ranks = tuple(tuple(names[cell] for cell in row) for row in grid.order if row)
    return Ranked(ranks, tuple(paths), tuple(map(tuple, lanes.values())))


def _named(grid: Grid, vertices: list[int]) -> tuple[list[int], dict[int, list[int]]]:
    """The vertex of each cell, and those that are each wire's lane, rank by rank."""
    names, lanes = [], dict[int, list[int]]()
    following = len(vertices)
    for spot, wire in zip(grid.spot, grid.wire, strict=True):
        if spot >= 0:
            names.append(vertices[spot])
            continue
        names.append(following)
        lanes.setdefault(wire, []).append(following)
        following += 1
    return names, lanes


def directed(steps: Sequence[Step], layers: Ranked) -> tuple[Step, ...]:
    """The steps, with those marked that decide where their ends stand: of two ways the longer one, so that the main
    path of a network runs straight past its shortcuts; of more, or of equals, all."""
    places = {v for lane in layers.lanes for v in lane}
    before: dict[int, list[Step]] = {}
    after: dict[int, list[Step]] = {}
    for step in steps:
        before.setdefault(step.target, []).append(step)
        after.setdefault(step.source, []).append(step)
    order = [v for rank in layers.ranks for v in rank]
    above: dict[int, int] = {}
    below: dict[int, int] = {}
    for vertex in order:
        above[vertex] = max((above[s.source] for s in before.get(vertex, ())), default=0) + (vertex not in places)
    for vertex in reversed(order):
        below[vertex] = max((below[s.target] for s in after.get(vertex, ())), default=0) + (vertex not in places)
    return tuple(
        step._replace(
            down=_decides(above[step.source], [above[s.source] for s in before[step.target]]),
            up=_decides(below[step.target], [below[s.target] for s in after[step.source]]),
        )
        for step in steps
    )


def _decides(length: int, lengths: list[int]) -> bool:
    """Whether a way of some length, one of these, has a say."""
    return len(lengths) != 2 or length == max(lengths)
