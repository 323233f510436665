"""What a network is asked to learn: it follows from the data, the loss and the network's own ends."""

from __future__ import annotations

from typing import Any

from cnndsl.graph import Graph
from cnndsl.record import Record
from cnndsl.shape import Shape, product

KINDS = {
    "class": "one class for each example",
    "values": "numbers for each example",
    "map": "a class for each place of an image",
    "sequence": "a row of classes for each example",
    "input": "the input itself",
    "pair": "whether two examples are of one class",
}
"""Every kind of task, and what the network's answer is compared with."""


class Task(Record):
    """A kind of task of `KINDS`, and what it is about.

    inputs, output: the shapes of the network's ends; of_values: whether the loss compares values (a class is one-hot,
    then); tokens: how many different tokens an input of tokens may hold, 0 where it holds numbers.
    """

    kind: str
    inputs: tuple[Shape, ...]
    output: Shape
    of_values: bool = False
    tokens: int = 0

    @property
    def input(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0]

    @property
    def places(self) -> bool:
        """Whether the network answers for several places of an example."""
        return any(side != 1 for side in self.output.spatial)


def task_of(data: Any, loss: Any, target: str, graph: Graph) -> Task:
    """The task of a complete graph. `target` is the setting of that name, `auto`, `data` or `input`."""
    inputs = tuple(graph.nodes[index].shapes[0] for index in graph.inputs)  # type: ignore[index]
    output = graph.shape_of(next(o.edge for o in graph.outputs if not o.training))
    assert output is not None
    bare = Task("class", inputs, output, loss.target == "values", vocabulary(graph) if inputs[0].tokens else 0)
    return bare._replace(kind=_kind(bare, data, loss, target))


def _kind(bare: Task, data: Any, loss: Any, target: str) -> str:
    if target == "input" or loss.target == "input":
        return "input"
    if loss.target == "sequence":
        return "sequence"
    if len(bare.inputs) > 1:
        return "pair"
    if loss.target == "classes":
        return "map" if bare.places else "class"
    if "values" in data.tasks:
        return "values"
    if "map" in data.tasks and bare.places:
        return "map"
    gives_back = product(bare.output.sizes) == product(bare.inputs[0].sizes)
    return "input" if target == "auto" and gives_back and bare.output.channels != data.classes else "class"


def vocabulary(graph: Graph) -> int:
    """How many different tokens the embedding behind the first input knows; 0 where there is none."""
    for node in graph.nodes:
        if node.kind == "embedding" and any(edge.node == graph.inputs[0] for edge in node.inputs):
            return int(node.layer.vocabulary)  # type: ignore[union-attr]
    return 0
