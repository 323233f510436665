"""Normalization: how values as stored become the network's input. All are affine, per channel."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Number
from cnndsl.recipe.base import Option


class Normalization(Option):
    """Base of normalizations."""

    def bounds(self) -> tuple[float, float] | None:
        """What the darkest and brightest possible values become; None where it depends on the training set."""
        return None


class Standard(Normalization):
    """Each channel's mean over the training images becomes 0 and its deviation 1. The test set is not looked at."""

    name = "standard"


class Unit(Normalization):
    """0 to 1: the largest possible value becomes 1."""

    name = "unit"

    def bounds(self) -> tuple[float, float]:
        return 0.0, 1.0


class Range(Normalization):
    """The smallest possible value becomes `low`, the largest `high`."""

    name = "range"
    arguments = (
        Argument("low", Number(), default=-1.0, help="what 0 becomes, the background of digits"),
        Argument("high", Number(), default=1.0, help="what the largest possible value becomes"),
    )
    low: float
    high: float

    def bounds(self) -> tuple[float, float]:
        return self.low, self.high


class LeNet(Normalization):
    """Background -0.1 and foreground 1.175, "which makes the mean input roughly 0, and the variance roughly 1".

    LeCun et al. 1998, section II.B, for images with a background of 0.
    """

    name = "lenet"

    def bounds(self) -> tuple[float, float]:
        return -0.1, 1.175


class Unchanged(Normalization):
    """Values are taken as they are stored (images: 0 to 255)."""

    name = "none"


NORMALIZATIONS: tuple[type[Normalization], ...] = (Standard, Unit, Range, LeNet, Unchanged)
