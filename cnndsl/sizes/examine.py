"""Which points of a domain fit, what they lose, and why the others do not: as few expansions as that takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnndsl.diagnostics import problem
from cnndsl.elaborate.builder import infer_integers
from cnndsl.elaborate.file import NetworkLines
from cnndsl.elaborate.items import Changes
from cnndsl.graph import Graph
from cnndsl.layers.base import LayerError
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.sizes.domain import Domain
from cnndsl.sizes.forward import Forward
from cnndsl.sizes.trace import Box, Failure, Trace, Traced
from cnndsl.sizes.vectors import Array, Sizes, number, vector
from cnndsl.source import Span

MOST_NODES = 150_000
"""Nodes that are expanded for one question, in all expansions of a network that asks for sizes."""


class Loss(Record):
    """Cells that a layer leaves out behind its last window, along one axis of its input; a number, or one a point."""

    node: int
    axis: str
    cells: Any


class Part(Record):
    """Points whose networks are the same but for the sizes: their graph, its shapes as vectors, what is lost."""

    box: Box
    graph: Graph
    known: dict[int, tuple[Shape, ...]]
    losses: tuple[Loss, ...]

    def shape_at(self, edge: tuple[int, int], point: tuple[int, ...]) -> Shape:
        """The shape of a tensor at one point."""
        return at_point(self.known[edge[0]][edge[1]], point)

    def lossless(self) -> tuple[Array, ...] | None:
        """For each dimension, the points that lose nothing along it; None if every point loses something."""
        masks = [mask.copy() for mask in self.box]
        for loss in self.losses:
            if not isinstance(loss.cells, Sizes):
                return None
            masks[loss.cells.dim] &= vector(loss.cells) == 0
        return tuple(masks)


class Examined(Record):
    """What is known of a domain. `parts`: the points that fit. `failures`: those that don't. `left`: those that were
    not looked at, because that would have taken too long. `asked`: whether the spec asks for sizes."""

    domain: Domain
    parts: tuple[Part, ...]
    failures: tuple[Failure, ...]
    left: tuple[Box, ...]
    asked: bool


def examine(
    network: NetworkLines, changes: Changes, span: Span, domain: Domain, forward: Forward,
    unasked: frozenset[int] = frozenset(),
) -> Examined:  # fmt: skip
    """Everything about a domain. `unasked`: numbers of nodes that may fail.

    Raises Coupled if something depends on several of its dimensions at once.
    """
    pending: list[Box] = [tuple(np.ones(length, dtype=bool) for length in domain.lengths)]
    parts: list[Part] = []
    failures: list[Failure] = []
    asked, nodes = False, 0
    while pending and nodes < MOST_NODES:
        found = Trace(network, changes, span, domain, pending.pop(), forward, unasked).trace()
        pending += found.left
        failures += found.failures
        asked, nodes = asked or found.asked, nodes + found.nodes
        if found.graph is not None:
            parts.append(_part(found, found.graph, forward))
    return Examined(domain, tuple(parts), tuple(failures), tuple(pending), asked)


def _part(found: Traced, graph: Graph, forward: Forward) -> Part:
    """What is lost on the way, but in what only serves training."""
    losses = []
    auxiliary = graph.auxiliary()
    for node in graph.nodes:
        if node.layer is None or node.index in auxiliary:
            continue
        shapes = tuple(found.known[edge.node][edge.output] for edge in node.inputs)
        for axis, cells in forward.lost(node.layer, shapes, found.known[node.index]):
            some = (vector(cells)[found.box[cells.dim]] > 0).any() if isinstance(cells, Sizes) else cells > 0
            if some:
                losses.append(Loss(node.index, axis, cells))
    return Part(found.box, graph, found.known, tuple(losses))


def at_point(shape: Shape, point: tuple[int, ...]) -> Shape:
    """A shape at one point: its vectors' values there."""
    sizes, plane = (tuple(number(size, point) for size in part) for part in (shape.sizes, shape.plane))
    return Shape(sizes, shape.tokens, plane)


def reason(failure: Failure, point: tuple[int, ...]) -> str:
    """Why a point does not fit, with its own numbers."""
    if failure.reported is not None:
        return failure.reported.message_text()
    if failure.layer is None:
        mine, others = (at_point(shape, point) for shape in failure.shapes)
        return f"`{failure.name}` takes weights that were made for the input {others}, and its own is {mine}"
    made = infer_integers(failure.layer, [at_point(shape, point) for shape in failure.shapes])
    assert isinstance(made, LayerError)
    return problem(made.problem, failure.span, **made.values).message_text()
