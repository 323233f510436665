"""Lines in the style of Python, YAML, C and prose, where a person sees what is meant."""

from __future__ import annotations

import re

from cnndsl.syntax.fault import SyntaxFault, Token

_sides_in_parentheses = re.compile(
    r"\(\s*(?P<sides>[0-9]+(?:\s*[,xX×]\s*[0-9]+)*)\s*,?\s*\)(?:\s*,?\s*(?P<more>[0-9]+)(?![\w.]))?"
)
_times_or_comma = re.compile(r"\s*[,xX×]\s*")
_layer_like = re.compile(r"[a-z_]\w*(?:\s+[\w{/.]|\s*,|$)")
_bare_parameters = re.compile(r"(?P<head>(?:network|block)\s+\w+)\s+(?P<names>[A-Za-z_][\w\s,=.]*?)\s*(?P<end>:?)")
_COMPARED = {"is": "==", "is not": "!="}


def other_style(text: str, tokens: list[Token], index: int) -> SyntaxFault | None:
    """The fault of what other languages would have in a line, if token number `index` is that."""
    kind, word, start, end = tokens[index]
    first = tokens[0]
    before = tokens[index - 1] if index else None
    if before is None:
        return None
    if kind == "COLON" and index == 1 and first[0] == "INPUT":
        return SyntaxFault("ColonBehindName", start, end, fix=("leave it out", ""), name=first[1])
    if kind in ("NUMBER", "SIDE") and before[0] == "COLON" and index == 2 and first[0] == "NAME":
        return SyntaxFault(
            "ColonBehindName", before[2], before[3], fix=("leave it out", ""), ends=True, name=first[1]
        )  # fmt: skip
    argument = before[0] == "EQUAL" and index > 3 and tokens[index - 2][0] == "NAME"  # `stride=(2, 2)`
    if kind == "LPAR" and (before[0] in ("INPUT", "ARROW") or argument):
        return _tuple(text, tokens[index - 2][1] if argument else before[1], start)
    if kind == "LPAR" and before[0] == "NAME" and first[0] == "NAME":
        return _tuple(text, before[1], start) or SyntaxFault("Parentheses", start, end, name=before[1])
    if kind == "EQUAL" and before[0] == "NAME":
        return _equals(text, tokens, index)
    if first[0] in ("NETWORK", "BLOCK") and index == 2:
        return _name_of_header(text, tokens, index)
    if word == "is" and first[0] in ("IF", "ELIF", "EXPECT"):
        negated = tokens[index + 1][1] == "not"
        last = tokens[index + 1][3] if negated else end
        plain = _COMPARED.get(text[start:last], "==")
        return SyntaxFault(
            "UnexpectedText", start, last, fix=(f"write `{plain}`", plain), text=text[start:last],
            expected=f"`{plain}`",
        )  # fmt: skip
    return _words(text, tokens, index)


def _words(text: str, tokens: list[Token], index: int) -> SyntaxFault | None:
    """The fault of names with signs in them, grouped numbers, and words behind a claim."""
    kind, word, start, end = tokens[index]
    before = tokens[index - 1]
    if kind == "NAME" and index > 1 and before[1] == "-" and tokens[index - 2][0] == "NAME":
        name = tokens[index - 2]
        if name[3] == before[2] and before[3] == start:
            plain = f"{name[1]}_{word}"
            return SyntaxFault(
                "BadName", name[2], end, fix=(f"write `{plain}`", plain), applicability="likely",
                text=text[name[2] : end],
            )  # fmt: skip
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    if kind == "COMMA" and before[0] == "NUMBER" and after is not None and after[0] == "NUMBER":
        plain = f"{before[1]}_{after[1]}"
        if len(after[1]) == 3 and before[3] == start and end == after[2]:
            return SyntaxFault("GroupedNumber", before[2], after[3], fix=(f"write `{plain}`", plain))
    if kind == "NAME" and "ARROW" in [one[0] for one in tokens[:index]] and before[0] == "NUMBER" and word not in "xX":
        return SyntaxFault(
            "UnexpectedText", start, len(text), fix=("make it a comment", f"# {text[start:]}"), ends=True,
            applicability="likely", text=word, expected="the end of the line",
        )  # fmt: skip
    return None


def _equals(text: str, tokens: list[Token], index: int) -> SyntaxFault | None:
    """The fault of a `=` that does not follow an argument's name."""
    _, _, start, end = tokens[index]
    before = tokens[index - 1]
    if text[start : start + 2] == "=>":
        return SyntaxFault("UnexpectedText", start, start + 2, fix=("write `->`", "->"), text="=>", expected="`->`")
    if index == 1:
        return _assignment(text, before, end)
    if tokens[index - 2][0] == "COMMA":
        comma = tokens[index - 2]
        return SyntaxFault("CommaBetweenArguments", comma[2], comma[3], fix=("leave the comma out", ""), name=before[1])
    return None


def fat_arrow(text: str, position: int) -> SyntaxFault | None:
    """The fault of `=>` in place of `->`, if that is what stands at a place of a line."""
    if text[position : position + 2] != "=>":
        return None
    return SyntaxFault("UnexpectedText", position, position + 2, fix=("write `->`", "->"), text="=>", expected="`->`")


def _name_of_header(text: str, tokens: list[Token], index: int) -> SyntaxFault | None:
    """The fault of parameters that stand behind a header's name without parentheses."""
    found = _bare_parameters.fullmatch(text)
    if found is None or tokens[index][0] not in ("NAME", "COMMA"):
        return None
    names = ", ".join(one for one in re.split(r"[\s,]+", found["names"]) if one)
    plain = f"{found['head']}({names}){found['end'] or ':' * text.startswith('block')}"
    return SyntaxFault(
        "BareParameters", tokens[index][2], found.end("names"), fix=(f"write `{plain}`", plain),
        fix_at=(0, len(text)), applicability="likely", plain=plain,
    )  # fmt: skip


def _tuple(text: str, name: str, start: int) -> SyntaxFault | None:
    """The fault of a size written as Python's tuple, with the channels behind it perhaps: `conv (3, 3) 16`."""
    found = _sides_in_parentheses.match(text, start)
    if found is None:
        return None
    sides = "x".join(_times_or_comma.split(found["sides"].strip()))
    plain = f"{sides}x{found['more']}" if found["more"] else sides
    if plain.isdigit():
        return SyntaxFault(
            "Parentheses", start, start + 1, fix=(f"write `{plain}`", plain), fix_at=found.span(), name=name
        )
    return SyntaxFault(
        "SpacedSize", start, found.end(), fix=(f"write `{plain}`", plain), applicability="likely", plain=plain
    )  # fmt: skip


def _assignment(text: str, name: Token, end: int) -> SyntaxFault:
    """The fault of `x = …`: a layer, which is named behind, or a value. Of a setting the layout knows better."""
    rest = text[end:].strip()
    plain = f"{rest} as {name[1]}" if _layer_like.match(rest) else f"let {name[1]} = {rest}"
    fix = (f"write `{plain}`", plain) if rest and "=" not in rest else None
    return SyntaxFault(
        "AssignmentHere", name[2], end, fix=fix, fix_at=(name[2], len(text)), ends=True, applicability="likely",
        name=name[1], rest=rest,
    )  # fmt: skip


_name_with_digits = re.compile(r"(?:^(?:network|block)|\bas|\bfrom|\breuse|\boutput)\s+(?P<digits>[0-9]+)(?P<rest>\w*)")


def name_of_digits(text: str, position: int) -> SyntaxFault | None:
    """The fault of a name that begins with a digit, `3Net`, where one is wanted."""
    for found in _name_with_digits.finditer(text):
        if found.start("digits") == position:
            digits, rest = found["digits"], found["rest"].strip("_")
            plain = f"{rest}{digits}" if rest else f"_{digits}"
            return SyntaxFault(
                "BadName", position, found.end(), fix=(f"write `{plain}`", plain), applicability="likely",
                text=digits + found["rest"],
            )  # fmt: skip
    return None


_quoted_name = re.compile(r"(?:network|block)\s+(?P<name>\"[^\"]*\")")


def quoted_name(text: str) -> SyntaxFault | None:
    """The fault of a header's name that is a string: `network "My Net"`."""
    found = _quoted_name.match(text)
    if found is None:
        return None
    plain = re.sub(r"\W+", "_", found["name"].strip('"')).strip("_")
    plain = plain if plain[:1].isalpha() else f"_{plain}"
    return SyntaxFault(
        "BadName", *found.span("name"), fix=(f"write `{plain}`", plain), applicability="likely", text=found["name"]
    )  # fmt: skip
