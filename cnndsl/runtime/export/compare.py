"""Whether an exported network computes what the network itself does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cnndsl.runtime.errors import ExportError
from cnndsl.runtime.export.subject import Subject

SIZES = (1, 2, 5)
"""How many examples are tried at a time."""
TOLERANCE = 1e-4
"""The greatest difference that order of summation explains, as a share of an output's greatest value."""
_LEAST = 1e-6
_MOVING = ("unpool",)
"""Kinds that put values where others were greatest."""

Run = Callable[[tuple[Tensor, ...]], Sequence[Tensor]]
"""From inputs to all outputs."""


class Difference(NamedTuple):
    """The greatest difference between two outputs, their mean difference, and the greatest expected value."""

    greatest: float
    mean: float
    largest: float

    def small(self, *, moves: bool) -> bool:
        """Whether rounding explains it. moves: whether the network puts values where other values were greatest; then
        rounding moves a few, and only the mean tells."""
        return (self.mean if moves else self.greatest) <= _LEAST + TOLERANCE * self.largest

    def __str__(self) -> str:
        return f"greatest difference {self.greatest:.2g}, in values up to {self.largest:.3g}"


def agree(subject: Subject, run: Run, who: str) -> str:
    """The line that says how `who`, which runs what was made, agrees with the network on random examples.

    Raises ExportError if it does not.
    """
    whole = subject.whole()
    moves = any(node.kind in _MOVING for node in subject.graph.nodes)
    worst = Difference(0.0, 0.0, 0.0)
    for count in SIZES:
        inputs = subject.examples(count)
        for name, wanted, given in zip(subject.outputs, outputs(whole, inputs), run(inputs), strict=True):
            found = difference(wanted, given, name)
            if not found.small(moves=moves):
                raise ExportError(f"{who} gives something else for {count} examples: output `{name}`, {found}")
            worst = max(worst, found)
    sizes = ", ".join(map(str, SIZES[:-1])) + f" and {SIZES[-1]}"
    tail = f"; on average {worst.mean:.2g}, as `{_MOVING[0]}` moves values where two are equally great" * moves
    return f"  checked by {who}, for {sizes} random examples: {worst}{tail}"


def outputs(whole: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a module gives for these inputs, one or several tensors."""
    with torch.inference_mode():
        found = whole(*(one.clone() for one in inputs))
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def difference(wanted: Tensor, given: Tensor, name: str) -> Difference:
    """Of one output. Raises ExportError where it has another shape, or no numbers that can be compared."""
    if wanted.shape != given.shape:
        raise ExportError(f"output `{name}` would be {tuple(given.shape)} instead of {tuple(wanted.shape)}")
    if not bool(torch.isfinite(wanted).all()):
        raise ExportError(
            f"output `{name}` is not finite for random examples, so it can't be compared",
            "the weights hold NaN or infinity, or grew too large in training",
        )
    wide = wanted.double()
    far = (wide - given.double()).abs()
    return Difference(float(far.max()), float(far.mean()), float(wide.abs().max()))
