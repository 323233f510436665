"""A network's ends as training sees them: its outputs, and which loss is about which of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnndsl.graph import Edge, Graph, Node
from cnndsl.recipe.losses import Loss
from cnndsl.record import Record
from cnndsl.shape import Shape

if TYPE_CHECKING:
    from cnndsl.recipe.recipe import Recipe

AUXILIARY = 0.3
"""Weight of a loss on an output for training that the recipe says nothing of, as GoogLeNet's paper has it."""


class End(Record):
    """An output: its name, the node that gives it, its shape, and whether it only exists in training."""

    name: str
    node: Node
    shape: Shape
    training: bool


class Term(Record):
    """One loss of the sum that is made small, and the names of the outputs it takes.

    main: whether it is of outputs that exist in evaluation too.
    """

    loss: Loss
    outputs: tuple[str, ...]
    main: bool


def ends(graph: Graph) -> tuple[End, ...]:
    """The outputs of a complete graph, in order."""
    found = []
    for output in graph.outputs:
        shape = graph.shape_of(output.edge)
        assert shape is not None
        found.append(End(output.name, graph.nodes[output.edge.node], shape, output.training))
    return tuple(found)


def main_end(graph: Graph) -> End:
    """The network's result: its first output that is not for training alone."""
    return next(end for end in ends(graph) if not end.training)


def codes(graph: Graph) -> tuple[Edge, ...]:
    """What the `gaussian` layers sample from: the mean and the log-variance of each, in order."""
    return tuple(edge for node in graph.nodes if node.kind == "gaussian" for edge in node.inputs[-2:])


def terms(recipe: Recipe, graph: Graph) -> tuple[Term, ...]:
    """Which loss is about which output: those of the recipe's lines, and for outputs for training the recipe's own.

    The first is that of the network's result. Outputs without a term have none.
    """
    outputs = ends(graph)
    main = main_end(graph)
    loss = recipe.of("loss", main.name) or recipe.loss
    found = [Term(loss, _taken(loss, graph, outputs, main), main=True)]
    taken = set(found[0].outputs)
    for end in outputs:
        own = recipe.of("loss", end.name)
        if end.name in taken or (own is None and not end.training):
            continue
        found.append(Term(own or _auxiliary(recipe.loss), (end.name,), not end.training))
    return tuple(found)


def _taken(loss: Loss, graph: Graph, outputs: tuple[End, ...], main: End) -> tuple[str, ...]:
    """The outputs that a loss takes: as many as it says, or the result and the codes as far as they are outputs."""
    if loss.takes is not None:
        return tuple(end.name for end in outputs if not end.training)[: loss.takes]
    by_edge = {output.edge: output.name for output in graph.outputs}
    return (main.name, *(by_edge[edge] for edge in codes(graph) if edge in by_edge))


def _auxiliary(loss: Loss) -> Loss:
    return type(loss)(**{**loss.values(), "weight": AUXILIARY})
