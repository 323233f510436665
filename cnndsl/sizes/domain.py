"""What is examined: the axes of the inputs that vary, and the sizes that they take."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnndsl.record import Record
from cnndsl.sizes.vectors import Array, Sizes

MOST_PAIRS = 1 << 20
"""Combinations of the sizes of two axes that are examined one by one."""


class Axis(Record):
    """Something that varies: the axes of inputs that always have one size. `places`: each input's name, and the number
    of the axis in it. `name`: `height`, or `H` where the spec has a letter for it. `declared`: its size as written."""

    name: str
    places: tuple[tuple[str, int], ...]
    declared: int


class Domain(Record):
    """Points, each an assignment of sizes to the inputs. `dims`: for each dimension, the axes that vary along it, each
    with its size at every point of the dimension. `fixed`: the sizes of all inputs where nothing varies."""

    dims: tuple[tuple[tuple[Axis, Array], ...], ...]
    fixed: dict[str, tuple[int, ...]]

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many points each dimension has."""
        return tuple(len(dim[0][1]) for dim in self.dims)

    def inputs(self) -> dict[str, tuple[Any, ...]]:
        """The inputs' sizes, vectors where they vary."""
        found: dict[str, list[Any]] = {name: list(sizes) for name, sizes in self.fixed.items()}
        for number, dim in enumerate(self.dims):
            for axis, values in dim:
                for name, place in axis.places:
                    found[name][place] = Sizes(values, number)
        return {name: tuple(sizes) for name, sizes in found.items()}

    def at(self, point: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The inputs' sizes at one point: the number of a point of each dimension."""
        found = {name: list(sizes) for name, sizes in self.fixed.items()}
        for dim, index in zip(self.dims, point, strict=True):
            for axis, values in dim:
                for name, place in axis.places:
                    found[name][place] = int(values[index])
        return {name: tuple(sizes) for name, sizes in found.items()}

    def nearest(self, masks: tuple[Array, ...]) -> tuple[int, ...]:
        """A point of a box, the one that is nearest to the declared sizes."""
        point = []
        for dim, mask in zip(self.dims, masks, strict=True):
            axis, values = dim[0]
            among = np.flatnonzero(mask)
            point.append(int(among[np.argmin(np.abs(values[among] - axis.declared))]))
        return tuple(point)


def apart(axes: tuple[Axis, ...], sizes: Array, fixed: dict[str, tuple[int, ...]]) -> Domain:
    """Every axis for itself: all combinations of sizes."""
    return Domain(tuple(((axis, sizes),) for axis in axes), fixed)


def together(axes: tuple[Axis, ...], sizes: Array, fixed: dict[str, tuple[int, ...]]) -> Domain:
    """All axes of one size."""
    return Domain((tuple((axis, sizes) for axis in axes),), fixed)


def pairs(axes: tuple[Axis, ...], sizes: Array, fixed: dict[str, tuple[int, ...]]) -> Domain | None:
    """Two axes and all pairs of sizes as points of one dimension; None if that were too many."""
    if len(axes) != 2 or len(sizes) ** 2 > MOST_PAIRS:
        return None
    first, second = axes
    return Domain((((first, np.repeat(sizes, len(sizes))), (second, np.tile(sizes, len(sizes)))),), fixed)
