"""What Transformers have around attention: positions, a class token, learned scales."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Flag, Integer, Number
from cnndsl.layers.base import (
    FROZEN,
    L2,
    STD,
    Condition,
    Example,
    Inferred,
    Layer,
    Operation,
    Setup,
    Weight,
    WeightedLayer,
    Window,
    init_argument,
)
from cnndsl.layers.code import SELF, Call, Code, Slice, Subscript, Support, X, call
from cnndsl.shape import Shape

FAMILY = "attention and sequence"


class PositionEmbedding(WeightedLayer):
    """Position embedding: adds a vector to every position that tells it from the others; learned, and started normal
    with deviation 0.02 as torchvision's ViT does. `sincos` adds fixed ones.

    `sincos` at position p, for channels 2i and 2i + 1 of C: sin and cos of p / 10000^(2i / C) (Vaswani et al. 2017,
    section 3.5). It is for sequences; learned ones go on maps as well.

    PyTorch has no such module; the written file holds a small one. Its parameter, or with `sincos` its buffer, is
    `weight` of 1 x length x channels, like torchvision's `pos_embedding`.

    Surprises: behind `clstoken` the class token has a position too. The length is that of the input: a network with
    it takes no other.
    """

    kind = "posembed"
    family = FAMILY
    arguments = (
        Argument("sincos", Flag(), default=False, help="fixed sines and cosines instead of learned numbers"),
        init_argument("default", "normal", "trunc_normal", "zeros", default="normal with deviation 0.02"),
        STD,
        FROZEN,
        L2,
    )
    examples = (
        Example("posembed", "197x768"),
        Example("posembed sincos", "50x8"),
        Example("posembed sincos", "6x5"),
        Example("posembed init=trunc_normal std=0.01", "7x5x4"),
        Example("posembed init=zeros frozen", "9x4"),
    )

    sincos: bool

    def learned(self) -> tuple[str, ...]:
        return () if self.sincos else ("weight",)

    def infer(self, *inputs: Shape) -> Inferred:
        return Inferred((self.take_sequence(inputs[0]) if self.sincos else self.take_map(inputs[0]),))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (1, *inputs[0].sizes)
        return (Weight("weight", shape, "buffer") if self.sincos else self.parameter("weight", shape),)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        n = inputs[0].elements
        return (Operation("position_embedding", n, n),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        support = _SINUSOIDS if self.sincos else _POSITIONS
        return self.made(Call(SELF, (X,)), call(support.name, *inputs[0].sizes), inputs, (support,), layout="last")


class ClassToken(WeightedLayer):
    """Class token: puts one learned vector in front of a sequence, which becomes one longer (Devlin et al. 2019,
    Dosovitskiy et al. 2021). `token 0` takes it out again behind the attention layers.

    It starts at zero, as torchvision's ViT has it.

    PyTorch has no such module; the written file holds a small one. Its parameter is `weight` of 1 x 1 x channels, like
    torchvision's `class_token`.
    """

    kind = "clstoken"
    family = FAMILY
    arguments = (
        init_argument("default", "normal", "trunc_normal", "zeros", default="all zero"),
        STD,
        FROZEN,
        L2,
    )
    examples = (
        Example("clstoken", "196x768"),
        Example("clstoken init=trunc_normal std=0.02", "9x4"),
        Example("clstoken frozen", "5x3"),
    )

    def infer(self, *inputs: Shape) -> Inferred:
        length, channels = self.take_sequence(inputs[0]).sizes
        return Inferred((Shape((length + 1, channels)),))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (self.parameter("weight", (1, 1, inputs[0].channels)),)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("concat", inputs[0].elements, outputs[0].elements),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (Window(pad=1),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        module = call("ClassToken", inputs[0].channels)
        return self.made(Call(SELF, (X,)), module, inputs, (_CLASS_TOKEN,), layout="last")


class Token(Layer):
    """Token: one position of a sequence, as a vector. `token 0` is the first, a class token; `token -1` the last.

    PyTorch: `x[:, 0]`.
    """

    kind = "token"
    family = FAMILY
    arguments = (
        Argument("position", Integer(), positional=True, help="counted from 0, or from the end if it is negative"),
    )
    examples = (Example("token 0", "197x768"), Example("token -1", "9x4"), Example("token 3", "4x5"))

    position: int

    def infer(self, *inputs: Shape) -> Inferred:
        length, channels = self.take_sequence(inputs[0]).sizes
        values = {"position": self.position, "length": length, "last": length - 1}
        fewest = self.position + 1 if self.position >= 0 else -self.position
        condition = Condition(length, ">=", fewest, "PositionBeyondSequence", "position", values)
        return Inferred((Shape((channels,)),), (condition,))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("token", inputs[0].elements, outputs[0].elements),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        length = inputs[0].sizes[0]
        first = self.position if self.position >= 0 else length + self.position
        return (Window(1, length, pad=-first),)

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return ()

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(Subscript(X, (Slice(), self.position)), layout="last")


class LayerScale(WeightedLayer):
    """Layer scale: multiplies each channel by a learned number that starts small, at the end of a residual branch
    (Touvron et al. 2021, ConvNeXt).

    `layerscale 1e-6` starts them at 0.000001. Works on maps, sequences and vectors.

    PyTorch has no such module; the written file holds a small one. Its parameter is `weight` of the channels;
    torchvision's ConvNeXt has the same numbers as channels x 1 x 1.
    """

    kind = "layerscale"
    family = FAMILY
    arguments = (
        Argument("start", Number(), default=1e-6, positional=True, help="what every channel's scale starts at"),
        FROZEN,
        L2,
    )
    examples = (
        Example("layerscale 1e-6", "7x7x8"),
        Example("layerscale", "9x4"),
        Example("layerscale 0.1 frozen", "12"),
        Example("layerscale 0.1", "3x4x5x6"),
    )

    start: float

    def initial(self, *inputs: Shape) -> Setup:
        return Setup()

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (self.parameter("weight", (inputs[0].channels,)),)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        return (Operation("layer_scale", x.elements, x.elements, weights=x.channels, learned=self.learns()),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        layout = "last" if x.rank else "any"
        return self.made(Call(SELF, (X,)), call("LayerScale", x.channels, self.start), inputs, (_SCALE,), layout=layout)


_POSITIONS = Support(
    "PositionEmbedding",
    '''class PositionEmbedding(nn.Module):
    """Adds a learned vector to every position."""

    def __init__(self, *sizes):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(1, *sizes))

    def forward(self, x):
        return x + self.weight
''',
)

_SINUSOIDS = Support(
    "SinusoidalEmbedding",
    '''class SinusoidalEmbedding(nn.Module):
    """Adds sines and cosines of the position, of a wavelength for each pair of channels (Vaswani et al. 2017)."""

    def __init__(self, length, channels):
        super().__init__()
        rates = 10000 ** (-torch.arange(0, channels, 2) / channels)
        angles = torch.arange(length).unsqueeze(1) * rates
        pairs = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)
        self.register_buffer("weight", pairs[:, :channels].unsqueeze(0))

    def forward(self, x):
        return x + self.weight
''',
)

_CLASS_TOKEN = Support(
    "ClassToken",
    '''class ClassToken(nn.Module):
    """Puts one learned vector in front of a sequence."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x):
        return torch.cat([self.weight.expand(x.shape[0], -1, -1), x], 1)
''',
)

_SCALE = Support(
    "LayerScale",
    '''class LayerScale(nn.Module):
    """Multiplies each channel, the last axis, by a learned number."""

    def __init__(self, channels, start):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), start))

    def forward(self, x):
        return x * self.weight
''',
)
