"""Sets of sizes in few words that are true: what repeats, and what stands alone before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnndsl.record import Record
from cnndsl.sizes.vectors import Array

LONGEST = 1024
"""The longest period that is looked for."""
TIMES = 3
"""How often something must come again to be called a rule."""


class Run(Record):
    """Sizes from `first` to `last`, both of them among them."""

    first: int
    last: int


class Pattern(Record):
    """A set of sizes out of those that were examined. `alone`: runs that no rule has. Then, up to the last size that
    was examined: `again`, which repeats every `period` sizes (0 where nothing repeats)."""

    alone: tuple[Run, ...]
    again: tuple[Run, ...] = ()
    period: int = 0

    @property
    def empty(self) -> bool:
        return not self.alone and not self.again

    @property
    def smallest(self) -> int | None:
        """The smallest size; None if there is none."""
        return next((run.first for run in (*self.alone, *self.again)), None)


def pattern_of(sizes: Array, mask: Array) -> Pattern:
    """What repeats to the end of the examined sizes, which follow each other, and what does not."""
    runs = runs_of(sizes, mask)
    best, cost = Pattern(runs), len(runs)
    for period in range(1, min(LONGEST, len(mask) // TIMES) + 1):
        differs = np.flatnonzero(mask[period:] != mask[:-period])
        start = int(differs[-1]) + 1 if len(differs) else 0
        if len(mask) - start < TIMES * period:
            continue
        first = np.flatnonzero(mask[start : start + period])
        if not len(first):
            continue
        # From the first of them on, so that a run is not cut in two.
        start += int(first[0])
        if len(first) < period and mask[start + period - 1] and len(mask) - start >= (TIMES + 1) * period:
            start = _run_start(mask, start, period)
        alone = runs_of(sizes[:start], mask[:start])
        again = runs_of(sizes[start : start + period], mask[start : start + period])
        if len(alone) + len(again) + 1 < cost or (period == 1 and len(alone) + 1 <= cost):
            best, cost = Pattern(alone, again, period), len(alone) + len(again) + 1
    return best


def _run_start(mask: Array, start: int, period: int) -> int:
    """The first place from `start` on at which a run begins."""
    begins = np.flatnonzero(mask[start + 1 : start + period + 1] & ~mask[start : start + period])
    return start + 1 + int(begins[0])


def runs_of(sizes: Array, mask: Array) -> tuple[Run, ...]:
    """The runs of sizes that are next to each other."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return tuple(Run(int(sizes[a]), int(sizes[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True))


def members(pattern: Pattern, last: int) -> list[int]:
    """All sizes of a pattern up to the last that was examined."""
    found = [n for run in pattern.alone for n in range(run.first, run.last + 1)]
    for start in range(0, last + 1, pattern.period) if pattern.period else ():
        found += [n + start for run in pattern.again for n in range(run.first, run.last + 1) if n + start <= last]
    return found


def as_ranges(pattern: Pattern, last: int) -> list[dict[str, Any]]:
    """A pattern as data: ranges with both ends and a step, which together are the set exactly, in order of their
    first size."""
    found = [{"first": run.first, "last": run.last, "step": 1} for run in pattern.alone]
    if pattern.period == 1:
        return [*found, {"first": pattern.again[0].first, "last": last, "step": 1}]
    for run in pattern.again:
        for first in range(run.first, run.last + 1):
            end = first + (last - first) // pattern.period * pattern.period
            found.append({"first": first, "last": end, "step": pattern.period})
    return found
