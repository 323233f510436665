"""How calflops' `calculate_flops` counts."""

from __future__ import annotations

from typing import Any

from cnndsl.measure.counters.terms import (
    INSIDE_LRN,
    TWICE,
    TWO,
    ZEROS,
    Counter,
    Step,
    Term,
    Terms,
    biases,
    core,
    dense_zeros,
    hidden,
    inputs,
    inside_lrn,
    no_rule,
    norm,
    products_unseen,
    recurrent_biases,
    steps,
    uncounted,
)
from cnndsl.measure.primitives import WINDOW_ATTENTION
from cnndsl.shape import product

_BIASES = Term(biases, "calflops counts 1 for each bias of a convolution")
_NORM = "calflops counts 5 for each input of a layer, group or instance norm, 4 without a scale"
_ACTIVATION = (Term(inputs(), "calflops counts 1 for each input of an activation"),)
_POOL = (Term(inputs(), "calflops counts 1 for each input of a pool"),)


def _twice_divided(step: Step) -> int:
    """What is lost by dividing the output channels by the groups a second time."""
    groups = int(getattr(step.layer, "groups", 1))
    weights = int(step.operation.weights)
    per_filter = weights // (step.outputs[0].channels // groups)
    left = int(per_filter * (step.outputs[0].channels // groups // groups))
    return 2 * (left - weights) * int(step.operation.positions)


def _misplaced_biases(step: Step) -> int:
    """A bias for each position that a convolution, not a transposed one, would have, and each of a group's channels."""
    if not step.operation.bias:
        return 0
    spatial = step.inputs[0].spatial
    module = dict(step.layer.code(step.inputs, step.outputs).modules)[""]
    options: dict[str, Any] = dict(module.kwargs)
    kernel = _each(module.args[2], len(spatial))
    stride, dilation = (_each(options.get(name, 1), len(spatial)) for name in ("stride", "dilation"))
    pad = _each(options.get("padding", 0), len(spatial))
    sizes = (
        (n + 2 * p - (d * (k - 1) + 1)) // s + 1
        for n, k, s, d, p in zip(spatial, kernel, stride, dilation, pad, strict=True)
    )
    return int(product(tuple(sizes)) * (step.outputs[0].channels // options.get("groups", 1)))


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) * rank


def _upsampled(step: Step) -> int:
    """1 for each input; where a size was given, for each position of it, or of the one number that it was given as."""
    layer, sides = step.layer, step.outputs[0].spatial
    if getattr(layer, "to", None) is not None:
        return int(product(sides))
    if getattr(layer, "size", None) is not None:
        return int(sides[0]) if len(set(sides)) == 1 else int(product(sides))
    return int(step.operation.inputs)


_UPSAMPLE = (
    Term(_upsampled, "calflops counts 1 for each input of upsampling, or for each cell of the size that was given"),
)


def _one_less(step: Step) -> int:
    """Each gate has two sums, and a sum of n products has n - 1 additions."""
    return -2 * int(getattr(step.layer, "gates", 1) * step.operation.outputs)


_RECURRENT = (
    Term(core, TWO),
    Term(_one_less, "calflops counts one addition less than products in a recurrent layer's sums"),
    Term(recurrent_biases, "calflops counts a recurrent layer's biases"),
    Term(
        steps(rnn=1, lstm=10, gru=7),
        "calflops counts what gates do to single units: 1 a step in an RNN, 10 LSTM, 7 GRU",
    ),
)

TERMS: Terms = {
    "conv": (Term(core, TWO), _BIASES),
    "connected_conv": (Term(core, TWO), Term(dense_zeros(2), ZEROS), _BIASES),
    "linear": TWICE,
    "deconv": (
        Term(core, TWO),
        Term(_twice_divided, "calflops divides a transposed convolution's channels by its groups twice"),
        Term(
            _misplaced_biases, "calflops counts a transposed convolution's biases for the size that a convolution has"
        ),
    ),
    "rbf": (Term(uncounted, no_rule("calflops")),),
    "subsample": (
        Term(uncounted, no_rule("calflops")),
        Term(inputs(), "calflops counts the average pool inside a subsampling, 1 for each input"),
    ),
    "batch_norm": (Term(norm(2, 1), "calflops counts 2 for each input of a batch norm, 1 without a scale"),),
    "layer_norm": (Term(norm(5, 4), _NORM),),
    "group_norm": (Term(norm(5, 4), _NORM),),
    "instance_norm": (Term(norm(5, 4), _NORM),),
    "local_response_norm": (Term(inside_lrn, INSIDE_LRN),),
    "relu": _ACTIVATION,
    "prelu": _ACTIVATION,
    "elu": _ACTIVATION,
    "gelu": _ACTIVATION,
    "leaky_relu": _ACTIVATION,
    "silu": _ACTIVATION,
    "softmax": (Term(inputs(), "calflops counts 1 for each input of a softmax"),),
    "max_pool": _POOL,
    "avg_pool": _POOL,
    "global_max_pool": _POOL,
    "global_avg_pool": _POOL,
    "adaptive_max_pool": _POOL,
    "adaptive_avg_pool": _POOL,
    "interpolate_nearest": _UPSAMPLE,
    "interpolate_linear": _UPSAMPLE,
    "interpolate_bicubic": _UPSAMPLE,
    "attention": (Term(uncounted, products_unseen("calflops")),),
    "attention_dropout": (Term(uncounted, products_unseen("calflops")),),
    **dict.fromkeys(WINDOW_ATTENTION, (Term(uncounted, products_unseen("calflops")),)),
    "position_biases": (Term(core, TWO), Term(hidden(), "calflops counts 1 for each input of an activation")),
    "rnn": _RECURRENT,
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
}

COUNTER = Counter(
    "calflops",
    "calflops 0.3.2",
    "FLOPs",
    "two for each multiply-accumulate, plus convolutions' biases, norms, activations, pools and upsampling",
    TERMS,
)
