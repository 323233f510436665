"""Training on a GPU beside the fastest published recipe for one: `python -m benchmarks.gpu CHECKOUT [SCRIPT …]`.

CHECKOUT is a copy of KellerJordan/cifar10-airbench, whose scripts are run as they are, but for fewer repetitions. They
and `cnndsl train airbench94` train on the same number of made-up images in CIFAR-10's format: what the pixels show does
not change how long a step takes. Compared are the seconds of an epoch without its evaluation: the median of those after
the first few, in which kernels are chosen, compiled and recorded.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.installed import ROOT
from benchmarks.measure import in_turns, median
from benchmarks.training import made_up

STEADY = 4
"""Epochs of a run that don't count."""


class Published(NamedTuple):
    """A script of the checkout, and what of ours trains the same network on batches as large."""

    script: str
    batch: int
    settings: tuple[str, ...]


SCRIPTS = {
    one.script: one
    for one in (
        Published("legacy/airbench94.py", 1024, ()),
        Published("legacy/airbench94_compiled.py", 1024, ("--compile",)),
        Published("airbench94_muon.py", 2000, ("--compile",)),
    )
}


def theirs(checkout: Path, published: Published, root: Path) -> list[float]:
    """The seconds of each epoch of a script's last run."""
    text = (checkout / published.script).read_text()
    text = re.sub(r"range\(\d+\)\]\)", "range(1)])", text)
    # Evaluations are not in the time that is compared, but are compiled for minutes.
    text = text.replace("= evaluate(model, test_loader", "= (lambda *_, **__: 0.0)(model, test_loader")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(text)
        (script.parent / "cifar10").symlink_to(root / "as_tensors")
        printed = subprocess.run(
            [sys.executable, script.name], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    table = [row for row in cells if len(row) > 5 and row[1].isdigit()]
    begins = max(number for number, row in enumerate(table) if row[1] == "0")
    total = [float(row[-1]) for row in table[begins:]]
    return [after - before for before, after in pairwise(total)]


def ours(published: Published, root: Path) -> list[float]:
    """The seconds of each epoch of `cnndsl train` on as many whole batches."""
    images = 50_000 // published.batch * published.batch
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "cnndsl", "train", "airbench94", "--data-root", str(root), "--out", out]
        command += ["--limit", str(images), "--quiet", "--device", "cuda", *published.settings]
        for setting in (f"batch={published.batch}", "epochs=10", "test=off", "precision=auto"):
            command += ["--set-train", setting]
        subprocess.run(command, cwd=ROOT, check=True)
        (metrics,) = Path(out).glob("*/metrics.csv")
        with metrics.open(newline="") as file:
            return [float(row["seconds"]) for row in csv.DictReader(file)]


def made_up_tensors(root: Path) -> None:
    """The images of `made_up.cifar10` as the scripts keep them."""
    import torch

    (root / "as_tensors").mkdir()
    folder = root / "cifar-10-batches-bin"
    for name, files in (("train", [f"data_batch_{n}.bin" for n in range(1, 6)]), ("test", ["test_batch.bin"])):
        records = np.concatenate([np.fromfile(folder / file, np.uint8).reshape(-1, 3073) for file in files])
        images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy())
        labels = torch.from_numpy(records[:, 0].astype(np.int64))
        kept = {"images": images, "labels": labels, "classes": [str(n) for n in range(10)]}
        torch.save(kept, root / "as_tensors" / f"{name}.pt")


def by_hand(root: Path) -> Iterator[str]:
    """Epochs in one process, in turns: ours, and the fastest loop by hand without recorded steps, both in fp32."""
    from benchmarks.training import LENET, OPTIMIZER, RESNET, fastest

    for net, spec, data, batch, steps in (
        ("lenet5", LENET, "mnist", 64, 300),
        ("lenet5", LENET, "mnist", 512, 100),
        ("resnet18", RESNET, "cifar10", 512, 20),
    ):
        given = {"data": data, "batch": batch, "epochs": 99, "validation": 0, "test": "off", "optimizer": OPTIMIZER}
        settings = tuple((name, str(value)) for name, value in {**given, "precision": "fp32"}.items())
        actions = [
            fastest.ours(str(spec), root, batch * steps, settings, "cuda"),
            fastest.by_hand(net, root, batch * steps, batch, "cuda"),
        ]
        first, second = in_turns(actions, 7)
        ratio = median([b / a for a, b in zip(first, second, strict=True)])
        rate = batch * steps / median(first)
        yield f"| {net}, batch {batch}, the fastest loop by hand | {ratio:.2f} x ({rate:,.0f} images a second) |"


def main(checkout: Path, names: list[str]) -> None:
    import torch

    where = f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, {os.cpu_count()} cores"
    print(f"{where}\n\n| published script | its epoch | `cnndsl train airbench94` | theirs / ours |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made_up.mnist(root)
        made_up.cifar10(root)
        made_up_tensors(root)
        if "hand" in names:
            for line in by_hand(root):
                print(line, flush=True)
        for published in (SCRIPTS[name] for name in names if name in SCRIPTS):
            mine, found = ours(published, root), theirs(checkout, published, root)
            first, second = (median(seconds[STEADY:]) for seconds in (found, mine))
            what = " ".join(["ours", *published.settings])
            ratio = first / second
            print(
                f"| `{published.script}`, batch {published.batch} | {first:.4f} s | {second:.4f} s ({what}) "
                f"| {ratio:.2f} |",
                flush=True,
            )
            print("  each:", *(f"{one:.3f}" for one in found), "/", *(f"{one:.3f}" for one in mine), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["hand", *SCRIPTS])
