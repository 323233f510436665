"""What a network answers when it is measured or used: its outputs by name, the mean over the views of an image."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import nn

from cnndsl.recipe import Recipe
from cnndsl.runtime.data import Batch
from cnndsl.runtime.objective import Objective, Outputs
from cnndsl.runtime.views import mean, views


class Answers:
    """Asks networks of one recipe. bf16: layers compute with 16 bits."""

    def __init__(self, recipe: Recipe, objective: Objective, device: torch.device, *, bf16: bool = False) -> None:
        self.objective = objective
        self.tta = recipe.tta
        self.views = views(recipe.tta)
        self.device = device
        self.bf16 = bf16

    def lower(self) -> contextlib.AbstractContextManager[Any]:
        """In which layers compute with as many bits as the recipe wants."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else contextlib.nullcontext()

    @torch.inference_mode()
    def __call__(self, module: nn.Module, batch: Batch) -> Outputs:
        """The outputs for these examples, of a module in evaluation mode."""
        found = []
        for view in self.views:
            with self.lower():
                given = module(*(view(one) for one in batch.inputs))
            found.append(self.objective.outputs(given, training=False))
        if len(found) == 1:
            return found[0]
        return {name: mean([one[name] for one in found], self.tta) for name in found[0]}
