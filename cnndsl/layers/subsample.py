"""The trainable subsampling of LeNet-5."""

from __future__ import annotations

from cnndsl.layers.base import (
    FROZEN,
    L2,
    STD,
    Example,
    Inferred,
    Operation,
    Weight,
    WeightedLayer,
    Window,
    init_argument,
)
from cnndsl.layers.code import SELF, Call, Code, Support, X, call
from cnndsl.layers.padding import compact
from cnndsl.layers.pool import KERNEL, STRIDE, Windowed
from cnndsl.shape import Shape, Size, product


class Subsample(Windowed, WeightedLayer):
    """Trainable subsampling: the sum of a window, times a learned coefficient, plus a learned bias, one of each a map.

    y = weight[c] * (sum of the window) + bias[c] (LeCun et al. 1998, section II.B). No squashing is inside:
    LeNet-5 follows it with a sigmoid-like function, so write `subsample 2, tanh scaled`. The coefficient
    starts at 1 / cells of the window, a mean, unless `init=` says otherwise.

    PyTorch has no such module; the written file holds a small one.

    Surprises: `pool 2 avg` is what is mostly used in its place; it has nothing to learn.
    """

    kind = "subsample"
    arguments = (
        KERNEL,
        STRIDE,
        init_argument("default", "lecun", "normal", "zeros"),
        STD,
        FROZEN,
        L2,
    )
    examples = (
        Example("subsample 2", "28x28x6"),
        Example("subsample 2 init=lecun", "10x10x16"),
        Example("subsample 3x2 /2", "9x8x4"),
        Example("subsample 2 frozen=bias init=normal std=0.1", "16x3"),
        Example("subsample 2 frozen init=zeros", "4x4x6x2"),
    )

    def learned(self) -> tuple[str, ...]:
        return ("weight", "bias")

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        sliding = self.sliding(x)
        return Inferred((Shape((*sliding.positions(), x.channels)),), sliding.fits())

    def fan_in(self, *inputs: Shape) -> Size:
        return product(self.sides(inputs[0]))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = (inputs[0].channels,)
        return self.parameters(channels, channels)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,), (y,) = inputs, outputs
        return (
            Operation("subsample", x.elements, y.elements, bias=True, window=self.fan_in(x), learned=self.learns()),
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return self.sliding(inputs[0]).windows()

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        support = _subsample(x.rank)
        module = call(support.name, x.channels, compact(self.sides(x)), **self.step_options(x))
        return self.made(Call(SELF, (X,)), module, inputs, (support,))


def _subsample(rank: int) -> Support:
    return Support(
        f"Subsample{rank}d",
        f'''class Subsample{rank}d(nn.Module):
    """The sum of each window, times a coefficient, plus a bias: one of each for every channel (LeCun et al. 1998)."""

    def __init__(self, channels, kernel_size, stride=None):
        super().__init__()
        self.kernel_size = (kernel_size,) * {rank} if isinstance(kernel_size, int) else kernel_size
        self.stride = self.kernel_size if stride is None else stride
        self.cells = torch.Size(self.kernel_size).numel()
        self.weight = nn.Parameter(torch.full((channels,), 1 / self.cells))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        total = self.cells * F.avg_pool{rank}d(x, self.kernel_size, self.stride)
        return total * self.weight.view(-1, {", ".join("1" * rank)}) + self.bias.view(-1, {", ".join("1" * rank)})
''',
    )
