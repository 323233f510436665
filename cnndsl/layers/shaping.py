"""Kinds that move, cut or rename cells, and a few that scale them."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Choice, Count, Number, Sides, Sizes, Tensor
from cnndsl.layers.base import Condition, Elementwise, Example, Inferred, Layer, LayerError, Operation, Window, axes
from cnndsl.layers.code import Binary, Code, Slice, Subscript, X, call
from cnndsl.layers.padding import Pads, explicit, pad_call
from cnndsl.shape import SPATIAL_AXES, Shape, Size, product


class _Shaping(Layer):
    """What kinds that only rearrange cells share."""

    family = "shape"

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation(self.kind, inputs[0].elements, outputs[0].elements),)


class Identity(_Shaping):
    """Identity: gives what it is given. An arm of a merge that is a plain skip, or an item to hang a name on.

    PyTorch needs nothing for it.
    """

    kind = "identity"
    takes_tokens = True
    examples = (Example("identity", "8x8x4"), Example("identity", "10"))

    def take(self, x: Shape) -> Shape:
        return x

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(X, layout="any")


class Flatten(_Shaping):
    """Flatten: all cells as one vector, channel by channel, each row by row (CHW).

    `dense` does it by itself.

    PyTorch: `x.flatten(1)`.

    Surprises: Keras and TensorFlow flatten position by position (HWC).
    """

    kind = "flatten"
    examples = (Example("flatten", "5x5x16"), Example("flatten", "9x4"), Example("flatten", "10"))

    def infer(self, *inputs: Shape) -> Inferred:
        return Inferred((Shape((self.take(inputs[0]).elements,)),))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(Window(n, n) for n in inputs[0].spatial)

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return ()

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call(".flatten", X, 1)) if inputs[0].rank else Code(X, layout="any")


class Reshape(_Shaping):
    """Reshape: the same cells under another size; they are taken and laid down channel by channel (CHW).

    `reshape 28x28x1` undoes the `flatten` of a 28x28x1 map.

    PyTorch: `x.reshape(-1, channels, height, width)`.

    Surprises: Keras and TensorFlow lay cells down position by position (HWC).
    """

    kind = "reshape"
    arguments = (
        Argument("size", Sizes(most=4), positional=True, unit="cells", help="the output's size, such as 28x28x1"),
    )
    examples = (
        Example("reshape 28x28x1", "784"),
        Example("reshape 7x7x16", "14x14x4"),
        Example("reshape 10x4", "5x4x2"),
        Example("reshape 2x3x4x5", "120"),
        Example("reshape 24", "2x3x4"),
    )

    size: tuple[int, ...]

    def infer(self, *inputs: Shape) -> Inferred:
        x, y = self.take(inputs[0]), Shape(self.size)
        values = {"input": x, "size": y, "have": x.elements, "want": y.elements}
        return Inferred((y,), (Condition(x.elements, "==", y.elements, "ElementsDiffer", "size", values),))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        if self.size[:-1] == inputs[0].spatial:
            return super().window(*inputs)
        # Cells of many places meet at one, as different channels.
        return tuple(Window(n, n) for n in inputs[0].spatial)

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        if self.size[:-1] == inputs[0].spatial:
            return super().follows(*inputs)
        return (None,) * (len(self.size) - 1)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call(".reshape", X, -1, self.size[-1], *self.size[:-1]))


class Permute(_Shaping):
    """Permute: the axes in another order. `permute 1x0x2` swaps height and width.

    The numbers say which axis of the input stands at each place of the output, counted from 0 in the order
    that sizes are written in: height, width, channels.

    PyTorch: `x.permute(…)`.

    Surprises: Keras' Permute counts from 1.
    """

    kind = "permute"
    arguments = (
        Argument("order", Sizes(0, fewest=1, most=4), positional=True, help="the input's axes in their new order"),
    )
    examples = (
        Example("permute 1x0x2", "8x6x4"),
        Example("permute 2x0x1", "8x6x4"),
        Example("permute 1x0", "9x4"),
        Example("permute 3x1x0x2", "2x3x4x5"),
        Example("permute order=[1, 2, 0]", "8x6x4"),
    )

    order: tuple[int, ...]

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take(inputs[0])
        if sorted(self.order) != list(range(len(x.sizes))):
            raise LayerError("NotAnOrder", "order", order=self.order, input=x, axes=len(x.sizes))
        return Inferred((Shape(tuple(x.sizes[axis] for axis in self.order)),))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        # An axis that becomes the channels is seen as a whole at every position.
        return tuple(Window(n, n) if self.order[-1] == axis else Window() for axis, n in enumerate(inputs[0].spatial))

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        rank = inputs[0].rank
        return tuple(axis if axis < rank else None for axis in self.order[:-1])

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        rank = inputs[0].rank
        dimensions = [1 if axis == rank else axis + 2 for axis in self.order]
        return Code(call(".permute", X, 0, dimensions[-1], *dimensions[:-1]))


class Tokens(_Shaping):
    """Tokens: the positions of a map as a sequence, row by row: HxWxC becomes (H*W)xC.

    PyTorch: `x.flatten(2)`, which the written file keeps as (batch, channels, length) or moves to (batch, length,
    channels), as the layers around want it.
    """

    kind = "tokens"
    examples = (Example("tokens", "14x14x8"), Example("tokens", "2x3x4x5"), Example("tokens", "9x4"))

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        return Inferred((Shape((product(x.spatial), x.channels)),))

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return (0,) if inputs[0].rank == 1 else (None,)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call(".flatten", X, 2)) if inputs[0].rank > 1 else Code(X, layout="any")


class Pad(_Shaping):
    """Pad: adds cells around a map, zeros unless said otherwise.

    `pad 1` on all sides, `pad 0x1` by axis, `pad cells=[top, bottom, left, right]`. `reflect` mirrors without the
    edge cell, `replicate` repeats the edge, `circular` goes on at the other side.

    PyTorch: `F.pad`.

    Surprises: `conv` and `pool` pad by themselves (`pad=1`, `same`).
    """

    kind = "pad"
    arguments = (
        Argument("cells", Sides(), positional=True, unit="cells", help="how many on each side of each axis"),
        Argument(
            "mode",
            Choice("constant", "reflect", "replicate", "circular"),
            default="constant",
            help="what the added cells hold: a constant, the mirrored map, its edge, its other side",
        ),
        Argument("value", Number(), default=0.0, help="the constant"),
    )
    examples = (
        Example("pad 1", "5x6x3"),
        Example("pad 0x2", "5x6x3"),
        Example("pad cells=[1, 0, 2, 1]", "5x6x3"),
        Example("pad 2 reflect", "5x6x3"),
        Example("pad 1x2 replicate", "5x6x3"),
        Example("pad 2 circular", "9x3"),
        Example("pad 1 value=-1", "2x3x4x2"),
    )

    cells: Any
    mode: str
    value: float

    def check(self) -> None:
        if self.value and self.mode != "constant":
            raise LayerError("WithoutEffect", "value", kind=self.kind, name="value", needs="`constant`")

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        pads = explicit(self.cells, x.rank, "cells")
        conditions = []
        fewest = {"reflect": 1, "circular": 0}.get(self.mode)
        for axis, n, (before, after) in zip(SPATIAL_AXES[x.rank], x.spatial, pads, strict=True):
            if fewest is not None:
                values = {"axis": axis, "size": n, "pad": max(before, after), "mode": self.mode}
                conditions.append(Condition(n, ">=", max(before, after) + fewest, "PadBeyondMap", "cells", values))
        sides = tuple(n + before + after for n, (before, after) in zip(x.spatial, pads, strict=True))
        return Inferred((Shape((*sides, x.channels)),), tuple(conditions))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        name = "mirror_pad" if self.mode in ("reflect", "replicate") else "pad"
        return (Operation(name, inputs[0].elements, outputs[0].elements),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(Window(pad=before) for before, _ in explicit(self.cells, inputs[0].rank, "cells"))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        options: dict[str, Any] = {}
        if self.mode != "constant":
            options["mode"] = self.mode
        if self.value:
            options["value"] = self.value
        return Code(pad_call(X, explicit(self.cells, inputs[0].rank, "cells"), **options))


class Crop(_Shaping):
    """Crop: cuts cells from the edges of a map, or its middle to a size.

    `crop 2` from all sides, `crop 0x1` by axis, `crop cells=[top, bottom, left, right]`; `crop size=24x24`, or `to=c1`
    for the size of another tensor, keeps the middle and cuts an odd cell after.

    PyTorch: slicing, `x[:, :, 2:-2, 2:-2]`.

    Surprises: torchvision's center_crop rounds half to even: of three cells too many it cuts two before, this one.
    """

    kind = "crop"
    arguments = (
        Argument(
            "cells", Sides(), default=None, positional=True, unit="cells", help="how many on each side of each axis"
        ),
        Argument("size", Sizes(), default=None, unit="cells", help="the sides of the middle to keep"),
        Argument("to", Tensor(), default=None, help="a tensor whose sides the middle to keep has"),
    )
    examples = (
        Example("crop 2", "8x9x3"),
        Example("crop 0x1", "8x9x3"),
        Example("crop cells=[1, 0, 2, 3]", "8x9x3"),
        Example("crop size=5x4", "8x9x3"),
        Example("crop size=4", "9x3"),
        Example("pool 2 as small, pad 3, crop to=small", "9x9x3"),
        Example("crop 1", "4x5x6x2"),
    )

    cells: Any
    size: tuple[int, ...] | None
    to: str | None

    def check(self) -> None:
        given = [name for name in ("cells", "size", "to") if self.__dict__[name] is not None]
        if not given:
            raise LayerError("OneArgumentNeeded", None, kind=self.kind, names=["cells", "size", "to"])
        if len(given) > 1:
            raise LayerError("Exclusive", given[1], kind=self.kind, first=given[1], second=given[0])

    def _cuts(self, inputs: tuple[Shape, ...]) -> Pads:
        """The cells cut before and after, per axis."""
        x = inputs[0]
        if self.cells is not None:
            return explicit(self.cells, x.rank, "cells")
        total = (n - kept for n, kept in zip(x.spatial, self._kept(inputs), strict=True))
        return tuple((cells // 2, cells - cells // 2) for cells in total)

    def _kept(self, inputs: tuple[Shape, ...]) -> tuple[Size, ...]:
        x = inputs[0]
        if self.size is not None:
            return axes(self.size, x.rank, "size")
        if inputs[1].rank != x.rank:
            raise LayerError("RanksDiffer", "to", kind=self.kind, input=x, other=inputs[1])
        return inputs[1].spatial

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        conditions = []
        sides = []
        argument = next(name for name in ("cells", "size", "to") if self.__dict__[name] is not None)
        for axis, n, (before, after) in zip(SPATIAL_AXES[x.rank], x.spatial, self._cuts(inputs), strict=True):
            values = {"axis": axis, "size": n, "left": n - before - after}
            if argument == "cells":
                conditions.append(Condition(n, ">=", before + after + 1, "NothingToCrop", "cells", values))
            else:
                conditions.append(Condition(before + after, ">=", 0, "CropTooLarge", argument, values))
            sides.append(n - before - after)
        return Inferred((Shape((*sides, x.channels)),), tuple(conditions))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(Window(pad=-before) for before, _ in self._cuts(inputs))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (y,) = outputs
        cuts = self._cuts(inputs)
        if self.cells is not None:
            slices = tuple(Slice(before or None, -after or None) for before, after in cuts)
        else:
            slices = tuple(Slice(before, before + kept) for (before, _), kept in zip(cuts, y.spatial, strict=True))
        return Code(Subscript(X, (Slice(), Slice(), *slices)))


class ChannelSlice(_Shaping):
    """Slice: a range of channels, from the first number up to but not including the second, counted from 0.

    `slice 0 32` gives the first 32 channels.

    PyTorch: `x[:, 0:32]`.
    """

    kind = "slice"
    arguments = (
        Argument("start", Count(0), positional=True, unit="channels", help="the first channel, from 0"),
        Argument("stop", Count(), positional=True, unit="channels", help="the channel before which the range ends"),
    )
    examples = (Example("slice 0 3", "5x6x8"), Example("slice 3 8", "8"), Example("slice 1 2", "9x4"))

    start: int
    stop: int

    def check(self) -> None:
        if self.stop <= self.start:
            raise LayerError("EmptyRange", "stop", start=self.start, stop=self.stop)

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take(inputs[0])
        values = {"channels": x.channels, "start": self.start, "stop": self.stop}
        condition = Condition(x.channels, ">=", self.stop, "RangeBeyondChannels", "stop", values)
        return Inferred((Shape((*x.spatial, self.stop - self.start)),), (condition,))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(Subscript(X, (Slice(), Slice(self.start or None, self.stop))))


class Shuffle(_Shaping):
    """Channel shuffle: deals the channels of each group out over all groups (ShuffleNet, Zhang et al. 2018).

    With g groups of n channels, channel i * n + j becomes channel j * g + i.

    PyTorch: `F.channel_shuffle`.
    """

    kind = "shuffle"
    arguments = (Argument("groups", Count(), positional=True, unit="groups", help="how many groups"),)
    examples = (Example("shuffle 2", "5x6x8"), Example("shuffle 3", "9x6"))

    groups: int

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        values = {"kind": self.kind, "name": "groups", "groups": self.groups, "inputs": x.channels, "outputs": None}
        return Inferred((x,), (Condition(x.channels, "%", self.groups, "GroupsDoNotDivide", "groups", values),))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call("F.channel_shuffle", X, self.groups))


class Roll(_Shaping):
    """Roll: shifts a map by some cells; what leaves on one side comes in on the other, as for the shifted windows of
    Swin (Liu et al. 2021).

    `roll 3` shifts down and right by three cells, `roll -3` back; `roll shift=[1, -2]` by axis.

    PyTorch: `torch.roll`.
    """

    kind = "roll"
    arguments = (
        Argument("shift", Sizes(None), positional=True, unit="cells", help="how far along each axis; may be negative"),
    )
    examples = (
        Example("roll 3", "8x8x4"),
        Example("roll -2", "9x3"),
        Example("roll shift=[1, -2]", "5x6x3"),
        Example("roll 1x0x2", "4x5x6x2"),
    )

    shift: tuple[int, ...]

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        axes(self.shift, x.rank, "shift")
        return Inferred((x,))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        rank = inputs[0].rank
        if rank == 1:
            return Code(call("torch.roll", X, self.shift[0], dims=2))
        return Code(call("torch.roll", X, axes(self.shift, rank, "shift"), dims=tuple(range(2, rank + 2))))


class Scale(Elementwise):
    """Scale: multiplies by a number and, if a second one is given, adds it.

    `scale 2 -1` maps 0 … 1 to -1 … 1; `scale 0.17` is the residual scaling of Inception-ResNet. Nothing is learned.

    PyTorch: `x * factor + offset`.

    Surprises: Caffe's Scale layer is learned.
    """

    kind = "scale"
    family = "shape"
    arguments = (
        Argument("factor", Number(), positional=True, help="what every cell is multiplied by"),
        Argument("offset", Number(), default=0.0, positional=True, help="what is then added"),
    )
    examples = (
        Example("scale 0.17", "8x8x4"),
        Example("scale 2 -1", "10"),
        Example("scale 1 0.5", "9x3"),
        Example("scale 1", "9"),
    )

    factor: float
    offset: float

    def expression(self) -> Any:
        scaled = X if self.factor == 1 else Binary("*", X, _plain(self.factor))
        if not self.offset:
            return scaled
        sign = "+" if self.offset > 0 else "-"
        return Binary(sign, scaled, _plain(abs(self.offset)))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        n = inputs[0].elements
        scale = Operation("scale", n, n)
        shift = (Operation("shift", n, n),) if self.offset else ()
        if self.factor == 1:
            return shift or (Operation("identity", n, n),)
        return (scale, *shift)


def _plain(value: float) -> int | float:
    """A number as it is written by hand: whole ones without a point."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
