"""How ptflops' `get_model_complexity_info` counts, with its default backend."""

from __future__ import annotations

from cnndsl.measure.counters.terms import (
    INSIDE_LRN,
    Counter,
    Step,
    Term,
    Terms,
    as_module,
    biases,
    functions_unseen,
    hidden,
    if_function,
    inputs,
    inside_lrn,
    no_rule,
    norm,
    outputs,
    products_unseen,
    recurrent_biases,
    steps,
    uncounted,
    unless_function,
)
from cnndsl.measure.primitives import WINDOW_ATTENTION

_BIASES = (Term(biases, "ptflops counts 1 for each bias that is added"),)
_NORM = "ptflops counts 2 for each input of a norm, 1 without a scale"
_TWICE = "ptflops counts an activation twice, as the module and as the function that the module calls"
_ONCE = (Term(inputs(), "ptflops counts 1 for each input of an activation"),)
_ACTIVATION = (Term(inputs(2), _TWICE),)
_POOL = (
    Term(inputs(2), "ptflops counts every input of a pool twice, as the module and as the function that it calls"),
)
_UPSAMPLE = (
    Term(outputs(), "ptflops counts 1 for each output of F.interpolate"),
    Term(as_module(outputs()), "ptflops counts 1 for each output of nn.Upsample besides"),
)


def _attention_biases(step: Step) -> int:
    """Those of queries, keys and values if there are any; that of the output always."""
    (length, channels), (other, width) = step.inputs[0].sizes, step.inputs[-1].sizes
    maps = (length + 2 * other) * channels if getattr(step.layer, "bias", True) else 0
    return int(maps + length * width)


def _scaled_softmax(step: Step) -> int:
    """1 for each number of the queries, and for each weight."""
    length, channels = step.inputs[0].sizes
    return int(length * channels + step.operation.positions * step.operation.window)


def _other_width(step: Step) -> int:
    """What its formulas give beyond the products that are made, where the other sequence has other channels."""
    (length, channels), (other, width) = step.inputs[0].sizes, step.inputs[-1].sizes
    heads = int(step.operation.positions // length)
    maps = 2 * other * width * (width - channels) + length * (width * width - channels * channels)
    return int(maps + heads * length * other * (width // heads - channels // heads))


_ATTENTION = (
    Term(_attention_biases, "ptflops counts 1 for each bias that is added, attention's last one even if it has none"),
    Term(_scaled_softmax, "ptflops counts the scaling of attention's queries and its softmax"),
    Term(_other_width, "ptflops takes attention's maps to be as wide as the other sequence"),
)
_RECURRENT = (
    Term(recurrent_biases, "ptflops counts a recurrent layer's biases"),
    Term(
        steps(rnn=1, lstm=10, gru=7), "ptflops counts what gates do to single units: 1 a step in an RNN, 10 LSTM, 7 GRU"
    ),
)

TERMS: Terms = {
    "conv": _BIASES,
    "deconv": _BIASES,
    "linear": _BIASES,
    "connected_conv": (Term(uncounted, no_rule("ptflops")),),
    "rbf": (Term(uncounted, no_rule("ptflops")),),
    "subsample": (
        Term(uncounted, no_rule("ptflops")),
        Term(inputs(), "ptflops counts the average pool inside a subsampling, 1 for each input"),
    ),
    "batch_norm": (Term(norm(2, 1), _NORM),),
    "group_norm": (Term(norm(2, 1), _NORM),),
    "instance_norm": (Term(norm(2, 1), _NORM),),
    "layer_norm": (Term(inputs(), "ptflops counts 1 for each input of a layer norm"),),
    "local_response_norm": (Term(inside_lrn, INSIDE_LRN),),
    "relu": _ACTIVATION,
    "prelu": _ACTIVATION,
    "elu": _ACTIVATION,
    "gelu": _ACTIVATION,
    "relu6": _ONCE,
    "leaky_relu": _ONCE,
    "silu": _ONCE,
    "softmax": (Term(inputs(), "ptflops counts 1 for each input of a softmax"),),
    "max_pool": _POOL,
    "avg_pool": _POOL,
    "global_max_pool": _POOL,
    "global_avg_pool": _POOL,
    "adaptive_max_pool": _POOL,
    "adaptive_avg_pool": _POOL,
    "interpolate_nearest": _UPSAMPLE,
    "interpolate_linear": _UPSAMPLE,
    "interpolate_bicubic": _UPSAMPLE,
    "attention.linear": (),
    "attention": _ATTENTION,
    "attention_dropout": _ATTENTION,
    **dict.fromkeys(WINDOW_ATTENTION, (Term(uncounted, products_unseen("ptflops")),)),
    "windowattention.linear": (
        Term(unless_function(biases), "ptflops counts 1 for each bias that is added"),
        Term(if_function(uncounted), functions_unseen("ptflops")),
    ),
    "position_biases": (Term(hidden(), "ptflops counts 1 for each bias that is added"), Term(hidden(2), _TWICE)),
    "rnn": _RECURRENT,
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
}

COUNTER = Counter(
    "ptflops",
    "ptflops 0.7.5",
    "MACs",
    "multiply-accumulates, plus biases, norms, upsampling, activations and pools, most of the last two twice",
    TERMS,
)
