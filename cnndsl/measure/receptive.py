"""Receptive fields: how many input cells one output sees, along each axis of the network's input.

Per axis, with the jump j (input cells between neighbouring outputs) and the first cell seen lo:
lo -= pad * j, span += dilation * (size - 1) * j, j *= stride. Branches take the union. Upsampling makes j a
fraction, and then the windows behind it are kept and composed backwards: exact in a chain (but for a stride behind
an upsampling that share a factor, where it is an upper bound). Of branches with upsampling the largest counts. A branch
of one cell that is repeated over a map, as squeeze and excitation has, adds what it sees and leaves j alone.

Source of the recurrence: Araujo, Norris & Sim, "Computing receptive fields of convolutional neural networks",
Distill, 2019.
"""

from __future__ import annotations

from cnndsl.layers.base import Layer, Window
from cnndsl.measure.primitives import SIZE_ALONE
from cnndsl.record import Record
from cnndsl.shape import Shape, Size, named

MOST_JUMP = 1 << 64


class Axis(Record):
    """What one cell sees along one axis of the input.

    low: the first cell, for the output's cell 0. span: how many cells, up to where `tail` begins. jump: input
    cells between neighbours there. tail: the windows since the first upsampling, oldest first. full: every cell sees
    the whole axis, so that nothing behind it can see more.
    """

    low: int = 0
    span: int = 1
    jump: int = 1
    tail: tuple[Window, ...] = ()
    full: bool = False

    @property
    def high(self) -> int:
        """The last cell that the output's cell 0 sees."""
        return self.low + self.span - 1

    @property
    def twice_centre(self) -> int:
        """Twice the middle of what the output's cell 0 sees."""
        return self.low + self.high

    def field(self) -> int:
        """How many input cells one output sees at most."""
        if self.full or not self.tail:
            return self.span
        seen: Size = 1
        for window in reversed(self.tail):
            more = (window.slack + (seen - 1) * window.stride) // window.upscale
            seen = named("seen", window.dilation * (window.size - 1) + 1 + more)
        return self.span + (seen - 1) * self.jump  # type: ignore[no-any-return]

    def step(self) -> int | float:
        """Input cells between neighbouring outputs."""
        numerator, denominator = self.jump, 1
        for window in self.tail:
            numerator, denominator = numerator * window.stride, denominator * window.upscale
        return numerator // denominator if numerator % denominator == 0 else numerator / denominator

    def through(self, window: Window) -> Axis:
        """The same behind one more window."""
        if window == _SAME:
            return self
        if window.then is not None:
            return self.through(window._replace(then=None)).through(window.then)
        if window.upscale != 1 or self.tail:
            return self._replace(tail=_extended(self.tail, window))
        if self.jump > MOST_JUMP:
            # Thousands of strides on an axis of one cell: numbers that only grow and say nothing.
            return self
        if self.full:
            return self._replace(jump=self.jump * window.stride)
        reach = window.dilation * (window.size - 1)
        return Axis(self.low - window.pad * self.jump, self.span + reach * self.jump, self.jump * window.stride, ())


_SAME = Window()


def _extended(tail: tuple[Window, ...], window: Window) -> tuple[Window, ...]:
    """A tail with one more window; two that don't upsample are joined into one, so that tails stay short."""
    last = tail[-1] if tail else None
    if last is None or last.upscale != 1 or window.upscale != 1:
        return (*tail, window)
    reach = last.dilation * (last.size - 1) + window.dilation * (window.size - 1) * last.stride
    return (*tail[:-1], Window(reach + 1, last.stride * window.stride, 1, last.pad + window.pad * last.stride))


class Field(Record):
    """What a tensor's cells see of the input.

    runs_along: the input's axis that each of the tensor's spatial axes runs along, None if it mixes several. whole:
    how many cells that input has along each axis. origin: the number of the node that is that input; None where
    tensors made from different inputs were merged, and then `whole` is of the larger.
    """

    axes: tuple[Axis, ...]
    runs_along: tuple[int | None, ...]
    whole: tuple[int, ...]
    origin: int | None = None

    def receptive_field(self) -> tuple[int, ...]:
        return tuple(axis.field() for axis in self.axes)

    def stride(self) -> tuple[int | float, ...]:
        return tuple(axis.step() for axis in self.axes)


def input_field(shape: Shape, origin: int = 0) -> Field:
    """The input, node number `origin`, sees itself."""
    return Field((Axis(),) * shape.rank, tuple(range(shape.rank)), tuple(shape.spatial), origin)


def behind(field: Field, windows: tuple[Window, ...], follows: tuple[int | None, ...]) -> Field:
    """The field behind a layer with these windows along its input's axes.

    follows: for each axis of the output, the axis of the layer's input it runs along. A layer that looks along a
    mixed axis is taken to see that axis of the network's input completely.
    """
    axes = list(field.axes)
    for window, along in zip(windows, field.runs_along, strict=False):
        if along is not None and window.stride:
            axes[along] = axes[along].through(window)
        elif window.size != 1 or not window.stride:
            completely = [i for i in range(len(axes)) if i == along or (along is None and i not in field.runs_along)]
            for i in completely:
                if axes[i].field() < field.whole[i]:
                    axes[i] = axes[i]._replace(low=0, span=field.whole[i], full=True)
    runs_along = tuple(None if i is None or i >= len(field.runs_along) else field.runs_along[i] for i in follows)
    return Field(tuple(axes), runs_along, field.whole, field.origin)


class Seeing(Record):
    """What decides what a layer's output sees: its windows along each axis of its input (None where it passes every
    cell on by itself), which of those axes each of the output's runs along, and its first primitive operation."""

    windows: tuple[Window, ...] | None
    follows: tuple[int | None, ...]
    first: str


def field_behind(
    layer: Layer, seeing: Seeing, inputs: list[tuple[Field | None, Shape]], result: Shape
) -> tuple[Field | None, tuple[Misaligned, ...]]:
    """What the output of a layer sees, of which the fields and shapes of its inputs are known; None where one of them
    is not. And where a merge's arms don't line up."""
    if len(inputs) > 1 and seeing.first in SIZE_ALONE:
        inputs = inputs[:1]
    known = [field for field, _ in inputs if field is not None]
    if len(known) != len(inputs) or not known:
        return None, ()
    found: tuple[Misaligned, ...] = ()
    field = known[0]
    if len(known) > 1:
        field, found = _merged(layer, known, [shape for _, shape in inputs], result)
    return field if seeing.windows is None else behind(field, seeing.windows, seeing.follows), found


def _merged(
    layer: Layer, fields: list[Field], shapes: list[Shape], result: Shape
) -> tuple[Field, tuple[Misaligned, ...]]:
    """What a layer with several inputs sees, before its own windows; and where a merge's don't line up."""
    found: tuple[Misaligned, ...] = ()
    if layer.family == "merge" and any(field != fields[0] for field in fields):
        if getattr(layer, "crop", False):
            fields = [cropped(f, x, result) for f, x in zip(fields, shapes, strict=True)]
            shapes = [x._replace(sizes=(*result.spatial, x.channels)) for x in shapes]
        found = misaligned(fields, shapes)
    return union(fields, shapes), found


def cropped(field: Field, shape: Shape, result: Shape) -> Field:
    """The field of a merge's arm that is cut, about its centre, to the result's sides."""
    axes = list(field.axes)
    for along, size, kept in zip(field.runs_along, shape.spatial, result.spatial, strict=False):
        if along is not None and size > kept:
            axes[along] = axes[along].through(Window(pad=-((size - kept) // 2)))
    return field._replace(axes=tuple(axes))


def union(fields: list[Field], shapes: list[Shape]) -> Field:
    """What a merge of tensors with these fields and shapes sees of the network's input.

    Of inputs with different numbers of axes, a text and an image say, it is what it sees of those that have as many
    as the first that has any: a vector has no cells to see.
    """
    rank = next((len(f.axes) for f in fields if f.axes), 0)
    same = all(f.origin == fields[0].origin for f in fields)
    arms = [(f, shape) for f, shape in zip(fields, shapes, strict=True) if len(f.axes) == rank]
    first = arms[0][0]
    origin = first.origin if same else None
    if all(f == first for f, _ in arms):
        return first._replace(origin=origin)
    whole = tuple(max(f.whole[i] for f, _ in arms) for i in range(rank))
    axes = []
    for i in range(rank):
        widths = [_width(f, shape, i) for f, shape in arms]
        axes.append(_together([f.axes[i] for f, _ in arms], widths, whole[i]))
    return Field(tuple(axes), first.runs_along, whole, origin)


def _width(field: Field, shape: Shape, axis: int) -> int | None:
    """How many cells a tensor has along an axis of the input; None if none of its own axes runs there."""
    for along, size in zip(field.runs_along, shape.spatial, strict=False):
        if along == axis:
            return int(size)
    return None


def _together(axes: list[Axis], widths: list[int | None], whole: int) -> Axis:
    """What a merge's arms, so many cells wide, see together along an axis of the input, which has `whole` cells."""
    wide = [axis for axis, width in zip(axes, widths, strict=True) if width != 1] or axes
    widest = max(wide, key=Axis.field)
    jump = widest.jump if widest.tail else max(axis.jump for axis in wide)
    full = [axis for axis in axes if axis.full]
    if full:
        return widest._replace(low=full[0].low, span=full[0].span, jump=jump, full=True)
    low, behind = min(axis.low for axis in axes), max(axis.low + axis.field() for axis in axes)
    if len(wide) < len(axes) and low <= 0 and behind >= whole:
        # Every cell meets the one cell that saw all of the input.
        return widest._replace(low=0, span=max(whole, *(axis.field() for axis in wide)), jump=jump, full=True)
    if any(axis.tail for axis in axes):
        return max(axes, key=Axis.field)
    return Axis(low, behind - low, jump)


class Misaligned(Record):
    """Two arms of a merge that don't line up along one of the tensor's spatial axes.

    arms: their numbers. jumps: the input cells between neighbours of each. centres: twice the middle of what the
    first output of each sees.
    """

    axis: int
    arms: tuple[int, int]
    jumps: tuple[int, int]
    centres: tuple[int, int]


def misaligned(fields: list[Field], shapes: list[Shape]) -> tuple[Misaligned, ...]:
    """Where a merge's arms, cropped to one size, have other strides, or look at places a cell or more apart.

    A cell is one of the merged tensor. Less than that is what even windows, and TensorFlow's `same` with a stride,
    bring about in many sound networks. Nothing is said where it can't be known or does not matter: of arms that are
    one cell wide, see everything, come from other inputs, or were upsampled; and along a sequence (the one axis, or
    the depth of three) of arms that end at the same cell, as causal convolutions do.
    """
    found = []
    for axis in range(min(shape.rank for shape in shapes)):
        known = _comparable(fields, shapes, axis)
        sequence = shapes[0].rank == 1 or (shapes[0].rank == 3 and axis == 0)
        for number, seen in known[1:]:
            other, first = known[0]
            if not _aligned(first, seen, sequence=sequence):
                jumps, centres = (first.jump, seen.jump), (first.twice_centre, seen.twice_centre)
                found.append(Misaligned(axis, (other, number), jumps, centres))
                break
    return tuple(found)


def _comparable(fields: list[Field], shapes: list[Shape], axis: int) -> list[tuple[int, Axis]]:
    """The arms, by number, of which it is known where their cells look along one of the tensor's axes."""
    first = fields[0]
    if first.origin is None or first.runs_along[axis] is None:
        return []
    found = []
    for number, (field, shape) in enumerate(zip(fields, shapes, strict=True)):
        along = field.runs_along[axis]
        if along is None or (field.origin, along) != (first.origin, first.runs_along[axis]):
            continue
        seen = field.axes[along]
        if shape.spatial[axis] > 1 and not seen.tail and not seen.full:
            found.append((number, seen))
    return found


def _aligned(first: Axis, second: Axis, *, sequence: bool) -> bool:
    if first.jump != second.jump:
        return False
    if sequence and first.high == second.high:
        return True
    return abs(first.twice_centre - second.twice_centre) < 2 * first.jump
