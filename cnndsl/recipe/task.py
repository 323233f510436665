"""What data is asked for: it follows from the source, the loss and the network's ends."""

from __future__ import annotations

from typing import Any

from cnndsl.graph import Edge, Graph
from cnndsl.record import Record
from cnndsl.shape import Shape


class Task(Record):
    """What an example's target is, and the shapes of the network's ends.

    kind: `class`, `values`, `map` (a class for each place), `sequence` (of classes), `input` (the input itself) or
    `pair` (whether two examples are of one class). tokens: how many different tokens an input of tokens may hold, 0
    where it holds numbers.
    """

    kind: str
    input: Shape
    output: Shape
    tokens: int = 0


def task_of(data: Any, loss: Any, graph: Graph) -> Task:
    """The task of a complete graph whose recipe has this source and loss."""
    taken = graph.shape_of(Edge(graph.inputs[0]))
    output = graph.shape_of(next(o.edge for o in graph.outputs if not o.training))
    assert taken is not None
    assert output is not None
    tokens = vocabulary(graph, graph.inputs[0]) if taken.tokens else 0
    places = any(side != 1 for side in output.spatial)
    if loss.target in ("input", "sequence"):
        kind = loss.target
    elif len(graph.inputs) > 1:
        kind = "pair"
    elif loss.target == "classes" or data.gives in ("class", "map"):
        kind = "map" if places else "class"
    else:
        kind = "values"
    return Task(kind, taken, output, tokens)


def vocabulary(graph: Graph, input: int) -> int:
    """How many different tokens the embeddings behind an input (the number of its node) know; 2 where there is none."""
    found = [
        int(node.layer.vocabulary)  # type: ignore[union-attr]
        for node in graph.nodes
        if node.kind == "embedding" and any(edge.node == input for edge in node.inputs)
    ]
    return min(found, default=2)
