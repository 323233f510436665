"""Memory of activations: the most that is alive at once, and what training keeps for the backward pass.

Tensors share storage where PyTorch's operations return views; every storage is counted once. The saved tensors
are those that PyTorch's autograd keeps on a CPU, in eager mode, at 32-bit floats.
"""

from __future__ import annotations

from cnndsl.graph import INPUT, Graph, Node
from cnndsl.layers.base import Operation
from cnndsl.measure.primitives import ESTIMATED, INDEXED, TRAINING_ALONE, VIEWS, Saved, saved
from cnndsl.record import Record
from cnndsl.shape import Shape

FLOAT = 4
INTEGER = 8


class Step(Record):
    """One operation of a layer: what training keeps of it, and whether its result has a storage of its own.

    last: whether that storage is the layer's result's. source: the number of the layer's input that it takes instead
    of what the operation before it made.
    """

    keeps: Saved
    inputs: int
    outputs: int
    makes: bool
    last: bool
    source: int | None


class Plan(Record):
    """What a layer's operations on inputs of certain sizes mean for memory; sizes in bytes, for one example.

    made: of the storage that its result lies in; 0 if that is its input's. In evaluation it is `made_evaluated`, and
    at most `needed` is made while it computes. indices: of a max pool's indices. estimated: see ESTIMATED.
    """

    steps: tuple[Step, ...]
    made: int
    made_evaluated: int
    needed: int
    indices: int
    estimated: bool


def plan(operations: tuple[Operation, ...]) -> Plan:
    """A layer's plan, the same for every node with an equal layer and equal inputs."""
    numbers = [number for number, op in enumerate(operations) if op.primitive not in VIEWS]
    steps = tuple(
        Step(saved(op), FLOAT * op.inputs, FLOAT * op.outputs, number in numbers, numbers[-1:] == [number], op.source)
        for number, op in enumerate(operations)
    )
    making = [operations[number] for number in numbers]
    evaluated = [op for op in making if op.primitive not in TRAINING_ALONE]
    before = needed = indices = 0
    for op in evaluated:
        made = FLOAT * int(op.outputs)
        indices = INTEGER * int(op.outputs) if op.primitive in INDEXED else 0
        needed, before = max(needed, before + made + indices), made
    return Plan(
        steps,
        FLOAT * int(making[-1].outputs) if making else 0,
        FLOAT * int(evaluated[-1].outputs) if evaluated else 0,
        needed,
        indices,
        any(op.primitive in ESTIMATED for op in operations),
    )


class Activations:
    """The storages of a graph's tensors, built node by node, and which of them training keeps.

    A storage has the number of the node that made it. `auxiliary` nodes are only computed in training.
    """

    def __init__(self, graph: Graph, auxiliary: frozenset[int] = frozenset()) -> None:
        self.auxiliary = auxiliary
        self.inference = Inference(graph)
        self.storage: dict[int, int] = dict(self.inference.storage)
        self.bytes: dict[int, int] = dict(self.inference.bytes)
        self.temporaries = 0
        self.kept: set[int] = set()
        self.needs_gradient: set[int] = set()
        self.saved_once = 0
        """Bytes kept for the backward pass whatever the batch size, such as batch statistics."""
        self.estimated = False
        """Whether what training keeps is not exact: see ESTIMATED."""

    def take(self, node: Node, plan: Plan, *, learns: bool) -> int:
        """Add a node; returns the bytes for each example that training keeps from here on."""
        index = node.index
        if index not in self.auxiliary:
            self.inference.take(node, plan)
        sources = [self.storage.get(edge.node, edge.node) for edge in node.inputs]
        gradient = learns or any(edge.node in self.needs_gradient for edge in node.inputs)
        if gradient:
            self.needs_gradient.add(index)
            self.estimated = self.estimated or plan.estimated
        current = sources[0]
        kept = 0
        for number, step in enumerate(plan.steps):
            source = current if step.source is None else sources[step.source]
            current = source
            if step.makes:
                current = index if step.last else self._temporary()
            if gradient:
                other = sources[number + 1] if number + 1 < len(sources) else None
                kept += self._keep(step, source, current, other)
        self.storage[index] = current
        if current == index:
            self.bytes[index] = plan.made
        return kept

    def _temporary(self) -> int:
        """A storage that belongs to no node's output."""
        self.temporaries -= 1
        return self.temporaries

    def _keep(self, step: Step, source: int, produced: int, other: int | None) -> int:
        """The bytes that one operation is the first to keep. `other` is a merge's second operand."""
        rule = step.keeps
        kept: int = rule.extra
        self.saved_once += rule.once
        if (rule.input or rule.both) and source not in self.kept:
            kept += self.bytes.get(source, step.inputs)
            self.kept.add(source)
        if rule.both and other is not None and other not in self.kept:
            kept += self.bytes.get(other, step.inputs)
            self.kept.add(other)
        if rule.output and produced not in self.kept:
            kept += step.outputs
            self.kept.add(produced)
        return kept


class Inference:
    """What is alive at once in a forward pass without gradients, where every tensor is freed after its last use.

    The inputs are held by the caller.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.storage: dict[int, int] = {}
        self.bytes: dict[int, int] = {}
        self.plans: dict[int, Plan] = {}
        self.last_use: dict[int, int] = {}
        self.last_use_of_indices: dict[int, int] = {}
        for index in graph.inputs:
            shapes = graph.nodes[index].shapes
            self.storage[index] = index
            self.bytes[index] = _bytes(shapes[0]) if shapes else 0

    def take(self, node: Node, plan: Plan) -> None:
        """Add a node that is not for training alone."""
        if any(edge.node not in self.storage for edge in node.inputs):
            # It leads nowhere, behind what is for training alone: nothing asks for it, either.
            return
        index = node.index
        for edge in node.inputs:
            if edge.output:
                self.last_use_of_indices[edge.node] = index
            else:
                self.last_use[self.storage[edge.node]] = index
        if not plan.made_evaluated:
            first = node.inputs[0].node
            self.storage[index] = self.storage.get(first, first)
            return
        self.storage[index] = index
        self.bytes[index] = plan.made_evaluated
        self.plans[index] = plan

    def peak(self) -> int:
        """The most bytes alive at once, for one example."""
        results = {self.storage.get(o.edge.node) for o in self.graph.outputs if not o.training}
        freed: dict[int, int] = {}
        for storage, last in self.last_use.items():
            if storage not in results and self.graph.nodes[storage].kind != INPUT:
                freed[last] = freed.get(last, 0) + self.bytes[storage]
        for maker, last in self.last_use_of_indices.items():
            freed[last] = freed.get(last, 0) + self.plans[maker].indices
        alive = highest = sum(self.bytes[index] for index in self.graph.inputs)
        for index in range(len(self.graph.nodes)):
            plan = self.plans.get(index)
            if plan is not None:
                highest = max(highest, alive + plan.needed)
                alive += plan.made_evaluated + (plan.indices if index in self.last_use_of_indices else 0)
            alive -= freed.get(index, 0)
        return highest


def _bytes(shape: Shape) -> int:
    return (INTEGER if shape.tokens else FLOAT) * int(shape.elements)
