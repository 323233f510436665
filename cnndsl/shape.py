"""Shapes, and the integer arithmetic that shape rules may use.

Sizes are written as people say them, channels last: `28x28x6` is height x width x channels. A rule
computes with `+ - * //`, comparison-free, so that the same rule takes Python integers, NumPy vectors
(every input size at once) and symbols; the functions below are all it needs besides.
"""

from __future__ import annotations

from typing import Any

from cnndsl.record import Record

Size = Any
"""An `int`, a NumPy integer vector, or a symbol with integer arithmetic."""

AXES = {
    1: ("channels",),
    2: ("length", "channels"),
    3: ("height", "width", "channels"),
    4: ("depth", "height", "width", "channels"),
}
SPATIAL_AXES = {rank: axes[:-1] for rank, axes in ((len(a) - 1, a) for a in AXES.values())}


class Shape(Record):
    """The shape of one tensor without its batch axis, channels last.

    `tokens` marks a sequence of integers (`input L tokens`): its only axis is its length. `plane` marks
    a tensor of indices, as max pooling makes: the spatial sizes of the map that they point into.
    """

    sizes: tuple[Size, ...]
    tokens: bool = False
    plane: tuple[Size, ...] = ()

    @property
    def spatial(self) -> tuple[Size, ...]:
        """All sizes but the channels'."""
        return self.sizes if self.tokens else self.sizes[:-1]

    @property
    def channels(self) -> Size:
        return 1 if self.tokens else self.sizes[-1]

    @property
    def rank(self) -> int:
        """How many spatial axes there are: 0 for a vector, 2 for an image."""
        return len(self.sizes) if self.tokens else len(self.sizes) - 1

    @property
    def axes(self) -> tuple[str, ...]:
        return ("length",) if self.tokens else AXES[len(self.sizes)]

    @property
    def elements(self) -> Size:
        return product(self.sizes)

    def __str__(self) -> str:
        return "x".join(str(size) for size in self.sizes)


def product(sizes: tuple[Size, ...]) -> Size:
    result = 1
    for size in sizes:
        result = result * size
    return result


def ceil_div(a: Size, b: Size) -> Size:
    """The quotient rounded up."""
    return -(-a // b)


def maximum(a: Size, b: Size) -> Size:
    """The larger, without a comparison (exact for integers of any kind)."""
    return (a + b + abs(a - b)) // 2


def minimum(a: Size, b: Size) -> Size:
    """The smaller, without a comparison (exact for integers of any kind)."""
    return (a + b - abs(a - b)) // 2


def named(name: str, value: Size) -> Size:
    """The same value; a number that knows how it was computed goes on under this name, in which it is explained."""
    return value.known_as(name) if hasattr(value, "known_as") else value
