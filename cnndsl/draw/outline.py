"""What there is to draw: a network as a tree of items, with the links between those that stand side by side.

An item is a layer together with what only dresses it (a norm, an activation, dropout), a block's call, or a row of
equal items that is drawn once and counted. It does not say how large anything is on paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnndsl.draw.item import OUTSIDE, SAME, Change, Changes, Item, Link, Numbers
from cnndsl.draw.rows import folded_rows, staged
from cnndsl.draw.words import role_of, title_of
from cnndsl.graph import INPUT, BlockCall, Edge, Graph, Node
from cnndsl.layers.bind import written
from cnndsl.measure import Analysis

DRESSING = frozenset({"normalisation", "activation", "regularisation"})
"""Families of kinds that are drawn with the layer before them, if that is the only one they take."""

__all__ = ["OUTSIDE", "SAME", "Change", "Changes", "Item", "Link", "Numbers", "outline"]


def outline(
    graph: Graph, analysis: Analysis, faults: dict[int, str] | None = None, changes: Changes | None = None
) -> Item:
    """The whole network as one item. faults: what is wrong, by the numbers of nodes. changes: what became of them, if
    the graph is that of two networks (`difference.py`)."""
    return _Outline(graph, analysis, faults or {}, changes or Changes({})).whole()


class _Outline:
    def __init__(self, graph: Graph, analysis: Analysis, faults: dict[int, str], changes: Changes) -> None:
        self.graph = graph
        self.analysis = analysis
        self.faults = faults
        self.changes = changes
        self.auxiliary = graph.auxiliary()
        self.results: dict[int, list[str]] = {}
        for output in graph.outputs:
            self.results.setdefault(output.edge.node, []).append(output.name)
        self.passed: dict[int, Edge] = {}
        """Identities, which are not drawn, and what they pass on."""
        self.takers: list[list[int]] = [[] for _ in graph.nodes]
        for node in graph.nodes:
            if node.kind == "identity" and node.index not in self.results and len(node.inputs) == 1:
                self.passed[node.index] = self.source(node.inputs[0])
            else:
                for edge in node.inputs:
                    self.takers[self.source(edge).node].append(node.index)

    def source(self, edge: Edge) -> Edge:
        """The tensor of an edge, as something drawn gives it."""
        return self.passed.get(edge.node, edge)

    def whole(self) -> Item:
        graph = self.graph
        call = BlockCall(graph.name, graph.name, {}, 0, len(graph.nodes), Edge(0), None)
        main = next((o.edge for o in graph.outputs if not o.training), None)
        item = self._made(call, self._children(call, self._nested(), 0), 0)
        shape = graph.shape_of(main) if main is not None else None
        numbers, totals = item.numbers, self.analysis.totals
        if totals is not None:  # as `check` has them: without what only training needs, and before what sees everything
            numbers = numbers._replace(params=totals.params, macs=totals.macs, field=totals.features_field)
        return item._replace(
            kind="network",
            title=graph.name,
            span=graph.span,
            result=main,
            shape=shape,
            numbers=numbers,
            input_shape=None,
        )

    # --- the tree -----------------------------------------------------------------------------------------------

    def _nested(self) -> dict[int, list[BlockCall]]:
        """Calls by their first node, outermost first."""
        starts: dict[int, list[BlockCall]] = {}
        for call in self.graph.calls:
            if call.last > call.first:
                starts.setdefault(call.first, []).append(call)
        return starts

    def _children(self, call: BlockCall, starts: dict[int, list[BlockCall]], depth: int) -> list[Item]:
        """What is in a call that stands in `depth` others: its layers, and the calls in it."""
        children: list[Item] = []
        at = call.first
        while at < call.last:
            waiting = starts.get(at)
            if waiting:
                inner = waiting.pop(0)
                if not self._only_dresses(children, inner):
                    inside = self._children(inner, starts, depth + 1)
                    if inside:
                        children.append(self._call(inner, inside, depth))
                at = inner.last
            else:
                if at not in self.passed:
                    self._layer(children, self.graph.nodes[at])
                at += 1
        return children

    def _only_dresses(self, children: list[Item], call: BlockCall) -> bool:
        """Add a call's layers to the item before, if they do nothing but dress it."""
        nodes = [self.graph.nodes[at] for at in range(call.first, call.last) if at not in self.passed]
        families = {node.layer.family if node.layer is not None else None for node in nodes}
        if not children or not nodes or not families <= DRESSING or not self._dresses(nodes[0], children[-1]):
            return False
        before = children[:]
        for node in nodes:
            self._layer(children, node)
        if len(children) == len(before):
            return True
        children[:] = before
        return False

    def _call(self, call: BlockCall, children: list[Item], depth: int) -> Item:
        """A call as an item; one that holds a single layer is that layer."""
        if len(children) == 1 and not children[0].children:
            return children[0]
        return self._made(call, children, depth)

    def _made(self, call: BlockCall, children: list[Item], depth: int) -> Item:
        links = self._links(children, whole=call.last - call.first == len(self.graph.nodes))
        children, links = staged(*folded_rows(children, links, self.numbers), self.numbers)
        first = self.graph.nodes[call.first] if call.last > call.first else None
        return self._item(
            call.name,
            "block",
            _call_title(call),
            tuple(range(call.first, call.last)),
            call.result,
            role="block",
            children=tuple(children),
            links=tuple(links),
            span=None if first is None else first.calls[depth] if depth < len(first.calls) else first.span,
            input_shape=self.graph.shape_of(call.input) if first is not None else None,
            named=call.named,
        )

    def _layer(self, children: list[Item], node: Node) -> None:
        """Add a layer as an item of its own, or to the one before if it only dresses that."""
        before = children[-1] if children else None
        if before is not None and self._dresses(node, before):
            nodes = (*before.nodes, node.index)
            children[-1] = self._item(
                before.id,
                before.kind,
                before.title,
                nodes,
                Edge(node.index),
                role=before.role,
                span=before.span,
                dress=(*before.dress, title_of(node)),
                input_shape=before.input_shape,
                named=before.named or node.named,
            )
            return
        shapes = [self.graph.shape_of(edge) for edge in node.inputs]
        children.append(
            self._item(
                node.name,
                node.kind,
                title_of(node),
                (node.index,),
                Edge(node.index),
                role=role_of(node),
                span=node.span,
                input_shape=shapes[0] if shapes else None,
                named=node.named,
            )
        )

    def _dresses(self, node: Node, before: Item) -> bool:
        last = before.nodes[-1]
        return (
            node.layer is not None
            and node.layer.family in DRESSING
            and not before.children
            and before.kind != INPUT
            and [self.source(edge).node for edge in node.inputs] == [last]
            and len(self.takers[last]) == 1
            and last not in self.results
            and (node.shapes is not None or before.shape is None)
            and node.index not in self.faults
            and self._fares_as(node.index, before)
        )

    def _fares_as(self, node: int, before: Item) -> bool:
        """Whether a layer came or went with the item before it, if either did."""
        passing = ("added", "removed")
        change = self.changes.layers.get(node, SAME).what
        return change == before.change.what or not (change in passing or before.change.what in passing)

    def _item(self, id: str, kind: str, title: str, nodes: tuple[int, ...], result: Edge | None, **more: Any) -> Item:
        shape = self.graph.shape_of(result) if result is not None else None
        own = set(nodes)
        return Item(
            id,
            kind,
            title,
            nodes,
            self.numbers(nodes, result),
            result=result,
            shape=shape,
            outputs=tuple(name for index in nodes for name in self.results.get(index, ())),
            fault=next((self.faults[n] for n in nodes if n in self.faults), None),
            auxiliary=own <= self.auxiliary,
            change=self._change(nodes, layer=kind != "block"),
            shares=self._owner(nodes),
            **more,
        )

    def _owner(self, nodes: tuple[int, ...]) -> str | None:
        """The name of the layer whose weights are used, if the first layer that has any has none of its own."""
        owners = [self.graph.nodes[n].shares for n in nodes]
        return next((self.graph.nodes[n].name for n in owners if n is not None), None)

    def _change(self, nodes: tuple[int, ...], *, layer: bool) -> Change:
        """What became of an item with these layers, which are a layer and what dresses it, or a block's."""
        if not self.changes.layers:
            return SAME
        found = [self.changes.layers.get(n, SAME) for n in nodes]
        kinds = {one.what for one in found}
        if not layer:
            return Change(kinds.pop() if len(kinds) == 1 else "changed")
        said = ", ".join(dict.fromkeys(one.said for one in found if one.said))
        return Change(found[0].what if len(kinds) == 1 else "changed", said, found[0].was)

    def numbers(self, nodes: Iterable[int], result: Edge | None) -> Numbers:
        nodes = [*nodes]
        gone = [n for n in nodes if n in self.changes.layers and self.changes.layers[n].what == "removed"]
        if gone and len(gone) < len(nodes):
            nodes = [n for n in nodes if n not in gone]
        layers = [self.analysis.layers[n] for n in nodes]
        seen = self.analysis.layers[result.node] if result is not None else None
        field = seen.receptive_field if seen is not None else None
        if any(m is None for m in layers):
            return Numbers(None, None, None, field)
        known = [m for m in layers if m is not None]
        return Numbers(sum(m.params for m in known), sum(m.macs for m in known), sum(m.saved for m in known), field)

    # --- links --------------------------------------------------------------------------------------------------

    def _links(self, children: list[Item], *, whole: bool) -> list[Link]:
        """Every tensor that goes between children, into them from outside, or out of them, once. Results of the network
        leave every block."""
        place = {index: number for number, child in enumerate(children) for index in child.nodes}
        found: dict[Link, None] = {}
        for number, child in enumerate(children):
            for index in child.nodes:
                if index in self.passed:
                    continue
                for edge in map(self.source, self.graph.nodes[index].inputs):
                    source = place.get(edge.node, OUTSIDE)
                    if source != number:
                        found[Link(source, number, edge, self._link_change(index, edge))] = None
                if any(taker not in place for taker in self.takers[index]) or (index in self.results and not whole):
                    found[Link(number, OUTSIDE, Edge(index))] = None
        return _settled(list(found)) if self.changes.layers else list(found)

    def _link_change(self, taker: int, edge: Edge) -> str:
        """What became of a link: with a layer that came or went, its links do."""
        for what, links in (("removed", self.changes.removed), ("added", self.changes.added)):
            if (taker, edge) in links or any(self.changes.layers.get(n, SAME).what == what for n in (taker, edge.node)):
                return what
        return ""


def _settled(links: list[Link]) -> list[Link]:
    """Links of two networks; one that is gone and one that is new between the same ends are one that stayed."""
    kinds: dict[tuple[int, int], set[str]] = {}
    for link in links:
        kinds.setdefault((link.source, link.target), set()).add(link.change)
    settled = []
    for link in links:
        found = kinds[link.source, link.target]
        if len(found) == 1:
            settled.append(link)
        elif link.change != "removed":
            settled.append(link._replace(change=""))
    return list(dict.fromkeys(settled))


def _call_title(call: BlockCall) -> str:
    """A call as one would write it with its numbers: `bottleneck 128 /2`. What the block sets itself is left out, and
    so are fractions: rates and factors that change no shape."""
    words = [call.block]
    for name in call.given:
        value = call.values[name]
        if name == "stride":
            words += [f"/{written(value)}"] if value != 1 else []
        elif value is True:
            words.append(name)
        elif value is not False and not isinstance(value, float) and not callable(value):
            words.append(written(value))
    return " ".join(words)
