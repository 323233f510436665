"""Fixes that were tried: small edits that an expert would make, each checked by running the whole pipeline again."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix
from cnndsl.graph import Graph
from cnndsl.pipeline import Checked, Options
from cnndsl.record import Record
from cnndsl.repair import items
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.candidates import candidates
from cnndsl.repair.cost import cost
from cnndsl.repair.spec import Spec
from cnndsl.repair.spot import OF_RECIPES, Spot, spot_of
from cnndsl.repair.text import Moved, applied, overlap
from cnndsl.repair.verify import Budget, Key, Trial, key_of
from cnndsl.shape import Shape
from cnndsl.syntax import tree

__all__ = ["repair"]

LAYERS = 20_000
"""Layers that are elaborated for all fixes of a file together."""
MOST_TRIED = 60
"""Candidates that are tried for one error."""
OFFERED = 4
MOST_LOOKED_BEHIND, MOST_SECONDS = 3, 6
"""Candidates behind which another error is mended, too, and ways of that which are tried for each."""


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
    wrong = [d for d in checked.diagnostics if d.severity == "error" or type(d).__name__ in OF_RECIPES]
    if not wrong:
        return checked
    spec = Spec(checked.document, frozenset(d.span for d in wrong))
    spots = [(d, spot_of(d, checked, spec)) for d in wrong]
    wanted = [(d, spot) for d, spot in spots if spot is not None]
    places = [(d, place) for d, spot in spots if spot is None and (place := items.place_of(d, spec)) is not None]
    if not wanted and not places:
        return checked
    trial = Trial(checked, options, {} if memory is None else memory)
    left = LAYERS
    found: dict[int, tuple[Fix, ...]] = {}
    for number, (diagnostic, place) in enumerate(places):
        budget = Budget(left // 2 // (len(places) - number))
        start = budget.left
        found[id(diagnostic)] = _item_fixes(diagnostic, place, spec, trial, budget)
        left -= start - budget.left
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
    made = candidates(diagnostic, spot, spec)
    order = (*made, *own) if diagnostic.code in ("E501", "E502") else (*own, *made)
    tried = [one for one in order if one.edits and not overlap(one.edits)]
    survivors, refuted = _survivors(diagnostic, tried, spot, trial, budget)
    if not survivors:
        survivors = _in_two(diagnostic, tried, spot, trial, budget)
    clean = [one for one in survivors if one.new <= _hidden(survivors, diagnostic)]
    offered = clean[:OFFERED]
    told = len(clean) == 1 and len(survivors) == 1 and refuted and budget.left >= 0
    return tuple(_fix(one, spot, safe=told and _is_within(one.candidate, spec)) for one in offered)


def _item_fixes(
    diagnostic: Diagnostic, place: items.Place, spec: Spec, trial: Trial, budget: Budget
) -> tuple[Fix, ...]:
    """The fixes of an error about what an item says: with them the item is right. What an item gives was not known
    before, so errors further on may come to light."""
    own = [Candidate(fix.title, fix.edits, fix.applicability) for fix in diagnostic.fixes]
    key = key_of(diagnostic, trial.main)
    here = place.line.span(place.item)  # None stands for the line
    passed: list[tuple[int, int, Candidate]] = []
    defined: list[tuple[int, int, Candidate]] = []
    seen = set()
    made = list(items.candidates(diagnostic, place, spec))
    made_first = diagnostic.code in ("E124", "E141") or diagnostic.values.get("is_tensor")
    tried = [*made, *own] if made_first else [*own, *made]
    for number, candidate in enumerate(tried):
        texts = applied(trial.main, candidate.edits).text
        if budget.left < 0 or number == MOST_TRIED or texts in seen:
            continue
        seen.add(texts)
        errors = trial.errors_after(candidate.edits, None, budget)
        new = errors - trial.errors
        if key not in errors and not any(n == here.source.name and here.start <= s <= here.end for _, n, s, _ in new):
            passed.append((len(new), number, candidate))
        elif key not in errors and candidate.edits[0].text.startswith("use std."):
            # What else is wrong with the call is seen from then on.
            defined.append((len(new), number, candidate))
    passed = passed or defined
    if not passed:
        return diagnostic.fixes
    kept = [one for _, _, one in sorted(passed, key=lambda one: one[:2])][:OFFERED]
    return tuple(Fix(one.title, one.edits, one.applicability) for one in kept)


def _hidden(survivors: list[_Survivor], diagnostic: Diagnostic) -> frozenset[Key]:
    """The new warnings that were there before, unseen behind the error: those that every way to mend it shows; of an
    only way, those about other lines than it edits."""
    if len(survivors) > 1:
        return frozenset.intersection(*(one.new for one in survivors))
    position = diagnostic.span.source.position
    touched = {
        position(d.start)[0] for one in survivors for d in (diagnostic.span, *(e.span for e in one.candidate.edits))
    }
    name = diagnostic.span.source.name
    return frozenset(k for one in survivors for k in one.new if k[1] != name or position(k[2])[0] not in touched)


def _survivors(
    diagnostic: Diagnostic, tried: list[Candidate], spot: Spot, trial: Trial, budget: Budget
) -> tuple[list[_Survivor], bool]:
    """The candidates with which the error is gone and no other has come, those that mend most first; and whether
    claims of the file refuted others."""
    key = key_of(diagnostic, trial.main)
    own = {fix.title for fix in diagnostic.fixes}
    network = spot.network.graph.name if len(trial.checked.networks) > 1 else None
    passed: list[tuple[int, int, Candidate]] = []
    seen = set()
    refuted = False
    for number, candidate in enumerate(tried[:MOST_TRIED]):
        texts = tuple((e.span.start, e.span.end, e.text) for e in candidate.edits)
        if (budget.left < 0 and candidate.title not in own) or texts in seen:
            continue
        seen.add(texts)
        errors = trial.errors_after(candidate.edits, network, budget)
        if key in errors:
            continue
        if errors - trial.errors:
            refuted = refuted or _are_claims(errors - trial.errors)
        else:
            passed.append((len(errors), number, candidate))
    survivors: list[_Survivor] = []
    results = set()
    for _, _, candidate in sorted(passed, key=lambda one: one[:2]):
        if len(survivors) == OFFERED + 2 or (budget.left < 0 and survivors):
            break
        if budget.left < -LAYERS and candidate.title not in own:
            continue
        # What is expected is seen when the network is measured: first, or of its own number only, of this one alone.
        alone = network if diagnostic.code == "E502" else None
        after, keys = trial.check(candidate.edits, budget, alone)
        if alone is not None and key not in keys and candidate.title not in own:
            after, keys = trial.check(candidate.edits, budget)
        new = {one for one in keys - trial.before if one[0][0] != "N"}
        wrong = {one for one in new if one[0][0] == "E"}
        if key in keys or wrong:
            refuted = refuted or (key not in keys and _are_claims(wrong))
            continue
        new -= trial.unseen(new, after, candidate.edits)
        result = _result(after)
        if result in results:
            continue
        results.add(result)
        survivors.append(_Survivor(candidate, after, len(keys & trial.errors), frozenset(new)))
    return survivors, refuted


def _in_two(
    diagnostic: Diagnostic, tried: list[Candidate], spot: Spot, trial: Trial, budget: Budget
) -> list[_Survivor]:
    """Where an error hid another: candidates that bring the other to light, each with what mends that."""
    key = key_of(diagnostic, trial.main)
    both: list[Candidate] = []
    looked = 0
    for candidate in tried[:MOST_TRIED]:
        if looked == MOST_LOOKED_BEHIND or budget.left < 0:
            break
        after, keys = trial.check(candidate.edits, budget)
        new = {one for one in keys - trial.before if one[0][0] == "E"}
        if key in keys or len(new) != 1 or not new.pop()[0].startswith("E3"):
            continue
        looked += 1
        both += _seconds(candidate, after, trial, budget)
    return _survivors(diagnostic, both, spot, trial, budget)[0]


def _seconds(candidate: Candidate, after: Checked, trial: Trial, budget: Budget) -> list[Candidate]:
    """A candidate together with each fix of the error that it brought to light, as edits of the text before both."""
    moved = Moved(candidate.edits)
    hidden = [
        d for d in after.diagnostics if d.severity == "error" and key_of(d, after.source, moved) not in trial.before
    ]
    spec = Spec(after.document)
    spot = spot_of(hidden[0], after, spec)
    if spot is None:
        return []
    found = []
    for second in candidates(hidden[0], spot, spec):
        edits = [Edit(moved.span(e.span, trial.main), e.text) for e in second.edits if e.span.source is after.source]
        whole = (*candidate.edits, *edits)
        if len(edits) == len(second.edits) and not overlap(whole):
            title = f"{candidate.title}; then {second.title}"
            found.append(Candidate(title, whole))
        if len(found) == MOST_SECONDS:
            break
    return found


def _are_claims(errors: set[Key]) -> bool:
    """Whether all these are claims or expectations that do not hold."""
    return all(code in ("E501", "E502") for code, *_ in errors)


def _is_within(candidate: Candidate, spec: Spec) -> bool:
    """Whether a candidate edits layers only, and no input or claim: those say what the rest is to be."""
    lines = [line for line in spec.lines if isinstance(line.statement, (tree.Input, tree.Expect))]
    claims = [one.span(one.statement.claim) for one in spec.lines if getattr(one.statement, "claim", None) is not None]
    places = [line.span() for line in lines] + claims
    return not any(p.start <= e.span.start and e.span.end <= p.end for p in places for e in candidate.edits)


def _result(checked: Checked) -> tuple[Any, ...]:
    """What a network has come out as: fixes that make the same network are one."""
    return tuple(
        (one.graph.name, tuple((n.kind, n.shapes, n.inputs) for n in one.graph.nodes), one.analysis.layers)
        for one in checked.networks
    )


def _fix(one: _Survivor, spot: Spot, *, safe: bool) -> Fix:
    network = next(n for n in one.checked.networks if n.graph.name == spot.network.graph.name)
    shape = _shape_there(spot, network.graph)
    said = cost(spot.network, network, shape)
    title = f"{one.candidate.title} ({said})" if said else one.candidate.title
    return Fix(title, one.candidate.edits, "safe" if safe else one.candidate.applicability)


def _shape_there(spot: Spot, graph: Graph) -> Shape | None:
    """What the layer gives now that the error was about; its name may have changed with its numbers."""
    old = spot.network.graph.nodes
    same = len(old) == len(graph.nodes) and graph.nodes[spot.node.index].kind == spot.node.kind
    named = (node for node in graph.nodes if node.name == spot.node.name)
    node = graph.nodes[spot.node.index] if same else next(named, None)
    return node.shapes[0] if node is not None and node.shapes else None
