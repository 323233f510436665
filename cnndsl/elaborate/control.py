"""What decides which lines run, and with which names: `let`, `if`, `repeat` and `for`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from cnndsl.diagnostics import Label
from cnndsl.elaborate.arithmetic import EvaluationError
from cnndsl.elaborate.builder import Builder, Stop
from cnndsl.elaborate.evaluate import UNKNOWN, Closure, Scope, Silent, assign, evaluate, iterate, truth
from cnndsl.elaborate.file import target_names
from cnndsl.elaborate.frame import Frame
from cnndsl.elaborate.values import Tensor
from cnndsl.graph import Choice
from cnndsl.layers.bind import written
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

Run: TypeAlias = Callable[[Iterable[Line], Frame], None]
"""What runs the lines of a body: those of a chain, or those of a merge, which are its arms."""


class Control(Builder):
    """Names, conditions and loops."""

    def run_lines(self, lines: Iterable[Line], frame: Frame) -> None:
        """Run lines one after the other: what all statements mean is the Expander's to know."""
        raise NotImplementedError

    def let(self, line: Line, scope: Scope, calls: tuple[Span, ...] = ()) -> None:
        """Define what a `let` line says; a name whose value fails becomes unknown, so that its uses are silent."""
        statement = line.statement
        targets = (statement.name,) if isinstance(statement, tree.Function) else statement.targets
        for target in target_names(targets):
            if target.name in ("here", "input"):
                self.report("ReservedWord", line.span(target), calls, word=target.name)
                continue
            before = scope.values.get(target.name)
            if isinstance(before, Tensor) and target.name not in scope.places:
                self.report("DefinedTwice", line.span(target), calls, what="name", name=target.name)
            first = scope.places.setdefault(target.name, line.span(target))
            if first != line.span(target):
                labels = (Label(first, "first defined here"),)
                self.report("DefinedTwice", line.span(target), calls, what="name", name=target.name, labels=labels)
        if isinstance(statement, tree.Function):
            names_ = tuple(p.name for p in statement.parameters)
            for index, parameter in enumerate(statement.parameters):
                if parameter.name in names_[:index]:
                    self.report("DefinedTwice", line.span(parameter), calls, what="parameter", name=parameter.name)
            scope.values[statement.name.name] = Closure(statement.name.name, names_, statement.value, scope, line)
            return
        try:
            value = evaluate(statement.value, scope, self.budget)
            assign(statement.targets, value, scope, statement.value)
        except (EvaluationError, Silent) as error:
            for target in target_names(statement.targets):
                scope.values[target.name] = UNKNOWN
            if isinstance(error, EvaluationError):
                values = error.values
                if error.problem == "UndefinedName" and values["name"] in [
                    t.name for t in target_names(statement.targets)
                ]:
                    values = {**values, "notes": (f"`{values['name']}` has one from the next line on",)}
                self.report(error.problem, line.span(error.node or statement.value), calls, **values)
                if error.problem == "TooManySteps":
                    raise Stop from None

    def run_branch(self, line: Line, frame: Frame, taken: bool | None, run: Run) -> bool | None:
        """Run one branch of an `if`; returns whether a branch was taken so far, None after the `else`."""
        statement = line.statement
        again = isinstance(statement, tree.Else) or statement.again
        after = None if isinstance(statement, tree.Else) else True
        if again and taken is None:
            word = "`else`" if isinstance(statement, tree.Else) else "`elif`"
            self.report("NotHere", line.span(), frame.calls, what=word, why="there is no `if` right above it")
            self.forget(line, frame)
            return after
        if again and taken:
            return after
        if isinstance(statement, tree.If):
            try:
                self.show_tensors(frame)
                if not truth(evaluate(statement.condition, frame.scope, self.budget), statement.condition):
                    here = len(self.nodes)
                    frame.choices.append(Choice(line.span(statement.condition), False, here, here))
                    return False
            except EvaluationError as error:
                self.report_evaluation(error, line, frame)
                self.forget(line, frame)
                return True
            except Silent:
                self.forget(line, frame)
                return True
        first = len(self.nodes)
        run(line.body, frame)
        condition = line.span(statement.condition) if isinstance(statement, tree.If) else None
        frame.choices.append(Choice(condition, True, first, len(self.nodes)))
        return after

    def run_loop(self, line: Line, frame: Frame, run: Run) -> None:
        """`repeat` and `for`: the body again and again, with the loop's names set."""
        statement = line.statement
        self.show_tensors(frame)
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
                self.pay(statement)
                frame.scope = Scope(outer)
                if targets:
                    assign(targets, value, frame.scope, getattr(statement, "iterable", statement))
                run(line.body, frame)
        finally:
            frame.scope = outer
