"""Evaluating expressions: numbers, lists, dictionaries, comprehensions, functions; bounded in every way.

Evaluation has no effects and always ends: every step is counted, integers and lists have a largest size, and
recursion has a depth. A mistake raises `EvaluationError`, which names the node to blame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from cnndsl.layers.bind import written
from cnndsl.syntax import tree

MOST_BITS = 4096
"""Bits of the largest integer: far beyond any size or count, small enough to print."""
MOST_ITEMS = 250_000
MOST_STEPS = 5_000_000
MOST_DEPTH = 60
"""Nested expressions and calls; a fraction of what the interpreter's stack would bear."""
MOST_LEVELS = 16
"""Lists within lists."""
MOST_CLAUSES = 8
MOST_CHARACTERS = 10_000


class EvaluationError(Exception):
    """An expression that has no value: the problem's class by name, the node to blame, the values."""

    def __init__(self, problem: str, node: Any, **values: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.node = node
        self.values = values


class Budget:
    """Steps left for a whole file, and how deep the evaluation is."""

    __slots__ = ("depth", "steps")

    def __init__(self) -> None:
        self.steps = MOST_STEPS
        self.depth = 0

    def spend(self, steps: int, node: Any) -> None:
        """Take steps. Raises EvaluationError if there are not so many left."""
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationError("TooManySteps", node, limit=MOST_STEPS)


class Scope:
    """Names and their values; what is not here is looked up in the scope around it.

    places: where `let` lines defined names of this scope.
    """

    __slots__ = ("_places", "around", "values")

    def __init__(self, around: Scope | None = None, values: dict[str, Any] | None = None) -> None:
        self.around = around
        self.values = {} if values is None else values
        self._places: dict[str, Any] | None = None

    @property
    def places(self) -> dict[str, Any]:
        if self._places is None:
            self._places = {}
        return self._places

    def find(self, name: str) -> Any:
        """The value of a name. Raises KeyError."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.around
        return BUILTINS[name]

    def names(self) -> list[str]:
        """Every name that has a value here."""
        found: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            found.update(dict.fromkeys(scope.values))
            scope = scope.around
        return [*found, *BUILTINS]


class Unknown:
    """The value of a name whose definition failed: what uses it stays silent."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


class Silent(Exception):  # noqa: N818 (not an error: its cause has been reported)
    """An expression uses something whose own problem was reported already."""


class View:
    """Something with readable attributes, such as a tensor (`input.channels`). `names` are what it offers."""

    def __init__(self, what: str, values: dict[str, Any]) -> None:
        self.what = what
        self.values = values


class Closure:
    """A function of the spec: `let f(x) = …`."""

    def __init__(self, name: str, parameters: tuple[str, ...], body: Any, scope: Scope) -> None:
        self.name = name
        self.parameters = parameters
        self.body = body
        self.scope = scope

    def __repr__(self) -> str:
        return f"the function {self.name}"


def evaluate(node: Any, scope: Scope, budget: Budget) -> Any:
    """The value of an expression. Raises EvaluationError, or Silent if a part of it is unknown."""
    budget.steps -= 1
    if budget.steps < 0:
        raise EvaluationError("TooManySteps", node, limit=MOST_STEPS)
    if budget.depth >= MOST_DEPTH:
        raise EvaluationError("TooDeep", node, limit=MOST_DEPTH)
    budget.depth += 1
    try:
        return _EVALUATORS[type(node)](node, scope, budget)
    finally:
        budget.depth -= 1


def _number(node: tree.Number, scope: Scope, budget: Budget) -> Any:
    return node.value


def _name(node: tree.Name, scope: Scope, budget: Budget) -> Any:
    try:
        value = scope.find(node.name)
    except KeyError:
        raise EvaluationError("UndefinedName", node, name=node.name, known=scope.names()) from None
    if value is UNKNOWN:
        raise Silent
    return value


def _sides(node: tree.Sides, scope: Scope, budget: Budget) -> Any:
    return tuple(evaluate(side, scope, budget) for side in node.sides)


def _brace(node: tree.Brace, scope: Scope, budget: Budget) -> Any:
    return evaluate(node.expression, scope, budget)


def _unary(node: tree.Unary, scope: Scope, budget: Budget) -> Any:
    value = evaluate(node.operand, scope, budget)
    if node.operator == "not":
        return not value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise EvaluationError("WrongOperand", node, operator=node.operator, value=_kind(value))
    return -value if node.operator == "-" else value


def _binary(node: tree.Binary, scope: Scope, budget: Budget) -> Any:
    # `a + b + c` nests to the left: the left sides are gone down in a loop, so that long sums are not deep.
    spine = [node]
    while type(spine[-1].left) is tree.Binary:
        spine.append(spine[-1].left)
    value = evaluate(spine[-1].left, scope, budget)
    for one in reversed(spine):
        if one.operator == "and":
            value = evaluate(one.right, scope, budget) if value else value
        elif one.operator == "or":
            value = value if value else evaluate(one.right, scope, budget)
        else:
            value = arithmetic(one, one.operator, value, evaluate(one.right, scope, budget), budget)
    return value


def arithmetic(node: Any, operator: str, left: Any, right: Any, budget: Budget) -> Any:
    """`left operator right` with every bound kept. Raises EvaluationError."""
    if operator in ("+", "*") and (isinstance(left, (list, tuple)) or isinstance(right, (list, tuple))):
        return _kept(node, _join(node, operator, left, right), budget)
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MOST_CHARACTERS:
            raise EvaluationError("TextTooLong", node, limit=MOST_CHARACTERS)
        return left + right
    if not _is_number(left) or not _is_number(right):
        wrong = right if _is_number(left) else left
        raise EvaluationError("WrongOperand", node, operator=operator, value=_kind(wrong))
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
    raise EvaluationError("WrongOperand", node, operator=operator, value=_kind(left if items is right else right))


def _kept(node: Any, value: Any, budget: Budget) -> Any:
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


def _compare(node: tree.Compare, scope: Scope, budget: Budget) -> Any:
    left = evaluate(node.operands[0], scope, budget)
    for operator, operand in zip(node.operators, node.operands[1:], strict=True):
        right = evaluate(operand, scope, budget)
        if isinstance(right, (list, tuple, dict)):
            budget.spend(len(right) // 8, node)
        if not compare(node, operator, left, right, operand):
            return False
        left = right
    return True


def compare(node: Any, operator: str, left: Any, right: Any, right_node: Any) -> bool:
    """Whether `left operator right` holds. Raises EvaluationError."""
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
            raise EvaluationError("NotIterable", right_node, value=_kind(right))
        return (left in right) == (operator == "in")
    try:
        return bool(_COMPARISONS[operator](left, right))
    except TypeError:
        raise EvaluationError("CannotCompare", node, left=_kind(left), right=_kind(right)) from None


def _roughly(node: Any, left: Any, right: Any, right_node: Any) -> bool:
    """`left ~ right`: equal once rounded to the digits that `right` is written with."""
    if not _is_number(left) or not isinstance(right_node, tree.Number):
        raise EvaluationError("RoughlyWhat", node)
    return bool(abs(left - right) <= written_unit(right_node.text) / 2)


def written_unit(text: str) -> float:
    """The value of the last digit written: 100 for `416.5K`, 1 for `61_706`."""
    mantissa, _, exponent = text.lstrip("-").rstrip("KMGT").replace("_", "").lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    scale = {"K": 3, "M": 6, "G": 9, "T": 12}.get(text[-1], 0)
    return float(10.0 ** (scale + int(exponent or 0) - decimals))


def _conditional(node: tree.Conditional, scope: Scope, budget: Budget) -> Any:
    chosen = node.then if evaluate(node.condition, scope, budget) else node.otherwise
    return evaluate(chosen, scope, budget)


def _attribute(node: tree.Attribute, scope: Scope, budget: Budget) -> Any:
    value = evaluate(node.value, scope, budget)
    if not isinstance(value, View):
        raise EvaluationError("NoAttributes", node, value=_kind(value), name=node.name)
    if node.name not in value.values:
        raise EvaluationError("UnknownAttribute", node, what=value.what, name=node.name, known=list(value.values))
    found = value.values[node.name]
    return found() if callable(found) and not isinstance(found, Closure) else found


def _index(node: tree.Index, scope: Scope, budget: Budget) -> Any:
    value = evaluate(node.value, scope, budget)
    if isinstance(node.index, tree.Slice):
        return _sliced(node, value, scope, budget)
    key = evaluate(node.index, scope, budget)
    if isinstance(value, dict):
        try:
            return value[key]
        except KeyError:
            keys = ", ".join(written(k) for k in list(value)[:20])
            raise EvaluationError("MissingKey", node.index, key=written(key), keys=keys) from None
        except TypeError:
            raise EvaluationError("BadKey", node.index, value=_kind(key)) from None
    if not isinstance(value, (list, tuple, str)):
        raise EvaluationError("NotIndexable", node.value, value=_kind(value))
    if not isinstance(key, int):
        raise EvaluationError("BadIndex", node.index, value=_kind(key))
    try:
        return value[key]
    except IndexError:
        raise EvaluationError("IndexOutOfRange", node.index, index=key, length=len(value)) from None


def _sliced(node: tree.Index, value: Any, scope: Scope, budget: Budget) -> Any:
    if not isinstance(value, (list, tuple, str)):
        raise EvaluationError("NotIndexable", node.value, value=_kind(value))
    parts = [None if p is None else evaluate(p, scope, budget) for p in node.index[2:]]
    for part, part_node in zip(parts, node.index[2:], strict=True):
        if part is not None and not isinstance(part, int):
            raise EvaluationError("BadIndex", part_node, value=_kind(part))
    if parts[2] == 0:
        raise EvaluationError("ZeroStep", node.index.step)
    return _kept(node, value[slice(*parts)], budget) if not isinstance(value, str) else value[slice(*parts)]


def _call(node: tree.Call, scope: Scope, budget: Budget) -> Any:
    function = evaluate(node.function, scope, budget)
    arguments = [evaluate(a, scope, budget) for a in node.arguments]
    keywords = {name: evaluate(value, scope, budget) for name, value in node.keywords}
    if isinstance(function, Closure):
        return _call_closure(node, function, arguments, keywords, budget)
    if not callable(function):
        raise EvaluationError("NotAFunction", node.function, value=_kind(function))
    name = getattr(node.function, "name", "function")
    budget.spend(sum(len(a) for a in arguments if isinstance(a, (list, tuple, dict))), node)
    try:
        result = function(*arguments, **keywords)
        return _kept(node, result, budget) if isinstance(result, (list, tuple)) else result
    except EvaluationError as error:
        raise EvaluationError(error.problem, node, **error.values) from None
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, AttributeError):
        shown = ", ".join(_kind(a) for a in arguments) or "nothing"
        raise EvaluationError("WrongCall", node, name=name, given=shown, usage=USAGE.get(name)) from None


def _call_closure(
    node: tree.Call, function: Closure, arguments: list[Any], keywords: dict[str, Any], budget: Budget
) -> Any:
    values = dict(zip(function.parameters, arguments, strict=False))
    unknown = [name for name in keywords if name not in function.parameters or name in values]
    values.update(keywords)
    if unknown or len(arguments) > len(function.parameters) or len(values) < len(function.parameters):
        usage = f"{function.name}({', '.join(function.parameters)})"
        shown = f"{len(arguments) + len(keywords)} arguments"
        raise EvaluationError("WrongCall", node, name=function.name, given=shown, usage=usage)
    try:
        return evaluate(function.body, Scope(function.scope, values), budget)
    except EvaluationError as error:
        if error.node is not None and isinstance(error.node, tuple) and node is not error.node:
            # The body stands on another line: what a user of the function can see is the call.
            raise EvaluationError(error.problem, node, **error.values) from None
        raise


def _sequence(node: tree.Sequence, scope: Scope, budget: Budget) -> Any:
    return _kept(node, [evaluate(item, scope, budget) for item in node.items], budget)


def _dictionary(node: tree.Dictionary, scope: Scope, budget: Budget) -> Any:
    return _kept(node, dict(_entry(entry, scope, budget) for entry in node.entries), budget)


def _entry(entry: tuple[Any, Any], scope: Scope, budget: Budget) -> tuple[Any, Any]:
    key = evaluate(entry[0], scope, budget)
    if not isinstance(key, (int, float, str, bool)):
        raise EvaluationError("BadKey", entry[0], value=_kind(key))
    return key, evaluate(entry[1], scope, budget)


def _comprehension(node: tree.Comprehension, scope: Scope, budget: Budget) -> Any:
    if len(node.clauses) > MOST_CLAUSES:
        raise EvaluationError("TooDeep", node, limit=MOST_CLAUSES)
    results: list[Any] = []

    def run(clauses: tuple[Any, ...], inner: Scope) -> None:
        if not clauses:
            if len(results) >= MOST_ITEMS:
                raise EvaluationError("ListTooLong", node, limit=MOST_ITEMS)
            results.append(_entry(node.element, inner, budget) if node.keyed else evaluate(node.element, inner, budget))
            return
        targets, value = clauses[0]
        if targets is None:
            if evaluate(value, inner, budget):
                run(clauses[1:], inner)
            return
        for item in iterate(value, evaluate(value, inner, budget)):
            budget.spend(1, node)
            bound = Scope(inner)
            assign(targets, item, bound, value)
            run(clauses[1:], bound)

    run(node.clauses, Scope(scope))
    return _kept(node, dict(results) if node.keyed else results, budget)


def iterate(node: Any, value: Any) -> Iterable[Any]:
    """What `for` goes over: a list, a tuple, or a dictionary's keys. Raises EvaluationError."""
    if not isinstance(value, (list, tuple, dict)):
        raise EvaluationError("NotIterable", node, value=_kind(value))
    return value


def assign(targets: tuple[Any, ...], value: Any, scope: Scope, node: Any) -> None:
    """Bind one target, or several to the parts of a list. Raises EvaluationError at `node`."""
    if len(targets) == 1 and isinstance(targets[0], tree.Name):
        scope.values[targets[0].name] = value
        return
    parts = targets[0] if len(targets) == 1 else targets
    if not isinstance(value, (list, tuple)) or len(value) != len(parts):
        given = len(value) if isinstance(value, (list, tuple)) else _kind(value)
        raise EvaluationError("CannotUnpack", node, names=len(parts), given=given)
    for part, item in zip(parts, value, strict=True):
        assign((part,), item, scope, node)


_EVALUATORS: dict[type, Callable[[Any, Scope, Budget], Any]] = {
    tree.Number: _number,
    tree.Text: _number,
    tree.Truth: _number,
    tree.Name: _name,
    tree.Sides: _sides,
    tree.Brace: _brace,
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Compare: _compare,
    tree.Conditional: _conditional,
    tree.Attribute: _attribute,
    tree.Index: _index,
    tree.Call: _call,
    tree.Sequence: _sequence,
    tree.Dictionary: _dictionary,
    tree.Comprehension: _comprehension,
}

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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kind(value: Any) -> str:
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


_NO_BUDGET = Budget()
"""For arithmetic on numbers, which takes no steps of its own."""

# --- built-in functions -----------------------------------------------------------------------------------------


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
        total = arithmetic(None, "+", total, item, _NO_BUDGET)
    return total


def _whole(function: Callable[[float], int]) -> Callable[[Any], int]:
    def apply(value: Any) -> int:
        if not _is_number(value):
            raise TypeError
        return function(value)

    return apply


def _round(value: Any, digits: int | None = None) -> Any:
    """Python's rounding: halves go to the even neighbour."""
    if not _is_number(value) or (digits is not None and abs(digits) > 400):
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
