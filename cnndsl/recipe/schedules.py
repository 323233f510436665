"""Schedules: the factor on the learning rate at each step. Plain arithmetic, so that it can be drawn and tested."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi
from typing import ClassVar

from cnndsl.layers.arguments import Argument, Count, ListOf, Number
from cnndsl.layers.base import LayerError
from cnndsl.recipe.base import Option

WARMUP = Argument(
    "warmup", Number(0), default=0.0, unit="epochs", help="the rate first rises in equal steps, for so long"
)


def _final(default: float) -> Argument:
    return Argument("final", Number(0), default=default, help="factor that is reached at the end")


class Schedule(Option):
    """Base of schedules. What follows a warm-up is counted from the warm-up's end.

    watches: whether it depends on how the validation loss goes.
    """

    warmup: float
    watches = False

    def factor(self, step: int, epoch_steps: int, steps: int, losses: Sequence[float] = ()) -> float:
        """What the rate is multiplied by at `step` (from 0) of `steps` in all, `epoch_steps` to an epoch. `losses` are
        the validation losses of the epochs before this one."""
        warm = min(round(self.warmup * epoch_steps), steps)
        if step < warm:
            return (step + 1) / warm
        if self.watches:
            return self.after_losses(losses)
        return self.after_warmup(step - warm, epoch_steps, steps - warm)

    def after_losses(self, losses: Sequence[float]) -> float:
        """The factor of one that watches, after epochs of these validation losses."""
        raise NotImplementedError(type(self).__name__)

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        raise NotImplementedError(type(self).__name__)


class Constant(Schedule):
    """The same rate throughout."""

    name = "constant"
    arguments = (WARMUP,)

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        return 1.0


class Step(Schedule):
    """The rate is multiplied by `by` every so many epochs, or at the epochs listed."""

    name = "step"
    arguments = (
        Argument("every", Number(0), default=0.0, unit="epochs", positional=True, help="epochs between two steps"),
        Argument("at", ListOf(Number(0)), default=(), unit="epochs", help="epochs after which it steps, instead"),
        Argument("by", Number(0), default=0.1, help="what the rate is multiplied by at each step"),
        Argument("to", ListOf(Number(0)), default=(), help="factors after each of the epochs `at`, instead of `by`"),
        WARMUP,
    )
    unsaid: ClassVar = {"every": 0.0, "at": (), "to": ()}
    every: float
    at: tuple[float, ...]
    by: float
    to: tuple[float, ...]

    def check(self) -> None:
        if not self.every and not self.at:
            raise LayerError("NeedsArgument", None, name="step", needs="to know when: `step 10` or `step at=[30, 60]`")
        if self.every and self.at:
            raise LayerError("NeedsArgument", "at", name="step", needs="either `every` or `at`, not both")
        if self.to and len(self.to) != len(self.at):
            raise LayerError("NeedsArgument", "to", name="to", needs="as many factors as there are epochs in `at`")

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        if self.to:
            passed = sum(step >= round(epoch * epoch_steps) for epoch in self.at)
            return (1.0, *self.to)[passed]
        if self.at:
            return float(self.by ** sum(step >= round(epoch * epoch_steps) for epoch in self.at))
        return float(self.by ** (step // max(1, round(self.every * epoch_steps))))


class Cosine(Schedule):
    """The rate falls along half a cosine from 1 to `final` (Loshchilov and Hutter 2017, without restarts)."""

    name = "cosine"
    arguments = (_final(0.0), WARMUP)
    final: float

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        return self.final + (1 - self.final) * (1 + cos(pi * step / max(1, steps))) / 2


class Linear(Schedule):
    """The rate falls in a straight line from 1 to `final`."""

    name = "linear"
    arguments = (_final(0.0), WARMUP)
    final: float

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        return 1 + (self.final - 1) * step / max(1, steps)


class Exponential(Schedule):
    """The rate is multiplied by `by` once an epoch, spread evenly over its steps."""

    name = "exponential"
    arguments = (Argument("by", Number(0), default=0.95, positional=True, help="factor per epoch"), WARMUP)
    by: float

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        return float(self.by ** (step / max(1, epoch_steps)))


class OneCycle(Schedule):
    """The rate rises along a cosine from `1/start` to 1, then falls along one to nearly nothing.

    Smith and Topin 2019, as PyTorch's OneCycleLR without its cycle of the momentum: the optimizer's `lr` is
    the peak.
    """

    name = "onecycle"
    arguments = (
        Argument("rise", Number(0, 1, below=True), default=0.3, help="share of the steps in which the rate rises"),
        Argument("start", Number(1), default=25.0, help="the first rate is the peak divided by this"),
        Argument("end", Number(1), default=1e4, help="the last rate is the first divided by this"),
        WARMUP,
    )
    rise: float
    start: float
    end: float

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        first = 1 / self.start
        last = first / self.end
        peak = self.rise * steps - 1
        if step <= peak:
            return _between(first, 1.0, step / peak if peak > 0 else 1.0)
        return _between(1.0, last, min(1.0, (step - peak) / max(1.0, steps - 1 - peak)))


class Triangle(Schedule):
    """The rate rises in a straight line from `start` to 1, then falls in one to `final`.

    Of n steps the first r = rise * n, rounded down, rise: step s has start + (1 - start) s / r there, and later
    1 + (final - 1) (s - r) / (n - r). The triangle of Smith 2017, as Page 2018 and airbench (Jordan 2024) have it for
    the whole of a run: the optimizer's `lr` is the peak.
    """

    name = "triangle"
    arguments = (
        Argument("rise", Number(0, 1, below=True), default=0.3, help="share of the steps in which the rate rises"),
        Argument("start", Number(0, 1), default=0.0, help="factor at the first step"),
        _final(0.0),
        WARMUP,
    )
    rise: float
    start: float
    final: float

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
        rising = int(self.rise * steps)
        if step < rising:
            return self.start + (1 - self.start) * step / rising
        return 1 + (self.final - 1) * (step - rising) / max(1, steps - rising)


class Plateau(Schedule):
    """The rate is multiplied by `by` whenever the validation loss has not fallen for more than `patience` epochs.

    It has fallen if it is below the best so far by the share `threshold` of that. As PyTorch's ReduceLROnPlateau.
    """

    name = "plateau"
    watches = True
    arguments = (
        Argument("patience", Count(0), default=10, positional=True, unit="epochs", help="epochs without a better loss"),
        Argument("by", Number(0), default=0.1, help="what the rate is multiplied by then"),
        Argument("threshold", Number(0, 1, below=True), default=1e-4, help="share by which a better loss is lower"),
        WARMUP,
    )
    patience: int
    by: float
    threshold: float

    def after_losses(self, losses: Sequence[float]) -> float:
        factor, best, waited = 1.0, float("inf"), 0
        for loss in losses:
            if loss < best * (1 - self.threshold):
                best, waited = loss, 0
            else:
                waited += 1
            if waited > self.patience:
                factor, waited = factor * self.by, 0
        return factor


def _between(a: float, b: float, share: float) -> float:
    """Along half a cosine from `a` to `b`."""
    return b + (a - b) * (1 + cos(pi * share)) / 2


SCHEDULES: tuple[type[Schedule], ...] = (Constant, Step, Cosine, Linear, Exponential, OneCycle, Triangle, Plateau)
