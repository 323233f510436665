"""Stochastic depth: the shares of paths that are dropped, set from outside the network."""

from __future__ import annotations

from typing import Any

from torch import nn

from cnndsl.codegen import module_paths
from cnndsl.graph import Graph
from cnndsl.recipe.training import StochasticDepth


class Depth:
    """Sets the shares of a module's `droppath` layers: rising in equal steps with their depth (Huang et al. 2016)."""

    def __init__(self, module: nn.Module, graph: Graph, chosen: StochasticDepth) -> None:
        paths = module_paths(graph)
        kinds = [node for node in graph.nodes if node.kind == "droppath" and node.index in paths]
        self.layers: list[Any] = [module.get_submodule(paths[node.index]) for node in kinds]
        self.chosen = chosen
        self.at(0.0)

    def at(self, epochs: float) -> None:
        """Set them for the moment when so many epochs are done."""
        rise = min(1.0, epochs / self.chosen.rise) if self.chosen.rise else 1.0
        for number, layer in enumerate(self.layers, 1):
            layer.p = (self.chosen.last or 0.0) * rise * number / len(self.layers)
