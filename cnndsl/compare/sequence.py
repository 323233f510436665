"""Aligning two sequences where every pair of members has a score: the order-preserving pairs of the largest sum.

Needleman & Wunsch 1970, with nothing to pay for a member that is left out, and a little to win for pairs that follow
each other. The work is bounded: long sequences are cut at anchors first, and what is still long is cut evenly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

MOST_CELLS = 400_000
"""Pairs of members that are looked at between two anchors."""
_RUN = 0.3
"""What a pair wins that follows another directly."""
_UP, _LEFT, _PAIR = range(3)

Score = Callable[[int, int], float]
"""Of the i-th of one sequence and the j-th of the other; 0 where they can't be a pair."""


def align(n: int, m: int, score: Score, anchors: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Pairs (i, j), both rising. `anchors` may hold some that are certain: those of a longest rising row are kept."""
    pairs: list[tuple[int, int]] = []
    i = j = 0
    for x, y in [*rising(anchors), (n, m)]:
        pairs += _cut(range(i, x), range(j, y), score)
        if x < n:
            pairs.append((x, y))
        i, j = x + 1, y + 1
    return pairs


def _cut(first: range, second: range, score: Score) -> list[tuple[int, int]]:
    """The alignment of a stretch, cut into as many pieces as keep the work within MOST_CELLS."""
    n, m = len(first), len(second)
    pieces = n * m // MOST_CELLS + 1
    pairs: list[tuple[int, int]] = []
    for k in range(pieces):
        rows = first[n * k // pieces : n * (k + 1) // pieces]
        columns = second[m * k // pieces : m * (k + 1) // pieces]
        pairs += _piece(rows, columns, score)
    return pairs


def rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """A longest row of pairs in which both numbers rise (patience sorting)."""
    ordered = sorted(pairs)
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, y) in enumerate(ordered):
        at = bisect_left(tails, y)
        before.append(ends[at - 1] if at else -1)
        tails[at : at + 1] = [y]
        ends[at : at + 1] = [index]
    row = []
    at = ends[-1] if ends else -1
    while at >= 0:
        row.append(ordered[at])
        at = before[at]
    return row[::-1]


def _piece(rows: range, columns: range, score: Score) -> list[tuple[int, int]]:
    """The alignment of a piece: the best sums row by row, and which step led to each."""
    above = [0.0] * (len(columns) + 1)
    paired = bytearray(len(columns) + 1)
    steps: list[bytearray] = []
    for i in rows:
        best, row, step = 0.0, [0.0], bytearray(1)
        for j, y in enumerate(columns):
            value, kind = above[j + 1], _UP
            if best > value:
                value, kind = best, _LEFT
            won = score(i, y)
            if won:
                won += above[j] + (_RUN if paired[j] == _PAIR else 0.0)
                if won > value:
                    value, kind = won, _PAIR
            row.append(value)
            step.append(kind)
            best = value
        steps.append(step)
        above, paired = row, step
    return [(rows[i], columns[j]) for i, j in _way_back(steps, len(rows), len(columns))]


def _way_back(steps: list[bytearray], n: int, m: int) -> list[tuple[int, int]]:
    """The pairs that led to the last cell."""
    pairs = []
    i, j = n, m
    while i and j:
        kind = steps[i - 1][j]
        i, j = i - (kind != _LEFT), j - (kind != _UP)
        if kind == _PAIR:
            pairs.append((i, j))
    return pairs[::-1]
