"""Numbers that know how a block's spec writes them: `4 * width` beside 256.

An expression is a nested tuple: `("number", 4)`, `("name", "c")`, `("+", a, b)`, `("max", a, b)`, …; Python's own
operators have Python's meaning. `Whole` is an int and `Real` a float with such an expression; arithmetic with them
makes larger ones, so that PyTorch's numbers, computed from them by the rules of a layer, have theirs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from cnndsl.record import Record

Expression = tuple[Any, ...]

UNKNOWN: Expression = ("unknown",)
"""The expression of a number that can't be said in terms of a block's parameters."""

GIVEN: Expression = ("unknown", "given")
"""The expression of a number that can't be said, but that no parameter of the block changes: what `...` gives."""

MOST_PARTS = 16
"""Names, numbers and operators in one expression: with more, a number of its own reads better."""

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"max": max, "min": min, "abs": abs, "round": round}
FUNCTIONS = frozenset(_FUNCTIONS)

_BINDS = {"if": 0, "or": 1, "and": 2, "not": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "+": 5, "-": 5}
_BINDS.update({"*": 6, "/": 6, "//": 6, "%": 6, "negative": 7, "**": 8})
_NEGATED = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}


def number(value: Any) -> Expression:
    """The expression of a value that the spec writes as it is."""
    return ("number", value)


def names_of(tree: Expression) -> frozenset[str]:
    """The names in an expression."""
    if tree[0] == "name":
        return frozenset((tree[1],))
    if tree[0] in ("number", "unknown"):
        return frozenset()
    return frozenset().union(*map(names_of, tree[1:]))


def is_known(tree: Expression) -> bool:
    """Whether an expression is one, all through, and short enough to be read."""
    parts = _parts(tree)
    return parts is not None and parts <= MOST_PARTS


def _parts(tree: Expression) -> int | None:
    if tree[0] == "unknown":
        return None
    if tree[0] in ("number", "name"):
        return 1
    parts = [_parts(one) for one in tree[1:]]
    return None if any(p is None for p in parts) else 1 + sum(p for p in parts if p is not None)


def value_of(tree: Expression, values: dict[str, Any]) -> Any:
    """What an expression comes to. Raises KeyError for a name without a value, ArithmeticError, TypeError."""
    kind, *parts = tree
    if kind == "number":
        return parts[0]
    if kind == "name":
        return values[parts[0]]
    if kind == "unknown":
        raise KeyError(kind)
    if kind == "if":
        return value_of(parts[1] if value_of(parts[0], values) else parts[2], values)
    if kind == "and":
        return value_of(parts[0], values) and value_of(parts[1], values)
    if kind == "or":
        return value_of(parts[0], values) or value_of(parts[1], values)
    found = [value_of(one, values) for one in parts]
    if kind == "not":
        return not found[0]
    if kind == "negative":
        return -found[0]
    return _OPERATORS[kind](*found) if kind in _OPERATORS else _FUNCTIONS[kind](*found)


def folded(tree: Expression, values: dict[str, Any]) -> Expression:
    """An expression with these values for names, and what then has no names computed."""
    kind = tree[0]
    if kind == "name":
        return number(values[tree[1]]) if tree[1] in values else tree
    if kind in ("number", "unknown"):
        return tree
    parts = [folded(one, values) for one in tree[1:]]
    if kind == "if" and parts[0][0] == "number":
        return parts[1] if parts[0][1] else parts[2]
    if kind in ("and", "or") and parts[0][0] == "number" and isinstance(parts[0][1], bool):
        return parts[1] if parts[0][1] == (kind == "and") else parts[0]
    if kind in ("and", "or") and parts[1] == number(kind == "and"):
        return parts[0]
    if kind in ("and", "or") and parts[0][0] != "number" and parts[1] == number(kind == "or"):
        return parts[1]
    if all(one[0] == "number" for one in parts):
        try:
            return number(value_of((kind, *parts), {}))
        except (ArithmeticError, TypeError, ValueError):
            return UNKNOWN
    return simple(kind, *parts)


def replaced(tree: Expression, expressions: dict[str, Expression]) -> Expression:
    """An expression with others in the places of its names; a name without one makes it unknown."""
    if tree[0] == "name":
        return expressions.get(tree[1], UNKNOWN)
    if tree[0] in ("number", "unknown"):
        return tree
    return simple(tree[0], *(replaced(one, expressions) for one in tree[1:]))


def simple(kind: str, *parts: Expression) -> Expression:
    """An operation, without what makes no difference to whole numbers: `x * 1`, `x + 0`."""
    if any(one == UNKNOWN for one in parts):
        return UNKNOWN
    if len(parts) == 2:
        left, right = parts
        plain = {"*": 1, "//": 1, "+": 0, "-": 0}.get(kind)
        if plain is not None and right[0] == "number" and type(right[1]) is int and right[1] == plain:
            return left
        if kind in "*+" and left[0] == "number" and type(left[1]) is int and left[1] == plain:
            return right
        if kind == "*" and right[0] == "number" and left[0] != "number":
            return (kind, right, left)
    if kind == "not" and parts[0][0] == "not":
        return parts[0][1]  # type: ignore[no-any-return]
    return (kind, *parts)


def negated(tree: Expression) -> Expression:
    """The contrary of a condition, as one writes it."""
    if tree[0] in _NEGATED:
        return (_NEGATED[tree[0]], *tree[1:])
    if tree[0] in ("and", "or"):
        return ("or" if tree[0] == "and" else "and", negated(tree[1]), negated(tree[2]))
    return simple("not", tree)


def text_of(tree: Expression, least: int = 0) -> str:
    """An expression as Python writes it, in parentheses where it binds less than `least`."""
    kind, *parts = tree
    if kind == "name":
        return str(parts[0])
    if kind == "number":
        text = repr(parts[0])
        return f"({text})" if text.startswith("-") and least > _BINDS["-"] else text
    if kind in _FUNCTIONS:
        return f"{kind}({', '.join(map(text_of, parts))})"
    own = _BINDS[kind]
    if kind == "if":
        text = f"{text_of(parts[1], 1)} if {text_of(parts[0], 1)} else {text_of(parts[2])}"
    elif kind in ("not", "negative"):
        text = ("not " if kind == "not" else "-") + text_of(parts[0], own)
    else:
        left = own + (kind in _NEGATED or kind == "**")
        text = f"{text_of(parts[0], left)} {kind} {text_of(parts[1], own + (kind not in ('and', 'or', '**')))}"
    return f"({text})" if own < least else text


# --- numbers with an expression -------------------------------------------------------------------------------------


class Lost(Exception):  # noqa: N818 (the expression is lost, nothing is wrong)
    """A rule made a plain number of one with an expression."""


def expression_of(value: Any) -> Expression:
    """How a value is written: its own expression, or itself."""
    return value.tree if isinstance(value, (Whole, Real, Said)) else number(value)


def plain(value: Any) -> Any:
    """A value without its expression."""
    if isinstance(value, Whole):
        return int.__index__(value)
    if isinstance(value, Said):
        return value.value
    if type(value) is tuple:
        return tuple(map(plain, value))
    return float(value) if isinstance(value, Real) else value


def said(value: Any, tree: Expression) -> Any:
    """Any value with an expression."""
    value = plain(value)
    if tree[0] == "number" and type(tree[1]) is type(value) and tree[1] == value:
        return value
    if type(value) in (int, float):
        return Whole(value, tree) if type(value) is int else Real(value, tree)
    return Said(value, tree)


def with_expression(value: Any, tree: Expression) -> Any:
    """A number with an expression. Raises Lost for other values, unless they stand as they are."""
    value = plain(value)
    if tree[0] == "number":
        return value
    if type(value) is int:
        return Whole(value, tree)
    if type(value) is float:
        return Real(value, tree)
    raise Lost


def _operation(kind: str, left: Any, right: Any, made: Callable[[Any, Expression], Any]) -> Any:
    plain = [int.__index__(v) if isinstance(v, int) else float.__float__(v) for v in (left, right)]
    tree = simple(kind, expression_of(left), expression_of(right))
    return made(_OPERATORS[kind](*plain), tree)


def _pair(kind: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    def forth(self: Any, other: Any) -> Any:
        return _operation(kind, self, other, self.made) if isinstance(other, (int, float)) else NotImplemented

    def back(self: Any, other: Any) -> Any:
        return _operation(kind, other, self, self.made) if isinstance(other, (int, float)) else NotImplemented

    return forth, back


class Said(Record):
    """A value that is no number, with an expression."""

    value: Any
    tree: Expression


class Whole(int):
    """An int that knows its expression. What is computed with it is `made` of a value and an expression."""

    made = staticmethod(with_expression)

    tree: Expression

    def __new__(cls, value: int, tree: Expression) -> Whole:
        made = super().__new__(cls, value)
        made.tree = tree
        return made

    def __int__(self) -> int:
        raise Lost

    def __float__(self) -> float:
        raise Lost

    def __abs__(self) -> Any:
        return self.made(int.__abs__(self), simple("abs", self.tree))

    def __neg__(self) -> Any:
        return self.made(int.__neg__(self), simple("negative", self.tree))

    __add__, __radd__ = _pair("+")
    __sub__, __rsub__ = _pair("-")
    __mul__, __rmul__ = _pair("*")
    __truediv__, __rtruediv__ = _pair("/")
    __floordiv__, __rfloordiv__ = _pair("//")
    __mod__, __rmod__ = _pair("%")


class Real(float):
    """A float that knows its expression."""

    made = staticmethod(with_expression)
    tree: Expression

    def __new__(cls, value: float, tree: Expression) -> Real:
        made = super().__new__(cls, value)
        made.tree = tree
        return made

    __add__, __radd__ = _pair("+")
    __sub__, __rsub__ = _pair("-")
    __mul__, __rmul__ = _pair("*")
    __truediv__, __rtruediv__ = _pair("/")
