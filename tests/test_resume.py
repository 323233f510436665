"""Going on from any step: as if nothing had happened, bit for bit, whatever the recipe."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_train import network, silent

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.runtime.job import Job, Options, make, seeded
from cnndsl.runtime.loop import Loop, StopRequest

CPU = torch.device("cpu")
QUIET = Options(quiet=True, limit=120)

RECIPES = {
    "dropout, batch norm, momentum, warm-up": (
        "input 8x8x1\nconv 3x3x4 nobias, bn, relu, dropout 0.3\nnoise 0.1\ndense 10",
        "data digits\nnormalize lenet\noptimizer sgd 0.05 momentum=0.9 nesterov\nschedule onecycle warmup=0.5",
    ),
    "adam, mean of the weights, early stopping, plateau": (
        "input 8x8x1\ndense 24, tanh, dropout\ndense 10",
        "data digits\noptimizer adam 0.02\nema 0.8 warmup\nearly_stopping 2 on=accuracy\nschedule plateau 0 by=0.5",
    ),
    "accumulated batches, bounded gradients, random depth": (
        "input 8x8x1\nconv 3x3x4 pad=1\nadd:\n    | identity\n    | conv 3x3x4 pad=1, relu, droppath 0.5\ndense 10",
        "data digits\naccumulate 3\nbatch 10\nclip 0.5\noptimizer adamw decay=weights\ndroppath 0.4 rise=2",
    ),
    "rmsprop, an order of its own, l2": (
        "input 8x8x1\nconv 3x3x4 l2=1e-3, relu\ndense 10",
        "data digits\noptimizer rmsprop momentum=0.5\nshuffle off\nschedule exponential 0.8",
    ),
    "pairs": (
        "input a 8x8x1\ninput b 8x8x1\nfrom a, dense 8 as code\nfrom b, reuse code\nabsdiff code\ndense 1, sigmoid",
        "data digits\nloss bce\nmetrics accuracy",
    ),
    "whitening, bf16, a head for training": (
        "input 8x8x1\nconv 2x2x8 init=whiten frozen=weight, gelu\noutput early training:\n    dense 10\ndense 10",
        "data digits\nprecision bf16\nloss early focal weight=0.5\nmetrics accuracy per_class",
    ),
    "layers frozen later": (
        "input 8x8x1\nconv 2x2x8 init=whiten frozen=weight as whiten, bn, gelu\ndense 24, tanh\ndense 10 as head",
        "data digits\noptimizer sgd 0.05 momentum=0.9 weight_decay=0.01\nfreeze whiten.bias norms head.weight after=2",
    ),
    "rates of their own": (
        "input 8x8x1\nconv 3x3x4, bn, relu\ndense 10 as head",
        "data digits\noptimizer sgd 0.01 momentum=0.85 nesterov weight_decay=0.01\nrate norms.bias 64\nrate head 0.5",
    ),
    "slow weights, kept more and more": (
        "input 8x8x1\nconv 3x3x4, bn, relu\ndense 10",
        "data digits\noptimizer sgd 0.1 momentum=0.9\nlookahead 3 alpha=0.2 power=2\nearly_stopping 2 on=accuracy",
    ),
    "curvature, and a layer frozen later": (
        "input 8x8x1\ndense 24 as first, tanh\ndense 10",
        "data digits\noptimizer sdlm examples=40\nfreeze first after=2",
    ),
}


def parsed(name: str) -> tuple[Graph, Recipe]:
    net, recipe = RECIPES[name]
    lines = "".join(f"    {line}\n" for line in [*recipe.splitlines(), "epochs 4"])
    batch = "" if "batch" in recipe else "    batch 30\n"
    return network(f"network N\n{net}\ntrain:\n{lines}{batch}")


def made(graph: Graph, recipe: Recipe) -> Job:
    torch.manual_seed(recipe.seed)
    return make(graph, recipe, QUIET, CPU)


def after(steps: int) -> Callable[[], bool]:
    """Asks to stop after so many steps."""
    left = steps

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    return stop


def finished(loop: Loop, stop: Callable[[], bool] = lambda: False) -> Loop:
    while not loop.done:
        loop.run_epoch(silent(), stop)
    return loop


def numbers(loop: Loop) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in loop.history]


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_goes_on_from_any_step(name: str) -> None:
    graph, recipe = parsed(name)
    chance = random.Random(name)
    with seeded(recipe.seed, CPU):
        whole = finished(made(graph, recipe).loop)
        total = len(whole.history) * len(whole.cuts)
        for _ in range(3):
            stop = chance.randrange(1, total)
            first = made(graph, recipe).loop
            with pytest.raises(StopRequest):
                finished(first, after(stop))
            assert first.position.epoch * len(first.cuts) + first.position.step == stop
            file = io.BytesIO()
            torch.save(first.state(), file)
            file.seek(0)
            # Another process would have other random numbers, and begin with other weights.
            torch.manual_seed(stop)
            second = make(graph, recipe, QUIET, CPU).loop
            torch.rand(stop)
            second.restore(torch.load(file, weights_only=True))
            assert second.position == first.position
            finished(second)
            assert numbers(second) == numbers(whole), stop
            same_tensors(second.state(), whole.state())


def same_tensors(one: Any, other: Any) -> None:
    """Whether two states hold the same tensors, bit for bit."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            if key not in ("seconds", "history"):
                same_tensors(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same_tensors(a, b)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other
