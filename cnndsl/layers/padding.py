"""Padding and sliding windows: the arithmetic that convolution and pooling share.

References: PyTorch's documentation of `Conv2d` and `MaxPool2d` for the output sizes; TensorFlow's
description of SAME padding for `same` (output ceil(in / stride), the odd cell at the end).
"""

from __future__ import annotations

from typing import Any

from cnndsl.layers.base import Condition, LayerError, Window, axes
from cnndsl.layers.code import Call, call
from cnndsl.record import Record
from cnndsl.shape import SPATIAL_AXES, Size, ceil_div, maximum, minimum, named

Pads = tuple[tuple[Size, Size], ...]
"""Per spatial axis, the cells added before and after."""


def reach(kernel: Size, dilation: Size) -> Size:
    """How many cells a dilated kernel spans."""
    return dilation * (kernel - 1) + 1


def explicit(pad: Any, rank: int, argument: str = "pad") -> Pads:
    """The cells on each side of each axis that `pad`, as the Sides type gives it, asks for. Raises LayerError."""
    if pad[0] == "sides":
        sides = pad[1]
        if len(sides) != 2 * rank:
            raise LayerError(
                "WrongNumberOfSides", argument, name=argument, given=len(sides), rank=rank, wanted=2 * rank
            )
        return tuple((sides[2 * i], sides[2 * i + 1]) for i in range(rank))
    return tuple((p, p) for p in axes(pad, rank, argument))


def is_symmetric(pads: Pads) -> bool:
    """Whether PyTorch's own `padding=` can say it."""
    return all(before == after for before, after in pads)


def pad_call(tensor: Any, pads: Pads, **kwargs: Any) -> Call:
    """`F.pad` of a channels-first tensor (PyTorch lists the last axis first)."""
    flat = tuple(cell for before_after in reversed(pads) for cell in before_after)
    return call("F.pad", tensor, flat, **kwargs)


def compact(values: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number where all axes agree, as people write it."""
    return values[0] if len(set(values)) == 1 else values


class Sliding(Record):
    """A window on its way over the spatial axes: everything resolved, one value per axis.

    ceil: whether positions are rounded up, as PyTorch's `ceil_mode` does: a last window that is cut by
    the edge counts if it begins inside the input or the padding before it.
    """

    spatial: tuple[Size, ...]
    pads: Pads
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil: bool = False

    @staticmethod
    def over(
        spatial: tuple[Size, ...],
        pad: Any,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...] = (1,),
        ceil: bool = False,
    ) -> Sliding:
        """From arguments as their types give them. Raises LayerError."""
        rank = len(spatial)
        stride, dilation = axes(stride, rank, "stride"), axes(dilation, rank, "dilation")
        pads = same(spatial, kernel, stride, dilation) if pad == "same" else explicit(pad, rank)
        return Sliding(spatial, pads, kernel, stride, dilation, ceil)

    @property
    def padded(self) -> tuple[Size, ...]:
        """The input's spatial sizes with the padding."""
        return tuple(n + before + after for n, (before, after) in zip(self.spatial, self.pads, strict=True))

    @property
    def reaches(self) -> tuple[Size, ...]:
        """How many cells the window spans on each axis."""
        return tuple(reach(k, d) for k, d in zip(self.kernel, self.dilation, strict=True))

    def positions(self) -> tuple[Size, ...]:
        """Positions of the window on each axis: floor((n + pads - reach) / stride) + 1."""
        free = tuple(n - r for n, r in zip(self.padded, self.reaches, strict=True))
        if not self.ceil:
            return tuple(f // s + 1 for f, s in zip(free, self.stride, strict=True))
        starts = (ceil_div(n + p[0], s) for n, p, s in zip(self.spatial, self.pads, self.stride, strict=True))
        return tuple(minimum(ceil_div(f, s) + 1, start) for f, s, start in zip(free, self.stride, starts, strict=True))

    def fits(self, argument: str = "kernel") -> tuple[Condition, ...]:
        """On every axis there must be at least one position."""
        return tuple(
            Condition(
                n + before + after + (s - 1 if self.ceil else 0),
                ">=",
                r,
                "WindowTooLarge",
                argument,
                {"axis": axis, "size": n, "before": before, "after": after, "reach": r, "stride": s, "ceil": self.ceil},
            )
            for axis, n, (before, after), r, s in zip(
                SPATIAL_AXES[len(self.spatial)], self.spatial, self.pads, self.reaches, self.stride, strict=True
            )
        )

    def windows(self) -> tuple[Window, ...]:
        """What one output sees along each axis."""
        return tuple(
            Window(k, s, d, before)
            for k, s, d, (before, _) in zip(self.kernel, self.stride, self.dilation, self.pads, strict=True)
        )


def spread(kernel: int, stride: int, dilation: int, before: int) -> Window:
    """What one output of a transposed convolution sees, `before` of whose cells are cut off.

    With the inputs `stride` cells apart and nothing between, it is a convolution with stride 1; inputs and
    kernel cells meet every stride / gcd(stride, dilation) kernel cells.
    """
    from math import gcd

    common = gcd(stride, dilation)
    size = (kernel - 1) // (stride // common) + 1
    far = dilation * (kernel - 1)
    slack = min(far - dilation // common * (size - 1) * stride, stride - 1)
    return Window(size, 1, dilation // common, (far - before) // stride, stride, slack)


def same(
    spatial: tuple[Size, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Pads:
    """The cells that make ceil(n / stride) positions, the odd one after (TensorFlow's SAME)."""
    totals = (
        named("padding", maximum((ceil_div(n, s) - 1) * s + reach(k, d) - n, 0))
        for n, k, s, d in zip(spatial, kernel, stride, dilation, strict=True)
    )
    return tuple((total // 2, total - total // 2) for total in totals)
