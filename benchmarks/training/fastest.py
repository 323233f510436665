"""The fastest loop that we know to write by hand, in fp32: no loader, the set as one uint8 tensor, whole batches padded
and normalized at once, channels last, a fused optimizer, and nothing read back within an epoch.

It computes what `cnndsl train` does at each step, the loss and accuracy of the epoch included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.training.lean import stored
from benchmarks.training.nets import NETS


def by_hand(name: str, root: Path, limit: int, batch: int, device: str = "cpu") -> Callable[[], None]:
    """An action: an epoch of the first images by the loop below."""
    torch.manual_seed(0)
    images, labels = (part[:limit].to(device) for part in stored(name, str(root)))
    loop = Fastest(NETS[name]().to(device), images, labels, batch, augment=name != "lenet5")
    return lambda: loop.run(limit // batch)


def ours(
    spec: str, root: Path, limit: int, settings: tuple[tuple[str, str], ...], device: str = "cpu"
) -> Callable[[], object]:
    """An action: an epoch as `cnndsl train` runs it."""
    from cnndsl.cli.training import Chosen, choose
    from cnndsl.runtime.job import Options, make
    from cnndsl.runtime.progress import Progress

    chosen = choose(spec, (), None, settings, "never", quiet=True)
    assert isinstance(chosen, Chosen)
    torch.manual_seed(0)
    options = Options(data_root=str(root), limit=limit)
    loop = make(chosen.graph, chosen.recipe, options, torch.device(device)).loop
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        progress = Progress(nowhere, quiet=True)
    return lambda: loop.run_epoch(progress, lambda: False)


class Fastest:
    """A net in training on images, N x C x H x W, uint8, and their labels; `run` makes a number of steps."""

    def __init__(self, net: nn.Module, images: Tensor, labels: Tensor, batch: int, *, augment: bool) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.images, self.labels, self.batch = images, labels, batch
        values = images.float()
        mean, deviation = values.mean((0, 2, 3)), values.std((0, 2, 3))
        self.scale = (1 / deviation).view(1, -1, 1, 1)
        self.shift = (-mean / deviation).view(1, -1, 1, 1)
        self.augment = augment
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)
        self.sums = torch.zeros(2, dtype=torch.float64, device=images.device)
        self.rows = self._rows()

    def _rows(self) -> Iterator[Tensor]:
        """The rows of each step, epoch after epoch."""
        while True:
            order = torch.randperm(len(self.images), device=self.images.device)
            whole = len(order) // self.batch * self.batch
            yield from order[:whole].split(self.batch)

    def run(self, steps: int) -> None:
        self.net.train()
        for _ in range(steps):
            self.step(next(self.rows))
        if self.sums.is_cuda:
            torch.cuda.synchronize()

    def step(self, rows: Tensor) -> None:
        images, labels = self.images.index_select(0, rows), self.labels.index_select(0, rows)
        if self.augment:
            images = flipped(cropped(images, 4))
        x = images.float().mul_(self.scale).add_(self.shift).contiguous(memory_format=torch.channels_last)
        self.optimizer.zero_grad(set_to_none=True)
        outputs = self.net(x)
        loss = nn.functional.cross_entropy(outputs, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        with torch.no_grad():
            correct = (outputs.argmax(1) == labels).sum()
            self.sums += torch.stack([loss.detach() * len(rows), correct])


def cropped(images: Tensor, by: int) -> Tensor:
    """Each image moved by up to so many pixels, with zeros where nothing is: one gather for the whole batch."""
    count, channels, height, width = images.shape
    padded = nn.functional.pad(images, (by, by, by, by))
    down, right = torch.randint(2 * by + 1, (2, count, 1, 1, 1), device=images.device)
    ys, xs = (torch.arange(size, device=images.device) for size in (height, width))
    ys = (ys.view(1, 1, -1, 1) + down).expand(count, channels, height, padded.shape[3])
    xs = (xs.view(1, 1, 1, -1) + right).expand(count, channels, height, width)
    return padded.gather(2, ys).gather(3, xs)


def flipped(images: Tensor) -> Tensor:
    """Half of the images mirrored."""
    mirrored: Any = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(3), images)
