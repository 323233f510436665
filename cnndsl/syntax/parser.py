"""Parsing one logical line: a lexer of one pattern and a driver of the LALR(1) tables.

Lark makes the tables from grammars/cnn.lark ahead of time (see cnndsl/generate.py); importing Lark to run
them would take longer than checking a network. The driver here does what Lark's does, and gives every
builder the offsets of its text. docs/decisions.md has the measurements.
"""

from __future__ import annotations

import re
from typing import Any

from cnndsl.syntax import build
from cnndsl.syntax.fault import SyntaxFault
from cnndsl.syntax.tables import ACTIONS, KEYWORDS, PATTERN, RULES
from cnndsl.syntax.tree import Statement

END = "$END"
MOST_TOKENS = 20_000
"""Tokens in one logical line; a connection table of 256 maps needs fewer."""
MOST_OPEN = 500
"""Symbols waiting for what they belong with: about as many levels of brackets. Whoever walks the tree recurses."""

_match = re.compile(PATTERN).match
_is_blank = re.compile(r"(?>[ \t\r\n\f]|#[^\n]*)*+\Z").match


def _rules() -> list[tuple[str, int, Any, tuple[int | None, ...]]]:
    """The rules with their builders instead of their builders' names."""
    return [
        (origin, length, getattr(build, name + "_") if name else None, kept) for origin, length, name, kept in RULES
    ]


_RULES = _rules()


def tokenize(text: str) -> list[tuple[str, str, int, int]]:
    """The tokens of a line as (kind, text, start, end), the last one `$END`. Raises SyntaxFault."""
    tokens: list[tuple[str, str, int, int]] = []
    keyword = KEYWORDS.get
    position = 0
    while True:
        match = _match(text, position)
        if match is None:
            if _is_blank(text, position):
                break
            from cnndsl.syntax.faults import lexical_fault  # Only where something is wrong.

            raise lexical_fault(text, position)
        kind = match.lastgroup
        assert kind is not None
        start = match.start(kind)
        position = match.end()
        value = text[start:position]
        if kind == "NAME":
            kind = keyword(value, kind)
        tokens.append((kind, value, start, position))
        if len(tokens) > MOST_TOKENS:
            raise SyntaxFault("LineTooLong", 0, len(text), limit=MOST_TOKENS)
    end = tokens[-1][3] if tokens else 0
    tokens.append((END, "", end, end))
    return tokens


def _possible(states: list[int]) -> list[str]:
    """The kinds of tokens that could stand next. The tables alone name too many: they merge what is alike."""
    return [kind for kind in ACTIONS[states[-1]] if (kind.isupper() or kind == END) and _accepts(states, kind)]


def _accepts(states: list[int], kind: str) -> bool:
    """Whether a token of this kind would be taken, after all that ends before it has been put together."""
    stack = list(states)
    while True:
        action = ACTIONS[stack[-1]].get(kind)
        if action is None:
            return False
        if action >= 0:
            return True
        origin, length, _, _ = RULES[-1 - action]
        if origin == "start":
            return True
        if length:
            del stack[-length:]
        stack.append(ACTIONS[stack[-1]][origin])


def parse_line(text: str, keyword: str | None = None) -> Statement:
    """The statement that a logical line says; offsets count from the line's start. Raises SyntaxFault.

    keyword: what the first word is read as, where that is known to be misspelt.
    """
    tokens = tokenize(text)
    if keyword is not None:
        tokens[0] = (KEYWORDS[keyword], keyword, *tokens[0][2:])
    states = [0]
    values: list[Any] = []
    starts: list[int] = []
    last_end = 0
    actions, rules = ACTIONS, _RULES
    for token in tokens:
        kind = token[0]
        while True:
            action = actions[states[-1]].get(kind)
            if action is None:
                from cnndsl.syntax.faults import unexpected  # Only where something is wrong.

                raise unexpected(text, tokens, token, _possible(states))
            if action >= 0:
                if len(states) > MOST_OPEN:
                    raise SyntaxFault("BracketsTooDeep", token[2], token[3])
                states.append(action)
                values.append(token)
                starts.append(token[2])
                last_end = token[3]
                break
            origin, length, builder, kept = rules[-1 - action]
            if builder is None and length == 1:
                # Most reductions only give what they have another name.
                states[-1] = actions[states[-2]][origin]
                continue
            if length:
                start = starts[-length]
                if builder is None:
                    value = values[kept[0] - length]  # type: ignore[operator]
                else:
                    value = builder(start, last_end, *[None if i is None else values[i - length] for i in kept])
                del states[-length:], values[-length:], starts[-length:]
            else:
                start = token[2]
                value = builder(start, start)
            if origin == "start":
                return value  # type: ignore[no-any-return]
            states.append(actions[states[-1]][origin])
            values.append(value)
            starts.append(start)
    raise AssertionError("the tables end every parse at $END")
