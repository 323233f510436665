"""Whether two trees say the same: everything but the places in the text is compared."""

from __future__ import annotations

from typing import Any

from cnndsl.record import Record
from cnndsl.syntax.tree import Line

_PLACES = ("start", "end")


def same(left: Any, right: Any) -> bool:
    """Whether two nodes, statements, lines or lists of lines are equal, their places left aside.

    A sum of ten thousand terms is a tree ten thousand deep, so this doesn't recurse.
    """
    stack = [(left, right)]
    while stack:
        one, other = stack.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, Line):
            stack += [(one.statement, other.statement), (one.body, other.body)]
        elif isinstance(one, (tuple, list)):
            if len(one) != len(other):
                return False
            names = one._fields if isinstance(one, Record) else [""] * len(one)
            stack += [(a, b) for name, a, b in zip(names, one, other, strict=True) if name not in _PLACES]
        elif one != other:
            return False
    return True
