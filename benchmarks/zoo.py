"""Large networks of the literature: `cnndsl check resnet152` as a whole process, against a script that writes the same
network in PyTorch and counts it with torchinfo or fvcore, with real and with meta tensors; and the check alone.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from benchmarks.installed import ROOT, light
from benchmarks.measure import Row, in_turns, median, milliseconds, process
from cnndsl.pipeline import Options, check
from cnndsl.source import Source
from cnndsl.zoo import locate, read

NAMES = ("resnet152", "densenet201", "efficientnet_b7")
CASES = {
    ("torchinfo", "cpu"): "torchinfo, real tensors",
    ("torchinfo", "meta"): "torchinfo, meta tensors",
    # fvcore traces the network, and PyTorch 2.13 can't trace a convolution on the meta device.
    ("fvcore", "cpu"): "fvcore, real tensors",
}
ROUNDS, CHECKS = 3, 5
MOST = 0.060
"""Seconds that the check of ResNet-152 may take by itself."""


def rows() -> Iterator[Row]:
    with light() as scripts:
        for name in NAMES:
            yield from _against(name, process(scripts / "cnndsl", "check", name))
    for name in NAMES:
        command = [sys.executable, "-m", "benchmarks.zoo", name]
        found = [
            float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
            for _ in range(CHECKS)
        ]
        bound = (f"at most {MOST * 1000:.0f} ms", min(found) <= MOST) if name == "resnet152" else ()
        yield Row(f"{name}: parsed, expanded, measured, in process", f"{min(found) * 1000:.0f} ms", *bound)


def _against(name: str, ours: Callable[[], object]) -> Iterator[Row]:
    """The ratios of the whole processes, in turns. A tool that is not installed is said to be missing."""
    cases = [case for case in CASES if find_spec(case[0]) is not None]
    scripts = [process(sys.executable, "-m", "benchmarks.networks", name, *case, cwd=ROOT) for case in cases]
    first, *others = in_turns([ours, *scripts], ROUNDS)
    for case, times in zip(cases, others, strict=True):
        ratio = median(times) / median(first)
        found = f"{ratio:.1f} x ({milliseconds(times)} / {milliseconds(first)})"
        yield Row(f"{name} by hand, {CASES[case]} / `cnndsl check {name}`", found, "at least 15 x", ratio >= 15)
    for tool, _ in set(CASES) - set(cases):
        yield Row(f"{name} by hand, {tool}", f"not measured: {tool} is not installed")


def check_once(name: str) -> float:
    """The seconds of the second check in this process, with nothing remembered but the modules that it needs. No
    garbage is collected, as in the command."""
    place = locate(name)
    source = read(place)
    assert isinstance(source, Source)
    gc.disable()
    check(source, Options(network=place.network))
    start = time.process_time()
    checked = check(source, Options(network=place.network))
    end = time.process_time()
    assert checked.ok
    return end - start


if __name__ == "__main__":
    print(check_once(sys.argv[1]))
