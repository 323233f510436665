"""Memory on a CPU: what a step needs is not asked for anew in the next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import resource, torch
from test_train import network, silent
from cnndsl.runtime.job import Options, make

graph, recipe = network('''network N
input 28x28x1
conv 5x5x8 same, tanh, conv 5x5x8, tanh, dense 10
train:
    data synthetic 512
    batch 128
    epochs 99
    optimizer adam
    validation 0
''')
ballast = [torch.zeros(300_000) for _ in range(SHIFT)]
loop = make(graph, recipe, Options(), torch.device("cpu")).loop
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    loop.run_epoch(silent(), lambda: False)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / len(loop.cuts))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
@pytest.mark.parametrize("shift", [0, 7])
def test_steps_keep_their_memory(shift: int) -> None:
    """However memory lies: a step touches some 20 MB, which are 5,000 pages."""
    program = PROGRAM.replace("SHIFT", str(shift))
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent).stdout
    assert float(printed) < 250
