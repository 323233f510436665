"""A logical line taken apart: its physical lines, their tokens, and whether a space belongs before each token."""

from __future__ import annotations

from typing import Any

from cnndsl.record import Record
from cnndsl.syntax.parser import END, tokenize
from cnndsl.syntax.tree import Chain, Function, Input, Instance, Let

_OPENERS = frozenset({"LBRACE", "LPAR", "LSQB"})
_CLOSERS = frozenset({"RBRACE", "RPAR", "RSQB", "SIDE_END"})
_OPERANDS = frozenset({"NAME", "NUMBER", "STRING", "TRUE", "FALSE", "INPUT", "RPAR", "RSQB", "RBRACE"})
"""Tokens that end an operand: a sign behind them is binary, a bracket behind them calls or takes an element."""
_SPACED_EQUALS = (Let, Function, Instance, Input)
"""Statements whose `=` has spaces around it, outside brackets."""
_SIMPLE = frozenset({"NAME", "NUMBER"})

Token = tuple[str, str, int, int]


class Word(Record):
    """A token: its kind, its text, its place in the logical line, and whether a space stands before it."""

    kind: str
    text: str
    start: int
    end: int
    space: bool


class Part(Record):
    """One physical line of a logical line.

    words: its tokens; none in a line with only a comment or nothing. comment: where that is, else None. holder: the
    number of the part that opened the bracket in which this one begins, -1 for the first. closes: whether it begins
    with that bracket's end.
    """

    words: tuple[Word, ...]
    comment: tuple[int, int] | None
    holder: int
    closes: bool


def parts(text: str, statement: Any) -> list[Part]:
    """The physical lines of a logical line. Its text must be one that can be read."""
    words = _spaced([token for token in tokenize(text) if token[0] != END], statement)
    result: list[Part] = []
    row: list[Word] = []
    open_: list[int] = []
    holder, position, leading = -1, 0, False
    for word in words:
        if "\n" in text[position : word.start]:
            first, *others = _physical(text, position, word.start)
            result.append(Part(tuple(row), first, holder, bool(result) and row[0].kind in _CLOSERS))
            holder, row, leading = open_[-1], [], True
            result += [Part((), comment, holder, closes=False) for comment in others]
        row.append(word)
        leading = leading and word.kind in _CLOSERS
        if word.kind in _OPENERS:
            open_.append(len(result))
        elif word.kind in _CLOSERS:
            opened = open_.pop()
            # Of several brackets that a line begins by closing, the outermost says where it stands.
            holder = opened if leading else holder
        position = word.end
    result.append(Part(tuple(row), None, holder, bool(result) and row[0].kind in _CLOSERS))
    return result


def _physical(text: str, start: int, end: int) -> list[tuple[int, int] | None]:
    """The comments of the physical lines that end between two tokens, None for a line without one."""
    found: list[tuple[int, int] | None] = []
    while True:
        newline = text.find("\n", start, end)
        if newline < 0:
            return found
        sign = text.find("#", start, newline)
        found.append(None if sign < 0 else (sign, newline))
        start = newline + 1


def _spaced(tokens: list[Token], statement: Any) -> list[Word]:
    """The tokens, each with whether a space belongs before it."""
    words: list[Word] = []
    items = isinstance(statement, Chain)
    open_: list[str] = []
    # Whether the last token is the sign of a number, or the slash of a stride, which stand at what follows.
    tight = False
    before = ""
    for index, (kind, text, start, end) in enumerate(tokens):
        outside = not open_
        space = not tight and _space(before, kind, items and outside, open_)
        tight = False
        if kind in _OPENERS:
            open_.append(kind)
        elif kind in _CLOSERS:
            open_.pop()
        elif kind == "EQUAL":
            space = spread = outside and isinstance(statement, _SPACED_EQUALS)
            tight = not spread
        elif kind == "SLASH" and items and outside:
            tight = True
        elif kind in ("MINUS", "PLUS"):
            tight = (items and outside) or before not in _OPERANDS
        elif kind == "POWER":
            tight = _is_plain_power(tokens, index)
            space = not tight
        elif kind == "COLON" and open_ and open_[-1] == "LSQB":
            tight = True
        words.append(Word(kind, text, start, end, space and index > 0))
        before = kind
    return words


def _space(before: str, kind: str, items: bool, open_: list[str]) -> bool:
    """Whether a space belongs between two tokens, as far as their kinds decide it.

    items: whether they stand among the arguments of an item. open_: the brackets that are open.
    """
    if before in _OPENERS or before in ("DOT", "SIDE", "SIDE_END"):
        return False
    if kind in _CLOSERS or kind in ("COMMA", "COLON", "DOT"):
        return False
    if kind == "LSQB":
        return before not in _OPERANDS
    if kind == "LPAR":
        return items or before not in _OPERANDS
    return True


def _is_plain_power(tokens: list[Token], index: int) -> bool:
    """Whether both sides of `**` are names or numbers, so that it stands close, as in `2**i`."""
    if tokens[index - 1][0] not in _SIMPLE:
        return False
    following = [token[0] for token in tokens[index + 1 : index + 3]]
    if following[0] == "MINUS":
        return following[1] == "NUMBER"
    position = index + 1
    while tokens[position][0] == "NAME" and position + 2 < len(tokens) and tokens[position + 1][0] == "DOT":
        position += 2
    behind = tokens[position + 1][0] if position + 1 < len(tokens) else ""
    return tokens[position][0] in _SIMPLE and behind not in ("LPAR", "LSQB")
