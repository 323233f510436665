"""Time to an accuracy: networks of this folder, each trained three times, each from its spec to its test's figure.

Settings are to be chosen on 5,000 images of the training set (`--choose`); for the figures all 60,000 are trained on,
and the test set is looked at once, when a run has ended. RESULTS.md tells where that was not kept.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.installed import ROOT

HERE = Path(__file__).parent
LOGS = HERE / "logs"
SEEDS = (0, 1, 2)


class Target(NamedTuple):
    """What is to be reached: a network of a spec, the accuracy in percent, within how many seconds, if that is said;
    and what is set otherwise than in the spec."""

    spec: Path
    network: str
    accuracy: float
    seconds: float | None = None
    settings: tuple[str, ...] = ()


LENET = (
    "data=mnist",
    "optimizer=adam lr=2e-3",
    "ema=0.999 warmup",
    "epochs=36",
    "batch=128",
    "augment=affine 7 0.06 0.06 5",
)
DIGITS, FASHION = HERE / "mnist.cnn", HERE / "fashion.cnn"
TARGETS = (
    Target(DIGITS, "mnist_990", 99.0, 60),
    Target(DIGITS, "mnist_995", 99.5),
    Target(DIGITS, "mnist_997", 99.7, 900),
    Target(FASHION, "fashion_934", 93.4),
    Target(ROOT / "specs" / "lenet5-1998.cnn", "LeNet5_1998", 99.05, settings=LENET),
)


class Found(NamedTuple):
    """A run: its test accuracy in percent, and the seconds of the whole process."""

    accuracy: float
    seconds: float


def run(target: Target, seed: int, data_root: str, *, choosing: bool) -> Found:
    """Train once. The log is kept in `logs`, unless settings are only being chosen: that looks at no test."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "cnndsl", "train", f"{target.spec}:{target.network}", "--seed", str(seed)]
        command += ["--data-root", data_root, "--out", out]
        changes = {"test": "off", "validation": "5000"} if choosing else {"test": "on", "validation": "0"}
        for setting in (*target.settings, *(f"{name}={value}" for name, value in changes.items())):
            command += ["--set-train", setting]
        began = time.monotonic()
        printed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        seconds = time.monotonic() - began
        (result,) = (json.loads(path.read_text()) for path in Path(out).glob("*/result.json"))
    if not choosing:
        LOGS.mkdir(exist_ok=True)
        kept = [line for line in printed.splitlines() if not line.startswith(("run folder", "saved"))]
        kept.append(f"whole process: {seconds:.1f} s")
        (LOGS / f"{target.network}-{seed}.txt").write_text("\n".join(kept) + "\n")
    accuracy = result["last"]["validation_accuracy"] if choosing else result["test"]["accuracy"]
    return Found(100 * accuracy, seconds)


def row(target: Target, found: Sequence[Found]) -> str:
    """A line of the table in RESULTS.md."""
    reached = [one.accuracy for one in found]
    mean, spread = statistics.mean(reached), statistics.stdev(reached) if len(reached) > 1 else 0.0
    took = statistics.mean(one.seconds for one in found)
    each = ", ".join(f"{value:.2f}" for value in reached)
    holds = round(mean, 2) >= target.accuracy and (target.seconds is None or took <= target.seconds)
    within = f" within {target.seconds:.0f} s" if target.seconds else ""
    mark = "yes" if holds else "**no**"
    return (
        f"| `{target.network}` | {mean:.2f} ± {spread:.2f} % ({each}) | {took:.0f} s | "
        f"{target.accuracy} %{within} | {mark} |"
    )
