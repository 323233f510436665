"""Where a long picture is cut into columns."""

from __future__ import annotations

CROSSING = 40.0
"""What a line more over a cut is worth, in points of a column of full length."""
COLUMN = 0.25
"""What a column more is worth, where one of full length is worth FULL, and one too long by as much again LONG."""
FULL, LONG = 0.2, 10.0
EXACT = 300
"""Ranks up to which the best cuts are looked for."""


def cuts(tops: list[float], bottoms: list[float], lines: list[int], limit: float | None) -> list[int]:
    """The ranks behind which there is a cut.

    tops, bottoms: of each rank in one column. lines: how many lines there are behind each rank, 0 where none may be
    cut. limit: of a column's length.
    """
    if limit is None or not tops or bottoms[-1] - tops[0] <= limit:
        return []
    return _best(tops, bottoms, lines, limit) if len(tops) <= EXACT else _filled(tops, bottoms, lines, limit)


def _best(tops: list[float], bottoms: list[float], lines: list[int], limit: float) -> list[int]:
    """Cuts that cost least: few columns, none too long, all of about the same length, cut where few lines are."""
    size = len(tops)
    costs, origins = [0.0], [0]
    for end in range(1, size + 1):
        found: list[tuple[float, int]] = []
        for start in range(end):
            if start and not lines[start - 1]:
                continue
            length = (bottoms[end - 1] - tops[start]) / limit
            crossing = CROSSING / limit * (lines[start - 1] - 1) if start else 0.0
            cost = FULL * length**2 + LONG * max(0.0, length - 1) ** 2 + COLUMN + crossing
            found.append((costs[start] + cost, start))
        cost, origin = min(found)
        costs.append(cost)
        origins.append(origin)
    chosen: list[int] = []
    while size := origins[size]:
        chosen.append(size - 1)
    return chosen[::-1]


def _filled(tops: list[float], bottoms: list[float], lines: list[int], limit: float) -> list[int]:
    """Cuts where columns are full."""
    found: list[int] = []
    start = 0
    for rank in range(1, len(tops)):
        if bottoms[rank] - tops[start] > limit and lines[rank - 1]:
            found.append(rank - 1)
            start = rank
    return found
