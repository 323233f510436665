"""The tables over primitives: MACs and connections against published counts and Jacobians, memory against autograd."""

from __future__ import annotations

import pytest
import torch
from test_layers import EXAMPLES, batch, build_module, first_shape, graph_of, input_shapes
from torch import nn

from cnndsl.graph import Graph, Node
from cnndsl.layers import all_kinds
from cnndsl.layers.base import Example, Layer, Operation
from cnndsl.measure.analyse import analyse
from cnndsl.measure.primitives import CONNECTIONS, CORE_MACS, ESTIMATED, SAVED, SAVED_FROZEN, VIEWS, saved
from cnndsl.shape import Shape

torch.set_num_threads(1)

C3 = [[i % 6, (i + 1) % 6, (i + 2) % 6] for i in range(6)]
C3 += [[(i + k) % 6 for k in range(4)] for i in range(6)]
C3 += [[i, i + 1, (i + 3) % 6, (i + 4) % 6] for i in range(3)] + [[0, 1, 2, 3, 4, 5]]

LENET_5 = f"""conv 5x5x6, tanh scaled, subsample 2, tanh scaled, conv 5x5x16 connect={C3}, tanh scaled, subsample 2
tanh scaled, conv 5x5x120, tanh scaled, dense 84, tanh scaled, rbf 10 centres=digits"""


def operations_of(graph: Graph, node: Node) -> tuple[Operation, ...]:
    if node.layer is None or node.shapes is None:
        return ()
    return node.layer.operations(input_shapes(graph, node), node.shapes)


def test_lenet_5_has_the_papers_numbers() -> None:
    """LeCun et al. 1998, section II.B: trainable parameters and connections of C1, S2, C3, S4, C5, F6 and output."""
    graph = graph_of(LENET_5, "32x32x1")
    measured = analyse(graph)
    layers = [
        m
        for node, m in zip(graph.nodes, measured.layers, strict=True)
        if node.layer is not None and node.kind != "tanh" and m is not None
    ]
    assert [m.trainable for m in layers] == [156, 12, 1516, 32, 48120, 10164, 0]
    assert [m.connections for m in layers] == [122304, 5880, 151600, 2000, 48120, 10164, 840]
    assert measured.totals is not None
    assert (measured.totals.trainable, measured.totals.connections) == (60000, 340908)
    macs = [25 * 784 * 6, 14 * 14 * 6, 25 * 60 * 100, 5 * 5 * 16, 400 * 120, 120 * 84, 84 * 10]
    assert [m.macs for m in layers] == macs


def test_modern_lenet_5() -> None:
    """61,706 parameters and 416,520 multiply-accumulates, as fvcore counts the usual PyTorch version."""
    graph = graph_of(
        "conv 5x5x6, tanh, pool 2 avg, conv 5x5x16, tanh, pool 2 avg, dense 120, tanh, dense 84, tanh, dense 10",
        "32x32x1",
    )
    totals = analyse(graph).totals
    assert totals is not None
    assert (totals.params, totals.macs, totals.flops) == (61706, 416520, 833040)


LINKED = [
    ("conv 3x4", "9x2"),
    ("conv 3x3x4 /2 dilation=2 groups=2", "9x8x4"),
    ("conv 3x3x3 connect=[[0, 1], [1, 2], [0, 1, 2]]", "6x6x3"),
    ("dwconv 2x3 multiplier=2 nobias", "5x6x3"),
    ("deconv 3x3x4 /3", "3x4x2"),
    ("deconv 2x2x4 /2 groups=2 nobias", "3x4x2"),
    ("dense 7", "3x4x2"),
    ("linear 7", "6x5"),
    ("rbf 5", "8"),
    ("subsample 3 /2", "7x8x3"),
    ("pool 2 avg", "6x9x2"),
    ("pool 3 /1 avg", "7x5x2"),
    ("globalpool avg", "5x6x3"),
    ("adaptivepool 3", "7x8x2"),
    ("adaptivepool 4x7", "6x5x2"),
    ("adaptivepool 5", "12x2"),
]


@pytest.mark.parametrize(("item", "input"), LINKED)
def test_connections_are_links_into_units(item: str, input: str) -> None:
    """As many as the Jacobian has entries, and one for the bias of each output that has one."""
    graph = graph_of(item, input)
    module = build_module(graph).double()
    shape = first_shape(graph)
    x = batch(shape, 1).double()
    jacobian = torch.autograd.functional.jacobian(module, x)
    links = int((jacobian != 0).sum())
    biases = module(x).numel() if any(name.endswith("bias") for name, _ in module.named_parameters()) else 0
    assert analyse(graph).layers[-1].connections == links + biases  # type: ignore[union-attr]


@pytest.mark.parametrize("item", ["relu", "bn", "ln", "dropout", "flatten", "upsample 2", "pad 1", "softmax", "lrn 3"])
def test_what_makes_no_links(item: str) -> None:
    totals = analyse(graph_of(item, "8x8x4")).totals
    assert totals is not None
    assert (totals.connections, totals.macs) == (0, 0)


# --- memory -----------------------------------------------------------------------------------------------------


def kept_by_autograd(module: nn.Module, x: torch.Tensor) -> tuple[int, int, int, bool]:
    """Bytes that autograd keeps of the input's storage, the output's, and others; whether the two are one.

    Parameters and buffers don't count.
    """
    own = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    found: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)  # so that no address is used twice
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = module(x)
    source, result = x.untyped_storage().data_ptr(), output.untyped_storage().data_ptr()
    before = found.pop(source, 0)
    after = found.pop(result, 0)
    return before, after, sum(found.values()), source == result


def kept_by_the_tables(operations: tuple[Operation, ...], x: Shape, examples: int) -> tuple[int, int, int, bool]:
    """The same from the tables: each storage once, those between two operations among the others."""
    kept: dict[str, int] = {}
    others = 0
    size = examples * (8 if x.tokens else 4) * x.elements
    current = "input"
    for number, operation in enumerate(operations):
        made = current if operation.primitive in VIEWS else f"made {number}"
        rule = saved(operation)
        if rule.input:
            kept[current] = size if current == "input" else examples * 4 * operation.inputs
        if rule.output:
            kept[made] = size if made == "input" else examples * 4 * operation.outputs
        others += examples * rule.extra + rule.once
        current = made
    before = kept.pop("input", 0)
    after = kept.pop(current, 0)
    return before, after, others + sum(kept.values()), current == "input"


ALONE = [(kind, example) for kind, example in EXAMPLES if " as " not in example.item]


@pytest.mark.parametrize(("kind", "example"), ALONE, ids=[f"{e.item} on {e.input}" for _, e in ALONE])
@pytest.mark.parametrize("examples", [2, 5])
def test_saved_is_what_autograd_keeps(kind: type[Layer], example: Example, examples: int) -> None:
    graph = graph_of(example.item, example.input)
    x = batch(first_shape(graph), examples)
    if x.is_floating_point():
        x.requires_grad_()
    before, after, others, view = kept_by_autograd(build_module(graph).train(), x)
    operations = operations_of(graph, graph.nodes[-1])
    expected = kept_by_the_tables(operations, first_shape(graph), examples)
    if any(operation.primitive in ESTIMATED for operation in operations):
        return  # below, at sizes that such layers have
    if kind.kind in ("linear", "windowattention") and first_shape(graph).rank:
        # The axes were moved before it, so PyTorch copies the input and keeps the copy.
        assert (before + others, after, view) == (expected[0] + expected[2], *expected[1::2])
    else:
        assert (before, after, others, view) == expected


RECURRENT = [
    ("rnn 256", "50x512", 1e-9),
    ("rnn 64 bidirectional", "20x100", 0.01),
    ("gru 256", "50x512", 1e-9),
    ("gru 256 layers=3 bidirectional", "30x128", 0.1),
    ("lstm 256", "50x512", 0.02),
    ("lstm 256 bidirectional", "26x512", 0.05),
    ("lstm 512", "50x128", 0.04),
    ("lstm 128 layers=2 dropout=0.2", "40x128", 0.1),
]


@pytest.mark.parametrize(("item", "input", "within"), RECURRENT)
def test_what_recurrent_layers_keep_is_estimated(item: str, input: str, within: float) -> None:
    graph = graph_of(item, input)
    x = batch(first_shape(graph), 4).requires_grad_()
    kept = sum(kept_by_autograd(build_module(graph), x)[:3])
    operations = operations_of(graph, graph.nodes[-1])
    assert ESTIMATED & {operation.primitive for operation in operations}
    expected = sum(kept_by_the_tables(operations, first_shape(graph), 4)[:3])
    assert abs(expected / kept - 1) <= within


def test_unpool_keeps_the_indices_that_the_pool_keeps() -> None:
    graph = graph_of("pool 2 as p, relu, unpool 2 p", "8x6x4")
    x = batch(first_shape(graph), 3).requires_grad_()
    before, after, others, _ = kept_by_autograd(build_module(graph), x)
    elements = 3 * 4 * 3 * 4
    assert (before, after, others) == (x.nbytes, 0, 8 * elements + 4 * elements)  # indices, relu's output


def test_tables_name_primitives_that_exist() -> None:
    existing = {
        operation.primitive
        for kind in all_kinds()
        for example in kind.examples
        for graph in [graph_of(example.item, example.input)]
        for node in graph.nodes
        for operation in operations_of(graph, node)
    }
    for table in (CORE_MACS, CONNECTIONS, SAVED, SAVED_FROZEN, VIEWS, ESTIMATED):
        assert set(table) <= existing
