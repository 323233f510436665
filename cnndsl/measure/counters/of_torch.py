"""How `torch.utils.flop_counter.FlopCounterMode` counts."""

from __future__ import annotations

from cnndsl.measure.counters.terms import TWICE, TWO, ZEROS, Counter, Term, Terms, core, dense_zeros, no_rule, uncounted
from cnndsl.measure.primitives import WINDOW_ATTENTION

TERMS: Terms = {
    "conv": TWICE,
    "deconv": TWICE,
    "linear": TWICE,
    "connected_conv": (Term(core, TWO), Term(dense_zeros(2), ZEROS)),
    "rbf": (Term(uncounted, no_rule("torch")),),
    "subsample": (Term(uncounted, no_rule("torch")),),
    "attention": TWICE,
    "attention_dropout": TWICE,
    **dict.fromkeys((*WINDOW_ATTENTION, "position_biases"), TWICE),
    "rnn": TWICE,
    "lstm": TWICE,
    "gru": TWICE,
}

COUNTER = Counter(
    "torch",
    "torch.utils.flop_counter of PyTorch 2.13",
    "FLOPs",
    "two for each multiply-accumulate of convolutions and matrix products, nothing else (on the meta device: of what a "
    "CPU does in one piece, attention's products and LSTMs, it sees nothing)",
    TERMS,
)
