"""Data sets: read once, held whole, cut into batches by indexing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs and targets, one row each.

    inputs: uint8 images, N x C x H x W, float32 values, N x the network's input, channels first, or int64 tokens,
    N x L. others: what the network's further inputs get, in the same form.
    classes: int64, N; maps of classes, N x the places, uint8 while they are stored; or sequences of classes, N x the
    longest, -1 behind the last of each. For pairs of inputs: 1 where both are of one class, else 0. None where targets
    are values, float32, N x the targets.
    rows: which rows of the whole part these are; None for the part itself.
    """

    inputs: Tensor
    classes: Tensor | None
    values: Tensor | None = None
    others: tuple[Tensor, ...] = ()
    rows: Tensor | None = None

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.inputs)

    def pick(self, rows: Tensor) -> Examples:
        """The examples of these rows, in their order."""
        picked = self._with(lambda tensor: tensor.index_select(0, rows.to(tensor.device)))
        return picked if self.rows is not None else picked.numbered(rows)

    def numbered(self, rows: Tensor | None) -> Examples:
        """The same examples, said to be these rows of a part."""
        return Examples(self.inputs, self.classes, self.values, self.others, rows)

    def to(self, device: torch.device) -> Examples:
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def in_epoch(self, seed: int, epoch: int) -> Examples:
        """The examples as they are to be seen in this epoch: always the same ones here."""
        return self

    def _with(self, change: Callable[[Tensor], Tensor]) -> Examples:
        def changed(tensor: Tensor | None) -> Any:
            return None if tensor is None else change(tensor)

        return Examples(
            change(self.inputs),
            changed(self.classes),
            changed(self.values),
            tuple(change(other) for other in self.others),
            changed(self.rows),
        )


class Batch(NamedTuple):
    """Examples as a network takes them, and what it is to answer.

    inputs: one tensor for each input of the network: float32, N x the input, channels first, or int64 tokens.
    classes: int64, N, N x places or N x length; where examples are mixed float32, N x classes or N x classes x places,
    the share of each. values: float32, N x the targets; where the network is to give back its input, that input as it
    was before noise and holes. Either may not exist.
    """

    inputs: tuple[Tensor, ...]
    classes: Tensor | None = None
    values: Tensor | None = None

    @property
    def count(self) -> int:  # type: ignore[override]  # hides tuple.count, which nobody wants of a batch
        """How many examples there are."""
        return len(self.inputs[0])


class Raw(NamedTuple):
    """A source as read: what may be trained on, what is kept for the test, and for validation, if anything.

    names: what the classes are called, in their order; said: what was done while reading, in sentences.
    """

    train: Examples
    test: Examples | None
    validation: Examples | None = None
    names: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


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
