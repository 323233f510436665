"""Deep networks as boxes in perspective."""

from __future__ import annotations

from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Scene
from cnndsl.draw.styles import layers
from cnndsl.draw.wanted import Wanted


def scene(network: Item, wanted: Wanted) -> Scene:
    return layers.scene(network, wanted)
