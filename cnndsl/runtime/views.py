"""Views of images whose predictions are averaged: test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from cnndsl.recipe.training import Tta

View = Callable[[Tensor], Tensor]


def views(chosen: Tta) -> tuple[View, ...]:
    """The functions that make each view of a batch of images, N x C x H x W. The first leaves them as they are."""
    shifts = (0, -chosen.shift, chosen.shift) if chosen.shift else (0,)
    mirrors = (False, True) if chosen.mirror else (False,)
    return tuple(_view(shift, mirror=mirror) for shift in shifts for mirror in mirrors)


def _view(shift: int, *, mirror: bool) -> View:
    def seen(images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if shift:
            border = abs(shift)
            padded = functional.pad(images, (border,) * 4, "replicate")
            start = border - shift
            images = padded[..., start : start + height, start : start + width]
        return images.flip(-1) if mirror else images

    return seen
