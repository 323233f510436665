"""Why a layer's numbers are what they are: its rules, run on numbers that remember what they were computed from."""

from __future__ import annotations

from typing import Any

from cnndsl.explain.traced import Traced, in_names, in_numbers, is_sum, quantities
from cnndsl.record import Record
from cnndsl.symbols import expression_of


class Term(Record):
    """One number and how it came about.

    rule: what it is computed from, in names; a name alone for what is taken over, empty for what is so by itself.
    sum: the same with the numbers put in, in Python's notation but for `floor(a / b)` and `ceil(a / b)`; empty where
    nothing is computed. note: what else is to be said.
    """

    name: str
    value: int | float
    rule: str = ""
    sum: str = ""
    note: str = ""


class Held(Record):
    """A condition of a shape rule in numbers, such as `4 + 0 + 0 >= 5`, and whether it holds."""

    text: str
    holds: bool


class Section(Record):
    """What is derived of one sort: its terms in the order in which they are computed."""

    title: str
    terms: tuple[Term, ...] = ()
    notes: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()


def term(name: str, value: Any, note: str = "") -> Term:
    """A number that a rule gave, with what the rule computed."""
    tree = expression_of(value)
    if tree[0] == "number":
        return Term(name, value, "", "", note)
    numbers = in_numbers(value) if is_sum(tree) else ""
    return Term(name, int.__index__(value), in_names(value), "" if numbers == f"{value:,}" else numbers, note)


def terms(name: str, value: Any, note: str = "", *, said: set[int] | None = None) -> list[Term]:
    """A number with the numbers before it that a rule gave names to. `said` has the ids of those that were shown."""
    said = set() if said is None else said
    found: list[Term] = []
    _steps(expression_of(value), said, found)
    return [*found, term(name, value, note)]


def _steps(tree: Any, said: set[int], found: list[Term]) -> None:
    for leaf in quantities(tree):
        if leaf.definition is None or id(leaf) in said:
            continue
        said.add(id(leaf))
        _steps(leaf.definition, said, found)
        found.append(term(str(leaf), Traced(leaf.value, leaf.definition)))
