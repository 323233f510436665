"""The networks of specs/ in PyTorch: what is predicted is what the modules do, and torchvision's do the same.

The modules' shapes, parameters and multiply-accumulates are compared on the meta device, at the declared input; the
forward and backward passes run on numbers, at the smallest input of a few that the network allows. The fast tests take
the smallest network of each file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.measure_torchvision import build, model_names, standard_side
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode
from zoo_specs import NAMED, Section, fits, network, rows

from cnndsl.graph import INPUT, Edge, Graph, Output
from cnndsl.runtime.module import build_module
from cnndsl.shape import Shape

torch.set_num_threads(1)


def smallest(names: Iterable[str]) -> set[str]:
    """Of these networks the one of each file that says it has the fewest parameters."""
    found: dict[Path, Section] = {}
    for section in (NAMED[name] for name in names):
        other = found.setdefault(section.file, section)
        if 0 < section.claims("params") < (other.claims("params") or math.inf):
            found[section.file] = section
    return {section.name for section in found.values()}


def light(names: Iterable[str]) -> set[str]:
    """Of these networks those that are no work to run."""
    return {name for name in names if NAMED[name].claims("params") < 50e6 and NAMED[name].claims("macs") < 100e9}


def each(names: Iterable[str], fast: set[str]) -> Any:
    """A test for every network, those not in `fast` marked as slow."""
    return pytest.mark.parametrize(
        "name", [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]
    )


SMALLEST = smallest(NAMED)
each_network = each(NAMED, SMALLEST)


def batch(shape: Shape | None, examples: int) -> Tensor:
    """Random examples, in PyTorch's order of axes."""
    assert shape is not None
    if shape.tokens:
        return torch.zeros(examples, *shape.sizes, dtype=torch.int64)
    return torch.randn(examples, shape.channels, *shape.spatial)


def inputs_of(graph: Graph, examples: int) -> list[Tensor]:
    return [batch(graph.shape_of(Edge(index)), examples) for index in graph.inputs]


# --- what is predicted ----------------------------------------------------------------------------------------------

# Sums that PyTorch's counter does not see; with a connection table it counts the zeros as well.
UNCOUNTED = {"rbf", "subsample"}


def shapes(graph: Graph) -> dict[int, tuple[int, ...]]:
    """What every layer gives, for one example in PyTorch's order; of an input of tokens too."""
    found = {}
    for node in graph.nodes:
        shape = graph.shape_of(Edge(node.index))
        assert shape is not None
        found[node.index] = shape.sizes if shape.tokens else (shape.channels, *shape.spatial)
    return found


@each_network
def test_predictions_hold(name: str) -> None:
    found = network(name)
    graph, totals = found.graph, found.analysis.totals
    assert totals is not None
    made = [node.index for node in graph.nodes if node.kind != INPUT]
    everything = graph._replace(outputs=tuple(Output(f"result{i}", Edge(i)) for i in made))
    table = any(getattr(node.layer, "connect", None) for node in graph.nodes)
    # A connection table is looked at when the weights are drawn, so it can't be on the meta device.
    with torch.device("cpu" if table else "meta"):
        module = build_module(everything).eval()
        examples = inputs_of(graph, 1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        results = module(*examples)
    results = results if isinstance(results, tuple) else (results,)
    predicted = shapes(graph)
    assert [tuple(r.shape[1:]) for r in results] == [predicted[i] for i in made]
    assert sum(p.numel() for p in module.parameters()) == totals.params
    if not table and not UNCOUNTED & {node.kind for node in graph.nodes}:
        assert counter.get_total_flops() == 2 * (totals.macs + totals.auxiliary_macs)


@each_network
def test_the_main_path_costs_what_is_said(name: str) -> None:
    """Of networks with auxiliary outputs, in eval mode; the others are tested above."""
    found = network(name)
    totals = found.analysis.totals
    assert totals is not None
    if not found.graph.auxiliary():
        assert totals.auxiliary_macs == 0
        return
    with torch.device("meta"):
        module = build_module(found.graph).eval()
        examples = inputs_of(found.graph, 1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*examples)
    assert counter.get_total_flops() == 2 * totals.macs


# --- forward and backward -------------------------------------------------------------------------------------------

SIDES = (32, 64, 96, 128, 224)


def reduced(name: str, sides: Iterable[int] = SIDES) -> str | None:
    """A smaller input that the network takes; None if there is none, or the declared input is small."""
    graph = network(name).graph
    shape = graph.shape_of(Edge(graph.inputs[0]))
    assert shape is not None
    if len(graph.inputs) > 1 or shape.rank != 2:
        return None
    for side in sides:
        size = f"{side}x{side}x{shape.channels}"
        if side < min(shape.spatial) and fits(name, size):
            return size
    return None


@each(NAMED, light(SMALLEST))
def test_forward_and_backward(name: str) -> None:
    graph = network(name, reduced(name)).graph
    torch.manual_seed(0)
    module = build_module(graph).train()
    examples = inputs_of(graph, 2)
    results = module(*examples)
    results = results if isinstance(results, tuple) else (results,)
    assert all(torch.isfinite(r).all() for r in results)
    for result, output in zip(results, graph.outputs, strict=True):
        shape = graph.shape_of(output.edge)
        assert shape is not None
        assert tuple(result.shape) == (2, shape.channels, *shape.spatial)
    sum(r.square().mean() for r in results).backward()
    for parameter, tensor in module.named_parameters():
        if tensor.requires_grad:
            assert tensor.grad is not None, f"{parameter} has no gradient"
            assert torch.isfinite(tensor.grad).all(), parameter


# --- torchvision ----------------------------------------------------------------------------------------------------

MODELS = [row.name for row in rows() if row.table == "zoo-torchvision" and row.name in NAMED]
INDEXED = ("swin", "maxvit")
"""Families whose modules compute buffers of indices, which have no values on the meta device."""
needs_torchvision = pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")


@needs_torchvision
def test_every_model_of_torchvision_is_there() -> None:
    assert set(MODELS) == set(model_names())


class InOrder(TorchFunctionMode):
    """Notes which of some named tensors are used, in the order of their first use."""

    def __init__(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        super().__init__()
        self.names = {id(tensor): name for name, tensor in tensors}
        self.used: dict[str, None] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for value in tree_flatten((args, kwargs))[0]:
            if id(value) in self.names:
                self.used.setdefault(self.names[id(value)])
        return func(*args, **(kwargs or {}))


def state(module: nn.Module) -> list[tuple[str, Tensor]]:
    """A module's parameters and statistics by their names."""
    return [(n, t) for n, t in (*module.named_parameters(), *module.named_buffers()) if t.is_floating_point()]


def in_order(module: nn.Module, example: Tensor) -> list[str]:
    """The names of a module's parameters and statistics, as a forward pass comes to use them."""
    with InOrder(state(module)) as mode, torch.no_grad():
        module(example)
    return list(mode.used)


def randomise(module: nn.Module) -> None:
    """Numbers for every parameter and statistic that keep activations near 1 and show every difference."""
    for name, tensor in state(module):
        if name.endswith("running_var"):
            tensor.data.uniform_(0.5, 1.5)
        elif tensor.dim() < 2:
            tensor.data.uniform_(-0.2, 0.2).add_(name.endswith("weight"))
        else:
            tensor.data.normal_(std=(2 / tensor[0].numel()) ** 0.5)


def common_input(name: str) -> str:
    """The smallest input of a few that both networks take with the same weights."""
    side = standard_side(name)
    for smaller in () if name.startswith("maxvit") else (64, 96, 128):  # MaxViT's module is made for one size
        size = f"{smaller}x{smaller}x3"
        if smaller < side and fits(name, size) and params(name, size) == params(name, None):
            return size
    return f"{side}x{side}x3"


def params(name: str, size: str | None) -> int:
    totals = network(name, size).analysis.totals
    assert totals is not None
    return totals.params


def partners(ours: nn.Module, theirs: nn.Module, example: Tensor) -> list[tuple[str, str]]:
    """Which tensor of one module is which of the other: of those of one size, the first used here and there."""
    used: list[dict[int, list[str]]] = []
    for module in (ours, theirs):
        sizes = {name: tensor.numel() for name, tensor in state(module)}
        found: dict[int, list[str]] = {}
        for name in in_order(module, example):
            found.setdefault(sizes[name], []).append(name)
        used.append(found)
    mine, others = used
    assert mine.keys() == others.keys()
    return [pair for size, names in mine.items() for pair in zip(names, others[size], strict=True)]


def agree(theirs: nn.Module, ours: nn.Module, example: Tensor) -> None:
    """With the same numbers as weights, given to each layer in the order in which the networks use them, two modules
    give the same: one result, or several in a tuple here and a dictionary there. They may lie on the meta device.

    In 64 bits: with random weights, MaxViT's own rounding in 32 bits is above 1e-5 on some processors."""
    pairs = partners(ours, theirs, example)
    if example.is_meta:
        theirs.to_empty(device="cpu")
    randomise(theirs)
    wanted, given = dict(state(ours)), dict(state(theirs))
    ours.load_state_dict(
        {mine: given[other].data.reshape(wanted[mine].shape) for mine, other in pairs}, strict=False, assign=True
    )
    inputs = torch.randn(example.shape, dtype=torch.float64)
    with torch.no_grad():
        found, expected = ours.double()(inputs), theirs.double()(inputs)
    results = found if isinstance(found, tuple) else (found,)
    for one, other in zip(results, expected.values() if isinstance(expected, dict) else (expected,), strict=True):
        most = float(other.abs().max())
        assert most > 1e-3
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * most)


@needs_torchvision
@each(MODELS, smallest(MODELS))
def test_torchvision_gives_the_same(name: str) -> None:
    size = common_input(name)
    torch.manual_seed(0)
    with torch.device("cpu" if name.startswith(INDEXED) else "meta"):
        theirs, ours = build(name), build_module(network(name, size).graph).eval()
        example = torch.zeros(1, 3, *map(int, size.split("x")[:2]))
    agree(theirs, ours, example)


OTHERS = {
    "fcn_resnet50": "65x97x3", "fcn_resnet101": "65x97x3", "deeplabv3_resnet50": "97x65x3",
    "deeplabv3_resnet101": "65x65x3", "deeplabv3_mobilenet_v3_large": "97x129x3",
    "lraspp_mobilenet_v3_large": "97x129x3",
    "r3d_18": "8x48x64x3", "mc3_18": "4x48x64x3", "r2plus1d_18": "8x48x64x3", "s3d": "16x224x224x3",
}  # fmt: skip
"""Torchvision's networks for other tasks, and inputs that are quickly run."""


@needs_torchvision
@each(OTHERS, {"lraspp_mobilenet_v3_large", "mc3_18"})
def test_torchvision_gives_the_same_for_other_tasks(name: str) -> None:
    size = OTHERS[name]
    torch.manual_seed(0)
    settings = {} if size.count("x") == 3 else {"weights_backbone": None}
    if name.startswith(("fcn", "deeplab")):
        settings["aux_loss"] = True
    with torch.device("meta"):
        theirs, ours = build(name, **settings), build_module(network(name, size).graph).eval()
        example = torch.empty(1, 3, *map(int, size.split("x")[:-1]))
    agree(theirs, ours, example)
