"""Derivations of layers, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from cnndsl.explain import Derivation, Section, Term
from cnndsl.graph import INPUT
from cnndsl.report.as_page import WIDTH
from cnndsl.terminal import BOLD, CYAN, DIM, RED, Look, pad, visible, width_of, wrap

_LABEL = 14
"""Cells of the column of names."""
_HIDDEN = ("connections",)
"""Sections that only programs get, unless they are asked for."""


def render(derivations: Iterable[Derivation], look: Look, *, connections: bool = False) -> str:
    """Derivations as text, one below the other."""
    hidden = () if connections else _HIDDEN
    return "\n".join("\n".join(line.rstrip() for line in _layer(one, look, hidden)) + "\n" for one in derivations)


def _layer(one: Derivation, look: Look, hidden: tuple[str, ...]) -> Iterator[str]:
    yield look.paint(visible(f"{one.name}"), BOLD) + f"  {visible(one.title)}"
    yield from _origins(one, look)
    yield ""
    if not one.inputs and one.kind == INPUT:
        yield _row("", "an input of the network: every cell sees itself")
    for number, (name, shape) in enumerate(one.inputs, 1):
        whose = f"input {number}" if len(one.inputs) > 1 else "input"
        yield _row(whose, f"{shape}  from {visible(name)}")
    for number, shape in enumerate(one.outputs):
        yield _row("output" if number == 0 else f"output {number + 1}", shape)
    if one.takers:
        yield from _wrapped("taken by", ", ".join(map(visible, one.takers)), look)
    for section in one.sections:
        if section.title not in hidden:
            yield from _section(section, look)
    yield from _trouble(one, look)
    yield from _torch(one, look)
    if one.others:
        yield ""
        yield from _wrapped("likewise", ", ".join(map(visible, one.others)), look)


def _origins(one: Derivation, look: Look) -> Iterator[str]:
    """The item, and the calls that led to it."""
    for origin in one.origins:
        source, start = origin.span.source, origin.span.start
        line, column = source.position(start)
        text = " ".join(visible(origin.span.text.splitlines()[0] if origin.span.text else "").split())
        place = f"{visible(source.name)}:{line}:{column}"
        yield look.paint(f"  {place}", CYAN) + f"  {text}"
        given = ", ".join(f"{name}={value}" for name, value in origin.parameters)
        if given:
            yield f"      {origin.block}({visible(given)})"
        for worked in origin.worked:
            names = " and ".join(f"{name} = {value}" for name, value in worked.names if name != worked.text.strip("{}"))
            yield f"      {visible(worked.text)} = {visible(worked.value)}" + (
                f" with {visible(names)}" if names else ""
            )


def _section(section: Section, look: Look) -> Iterator[str]:
    yield ""
    notes = f": {'; '.join(section.notes)}" if section.notes and not section.terms else ""
    yield look.paint(section.title, BOLD) + notes
    rows = [
        (_labelled(section, label, term, first=number == 0), term)
        for label, terms in _merged(section.terms)
        for number, term in enumerate(terms)
    ]
    room = max([_LABEL, *(width_of(label.split("\n")[-1]) + 1 for label, _ in rows)])
    for label, term in rows:
        yield from _term(label, term, room, look)
    if section.terms:
        for note in section.notes:
            yield from _wrapped("", note, look)
    for held in section.held:
        said = held.text.replace("*", look.drawn("·", "*"))
        if held.holds:
            yield _row("holds", said)
        else:
            yield look.paint(_row("does not hold", said), RED)


def _merged(terms: tuple[Term, ...]) -> list[tuple[str, list[Term]]]:
    """Terms by the axis that they are about; axes for which the same was computed together."""
    found: list[tuple[str, list[Term]]] = []
    for axis, group in groupby(terms, key=lambda term: term.axis):
        held = list(group)
        if found and axis and found[-1][0] and _like(axis, held) == _like(found[-1][0].split(", ")[-1], found[-1][1]):
            found[-1] = (f"{found[-1][0]}, {axis}", found[-1][1])
        else:
            found.append((axis, held))
    return found


def _like(axis: str, terms: list[Term]) -> list[Any]:
    """What was computed, whatever the axis is called."""
    return [(t.name.replace(axis, ""), t.value, t.rule.replace(axis, ""), t.sum, t.note) for t in terms]


def _labelled(section: Section, axes: str, term: Term, *, first: bool) -> str:
    if section.title == "shape":
        return axes if term.name == term.axis else term.name
    return f"{axes}:\n{term.name}" if axes and first else term.name


def _term(label: str, term: Term, column: int, look: Look) -> Iterator[str]:
    """A number: the rule in names, with the numbers put in, and what it comes to; on one line if there is room."""
    *above, label = label.split("\n")
    yield from (f"  {line}" for line in above)
    value = f"{term.value:,}" + (f"  ({term.note})" if term.note else "")
    parts = [part.replace("*", look.drawn("·", "*")) for part in (term.rule, term.sum) if part]
    lead = f"  {pad(label, column)}"
    whole = " = ".join([*parts, value])
    room = (look.width or WIDTH) - width_of(lead) - 2
    if width_of(whole) <= room or len(parts) < 2:
        yield from _hung(lead, whole, room)
        return
    rule, total = parts[0], f"{parts[1]} = {value}"
    yield from _hung(lead, rule, room)
    yield from _hung(" " * width_of(lead), total, room)


def _hung(lead: str, text: str, room: int) -> Iterator[str]:
    first, *others = wrap(text, max(room, 20))
    yield f"{lead}= {first}"
    yield from (" " * (width_of(lead) + 4) + line for line in others)


def _row(label: str, text: str) -> str:
    return f"  {pad(label, max(_LABEL, width_of(label) + 1))}{text}"


def _wrapped(label: str, text: str, look: Look) -> Iterator[str]:
    first, *others = wrap(text, (look.width or WIDTH) - _LABEL - 2)
    yield _row(label, first)
    yield from (_row("", line) for line in others)


def _trouble(one: Derivation, look: Look) -> Iterator[str]:
    """Why there is no more to say."""
    for fault in one.faults:
        yield ""
        yield look.paint(f"error[{fault.code}]", RED, BOLD) + f": {visible(fault.message_text())}"
        for note in fault.note_texts():
            yield from _wrapped("", note, look)
    if one.unknown is not None:
        yield ""
        yield f"Its input is unknown, because of an error in {visible(one.unknown)}: explain that one."


def _torch(one: Derivation, look: Look) -> Iterator[str]:
    if one.torch is not None:
        path, lines = one.torch
        yield ""
        yield look.paint("PyTorch", BOLD) + (f"  {path}" if path else "")
        yield from (f"  {look.paint(line, DIM)}" for line in lines)


def to_json(derivations: Iterable[Derivation]) -> str:
    """Derivations as JSON, version 1: everything, connections included."""
    from json import dumps

    layers = [_json(one) for one in derivations]
    return dumps({"version": 1, "layers": layers}, indent=2, ensure_ascii=False) + "\n"


def _json(one: Derivation) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "network": one.title,
        "inputs": [{"from": name, "shape": shape} for name, shape in one.inputs],
        "outputs": list(one.outputs),
        "taken_by": list(one.takers),
        "origins": [
            {
                "span": origin.span.to_json(),
                "block": origin.block or None,
                "parameters": dict(origin.parameters),
                "expressions": [
                    {"text": worked.text, "value": worked.value, "with": dict(worked.names)} for worked in origin.worked
                ],
            }
            for origin in one.origins
        ],
        "sections": [
            {
                "title": section.title,
                "terms": [term._asdict() for term in section.terms],
                "notes": list(section.notes),
                "conditions": [held._asdict() for held in section.held],
            }
            for section in one.sections
        ],
        "errors": [fault.to_json() for fault in one.faults],
        "unknown_because_of": one.unknown,
        "pytorch": None if one.torch is None else {"path": one.torch[0], "lines": list(one.torch[1])},
    }
