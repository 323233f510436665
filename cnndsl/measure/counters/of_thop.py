"""How thop's `profile` counts."""

from __future__ import annotations

from cnndsl.measure.counters.terms import (
    Counter,
    Step,
    Term,
    Terms,
    as_module,
    at_outputs,
    functions_unseen,
    if_function,
    inputs,
    no_rule,
    norm,
    outputs,
    products_unseen,
    recurrent_biases,
    steps,
    uncounted,
)
from cnndsl.measure.primitives import WINDOW_ATTENTION

_NORM = "thop counts 4 for each input of a norm, 2 without a scale"
_ADAPTIVE = "thop counts the window's cells and 1 for each output of an adaptive average pool"


def _adaptive(step: Step) -> int:
    """The mean window's cells, in floating point as thop has it, and 1 for each output."""
    ratio = 1.0
    for size, kept in zip(step.inputs[0].spatial, step.outputs[0].spatial, strict=True):
        ratio *= size / kept
    return int((ratio + 1) * step.operation.outputs)


def _softmax(step: Step) -> int:
    """Of n channels at a position n exponentials, n - 1 additions and n divisions."""
    return int(3 * step.operation.inputs - step.operation.positions)


def _linear(step: Step) -> int:
    """5 for each output in one dimension, 11 in two; thop warns that three are not implemented."""
    return int(step.operation.outputs) * {1: 5, 2: 11}.get(step.inputs[0].rank, 0)


_RECURRENT = (
    Term(recurrent_biases, "thop counts a recurrent layer's biases"),
    Term(steps(rnn=1, lstm=8, gru=7), "thop counts what gates do to single units: 1 a step in an RNN, 8 LSTM, 7 GRU"),
)

TERMS: Terms = {
    "connected_conv": (Term(uncounted, no_rule("thop")),),
    "rbf": (Term(uncounted, no_rule("thop")),),
    "subsample": (Term(uncounted, no_rule("thop")),),
    "deconv": (Term(at_outputs, "thop counts a transposed convolution's weights at each output, not input, position"),),
    "batch_norm": (Term(norm(4, 2), _NORM),),
    "layer_norm": (Term(norm(4, 2), _NORM),),
    "instance_norm": (Term(norm(4, 2), _NORM),),
    "prelu": (Term(inputs(), "thop counts 1 for each input of a PReLU"),),
    "softmax": (Term(_softmax, "thop counts 3 n - 1 for a softmax of n channels"),),
    "avg_pool": (Term(outputs(), "thop counts 1 for each output of an average pool"),),
    "adaptive_avg_pool": (Term(_adaptive, _ADAPTIVE),),
    "global_avg_pool": (Term(_adaptive, _ADAPTIVE),),
    "interpolate_nearest": (
        Term(as_module(outputs()), "thop counts 1 for each output of nearest-neighbour upsampling"),
    ),
    "interpolate_linear": (
        Term(as_module(_linear), "thop counts 5 for each output of linear and 11 of bilinear upsampling"),
    ),
    "interpolate_bicubic": (Term(as_module(outputs(259)), "thop counts 259 for each output of bicubic upsampling"),),
    "attention.linear": (Term(uncounted, no_rule("thop")),),
    "attention": (Term(uncounted, no_rule("thop")),),
    "attention_dropout": (Term(uncounted, no_rule("thop")),),
    **dict.fromkeys(WINDOW_ATTENTION, (Term(uncounted, products_unseen("thop")),)),
    "windowattention.linear": (Term(if_function(uncounted), functions_unseen("thop")),),
    "rnn": _RECURRENT,
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
}

COUNTER = Counter(
    "thop",
    "thop 0.1.1",
    "MACs",
    "multiply-accumulates, plus norms, softmax, average pools and upsampling, as far as they are modules",
    TERMS,
)
