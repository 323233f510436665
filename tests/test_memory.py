"""Memory against PyTorch: what training keeps of whole networks, what inference has alive, and the weights.

On a CPU, in eager mode, at 32-bit floats; networks of the zoo, of reduced input where that is quicker.
"""

from __future__ import annotations

import weakref
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnndsl.files import read_source
from cnndsl.graph import Graph
from cnndsl.measure import Memory
from cnndsl.measure.analyse import analyse
from cnndsl.pipeline import Options, check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

torch.set_num_threads(1)

SPECS = Path(__file__).parents[1] / "specs"

ZOO = [
    ("lenet5", "LeNet5", None),
    ("lenet5-1998", "LeNet5_1998", None),
    ("alexnet", "alexnet", "64x64x3"),
    ("zfnet", "zfnet", "64x64x3"),
    ("vgg", "vgg11_bn", "32x32x3"),
    ("nin", "nin", "32x32x3"),
    ("googlenet", "googlenet", "64x64x3"),
    ("resnet", "resnet18", "32x32x3"),
    ("resnet", "resnet50", "32x32x3"),
    ("preresnet", "preresnet50", "32x32x3"),
    ("se_resnet", "se_resnet50", "32x32x3"),
    ("densenet", "densenet121", "32x32x3"),
    ("squeezenet", "squeezenet1_1", "64x64x3"),
    ("mobilenet_v2", "mobilenet_v2", "32x32x3"),
    ("mobilenet_v3", "mobilenet_v3_small", "32x32x3"),
    ("shufflenet_v1", "shufflenet_v1_g3_x0_5", "32x32x3"),
    ("shufflenet_v2", "shufflenet_v2_x0_5", "32x32x3"),
    ("efficientnet", "efficientnet_b0", "32x32x3"),
    ("regnet", "regnet_y_400mf", "32x32x3"),
    ("xception", "xception", "64x64x3"),
    ("convnext", "convnext_tiny", "32x32x3"),
    ("vit", "vit_b_32", "64x64x3"),
    ("swin", "swin_t", "64x64x3"),
    ("swin", "swin_v2_t", "64x64x3"),
    ("maxvit", "maxvit_t", "64x64x3"),
    ("segnet", "segnet", "32x32x3"),
    ("r3d", "r3d_18", "4x16x16x3"),
    ("dcgan", "dcgan_generator_paper", None),
    ("vae", "vae", None),
    ("spectra", "spectra", None),
    ("siamese", "siamese_embedding", None),
]
"""A file, a network in it, and an input in place of its own."""


@cache
def zoo_graph(file: str, network: str, size: str | None) -> Graph:
    source = read_source(str(SPECS / f"{file}.cnn"))
    assert isinstance(source, Source)
    checked = check(source, Options(network=network, input=size))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []
    return checked.networks[0].graph


def graph_of(lines: str, size: str) -> Graph:
    checked = check(Source("t.cnn", f"network T\ninput {size}\n{lines}\n"))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []
    return checked.networks[0].graph


def inputs_of(graph: Graph, examples: int) -> list[torch.Tensor]:
    found = []
    for index in graph.inputs:
        shapes = graph.nodes[index].shapes
        assert shapes is not None
        if shapes[0].tokens:
            found.append(torch.randint(0, 20, (examples, *shapes[0].sizes)))
        else:
            found.append(torch.randn(examples, shapes[0].channels, *shapes[0].spatial))
    return found


def memory_of(graph: Graph, examples: int) -> Memory:
    memory = analyse(graph, examples).memory
    assert memory is not None
    return memory


def pointers(module: nn.Module) -> set[int]:
    return {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}


def saved_by_autograd(module: nn.Module, inputs: list[torch.Tensor]) -> int:
    """Bytes of the distinct storages that are kept for the backward pass, parameters and buffers left out."""
    own = pointers(module)
    found: dict[int, int] = {}
    alive = []  # so that no address is used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(tensor)
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module.train()(*inputs)
    return sum(found.values())


@pytest.mark.parametrize(("file", "network", "size"), ZOO, ids=[network for _, network, _ in ZOO])
def test_training_keeps_what_autograd_keeps(file: str, network: str, size: str | None) -> None:
    graph = zoo_graph(file, network, size)
    assert saved_by_autograd(build_module(graph), inputs_of(graph, 2)) == memory_of(graph, 2).saved


def test_resnet_50_as_published() -> None:
    """172 MB at batch 2 and 224x224, as measured with saved-tensor hooks on torchvision's model."""
    memory = memory_of(zoo_graph("resnet", "resnet50", None), 2)
    assert round(memory.saved / 1e6) == 172


# What shares memory and what does not: views, weights used twice, heads, frozen layers, moved axes.
SMALL = {
    "reuse": ("conv 3x3x4 pad=1 as c, relu, reuse c, relu", "8x8x4"),
    "a tensor merged with itself": ("conv 3x3x4 as a\nmul a\nadd a\ndense 3", "8x8x4"),
    "an activation that is merged and kept": (
        "conv 3x3x4 pad=1 as a, relu, conv 3x3x4 pad=1\nadd a\nrelu\nmul a",
        "8x8x4",
    ),
    "squeeze and excitation": ("mul:\n    | identity\n    | globalpool, conv 1x1x4, sigmoid\nconv 3x3x4", "8x8x4"),
    "three arms added": ("add:\n    | conv 1x1x4\n    | conv 1x1x4\n    | identity\nconv 1x1x4", "8x8x4"),
    "three arms multiplied": ("mul:\n    | conv 1x1x4\n    | conv 1x1x4\n    | conv 1x1x4\nconv 1x1x4", "8x8x4"),
    "the largest of three": ("max:\n    | conv 1x1x4\n    | conv 1x1x4\n    | conv 1x1x4\nconv 1x1x4", "8x8x4"),
    "a distance": ("absdiff:\n    | conv 1x1x4\n    | conv 1x1x4\nconv 1x1x4", "8x8x4"),
    "a product of crops": ("mul crop:\n    | conv 1x1x4, relu\n    | conv 3x3x4\nconv 1x1x4", "8x8x4"),
    "a crop of an activation": ("conv 3x3x4, relu, crop 1, conv 3x3x4", "12x12x4"),
    "two slices of one map": (
        "conv 3x3x8 as a, slice 0 4, conv 3x3x4 as b\nfrom a, slice 4 8, conv 3x3x4\nconcat b\ndense 3",
        "12x12x4",
    ),
    "axes that were swapped": ("conv 3x3x4, permute 2x0x1, flatten, dense 3", "8x8x4"),
    "linear layers and convolutions": ("ln, linear 8, relu, conv 3x3x4, ln, linear 3, tanh, pool 2", "8x8x4"),
    "a block of ConvNeXt": (
        "add:\n    | identity\n    | dwconv 7x7 same, ln, linear 16, gelu, linear 4, layerscale 0.1, droppath 0.1\n"
        "ln, pool 2",
        "8x8x4",
    ),
    "a block of ViT": (
        "conv 4x4x8 /4, tokens, clstoken, posembed\nadd:\n    | identity\n    | ln, attention 2\n"
        "add:\n    | identity\n    | ln, linear 16, gelu, linear 8\nln, token 0, dense 3",
        "16x16x3",
    ),
    "words": ("embedding 30x8, conv 3x4, relu, globalpool max, dense 2", "12 tokens"),
    "dropouts": ("conv 3x3x4, dropout 0.3, conv 3x3x4, dropout 0.3 spatial, dense 4, dropout", "10x10x4"),
    "unpooling": ("conv 3x3x4 pad=1, relu, pool 2 as p, conv 3x3x4 pad=1, unpool 2 p, conv 3x3x2", "8x8x4"),
    "all norms": ("conv 3x3x8, gn 2, relu, instancenorm affine, silu, rmsnorm, lrn 3, l2norm, bn, dense 2", "8x8x4"),
    "frozen layers": ("conv 3x3x4 frozen, bn frozen, relu, conv 3x3x4 frozen=weight, prelu, dense 4 frozen", "8x8x4"),
    "nothing learned before": ("conv 3x3x4 frozen, relu, bn frozen, tanh, conv 3x3x4", "8x8x4"),
    "a head for training": (
        "conv 3x3x4, relu\noutput early training:\n    globalpool, dense 5\nconv 3x3x8, globalpool, dense 5",
        "8x8x4",
    ),
    "two results": (
        "conv 3x3x4, relu as a, dense 3 as x\nfrom a, globalpool, dense 2 as y\noutput x\noutput y",
        "8x8x4",
    ),
    "a random cell": ("dense 8, relu as h, dense 3 as mu\nfrom h, dense 3 as lv\ngaussian mu lv\ndense 8", "10"),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("examples", [2, 5])
def test_what_shares_memory_is_counted_once(name: str, examples: int) -> None:
    graph = graph_of(*SMALL[name])
    assert saved_by_autograd(build_module(graph), inputs_of(graph, examples)) == memory_of(graph, examples).saved


def test_recurrent_layers_are_estimates() -> None:
    assert memory_of(graph_of("lstm 8", "12x4"), 1).estimated
    assert not memory_of(graph_of("conv 3x8", "12x4"), 1).estimated


# --- inference ------------------------------------------------------------------------------------------------------


class Alive(TorchDispatchMode):
    """Counts the bytes of the storages that are alive, whenever an operation has given its result."""

    def __init__(self, own: set[int]) -> None:
        super().__init__()
        self.own = own
        self.bytes: dict[int, int] = {}
        self.highest = 0

    def watch(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if storage.data_ptr() not in self.own and key not in self.bytes:
            self.bytes[key] = storage.nbytes()
            weakref.finalize(storage, self.bytes.pop, key)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.watch(leaf)
        self.highest = max(self.highest, sum(self.bytes.values()))
        return result


CHAINS = {
    "LeNet-5": ("conv 5x5x6, tanh, pool 2 avg, conv 5x5x16, tanh, pool 2 avg, dense 120, tanh, dense 10", "32x32x1"),
    "a pool whose indices are most of it": ("pool 2, relu", "32x32x8"),
    "a pool of a line": ("conv 1x16, pool 2, relu", "64x4"),
    "a global pool": ("conv 1x1x64, globalpool max, dense 3", "2x2x4"),
    "a pool and its undoing": ("pool 2 as p, conv 3x3x8 pad=1, unpool 2 p", "16x16x8"),
    "dropout, which is nothing": ("conv 3x3x8, dropout, dropout spatial, conv 3x3x4", "16x16x4"),
    "padding": ("pool 3 /2 same, conv 3x3x8 /2 same, relu", "17x16x4"),
    "views": ("conv 3x3x8, relu, crop 2, flatten, dense 10, softmax", "16x16x4"),
    "VGG": ("conv 3x3x8 pad=1, bn, relu, conv 3x3x8 pad=1, bn, relu, pool 2, conv 3x3x16 pad=1, dense 4", "16x16x3"),
}


@pytest.mark.parametrize("name", CHAINS)
def test_inference_has_that_much_alive(name: str) -> None:
    graph = graph_of(*CHAINS[name])
    module, inputs = build_module(graph).eval(), inputs_of(graph, 3)
    alive = Alive(pointers(module))
    for x in inputs:
        alive.watch(x)
    with torch.no_grad(), alive:
        module(*inputs)
    assert alive.highest == memory_of(graph, 3).activations_peak


def test_a_skipped_tensor_is_alive_until_it_is_merged() -> None:
    """By hand: at the second convolution the input, the skipped map, its input and its output."""
    graph = graph_of("conv 1x1x4 as a, conv 1x1x8, conv 1x1x4\nadd a\ndense 1", "8x8x2")
    cells = 4 * 64
    assert memory_of(graph, 1).activations_peak == cells * (2 + 4 + 8 + 4)


# --- weights, gradients, the optimizer's state ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("conv 3x3x8, bn, relu, conv 3x3x8 frozen, bn frozen, prelu, globalpool, dense 5", "12x12x3"),
        ("conv 3x3x4 pad=1 as c, relu, reuse c, rbf 3", "4x4x4"),
        ("conv 3x3x3 connect=[[0, 1], [1, 2], [0, 1, 2]], subsample 2, dense 84, rbf 10 centres=digits", "8x8x3"),
    ],
)
def test_weights_gradients_and_state(lines: str, size: str) -> None:
    graph = graph_of(lines, size)
    module = build_module(graph).train()
    state = module.state_dict()
    memory = memory_of(graph, 2)
    assert memory.weights == sum(t.nbytes for t in state.values())
    module(*inputs_of(graph, 2))[0].sum().backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert memory.gradients == sum(g.nbytes for g in gradients)
    optimizer = torch.optim.Adam(p for p in module.parameters() if p.requires_grad)
    optimizer.step()
    kept = [
        v for values in optimizer.state.values() for v in values.values() if isinstance(v, torch.Tensor) and v.dim()
    ]
    assert memory.optimizer == sum(v.nbytes for v in kept)
    assert memory.training == memory.weights + memory.gradients + memory.optimizer + memory.saved
    assert memory.inference == memory.weights + memory.activations_peak
