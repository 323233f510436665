"""Start-up: `cnndsl check specs/lenet5.cnn` as a whole process, against importing click and against PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.installed import ROOT, light
from benchmarks.measure import Row, in_turns, median, milliseconds, process

SPEC = ROOT / "specs" / "lenet5.cnn"


def rows() -> Iterator[Row]:
    with light() as scripts:
        check = process(scripts / "cnndsl", "check", SPEC)
        click = process(scripts / "python", "-c", "import click")
        torchinfo = process(sys.executable, Path(__file__).with_name("torchinfo_lenet.py"))
        checks, clicks = in_turns((check, click), 41)
        ratio = median(checks) / median(clicks)
        found = f"{ratio:.2f} x ({milliseconds(checks)} / {milliseconds(clicks)})"
        yield Row("`cnndsl check specs/lenet5.cnn` / `python -c 'import click'`", found, "at most 2.2 x", ratio <= 2.2)
        checks, torches = in_turns((check, torchinfo), 7)
        ratio = median(torches) / median(checks)
        found = f"{ratio:.1f} x ({milliseconds(torches)} / {milliseconds(checks)})"
        yield Row("the same net in PyTorch with torchinfo / `cnndsl check`", found, "at least 20 x", ratio >= 20)
