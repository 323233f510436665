"""Metrics: what is reported beside the loss, as PyTorch expressions that are means over a batch."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.code import Attribute, call
from cnndsl.recipe.base import Option
from cnndsl.recipe.losses import OUTPUT, TARGET


class Metric(Option):
    """Base of metrics.

    target: `classes` or `values`, what it compares with; fewest_classes: how many there must be.
    share: whether it is printed as a percentage.
    """

    target = "classes"
    fewest_classes = 2
    share = True

    def code(self) -> Any:
        """The mean over a batch, `Input(0)` the scores (N x channels, larger is likelier), `Input(1)` the target."""
        raise NotImplementedError(type(self).__name__)


class Accuracy(Metric):
    """Share of the examples whose class got the best output."""

    name = "accuracy"

    def code(self) -> Any:
        return call(".mean", call(".float", call(".eq", call(".argmax", OUTPUT, 1), TARGET)))


class Top5(Metric):
    """Share of the examples whose class is among the five best outputs."""

    name = "top5"
    fewest_classes = 5

    def code(self) -> Any:
        best = Attribute(call(".topk", OUTPUT, 5, 1), "indices")
        hit = call(".eq", best, call(".unsqueeze", TARGET, 1))
        return call(".mean", call(".float", call(".any", hit, 1)))


class MeanSquaredError(Metric):
    """Mean squared difference between outputs and targets."""

    name = "mse"
    target = "values"
    share = False

    def code(self) -> Any:
        return call("F.mse_loss", OUTPUT, TARGET)


class MeanAbsoluteError(Metric):
    """Mean absolute difference between outputs and targets."""

    name = "mae"
    target = "values"
    share = False

    def code(self) -> Any:
        return call("F.l1_loss", OUTPUT, TARGET)


METRICS: tuple[type[Metric], ...] = (Accuracy, Top5, MeanSquaredError, MeanAbsoluteError)
