"""Convolutions."""

from __future__ import annotations

from cnndsl.layers import connected
from cnndsl.layers.arguments import Argument, Count, Flag, ListOf, Padding, Sizes
from cnndsl.layers.base import (
    FROZEN,
    L2,
    STD,
    WHITEN,
    Condition,
    Example,
    Inferred,
    LayerError,
    Operation,
    Setup,
    Weight,
    WeightedLayer,
    Window,
    axes,
    init_argument,
)
from cnndsl.layers.code import SELF, Attribute, Call, Code, Slice, Subscript, Support, X, call
from cnndsl.layers.padding import Pads, Sliding, compact, explicit, is_symmetric, pad_call, reach, spread
from cnndsl.shape import SPATIAL_AXES, Shape, Size, maximum, product

KERNEL = Argument("kernel", Sizes(), positional=True, unit="cells", help="the kernel's sides; their number is the rank")
CHANNELS = Argument("channels", Count(), positional=True, unit="channels", help="number of output channels")
STRIDE = Argument("stride", Sizes(), default=(1,), slash=True, unit="cells", help="step between positions, also `/2`")
DILATION = Argument("dilation", Sizes(), default=(1,), unit="cells", help="distance between the kernel's cells")
PAD = Argument("pad", Padding(), default=(0,), unit="cells", help="zeros around the input, or the word `same`")
GROUPS = Argument("groups", Count(), default=1, help="blocks of channels that don't see each other")
BIAS = Argument("bias", Flag(), default=True, words={"nobias": False}, help="adds a learned bias per channel")
_INITS = ("default", "lecun", "glorot", "he", "he_fan_out", "normal", "trunc_normal", "orthogonal", "zeros", "dirac")
INIT = init_argument(*_INITS)


class _Convolution(WeightedLayer):
    """What convolutions share: a kernel that slides over the spatial axes."""

    family = "convolution"
    common = (INIT, STD, FROZEN, L2)

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...] | tuple[str, tuple[int, ...]] | str
    dilation: tuple[int, ...]
    groups: int = 1
    bias: bool

    def take_map(self, x: Shape) -> Shape:
        """The input, once its rank is known to be the kernel's."""
        if self.take(x).rank != len(self.kernel):
            channels = self.__dict__.get("channels")
            raise LayerError("WrongRank", "kernel", kind=self.kind, kernel=self.kernel, channels=channels, input=x)
        return x

    def _sliding(self, x: Shape) -> Sliding:
        return Sliding.over(x.spatial, self.pad, self.kernel, self.stride, self.dilation)

    def _outputs(self, x: Shape) -> Size:
        """How many output channels there are."""
        return self.__dict__["channels"]

    def _divisible(self, inputs: Size, outputs: Size) -> tuple[Condition, ...]:
        values = {"kind": self.kind, "name": "groups", "groups": self.groups, "inputs": inputs, "outputs": outputs}
        return tuple(
            Condition(channels, "%", self.groups, "GroupsDoNotDivide", "groups", values)
            for channels in (inputs, outputs)
        )

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        sliding = self._sliding(x)
        output = Shape((*sliding.positions(), self._outputs(x)))
        return Inferred((output,), (*sliding.fits(), *self._channel_conditions(x)))

    def _channel_conditions(self, x: Shape) -> tuple[Condition, ...]:
        return self._divisible(x.channels, self._outputs(x))

    def _kernels(self, x: Shape) -> Size:
        """How many kernels of one channel there are: pairs of a connected input and output channel."""
        return self._outputs(x) * (x.channels // self.groups)

    def fan_in(self, *inputs: Shape) -> Size:
        return inputs[0].channels // self.groups * product(self.kernel)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        outputs = self._outputs(x)
        return self.parameters((outputs, x.channels // self.groups, *self.kernel), (outputs,))

    def initial_weight(self, *inputs: Shape) -> Call:
        if self.init == "dirac":
            options = {} if self.groups == 1 else {"groups": self.groups}
            return call("nn.init.dirac_", Attribute(SELF, "weight"), **options)
        return super().initial_weight(*inputs)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,), (y,) = inputs, outputs
        sliding = self._sliding(x)
        padded = x.elements
        before: tuple[Operation, ...] = ()
        if not is_symmetric(sliding.pads):
            padded = product(sliding.padded) * x.channels
            before = (Operation("pad", x.elements, padded),)
        return (*before, self._convolve(x, padded, y))

    def _convolve(self, x: Shape, padded: Size, y: Shape) -> Operation:
        weights = self._kernels(x) * product(self.kernel)
        return Operation("conv", padded, y.elements, product(y.spatial), weights, self.bias)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return self._sliding(inputs[0]).windows()

    def _options(self, **padding: object) -> dict[str, object]:
        """The module's keyword arguments that differ from PyTorch's defaults, in PyTorch's order."""
        options: dict[str, object] = {}
        if any(s != 1 for s in self.stride):
            options["stride"] = compact(self.stride)
        options.update(padding)
        if any(d != 1 for d in self.dilation):
            options["dilation"] = compact(self.dilation)
        if self.groups != 1:
            options["groups"] = self.groups
        if not self.bias:
            options["bias"] = False
        return options

    def _padded(self, x: Shape) -> tuple[object, dict[str, object]]:
        """The input, padded first where the module itself can't, and the module's keyword arguments."""
        pads = self._sliding(x).pads
        if not is_symmetric(pads):
            return pad_call(X, pads), self._options()
        if any(before for before, _ in pads):
            return X, self._options(padding=compact(tuple(before for before, _ in pads)))
        return X, self._options()


class Conv(_Convolution):
    """Convolution: every output channel is a weighted sum over a window of the input, slid over it, plus a bias.

    The number of kernel sides gives the rank: `9x16` is 1-D, `5x5x6` 2-D, `3x3x3x64` 3-D. Output size per
    axis: floor((n + padding - dilation * (kernel - 1) - 1) / stride) + 1. As in every framework the kernel is
    not flipped (a cross-correlation).

    `connect` gives, for every output channel, the input channels it sees, counted from 0; only the kernels
    it names exist (LeCun et al. 1998, table I).

    PyTorch: `nn.Conv1d`, `nn.Conv2d`, `nn.Conv3d`.

    Surprises: the default padding is `valid`, as in PyTorch, TensorFlow and Keras, but Darknet's `pad=1` means
    kernel // 2. `same` is TensorFlow's: with a stride the odd cell of padding goes to the end, where
    `pad=1` puts one on both sides. Biases are there unless `nobias` is said, also before `bn`.
    """

    kind = "conv"
    pack = ("kernel", "channels")
    arguments = (
        KERNEL,
        CHANNELS,
        STRIDE,
        PAD,
        DILATION,
        GROUPS,
        BIAS,
        Argument(
            "connect",
            ListOf(ListOf(Count(0), fewest=1)),
            default=(),
            help="for every output channel, a list of the input channels it sees, from 0 (LeNet-5's C3)",
        ),
        init_argument(*_INITS, "partial_dirac", WHITEN),
        *_Convolution.common[1:],
    )
    examples = (
        Example("conv 5x5x6", "32x32x1"),
        Example("conv 3x3x8 same", "7x9x4"),
        Example("conv 3x3x8 /2 same nobias", "8x11x4"),
        Example("conv 3x3x8 /2x1 pad=0x1 dilation=2", "12x11x4"),
        Example("conv 3x3x8 pad=[0, 1, 2, 3]", "8x8x4"),
        Example("conv 4x4x8 same dilation=2x3", "8x9x3"),
        Example("conv 3x3x8 pad=1 groups=2", "8x8x4"),
        Example("conv 9x16 /2", "64x3"),
        Example("conv 4x6 same", "10x3"),
        Example("conv 3x3x3x4 same", "5x6x7x2"),
        Example("conv 3x3x3 connect=[[0, 1], [1, 2], [0, 1, 2]]", "6x6x3"),
        Example("conv 3x3x2 /2 same connect=[[0], [0, 2]] init=lecun", "8x8x3"),
        Example("conv 3x2 connect=[[1], [0, 1]] init=he nobias", "9x2"),
        Example("conv 3x3x8 init=he_fan_out frozen=weight", "8x8x4"),
        Example("conv 3x3x4 pad=1 groups=2 init=dirac frozen", "8x8x4"),
        Example("conv 3x3x4 init=trunc_normal std=0.01 l2=1e-4", "8x8x4"),
        Example("conv 3x3x8 same nobias init=partial_dirac", "8x8x4"),
        Example("conv 2x2x24 init=whiten frozen=weight", "8x8x3"),
    )

    channels: int
    connect: tuple[tuple[int, ...], ...]

    def check(self) -> None:
        super().check()
        if self.init in ("partial_dirac", WHITEN) and self.groups != 1:
            raise LayerError("Exclusive", "init", kind=self.kind, first=f"init={self.init}", second="groups")
        if not self.connect:
            return
        if self.groups != 1:
            raise LayerError("Exclusive", "connect", kind=self.kind, first="connect", second="groups")
        for row, inputs in enumerate(self.connect):
            if len(set(inputs)) != len(inputs):
                twice = next(i for i in inputs if inputs.count(i) > 1)
                raise LayerError("ConnectTwice", "connect", row=row, channel=twice)
        if self.init not in ("default", "lecun", "he", "normal", "trunc_normal", "zeros"):
            raise LayerError("Exclusive", "init", kind=self.kind, first=f"init={self.init}", second="connect")

    def _channel_conditions(self, x: Shape) -> tuple[Condition, ...]:
        if not self.connect:
            return super()._channel_conditions(x)
        highest = max(max(row) for row in self.connect)
        rows = {"rows": len(self.connect), "channels": self.channels}
        given = {"inputs": x.channels, "given": highest}
        return (
            Condition(len(self.connect), "==", self.channels, "ConnectRows", "connect", rows),
            Condition(x.channels, ">=", highest + 1, "ConnectChannel", "connect", given),
        )

    def _kernels(self, x: Shape) -> Size:
        return sum(map(len, self.connect)) if self.connect else super()._kernels(x)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        if self.connect:
            return self.parameters((self._kernels(inputs[0]), *self.kernel), (self.channels,))
        return super().weights(*inputs)

    def initial(self, *inputs: Shape) -> Setup:
        if self.connect and self.init == "lecun":
            return Setup((call(connected.LECUN.name, SELF),), (connected.LECUN,))
        if self.connect and self.init == "he":
            return Setup((call(connected.HE.name, SELF),), (connected.HE,))
        if self.init == WHITEN:
            return Setup(
                tuple(call("nn.init.zeros_", Attribute(SELF, name)) for name in self.learned() if name == "bias")
            )
        return super().initial(*inputs)

    def initial_weight(self, *inputs: Shape) -> Call:
        if self.init != "partial_dirac":
            return super().initial_weight(*inputs)
        weight, known = Attribute(SELF, "weight"), inputs[0].channels
        return call("nn.init.dirac_", Subscript(weight, (Slice(stop=known),)) if known < self.channels else weight)

    def _convolve(self, x: Shape, padded: Size, y: Shape) -> Operation:
        made = super()._convolve(x, padded, y)
        if self.connect:
            dense = self.channels * x.channels * product(self.kernel)
            return made._replace(primitive="connected_conv", links=dense)
        return made

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        tensor, options = self._padded(x)
        kernel = compact(self.kernel)
        if self.connect:
            support = connected.connected(x.rank)
            module = call(support.name, x.channels, self.connect, kernel, **options)
            return self.made(Call(SELF, (tensor,)), module, inputs, (support,))
        module = call(f"nn.Conv{x.rank}d", x.channels, self.channels, kernel, **options)
        return self.made(Call(SELF, (tensor,)), module, inputs)


class DepthwiseConv(_Convolution):
    """Depthwise convolution: each channel has kernels of its own and sees no other channel.

    `multiplier` kernels a channel give `multiplier` times as many channels. Output sizes are conv's.
    Followed by `conv 1x1x…` it is MobileNet's separable convolution (Howard et al. 2017).

    PyTorch: `nn.Conv2d(channels, multiplier * channels, kernel, groups=channels)`.

    Surprises: only the kernel is written, `dwconv 3x3`: the channels follow from the input. Keras'
    SeparableConv2D is this and a 1x1 convolution in one.
    """

    kind = "dwconv"
    arguments = (
        KERNEL,
        STRIDE,
        PAD,
        DILATION,
        Argument("multiplier", Count(), default=1, help="output channels for each input channel"),
        BIAS,
        *_Convolution.common,
    )
    examples = (
        Example("dwconv 3x3 same", "8x8x4"),
        Example("dwconv 5x5 /2 same nobias", "9x12x6"),
        Example("dwconv 3x3 pad=1 multiplier=2 dilation=2", "9x9x3"),
        Example("dwconv 3 /2 pad=[1, 0]", "16x4"),
        Example("dwconv 3x3x3 pad=1 init=he", "4x5x6x2"),
        Example("dwconv 3x3 pad=1 multiplier=2 init=dirac frozen=bias", "9x9x3"),
    )

    multiplier: int

    def _outputs(self, x: Shape) -> Size:
        return x.channels * self.multiplier

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        sliding = self._sliding(x)
        return Inferred((Shape((*sliding.positions(), x.channels * self.multiplier)),), sliding.fits())

    def _kernels(self, x: Shape) -> Size:
        return self._outputs(x)

    def fan_in(self, *inputs: Shape) -> Size:
        return product(self.kernel)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        outputs = self._outputs(inputs[0])
        return self.parameters((outputs, 1, *self.kernel), (outputs,))

    def initial_weight(self, *inputs: Shape) -> Call:
        if self.init == "dirac":
            return call("nn.init.dirac_", Attribute(SELF, "weight"), groups=inputs[0].channels)
        return super().initial_weight(*inputs)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        tensor, options = self._padded(x)
        bias = {"bias": options.pop("bias")} if "bias" in options else {}
        module = call(
            f"nn.Conv{x.rank}d",
            x.channels,
            self._outputs(x),
            compact(self.kernel),
            **options,
            groups=x.channels,
            **bias,
        )
        return self.made(Call(SELF, (tensor,)), module, inputs)


class Deconv(_Convolution):
    """Transposed convolution: every input cell adds a weighted copy of the kernel to the output.

    The copies lie `stride` cells apart, so it enlarges; it is the gradient of `conv` with respect to its
    input. Output size per axis: (n - 1) * stride - padding + dilation * (kernel - 1) + outpad + 1, where
    padding counts the cells cut from both ends. `outpad` adds cells at the end only, where several
    input sizes of the matching `conv` gave one output size.

    `same` gives n * stride, the inverse of what `conv … same` does to a multiple of the stride: the excess
    kernel - stride is cut half before, half after, the odd cell after; where the kernel is smaller than the
    stride, the missing cells are added after. This is TensorFlow's and Keras' rule.

    PyTorch: `nn.ConvTranspose1d`, `nn.ConvTranspose2d`, `nn.ConvTranspose3d`.

    Surprises: `pad=1` takes cells away. With `/2`, `deconv 4x4x… /2 pad=1` and `deconv 2x2x… /2` double a
    map exactly; `deconv 3x3x… /2 pad=1` gives one cell less, unless `outpad=1`.
    """

    kind = "deconv"
    pack = ("kernel", "channels")
    arguments = (
        KERNEL,
        CHANNELS,
        STRIDE,
        Argument("pad", Padding(), default=(0,), unit="cells", help="cells cut from the output, or the word `same`"),
        Argument("outpad", Sizes(0), default=(0,), unit="cells", help="cells added at the end of the output"),
        DILATION,
        GROUPS,
        BIAS,
        init_argument(*_INITS, "bilinear"),
        *_Convolution.common[1:],
    )
    examples = (
        Example("deconv 2x2x8 /2", "7x5x4"),
        Example("deconv 4x4x8 /2 pad=1 nobias", "7x5x4"),
        Example("deconv 3x3x8 /2 pad=1 outpad=1", "7x5x4"),
        Example("deconv 3x3x8 /2 same", "7x5x4"),
        Example("deconv 5x5x4 /2x3 same groups=2", "7x5x4"),
        Example("deconv 2x2x4 /3 same", "4x5x4"),
        Example("deconv 3x3x4 /2 pad=[0, 1, 2, 1]", "6x6x4"),
        Example("deconv 3x3x4 dilation=2 groups=2 /2x1 pad=0x1 outpad=1x0", "6x6x4"),
        Example("deconv 4x6 /2 pad=1", "16x3"),
        Example("deconv 2x2x2x4 /2 init=glorot", "3x4x5x2"),
        Example("deconv 4x4x8 /2 pad=1 init=he", "7x5x4"),
        Example("deconv 4x4x8 /2 pad=1 groups=2 init=he", "7x5x4"),
        Example("deconv 4x4x8 /2 pad=1 init=lecun frozen", "7x5x4"),
        Example("deconv 3x3x4 pad=1 groups=2 init=dirac", "7x5x4"),
        Example("deconv 4x4x4 /2 pad=1 nobias init=bilinear", "7x5x4"),
        Example("deconv 5x4 /3 same groups=4 init=bilinear frozen", "7x4"),
    )

    channels: int
    outpad: tuple[int, ...]

    def check(self) -> None:
        super().check()
        if self.pad == "same" and any(self.outpad):
            raise LayerError("Exclusive", "outpad", kind=self.kind, first="outpad", second="same")

    def _cuts(self, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], Pads, tuple[int, ...]]:
        """Per axis: stride, dilation, the cells cut before and after, and those added after."""
        stride, dilation = axes(self.stride, rank, "stride"), axes(self.dilation, rank, "dilation")
        if self.pad != "same":
            return stride, dilation, explicit(self.pad, rank), axes(self.outpad, rank, "outpad")
        excess = tuple(reach(k, d) - s for k, d, s in zip(self.kernel, dilation, stride, strict=True))
        pads = tuple((max(e, 0) // 2, max(e, 0) - max(e, 0) // 2) for e in excess)
        return stride, dilation, pads, tuple(max(-e, 0) for e in excess)

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        stride, dilation, pads, outpad = self._cuts(x.rank)
        reaches = tuple(reach(k, d) for k, d in zip(self.kernel, dilation, strict=True))
        outputs = tuple(
            (n - 1) * s - before - after + r + out
            for n, s, (before, after), r, out in zip(x.spatial, stride, pads, reaches, outpad, strict=True)
        )
        conditions = []
        for axis, n, s, d, r, (before, after), out, size in zip(
            SPATIAL_AXES[x.rank], x.spatial, stride, dilation, reaches, pads, outpad, outputs, strict=True
        ):
            values = {"axis": axis, "size": n, "stride": s, "reach": r, "before": before, "after": after, "outpad": out}
            conditions.append(Condition(size, ">=", 1, "NothingLeft", "pad", {**values, "left": size}))
            largest = maximum(s, d)
            values = {"axis": axis, "outpad": out, "stride": s, "dilation": d}
            conditions.append(Condition(largest, ">=", out + 1, "OutpadTooLarge", "outpad", values))
        return Inferred((Shape((*outputs, self.channels)),), (*conditions, *self._channel_conditions(x)))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (inputs[0].channels, self.channels // self.groups, *self.kernel)
        return self.parameters(shape, (self.channels,))

    def initial_weight(self, *inputs: Shape) -> Call:
        # nn.init reads a weight as (out, in, …), but a transposed convolution's is (in, out / groups, …).
        weight = Attribute(SELF, "weight")
        if self.init == "he":
            if self.groups == 1:
                return call("nn.init.kaiming_normal_", weight, mode="fan_out", nonlinearity="relu")
            return call("nn.init.normal_", weight, std=(2 / self.fan_in(*inputs)) ** 0.5)
        if self.init == "he_fan_out":
            return call("nn.init.kaiming_normal_", weight, nonlinearity="relu")
        if self.init == "bilinear":
            return call(_BILINEAR.name, weight, **({} if self.groups == 1 else {"groups": self.groups}))
        return super().initial_weight(*inputs)

    def initial(self, *inputs: Shape) -> Setup:
        made = super().initial(*inputs)
        return made._replace(support=(_BILINEAR,)) if self.init == "bilinear" else made

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,), (y,) = inputs, outputs
        weights = x.channels * (self.channels // self.groups) * product(self.kernel)
        _, _, pads, _ = self._cuts(x.rank)
        made = product(tuple(n + sum(self._excess(pad)) for n, pad in zip(y.spatial, pads, strict=True)))
        whole = Operation("deconv", x.elements, made * self.channels, product(x.spatial), weights, self.bias)
        return (whole,) if is_symmetric(pads) else (whole, Operation("crop", whole.outputs, y.elements))

    @staticmethod
    def _excess(pad: tuple[int, int]) -> tuple[int, int]:
        """The cells to cut that the module's own padding, the same on both sides, can't."""
        return pad[0] - min(pad), pad[1] - min(pad)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        stride, dilation, pads, _ = self._cuts(inputs[0].rank)
        return tuple(
            spread(k, s, d, before) for k, s, d, (before, _) in zip(self.kernel, stride, dilation, pads, strict=True)
        )

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        _, _, pads, outpad = self._cuts(x.rank)
        padding: dict[str, object] = {}
        if any(min(pad) for pad in pads):
            padding["padding"] = compact(tuple(min(pad) for pad in pads))
        if any(outpad):
            padding["output_padding"] = compact(outpad)
        options = self._options(**padding)
        module = call(f"nn.ConvTranspose{x.rank}d", x.channels, self.channels, compact(self.kernel), **options)
        forward: object = Call(SELF, (X,))
        if not is_symmetric(pads):
            cuts = tuple(self._excess(pad) for pad in pads)
            forward = Subscript(forward, (Slice(), Slice(), *(_cut(before, after) for before, after in cuts)))
        return self.made(forward, module, inputs)


_BILINEAR = Support(
    "bilinear_",
    '''def bilinear_(weight, groups=1):
    """Start a transposed convolution as linear interpolation of each channel (Long et al. 2015)."""
    kernel = torch.ones(())
    for size in weight.shape[2:]:
        factor = (size + 1) // 2
        centre = factor - 1 if size % 2 else factor - 0.5
        kernel = kernel.unsqueeze(-1) * (1 - (torch.arange(size) - centre).abs() / factor)
    inputs = weight.shape[0] // groups
    with torch.no_grad():
        weight.zero_()
        for channel in range(weight.shape[0]):
            if channel % inputs < weight.shape[1]:
                weight[channel, channel % inputs] = kernel
''',
)


def _cut(before: int, after: int) -> Slice:
    """All cells but so many at either end."""
    return Slice(before or None, -after or None)
