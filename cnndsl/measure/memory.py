"""Memory of activations: the most that is alive at once, and what training keeps for the backward pass.

Tensors share storage where PyTorch's operations return views; every storage is counted once. The saved tensors
are those that PyTorch's autograd keeps on a CPU, in eager mode, at 32-bit floats.
"""

from __future__ import annotations

from cnndsl.graph import INPUT, Graph, Node
from cnndsl.layers.base import Operation
from cnndsl.measure.primitives import VIEWS, saved
from cnndsl.shape import Shape

FLOAT = 4
INTEGER = 8


class Activations:
    """The storages of a graph's tensors, built node by node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.storage: dict[int, int] = {}
        """The storage of each node's output; a storage has the number of the node that made it."""
        self.bytes: dict[int, int] = {}
        self.temporary: dict[int, int] = {}
        """Bytes that a node needs besides, while it computes."""
        self.last_use: dict[int, int] = {}
        self.kept: set[int] = set()
        self.needs_gradient: set[int] = set()
        self.saved_once = 0
        """Bytes kept for the backward pass whatever the batch size, such as batch statistics."""
        for index in graph.inputs:
            shapes = graph.nodes[index].shapes
            self.storage[index] = index
            self.bytes[index] = _bytes(shapes[0]) if shapes else 0

    def take(self, node: Node, operations: tuple[Operation, ...], *, learns: bool) -> int:
        """Add a node; returns the bytes for each example that training keeps from here on."""
        assert node.shapes is not None
        sources = [self.storage.get(edge.node, edge.node) for edge in node.inputs]
        for source in sources:
            self.last_use[source] = node.index
        gradient = learns or any(edge.node in self.needs_gradient for edge in node.inputs)
        if gradient:
            self.needs_gradient.add(node.index)
        current = sources[0]
        kept = 0
        fresh = False
        temporary = 0
        for number, operation in enumerate(operations):
            last = number == len(operations) - 1
            made = FLOAT * operation.outputs
            if operation.primitive not in VIEWS:
                if not last:
                    temporary += made
                produced = node.index if last else -1
            else:
                produced = current
            if gradient:
                kept += self._keep(operation, current, produced, made, node)
            current = produced
            fresh = current == node.index
        self.storage[node.index] = node.index if fresh or current == -1 else current
        if self.storage[node.index] == node.index:
            self.bytes[node.index] = _bytes(node.shapes[0])
        self.temporary[node.index] = temporary
        return kept

    def _keep(self, operation: Operation, source: int, produced: int, made: int, node: Node) -> int:
        """The bytes that one operation is the first to keep."""
        rule = saved(operation)
        kept: int = rule.extra
        self.saved_once += rule.once
        if rule.input and source not in self.kept:
            kept += self.bytes.get(source, FLOAT * operation.inputs)
            if source >= 0:
                self.kept.add(source)
        if rule.output and produced not in self.kept:
            kept += made
            if produced >= 0:
                self.kept.add(produced)
        return kept

    def peak(self) -> int:
        """The most bytes alive at once in a forward pass of one example without gradients.

        The inputs are held by the caller throughout.
        """
        ends: dict[int, list[int]] = {}
        results = {self.storage[o.edge.node] for o in self.graph.outputs if o.edge.node in self.storage}
        for storage, last in self.last_use.items():
            if storage not in results and self.graph.nodes[storage].kind != INPUT:
                ends.setdefault(last, []).append(storage)
        alive = sum(self.bytes[index] for index in self.graph.inputs)
        highest = alive
        for node in self.graph.nodes:
            if node.kind == INPUT:
                continue
            if self.storage.get(node.index) == node.index:
                alive += self.bytes[node.index]
            highest = max(highest, alive + self.temporary.get(node.index, 0))
            for storage in ends.get(node.index, ()):
                alive -= self.bytes[storage]
        return highest


def _bytes(shape: Shape) -> int:
    return (INTEGER if shape.tokens else FLOAT) * int(shape.elements)
