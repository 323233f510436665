"""Calls of one block that a single class serves: their steps side by side.

A block's calls may differ in what its conditions and defaults chose. Steps are matched by the items that made them;
those that only some calls have stand under a condition. Where that would not be readable, or no variables serve all,
there are several classes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cnndsl.codegen.identifiers import Identifiers
from cnndsl.codegen.plan import Plan, edge_places
from cnndsl.codegen.variables import Conflict, Hints, Place, Use, allocate
from cnndsl.graph import Edge
from cnndsl.layers.code import Input
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


class Copy(Record):
    """A step that only gives a tensor a second variable, which steps that some variants lack then change.

    at: its merged number. source: the tensor. takers: the steps (and which of their inputs) that take the copy where
    they would take the source; of the results, `length` and which.
    """

    at: int
    source: Place
    takers: frozenset[Place]


class Merged(Record):
    """Variants side by side. places[v]: where in the merged steps each step of variant v stands."""

    places: tuple[tuple[int, ...], ...]
    length: int
    copies: tuple[Copy, ...] = ()

    def taken(self, at: int, number: int, source: Place) -> Place:
        """What step `at` takes as an input that is `source`: that, or a copy."""
        for copy in self.copies:
            if source == copy.source and (at, number) in copy.takers:
                return (copy.at, 0)
        return source


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


def merged(variants: list[Variant], plans: list[Plan], *, recursive: bool = False) -> Merged | None:
    """The variants side by side; None if they should be several classes.

    plans: one for each variant. recursive: whether they call each other, so that most steps may be under a condition.
    """
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
    found: Merged | None = Merged(places, len(order))
    assert found is not None
    if not (_alike(variants, found) and _readable(found, recursive=recursive)):
        return None
    for _ in range(MOST_CONDITIONS):
        steps, results = uses_of(plans, found)
        try:
            inputs = [str(number) for number in range(variants[0].inputs)]
            names = allocate(steps, results, inputs, [Hints()] * found.length, Identifiers(frozenset()))
        except Conflict as conflict:
            found = _with_copy(found, conflict.group, steps, results)
            if found is None:
                return None
        else:
            same = _passing(plans, found)
            held = (_holds(*one, names, inputs, found) for one in zip(steps, results, same, strict=True))
            return found if all(held) else None
    return None


def _passing(plans: list[Plan], found: Merged) -> list[set[int]]:
    """For each variant, the merged numbers of the steps that give what they take: identities, and copies."""
    copies = {copy.at for copy in found.copies}
    return [
        copies
        | {
            at
            for step, at in zip(plan.steps, places, strict=True)
            if step.code is not None and isinstance(step.code.forward, Input)
        }
        for plan, places in zip(plans, found.places, strict=True)
    ]


def _holds(
    steps: dict[int, Use],
    results: tuple[Place, ...],
    passing: set[int],
    names: dict[Place, str],
    inputs: list[str],
    found: Merged,
) -> bool:
    """Whether every step of a variant finds in its variables what it takes, as the steps are done one by one."""

    def name(place: Place) -> str:
        return names[place] if place in names else inputs[place[1]]

    def origin(place: Place) -> Place:
        while place[0] in passing:
            (place,) = steps[place[0]].takes
        return place

    values: dict[str, Place] = {one: (-1, number) for number, one in enumerate(inputs)}
    for at in sorted(steps):
        if any(values.get(name(place)) != origin(place) for place in steps[at].takes):
            return False
        for number in range(steps[at].gives):
            values[name((at, number))] = origin((at, number))
    return all(values.get(name(place)) == origin(place) for place in results)


def _with_copy(
    found: Merged, group: list[Place], steps: list[dict[int, Use]], results: list[tuple[Place, ...]]
) -> Merged | None:
    """With a second variable for the first of some tensors that can't all be in one; None if that is no help."""
    source, *others = group
    if any(source[0] >= 0 and source[0] not in uses for uses in steps) or not others:
        return None
    # It is made right before the first of the steps that lead to the others and depend on the same condition.
    at = min(place[0] for place in others)
    present = [at in uses for uses in steps]
    while at - 1 > source[0] and [at - 1 in uses for uses in steps] == present:
        at -= 1
    if all(present):
        return None
    takers = {(at, 0)}
    for number in range(at, found.length + 1):
        taken = [uses[number].takes for uses in steps if number in uses] if number < found.length else results
        for position, places in enumerate(zip(*taken, strict=True)):
            if source in places and any(place in others for place in places):
                takers.add((number, position))

    def moved(number: int) -> int:
        return number + (number >= at)

    def shifted(place: Place) -> Place:
        return (moved(place[0]), place[1])

    copies = [Copy(moved(copy.at), shifted(copy.source), frozenset(map(shifted, copy.takers))) for copy in found.copies]
    copies.append(Copy(at, shifted(source), frozenset(map(shifted, takers))))
    places = tuple(tuple(map(moved, one)) for one in found.places)
    return Merged(places, found.length + 1, tuple(copies))


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


def _readable(found: Merged, *, recursive: bool) -> bool:
    """Whether the merged steps have few conditions, and more in common than not."""
    sets = [set(places) for places in found.places]
    patterns = [tuple(at in one for one in sets) for at in range(found.length)]
    optional = [pattern for pattern in patterns if not all(pattern)]
    return len(set(optional)) <= MOST_CONDITIONS and (recursive or 2 * len(optional) <= len(patterns))


def uses_of(plans: list[Plan], found: Merged) -> tuple[list[dict[int, Use]], list[tuple[Place, ...]]]:
    """The steps and results of each variant by their merged numbers, as `variables.allocate` takes them.

    plans: one for each variant.
    """
    steps, results = [], []
    for plan, places in zip(plans, found.places, strict=True):
        at = merged_places(plan, places)
        uses = {}
        for step, number in zip(plan.steps, places, strict=True):
            takes = tuple(found.taken(number, n, at[edge]) for n, edge in enumerate(step.inputs))
            uses[number] = Use(takes, len(step.outputs))
        uses.update((copy.at, Use((copy.source,), 1)) for copy in found.copies)
        steps.append(uses)
        given = (*plan.results, *plan.training_results)
        results.append(tuple(found.taken(found.length, n, at[edge]) for n, edge in enumerate(given)))
    return steps, results


def merged_places(plan: Plan, places: tuple[int, ...]) -> dict[Edge, Place]:
    """Where each tensor of a plan comes from, in merged numbers."""
    own = edge_places(plan)
    return {edge: (places[at] if at >= 0 else at, number) for edge, (at, number) in own.items()}
