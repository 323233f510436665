"""The answer about one size: whether it fits, what each layer makes of it and leaves out, which sizes are near."""

from __future__ import annotations

import numpy as np

from cnndsl.graph import Graph
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.sizes.answer import Answer, Line
from cnndsl.sizes.domain import Axis


class Stage(Record):
    """A layer that changes the sizes, or leaves something out: the line it stands in, what goes in and comes out, and
    by axis how many cells of how many are left out."""

    layer: str
    line: int
    input: Shape
    output: Shape
    losses: tuple[tuple[str, int, int], ...]


class Near(Record):
    """Sizes next to one: the largest below and the smallest above it that fit, and that also lose nothing; None where
    there is none among those examined."""

    title: str
    size: int
    fits: tuple[int | None, int | None]
    lossless: tuple[int | None, int | None]


class At(Record):
    """Everything about one size of a network's inputs. refused: the layer that can't be, its line and why; None if all
    can. stages: in order. outputs: by name. near: along each axis, or along all if they have one size."""

    name: str
    graph: Graph
    inputs: dict[str, Shape]
    refused: tuple[str, int, str] | None
    stages: tuple[Stage, ...]
    outputs: dict[str, Shape]
    near: tuple[Near, ...]


def at_point(answer: Answer, point: Line, sizes: dict[Axis, int]) -> At:
    """What is known of one size: `point` is a line of it alone, `sizes` that of each axis."""
    failure = point.failure(0)
    refused = None if failure is None else (failure.name, failure.span.line, point.why(0) or "")
    part = point.part(0)
    graph = answer.graph if part is None else part.graph
    return At(
        answer.name, graph, point.inputs(0), refused, tuple(_stages(point)), point.outputs(0), _near(answer, sizes)
    )


def _stages(point: Line) -> list[Stage]:
    part = point.part(0)
    if part is None:
        return []
    losses: dict[str, list[tuple[str, int, int]]] = {}
    for layer, axis, cells, size in point.losses(0):
        losses.setdefault(layer, []).append((axis, cells, size))
    found = []
    where = point.point(0)
    auxiliary = part.graph.auxiliary()
    for node in part.graph.nodes:
        if node.layer is None or node.index in auxiliary:
            continue
        x, y = part.shape_at(node.inputs[0], where), part.shape_at((node.index, 0), where)
        if x.spatial != y.spatial or node.name in losses:
            found.append(Stage(node.name, node.span.line, x, y, tuple(losses.get(node.name, ()))))
    return found


def _near(answer: Answer, sizes: dict[Axis, int]) -> tuple[Near, ...]:
    """What is near along each line that the sizes lie on."""
    found = []
    for line in answer.lines:
        together = [sizes[axis] for axis in line.axes]
        if answer.coupled is None and len(set(together)) > 1:
            found += [_near_on(line, axis.name, sizes[axis]) for axis in line.axes]
        elif len(set(together)) == 1 and (answer.coupled is None or line.axes == answer.axes):
            found.append(_near_on(line, " and ".join(axis.name for axis in line.axes), together[0]))
    return tuple(found)


def _near_on(line: Line, title: str, size: int) -> Near:
    return Near(title, size, nearest(line, size), nearest(line, size, lossless=True))


def nearest(line: Line, size: int, *, lossless: bool = False) -> tuple[int | None, int | None]:
    """The largest size below one and the smallest above it that fit, or that lose nothing; None where there is none."""
    fitting = line.sizes[line.lossless() if lossless else line.fits()]
    below, above = fitting[fitting < size], fitting[fitting > size]
    return int(np.max(below)) if len(below) else None, int(np.min(above)) if len(above) else None
