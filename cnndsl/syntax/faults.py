"""From a place where a line can't be read to the problem a person would name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

Token = tuple[str, str, int, int]


class SyntaxFault(Exception):
    """A line that can't be read: the problem's class by name, its place within the line, its values.

    `fix` is a replacement for the marked text, with its title, where one is plain.
    """

    def __init__(
        self, problem: str, start: int, end: int, *, fix: tuple[str, str] | None = None, **values: Any
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.start = start
        self.end = end
        self.fix = fix
        self.values = values


LOOK_ALIKES = {
    "×": "x",
    "✕": "x",
    "–": "-",
    "—": "-",
    "−": "-",
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": '"',
    "’": '"',
    "'": '"',
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "==",
    "，": ",",
    "：": ":",
    "\u00a0": " ",
    "\u200b": "",
    "\ufeff": "",
    ";": ",",
}

_number_with_letters = re.compile(r"[0-9][0-9A-Za-z_.]*")
_spaced_size = re.compile(r"[0-9]+\s*[x×✕]\s*[0-9]+(\s*[x×✕]\s*[0-9]+)*")


def lexical_fault(text: str, position: int) -> SyntaxFault:
    """The problem with text that is no token at `position` (behind white space)."""
    while position < len(text) and text[position] in " \t\r\n\f":
        position += 1
    character = text[position]
    size = next((m for m in _spaced_size.finditer(text) if m.start() <= position < m.end()), None)
    if size is not None:
        plain = re.sub(r"\s*[x×✕]\s*", "x", size.group())
        return SyntaxFault("SpacedSize", size.start(), size.end(), fix=(f"write `{plain}`", plain))
    if character == '"':
        return SyntaxFault("UnclosedString", position, len(text))
    number = _number_with_letters.match(text, position)
    if number is not None:
        return SyntaxFault("BadNumber", position, number.end(), text=number.group())
    if character in LOOK_ALIKES:
        plain = LOOK_ALIKES[character]
        name = f"U+{ord(character):04X}" if character.isspace() or not character.isprintable() else character
        title = f"write `{plain}`" if plain.strip() else "remove it" if not plain else "write a space"
        return SyntaxFault("LookAlike", position, position + 1, fix=(title, plain), character=name)
    if character == "|":
        return SyntaxFault("StrayBar", position, position + 1)
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    return SyntaxFault("StrayCharacter", position, position + 1, character=shown)


# How a token that could stand somewhere is called in a message, most helpful first.
_WORDS = {
    "COLON": "`:`",
    "COMMA": "a comma",
    "EQUAL": "`=`",
    "NAME": "a name",
    "NUMBER": "a number",
    "SIDE": "a size",
    "STRING": "a string",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "ARROW": "`->`",
    "AS": "`as`",
    "IN": "`in`",
    "ELSE": "`else`",
    "$END": "the end of the line",
}
_EXPRESSION_STARTS = {"NAME", "NUMBER", "LPAR", "LSQB", "MINUS"}
_HEADERS = {"block": "BLOCK", "train": "TRAIN", "repeat": "REPEAT", "for": "FOR", "if": "IF", "elif": "ELIF"}
_CLOSERS = {"RBRACE": "}", "SIDE_END": "}", "RPAR": ")", "RSQB": "]"}


def expected_words(kinds: Iterable[str]) -> str:
    """What could stand there, in words: "a comma, `->` or the end of the line"."""
    possible = set(kinds)
    words = []
    if possible >= _EXPRESSION_STARTS:
        words.append("an expression")
        possible -= {"NAME", "NUMBER", "SIDE", "STRING", "LBRACE", "IN"}
    words += [word for kind, word in _WORDS.items() if kind in possible]
    if not words:
        return "something else"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def unexpected(text: str, tokens: list[Token], token: Token, possible: dict[str, int]) -> SyntaxFault:
    """The problem with a token that the grammar can't use where it stands."""
    kind, word, start, end = token
    index = tokens.index(token)
    first = tokens[0]
    before = tokens[index - 1] if index else None
    wanted = [k for k in possible if k.isupper() or k == "$END"]
    if kind == "$END":
        return _too_short(text, first, before, wanted, end)
    if kind in _CLOSERS and not _is_open(tokens[:index], _CLOSERS[kind]):
        return SyntaxFault("ClosedTwice", start, end, bracket=_CLOSERS[kind])
    if kind == "EQUAL" and "COMPARE" in possible:
        return SyntaxFault("SingleEquals", start, end, fix=("write `==`", "=="))
    if kind == "COMPARE" and word == "==" and "EQUAL" in possible:
        return SyntaxFault("DoubleEquals", start, end, fix=("write `=`", "="))
    if "NAME" in possible and word.isidentifier():
        return SyntaxFault("ReservedWord", start, end, word=word)
    if kind == "LSQB" and before is not None and first[0] == "NAME":
        return SyntaxFault("ListWithoutName", start, end)
    if kind == "COMMA" and before is not None and before[0] == "COMMA":
        return SyntaxFault("NothingBetweenCommas", before[2], end)
    return SyntaxFault("UnexpectedText", start, end, text=word, expected=expected_words(wanted))


def _too_short(text: str, first: Token, before: Token | None, wanted: list[str], end: int) -> SyntaxFault:
    """The line ends where something has to follow."""
    if "COLON" in wanted and first[0] in _HEADERS.values() or first[0] == "ELSE":
        return SyntaxFault("MissingColon", end, end, fix=("add `:`", ":"), word=first[1])
    if before is not None and before[0] == "COMMA":
        return SyntaxFault("TrailingComma", before[2], before[3], fix=("remove the comma", ""))
    return SyntaxFault("LineEndsEarly", end, end, expected=expected_words(wanted), before=before[1] if before else "")


def _is_open(tokens: list[Token], closer: str) -> bool:
    """Whether a bracket of the closer's kind is open after these tokens."""
    openers = {"}": "{", ")": "(", "]": "["}
    depth = 0
    for _, word, _, _ in tokens:
        depth += (word == openers[closer]) - (word in (closer, closer + "x"))
    return depth > 0
