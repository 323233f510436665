"""Optimizers made from recipes, penalties on weights, and the running mean of the weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.codegen import module_paths
from cnndsl.graph import Graph
from cnndsl.recipe.optimizers import Optimizer, Sdlm
from cnndsl.recipe.training import Ema
from cnndsl.runtime.curvature import DiagonalLevenbergMarquardt
from cnndsl.runtime.evaluate import function

FUSED = ("torch.optim.SGD", "torch.optim.Adam", "torch.optim.AdamW")
"""Optimizers that PyTorch has in one call for all parameters, with the same rule."""

NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)


def groups(module: nn.Module, chosen: Optimizer) -> list[dict[str, Any]]:
    """The parameters that are trained, in groups: those that `weight_decay` is not for apart."""
    trained = [p for p in module.parameters() if p.requires_grad]
    if chosen.decay == "all" or not chosen.weight_decay:
        return [{"params": trained}]
    norms = {id(p) for m in module.modules() if isinstance(m, NORMS) for p in m.parameters(recurse=False)}
    spared = [p for p in trained if p.dim() <= 1 or id(p) in norms]
    decayed = [p for p in trained if p.dim() > 1 and id(p) not in norms]
    return [group for group in ({"params": decayed}, {"params": spared, "weight_decay": 0.0}) if group["params"]]


def optimizer(chosen: Optimizer, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The recipe's optimizer, in PyTorch's fused form where there is one: the same rule in one call."""
    if isinstance(chosen, Sdlm):
        return DiagonalLevenbergMarquardt(parameters, chosen.lr, chosen.mu)
    call = chosen.code()
    if call.function in FUSED:
        call = call._replace(kwargs=(*call.kwargs, ("fused", True)))
    elif call.function == "torch.optim.RMSprop":
        call = call._replace(kwargs=(*call.kwargs, ("foreach", True)))
    made: torch.optim.Optimizer = function(call)(parameters)
    if isinstance(made, torch.optim.SGD) and chosen.values().get("momentum"):
        # PyTorch's fused form wants a buffer of all parameters or of none, and some may have no gradient at first.
        for parameter in (p for group in made.param_groups for p in group["params"]):
            made.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return made


class Average:
    """A running mean of a module's weights and floating-point buffers, in a module of its own."""

    def __init__(self, module: nn.Module, chosen: Ema) -> None:
        self.chosen = chosen
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self._ours, self._theirs = _floats(self.module), _floats(module)
        self._counts = list(zip(_others(self.module), _others(module), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After step number `step`, from 0."""
        torch._foreach_lerp_(self._ours, self._theirs, 1 - self.chosen.share(step))
        for ours, theirs in self._counts:
            ours.copy_(theirs)


def _floats(module: nn.Module) -> list[Tensor]:
    return [t.detach() for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]


def _others(module: nn.Module) -> list[Tensor]:
    return [t for t in module.buffers() if not t.is_floating_point()]


def penalties(graph: Graph, module: nn.Module) -> list[tuple[float, Tensor]]:
    """Each weight that a layer's `l2=` puts into the loss, with its factor; biases are not among them."""
    factors = {node.index: getattr(node.layer, "l2", 0.0) for node in graph.nodes if node.shares is None}
    if not any(factors.values()):
        return []
    paths = module_paths(graph)
    return [
        (factor, parameter)
        for index, factor in factors.items()
        if factor
        for name, parameter in module.get_submodule(paths[index]).named_parameters()
        if parameter.requires_grad and "bias" not in name
    ]
