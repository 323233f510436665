"""The functions that expressions can call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cnndsl.elaborate.arithmetic import MOST_ITEMS, NO_BUDGET, EvaluationError, arithmetic, is_number


def _range(*arguments: int) -> list[int]:
    numbers = range(*arguments)
    # `len` of a range beyond the machine's word raises OverflowError, which is reported as a wrong call.
    if len(numbers) > MOST_ITEMS:
        raise EvaluationError("ListTooLong", None, limit=MOST_ITEMS)
    return list(numbers)


def _enumerate(items: Any, start: int = 0) -> list[tuple[int, Any]]:
    return list(enumerate(_items(items), start))


def _zip(*lists: Any) -> list[tuple[Any, ...]]:
    return list(zip(*map(_items, lists), strict=False))


def _items(value: Any) -> Any:
    if not isinstance(value, (list, tuple, dict)):
        raise TypeError
    return value


def _sum(items: Any) -> Any:
    total: Any = 0
    for item in _items(items):
        if isinstance(item, (list, tuple)):
            raise TypeError
        total = arithmetic(None, "+", total, item, NO_BUDGET)
    return total


def _whole(function: Callable[[float], int]) -> Callable[[Any], int]:
    def apply(value: Any) -> int:
        if not is_number(value):
            raise TypeError
        return function(value)

    return apply


def _round(value: Any, digits: int | None = None) -> Any:
    """Python's rounding: halves go to the even neighbour."""
    if not is_number(value) or (digits is not None and abs(digits) > 400):
        raise TypeError
    return round(value, digits) if digits is not None else round(value)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*values: Any) -> Any:
        items = _items(values[0]) if len(values) == 1 else values
        return function(items)

    return apply


def make_divisible(value: float, divisor: int = 8, minimum: float | None = None) -> int:
    """`value` rounded to a multiple of `divisor`, at least `minimum`, never more than a tenth below `value`.

    As in the MobileNet papers' code (Sandler et al. 2018): channel counts after a width multiplier.
    """
    rounded = max(divisor if minimum is None else minimum, int(value + divisor / 2) // divisor * divisor)
    return int(rounded + divisor if rounded < 0.9 * value else rounded)


BUILTINS: dict[str, Any] = {
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "len": lambda items: len(_items(items)),
    "sum": _sum,
    "min": _extreme(min),
    "max": _extreme(max),
    "abs": lambda value: abs(value),
    "round": _round,
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "sqrt": lambda value: math.sqrt(value),
    "log": lambda value, *base: math.log(value, *base),
    "make_divisible": make_divisible,
}
USAGE = {
    "range": "range(stop), range(start, stop) or range(start, stop, step)",
    "enumerate": "enumerate(list)",
    "zip": "zip(list, list)",
    "len": "len(list)",
    "sum": "sum(list)",
    "min": "min(a, b) or min(list)",
    "max": "max(a, b) or max(list)",
    "abs": "abs(number)",
    "round": "round(number) or round(number, digits)",
    "floor": "floor(number)",
    "ceil": "ceil(number)",
    "sqrt": "sqrt(number), of a number that is not negative",
    "log": "log(number) or log(number, base), of a positive number",
    "make_divisible": "make_divisible(number, divisor)",
}
