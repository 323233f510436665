"""Calls of blocks: parameters set from arguments."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, closest, problem
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope
from cnndsl.elaborate.file import Block
from cnndsl.elaborate.values import argument_value
from cnndsl.layers.bind import Given, written
from cnndsl.layers.index import KINDS
from cnndsl.source import Span
from cnndsl.syntax import tree


def bind_block(
    block: Block, given: list[Given], places: list[Span], call: Span, budget: Budget
) -> tuple[dict[str, Any], tuple[list[Given], list[Span]] | None, int] | Diagnostic:
    """A block's parameters set from a call, what is left for `...`, and how many of the parameters the call sets, which
    come first; or what is wrong with the call.

    Positional values fill the parameters in order; in a block that passes `...` on, only those without a default.
    """
    line = block.line
    statement = line.statement
    parameters = [p for p in statement.parameters if not p.rest]
    passes_on = block.passes_on
    named = {one.name for one in given if one.form == "named"}
    open_ = [p for p in parameters if not passes_on or (p.default is None and p.name not in named)]
    by_name = {p.name: p for p in parameters}
    values: dict[str, Any] = {}
    rest: tuple[list[Given], list[Span]] = ([], [])
    for one, place in zip(given, places, strict=True):
        parameter = _meant(one, by_name, [p for p in open_ if p.name not in values])
        if parameter is not None and parameter.name in values:
            return _block_problem(statement, place, f"`{parameter.name}` is given twice")
        if parameter is not None:
            flag = one.form == "word" and one.value == parameter.name and _is_flag(parameter)
            values[parameter.name] = True if flag else one.value
        elif passes_on:
            rest[0].append(one)
            rest[1].append(place)
        else:
            return _misplaced(statement, one, place, list(by_name))
    written_out = len(values)
    for parameter in parameters:
        if parameter.name not in values:
            if parameter.default is None:
                message = f"`{statement.name.name}` needs a value for `{parameter.name}`"
                return _block_problem(statement, call, message)
            try:
                values[parameter.name] = argument_value(parameter.default, Scope(block.file.scope, values), budget)
            except EvaluationError as error:
                return problem(error.problem, line.span(error.node or parameter), **error.values)
    return values, rest if passes_on else None, written_out


def _meant(given: Given, by_name: dict[str, tree.Parameter], free: list[tree.Parameter]) -> tree.Parameter | None:
    """The parameter that an argument sets; None if there is none. `free` are those that a value alone may set.

    A bare word is the flag of that name, or a name; it never fills a parameter whose default is a number or a truth
    value, so that a misspelt flag is not taken for one.
    """
    if given.form == "named":
        return by_name.get(given.name)
    if given.form == "slash":
        return by_name.get("stride")
    if given.form == "word":
        flag = by_name.get(given.value)
        if flag is not None and _is_flag(flag):
            return flag
        flags = [name for name, p in by_name.items() if _is_flag(p)]
        if given.value not in KINDS and closest(given.value, flags, cutoff=0.75):
            return None
        free = [p for p in free if not isinstance(p.default, (tree.Number, tree.Truth))]
    return free[0] if free else None


def _is_flag(parameter: tree.Parameter) -> bool:
    return isinstance(parameter.default, tree.Truth) and not parameter.default.value


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
    near = closest(given.value, known) if given.form == "word" else None
    fixes = (Fix(f"write `{near}`", (Edit(place, near),), "likely"),) if near else ()
    return _block_problem(statement, place, f"`{owner}` has no place for `{written(given.value)}`", fixes)


def _block_problem(statement: tree.Block, span: Span, message: str, fixes: tuple[Fix, ...] = ()) -> Diagnostic:
    parameters = ", ".join(p.name for p in statement.parameters)
    owner = statement.name.name
    return problem("BlockArguments", span, fixes=fixes, message=message, owner=owner, parameters=parameters)
