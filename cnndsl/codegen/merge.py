"""Calls of one block that a single class serves: their steps side by side.

A block's calls may differ in what its conditions and defaults chose. Steps are matched by the items that made them;
those that only some calls have stand under a condition. Where that would not be readable, or no variables serve all,
there are several classes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cnndsl.codegen.plan import Plan, edge_places
from cnndsl.codegen.variables import Place, Use
from cnndsl.graph import Edge
from cnndsl.record import Record

MOST_CONDITIONS = 3
"""Different conditions in one class: with more, two classes read better."""
MOST_STEPS = 500
"""Steps of a class that is made of several variants."""


class Deed(Record):
    """What a step does, without the numbers. takes: where its inputs come from, within its plan."""

    key: tuple[Any, ...]
    form: Any
    takes: tuple[Place, ...]
    moves: tuple[tuple[Place, str], ...]
    gives: int
    training: bool


class Variant(Record):
    """What all plans that are equal but for numbers do."""

    deeds: tuple[Deed, ...]
    results: tuple[Place, ...]
    finally_: tuple[tuple[Place, str], ...]
    inputs: int


class Merged(Record):
    """Variants side by side. places[v]: where in the merged steps each step of variant v stands."""

    places: tuple[tuple[int, ...], ...]
    length: int


def variant_of(plan: Plan, forms: list[Any]) -> Variant:
    """What a plan does. forms: the form of each of its steps."""
    at = edge_places(plan)
    seen: Counter[Any] = Counter()
    deeds = []
    for step, form in zip(plan.steps, forms, strict=True):
        takes = tuple(at[edge] for edge in step.inputs)
        moves = tuple((at[edge], layout) for edge, layout in step.moves)
        deeds.append(Deed((step.key, seen[step.key]), form, takes, moves, len(step.outputs), step.training))
        seen[step.key] += 1
    results = tuple(at[edge] for edge in (*plan.results, *plan.training_results))
    finally_ = tuple((at[edge], layout) for edge, layout in plan.finally_)
    return Variant(tuple(deeds), results, finally_, len(plan.inputs))


def merged(variants: list[Variant]) -> Merged | None:
    """The variants side by side; None if they should be several classes."""
    if len(variants) == 1:
        count = len(variants[0].deeds)
        return Merged((tuple(range(count)),), count)
    if len({(v.inputs, len(v.results), v.finally_) for v in variants}) > 1:
        return None
    order = _order(variants)
    if order is None or len(order) > MOST_STEPS:
        return None
    at = {key: number for number, key in enumerate(order)}
    places = tuple(tuple(at[deed.key] for deed in variant.deeds) for variant in variants)
    found = Merged(places, len(order))
    return found if _alike(variants, found) and _readable(variants, found) else None


def _order(variants: list[Variant]) -> list[Any] | None:
    """The keys of all steps in an order that every variant keeps; None if there is none."""
    first, *others = sorted(variants, key=lambda v: -len(v.deeds))
    order = [deed.key for deed in first.deeds]
    for variant in others:
        index = {key: number for number, key in enumerate(order)}
        position = -1
        for deed in variant.deeds:
            if deed.key in index and index[deed.key] <= position:
                return None
            if deed.key in index:
                position = index[deed.key]
            else:
                position += 1
                order.insert(position, deed.key)
                index = {key: number for number, key in enumerate(order)}
    return order


def _alike(variants: list[Variant], found: Merged) -> bool:
    """Whether a step does the same in all variants that have it."""
    known: dict[int, Any] = {}
    for variant, places in zip(variants, found.places, strict=True):
        for deed, at in zip(variant.deeds, places, strict=True):
            moves = tuple((deed.takes.index(place), layout) for place, layout in deed.moves)
            same = (deed.form, len(deed.takes), moves, deed.gives)
            if known.setdefault(at, same) != same:
                return False
    return True


def _readable(variants: list[Variant], found: Merged) -> bool:
    """Whether the merged steps have few conditions, and more in common than not."""
    sets = [set(places) for places in found.places]
    patterns = [tuple(at in one for one in sets) for at in range(found.length)]
    optional = [pattern for pattern in patterns if not all(pattern)]
    return len(set(optional)) <= MOST_CONDITIONS and 2 * len(optional) <= len(patterns)


def uses_of(plans: list[Plan], found: Merged) -> tuple[list[dict[int, Use]], list[tuple[Place, ...]]]:
    """The steps and results of each variant by their merged numbers, as `variables.allocate` takes them.

    plans: one for each variant.
    """
    steps, results = [], []
    for plan, places in zip(plans, found.places, strict=True):
        at = merged_places(plan, places)
        uses = {}
        for step, number in zip(plan.steps, places, strict=True):
            uses[number] = Use(tuple(at[edge] for edge in step.inputs), len(step.outputs))
        steps.append(uses)
        results.append(tuple(at[edge] for edge in (*plan.results, *plan.training_results)))
    return steps, results


def merged_places(plan: Plan, places: tuple[int, ...]) -> dict[Edge, Place]:
    """Where each tensor of a plan comes from, in merged numbers."""
    own = edge_places(plan)
    return {edge: (places[at] if at >= 0 else at, number) for edge, (at, number) in own.items()}
