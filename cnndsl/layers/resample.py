"""Upsampling, and the exchange of channels for positions."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Choice, Count, Flag, Sizes, Tensor
from cnndsl.layers.base import Condition, Example, Inferred, Layer, LayerError, Operation, Window, axes
from cnndsl.layers.code import Attribute, Code, Input, Slice, Subscript, X, call
from cnndsl.layers.padding import compact
from cnndsl.shape import SPATIAL_AXES, Shape, Size, ceil_div

_RANKS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,), "nearest": (1, 2, 3)}
_TAPS = {"nearest": 1, "linear": 2, "bilinear": 2, "trilinear": 2, "bicubic": 4}


class Upsample(Layer):
    """Upsampling: enlarges every map by a whole factor, or to the size of another tensor, without learning anything.

    `nearest` repeats cells; `linear` (1-D), `bilinear` (2-D), `trilinear` (3-D) and `bicubic` (2-D) interpolate.
    Output cell i stands at input position (i + 0.5) * in / out - 0.5; with `align_corners` at
    i * (in - 1) / (out - 1), so that the corner cells coincide. The size may also be given, `size=14x14`, or be
    another tensor's, `to=c3`; both may also make a map smaller.

    PyTorch: `F.interpolate`.

    Surprises: Keras' UpSampling2D is this without `align_corners`; TensorFlow 1's resize_bilinear, Caffe's Interp
    and many U-Nets use other corners. Interpolation that makes a map smaller does not smooth it first.
    """

    kind = "upsample"
    family = "sampling"
    arguments = (
        Argument("factor", Sizes(), default=None, positional=True, help="how many times larger; one for all axes"),
        Argument(
            "mode",
            Choice("nearest", "linear", "bilinear", "bicubic", "trilinear"),
            default="nearest",
            help="how cells between those of the input are found",
        ),
        Argument("size", Sizes(), default=None, unit="cells", help="the output's sides, in place of a factor"),
        Argument("to", Tensor(), default=None, help="a tensor whose sides the output gets, in place of a factor"),
        Argument("align_corners", Flag(), default=False, help="makes the corner cells of input and output coincide"),
    )
    examples = (
        Example("upsample 2", "7x5x4"),
        Example("upsample 2x3", "7x5x4"),
        Example("upsample 2 bilinear", "7x5x4"),
        Example("upsample 3 bilinear", "4x5x2"),
        Example("upsample 2 bilinear align_corners", "7x5x4"),
        Example("upsample 2 bicubic", "7x5x4"),
        Example("upsample 4 linear", "9x3"),
        Example("upsample 2", "9x3"),
        Example("upsample 2 trilinear", "3x4x5x2"),
        Example("upsample size=11x13 bilinear", "7x5x4"),
        Example("upsample size=10", "7x4x2"),
        Example("identity as x, pool 2, upsample to=x", "9x7x4"),
        Example("identity as x, conv 3x3x8 /2, upsample to=x bilinear", "9x7x4"),
    )

    factor: tuple[int, ...] | None
    mode: str
    size: tuple[int, ...] | None
    to: str | None
    align_corners: bool

    def check(self) -> None:
        given = [name for name in ("factor", "size", "to") if self.__dict__[name] is not None]
        if not given:
            raise LayerError("OneArgumentNeeded", None, kind=self.kind, names=["factor", "size", "to"])
        if len(given) > 1:
            raise LayerError("Exclusive", given[1], kind=self.kind, first=given[1], second=given[0])
        if self.align_corners and self.mode == "nearest":
            needs = "an interpolation such as `bilinear`"
            raise LayerError("WithoutEffect", "align_corners", kind=self.kind, name="align_corners", needs=needs)

    def _sides(self, inputs: tuple[Shape, ...]) -> tuple[Size, ...]:
        x = inputs[0]
        if self.factor is not None:
            factors = axes(self.factor, x.rank, "factor")
            return tuple(n * factor for n, factor in zip(x.spatial, factors, strict=True))
        if self.size is not None:
            return axes(self.size, x.rank, "size")
        if inputs[1].rank != x.rank:
            raise LayerError("RanksDiffer", "to", kind=self.kind, input=x, other=inputs[1])
        return inputs[1].spatial

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        if x.rank not in _RANKS[self.mode]:
            fitting = [mode for mode, ranks in _RANKS.items() if x.rank in ranks]
            raise LayerError("ModeOfOtherRank", "mode", kind=self.kind, mode=self.mode, input=x, fitting=fitting)
        return Inferred((Shape((*self._sides(inputs), x.channels)),))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        x, y = inputs[0], outputs[0]
        window = _TAPS[self.mode] ** x.rank
        name = self.mode if self.mode in ("nearest", "bicubic") else "linear"
        return (Operation(f"interpolate_{name}", x.elements, y.elements, window=window),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(
            _stretched(n, out, _TAPS[self.mode], self.align_corners)
            for n, out in zip(inputs[0].spatial, self._sides(inputs), strict=True)
        )

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        options: dict[str, Any] = {}
        if self.factor is not None:
            options["scale_factor"] = compact(self.factor)
        elif self.size is not None:
            options["size"] = compact(axes(self.size, inputs[0].rank, "size"))
        else:
            options["size"] = Subscript(Attribute(Input(1), "shape"), (Slice(2),))
        if self.mode != "nearest":
            options["mode"] = self.mode
        if self.align_corners:
            options["align_corners"] = True
        return Code(call("F.interpolate", X, **options))


def _stretched(size: int, outputs: int, taps: int, corners: bool) -> Window:
    """What one of `outputs` cells sees of `size` cells, where each is made from `taps` neighbours."""
    from math import gcd

    if size == outputs:
        return Window()
    step, per = (size - 1, outputs - 1) if corners and size > 1 and outputs > 1 else (size, outputs)
    common = gcd(step, per)
    step, per = step // common, per // common
    if taps == 1:
        return Window(1, step, 1, 0, per, per - 1)
    # Think of the inputs as standing `per` cells apart. Output 0 stands at half of `twice`, the next `step` cells
    # on; it sees the inputs closer than taps / 2 input steps.
    twice = 0 if corners and size > 1 and outputs > 1 else step - per
    if per == 1 and twice % 2 == 0:
        return Window(1, step, 1, -twice // 2)
    reach = taps * per - (1 if twice % 2 else 2)
    first = ceil_div((twice - taps * per) // 2 + 1, per)
    return Window(reach // per + 1, step, 1, -first, per, reach % per)


class PixelShuffle(Layer):
    """Pixel shuffle: turns each group of r * r channels into r x r positions of one channel (Shi et al. 2016).

    HxWxC becomes rH x rW x C/r². Channel c * r² + i * r + j gives row i, column j of each block of channel c.

    PyTorch: `F.pixel_shuffle`.

    Surprises: TensorFlow's depth_to_space orders the channels otherwise (channel last inside the block).
    """

    kind = "pixelshuffle"
    family = "sampling"
    arguments = (Argument("factor", Count(), positional=True, help="how many times higher and wider"),)
    examples = (Example("pixelshuffle 2", "5x7x12"), Example("pixelshuffle 3", "4x4x9"))

    factor: int

    def infer(self, *inputs: Shape) -> Inferred:
        x = _image(self, inputs[0])
        height, width, channels = x.sizes
        area = self.factor * self.factor
        values = {"kind": self.kind, "axis": "channels", "size": channels, "factor": self.factor, "by": area}
        condition = Condition(channels, "%", area, "FactorDoesNotDivide", "factor", values)
        return Inferred((Shape((height * self.factor, width * self.factor, channels // area)),), (condition,))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("pixel_shuffle", inputs[0].elements, outputs[0].elements),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (Window(1, 1, 1, 0, self.factor, self.factor - 1),) * 2

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call("F.pixel_shuffle", X, self.factor))


class PixelUnshuffle(Layer):
    """Pixel unshuffle: turns each block of r x r positions into r * r channels; it undoes `pixelshuffle`.

    HxWxC becomes H/r x W/r x r²C. Position i, j of a block of channel c gives channel c * r² + i * r + j.

    PyTorch: `F.pixel_unshuffle`.

    Surprises: TensorFlow's space_to_depth, and Darknet's `reorg`, order the channels otherwise.
    """

    kind = "pixelunshuffle"
    family = "sampling"
    arguments = (Argument("factor", Count(), positional=True, help="how many times lower and narrower"),)
    examples = (Example("pixelunshuffle 2", "8x6x3"), Example("pixelunshuffle 3", "9x3x1"))

    factor: int

    def infer(self, *inputs: Shape) -> Inferred:
        x = _image(self, inputs[0])
        height, width, channels = x.sizes
        conditions = tuple(
            Condition(
                n,
                "%",
                self.factor,
                "FactorDoesNotDivide",
                "factor",
                {"kind": self.kind, "axis": axis, "size": n, "factor": self.factor, "by": self.factor},
            )
            for axis, n in zip(SPATIAL_AXES[2], x.spatial, strict=True)
        )
        sides = (height // self.factor, width // self.factor)
        return Inferred((Shape((*sides, channels * self.factor * self.factor)),), conditions)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("pixel_shuffle", inputs[0].elements, outputs[0].elements),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (Window(self.factor, self.factor),) * 2

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call("F.pixel_unshuffle", X, self.factor))


def _image(layer: Layer, x: Shape) -> Shape:
    """The input, once it is known to be two-dimensional. Raises LayerError."""
    if layer.take_map(x).rank != 2:
        raise LayerError("NeedsImage", None, kind=layer.kind, input=x)
    return x
