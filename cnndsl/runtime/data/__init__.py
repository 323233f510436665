"""Data sets: read once, held whole, cut into batches by indexing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
        there = rows.to(self.inputs.device)
        inputs, classes, values = self.inputs.index_select(0, there), self.classes, self.values
        return Examples(
            inputs,
            None if classes is None else classes.index_select(0, there),
            None if values is None else values.index_select(0, there),
            tuple(other.index_select(0, there) for other in self.others),
            there if self.rows is None else self.rows.index_select(0, there),
        )

    def part(self, rows: Tensor) -> Examples:
        """As `pick`, for many of them, which are a whole of their own: what lies in a file stays there."""
        return replace(self.pick(rows), rows=None)

    def pieces(self, values: int) -> Iterator[Tensor]:
        """All inputs in order, a few at a time: of about so many values together."""
        many = max(1, values // max(1, self.inputs[0].numel()))
        yield from (self.inputs[start : start + many] for start in range(0, len(self), many))

    @property
    def bytes(self) -> int:
        """How much memory they fill."""
        there = (self.inputs, self.classes, self.values, *self.others)
        return sum(tensor.nbytes for tensor in there if tensor is not None)

    def to(self, device: torch.device) -> Examples:
        return self._with(lambda tensor: _brought(tensor, device))

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


class Mapped(Examples):
    """Examples whose inputs lie in a file that is mapped into memory: read when they are picked, never all at once.

    `inputs` are those of the whole file; `chosen` says which rows of it these examples are. `classes` are theirs alone.
    """

    __slots__ = ("chosen",)
    chosen: Tensor

    def __init__(self, inputs: Tensor, classes: Tensor | None, *, chosen: Tensor) -> None:
        super().__init__(inputs, classes)
        object.__setattr__(self, "chosen", chosen)

    def __len__(self) -> int:
        return len(self.chosen)

    def pick(self, rows: Tensor) -> Examples:
        there = rows.to(self.chosen.device)
        classes = None if self.classes is None else self.classes.index_select(0, there)
        return Examples(self.inputs.index_select(0, self.chosen.index_select(0, there)), classes, rows=rows)

    def part(self, rows: Tensor) -> Mapped:
        classes = None if self.classes is None else self.classes.index_select(0, rows)
        return Mapped(self.inputs, classes, chosen=self.chosen.index_select(0, rows))

    def pieces(self, values: int) -> Iterator[Tensor]:
        many = max(1, values // max(1, self.inputs[0].numel()))
        yield from (self.inputs.index_select(0, rows) for rows in torch.split(self.chosen, many))

    def to(self, device: torch.device) -> Examples:
        """Itself: batches are brought to the device one by one."""
        return self


PINNED = 256 * 1024**2
"""Most bytes that are copied to a GPU by way of memory that it reads by itself."""


def _brought(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device. A GPU that is at work is not waited for: it takes the batch when it comes to it."""
    if device.type == "cuda" and tensor.device.type == "cpu" and tensor.nbytes <= PINNED:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class Batch(NamedTuple):
    """Examples as a network takes them, and what it is to answer.

    inputs: one tensor for each input of the network: float32, N x the input, channels first, or int64 tokens.
    classes: int64, N, N x places or N x length; where examples are mixed float32, N x classes or N x classes x places,
    the share of each. values: float32, N x the targets; where the network is to give back its input, that input as it
    was before noise and holes. Either may not exist. idle: of several processes, this one has no examples; these only
    keep step with the others, and count nothing.
    """

    inputs: tuple[Tensor, ...]
    classes: Tensor | None = None
    values: Tensor | None = None
    idle: bool = False

    @property
    def count(self) -> int:  # type: ignore[override]  # hides tuple.count, which nobody wants of a batch
        """How many examples there are."""
        return len(self.inputs[0])

    @property
    def tensors(self) -> list[Tensor]:
        """All that there are, the inputs first."""
        return [*self.inputs, *(getattr(self, name) for name in self._targets)]

    def filled(self, tensors: Sequence[Tensor]) -> Batch:
        """A batch of others of the same kind, in the order of `tensors`."""
        given = iter(tensors)
        inputs = tuple(next(given) for _ in self.inputs)
        targets: dict[str, Any] = {name: next(given) for name in self._targets}
        return self._replace(inputs=inputs, **targets)

    @property
    def _targets(self) -> list[str]:
        return [name for name in ("classes", "values") if getattr(self, name) is not None]

    def cut(self, start: int, end: int) -> Batch:
        """These of its examples."""
        classes, values = (None if part is None else part[start:end] for part in (self.classes, self.values))
        return Batch(tuple(one[start:end] for one in self.inputs), classes, values, self.idle)


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
