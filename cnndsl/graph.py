"""The graph of a network: every block expanded, every node with its shape.

`Node.inputs` (ordered, with output indices) is the truth; a DiGraph could not hold `add(x, x)`.
"""

from __future__ import annotations

from typing import Any

from cnndsl.layers.base import Layer
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.source import Span

INPUT = "input"
"""The kind of the nodes that hold a network's inputs; they have no layer."""


class Edge(Record):
    """The `output`-th output of node number `node`."""

    node: int
    output: int = 0


class Node(Record):
    """One layer in the graph, or one input of the network.

    name: its identity within the network, as `as` gave it or derived from its own line; unique.
    layer: the bound layer; None for inputs, and for a layer whose arguments were wrong.
    shapes: the shapes of its outputs; None where an error left them unknown.
    shares: the number of the node whose weights it uses (`reuse`), or None if it has its own.
    span: the item that made it; calls: the items of the blocks it was made in, outermost first.
    named: whether the name is one that the spec gives.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody wants of a node
    name: str
    kind: str
    layer: Layer | None
    inputs: tuple[Edge, ...]
    shapes: tuple[Shape, ...] | None
    span: Span
    calls: tuple[Span, ...] = ()
    shares: int | None = None
    named: bool = False

    @property
    def results(self) -> tuple[Shape, ...] | None:
        """The shapes of its outputs without those that exist only for a layer that asks (a pool's indices)."""
        if self.shapes is None or self.layer is None:
            return self.shapes
        return self.shapes[: len(self.shapes) - len(self.layer.extra_outputs)]


class Choice(Record):
    """A condition that a block's lines asked while it was expanded: its place in the spec (None for `else`), whether
    it held, and the numbers of the nodes that were made because it did, `last` excluded."""

    condition: Span | None
    held: bool
    first: int
    last: int


class BlockCall(Record):
    """One call of a block: the nodes that it made, which stand side by side.

    name: what the names of its nodes begin with, as `stage[0][1]`. block: the block's name. values: its parameters'
    values. first, last: the numbers of its nodes, `last` excluded; calls within it have a part of this range.
    input: the tensor it was given. result: the one it gave; None if an error left it unknown. choices: what its own
    `if`, `elif` and `else` lines came to, in the order in which they were asked. given: the names of the parameters
    that the call sets. named: whether the name is one that the spec gives.
    """

    name: str
    block: str
    values: dict[str, Any]
    first: int
    last: int
    input: Edge
    result: Edge | None
    choices: tuple[Choice, ...] = ()
    given: tuple[str, ...] = ()
    named: bool = False


class Output(Record):
    """One result of the network: its name, where it comes from, and whether it only serves training.

    first, last: the numbers of the nodes of its side branch, `last` excluded; equal where it has none.
    """

    name: str
    edge: Edge
    training: bool = False
    first: int = 0
    last: int = 0


class Graph(Record):
    """A network. `nodes` are in an order in which every node stands after its inputs.

    calls: every call of a block, one that encloses another before it.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[Output, ...]
    parameters: dict[str, Any]
    span: Span
    calls: tuple[BlockCall, ...] = ()

    def shape_of(self, edge: Edge) -> Shape | None:
        """The shape on an edge; None if it is unknown."""
        shapes = self.nodes[edge.node].shapes
        return shapes[edge.output] if shapes is not None and edge.output < len(shapes) else None

    def auxiliary(self) -> frozenset[int]:
        """The numbers of the nodes that only outputs for training depend on, auxiliary classifiers say."""
        if not any(output.training for output in self.outputs):
            return frozenset()
        main: set[int] = {output.edge.node for output in self.outputs if not output.training}
        wanted = {output.edge.node for output in self.outputs}
        for node in reversed(self.nodes):
            if node.index in main:
                main.update(edge.node for edge in node.inputs)
            if node.index in wanted:
                wanted.update(edge.node for edge in node.inputs)
        return frozenset(wanted - main)

    @property
    def complete(self) -> bool:
        """Whether every node has a layer and a shape."""
        return bool(self.nodes) and all(n.shapes is not None for n in self.nodes)
