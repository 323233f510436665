"""Pooling: windows summed up by their largest cell or their mean."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Choice, Flag, Padding, Sizes, Tensor
from cnndsl.layers.base import Condition, Example, Inferred, Layer, LayerError, Operation, Window, axes
from cnndsl.layers.code import Call, Code, Input, Support, X, call
from cnndsl.layers.padding import Pads, Sliding, compact, explicit, is_symmetric, pad_call, spread
from cnndsl.shape import SPATIAL_AXES, Shape, product

KERNEL = Argument("kernel", Sizes(), positional=True, unit="cells", help="sides of the window; one number for all axes")
STRIDE = Argument(
    "stride",
    Sizes(),
    default=None,
    slash=True,
    unit="cells",
    help="step between windows, also `/2`; the window's sides if not given",
)
MODE = Argument("mode", Choice("avg", "max"), default="avg", help="`avg` takes the mean, `max` the largest cell")


class Windowed(Layer):
    """What kinds with a pooling window share: its stride is its sides unless given."""

    family = "pooling"

    kernel: tuple[int, ...]
    stride: tuple[int, ...] | None

    def take_map(self, x: Shape) -> Shape:
        """The input, once it is known to have the axes that the window wants."""
        if super().take_map(x).rank != len(self.kernel) and len(self.kernel) != 1:
            raise LayerError("WrongRank", "kernel", kind=self.kind, kernel=self.kernel, channels=None, input=x)
        return x

    def sides(self, x: Shape) -> tuple[int, ...]:
        """The window's side along each axis of the input."""
        return axes(self.kernel, x.rank, "kernel")

    def steps(self, x: Shape) -> tuple[int, ...]:
        """The window's step along each axis of the input."""
        return axes(self.kernel if self.stride is None else self.stride, x.rank, "stride")

    def sliding(self, x: Shape, pad: Any = (0,), ceil: bool = False) -> Sliding:
        """The window on its way over the input."""
        return Sliding.over(x.spatial, pad, self.sides(x), self.steps(x), ceil=ceil)

    def step_options(self, x: Shape) -> dict[str, Any]:
        """The keyword argument for the stride, if PyTorch's default, the window, is not it."""
        return {} if self.steps(x) == self.sides(x) else {"stride": compact(self.steps(x))}


class Pool(Windowed):
    """Pooling: the largest cell (`max`, the default) or the mean (`avg`) of a window, for each channel.

    Output size per axis: floor((n + padding - kernel) / stride) + 1; with `ceil` it is rounded up, but a
    last window must begin inside the input or the padding before it. `max` never chooses padding. `avg`
    counts padding cells as zeros; with `nopadcount` it divides by the cells that are really there. A max
    pool that has a name (`as p1`) can be undone with `unpool`.

    PyTorch: `F.max_pool1d`, `F.max_pool2d`, `F.max_pool3d` and `F.avg_pool1d`, …

    Surprises: the stride is the window unless given, as in Keras and PyTorch; Caffe's default stride is 1, and
    Caffe rounds up (`ceil`) where PyTorch and TensorFlow round down. TensorFlow's and Keras' average with SAME
    padding is `avg same nopadcount`.
    """

    kind = "pool"
    arguments = (
        KERNEL,
        Argument("mode", Choice("max", "avg"), default="max", help="`max` takes the largest cell, `avg` the mean"),
        STRIDE,
        Argument("pad", Padding(), default=(0,), unit="cells", help="cells around the input, or the word `same`"),
        Argument("ceil", Flag(), default=False, help="rounds the number of windows up, not down"),
        Argument("nopadcount", Flag(), default=False, help="`avg` leaves padding out of the mean, as TensorFlow does"),
    )
    examples = (
        Example("pool 2", "8x8x4"),
        Example("pool 3 /2", "13x13x4"),
        Example("pool 3x2 /2x1 pad=1x0", "9x8x4"),
        Example("pool 3 /2 same", "8x9x4"),
        Example("pool 2 /1 same", "7x7x3"),
        Example("pool 3 /2 ceil", "6x8x4"),
        Example("pool 3 /3 pad=1 ceil", "9x10x4"),
        Example("pool 3 /2 pad=[0, 1, 1, 0]", "8x8x4"),
        Example("pool 2 avg", "28x28x6"),
        Example("pool 3 /1 avg pad=1", "7x7x4"),
        Example("pool 3 /2 avg pad=1 ceil", "8x7x4"),
        Example("pool 3 /1 avg pad=1 nopadcount", "7x7x4"),
        Example("pool 3 /2 avg same", "8x8x4"),
        Example("pool 3 /2 avg same nopadcount", "8x9x4"),
        Example("pool 2 /1 avg same nopadcount", "5x6x4"),
        Example("pool 2", "16x3"),
        Example("pool 3 /2 avg same nopadcount", "16x3"),
        Example("pool 2 /1 avg same nopadcount", "16x3"),
        Example("pool 2x2x2 max", "4x6x8x3"),
        Example("pool 3 /2 avg pad=1", "5x6x7x3"),
        Example("pool 3 /2 avg pad=1", "2x6x7x3"),
        Example("pool 3 /2 avg pad=1 nopadcount", "2x6x7x3"),
    )
    mode: str
    pad: Any
    ceil: bool
    nopadcount: bool

    def check(self) -> None:
        if self.nopadcount and self.mode == "max":
            raise LayerError("WithoutEffect", "nopadcount", kind=self.kind, name="nopadcount", needs="`avg`")
        if self.ceil and self.pad == "same":
            raise LayerError("Exclusive", "ceil", kind=self.kind, first="ceil", second="same")
        if self.ceil and self.pad[0] == "sides" and self.pad[1][::2] != self.pad[1][1::2]:
            raise LayerError(
                "Exclusive", "ceil", kind=self.kind, first="ceil", second="padding that differs between two sides"
            )

    @property
    def extra_outputs(self) -> tuple[str, ...]:
        return ("indices",) if self.mode == "max" else ()

    def _sliding(self, x: Shape) -> Sliding:
        return self.sliding(x, self.pad, self.ceil)

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        sliding = self._sliding(x)
        conditions = sliding.fits()
        if self.pad != "same":
            conditions += _at_most_half(sliding.pads, sliding.kernel)
        if self.ceil and self.mode == "avg" and x.rank == 3:
            conditions += tuple(
                Condition(n, ">=", k, "MapBelowWindow", "kernel", {"axis": axis, "size": n, "kernel": k})
                for axis, n, k in zip(SPATIAL_AXES[3], x.spatial, sliding.kernel, strict=True)
            )
        output = Shape((*sliding.positions(), x.channels))
        indices = (Shape(output.sizes, plane=x.spatial),) if self.mode == "max" else ()
        return Inferred((output, *indices), conditions)

    def _native(self, sliding: Sliding) -> dict[str, Any] | None:
        """PyTorch's own options that put the windows where they have to be, or None.

        Windows that begin where they should may see more or less padding behind the input than was asked
        for: that matters only to a mean that counts it.
        """
        counts = self.mode == "avg" and not self.nopadcount
        if counts and not is_symmetric(sliding.pads):
            return None
        if self._below_window(sliding):
            return None
        before = tuple(cells for cells, _ in sliding.pads)
        options = {"padding": compact(before)} if any(before) else {}
        as_before = sliding._replace(pads=tuple((cells, cells) for cells in before))
        for ceil in (self.ceil,) if self.ceil or counts else (False, True):
            if as_before._replace(ceil=ceil).positions() == sliding.positions():
                return {**options, "ceil_mode": True} if ceil else options
        return None

    def _below_window(self, sliding: Sliding) -> bool:
        """PyTorch's 3-D average pool wants the input as large as the window, whatever the padding."""
        short = any(n < k for n, k in zip(sliding.spatial, sliding.kernel, strict=True))
        return short and self.mode == "avg" and len(sliding.kernel) == 3

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        x, y = inputs[0], outputs[0]
        sliding = self._sliding(x)
        padded = x.elements
        before: tuple[Operation, ...] = ()
        if self._native(sliding) is None:
            padded = product(sliding.padded) * x.channels
            before = (Operation("pad", x.elements, padded),)
        pool = Operation(f"{self.mode}_pool", padded, y.elements, window=product(sliding.kernel))
        if before and self.nopadcount:
            return (*before, pool, Operation("divide", y.elements, y.elements, product(y.spatial)))
        return (*before, pool)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return self._sliding(inputs[0]).windows()

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        sliding = self._sliding(x)
        function = f"F.{self.mode}_pool{x.rank}d"
        kernel, step = compact(sliding.kernel), self.step_options(x)
        native = self._native(sliding)
        if native is not None:
            uncounted = {"count_include_pad": False} if self.nopadcount else {}
            plain = call(function, X, kernel, **step, **native, **uncounted)
            if self.mode == "avg":
                return Code(plain)
            return Code(plain, extended=Call(function, plain.args, (*plain.kwargs, ("return_indices", True))))
        pads = pad_call(X, sliding.pads).args[1]
        if self.mode == "max":
            padded = pad_call(X, sliding.pads, value=call("float", "-inf"))
            extended = call("padded_max_pool", X, kernel, compact(sliding.stride), pads)
            return Code(call(function, padded, kernel, **step), extended=extended, extended_support=(_PADDED_MAX_POOL,))
        if self.nopadcount:
            support = _padded_avg_pool(x.rank)
            return Code(call(support.name, X, kernel, compact(sliding.stride), pads), support=(support,))
        return Code(call(function, pad_call(X, sliding.pads), kernel, **step))


def _at_most_half(pads: Pads, kernel: tuple[int, ...]) -> tuple[Condition, ...]:
    """PyTorch pads a pool by at most half its window."""
    return tuple(
        Condition(k, ">=", 2 * cells, "PadTooLarge", "pad", {"axis": axis, "pad": cells, "kernel": k})
        for axis, k, pad in zip(SPATIAL_AXES[len(kernel)], kernel, pads, strict=True)
        for cells in pad
    )


_PADDED_MAX_POOL = Support(
    "padded_max_pool",
    '''def padded_max_pool(x, kernel_size, stride, padding):
    """Max pooling with a padding of its own on each side; the indices point into the unpadded map."""
    pool = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}[x.dim()]
    padded = F.pad(x, padding, value=float("-inf"))
    y, indices = pool(padded, kernel_size, stride, return_indices=True)
    cells = torch.unravel_index(indices, padded.shape[2:])
    flat = 0
    for cell, before, size in zip(cells, reversed(padding[::2]), x.shape[2:]):
        flat = flat * size + cell - before
    return y, flat
''',
)


def _padded_avg_pool(rank: int) -> Support:
    return Support(
        f"padded_avg_pool{rank}d",
        f'''def padded_avg_pool{rank}d(x, kernel_size, stride, padding):
    """Mean of the cells of each window that are not padding, with a padding of its own on each side."""
    total = F.avg_pool{rank}d(F.pad(x, padding), kernel_size, stride)
    share = F.avg_pool{rank}d(F.pad(torch.ones_like(x[:1, :1]), padding), kernel_size, stride)
    return total / share
''',
    )


class GlobalPool(Layer):
    """Global pooling: one number for each channel, the mean (`avg`, the default) or the largest of all positions.

    The output is 1x1xC, so that it can be multiplied with the map it came from; `dense` flattens it anyway.

    PyTorch: `F.adaptive_avg_pool2d(x, 1)`, `F.adaptive_max_pool2d(x, 1)` and their 1-D and 3-D forms.

    Surprises: Keras' GlobalAveragePooling2D drops the spatial axes (write `globalpool avg, flatten`).
    """

    kind = "globalpool"
    family = "pooling"
    arguments = (MODE,)
    examples = (
        Example("globalpool avg", "7x7x512"),
        Example("globalpool max", "5x7x8"),
        Example("globalpool", "12x8"),
        Example("globalpool max", "12x8"),
        Example("globalpool avg", "3x4x5x8"),
    )

    mode: str

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        return Inferred((Shape((*(1,) * x.rank, x.channels)),))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,), (y,) = inputs, outputs
        return (Operation(f"global_{self.mode}_pool", x.elements, y.elements, window=product(x.spatial)),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(Window(n, n) for n in inputs[0].spatial)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call(f"F.adaptive_{self.mode}_pool{inputs[0].rank}d", X, 1))


class AdaptivePool(Layer):
    """Adaptive pooling: the mean (`avg`, the default) or the largest of windows chosen to give a certain output size.

    Window i of an axis begins at floor(i * in / out) and ends before ceil((i + 1) * in / out): windows may
    overlap by a cell and differ in size. It lets `dense` follow inputs of any size (torchvision's AlexNet
    and VGG).

    PyTorch: `F.adaptive_avg_pool2d`, `F.adaptive_max_pool2d` and their 1-D and 3-D forms.

    Surprises: the number is the size of the output, not of the window. Keras and Caffe have no such layer.
    """

    kind = "adaptivepool"
    family = "pooling"
    arguments = (
        Argument("size", Sizes(), positional=True, unit="cells", help="sides of the output; one number for all axes"),
        MODE,
    )
    examples = (
        Example("adaptivepool 7x7", "13x13x4"),
        Example("adaptivepool 3x2 max", "10x5x4"),
        Example("adaptivepool 2", "5x6x4"),
        Example("adaptivepool 6 avg", "4x4x2"),
        Example("adaptivepool 4", "10x3"),
        Example("adaptivepool 2 max", "5x6x7x2"),
    )

    size: tuple[int, ...]
    mode: str

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        return Inferred((Shape((*axes(self.size, x.rank, "size"), x.channels)),))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        from math import gcd

        (x,), (y,) = inputs, outputs
        if y.elements == y.channels:
            return (Operation(f"global_{self.mode}_pool", x.elements, y.elements, window=product(x.spatial)),)
        # Of the `out` windows of an axis, all but gcd(in, out) begin inside a cell that the one before sees too.
        links = product(tuple(n + out - gcd(n, out) for n, out in zip(x.spatial, y.spatial, strict=True)))
        return (Operation(f"adaptive_{self.mode}_pool", x.elements, y.elements, links=links * x.channels),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        return tuple(adaptive(n, out) for n, out in zip(x.spatial, axes(self.size, x.rank, "size"), strict=True))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        size = compact(axes(self.size, inputs[0].rank, "size"))
        return Code(call(f"F.adaptive_{self.mode}_pool{inputs[0].rank}d", X, size))


def adaptive(size: int, outputs: int) -> Window:
    """What one of `outputs` adaptive windows over `size` cells sees."""
    from math import gcd

    common = gcd(size, outputs)
    n, out = size // common, outputs // common
    return Window((n + out - 2) // out + 1, n, 1, 0, out, (n + out - 2) % out)


class Unpool(Windowed):
    """Unpooling: puts every cell back to where a named max pool took it from, zeros elsewhere.

    `pool 2 as p1` … `unpool 2 p1`: the output has the size that `p1` had as its input, also where that
    was odd. The input must have the shape that `p1` gave. Zeiler & Fergus 2014; SegNet (Badrinarayanan et al.
    2017).

    PyTorch: `F.max_unpool1d`, `F.max_unpool2d`, `F.max_unpool3d`, with `output_size` where it is needed.

    Surprises: where windows overlap and one cell was the largest of several, the last of them is kept.
    """

    kind = "unpool"
    arguments = (
        KERNEL,
        Argument("indices", Tensor(output=1), positional=True, help="the max pool to undo, by its name"),
        STRIDE,
        Argument(
            "pad", Padding(), default=(0,), unit="cells", help="the padding that the pool had, or the word `same`"
        ),
    )
    examples = (
        Example("pool 2 as p, relu, unpool 2 p", "8x6x4"),
        Example("pool 2 as p, tanh, unpool 2x2 p", "9x7x4"),
        Example("pool 3 /2 pad=1 as p, unpool 3 p /2 pad=1", "9x9x4"),
        Example("pool 3 /2 pad=1 as p, unpool 3 p /2 pad=1", "8x8x4"),
        Example("pool 2 /1 same as p, unpool 2 p /1 same", "5x6x2"),
        Example("pool 3 /2 same as p, unpool 3 p /2 same", "8x9x2"),
        Example("pool 4 /2 pad=[1, 2, 2, 1] as p, unpool 4 p /2 pad=[1, 2, 2, 1]", "8x8x2"),
        Example("pool 3 /2 ceil as p, unpool 3 p /2", "8x6x2"),
        Example("pool 2 as p, unpool 2 p", "11x3"),
        Example("pool 2 as p, unpool 2 p", "4x5x6x3"),
    )

    pad: Any

    def _geometry(self, x: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """A kernel and a padding for PyTorch's function, per axis.

        PyTorch uses them for nothing but to check the output size, and knows no padding that differs
        between two sides: what it differs by is taken off the kernel. For `same` the stride leads back best.
        """
        if self.pad == "same":
            return self.steps(x), (0,) * x.rank
        pads = explicit(self.pad, x.rank)
        kernel = (k - abs(before - after) for k, (before, after) in zip(self.sides(x), pads, strict=True))
        return tuple(kernel), tuple(min(pad) for pad in pads)

    def _default(self, x: Shape) -> tuple[Any, ...]:
        """The size that the window alone leads back to: (n - 1) * stride - 2 * padding + kernel."""
        kernel, pads = self._geometry(x)
        return tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(x.spatial, self.steps(x), pads, kernel, strict=True))

    def infer(self, *inputs: Shape) -> Inferred:
        x, indices = inputs
        self.take_map(x)
        if indices.rank != x.rank:
            raise LayerError("UnpoolShape", "indices", input=x, pooled=indices)
        shapes = {"input": x, "pooled": indices}
        conditions = [
            Condition(a, "==", b, "UnpoolShape", "indices", shapes) for a, b in zip(x.sizes, indices.sizes, strict=True)
        ]
        default, steps = self._default(x), self.steps(x)
        for axis, n, made, s in zip(SPATIAL_AXES[x.rank], indices.plane, default, steps, strict=True):
            values = {"axis": axis, "size": n, "made": made, "stride": s}
            conditions.append(Condition(n + s - 1, ">=", made, "UnpoolSize", "kernel", values))
            conditions.append(Condition(made + s - 1, ">=", n, "UnpoolSize", "kernel", values))
        return Inferred((Shape((*indices.plane, x.channels)),), tuple(conditions))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("unpool", inputs[0].elements, outputs[0].elements),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = inputs[0]
        kernel, pads = self._geometry(x)
        return tuple(spread(k, s, 1, p) for k, s, p in zip(kernel, self.steps(x), pads, strict=True))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        x, (y,) = inputs[0], outputs
        kernel, pads = self._geometry(x)
        options: dict[str, Any] = {}
        if self.steps(x) != kernel:
            options["stride"] = compact(self.steps(x))
        if any(pads):
            options["padding"] = compact(pads)
        if self._default(x) != y.spatial:
            options["output_size"] = y.spatial
        return Code(call(f"F.max_unpool{x.rank}d", X, Input(1), compact(kernel), **options))
