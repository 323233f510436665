"""Checking large networks: 10,000 and 100,000 layers, as distinct lines of text and as `repeat`.

Processor time: as one core does all the work, it is the time that passes on a machine that is idle otherwise. Every
check has a process of its own: in one that has freed the memory of a larger network, a small one would find its memory
ready, and would seem faster than it is. A busy machine changes its speed within minutes, so each large network is
compared with small ones right before and after it.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.installed import ROOT, light
from benchmarks.measure import Row, median, process, processor_time, seconds
from cnndsl.pipeline import check
from cnndsl.source import Source

SMALL, LARGE = 10_000, 100_000
ROUNDS = 3


def lines(count: int) -> str:
    """A network of so many layers, each a line of its own that no other is equal to."""
    layers = (f"conv 3x3x{8 + n % 50} same as layer{n}" for n in range(count))
    return "network Lines\ninput 32x32x3\n" + "\n".join(layers) + "\n"


def repeated(count: int) -> str:
    """The same number of layers, said once."""
    return f"network Repeated\ninput 32x32x3\nrepeat {count}:\n    conv 3x3x8 same\n"


TEXTS = {"distinct lines": lines, "`repeat`": repeated}


def rows() -> Iterator[Row]:
    for what, bound in (("distinct lines", 30), ("`repeat`", 8)):
        yield from _two(f"{what}, the check alone", partial(_in_process, what), bound)
    with light() as scripts, tempfile.TemporaryDirectory() as folder:
        for what, bound in (("distinct lines", 30), ("`repeat`", 8)):
            for count in (SMALL, LARGE):
                (Path(folder) / f"{count}.cnn").write_text(TEXTS[what](count), encoding="utf-8")
            yield from _two(f"{what}, whole process", partial(_whole, scripts, Path(folder)), bound)


def _whole(scripts: Path, folder: Path, count: int) -> float:
    """The seconds of the command, its start and its table included."""
    return seconds(process(scripts / "cnndsl", "check", folder / f"{count}.cnn"), processor_time)


def _in_process(what: str, count: int) -> float:
    """The seconds of one check, without the start of its process."""
    command = [sys.executable, "-m", "benchmarks.checking", what, str(count)]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def check_once(what: str, count: int) -> float:
    """The seconds of a check in this process. No garbage is collected, as in the command."""
    source = Source("large", TEXTS[what](count))
    gc.disable()
    start = processor_time()
    checked = check(source)
    end = processor_time()
    assert checked.ok
    assert len(checked.networks[0].graph.nodes) == count + 1
    return end - start


def _two(what: str, time_of: Callable[[int], float], bound: int) -> Iterator[Row]:
    """The time of the large network, and how many times that of the small one, which is checked before and after it."""
    larges, ratios = [], []
    for _ in range(ROUNDS):
        before, large, after = time_of(SMALL), time_of(LARGE), time_of(SMALL)
        larges.append(large)
        ratios.append(2 * large / (before + after))
    best, ratio = min(larges), median(ratios)
    yield Row(f"{LARGE:,} layers as {what}", f"{best:.1f} s", f"at most {bound} s", best <= bound)
    yield Row(f"{LARGE:,} / {SMALL:,} layers as {what}", f"{ratio:.1f} x", "at most 11 x", ratio <= 11)


if __name__ == "__main__":
    print(check_once(sys.argv[1], int(sys.argv[2])))
