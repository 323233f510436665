"""Layers and parameters that don't learn, throughout, for the first epochs, or after those."""

from __future__ import annotations

from torch import nn

from cnndsl.codegen import node_codes
from cnndsl.graph import Graph
from cnndsl.recipe.selection import selected
from cnndsl.recipe.training import Freeze
from cnndsl.runtime.nodes import parameters, parts


class Freezing:
    """Holds what a recipe freezes: layers with their statistics, and parameters by themselves.

    held: whether they are held now. No gradient is computed for a parameter that is held, and an optimizer passes over
    it: neither momentum nor weight decay moves it, and its state stays what it was.
    """

    def __init__(self, module: nn.Module, graph: Graph, chosen: Freeze) -> None:
        self.chosen = chosen
        self.held = False
        self.modules: list[nn.Module] = []
        held: list[nn.Parameter] = []
        codes = node_codes(graph)
        for node, parameter in (one for name in chosen.layers for one in selected(graph, name)):
            if node.index in codes:
                held += parameters(module, codes[node.index], parameter)
                self.modules += [part for _, part in parts(module, codes[node.index]) if parameter is None]
        # What the network itself freezes is never let go.
        self.parameters = [one for one in held if one.requires_grad]

    def at(self, epochs: float) -> None:
        """Hold them, or let them go, as the recipe says for when so many epochs are done. Training goes on."""
        held = self.chosen.holds(epochs)
        if held == self.held:
            return
        self.held = held
        for parameter in self.parameters:
            parameter.requires_grad_(not held)
        for module in self.modules:
            module.train(not held)

    def stop_statistics(self) -> None:
        """Training or evaluation has begun with all layers: those that are held compute as in evaluation."""
        for module in self.modules:
            module.eval()
