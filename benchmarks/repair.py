"""Fixes of one error: the time that finding them takes, beside that of the check that found the error.

Processor time in one process, without its start; the best of several rounds, as nothing random happens in between.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

from benchmarks.installed import ROOT
from benchmarks.measure import Row, seconds
from cnndsl.pipeline import Options, check
from cnndsl.repair import repair
from cnndsl.source import Source

ROUNDS = 5

LENET = """\
network LeNet5
input 28x28x1
conv 5x5x6, tanh
pool 2
conv 5x5x16, tanh
pool 2
conv 5x5x120, tanh
dense 84, tanh
dense 10
"""


def resnet_152() -> str:
    """The zoo's ResNet, in which a shortcut never projects; without the claims."""
    text = (ROOT / "specs" / "resnet.cnn").read_text(encoding="utf-8")
    blocks = text[text.index("block shortcut") : text.index("network ResNet")]
    blocks = blocks.replace("        | shortcut {4 * width} /{stride}\n", "        | identity\n")
    stages = "stage bottleneck 64 3\nstage bottleneck 128 8 /2\nstage bottleneck 256 36 /2\nstage bottleneck 512 3 /2\n"
    stem = "input 224x224x3\nconv 7x7x64 /2 pad=3 nobias, bn, relu\npool 3 /2 pad=1\n"
    return f"{blocks}\nnetwork ResNet152\n{stem}{stages}globalpool avg\ndense 1000\n"


def rows() -> Iterator[Row]:
    for name, text, bound in (("LeNet-5 on 28x28", LENET, 0.1), ("ResNet-152 without projections", resnet_152(), 1.0)):
        whole, alone, fixes = _times(text)
        spent = whole - alone
        found = f"{spent * 1000:.0f} ms, {fixes} fixes, {spent / alone:.1f} x the check"
        yield Row(f"fixes of {name}", found, f"at most {bound * 1000:.0f} ms", spent <= bound)


def _times(text: str) -> tuple[float, float, int]:
    """Seconds of a check with fixes, of one without, and how many fixes there are."""
    gc.disable()
    options = Options()
    with_fixes, alone, offered = [], [], 0
    for _ in range(ROUNDS + 1):
        checked = check(Source("net.cnn", text), options)
        alone.append(seconds(lambda: check(Source("net.cnn", text), options), time.process_time))
        with_fixes.append(seconds(lambda: repair(check(Source("net.cnn", text), options), options), time.process_time))
        offered = sum(len(d.fixes) for d in repair(checked, options).diagnostics)
    gc.enable()
    assert offered
    return min(with_fixes[1:]), min(alone[1:]), offered
