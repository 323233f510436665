"""Schedules: the factor on the learning rate at each step. Plain arithmetic, so that it can be drawn and tested."""

from __future__ import annotations

from math import cos, pi

from cnndsl.layers.arguments import Argument, ListOf, Number
from cnndsl.layers.base import LayerError
from cnndsl.recipe.base import Option

WARMUP = Argument(
    "warmup", Number(0), default=0.0, unit="epochs", help="the rate first rises in equal steps, for so long"
)


def _final(default: float) -> Argument:
    return Argument("final", Number(0), default=default, help="factor that is reached at the end")


class Schedule(Option):
    """Base of schedules. What follows a warm-up is counted from the warm-up's end."""

    warmup: float

    def factor(self, step: int, epoch_steps: int, steps: int) -> float:
        """What the rate is multiplied by at `step` (from 0) of `steps` in all, `epoch_steps` to an epoch."""
        warm = min(round(self.warmup * epoch_steps), steps)
        if step < warm:
            return (step + 1) / warm
        return self.after_warmup(step - warm, epoch_steps, steps - warm)

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
        WARMUP,
    )
    every: float
    at: tuple[float, ...]
    by: float

    def check(self) -> None:
        if not self.every and not self.at:
            raise LayerError("NeedsArgument", None, name="step", needs="to know when: `step 10` or `step at=[30, 60]`")
        if self.every and self.at:
            raise LayerError("NeedsArgument", "at", name="step", needs="either `every` or `at`, not both")

    def after_warmup(self, step: int, epoch_steps: int, steps: int) -> float:
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


def _between(a: float, b: float, share: float) -> float:
    """Along half a cosine from `a` to `b`."""
    return b + (a - b) * (1 + cos(pi * share)) / 2


SCHEDULES: tuple[type[Schedule], ...] = (Constant, Step, Cosine, Linear, Exponential, OneCycle)
