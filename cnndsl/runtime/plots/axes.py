"""Axes: where values lie, and the round numbers that stand beside them."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_WIDE = 100.0
"""Values that reach from one to so many times as much are shown on a logarithmic axis, where that is wanted."""


class Axis(NamedTuple):
    """The range that is shown, and the marks on it with their labels. log: equal distances are equal factors."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value stands: 0 at the axis's low end, 1 at its high one."""
        if self.log:
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)


def axis_of(values: Iterable[float], *, share: bool = False, log: bool = False, bound: float | None = None) -> Axis:
    """The axis that shows all values, its ends at round numbers.

    share: labels are percentages; log: logarithmic where the values reach far; bound: what a linear axis never exceeds.
    """
    known = [value for value in values if isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if log and low > 0 and high / low >= _WIDE:
        return _logarithmic(low, high)
    if low == high:
        margin = abs(low) / 2 or 0.5
        low, high = low - margin, high + margin
        if bound is not None and high > bound:
            low, high = low - (high - bound), bound
    step = _step(high - low)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    numbers = [n * step for n in range(first, last + 1)]
    return Axis(numbers[0], numbers[-1], tuple((value, _label(value, step, share=share)) for value in numbers))


def whole_axis(last: int) -> Axis:
    """An axis of whole numbers from 1, such as epochs; a single one stands in its middle."""
    if last <= 1:
        return Axis(0.0, 2.0, ((1.0, "1"),))
    step = max(1, round(_step(last - 1, 6)))
    numbers = sorted({1, *range(step, last + 1, step)} if step > 1 else set(range(1, last + 1)))
    if len(numbers) > 2 and numbers[1] - numbers[0] < step / 2:
        numbers.pop(1)
    return Axis(1.0, float(last), tuple((float(n), f"{n:,}") for n in numbers))


def _step(span: float, wanted: int = 5) -> float:
    """A round distance of marks, so that about so many stand in a span."""
    rough = span / wanted
    power = 10.0 ** floor(log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * 0.999)


def _logarithmic(low: float, high: float) -> Axis:
    first, last = floor(log10(low)), ceil(log10(high))
    powers = range(first, last + 1)
    every = -(-len(powers) // 7)
    ticks = tuple((10.0**power, f"{10.0**power:g}") for power in powers if (power - first) % every == 0)
    return Axis(10.0**first, 10.0**last, ticks, log=True)


def _label(value: float, step: float, *, share: bool) -> str:
    """With as many digits as the step has."""
    if share:
        value, step = value * 100, step * 100
    if step >= 1e5 or step < 1e-4:
        text = f"{value:.3g}"
    else:
        digits = max(0, -floor(log10(step) + 1e-9))
        digits += step * 10**digits % 1 > 1e-6
        text = f"{value:,.{digits}f}"
    return f"{text if float(text.replace(',', '')) else '0'}{'%' if share else ''}"
