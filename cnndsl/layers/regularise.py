"""Noise that only training sees."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Flag, Number
from cnndsl.layers.base import Elementwise, Example, Inferred, Operation
from cnndsl.layers.code import SELF, Call, Code, Support, X, call
from cnndsl.shape import Shape


class Dropout(Elementwise):
    """Dropout: in training each cell is zeroed with probability p, the others are divided by 1 - p (Srivastava et al.
    2014).

    `spatial` zeroes whole channels (Tompson et al. 2015).

    PyTorch: `nn.Dropout`; `nn.Dropout1d`, `nn.Dropout2d`, `nn.Dropout3d` with `spatial`.

    Surprises: the number is the share that is dropped; TensorFlow 1 gave the share that is kept. Nothing is
    scaled in evaluation.
    """

    kind = "dropout"
    family = "regularisation"
    arguments = (
        Argument("p", Number(0, 1, below=True), default=0.5, positional=True, help="share of cells that is zeroed"),
        Argument("spatial", Flag(), default=False, help="zeroes whole channels"),
    )
    examples = (
        Example("dropout 0.5", "84"),
        Example("dropout", "8x8x4"),
        Example("dropout 0.1 spatial", "8x8x4"),
        Example("dropout 0.2 spatial", "12x4"),
        Example("dropout 0.2 spatial", "3x4x5x4"),
        Example("dropout 0", "9"),
    )

    p: float
    spatial: bool

    def infer(self, *inputs: Shape) -> Inferred:
        return Inferred((self.take_map(inputs[0]) if self.spatial else self.take(inputs[0]),))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        if self.spatial and self.p:
            return (Operation("feature_dropout", x.elements, x.elements, x.channels),)
        return (Operation("dropout" if self.p else "identity", x.elements, x.elements),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        name = f"nn.Dropout{inputs[0].rank}d" if self.spatial else "nn.Dropout"
        module = call(name) if self.p == 0.5 else call(name, self.p)
        return Code(Call(SELF, (X,)), (("", module),), layout="first" if self.spatial else "any")


class DropPath(Elementwise):
    """Drop path, or stochastic depth: in training a whole example is zeroed with probability p, the others are divided
    by 1 - p (Huang et al. 2016). At the end of a residual branch it skips the branch.

    PyTorch has no such module; the written file holds a small one, which does what torchvision's
    `StochasticDepth(p, "row")` does.

    Surprises: the number is the share that is dropped, where the paper gives the share that survives. Nothing is
    scaled in evaluation.
    """

    kind = "droppath"
    family = "regularisation"
    arguments = (
        Argument("p", Number(0, 1, below=True), positional=True, help="share of examples whose branch is dropped"),
    )
    examples = (
        Example("droppath 0.1", "8x8x4"),
        Example("droppath 0.5", "9x4"),
        Example("droppath 0.2", "12"),
        Example("droppath 0", "12"),
    )

    p: float

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        return (Operation("drop_path" if self.p else "identity", x.elements, x.elements),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        if not self.p:
            return Code(X, layout="any")
        return Code(Call(SELF, (X,)), (("", call("DropPath", self.p)),), (_DROP_PATH,), layout="any")


class Noise(Elementwise):
    """Gaussian noise: in training a normal number with the given deviation is added to each cell.

    PyTorch has no such module; the written file holds a small one. Keras: GaussianNoise.
    """

    kind = "noise"
    family = "regularisation"
    arguments = (Argument("std", Number(minimum=0), positional=True, help="standard deviation of the noise"),)
    examples = (Example("noise 0.1", "8x8x4"), Example("noise 0.5", "10"))

    std: float

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(Call(SELF, (X,)), (("", call("GaussianNoise", self.std)),), (_NOISE,), layout="any")


_DROP_PATH = Support(
    "DropPath",
    '''class DropPath(nn.Module):
    """In training drops whole examples with probability p, and divides the others by 1 - p (Huang et al. 2016)."""

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        kept = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(1 - self.p)
        return x * kept.div_(1 - self.p)
''',
)

_NOISE = Support(
    "GaussianNoise",
    '''class GaussianNoise(nn.Module):
    """Adds normal noise in training."""

    def __init__(self, std):
        super().__init__()
        self.std = std

    def forward(self, x):
        return x + self.std * torch.randn_like(x) if self.training else x
''',
)
