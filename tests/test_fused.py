"""Steps by fused kernels are torch.optim's own steps, bit for bit."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnndsl.runtime.fused import Fused

RULES: dict[str, Any] = {
    "sgd": lambda groups: torch.optim.SGD(groups, 0.1, fused=True),
    "momentum": lambda groups: torch.optim.SGD(groups, 0.1, momentum=0.9, weight_decay=0.01, fused=True),
    "nesterov": lambda groups: torch.optim.SGD(groups, 0.1, momentum=0.9, nesterov=True, fused=True),
    "adam": lambda groups: torch.optim.Adam(groups, 0.1, betas=(0.8, 0.95), weight_decay=0.01, fused=True),
    "adamw": lambda groups: torch.optim.AdamW(groups, 0.1, eps=1e-6, fused=True),
    "amsgrad": lambda groups: torch.optim.Adam(groups, 0.1, amsgrad=True, fused=True),
    "not fused": lambda groups: torch.optim.Adam(groups, 0.1),
    "damped": lambda groups: torch.optim.SGD(groups, 0.1, momentum=0.9, dampening=0.3, fused=True),
    "another rule": lambda groups: torch.optim.RMSprop(groups, 0.1, momentum=0.5),
}


def groups(module: nn.Module) -> list[dict[str, Any]]:
    weights, biases = ([p for n, p in module.named_parameters() if n.endswith(end)] for end in ("weight", "bias"))
    return [{"params": weights}, {"params": biases, "weight_decay": 0.0, "lr": 0.05}]


def state_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [t for kept in optimizer.state_dict()["state"].values() for t in kept.values() if isinstance(t, Tensor)]


@pytest.mark.parametrize("rule", RULES)
def test_steps_are_those_of_pytorch(rule: str) -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(27, 4))
    theirs = copy.deepcopy(ours)
    first, second = RULES[rule](groups(ours)), RULES[rule](groups(theirs))
    fused = Fused(first)
    for step in range(9):
        x = torch.randn(6, 1, 5, 5)
        for module, optimizer in ((ours, first), (theirs, second)):
            optimizer.zero_grad()
            module(x).square().mean().backward()
            if step == 4:  # held for one step
                module[0].weight.grad = None
            optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        fused.step()
        second.step()
        if step == 6:
            fused.load_state_dict(copy.deepcopy(fused.state_dict()))
            second.load_state_dict(copy.deepcopy(second.state_dict()))
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.isfinite(a).all()
            assert torch.equal(a, b), step
        kept, wanted = state_of(first), state_of(second)
        assert len(kept) == len(wanted)
        assert all(torch.equal(a, b) for a, b in zip(kept, wanted, strict=True))


def test_small_runs_do_without_the_compiler() -> None:
    """PyTorch's takes longer to import than a small network to train."""
    program = """
import sys
from runs import trained_run
from pathlib import Path
import tempfile
from cnndsl.cli import main

with tempfile.TemporaryDirectory() as folder:
    trained_run(Path(folder), "averaged")
print("torch._dynamo" in sys.modules, "sympy" in sys.modules)
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    ).stdout
    assert printed == "False False\n"
