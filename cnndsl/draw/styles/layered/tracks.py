"""Lines between two ranks: each that crosses over gets a track, so that they cross as seldom as can be."""

from __future__ import annotations

from cnndsl.record import Record

NEAR = 3.0
"""Lines nearer than this would seem one."""
MANY = 60
"""Lines up to which every pair is compared."""


class Crossover(Record):
    """A line that crosses over between two ranks: from where, to where, a place across each."""

    start: float
    ends: tuple[float, ...]

    @property
    def reach(self) -> tuple[float, float]:
        return min(self.start, *self.ends), max(self.start, *self.ends)


def tracked(lines: dict[int, Crossover]) -> dict[int, int]:
    """The track of each line that is not straight, from 0, which is nearest to the rank before."""
    bent = {name: line for name, line in lines.items() if line.reach[1] - line.reach[0] > 0.01}
    if len(bent) > MANY:
        return _packed(bent)
    names = sorted(bent, key=lambda name: (bent[name].reach, name))
    above: dict[int, set[int]] = {name: set() for name in names}
    score = dict.fromkeys(names, 0)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            a, b = bent[one], bent[other]
            if not _meet(a, b):
                continue
            first, second = _cost(a, b), _cost(b, a)
            upper, lower = (one, other) if first <= second else (other, one)
            above[lower].add(upper)
            score[lower] += 1 + abs(first - second)
            score[upper] -= 1 + abs(first - second)
    found: dict[int, int] = {}
    for name in _untangled(names, above, score):
        others = [found[other] for other in names if other in found and _meet(bent[name], bent[other])]
        found[name] = max(others, default=-1) + 1
    return found


def _untangled(names: list[int], above: dict[int, set[int]], score: dict[int, int]) -> list[int]:
    """Names so that each stands behind those above it; where they go in a circle, the one least below goes first."""
    left, order = list(names), []
    while left:
        free = [name for name in left if not above[name] & set(left)]
        name = free[0] if free else min(left, key=lambda n: (score[n], names.index(n)))
        order.append(name)
        left.remove(name)
    return order


def _meet(a: Crossover, b: Crossover) -> bool:
    """Whether two lines can't have the same track."""
    return a.reach[0] < b.reach[1] + NEAR and b.reach[0] < a.reach[1] + NEAR


def _cost(upper: Crossover, lower: Crossover) -> int:
    """Crossings of two lines, if the first has the track nearer to the rank before; a hundred where they would run in
    one another."""
    left, right = lower.reach
    count = sum(left < end < right for end in upper.ends)
    left, right = upper.reach
    count += left < lower.start < right
    if any(abs(end - lower.start) < NEAR for end in upper.ends):
        count += 100
    return count


def _packed(bent: dict[int, Crossover]) -> dict[int, int]:
    """Tracks for very many lines: each the first that is free."""
    ends: list[float] = []
    found: dict[int, int] = {}
    for name in sorted(bent, key=lambda name: (bent[name].reach, name)):
        left, right = bent[name].reach
        track = next((t for t, end in enumerate(ends) if end + NEAR <= left), len(ends))
        if track == len(ends):
            ends.append(right)
        else:
            ends[track] = right
        found[name] = track
    return found
