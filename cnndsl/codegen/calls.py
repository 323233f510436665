"""Which blocks call which: those that call themselves, and what one leaves open to those it calls."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.codegen.parameters import Names
from cnndsl.codegen.plan import Plan, Step
from cnndsl.symbols import UNKNOWN, names_of


def called(steps: list[Step]) -> Iterator[Plan]:
    """The plans that steps call, without those that only repeat one with its weights."""
    return (step.plan for step in calls_in(steps) if step.plan is not None)


def origins(steps: list[Step]) -> set[tuple[str, str]]:
    return {plan.origin for plan in called(steps)}


def calls_themselves(plans: dict[tuple[str, str], list[Plan]]) -> dict[tuple[str, str], tuple[str, str] | None]:
    """The blocks that call themselves: each with itself, or with None if it does by way of others."""
    calls = {o: {inner.origin for plan in found for inner in called(plan.steps)} for o, found in plans.items()}
    reach = {origin: set(inner) for origin, inner in calls.items()}
    changed = True
    while changed:
        changed = False
        for found in reach.values():
            more = set().union(*(reach[inner] for inner in found)) - found
            if more:
                found |= more
                changed = True
    return {
        origin: None if any(origin in reach[other] for other in found if other != origin) else origin
        for origin, found in reach.items()
        if origin in found
    }


def varying_names(plans: dict[tuple[str, str], list[Plan]]) -> dict[tuple[str, str], set[str]]:
    """For each block, the names whose values a call of it takes from what varies in the block that it stands in.

    They may come to the same in all calls of a file, and still not be the same in all that could be.
    """
    found: dict[tuple[str, str], set[str]] = {origin: set() for origin in plans}
    fixed = {origin: Names([plan.values for plan in of], set()).fixed for origin, of in plans.items()}
    changed = True
    while changed:
        changed = False
        for origin, of in plans.items():
            for plan in of:
                for step in calls_in(plan.steps):
                    assert step.plan is not None
                    inner = step.plan.origin
                    given = step.arguments or {}
                    for name in step.plan.values:
                        tree = given.get(name, UNKNOWN)
                        same = tree != UNKNOWN and names_of(tree) <= fixed[origin].keys()
                        if same or name in found.get(inner, (name,)):
                            continue
                        found[inner].add(name)
                        fixed[inner].pop(name, None)
                        changed = True
    return found


def calls_in(steps: list[Step]) -> Iterator[Step]:
    """The steps that call a block, without those that only repeat one with its weights."""
    for step in steps:
        if step.row:
            yield from calls_in(step.row)
        elif step.plan is not None and step.owner is None:
            yield step
