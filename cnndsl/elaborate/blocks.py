"""Calls of blocks: parameters set from arguments."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, closest, problem
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope
from cnndsl.elaborate.file import Block
from cnndsl.elaborate.values import argument_value
from cnndsl.layers.bind import Given, written
from cnndsl.source import Span
from cnndsl.syntax import tree


def bind_block(
    block: Block, given: list[Given], places: list[Span], call: Span, budget: Budget
) -> tuple[dict[str, Any], tuple[list[Given], list[Span]] | None] | Diagnostic:
    """A block's parameters set from a call, and what is left for `...`; or what is wrong with the call.

    Positional values fill the parameters in order; in a block that passes `...` on, only those without a default.
    """
    line = block.line
    statement = line.statement
    parameters = [p for p in statement.parameters if not p.rest]
    passes_on = block.passes_on
    open_ = [p for p in parameters if not passes_on or p.default is None]
    by_name = {p.name: p for p in parameters}
    for index, parameter in enumerate(parameters):
        if parameter.name in [p.name for p in parameters[:index]]:
            return problem("DefinedTwice", line.span(parameter), what="parameter", name=parameter.name)
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
            return _misplaced(statement, one, place, list(by_name))
    for parameter in parameters:
        if parameter.name not in values:
            if parameter.default is None:
                message = f"`{statement.name.name}` needs a value for `{parameter.name}`"
                return _block_problem(statement, call, message)
            try:
                values[parameter.name] = argument_value(parameter.default, Scope(block.file.scope, values), budget)
            except EvaluationError as error:
                return problem(error.problem, line.span(error.node or parameter), **error.values)
    return values, rest if passes_on else None


def _misplaced(statement: tree.Block, given: Given, place: Span, known: list[str]) -> Diagnostic:
    """What is wrong with an argument that a block has no parameter for."""
    owner = statement.name.name
    if given.form == "named":
        return problem(
            "UnknownParameter",
            place,
            owner=f"`{owner}`",
            name=given.name,
            known=", ".join(known) or "none",
            guess=closest(given.name, known),
        )
    if given.form == "slash":
        return _block_problem(
            statement, place, f"`/{written(given.value)}` sets `stride`, which `{owner}` does not have"
        )
    return _block_problem(statement, place, f"`{owner}` has no place for `{written(given.value)}`")


def _block_problem(statement: tree.Block, span: Span, message: str) -> Diagnostic:
    parameters = ", ".join(p.name for p in statement.parameters)
    return problem("BlockArguments", span, message=message, owner=statement.name.name, parameters=parameters)
