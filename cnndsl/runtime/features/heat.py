"""Values as colours that readers with any colour vision can put in order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cnndsl.draw.colors import channels
from cnndsl.runtime.plots.grid import Pixels

VIRIDIS = (
    "#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
)  # fmt: skip
"""Ten of the colours of van der Walt and Smith's viridis (matplotlib), from the lowest value to the highest."""
OVER = 0.55
"""How much of the colour covers an image."""
_BAR = (8, 128)


def colored(shares: Tensor) -> Pixels:
    """Shares from 0 to 1, rows x columns, as colours."""
    stops = np.array([channels(color) for color in VIRIDIS], np.float64)
    at = shares.detach().cpu().to(torch.float64).clamp(0, 1).numpy() * (len(stops) - 1)
    places = np.arange(len(stops))
    found = np.stack([np.interp(at, places, stops[:, channel]) for channel in range(3)], -1)
    return found.round().astype(np.uint8)


def over(shares: Tensor, image: Pixels) -> Pixels:
    """The colours over an image of the same size, which is seen through them in grey."""
    grey = image.mean(2, keepdims=True) if image.ndim == 3 else image[..., None]
    mixed = OVER * colored(shares).astype(np.float64) + (1 - OVER) * grey
    return mixed.round().astype(np.uint8)


def bar() -> Pixels:
    """The scale, from the lowest value on the left to the highest."""
    high, wide = _BAR
    return colored(torch.linspace(0, 1, wide).expand(high, wide))
