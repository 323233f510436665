"""How fvcore's `FlopCountAnalysis` counts."""

from __future__ import annotations

from cnndsl.measure.counters.terms import (
    ZEROS,
    Counter,
    Term,
    Terms,
    dense_zeros,
    inputs,
    no_rule,
    norm,
    of_rank,
    outputs,
    uncounted,
)

_FUSED = "fvcore has no rule for attention's two products, queries with keys and weights with values"

TERMS: Terms = {
    "connected_conv": (Term(dense_zeros(1), ZEROS),),
    "rbf": (Term(uncounted, no_rule("fvcore")),),
    "subsample": (Term(uncounted, no_rule("fvcore")),),
    "batch_norm": (Term(norm(2, 1), "fvcore counts 2 for each input of a batch norm, 1 without a scale"),),
    "layer_norm": (Term(norm(5, 4), "fvcore counts 5 for each input of a layer norm, 4 without a scale"),),
    "group_norm": (Term(norm(5, 4), "fvcore counts 5 for each input of a group norm, 4 without a scale"),),
    "instance_norm": (Term(norm(5, 4), "fvcore counts 5 for each input of an instance norm, 4 without a scale"),),
    "adaptive_avg_pool": (Term(of_rank(inputs(), 2), "fvcore counts 1 for each input of a 2-D adaptive average pool"),),
    "global_avg_pool": (Term(of_rank(inputs(), 2), "fvcore counts 1 for each input of a 2-D adaptive average pool"),),
    "interpolate_nearest": (
        Term(of_rank(outputs(), 2), "fvcore counts 1 for each output of 2-D nearest-neighbour upsampling"),
    ),
    "interpolate_linear": (Term(of_rank(outputs(4), 2), "fvcore counts 4 for each output of bilinear upsampling"),),
    "attention": (Term(uncounted, _FUSED),),
    "attention_dropout": (Term(uncounted, _FUSED),),
    "rnn": (Term(uncounted, no_rule("fvcore")),),
    "lstm": (Term(uncounted, no_rule("fvcore")),),
    "gru": (Term(uncounted, no_rule("fvcore")),),
}

COUNTER = Counter(
    "fvcore",
    "fvcore 0.1.5",
    "FLOPs",
    "one for each multiply-accumulate, plus norms, 2-D upsampling and 2-D adaptive average pools",
    TERMS,
)
