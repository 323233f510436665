"""Numbers that know the names of what they were computed from, and the arithmetic that they write.

The rules of a layer, run on `quantity("input.height", 32)` and its like, give 28 together with how it came about:
`(input.height + pad + pad - kernel) // stride + 1` in names and `(32 + 0 + 0 - 5) / 1 + 1` in numbers. So a derivation
is the rule itself, and a kind needs nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.symbols import Expression, Whole, expression_of, number, plain, value_of


class Quantity(str):
    """The name of a number: with its value, and what it was computed from if a rule gave it the name."""

    __slots__ = ("definition", "value")
    value: int
    definition: Expression | None


class Traced(Whole):
    """An int that knows what it was computed from. Where a rule needs a plain number, it becomes one, and the
    arithmetic begins anew with that."""

    @staticmethod
    def made(value: Any, tree: Expression) -> Any:
        """A traced number, where the value is whole and comes from another one."""
        value = plain(value)
        return Traced(value, tree) if type(value) is int and tree[0] != "number" else value

    def __int__(self) -> int:
        return int.__index__(self)

    def __float__(self) -> float:
        return float(int.__index__(self))

    def __repr__(self) -> str:
        return int.__repr__(int.__index__(self))

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return format(int.__index__(self), specification)

    def known_as(self, name: str) -> Traced:
        """The same number under a name, which its definition explains."""
        return quantity(name, int.__index__(self), self.tree)


def quantity(name: str, value: Any, definition: Expression | None = None) -> Traced:
    """A number under a name."""
    leaf = Quantity(name)
    leaf.value, leaf.definition = int.__index__(value), definition
    return Traced(leaf.value, ("name", leaf))


# --- the arithmetic that is written ---------------------------------------------------------------------------------


def is_sum(tree: Expression) -> bool:
    """Whether anything is computed there."""
    return tree[0] not in ("name", "number")


def quantities(tree: Expression) -> Iterator[Quantity]:
    """The names in an expression, each as often as it stands there."""
    if tree[0] == "name":
        yield tree[1]
    elif tree[0] != "number":
        for part in tree[1:]:
            yield from quantities(part)


def in_names(value: Any) -> str:
    """The rule that gave a number: `floor((input.height - kernel) / stride) + 1`; Python's notation, but for the
    functions `floor` and `ceil` of a quotient."""
    return _written(_with_words(_shorter(expression_of(value))))


def in_numbers(value: Any) -> str:
    """The same with the numbers put in: `(32 - 5) / 1 + 1`. A factor of 1 is left out, and so is what vanishes."""
    return _written(_with_words(_shorter(_valued(expression_of(value)))))


def _valued(tree: Expression) -> Expression:
    """An expression with values in the places of its names."""
    if tree[0] == "name":
        return ("value", tree[1].value)
    return tree if tree[0] == "number" else (tree[0], *map(_valued, tree[1:]))


_LEAVES = ("name", "number", "value")
_ONES = (("number", 1), ("value", 1))


def _shorter(tree: Expression) -> Any:
    """Without factors of 1, and without the rules' own numbers where they cancel: `a - 1 + 1`."""
    if tree[0] in _LEAVES:
        return tree
    kind, *parts = (tree[0], *map(_shorter, tree[1:]))
    if kind == "*" and (parts[0] in _ONES or parts[1] in _ONES):
        return parts[1] if parts[0] in _ONES else parts[0]
    contrary = {"+": "-", "-": "+"}.get(kind)
    if parts[0][0] == contrary and parts[1][0] == "number" and parts[0][2] == parts[1]:
        return parts[0][1]
    return (kind, *parts)


def _with_words(tree: Expression) -> Expression:
    """An expression with `max`, `min` and `ceil` where the rules compute these without a comparison."""
    if tree[0] in _LEAVES:
        return tree
    tree = (tree[0], *map(_with_words, tree[1:]))
    if tree[0] == "//" and tree[2] == number(2) and tree[1][0] in ("+", "-") and tree[1][2][0] == "abs":
        (_, (sign, total, (_, difference)), _) = tree
        if difference[0] == "-" and total == ("+", *difference[1:]):
            return ("max" if sign == "+" else "min", *difference[1:])
    if tree[0] == "//" and tree[2] == number(2) and (found := _against_a_number(tree[1])) is not None:
        return found
    if tree[0] == "negative" and tree[1][0] == "//" and tree[1][1][0] == "negative":
        return ("ceil", tree[1][1][1], tree[1][2])
    return tree


def _against_a_number(tree: Expression) -> Expression | None:
    """`max(a, 0)` from `a + abs(a)`, where `+ 0` and `- 0` have vanished; `min(a, 0)` from `a - abs(a)`."""
    if tree[0] in ("+", "-") and tree[2] == ("abs", tree[1]):
        return ("max" if tree[0] == "+" else "min", tree[1], number(0))
    return None


_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "//": 2, "negative": 3, "**": 4}


def _written(tree: Expression, least: int = 0) -> str:
    """An expression as text, in parentheses where it binds less than `least`."""
    kind, *parts = tree
    if kind == "name":
        return str(parts[0])
    if kind in ("number", "value"):
        text = f"{parts[0]:,}" if isinstance(parts[0], int) else repr(parts[0])
        return f"({text})" if text.startswith("-") and least > 1 else text
    if kind == "ceil":
        return f"ceil({_written(('/', *parts))})"
    if kind == "//" and not _is_exact(parts):
        return f"floor({_written(('/', *parts))})"
    if kind not in _BINDS:
        return f"{kind}({', '.join(map(_written, parts))})"
    own = _BINDS[kind]
    if kind == "negative":
        text = "-" + _written(parts[0], own)
    else:
        right = own if kind in "+*" and parts[1][0] == kind else own + 1
        text = f"{_written(parts[0], own)} {'/' if kind == '//' else kind} {_written(parts[1], right)}"
    return f"({text})" if own < least else text


def _is_exact(parts: list[Expression]) -> bool:
    """Whether a division of numbers leaves nothing over."""
    plain_ones = [_computable(part) for part in parts]
    if any(True for part in plain_ones for _ in quantities(part)):
        return False
    dividend, divisor = (value_of(part, {}) for part in plain_ones)
    return bool(divisor) and dividend % divisor == 0


def _computable(tree: Expression) -> Expression:
    """An expression with values as numbers and without `ceil`."""
    if tree[0] == "value":
        return number(tree[1])
    if tree[0] in _LEAVES:
        return tree
    parts = [_computable(part) for part in tree[1:]]
    return ("negative", ("//", ("negative", parts[0]), parts[1])) if tree[0] == "ceil" else (tree[0], *parts)
