"""The usual loop of a tutorial: images through PIL, ToTensor and Normalize, a DataLoader with two workers.

`python -m benchmarks.training.tutorial lenet5 ROOT BATCH EPOCHS [LIMIT]` prints the images per second of each epoch.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from benchmarks.training.nets import NETS, vision

transforms = vision().transforms


class Cifar(Dataset[Any]):
    """CIFAR-10's binary files as torchvision's data set gives them: a PIL image, and its transforms."""

    def __init__(self, root: str, transform: Any) -> None:
        files = sorted(Path(root, "cifar-10-batches-bin").glob("data_batch_*.bin"))
        records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
        self.labels = records[:, 0].astype(int).tolist()
        self.images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def data(net: str, root: str) -> Any:
    if net == "lenet5":
        steps = [transforms.Pad(2), transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
        return vision().datasets.MNIST(root, train=True, transform=transforms.Compose(steps))
    means, deviations = (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    return Cifar(root, transforms.Compose([*steps, transforms.Normalize(means, deviations)]))


def main(name: str, root: str, batch: int, epochs: int, limit: int) -> None:
    torch.manual_seed(0)
    train = data(name, root)
    if limit:
        train = Subset(train, range(limit))
    loader = DataLoader(train, batch_size=batch, shuffle=True, num_workers=2, persistent_workers=True)
    net = NETS[name]()
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for _ in range(epochs):
        began = time.perf_counter()
        net.train()
        running, correct = 0.0, 0
        for images, labels in loader:
            optimizer.zero_grad()
            outputs = net(images)
            loss = loss_function(outputs, labels)
            loss.backward()
            optimizer.step()
            running += loss.item() * len(labels)
            correct += (outputs.argmax(1) == labels).sum().item()
        print(len(train) / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, (*sys.argv[3:], 0)[:3]))
