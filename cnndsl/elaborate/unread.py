"""What a line that was not carried out may have defined: its names stay silent, so that one cause is one error."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cnndsl.syntax.tree import Line

KEEPERS = frozenset({"expect", "output", "train", "network", "block", "use", "let"})
"""First words of lines that leave the current tensor as it is."""

_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_alias = re.compile(r"\bas\s+([A-Za-z_][A-Za-z0-9_]*)")


def first_word(line: Line) -> str:
    """The word a line begins with, or an empty text."""
    match = _name.match(line.text)
    return match.group() if match else ""


def names_of(line: Line) -> set[str]:
    """The names that a line, with the lines below it, may define."""
    found: set[str] = set()
    for one in _with_body(line):
        text = one.text
        word = first_word(one)
        if word in ("let", "input"):
            found.update(_name.findall(text[len(word) :].partition("=")[0]))
        elif word == "output":
            found.update(_name.findall(text)[1:2])
        found.update(_alias.findall(text))
    return found


def _with_body(line: Line) -> Iterator[Line]:
    stack = [line]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(one.body)
