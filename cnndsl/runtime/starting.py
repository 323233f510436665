"""Weights to start with, of a network that was trained before: `--init-from`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from cnndsl.runtime import run_folder
from cnndsl.runtime.errors import RunError

_NAMED = 4
"""How many of those that don't fit are named."""


@torch.no_grad()
def start_from(module: nn.Module, place: str) -> list[str]:
    """Give a module the weights and statistics of a run's folder, or of a file of safetensors, that have the same name
    and shape; sentences about which. Raises RunError if it can't be read or none fits."""
    path = Path(place)
    kept = run_folder.read_tensors(path / run_folder.WEIGHTS if path.is_dir() else path)
    own = module.state_dict()
    fitting = [name for name, tensor in own.items() if name in kept and kept[name].shape == tensor.shape]
    if not any(own[name].is_floating_point() for name in fitting):
        raise RunError(
            f"none of the {len(kept):,} tensors of {place} has the name and shape of one of this network's",
            "the names are those of `cnndsl compile`; `cnndsl diff` tells what of one network fits another",
        )
    for name in fitting:
        own[name].copy_(kept[name].to(own[name].device))
    said = [f"starts with {len(fitting):,} of its {len(own):,} tensors from {place}"]
    others = [_other(name, tensor, kept.get(name)) for name, tensor in own.items() if name not in fitting]
    if others:
        more = f", and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        said.append(f"as new: {', '.join(others[:_NAMED])}{more}")
    return said


def _other(name: str, tensor: Tensor, there: Tensor | None) -> str:
    """A tensor that is not taken, and why."""
    if there is None:
        return f"{name} (not there)"
    shapes = ["x".join(map(str, one.shape)) or "1" for one in (tensor, there)]
    return f"{name} ({shapes[0]}, there {shapes[1]})"
