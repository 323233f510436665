"""What can be wrong between a layer and its input: ranks, sizes, channels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnndsl.diagnostics import Diagnostic


class WrongRank(Diagnostic):
    """The number of sides of a kernel or window is not the number of the input's spatial axes.

    Wrong: `conv 9x16` on an image: 9x16 is a 1-D kernel of 9 cells and 16 channels. Right: `conv 9x9x16`.
    """

    code = "E301"
    title = "kernel and input differ in rank"
    cause = "shape"

    def message_text(self) -> str:
        kind, x = self.values["kind"], self.values["input"]
        if not x.rank:
            return f"`{kind}` slides over positions, but its input `{x}` is a vector: it has channels only"
        sides = len(self.values["kernel"])
        what = f"a {sides}-D {self._what()} (`{_size(self.values['kernel'])}`)"
        return f"{what} does not fit the {x.rank}-D input `{x}`"

    def _what(self) -> str:
        return "window" if self.values["channels"] is None and self.values["kind"] != "dwconv" else "kernel"

    def label_text(self) -> str:
        x = self.values["input"]
        return f"the input is {x}: {' x '.join(x.axes)}"

    def help_text(self) -> str | None:
        kernel, channels, x = self.values["kernel"], self.values["channels"], self.values["input"]
        if not x.rank:
            if self.values["kind"] == "conv":
                return f"a layer on a vector is `dense {channels}`; or take out what flattened the map before it"
            return "take out what flattened the map before it"
        sides = kernel if channels is None else (*kernel, channels)
        if channels is not None and len(sides) == x.rank:
            return (
                f"`{_size(sides)}` reads as a kernel of {_size(kernel)} and {channels} channels: "
                f"did you mean `{_size((*sides, 'CHANNELS'))}`, or {self._guess()}?"
            )
        return f"did you mean {self._guess()}?"

    def _guess(self) -> str:
        kernel, channels, x = self.values["kernel"], self.values["channels"], self.values["input"]
        fitted = (*kernel, *(kernel[-1:] * x.rank))[: x.rank]
        written = fitted if channels is None else (*fitted, channels)
        return f"`{self.values['kind']} {_size(written)}`"


class ArmsDiffer(Diagnostic):
    """A merge gets tensors of different sizes.

    Wrong: `add:` of a 56x56x64 and a 28x28x128. A `1x1` convolution with the same stride brings the shortcut to size.
    """

    code = "E331"
    title = "arms of different sizes"
    cause = "arms"
    label = "can't be merged"

    def message_text(self) -> str:
        shapes = listed(self.values["inputs"])
        return f"`{self.values['kind']}` gets {shapes}, which differ in {listed(self._differing())}"

    def _differing(self) -> list[str]:
        """The axes that should be equal and are not; where `ones` holds, a size of 1 goes with any other."""
        ignored = {1} if self.values.get("ones") else set()
        inputs = self.values["inputs"]
        sizes = {axis: {x.sizes[x.axes.index(axis)] for x in inputs} - ignored for axis in self.values["checked"]}
        return [axis for axis, found in sizes.items() if len(found) > 1]


class ArmsOfOtherRank(Diagnostic):
    """A merge gets tensors of different kinds, such as an image and a vector."""

    code = "E332"
    title = "arms of different rank"
    cause = "arms"
    label = "can't be merged"

    def message_text(self) -> str:
        shapes = listed(self.values["inputs"])
        return f"`{self.values['kind']}` gets {shapes}, which have different numbers of axes"


class NeedsPositions(Diagnostic):
    """The kind works on maps and sequences, and the input is a vector.

    Wrong: `dense 10, pool 2`. Right: `pool 2, dense 10`.
    """

    code = "E302"
    title = "a vector where a map is needed"
    cause = "shape"
    message = "`{kind}` works on positions, but its input `{input}` is a vector: it has channels only"
    label = "the input is a vector of {input}"
    help = "put it before what flattens (`dense`, `flatten`), or `reshape` the vector"


class NeedsImage(Diagnostic):
    """The kind works on two-dimensional maps only.

    Wrong: `pixelshuffle 2` on a sequence `16x8`. Right: on a map `16x16x8`.
    """

    code = "E303"
    title = "not an image"
    cause = "shape"
    message = "`{kind}` works on height x width x channels, but its input is `{input}`"
    label = "the input is {input}"


class WrongNumberOfAxes(Diagnostic):
    """An argument has more or fewer numbers than the input has spatial axes.

    Wrong: `conv 3x3x8 /2x2x2` on an image. Right: `/2x2`, or `/2` for all axes.
    """

    code = "E304"
    title = "wrong number of axes"
    cause = "shape"
    message = "`{name}` has {given} numbers, but the input has {rank} spatial axes"
    label = "must have 1 number or {rank}"

    def message_text(self) -> str:
        rank = self.values["rank"]
        axes = "1 spatial axis" if rank == 1 else f"{rank} spatial axes"
        return f"`{self.values['name']}` has {self.values['given']} numbers, but the input has {axes}"

    def label_text(self) -> str:
        rank = self.values["rank"]
        return "must be one number" if rank == 1 else f"must be one number for all axes, or {rank}"


class WrongNumberOfSides(Diagnostic):
    """A list of padding has two numbers for each spatial axis: before and after.

    Wrong: `pad=[1, 1]` on an image. Right: `pad=[1, 1, 1, 1]`: top, bottom, left, right.
    """

    code = "E305"
    title = "wrong number of sides"
    cause = "shape"
    message = "the list for `{name}` has {given} numbers, but {rank}-D inputs have {wanted} sides"

    def label_text(self) -> str:
        order = {1: "before, after", 2: "top, bottom, left, right", 3: "front, back, top, bottom, left, right"}
        return f"must be [{order[self.values['rank']]}]"


class WindowTooLarge(Diagnostic):
    """A kernel or window is larger than the input with its padding, so that it has no position.

    Wrong: `conv 5x5x8` on a 4x4 map. Right: `conv 5x5x8 pad=2`, or a larger input.
    """

    code = "E306"
    title = "the window does not fit"
    cause = "axis"
    label = "spans {reach} cells"

    def message_text(self) -> str:
        v = self.values
        return (
            f"the window spans {v['reach']} cells, the {v['axis']} of the input has {v['size']}"
            f"{self._padding()}: {self._arithmetic()}"
        )

    def _padding(self) -> str:
        total = self.values["before"] + self.values["after"]
        return f" and {total} of padding" if total else ""

    def _arithmetic(self) -> str:
        """The output size as it is computed: `(4 + 0 + 0 - 5) / 1 + 1 = 0`."""
        v = self.values
        free = v["size"] + v["before"] + v["after"] - v["reach"]
        inner = f"({v['size']} + {v['before']} + {v['after']} - {v['reach']}) / {v['stride']}"
        if free % v["stride"] == 0:
            return f"{inner} + 1 = {free // v['stride'] + 1}"
        if v["ceil"]:
            return f"ceil({inner}) + 1 = {-(-free // v['stride']) + 1}"
        return f"floor({inner}) + 1 = {free // v['stride'] + 1}"

    def help_text(self) -> str | None:
        v = self.values
        missing = v["reach"] - v["size"] - v["before"] - v["after"]
        if v["reach"] > 2 * v["size"]:
            return f"the {v['axis']} is only {v['size']} here: fewer strides or pools before this, or a smaller window"
        return f"the {v['axis']} lacks {missing}: a smaller window, `pad=`, `same`, or a larger input"


class PadTooLarge(Diagnostic):
    """A pool is padded by more than half its window, as PyTorch forbids: such a window could see padding alone.

    Wrong: `pool 3 pad=2`. Right: `pool 3 pad=1`, or `pad 2, pool 3`.
    """

    code = "E307"
    title = "too much padding for a pool"
    message = "the {axis} is padded by {pad}, which is more than half of the window's {kernel}"
    label = "a pool's padding is at most half its window"
    help = "to add more cells, put a `pad` before the pool"


class MapBelowWindow(Diagnostic):
    """PyTorch's 3-D average pool with `ceil` can't take a map that is smaller than the window.

    Wrong: `pool 3 avg ceil` on `2x8x8x4`. Right: the same without `ceil`, with padding.
    """

    code = "E330"
    title = "a map smaller than the window"
    cause = "axis"
    message = "a 3-D average pool with `ceil` needs a {axis} of at least {kernel}, and it is {size}"
    label = "PyTorch refuses this"
    help = "pad it (`pad=`) and leave `ceil` out"


class GroupsDoNotDivide(Diagnostic):
    """Groups are of equal size, so their number must divide the numbers of channels.

    Wrong: `conv 3x3x8 groups=3` on 4 channels. Right: `groups=2` or `groups=4`.
    """

    code = "E308"
    title = "groups do not divide the channels"
    cause = "channels"

    def message_text(self) -> str:
        v = self.values
        parts = []
        if v["inputs"] % v["groups"]:
            parts.append(f"the {v['inputs']} input channels")
        if v["outputs"] is not None and v["outputs"] % v["groups"]:
            parts.append(f"the {v['outputs']} output channels")
        return f"{v['groups']} groups do not divide {' and '.join(parts)} evenly"

    def label_text(self) -> str:
        return f"{self.values['groups']} groups of equal size can't be made"

    def help_text(self) -> str | None:
        from math import gcd

        v = self.values
        working = divisors(gcd(v["inputs"], v["outputs"] or 0), v["groups"])
        if len(working) == 1:
            return f"only `{v['name']}=1` works" if v["outputs"] is not None else "only 1 works"
        return "these work: " + ", ".join(map(str, working))


class ConnectRows(Diagnostic):
    """A connection table has a row for every output channel.

    Wrong: `conv 5x5x16 connect=[[0, 1], [1, 2]]`. Right: 16 rows.
    """

    code = "E309"
    title = "wrong number of rows in a connection table"
    message = "the connection table has {rows} {said} for {channels} output channels"
    label = "must have a row for each output channel"

    def message_text(self) -> str:
        return self.message.format(**self.values, said="row" if self.values["rows"] == 1 else "rows")


class ConnectChannel(Diagnostic):
    """A connection table names an input channel that is not there; channels count from 0.

    Wrong: `connect=[[1, 2, 3]]` on 3 channels. Right: `connect=[[0, 1, 2]]`.
    """

    code = "E310"
    title = "no such input channel"
    cause = "channels"
    message = "the connection table names input channel {given}, but there are {inputs}, numbered from 0"
    label = "the highest number there can be is one less than {inputs}"


class NothingLeft(Diagnostic):
    """A transposed convolution's padding cuts away all there is.

    Wrong: `deconv 2x2x8 pad=2` on a 2x2 map. Right: `deconv 2x2x8`.
    """

    code = "E311"
    title = "nothing is left"
    cause = "axis"

    def message_text(self) -> str:
        v = self.values
        return (
            f"padding cuts all of the {v['axis']} away: ({v['size']} - 1) * {v['stride']} - {v['before']}"
            f" - {v['after']} + {v['reach']} + {v['outpad']} = {v['left']}"
        )

    label = "of a `deconv`, padding is what is cut off the output"


class OutpadTooLarge(Diagnostic):
    """`outpad` chooses between the sizes that one stride merges, so it is smaller than the stride (or dilation).

    Wrong: `deconv 3x3x8 /2 outpad=2`. Right: `deconv 3x3x8 /2 outpad=1`.
    """

    code = "E312"
    title = "too large an outpad"
    message = "`outpad` is {outpad} along the {axis}, but the stride is {stride} and the dilation {dilation}"
    label = "must be less than one of them"


class FactorDoesNotDivide(Diagnostic):
    """A pixel shuffle needs as many channels as fill its blocks, a pixel unshuffle whole blocks.

    Wrong: `pixelshuffle 2` on 6 channels. Right: on 8, which become 2.
    """

    code = "E313"
    title = "not divisible"
    cause = "axis"
    message = "`{kind} {factor}` needs {axis} divisible by {by}, and there are {size}"
    label = "{size} / {by} is not whole"

    def message_text(self) -> str:
        v = self.values
        if v["axis"] == "channels":
            return f"`{v['kind']} {v['factor']}` needs channels in multiples of {v['by']}, and there are {v['size']}"
        return f"`{v['kind']} {v['factor']}` needs a {v['axis']} divisible by {v['by']}, and it is {v['size']}"


class ModeOfOtherRank(Diagnostic):
    """An interpolation that is made for inputs of another rank.

    Wrong: `upsample 2 bilinear` on a sequence. Right: `upsample 2 linear`.
    """

    code = "E314"
    title = "interpolation of another rank"
    cause = "shape"
    message = "`{mode}` does not fit the input `{input}`"
    label = "not for this input"

    def help_text(self) -> str | None:
        return "these fit: " + ", ".join(f"`{mode}`" for mode in self.values["fitting"])


class RanksDiffer(Diagnostic):
    """A tensor whose size is to be taken over has another number of axes.

    Wrong: `upsample to=v` where `v` is a vector. Right: a tensor with as many axes as the input.
    """

    code = "E315"
    title = "another number of axes"
    message = "`{kind}` can't take over the size `{other}` for its input `{input}`: their axes differ in number"
    label = "this tensor is {other}"


class UnpoolShape(Diagnostic):
    """`unpool` needs an input of the very shape that the named pool gave.

    Wrong: `pool 2 as p1, conv 3x3x8, unpool 2 p1`. Right: `conv 3x3x8 same` between them, with the pool's channels.
    """

    code = "E316"
    title = "not the pool's shape"
    message = "the input is `{input}`, but the named pool gave `{pooled}`: every cell needs its index"
    label = "the pool's output was {pooled}"


class UnpoolSize(Diagnostic):
    """The window of an `unpool` does not lead back to the size that the named pool had as its input.

    Wrong: `pool 2 as p1, unpool 3 p1`. Right: `pool 2 as p1, unpool 2 p1`: window, stride and padding as the pool's.
    """

    code = "E317"
    title = "not the pool's window"
    message = "the pool took its {axis} from {size}, but this window and stride give about {made}"
    label = "use the pool's window, stride and padding"


class NothingToCrop(Diagnostic):
    """More is cut off than there is.

    Wrong: `crop 3` on a 6x6 map. Right: `crop 2`, which leaves 2x2.
    """

    code = "E318"
    title = "nothing is left"
    cause = "axis"
    message = "the {axis} is {size}, and {left} cells would be left"
    label = "cuts more than there is"


class CropTooLarge(Diagnostic):
    """The middle to keep is larger than the map.

    Wrong: `crop size=32x32` on a 28x28 map. Right: `pad 2`, if it is to be larger.
    """

    code = "E319"
    title = "the middle is larger than the map"
    cause = "axis"
    message = "the {axis} is {size}, so {left} can't be kept of it"
    label = "larger than the input"


class PadBeyondMap(Diagnostic):
    """Mirrored or repeated cells run out: there are not as many as the padding wants.

    Wrong: `pad 4 reflect` on a 4x4 map. Right: `pad 3 reflect`.
    """

    code = "E320"
    title = "more padding than there are cells"
    cause = "axis"
    message = "`{mode}` can't make {pad} cells beside a {axis} of {size}"
    label = "too many for this input"


class ElementsDiffer(Diagnostic):
    """`reshape` keeps every cell, so both sizes have the same product.

    Wrong: `reshape 28x28x1` of 1000 values. Right: of 784.
    """

    code = "E321"
    title = "another number of cells"
    cause = "shape"
    message = "`{size}` has {want} cells, but the input `{input}` has {have}"
    label = "{want} is not {have}"


class NotAnOrder(Diagnostic):
    """`permute` names every axis of the input once, from 0.

    Wrong: `permute 1x2x3`. Right: `permute 1x0x2`: width, height, channels.
    """

    code = "E322"
    title = "not an order of the axes"
    cause = "shape"

    def message_text(self) -> str:
        axes = ", ".join(f"{i} ({name})" for i, name in enumerate(self.values["input"].axes))
        return f"`{_size(self.values['order'])}` does not name each axis of the input once: {axes}"

    label = "must be the axes from 0, each once"


class RangeBeyondChannels(Diagnostic):
    """A range of channels ends behind the last one.

    Wrong: `slice 0 64` of 32 channels. Right: `slice 0 32`.
    """

    code = "E323"
    title = "not so many channels"
    cause = "channels"
    message = "the range ends at channel {stop}, but the input has {channels} channels"
    label = "must be at most {channels}"


class CentresDiffer(Diagnostic):
    """The digits' bitmaps are ten centres of 84 numbers.

    Wrong: `dense 100, rbf 10 centres=digits`. Right: `dense 84, rbf 10 centres=digits`.
    """

    code = "E327"
    title = "the centres do not fit"
    message = "`centres=digits` are 10 bitmaps of 7x12 = 84 cells, but this layer has {units} units and {inputs} inputs"
    label = "wants 84 inputs and 10 units"


class OnePosition(Diagnostic):
    """A norm over the positions of a map that has only one: the result would be zero throughout.

    Wrong: `globalpool avg, instancenorm`. Right: `instancenorm, globalpool avg`.
    """

    code = "E328"
    title = "only one position"
    cause = "shape"
    message = "`{kind}` normalises over positions, and its input `{input}` has only one"
    label = "nothing to normalise over"


class NoIndices(Diagnostic):
    """`unpool` needs the indices that a max pool keeps; the named layer has none.

    Wrong: `pool 2 avg as p1`, … `unpool 2 p1`. Right: `pool 2 as p1`, … `unpool 2 p1`.
    """

    code = "E329"
    title = "no indices there"
    message = "`{name}` is a `{kind}` that keeps no indices: only a max pool can be undone"
    label = "not a max pool"


def divisors(number: int, near: int) -> list[int]:
    """What divides a number, as far as one looks; of many, the twelve nearest to `near`."""
    working = [d for d in range(1, min(number, 4096) + 1) if number % d == 0]
    return working if len(working) <= 12 else sorted(sorted(working, key=lambda d: abs(d - near))[:12])


def listed(values: Iterable[Any]) -> str:
    """`8x8x4, 8x8x3 and 6x6x4`."""
    texts = [str(value) for value in values]
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def _size(sides: tuple[Any, ...]) -> str:
    return "x".join(str(side) for side in sides)
