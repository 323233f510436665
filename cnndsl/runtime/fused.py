"""An optimizer's step as one call of PyTorch's fused kernel for each group of parameters.

`torch.optim` looks at every parameter anew at each step, which takes as long as a small network's layer. Here that is
done once, and again when something has changed. Rule, state and its names are those of `torch.optim`.

And `torch.optim` imports PyTorch's compiler, for a second and some 60 MB, in order to tell it that it shall pass over
optimizers. Here it is not asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor

_MARK = "__dynamo_disable"
"""Where PyTorch looks for how a method is to be called, before it imports its compiler (torch/_compile.py)."""
_PASSED_OVER = ("add_param_group", "state_dict", "load_state_dict")

Kernel = Callable[[dict[str, Any], "Parameters", list[Tensor]], None]


class Parameters(NamedTuple):
    """Those of a group that have gradients, and of each what the optimizer keeps for it, by its names."""

    group: dict[str, Any]
    tensors: list[Tensor]
    state: dict[str, list[Tensor]]


def _sgd(group: dict[str, Any], given: Parameters, gradients: list[Tensor]) -> None:
    torch._fused_sgd_(
        given.tensors,
        gradients,
        given.state.get("momentum_buffer", []),
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=group["dampening"],
        nesterov=group["nesterov"],
        maximize=group["maximize"],
        is_first_step=False,
    )


def _adam(kernel: Any) -> Kernel:
    def moved(group: dict[str, Any], given: Parameters, gradients: list[Tensor]) -> None:
        steps = given.state["step"]
        torch._foreach_add_(steps, 1)
        first, second = group["betas"]
        kernel(
            given.tensors,
            gradients,
            given.state["exp_avg"],
            given.state["exp_avg_sq"],
            [],
            steps,
            amsgrad=False,
            lr=group["lr"],
            beta1=first,
            beta2=second,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )

    return moved


_KERNELS: dict[type, Kernel] = {
    torch.optim.SGD: _sgd,
    torch.optim.Adam: _adam(torch._fused_adam_),
    torch.optim.AdamW: _adam(torch._fused_adamw_),
}
FUSED = tuple(_KERNELS)
"""Optimizers whose rule PyTorch has as one kernel for all parameters. All that they keep lies where those do."""


@contextmanager
def without_compiler() -> Iterator[None]:
    """Optimizers are made, saved and loaded without importing PyTorch's compiler. Other versions of PyTorch may import
    it all the same."""
    functions = [getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None) for name in _PASSED_OVER]
    marked = [one for one in functions if one is not None and not hasattr(one, _MARK)]
    if "torch._dynamo" in sys.modules:
        marked = []
    for one in marked:
        setattr(one, _MARK, one)
    try:
        yield
    finally:
        for one in marked:
            with suppress(AttributeError):
                delattr(one, _MARK)


class Fused:
    """Calls an optimizer's kernel directly where it can, and the optimizer for other rules."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        one = type(optimizer) in FUSED and optimizer.defaults.get("fused") and not optimizer.defaults.get("amsgrad")
        self._kernel = _KERNELS[type(optimizer)] if one else None
        self._collected: list[Parameters] = []
        self._moving: list[bool] | None = None  # which parameters had gradients when they were collected

    @property
    def direct(self) -> bool:
        """Whether steps are the kernel's."""
        return self._kernel is not None

    def step(self) -> None:
        """Move the parameters by their gradients; those without stay."""
        if self._kernel is None or not self._ready():
            self.optimizer.step()
            return
        with torch.no_grad():
            for one in self._collected:
                self._kernel(one.group, one, [p.grad for p in one.tensors])  # type: ignore[misc]

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's."""
        with without_compiler():
            return self.optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The optimizer's. Raises what that raises."""
        with without_compiler():
            self.optimizer.load_state_dict(state)
        self._moving = None

    def _ready(self) -> bool:
        """Whether the groups with their state are at hand."""
        groups = self.optimizer.param_groups
        moving = [p.grad is not None for group in groups for p in group["params"]]
        if moving != self._moving:
            found = [_collected(group, self.optimizer.state) for group in groups]
            if any(one is None for one in found):
                return False
            self._collected = [one for one in found if one is not None and one.tensors]
            self._moving = moving
        return True


def _collected(group: dict[str, Any], state: Any) -> Parameters | None:
    """A group with its state, which begins with zeros; None if it is no kernel's: on several devices, or damped."""
    tensors = [parameter for parameter in group["params"] if parameter.grad is not None]
    if len({(p.device, p.dtype) for p in tensors}) > 1 or group.get("dampening"):
        return None
    names = _names(group)
    for parameter in tensors:
        kept = state[parameter]
        for name in names:
            if kept.get(name) is None:
                kept[name] = torch.zeros((), device=parameter.device) if name == "step" else torch.zeros_like(parameter)
    return Parameters(group, tensors, {name: [state[one][name] for one in tensors] for name in names})


def _names(group: dict[str, Any]) -> tuple[str, ...]:
    """What is kept for each parameter of a group."""
    if "betas" in group:
        return ("step", "exp_avg", "exp_avg_sq")
    return ("momentum_buffer",) if group["momentum"] else ()
