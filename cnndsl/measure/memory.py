"""Memory of activations: the most that is alive at once, and what training keeps for the backward pass.

Tensors share storage where PyTorch's operations return views; every storage is counted once. The saved tensors
are those that PyTorch's autograd keeps on a CPU, in eager mode, at 32-bit floats.
"""

from __future__ import annotations

from cnndsl.graph import INPUT, Graph, Node
from cnndsl.layers.base import Operation
from cnndsl.measure.primitives import ESTIMATED, INDEXED, TRAINING_ALONE, VIEWS, saved
from cnndsl.shape import Shape

FLOAT = 4
INTEGER = 8


class Activations:
    """The storages of a graph's tensors, built node by node, and which of them training keeps. `auxiliary` nodes are
    only computed in training."""

    def __init__(self, graph: Graph, auxiliary: frozenset[int] = frozenset()) -> None:
        self.graph = graph
        self.auxiliary = auxiliary
        self.storage: dict[int, int] = {}
        """The storage of each node's output; a storage has the number of the node that made it."""
        self.bytes: dict[int, int] = {}
        self.inference = Inference(graph)
        self.temporaries = 0
        self.kept: set[int] = set()
        self.needs_gradient: set[int] = set()
        self.saved_once = 0
        """Bytes kept for the backward pass whatever the batch size, such as batch statistics."""
        self.estimated = False
        """Whether what training keeps is not exact: see ESTIMATED."""
        for index in graph.inputs:
            self.storage[index] = index
            self.bytes[index] = self.inference.bytes[index]

    def take(self, node: Node, operations: tuple[Operation, ...], *, learns: bool) -> int:
        """Add a node; returns the bytes for each example that training keeps from here on."""
        assert node.shapes is not None
        sources = [self.storage.get(edge.node, edge.node) for edge in node.inputs]
        if node.index not in self.auxiliary:
            self.inference.take(node, operations)
        gradient = learns or any(edge.node in self.needs_gradient for edge in node.inputs)
        if gradient:
            self.needs_gradient.add(node.index)
        making = [number for number, operation in enumerate(operations) if operation.primitive not in VIEWS]
        current = sources[0]
        kept = 0
        for number, operation in enumerate(operations):
            other = sources[number + 1] if number + 1 < len(sources) else None
            source = current if operation.source is None else sources[operation.source]
            produced = source
            if operation.primitive not in VIEWS:
                produced = node.index if number == making[-1] else self._temporary()
            if gradient:
                kept += self._keep(operation, source, produced, other)
                self.estimated = self.estimated or operation.primitive in ESTIMATED
            current = produced
        self.storage[node.index] = current
        if current == node.index:
            self.bytes[node.index] = _bytes(node.shapes[0])
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


class Inference:
    """What is alive at once in a forward pass without gradients, where every tensor is freed after its last use.

    Nodes are numbered; a storage has the number of the node that made it. The inputs are held by the caller.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.storage: dict[int, int] = {}
        self.bytes: dict[int, int] = {}
        self.needed: dict[int, int] = {}
        """The most bytes that a node makes while it computes, of which `bytes` stay."""
        self.indices: dict[int, int] = {}
        """The bytes of a max pool's indices."""
        self.last_use: dict[int, int] = {}
        self.last_use_of_indices: dict[int, int] = {}
        for index in graph.inputs:
            shapes = graph.nodes[index].shapes
            self.storage[index] = index
            self.bytes[index] = _bytes(shapes[0]) if shapes else 0

    def take(self, node: Node, operations: tuple[Operation, ...]) -> None:
        """Add a node that is not for training alone."""
        for edge in node.inputs:
            if edge.output:
                self.last_use_of_indices[edge.node] = node.index
            elif edge.node in self.storage:
                self.last_use[self.storage[edge.node]] = node.index
        making = [op for op in operations if op.primitive not in VIEWS and op.primitive not in TRAINING_ALONE]
        if not making:
            first = node.inputs[0].node
            self.storage[node.index] = self.storage.get(first, first)
            return
        assert node.shapes is not None
        self.storage[node.index] = node.index
        self.bytes[node.index] = _bytes(node.shapes[0])
        before = needed = 0
        for operation in making:
            made = self.bytes[node.index] if operation is making[-1] else FLOAT * int(operation.outputs)
            indices = INTEGER * int(operation.outputs) if operation.primitive in INDEXED else 0
            needed = max(needed, before + made + indices)
            before = made
            if indices:
                self.indices[node.index] = indices
        self.needed[node.index] = needed

    def peak(self) -> int:
        """The most bytes alive at once, for one example."""
        results = {self.storage.get(o.edge.node) for o in self.graph.outputs if not o.training}
        freed: dict[int, int] = {}
        for storage, last in self.last_use.items():
            if storage not in results and self.graph.nodes[storage].kind != INPUT:
                freed[last] = freed.get(last, 0) + self.bytes[storage]
        for maker, last in self.last_use_of_indices.items():
            freed[last] = freed.get(last, 0) + self.indices.get(maker, 0)
        alive = highest = sum(self.bytes[index] for index in self.graph.inputs)
        for index in range(len(self.graph.nodes)):
            if index in self.needed:
                highest = max(highest, alive + self.needed[index])
                alive += self.bytes[index]
            if index in self.last_use_of_indices:
                alive += self.indices.get(index, 0)
            alive -= freed.get(index, 0)
        return highest


def _bytes(shape: Shape) -> int:
    return (INTEGER if shape.tokens else FLOAT) * int(shape.elements)
