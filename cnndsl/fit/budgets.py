"""Whether a network keeps budgets, which are written as `expect` lines are: `params < 1M and features.rf >= 200`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnndsl.diagnostics import Diagnostic, problem
from cnndsl.elaborate import Elaborated, elaborate
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.files import Library
from cnndsl.fit import Axis, Judged, Try
from cnndsl.fit.values import setting_text
from cnndsl.graph import Graph
from cnndsl.measure import Analysis
from cnndsl.measure.analyse import analyse
from cnndsl.measure.expect import COMPARING, MEASURES, conditions, names_for, nearest, words_of
from cnndsl.pipeline import ADAM_STATES, Options, elaborate_options, recipe_of
from cnndsl.shape import Shape
from cnndsl.source import Source
from cnndsl.syntax import parse, tree
from cnndsl.syntax.tree import Document, Line

SOURCE = "budget"
"""What budgets are called where something is wrong with them."""


def read_budgets(texts: Iterable[str]) -> tuple[list[Line], list[Diagnostic]]:
    """Every budget as a line, and what is wrong with them."""
    lines: list[Line] = []
    diagnostics: list[Diagnostic] = []
    for text in texts:
        document, found = parse(Source(SOURCE, f"expect {' '.join(text.split())}\n"))
        diagnostics += found
        for line in document.lines:
            if isinstance(line.statement, tree.Expect):
                lines.append(line)
                diagnostics += [
                    problem("NothingExpected", line.span(one), text=line.span(one).text)
                    for one in conditions(line.statement.condition)
                    if not isinstance(one, COMPARING)
                ]
    return lines, diagnostics


class Judge:
    """Tries settings of one network: expands it, counts, and asks the budgets."""

    def __init__(self, document: Document, library: Library, options: Options, budgets: list[Line]) -> None:
        self.document = document
        self.library = library
        self.options = options
        self.budgets = budgets
        self.words = words_of(line.text for line in budgets)

    def networks(self, options: Options) -> tuple[list[Elaborated], list[Diagnostic]]:
        """The networks under these options, and what is wrong with them but for what they claim."""
        networks, found = elaborate(self.document, elaborate_options(options), self.library)
        return networks, [d for d in found if d.severity == "error" and type(d).__name__ != "ClaimFails"]

    def judge(self, axes: tuple[Axis, ...], at: tuple[int, ...], shapes: dict[str, Shape]) -> Try:
        """The network with the given value of every axis. `shapes`: of the inputs, by their names."""
        settings = tuple((axis.name, axis.values[i]) for axis, i in zip(axes, at, strict=True))
        networks, errors = self.networks(self._options(axes, settings, shapes))
        if errors or not networks or not networks[0].graph.complete or not networks[0].graph.outputs:
            limited = any(error.code.startswith("E7") for error in errors)
            return Try(at, settings, (), _reason(errors), limited)
        try:
            return Try(at, settings, tuple(self.conditions(networks[0])))
        except EvaluationError as error:
            return Try(at, settings, (), self.said(error, networks[0].graph).message_text())

    def unnamed(self, one: Elaborated) -> list[Diagnostic]:
        """What the budgets say that means nothing, asked of the network as the spec has it."""
        try:
            self.conditions(one)
        except EvaluationError as error:
            return [self.said(error, one.graph)]
        return []

    def _options(
        self, axes: tuple[Axis, ...], settings: tuple[tuple[str, Any], ...], shapes: dict[str, Shape]
    ) -> Options:
        sets = dict(self.options.sets)
        sizes = []
        for axis, (name, value) in zip(axes, settings, strict=True):
            if axis.input:
                shape = shapes[name]
                sides = [value] * len(shape.spatial) + ([] if shape.tokens else [shape.channels])
                sizes.append(f"{name}={'x'.join(map(str, sides))}" if len(shapes) > 1 else "x".join(map(str, sides)))
            else:
                sets[name] = setting_text(value)
        text = ",".join([*sizes, *self._other_inputs(axes)]) or None
        return self.options._replace(sets=tuple(sets.items()), input=text)

    def _other_inputs(self, axes: tuple[Axis, ...]) -> list[str]:
        """What `--input` says of inputs that don't vary."""
        varying = {axis.name for axis in axes if axis.input}
        parts = self.options.input.split(",") if self.options.input else []
        return [
            part for part in parts if not varying or ("=" in part and part.partition("=")[0].strip() not in varying)
        ]

    def conditions(self, one: Elaborated) -> list[Judged]:
        """Every condition of the budgets. Raises EvaluationError where one has no value."""
        recipe, _ = recipe_of(one)
        analysis = analyse(one.graph, 1, recipe.optimizer.states if recipe else ADAM_STATES)
        scope = self._scope(one.graph, analysis)
        parts = ((line, part) for line in self.budgets for part in conditions(line.statement.condition))
        return [_judged(line, part, scope) for line, part in parts]

    def _scope(self, graph: Graph, analysis: Analysis) -> Scope:
        """What budgets can name: parameters, and before them what is measured."""
        names = names_for(graph, analysis, self.words)
        own = {n: v for n, v in graph.parameters.items() if n not in MEASURES}
        return Scope(None, {**own, **{n: v for n, v in names.items() if n not in own}})

    def said(self, error: EvaluationError, graph: Graph) -> Diagnostic:
        """What is wrong with a budget."""
        values = error.values
        if error.problem == "UndefinedName":
            values = {**values, "guess": nearest(values["name"], values["known"], graph)}
        line = self.budgets[0]
        node = error.node
        for one in self.budgets:
            if node is not None and any(part is node for part in _nodes(one.statement.condition)):
                line = one
        return problem(error.problem, line.span(node), **values)


def _nodes(node: Any) -> Iterable[Any]:
    """A node of an expression and everything in it."""
    yield node
    for part in node if isinstance(node, tuple) else ():
        if isinstance(part, tuple):
            yield from _nodes(part)


def _reason(errors: list[Diagnostic]) -> str:
    return errors[0].message_text() if errors else "there is no such network"


def _judged(line: Line, condition: Any, scope: Scope) -> Judged:
    text = line.span(condition).text
    try:
        holds = bool(evaluate(condition, scope, Budget()))
        if not isinstance(condition, tree.Compare):
            return Judged(text, holds, (), None)
        sides = [one for one in condition.operands if not isinstance(one, tree.Number)]
        values = [evaluate(one, scope, Budget()) for one in condition.operands]
        figures = tuple((line.span(one).text, evaluate(one, scope, Budget())) for one in sides)
    except Silent:
        return Judged(text, False, (), None)
    plain = len(values) == 2 and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return Judged(text, holds, figures, values[0] - values[1] if plain and not holds else None)
