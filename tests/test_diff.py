"""Comparing networks: which layer is which, what changed, which weights fit. Weights are checked with PyTorch."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.codegen import module_paths
from cnndsl.compare import Comparison, Pair, Side
from cnndsl.compare.changes import compare
from cnndsl.compare.checkpoint import Loading, loading
from cnndsl.compare.sequence import align as aligned
from cnndsl.compare.sequence import rising
from cnndsl.pipeline import Options, check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source
from cnndsl.zoo import files, locate, read

ZOO = ("lenet5", "vgg11_bn", "resnet18", "unet", "googlenet", "mobilenet_v2", "densenet121", "vit_b_16", "siamese")


def side(text: str, **sets: str) -> Side:
    """The network of a spec's text."""
    checked = check(Source("spec.cnn", text), Options(sets=tuple(sets.items())))
    assert checked.ok, checked.diagnostics
    (network,) = checked.networks
    return Side("spec.cnn", network.graph, network.analysis)


def zoo(name: str) -> Side:
    place = locate(name)
    source = read(place)
    assert isinstance(source, Source)
    network = check(source, Options(network=place.network)).networks[0]
    return Side(name, network.graph, network.analysis)


def differences(comparison: Comparison) -> list[tuple[str, str | None, str | None]]:
    """What is not the same: what became of it, its name in each network."""
    a, b = comparison.a.graph.nodes, comparison.b.graph.nodes

    def names(pair: Pair) -> tuple[str | None, str | None]:
        return None if pair.a is None else a[pair.a].name, None if pair.b is None else b[pair.b].name

    return [
        ("moved" if pair.moved else pair.what, *names(pair))
        for pair in comparison.pairs
        if pair.what not in ("same", "affected") or pair.moved
    ]


def changes(comparison: Comparison) -> dict[str, list[str]]:
    """What changed in each layer of the second network."""
    nodes = comparison.b.graph.nodes
    return {
        nodes[pair.b].name: [change.said for change in pair.changes]
        for pair in comparison.pairs
        if pair.b is not None and pair.changes
    }


def pairs_of(comparison: Comparison) -> dict[int, int]:
    return {pair.a: pair.b for pair in comparison.pairs if pair.a is not None and pair.b is not None}


# --- sequences ------------------------------------------------------------------------------------------------------


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_alignment_is_a_longest_common_subsequence(one: str, two: str) -> None:
    found = aligned(len(one), len(two), lambda i, j: 100.0 if one[i] == two[j] else 0.0)
    assert all(one[i] == two[j] for i, j in found)
    assert found == sorted(found)
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
    lengths = [[0] * (len(two) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(two):
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if a == b else max(lengths[i][j + 1], lengths[i + 1][j])
    assert len(found) == lengths[-1][-1]


@given(st.permutations(range(9)))
def test_rising_is_a_longest_rising_row(order: list[int]) -> None:
    found = rising([*enumerate(order)])
    assert [y for _, y in found] == sorted(y for _, y in found)
    best = [1] * len(order)
    for i, y in enumerate(order):
        best[i] = 1 + max((best[j] for j in range(i) if order[j] < y), default=0)
    assert len(found) == max(best)


def test_long_sequences_are_aligned_in_pieces() -> None:
    n = 3000
    found = aligned(n, n, lambda i, j: 1.0 if i == j else 0.0)
    assert found == [(i, i) for i in range(n)]


# --- what is the same -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO)
def test_a_network_does_not_differ_from_itself(name: str) -> None:
    one = zoo(name)
    found = compare(one, one)
    assert found.equal
    assert pairs_of(found) == {node.index: node.index for node in one.graph.nodes}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("resnet18", "resnet34"),
        ("vgg11", "vgg11_bn"),
        ("resnet50", "resnet50_v1"),
        ("lenet5", "resnet18"),
        ("densenet121", "mobilenet_v3_large"),
        ("resnet50", "vit_b_16"),
        ("unet", "siamese"),
    ],
)
def test_the_other_way_round_is_the_mirror_image(one: str, two: str) -> None:
    first, second = zoo(one), zoo(two)
    there, back = compare(first, second), compare(second, first)
    count = {w: sum(p.what == w for p in there.pairs) for w in ("same", "added", "removed")}
    assert count == {w: sum(p.what == v for p in back.pairs) for w, v in
                     (("same", "same"), ("added", "removed"), ("removed", "added"))}  # fmt: skip
    assert pairs_of(there) == {i: j for j, i in pairs_of(back).items()}


BEFORE = """\
network N
input 32x32x3
conv 3x3x8 same as c1, bn, relu
conv 3x3x16 /2 same as c2, bn, relu
add:
    | conv 3x3x16 same as left, relu
    | conv 1x1x16 as right
pool 2 as p
dense 10 as head
"""


def test_renamed_layers_are_found() -> None:
    after = BEFORE
    for old, new in (
        ("c1", "first"),
        ("c2", "second"),
        ("left", "l"),
        ("right", "r"),
        ("as p", "as q"),
        ("head", "out"),
    ):
        after = after.replace(old, new)
    found = compare(side(BEFORE), side(after))
    assert differences(found) == []
    assert all(pair.what == "same" for pair in found.pairs)
    assert sum(pair.renamed for pair in found.pairs) == 11
    assert not found.equal


def test_swapped_names_go_by_what_the_layers_are() -> None:
    after = BEFORE.replace("as c1", "as ?").replace("as c2", "as c1").replace("as ?", "as c2")
    found = compare(side(BEFORE), side(after))
    assert differences(found) == []


def test_blocks_may_be_written_out_and_extracted() -> None:
    block = "block cbr(c, s=1):\n    conv 3x3x{c} /{s} same as conv, bn, relu\n\n"
    after = BEFORE.replace("conv 3x3x8 same as c1, bn, relu", "cbr 8 as c1")
    after = block + after.replace("conv 3x3x16 /2 same as c2, bn, relu", "cbr 16 2 as c2")
    assert differences(compare(side(BEFORE), side(after))) == []
    assert differences(compare(side(after), side(BEFORE))) == []


def test_branches_may_change_places() -> None:
    lines = BEFORE.splitlines(keepends=True)
    lines[5], lines[6] = lines[6], lines[5]
    found = compare(side(BEFORE), side("".join(lines)))
    assert [what for what, *_ in differences(found)] == ["moved"]
    assert all(pair.what == "same" for pair in found.pairs)
    assert not changes(found)


def test_concatenated_branches_in_another_order_are_said() -> None:
    lines = BEFORE.replace("add:", "concat:").splitlines(keepends=True)
    before = "".join(lines)
    lines[5], lines[6] = lines[6], lines[5]
    found = compare(side(before), side("".join(lines)))
    assert changes(found) == {"concat": ["order of inputs left_relu, right -> right, left_relu"]}


def test_inception_arms_may_be_shuffled() -> None:
    arms = [
        "| conv 1x1x64, relu",
        "| conv 1x1x48, relu, conv 5x5x64 same, relu",
        "| conv 1x1x64, relu, conv 3x3x96 same, relu, conv 3x3x96 same, relu",
        "| pool 3 /1 pad=1, conv 1x1x32",
    ]
    spec = "network N\ninput 16x16x8\nconv 3x3x32 same as stem\nconcat:\n{}\nconv 1x1x32 as out\n"
    before = spec.format("\n".join(f"    {arm}" for arm in arms))
    after = spec.format("\n".join(f"    {arm}" for arm in (arms[2], arms[0], arms[3], arms[1])))
    found = compare(side(before), side(after))
    assert not [pair for pair in found.pairs if pair.what in ("added", "removed")]
    assert [*changes(found)] == ["concat"]


# --- what changed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("conv 3x3x16 /2 same as c2", "conv 3x3x16 same as c2", {"c2": ["stride 2 -> 1"]}),
        ("conv 3x3x8 same as c1", "conv 5x5x8 same as c1", {"c1": ["kernel 3x3 -> 5x5"]}),
        ("conv 3x3x8 same as c1", "conv 3x3x8 same nobias as c1", {"c1": ["bias -> nobias"]}),
        ("conv 3x3x8 same as c1", "conv 3x3x12 pad=1 as c1", {"c1": ["channels 8 -> 12", "pad same -> 1"]}),
        ("pool 2 as p", "pool 2 avg as p", {"p": ["mode max -> avg"]}),
        ("same as c2, bn, relu", "same as c2, bn, gelu", {"c2_gelu": ["relu -> gelu"]}),
        ("add:", "mul:", {"mul": ["add -> mul"]}),
        ("conv 3x3x16 /2 same as c2", "conv 3x3x16 /2x2 same as c2", {}),
    ],
)
def test_changed_arguments_are_said_as_they_are_written(old: str, new: str, said: dict[str, list[str]]) -> None:
    found = compare(side(BEFORE), side(BEFORE.replace(old, new)))
    assert changes(found) == said
    assert len(differences(found)) == len(said)


def test_what_a_layer_takes_is_a_change_of_its_own() -> None:
    spec = "network N\ninput 8x8x4\nconv 3x3x4 same as a\nconv 3x3x4 same as b\nconv 3x3x4 same as c\nadd {}\n"
    found = compare(side(spec.format("a")), side(spec.format("b")))
    assert changes(found) == {"add": ["takes c, a -> c, b"]}


def test_weights_that_are_shared_now_are_said() -> None:
    spec = "network N\ninput 8x8x4\nconv 3x3x4 same as a\n{}\n"
    found = compare(side(spec.format("conv 3x3x4 same as b")), side(spec.format("reuse a as b")))
    assert changes(found) == {"b": ["weights its own -> those of a"]}


def test_a_spec_with_errors_is_compared_as_far_as_it_is_known() -> None:
    wrong = check(Source("b.cnn", BEFORE.replace("conv 3x3x16 /2 same as c2", "conv 99x99x16 as c2"))).networks[0]
    found = compare(side(BEFORE), Side("b.cnn", wrong.graph, wrong.analysis))
    assert changes(found)["c2"] == ["kernel 3x3 -> 99x99", "stride 2 -> 1", "pad same -> 0"]


# --- edits ----------------------------------------------------------------------------------------------------------

EDITED = ("lenet5", "vgg11_bn", "resnet18", "mobilenet_v2", "densenet121")


@pytest.mark.parametrize("name", EDITED)
@pytest.mark.parametrize("seed", range(4))
def test_one_edit_is_found(name: str, seed: int) -> None:
    """A layer is put into the chain of a real network, or taken out of it: the alignment finds this and no more."""
    whole = zoo(name)
    chance = random.Random(seed)
    nodes = whole.graph.nodes
    takers: dict[int, int] = {}
    for node in nodes:
        for edge in node.inputs:
            takers[edge.node] = takers.get(edge.node, 0) + 1
    simple = [n for n in nodes if n.kind in ("relu", "relu6", "bn", "tanh") and takers.get(n.index) == 1]
    gone = chance.choice(simple).index
    kept = [n for n in nodes if n.index != gone]
    number = {n.index: i for i, n in enumerate(kept)}
    number[gone] = number[nodes[gone].inputs[0].node]
    fewer = [
        n._replace(
            index=i,
            inputs=tuple(edge._replace(node=number[edge.node]) for edge in n.inputs),
            shares=None if n.shares is None else number[n.shares],
        )
        for i, n in enumerate(kept)
    ]
    outputs = tuple(o._replace(edge=o.edge._replace(node=number[o.edge.node])) for o in whole.graph.outputs)
    graph = whole.graph._replace(nodes=tuple(fewer), outputs=outputs, calls=())
    layers = tuple(m for i, m in enumerate(whole.analysis.layers) if i != gone)
    shorter = Side("shorter", graph, whole.analysis._replace(layers=layers))
    there, back = compare(whole, shorter), compare(shorter, whole)
    assert [what for what, *_ in differences(there)] == ["removed"]
    assert [what for what, *_ in differences(back)] == ["added"]
    (removed,) = (pair.a for pair in there.pairs if pair.what == "removed")
    assert removed is not None
    assert nodes[removed].layer == nodes[gone].layer


def test_a_unit_in_the_middle_is_found() -> None:
    found = compare(zoo("resnet50"), zoo("resnet101"))
    assert {what for what, *_ in differences(found)} == {"added"}
    assert len(differences(found)) == 17 * 10
    assert not any(pair.renamed for pair in found.pairs)


def test_a_unit_at_the_end_of_a_stage_is_found() -> None:
    """No unit of ResNet-34 is taken for one that begins a stage: those have another stride."""
    found = compare(zoo("resnet18"), zoo("resnet34"))
    nodes = zoo("resnet34").graph.nodes
    new = {nodes[pair.b].name.rpartition(".")[0] for pair in found.pairs if pair.what == "added" and pair.b}
    assert {what for what, *_ in differences(found)} == {"added"}
    assert len(new) == 1 + 2 + 4 + 1
    assert not new & {"stage128.basic", "stage256.basic", "features.basic"}


def test_batch_norms_put_in_everywhere_are_found() -> None:
    found = compare(zoo("vgg16"), zoo("vgg16_bn"))
    kinds = [zoo("vgg16_bn").graph.nodes[pair.b].kind for pair in found.pairs if pair.what == "added" and pair.b]
    assert kinds == ["bn"] * 13
    assert {what for what, *_ in differences(found)} == {"added"}


def test_an_insertion_that_shifts_numbers_is_one_insertion() -> None:
    before = "network N\ninput 32x32x3\n" + "conv 3x3x8 same, relu\n" * 2 + "conv 3x3x8 same /2, relu\n" * 2
    after = before.replace("/2, relu\n", "/2, relu\nconv 5x5x8 same, relu\n", 1)
    found = compare(side(before), side(after))
    assert [(what, old) for what, old, _ in differences(found)] == [("added", None)] * 2


# --- checkpoints ----------------------------------------------------------------------------------------------------


def loaded(one: Side, two: Side) -> Loading:
    return loading(compare(one, two), module_paths(one.graph), module_paths(two.graph))


def modules(one: Side, two: Side) -> tuple[Any, Any]:
    """Both networks in PyTorch, with weights that are all different."""
    torch.manual_seed(1)
    made = [build_module(each.graph).eval() for each in (one, two)]
    for module in made:
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    return made[0], made[1]


@pytest.mark.parametrize(
    ("one", "two"),
    [("resnet18", "resnet34"), ("vgg11", "vgg11_bn"), ("siamese", "siamese"), ("lenet5", "lenet5_28")],
)
def test_the_mapping_is_between_state_dicts(one: str, two: str) -> None:
    first, second = zoo(one), zoo(two)
    found = loaded(first, second)
    with torch.device("meta"):
        old, new = (build_module(each.graph).state_dict() for each in (first, second))
    assert [one.tensor.name for one in found.tensors] == list(new)
    assert {one.tensor.name: one.tensor.shape for one in found.tensors} == {k: tuple(v.shape) for k, v in new.items()}
    for to, source in found.mapping.items():
        assert new[to].shape == old[source].shape
    used = {*found.mapping.values(), *(o.source.name for o in found.of("shape") if o.source)}
    assert {tensor.name for tensor in found.unused} == set(old) - used


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace("c1", "first").replace("left", "l"),
        "block cbr(c, s=1):\n    conv 3x3x{c} /{s} same as conv, bn, relu\n\n"
        + BEFORE.replace("conv 3x3x8 same as c1, bn, relu", "cbr 8 as c1").replace(
            "conv 3x3x16 /2 same as c2, bn, relu", "cbr 16 2 as c2"
        ),
        BEFORE.replace("as c1", "as ?").replace("as c2", "as c1").replace("as ?", "as c2"),
        BEFORE.replace("    | conv 3x3x16 same as left, relu\n", "").replace(
            "as right\n", "as right\n    | conv 3x3x16 same as left, relu\n"
        ),
    ],
    ids=["renamed", "extracted", "swapped", "reordered"],
)
def test_mapped_weights_give_the_same_outputs(after: str) -> None:
    one, two = side(BEFORE), side(after)
    found = loaded(one, two)
    old, new = modules(one, two)
    state = old.state_dict()
    new.load_state_dict({to: state[source] for to, source in found.mapping.items()})
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(new(images), old(images))


def test_what_does_not_fit_is_said() -> None:
    found = loaded(side(BEFORE), side(BEFORE.replace("dense 10 as head", "dense 12 as head, relu, dense 3 as last")))
    assert {one.tensor.name for one in found.of("shape")} == {"head.weight", "head.bias"}
    assert {one.tensor.name for one in found.of("missing")} == {"last.weight", "last.bias"}
    assert found.unused == ()


def test_names_that_mean_another_layer_are_said() -> None:
    before = "network N\ninput 8x8x4\nconv 3x3x4 same /2 as a\nconv 3x3x4 same as b\ndense 3\n"
    after = "network N\ninput 8x8x4\nconv 3x3x4 same /2 as b\nconv 3x3x4 same as a\ndense 3\n"
    found = loaded(side(before), side(after))
    assert found.mapping["b.weight"] == "a.weight"
    assert found.mapping["a.weight"] == "b.weight"
    assert {one.tensor.name for one in found.tensors if one.mistaken} == {"a.weight", "a.bias", "b.weight", "b.bias"}


def test_weights_that_are_no_longer_shared_are_loaded_twice() -> None:
    spec = "network N\ninput 8x8x4\nconv 3x3x4 same as a\n{}\n"
    found = loaded(side(spec.format("reuse a as b")), side(spec.format("conv 3x3x4 same as b")))
    assert found.mapping == {"a.weight": "a.weight", "a.bias": "a.bias", "b.weight": "a.weight", "b.bias": "a.bias"}


# --- edits of texts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(9))
def test_a_line_put_into_a_spec_of_the_zoo_is_found(seed: int) -> None:
    """A dropout behind a random layer of a random spec: wherever a network has it, it is all that was added."""
    chance = random.Random(seed)
    source = read(locate(chance.choice(files())))
    assert isinstance(source, Source)
    lines = source.text.splitlines()
    layers = [i for i, line in enumerate(lines) if re.match(r"[ |]*(conv|dwconv|bn|relu|pool|dense|linear) ", line)]
    at = chance.choice(layers)
    indent = re.match(r"[ |]*", lines[at])
    assert indent is not None
    lines.insert(at + 1, " " * len(indent[0]) + "dropout 0.123")
    before, after = check(source), check(Source(source.name, "\n".join(lines) + "\n"))
    assert all(d.severity != "error" or d.code.startswith("E5") for d in after.diagnostics), after.diagnostics
    for old, new in list(zip(before.networks, after.networks, strict=True))[:2]:
        found = compare(Side("a", old.graph, old.analysis), Side("b", new.graph, new.analysis))
        unlike = differences(found)
        assert {what for what, *_ in unlike} <= {"added"}
        assert len(unlike) == len(new.graph.nodes) - len(old.graph.nodes)
        assert all(new.graph.nodes[p.b].kind == "dropout" for p in found.pairs if p.what == "added" and p.b)
