"""From a place where a line can't be read to the problem a person would name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cnndsl.diagnostics import closest
from cnndsl.syntax.fault import SyntaxFault, Token
from cnndsl.syntax.styles import fat_arrow, name_of_digits, other_style, quoted_name

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
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "==",
    "，": ",",
    "：": ":",
    "\u00a0": " ",
    "\u200b": "",
    "\ufeff": "",
}

# What someone who writes another language's character means.
_MEANT = {
    "'": 'strings stand in double quotes: "…"',
    "\\": "a line goes on by itself while a bracket is open",
    "!": "write `not`, or `!=`",
    "$": "a value is written in braces, such as {width}",
    "@": "a multiplication is written `*`",
}

_number_with_letters = re.compile(r"[0-9][0-9A-Za-z_.]*")
_plain_number = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?")
_named_side = re.compile(r"((?:[0-9]+x)+)([A-Za-z_][A-Za-z0-9_]*[A-Za-wyz0-9_]|[A-Za-wyz])")
_small_suffix = re.compile(r"[0-9]+(?:\.[0-9]+)?[kmgt]")
_spaced_size = re.compile(r"[0-9]+(?:\s*[xX×✕*]\s*[0-9]+)+(?![0-9A-Za-z_.])")
_quoted = re.compile(r"[“”„‘’']([^\"“”„‘’'\n]*)[“”„‘’']")
_long_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[-+.]+[A-Za-z0-9_]+)+")
_signs = re.compile(r"[-+.]+")
_times = re.compile(r"\s*[xX×✕*]\s*")
_small_sides = re.compile(r"(?:[0-9]+|[A-Za-wyz])(?:x(?:[0-9]+|[A-Za-wyz]))+")


def spaced_size(text: str, position: int) -> SyntaxFault | None:
    """The fault of a size with spaces, ×, X or * at a place of a line, if there is one."""
    size = next((m for m in _spaced_size.finditer(text) if m.start() <= position < m.end()), None)
    if size is None:
        return None
    plain = _times.sub("x", size.group())
    return SyntaxFault("SpacedSize", size.start(), size.end(), fix=(f"write `{plain}`", plain), plain=plain)


def small_sides(word: str, start: int, exampled: bool) -> SyntaxFault | None:
    """The fault of an input's size whose open sides are small letters, such as `hxwx3`, if a word is one.

    exampled: whether the input has an example of its size.
    """
    if not _small_sides.fullmatch(word):
        return None
    plain = "x".join(side.upper() for side in word.split("x"))
    example = (
        None if exampled else f"{plain} = " + "x".join(side if side.isdigit() else "32" for side in plain.split("x"))
    )
    fix = (f"write `{plain}`", plain)
    return SyntaxFault("SmallSides", start, start + len(word), fix=fix, ends=not exampled, text=word, example=example)


def lexical_fault(text: str, position: int) -> SyntaxFault:
    """The problem with text that is no token at `position` (behind white space)."""
    while position < len(text) and text[position] in " \t\r\n\f":
        position += 1
    character = text[position]
    size = spaced_size(text, position)
    if size is not None:
        return size
    if character == '"':
        return SyntaxFault("UnclosedString", position, len(text))
    digits = name_of_digits(text, position)
    if digits is not None:
        return digits
    number = _number_with_letters.match(text, position)
    if number is not None:
        word = number.group()
        small = small_sides(word, position, "=" in text) if text.startswith("input") else None
        if small is not None:
            return small
        fix = (f"write `{word.upper()}`", word.upper()) if _small_suffix.fullmatch(word) else None
        named = _named_side.fullmatch(word)
        if named is not None:
            plain = f"{named[1]}{{{named[2]}}}"
            return SyntaxFault(
                "NameInSize", position, number.end(), fix=(f"write `{plain}`", plain), applicability="likely",
                ends=True, name=named[2], plain=plain,
            )  # fmt: skip
        return SyntaxFault("BadNumber", position, number.end(), fix=fix, text=word)
    quoted = _quoted.match(text, position)
    if quoted is not None:
        plain = f'"{quoted.group(1)}"'
        return SyntaxFault("WrongQuotes", position, quoted.end(), fix=(f"write `{plain}`", plain))
    if character in LOOK_ALIKES:
        return _look_alike(text, position)
    if character == "|":
        return SyntaxFault("StrayBar", position, position + 1)
    if character == ";":
        fix = ("write a comma", ",") if text[position + 1 :].strip(" ;") else ("remove it", "")
        return SyntaxFault("Semicolon", position, position + 1, fix=fix)
    operator = {"^": "**", "&": "and"}.get(character)
    end = position + 2 if text[position : position + 2] == "&&" else position + 1
    return SyntaxFault(
        "StrayCharacter", position, end, fix=(f"write `{operator}`", operator) if operator else None,
        character=shown(character), meant=None if operator else _MEANT.get(character),
    )  # fmt: skip


def _look_alike(text: str, position: int) -> SyntaxFault:
    """A character of typeset text, with all of its kind that stand together."""
    character = text[position]
    end = position + 1
    while text[end : end + 1] == character:
        end += 1
    plain = LOOK_ALIKES[character] * (end - position)
    if plain == "-" and re.match(
        r" *[A-Za-z]", text[end:]
    ):  # A dash between words, where there is nothing to subtract.
        plain = ""
    title = f"write `{plain}`" if plain.strip() else "write a space" if plain else "remove it"
    return SyntaxFault("LookAlike", position, end, fix=(title, plain), character=shown(character))


def shown(character: str) -> str:
    """A character for a message: itself in quotes, or its number where nothing would be seen."""
    visible = character.isprintable() and not character.isspace()
    return f"`{character}`" if visible else f"U+{ord(character):04X}"


# How a token that could stand somewhere is called in a message, most helpful first.
_WORDS = {
    "COLON": "`:`",
    "COMMA": "a comma",
    "EQUAL": "`=`",
    "NAME": "a name",
    "NUMBER": "a number",
    "SIDE": "a size",
    "STRING": "a string",
    "LPAR": "`(`",
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
# Tokens that together begin an expression, or an argument, and are called by one word then.
_EXPRESSION_STARTS = {"NAME", "NUMBER", "LPAR", "LSQB", "MINUS"}
_ARGUMENT_STARTS = {"NAME", "NUMBER", "SIDE", "STRING", "LBRACE"}
_OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "POWER", "OPERATOR", "COMPARE", "AND", "OR", "NOT", "IN"}
LINE_WORDS = ("network", "block", "train", "use", "let", "expect", "input", "output", "repeat", "for", "elif", "else")
_EXPRESSIONS = {"REPEAT", "FOR", "IF", "ELIF", "LET", "EXPECT"}
_HEADERS = {"BLOCK", "TRAIN", "REPEAT", "FOR", "IF", "ELIF", "ELSE"}
_CHAINS = {"NAME", "LBRACE", "FROM", "REUSE"}
_CLOSERS = {"RBRACE": "}", "SIDE_END": "}", "RPAR": ")", "RSQB": "]"}


def expected_words(kinds: Iterable[str]) -> str:
    """What could stand there, in words: "a comma, `->` or the end of the line"."""
    possible = set(kinds)
    words = []
    if possible >= _EXPRESSION_STARTS:
        words.append("an expression")
        possible -= {*_ARGUMENT_STARTS, *_EXPRESSION_STARTS, "IN"}
    elif possible >= _ARGUMENT_STARTS:
        words.append("an argument")
        possible -= _ARGUMENT_STARTS
    elif {"PLUS", "STAR", "COMPARE"} <= possible:
        words.append("an operator")
        possible -= {*_OPERATORS, "LPAR", "LSQB"}
    words = [word for kind, word in _WORDS.items() if kind in possible and kind != "$END"] + words
    if "$END" in possible:
        # A `:` that may end a line is rarely what is missing.
        words = [word for word in words if word != "`:`"] + [_WORDS["$END"]]
    if not words:
        return "something else"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def unexpected(text: str, tokens: list[Token], token: Token, wanted: list[str]) -> SyntaxFault:
    """The problem with a token that the grammar can't use where it stands; `wanted` are the kinds that it could."""
    kind, word, start, end = token
    index = tokens.index(token)
    first = tokens[0]
    before = tokens[index - 1] if index else None
    misspelt = _misspelt(first, index)
    if misspelt is not None:
        return misspelt
    if kind == "$END":
        return _too_short(first, before, wanted, end)
    if kind in ("RBRACE", "SIDE_END") and first[0] in _EXPRESSIONS and _is_open(tokens[:index], "}"):
        return _braces(text, tokens[:index], end)
    if kind in _CLOSERS and not _is_open(tokens[:index], _CLOSERS[kind]):
        return SyntaxFault("ClosedTwice", start, start + 1, fix=("remove it", ""), bracket=_CLOSERS[kind])
    if first[0] == "ELSE" and kind == "IF" and index == 1:
        return SyntaxFault("ElseIf", first[2], end, fix=("write `elif`", "elif"))
    early = _early_name(text, tokens, index)
    if early is not None:
        return early
    style = fat_arrow(text, start) or quoted_name(text) or other_style(text, tokens, index)
    if style is not None:
        return style
    size = spaced_size(text, start)
    if size is not None:
        return size
    if kind == "EQUAL" and "COMPARE" in wanted:
        return SyntaxFault("SingleEquals", start, end, fix=("write `==`", "=="))
    if kind == "COMPARE" and word == "==" and "EQUAL" in wanted:
        return SyntaxFault("DoubleEquals", start, end, fix=("write `=`", "="))
    if word == "%" and before is not None and _plain_number.fullmatch(before[1]) and "NAME" in wanted:
        plain = f"{float(before[1]) / 100:g}"
        return SyntaxFault(
            "Percentage", before[2], end, fix=(f"write `{plain}`", plain), applicability="likely", plain=plain
        )
    if kind == "ARROW" and tokens[index + 1][0] == "NAME" and first[0] in (*_CHAINS, "INPUT"):
        return SyntaxFault("ArrowBetweenLayers", start, end, ends=True, text=tokens[index + 1][1])
    if first[0] == "INPUT" and kind == "EQUAL" and index == 1:
        return SyntaxFault("AssignedInput", start, end, fix=("remove it", ""), fix_at=(start, tokens[index + 1][2]))
    if kind == "COMMA" and (before is None or before[0] == "COMMA"):
        at = before[2] if before else start
        one = ("remove one", ",") if before else ("remove it", "")
        return SyntaxFault("NothingBetweenCommas", at, end, fix=one)
    if before is not None:
        fault = _behind(text, first, before, token, wanted, tokens[:index])
        if fault is not None:
            return fault
    value = f"{{{word}}}"
    fix = (f"write `{value}`", value) if "LBRACE" in wanted and word.isidentifier() else None
    if "NAME" in wanted and word.isidentifier():
        # A size is no answer to a question.
        fix = fix if word in ("true", "false") and before is not None and first[0] != "INPUT" else None
        return SyntaxFault("ReservedWord", start, end, word=word, fix=fix, applicability="likely")
    if fix is not None and before is not None and before[0] == "STAR":
        return SyntaxFault(
            "UnexpectedText", start, end, text=word, expected=expected_words(wanted), fix=fix, applicability="likely"
        )
    expected = "a value" if before is not None and _takes_value(before, wanted) else expected_words(wanted)
    return SyntaxFault("UnexpectedText", start, end, text=word, expected=expected)


_ARGUMENTS = {"NUMBER", "SIDE", "LBRACE", "STRING", "SLASH", "STAR", "ELLIPSIS", "LSQB"}


def _early_name(text: str, tokens: list[Token], index: int) -> SyntaxFault | None:
    """The fault of a layer whose name stands before its arguments: `conv as a 3x3x4`."""
    if index < 3 or tokens[0][0] not in _CHAINS or tokens[index - 2][0] != "AS":
        return None
    named = tokens[index][0] == "NAME" and tokens[index + 1][0] == "EQUAL"
    if not named and tokens[index][0] not in _ARGUMENTS:
        return None
    start, stop = tokens[index - 2][2], tokens[index - 1][3]
    last = index
    while tokens[last + 1][0] not in ("COMMA", "ARROW", "COLON", "AS", "$END"):
        last += 1
    rest = text[tokens[index][2] : tokens[last][3]]
    alias = text[start:stop]
    fix = (f"write `{rest} {alias}`", f"{rest} {alias}")
    simple = tokens[last + 1][0] != "AS" and not any(_is_open(tokens[index : last + 1], closer) for closer in "})]")
    return SyntaxFault(
        "NameBeforeArguments", start, stop, fix=fix if simple else None, fix_at=(start, tokens[last][3]), ends=True,
        name=tokens[index - 1][1],
    )  # fmt: skip


def _misspelt(first: Token, index: int) -> SyntaxFault | None:
    """The fault of a line that makes no sense as a layer, because its keyword is misspelt."""
    if first[0] != "NAME" or index < 1:
        return None
    guess = "elif" if first[1] in ("elseif", "elsif") else closest(first[1], LINE_WORDS, cutoff=0.7)
    if guess is None:
        return None
    return SyntaxFault(
        "MisspeltKeyword", first[2], first[3], fix=(f"write `{guess}`", guess), word=first[1], keyword=guess
    )


def _braces(text: str, tokens: list[Token], end: int) -> SyntaxFault:
    """The fault of braces around what is an expression anyway: `repeat {n}:`."""
    start = next(t[2] for t in reversed(tokens) if t[1] == "{")
    inner = text[start + 1 : end].rstrip("x").rstrip("}")
    return SyntaxFault("BracesInExpression", start, end, fix=(f"write `{inner}`", inner), word=tokens[0][1])


def _takes_value(before: Token, wanted: list[str]) -> bool:
    """Whether the value of an argument has to follow."""
    return before[0] == "EQUAL" and "LBRACE" in wanted and "TRUE" in wanted


def _behind(
    text: str, first: Token, before: Token, token: Token, wanted: list[str], tokens: list[Token]
) -> SyntaxFault | None:
    """The problem with a token that comes after others which it doesn't go with."""
    kind, word, start, end = token
    if first[0] in ("NETWORK", "BLOCK") and before[0] == "NAME" and len(tokens) == 2:
        name = _long_name.match(text, before[2])
        if name is not None and name.end() > before[3]:
            plain = _signs.sub("_", name.group())
            return SyntaxFault("BadName", *name.span(), fix=(f"write `{plain}`", plain), text=name.group())
    if before[0] == "COLON" and wanted == ["$END"]:
        named = None
        if len(tokens) == 2 and first[0] == "NAME" and kind == "NAME" and re.fullmatch(r"[^,:]*", text[start:]):
            plain = f"{text[start:].rstrip()} as {first[1]}"  # `layer1: conv 3x3x16`, as Python and YAML name things
            named = (f"write `{plain}`", plain)
        fix_at = (first[2], len(text)) if named else None
        return SyntaxFault(
            "BodyOnSameLine", start, end, fix=named, fix_at=fix_at, ends=True, applicability="likely", word=first[1]
        )
    if first[0] == "FOR" and kind == "COMMA" and text.rstrip().endswith(":") and "IN" in [t[0] for t in tokens]:
        begin = next(t[3] for t in tokens if t[0] == "IN") + 1
        stop = text.rstrip().rindex(":")
        plain = f"[{text[begin:stop].strip()}]"
        return SyntaxFault(
            "UnexpectedText", start, end, text=word, expected=expected_words(wanted), ends=True,
            fix=(f"write `{plain}`", plain), fix_at=(begin, stop), applicability="likely",
        )  # fmt: skip
    if first[0] == "INPUT" and kind == "AS":
        return SyntaxFault("InputAlias", start, end)
    if first[0] not in _CHAINS:
        return None
    if kind == "LSQB":
        return SyntaxFault("ListWithoutName", start, end)
    if word == "//":
        return SyntaxFault("ForeignComment", start, end, fix=("write `#`", "#"))
    if kind == "NAME" and "COMMA" in wanted and not any(_is_open(tokens, closer) for closer in "})]"):
        at = (before[3], before[3])
        return SyntaxFault("MissingComma", start, end, fix=("write a comma", ","), fix_at=at, word=word)
    if kind == "NUMBER" and before[0] == "COMMA" and re.fullmatch(r"[0-9]{3}", word) and len(tokens) == 3:
        number = tokens[1]
        if (
            number[0] == "NUMBER"
            and re.fullmatch(r"[1-9][0-9]{0,2}", number[1])
            and number[3] + 1 == start == before[3]
        ):
            plain = f"{number[1]}_{word}"  # `dense 1,024`
            return SyntaxFault("GroupedNumber", number[2], end, fix=(f"write `{plain}`", plain), applicability="likely")
    if kind in ("NUMBER", "SIDE") and before[0] == "COMMA":
        return SyntaxFault("NumberAsKind", start, end, text=word.rstrip("x"))
    return None


def _too_short(first: Token, before: Token | None, wanted: list[str], end: int) -> SyntaxFault:
    """The line ends where something has to follow."""
    if first[0] in _HEADERS and "COLON" in wanted:
        return SyntaxFault("MissingColon", end, end, fix=("add `:`", ":"), word=first[1])
    if before is not None and before[0] == "COMMA":
        return SyntaxFault("TrailingComma", before[2], before[3], fix=("remove the comma", ""))
    expected = "a value" if before is not None and _takes_value(before, wanted) else expected_words(wanted)
    fix = ("name it", " Net") if first[0] == "NETWORK" and before is first else None
    return SyntaxFault(
        "LineEndsEarly", end, end, fix=fix, ends=True, expected=expected, before=before[1] if before else ""
    )


def _is_open(tokens: list[Token], closer: str) -> bool:
    """Whether a bracket of the closer's kind is open after these tokens."""
    openers = {"}": "{", ")": "(", "]": "["}
    depth = 0
    for _, word, _, _ in tokens:
        depth += (word == openers[closer]) - (word in (closer, closer + "x"))
    return depth > 0


def mended(text: str, fault: SyntaxFault) -> str | None:
    """The line with the fault's own fix, every other character where it was; None where that can't be done.

    What is left too short is filled with a space; what is too long may take a space behind it, or goes over
    the end of the line. A misspelt keyword stays, as the parser is told what it means.
    """
    if fault.fix is None or fault.ends:
        return None
    start, end = fault.fix_at
    if "keyword" in fault.values:
        return text
    replacement = fault.fix[1].ljust(end - start)
    over = len(replacement) - (end - start)
    if text[end : end + over].strip(" "):
        return None
    return text[:start] + replacement + text[end + over :]
