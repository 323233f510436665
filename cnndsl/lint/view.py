"""What rules look at: a network with its figures, who takes what, and how a finding is put into words and places."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Diagnostic, Label, problem, problem_class
from cnndsl.graph import Graph, Node
from cnndsl.layers.index import KINDS
from cnndsl.measure import Analysis
from cnndsl.shape import Shape
from cnndsl.source import Span

if TYPE_CHECKING:
    from cnndsl.recipe import Recipe

ACTIVATIONS = frozenset(name for name, (module, _) in KINDS.items() if module == "activation")
WEIGHTED = frozenset({"conv", "dwconv", "deconv", "dense", "linear"})
"""Kinds that are weighted sums with a bias."""
PASSING = frozenset({"identity", "dropout", "droppath", "flatten", "noise"})
"""Kinds that leave the values that they pass on as they are, or zero some of them."""
MOST_PASSED = 100
"""Layers that are passed in search of what they pass on."""
MOST_CALLS = 3
"""Calls of blocks that are shown with a finding inside them."""


class View:
    """One network as the rules see it.

    allowed: whether a comment allows a code at a place. reported: what was reported for networks of the same lines.
    results: the numbers of the nodes that give outputs. found: what the rules report.
    """

    def __init__(
        self,
        graph: Graph,
        analysis: Analysis,
        recipe: Recipe | None,
        allowed: Callable[[str, str, Span], bool],
        reported: set[tuple[str, Span]],
    ) -> None:
        self.graph = graph
        self.nodes = graph.nodes
        self.analysis = analysis
        self.recipe = recipe
        self.allowed = allowed
        self.reported = reported
        self.results = frozenset(output.edge.node for output in graph.outputs)
        self.found: list[Diagnostic] = []
        self._users: list[list[Node]] | None = None
        self._shared: set[int | None] | None = None
        self._places: dict[Span, list[Node]] = {}

    @property
    def users(self) -> list[list[Node]]:
        """By the number of a node, those that take what it gives."""
        if self._users is None:
            self._users = [[] for _ in self.nodes]
            for node in self.nodes:
                for edge in node.inputs:
                    self._users[edge.node].append(node)
        return self._users

    def shares_weights(self, node: Node) -> bool:
        """Whether a node uses another one's weights, or another one its."""
        if self._shared is None:
            self._shared = {one.shares for one in self.nodes}
        return node.shares is not None or node.index in self._shared

    def made_at(self, span: Span) -> list[Node]:
        """The nodes that an item of the spec made: several in a block or a loop."""
        if not self._places:
            for node in self.nodes:
                self._places.setdefault(node.span, []).append(node)
        return self._places[span]

    def input_of(self, node: Node) -> Shape:
        """The shape of a node's first input."""
        shape = self.graph.shape_of(node.inputs[0])
        assert shape is not None
        return shape

    def before(self, node: Node) -> Node:
        """The node that makes a node's first input."""
        return self.nodes[node.inputs[0].node]

    def source_of(self, node: Node, passing: frozenset[str] = PASSING) -> Node:
        """The node that makes what a node takes, behind those that pass it on; one of those where they are many."""
        one = self.before(node)
        for _ in range(MOST_PASSED):
            if one.kind not in passing:
                break
            one = self.before(one)
        return one

    def is_result(self, node: Node) -> bool:
        """Whether an output of the network is this node's."""
        return node.index in self.results

    def report(self, name: str, node: Node, /, *, inside: bool = True, span: Span | None = None, **values: Any) -> None:
        """Report a finding about a node, once for a place.

        inside: whether what the spec says inside a shipped block could be changed by its caller, so that the call is
        to be marked; else such findings are left out. span: the place, if it is not the whole item.
        """
        calls = node.calls
        place = span or node.span
        if is_shipped(place):
            outer = [call for call in calls if not is_shipped(call)]
            if not inside or not outer:
                return
            place, calls = outer[-1], calls[: calls.index(outer[-1])]
            values["fixes"] = ()
        if (name, place) in self.reported:
            return
        self.reported.add((name, place))
        called = tuple(Label(call, "called from here") for call in dict.fromkeys(reversed(calls)))
        values["labels"] = (*values.get("labels", ()), *called[:MOST_CALLS])
        self.found.append(problem(name, place, **values))

    def is_said(self, name: str, node: Node) -> bool:
        """Whether nothing is to be said of a node's place: it was said, a comment allows it, or it lies inside a
        shipped block. For rules that say one thing of many places."""
        kind = problem_class(name)
        span = node.span
        return is_shipped(span) or (name, span) in self.reported or self.allowed(kind.code, kind.severity, span)


def is_shipped(span: Span) -> bool:
    """Whether a place lies in a file that comes with cnndsl and was used as `std.…`."""
    name = span.source.name
    return name.startswith("std.") and not name.endswith(".cnn")


def is_plain(node: Node) -> bool:
    """Whether an item says in plain numbers what it is: with an expression or `...` it may be another elsewhere."""
    text = node.span.text
    return "{" not in text and "..." not in text


def plural(count: int, one: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {one}{'s' * (count != 1)}"
