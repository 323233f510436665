"""Receptive fields: how many input cells one output sees, along each axis of the network's input.

Per axis, with the jump j (input cells between neighbouring outputs) and the first cell seen lo:
lo -= pad * j, span += dilation * (size - 1) * j, j *= stride. Branches take the union. Upsampling makes j a
fraction, and then the windows behind it are kept and composed backwards: exact in a chain (but for a stride behind
an upsampling that share a factor, where it is an upper bound). Of branches with upsampling the largest counts.

Source of the recurrence: Araujo, Norris & Sim, "Computing receptive fields of convolutional neural networks",
Distill, 2019.
"""

from __future__ import annotations

from cnndsl.layers.base import Window
from cnndsl.record import Record
from cnndsl.shape import Shape

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

    def field(self) -> int:
        """How many input cells one output sees at most."""
        if self.full:
            return self.span
        seen = 1
        for window in reversed(self.tail):
            seen = (
                window.dilation * (window.size - 1) + 1 + (window.slack + (seen - 1) * window.stride) // window.upscale
            )
        return self.span + (seen - 1) * self.jump

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
    """What a tensor's cells see of the input. `runs_along[i]` is the input's axis that the tensor's i-th
    spatial axis runs along, None if it mixes several."""

    axes: tuple[Axis, ...]
    runs_along: tuple[int | None, ...]

    def receptive_field(self) -> tuple[int, ...]:
        return tuple(axis.field() for axis in self.axes)

    def stride(self) -> tuple[int | float, ...]:
        return tuple(axis.step() for axis in self.axes)


def input_field(shape: Shape) -> Field:
    """The input sees itself."""
    return Field((Axis(),) * shape.rank, tuple(range(shape.rank)))


def behind(field: Field, windows: tuple[Window, ...], follows: tuple[int | None, ...], whole: Shape) -> Field:
    """The field behind a layer with these windows along its input's axes.

    follows: for each axis of the output, the axis of the layer's input it runs along. whole: the network's
    input, which a layer that looks along a mixed axis is taken to see completely.
    """
    axes = list(field.axes)
    for window, along in zip(windows, field.runs_along, strict=False):
        if along is not None and window.stride:
            axes[along] = axes[along].through(window)
        elif window.size != 1 or not window.stride:
            completely = [i for i in range(len(axes)) if i == along or (along is None and i not in field.runs_along)]
            for i in completely:
                if axes[i].field() < whole.spatial[i]:
                    axes[i] = axes[i]._replace(low=0, span=whole.spatial[i], full=True)
    runs_along = tuple(None if i is None or i >= len(field.runs_along) else field.runs_along[i] for i in follows)
    return Field(tuple(axes), runs_along)


def union(fields: list[Field]) -> Field:
    """What a merge of several tensors sees."""
    first = fields[0]
    if all(f == first for f in fields):
        return first
    axes = []
    for together in zip(*(f.axes for f in fields), strict=False):
        full = [axis for axis in together if axis.full]
        if full:
            axes.append(full[0]._replace(jump=max(axis.jump for axis in together)))
            continue
        if any(axis.tail for axis in together):
            axes.append(max(together, key=Axis.field))
            continue
        low = min(axis.low for axis in together)
        high = max(axis.low + axis.span for axis in together)
        axes.append(Axis(low, high - low, max(axis.jump for axis in together)))
    return Field(tuple(axes), first.runs_along)
