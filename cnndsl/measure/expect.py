"""Checking `expect` lines against the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, closest, problem
from cnndsl.elaborate import Elaborated, Expectation
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.elaborate.functions import BUILTINS
from cnndsl.graph import Graph
from cnndsl.layers.bind import written
from cnndsl.measure import Analysis
from cnndsl.measure.parts import parts_of
from cnndsl.syntax import tree


def check_expectations(elaborated: Elaborated, analysis: Analysis) -> list[Diagnostic]:
    """What the network's `expect` lines say that is not so. Silent while the network has errors of its own."""
    if analysis.totals is None or not elaborated.expectations:
        return []
    words = words_of(one.line.text for one in elaborated.expectations)
    names = names_for(elaborated.graph, analysis, words)
    found: list[Diagnostic] = []
    for expectation in elaborated.expectations:
        found += _check(expectation, names, elaborated.graph)
    return found


MEASURES = {
    "params": "the number of parameters",
    "macs": "the multiply-accumulates",
    "flops": "the operations",
    "connections": "the number of connections",
    "rf": "the receptive field",
    "stride": "the stride",
    "depth": "the number of layers with weights on the longest path",
    "memory": "the memory for training",
}
"""The network's own numbers, and what they are."""
_KEYWORDS = frozenset({"expect", "and"})
_word = re.compile(r"[A-Za-z]\w*")
COMPARING = (tree.Compare, tree.Binary, tree.Unary, tree.Conditional, tree.Call)
"""Expressions that can be a condition; a number or a name is none."""


def words_of(texts: Iterable[str]) -> set[str]:
    """Every word that `expect` lines have: what they may name."""
    return {word for text in texts for word in _word.findall(text)}


def _check(expectation: Expectation, names: dict[str, Any], graph: Graph) -> list[Diagnostic]:
    line = expectation.line
    # A parameter hides the network's number of that name: `expect depth == 50` of `network N(depth=50)`.
    own = {n for n in MEASURES if expectation.scope.has(n)}
    scope = Scope(expectation.scope, {n: value for n, value in names.items() if n not in own})
    found: list[Diagnostic] = []
    for condition in conditions(expectation.condition):
        if not isinstance(condition, COMPARING):
            span = line.span(condition)
            found.append(problem("NothingExpected", span, text=span.text))
            continue
        found += _hidden(expectation, condition, own)
        try:
            if not evaluate(condition, scope, Budget()):
                found.append(_failure(expectation, condition, scope))
        except EvaluationError as error:
            values = error.values
            if error.problem == "UndefinedName":
                values = {**values, "guess": nearest(values["name"], values["known"], graph)}
            found.append(problem(error.problem, line.span(error.node or condition), **values))
        except Silent:
            pass
    return found


def _hidden(expectation: Expectation, condition: Any, own: set[str]) -> list[Diagnostic]:
    """Warnings where a side of a comparison is a parameter or `let` that has the name of a measure: it is the
    parameter that is compared. Within an expression, as in `{18: …}[depth]`, that is what is meant."""
    sides = condition.operands if isinstance(condition, tree.Compare) else ()
    return [
        problem("HiddenMeasure", expectation.line.span(side), name=side.name, measure=MEASURES[side.name])
        for side in sides
        if isinstance(side, tree.Name) and side.name in own
    ]


def nearest(name: str, known: list[str], graph: Graph) -> str | None:
    """What an unknown name in an `expect` line may stand for, of those known; None if none is near.

    One that stands within a block has the block's name before it.
    """
    inside = next((node.name for node in graph.nodes if node.name.endswith(f".{name}")), None)
    # What was named last, the network's layers, comes first in `known`: of many, `closest` compares the last ones.
    names = ["true", "false", *reversed(known)]
    return inside or closest(name, names)


def conditions(condition: Any) -> list[Any]:
    """The conditions that `and` joins: each fails by itself."""
    parts = []
    while isinstance(condition, tree.Binary) and condition.operator == "and":
        parts.append(condition.right)
        condition = condition.left
    return [condition, *reversed(parts)]


def _failure(expectation: Expectation, condition: Any, scope: Scope) -> Diagnostic:
    """What was expected and what is; where one number would do, the fix writes it."""
    line = expectation.line
    span = line.span(condition)
    wanted = f"`{span.text}`"
    if not isinstance(condition, tree.Compare) or len(condition.operators) != 1:
        return problem("ExpectFails", span, wanted=wanted, actual="that is not so")
    left, right = condition.operands
    value = evaluate(left, scope, Budget())
    subject = line.span(left).text
    actual = f"{subject} is {_shown(value)}"
    fixes: tuple[Fix, ...] = ()
    if (
        condition.operators[0] == "=="
        and isinstance(value, (tuple, list))
        and isinstance(right, (tree.Number, tree.Sides))
    ):
        text = str(value[0]) if len(set(value)) == 1 and isinstance(right, tree.Number) else "x".join(map(str, value))
        fixes = (Fix(f"expect {text}", (Edit(line.span(right), text),), "possible"),)
    if condition.operators[0] in ("==", "~") and isinstance(right, tree.Number) and isinstance(value, int):
        place = line.span(right)
        text = _rounded_like(place.text, value) if condition.operators[0] == "~" else ""
        fixes = (Fix(f"expect {text or _shown(value)}", (Edit(place, text or f"{value:_}"),), "possible"),)
    return problem("ExpectFails", span, wanted=wanted, actual=actual, fixes=fixes)


def _rounded_like(written_: str, value: int) -> str:
    """A count with the unit and the decimals of another, `0.27M`; empty where that has no unit, or too few digits are
    left."""
    unit, digits = written_[-1:], written_[:-1]
    power = "KMGT".find(unit) + 1
    if not unit or not power or not digits.replace(".", "", 1).isdigit():
        return ""
    decimals = len(digits.partition(".")[2])
    scale = 1000**power
    count = (2 * value * 10**decimals + scale) // (2 * scale)
    text = str(count).zfill(decimals + 1)
    whole = f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text
    least = min(len(digits.replace(".", "").lstrip("0")), 2)
    return f"{whole}{unit}" if len(str(count)) >= least and count else ""


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else written(value)


def names_for(graph: Graph, analysis: Analysis, words: set[str]) -> dict[str, Any]:
    """What an `expect` line of these words can name: the network's numbers, and those of its parts."""
    totals, memory = analysis.totals, analysis.memory
    assert totals is not None
    assert memory is not None
    names: dict[str, Any] = {
        "params": totals.params,
        "macs": totals.macs,
        "flops": totals.flops,
        "connections": totals.connections,
        "rf": totals.receptive_field,
        "stride": totals.stride,
        "depth": totals.depth,
        "memory": memory.training,
    }
    if words <= names.keys() | _KEYWORDS:
        return names
    # What the spec does not name must not hide a function: `max` is a layer kind, too.
    parts = parts_of(graph, analysis)
    named = {node.name for node in graph.nodes if node.named}
    return names | {n: part for n, part in parts.items() if n not in names and (n not in BUILTINS or n in named)}
