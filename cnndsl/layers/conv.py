"""Convolutions."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Count, Flag, ListOf, Padding, Sizes
from cnndsl.layers.base import (
    Condition,
    Example,
    Inferred,
    LayerError,
    Operation,
    Weight,
    WeightedLayer,
    Window,
    axes,
)
from cnndsl.layers.code import SELF, Call, Code, Module, Support, X, call
from cnndsl.layers.padding import Pads, compact, fits, is_symmetric, pad_call, resolve, slide
from cnndsl.shape import Shape, product

KERNEL = Argument("kernel", Sizes(), positional=True, unit="cells", help="sides of the kernel; their number is the rank")
STRIDE = Argument("stride", Sizes(), default=(1,), slash=True, unit="cells", help="step between positions, also `/2`")
DILATION = Argument("dilation", Sizes(), default=(1,), unit="cells", help="distance between the kernel's cells")
PAD = Argument("pad", Padding(), default=(0,), unit="cells", help="zeros around the input, or the word `same`")
BIAS = Argument("bias", Flag(), default=True, words={"nobias": False}, help="adds a learned bias per channel")


class _Convolution(WeightedLayer):
    """What convolutions share: a kernel that slides over the spatial axes."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    bias: bool

    def _rank(self, x: Shape) -> int:
        """The rank, once the kernel is known to fit the input's."""
        if x.tokens or x.rank != len(self.kernel):
            raise LayerError("WrongRank", "kernel", kind=self.kind, kernel=self.kernel, input=x)
        return x.rank


class Conv(_Convolution):
    """Convolution: every output channel is a weighted sum over a window of the input, slid over it.

    The number of kernel sides gives the rank: `9x16` is 1-D, `5x5x6` 2-D, `3x3x3x64` 3-D. Output size
    per axis: floor((n + padding - dilation * (kernel - 1) - 1) / stride) + 1.
    """

    kind = "conv"
    family = "convolution"
    pack = ("kernel", "channels")
    arguments = (
        KERNEL,
        Argument("channels", Count(), positional=True, unit="channels", help="number of output channels"),
        STRIDE,
        PAD,
        DILATION,
        Argument("groups", Count(), default=1, help="blocks of channels that don't see each other"),
        BIAS,
        Argument(
            "connect",
            ListOf(ListOf(Count(0), fewest=1)),
            default=(),
            help="for every output channel, the input channels it sees (LeNet-5's C3)",
        ),
        *WeightedLayer.common,
    )
    examples = (
        Example("conv 5x5x6", "32x32x1"),
        Example("conv 3x3x8 same", "7x9x4"),
        Example("conv 3x3x8 /2 same nobias", "8x11x4"),
        Example("conv 3x3x8 /2x1 pad=0x1 dilation=2", "12x11x4"),
        Example("conv 3x3x8 pad=[0, 1, 2, 3]", "8x8x4"),
        Example("conv 3x3x8 pad=1 groups=2", "8x8x4"),
        Example("conv 9x16 /2", "64x3"),
        Example("conv 3x3x3x4 same", "5x6x7x2"),
        Example("conv 3x3x3 connect=[[0, 1], [1, 2], [0, 1, 2]]", "6x6x3"),
    )

    channels: int
    groups: int
    connect: tuple[tuple[int, ...], ...]

    def _pads(self, x: Shape) -> Pads:
        rank = x.rank
        stride, dilation = axes(self.stride, rank, "stride"), axes(self.dilation, rank, "dilation")
        return resolve(self.pad, x.spatial, self.kernel, stride, dilation)

    def infer(self, x: Shape) -> Inferred:  # type: ignore[override]
        rank = self._rank(x)
        stride, dilation = axes(self.stride, rank, "stride"), axes(self.dilation, rank, "dilation")
        pads = self._pads(x)
        conditions = fits(x.spatial, pads, self.kernel, stride, dilation)
        divisible = {"groups": self.groups, "channels": self.channels, "inputs": x.channels}
        conditions += (
            Condition(x.channels, "%", self.groups, "GroupsDoNotDivide", "groups", divisible),
            Condition(self.channels, "%", self.groups, "GroupsDoNotDivide", "groups", divisible),
        )
        if self.connect:
            conditions += self._table_conditions(x)
        outputs = slide(x.spatial, pads, self.kernel, stride, dilation)
        return Inferred((Shape((*outputs, self.channels)),), conditions)

    def _table_conditions(self, x: Shape) -> tuple[Condition, ...]:
        if self.groups != 1:
            raise LayerError("ConnectWithGroups", "connect")
        if any(len(set(row)) != len(row) for row in self.connect):
            raise LayerError("ConnectTwice", "connect")
        highest = max(max(row) for row in self.connect)
        rows = {"rows": len(self.connect), "channels": self.channels}
        return (
            Condition(len(self.connect), "==", self.channels, "ConnectRows", "connect", rows),
            Condition(x.channels, ">=", highest + 1, "ConnectChannel", "connect", {"inputs": x.channels, "given": highest}),
        )

    def _kernels(self, x: Shape) -> int:
        """How many two-dimensional kernels there are: pairs of a connected input and output channel."""
        if self.connect:
            return sum(map(len, self.connect))
        return self.channels * (x.channels // self.groups)

    def weights(self, x: Shape) -> tuple[Weight, ...]:  # type: ignore[override]
        leading = (self._kernels(x),) if self.connect else (self.channels, x.channels // self.groups)
        weight = self.parameter("weight", (*leading, *self.kernel))
        return (weight, self.parameter("bias", (self.channels,))) if self.bias else (weight,)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,), (y,) = inputs, outputs
        pads = self._pads(x)
        padded = x.elements
        before: tuple[Operation, ...] = ()
        if not is_symmetric(pads):
            padded = product(tuple(n + sum(p) for n, p in zip(x.spatial, pads, strict=True))) * x.channels
            before = (Operation("pad", x.elements, padded),)
        weights = self._kernels(x) * product(self.kernel)
        return (*before, Operation("conv", padded, y.elements, product(y.spatial), weights, self.bias))

    def window(self, x: Shape) -> tuple[Window, ...]:  # type: ignore[override]
        stride, dilation = axes(self.stride, x.rank, "stride"), axes(self.dilation, x.rank, "dilation")
        return tuple(
            Window(k, s, d, before)
            for k, s, d, (before, _) in zip(self.kernel, stride, dilation, self._pads(x), strict=True)
        )

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        pads = self._pads(x)
        tensor: object = X
        options: dict[str, object] = {}
        if self.stride != (1,) * len(self.stride):
            options["stride"] = compact(self.stride)
        if not is_symmetric(pads):
            tensor = pad_call(X, pads)
        elif any(before for before, _ in pads):
            options["padding"] = compact(tuple(before for before, _ in pads))
        if self.dilation != (1,) * len(self.dilation):
            options["dilation"] = compact(self.dilation)
        if self.groups != 1:
            options["groups"] = self.groups
        if not self.bias:
            options["bias"] = False
        name, support = f"nn.Conv{x.rank}d", ()
        if self.connect:
            name, support = f"ConnectedConv{x.rank}d", (_connected(x.rank),)
            module = call(name, x.channels, self.connect, compact(self.kernel), **options)
        else:
            module = call(name, x.channels, self.channels, compact(self.kernel), **options)
        return Code(Call(SELF, (tensor,)), (("", module),), support)


def _connected(rank: int) -> Support:
    """A convolution that has only the kernels its connection table names."""
    return Support(
        f"ConnectedConv{rank}d",
        f'''class ConnectedConv{rank}d(nn.Module):
    """A convolution whose output channel `i` sees only the input channels `table[i]`.

    `weight` holds one kernel for each connection, in the table's order, and nothing for the others.
    """

    def __init__(self, in_channels, table, kernel_size, stride=1, padding=0, dilation=1, bias=True):
        super().__init__()
        kernel_size = (kernel_size,) * {rank} if isinstance(kernel_size, int) else kernel_size
        self.shape = (len(table), in_channels, *kernel_size)
        self.options = {{"stride": stride, "padding": padding, "dilation": dilation}}
        self.register_buffer("rows", torch.tensor([i for i, row in enumerate(table) for _ in row]), persistent=False)
        self.register_buffer("columns", torch.tensor([j for row in table for j in row]), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(self.rows), *kernel_size))
        self.bias = nn.Parameter(torch.empty(len(table))) if bias else None
        self.reset_parameters()

    def fan_in(self):
        """How many inputs a unit of each output channel has."""
        return torch.bincount(self.rows, minlength=self.shape[0]) * self.weight[0].numel()

    def reset_parameters(self):
        bounds = self.fan_in().rsqrt()
        with torch.no_grad():
            self.weight.uniform_(-1, 1).mul_(bounds[self.rows].view(-1, *[1] * {rank}))
            if self.bias is not None:
                self.bias.uniform_(-1, 1).mul_(bounds)

    def forward(self, x):
        weight = self.weight.new_zeros(self.shape)
        weight = weight.index_put((self.rows, self.columns), self.weight)
        return F.conv{rank}d(x, weight, self.bias, **self.options)
''',
    )
