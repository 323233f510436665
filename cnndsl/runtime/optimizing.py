"""Optimizers made from recipes, penalties on weights, and the running mean of the weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.codegen import module_paths, node_codes
from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.optimizers import Optimizer, Sdlm
from cnndsl.recipe.selection import selected
from cnndsl.recipe.training import Ema, Lookahead
from cnndsl.runtime.curvature import DiagonalLevenbergMarquardt
from cnndsl.runtime.evaluate import function
from cnndsl.runtime.fused import FUSED, without_compiler
from cnndsl.runtime.nodes import parameters

NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)


def rates(module: nn.Module, graph: Graph, recipe: Recipe) -> dict[nn.Parameter, float]:
    """What the learning rate of some parameters is multiplied by."""
    found: dict[nn.Parameter, float] = {}
    lines = [part for part in recipe.parts if part.setting == "rate"]
    codes = node_codes(graph) if lines else {}
    for line in lines:
        chosen = [one for one in selected(graph, line.name) if one.node.index in codes]
        own = (p for node, name in chosen for p in parameters(module, codes[node.index], name))
        for parameter in dict.fromkeys(own):  # of layers that share weights once
            found[parameter] = found.get(parameter, 1.0) * line.value.factor
    return found


def groups(
    module: nn.Module, chosen: Optimizer, rates: Mapping[nn.Parameter, float] | None = None
) -> list[dict[str, Any]]:
    """The parameters that are trained, in groups: those that `weight_decay` is not for apart, and those apart whose
    learning rate is multiplied, with their `rate`."""
    norms = {id(p) for m in module.modules() if isinstance(m, NORMS) for p in m.parameters(recurse=False)}
    differ = chosen.decay != "all" and chosen.weight_decay
    found: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for parameter in (p for p in module.parameters() if p.requires_grad):
        spared = bool(differ and (parameter.dim() <= 1 or id(parameter) in norms))
        found.setdefault((spared, (rates or {}).get(parameter, 1.0)), []).append(parameter)
    made = []
    for (spared, rate), own in sorted(found.items(), key=lambda item: item[0][0]):
        decay = {"weight_decay": 0.0 if spared else chosen.weight_decay / rate} if spared or rate != 1 else {}
        made.append({"params": own, **({"rate": rate} if rate != 1 else {}), **(decay if chosen.weight_decay else {})})
    return made


def optimizer(chosen: Optimizer, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The recipe's optimizer, in PyTorch's fused form where there is one: the same rule in one call."""
    with without_compiler():
        return _made(chosen, parameters)


def _made(chosen: Optimizer, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if isinstance(chosen, Sdlm):
        return DiagonalLevenbergMarquardt(parameters, chosen.lr, chosen.mu)
    call = chosen.code()
    if call.function in [f"torch.optim.{one.__name__}" for one in FUSED]:
        call = call._replace(kwargs=(*call.kwargs, ("fused", True)))
    elif call.function == "torch.optim.RMSprop":
        call = call._replace(kwargs=(*call.kwargs, ("foreach", True)))
    made: torch.optim.Optimizer = function(call)(parameters)
    return made


class Average:
    """A mean over steps of a module's weights and floating-point buffers, in a module of its own, `module`; `chosen`:
    the setting that says how."""

    def __init__(self, module: nn.Module, chosen: Any) -> None:
        self.chosen = chosen
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self._ours, self._theirs = _floats(self.module), _floats(module)
        self._counts = list(zip(_others(self.module), _others(module), strict=True))

    def update(self, step: int, done: float) -> None:
        """After step number `step`, from 0, with which this share of the run is done."""
        raise NotImplementedError(type(self).__name__)

    def _take(self, share: float) -> None:
        """Go so far towards the module."""
        torch._foreach_lerp_(self._ours, self._theirs, share)
        for ours, theirs in self._counts:
            ours.copy_(theirs)


class RunningMean(Average):
    """The mean that decays from step to step: `ema`."""

    chosen: Ema

    @torch.no_grad()
    def update(self, step: int, done: float) -> None:
        self._take(1 - self.chosen.share(step))


class SlowWeights(Average):
    """Weights that follow the module's every few steps, and to which it goes back then: `lookahead`."""

    chosen: Lookahead

    @torch.no_grad()
    def update(self, step: int, done: float) -> None:
        if (step + 1) % self.chosen.k == 0:
            self._take(1 - self.chosen.kept(done))
            torch._foreach_copy_(self._theirs, self._ours)


def average(module: nn.Module, recipe: Recipe) -> Average | None:
    """What is measured and left in place of a module's own weights, if the recipe has any such."""
    if recipe.lookahead.k:
        return SlowWeights(module, recipe.lookahead)
    return RunningMean(module, recipe.ema) if recipe.ema.decay else None


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
