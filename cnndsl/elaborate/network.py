"""Expanding one network into a graph, inferring shapes as it goes.

Shapes are inferred while the lines are run, because conditions such as `if input.channels != c` need them. A
layer that can't be gets no shape, and what hangs on it stays silent: one cause, one error.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.builder import MOST_OPEN, Stop
from cnndsl.elaborate.evaluate import UNKNOWN, Scope, Silent, evaluate
from cnndsl.elaborate.file import File, NetworkLines
from cnndsl.elaborate.frame import Frame
from cnndsl.elaborate.items import Changes, Items
from cnndsl.elaborate.settings import Expectation, Setting
from cnndsl.elaborate.values import (
    argument_value,
    given_arguments,
    reference_text,
)
from cnndsl.graph import INPUT, Edge, Graph, Node, Output
from cnndsl.layers import find
from cnndsl.layers.bind import written
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line


class Elaborated(Record):
    """A network's graph, and what its lines ask besides.

    settings: the lines of its `train:` block; train: the place of that block's header, None without one.
    skipped: how many claims and expectations were not checked, because sizes or parameters were changed.
    """

    graph: Graph
    expectations: tuple[Expectation, ...]
    settings: tuple[Setting, ...]
    train: Span | None
    skipped: int


class Expander(Items):
    """Runs a network's lines. Make one, call `run`."""

    def __init__(
        self,
        network: NetworkLines,
        budget: Budget,
        changes: Changes,
        span: Span,
        reported: set[tuple[str, str, int, int]],
    ) -> None:
        super().__init__(budget, changes, reported)
        self.network = network
        self.span = span
        self.inputs: list[int] = []
        self.outputs: list[Output] = []
        self.open = 0
        self.expectations: list[Expectation] = []
        self.settings: list[Setting] = []
        self.train: Span | None = None
        self.parameters: dict[str, Any] = {}

    def run(self) -> tuple[Elaborated, list[Diagnostic]]:
        """The network's graph, and what is wrong with it."""
        frame = Frame(self.network.file, Scope(self.network.file.scope))
        try:
            self._bind_parameters(frame)
            # An instance has claims of its own; its base's hold for the base.
            self.checking = not self.changes.any and self.network.base is None
            frame.lines = self.network.lines
            if self.network.base is not None and self.network.header is not None:
                self.instance = self.network.header.span()
            self.run_lines(frame.lines, frame)
            self.instance = None
            self.checking = not self.changes.any
            if self.network.own_file is not None:
                frame.file = self.network.own_file
            self._run_own_lines(frame)
        except Stop:
            # What was refused for its size is not measured either.
            self.nodes, self.inputs, self.outputs, self.calls = [], [], [], []
            frame.here = None
        except RecursionError:
            # The limits leave room for a deep stack around this; but how deep that is, the caller decides.
            self.report("TooManyCalls", self.span, limit=MOST_OPEN)
        empty = not any(node.kind != INPUT for node in self.nodes)
        if empty and not self.troubled and self.network.header is not None:
            self.report("NoLayers", self.span, name=self.network.name)
        if frame.here is not None and not any(o.edge == frame.here and not o.training for o in self.outputs):
            # The end of the chain is a result whether or not it has a name, and the first one.
            self.outputs.insert(0, Output("output", frame.here))
        if not self.troubled:
            self._warn_of_dead_ends()
        graph = Graph(
            self.network.name, tuple(self.nodes), tuple(self.inputs), tuple(self.outputs), self.parameters, self.span,
            tuple(self.calls),
        )  # fmt: skip
        result = Elaborated(graph, tuple(self.expectations), tuple(self.settings), self.train, self.skipped)
        return result, self.diagnostics

    def _run_own_lines(self, frame: Frame) -> None:
        """An instance's body: what is claimed of it, and its recipe."""
        for line in self.network.own:
            if line.statement is None or isinstance(line.statement, (tree.Expect, tree.Train, tree.Let, tree.Function)):
                self._statement(line, frame)
            else:
                why = "an instance has `expect` lines and a recipe of its own; its layers are its base's"
                self.report("NotHere", line.span(), what="this", why=why)

    def _warn_of_dead_ends(self) -> None:
        """Layers and inputs that no result depends on: the last of each row of them is reported."""
        alive = {output.edge.node for output in self.outputs}
        taken: set[int] = set()
        for node in reversed(self.nodes):
            taken.update(edge.node for edge in node.inputs)
            if node.index in alive:
                alive.update(edge.node for edge in node.inputs)
        for node in self.nodes:
            if node.index not in alive and node.index not in taken:
                what = "input" if node.kind == INPUT else "layer"
                self.report("LeadsNowhere", node.span, node.calls, what=what, name=node.name)

    def _report_depth(self, line: Line, frame: Frame) -> None:
        """The limit of levels is reached: by a block that calls itself, which is marked, or by that many bodies. What
        else is wrong deep in a recursion comes of its not ending."""
        calls = frame.calls
        again = next((call for call in reversed(calls) if calls.count(call) > 1), None)
        if again is None:
            self.report("TooManyCalls", line.span(), calls, limit=MOST_OPEN)
            return
        self.diagnostics[:] = [d for d in self.diagnostics if all(label.span != again for label in d.labels)]
        block = again.text.split()[0]
        self.report("TooManyCalls", again, calls[: calls.index(again)], limit=MOST_OPEN, block=block)

    def run_lines(self, lines: Iterable[Line], frame: Frame) -> None:
        """Run lines one after the other. `taken` is None, or whether a branch of the last `if` was taken."""
        taken: bool | None = None
        self.open += 1
        for line in lines:
            if self.open > MOST_OPEN:
                self._report_depth(line, frame)
                raise Stop
            statement = line.statement
            kind = type(statement)
            if kind is tree.Chain:
                self.run_chain(line, frame)
                taken = None
            elif kind is tree.If or kind is tree.Else:
                taken = self.run_branch(line, frame, taken, self.run_lines)
            else:
                # An `else` under an `if` that could not be read is silent.
                taken = True if statement is None else None
                self._statement(line, frame)
        self.open -= 1

    def _statement(self, line: Line, frame: Frame) -> None:
        statement = line.statement
        try:
            if statement is None:
                self.forget(line, frame)
            elif isinstance(statement, (tree.Repeat, tree.For)):
                self.run_loop(line, frame, self.run_lines)
            elif isinstance(statement, (tree.Let, tree.Function)):
                self.show_tensors(frame)
                self.let(line, frame.scope, frame.calls)
            elif isinstance(statement, tree.Input):
                self._input(line, frame)
            elif isinstance(statement, tree.Output):
                self._output(line, frame)
            elif isinstance(statement, tree.Expect):
                self._expect(line, frame)
            elif isinstance(statement, tree.Train):
                self._train(line, frame)
            elif isinstance(statement, tree.Arm):
                self.report("NotHere", line.span(), what="an arm", why="arms stand under a merge such as `add:`")
            else:
                what = f"`{line.text.split()[0]}`"
                self.report("NotHere", line.span(), what=what, why="only outside networks and blocks")
        except EvaluationError as error:
            self.report_evaluation(error, line, frame)
            self.forget(line, frame)
        except Silent:
            self.forget(line, frame)

    def file_lets(self, file: File) -> None:
        """Define what a file's `let` lines say, and those that it uses from files whose own are defined."""
        for used, name, alias in file.imported:
            file.scope.values[alias] = used.scope.values.get(name, UNKNOWN)
            file.scope.places[alias] = file.places[alias]
        with suppress(Stop):
            for line in file.lets:
                self.let(line, file.scope)

    def _bind_parameters(self, frame: Frame) -> None:
        """Set the network's parameters: as asked for, else the instance's, else the defaults."""
        network = self.network
        if network.header is None:
            return
        given = {one.name: one for one in network.settings}
        for index, one in enumerate(network.settings):
            if one.name in [earlier.name for earlier in network.settings[:index]]:
                self.report("DefinedTwice", network.header.span(one), what="parameter", name=one.name)
        known = [p.name for p in network.parameters]
        for index, parameter in enumerate(network.parameters):
            if parameter.name in known[:index]:
                span = network.header.span(parameter)
                self.report("DefinedTwice", span, what="parameter", name=parameter.name)
        for name, one in given.items():
            if name not in known:
                owner = f"`{network.header.statement.base.name}`"
                self.report(
                    "UnknownParameter", network.header.span(one), owner=owner, name=name,
                    known=", ".join(known) or "none", guess=closest(name, known),
                )  # fmt: skip
        for parameter in network.parameters:
            frame.scope.places.setdefault(parameter.name, network.header.span(parameter))
            frame.scope.values[parameter.name] = self._parameter(parameter, given, frame)
            self.parameters[parameter.name] = frame.scope.values[parameter.name]

    def _parameter(self, parameter: tree.Parameter, given: dict[str, tree.Named], frame: Frame) -> Any:
        header = self.network.header
        assert header is not None
        if parameter.name in self.changes.parameters:
            return self._set(parameter, given, frame)
        node = given[parameter.name].value if parameter.name in given else parameter.default
        base = self.network.base
        if parameter.name not in given and base is not None and base.header is not None:
            header = base.header
        if node is None:
            self.report("ParameterWithoutValue", header.span(parameter), owner=self.network.name, name=parameter.name)
            return UNKNOWN
        scope = frame.scope
        if parameter.name in given and self.network.own_file is not None:
            # What an instance says is said in its own file.
            scope = Scope(self.network.own_file.scope, dict(scope.values))
        try:
            return argument_value(node, scope, self.budget)
        except EvaluationError as error:
            self.report_evaluation(error, header, frame, parameter)
        except Silent:
            pass
        return UNKNOWN

    def _set(self, parameter: tree.Parameter, given: dict[str, tree.Named], frame: Frame) -> Any:
        """What is asked for in place of the file's value. If that is the same, nothing is changed by it."""
        parameters = self.changes.parameters
        value = parameters[parameter.name]
        others = {name: other for name, other in parameters.items() if name != parameter.name}
        node = given[parameter.name].value if parameter.name in given else parameter.default
        own_file = self.network.own_file if parameter.name in given else None
        scope = frame.scope if own_file is None else Scope(own_file.scope, dict(frame.scope.values))
        with suppress(EvaluationError, Silent):
            own = value if node is None else argument_value(node, scope, self.budget)
            if node is not None and _same(own, value):
                self.changes = self.changes._replace(parameters=others)
        return value

    def _input(self, line: Line, frame: Frame) -> None:
        statement = line.statement
        if frame.in_block:
            self.report("NotHere", line.span(), what="`input`", why="a block's input is what it is given")
            return
        tokens = any(word.name == "tokens" for word in statement.words)
        labels = [word for word in statement.words if word.name != "tokens"]
        name = labels[0].name if labels else "input"
        if len(labels) > 1:
            self.report("NotHere", line.span(labels[1]), what=f"`{labels[1].name}`", why="an input has one name")
        elif labels and labels[0].start > statement.shape.start and self._is_misspelt(labels[0], line):
            tokens, labels, name = True, [], "input"
        try:
            sizes = self._input_sizes(line, frame, name)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame)
            sizes = None
        except Silent:
            sizes = None
        shapes = None if sizes is None else (Shape(sizes, tokens),)
        if sizes is not None and len(sizes) == 3 and sizes[0] in (1, 3) and sizes[1] == sizes[2] > 4:
            channels_last = f"{sizes[1]}x{sizes[2]}x{sizes[0]}"
            place = line.span(statement.shape)
            fix = Fix(f"write `{channels_last}`", (Edit(place, channels_last),), "likely")
            self.report("ChannelsFirst", place, sizes=str(Shape(sizes)), channels=sizes[2], fixes=(fix,))
        edge = Edge(len(self.nodes))
        self.inputs.append(edge.node)
        self._name_input(line, frame, name, edge, labels)
        self.nodes.append(Node(edge.node, name, INPUT, None, (), shapes, line.span(), named=bool(labels)))
        frame.here = edge
        if frame.input is None:
            frame.input = edge
        if labels:
            self.define_tensor(name, edge, line.span(labels[0]), frame)

    def _is_misspelt(self, name: tree.Name, line: Line) -> bool:
        """Say that a word stands behind an input's size, where no name does; whether `tokens` is meant."""
        span, shape = line.span(name), line.span(line.statement.shape)
        meant = closest(name.name, ["tokens"]) is not None
        if meant:
            fix = Fix("write `tokens`", (Edit(span, "tokens"),), "likely")
        else:
            behind = Edit(Span(span.source, shape.end, span.end), "")
            before = Edit(shape._replace(end=shape.start), f"{name.name} ")
            fix = Fix("name the input before its size", (before, behind), "likely")
        self.report("InputAlias", span, fixes=(fix,))
        return meant

    def _name_input(self, line: Line, frame: Frame, name: str, edge: Edge, labels: list[tree.Name]) -> None:
        if name in self.names.taken:
            first = self.nodes[self.names.taken[name][0]].span
            labels_ = (Label(first, "first defined here"),)
            if labels:
                self.report("DefinedTwice", line.span(labels[0]), what="input", name=name, labels=labels_)
            else:
                self.report("TwoInputs", line.span(), labels=(Label(first, "the first one"),))
        self.names.give(name, edge.node)

    def _input_sizes(self, line: Line, frame: Frame, name: str) -> tuple[int, ...] | None:
        """The sizes of an input, free ones (`H`) taken from the example or from what was asked for."""
        statement = line.statement
        wanted = self.changes.inputs.get(name, self.changes.inputs.get(""))
        shape = statement.shape
        sides = shape.sides if isinstance(shape, tree.Sides) else (shape,)
        free = [side for side in sides if isinstance(side, tree.Name)]
        example: Any = wanted
        if example is None and statement.example is not None:
            example = evaluate(statement.example, frame.scope, self.budget)
        if example is None and not free:
            example = tuple(evaluate(side, frame.scope, self.budget) for side in sides)
        if example is None:
            names_ = " and ".join(f"`{side.name}`" for side in free)
            self.report("FreeSize", line.span(shape), names=names_, written=line.span(shape).text)
            return None
        if isinstance(example, list):
            example = tuple(example)
        elif not isinstance(example, tuple):
            example = (example,)
        if len(example) == 1 and isinstance(example[0], tuple):
            example = example[0]
        example = tuple(int(n) if isinstance(n, float) and n.is_integer() else n for n in example)
        valid = 1 <= len(example) <= 4 and all(type(n) is int and n >= 1 for n in example)
        if not valid:
            self.report("BadInputSize", line.span(shape), value=written(example))
            return None
        if not self._fits(example, sides, line, overridden=wanted is not None):
            return None
        for side, size in zip(sides, example, strict=False):
            if isinstance(side, tree.Name) and side.name != "_":
                known = frame.scope.values.get(side.name, size)
                if known != size:
                    self.report("SizeDiffers", line.span(side), name=side.name, first=written(known), second=size)
                    return None
                frame.scope.values[side.name] = size
        self._check_where(line, frame)
        if wanted is not None and (statement.example is not None or not free):
            self._compare_input(name, tuple(example), statement, frame)
        return tuple(example)

    def _compare_input(self, name: str, sizes: tuple[int, ...], statement: tree.Input, frame: Frame) -> None:
        """An input that is asked for in the sizes which the file says changes nothing."""
        node = statement.shape if statement.example is None else statement.example
        try:
            own = evaluate(node, frame.scope, self.budget)
        except (EvaluationError, Silent):
            return
        if (tuple(own) if isinstance(own, (list, tuple)) else (own,)) != sizes:
            return
        key = name if name in self.changes.inputs else ""
        inputs = {other: size for other, size in self.changes.inputs.items() if other != key}
        self.changes = self.changes._replace(inputs=inputs)
        self.checking = self.checking or (not self.changes.any and self.network.base is None)

    def _fits(self, example: tuple[int, ...], sides: tuple[Any, ...], line: Line, *, overridden: bool) -> bool:
        """Whether the sizes have the form that the input is written in; if not, that is reported."""
        shape = line.statement.shape
        fixed = [side.value if isinstance(side, tree.Number) else None for side in sides]
        same_rank = len(example) == len(sides) or isinstance(shape, tree.Brace)
        if overridden and not same_rank:
            span = line.span(shape)
            message = f"`--input {written(example)}` does not have the form of this input"
            label = f"has {len(sides)} size{'s' * (len(sides) != 1)}"
            self.report("InputOverride", span, message=message, label=label)
        elif not overridden and (
            not same_rank or any(f not in (None, n) for f, n in zip(fixed, example, strict=False))
        ):
            self.report("ExampleDiffers", line.span(line.statement.example), shape=line.span(shape).text)
        else:
            return True
        return False

    def _check_where(self, line: Line, frame: Frame) -> None:
        for condition in line.statement.where:
            if not evaluate(condition, frame.scope, self.budget):
                span = line.span(condition)
                sizes = getattr(line.statement.shape, "sides", (line.statement.shape,))
                values = [f"{s.name} is {frame.scope.values[s.name]}" for s in sizes if isinstance(s, tree.Name)]
                self.report("ExpectFails", span, wanted=f"`{span.text}`", actual=" and ".join(values) or "it is not")

    def _output(self, line: Line, frame: Frame) -> None:
        """`output name`: a tensor the network gives; with a body, a side branch that gives it."""
        statement = line.statement
        name = reference_text(statement.reference, frame.scope, self.budget)
        training = statement.word is not None and statement.word.name == "training"
        if statement.word is not None and not training:
            self.report(
                "NotHere", line.span(statement.word), what=f"`{statement.word.name}`", why="`training` may stand here"
            )
        if frame.in_block:
            self.report("NotHere", line.span(), what="`output`", why="only in a network, not in a block")
            return
        first = len(self.nodes)
        if statement.opens:
            before = frame.here, frame.branch
            frame.branch = f"{name}."
            self.run_lines(line.body, frame)
            edge = frame.here
            frame.here, frame.branch = before
            if edge is not None:
                self.define_tensor(name, edge, line.span(statement.reference), frame)
        else:
            edge = self.tensor_named(name, line.span(statement.reference), frame)
        if any(output.name == name for output in self.outputs):
            self.report("DefinedTwice", line.span(statement.reference), what="output", name=name)
        elif edge is not None:
            last = len(self.nodes) if statement.opens else first
            self.outputs.append(Output(name, edge, training, first, last))

    def _expect(self, line: Line, frame: Frame) -> None:
        if frame.in_block:
            self.report("NotHere", line.span(), what="`expect`", why="only in a network, not in a block")
        elif line.mended:
            return
        elif self.checking:
            self.expectations.append(Expectation(line, line.statement.condition, self.scope_here(frame)))
        elif self.changes.any:
            self.skipped += 1

    def settings_of(self, line: Line) -> tuple[tuple[Setting, ...], list[Diagnostic]]:
        """The settings of a recipe that stands outside of networks, and what is wrong with them."""
        self._train(line, Frame(self.network.file, Scope(self.network.file.scope)))
        return tuple(self.settings), self.diagnostics

    def _train(self, line: Line, frame: Frame) -> None:
        if line.statement.of and frame.lines:
            why = "only outside of networks, at the end of the file"
            self.report("NotHere", line.span(), what="a recipe for two networks", why=why)
            return
        if frame.in_block:
            self.report("NotHere", line.span(), what="`train`", why="only in a network, not in a block")
            return
        if not line.body:
            return
        if self.train is not None and self.network.base is None:
            labels = (Label(self.train, "the first one"),)
            self.report("DefinedTwice", line.span(), what="recipe of", name=self.network.name, labels=labels)
            return
        self.train = line.span()
        self.settings.clear()
        for setting in line.body:
            statement = setting.statement
            if line.mended and isinstance(statement, tree.Chain) and any(map(_is_layer, statement.items)):
                continue  # The body was not indented, so that it is not known where it ends.
            if statement is None:
                continue
            if not isinstance(statement, tree.Chain) or statement.claim or statement.opens:
                self.report(
                    "NotHere", setting.span(), what="this line", why="a setting such as `epochs 10` is expected"
                )
                continue
            for number, item in enumerate(statement.items):
                self._setting(item, setting, frame, follows=number > 0)

    def _setting(self, item: tree.Item, line: Line, frame: Frame, *, follows: bool) -> None:
        extra = item.alias or item.count
        if not isinstance(item.kind, tree.Name) or extra is not None:
            span = line.span(extra or item)
            self.report("NotHere", span, what=f"`{span.text}`", why="a setting such as `epochs 10` is expected")
            return
        try:
            given, places = given_arguments(item.arguments, line, frame.scope, self.budget, None)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame)
            return
        except Silent:
            return
        self.settings.append(
            Setting(item.kind.name, tuple(given), line.span(item), tuple(places), line.span(item.kind), follows)
        )


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same in a spec: true is no 1, but a name may be written as a string."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is_layer(item: tree.Item) -> bool:
    """Whether an item names a kind of layers."""
    return isinstance(item.kind, tree.Name) and find(item.kind.name) is not None
