"""Checking large networks: 10,000 and 100,000 layers, as distinct lines of text and as `repeat`.

Processor time, best of three: as one core does all the work, it is the time that passes on a machine that is idle
otherwise.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.installed import light
from benchmarks.measure import Row, in_turns, process, processor_time
from cnndsl.pipeline import check
from cnndsl.source import Source

SMALL, LARGE = 10_000, 100_000


def lines(count: int) -> str:
    """A network of so many layers, each a line of its own that no other is equal to."""
    layers = (f"conv 3x3x{8 + n % 50} same as layer{n}" for n in range(count))
    return "network Lines\ninput 32x32x3\n" + "\n".join(layers) + "\n"


def repeated(count: int) -> str:
    """The same number of layers, said once."""
    return f"network Repeated\ninput 32x32x3\nrepeat {count}:\n    conv 3x3x8 same\n"


def rows() -> Iterator[Row]:
    for what, text, bound in (("distinct lines", lines, 30), ("`repeat`", repeated, 8)):
        small, large = _times(_check(text(SMALL), SMALL), _check(text(LARGE), LARGE))
        yield from _two(f"{what}, in process", small, large, bound)
    with light() as scripts, tempfile.TemporaryDirectory() as folder:
        for what, text, bound in (("distinct lines", lines, 30), ("`repeat`", repeated, 8)):
            paths = [Path(folder) / f"{count}.cnn" for count in (SMALL, LARGE)]
            for path, count in zip(paths, (SMALL, LARGE), strict=True):
                path.write_text(text(count), encoding="utf-8")
            small, large = _times(*(process(scripts / "cnndsl", "check", path) for path in paths))
            yield from _two(f"{what}, whole process", small, large, bound)


def _times(small: Callable[[], object], large: Callable[[], object]) -> tuple[float, float]:
    """The least seconds of both."""
    smalls, larges = in_turns((small, large), 3, processor_time, warm=False)
    return min(smalls), min(larges)


def _check(text: str, count: int) -> Callable[[], object]:
    def action() -> None:
        gc.disable()  # as the command does
        checked = check(Source("large", text))
        gc.enable()
        assert checked.ok
        assert len(checked.networks[0].graph.nodes) == count + 1

    return action


def _two(what: str, small: float, large: float, bound: int) -> Iterator[Row]:
    yield Row(f"{LARGE:,} layers as {what}", f"{large:.1f} s", f"at most {bound} s", large <= bound)
    ratio = large / small
    yield Row(f"{LARGE:,} / {SMALL:,} layers as {what}", f"{ratio:.1f} x", "at most 11 x", ratio <= 11)
