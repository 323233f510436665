"""Expanding one network into a graph, inferring shapes as it goes.

Shapes are inferred while the lines are run, because conditions such as `if input.channels != c` need them. A
layer that can't be gets no shape, and what hangs on it stays silent: one cause, one error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest, problem
from cnndsl.elaborate.evaluate import (
    UNKNOWN,
    Budget,
    Closure,
    EvaluationError,
    Scope,
    Silent,
    assign,
    evaluate,
    iterate,
)
from cnndsl.elaborate.file import File, NetworkLines
from cnndsl.elaborate.frame import Frame, Names
from cnndsl.elaborate.names import base_names
from cnndsl.elaborate.settings import Expectation, Setting
from cnndsl.elaborate.unread import KEEPERS, first_word, names_of
from cnndsl.elaborate.values import (
    NO_SCOPE,
    LocalName,
    Tensor,
    argument_value,
    given_arguments,
    is_static,
    reference_text,
)
from cnndsl.graph import INPUT, Edge, Graph, Node, Output
from cnndsl.layers import find, names
from cnndsl.layers.base import Inferred, Layer, LayerError
from cnndsl.layers.bind import Given, bind, places_of, written
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

MOST_NODES = 250_000
MOST_OPEN = 60
"""Bodies that are run at once, each within the one before: blocks, branches, loops, arms."""
MOST_PROBLEMS = 1000
"""Problems of one network that are reported, before the rest is left unread."""
MOST_CELLS = 1 << 40
"""Cells along one axis: more than any memory holds, and small enough that counts stay numbers one can print."""


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


class Changes(Record):
    """What the caller sets instead of what the file says: parameters, and the inputs' sizes by name
    (`""` for the only input)."""

    parameters: dict[str, Any]
    inputs: dict[str, tuple[int, ...]]

    @property
    def any(self) -> bool:
        return bool(self.parameters or self.inputs)


class _Step(Record):
    """An item of a chain, looked at once: what its kind is, and its layer if that is always the same."""

    item: tree.Item
    name: str
    layer: Layer | None


class _Stop(Exception):  # noqa: N818
    """A limit was reached and reported: the expansion ends."""


class Expander:
    """Runs a network's lines. Make one, call `run`."""

    def __init__(
        self,
        file: File,
        network: NetworkLines,
        file_scope: Scope,
        budget: Budget,
        changes: Changes,
        span: Span,
        reported: set[tuple[str, int, int]],
    ) -> None:
        self.file = file
        self.network = network
        self.file_scope = file_scope
        self.budget = budget
        self.changes = changes
        self.span = span
        self.nodes: list[Node] = []
        self.inputs: list[int] = []
        self.outputs: list[Output] = []
        self.names = Names()
        self.diagnostics: list[Diagnostic] = []
        # What was reported, here or for a network that shares lines with this one.
        self.reported = reported
        self.troubled = False
        self.open = 0
        self.expectations: list[Expectation] = []
        self.settings: list[Setting] = []
        self.train: Span | None = None
        self.skipped = 0
        self.parameters: dict[str, Any] = {}
        self.checking = True
        self.steps: dict[int, tuple[tuple[_Step, ...], tuple[str, ...]]] = {}
        self.inferred: dict[tuple[Any, ...], Inferred | LayerError] = {}

    def run(self) -> tuple[Elaborated, list[Diagnostic]]:
        """The network's graph, and what is wrong with it."""
        frame = Frame(Scope(self.file_scope))
        try:
            self._bind_parameters(frame)
            # An instance has claims of its own; its base's hold for the base.
            self.checking = not self.changes.any and self.network.base is None
            self.run_lines(self.network.lines, frame)
            self.checking = not self.changes.any
            self.run_lines(self.network.own, frame)
        except _Stop:
            pass
        except RecursionError:
            # The limits leave room for a deep stack around this; but how deep that is, the caller decides.
            self.report("TooManyCalls", self.span, limit=MOST_OPEN)
        if not any(node.kind != INPUT for node in self.nodes) and not self.troubled:
            self.report("NoLayers", self.span, name=self.network.name)
        if frame.here is not None and not any(not o.training for o in self.outputs):
            self.outputs.append(Output("output", frame.here))
        graph = Graph(
            self.network.name, tuple(self.nodes), tuple(self.inputs), tuple(self.outputs), self.parameters, self.span
        )
        result = Elaborated(graph, tuple(self.expectations), tuple(self.settings), self.train, self.skipped)
        return result, self.diagnostics

    # --- reporting ----------------------------------------------------------------------------------------------

    def report(self, name: str, span: Span, calls: tuple[Span, ...] = (), /, **values: Any) -> None:
        """Add a diagnostic, once for a place; the calls of the blocks it lies in are shown with it."""
        self.troubled = True
        key = (name, span.start, span.end)
        if key in self.reported:
            return
        self.reported.add(key)
        if len(self.diagnostics) >= MOST_PROBLEMS:
            raise _Stop
        if calls:
            labels = tuple(Label(call, "called from here") for call in reversed(calls))
            values["labels"] = (*values.get("labels", ()), *labels[:3])
        self.diagnostics.append(problem(name, span, **values))

    def report_evaluation(self, error: EvaluationError, line: Line, frame: Frame, fallback: Any = None) -> None:
        node = error.node if error.node is not None else fallback
        self.report(error.problem, line.span(node), frame.calls, **error.values)
        if error.problem == "TooManySteps":
            raise _Stop

    # --- statements ---------------------------------------------------------------------------------------------

    def run_lines(self, lines: Iterable[Line], frame: Frame) -> None:
        """Run lines one after the other. `taken` is None, or whether a branch of the last `if` was taken."""
        taken: bool | None = None
        self.open += 1
        for line in lines:
            if self.open > MOST_OPEN:
                self.report("TooManyCalls", line.span(), frame.calls, limit=MOST_OPEN)
                raise _Stop
            statement = line.statement
            kind = type(statement)
            if kind is tree.Chain:
                self._chain(line, frame)
                taken = None
            elif kind is tree.If or kind is tree.Else:
                taken = self._branch(line, frame, taken, self.run_lines)
            else:
                # An `else` under an `if` that could not be read is silent.
                taken = True if statement is None else None
                self._statement(line, frame)
        self.open -= 1

    def _statement(self, line: Line, frame: Frame) -> None:
        statement = line.statement
        try:
            if statement is None:
                self._forget(line, frame)
            elif isinstance(statement, (tree.Repeat, tree.For)):
                self._loop(line, frame, self.run_lines)
            elif isinstance(statement, (tree.Let, tree.Function)):
                self.let(line, frame.scope)
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
            self._forget(line, frame)
        except Silent:
            self._forget(line, frame)

    def file_lets(self, lines: Iterable[Line]) -> None:
        """Define what the `let` lines before the networks say."""
        with suppress(_Stop):
            for line in lines:
                self.let(line, self.file_scope)

    def let(self, line: Line, scope: Scope) -> None:
        """Define what a `let` line says; a name whose value fails becomes unknown, so that its uses are silent."""
        statement = line.statement
        targets = (statement.name,) if isinstance(statement, tree.Function) else statement.targets
        for target in _target_names(targets):
            first = scope.places.setdefault(target.name, line.span(target))
            if first != line.span(target):
                labels = (Label(first, "first defined here"),)
                self.report("DefinedTwice", line.span(target), what="name", name=target.name, labels=labels)
        if isinstance(statement, tree.Function):
            names_ = tuple(p.name for p in statement.parameters)
            scope.values[statement.name.name] = Closure(statement.name.name, names_, statement.value, scope)
            return
        try:
            value = evaluate(statement.value, scope, self.budget)
            assign(statement.targets, value, scope, statement.value)
        except (EvaluationError, Silent) as error:
            for target in _target_names(statement.targets):
                scope.values[target.name] = UNKNOWN
            if isinstance(error, EvaluationError):
                self.report(error.problem, line.span(error.node or statement.value), **error.values)
                if error.problem == "TooManySteps":
                    raise _Stop from None

    def _branch(self, line: Line, frame: Frame, taken: bool | None, run: Any) -> bool | None:
        """Run one branch of an `if`; returns whether a branch was taken so far."""
        statement = line.statement
        again = isinstance(statement, tree.Else) or statement.again
        if again and taken is None:
            word = "`else`" if isinstance(statement, tree.Else) else "`elif`"
            self.report("NotHere", line.span(), what=word, why="there is no `if` right above it")
            self._forget(line, frame)
            return True
        if again and taken:
            return True
        if isinstance(statement, tree.If):
            try:
                self._refresh(frame)
                if not evaluate(statement.condition, frame.scope, self.budget):
                    return False
            except EvaluationError as error:
                self.report_evaluation(error, line, frame)
                self._forget(line, frame)
                return True
            except Silent:
                self._forget(line, frame)
                return True
        run(line.body, frame)
        return True

    def _loop(self, line: Line, frame: Frame, run: Any) -> None:
        """`repeat` and `for`: the body again and again, with the loop's names set."""
        statement = line.statement
        self._refresh(frame)
        if isinstance(statement, tree.Repeat):
            count = evaluate(statement.count, frame.scope, self.budget)
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise EvaluationError("NotACount", statement.count, value=written(count))
            values: Iterable[Any] = range(count)
            targets: tuple[Any, ...] = (statement.name,) if statement.name else ()
        else:
            values = iterate(statement.iterable, evaluate(statement.iterable, frame.scope, self.budget))
            targets = statement.targets
        outer = frame.scope
        try:
            for value in values:
                self._step(statement)
                frame.scope = Scope(outer)
                if targets:
                    assign(targets, value, frame.scope, statement)
                run(line.body, frame)
        finally:
            frame.scope = outer

    def _step(self, node: Any) -> None:
        """Pay for one more round, which takes about as long as ten steps of an expression."""
        self.budget.spend(10, node)

    # --- headers and their like ---------------------------------------------------------------------------------

    def _bind_parameters(self, frame: Frame) -> None:
        """Set the network's parameters: as asked for, else the instance's, else the defaults."""
        network = self.network
        if network.header is None:
            return
        given = {one.name: one for one in network.settings}
        known = [p.name for p in network.parameters]
        for name, one in given.items():
            if name not in known:
                self.report(
                    "UnknownParameter", network.header.span(one), owner=network.base, name=name,
                    known=", ".join(known) or "none", guess=closest(name, known),
                )  # fmt: skip
        for parameter in network.parameters:
            frame.scope.values[parameter.name] = self._parameter(parameter, given, frame)
            self.parameters[parameter.name] = frame.scope.values[parameter.name]

    def _parameter(self, parameter: tree.Parameter, given: dict[str, tree.Named], frame: Frame) -> Any:
        header = self.network.header
        assert header is not None
        if parameter.name in self.changes.parameters:
            return self.changes.parameters[parameter.name]
        node = given[parameter.name].value if parameter.name in given else parameter.default
        base = self.file.networks.get(self.network.base or "")
        if parameter.name not in given and base is not None and base.header is not None:
            header = base.header
        if node is None:
            self.report("ParameterWithoutValue", header.span(parameter), owner=self.network.name, name=parameter.name)
            return UNKNOWN
        try:
            return argument_value(node, frame.scope, self.budget)
        except EvaluationError as error:
            self.report_evaluation(error, header, frame, parameter)
        except Silent:
            pass
        return UNKNOWN

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
        try:
            sizes = self._input_sizes(line, frame, name)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame)
            sizes = None
        except Silent:
            sizes = None
        shapes = None if sizes is None else (Shape(sizes, tokens),)
        edge = Edge(len(self.nodes))
        self.inputs.append(edge.node)
        self._name_input(line, frame, name, edge, labels)
        self.nodes.append(Node(edge.node, name, INPUT, None, (), shapes, line.span(), named=bool(labels)))
        frame.here = edge
        if frame.input is None:
            frame.input = edge
        if labels:
            self._define_tensor(name, edge, line.span(labels[0]), frame)

    def _name_input(self, line: Line, frame: Frame, name: str, edge: Edge, labels: list[tree.Name]) -> None:
        if name in self.names.taken:
            first = self.nodes[self.names.taken[name][0]].span
            labels_ = (Label(first, "first defined here"),)
            self.report(
                "DefinedTwice", line.span(labels[0] if labels else None), what="input", name=name, labels=labels_
            )
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
        if isinstance(example, list):
            example = tuple(example)
        elif not isinstance(example, tuple):
            example = (example,)
        if len(example) == 1 and isinstance(example[0], tuple):
            example = example[0]
        valid = 1 <= len(example) <= 4 and all(isinstance(n, int) and n >= 1 for n in example)
        if not valid:
            shown = "a free size without a value" if example == (None,) else written(example)
            self.report("BadInputSize", line.span(shape), value=shown)
            return None
        for side, size in zip(sides, example, strict=False):
            if isinstance(side, tree.Name):
                frame.scope.values[side.name] = size
        self._check_where(line, frame)
        return tuple(example)

    def _check_where(self, line: Line, frame: Frame) -> None:
        for condition in line.statement.where:
            if not evaluate(condition, frame.scope, self.budget):
                span = line.span(condition)
                self.report("ExpectFails", span, wanted=f"`{span.text}`", actual="this size does not satisfy it")

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
        if statement.opens:
            before = frame.here
            self.run_lines(line.body, frame)
            edge, frame.here = frame.here, before
            if edge is not None:
                self._define_tensor(name, edge, line.span(statement.reference), frame)
        else:
            edge = self._tensor(name, line.span(statement.reference), frame)
        if edge is not None:
            self.outputs.append(Output(name, edge, training))

    def _expect(self, line: Line, frame: Frame) -> None:
        if frame.in_block:
            self.report("NotHere", line.span(), what="`expect`", why="only in a network, not in a block")
        elif self.checking:
            self.expectations.append(Expectation(line, line.statement.condition, frame.scope))
        elif self.changes.any:
            self.skipped += 1

    def _train(self, line: Line, frame: Frame) -> None:
        if frame.in_block:
            self.report("NotHere", line.span(), what="`train`", why="only in a network, not in a block")
            return
        self.train = line.span()
        self.settings.clear()
        for setting in line.body:
            statement = setting.statement
            if statement is None:
                continue
            if not isinstance(statement, tree.Chain) or statement.claim or statement.opens:
                self.report(
                    "NotHere", setting.span(), what="this line", why="a setting such as `epochs 10` is expected"
                )
                continue
            for item in statement.items:
                self._setting(item, setting, frame)

    def _setting(self, item: tree.Item, line: Line, frame: Frame) -> None:
        extra = item.alias or item.count
        if not isinstance(item.kind, tree.Name) or extra is not None:
            self.report(
                "NotHere", line.span(extra or item), what="this", why="a setting such as `epochs 10` is expected"
            )
            return
        try:
            given, places = given_arguments(item.arguments, line, frame.scope, self.budget, None)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame)
            return
        except Silent:
            return
        self.settings.append(
            Setting(item.kind.name, tuple(given), line.span(item), tuple(places), line.span(item.kind))
        )

    # --- layers -------------------------------------------------------------------------------------------------

    def _chain(self, line: Line, frame: Frame) -> None:
        statement = line.statement
        key = id(statement)
        found = self.steps.get(key)
        if found is None:
            found = self.steps[key] = self._look_at(statement)
        steps, bases = found
        last = len(steps) - 1
        for index, step in enumerate(steps):
            if step.layer is not None and frame.here is not None:
                alias = step.item.alias
                name = alias.name if alias is not None else None
                frame.here = self._apply(step.layer, step.item, line, (frame.here,), frame, bases[index], name)
                if alias is not None:
                    self._define_tensor(alias.name, frame.here, line.span(alias), frame)
            else:
                body = line.body if index == last and statement.opens else None
                self._item(step, line, frame, bases[index], body)
        if statement.claim is not None:
            self._claim(line, statement.claim, frame)

    def _look_at(self, statement: tree.Chain) -> tuple[tuple[_Step, ...], tuple[str, ...]]:
        """What can be said of a chain's items once for all times they run."""
        steps = []
        for index, item in enumerate(statement.items):
            name = item.kind.name if isinstance(item.kind, tree.Name) else ""
            opens = statement.opens and index == len(statement.items) - 1
            alone = item.count is None and (item.alias is None or not item.alias.steps)
            plain = name and alone and not opens and name not in self.file.blocks
            layer = self._static_layer(name, item) if plain and all(map(is_static, item.arguments)) else None
            steps.append(_Step(item, name, layer))
        kinds = tuple(step.name or "layer" for step in steps)
        return tuple(steps), base_names(statement.items, kinds)

    def _static_layer(self, name: str, item: tree.Item) -> Layer | None:
        """The layer of an item without expressions; None if it needs a closer look, mistakes included."""
        kind = find(name)
        if kind is None or kind.fewest_inputs != 1 or kind.most_inputs != 1:
            return None
        given, _ = given_arguments(item.arguments, _NO_LINE, NO_SCOPE, self.budget, None)
        try:
            layer = bind(kind, given)
        except LayerError:
            return None
        return None if layer.tensors() else layer

    def _item(self, step: _Step, line: Line, frame: Frame, base: str, body: list[Line] | None) -> None:
        """One item with all that it may have: a count, a name, arms."""
        item = step.item
        try:
            self._refresh(frame)
            count = self._count(item, frame)
            alias = reference_text(item.alias, frame.scope, self.budget) if item.alias is not None else None
            for i in range(count):
                self.budget.spend(1, item)
                given_name = alias if count == 1 or alias is None else f"{alias}[{i}]"
                self._once(step, line, frame, base, given_name, body)
            if alias is not None and frame.here is not None:
                self._define_tensor(alias, frame.here, line.span(item.alias), frame)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame, item)
            self._forget(line, frame, item)
        except Silent:
            self._forget(line, frame, item)

    def _count(self, item: tree.Item, frame: Frame) -> int:
        if item.count is None:
            return 1
        count = evaluate(item.count, frame.scope, self.budget)
        if isinstance(count, float) and count.is_integer():
            count = int(count)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise EvaluationError("NotACount", item.count, value=written(count))
        return count

    def _once(
        self, step: _Step, line: Line, frame: Frame, base: str, alias: str | None, body: list[Line] | None
    ) -> None:
        """One item, once. Raises EvaluationError or Silent."""
        item = step.item
        if isinstance(item.kind, (tree.From, tree.Reuse)) and item.arguments:
            self._refuse_arguments(item, line, frame)
        if isinstance(item.kind, tree.From):
            name = reference_text(item.kind.reference, frame.scope, self.budget)
            edge = self._tensor(name, line.span(item.kind.reference), frame)
            frame.here = edge if edge is not None else self._failed(line, frame, item, "from", base)
            return
        if isinstance(item.kind, tree.Reuse):
            self._reuse(item, line, frame, base, alias)
            return
        name = step.name or self._kind_name(item, frame)
        if not step.name:
            base = base.replace("layer", name, 1)
        if name in self.file.blocks:
            self._call_block(name, item, line, frame, alias or base, alias is not None)
            return
        kind = find(name)
        if kind is None:
            if name not in self.file.unknown:
                known = (*names(), *self.file.blocks)
                self.report("UnknownKind", line.span(item.kind), frame.calls, name=name, known=known)
            frame.here = self._failed(line, frame, item, name, base)
            return
        self._layer(kind, item, line, frame, base, alias, body)

    def _refuse_arguments(self, item: tree.Item, line: Line, frame: Frame) -> None:
        """`from x` and `reuse x` take nothing more. Raises Silent."""
        argument = item.arguments[0]
        span = line.span(argument)
        word = "from" if isinstance(item.kind, tree.From) else "reuse"
        if isinstance(argument, tree.Reference) and not argument.steps and self._is_kind(argument.name):
            error = LayerError("UnknownWord", 0)
            self._missing_comma(error, [Given("word", argument.name)], [span])
        else:
            self.report(
                "NotHere", span, frame.calls, what=f"`{span.text}`", why=f"`{word}` takes a name and nothing else"
            )
        raise Silent

    def _kind_name(self, item: tree.Item, frame: Frame) -> str:
        value = evaluate(item.kind, frame.scope, self.budget)
        if not isinstance(value, str):
            raise EvaluationError("NotAName", item.kind, what="a layer's kind", value=written(value))
        return value

    def _layer(
        self, kind: type[Layer], item: tree.Item, line: Line, frame: Frame, base: str, alias: str | None,
        body: list[Line] | None,
    ) -> None:  # fmt: skip
        """A layer of a built-in kind: bind its arguments, find its inputs, add it."""
        merge = kind.most_inputs is None
        if body is not None and not merge:
            self.report("NotAMerge", line.span(item), name=kind.kind)
        given, places = given_arguments(item.arguments, line, frame.scope, self.budget, frame.rest)
        try:
            layer = bind(kind, given)
        except LayerError as error:
            if not self._missing_comma(error, given, places):
                self._layer_error(error, line, item, frame, places)
            frame.here = self._failed(line, frame, item, kind.kind, base, alias)
            return
        inputs = self._inputs(layer, item, line, frame, body if merge else None, given, places)
        if inputs is None:
            frame.here = self._failed(line, frame, item, kind.kind, base, alias)
            return
        if merge and len(inputs) == 1 and body is not None:
            # Conditional arms may leave one: then the merge is that arm.
            frame.here = inputs[0]
            return
        frame.here = self._apply(layer, item, line, inputs, frame, base, alias)

    def _missing_comma(self, error: LayerError, given: list[Given], places: list[Span]) -> bool:
        """Whether the word that a layer doesn't know is the next layer on the line; then that is reported."""
        at = error.argument
        if error.problem != "UnknownWord" or not isinstance(at, int) or not self._is_kind(given[at].value):
            return False
        place = places[at]
        edit = Edit(Span(place.source, place.start, place.start), ", ")
        before = place.source.text[: place.start].rstrip(" ")
        if len(before) < place.start:
            edit = Edit(Span(place.source, len(before), len(before)), ",")
        fix = Fix("write a comma", (edit,), "likely")
        self.report("MissingComma", place, word=str(given[at].value), fixes=(fix,))
        return True

    def _is_kind(self, name: str) -> bool:
        return name in self.file.blocks or find(name) is not None

    def _has_output(self, edge: Edge, output: int, name: str, span: Span, frame: Frame) -> bool:
        """Whether a node has the extra output that a layer asks for; if not, that is reported."""
        node = self.nodes[edge.node]
        if node.layer is None and node.kind != INPUT:
            return False
        if output > (len(node.layer.extra_outputs) if node.layer is not None else 0):
            self.report("NoIndices", span, frame.calls, name=str(name), kind=node.kind)
            return False
        return True

    def _inputs(
        self,
        layer: Layer,
        item: tree.Item,
        line: Line,
        frame: Frame,
        body: list[Line] | None,
        given: list[Given],
        places: list[Span],
    ) -> tuple[Edge, ...] | None:
        """The tensors a layer takes: the current one or a merge's arms, then those its arguments name."""
        if body is not None:
            arms = self._arms(body, frame)
            if not arms:
                self.report("EmptyMerge", line.span(item), frame.calls)
                return None
            inputs = arms
        else:
            if frame.here is None:
                self.report("NoInput", line.span(item), name=layer.kind)
                frame.here = self._placeholder(line, item)
            inputs = [frame.here]
        for name, output in layer.tensors():
            span = next((place for one, place in zip(given, places, strict=True) if one.value is name), line.span(item))
            edge = self._tensor(name, span, frame)
            if edge is None or not self._has_output(edge, output, name, span, frame):
                return None
            inputs.append(Edge(edge.node, output) if output else edge)
        most = layer.most_inputs
        if len(inputs) < layer.fewest_inputs and body is None:
            wanted = f"at least {layer.fewest_inputs} tensors" if most is None else f"{layer.fewest_inputs} tensors"
            self.report(
                "WrongNumberOfInputs", line.span(item), frame.calls, name=layer.kind, wanted=wanted, given=len(inputs)
            )
            return None
        return tuple(inputs)

    def _arms(self, body: list[Line], frame: Frame) -> list[Edge]:
        """Run each arm from the current tensor; their ends. `if` and `for` among them choose arms."""
        start = frame.here
        ends: list[Edge] = []

        def run(lines: Iterable[Line], inner: Frame) -> None:
            taken: bool | None = None
            for line in lines:
                statement = line.statement
                frame.here = start
                if isinstance(statement, tree.Arm):
                    self.run_lines(line.body, inner)
                    if inner.here is not None:
                        ends.append(inner.here)
                elif isinstance(statement, (tree.If, tree.Else)):
                    taken = self._branch(line, inner, taken, run)
                    continue
                elif isinstance(statement, (tree.Repeat, tree.For)):
                    try:
                        self._loop(line, inner, run)
                    except EvaluationError as error:
                        self.report_evaluation(error, line, inner)
                elif isinstance(statement, (tree.Let, tree.Function)):
                    self.let(line, inner.scope)
                elif statement is not None:
                    self.report("ArmExpected", line.span(), frame.calls)
                taken = None

        run(body, frame)
        frame.here = start
        return ends

    def _apply(
        self, layer: Layer, item: tree.Item, line: Line, inputs: tuple[Edge, ...], frame: Frame, base: str,
        alias: str | None = None, shares: int | None = None,
    ) -> Edge:  # fmt: skip
        """Add a layer's node, with the shapes that it infers."""
        shapes: list[Shape] = []
        nodes = self.nodes
        for edge in inputs:
            known = nodes[edge.node].shapes
            if known is None:
                return self._add(layer.kind, layer, inputs, None, line, item, frame, base, alias, shares)
            shapes.append(known[edge.output])
        key = (layer, *shapes)
        inferred = self.inferred.get(key)
        if inferred is None:
            inferred = self.inferred[key] = _infer(layer, shapes)
        if isinstance(inferred, LayerError):
            self._layer_error(inferred, line, item, frame, None)
            return self._add(layer.kind, layer, inputs, None, line, item, frame, base, alias, shares)
        return self._add(layer.kind, layer, inputs, inferred.outputs, line, item, frame, base, alias, shares)

    def _add(
        self, kind: str, layer: Layer | None, inputs: tuple[Edge, ...], shapes: tuple[Shape, ...] | None, line: Line,
        item: tree.Item, frame: Frame, base: str, alias: str | None = None, shares: int | None = None,
    ) -> Edge:  # fmt: skip
        """Add a node; its output 0."""
        index = len(self.nodes)
        span = Span(line.source, line.start + item.start, line.start + item.end)
        if index >= MOST_NODES:
            self.report("TooManyNodes", span, limit=MOST_NODES)
            raise _Stop
        if alias is None:
            name = self.names.derive(frame.prefix + base, index)
        else:
            name = frame.prefix + alias
            displaced = self.names.give(name, index)
            if displaced is not None:
                self.nodes[displaced] = self.nodes[displaced]._replace(name=self.names.derive(name, displaced))
        self.nodes.append(Node(index, name, kind, layer, inputs, shapes, span, frame.calls, shares, alias is not None))
        return Edge(index, 0)

    def _failed(
        self, line: Line, frame: Frame, item: tree.Item, kind: str, base: str, alias: str | None = None
    ) -> Edge:
        """A node for a layer that can't be: without a shape, so that what follows is silent."""
        inputs = (frame.here,) if frame.here is not None else ()
        return self._add(kind, None, inputs, None, line, item, frame, base, alias)

    def _placeholder(self, line: Line, item: tree.Item) -> Edge:
        """An input of unknown shape, where the network has none."""
        index = len(self.nodes)
        name = self.names.derive("unknown", index)
        self.nodes.append(Node(index, name, INPUT, None, (), None, line.span(item)))
        return Edge(index, 0)

    def _forget(self, line: Line, frame: Frame, item: tree.Item | None = None) -> None:
        """Go on after a line or item that was not carried out: the current tensor and the names are unknown."""
        self.troubled = True
        whole = item or tree.Item(0, line.end - line.start, tree.Name(0, 0, ""), (), None, None)
        if item is None and first_word(line) in KEEPERS:
            pass
        elif frame.here is None:
            frame.here = self._placeholder(line, whole)
        elif self.nodes[frame.here.node].shapes is not None:
            frame.here = self._add("unknown", None, (frame.here,), None, line, whole, frame, "unknown")
        own = {item.alias.name} if item is not None and item.alias is not None else set()
        for name in names_of(line) if item is None else own:
            frame.lost.add(name)
            frame.scope.values.setdefault(name, UNKNOWN)

    def _layer_error(
        self, error: LayerError, line: Line, item: tree.Item, frame: Frame, places: list[Span] | None,
    ) -> None:  # fmt: skip
        """Report a layer's refusal at the argument it blames."""
        span = line.span(item)
        argument = error.argument
        if argument is not None:
            given, found = given_arguments(item.arguments, line, frame.scope, self.budget, frame.rest)
            places = found if places is None else places
            if isinstance(argument, str):
                kind = find(item.kind.name) if isinstance(item.kind, tree.Name) else None
                index = places_of(kind, given).get(argument) if kind is not None else None
            else:
                index = argument
            if index is not None and index < len(places):
                span = places[index]
        self.report(error.problem, span, frame.calls, **error.values)

    def _reuse(self, item: tree.Item, line: Line, frame: Frame, base: str, alias: str | None) -> None:
        """The same layer again, with the same weights."""
        name = reference_text(item.kind.reference, frame.scope, self.budget)
        edge = self._tensor(name, line.span(item.kind.reference), frame)
        node = self.nodes[edge.node] if edge is not None else None
        if node is None or node.layer is None or frame.here is None:
            frame.here = self._failed(line, frame, item, "reuse", base, alias)
            return
        shares = node.index if node.shares is None else node.shares
        frame.here = self._apply(node.layer, item, line, (frame.here,), frame, f"{node.name}_again", alias, shares)

    # --- blocks -------------------------------------------------------------------------------------------------

    def _call_block(self, name: str, item: tree.Item, line: Line, frame: Frame, called: str, named: bool) -> None:
        """Run a block's body on the current tensor, in a frame of its own."""
        block = self.file.blocks[name]
        span = line.span(item)
        self._step(item)
        given, places = given_arguments(item.arguments, line, frame.scope, self.budget, frame.rest)
        for one in given:
            if isinstance(one.value, LocalName):
                one.value.frame = frame
        bound = bind_block(block, given, places, span, self.budget, self.file_scope)
        if isinstance(bound, Diagnostic):
            inside = block.start <= bound.span.start < block.end
            self.report(
                type(bound).__name__, bound.span, (*frame.calls, span) if inside else frame.calls, **bound.values
            )
            frame.here = self._failed(line, frame, item, name, called)
            return
        values, rest = bound
        if frame.here is None:
            self.report("NoInput", span, name=name)
            frame.here = self._placeholder(line, item)
        prefix = frame.prefix + called if named else self.names.derive(frame.prefix + called, -1)
        inner = Frame(Scope(self.file_scope, values), frame.here, prefix + ".", (*frame.calls, span), rest)
        self.run_lines(block.body, inner)
        frame.here = inner.here

    # --- tensors and claims -------------------------------------------------------------------------------------

    def _define_tensor(self, name: str, edge: Edge, span: Span, frame: Frame) -> None:
        if name in frame.tensors:
            first = frame.tensors[name][1]
            if first != span:
                self.report("DefinedTwice", span, what="layer", name=name, labels=(Label(first, "first defined here"),))
                return
        frame.tensors[name] = (edge, span)
        view = self._view(name, edge)
        base, bracket, index = name.partition("[")
        if bracket and index.endswith("]") and index[:-1].isdigit():
            indexed = frame.scope.values.setdefault(base, {})
            if isinstance(indexed, dict):
                indexed[int(index[:-1])] = view
        else:
            frame.scope.values[name] = view

    def _tensor(self, name: str, span: Span, frame: Frame) -> Edge | None:
        """The tensor of a name, or None with a diagnostic."""
        if name == "input" and frame.input is not None:
            return frame.input
        home = getattr(name, "frame", frame)
        found = home.tensors.get(str(name))
        if found is None and re.split(r"[.\[]", name, maxsplit=1)[0] in home.lost:
            return None
        if found is None:
            self.report("UndefinedTensor", span, frame.calls, name=str(name), guess=closest(str(name), home.tensors))
            return None
        edge: Edge = found[0]
        return edge

    def _view(self, name: str, edge: Edge) -> Tensor:
        shapes = self.nodes[edge.node].shapes
        return Tensor(name, edge, shapes[edge.output] if shapes is not None else None)

    def _refresh(self, frame: Frame) -> None:
        """Let expressions see the current tensor as `here`, and the block's own as `input`."""
        if frame.here is not None:
            frame.scope.values["here"] = self._view("here", frame.here)
        if frame.input is not None and "input" not in frame.scope.values:
            frame.scope.values["input"] = self._view("input", frame.input)

    def _claim(self, line: Line, claim: tree.Claim, frame: Frame) -> None:
        """Compare a claim with the current tensor's shape."""
        if not self.checking and self.changes.any:
            self.skipped += 1
        shape = self.nodes[frame.here.node].shapes if frame.here is not None else None
        if not self.checking or shape is None or frame.here is None:
            return
        try:
            wanted = self._claimed(claim, frame)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame, claim)
            return
        except Silent:
            return
        actual = shape[frame.here.output].sizes
        same_length = len(wanted) == len(actual)
        if same_length and all(w is None or w == a for w, a in zip(wanted, actual, strict=True)):
            return
        text = "x".join(map(str, actual))
        span = line.span(claim.shape)
        fix = Fix(f"claim {text}", (Edit(span, text),), "possible")
        self.report("ClaimFails", span, frame.calls, claimed=span.text, actual=text, fixes=(fix,))

    def _claimed(self, claim: tree.Claim, frame: Frame) -> tuple[int | None, ...]:
        sides = claim.shape.sides if isinstance(claim.shape, tree.Sides) else (claim.shape,)
        wanted: list[int | None] = []
        for side in sides:
            if isinstance(side, tree.Name):
                if len(side.name) != 1 or not (side.name.isupper() or side.name == "_"):
                    raise EvaluationError("ClaimShape", side)
                wanted.append(None)
                continue
            value = evaluate(side, frame.scope, self.budget)
            parts = value if isinstance(value, (tuple, list)) else (value,)
            if not all(isinstance(p, (int, float)) for p in parts):
                raise EvaluationError("ClaimShape", side)
            wanted += parts
        return tuple(wanted)


def _infer(layer: Layer, shapes: list[Shape]) -> Inferred | LayerError:
    """What a layer's shape rule says to integers: its outputs, or the first thing that is wrong."""
    try:
        inferred = layer.infer(*shapes)
    except LayerError as error:
        return error
    for condition in inferred.conditions:
        if not condition.holds():
            return condition.error()
    for output in inferred.outputs:
        if any(size > MOST_CELLS for size in output.sizes):
            return LayerError("TensorTooLarge", None, shape=str(output), limit=MOST_CELLS)
    return inferred


def bind_block(
    block: Line, given: list[Given], places: list[Span], call: Span, budget: Budget, file_scope: Scope
) -> tuple[dict[str, Any], tuple[list[Given], list[Span]] | None] | Diagnostic:
    """A block's parameters set from a call, and what is left for `...`; or what is wrong with the call.

    Positional values fill the parameters in order; in a block that passes `...` on, only those without a default.
    """
    statement = block.statement
    parameters = [p for p in statement.parameters if not p.rest]
    passes_on = any(p.rest for p in statement.parameters) or _uses_rest(block)
    open_ = [p for p in parameters if not passes_on or p.default is None]
    by_name = {p.name: p for p in parameters}
    values: dict[str, Any] = {}
    rest: tuple[list[Given], list[Span]] = ([], [])
    for one, place in zip(given, places, strict=True):
        flag = by_name.get(one.value) if one.form == "word" else None
        if one.form == "named" and one.name in by_name:
            values[one.name] = one.value
        elif one.form == "slash" and "stride" in by_name:
            values["stride"] = one.value
        elif flag is not None and isinstance(flag.default, tree.Truth) and not flag.default.value:
            values[flag.name] = True
        elif one.form in ("value", "word") and (free := next((p for p in open_ if p.name not in values), None)):
            values[free.name] = one.value
        elif passes_on:
            rest[0].append(one)
            rest[1].append(place)
        else:
            return _block_problem(statement, place, f"`{statement.name.name}` has no place for {written(one.value)}")
    for parameter in parameters:
        if parameter.name not in values:
            if parameter.default is None:
                message = f"`{statement.name.name}` needs a value for `{parameter.name}`"
                return _block_problem(statement, call, message)
            try:
                values[parameter.name] = argument_value(parameter.default, Scope(file_scope, values), budget)
            except EvaluationError as error:
                return problem(error.problem, block.span(error.node or parameter), **error.values)
    return values, rest if passes_on else None


def _block_problem(statement: tree.Block, span: Span, message: str) -> Diagnostic:
    parameters = ", ".join(p.name for p in statement.parameters)
    return problem("BlockArguments", span, message=message, owner=statement.name.name, parameters=parameters)


def _uses_rest(block: Line) -> bool:
    stack = list(block.body)
    while stack:
        line = stack.pop()
        stack.extend(line.body)
        items = line.statement.items if isinstance(line.statement, tree.Chain) else ()
        if any(isinstance(argument, tree.Rest) for item in items for argument in item.arguments):
            return True
    return False


def _target_names(targets: tuple[Any, ...]) -> list[tree.Name]:
    found = []
    for target in targets:
        found += [target] if isinstance(target, tree.Name) else _target_names(target)
    return found


class _NoLine:
    """Stands for the line of arguments whose places nobody asks for."""

    def span(self, node: Any = None) -> Any:
        return None


_NO_LINE: Any = _NoLine()
