"""What deterministic algorithms cost."""

from __future__ import annotations

import copy
import time

import torch

from cnndsl.runtime.loop import Loop, Position


def cost(loop: Loop, steps: int = 10) -> float:
    """How many times as long a step takes with deterministic algorithms alone: the best of two measurements of each.

    The loop is afterwards as it was.
    """
    state = copy.deepcopy(loop.state())
    seconds = {True: float("inf"), False: float("inf")}
    enabled = torch.are_deterministic_algorithms_enabled()
    cudnn = torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic
    try:
        for deterministic in (False, True, False, True):
            torch.use_deterministic_algorithms(deterministic)
            cudnn.benchmark, cudnn.deterministic = not deterministic, deterministic
            _timed(loop, 3)
            seconds[deterministic] = min(seconds[deterministic], _timed(loop, steps))
    finally:
        torch.use_deterministic_algorithms(enabled)
        cudnn.benchmark, cudnn.deterministic = flags
        loop.restore(state)
    return seconds[True] / seconds[False]


def _timed(loop: Loop, steps: int) -> float:
    loop.learner.begin(training=True)
    examples, rows = loop.examples(0)
    began = time.perf_counter()
    for number in range(steps):
        step = number % len(loop.cuts)
        loop.step(examples, rows[slice(*loop.cuts[step])], Position(0, step))
    if loop.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began
