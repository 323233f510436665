"""Views of images whose predictions are averaged: test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cnndsl.recipe.training import Tta

View = Callable[[Tensor], Tensor]


def views(chosen: Tta) -> tuple[View, ...]:
    """The functions that make each view of a batch of images, N x C x H x W. The first leaves them as they are."""
    shifts = (0, -chosen.shift, chosen.shift) if chosen.shift else (0,)
    mirrors = (False, True) if chosen.mirror else (False,)
    border = "reflect" if chosen.fill == "reflect" else "replicate"
    return tuple(_view(shift, border, mirror=mirror) for shift in shifts for mirror in mirrors)


def mean(found: Sequence[Tensor], chosen: Tta) -> Tensor:
    """The mean of what was made of each view, in the order of `views`, by the shares that they have in it."""
    if chosen.centre is None:
        return torch.stack([*found]).mean(0)
    still = len(found) // 3
    centre, moved = torch.stack([*found[:still]]).mean(0), torch.stack([*found[still:]]).mean(0)
    return chosen.centre * centre + (1 - chosen.centre) * moved


def _view(shift: int, fill: str, *, mirror: bool) -> View:
    def seen(images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if shift:
            border = abs(shift)
            padded = functional.pad(images, (border,) * 4, fill)
            start = border - shift
            images = padded[..., start : start + height, start : start + width]
        return images.flip(-1) if mirror else images

    return seen
