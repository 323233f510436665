"""Made-up data sets in the published formats of MNIST and CIFAR-10, for timing."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def mnist(root: Path, train: int = 60_000, test: int = 1_000) -> Path:
    """MNIST's four files, not gzipped, where torchvision and `cnndsl train` look for them."""
    random = np.random.default_rng(0)
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, count in (("train", train), ("t10k", test)):
        images = random.integers(0, 256, (count, 28, 28), np.uint8)
        labels = random.integers(0, 10, count, np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            head = bytes((0, 0, 8, values.ndim)) + b"".join(n.to_bytes(4, "big") for n in values.shape)
            (folder / f"{name}-{kind}-ubyte").write_bytes(head + values.tobytes())
    return root


def cifar10(root: Path) -> Path:
    """CIFAR-10's binary files."""
    random = np.random.default_rng(0)
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        records = random.integers(0, 256, (10_000, 3073), np.uint8)
        records[:, 0] %= 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n")
    return root
