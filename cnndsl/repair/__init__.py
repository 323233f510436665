"""Fixes that were tried: small edits that an expert would make, each checked by running the whole pipeline again."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Fix
from cnndsl.graph import Graph
from cnndsl.pipeline import Checked, Options
from cnndsl.record import Record
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.candidates import candidates
from cnndsl.repair.cost import cost
from cnndsl.repair.spec import Spec
from cnndsl.repair.spot import Spot, spot_of
from cnndsl.repair.text import overlap
from cnndsl.repair.verify import Budget, Key, Trial, key_of
from cnndsl.shape import Shape

__all__ = ["repair"]

LAYERS = 20_000
"""Layers that are elaborated for all fixes of a file together."""
MOST_TRIED = 60
"""Candidates that are tried for one error."""
OFFERED = 4


class _Survivor(Record):
    """A candidate that makes the error vanish: which errors are left, its place in the order, what it makes new."""

    candidate: Candidate
    checked: Checked
    left: int
    new: frozenset[Key]


def repair(checked: Checked, options: Options, memory: dict[str, Any] | None = None) -> Checked:
    """The same with fixes for errors of shapes, each of which was found to make its error vanish and none new.

    `options` and `memory` are those that it was checked with. Takes no fix away that a pass has found otherwise.
    """
    wrong = [d for d in checked.diagnostics if d.severity == "error"]
    if not wrong:
        return checked
    spec = Spec(checked.document)
    spots = [(d, spot_of(d, checked, spec)) for d in wrong]
    wanted = [(d, spot) for d, spot in spots if spot is not None]
    if not wanted:
        return checked
    trial = Trial(checked, options, {} if memory is None else memory)
    left = LAYERS
    found: dict[int, tuple[Fix, ...]] = {}
    for number, (diagnostic, spot) in enumerate(wanted):
        budget = Budget(left // (len(wanted) - number))
        start = budget.left
        found[id(diagnostic)] = _fixes(diagnostic, spot, spec, trial, budget)
        left -= start - budget.left
    diagnostics = [_with(d, found[id(d)]) if id(d) in found else d for d in checked.diagnostics]
    return checked._replace(diagnostics=tuple(diagnostics))


def _with(diagnostic: Diagnostic, fixes: tuple[Fix, ...]) -> Diagnostic:
    again = type(diagnostic)(diagnostic.span, **diagnostic.values)
    again.labels, again.notes, again.fixes = diagnostic.labels, diagnostic.notes, fixes
    return again


def _fixes(diagnostic: Diagnostic, spot: Spot, spec: Spec, trial: Trial, budget: Budget) -> tuple[Fix, ...]:
    """The fixes of one error, the smallest change first."""
    own = [Candidate(fix.title, fix.edits, fix.applicability) for fix in diagnostic.fixes]
    survivors = _survivors(diagnostic, own + list(candidates(diagnostic, spot, spec)), spot, trial, budget)
    clean = [one for one in survivors if not one.new]
    if not clean and survivors:
        # What every way to mend it shows was there before, unseen behind the error.
        hidden = frozenset.intersection(*(one.new for one in survivors)) if len(survivors) > 1 else frozenset()
        clean = [one for one in survivors if one.new == hidden]
    offered = clean[:OFFERED]
    return tuple(_fix(one, spot, alone=len(clean) == 1) for one in offered)


def _survivors(
    diagnostic: Diagnostic, tried: list[Candidate], spot: Spot, trial: Trial, budget: Budget
) -> list[_Survivor]:
    """The candidates with which the error is gone and no other has come, those that mend most first."""
    key = key_of(diagnostic, trial.main)
    network = spot.network.graph.name if len(trial.checked.networks) > 1 else None
    passed: list[tuple[int, int, Candidate]] = []
    seen = set()
    for number, candidate in enumerate(tried[:MOST_TRIED]):
        texts = tuple((e.span.start, e.span.end, e.text) for e in candidate.edits)
        if budget.left < 0 or texts in seen or not candidate.edits or overlap(candidate.edits):
            continue
        seen.add(texts)
        errors = trial.errors_after(candidate.edits, network, budget)
        if errors is not None and key not in errors:
            passed.append((len(errors), number, candidate))
    survivors: list[_Survivor] = []
    results = set()
    for _, _, candidate in sorted(passed, key=lambda one: one[:2]):
        if len(survivors) == OFFERED + 2 or (budget.left < 0 and survivors):
            break
        after, keys = trial.check(candidate.edits, budget)
        new = keys - trial.before
        if key in keys or any(one[0][0] == "E" for one in new):
            continue
        result = _result(after)
        if result in results:
            continue
        results.add(result)
        survivors.append(_Survivor(candidate, after, len(keys & trial.errors), frozenset(new)))
    return survivors


def _result(checked: Checked) -> tuple[Any, ...]:
    """What a network has come out as: fixes that make the same network are one."""
    return tuple(
        (one.graph.name, tuple((n.kind, n.shapes, n.inputs) for n in one.graph.nodes), one.analysis.layers)
        for one in checked.networks
    )


def _fix(one: _Survivor, spot: Spot, *, alone: bool) -> Fix:
    network = next(n for n in one.checked.networks if n.graph.name == spot.network.graph.name)
    shape = _shape_there(spot, network.graph)
    said = cost(spot.network, network, shape)
    title = f"{one.candidate.title} ({said})" if said else one.candidate.title
    return Fix(title, one.candidate.edits, one.candidate.applicability)


def _shape_there(spot: Spot, graph: Graph) -> Shape | None:
    """What the layer gives now that the error was about; its name may have changed with its numbers."""
    old = spot.network.graph.nodes
    same = len(old) == len(graph.nodes) and graph.nodes[spot.node.index].kind == spot.node.kind
    named = (node for node in graph.nodes if node.name == spot.node.name)
    node = graph.nodes[spot.node.index] if same else next(named, None)
    return node.shapes[0] if node is not None and node.shapes else None
