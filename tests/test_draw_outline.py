"""Outlines: what there is to draw is what there is in the graph, with equals in a row counted."""

from __future__ import annotations

import pytest
from drawn import checked, drawn

from cnndsl.draw.faults import faults
from cnndsl.draw.fold import NoSuchItem, every, folded, only
from cnndsl.draw.outline import OUTSIDE, Item, outline
from cnndsl.draw.text import FAMILY, cut, width
from cnndsl.draw.words import title_of
from cnndsl.graph import Graph
from cnndsl.pipeline import check
from cnndsl.source import Source
from cnndsl.zoo.index import NETWORKS


def of(text: str) -> Item:
    one = check(Source("spec.cnn", text)).networks[0]
    return outline(one.graph, one.analysis)


def titles(item: Item) -> list[str]:
    return [child.title for child in item.children]


# --- what is in it --------------------------------------------------------------------------------------------------


def test_what_only_dresses_a_layer_is_drawn_with_it() -> None:
    network = of("network N\ninput 8x8x3\nconv 3x3x8 same nobias, bn, relu\npool 2\nrelu\ndense 4, softmax\n")
    assert titles(network) == ["input", "conv 3x3x8 same", "pool 2", "dense 4"]
    assert [item.dress for item in network.children] == [(), ("bn", "relu"), ("relu",), ("softmax",)]
    assert [str(item.shape) for item in network.children] == ["8x8x3", "8x8x8", "4x4x8", "4"]


def test_an_activation_that_others_read_before_it_stands_alone() -> None:
    network = of("network N\ninput 8x8x3\nconv 3x3x3 same as c, relu\nadd c\n")
    assert titles(network) == ["input", "conv 3x3x3 same", "relu", "add"]
    assert [(link.source, link.target) for link in network.links] == [(0, 1), (1, 2), (2, 3), (1, 3)]


def test_blocks_are_nested_and_links_stay_within_them() -> None:
    network = of(
        "block unit(c):\n    add:\n        | conv 3x3x{c} same\n        | identity\n    relu\n\n"
        "network N\ninput 8x8x4\nunit 4 as a\ndense 2\n"
    )
    assert titles(network) == ["input", "unit 4", "dense 2"]
    unit = network.children[1]
    assert titles(unit) == ["conv 3x3x4 same", "add"]
    found = [(link.source, link.target) for link in unit.links]
    assert found == [(OUTSIDE, 0), (0, 1), (OUTSIDE, 1), (1, OUTSIDE)]


def test_a_block_of_one_layer_is_that_layer() -> None:
    network = of("block cbr:\n    conv ... nobias, bn, relu\n\nnetwork N\ninput 8x8x3\ncbr 3x3x4, cbr 3x3x5\n")
    assert titles(network) == ["input", "conv 3x3x4", "conv 3x3x5"]


def test_a_block_of_dressing_dresses() -> None:
    norm = "block norm:\n    bn eps=1e-3\n    relu\n\n"
    network = of(f"{norm}network N\ninput 8x8x3\nconv 3x3x8 nobias\nnorm\nconv 3x3x8 nobias\nnorm\nnorm as n\n")
    assert titles(network) == ["input", "conv 3x3x8", "conv 3x3x8"]
    assert [item.dress for item in network.children] == [(), ("bn", "relu"), ("bn", "relu", "bn", "relu")]


def test_rates_that_differ_in_a_row_are_not_said() -> None:
    text = "".join(f"conv 3x3x4 same, dropout 0.{n}\n" for n in range(1, 5))
    network = of(f"network N\ninput 8x8x4\n{text}")
    assert [(item.title, item.dress, item.count) for item in network.children[1:]] == [
        ("conv 3x3x4 same", ("dropout",), 4)
    ]


def test_equals_in_a_row_are_one_and_counted() -> None:
    network = of("network N\ninput 8x8x4\n" + "conv 3x3x4 same, relu\n" * 3 + "dense 2\n")
    assert titles(network) == ["input", "conv 3x3x4 same", "dense 2"]
    assert [item.count for item in network.children] == [1, 3, 1]
    assert network.children[1].numbers.params == 3 * (4 * 4 * 9 + 4)


def test_rows_of_several_are_found_without_blocks() -> None:
    network = of("network N\ninput 8x8x4\n" + "dwconv 3x3 same, relu\nconv 1x1x4, relu\n" * 4 + "dense 2\n")
    repeat = network.children[1]
    assert (repeat.kind, repeat.count, titles(repeat)) == ("repeat", 4, ["dwconv 3x3 same", "conv 1x1x4"])
    assert [(link.source, link.target) for link in network.links] == [(0, 1), (1, 2)]


def test_what_is_skipped_into_breaks_a_row() -> None:
    network = of("network N\ninput 8x8x4\nconv 3x3x4 same, conv 3x3x4 same as b, conv 3x3x4 same\nadd b\n")
    assert [item.count for item in network.children[:3]] == [1, 2, 1]


def test_densenets_layers_are_a_row_though_their_channels_grow() -> None:
    network = drawn("densenet121")
    assert [item.count for item in network.children if item.title == "layer 32"] == [6, 12, 24, 16]


def test_resnets_units_are_rows() -> None:
    stages = [item for item in drawn("resnet152").children if item.kind == "block"]
    assert [[child.count for child in stage.children] for stage in stages] == [[1, 2], [1, 7], [1, 35], [1, 2]]


@pytest.mark.parametrize("name", [*NETWORKS][::7])
def test_everything_is_there_once(name: str) -> None:
    graph, network = checked(name).graph, drawn(name)
    shown = {n for n in range(len(graph.nodes)) if graph.nodes[n].kind != "identity"}
    held = [n for item in network.children for n in item.nodes if n in shown]
    assert sorted(held) == sorted(shown)
    assert len({item.id for item in every(network)}) == len([*every(network)])
    assert network.numbers.params == sum(m.params for m in checked(name).analysis.layers if m)


@pytest.mark.parametrize("name", [*NETWORKS][::7])
def test_links_are_the_graphs_edges(name: str) -> None:
    """Each edge between two children's layers is one of their links, and the other way round."""
    graph, network = checked(name).graph, drawn(name)
    where = {n: number for number, item in enumerate(network.children) for n in item.nodes}
    edges = {(where[a], where[b]) for a, b in edges_of(graph) if a in where and b in where and where[a] != where[b]}
    assert {(link.source, link.target) for link in network.links if OUTSIDE not in link[:2]} == edges


def edges_of(graph: Graph) -> list[tuple[int, int]]:
    def real(n: int) -> int:
        node = graph.nodes[n]
        given = {o.edge.node for o in graph.outputs}
        return real(node.inputs[0].node) if node.kind == "identity" and n not in given else n

    return [(real(e.node), n.index) for n in graph.nodes for e in n.inputs if real(n.index) == n.index]


@pytest.mark.parametrize(
    ("item", "title"),
    [
        ("conv 5x5x6", "conv 5x5x6"),
        ("conv 3x3x64 stride=2 pad=1 nobias", "conv 3x3x64 /2 pad=1"),
        ("conv 3x3x64 /2x1 same", "conv 3x3x64 /2x1 same"),
        ("conv 3x3x6 groups=3 dilation=2", "conv 3x3x6 dilation=2 groups=3"),
        ("conv 3x3x64 /1x1 pad=0x0", "conv 3x3x64"),
        ("pool 2 avg", "pool 2 avg"),
        ("pool 2 /1", "pool 2 /1"),
        ("pool 3 /2 ceil", "pool 3 /2 ceil"),
        ("dropout 0.3", "dropout 0.3"),
        ("dense 10 init=he", "dense 10"),
        ("bn eps=1e-3", "bn"),
        ("conv 3x3x8 pad=[0, 1, 2, 3]", "conv 3x3x8 pad=[0, 1, 2, 3]"),
        ("crop cells=[9, 9, 9, 9]", "crop 9"),
    ],
)
def test_titles_are_what_one_would_write(item: str, title: str) -> None:
    graph = check(Source("spec.cnn", f"network N\ninput 32x32x3\n{item}\n")).networks[0].graph
    assert title_of(graph.nodes[-1]) == title


# --- folding --------------------------------------------------------------------------------------------------------


def shown(item: Item) -> list[str]:
    """The ids of all boxes that are drawn."""
    return [i.id for i in every(item) if not i.children]


def test_depth_opens_blocks() -> None:
    network = drawn("resnet50")
    assert [i.id for i in folded(network, depth=0).children if i.children] == []
    one = folded(network, depth=1)
    assert {i.title for i in every(one) if i.children} == {i.title for i in network.children if i.children}
    assert len(shown(folded(network, depth=9))) == len([i for i in every(network) if not i.children])


def test_one_block_is_opened_or_closed_by_name() -> None:
    network = drawn("resnet50")
    one = folded(network, depth=0, unfold=("stage64.bottleneck_2",))
    assert [i.id for i in every(one) if i.children] == ["stage64", "stage64.bottleneck_2"]
    closed = folded(network, depth=9, fold=("bottleneck",))
    assert not any(i.children for i in every(closed) if i.title.startswith("bottleneck"))


def test_a_name_that_is_none() -> None:
    with pytest.raises(NoSuchItem) as found:
        folded(drawn("resnet50"), unfold=("stage640",))
    assert "stage64" in found.value.known


def test_only_a_part() -> None:
    assert only(drawn("unet"), "d2").title == "level 128"
    with pytest.raises(NoSuchItem):
        only(drawn("unet"), "conv1x1")


# --- faults ---------------------------------------------------------------------------------------------------------

WRONG = """\
network Wrong
input 28x28x1
conv 5x5x8 /2, relu
pool 2                  -> 12x12x8
conv 3x3x3x16, rellu
unit 8
conv 3x3 x
dense 10 nobais

block unit(c):
    conv 3x3x{c}, add nothing
"""


def test_errors_stand_at_the_layers_that_they_are_about() -> None:
    checked = check(Source("wrong.cnn", WRONG))
    graph = checked.networks[0].graph
    found = faults(graph, checked.diagnostics)
    nodes = {graph.nodes[n]: text.split(",")[0] for n, text in found.by_node.items()}
    assert {node.kind if node.layer is None else node.name: code for node, code in nodes.items()} == {
        "pool2": "E501",
        "conv3x3x3x16": "E301",
        "rellu": "E201",
        "dense": "E241",
        "add": "E210",
    }
    assert [text.split(",")[0] for text in found.loose] == ["E105"]


def test_a_layer_with_a_fault_is_never_drawn_with_another() -> None:
    checked = check(Source("wrong.cnn", WRONG))
    graph, analysis, _ = checked.networks[0]
    network = outline(graph, analysis, faults(graph, checked.diagnostics).by_node)
    assert sum(item.fault is not None for item in every(network) if not item.children) == 5


# --- text -----------------------------------------------------------------------------------------------------------


def test_widths_are_the_fonts_own() -> None:
    from pathlib import Path

    from PIL import ImageFont

    folder = Path(__file__).resolve().parent.parent / "cnndsl" / "draw" / "fonts"
    for style, bold in (("Regular", False), ("Bold", True)):
        font = ImageFont.truetype(folder / f"LiberationSans-{style}.ttf", 1000, layout_engine=ImageFont.Layout.BASIC)
        assert font.getname()[0] == FAMILY
        for text in ("conv 3x3x64 /2", "28×28×6 → 10", "Ελλάδα – …"):
            # Kerning is what browsers may add; it never makes a text wider by more than this.
            assert width(text, 1000, bold=bold) == pytest.approx(font.getlength(text), abs=0.02 * 1000)


def test_a_text_is_cut_to_fit() -> None:
    assert cut("conv", 8, 100) == "conv"
    short = cut("a name that is far too long", 8, 50)
    assert short.endswith("…")
    assert width(short, 8) <= 50
