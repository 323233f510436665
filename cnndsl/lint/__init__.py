"""Networks that are legal but suspicious: rules that find them, and control over what is said.

A rule is a function over a `View`: of one node, if the table gives the kinds that it looks at, else of the whole
network. What it finds it reports as a problem, whose class stands beside it. To add a warning, add both, and the rule
to the table.
"""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Node
from cnndsl.lint import order
from cnndsl.lint.view import ACTIVATIONS, View

NODE_RULES: tuple[tuple[Callable[[View, Node], None], frozenset[str]], ...] = (
    (order.two_activations, ACTIVATIONS),
    (order.softmax_of_one, order.SOFTMAXES),
    (order.dense_of_dense, frozenset({"dense", "linear"})),
    (order.dropout_before_norm, frozenset({"bn"})),
    (order.dropout_at_the_end, frozenset({"dropout"})),
    (order.most_dropped, frozenset({"dropout", "droppath"})),
    (order.does_nothing, order.TRIVIAL),
)
"""Rules about one layer, each with the kinds of layers that it looks at."""

RULES: tuple[Callable[[View], None], ...] = (order.bias_before_norm, order.activation_before_loss)
"""Rules about the whole network."""

_BY_KIND: dict[str, list[Callable[[View, Node], None]]] = {}
for _rule, _kinds in NODE_RULES:
    for _kind in _kinds:
        _BY_KIND.setdefault(_kind, []).append(_rule)


def lint(view: View) -> list[Diagnostic]:
    """What is suspicious about a network in which every node has a shape."""
    by_kind = _BY_KIND
    for node in view.nodes:
        rules = by_kind.get(node.kind)
        if rules is not None:
            for rule in rules:
                rule(view, node)
    for network_rule in RULES:
        network_rule(view)
    return view.found
