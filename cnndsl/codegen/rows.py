"""Which steps of a plan stand in a row, each taking what the one before gives: they become an nn.Sequential."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from cnndsl.codegen.plan import Plan, Step
from cnndsl.graph import Edge
from cnndsl.layers.code import SELF, Call, X

_indexed = re.compile(r"([^.\[\]]+)((?:\[[0-9]+\])+)")


def split_name(name: str) -> tuple[str, tuple[int, ...]]:
    """A name and its indices: `stage[0][1]` is `stage` with 0 and 1. Other names have none."""
    match = _indexed.fullmatch(name)
    if match is None:
        return name, ()
    return match[1], tuple(map(int, match[2][1:-1].split("][")))


def find_rows(plan: Plan) -> None:
    """Put steps in rows: those whose names count them, and those that one item makes one after the other."""
    if len(plan.steps) < 2:
        _indexed_rows(plan)
        return
    _indexed_rows(plan)
    _repeated_rows(plan)


def fits(step: Step) -> bool:
    """Whether a step may be a part of an nn.Sequential: a module that is called with one tensor."""
    if step.owner is not None or len(step.inputs) != 1 or len(step.outputs) != 1:
        return False
    if step.code is not None:
        modules = step.code.modules
        return len(modules) == 1 and modules[0][0] == "" and step.value == Call(SELF, (X,))
    return True


def row_of(steps: list[Step], name: str) -> Step:
    """One step for several in a row."""
    row = Step(steps[0].key, name, steps[0].first, steps[-1].last)
    row.row = steps
    row.inputs, row.outputs, row.moves = steps[0].inputs, steps[-1].outputs, steps[0].moves
    row.training, row.given = steps[0].training, steps[-1].given
    if all(step.condition == steps[0].condition for step in steps):
        row.condition = steps[0].condition
    return row


def _follows(before: Step, step: Step, uses: Counter[Edge]) -> bool:
    """Whether a step takes what the one before it gives, and nobody else does."""
    taken = step.inputs == before.outputs and uses[before.outputs[0]] == 1
    return taken and not step.moves and step.training == before.training


def _uses(plan: Plan) -> Counter[Edge]:
    uses = Counter(edge for step in plan.steps for edge in step.inputs)
    uses.update((*plan.results, *plan.training_results))
    return uses


def _repeated_rows(plan: Plan) -> None:
    """Calls without a name of their own that one item makes one directly after the other."""
    uses = _uses(plan)
    found: list[Step] = []
    run: list[Step] = []

    def close() -> None:
        found.extend([row_of(list(run), run[0].name)] if len(run) > 1 else run)
        run.clear()

    for step in plan.steps:
        joins = step.plan is not None and fits(step) and not split_name(step.name)[1]
        if not (joins and run and step.key == run[-1].key and _follows(run[-1], step, uses)):
            close()
        if joins:
            run.append(step)
        else:
            found.append(step)
    close()
    plan.steps = found


def _indexed_rows(plan: Plan) -> None:
    """Steps `a[0]`, `a[1]`, … in a row become `a`; so `b[0][0]`, `b[0][1]`, … `b[0]`, and then perhaps all of `b`."""
    longest = max((len(split_name(step.name)[1]) for step in plan.steps), default=0)
    for length in range(longest, 0, -1):
        uses = _uses(plan)
        names = {step.name for step in plan.steps}
        places: dict[str, list[int]] = {}
        for at, step in enumerate(plan.steps):
            base, indices = split_name(step.name)
            if indices and step.modules:
                places.setdefault(_prefix(base, indices[: length - 1]), []).append(at)
        rows = {}
        for prefix, numbers in places.items():
            steps = [plan.steps[at] for at in numbers]
            last = [split_name(step.name)[1][length - 1 :] for step in steps]
            if prefix in names or last != [(n,) for n in range(len(steps))]:
                continue
            if numbers[-1] - numbers[0] + 1 != len(numbers) or not all(step.row or fits(step) for step in steps):
                continue
            if all(_follows(a, b, uses) for a, b in pairwise(steps)):
                rows[numbers[0]] = row_of(steps, prefix)
        steps = []
        skip = 0
        for at, step in enumerate(plan.steps):
            if at in rows:
                skip = len(rows[at].row)
                steps.append(rows[at])
            if skip:
                skip -= 1
            else:
                steps.append(step)
        plan.steps = steps


def _prefix(base: str, indices: tuple[int, ...]) -> str:
    return base + "".join(f"[{index}]" for index in indices)
