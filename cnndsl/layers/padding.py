"""Padding and sliding windows: the arithmetic that convolution and pooling share.

References: PyTorch's documentation of `Conv2d` and `MaxPool2d` for the output sizes; TensorFlow's
description of SAME padding for `same` (output ceil(in / stride), the odd cell at the end).
"""

from __future__ import annotations

from typing import Any

from cnndsl.layers.base import Condition, LayerError, axes
from cnndsl.layers.code import Call, call
from cnndsl.shape import SPATIAL_AXES, Size, ceil_div, maximum

Pads = tuple[tuple[Size, Size], ...]
"""Per spatial axis, the cells added before and after."""


def reach(kernel: Size, dilation: Size) -> Size:
    """How many cells a dilated kernel spans."""
    return dilation * (kernel - 1) + 1


def resolve(
    pad: Any, spatial: tuple[Size, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Pads:
    """The cells that `pad`, as the Padding type gives it, adds on each side of each axis."""
    rank = len(spatial)
    if pad == "same":
        totals = (
            maximum((ceil_div(n, s) - 1) * s + reach(k, d) - n, 0)
            for n, k, s, d in zip(spatial, kernel, stride, dilation, strict=True)
        )
        return tuple((total // 2, total - total // 2) for total in totals)
    if pad and pad[0] == "sides":
        sides = pad[1]
        if len(sides) != 2 * rank:
            raise LayerError("WrongNumberOfSides", "pad", given=len(sides), rank=rank, wanted=2 * rank)
        return tuple((sides[2 * i], sides[2 * i + 1]) for i in range(rank))
    return tuple((p, p) for p in axes(pad, rank, "pad"))


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


def fits(
    spatial: tuple[Size, ...], pads: Pads, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Condition, ...]:
    """On every axis the padded input must be at least as large as the kernel reaches."""
    return tuple(
        Condition(
            n + before + after,
            ">=",
            reach(k, d),
            "WindowTooLarge",
            "kernel",
            {"axis": axis, "size": n, "before": before, "after": after, "kernel": k, "dilation": d, "stride": s},
        )
        for axis, n, (before, after), k, s, d in zip(
            SPATIAL_AXES[len(spatial)], spatial, pads, kernel, stride, dilation, strict=True
        )
    )


def slide(
    spatial: tuple[Size, ...], pads: Pads, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Size, ...]:
    """Positions of a window on each axis: floor((n + pads - reach) / stride) + 1."""
    return tuple(
        (n + before + after - reach(k, d)) // s + 1
        for n, (before, after), k, s, d in zip(spatial, pads, kernel, stride, dilation, strict=True)
    )
