"""Where the errors of a spec stand in the picture of its network."""

from __future__ import annotations

from collections.abc import Iterable

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Graph, Node
from cnndsl.record import Record
from cnndsl.source import Span


class Faults(Record):
    """Errors as pictures show them. by_node: a text each, by the number of the node; loose: those of no node, as a
    line that can't be read."""

    by_node: dict[int, str]
    loose: tuple[str, ...]


def faults(graph: Graph, diagnostics: Iterable[Diagnostic]) -> Faults:
    """The errors among the diagnostics of the graph's file, each at the first layer that it is about."""
    by_node: dict[int, str] = {}
    loose: list[str] = []
    for diagnostic in diagnostics:
        if diagnostic.severity != "error":
            continue
        text = f"{diagnostic.code}, line {diagnostic.span.line}: {diagnostic.message_text()}"
        node = _at(graph, diagnostic.span)
        if node is None:
            loose.append(text)
        else:
            by_node.setdefault(node.index, text)
    return Faults(by_node, tuple(loose))


def _at(graph: Graph, span: Span) -> Node | None:
    """The node that a place is about: the smallest item that holds it, the first without a shape of several; else
    the last item before it on its line, as a claim is about that."""
    holding = [node for node in graph.nodes if _holds(node.span, span)]
    if holding:
        return min(holding, key=lambda node: (node.shapes is not None, node.span.end - node.span.start))
    called = [node for node in graph.nodes if any(_holds(call, span) for call in node.calls)]
    if called:
        return min(called, key=lambda node: node.shapes is not None)
    start = span.source.text.rfind("\n", 0, span.start) + 1
    near = [node for node in graph.nodes if node.span.source is span.source]
    before = [node for node in near if start <= node.span.start and node.span.end <= span.start]
    return max(before, key=lambda node: node.index, default=None)


def _holds(whole: Span, part: Span) -> bool:
    return whole.source is part.source and whole.start <= part.start and part.end <= whole.end
