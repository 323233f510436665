"""Lengths on paper for sizes of tensors: logarithmic, between a network's own extremes."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2

from cnndsl.record import Record

LEAST_STEP = 2.25
"""Points between a size and its half, at least: 3 pixels of 1/96 inch."""


class Scale(Record):
    """shortest: points for the smallest size, `low` (as a logarithm); step: points for each doubling."""

    shortest: float
    low: float
    step: float

    def __call__(self, size: int) -> float:
        """The length of a size in points."""
        return self.shortest + self.step * max(log2(max(size, 1)) - self.low, 0.0)


def scale(sizes: Iterable[int], shortest: float, longest: float, steepest: float) -> Scale:
    """From the smallest size at `shortest` points to the largest at `longest`, but from LEAST_STEP to `steepest` points
    a doubling: where sizes differ little they look alike, and where they differ much the picture grows."""
    known = [log2(max(size, 1)) for size in sizes] or [0.0]
    low, high = min(known), max(known)
    step = (longest - shortest) / (high - low) if high > low else steepest
    step = min(max(step, LEAST_STEP), max(steepest, LEAST_STEP))
    # Sizes that are nearly the same are large ones, not small ones.
    return Scale(max(shortest, longest - step * (high - low)), low, step)
