"""The text of one class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from cnndsl.codegen.classes import Class, Library, is_list
from cnndsl.codegen.holes import Function, Piece, Repeated, Text, filler, grown, walk
from cnndsl.codegen.identifiers import Identifiers, identifier, variable_names
from cnndsl.codegen.merge import merged_places, uses_of
from cnndsl.codegen.parameters import Parameter
from cnndsl.codegen.plan import Plan, Step
from cnndsl.codegen.python import WIDTH, Names, literal, statement
from cnndsl.codegen.rows import split_name
from cnndsl.codegen.variables import RUNNING, Hints, Place, allocate
from cnndsl.graph import Edge
from cnndsl.layers.code import Call, Module, X, call
from cnndsl.shape import Shape
from cnndsl.symbols import plain

INDENT = "        "


class Writer:
    """Writes one class. functions: names that its forward pass must leave alone."""

    def __init__(self, library: Library, made: Class, functions: frozenset[str]) -> None:
        self.library = library
        self.made = made
        self.plans_of = {
            at: next(p for p, step in zip(made.plans, made.steps[at], strict=True) if step is not None)
            for at in made.first
        }
        self.places: dict[int, dict[Edge, Place]] = {}
        self.flags = self._flags()
        self.kept: dict[str, str] = {}
        """What the forward pass needs of the parameters: expressions, and the attributes that keep them."""
        for at in made.first:
            self._keep(at)
        self.inputs = self._input_names(variable_names(functions))
        self.variables = self._variables(variable_names(functions | set(self.inputs)))

    def _flags(self) -> dict[str, str]:
        """The attributes that keep the conditions, by their expressions."""
        flags: dict[str, str] = {}
        for condition in self.made.conditions:
            if condition is not None and condition[1] not in flags:
                name = condition[1] if condition[1].isidentifier() else condition[0]
                if name in self.made.attributes.taken:
                    name = condition[0]
                flags[condition[1]] = self.made.attributes.make(name)
        return flags

    def _keep(self, at: int) -> None:
        """Keep the expressions that a step's forward pass has instead of numbers."""
        for value in _texts(self.made.forward[at] if self.made.forward else ()):
            if value.text not in self.kept:
                name = value.text if value.text.isidentifier() else self.made.roles.get(str(value), "value")
                self.kept[value.text] = self.made.attributes.make(name)

    def _input_names(self, names: Identifiers) -> list[str]:
        plan = self.made.plans[0]
        if plan.call is None:
            own = [plan.graph.nodes[edge.node].name for edge in plan.inputs]
            return [RUNNING] if len(own) == 1 else [names.make(name) for name in own]
        others = plan.inputs[1:]
        words = [name for name, value in plan.call.values.items() if isinstance(value, str)]
        found = [RUNNING]
        for edge in others:
            node = plan.graph.nodes[edge.node]
            meant = [w for w in words if _names(str(plan.call.values[w]), node.name)] or words[:1]
            found.append(names.make(meant[0] if meant else "other"))
            words = [w for w in words if w not in meant[:1]]
        return found

    def _variables(self, names: Identifiers) -> dict[Place, str]:
        made = self.made
        chosen = [made.plans[made.numbers.index(v)] for v in range(len(made.merged.places))]
        steps, results = uses_of(chosen, made.merged)
        return allocate(steps, results, self.inputs, [self._hints(at) for at in range(len(made.steps))], names)

    def _hints(self, at: int) -> Hints:
        if at not in self.made.first:
            return Hints()
        step, plan = self.made.first[at], self.plans_of[at]
        name = identifier(step.name) if step.given else None
        result = None
        if plan.call is None and len(plan.results) + len(plan.training_results) > 1:
            result = next(
                (o.name for o in plan.graph.outputs if o.name != "output" and self._gives(step, o.edge)), None
            )
        node = plan.graph.nodes[step.first]
        arms = step.code is not None and len(step.inputs) > 2 and not getattr(node.layer, "names", ())
        extra: tuple[str, ...] = ()
        if step.code is not None and node.layer is not None:
            extra = tuple(identifier(f"{step.name}_{output}") for output in node.layer.extra_outputs)
        kept = identifier(result) if result is not None else None
        return Hints(name, kept=kept, extra=extra, arms=arms, chained=len(step.inputs) == 1)

    def _gives(self, step: Step, edge: Edge) -> bool:
        return bool(step.outputs) and self.library.root(self.made.plans[0], edge) == step.outputs[0]

    # --- the text -----------------------------------------------------------------------------------------------

    def lines(self) -> list[str]:
        """The class."""
        made = self.made
        init = self._init()
        lines = [f"class {made.name}(nn.Module):", f'    """{self._about()}"""', ""]
        return [*lines, *([*init, ""] if init else []), *self._forward()]

    def _about(self) -> str:
        plan = self.made.plans[0]
        ends = [self._ends(one) for one in self.made.plans]
        if any(one != ends[0] for one in ends):
            assert plan.call is not None
            return f"The block `{plan.call.block}`."
        inputs, outputs = (", ".join(shapes) for shapes in ends[0])
        if plan.training_results:
            main = len(plan.results)
            outputs = ", ".join(ends[0][1][:main])
            outputs += "; in training also " + ", ".join(ends[0][1][main:])
        return f"Takes {inputs}, gives {outputs}."

    def _ends(self, plan: Plan) -> tuple[list[str], list[str]]:
        """The shapes that a plan takes and gives, with the channels where they are."""
        results = (*plan.results, *plan.training_results)
        moved = dict(plan.finally_)
        layouts = [moved.get(edge, plan.layouts[edge]) for edge in results]
        return _batch_shapes(plan, plan.inputs, plan.given), _batch_shapes(plan, results, layouts)

    # --- __init__ -----------------------------------------------------------------------------------------------

    def _init(self) -> list[str]:
        made = self.made
        lines: list[str] = []
        lines += self._demands()
        lines += [f"{INDENT}{name} = {text}" for text, name in self.made.locals.items()]
        for text, name in self.kept.items():
            lines.append(f"{INDENT}self.{name} = {text}")
        setup: list[tuple[str | None, list[str]]] = []
        written: set[str] = set()
        body: list[tuple[str | None, list[str]]] = []
        for at, step in made.first.items():
            if at not in made.paths:
                continue
            condition = self._flag(at)
            base, indices = split_name(step.name)
            if base in made.lists and indices:
                if base not in written:
                    written.add(base)
                    attribute, tree = made.lists[base]
                    body.append((None, statement(f"self.{attribute}", self._list(tree), _NO_NAMES, INDENT)))
            else:
                names = Names((), made.paths[at])
                for suffix, value in self._modules(at):
                    target = f"self.{made.paths[at]}{'_' + suffix if suffix else ''}"
                    body.append((condition, statement(target, value, names, self._indent(condition))))
            for one in self._setup(at):
                setup.append((condition, statement("", one, Names((), made.paths[at]), self._indent(condition))))
        for text, name in self.flags.items():
            lines.append(f"{INDENT}self.{name} = {text}")
        lines += [*_under_conditions(body), *_under_conditions(setup)]
        if not lines:
            return []
        return [*self._signature(), f"{INDENT}super().__init__()", *lines]

    def _demands(self) -> list[str]:
        """Refuse parameters for which the spec says something else."""
        lines = []
        for text in self.made.demands:
            contrary = text[4:] if text.startswith("not ") else f"not ({text})"
            lines += [f"{INDENT}if {contrary}:", f'{INDENT}    raise ValueError("only written for {text}")']
        return lines

    def _indent(self, condition: str | None) -> str:
        return INDENT if condition is None else INDENT + "    "

    def _flag(self, at: int) -> str | None:
        condition = self.made.conditions[at]
        return f"self.{self.flags[condition[1]]}" if condition is not None else None

    def _signature(self) -> list[str]:
        given = ["self", *map(_declared, self.made.parameters)]
        line = f"    def __init__({', '.join(given)}) -> None:"
        if len(line) <= WIDTH:
            return [line]
        whole = INDENT + ", ".join(given)
        body = [whole] if len(whole) <= WIDTH else [f"{INDENT}{one}," for one in given]
        return ["    def __init__(", *body, "    ) -> None:"]

    def _numbers(self, at: int) -> list[Any]:
        if self.made.own:
            return self.made.own[at]
        return [plain(value) for _, value in self.library.parts_of(self.made.first[at], self.plans_of[at]).own]

    def _modules(self, at: int) -> list[tuple[str, Any]]:
        """The suffixes of a step's modules, and what makes each."""
        step = self.made.first[at]
        if step.code is None:
            return [("", self._made(step, self.plans_of[at], iter(self._numbers(at))))]
        if not self.made.own:
            return list(step.code.modules)
        numbers = iter(self._numbers(at))
        return [(suffix, walk(one, filler(numbers))) for suffix, one in step.code.modules]

    def _setup(self, at: int) -> list[Any]:
        """What is done once to a step's modules."""
        step = self.made.first[at]
        if step.code is None or not step.code.setup or not self.made.own:
            return list(step.code.setup) if step.code is not None else []
        numbers = iter(self._numbers(at))
        for _, one in step.code.modules:
            walk(one, filler(numbers))
        return [walk(one, filler(numbers)) for one in step.code.setup]

    def _list(self, tree: dict[int, Any]) -> Any:
        """What makes a list of modules, from a tree of the steps in it."""
        parts = {
            index: self._list(part) if isinstance(part, dict) else self._modules(part)[0][1]
            for index, part in sorted(tree.items())
        }
        if is_list(tree):
            return call("nn.ModuleList", list(parts.values()))
        return call("nn.ModuleDict", {str(index): part for index, part in parts.items()})

    def _made(self, step: Step, plan: Plan, numbers: Iterator[Any]) -> Any:
        """The expression that makes a step's module, with these numbers."""
        if step.row:
            parts = self.library.parts_of(step, plan)
            made: list[Any] = []
            number = 0
            for piece in parts.pieces:
                made.append(self._piece(piece, step.row[number], plan, numbers))
                number += piece.times
            return Call("nn.Sequential", tuple(made))
        if step.plan is not None:
            inner = self.library.of[id(step.plan)]
            return _construction(inner, [next(numbers) for _ in inner.parameters])
        assert step.code is not None
        return walk(step.code.modules[0][1], filler(numbers))

    def _piece(self, piece: Piece, step: Step, plan: Plan, numbers: Iterator[Any]) -> Repeated:
        times = next(numbers)
        values = []
        for grows in piece.steps:
            start = next(numbers)
            values.append(start if grows is None else grown(start, next(numbers)))
        grows = any(one is not None for one in piece.steps)
        return Repeated(self._made(step, plan, iter(values)), times, grows)

    # --- forward ------------------------------------------------------------------------------------------------

    def _forward(self) -> list[str]:
        plan = self.made.plans[0]
        body: list[tuple[str | None, list[str]]] = []
        copies = {copy.at: copy for copy in self.made.merged.copies}
        for at in range(len(self.made.steps)):
            if at not in copies:
                body += self._step(at)
            elif self.variables[(at, 0)] != self.variables[copies[at].source]:
                body.append((None, [f"{INDENT}{self.variables[(at, 0)]} = {self.variables[copies[at].source]}"]))
        number = self.made.numbers[0]
        places = merged_places(plan, self.made.merged.places[number])
        training = {edge for edge in plan.training_results if edge not in plan.results}
        for edge, layout in plan.finally_:
            condition = "self.training" if edge in training else None
            name = self.variables[places[edge]]
            body.append((condition, self._moved(name, layout, self._indent(condition))))
        taken = [
            self.made.merged.taken(self.made.merged.length, n, places[edge])
            for n, edge in enumerate((*plan.results, *plan.training_results))
        ]
        given = [self.variables[place] for place in taken]
        results = given[: len(plan.results)]
        kinds = [_tuple_type(len(results))]
        if plan.training_results:
            body.append(("self.training", [f"{INDENT}    return {', '.join(given)}"]))
            kinds.append(_tuple_type(len(given)))
        declared = ", ".join(["self", *(f"{name}: Tensor" for name in self.inputs)])
        head = f"    def forward({declared}) -> {' | '.join(kinds)}:"
        return [head, *_under_conditions(body), f"{INDENT}return {', '.join(results)}"]

    def _moved(self, name: str, layout: str, indent: str) -> list[str]:
        move = (1, -1) if layout == "last" else (-1, 1)
        return statement(name, call(".movedim", X, *move), Names((name,), ""), indent)

    def _step(self, at: int) -> list[tuple[str | None, list[str]]]:
        """The statements of a step, each with the condition that it depends on."""
        made, step, plan = self.made, self.made.first[at], self.plans_of[at]
        number = made.numbers[made.place[id(plan)]]
        places = self._places(plan, number)
        condition = "self.training" if step.training else self._flag(at)
        indent = self._indent(condition)
        lines: list[str] = []
        taken = [made.merged.taken(at, n, places[edge]) for n, edge in enumerate(step.inputs)]
        # What the main path takes, too, is moved whether or not the network is in training.
        shared: list[str] = []
        trained = {edge for one in plan.steps if one.training for edge in one.outputs} if step.training else set()
        for edge, layout in step.moves:
            both = step.training and edge not in trained
            (shared if both else lines).extend(
                self._moved(self.variables[taken[step.inputs.index(edge)]], layout, INDENT if both else indent)
            )
        inputs = tuple(self.variables[place] for place in taken)
        outputs = ", ".join(self.variables[(at, n)] for n in range(len(step.outputs)))
        path = made.paths.get(at, "") if step.owner is None else self._owner_path(step, plan)
        if step.code is None:
            value: Any = Call(Module(""), tuple(Text(name) for name in inputs))
        elif made.forward:
            value = walk(step.value, filler(iter([self._in_forward(v) for v in made.forward[at]])))
        else:
            value = step.value
        lines += statement(outputs, value, Names(inputs, path), indent, self._comment(at))
        return [*([(None, shared)] if shared else []), (condition, lines)]

    def _places(self, plan: Plan, number: int) -> dict[Edge, Place]:
        if id(plan) not in self.places:
            self.places[id(plan)] = merged_places(plan, self.made.merged.places[number])
        return self.places[id(plan)]

    def _owner_path(self, step: Step, plan: Plan) -> str:
        assert step.owner is not None
        if step.plan is None:
            return self.library.path(plan, step.owner)
        return self.library.call_path(plan, step)

    def _in_forward(self, value: Any) -> Any:
        if type(value) is tuple:
            return tuple(map(self._in_forward, value))
        return Text(f"self.{self.kept[value.text]}") if isinstance(value, Text) else value

    def _comment(self, at: int) -> str:
        """The shape that a step gives, where it is the same in all instances and not that of what it takes."""
        steps = [(p, s) for p, s in zip(self.made.plans, self.made.steps[at], strict=True) if s is not None]
        given = {plan.graph.shape_of(step.outputs[0]) for plan, step in steps}
        if len(given) > 1 or any(plan.graph.shape_of(step.inputs[0]) in given for plan, step in steps):
            return ""
        return str(given.pop())


_NO_NAMES = Names((), "")


def _texts(values: Any) -> Iterator[Text]:
    """The expressions among these numbers, and within tuples of them."""
    for value in values:
        if isinstance(value, Text):
            yield value
        elif type(value) is tuple:
            yield from _texts(value)


def _under_conditions(parts: list[tuple[str | None, list[str]]]) -> list[str]:
    """Statements, those with a condition below an `if`."""
    lines: list[str] = []
    for condition, group in groupby(parts, key=lambda part: part[0]):
        if condition is not None:
            lines.append(f"{INDENT}if {condition}:")
        lines += [line for _, body in group for line in body]
    return lines


def _declared(one: Parameter) -> str:
    default = f" = {_default(one)}" if one.default is not None else ""
    return f"{one.name}: {one.annotation()}{default}"


def _default(one: Parameter) -> str:
    return one.default.name if isinstance(one.default, Function) else literal(one.default)


def _construction(made: Class, values: list[Any]) -> Call:
    """The call of a class's constructor."""
    args = []
    kwargs = []
    for one, value in zip(made.parameters, values, strict=True):
        if one.default is None:
            args.append(value)
        elif isinstance(value, Text) or type(value) is not type(one.default) or value != one.default:
            kwargs.append((one.name, value))
    return Call(made.name, tuple(args), tuple(kwargs))


def _names(given: str, name: str) -> bool:
    """Whether a name given to a block is that of a node, within the block that gave it."""
    return name == given or name.endswith("." + given)


def _tuple_type(count: int) -> str:
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _batch_shapes(plan: Plan, edges: Sequence[Edge], layouts: Sequence[str]) -> list[str]:
    shapes = [(plan.graph.shape_of(edge), layout) for edge, layout in zip(edges, layouts, strict=True)]
    return [batch_shape(shape, layout) for shape, layout in shapes if shape is not None]


def batch_shape(shape: Shape, layout: str = "first") -> str:
    """A shape as PyTorch has it: `(N, 6, 28, 28)`, or with the channels last `(N, 28, 28, 6)`."""
    if shape.tokens:
        return f"(N, {shape.sizes[0]}) of integers"
    sizes = shape.sizes if layout == "last" else (shape.channels, *shape.spatial)
    return f"(N, {', '.join(map(str, sizes))})"
