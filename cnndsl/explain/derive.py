"""The derivation of one layer's output shape, parameters, operations, receptive field and memory.

Nothing is computed here: every number is what the layer's own rules and the tables of `cnndsl.measure` give.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnndsl.explain import Held, Section, Term, term, terms
from cnndsl.explain.traced import Traced, in_numbers, is_sum, quantity
from cnndsl.graph import Graph, Node
from cnndsl.layers.base import Condition, Inferred, Layer, LayerError, Operation, Window
from cnndsl.measure.analyse import fields_of, seeing
from cnndsl.measure.memory import FLOAT, INTEGER, Activations, Step, plan
from cnndsl.measure.primitives import CONNECTIONS, CORE_MACS, connections, core_macs
from cnndsl.measure.receptive import Axis, Field, Seeing, field_behind
from cnndsl.shape import SPATIAL_AXES, Shape

_SIGNS = {">=": ">=", "==": "==", "%": "is divisible by"}


def derive(graph: Graph, node: Node) -> tuple[Section, ...]:
    """What is known of a node's layer: all of it, or as much as the fault in it allows. Nothing for an input."""
    if node.layer is None:
        return ()
    shapes = [graph.shape_of(edge) for edge in node.inputs]
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes):
        return ()
    layer, inputs = traced_layer(node.layer), traced_inputs(tuple(known))
    shape, inferred = _shape(layer, inputs, outputs_asked(graph, node))
    if inferred is None or node.shapes is None:
        return (shape,)
    outputs = _named_outputs(node.shapes)
    operations = layer.operations(inputs, outputs)
    return (
        shape,
        _parameters(graph, node, layer, inputs),
        _counted("MACs", operations, core_macs, CORE_MACS),
        _counted("connections", operations, connections, CONNECTIONS),
        _field(graph, node, layer, inputs, outputs, operations),
        _memory(graph, node, operations, inputs),
    )


# --- numbers with names ---------------------------------------------------------------------------------------------


def traced_layer(layer: Layer) -> Layer:
    """The layer with arguments that know their names."""
    own = {name: value for name, value in layer.__dict__.items() if not name.startswith("_")}
    return type(layer)(**{name: _traced(name, value) for name, value in own.items()})


def _traced(name: str, value: Any) -> Any:
    if type(value) is int:
        return quantity(name, value)
    if type(value) is tuple:
        return tuple(_traced(name, one) for one in value)
    return value


def traced_inputs(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """Shapes whose sizes are called `input.height`; of several inputs `input1.height`."""
    several = len(shapes) > 1
    return tuple(_named(shape, f"input{number if several else ''}") for number, shape in enumerate(shapes, 1))


def _named_outputs(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    return tuple(
        _named(shape, "output" if number == 0 else f"output{number + 1}") for number, shape in enumerate(shapes)
    )


def _named(shape: Shape, owner: str) -> Shape:
    sizes = tuple(quantity(f"{owner}.{axis}", size) for axis, size in zip(shape.axes, shape.sizes, strict=True))
    plane = tuple(quantity(f"{owner}.plane", size) for size in shape.plane)
    return shape._replace(sizes=sizes, plane=plane)


# --- the shape ------------------------------------------------------------------------------------------------------


def outputs_asked(graph: Graph, node: Node) -> int:
    """How many outputs count: those after the first exist only where another layer takes them, as a pool's indices."""
    return max((edge.output for one in graph.nodes for edge in one.inputs if edge.node == node.index), default=0) + 1


def _shape(layer: Layer, inputs: tuple[Shape, ...], count: int) -> tuple[Section, Inferred | None]:
    """How the sizes of the first `count` outputs come about; without the shapes if the layer refuses its input."""
    try:
        inferred = layer.infer(*inputs)
    except LayerError:
        return Section("shape"), None
    found: list[Term] = []
    said: set[int] = set()
    for number, shape in enumerate(inferred.outputs[:count]):
        owner = f"{layer.extra_outputs[number - 1]}." if number else ""
        for axis, size in zip(shape.axes, shape.sizes, strict=True):
            found += terms(owner + axis, size, axis=owner + axis, said=said)
    held = tuple(dict.fromkeys(_held(condition) for condition in inferred.conditions if _says(condition)))
    ok = all(condition.holds() for condition in inferred.conditions)
    return Section("shape", tuple(found), (), held), inferred if ok else None


def _says(condition: Condition) -> bool:
    """Whether a condition fails, or is more than that a number is itself, or can be divided by 1."""
    if not condition.holds():
        return True
    return not (condition.relation == "%" and condition.right == 1) and in_numbers(condition.left) != in_numbers(
        condition.right
    )


def _held(condition: Condition) -> Held:
    left, right = in_numbers(condition.left), in_numbers(condition.right)
    return Held(f"{left} {_SIGNS[condition.relation]} {right}", bool(condition.holds()))


# --- parameters and operations --------------------------------------------------------------------------------------


def _parameters(graph: Graph, node: Node, layer: Layer, inputs: tuple[Shape, ...]) -> Section:
    found: list[Term] = []
    said: set[int] = set()
    params: Any = 0
    for weight in layer.weights(*inputs):
        size = Shape(weight.shape).elements if weight.shape else 1
        note = {"parameter": "", "frozen": "frozen", "buffer": "a buffer, no parameter"}[weight.kind]
        shape = "x".join(str(int(one)) for one in weight.shape) or "1"
        found += terms(f"{weight.name} {shape}", size, note, said=said)
        if weight.kind != "buffer":
            params = params + quantity(weight.name, size)
    if not found:
        return Section("parameters", (), ("none",))
    if node.shares is not None:
        return Section("parameters", tuple(found), (f"shared with {graph.nodes[node.shares].name}, where they count",))
    return Section("parameters", (*found, term("params", params)))


def _counted(title: str, operations: Iterable[Operation], rule: Any, table: dict[str, Any]) -> Section:
    """What operations count for, by a table of `measure.primitives`; fields of an operation go under their names."""
    found: list[Term] = []
    total: Any = 0
    counted = [op for op in operations if op.primitive in table]
    for number, op in enumerate(counted, 1):
        whose = f"{op.primitive} {number}" if len(counted) > 1 else op.primitive
        amount = rule(_fields_named(op))
        found += terms(whose if len(counted) > 1 else title, amount)
        total = total + quantity(whose, amount)
    if not counted:
        return Section(title, (Term(title, 0),), ("no weighted sums",) if table is CORE_MACS else ())
    return Section(title, (*found, term(title, total)) if len(counted) > 1 else tuple(found))


def _fields_named(op: Operation) -> Operation:
    """An operation whose numbers go under the names of its fields."""
    return op._replace(
        **{
            name: value.known_as(name)
            for name in ("inputs", "outputs", "positions", "weights", "window", "links")
            if isinstance(value := getattr(op, name), Traced)
        }
    )


# --- the receptive field --------------------------------------------------------------------------------------------


def _field(
    graph: Graph, node: Node, layer: Layer, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...],
    operations: tuple[Operation, ...],
) -> Section:  # fmt: skip
    """What an output sees, from what the inputs see."""
    fields = fields_of(graph)
    before = [fields[edge.node] for edge in node.inputs]
    several = len(before) > 1
    traced = [
        None if field is None else _traced_field(field, f"input{number}." if several else "input.")
        for number, field in enumerate(before, 1)
    ]
    arms = list(zip(traced, inputs, strict=True))
    after, _ = field_behind(layer, _windows_named(seeing(layer, inputs, operations)), arms, outputs[0])
    if after is None or fields[node.index] is None:
        return Section("receptive field", (), ("unknown",))
    if not after.axes:
        return Section("receptive field", (), ("a vector has no places to see",))
    names = SPATIAL_AXES.get(len(after.axes), ())
    found: list[Term] = []
    notes: list[str] = []
    for axis, name, whole in zip(after.axes, names, after.whole, strict=True):
        found += terms("field", axis.field(), "the whole axis" if axis.full else "", name)
        found += terms("stride", axis.step(), "", name)
        if not axis.full and not axis.tail:
            found += terms("first cell", axis.low, "", name)
        if axis.field() > whole:
            notes.append(f"more than the {name}, which has {whole:,}")
    return Section("receptive field", tuple(found), tuple(notes))


def _windows_named(seen: Seeing) -> Seeing:
    """Windows whose numbers go under names, where a rule computed them."""
    if seen.windows is None:
        return seen
    return seen._replace(windows=tuple(Window(*map(_window_number, Window._fields, window)) for window in seen.windows))


def _window_number(name: str, value: Any) -> Any:
    computed = isinstance(value, Traced) and is_sum(value.tree)
    return value.known_as(f"window.{name}") if computed else value


def _traced_field(field: Field, owner: str) -> Field:
    names = SPATIAL_AXES.get(len(field.axes), ())
    return field._replace(axes=tuple(_traced_axis(axis, owner) for axis, _ in zip(field.axes, names, strict=True)))


def _traced_axis(axis: Axis, owner: str) -> Axis:
    """An axis whose numbers are called `input.field`, …; behind an upsampling the field is only begun before it."""
    return axis._replace(
        low=quantity(f"{owner}first", axis.low),
        span=quantity(f"{owner}span" if axis.tail else f"{owner}field", axis.span),
        jump=quantity(f"{owner}stride", axis.jump),
    )


# --- memory ---------------------------------------------------------------------------------------------------------


class _Kept(Activations):
    """Activations that tell what was kept already."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, graph.auxiliary())
        self.told: dict[str, None] = {}

    def _keep(self, step: Step, source: int, produced: int, other: int | None) -> int:
        rule = step.keeps
        wanted = {"its input": (source, rule.input or rule.both), "its other input": (other, rule.both)}
        for what, (storage, keeps) in wanted.items():
            if keeps and storage in self.kept:
                self.told[f"{what} is kept already, by an earlier layer" if storage >= 0 else what] = None
        return super()._keep(step, source, produced, other)


def _memory(graph: Graph, node: Node, operations: tuple[Operation, ...], inputs: tuple[Shape, ...]) -> Section:
    """What training keeps of the layer for the backward pass, in bytes for each example."""
    activations = _Kept(graph)
    for one in graph.nodes[: node.index]:
        if one.layer is not None and one.shapes is not None:
            shapes = _shapes_of(graph, one)
            activations.take(one, plan(one.layer.operations(shapes, one.shapes)), learns=_learns(one.layer, shapes))
    _name_storages(activations, node, inputs)
    activations.told.clear()
    assert node.layer is not None
    kept = activations.take(node, plan(operations), learns=_learns(node.layer, _shapes_of(graph, node)))
    return Section("kept for training", tuple(terms("bytes", kept)), tuple(activations.told))


def _name_storages(activations: Activations, node: Node, inputs: tuple[Shape, ...]) -> None:
    """Let the bytes of what a node takes be those of its shape, as far as they are."""
    several = len(inputs) > 1
    for number, (edge, shape) in enumerate(zip(node.inputs, inputs, strict=True), 1):
        storage = activations.storage.get(edge.node, edge.node)
        size = (INTEGER if shape.tokens else FLOAT) * shape.elements
        if activations.bytes.get(storage) == size and isinstance(size, Traced):
            activations.bytes[storage] = size.known_as(f"input{number if several else ''}")


def _shapes_of(graph: Graph, node: Node) -> tuple[Shape, ...]:
    return tuple(shape for edge in node.inputs if (shape := graph.shape_of(edge)) is not None)


def _learns(layer: Layer, shapes: tuple[Shape, ...]) -> bool:
    return any(weight.kind == "parameter" for weight in layer.weights(*shapes))
