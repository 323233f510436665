"""Two networks as one picture: what was added, removed and changed, and where."""

from __future__ import annotations

import pytest
from drawn import checked

from cnndsl.compare import Side
from cnndsl.compare.changes import compare
from cnndsl.draw.difference import united
from cnndsl.draw.facts import Colors, facts
from cnndsl.draw.fold import every
from cnndsl.draw.outline import Item, outline
from cnndsl.draw.styles.text import text
from cnndsl.draw.wanted import Wanted
from cnndsl.graph import Graph
from cnndsl.pipeline import CheckedNetwork, check
from cnndsl.source import Source
from cnndsl.terminal import Look

HEAD = "network N\ninput 32x32x3\n"


def one(body: str) -> CheckedNetwork:
    return check(Source("spec.cnn", HEAD + body)).networks[0]


def both(a: CheckedNetwork, b: CheckedNetwork) -> Item:
    found = united(compare(Side("a", a.graph, a.analysis), Side("b", b.graph, b.analysis)))
    return outline(found.graph, found.analysis, None, found.changes)


def marked(network: Item) -> dict[str, str]:
    return {item.title: item.change.what for item in every(network)}


def links(network: Item) -> dict[tuple[str, str], str]:
    titles = [child.title for child in network.children]
    return {(titles[link.source], titles[link.target]): link.change for link in network.links}


def test_a_layer_that_is_new() -> None:
    network = both(one("conv 3x3x8, relu\ndense 4\n"), one("conv 3x3x8, relu\npool 2\ndense 4\n"))
    assert marked(network) == {"input": "", "conv 3x3x8": "", "pool 2": "added", "dense 4": ""}
    assert links(network) == {
        ("input", "conv 3x3x8"): "",
        ("conv 3x3x8", "pool 2"): "added",
        ("pool 2", "dense 4"): "added",
    }
    dense = network.children[-1]
    assert ("params before", "28,804") in facts(dense, network)


def test_a_layer_that_is_gone_stands_where_it_was_and_counts_for_nothing() -> None:
    network = both(one("conv 3x3x8, relu\nconv 3x3x9\ndense 4\n"), one("conv 3x3x8, relu\ndense 4\n"))
    assert [(item.title, item.change.what) for item in network.children] == [
        ("input", ""),
        ("conv 3x3x8", ""),
        ("conv 3x3x9", "removed"),
        ("dense 4", ""),
    ]
    assert ("conv 3x3x8", "dense 4") not in links(network)
    assert links(network)["conv 3x3x9", "dense 4"] == "removed"
    assert network.numbers.params == 3 * 9 * 8 + 8 + 30 * 30 * 8 * 4 + 4


def test_what_changed_is_said() -> None:
    network = both(one("conv 3x3x8, relu\n"), one("conv 3x3x8 /2, gelu\n"))
    conv = network.children[1]
    assert (conv.change.what, conv.change.said) == ("changed", "stride 1 -> 2, relu -> gelu")
    assert conv.dress == ("gelu",)
    assert Colors(network, "change").role(conv) == "changed"


def test_a_skip_that_is_new() -> None:
    network = both(
        one("conv 3x3x3 same as a\nconv 5x5x3 same\nadd a\n"), one("conv 3x3x3 same as a\nconv 5x5x3 same\n")
    )
    assert marked(network)["add"] == "removed"
    assert links(network)["conv 3x3x3 same", "add"] == "removed"


@pytest.mark.parametrize(
    ("a", "b"), [("resnet18", "resnet34"), ("vgg11", "vgg13_bn"), ("unet", "unet_padded"), ("alexnet", "zfnet")]
)
def test_taking_away_what_is_new_leaves_the_first_and_what_is_gone_the_second(a: str, b: str) -> None:
    """The union has every layer and every forward link of both, marked so that either can be read off it."""
    one, two = checked(a), checked(b)
    comparison = compare(Side(a, one.graph, one.analysis), Side(b, two.graph, two.analysis))
    found = united(comparison)
    gone = {n for n, change in found.changes.layers.items() if change.what == "removed"}
    kept = [n for n in found.graph.nodes if n.index not in gone]
    assert [n.name for n in kept] == [n.name for n in two.graph.nodes]
    now = {n.index: {e.node for e in n.inputs if (n.index, e) not in found.changes.removed} for n in found.graph.nodes}
    direct = {(found.graph.nodes[e].name, n.name) for n in kept for e in now[n.index] - gone}
    through = {(found.graph.nodes[e].name, n.name) for n in kept for e in passed(n.index, found.graph, gone)}
    assert direct <= edges(two.graph) <= direct | through
    assert len(found.graph.nodes) - sum(c.what == "added" for c in found.changes.layers.values()) == len(
        one.graph.nodes
    )
    assert all(e.node < n.index or n.index not in gone for n in found.graph.nodes for e in n.inputs)


def passed(number: int, graph: Graph, gone: set[int]) -> set[int]:
    """What a node takes, where layers that are gone pass on what they take."""
    found: set[int] = set()
    for edge in graph.nodes[number].inputs:
        found |= passed(edge.node, graph, gone) if edge.node in gone else {edge.node}
    return found


def edges(graph: Graph) -> set[tuple[str, str]]:
    return {(graph.nodes[edge.node].name, node.name) for node in graph.nodes for edge in node.inputs}


def test_equal_networks_show_no_change() -> None:
    network = both(checked("resnet18"), checked("resnet18"))
    assert {item.change.what for item in every(network)} == {""}
    assert all(not link.change for item in every(network) for link in item.links)


def test_in_the_terminal() -> None:
    network = both(one("conv 3x3x8, relu\nconv 3x3x9\ndense 4\n"), one("conv 3x3x8 /2, relu\npool 2\ndense 4\n"))
    assert "\n" + text(network, Wanted(), Look(unicode=True)) == PICTURE


PICTURE = """
●    input                                 32x32x3
~    conv 3x3x8 /2, relu  (stride 1 -> 2)  15x15x8
├─╮
│ -  conv 3x3x9                            28x28x9
+ │  pool 2                                7x7x8
├─╯
■    dense 4                               4
"""
