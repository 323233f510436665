"""Shape rules on vectors: what a layer makes of all sizes at once, what must hold for it, what it leaves unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cnndsl.elaborate.builder import MOST_CELLS
from cnndsl.layers.base import Condition, Inferred, Layer, LayerError
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.sizes.vectors import SEVERAL, Array, Coupled, Interned, Sizes, interval, vector


class Must(Record):
    """That a layer can be: `holds` is a truth value, or one for every point of dimension `dim`. Where that depends on
    several dimensions, it is that `difference` is at least 0, or 0 if `exactly`."""

    dim: int
    holds: Any
    difference: Any = None
    exactly: bool = False

    def within(self, box: tuple[Array, ...]) -> bool:
        """Whether it holds at all points of a box, or at none. Raises Coupled if neither is known."""
        try:
            low, high = interval(self.difference, box)
        except RecursionError:
            raise Coupled from None
        if low > 0 or high < 0 or low == high:
            return low == 0 or (low > 0 and not self.exactly)
        if self.exactly or low < 0:
            raise Coupled
        return True


class Made(Record):
    """What a layer makes: the shapes of its outputs, and what must hold for them; or the refusal of all sizes."""

    outputs: tuple[Shape, ...]
    musts: tuple[Must, ...]
    refusal: LayerError | None = None


class Forward:
    """Runs shape rules. What equal layers make of equal shapes is computed once."""

    def __init__(self) -> None:
        self.interned = Interned()
        self._made: dict[tuple[Any, ...], Made] = {}
        self._lost: dict[tuple[Any, ...], tuple[tuple[str, Any], ...]] = {}

    def shape(self, shape: Shape) -> Shape:
        """The shape with sizes that are one object where they are equal."""
        sizes, plane = tuple(map(self.interned, shape.sizes)), tuple(map(self.interned, shape.plane))
        return Shape(sizes, shape.tokens, plane)

    def make(self, layer: Layer, shapes: tuple[Shape, ...]) -> Made:
        """What a layer makes of inputs of these shapes."""
        key = (layer, shapes)
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = self._make(layer, shapes)
        return known

    def _make(self, layer: Layer, shapes: tuple[Shape, ...]) -> Made:
        try:
            inferred: Inferred = layer.infer(*shapes)
        except LayerError as error:
            return Made((), (), error)
        except TypeError:  # a rule that asks a size for its value
            return self._made_by_rows(layer, shapes)
        outputs = tuple(map(self.shape, inferred.outputs))
        musts = [_must(condition) for condition in inferred.conditions]
        for output in outputs:
            musts += [_compared(">=", MOST_CELLS, size) for size in output.sizes if _may_exceed(size)]
        return Made(outputs, tuple(musts))

    def _made_by_rows(self, layer: Layer, shapes: tuple[Shape, ...]) -> Made:
        """What a rule that takes only integers makes, size by size."""
        first: list[Inferred] = []
        refusals: list[LayerError] = []

        def inferred(at: tuple[Shape, ...]) -> tuple[Any, ...]:
            try:
                made = layer.infer(*at)
            except LayerError as error:
                refusals.append(error)
                return ()
            first.append(made)
            holds = all(condition.holds() for condition in made.conditions)
            return (holds, *(size for output in made.outputs for size in (*output.sizes, *output.plane)))

        dim, index, found = rows(inferred, shapes)
        if not first:
            return Made((), (), refusals[0])
        blank = (False, *(1 for _ in range(max(map(len, found)) - 1)))
        columns = [Sizes(np.array(column)[index], dim) for column in zip(*(row or blank for row in found), strict=True)]
        holds, *sizes = columns
        outputs = []
        for output in first[0].outputs:
            own, sizes = sizes[: len(output.sizes)], sizes[len(output.sizes) :]
            plane, sizes = sizes[: len(output.plane)], sizes[len(output.plane) :]
            outputs.append(self.shape(Shape(tuple(own), output.tokens, tuple(plane))))
        return Made(tuple(outputs), (Must(dim, np.asarray(holds.values, dtype=bool)),))

    def lost(self, layer: Layer, shapes: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[tuple[str, Any], ...]:
        """The rows and columns that no window of a layer reaches, by the axis of its input: those behind the last one.

        What lies between windows that are further apart than they are wide (`conv 1x1 /2`) is no matter of the size.
        """
        key = (layer, shapes)
        if key not in self._lost:
            self._lost[key] = tuple(_lost(layer, shapes, outputs))
        return self._lost[key]


def varying_in(shapes: tuple[Shape, ...]) -> list[Sizes]:
    """The sizes in shapes that are not the same everywhere, each once."""
    return list(dict.fromkeys(s for shape in shapes for s in (*shape.sizes, *shape.plane) if isinstance(s, Sizes)))


def rows(function: Callable[[tuple[Shape, ...]], Any], shapes: tuple[Shape, ...]) -> tuple[int, Array, list[Any]]:
    """What a function of shapes of integers gives, once for all points where they are the same: the dimension along
    which they vary, and each point's number in a list of values. Raises Coupled."""
    varying = varying_in(shapes)
    if len({size.dim for size in varying}) != 1:
        raise Coupled
    table, index = np.unique(np.stack([vector(size) for size in varying], axis=1), axis=0, return_inverse=True)

    def number(size: Any, row: Any) -> int:
        return int(row[varying.index(size)]) if isinstance(size, Sizes) else size

    def whole(shape: Shape, row: Any) -> Shape:
        sizes, plane = (tuple(number(size, row) for size in part) for part in (shape.sizes, shape.plane))
        return Shape(sizes, shape.tokens, plane)

    found = [function(tuple(whole(shape, row) for shape in shapes)) for row in table]
    return varying[0].dim, index.reshape(-1), found


def by_rows(holds: Callable[[tuple[Shape, ...]], bool], shapes: tuple[Shape, ...]) -> Must:
    """Where a statement about shapes of integers holds. Raises Coupled."""
    dim, index, found = rows(holds, shapes)
    return Must(dim, np.array(found, dtype=bool)[index])


def _may_exceed(size: Any) -> bool:
    return (size.bound if isinstance(size, Sizes) else size) > MOST_CELLS


def _must(condition: Condition) -> Must:
    return _compared(condition.relation, condition.left, condition.right)


def _compared(relation: str, left: Any, right: Any) -> Must:
    """`left relation right`, at every point."""
    difference = left % right if relation == "%" else left - right
    if not isinstance(difference, Sizes):
        return Must(0, difference >= 0 if relation == ">=" else difference == 0)
    if difference.values is None:
        return Must(SEVERAL, None, difference, relation != ">=")
    values = difference.values
    return Must(difference.dim, np.asarray(values >= 0 if relation == ">=" else values == 0, dtype=bool))


def _lost(layer: Layer, shapes: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Iterator[tuple[str, Any]]:
    x, y = shapes[0], outputs[0]
    if not x.rank:
        return
    try:
        windows, follows = layer.window(*shapes), layer.follows(*shapes)
    except TypeError:  # windows that adapt to the size, and so reach all of it
        return
    for positions, along in zip(y.spatial, follows, strict=False):
        if along is None:
            continue
        window = windows[along]
        if type(window.stride) is not int or window.stride < 2 or window.upscale != 1:
            continue
        width = max(window.dilation * (window.size - 1) + 1, window.stride)
        rest = x.spatial[along] + window.pad - (positions - 1) * window.stride - width
        rest = Sizes(np.maximum(vector(rest), 0), rest.dim) if isinstance(rest, Sizes) else max(rest, 0)
        yield x.axes[along], rest
