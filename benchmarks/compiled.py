"""What `compile` writes against the same net written by hand: which operations run, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import cnndsl
from benchmarks.installed import ROOT
from benchmarks.measure import Row, half_spread, in_turns, median
from benchmarks.training.nets import LeNet5

BATCH, STEPS, PAIRS = 64, 20, 40


class Recorded(TorchDispatchMode):
    """The names of the operations that reach PyTorch's kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def forward(net: nn.Module, images: Tensor) -> Callable[[], None]:
    """An action: forward passes without gradients."""

    def action() -> None:
        with torch.no_grad():
            for _ in range(STEPS):
                net(images)

    return action


def training(net: nn.Module, images: Tensor, classes: Tensor) -> Callable[[], None]:
    """An action: whole training steps."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def action() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            F.cross_entropy(net(images), classes).backward()
            optimizer.step()

    return action


def operations(action: Callable[[], None]) -> list[str]:
    with Recorded() as recorded:
        action()
    return recorded.names


def rows() -> Iterator[Row]:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # threads that wait for each other make times on a busy machine erratic
    images, classes = torch.randn(BATCH, 1, 32, 32), torch.randint(10, (BATCH,))
    nets = [cnndsl.load(str(ROOT / "specs" / "lenet5.cnn")), LeNet5(), LeNet5()]
    kinds = (
        ("forward pass", [forward(net, images) for net in nets]),
        ("training step", [training(net, images, classes) for net in nets]),
    )
    for what, actions in kinds:
        compiled, by_hand, _ = map(operations, actions)
        same = compiled == by_hand
        found = f"{len(compiled) // STEPS} and {len(by_hand) // STEPS} operations, {'equal' if same else 'not equal'}"
        yield Row(f"operations of a {what}, compiled and by hand", found, "equal", same)
        compiled_s, by_hand_s, again_s = in_turns(actions, PAIRS)
        ratios = [a / b for a, b in zip(compiled_s, by_hand_s, strict=True)]
        own = [a / b for a, b in zip(again_s, by_hand_s, strict=True)]
        ratio, spread = median(ratios), half_spread(own)
        found = f"{ratio:.3f} x; by hand against itself {median(own):.3f} ± {spread:.3f}"
        holds = abs(ratio - 1) <= spread
        yield Row(f"time of a {what}, compiled / by hand, {PAIRS} pairs", found, "1 ± that spread", holds)
