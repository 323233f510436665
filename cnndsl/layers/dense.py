"""Weighted sums of whole vectors, and tables of vectors."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Count, Flag
from cnndsl.layers.base import (
    FROZEN,
    L2,
    STD,
    Condition,
    Example,
    Inferred,
    Operation,
    Setup,
    Weight,
    WeightedLayer,
    Window,
    init_argument,
)
from cnndsl.layers.code import SELF, Attribute, Call, Code, Subscript, X, call
from cnndsl.shape import Shape, Size, product

UNITS = Argument("units", Count(), positional=True, unit="units", help="number of outputs")
BIAS = Argument("bias", Flag(), default=True, words={"nobias": False}, help="adds a learned bias per output")


class _Sums(WeightedLayer):
    """What fully connected layers share."""

    family = "dense"
    arguments = (UNITS, BIAS, *WeightedLayer.common)

    units: int
    bias: bool

    def _module(self, inputs: int) -> Call:
        return call("nn.Linear", inputs, self.units, **({} if self.bias else {"bias": False}))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self.parameters((self.units, self.fan_in(*inputs)), (self.units,))


class Dense(_Sums):
    """Fully connected layer: every output is a weighted sum of all inputs, plus a bias.

    It flattens what it is given, in PyTorch's order: channel by channel, each row by row (CHW).

    PyTorch: `nn.Linear`, after `flatten(1)` where the input has positions.

    Surprises: Keras and TensorFlow flatten position by position (HWC), so their weights need reordering;
    Keras' Dense on a map works position by position, which is `linear` here.
    """

    kind = "dense"
    examples = (
        Example("dense 120", "5x5x16"),
        Example("dense 10", "84"),
        Example("dense 7 nobias", "6x4"),
        Example("dense 4 init=glorot", "2x3x2x3"),
        Example("dense 10 init=lecun frozen=bias", "5x5x2"),
        Example("dense 10 init=he l2=0.01", "12"),
        Example("dense 10 init=orthogonal nobias frozen", "12"),
        Example("dense 10 init=normal std=0.005", "12"),
    )

    def infer(self, *inputs: Shape) -> Inferred:
        self.take(inputs[0])
        return Inferred((Shape((self.units,)),))

    def fan_in(self, *inputs: Shape) -> Size:
        return inputs[0].elements

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        n = x.elements
        linear = Operation("linear", n, self.units, 1, n * self.units, self.bias, learned=self.learns())
        return (Operation("flatten", n, n), linear) if x.rank else (linear,)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(Window(n, n) for n in inputs[0].spatial)

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return ()

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        tensor = call(".flatten", X, 1) if inputs[0].rank else X
        return self.made(Call(SELF, (tensor,)), self._module(self.fan_in(*inputs)), inputs)


class Linear(_Sums):
    """Linear map of the channels, the same at every position: what `conv 1x1x…` does; on a vector, what `dense` does.

    PyTorch: `nn.Linear` on the last axis of a channels-last tensor.

    Surprises: Keras calls this Dense.
    """

    kind = "linear"
    examples = (
        Example("linear 64", "197x768"),
        Example("linear 12", "7x5x8"),
        Example("linear 3 nobias init=he", "20"),
        Example("linear 5 init=trunc_normal frozen", "3x4x5x2"),
    )

    def infer(self, *inputs: Shape) -> Inferred:
        return Inferred((Shape((*self.take(inputs[0]).spatial, self.units)),))

    def fan_in(self, *inputs: Shape) -> Size:
        return inputs[0].channels

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,), (y,) = inputs, outputs
        positions = product(x.spatial)
        weights = x.channels * self.units
        return (Operation("linear", x.elements, y.elements, positions, weights, self.bias, learned=self.learns()),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        layout = "last" if inputs[0].rank else "any"
        return self.made(Call(SELF, (X,)), self._module(self.fan_in(*inputs)), inputs, layout=layout)


class Embedding(WeightedLayer):
    """Embedding: looks up a learned vector for every token of a sequence.

    `embedding 18765x300`: tokens are integers from 0 to 18764, each gets 300 channels. The input is
    `input L tokens`. With `padding=0` the vector of token 0 is zero and stays zero.

    PyTorch: `nn.Embedding`.

    Surprises: PyTorch starts the vectors normal with deviation 1, Keras uniform within 0.05.
    """

    kind = "embedding"
    family = "dense"
    pack = ("vocabulary", "channels")
    takes_tokens = True
    arguments = (
        Argument("vocabulary", Count(), positional=True, unit="tokens", help="how many different tokens there are"),
        Argument("channels", Count(), positional=True, unit="channels", help="length of each token's vector"),
        Argument("padding", Count(0), default=None, help="a token whose vector is zero and is not learned"),
        init_argument("default", "glorot", "normal", "trunc_normal", "zeros"),
        STD,
        FROZEN,
        L2,
    )
    examples = (
        Example("embedding 100x16", "12 tokens"),
        Example("embedding 50x8 padding=0", "5 tokens"),
        Example("embedding 50x8 init=normal std=0.1 frozen", "7 tokens"),
        Example("embedding 50x8 init=glorot padding=3", "7 tokens"),
    )

    vocabulary: int
    channels: int
    padding: int | None

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take(inputs[0])
        conditions: tuple[Condition, ...] = ()
        if self.padding is not None:
            values = {"padding": self.padding, "vocabulary": self.vocabulary}
            conditions = (Condition(self.vocabulary, ">=", self.padding + 1, "PaddingToken", "padding", values),)
        return Inferred((Shape((*x.sizes, self.channels)),), conditions)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self.parameters((self.vocabulary, self.channels), ())

    def initial(self, *inputs: Shape) -> Setup:
        first = super().initial(*inputs)
        if self.padding is None or self.init == "default":
            return first
        row = Subscript(Attribute(SELF, "weight"), (self.padding,))
        return Setup((*first.calls, call("nn.init.zeros_", row)), first.support)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("embedding", inputs[0].elements, outputs[0].elements, learned=self.learns()),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        options = {} if self.padding is None else {"padding_idx": self.padding}
        module = call("nn.Embedding", self.vocabulary, self.channels, **options)
        return self.made(Call(SELF, (X,)), module, inputs, layout="last")
