"""Drawings: `cnndsl draw resnet152 -o resnet152.svg` as a whole process against torchview on the same net, whose users
pay for PyTorch's import too; and networks of 10,000 layers, folded.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from benchmarks.installed import ROOT, light
from benchmarks.measure import Row, in_turns, median, milliseconds, process, seconds

ROUNDS = 5
LARGE = 10_000
MOST = 5.0
"""Seconds that a network of LARGE layers may take."""
HEAD = "network Large\ninput 64x64x8\n"
LARGE_NETWORKS = {
    "as distinct lines": HEAD + "".join(f"conv 3x3x{8 + i % 97} same\n" for i in range(LARGE)),
    "as `repeat`": f"{HEAD}repeat {LARGE // 2}:\n    conv 3x3x8 same\n    sigmoid\n",
    "as blocks": (
        "block unit(c):\n    add:\n        | conv 3x3x{c} same\n          conv 3x3x{c} same\n        | identity\n"
        f"    pool 3 /1 same\n\n{HEAD}for i in range({LARGE // 4}):\n    unit 8\n"
    ),
}
"""Specs of LARGE layers, by what they are like."""


def rows() -> Iterator[Row]:
    with light() as scripts, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for style in ("graph", "volumes"):
            ours = process(scripts / "cnndsl", "draw", "resnet152", "--style", style, "-o", folder / "ours.svg")
            yield _against_torchview(style, ours, folder)
        for what, text in LARGE_NETWORKS.items():
            spec = folder / "large.cnn"
            spec.write_text(text, encoding="utf-8")
            draw = process(scripts / "cnndsl", "draw", spec, "--style", "graph", "-o", folder / "large.svg")
            found = seconds(draw, time.perf_counter)
            bound = f"at most {MOST:g} s"
            yield Row(f"{LARGE:,} layers {what}, drawn folded, whole process", f"{found:.1f} s", bound, found <= MOST)


def _against_torchview(style: str, ours: Callable[[], object], folder: Path) -> Row:
    what = f"resnet152 to SVG by torchview / `cnndsl draw resnet152 --style {style}`"
    missing = ["torchview"] * (find_spec("torchview") is None) + ["Graphviz"] * (shutil.which("dot") is None)
    if missing:
        return Row(what, f"not measured: {' and '.join(missing)} missing")
    theirs = process(sys.executable, "-m", "benchmarks.torchview_resnet152", folder, cwd=ROOT)
    first, second = in_turns([ours, theirs], ROUNDS)
    ratio = median(second) / median(first)
    found = f"{ratio:.1f} x ({milliseconds(second)} / {milliseconds(first)})"
    return Row(what, found, "at least 10 x", ratio >= 10)
