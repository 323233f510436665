"""How torchinfo's `summary` counts."""

from __future__ import annotations

from cnndsl.measure.counters.terms import (
    Counter,
    Step,
    Term,
    Terms,
    at_outputs,
    biases,
    no_rule,
    parameters,
    recurrent_biases,
    uncounted,
)

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
