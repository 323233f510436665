"""How torchinfo's `summary` counts."""

from __future__ import annotations

from cnndsl.measure.counters.terms import (
    Counter,
    Step,
    Term,
    Terms,
    at_outputs,
    biases,
    functions_unseen,
    if_function,
    no_rule,
    parameters,
    products_unseen,
    recurrent_biases,
    uncounted,
    unless_function,
)
from cnndsl.measure.primitives import WINDOW_ATTENTION

_BIASES = "torchinfo counts biases as well"
_ONCE = "torchinfo counts each parameter of a layer other than a convolution once, whatever it does"
_PARAMETERS = (Term(parameters, _ONCE),)
_ALL = (Term(uncounted, no_rule("torchinfo")),)


def _once(step: Step) -> int:
    """A matrix product's weights once, not at every position."""
    return -int(step.operation.weights * (step.operation.positions - 1))


def _bias_once(step: Step) -> int:
    op = step.operation
    return int(op.outputs // op.positions) if op.bias else 0


_ATTENTION = (
    Term(
        uncounted, "torchinfo counts modules without parts alone, and nn.MultiheadAttention has one that it never calls"
    ),
)

TERMS: Terms = {
    "conv": (Term(biases, _BIASES),),
    "connected_conv": (Term(biases, _BIASES),),
    "deconv": (
        Term(at_outputs, "torchinfo counts a transposed convolution's weights at each output, not input, position"),
        Term(biases, _BIASES),
    ),
    "linear": (
        Term(_once, "torchinfo counts a linear layer's weights once, not at every position"),
        Term(_bias_once, _BIASES),
    ),
    "rbf": _ALL,
    "subsample": (Term(uncounted, _ONCE), Term(parameters, _ONCE)),
    "batch_norm": _PARAMETERS,
    "layer_norm": _PARAMETERS,
    "group_norm": _PARAMETERS,
    "instance_norm": _PARAMETERS,
    "rms_norm": _PARAMETERS,
    "prelu": _PARAMETERS,
    "embedding": _PARAMETERS,
    "layer_scale": _PARAMETERS,
    "position_embedding": _PARAMETERS,
    "clstoken.concat": _PARAMETERS,
    "attention.linear": _ATTENTION,
    "attention": _ATTENTION,
    "attention_dropout": _ATTENTION,
    **dict.fromkeys(WINDOW_ATTENTION, (Term(uncounted, products_unseen("torchinfo")),)),
    "windowattention.linear": (
        Term(unless_function(_once), "torchinfo counts a linear layer's weights once, not at every position"),
        Term(unless_function(_bias_once), _BIASES),
        Term(if_function(uncounted), functions_unseen("torchinfo")),
    ),
    "position_biases": (
        Term(_once, "torchinfo counts a linear layer's weights once, not at every position"),
        Term(lambda step: int(step.operation.links // step.operation.positions), _BIASES),
    ),
    "rnn": (Term(recurrent_biases, _BIASES),),
    "lstm": (Term(recurrent_biases, _BIASES),),
    "gru": (Term(recurrent_biases, _BIASES),),
}

COUNTER = Counter(
    "torchinfo",
    "torchinfo 1.8.0",
    "mult-adds",
    "every parameter of a convolution once for each output position, those of other layers once, with biases",
    TERMS,
)
