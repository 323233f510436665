"""What `fit` prints: the largest setting that keeps the budgets, and what was tried around it."""

from __future__ import annotations

import json as json_format
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.fit import Axis, Found, Judged, Try
from cnndsl.layers.bind import written
from cnndsl.report import COUNTED
from cnndsl.report.as_json import value_data
from cnndsl.report.grid import Column, draw, fit
from cnndsl.report.rows import percent
from cnndsl.terminal import BOLD, GREEN, PLAIN, RED, Look, visible, wrap

VERSION = 1
ABOVE, BELOW = 2, 1
"""How many tries larger and smaller than the answer are shown, unless all are asked for."""
MOST_CHOICES = 12
_MOST_REASONS = 4
_NUMBER = re.compile(r"[0-9][0-9,_.x]*")


def table(name: str, budgets: Sequence[str], found: Found, look: Look = PLAIN, *, all_rows: bool = False) -> str:
    """The answer in a sentence, what was tried around it, and what could not be tried."""
    answer = found.best is not None
    lines = [
        look.paint(line, BOLD, GREEN if answer else RED)
        for line in wrap(visible(said(name, budgets, found)), look.width)
    ]
    shown = _shown(found, all_rows=all_rows)
    if shown:
        lines += ["", *_table(found, shown, look)]
    choices = _choices(found)
    if choices:
        lines += ["", *choices]
    reasons = _reasons(found)
    if reasons:
        lines += ["", *(line for reason in reasons for line in wrap(visible(reason), look.width))]
    lines += ["", *wrap(visible(f"{_sentence(tried(found))}"), look.width), *wrap(COUNTED, look.width)]
    return "\n".join(lines) + "\n"


def said(name: str, budgets: Sequence[str], found: Found) -> str:
    """The answer in a sentence."""
    wanted = " and ".join(" ".join(budget.split()) for budget in budgets)
    if found.best is None:
        all_ = found.complete and len(found.tries) == found.total
        return f"{name}: {'no setting' if all_ else 'nothing that was tried'} keeps {wanted}"
    whole = "the largest" if found.complete else "the largest that was found"
    many = " (the first named comes first)" if len(found.axes) > 1 else ""
    return f"{name}: {settings_text(found.best)} is {whole}{many} that keeps {wanted}"


def settings_text(one: Try) -> str:
    """`width=48 depth=3`."""
    return " ".join(f"{name}={written(value)}" for name, value in one.settings)


def tried(found: Found) -> str:
    """How many settings were tried, and what that says."""
    count, total = len(found.tries), found.total
    text = f"{count:,} of {total:,} settings were tried"
    if any(axis.open for axis in found.axes):
        text = f"{count:,} settings were tried"
    elif count == total:
        return f"all {total:,} settings were tried" if total > 1 else "the one setting was tried"
    if found.best is None:
        return text
    if found.complete:
        larger = sum(one.at > found.best.at for one in found.tries)
        return f"{text}, all {larger:,} larger ones among them" if larger else f"{text}: it is the largest of all"
    if len(found.axes) > 1:
        return f"{text}: one after the other made as large as can be, with those named after it at their smallest"
    return f"{text}, not all of the larger ones; {_growth(found)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _growth(found: Found) -> str:
    """Whether what was measured grows with the setting, as far as it was tried."""
    known = [one.figures for one in found.tries if one.problem is None]
    names = [n for n in (known[0] if known else {}) if all(isinstance(f.get(n), (int, float)) for f in known)]
    uneven = [n for n in names if any(x[n] > y[n] for x, y in pairwise(known))]
    if uneven:
        return f"{', '.join(uneven)} {'does' if len(uneven) == 1 else 'do'} not grow evenly"
    return f"{', '.join(names) or 'what is asked for'} grew from each to the next"


def _shown(found: Found, *, all_rows: bool) -> list[Try]:
    """The tries to show, the largest first: the answer and its neighbours, or where nothing fits the smallest."""
    ordered = [*reversed(found.tries)]
    if all_rows:
        return ordered
    known = [one for one in ordered if one.problem is None]
    if found.best is None:
        return known[-(ABOVE + BELOW) :]
    if len(found.axes) > 1:
        return found.undominated()[::-1][:MOST_CHOICES]
    place = known.index(found.best)
    return known[max(place - ABOVE, 0) : place + BELOW + 1]


def _table(found: Found, shown: list[Try], look: Look) -> list[str]:
    columns = [
        Column(axis.name, [visible(written(one.settings[k][1])) for one in shown]) for k, axis in enumerate(found.axes)
    ]
    titles = dict.fromkeys(name for one in shown for name in one.figures)
    columns += [Column(visible(name), [_figure(one.figures.get(name)) for one in shown]) for name in titles]
    columns.append(Column("", [visible(_verdict(one)) for one in shown], right=False, elastic=True))
    lines = draw(fit(columns, look).columns, look)
    best = found.best
    body = [look.paint(line, BOLD) if one is best else line for one, line in zip(shown, lines[2:], strict=True)]
    return [*lines[:2], *body]


def _figure(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else written(value)


def _verdict(one: Try) -> str:
    if one.problem is not None:
        return f"skipped: {one.problem}"
    missed = [judged for judged in one.judged if not judged.holds]
    if not missed:
        return "fits"
    alone = len(one.judged) == 1
    return ", ".join(_miss(judged) if alone else f"{judged.text}: {_miss(judged)}" for judged in missed)


def _miss(judged: Judged) -> str:
    """By how much a condition is missed."""
    if judged.excess is None:
        return "does not hold"
    if not judged.excess:
        return "is just reached"
    value = next((v for _, v in judged.figures if isinstance(v, (int, float))), None)
    share = ""
    if isinstance(value, int) and isinstance(judged.excess, int) and 0 < value < 11 * (value - judged.excess):
        share = f" ({percent(value - judged.excess, value)})"
    amount = f"{abs(judged.excess):,}" if isinstance(judged.excess, int) else f"{abs(judged.excess):,.6g}"
    return f"{amount} {'over' if judged.excess > 0 else 'short'}{share}"


def _choices(found: Found) -> list[str]:
    if len(found.axes) == 1 or found.best is None:
        return []
    count = len(found.undominated())
    more = f" {MOST_CHOICES} of {count:,} are shown." if count > MOST_CHOICES else ""
    return [f"Each row could only be larger in one by being smaller in another.{more}"] if count > 1 else []


def _reasons(found: Found) -> list[str]:
    """Why settings were skipped, each reason once, whatever its numbers."""
    reasons: dict[str, list[Try]] = {}
    for one in found.tries:
        if one.problem is not None:
            reasons.setdefault(_NUMBER.sub("", one.problem), []).append(one)
    lines = []
    for tries in [*reasons.values()][:_MOST_REASONS]:
        more = f" (and {len(tries) - 1:,} more likewise)" if len(tries) > 1 else ""
        lines.append(f"skipped {settings_text(tries[0])}: {tries[0].problem}{more}")
    if len(reasons) > _MOST_REASONS:
        count = sum(len(tries) for tries in [*reasons.values()][_MOST_REASONS:])
        lines.append(f"skipped {count:,} more, for other reasons")
    return lines


def json(
    name: str, file: str, budgets: Sequence[str], found: Found | None, diagnostics: Sequence[Diagnostic]
) -> Iterator[str]:
    """Everything that was tried."""
    told: dict[str, Any] = {"version": VERSION, "network": name, "file": file, "budgets": [*budgets]}
    if found is not None:
        told["vary"] = [_axis(axis) for axis in found.axes]
        told["complete"] = found.complete
        told["answer"] = None if found.best is None else _try(found.best)
        told["choices"] = [_try(one) for one in found.undominated()]
        told["tries"] = [_try(one) for one in found.tries]
    told["diagnostics"] = [one.to_json() for one in diagnostics]
    yield json_format.dumps(told, indent=2) + "\n"


def _axis(axis: Axis) -> dict[str, Any]:
    ends = {"first": value_data(axis.values[0]), "last": value_data(axis.values[-1])}
    return {"name": axis.name, **ends, "values": len(axis.values), "open": axis.open}


def _try(one: Try) -> dict[str, Any]:
    return {
        "settings": {name: value_data(value) for name, value in one.settings},
        "fits": one.fits,
        "figures": {name: value_data(value) for name, value in one.figures.items()},
        "problem": one.problem,
    }
