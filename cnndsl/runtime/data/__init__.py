"""Data sets: read once, held whole in memory, cut into batches by indexing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs and targets, one row each.

    inputs: uint8 images, N x C x H x W, or float32 values, N x the network's input, channels first.
    classes: int64, N, or None where targets are values; values: float32, N x the targets, or None.
    """

    inputs: Tensor
    classes: Tensor | None
    values: Tensor | None = None

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.inputs)

    def pick(self, rows: Tensor) -> Examples:
        """The examples of these rows, in their order."""
        return self._with(lambda tensor: tensor.index_select(0, rows))

    def to(self, device: torch.device) -> Examples:
        return self._with(lambda tensor: tensor.to(device))

    def _with(self, change: Callable[[Tensor], Tensor]) -> Examples:
        classes, values = self.classes, self.values
        return Examples(
            change(self.inputs),
            None if classes is None else change(classes),
            None if values is None else change(values),
        )


class Raw(NamedTuple):
    """A source as read: what may be trained on, and what is kept for the test, if anything."""

    train: Examples
    test: Examples | None


class Split(NamedTuple):
    """What is trained on, watched, and looked at once in the end."""

    train: Examples
    validation: Examples | None
    test: Examples | None

    def each(self, change: Callable[[Examples], Examples]) -> Split:
        """The split with every part that there is changed."""
        train, *others = (None if part is None else change(part) for part in self)
        assert train is not None
        return Split(train, *others)
