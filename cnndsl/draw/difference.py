"""Two networks as one graph, for a picture of what was added, removed and changed.

It is the second network's graph, with the layers that only the first had where they stood between the others. A link
that is gone since a layer came between its ends, or new since one went, is left out: the layer tells as much.
"""

from __future__ import annotations

from cnndsl.compare import Comparison, Pair
from cnndsl.draw.outline import Change, Changes
from cnndsl.graph import BlockCall, Edge, Graph, Node
from cnndsl.measure import Analysis, LayerMeasure
from cnndsl.numbers import UNKNOWN, axes_text, grouped
from cnndsl.record import Record


class United(Record):
    """Both networks as one, and what became of each layer and link."""

    graph: Graph
    analysis: Analysis
    changes: Changes


def united(comparison: Comparison) -> United:
    """The graph of both networks of a comparison."""
    return _Union(comparison).united()


class _Union:
    def __init__(self, comparison: Comparison) -> None:
        self.pairs = comparison.pairs
        self.a, self.b = comparison.a, comparison.b
        self.of_a = {pair.a: new for new, pair in enumerate(self.pairs) if pair.a is not None}
        self.of_b = {pair.b: new for new, pair in enumerate(self.pairs) if pair.b is not None}
        self.names: set[str] = {node.name for node in self.b.graph.nodes}

    def united(self) -> United:
        nodes = [self._node(new, pair) for new, pair in enumerate(self.pairs)]
        layers = tuple(map(self._measure, self.pairs))
        changes = {new: self._change(pair) for new, pair in enumerate(self.pairs)}
        removed = frozenset(link for link in self._gone(nodes) if not _leads(nodes, changes, "added", *link))
        added = frozenset((node.index, edge) for node in nodes for edge in node.inputs if self._is_new(node, edge))
        for taker, edge in sorted(removed):
            nodes[taker] = nodes[taker]._replace(inputs=(*nodes[taker].inputs, edge))
        short = frozenset(link for link in added if _leads(nodes, changes, "removed", *link))
        for taker, edge in short:
            nodes[taker] = nodes[taker]._replace(inputs=tuple(e for e in nodes[taker].inputs if e != edge))
        graph = self.b.graph._replace(
            nodes=tuple(nodes),
            inputs=tuple(self.of_b[i] for i in self.b.graph.inputs),
            outputs=tuple(
                one._replace(edge=self._edge(one.edge, self.of_b), first=0, last=0) for one in self.b.graph.outputs
            ),
            calls=tuple(self._calls()),
        )
        analysis = self.b.analysis._replace(layers=layers, misaligned={})
        return United(graph, analysis, Changes(changes, added - short, removed))

    # --- nodes --------------------------------------------------------------------------------------------------

    def _node(self, new: int, pair: Pair) -> Node:
        graph, number, to = (
            (self.b.graph, pair.b, self.of_b) if pair.b is not None else (self.a.graph, pair.a, self.of_a)
        )
        assert number is not None
        node = graph.nodes[number]
        name = node.name
        if pair.b is None:
            while name in self.names:
                name += "′"
            self.names.add(name)
        return node._replace(
            index=new,
            name=name,
            inputs=tuple(self._edge(edge, to) for edge in node.inputs),
            shares=None if node.shares is None else to[node.shares],
        )

    def _edge(self, edge: Edge, to: dict[int, int]) -> Edge:
        return edge._replace(node=to[edge.node])

    def _measure(self, pair: Pair) -> LayerMeasure | None:
        side, number = (self.b, pair.b) if pair.b is not None else (self.a, pair.a)
        assert number is not None
        return side.analysis.layers[number]

    def _change(self, pair: Pair) -> Change:
        if pair.what in ("added", "removed"):
            return Change(pair.what)
        said = ", ".join([*(change.said for change in pair.changes), *["moved"] * pair.moved])
        return Change("changed" if said else "", said, self._was(pair))

    def _was(self, pair: Pair) -> tuple[tuple[str, str], ...]:
        """The numbers of a layer in the first network that are others in the second."""
        assert pair.a is not None
        assert pair.b is not None
        before, after = (
            _numbers(side.graph.nodes[number], side.analysis.layers[number])
            for side, number in ((self.a, pair.a), (self.b, pair.b))
        )
        return tuple((name, value) for name, value in before.items() if value != after[name])

    # --- links --------------------------------------------------------------------------------------------------

    def _gone(self, nodes: list[Node]) -> frozenset[tuple[int, Edge]]:
        """The links of the first network that the second has not, but for those that would lead backwards."""
        found = set()
        for node in self.a.graph.nodes:
            taker = self.of_a[node.index]
            for edge in node.inputs:
                moved = self._edge(edge, self.of_a)
                if moved not in nodes[taker].inputs and moved.node < taker:
                    found.add((taker, moved))
        return frozenset(found)

    def _is_new(self, node: Node, edge: Edge) -> bool:
        """Whether the first network has both ends of a link, but not the link."""
        taker, giver = self.pairs[node.index], self.pairs[edge.node]
        if taker.a is None or giver.a is None or taker.b is None:
            return False
        return all(self.of_a[e.node] != edge.node for e in self.a.graph.nodes[taker.a].inputs)

    # --- blocks -------------------------------------------------------------------------------------------------

    def _calls(self) -> list[BlockCall]:
        """The second network's blocks, and those of the first that are gone as a whole."""
        calls = [self._moved(call, self.of_b) for call in self.b.graph.calls if call.last > call.first]
        for call in self.a.graph.calls:
            numbers = [self.of_a[n] for n in range(call.first, call.last)]
            whole = [*range(numbers[0], numbers[0] + len(numbers))] if numbers else []
            if numbers and numbers == whole and all(self.pairs[n].what == "removed" for n in numbers):
                calls.append(self._moved(call, self.of_a))
        return sorted(calls, key=lambda call: (call.first, -call.last))

    def _moved(self, call: BlockCall, to: dict[int, int]) -> BlockCall:
        numbers = [to[n] for n in range(call.first, call.last)]
        return call._replace(
            first=min(numbers),
            last=max(numbers) + 1,
            input=self._edge(call.input, to),
            result=None if call.result is None else self._edge(call.result, to),
            choices=(),
        )


def _leads(nodes: list[Node], changes: dict[int, Change], what: str, taker: int, edge: Edge) -> bool:
    """Whether a way from a tensor to its taker leads through layers that were all added (or all removed): then the link
    between the two says nothing that the way does not."""
    waiting = [nodes[e.node] for e in nodes[taker].inputs if changes[e.node].what == what]
    seen = {node.index for node in waiting}
    while waiting:
        for e in waiting.pop().inputs:
            if e == edge:
                return True
            if changes[e.node].what == what and e.node not in seen:
                seen.add(e.node)
                waiting.append(nodes[e.node])
    return False


def _numbers(node: Node, measure: LayerMeasure | None) -> dict[str, str]:
    shape = UNKNOWN if node.results is None else ", ".join(map(str, node.results))
    return {
        "output": shape,
        "params": grouped(None if measure is None else measure.params),
        "MACs": grouped(None if measure is None else measure.macs),
        "receptive field": UNKNOWN if measure is None else axes_text(measure.receptive_field),
    }
