"""Pairs of examples for networks with two inputs: each with a partner that is drawn anew in every epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from cnndsl.runtime.data import Examples
from cnndsl.runtime.data.parts import labels
from cnndsl.runtime.errors import DataError


class Pairs(Examples):
    """Examples, each with one other: as many pairs as examples, half of them of one class. Nothing is stored twice.

    of: the examples; partners: the row of each one's partner.
    """

    __slots__ = ("of", "partners")
    of: Examples
    partners: Tensor

    def __init__(self, of: Examples, partners: Tensor) -> None:
        super().__init__(of.inputs, of.classes)
        object.__setattr__(self, "of", of)
        object.__setattr__(self, "partners", partners)

    def __len__(self) -> int:
        return len(self.of)

    def pick(self, rows: Tensor) -> Examples:
        """These pairs: `classes` (N) and `values` (N x 1) say 1 where both are of one class."""
        first = self.of.pick(rows)
        second = self.of.pick(self.partners.index_select(0, rows.to(self.partners.device)))
        assert first.classes is not None
        assert second.classes is not None
        alike = (first.classes == second.classes).to(torch.int64)
        return Examples(first.inputs, alike, alike.unsqueeze(1).to(torch.float32), (second.inputs,), rows)

    def to(self, device: torch.device) -> Examples:
        of = self.of.to(device)
        return Pairs(of, self.partners.to(of.inputs.device))

    def in_epoch(self, seed: int, epoch: int) -> Examples:
        """The same examples with other partners: a function of the seed and the epoch alone."""
        assert self.classes is not None
        return Pairs(self.of, partners(self.classes.cpu(), seed, epoch).to(self.of.inputs.device))


def pairs(examples: Examples, seed: int) -> Examples:
    """Pairs of these examples. Raises DataError if they are all of one class, or have none."""
    classes = labels(examples)
    if classes is None or int(classes.min()) == int(classes.max()):
        raise DataError("pairs, for a network with two inputs, are made of examples of two classes or more")
    return Pairs(examples, partners(classes, seed, -1))


def partners(classes: Tensor, seed: int, epoch: int) -> Tensor:
    """A row for each row, N: by a coin one of the same class (another, if there is one), or one of another class."""
    random = torch.Generator().manual_seed((seed * 1_000_003 + epoch + 1) * 2 % 2**63)
    total = len(classes)
    order = torch.argsort(classes, stable=True)
    counts = torch.bincount(classes)
    first, many = (counts.cumsum(0) - counts)[classes], counts[classes]
    place = torch.empty_like(order)
    place[order] = torch.arange(total)
    draw = torch.rand(2, total, generator=random, dtype=torch.float64)
    # Some steps on within the class, never back to itself; or some place outside the class's own.
    steps = 1 + (draw[0] * (many - 1)).to(torch.int64)
    same = first + torch.where(many > 1, (place - first + steps) % many, 0)
    outside = (draw[1] * (total - many)).to(torch.int64)
    other = torch.where(outside < first, outside, outside + many)
    coin = torch.rand(total, generator=random) < 0.5
    return order[torch.where(coin, same, other)]
