"""The recipe of specs/airbench94.cnn against the published one (Jordan 2024), written out by hand in plain PyTorch.

Theirs is in decoupled terms, for the sum of the losses over a batch; ours for their mean. On a small network of the
same parts, which computes in 64 bits but for the loss, so that nothing but rounding differs.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch
from test_train import loop_on, network, never, silent
from torch import Tensor, nn
from torch.nn import functional

from cnndsl.pipeline import check
from cnndsl.recipe import Recipe
from cnndsl.runtime.data import Examples
from cnndsl.runtime.loop import Loop, order
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

SPEC = (Path(__file__).resolve().parent.parent / "specs" / "airbench94.cnn").read_text(encoding="utf-8")
NET = """network N
input 8x8x3
conv 2x2x24 frozen=weight as whiten, gelu
conv 3x3x6 same nobias init=partial_dirac, pool 2
bn eps=1e-12 momentum=0.4 frozen=weight as norm1, gelu
conv 3x3x6 same nobias init=partial_dirac
bn eps=1e-12 momentum=0.4 frozen=weight as norm2, gelu
dense 10 nobias, scale {1 / 9}
"""
EPOCHS, BATCHES, BATCH = 7, 3, 1024


def published() -> Recipe:
    """The recipe of the spec."""
    (one,) = (one for one in check(Source("airbench94.cnn", SPEC)).networks if one.graph.name == "airbench94")
    assert one.recipe is not None
    return one.recipe


def ours() -> tuple[nn.Module, Loop, Examples]:
    """The spec's recipe on the small network, for fewer epochs, and in 64 bits."""
    lines = re.search(r"(?m)^train:\n(?:    .*\n)+", SPEC)
    assert lines is not None
    graph, recipe = network(NET + lines[0].replace("epochs 10", f"epochs {EPOCHS}"))
    torch.manual_seed(0)
    module = build_module(graph).double()
    module.register_forward_pre_hook(lambda _, inputs: tuple(one.double() for one in inputs))
    images = torch.randn(BATCH * BATCHES, 3, 8, 8)
    data = Examples(images, torch.randint(0, 10, (len(images),)))
    return module, loop_on(module, graph, recipe, data), data


class Published:
    """The published optimization: Nesterov's momentum, a triangle of rates, biases of norms at 64 times the rate, the
    first convolution's bias for three epochs, and lookahead, over `steps` steps."""

    def __init__(self, net: nn.Module, steps: int) -> None:
        self.net, self.steps, self.number = net, steps, 0
        momentum, scaler = 0.85, 64.0
        kilostep = 1024 * (1 + 1 / (1 - momentum))
        self.rate, decay = 11.5 / kilostep, 0.0153 * BATCH / kilostep
        self.rates: dict[str, float] = {}
        self.velocity: dict[str, Tensor] = {}
        self.decay: dict[str, float] = {}
        for name, parameter in net.named_parameters():
            if parameter.requires_grad:
                self.rates[name] = self.rate * (scaler if name.startswith("norm") else 1.0)
                self.decay[name] = decay / self.rates[name]
                self.velocity[name] = torch.zeros_like(parameter)
        self.momentum = momentum
        self.slow = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def factor(self) -> float:
        peak = int(self.steps * 0.23)
        if self.number < peak:
            return 0.2 + 0.8 * self.number / peak
        return 1 - 0.93 * (self.number - peak) / (self.steps - peak)

    def step(self, images: Tensor, classes: Tensor) -> None:
        self.net.train()
        self.net.zero_grad()
        functional.cross_entropy(self.net(images), classes, label_smoothing=0.2, reduction="sum").backward()
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                if parameter.grad is not None:
                    slope = parameter.grad + self.decay[name] * parameter
                    self.velocity[name] = self.momentum * self.velocity[name] + slope
                    step = slope + self.momentum * self.velocity[name]
                    parameter -= self.rates[name] * self.factor() * step
        self.number += 1
        if self.number % 5 == 0:
            self.pull(0.95**5 * (self.number / self.steps) ** 3)
        if self.number == self.steps:
            self.pull(1.0)

    @torch.no_grad()
    def pull(self, kept: float) -> None:
        for name, tensor in self.net.state_dict().items():
            if tensor.is_floating_point():
                self.slow[name] = kept * self.slow[name] + (1 - kept) * tensor
                tensor.copy_(self.slow[name])


def test_the_spec_trains_as_published() -> None:
    module, loop, data = ours()
    net = copy.deepcopy(module)
    before = copy.deepcopy(module)
    theirs = Published(net, EPOCHS * BATCHES)
    assert loop.steps == theirs.steps
    assert theirs.steps % 5  # what the last steps did is dropped with the fast weights
    assert data.classes is not None
    for epoch in range(EPOCHS):
        net.get_parameter("whiten.bias").requires_grad_(epoch < 3)
        loop.run_epoch(silent(), never)
        for rows in order(len(data), loop.recipe.seed, epoch).split(BATCH):
            theirs.step(data.inputs[rows], data.classes[rows])
        if epoch + 1 < EPOCHS:
            alike(module, net)
    alike(loop.learner.measured, net)
    changes = [(a - b).detach().abs().max().item() for a, b in zip(net.parameters(), before.parameters(), strict=True)]
    assert sum(change > 1e-3 for change in changes) == 6  # all but the frozen weights


def alike(one: nn.Module, other: nn.Module) -> None:
    for (name, tensor), expected in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        if tensor.is_floating_point():
            torch.testing.assert_close(
                tensor, expected, rtol=0, atol=1e-5, msg=lambda said, name=name: f"{name}: {said}"
            )


def test_the_spec_has_the_published_numbers() -> None:
    recipe = published()
    assert recipe.optimizer.lr == pytest.approx(11.5 / (1024 * (1 + 1 / (1 - 0.85))) * 1024)
    assert recipe.optimizer.lr == pytest.approx(1.5)
    assert recipe.optimizer.weight_decay * recipe.optimizer.lr == pytest.approx(0.0153 / (1 + 1 / (1 - 0.85)))
    assert (recipe.epochs, recipe.batch, recipe.validation) == (10, 1024, 0)
    crop, flip = recipe.augment
    assert (crop.name, crop.values()) == ("crop", {"pixels": 2, "fill": "reflect"})
    assert (flip.name, flip.values()["alternate"]) == ("flip", True)
