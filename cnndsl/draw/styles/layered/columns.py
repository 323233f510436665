"""Where a long picture is cut into columns."""

from __future__ import annotations

from math import ceil

SLACK = 1.15
"""A picture that is longer than the limit by no more than this stays in one column."""
CROSSING = 40.0
"""What a line more over a cut is worth, in points of a column's length."""
EXACT = 300
"""Ranks up to which the best cuts are looked for."""


def cuts(tops: list[float], bottoms: list[float], lines: list[int], limit: float | None) -> list[int]:
    """The ranks behind which there is a cut.

    tops, bottoms: of each rank in one column. lines: how many lines there are behind each rank, 0 where none may be
    cut. limit: of a column's length.
    """
    if limit is None or not tops or bottoms[-1] - tops[0] <= SLACK * limit:
        return []
    count = ceil((bottoms[-1] - tops[0]) / limit)
    return _balanced(tops, bottoms, lines, count) if len(tops) <= EXACT else _filled(tops, bottoms, lines, limit)


def _balanced(tops: list[float], bottoms: list[float], lines: list[int], count: int) -> list[int]:
    """Cuts into at most so many columns with the least sum of squared lengths."""
    size = len(tops)
    infinity = float("inf")
    best = [0.0] + [infinity] * size
    chosen: list[list[int]] = []
    for _ in range(count):
        now, origins = [infinity] * (size + 1), [0] * (size + 1)
        for end in range(1, size + 1):
            now[end], origins[end] = best[end], -1  # a column fewer
            for start in range(end):
                if best[start] == infinity or (start and not lines[start - 1]):
                    continue
                penalty = CROSSING * (lines[start - 1] - 1) if start else 0.0
                cost = best[start] + (bottoms[end - 1] - tops[start]) ** 2 + penalty * (bottoms[-1] - tops[0])
                if cost < now[end] - 1e-6:
                    now[end], origins[end] = cost, start
        best = now
        best[0] = 0.0
        chosen.append(origins)
    found: list[int] = []
    end = size
    for origins in reversed(chosen):
        if origins[end] >= 0:
            end = origins[end]
            if end:
                found.append(end - 1)
        if not end:
            break
    return found[::-1]


def _filled(tops: list[float], bottoms: list[float], lines: list[int], limit: float) -> list[int]:
    """Cuts where columns are full."""
    found: list[int] = []
    start = 0
    for rank in range(1, len(tops)):
        if bottoms[rank] - tops[start] > limit and lines[rank - 1]:
            found.append(rank - 1)
            start = rank
    return found
