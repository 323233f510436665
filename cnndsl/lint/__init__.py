"""Networks that are legal but suspicious: rules that find them, and control over what is said.

A rule is a function over a `View`: of one node, if the table gives the kinds of layers that it looks at, else of the
whole network. What it finds it reports as a problem, whose class stands beside it. To add a warning, add both, and the
rule to the table.
"""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Node
from cnndsl.layers.base import Layer
from cnndsl.lint import capacity, order, windows
from cnndsl.lint.lossless import SLIDING
from cnndsl.lint.view import ACTIVATIONS, View
from cnndsl.record import Record

CONVOLUTIONS = frozenset({"conv", "dwconv"})


class NodeRule(Record):
    """A rule about one layer: the kinds that it looks at, and whether a layer's arguments make it worth a look (None:
    always). That is asked once for each layer, however often it stands in the network."""

    check: Callable[[View, Node], None]
    kinds: frozenset[str]
    concerns: Callable[[Layer], bool] | None = None


NODE_RULES = (
    NodeRule(order.two_activations, ACTIVATIONS),
    NodeRule(order.softmax_of_one, order.SOFTMAXES),
    NodeRule(order.dense_of_dense, frozenset({"dense", "linear"})),
    NodeRule(order.dropout_before_norm, frozenset({"bn"})),
    NodeRule(order.dropout_at_the_end, frozenset({"dropout"})),
    NodeRule(order.most_dropped, frozenset({"dropout", "droppath"})),
    NodeRule(order.does_nothing, order.TRIVIAL),
    NodeRule(windows.borders_dropped, SLIDING, windows.strides),
    NodeRule(windows.skipped_cells, CONVOLUTIONS | {"pool"}, windows.strides),
    NodeRule(windows.even_kernel, CONVOLUTIONS | {"pool"}, windows.is_even_and_padded),
    NodeRule(windows.only_padding, CONVOLUTIONS, windows.is_padded),
    NodeRule(windows.dead_weights, CONVOLUTIONS, windows.has_window),
    NodeRule(capacity.one_channel, frozenset({"conv", "dense", "linear"}), capacity.leaves_one),
    NodeRule(capacity.groups_apart, frozenset({"conv"}), capacity.is_grouped),
)

RULES: tuple[Callable[[View], None], ...] = (
    order.bias_before_norm,
    order.activation_before_loss,
    capacity.dense_share,
    capacity.sees_little,
    capacity.sees_all_early,
)
"""Rules about the whole network."""


def lint(view: View) -> list[Diagnostic]:
    """What is suspicious about a network in which every node has a shape."""
    known: dict[Layer | None, tuple[Callable[[View, Node], None], ...]] = {None: ()}
    for node in view.nodes:
        rules = known.get(node.layer)
        if rules is None:
            rules = known[node.layer] = _concerned(node)
        for rule in rules:
            rule(view, node)
    for network_rule in RULES:
        network_rule(view)
    return view.found


def _concerned(node: Node) -> tuple[Callable[[View, Node], None], ...]:
    """The rules that a node's layer is worth a look of."""
    layer = node.layer
    assert layer is not None
    return tuple(
        rule.check for rule in NODE_RULES if node.kind in rule.kinds and (rule.concerns is None or rule.concerns(layer))
    )
