"""Training: `cnndsl train` against the loops that people write, as whole processes; against the fastest one in turns,
within one process.

The loops are scripts of their own, written as a competent user would: `tutorial.py` (the usual one), `lean.py` (a
tensor data set in a DataLoader) and `fastest.py` (no loader at all). They train on made-up data in the published
formats: what the pixels show does not change how long a step takes. Memory is the most that the process itself held at
a time, without a loader's workers.

The loops compute in fp32, as their users mostly do; ours as the spec says: LeNet-5 in fp32, ResNet-18 with `precision
auto`, which is bf16 where the processor has instructions for it. Against the fastest loop both compute in fp32.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.installed import ROOT
from benchmarks.measure import Row, half_spread, in_turns, median
from benchmarks.training import made_up

HERE = Path(__file__).parent
OPTIMIZER = "sgd lr=0.01 momentum=0.9"
ROUNDS, EPOCHS = 3, 2
PAIRS = 24


class Case(NamedTuple):
    """A network, the data it is trained on, the batch, at most how many images, and the bounds against the loops."""

    net: str
    spec: Path
    data: str
    batch: int
    limit: int
    bounds: dict[str, float]
    steps: int
    """Steps of one turn against the fastest loop."""


LENET, RESNET = ROOT / "specs" / "lenet5.cnn", HERE / "resnet18.cnn"
CASES = (
    Case("lenet5", LENET, "mnist", 64, 60_000, {"tutorial": 2.0, "lean": 1.5}, 100),
    Case("lenet5", LENET, "mnist", 512, 60_000, {"tutorial": 2.0, "lean": 1.5}, 25),
    Case("resnet18", RESNET, "cifar10", 64, 640, {"tutorial": 1.5, "lean": 1.5}, 5),
)


class Run(NamedTuple):
    """Images per second of the last epoch, and the most memory, in MB."""

    rate: float
    memory: float


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made_up.mnist(root)
        made_up.cifar10(root)
        for case in CASES:
            yield from _processes(case, root)
            yield from _fastest(case, root)


def _processes(case: Case, root: Path) -> Iterator[Row]:
    found: dict[str, list[Run]] = {"tutorial": [], "lean": [], "ours": []}
    for _ in range(ROUNDS):
        for name, runs in found.items():
            runs.append(_ours(case, root) if name == "ours" else _script(name, case, root))
    ours, what = found.pop("ours"), f"{case.net}, batch {case.batch}"
    rate, memory = median([r.rate for r in ours]), median([r.memory for r in ours])
    for name, runs in found.items():
        theirs = median([r.rate for r in runs])
        ratio, bound = rate / theirs, case.bounds[name]
        said = f"{ratio:.1f} x ({rate:,.0f} / {theirs:,.0f} images a second)"
        yield Row(f"{what}: `cnndsl train` / {name} loop", said, f"at least {bound} x", ratio >= bound)
        held = median([r.memory for r in runs])
        said = f"{memory:,.0f} MB / {held:,.0f} MB"
        yield Row(f"{what}: most memory, `cnndsl train` / {name} loop", said, "no higher", memory <= held)


def _script(name: str, case: Case, root: Path) -> Run:
    numbers = map(str, (case.batch, EPOCHS, case.limit))
    command = [sys.executable, "-m", f"benchmarks.training.{name}", case.net, str(root), *numbers]
    printed, memory = _run(command)
    return Run(float(printed.split()[-1]), memory)


def _ours(case: Case, root: Path) -> Run:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "cnndsl", "train", str(case.spec), "--data-root", str(root), "--out", out]
        command += ["--limit", str(case.limit), "--quiet"]
        for name, value in _settings(case):
            command += ["--set-train", f"{name}={value}"]
        _, memory = _run(command)
        (metrics,) = Path(out).glob("*/metrics.csv")
        with metrics.open(newline="") as file:
            last = list(csv.DictReader(file))[-1]
        return Run(case.limit / float(last["seconds"]), memory)


def _settings(case: Case) -> tuple[tuple[str, str], ...]:
    given = {"data": case.data, "batch": case.batch, "epochs": EPOCHS, "validation": 0, "optimizer": OPTIMIZER}
    return tuple((name, str(value)) for name, value in given.items())


MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024))
sys.exit(code)
"""
"""Runs a command and writes down the most memory that it held, in MB. A process of its own, since Linux counts what the
one that starts a command holds at that moment as the command's."""


def _run(command: list[str]) -> tuple[str, float]:
    """What a process prints, and the most memory that it held, in MB. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder, "memory")
        measured = [sys.executable, "-S", "-c", MEASURED, str(memory), *command]
        printed = subprocess.run(measured, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        return printed, float(memory.read_text())


def _fastest(case: Case, root: Path) -> Iterator[Row]:
    """Epochs of a few steps in one process, in turns: ours, the fastest by hand, and that one again."""
    from benchmarks.training.fastest import by_hand, ours

    limit = case.batch * case.steps
    loops = [
        ours(str(case.spec), root, limit, (*_settings(case), ("precision", "fp32"))),
        by_hand(case.net, root, limit, case.batch),
        by_hand(case.net, root, limit, case.batch),
    ]
    first, second, again = in_turns(loops, PAIRS)
    ratio = median([b / a for a, b in zip(first, second, strict=True)])
    own = [b / a for a, b in zip(again, second, strict=True)]
    found = f"{ratio:.3f} x; by hand against itself {median(own):.3f} ± {half_spread(own):.3f}"
    what = f"{case.net}, batch {case.batch}: `cnndsl train` / the fastest loop by hand, {PAIRS} pairs"
    yield Row(what, found, "at least 1 - that spread", ratio >= 1 - half_spread(own))
