"""Memory of activations: the most that is alive at once, and what training keeps for the backward pass.

Tensors share storage where PyTorch's operations return views; every storage is counted once. The saved tensors
are those that PyTorch's autograd keeps on a CPU, in eager mode, at 32-bit floats.
"""

from __future__ import annotations

from cnndsl.graph import INPUT, Graph, Node
from cnndsl.layers.base import Operation
from cnndsl.measure.primitives import ESTIMATED, VIEWS, saved
from cnndsl.shape import Shape

FLOAT = 4
INTEGER = 8


class Activations:
    """The storages of a graph's tensors, built node by node. `auxiliary` nodes are only computed in training."""

    def __init__(self, graph: Graph, auxiliary: frozenset[int] = frozenset()) -> None:
        self.graph = graph
        self.auxiliary = auxiliary
        self.storage: dict[int, int] = {}
        """The storage of each node's output; a storage has the number of the node that made it."""
        self.bytes: dict[int, int] = {}
        self.temporary: dict[int, int] = {}
        """Bytes that a node needs besides, while it computes."""
        self.last_use: dict[int, int] = {}
        self.temporaries = 0
        self.kept: set[int] = set()
        self.needs_gradient: set[int] = set()
        self.saved_once = 0
        """Bytes kept for the backward pass whatever the batch size, such as batch statistics."""
        self.estimated = False
        """Whether what training keeps is not exact: see ESTIMATED."""
        for index in graph.inputs:
            shapes = graph.nodes[index].shapes
            self.storage[index] = index
            self.bytes[index] = _bytes(shapes[0]) if shapes else 0

    def take(self, node: Node, operations: tuple[Operation, ...], *, learns: bool) -> int:
        """Add a node; returns the bytes for each example that training keeps from here on."""
        assert node.shapes is not None
        sources = [self.storage.get(edge.node, edge.node) for edge in node.inputs]
        for source in sources if node.index not in self.auxiliary else ():
            self.last_use[source] = node.index
        gradient = learns or any(edge.node in self.needs_gradient for edge in node.inputs)
        if gradient:
            self.needs_gradient.add(node.index)
        making = [number for number, operation in enumerate(operations) if operation.primitive not in VIEWS]
        current = sources[0]
        kept = temporary = 0
        for number, operation in enumerate(operations):
            other = sources[number + 1] if number + 1 < len(sources) else None
            source = current if operation.source is None else sources[operation.source]
            produced = source
            if operation.primitive not in VIEWS:
                produced = node.index if number == making[-1] else self._temporary()
                temporary += 0 if number == making[-1] else FLOAT * operation.outputs
            if gradient:
                kept += self._keep(operation, source, produced, other)
                self.estimated = self.estimated or operation.primitive in ESTIMATED
            current = produced
        self.storage[node.index] = current
        if current == node.index:
            self.bytes[node.index] = _bytes(node.shapes[0])
        self.temporary[node.index] = temporary
        return kept

    def _temporary(self) -> int:
        """A storage that belongs to no node's output."""
        self.temporaries -= 1
        return self.temporaries

    def _keep(self, operation: Operation, source: int, produced: int, other: int | None) -> int:
        """The bytes that one operation is the first to keep. `other` is a merge's second operand."""
        rule = saved(operation)
        kept: int = rule.extra
        self.saved_once += rule.once
        wanted = [source] if rule.input or rule.both else []
        wanted += [other] if rule.both and other is not None else []
        for storage in wanted:
            if storage not in self.kept:
                kept += self.bytes.get(storage, FLOAT * operation.inputs)
                self.kept.add(storage)
        if rule.output and produced not in self.kept:
            kept += FLOAT * operation.outputs
            self.kept.add(produced)
        return kept

    def peak(self) -> int:
        """The most bytes alive at once in a forward pass of one example without gradients.

        The inputs are held by the caller throughout.
        """
        ends: dict[int, list[int]] = {}
        results = {
            self.storage[o.edge.node] for o in self.graph.outputs if not o.training and o.edge.node in self.storage
        }
        for storage, last in self.last_use.items():
            if storage not in results and self.graph.nodes[storage].kind != INPUT:
                ends.setdefault(last, []).append(storage)
        alive = sum(self.bytes[index] for index in self.graph.inputs)
        highest = alive
        for node in self.graph.nodes:
            if node.kind == INPUT or node.index in self.auxiliary:
                continue
            if self.storage.get(node.index) == node.index:
                alive += self.bytes[node.index]
            highest = max(highest, alive + self.temporary.get(node.index, 0))
            for storage in ends.get(node.index, ()):
                alive -= self.bytes[storage]
        return highest


def _bytes(shape: Shape) -> int:
    return (INTEGER if shape.tokens else FLOAT) * int(shape.elements)
