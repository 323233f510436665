"""Layers of a block's insides: which rank each piece stands in, the lanes that pass ranks, and the order in each.

After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981): ranks by
longest paths, places in between for links that are longer than one rank, then sweeps that put each vertex at the
median of its neighbours, of which the best order is kept.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Sequence
from itertools import pairwise

from cnndsl.draw.page.model import Step
from cnndsl.record import Record

SWEEPS = 12
Way = tuple[int, int, Hashable]


class Ranked(Record):
    """ranks: vertices from left to right, rank by rank. paths: of each link, the vertices from its source to its
    target. lanes: the vertices that are places in a lane, from the given count on, lane by lane."""

    ranks: tuple[tuple[int, ...], ...]
    paths: tuple[tuple[int, ...], ...]
    lanes: tuple[tuple[int, ...], ...]


def ranked(count: int, links: Sequence[Way], first: frozenset[int], last: frozenset[int]) -> Ranked:
    """Layers for vertices 0 to `count`. links: (source, target, tensor), without cycles; links of one tensor share a
    lane.

    first, last: vertices that stand in ranks of their own at the beginning and at the end.
    """
    rank = _ranks(count, links, first, last)
    paths, lanes, rank = _lanes(links, rank)
    below: list[list[int]] = [[] for _ in rank]
    above: list[list[int]] = [[] for _ in rank]
    steps = dict.fromkeys(step for path in paths for step in pairwise(path))
    for source, target in steps:
        below[source].append(target)
        above[target].append(source)
    rows = _first_order(rank, above, below, count)
    return Ranked(tuple(map(tuple, _untangled(rows, above, below))), tuple(paths), lanes)


def _ranks(count: int, links: Sequence[Way], first: frozenset[int], last: frozenset[int]) -> list[int]:
    """The rank of each vertex: one behind the last that it takes from; what takes nothing stands before its users."""
    sources: list[list[int]] = [[] for _ in range(count)]
    targets: list[list[int]] = [[] for _ in range(count)]
    for source, target, _ in links:
        sources[target].append(source)
        targets[source].append(target)
    rank = [0] * count
    inner = [v for v in range(count) if v not in first and v not in last]
    for vertex in inner:
        rank[vertex] = max((rank[s] + 1 for s in sources[vertex]), default=1 if first else 0)
    for vertex in reversed(inner):
        users = [rank[t] for t in targets[vertex] if t not in last]
        if not sources[vertex] and users:
            rank[vertex] = min(users) - 1
    end = max((rank[v] for v in inner), default=0) + 1
    for vertex in last:
        rank[vertex] = end
    return rank


def _lanes(
    links: Sequence[Way], rank: list[int]
) -> tuple[list[tuple[int, ...]], tuple[tuple[int, ...], ...], list[int]]:
    """Each link's path, the lanes, and the ranks with those of the places in lanes."""
    rank = list(rank)
    lanes: dict[tuple[int, Hashable], list[int]] = {}
    paths = []
    for source, target, tensor in links:
        lane = lanes.setdefault((source, tensor), [])
        while len(lane) < rank[target] - rank[source] - 1:
            lane.append(len(rank))
            rank.append(rank[source] + len(lane))
        paths.append((source, *lane[: rank[target] - rank[source] - 1], target))
    return paths, tuple(tuple(lane) for lane in lanes.values() if lane), rank


def _first_order(rank: list[int], above: list[list[int]], below: list[list[int]], count: int) -> list[list[int]]:
    """Ranks filled in the order of a walk along the links, pieces before lanes."""
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    seen = [False] * len(rank)
    for start in sorted(range(len(rank)), key=lambda v: (bool(above[v]), v)):
        waiting = [start]
        while waiting:
            vertex = waiting.pop()
            if not seen[vertex]:
                seen[vertex] = True
                rows[rank[vertex]].append(vertex)
                waiting += sorted(below[vertex], key=lambda v: (v >= count, v), reverse=True)
    return rows


def _untangled(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> list[list[int]]:
    """The ranks in the order with the fewest crossings that sweeps down and up have found."""
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        rows = _swept(rows if down else rows[::-1], above if down else below)
        rows = rows if down else rows[::-1]
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _swept(rows: list[list[int]], before: list[list[int]]) -> list[list[int]]:
    """The ranks, each ordered by where the neighbours in the rank before it stand."""
    place: dict[int, int] = {}
    result = []
    for row in rows:
        wanted = {}
        for at, vertex in enumerate(row):
            neighbours = sorted(place[v] for v in before[vertex] if v in place)
            wanted[vertex] = _median(neighbours) if neighbours else float(at)
        ordered = sorted(row, key=wanted.__getitem__)
        place.update((vertex, at) for at, vertex in enumerate(ordered))
        result.append(ordered)
    return result


def _median(places: list[int]) -> float:
    middle = len(places) // 2
    return float(places[middle]) if len(places) % 2 else (places[middle - 1] + places[middle]) / 2


def _crossings(rows: list[list[int]], below: list[list[int]]) -> int:
    """How many pairs of steps between neighbouring ranks cross."""
    crossings = 0
    for upper, lower in pairwise(rows):
        place = {vertex: at for at, vertex in enumerate(lower)}
        passed: list[int] = []
        for vertex in upper:
            ends = sorted(place[v] for v in below[vertex])
            crossings += sum(len(passed) - bisect_left(passed, end + 1) for end in ends)
            for end in ends:
                insort(passed, end)
    return crossings


# --- what stands below what -----------------------------------------------------------------------------------------


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
