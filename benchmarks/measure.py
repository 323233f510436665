"""Measuring in turns."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table: what was measured, what came out, the bound, and whether it holds (None: no bound)."""

    what: str
    found: str
    bound: str = ""
    holds: bool | None = None


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def process(*command: str | Path, cwd: Path | None = None) -> Callable[[], object]:
    """An action that runs a command and waits for it. Its output is thrown away; a failure raises."""
    words = [str(word) for word in command]
    return lambda: subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def in_turns(actions: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """The seconds of each action in each round. Every other round goes backwards; a first one is not counted."""
    found: list[list[float]] = [[] for _ in actions]
    order = list(range(len(actions)))
    for action in actions:
        action()
    for _ in range(rounds):
        for index in order:
            found[index].append(seconds(actions[index]))
        order.reverse()
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def half_spread(values: Sequence[float]) -> float:
    """Half of the distance between the quartiles: half of the values lie this near to the middle."""
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2


def milliseconds(values: Sequence[float]) -> str:
    return f"{median(values) * 1000:.0f} ms"
