"""How ptflops' `get_model_complexity_info` counts, with its default backend."""

from __future__ import annotations

from cnndsl.measure.counters.terms import (
    INSIDE_LRN,
    Counter,
    Term,
    Terms,
    as_module,
    biases,
    inputs,
    inside_lrn,
    no_rule,
    norm,
    outputs,
    uncounted,
)

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
}

COUNTER = Counter(
    "ptflops",
    "ptflops 0.7.5",
    "MACs",
    "multiply-accumulates, plus biases, norms, upsampling, activations and pools, most of the last two twice",
    TERMS,
)
