"""Tables over the primitive operations: what each counts for, and what training keeps of it.

A layer kind says which operations it consists of; everything that is counted is looked up here, so that a
new kind stays one class and a new way of counting one table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cnndsl.layers.base import Operation
from cnndsl.shape import Size

Rule = Callable[[Operation], Size]

FLOAT, INTEGER = 4, 8
"""Bytes of a 32-bit float, and of PyTorch's indices."""


def _weighted(op: Operation) -> Size:
    return op.weights * op.positions


def _units(op: Operation) -> Size:
    """Links of weighted sums: one for each use of a weight, one for the bias of each output."""
    return op.weights * op.positions + (op.outputs if op.bias else 0)


def _windows(op: Operation) -> Size:
    return op.outputs * op.window


CORE_MACS: dict[str, Rule] = {
    "conv": _weighted,
    "connected_conv": _weighted,
    "deconv": _weighted,
    "linear": _weighted,
    "rbf": _weighted,
    "subsample": lambda op: op.outputs,
}
"""Multiply-accumulates of one example, biases apart. A transposed convolution uses each weight once per *input*
position. Everything else (norms, pools, activations, interpolation) counts 0, as in published tables."""

CONNECTIONS: dict[str, Rule] = {
    "conv": _units,
    "connected_conv": _units,
    "deconv": _units,
    "linear": _units,
    "rbf": _weighted,
    "subsample": lambda op: op.outputs * (op.window + 1),
    "max_pool": _windows,
    "avg_pool": _windows,
    "global_max_pool": _windows,
    "global_avg_pool": _windows,
    "adaptive_max_pool": lambda op: op.links,
    "adaptive_avg_pool": lambda op: op.links,
    "interpolate_linear": _windows,
    "interpolate_bicubic": _windows,
}
"""Links into units, biases included, as LeCun et al. 1998 count them: 340,908 in LeNet-5. What only moves, scales or
bends single cells makes no links."""


def core_macs(op: Operation) -> Size:
    """Multiply-accumulates of one operation on one example."""
    rule = CORE_MACS.get(op.primitive)
    return rule(op) if rule else 0


def connections(op: Operation) -> Size:
    """Links into units of one operation on one example."""
    rule = CONNECTIONS.get(op.primitive)
    return rule(op) if rule else 0


class Saved(NamedTuple):
    input: bool = False
    output: bool = False
    extra: Size = 0
    once: Size = 0

VIEWS = frozenset({"identity","flatten","reshape","permute","slice","crop","tokens"})
def saved(op: Operation) -> Saved:
    return Saved()
