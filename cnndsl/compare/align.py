"""Which layer of one network is which of another.

What is certain comes first: inputs by their names, then every layer that is the same and takes what is paired
already, from the inputs on and back from the outputs. That needs no order, so branches may have changed places, and
no blocks, so these may have been written out. What is left is aligned in the order of the layers by a score of kinds,
arguments, shapes, neighbours and names, in which layers with weights count double; then what was moved is looked
for, and what stands between the same neighbours.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from cnndsl.compare import ORDERLESS, plain, written_arguments
from cnndsl.compare.sequence import align as aligned
from cnndsl.graph import INPUT, Edge, Graph, Node
from cnndsl.layers.base import Layer, WeightedLayer
from cnndsl.layers.bind import written

ANCHORED = 40_000
"""Pairs of layers from which on anchors shorten the work."""
_AHEAD = 4
"""How many steps ahead and behind two layers that might be one are compared."""

_NUMBER = re.compile(r"_[0-9]+(?=[.\[]|$)|\[[0-9]+\]")


def align(a: Graph, b: Graph) -> dict[int, int]:
    """The pairs, as numbers of `b`'s nodes by those of `a`'s. Every node is in one pair at most.

    The pairs of `align(b, a)` are the same ones, the other way round: of several that are equally good, the choice
    does not hang on which network comes first.
    """
    if _rank(b) < _rank(a):
        return {i: j for j, i in _Alignment(b, a).run().items()}
    return _Alignment(a, b).run()


def _rank(graph: Graph) -> tuple[Any, ...]:
    """What tells two networks apart, whichever comes first."""
    return len(graph.nodes), [(node.name, node.kind, repr(node.layer), node.inputs) for node in graph.nodes]


def unnumbered(name: str) -> str:
    """A name without the numbers that tell equal ones apart: `stage[1].relu_2` is `stage.relu`."""
    return _NUMBER.sub("", name)


class _Traits:
    """What pairs are found by, for the nodes of one graph: equal numbers for equal things in both.

    signature: of the kind and its arguments. shape: of the outputs; spatial: of the first's
    without channels. name, base: of the whole name and of the
    name without numbers; last, parent: of that name's last step, and of what is before it. ahead, behind: of the
    layers that follow, and that come before, within one step, two and more.
    """

    def __init__(self, graph: Graph, ids: dict[Any, int]) -> None:
        self.graph = graph
        self.nodes = graph.nodes
        bases = [unnumbered(node.name) for node in graph.nodes]
        steps = [base.rpartition(".") for base in bases]
        self.signature = [_id(ids, _signature(node)) for node in graph.nodes]
        self.shape = [_id(ids, ("shape", node.shapes)) for node in graph.nodes]
        self.spatial = [_id(ids, ("spatial", node.shapes and node.shapes[0].spatial)) for node in graph.nodes]
        self.name = [_id(ids, ("name", node.name)) for node in graph.nodes]
        self.base = [_id(ids, ("base", base)) for base in bases]
        self.last = [_id(ids, ("last", last)) for _, _, last in steps]
        self.parent = [_id(ids, ("parent", parent)) for parent, _, _ in steps]
        self.bases = Counter(self.base)
        self.by_name = {node.name: node.index for node in graph.nodes}
        self.block, self.call = self._calls(ids)
        self.takers: list[list[int]] = [[] for _ in graph.nodes]
        for node in graph.nodes:
            for edge in node.inputs:
                self.takers[edge.node].append(node.index)
        self.ahead = self._around("ahead", self.takers, ids)
        self.behind = self._around("behind", [[edge.node for edge in node.inputs] for node in graph.nodes], ids)

    def _calls(self, ids: dict[Any, int]) -> tuple[list[int], list[int]]:
        """For each node, the block that it is directly in, and that block with the values that the call gives it."""
        blocks, calls = [-1] * len(self.nodes), [-1] * len(self.nodes)
        for call in self.graph.calls:
            block = _id(ids, ("block", call.block))
            values = tuple(written(call.values[name]) for name in call.given if not callable(call.values[name]))
            given = _id(ids, ("call", call.block, values))
            for index in range(call.first, call.last):
                blocks[index], calls[index] = block, given
        return blocks, calls

    def _around(self, side: str, near: list[list[int]], ids: dict[Any, int]) -> list[tuple[int, ...]]:
        """For each node, what stands around it: one step, two and more, where `near` says what a step leads to."""
        steps = [self.signature]
        for _ in range(_AHEAD):
            last = steps[-1]
            beside = [tuple(sorted(last[index] for index in indices)) for indices in near]
            steps.append([_id(ids, (side, *both)) for both in zip(self.signature, beside, strict=True)])
        return [*zip(*steps[1:], strict=True)]


def _id(ids: dict[Any, int], key: Any) -> int:
    return ids.setdefault(key, len(ids))


def _signature(node: Node) -> tuple[Any, ...]:
    if node.layer is None:
        return (node.kind, None if node.kind == INPUT else node.span.text)
    return (node.kind, *((name, _frozen(plain(value))) for name, value, _ in written_arguments(node.layer)))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _frozen(one)) for key, one in value.items())
    return (type(value).__name__, value)


class _Alignment:
    """The pairs so far: `to` from a's nodes to b's, `back` the other way."""

    def __init__(self, a: Graph, b: Graph) -> None:
        ids: dict[Any, int] = {}
        self.a, self.b = _Traits(a, ids), _Traits(b, ids)
        self.to: dict[int, int] = {}
        self.back: dict[int, int] = {}
        self.alike: dict[tuple[int, int], float] = {}

    def run(self) -> dict[int, int]:
        self._inputs()
        self._down(named=True)
        self._up(named=True)
        self._in_order()
        for _ in range(2):
            self._down(named=False)
            self._up(named=False)
        self._by_name()
        self._between()
        return self.to

    def _pair(self, i: int, j: int) -> None:
        self.to[i] = j
        self.back[j] = i

    def _free(self, i: int, j: int) -> bool:
        return i not in self.to and j not in self.back

    # --- what is certain ---------------------------------------------------------------------------------------------

    def _inputs(self) -> None:
        """Pair the inputs, by their names and then in their order."""
        a, b = self.a.graph, self.b.graph
        names = {b.nodes[j].name: j for j in b.inputs}
        for i in a.inputs:
            if a.nodes[i].name in names:
                self._pair(i, names[a.nodes[i].name])
        rest = [j for j in b.inputs if j not in self.back]
        for i, j in zip([i for i in a.inputs if i not in self.to], rest, strict=False):
            self._pair(i, j)

    def _down(self, *, named: bool) -> None:
        """Pair layers that are the same and take the same, from the inputs on. `named`: unless names speak against
        it."""
        waiting: dict[Any, list[int]] = {}
        for node in self.b.nodes:
            if node.index not in self.back and node.kind != INPUT:
                waiting.setdefault(self._taking(self.b, node, None), []).append(node.index)
        for node in self.a.nodes:
            if node.index in self.to or node.kind == INPUT:
                continue
            key = self._taking(self.a, node, self.to)
            found = [j for j in waiting.get(key, ()) if j not in self.back] if key is not None else []
            if found:
                self._twins(self._like(node, key), found, named=named)

    def _like(self, node: Node, key: Any) -> list[int]:
        """The layers of a that are what a node is and take what it takes, itself among them."""
        if not node.inputs:
            return [node.index]
        others = dict.fromkeys(self.a.takers[node.inputs[0].node])
        return [i for i in others if i not in self.to and self._taking(self.a, self.a.nodes[i], self.to) == key]

    def _twins(self, mine: list[int], other: list[int], *, named: bool) -> None:
        """Pair layers of which each might be each: first those that go on alike, then those of one name."""
        both = [(i, j) for i in mine for j in other if not named or self._names_agree(i, j)]
        for i, j in sorted(both, key=lambda pair: self._unlike(*pair)) if len(both) > 1 else both:
            if self._free(i, j):
                self._pair(i, j)

    def _unlike(self, i: int, j: int) -> tuple[Any, ...]:
        """How little two layers that might be a pair speak for it: smaller is likelier."""
        same = self.a.name[i] == self.b.name[j]
        ahead = sum(one == two for one, two in zip(self.a.ahead[i], self.b.ahead[j], strict=True))
        taken = self.b.nodes[j].name in self.a.by_name
        return (not (same and self.a.nodes[i].named), -ahead, not same, taken, i, j)

    def _taking(self, side: _Traits, node: Node, to: dict[int, int] | None) -> Any:
        """What a layer is and takes, as numbers of b's nodes; None where what it takes is in no pair."""
        edges: list[Edge] = []
        for edge in node.inputs:
            at = edge.node if to is None else to.get(edge.node)
            if at is None:
                return None
            edges.append(Edge(at, edge.output))
        if node.kind in ORDERLESS:
            edges.sort()
        shares = node.shares if to is None or node.shares is None else to.get(node.shares, -1)
        return side.signature[node.index], tuple(edges), shares

    def _names_agree(self, i: int, j: int) -> bool:
        """Whether two layers have one name, but for a number, or each has one that the other network doesn't know; and
        are not in two calls of one block that differ, as the units that begin a stage do from the others."""
        if self.a.block[i] == self.b.block[j] and self.a.call[i] != self.b.call[j]:
            return False
        mine, other = self.a.base[i], self.b.base[j]
        return mine == other or (mine not in self.b.bases and other not in self.a.bases)

    def _up(self, *, named: bool) -> None:
        """Pair layers that are the same and given to the same, back from the outputs."""
        a, b = self.a.graph, self.b.graph
        results = {output.name: output.edge for output in b.outputs}
        ends = [(output.edge, results[output.name]) for output in a.outputs if output.name in results]
        main = [[o.edge for o in graph.outputs if not o.training][:1] for graph in (a, b)]
        for mine, other in [*ends, *zip(*main, strict=False)]:
            self._same_source(mine, other, named=named)
        for node in reversed(self.a.nodes):
            j = self.to.get(node.index)
            if j is None:
                continue
            for one, two in self._sources(node, self.b.nodes[j]):
                self._same_source(one, two, named=named)

    def _sources(self, node: Node, other: Node) -> list[tuple[Edge, Edge]]:
        """Which of the tensors that a pair takes may belong together: by their places, or where these make no
        difference, each with each, the likeliest first."""
        if node.kind not in ORDERLESS and len(node.inputs) == len(other.inputs):
            return [*zip(node.inputs, other.inputs, strict=True)]
        both = [(one, two) for one in node.inputs for two in other.inputs if self._free(one.node, two.node)]
        return sorted(both, key=lambda pair: self._unlike_behind(pair[0].node, pair[1].node))

    def _unlike_behind(self, i: int, j: int) -> tuple[Any, ...]:
        """How little speaks for a pair in what comes before it: smaller is likelier."""
        behind = sum(one == two for one, two in zip(self.a.behind[i], self.b.behind[j], strict=True))
        return -behind, self.a.name[i] != self.b.name[j], i, j

    def _same_source(self, one: Edge, two: Edge, *, named: bool) -> None:
        """Pair what makes two tensors, if it is the same layer."""
        i, j = one.node, two.node
        if one.output != two.output or self.a.signature[i] != self.b.signature[j] or not self._free(i, j):
            return
        if self.a.nodes[i].kind != INPUT and self._shares_agree(i, j) and (not named or self._names_agree(i, j)):
            self._pair(i, j)

    def _shares_agree(self, i: int, j: int) -> bool:
        mine, other = self.a.nodes[i].shares, self.b.nodes[j].shares
        return (mine is None) == (other is None) and (mine is None or self.to.get(mine, other) == other)

    # --- what is likely ----------------------------------------------------------------------------------------------

    def _in_order(self) -> None:
        """Pair what is left in the order in which it stands."""
        mine = [n.index for n in self.a.nodes if n.index not in self.to and n.kind != INPUT]
        other = [n.index for n in self.b.nodes if n.index not in self.back and n.kind != INPUT]
        anchors = self._anchors(mine, other) if len(mine) * len(other) > ANCHORED else []
        takes = [self._first_taken(n, self.to) for n in self.a.nodes], [_first(n.inputs) for n in self.b.nodes]
        gives = [self.to.get(_first(t), -2) for t in self.a.takers], [_first(t) for t in self.b.takers]
        a, b = self.a, self.b

        def score(x: int, y: int) -> float:
            i, j = mine[x], other[y]
            key = (a.signature[i], b.signature[j])
            alike = self.alike.get(key)
            if alike is None:
                alike = self.alike[key] = _alike(a.nodes[i], b.nodes[j], same=key[0] == key[1])
            if not alike:
                return 0.0
            near = (1.5 if takes[0][i] == takes[1][j] else 0.0) + (1.5 if gives[0][i] == gives[1][j] else 0.0)
            near += (1.0 if a.shape[i] == b.shape[j] else 0.0) + (2.5 if a.spatial[i] == b.spatial[j] else 0.0)
            if a.name[i] == b.name[j]:
                near += 3.0 if a.nodes[i].named else 1.9
            elif a.base[i] == b.base[j]:
                near += 1.5
            elif a.last[i] == b.last[j]:
                near += 0.7
            if a.parent[i] == b.parent[j]:
                near += 0.7
            if a.call[i] == b.call[j] >= 0:
                near += 1.6
            return 0.0 if alike < 0 and near < 3.5 else abs(alike) + near

        for x, y in aligned(len(mine), len(other), score, anchors):
            self._pair(mine[x], other[y])

    def _first_taken(self, node: Node, to: dict[int, int]) -> int:
        return to.get(node.inputs[0].node, -2) if node.inputs else -2

    def _anchors(self, mine: list[int], other: list[int]) -> list[tuple[int, int]]:
        """Layers with one name, shape and arguments whose neighbours have that, too."""
        keys = self._contexts(self.a, mine), self._contexts(self.b, other)
        places = {key: y for y, key in enumerate(keys[1])}
        return [(x, places[key]) for x, key in enumerate(keys[0]) if key in places]

    def _contexts(self, side: _Traits, indices: list[int]) -> list[tuple[Any, ...]]:
        own = [(side.name[i], side.signature[i], side.shape[i]) for i in indices]
        return list(zip([(), *own[:-1]], own, [*own[1:], ()], strict=True)) if own else []

    def _by_name(self) -> None:
        """Pair what the spec gives one name and is of one kind, wherever it stands."""
        for node in self.a.nodes:
            j = self.b.by_name.get(node.name)
            if j is None or not self._free(node.index, j):
                continue
            other = self.b.nodes[j]
            same = self.a.signature[node.index] == self.b.signature[j]
            if node.kind == other.kind and ((node.named and other.named) or same):
                self._pair(node.index, j)

    def _between(self) -> None:
        """Pair what is left of one kind, or family of kinds, and takes and gives to the same."""
        waiting = {}
        for node in self.b.nodes:
            if node.index not in self.back and node.inputs and self.b.takers[node.index]:
                waiting[node.inputs[0].node, self.b.takers[node.index][0]] = node.index
        for node in self.a.nodes:
            takers = self.a.takers[node.index]
            if node.index in self.to or not node.inputs or not takers:
                continue
            j = waiting.get((self._first_taken(node, self.to), self.to.get(takers[0], -2)))
            if j is not None and self._free(node.index, j) and _alike(node, self.b.nodes[j], same=False):
                self._pair(node.index, j)


def _first(items: Any) -> int:
    """The first of some nodes' numbers, or the node of the first edge; -1 if there is none."""
    for item in items:
        return item.node if isinstance(item, Edge) else item
    return -1


def _alike(node: Node, other: Node, *, same: bool) -> float:
    """How much two layers are one, by kind and arguments; 0: not at all, negative: only if something else says so."""
    mine, theirs = node.layer, other.layer
    if same:
        return 16.0 if isinstance(mine, WeightedLayer) else 8.0
    if mine is None or theirs is None:
        return 3.0 if node.kind == other.kind else 0.0
    if node.kind != other.kind:
        related = mine.family == theirs.family
        return (-2.0 if isinstance(mine, WeightedLayer) else 2.0) if related else 0.0
    kept = _kept(mine, theirs)
    alike = (3 + 4 * kept) * (2 if isinstance(mine, WeightedLayer) else 1)
    return alike if kept >= 0.5 else -alike


def _kept(mine: Layer, theirs: Layer) -> float:
    """The part of the arguments that agree, of those that are not the default in both."""
    agree = differ = 0
    for (_, one, default), (_, two, _) in zip(written_arguments(mine), written_arguments(theirs), strict=True):
        if plain(one) != plain(two):
            differ += 1
        elif one != default:
            agree += 1
    return agree / (agree + differ) if differ else 1.0
