"""Measuring a graph: one pass in its order, with everything remembered that depends on a layer and its inputs alone."""

from __future__ import annotations

from typing import Any

from cnndsl.graph import INPUT, Edge, Graph, Node
from cnndsl.layers.base import Layer, Operation, Window
from cnndsl.measure import Analysis, LayerMeasure, Memory, Totals
from cnndsl.measure.memory import Activations, Plan, plan
from cnndsl.measure.primitives import connections, core_macs
from cnndsl.measure.receptive import Field, Misaligned, Seeing, field_behind, input_field
from cnndsl.record import Record
from cnndsl.shape import Shape, product

FLOAT, INTEGER = 4, 8
"""Bytes of a 32-bit float, and of PyTorch's integers."""


class _Fixed(Record):
    """What a layer with given inputs always measures.

    integers: how many buffers are a 64-bit integer, as batch norm's number of batches.
    """

    params: int
    trainable: int
    buffers: int
    integers: int
    macs: int
    connections: int
    plan: Plan
    seeing: Seeing


def analyse(graph: Graph, batch: int = 1, slots: int = 2) -> Analysis:
    """The numbers of a graph. Totals and memory are None unless every node has a shape.

    batch: examples at once, for memory. slots: numbers that the optimizer keeps for each parameter
    (2 for Adam, 1 for SGD with momentum, 0 for plain SGD).
    """
    pass_ = _Pass(graph)
    layers = tuple(pass_.measure(node) for node in graph.nodes)
    if not graph.complete or not graph.outputs:
        return Analysis(layers, None, None, pass_.misaligned)
    return Analysis(layers, pass_.totals(layers), pass_.memory(layers, batch, slots), pass_.misaligned)


class _Pass:
    """One walk over the nodes of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.fixed: dict[tuple[Any, ...], _Fixed] = {}
        self.fields: list[Field | None] = []
        self.depths: list[int] = []
        self.integers = 0
        self.misaligned: dict[int, tuple[Misaligned, ...]] = {}
        self.auxiliary = graph.auxiliary()
        self.activations = Activations(graph, self.auxiliary)

    def measure(self, node: Node) -> LayerMeasure | None:
        if node.shapes is None:
            self.fields.append(None)
            self.depths.append(0)
            return None
        if node.kind == INPUT or node.layer is None:
            field = input_field(node.shapes[0], node.index)
            self.fields.append(field)
            self.depths.append(0)
            return LayerMeasure(0, 0, 0, 0, 0, field.receptive_field(), field.stride(), 0)
        inputs = tuple(self._shape(edge) for edge in node.inputs)
        key = (node.layer, *inputs)
        fixed = self.fixed.get(key)
        if fixed is None:
            fixed = self.fixed[key] = _fixed(node.layer, inputs, node.shapes)
        own = node.shares is None
        self.integers += fixed.integers if own else 0
        seen = self._field(node, fixed)
        self.fields.append(seen)
        weighted = fixed.macs > 0
        self.depths.append(max(self.depths[edge.node] for edge in node.inputs) + weighted)
        saved = self.activations.take(node, fixed.plan, learns=fixed.trainable > 0)
        return LayerMeasure(
            fixed.params if own else 0,
            fixed.trainable if own else 0,
            fixed.buffers if own else 0,
            fixed.macs,
            fixed.connections,
            seen.receptive_field() if seen else (),
            seen.stride() if seen else (),
            saved,
            node.index in self.auxiliary,
        )

    def _shape(self, edge: Edge) -> Shape:
        shapes = self.graph.nodes[edge.node].shapes
        assert shapes is not None
        return shapes[edge.output]

    def _field(self, node: Node, fixed: _Fixed) -> Field | None:
        """What the node's output sees; None where an input is unknown."""
        inputs = [(self.fields[edge.node], self._shape(edge)) for edge in node.inputs]
        assert node.layer is not None
        assert node.shapes is not None
        seen, found = field_behind(node.layer, fixed.seeing, inputs, node.shapes[0])
        if found:
            self.misaligned[node.index] = found
        return seen

    def totals(self, layers: tuple[LayerMeasure | None, ...]) -> Totals:
        known = [m for m in layers if m is not None]
        heads = [m for m in known if m.auxiliary]
        path = known if not heads else [m for m in known if not m.auxiliary]
        last = self._main_output()
        main = layers[last]
        assert main is not None
        return Totals(
            sum(m.params for m in known),
            sum(m.trainable for m in known),
            sum(m.buffers for m in known),
            sum(m.macs for m in path),
            sum(m.connections for m in path),
            main.receptive_field,
            main.stride,
            self.depths[last],
            self._features_field(last, layers),
            sum(m.params for m in heads),
            sum(m.macs for m in heads),
        )

    def _features_field(self, last: int, layers: tuple[LayerMeasure | None, ...]) -> tuple[int, ...]:
        """What the last map with several positions before node `last` sees."""
        behind = {last}
        for node in reversed(self.graph.nodes[: last + 1]):
            measure = layers[node.index]
            if node.index not in behind or node.kind == INPUT or measure is None or node.shapes is None:
                continue
            if product(node.shapes[0].spatial) > 1:
                return measure.receptive_field
            behind.update(edge.node for edge in node.inputs)
        return ()

    def _main_output(self) -> int:
        """The node of the network's first result that is not for training alone."""
        main = [o for o in self.graph.outputs if not o.training] or list(self.graph.outputs)
        return main[0].edge.node

    def memory(self, layers: tuple[LayerMeasure | None, ...], batch: int, slots: int) -> Memory:
        known = [m for m in layers if m is not None]
        params = sum(m.params for m in known)
        trainable = sum(m.trainable for m in known)
        return Memory(
            batch=batch,
            weights=FLOAT * (params + sum(m.buffers for m in known)) + (INTEGER - FLOAT) * self.integers,
            activations_peak=batch * self.activations.inference.peak(),
            gradients=FLOAT * trainable,
            optimizer=FLOAT * trainable * slots,
            saved=batch * sum(m.saved for m in known) + self.activations.saved_once,
            estimated=self.activations.estimated,
        )


def _fixed(layer: Layer, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> _Fixed:
    weights = layer.weights(*inputs)
    operations = layer.operations(inputs, outputs)
    params = [w for w in weights if w.kind != "buffer"]
    return _Fixed(
        sum(product(w.shape) for w in params),
        sum(product(w.shape) for w in params if w.kind == "parameter"),
        sum(product(w.shape) for w in weights if w.kind == "buffer"),
        sum(w.kind == "buffer" and not w.shape for w in weights),
        sum(core_macs(op) for op in operations),
        sum(connections(op) for op in operations),
        plan(operations),
        seeing(layer, inputs, operations),
    )


def seeing(layer: Layer, inputs: tuple[Shape, ...], operations: tuple[Operation, ...]) -> Seeing:
    """What decides what a layer's output sees."""
    windows: tuple[Window, ...] | None = layer.window(*inputs)
    follows = layer.follows(*inputs)
    rank = inputs[0].rank
    if windows == (Window(),) * rank and follows == tuple(range(rank)):
        windows = None
    return Seeing(windows, follows, operations[0].primitive if operations else "")


def fields_of(graph: Graph) -> list[Field | None]:
    """What every node of a graph sees; None where it is not known."""
    pass_ = _Pass(graph)
    for node in graph.nodes:
        pass_.measure(node)
    return pass_.fields
