"""What became of every layer, once it is known which is which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.compare import ORDERLESS, Change, Comparison, Pair, Side, plain, written_arguments
from cnndsl.compare.align import align
from cnndsl.compare.sequence import rising
from cnndsl.graph import Edge, Graph, Node
from cnndsl.layers.arguments import Argument
from cnndsl.layers.bind import written

ABSENT = "(none)"
"""What stands for a parameter that one of two networks doesn't have."""


def compare(a: Side, b: Side) -> Comparison:
    """Two networks, layer by layer."""
    to = align(a.graph, b.graph)
    return Comparison(a, b, tuple(_parameters(a.graph, b.graph)), tuple(_Pairs(a, b, to).all()))


def _parameters(a: Graph, b: Graph) -> Iterator[Change]:
    for name in dict.fromkeys([*a.parameters, *b.parameters]):
        before, after = (written(g.parameters[name]) if name in g.parameters else ABSENT for g in (a, b))
        if before != after:
            yield Change(name, before, after)


class _Pairs:
    """Makes the pairs of two networks from the numbers of the nodes that belong together."""

    def __init__(self, a: Side, b: Side, to: dict[int, int]) -> None:
        self.a, self.b = a, b
        self.to = to
        self.back = {j: i for i, j in to.items()}

    def all(self) -> Iterator[Pair]:
        """Every layer of both, in the order of b; what is gone from a stands where it was."""
        row = rising([*self.to.items()])
        kept = {i for i, _ in row}
        i = j = 0
        for x, y in [*row, (len(self.a.graph.nodes), len(self.b.graph.nodes))]:
            for gone in range(i, x):
                if gone not in self.to:
                    yield Pair(gone, None, "removed")
            for new in range(j, y):
                before = self.back.get(new)
                if before is None:
                    yield Pair(None, new, "added")
                elif before not in kept:
                    yield self._both(before, new, moved=True)
            if x in kept:
                yield self._both(x, y, moved=False)
            i, j = x + 1, y + 1

    def _both(self, i: int, j: int, *, moved: bool) -> Pair:
        one, two = self.a.graph.nodes[i], self.b.graph.nodes[j]
        changes = (*layer_changes(one, two), *self._wiring(one, two), *self._sharing(one, two))
        mine, other = self.a.analysis.layers[i], self.b.analysis.layers[j]
        numbers = [None if m is None else m[:7] for m in (mine, other)]
        what = "same" if one.results == two.results and numbers[0] == numbers[1] else "affected"
        return Pair(i, j, "changed" if changes else what, changes, moved, one.name != two.name)

    def _wiring(self, one: Node, two: Node) -> Iterator[Change]:
        """What a layer takes now, if it is not what it took; what came or went in between is no change of its own."""
        before = [self._reached(self.a.graph, edge, self.to) for edge in one.inputs]
        after = [self._reached(self.b.graph, edge, self.back) for edge in two.inputs]
        translated = [{Edge(self.to[e.node], e.output) for e in edges} for edges in before]
        if len(one.inputs) != len(two.inputs):
            yield Change("inputs", str(len(one.inputs)), str(len(two.inputs)))
        elif not _agree(translated, after, ordered=one.kind not in ORDERLESS):
            if _agree(translated, after, ordered=False):
                yield Change("order of inputs", self._taken(self.a.graph, one), self._taken(self.b.graph, two))
            else:
                yield Change("takes", self._taken(self.a.graph, one), self._taken(self.b.graph, two))

    def _reached(self, graph: Graph, edge: Edge, paired: dict[int, int]) -> set[Edge]:
        """The nearest paired tensors that one comes from: itself, or behind layers that only this network has."""
        found: set[Edge] = set()
        seen: set[int] = set()
        waiting = [edge]
        while waiting:
            one = waiting.pop()
            if one.node in paired:
                found.add(one)
            elif one.node not in seen:
                seen.add(one.node)
                waiting += graph.nodes[one.node].inputs
        return found

    def _taken(self, graph: Graph, node: Node) -> str:
        return ", ".join(graph.nodes[edge.node].name for edge in node.inputs)

    def _sharing(self, one: Node, two: Node) -> Iterator[Change]:
        mine = None if one.shares is None else self.to.get(one.shares, -1)
        if mine != two.shares:
            yield Change("weights", self._owner(self.a.graph, one), self._owner(self.b.graph, two))

    def _owner(self, graph: Graph, node: Node) -> str:
        return "its own" if node.shares is None else f"those of {graph.nodes[node.shares].name}"


def _agree(before: list[set[Edge]], after: list[set[Edge]], *, ordered: bool) -> bool:
    """Whether each input may come from where it came from; without order, whether they can be told off in pairs."""
    if ordered:
        return all(not one or not two or one & two for one, two in zip(before, after, strict=True))
    left = [*after]
    for one in sorted(before, key=len):
        found = next((two for two in sorted(left, key=len) if not one or not two or one & two), None)
        if found is None:
            return False
        left.remove(found)
    return True


def layer_changes(one: Node, two: Node) -> Iterator[Change]:
    """The kind or the arguments of a layer, where they differ, in words that a spec may use."""
    mine, other = one.layer, two.layer
    if one.kind != two.kind:
        yield Change("kind", one.kind, two.kind)
    elif mine is not None and other is not None:
        by_name = {argument.name: argument for argument in other.arguments}
        for (name, before, _), (_, after, _) in zip(written_arguments(mine), written_arguments(other), strict=True):
            if plain(before) != plain(after) or type(before) is not type(after):
                yield Change(name, _worded(by_name[name], before), _worded(by_name[name], after))
    elif (mine is None) != (other is None):
        yield Change("layer", *("in error" if layer is None else "right" for layer in (mine, other)))


def _worded(argument: Argument, value: Any) -> str:
    """A value as a spec has it: `nobias`, `avg`, `3x3`, `[1, 1, 0, 0]`."""
    for word, meant in argument.words.items():
        if type(meant) is type(value) and meant == value:
            return word
    if value is None:
        return "not set"
    if isinstance(value, tuple) and any(isinstance(one, (tuple, str)) for one in value):
        parts = value[1] if isinstance(value[0], str) and len(value) == 2 and isinstance(value[1], tuple) else value
        return written([*parts])
    return written(value)
