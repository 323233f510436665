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
    nothing is computed. note: what else is to be said. axis: the axis that it is about, if it is about one.
    """

    name: str
    value: int | float
    rule: str = ""
    sum: str = ""
    note: str = ""
    axis: str = ""


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


def term(name: str, value: Any, note: str = "", axis: str = "") -> Term:
    """A number that a rule gave, with what the rule computed."""
    tree = expression_of(value)
    if tree[0] == "number":
        return Term(name, value, "", "", note, axis)
    numbers = in_numbers(value) if is_sum(tree) else ""
    return Term(name, int.__index__(value), in_names(value), "" if numbers == f"{value:,}" else numbers, note, axis)


def terms(name: str, value: Any, note: str = "", axis: str = "", *, said: set[int] | None = None) -> list[Term]:
    """A number with the numbers before it that a rule gave names to. `said` has the ids of those that were shown."""
    said = set() if said is None else said
    found: list[Term] = []
    _steps(expression_of(value), axis, said, found)
    return [*found, term(name, value, note, axis)]


def _steps(tree: Any, axis: str, said: set[int], found: list[Term]) -> None:
    for leaf in quantities(tree):
        if leaf.definition is None or id(leaf) in said:
            continue
        said.add(id(leaf))
        _steps(leaf.definition, axis, said, found)
        found.append(term(str(leaf), Traced(leaf.value, leaf.definition), "", axis))


class Derivation(Record):
    """One layer, and why its numbers are what they are.

    name: as tables show it. title: its network, with the values of parameters. inputs: each tensor that it takes, as
    the name of the layer that gives it and its shape (`?` if that is unknown). outputs: its shapes. takers: the layers
    that take what it gives. origins: the items that made it (`origin.Origin`). sections: what is derived; as far as
    the layer's fault allows, if it has one. faults: the diagnostics that say what is wrong with it. unknown: the layer
    further up that left its input unknown. torch: the path of its module in the compiled network, and the lines that
    make and call it. others: layers that the same place in the spec made besides.
    """

    name: str
    kind: str
    title: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    takers: tuple[str, ...]
    origins: tuple[Any, ...]
    sections: tuple[Section, ...]
    faults: tuple[Any, ...] = ()
    unknown: str | None = None
    torch: tuple[str, tuple[str, ...]] | None = None
    others: tuple[str, ...] = ()
