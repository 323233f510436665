"""Sizes as vectors: one number for every size of an input that is examined, with the arithmetic of shape rules."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

LARGEST = 1 << 62
"""Beyond this, vectors hold Python's integers, which have no limit."""

SEVERAL = -1
"""The dimension of a size that depends on several."""

Array: TypeAlias = np.ndarray[Any, Any]


class Coupled(Exception):  # noqa: N818 (not an error: the question has to be asked in another way)
    """What was to be decided for one axis depends on several at once; the argument, if there is one, is the layer."""


class Sizes:
    """A size at every point of one dimension of a domain: what a size is called where an input's may vary.

    values: a NumPy vector; None where the size depends on several dimensions (a product of height and width): then
    `parts` are the operation and what it was made of. dim: the number of the dimension. Equal sizes that went through
    `Interned` are one object, so that they compare as such.
    """

    __slots__ = ("bound", "dim", "parts", "values")

    def __init__(self, values: Array | None, dim: int, bound: int | None = None, parts: tuple[Any, ...] = ()) -> None:
        self.values = values
        self.dim = dim
        self.bound = _bound(values) if bound is None else bound
        self.parts = parts

    def __str__(self) -> str:
        return "n"

    def __add__(self, other: Any) -> Any:
        return _combined(np.add, self, other, self.bound + _bound_of(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if other is self:
            return 0
        return _combined(np.subtract, self, other, self.bound + _bound_of(other))

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int) and other == 0:
            return 0
        return _combined(np.multiply, self, other, self.bound * _bound_of(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        return _combined(np.floor_divide, self, other, self.bound + 1)

    def __mod__(self, other: Any) -> Any:
        return _combined(np.remainder, self, other, _bound_of(other))

    def __neg__(self) -> Any:
        return self * -1

    def __abs__(self) -> Any:
        if self.values is None:
            return Sizes(None, SEVERAL, self.bound, (np.maximum, self, -self))
        return Sizes(np.abs(self.values), self.dim, self.bound)


def _bound(values: Array | None) -> int:
    return 0 if values is None or not len(values) else int(np.abs(values).max())


def _bound_of(other: Any) -> int:
    return other.bound if isinstance(other, Sizes) else abs(other)


def _combined(operation: Any, left: Sizes, right: Any, bound: int) -> Any:
    """The vector of results; without values where the two vary along different dimensions."""
    if not isinstance(right, (Sizes, int)):
        return NotImplemented
    first, second = left.values, right.values if isinstance(right, Sizes) else right
    if first is None or second is None or (isinstance(right, Sizes) and left.dim != right.dim):
        return Sizes(None, SEVERAL, bound, (operation, left, right))
    if bound >= LARGEST:
        return Sizes(operation(first.astype(object), second), left.dim)
    return Sizes(operation(first, second), left.dim, bound)


def vector(size: Sizes) -> Array:
    """The values of a size. Raises Coupled if it depends on several dimensions."""
    if size.values is None:
        raise Coupled
    return size.values


def number(size: Any, point: tuple[int, ...]) -> int:
    """A size at one point."""
    if not isinstance(size, Sizes):
        return int(size)
    if size.values is not None:
        return int(size.values[point[size.dim]])
    operation, left, right = size.parts
    return int(_ON_INTEGERS[operation](number(left, point), number(right, point)))


_ON_INTEGERS: dict[Any, Any] = {
    np.add: lambda a, b: a + b,
    np.subtract: lambda a, b: a - b,
    np.multiply: lambda a, b: a * b,
    np.floor_divide: lambda a, b: a // b,
    np.remainder: lambda a, b: a % b,
    np.maximum: max,
}


def interval(size: Any, box: tuple[Array, ...]) -> tuple[int, int]:
    """Numbers between which a size lies at all points of a box; not always the nearest ones. Raises Coupled."""
    if not isinstance(size, Sizes):
        return size, size
    if size.values is not None:
        among = size.values[box[size.dim]]
        return int(among.min()), int(among.max())
    operation, left, right = size.parts
    if operation not in (np.add, np.subtract, np.multiply, np.maximum) and not (isinstance(right, int) and right > 0):
        raise Coupled
    if operation is np.remainder:
        return 0, right - 1
    (a, b), (c, d) = interval(left, box), interval(right, box)
    if operation is np.subtract:
        return a - d, b - c
    if operation is np.multiply:
        ends = (a * c, a * d, b * c, b * d)
        return min(ends), max(ends)
    apply = _ON_INTEGERS[operation]
    return apply(a, c), apply(b, d)


class Interned:
    """Makes equal vectors one object; a vector that is the same number everywhere becomes that number."""

    def __init__(self) -> None:
        self._known: dict[Any, Sizes] = {}

    def __call__(self, size: Any) -> Any:
        """The size that stands for all that are equal to it."""
        if not isinstance(size, Sizes):
            return size
        values = size.values
        if values is None:
            operation, *operands = size.parts
            parts = (operation, *map(self, operands))
            return self._known.setdefault(parts, Sizes(None, SEVERAL, size.bound, parts))
        if len(values) and values[0] == values[-1] and (values == values[0]).all():
            return int(values[0])
        key = (size.dim, tuple(values) if values.dtype == object else values.tobytes())
        if key not in self._known:
            # What was computed on the way to a size may be much larger than the size itself.
            self._known[key] = Sizes(values, size.dim)
        return self._known[key]
