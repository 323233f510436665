"""A lean loop: the whole set as a normalized tensor in a TensorDataset, a DataLoader without workers.

`python -m benchmarks.training.lean lenet5 ROOT BATCH EPOCHS [LIMIT]` prints the images per second of each epoch.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.training.nets import NETS, vision

transforms = vision().transforms


def stored(name: str, root: str) -> tuple[Tensor, Tensor]:
    """Images, uint8, N x C x 32 x 32, and labels."""
    if name == "lenet5":
        folder = Path(root, "MNIST", "raw")
        images = np.fromfile(folder / "train-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 1, 28, 28)
        labels = np.fromfile(folder / "train-labels-idx1-ubyte", np.uint8, offset=8)
        padded = nn.functional.pad(torch.from_numpy(images), (2, 2, 2, 2))
    else:
        files = sorted(Path(root, "cifar-10-batches-bin").glob("data_batch_*.bin"))
        records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
        padded, labels = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32)), records[:, 0]
    return padded, torch.from_numpy(labels.astype(np.int64))


def data(name: str, root: str) -> tuple[Tensor, Tensor]:
    """Normalized images and labels."""
    images, labels = stored(name, root)
    x = images.float().div_(255)
    mean, deviation = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
    return x.sub_(mean).div_(deviation), labels


def main(name: str, root: str, batch: int, epochs: int, limit: int) -> None:
    torch.manual_seed(0)
    images, labels = data(name, root)
    if limit:
        images, labels = images[:limit], labels[:limit]
    loader = DataLoader(TensorDataset(images, labels), batch_size=batch, shuffle=True)
    augment = transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()])
    net = NETS[name]()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for _ in range(epochs):
        began = time.perf_counter()
        net.train()
        running, correct = torch.zeros(()), torch.zeros(())
        for x, y in loader:
            if name != "lenet5":
                x = torch.stack([augment(image) for image in x])
            optimizer.zero_grad()
            outputs = net(x)
            loss = nn.functional.cross_entropy(outputs, y)
            loss.backward()
            optimizer.step()
            running += loss.detach() * len(y)
            correct += (outputs.argmax(1) == y).sum()
        print(len(images) / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, (*sys.argv[3:], 0)[:3]))
