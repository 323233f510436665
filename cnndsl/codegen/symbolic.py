"""The steps of a block's plan in the words of its spec: `4 * width` where the graph has 256.

Each layer is bound once more, to arguments that know how the item writes them, and asked for its code with inputs that
know where their channels come from. So every number in the code that follows from the block's parameters has an
expression, and one that follows from what can't be said has an unknown one. What a number happens to be never matters.
"""

from __future__ import annotations

from typing import Any

from cnndsl.codegen.blocks import Scope, Text, condition_of, conditions, expression, read_blocks, scope_at
from cnndsl.codegen.holes import Function, walk
from cnndsl.codegen.plan import Plan, Planner, Step
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope as Values
from cnndsl.elaborate.evaluate import Silent
from cnndsl.elaborate.values import given_arguments
from cnndsl.graph import BlockCall, Edge
from cnndsl.layers.base import Layer, LayerError
from cnndsl.layers.bind import bind
from cnndsl.layers.code import Call, Code, X
from cnndsl.layers.padding import compact
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.source import Source
from cnndsl.symbols import (
    UNKNOWN,
    Expression,
    Lost,
    Real,
    Whole,
    expression_of,
    names_of,
    number,
    plain,
    replaced,
    simple,
    value_of,
    with_expression,
)
from cnndsl.syntax import tree

INPUT_CHANNELS = "input.channels"
"""The name that expressions have for the channels of what a block is given."""


class Reader:
    """Puts the expressions of specs into plans. It reads every file once."""

    def __init__(self) -> None:
        self.files: dict[int, tuple[Source, dict[str, Text]]] = {}

    def block(self, source: Source, name: str) -> Text | None:
        """The lines of a block."""
        if id(source) not in self.files:
            self.files[id(source)] = (source, read_blocks(source))
        return self.files[id(source)][1].get(name)

    def annotate(self, plan: Plan, planner: Planner) -> None:
        """Give the steps of a block's plan their expressions; plans inside come before."""
        assert plan.call is not None
        assert plan.source is not None
        block = self.block(plan.source, plan.call.block)
        if block is not None:
            _Annotator(self, plan, planner, block).run()


class _Annotator:
    def __init__(self, reader: Reader, plan: Plan, planner: Planner, block: Text) -> None:
        call = plan.call
        assert call is not None
        self.reader, self.plan, self.planner, self.block = reader, plan, planner, block
        self.values = dict(call.values)
        self.parameters: Scope = {name: ("name", name) for name in call.values}
        self.channels: dict[Edge, Expression] = {}
        shape = plan.graph.shape_of(call.input)
        if plan.inputs[0] == planner.root(call.input) and shape is not None and not shape.tokens:
            self.values[INPUT_CHANNELS] = shape.channels
            self.parameters[INPUT_CHANNELS] = ("name", INPUT_CHANNELS)
            self.channels[plan.inputs[0]] = ("name", INPUT_CHANNELS)
        plan.values = self.values

    def run(self) -> None:
        plain_ones = (tree.Number, tree.Truth)
        own = (p for p in self.block.parameters if isinstance(p.default, plain_ones))
        self.plan.defaults = {p.name: p.default.value for p in own}
        self.plan.asked = conditions(self.block, self.parameters)
        for step in self.plan.steps:
            self._step(step)
        for call in self.plan.omitted:
            self._omitted(call)
        results = [self.channels.get(edge, UNKNOWN) for edge in self.plan.results]
        self.plan.channels = tuple(results)

    def _step(self, step: Step) -> None:
        place = self.block.places.get(step.key[0]) if len(step.key) == 1 else None
        step.condition = condition_of(place, self.parameters) if place is not None else UNKNOWN
        if place is not None and place.around.loops:
            step.condition = UNKNOWN
        step.said = False
        if place is None:
            return
        item = place.item
        scope = scope_at(place.around, self.parameters)
        if item.count is not None:
            step.times = expression(item.count, scope)
            if not place.around.loops:
                more = simple(">", step.times, number(0))
                step.condition = more if step.condition == number(True) else simple("and", step.condition, more)
        elif not place.around.loops:
            step.times = number(1)
        if step.inputs and not place.arms:
            scope["here.channels"] = self.channels.get(step.inputs[0], UNKNOWN)
        try:
            if step.plan is not None:
                self._call(step, step.plan, item, scope)
            elif isinstance(item.kind, (tree.Name, tree.Brace)) and step.owner is None:
                self._layer(step, item, scope)
        except (Lost, LayerError, EvaluationError, Silent, KeyError, ArithmeticError, TypeError):
            return

    def _omitted(self, call: BlockCall) -> None:
        """A call that does nothing: where it would do something, the block is another one."""
        assert self.plan.source is not None
        text = self.reader.block(self.plan.source, call.block)
        kinds = [p for p in self.block.places.values() if getattr(p.item.kind, "name", "") == call.block]
        if text is None or any(p.rest for p in text.parameters):
            return
        for place in kinds:
            given = self._given(place.item, scope_at(place.around, self.parameters), text, call.values)
            if given is not None:
                given[INPUT_CHANNELS] = self.channels.get(self.planner.root(call.input), UNKNOWN)
                self.plan.asked.append(_does(text, given))

    # --- arguments ----------------------------------------------------------------------------------------------

    def _valued(self, meaning: Expression) -> Any:
        """The value of an expression, which knows it."""
        value = value_of(meaning, self.values)
        return value if isinstance(value, str) else with_expression(value, meaning)

    def _arguments(self, item: tree.Item, scope: Scope) -> list[Any]:
        """The arguments of an item as binders take them. Raises Lost."""
        values: dict[str, Any] = {}

        def filled(node: Any) -> Any:
            if isinstance(node, tree.Brace):
                name = f"value {len(values)}"
                values[name] = self._valued(expression(node, scope))
                return tree.Brace(node.start, node.end, tree.Name(node.start, node.end, name))
            if isinstance(node, (tree.Name, tree.Call, tree.Index, tree.Attribute, tree.Rest, tree.Comprehension)):
                raise Lost
            if type(node) is tuple:
                return tuple(map(filled, node))
            return type(node)(*map(filled, node)) if isinstance(node, Record) else node

        given, _ = given_arguments(filled(item.arguments), _NO_LINE, Values(None, values), Budget(), None)
        return given

    # --- calls --------------------------------------------------------------------------------------------------

    def _call(self, step: Step, inner: Plan, item: tree.Item, scope: Scope) -> None:
        """What a call of a block gives it, as expressions of this block's parameters."""
        assert inner.source is not None
        assert inner.call is not None
        text = self.reader.block(inner.source, inner.call.block)
        if text is None or step.owner is not None or any(p.rest for p in text.parameters):
            return
        rest = self._arguments(item, scope) if inner.rest is not None else []
        plain_item = item._replace(arguments=()) if inner.rest is not None else item
        given = self._given(plain_item, scope, text, inner.call.values)
        if given is None:
            return
        given[INPUT_CHANNELS] = self.channels.get(inner.inputs[0], UNKNOWN)
        if inner.rest is not None:
            layer, own = inner.rest
            others, _ = given_arguments(own, _NO_LINE, Values(), Budget(), None)
            bound = bind(type(layer), [*rest, *others])
            if bound != layer:
                return
            given.update((f"...{name}", expression_of(_one(bound.__dict__[name]))) for name in _numbers(layer))
        step.arguments = given
        step.said = True
        does = _does(text, given)
        if does != number(True):
            step.condition = does if step.condition == number(True) else simple("and", step.condition, does)
        for edge, channels in zip(inner.results, inner.channels, strict=False):
            self.channels[edge] = replaced(channels, given)

    def _given(self, item: tree.Item, scope: Scope, text: Text, values: dict[str, Any]) -> dict[str, Expression] | None:
        """What an item gives the parameters of the block it calls, which have these values; None if it can't be."""
        given: dict[str, Expression] = {}
        by_name = {p.name: p for p in text.parameters}
        for one in item.arguments:
            if isinstance(one, tree.Named):
                given[one.name] = self._meaning(one.value, scope)
            elif isinstance(one, tree.Slash):
                given["stride"] = self._meaning(one.value, scope)
            elif isinstance(one, tree.Reference) and _is_flag(by_name.get(one.name)):
                given[one.name] = number(True)
            else:
                free = next((p.name for p in text.parameters if p.name not in given), None)
                if free is None:
                    return None
                given[free] = self._meaning(one, scope)
        for name, parameter in by_name.items():
            if name not in given:
                given[name] = self._meaning(parameter.default, given)
        for name, value in values.items():
            if not _agrees(given.get(name, UNKNOWN), self.values, value):
                given[name] = UNKNOWN
        return given

    def _meaning(self, node: Any, scope: Scope) -> Expression:
        """What a block's argument means: a bare name is a word."""
        if isinstance(node, tree.Reference):
            return number(node.name) if not node.steps else UNKNOWN
        if isinstance(node, tree.Sides):
            return expression(node.sides[0], scope) if len(node.sides) == 1 else UNKNOWN
        return expression(node, scope)

    # --- layers -------------------------------------------------------------------------------------------------

    def _layer(self, step: Step, item: tree.Item, scope: Scope) -> None:
        node = self.plan.graph.nodes[step.first]
        layer, code = node.layer, step.code
        assert layer is not None
        assert code is not None
        assert node.shapes is not None
        if isinstance(item.kind, tree.Brace):
            step.kind_of = names_of(expression(item.kind, scope))
        inputs = tuple(self._shape(edge) for edge in node.inputs)
        if any(isinstance(one, tree.Rest) for one in item.arguments):
            self._rest(step, item, code, inputs)
            bound, real = self._with_rest(layer, item), None
        else:
            bound, real = self._bound(layer, item, scope)
        bound = _with_pad(bound)
        channels = _output_channels(bound, inputs, node.shapes)
        outputs = tuple(
            shape if shape.tokens else shape._replace(sizes=(*shape.spatial, one))
            for shape, one in zip(node.shapes, channels, strict=True)
        )
        for number_, one in enumerate(channels):
            self.channels[Edge(node.index, number_)] = expression_of(one)
        try:
            made = bound.code(inputs, outputs)
        except Lost:
            made = code
        made = _with_roles(made, bound, inputs, outputs, real)
        if _plain_code(made) != _plain_code(code):
            raise Lost
        step.value = made.extended if step.value is code.extended and code.extended is not None else made.forward
        step.code = made
        step.said = True

    def _rest(self, step: Step, item: tree.Item, code: Code, inputs: tuple[Shape, ...]) -> None:
        """A layer with what `...` stands for: it is the caller's, and no parameter of the block changes it."""
        if any(not isinstance(one, tree.Rest) and _mentions(one) for one in item.arguments):
            return

        def visit(role: str, value: Any) -> Any:
            if isinstance(value, Function):
                return Call(value.name, (X,))
            return inputs[0].channels if role == "in_channels" else value

        step.code = code._replace(modules=tuple((suffix, walk(one, visit)) for suffix, one in code.modules))
        step.rest = True

    def _with_rest(self, layer: Layer, item: tree.Item) -> Layer:
        """The layer with a name for each number, which callers of the block set with what `...` stands for.

        Raises Lost.
        """
        if self.plan.rest is not None or self.block.parameters or not self.plan.source:
            raise Lost
        own = tuple(one for one in item.arguments if not isinstance(one, tree.Rest))
        if _mentions(own):
            raise Lost
        values = _numbers(layer)
        self.values.update((f"...{name}", value) for name, value in values.items())
        self.plan.rest = (layer, own)
        return _rebuilt(layer, {name: Whole(value, ("name", f"...{name}")) for name, value in values.items()})

    def _bound(self, layer: Layer, item: tree.Item, scope: Scope) -> tuple[Layer, Any]:
        """The layer with arguments that know their expressions, and its only float with one, which layers make plain.

        Raises Lost.
        """
        if not _mentions(item.arguments):
            return layer, None
        given = self._arguments(item, scope)
        real = [one.value for one in given if isinstance(one.value, Real)]
        bound = bind(type(layer), given)
        floats = [one for name, one in layer.__dict__.items() if type(one) is float and not name.startswith("_")]
        if bound != layer or len(real) > 1 or (real and floats != [plain(real[0])]):
            raise Lost
        return bound, real[0] if real else None

    def _shape(self, edge: Edge) -> Shape:
        """A shape whose channels know where they come from."""
        shape = self.planner.shape(edge)
        if shape.tokens:
            return shape
        meaning = self.channels.get(self.planner.root(edge), UNKNOWN)
        return shape._replace(sizes=(*shape.spatial, with_expression(shape.channels, meaning)))


def _does(text: Text, given: dict[str, Expression]) -> Expression:
    """When a block does anything to its input."""
    own: Scope = {name: ("name", name) for name in (*(p.name for p in text.parameters), INPUT_CHANNELS)}
    found: dict[Expression, None] = {}
    for place in text.places.values():
        if getattr(place.item.kind, "name", "") != "identity":
            condition = UNKNOWN if place.around.loops else condition_of(place, own)
            found[condition] = None
    if number(True) in found or not found:
        return number(True)
    made, *others = found
    for one in others:
        made = simple("or", made, one)
    return replaced(made, given)


def _one(value: Any) -> Any:
    """The number of an argument that is one for all axes."""
    return compact(value) if type(value) is tuple else value


def _numbers(layer: Layer) -> dict[str, int]:
    """The arguments of a layer that are one whole number."""
    own = {name: _one(value) for name, value in layer.__dict__.items() if not name.startswith("_") and value != ()}
    return {name: value for name, value in own.items() if isinstance(value, int) and not isinstance(value, bool)}


def _rebuilt(layer: Layer, numbers: dict[str, Any]) -> Layer:
    """A layer with other numbers in the places of its own."""
    own = {name: value for name, value in layer.__dict__.items() if not name.startswith("_")}
    for name, one in numbers.items():
        own[name] = (one,) * len(own[name]) if type(own[name]) is tuple else one
    return type(layer)(**own)


class _NoLine:
    def span(self, node: Any = None) -> Any:
        return None


_NO_LINE: Any = _NoLine()


def _is_flag(parameter: tree.Parameter | None) -> bool:
    return parameter is not None and isinstance(parameter.default, tree.Truth) and not parameter.default.value


def _agrees(meaning: Expression, values: dict[str, Any], value: Any) -> bool:
    try:
        found = value_of(meaning, values)
    except (KeyError, ArithmeticError, TypeError):
        return False
    return type(found) is type(value) and bool(found == value)


def _with_pad(bound: Layer) -> Layer:
    """A layer whose padding `same` is written out: with stride 1 and an odd kernel, (kernel - 1) // 2 on each side.

    Raises Lost where the padding follows from more than the kernel, and the kernel or stride is not a plain number.
    """
    values = bound.__dict__
    if values.get("pad") != "same" or "kernel" not in values:
        return bound
    kernel, stride = values["kernel"], values.get("stride") or (1,)
    dilation = values.get("dilation") or (1,)
    if not any(isinstance(one, Whole) for one in (*kernel, *stride, *dilation)):
        return bound
    if any(one != 1 or isinstance(one, Whole) for one in (*stride, *dilation)) or any(one % 2 == 0 for one in kernel):
        raise Lost
    own = {name: value for name, value in values.items() if not name.startswith("_")}
    return type(bound)(**{**own, "pad": tuple((one - 1) // 2 for one in kernel)})


def _output_channels(layer: Layer, inputs: tuple[Shape, ...], shapes: tuple[Shape, ...]) -> list[Any]:
    """The channels of what a layer gives."""
    try:
        found = [one.channels for one in layer.infer(*inputs).outputs]
    except Lost:
        own = layer.__dict__.get("channels", layer.__dict__.get("units"))
        found = [own if own is not None and own == shape.channels else None for shape in shapes]
    made = []
    for number_, shape in enumerate(shapes):
        one = found[number_] if number_ < len(found) else None
        made.append(one if one == shape.channels else with_expression(shape.channels, UNKNOWN))
    return made


_ARGUMENTS = ("stride", "padding", "dilation", "groups", "kernel_size")


def _mentions(node: Any) -> bool:
    """Whether arguments depend on anything: an expression, a name of a tensor, what `...` stands for."""
    if isinstance(node, (tree.Brace, tree.Name, tree.Rest)):
        return True
    return isinstance(node, tuple) and any(map(_mentions, node))


def _with_roles(code: Code, layer: Layer, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...], real: Any) -> Code:
    """Code in which those numbers have expressions that the layer's rules made plain, or left out as defaults.

    real: the layer's only float, if that has an expression.
    """
    values = layer.__dict__
    known: dict[str, Any] = {}
    for name in _ARGUMENTS:
        own = values.get({"padding": "pad", "kernel_size": "kernel"}.get(name, name))
        if type(own) is tuple and own and all(isinstance(one, int) for one in own):
            known[name] = compact(own)
        elif isinstance(own, int) and not isinstance(own, bool):
            known[name] = own
    x, y = inputs[0], outputs[0]
    known["in_channels"], known["out_channels"] = x.channels, y.channels
    known["in_features"] = x.elements if layer.kind == "dense" else x.channels
    known["out_features"] = y.channels
    if layer.kind == "dwconv":
        known["groups"] = x.channels

    def visit(role: str, value: Any) -> Any:
        if isinstance(value, Function):
            return Call(value.name, (X,))
        if type(value) is float and real is not None:
            if value != real:
                raise Lost
            return real
        own = known.get(role)
        plain = type(value) in (int, float) or (type(value) is tuple and all(type(one) is int for one in value))
        return own if plain and own is not None and own == value else value

    modules = tuple((suffix, walk(one, visit)) for suffix, one in code.modules)
    setup = tuple(_called(walk(one, visit)) for one in code.setup)
    return code._replace(modules=modules, forward=walk(code.forward, visit), setup=setup)


def _plain_code(code: Code) -> tuple[Any, ...]:
    """The modules, forward pass and setup of a layer in plain numbers."""

    def visit(role: str, value: Any) -> Any:
        return plain(value)

    return tuple(walk(one, visit) for one in (code.modules, code.forward, code.setup, code.extended))


def _called(value: Any) -> Call:
    assert isinstance(value, Call)
    return value
