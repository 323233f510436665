"""Attention."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Count, Flag, Number, Tensor
from cnndsl.layers.base import WHOLE, Condition, Example, Inferred, LayerError, Operation, Window
from cnndsl.layers.code import SELF, Code, Input, Subscript, Support, X, call
from cnndsl.layers.several import Named, SeveralWeights
from cnndsl.shape import Shape, Size


class Attention(SeveralWeights):
    """Multi-head attention: every position takes a weighted mean of all positions, the weights computed from what
    stands there (Vaswani et al. 2017).

    Queries, keys and values are linear maps of the input's channels, cut into `heads` equal parts; in each, the
    weights are softmax(queries * keys / sqrt(channels / heads)); a last linear map joins the heads. With the name of
    another sequence, keys and values come from that one (`attention 8 encoded`): cross-attention, as in a decoder.
    `causal` lets a position see itself and those before it alone.

    PyTorch: `nn.MultiheadAttention`, as torchvision's ViT has it.

    Surprises: the norm and the residual connection around it are layers of their own; a map becomes a sequence
    by `tokens`. MACs are those of the four linear maps and of both products, queries with keys and weights with
    values: some tools leave the products out. What `causal` hides counts as if it were computed.
    """

    kind = "attention"
    family = "attention and sequence"
    arguments = (
        Argument("heads", Count(), positional=True, unit="heads", help="how many parts the channels are cut into"),
        Argument(
            "to", Tensor(), default=None, positional=True, help="a sequence whose keys and values are attended to"
        ),
        Argument("dropout", Number(0, 1, below=True), default=0.0, help="share of attention weights that is zeroed"),
        Argument("causal", Flag(), default=False, help="positions see only themselves and those before them"),
        Argument("bias", Flag(), default=True, words={"nobias": False}, help="adds learned biases to the linear maps"),
        *SeveralWeights.common,
    )
    examples = (
        Example("attention 12", "197x768"),
        Example("attention 2 nobias", "9x8"),
        Example("attention 4 causal", "10x12"),
        Example("attention 4 dropout=0.1", "7x12"),
        Example("attention 2 causal dropout=0.2 frozen=weight", "5x4"),
        Example("attention 3 init=trunc_normal std=0.02 frozen=bias l2=1e-4", "9x12"),
        Example("attention 2 init=orthogonal frozen", "5x8"),
        Example("identity as encoded, conv 3x8, attention 2 encoded", "12x8"),
        Example("identity as encoded, conv 3x8, attention 2 encoded nobias frozen=weight", "12x6"),
    )

    heads: int
    to: str | None
    dropout: float
    causal: bool

    def check(self) -> None:
        super().check()
        if self.causal and self.to is not None:
            raise LayerError("Exclusive", "causal", kind=self.kind, first="causal", second="a named sequence")

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_sequence(inputs[0])
        if self.to is not None:
            self.take_sequence(inputs[1], "to")
        values = {"heads": self.heads, "channels": x.channels}
        return Inferred((x,), (Condition(x.channels, "%", self.heads, "HeadsDoNotDivide", "heads", values),))

    def named(self, *inputs: Shape) -> tuple[Named, ...]:
        c, other = inputs[0].channels, inputs[-1].channels
        maps = [Named("in_proj_weight", (3 * c, c))]
        if c != other:
            sizes = {"q": c, "k": other, "v": other}
            maps = [Named(f"{name}_proj_weight", (c, size)) for name, size in sizes.items()]
        if not self.bias:
            return (*maps, Named("out_proj.weight", (c, c)))
        return (*maps, Named("in_proj_bias", (3 * c,)), Named("out_proj.weight", (c, c)), Named("out_proj.bias", (c,)))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        x, memory = inputs[0], inputs[-1]
        maps: tuple[Operation, ...]
        if self.to is None:
            maps = self._map(x, 0, 3 * x.channels)
        elif memory.channels == x.channels:
            maps = (*self._map(x, 0, x.channels), *self._map(memory, 1, 2 * x.channels))
        else:
            maps = (*self._map(x, 0, x.channels), *(self._map(memory, 1, x.channels) * 2))
        length, other = x.sizes[0], memory.sizes[0]
        attend = Operation(
            "attention_dropout" if self.dropout else "attention",
            (length + 2 * other) * x.channels,
            x.elements,
            positions=self.heads * length,
            window=other,
        )
        return (*maps, attend, self._linear(x, x.channels))

    def _map(self, x: Shape, source: int, outputs: Size) -> tuple[Operation, ...]:
        """A linear map of an input, which PyTorch first copies with its positions before the batch."""
        return Operation("copy", x.elements, x.elements, source=source), self._linear(x, outputs)

    def _linear(self, x: Shape, outputs: Size) -> Operation:
        length = x.sizes[0]
        weights = x.channels * outputs
        return Operation(
            "linear", x.elements, length * outputs, length, weights, self.bias, learned=self.learns("weight")
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (WHOLE,)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        x, memory = inputs[0], inputs[-1]
        options: dict[str, Any] = {}
        if self.dropout:
            options["dropout"] = self.dropout
        if not self.bias:
            options["bias"] = False
        if memory.channels != x.channels:
            options.update(kdim=memory.channels, vdim=memory.channels)
        module = call("nn.MultiheadAttention", x.channels, self.heads, **options, batch_first=True)
        if self.causal:
            module = module._replace(function=_CAUSAL.name)
            return self.made(call(SELF, X), module, inputs, (_CAUSAL,), layout="last")
        other = X if self.to is None else Input(1)
        return self.made(
            Subscript(call(SELF, X, other, other, need_weights=False), (0,)), module, inputs, layout="last"
        )


_CAUSAL = Support(
    "CausalAttention",
    '''class CausalAttention(nn.MultiheadAttention):
    """Attention of a sequence to itself, in which no position sees those behind it."""

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], x.device, x.dtype)
        return super().forward(x, x, x, need_weights=False, attn_mask=mask, is_causal=True)[0]
''',
)
