"""The layers that a name, a path or a line number means, and all that is known of one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cnndsl.diagnostics import Diagnostic, closest
from cnndsl.explain import Derivation
from cnndsl.explain.derive import derive, outputs_asked
from cnndsl.explain.origin import origins
from cnndsl.graph import INPUT, Graph, Node
from cnndsl.pipeline import Checked, Options
from cnndsl.source import Span

_LINE = re.compile(r"([0-9]{1,9})(?::([0-9]{1,9}))?")
_SHOWN = 8
"""Layers that are named in a message."""


class NotFound(Exception):  # noqa: N818
    """No layer is meant, or too many: the text says which there are."""


class Found:
    """The layers meant: those to explain, of one network, and others that came from the same place in the spec."""

    def __init__(self, graph: Graph, nodes: list[Node], others: Iterable[str] = ()) -> None:
        self.graph = graph
        self.nodes = nodes
        self.others = tuple(others)


def find(checked: Checked, text: str) -> Found:
    """What `text` means in a file: a layer's name, the item in a line, or at a line and column. Raises NotFound."""
    graphs = [one.graph for one in checked.networks]
    if not graphs:
        raise NotFound(f"{checked.source.name} holds no network whose layers could be explained.")
    place = _LINE.fullmatch(text)
    if place is not None:
        return _at(checked, graphs, int(place[1]), int(place[2]) if place[2] else None)
    for graph in graphs:
        for node in graph.nodes:
            if node.name == text:
                return Found(graph, [node], _elsewhere(graphs, graph, text))
    for graph in graphs:
        inside = [n.name for n in graph.nodes if n.name.startswith((f"{text}.", f"{text}["))]
        if inside:
            raise NotFound(f"'{text}' is not one layer: did you mean {_listed(inside)}?")
    raise NotFound(_unknown(graphs, text))


def _unknown(graphs: list[Graph], text: str) -> str:
    said = f"No layer is named '{text}'."
    names = list(dict.fromkeys(node.name for graph in graphs for node in graph.nodes))
    inner = [name for name in names if name.endswith(f".{text}")]
    if inner:
        return f"{said} Did you mean {_listed(inner)}?"
    near = closest(text, names)
    return f"{said} Did you mean '{near}'?" if near else f"{said} There are {_listed(names)}."


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more


def _elsewhere(graphs: list[Graph], graph: Graph, name: str) -> list[str]:
    """The other networks that have a layer of that name."""
    return [other.name for other in graphs if other is not graph and any(node.name == name for node in other.nodes)]


def _at(checked: Checked, graphs: list[Graph], line: int, column: int | None) -> Found:
    """The layers that a line's items made, or the item at a column; of a repeated line those that it made first."""
    source = checked.source
    if not 1 <= line <= len(source.starts):
        raise NotFound(f"{source.name} has {len(source.starts):,} lines.")
    for graph in graphs:
        nodes = [node for node in graph.nodes if _covers(node.span, checked, line, column)]
        if nodes:
            first: dict[Span, Node] = {}
            for node in nodes:
                first.setdefault(node.span, node)
            shown = list(first.values())
            return Found(graph, shown, [node.name for node in nodes if node not in shown])
        called = [n.name for n in graph.nodes if any(_covers(span, checked, line, column) for span in n.calls)]
        if called:
            raise NotFound(f"Line {line} calls a block, which makes {_listed(called)}: name one of them.")
    where = f"line {line}" if column is None else f"line {line}, column {column}"
    raise NotFound(f"No layer is made by {where} of {source.name}.")


def _covers(span: Span, checked: Checked, line: int, column: int | None) -> bool:
    """Whether a place lies in a line of the file, and has the column in it."""
    if span.source is not checked.source:
        return False
    start, first = span.source.position(span.start)
    return start == line and (column is None or first <= column <= first + (span.end - span.start) - 1)


# --- all about one --------------------------------------------------------------------------------------------------


def explain(checked: Checked, options: Options, graph: Graph, node: Node, others: tuple[str, ...] = ()) -> Derivation:
    """All that is known of a layer."""
    takers = [one.name for one in graph.nodes if any(edge.node == node.index for edge in one.inputs)]
    takers += [f"the output `{one.name}`" for one in graph.outputs if one.edge.node == node.index]
    inputs = tuple((graph.nodes[edge.node].name, str(graph.shape_of(edge) or "?")) for edge in node.inputs)
    return Derivation(
        node.name,
        node.kind,
        graph.name,
        inputs,
        tuple(map(str, (node.shapes or ())[: outputs_asked(graph, node)])),
        tuple(takers),
        origins(checked, options, graph, node) if node.kind != INPUT else (),
        derive(graph, node),
        tuple(faults(checked, node)) if node.shapes is None else (),
        _cause(graph, node),
        None,
        others,
    )


def faults(checked: Checked, node: Node) -> list[Diagnostic]:
    """The errors within a node's item."""
    inside = (d for d in checked.diagnostics if d.severity == "error" and d.span.source is node.span.source)
    return [d for d in inside if node.span.start <= d.span.start <= d.span.end <= node.span.end]


def _cause(graph: Graph, node: Node) -> str | None:
    """The layer further up that has no shape through a fault of its own."""
    seen = {node.index}
    queue = [edge.node for edge in node.inputs]
    cause = None
    while queue:
        index = queue.pop()
        if index in seen or graph.nodes[index].shapes is not None:
            continue
        seen.add(index)
        cause = graph.nodes[index].name
        queue += [edge.node for edge in graph.nodes[index].inputs]
    return cause
