"""Lines in another order: what makes a vector behind the layers that still need a map."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.diagnostics import Edit
from cnndsl.layers import find
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.spec import Handle, Spec, chain_to
from cnndsl.repair.spot import Spot
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

_ENDS = ("dense", "flatten", "globalpool", "rbf", "softmax", "logsoftmax")
"""Kinds before which a moved `dense` goes."""


def moved_behind(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """A `dense`, with what follows it on its line, moved behind the layers that need positions."""
    own = spec.handle(spot.node)
    for node in chain_to(spot.network.graph, spot.node.inputs[0])[:-1]:
        if node.shapes and node.shapes[0].rank == 0 and node.kind != "dense":
            continue
        flat = spec.handle(node) if node.kind == "dense" else None
        if own is not None and flat is not None and not flat.calls_block and not own.calls_block:
            yield from _moved(flat, own, spec)
        return


def _moved(flat: Handle, own: Handle, spec: Spec) -> Iterator[Candidate]:
    siblings = spec.siblings(flat.line)
    if flat.line is own.line or own.line not in siblings:
        return
    start = siblings.index(flat.line)
    last = siblings.index(own.line)
    while last + 1 < len(siblings) and _needs_positions(siblings[last + 1]):
        last += 1
    statement = flat.line.statement
    at = statement.items.index(flat.item)
    plain = all(isinstance(line.statement, tree.Chain) and not line.body for line in siblings[start : last + 1])
    if not plain or statement.claim is not None:
        return
    text = flat.line.text[flat.item.start : statement.items[-1].end]
    cut = _whole(flat.line) if at == 0 else Span(flat.line.source, _end(flat.line, at - 1), _end(flat.line, -1))
    behind = siblings[last]
    edits = (Edit(cut, ""), Edit(_after(behind), f"{spec.newline}{' ' * behind.column}{text}"))
    place = behind.source.position(behind.start)[0]
    yield Candidate(f"`{text}` behind line {place}, where the map is no longer needed", edits, "likely")


def _needs_positions(line: Line) -> bool:
    """Whether a line is a chain of built-in kinds that does not begin with one that gives a vector."""
    names = [getattr(item.kind, "name", "") for item in getattr(line.statement, "items", ())]
    return bool(names) and names[0] not in _ENDS and all(find(name) is not None for name in names)


def _end(line: Line, index: int) -> int:
    return line.start + int(line.statement.items[index].end)


def _whole(line: Line) -> Span:
    """The line with its indentation and what ends it."""
    source = line.source
    number = source.position(line.start)[0]
    end = source.starts[number] if number < len(source.starts) else len(source.text)
    return Span(source, source.starts[number - 1], end)


def _after(line: Line) -> Span:
    """The end of a line, behind its comment."""
    source = line.source
    end = source.text.find("\n", line.end)
    at = len(source.text) if end < 0 else end - (source.text[end - 1] == "\r")
    return Span(source, at, at)
