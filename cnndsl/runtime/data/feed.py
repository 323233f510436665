"""From examples to batches: prepared as `Prepare` says, in training also augmented, whole batches at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cnndsl.runtime.data import Batch, Examples
from cnndsl.runtime.data.prepare import Prepare

_STREAM = 0x5EED
"""What the seed of augmentation differs by from that of the weights, so that their numbers don't agree."""


class Feed:
    """Makes examples that lie on `device` into batches. `state` and `restore` keep its random numbers."""

    def __init__(
        self,
        prepare: Prepare,
        device: torch.device,
        *,
        memory_format: torch.memory_format = torch.contiguous_format,
        seed: int = 0,
    ) -> None:
        self.prepared = prepare.on(device, memory_format)
        self.device = device
        self.random = torch.Generator(device).manual_seed(seed ^ _STREAM)

    def __call__(self, examples: Examples, epoch: int | None = None) -> Batch:
        """The batch of these examples: in training, where an epoch is given, augmented; else as they are."""
        if examples.inputs.device.type != self.device.type:
            examples = examples.to(self.device)
        return Batch(
            (self.prepared(examples.inputs), *map(self.prepared, examples.others)),
            examples.classes,
            examples.values,
        )

    def state(self) -> dict[str, Tensor]:
        """Everything that the batches to come depend on besides the examples."""
        return {"random": self.random.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`. Raises KeyError, TypeError or RuntimeError if it is none."""
        self.random.set_state(state["random"].cpu())
