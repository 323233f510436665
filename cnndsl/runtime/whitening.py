"""`init=whiten`: kernels from the training images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnndsl.codegen import module_paths
from cnndsl.graph import Graph
from cnndsl.layers.base import WHITEN
from cnndsl.runtime.data import Examples
from cnndsl.runtime.data.feed import Feed

EXAMPLES = 5000
"""Most examples that are looked at, as airbench's code does."""
EPS = 5e-4
"""Added to each variance, so that directions in which nothing varies are not blown up; airbench's."""
_PIECE = 500

_CONVOLUTIONS: dict[int, Any] = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}


def whiten(module: nn.Module, graph: Graph, examples: Examples, feed: Feed) -> list[str]:
    """Set the kernels of all layers with `init=whiten`, in the network's order; the names of those layers.

    A layer that stands deeper sees what the layers before it make of the images, as they are then.
    """
    wanted = [node for node in graph.nodes if getattr(node.layer, "init", "") == WHITEN and node.shares is None]
    if not wanted:
        return []
    paths = module_paths(graph)
    rows = torch.arange(min(EXAMPLES, len(examples)))
    for node in wanted:
        layer: Any = module.get_submodule(paths[node.index])
        moments = _moments(module, layer, examples, feed, rows)
        with torch.no_grad():
            layer.weight.copy_(kernels(moments, layer.weight))
    return [node.name for node in wanted]


def kernels(moments: Tensor, weight: Tensor) -> Tensor:
    """Kernels shaped as `weight` of the mean products of a patch's cells: the eigenvectors by the root of their
    eigenvalue, the largest first, then their opposites; what is over of `weight` stays."""
    values, vectors = torch.linalg.eigh(moments)
    scaled = (vectors / (values + EPS).sqrt()).T.flip(0)
    both = torch.cat([scaled, -scaled]).to(weight.dtype).reshape(-1, *weight.shape[1:])
    count = len(weight)
    if count < len(both):
        half = (count + 1) // 2
        both = torch.cat([both[:half], both[len(scaled) : len(scaled) + count - half]])
    return torch.cat([both, weight.detach()[len(both) :]])


@torch.no_grad()
def _moments(module: nn.Module, layer: Any, examples: Examples, feed: Feed, rows: Tensor) -> Tensor:
    """The mean products of the cells of the patches that a convolution sees, D x D in double precision."""
    size = layer.weight[0].numel()
    each = torch.eye(size, device=layer.weight.device).reshape(size, *layer.weight.shape[1:])
    total = torch.zeros(size, size, dtype=torch.float64, device=layer.weight.device)
    count = 0

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal count
        made = _CONVOLUTIONS[each.dim()](inputs[0], each, None, layer.stride, layer.padding, layer.dilation)
        patches = made.movedim(1, -1).reshape(-1, size).double()
        total.addmm_(patches.T, patches)
        count += len(patches)

    hook = layer.register_forward_pre_hook(look)
    try:
        module.eval()
        for piece in torch.split(rows, _PIECE):
            module(*feed(examples.pick(piece)).inputs)
    finally:
        hook.remove()
    return total / count
