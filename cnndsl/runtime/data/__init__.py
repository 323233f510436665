"""Data sets: read once, held whole in memory, cut into batches by indexing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Examples(NamedTuple):
    """Inputs and targets, one row each.

    inputs: uint8 images, N x C x H x W, or float32 values, N x the network's input, channels first.
    classes: int64, N, or None where targets are values; values: float32, N x the targets, or None.
    """

    inputs: Tensor
    classes: Tensor | None
    values: Tensor | None = None

    def __len__(self) -> int:  # type: ignore[override]
        """How many examples there are."""
        return len(self.inputs)

    def pick(self, rows: Tensor) -> Examples:
        """The examples of these rows, in their order."""
        return Examples(*(None if t is None else t.index_select(0, rows) for t in self))  # type: ignore[arg-type]

    def to(self, device: torch.device) -> Examples:
        return Examples(*(None if t is None else t.to(device) for t in self))  # type: ignore[arg-type]


class Raw(NamedTuple):
    """A source as read: what may be trained on, and what is kept for the test, if anything."""

    train: Examples
    test: Examples | None


class Split(NamedTuple):
    """What is trained on, watched, and looked at once in the end."""

    train: Examples
    validation: Examples | None
    test: Examples | None
