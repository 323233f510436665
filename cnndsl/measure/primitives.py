"""Tables over the primitive operations: what each counts for, and what training keeps of it.

A layer kind says which operations it consists of; everything that is counted is looked up here, so that a
new kind stays one class and a new way of counting one table.
"""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.layers.base import Operation
from cnndsl.record import Record
from cnndsl.shape import Size, maximum

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


def _products(op: Operation) -> Size:
    """Queries with keys, and weights with values: each output has a sum over all positions, and heads * length
    weights have a sum over a head's channels."""
    return 2 * op.outputs * op.window


def _steps(op: Operation) -> Size:
    """Links of recurrent sums: every weight and both biases at every step."""
    return op.weights * op.positions + op.links


WINDOW_ATTENTION = (
    "window_attention", "shifted_window_attention", "cosine_window_attention", "cosine_shifted_window_attention",
)  # fmt: skip
"""Attention within windows. Their `links` are the pairs of cells that meet."""

CORE_MACS: dict[str, Rule] = {
    "conv": _weighted,
    "connected_conv": _weighted,
    "deconv": _weighted,
    "linear": _weighted,
    "attention": _products,
    "attention_dropout": _products,
    **dict.fromkeys(WINDOW_ATTENTION, _products),
    "position_biases": _weighted,
    "rnn": _weighted,
    "lstm": _weighted,
    "gru": _weighted,
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
    "attention": _products,
    "attention_dropout": _products,
    **dict.fromkeys(WINDOW_ATTENTION, _products),
    "position_biases": _weighted,
    "rnn": _steps,
    "lstm": _steps,
    "gru": _steps,
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


class Keeps(Record):
    """What PyTorch's autograd keeps of one operation for the backward pass.

    input, output: whether it keeps the tensor that goes in, the one that comes out; both: the two that a merge
    combines. extra: other bytes for each example. once: other bytes for the whole batch.
    """

    input: bool = False
    output: bool = False
    both: bool = False
    extra: Rule | None = None
    once: Rule | None = None


def _indices(op: Operation) -> Size:
    """The cell that each maximum came from."""
    return INTEGER * op.outputs


def _statistics(op: Operation) -> Size:
    """Mean and inverse deviation of each group."""
    return 2 * FLOAT * op.positions


def _floats(op: Operation) -> Size:
    return FLOAT * op.outputs


def _attention_with_dropout(op: Operation) -> Size:
    """Scaled queries and keys, the weights, the mask, and the weights with the mask."""
    keys = (op.inputs - op.outputs) // 2
    return FLOAT * (op.outputs + keys + 3 * op.positions * op.window)


def _in_windows(op: Operation) -> Size:
    """Scaled queries, and keys and values each head by head, for which a single head needs no copy of all three; the
    weights."""
    return FLOAT * (op.inputs + (op.outputs if _heads(op) == 1 else 0) + op.positions * op.window)


def _by_angle(op: Operation) -> Size:
    """Queries, keys and values; two lengths of each query and key; both at length 1, and values head by head; the
    weights, and with a learned scale the angles."""
    copied = 2 * op.outputs if _heads(op) == 1 else 3 * op.outputs
    angles = op.positions * op.window if op.learned else 0
    return FLOAT * (op.inputs + 4 * op.positions + copied + op.positions * op.window + angles)


def _heads(op: Operation) -> int:
    return int(op.positions * op.window) // int(op.links)


def _mask(op: Operation) -> Size:
    """Which cells meet only because their rows or columns went around."""
    return op.links


def _scales(op: Operation) -> Size:
    """Each head's scale."""
    return FLOAT * _heads(op)


def _rnn(op: Operation) -> Size:
    """Its input, copied; the state before each step, and the last one."""
    return FLOAT * (op.inputs + op.outputs + op.outputs // op.positions)


def _gru(op: Operation) -> Size:
    """Its input, copied; three gates, what they are multiplied with, and the states."""
    return FLOAT * (op.inputs + 7 * op.outputs)


def _lstm(op: Operation) -> Size:
    """Its input, copied; its output; and oneDNN's workspace, whose size was measured: for each step and one more, six
    times the wider of input and state and nineteen halves of the state."""
    channels, units = op.inputs // op.positions, op.outputs // op.positions
    workspace = (op.positions + 1) * (6 * maximum(channels, units) + 19 * units // 2)
    return FLOAT * (op.inputs + op.outputs + workspace)


NOTHING = Keeps()
INPUT = Keeps(input=True)
OUTPUT = Keeps(output=True)
BOTH = Keeps(both=True)
MAXIMUM = Keeps(input=True, extra=_indices)

SAVED: dict[str, Keeps] = {
    # weighted sums
    "conv": INPUT,
    "connected_conv": Keeps(input=True, once=lambda op: FLOAT * op.links),  # the kernels with zeros between
    "deconv": INPUT,
    "linear": INPUT,
    "rbf": Keeps(extra=lambda op: FLOAT * op.weights),  # the differences from every centre
    "subsample": Keeps(input=True, extra=lambda op: FLOAT * op.outputs),  # the sums
    "embedding": INPUT,
    # attention (a logarithm for each query and head is kept) and recurrence
    "attention": Keeps(input=True, output=True, extra=lambda op: FLOAT * op.positions),
    "attention_dropout": Keeps(input=True, extra=_attention_with_dropout),
    "window_attention": Keeps(extra=_in_windows),
    "shifted_window_attention": Keeps(extra=_in_windows, once=_mask),
    "cosine_window_attention": Keeps(extra=_by_angle, once=_scales),
    "cosine_shifted_window_attention": Keeps(extra=_by_angle, once=lambda op: _mask(op) + _scales(op)),
    # The hidden units, and the biases for each pair of cells.
    "position_biases": Keeps(once=lambda op: FLOAT * (op.links + op.outputs // op.positions * op.window**2)),
    "layer_scale": INPUT,
    "rnn": Keeps(extra=_rnn),
    "lstm": Keeps(extra=_lstm),
    "gru": Keeps(extra=_gru),
    # pooling and sampling
    "max_pool": MAXIMUM,
    "global_max_pool": MAXIMUM,
    "adaptive_max_pool": MAXIMUM,
    "avg_pool": INPUT,
    "adaptive_avg_pool": INPUT,
    "divide": Keeps(once=lambda op: FLOAT * op.positions),
    # normalisation
    "batch_norm": Keeps(input=True, once=_statistics),
    "layer_norm": Keeps(input=True, extra=_statistics),
    "group_norm": Keeps(input=True, extra=_statistics),
    # PyTorch repeats the scale for each example.
    "instance_norm": Keeps(input=True, extra=lambda op: _statistics(op) + FLOAT * op.weights),
    "rms_norm": Keeps(input=True, extra=lambda op: FLOAT * (op.positions + (op.inputs if op.weights else 0))),
    # The squares, padded by size - 1 channels; their sums; and the power of those.
    "local_response_norm": Keeps(
        input=True, extra=lambda op: FLOAT * (op.inputs + (op.window - 1) * op.positions + 2 * op.inputs)
    ),
    "l2_norm": Keeps(input=True, extra=_statistics),  # the lengths, and those that were not too small
    # activations
    "relu": OUTPUT,
    "sigmoid": OUTPUT,
    "tanh": OUTPUT,
    "softmax": OUTPUT,
    "log_softmax": OUTPUT,
    "relu6": INPUT,
    "leaky_relu": INPUT,
    "prelu": INPUT,
    "elu": INPUT,
    "selu": INPUT,
    "celu": INPUT,
    "gelu": INPUT,
    "silu": INPUT,
    "mish": INPUT,
    "hardswish": INPUT,
    "hardsigmoid": INPUT,
    "softplus": INPUT,
    # regularisation: the masks
    "dropout": Keeps(extra=_floats),
    "drop_path": Keeps(extra=lambda op: FLOAT),
    "feature_dropout": Keeps(extra=lambda op: FLOAT * op.positions),
    "gaussian": Keeps(extra=lambda op: 2 * FLOAT * op.outputs),  # the deviations and the random numbers
    # shape
    "mirror_pad": INPUT,
    # merges
    "mul": BOTH,
    "max": BOTH,
    "abs": INPUT,
}
"""What training on a CPU keeps, in eager mode, at 32-bit floats (torch 2.13; the tests ask autograd itself). An
operation that is not here keeps nothing."""

SAVED_FROZEN: dict[str, Keeps] = {
    "linear": NOTHING,
    "embedding": NOTHING,
    "subsample": INPUT,
    "position_biases": NOTHING,
    "layer_scale": NOTHING,
    "rms_norm": Keeps(input=True, extra=lambda op: FLOAT * op.positions),
}
"""The same where the operation's weight is not learned, as far as that differs."""

ESTIMATED = frozenset({"rnn", "lstm", "gru"})
"""Operations for which SAVED is an estimate: what they keep depends on the library that PyTorch calls."""

ONCE_A_BATCH = frozenset({"position_biases"})
"""Operations that are computed once for a batch, whatever its size."""

VIEWS = frozenset({"identity", "flatten", "reshape", "permute", "slice", "crop", "tokens", "token"})
"""Operations whose output shares the input's memory. (PyTorch must copy where a flatten, a reshape or a matrix
product meets a tensor whose axes were swapped before.)"""


TRAINING_ALONE = frozenset({"dropout", "feature_dropout", "drop_path", "noise", "gaussian"})
"""Operations that give their input itself in evaluation."""

INDEXED = frozenset({"max_pool", "global_max_pool", "adaptive_max_pool"})
"""Operations that make an index for each output on a CPU, wanted or not."""

SIZE_ALONE = frozenset({"crop", "interpolate_nearest", "interpolate_linear", "interpolate_bicubic"})
"""Operations that take cells of the first input alone: a second one (`to=x`) only lends its size."""


class Saved(Record):
    """What one operation keeps; `extra` in bytes for each example, `once` in bytes for a batch of any size."""

    input: bool
    output: bool
    both: bool
    extra: Size
    once: Size


def saved(op: Operation) -> Saved:
    """What training keeps of one operation for the backward pass."""
    table = SAVED if op.learned or op.primitive not in SAVED_FROZEN else SAVED_FROZEN
    keeps = table.get(op.primitive, NOTHING)
    extra = keeps.extra(op) if keeps.extra else 0
    once = keeps.once(op) if keeps.once else 0
    return Saved(keeps.input, keeps.output, keeps.both, extra, once)
