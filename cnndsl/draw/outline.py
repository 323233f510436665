"""What there is to draw: a network as a tree of items, with the links between those that stand side by side.

An item is a layer together with what only dresses it (a norm, an activation, dropout), a block's call, or a row of
equal items that is drawn once and counted. It does not say how large anything is on paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnndsl.draw.words import role_of, title_of
from cnndsl.graph import INPUT, BlockCall, Edge, Graph, Node
from cnndsl.layers.bind import written
from cnndsl.measure import Analysis
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.source import Span

OUTSIDE = -1
"""In a link: the surroundings of the item that holds both ends."""
DRESSING = frozenset({"normalisation", "activation", "regularisation"})
"""Families of kinds that are drawn with the layer before them, if that is the only one they take."""
LONGEST_PERIOD = 12
"""Items in a row that may be repeated together."""


class Numbers(Record):
    """Sums over an item's layers, of all its repeats; None where one is unknown. field: what its result sees of the
    input, per axis. saved: bytes kept for the backward pass."""

    params: int | None
    macs: int | None
    saved: int | None
    field: tuple[int, ...] | None


class Link(Record):
    """A tensor that goes from one child to another, by their numbers; OUTSIDE is what surrounds them.

    edge: the tensor. change: `added` or `removed` in a picture of two networks.
    """

    source: int
    target: int
    edge: Edge
    change: str = ""


class Change(Record):
    """What became of a layer between two networks. what: `added`, `removed`, `changed` or, where it stayed as it is,
    empty. said: what changed, in the user's words. was: its numbers before, by name, for people."""

    what: str
    said: str = ""
    was: tuple[tuple[str, str], ...] = ()


class Changes(Record):
    """What became of everything, in a picture of two networks. layers: by the numbers of nodes. added, removed: links
    that are new or gone, as the number of the node that takes and the tensor."""

    layers: dict[int, Change]
    added: frozenset[tuple[int, Edge]] = frozenset()
    removed: frozenset[tuple[int, Edge]] = frozenset()


SAME = Change("")


class Item(Record):
    """A layer, block or repeat. Items are equal if they are drawn equally; their numbers may differ.

    id: the name of its layer or call, unique. kind: the layer's kind, `block`, `repeat` or `input`. title: what it is,
    as written with its numbers: `conv 3x3x64 /2`, `bottleneck 64`. dress: titles of the layers that are drawn with it.
    nodes: the numbers of all its layers, those of every repeat included. result: the tensor it gives. shape: that
    one's shape. role: the role of its colour. children, links: what is in it, empty for a layer; links in order.
    count: how often it stands in a row. named: whether the spec names it. outputs: names of the network's outputs that
    it gives. fault: what is wrong with it. auxiliary: whether it only serves training. change: what became of it, in a
    picture of two networks. until: in a repeat, the shape that the last one gives, if it is another.
    """

    id: str
    kind: str
    title: str
    nodes: tuple[int, ...]
    numbers: Numbers
    dress: tuple[str, ...] = ()
    result: Edge | None = None
    shape: Shape | None = None
    input_shape: Shape | None = None
    role: str = "other"
    children: tuple[Item, ...] = ()
    links: tuple[Link, ...] = ()
    count: int = 1  # type: ignore[assignment]  # hides tuple.count
    span: Span | None = None
    named: bool = False
    outputs: tuple[str, ...] = ()
    fault: str | None = None
    auxiliary: bool = False
    change: Change = SAME
    until: Shape | None = None

    @property
    def main(self) -> int:
        """The number of the layer that gives a layer item its name; of a block, its first."""
        return self.nodes[0]


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
        return item._replace(kind="network", title=graph.name, span=graph.span, result=main, input_shape=None)

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
                inside = self._children(inner, starts, depth + 1)
                if inside:
                    children.append(self._call(inner, inside, depth))
                at = inner.last
            else:
                if at not in self.passed:
                    self._layer(children, self.graph.nodes[at])
                at += 1
        return children

    def _call(self, call: BlockCall, children: list[Item], depth: int) -> Item:
        """A call as an item; one that holds a single layer is that layer."""
        if len(children) == 1 and not children[0].children:
            return children[0]
        return self._made(call, children, depth)

    def _made(self, call: BlockCall, children: list[Item], depth: int) -> Item:
        links = self._links(children)
        children, links = folded_rows(children, links, self)
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
            **more,
        )

    def _change(self, nodes: tuple[int, ...], *, layer: bool) -> Change:
        """What became of an item with these layers, which are a layer and what dresses it, or a block's."""
        if not self.changes.layers:
            return SAME
        found = [self.changes.layers.get(n, SAME) for n in nodes]
        kinds = {one.what for one in found}
        if not layer:
            return Change(kinds.pop() if len(kinds) == 1 else "changed")
        said = ", ".join(one.said for one in found if one.said)
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

    def _links(self, children: list[Item]) -> list[Link]:
        """Every tensor that goes between children, into them from outside, or out of them, once."""
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
                if any(taker not in place for taker in self.takers[index]):
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


# --- rows of equals -------------------------------------------------------------------------------------------------


def folded_rows(children: list[Item], links: list[Link], outline: _Outline) -> tuple[list[Item], list[Link]]:
    """The children with rows of equals made one, and the links between what is left."""
    rows = _rows(children, links)
    if not rows:
        return children, links
    result: list[Item] = []
    place: dict[int, int] = {OUTSIDE: OUTSIDE}
    at = 0
    for first, period, count in [*rows, (len(children), 1, 0)]:
        while at < first:
            place[at] = len(result)
            result.append(children[at])
            at += 1
        if count:
            place.update(dict.fromkeys(range(first, first + period * count), len(result)))
            result.append(_row(children, links, first, period, count, outline))
            at = first + period * count
    moved = dict.fromkeys(
        link._replace(source=place[link.source], target=place[link.target])
        for link in links
        if place[link.source] != place[link.target]
    )
    return result, list(moved)


def _row(children: list[Item], links: list[Link], first: int, period: int, count: int, outline: _Outline) -> Item:
    """The items `first` to `first + period * count` as one: the first of them, counted."""
    members = children[first : first + period * count]
    nodes = tuple(n for member in members for n in member.nodes)
    last = members[-1]
    common: dict[str, Any] = {
        "nodes": nodes,
        "numbers": outline.numbers(nodes, last.result),
        "result": last.result,
        "shape": last.shape,
        "count": count,
        "outputs": tuple(name for member in members for name in member.outputs),
    }
    until = members[-period:]
    head = _grown(members[0], until[0])
    if period == 1:
        return head._replace(**common, until=None)
    inner = [
        link._replace(
            source=link.source - first if first <= link.source < first + period else OUTSIDE,
            target=link.target - first if first <= link.target < first + period else OUTSIDE,
        )
        for link in links
        if first <= link.source < first + period or first <= link.target < first + period
    ]
    titles = " · ".join(dict.fromkeys(member.title.split(" ")[0] for member in members[:period]))
    return Item(
        f"{head.id}…",
        "repeat",
        titles,
        role="block",
        children=tuple(_grown(first, last) for first, last in zip(members[:period], until, strict=True)),
        links=tuple(dict.fromkeys(inner)),
        span=head.span,
        input_shape=head.input_shape,
        auxiliary=head.auxiliary,
        **common,
    )


def _grown(first: Item, last: Item) -> Item:
    """An item of the first of some repeats, with the shapes that become others until the last."""
    children = zip(first.children, last.children, strict=True)
    until = last.until or last.shape
    return first._replace(
        until=until if until != first.shape else None, children=tuple(_grown(one, other) for one, other in children)
    )


def _rows(children: list[Item], links: list[Link]) -> list[tuple[int, int, int]]:
    """Rows of equals as (first, period, count), in order: each member takes only what the one before it gives."""
    signs = [_signature(child) for child in children]
    chained = _chained(len(children), links)
    rows = []
    at = 0
    while at < len(children):
        best = (0, 1, 0)
        for period in range(1, min(LONGEST_PERIOD, (len(children) - at) // 2) + 1):
            count = _times(signs, chained, at, period)
            if count > 1 and period * count > best[1] * best[2]:
                best = (at, period, count)
        if best[2]:
            rows.append(best)
            at += best[1] * best[2]
        else:
            at += 1
    return rows


def _chained(count: int, links: list[Link]) -> list[bool]:
    """For each child: whether all it takes is what the child before it gives, which nobody else takes."""
    sources: list[set[int]] = [set() for _ in range(count)]
    targets: list[set[int]] = [set() for _ in range(count)]
    for link in links:
        if link.target != OUTSIDE:
            sources[link.target].add(link.source)
        if link.source != OUTSIDE:
            targets[link.source].add(link.target)
    return [i > 0 and sources[i] == {i - 1} and targets[i - 1] == {i} for i in range(count)]


def _times(signs: list[Any], chained: list[bool], first: int, period: int) -> int:
    """How often the `period` items from `first` on stand in a row."""
    count, at = 1, first + period
    if any(not chained[i] for i in range(first + 1, first + period)):
        return 1
    while at + period <= len(signs):
        if signs[at : at + period] != signs[first : first + period] or not all(chained[at : at + period]):
            break
        count, at = count + 1, at + period
    return count


def _signature(item: Item) -> Any:
    """What makes items equal on paper: what they are and what is in them; not their channels or names."""
    spatial = item.shape.spatial if item.shape is not None else None
    if not item.children:
        titles = tuple(map(_without_rate, (item.title, *item.dress)))
        return titles, spatial, item.count, item.fault, item.auxiliary, bool(item.outputs), item.change
    inner = tuple((link.source, link.target) for link in item.links)
    return item.kind, tuple(map(_signature, item.children)), inner, item.count, spatial, item.fault


def _without_rate(title: str) -> str:
    """A layer's title; of regularisation, whose rates grow with the depth, the kind alone."""
    kind, _, _ = title.partition(" ")
    return kind if kind in ("dropout", "droppath") else title
