"""Measuring in turns."""

from __future__ import annotations

import os
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


Clock = Callable[[], float]


def processor_time() -> float:
    """Seconds that this process and those it waited for have had of a processor: what others do hardly changes them."""
    return sum(os.times()[:4])


def seconds(action: Callable[[], object], clock: Clock) -> float:
    """How long an action takes."""
    start = clock()
    action()
    return clock() - start


def process(*command: str | Path, cwd: Path | None = None) -> Callable[[], object]:
    """An action that runs a command and waits for it. Its output is thrown away; a failure raises."""
    words = [str(word) for word in command]
    return lambda: subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def in_turns(
    actions: Sequence[Callable[[], object]], rounds: int, clock: Clock = time.perf_counter, *, warm: bool = True
) -> list[list[float]]:
    """The seconds of each action in each round. Every other round goes backwards; before the first, each runs once
    without being counted, unless `warm` is false."""
    found: list[list[float]] = [[] for _ in actions]
    order = list(range(len(actions)))
    for action in actions if warm else ():
        action()
    for _ in range(rounds):
        for index in order:
            found[index].append(seconds(actions[index], clock))
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
