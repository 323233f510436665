"""What a network has learned, and what it makes of an example: first kernels and feature maps as small pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnndsl.codegen import module_paths
from cnndsl.draw.scene import Scene
from cnndsl.graph import Graph
from cnndsl.runtime import nodes
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.plots.grid import Section, Tile, around_zero, grid, of_image, spread

_KERNELS = 64
_LAYERS, _MAPS = 12, 18
"""Most layers that are shown, and most maps of each."""
_SEEN = frozenset({"conv", "depthwise", "deconv", "pool", "subsample", "add", "concat", "upsample", "unpool"})
"""Layers whose maps are shown; those behind activations and norms are as those before them."""


def kernels(title: str, graph: Graph, module: nn.Module, prepare: Prepare) -> Scene | None:
    """The first layer's weights as pictures, grey where they are 0; None where they are none: weights of images, or of
    other inputs with one or three channels, that a convolution or a dense layer has."""
    found = _first_weights(graph, module, prepare)
    if found is None:
        return None
    name, weights = found
    far = float(weights.abs().max())
    tiles = [Tile(around_zero(one if len(one) == 3 else one[0], far), (str(n),)) for n, one in enumerate(weights)]
    size = "x".join(map(str, weights.shape[2:]))
    many = f"{len(weights):,} of {size}" + (f", the first {_KERNELS}" if len(weights) > _KERNELS else "")
    section = Section(name, tiles[:_KERNELS], f"{many}; grey is 0, white {far:.3g}, black {-far:.3g}")
    return grid(title, [section], f"{title}: the weights of {name}, {many}")


def _first_weights(graph: Graph, module: nn.Module, prepare: Prepare) -> tuple[str, Tensor] | None:
    """The name of the first layer with weights, and these as images, N x 1 or 3 x rows x columns."""
    paths = module_paths(graph)
    node = next((n for n in graph.nodes if n.index in paths and n.shares is None), None)
    if node is None:
        return None
    weights = getattr(module.get_submodule(paths[node.index]), "weight", None)
    if not isinstance(weights, Tensor):
        return None
    if weights.dim() == 4 and weights.shape[1] in (1, 3) and max(weights.shape[2:]) > 1:
        return node.name, weights.detach().cpu()
    image = prepare.image
    if weights.dim() == 2 and image is not None and image[2] in (1, 3):
        sides = prepare.size if prepare.fit != "none" else image[:2]
        if weights.shape[1] == image[2] * sides[0] * sides[1]:
            return node.name, weights.detach().cpu().reshape(len(weights), image[2], *sides)
    return None


@torch.no_grad()
def features(title: str, graph: Graph, module: nn.Module, input: Tensor, stored: Tensor | None) -> Scene | None:
    """The maps of an example, layer by layer; None where there are none.

    module: in evaluation mode; input: as it takes it, 1 x channels x rows x columns; stored: the picture itself, uint8.
    """
    if len(graph.inputs) > 1 or input.dim() != 4:
        return None
    layers: list[tuple[str, Tensor]] = []
    for node, _, found in nodes.run(graph, module, [input]):
        maps = found[0][0]
        if node.kind in _SEEN and maps.dim() == 3 and max(maps.shape[1:]) > 1:
            layers.append((node.name, maps))
    if not layers:
        return None
    sections = []
    if stored is not None and len(stored) in (1, 3):
        sections.append(Section("", [Tile(of_image(stored))]))
    return grid(title, [*sections, *(_maps(name, maps) for name, maps in _some(layers))])


def _some(layers: list[tuple[str, Tensor]]) -> list[tuple[str, Tensor]]:
    """The layers, or as many of them as are shown: evenly spread, the first and the last among them."""
    if len(layers) <= _LAYERS:
        return layers
    return [layers[round(n * (len(layers) - 1) / (_LAYERS - 1))] for n in range(_LAYERS)]


def _maps(name: str, maps: Tensor) -> Section:
    size = "x".join(map(str, (*maps.shape[1:], maps.shape[0])))
    more = f"; the first {_MAPS} maps" if len(maps) > _MAPS else ""
    note = f"{size}, from {float(maps.min()):.3g} to {float(maps.max()):.3g}{more}; each map from black to white"
    return Section(name, [Tile(spread(one)) for one in maps[:_MAPS]], note)
