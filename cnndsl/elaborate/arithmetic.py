"""Operators on the values of expressions, with every bound kept, and what a mistake raises."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cnndsl.layers.bind import written
from cnndsl.syntax import tree

MOST_BITS = 4096
"""Bits of the largest integer: far beyond any size or count, small enough to print."""
MOST_ITEMS = 250_000
MOST_STEPS = 3_000_000
MOST_LEVELS = 16
"""Lists within lists."""
MOST_CHARACTERS = 10_000


class EvaluationError(Exception):
    """An expression that has no value: the problem's class by name, the node to blame, the values."""

    def __init__(self, problem: str, node: Any, **values: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.node = node
        self.values = values


class Budget:
    """Steps left for a whole file, and how deep the evaluation is. `watch`, if there is one, is called with the node,
    the scope and the budget in place of evaluating a whole expression."""

    __slots__ = ("depth", "steps", "watch")

    def __init__(self) -> None:
        self.steps = MOST_STEPS
        self.depth = 0
        self.watch: Callable[[Any, Any, Budget], Any] | None = None

    def spend(self, steps: int, node: Any) -> None:
        """Take steps. Raises EvaluationError if there are not so many left."""
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationError("TooManySteps", node, limit=MOST_STEPS)


class Varying(int):
    """An integer that stands for one of several: whoever evaluates a name that has it is given what `read` says."""

    read: Callable[[], int]


class View:
    """Something with readable attributes, such as a tensor (`input.channels`). `values` are what it offers by name,
    `entries` by index."""

    entries: dict[int, Any]

    def __init__(self, what: str, values: dict[str, Any]) -> None:
        self.what = what
        self.values = values
        self.entries = {}

    def entry(self, key: Any, node: Any) -> Any:
        """Its member of an index; a negative one counts from the end. Raises EvaluationError at `node`."""
        if type(key) is not int:
            raise EvaluationError("BadIndex", node, value=described(key))
        numbers = sorted(self.entries)
        number = numbers[key] if -len(numbers) <= key < 0 else key
        if number not in self.entries:
            raise EvaluationError("NoSuchEntry", node, what=self.what, index=key, numbers=numbers)
        return self.entries[number]

    def advice(self, name: str) -> str | None:
        """Where a name that it does not offer is to be found; None if that is not known."""
        return None


def arithmetic(node: Any, operator: str, left: Any, right: Any, budget: Budget) -> Any:
    """`left operator right` with every bound kept. Raises EvaluationError."""
    if operator in ("+", "*") and (isinstance(left, (list, tuple)) or isinstance(right, (list, tuple))):
        return kept(node, _join(node, operator, left, right), budget)
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MOST_CHARACTERS:
            raise EvaluationError("TextTooLong", node, limit=MOST_CHARACTERS)
        return left + right
    if not is_number(left) or not is_number(right):
        wrong = right if is_number(left) else left
        raise EvaluationError("WrongOperand", node, operator=operator, value=described(wrong))
    if operator == "**":
        _bound_power(node, left, right)
    try:
        value = _ARITHMETIC[operator](left, right)
    except ZeroDivisionError:
        raise EvaluationError("DivisionByZero", node) from None
    except OverflowError:
        raise EvaluationError("ResultTooLarge", node) from None
    if isinstance(value, complex):
        raise EvaluationError("NoRealNumber", node)
    if value.bit_length() > MOST_BITS if isinstance(value, int) else not math.isfinite(value):
        raise EvaluationError("ResultTooLarge", node)
    return value


def _bound_power(node: Any, left: Any, right: Any) -> None:
    """Refuses a power before it is computed, if its result could not be kept."""
    if (
        isinstance(left, int)
        and isinstance(right, int)
        and abs(left) > 1
        and abs(right) * abs(left).bit_length() > 2 * MOST_BITS
    ):
        raise EvaluationError("ResultTooLarge", node)


def _join(node: Any, operator: str, left: Any, right: Any) -> Any:
    """Lists joined with `+`, repeated with `*`."""
    if operator == "+" and isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        if len(left) + len(right) > MOST_ITEMS:
            raise EvaluationError("ListTooLong", node, limit=MOST_ITEMS)
        return [*left, *right]
    items, count = (left, right) if isinstance(left, (list, tuple)) else (right, left)
    if operator == "*" and isinstance(count, int) and not isinstance(count, bool):
        if len(items) * max(count, 0) > MOST_ITEMS:
            raise EvaluationError("ListTooLong", node, limit=MOST_ITEMS)
        return list(items) * count
    raise EvaluationError("WrongOperand", node, operator=operator, value=f"{described(left)} and {described(right)}")


def kept(node: Any, value: Any, budget: Budget) -> Any:
    """A list or dictionary, once it is known to be small with all that lies in it, so that it can be compared and
    printed. Making it takes steps. Raises EvaluationError.
    """
    size, level = 0, [value]
    for _ in range(MOST_LEVELS):
        inner: list[Any] = []
        for one in level:
            size += len(one)
            if size > MOST_ITEMS:
                raise EvaluationError("ListTooLong", node, limit=MOST_ITEMS)
            members = one.values() if isinstance(one, dict) else one
            inner += [m for m in members if isinstance(m, (list, tuple, dict))]
        level = inner
        if not level:
            budget.spend(size // 2, node)
            return value
    raise EvaluationError("TooDeep", node, limit=MOST_LEVELS)


def compare(node: Any, operator: str, left: Any, right: Any, right_node: Any) -> bool:
    """Whether `left operator right` holds; a size and a number compare on every axis. Raises EvaluationError."""
    if isinstance(left, tuple) and left and is_number(right):
        return all(compare(node, operator, side, right, right_node) for side in left)
    if operator == "==":
        return bool(left == right) or (
            isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)) and list(left) == list(right)
        )
    if operator == "!=":
        return not compare(node, "==", left, right, right_node)
    if operator == "~":
        return _roughly(node, left, right, right_node)
    if operator in ("in", "not in"):
        if not isinstance(right, (list, tuple, dict, str)):
            raise EvaluationError("NotIterable", right_node, value=described(right))
        try:
            return (left in right) == (operator == "in")
        except TypeError:
            raise EvaluationError("CannotCompare", node, left=described(left), right=described(right)) from None
    try:
        return bool(_COMPARISONS[operator](left, right))
    except TypeError:
        raise EvaluationError("CannotCompare", node, left=described(left), right=described(right)) from None


def _roughly(node: Any, left: Any, right: Any, right_node: Any) -> bool:
    """`left ~ right`: equal once rounded to the digits that `right` is written with."""
    if not is_number(left) or not isinstance(right_node, tree.Number):
        raise EvaluationError("RoughlyWhat", node)
    try:
        return bool(abs(left - right) <= written_unit(right_node.text) / 2)
    except OverflowError:
        # An integer beyond every float is near nothing that is written out.
        return False


def written_unit(text: str) -> float:
    """The value of the last digit written: 100 for `416.5K`, 1 for `61_706`."""
    mantissa, _, exponent = text.lstrip("-").rstrip("KMGT").replace("_", "").lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    scale = {"K": 3, "M": 6, "G": 9, "T": 12}.get(text[-1], 0)
    return float(10.0 ** (scale + int(exponent or 0) - decimals))


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def described(value: Any) -> str:
    """A value in a message: what it is and, if short, its text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {written(value)}"
    if isinstance(value, str):
        return f"the name `{written(value)}`"
    if isinstance(value, dict):
        return "a dictionary"
    if isinstance(value, tuple):
        return f"the size {written(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, View):
        return value.what
    return "a function"


NO_BUDGET = Budget()
"""For arithmetic on numbers, which takes no steps of its own."""
