"""The answer for one network: lines of sizes, each with what fits, what loses nothing, and why the rest does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnndsl.graph import Graph
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.sizes.domain import Axis
from cnndsl.sizes.examine import Examined, Part, reason
from cnndsl.sizes.trace import Failure
from cnndsl.sizes.vectors import Array, Sizes, number
from cnndsl.source import Span


class Refusal(Record):
    """A layer, where it stands, and the sizes (their numbers on a line) that it is the first to refuse."""

    name: str
    span: Span
    indexes: tuple[int, ...]


class Line(Record):
    """Sizes one after the other: of one axis, or of several that are equal. `title`: of what. `at`: for each dimension
    of the domain the number of its point, None where it goes along."""

    title: str
    axes: tuple[Axis, ...]
    sizes: Array
    examined: Examined
    at: tuple[int | None, ...]

    def point(self, index: int) -> tuple[int, ...]:
        """The point of the domain that a size of the line is."""
        return tuple(index if one is None else one for one in self.at)

    def along(self, masks: tuple[Array, ...]) -> Array:
        """Where the line goes through a box."""
        found = np.ones(len(self.sizes), dtype=bool)
        for mask, one in zip(masks, self.at, strict=True):
            found &= mask if one is None else mask[one]
        return found

    def fits(self) -> Array:
        """Which sizes fit."""
        return self._any([part.box for part in self.examined.parts])

    def lossless(self) -> Array:
        """Which sizes fit and lose nothing."""
        return self._any([box for part in self.examined.parts if (box := part.lossless()) is not None])

    def unknown(self) -> Array:
        """Which sizes were not examined."""
        return self._any(list(self.examined.left))

    def _any(self, boxes: list[tuple[Array, ...]]) -> Array:
        found = np.zeros(len(self.sizes), dtype=bool)
        for box in boxes:
            found |= self.along(box)
        return found

    def part(self, index: int) -> Part | None:
        """What is known of a size that fits; None for one that does not."""
        point = self.point(index)
        return next((part for part in self.examined.parts if _within(part.box, point)), None)

    def failure(self, index: int) -> Failure | None:
        """What stops a size that does not fit."""
        point = self.point(index)
        return next((failure for failure in self.examined.failures if _within(failure.box, point)), None)

    def why(self, index: int) -> str | None:
        """Why a size does not fit; None if it does."""
        failure = self.failure(index)
        return None if failure is None else reason(failure, self.point(index))

    def refusals(self) -> list[Refusal]:
        """What stops the sizes that don't fit, layer by layer, the one that stops the smallest first."""
        blamed: dict[tuple[str, int, int], list[int]] = {}
        first: dict[tuple[str, int, int], Failure] = {}
        for index in np.flatnonzero(~self.fits() & ~self.unknown()):
            failure = self.failure(int(index))
            assert failure is not None
            key = (failure.name, failure.span.start, failure.span.end)
            blamed.setdefault(key, []).append(int(index))
            first.setdefault(key, failure)
        return [Refusal(first[key].name, first[key].span, tuple(found)) for key, found in blamed.items()]

    def inputs(self, index: int) -> dict[str, Shape]:
        """The inputs of a size."""
        return {name: Shape(sizes) for name, sizes in self.examined.domain.at(self.point(index)).items()}

    def examples(self) -> list[int]:
        """A few sizes that fit, by number: the smallest, the declared one, some that lose nothing
        around it, and one that does."""
        fits, lossless = self.fits(), self.lossless()
        among = np.flatnonzero(lossless if lossless.any() else fits)
        if not len(among):
            return []
        chosen = {int(np.flatnonzero(fits)[0])}
        for axis in self.axes:
            declared = axis.declared - int(self.sizes[0])
            if 0 <= declared < len(fits) and fits[declared]:
                chosen.add(declared)
        middle = self.axes[0].declared
        for times in (0.5, 0.75, 1, 1.25, 1.5, 2):
            near = np.abs(self.sizes[among] - times * middle)
            chosen.add(int(among[np.argmin(near)]))
        lossy = np.flatnonzero(fits & ~lossless)
        if len(lossy) and lossless.any():
            chosen.add(int(lossy[np.argmin(np.abs(self.sizes[lossy] - middle))]))
        return sorted(chosen)

    def outputs(self, index: int) -> dict[str, Shape]:
        """What comes out of a size that fits, by the outputs' names, those that only serve training apart."""
        part = self.part(index)
        if part is None:
            return {}
        point = self.point(index)
        return {output.name: part.shape_at(output.edge, point) for output in part.graph.outputs if not output.training}

    def losses(self, index: int) -> list[tuple[str, str, int, int]]:
        """What a size loses: the layer, the axis of its input, how many of how many cells."""
        part = self.part(index)
        if part is None:
            return []
        found, point = [], self.point(index)
        for loss in part.losses:
            cells = number(loss.cells, point)
            if cells:
                node = part.graph.nodes[loss.node]
                x = part.shape_at(node.inputs[0], point)
                found.append((node.name, loss.axis, cells, x.sizes[x.axes.index(loss.axis)]))
        return found


def _within(box: tuple[Array, ...], point: tuple[int, ...]) -> bool:
    return all(mask[index] for mask, index in zip(box, point, strict=True))


class Allowed(Record):
    """What the conditions behind `where` let in, compared with what fits: the smallest size that they allow and that
    does not fit, with why; the smallest that they allow and that loses something; the sizes that fit and that they
    leave out, along the line."""

    text: str
    line: Line
    misfit: int | None
    lossy: int | None
    excluded: Array


class Pairs(Record):
    """How many pairs of sizes of two coupled axes fit, out of how many, and the first of them."""

    fit: int
    all: int
    first: tuple[tuple[int, int], ...]


class Answer(Record):
    """Everything about the sizes of one network.

    graph: the network at sizes that fit. axes: what varies. coupled: what makes them depend on each other, if they do.
    lines: one for each axis, the others at sizes that fit, for what fits along one does not depend on the others; one
    for all axes if they are alike. Of coupled axes the first line has equal sizes for all, the others vary one with
    the rest as declared.
    pairs: of two that are coupled, where they could be looked at. inference: the
    same lines without what only serves training, where that differs. weighing: layers whose weights depend on the
    size. allowed: what `where` says.
    """

    name: str
    graph: Graph
    inputs: dict[str, Shape]
    axes: tuple[Axis, ...]
    coupled: str | None
    lines: tuple[Line, ...]
    pairs: Pairs | None
    inference: tuple[Line, ...]
    weighing: tuple[str, ...]
    allowed: tuple[Allowed, ...]

    @property
    def fits(self) -> bool:
        """Whether any size fits."""
        return any(line.fits().any() for line in self.lines)

    @property
    def complete(self) -> bool:
        """Whether all sizes were examined."""
        return not any(line.examined.left for line in self.lines)


def weighing(part: Part) -> tuple[str, ...]:
    """The layers whose weights depend on the sizes."""
    found = []
    auxiliary = part.graph.auxiliary()
    for node in part.graph.nodes:
        if node.layer is None or node.shares is not None or node.index in auxiliary:
            continue
        shapes = tuple(part.known[edge.node][edge.output] for edge in node.inputs)
        if any(isinstance(size, Sizes) for shape in shapes for size in shape.sizes) and _depends(node.layer, shapes):
            found.append(node.name)
    return tuple(found)


def _depends(layer: Any, shapes: tuple[Shape, ...]) -> bool:
    try:
        weights = layer.weights(*shapes)
    except TypeError:  # it asks a size for its value
        return True
    return any(isinstance(size, Sizes) for weight in weights for size in weight.shape)
