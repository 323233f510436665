"""What can be explained: a problem's code, a layer kind, a word of the language, a training setting, a shipped block.

A topic's page is Markdown, made by the same functions as the pages of docs/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cnndsl.record import Record

_CODE = re.compile(r"[ENW][0-9]{0,3}")


class Topic(Record):
    """One thing that can be explained. `sort` says what it is: `problem`, `layer kind`, `word`, `setting`, `block`."""

    name: str
    sort: str
    page: str


def topics_named(text: str) -> list[Topic]:
    """All that a text may mean, in any case: a word of the language can be a layer kind as well."""
    found = [*_problems(text), *_kinds(text), *_words(text), *_settings(text), *_blocks(text)]
    return found or _blocks_alone(text)


def known_names() -> list[str]:
    """Every name that has a topic, for "did you mean"."""
    from cnndsl.diagnostics.index import CODES
    from cnndsl.layers import names
    from cnndsl.recipe.settings import SETTINGS
    from cnndsl.reference.words import WORDS

    words = [name for word in WORDS for name in word.names]
    settings = [option.name for kind in SETTINGS for option in kind.options] + [kind.name for kind in SETTINGS]
    blocks = [name for file, held in shipped_blocks() for block in held for name in (block, f"{file}.{block}")]
    return [*CODES, *settings, *blocks, *words, *names()]


# --- problems -------------------------------------------------------------------------------------------------------


def _problems(text: str) -> Iterator[Topic]:
    from cnndsl.diagnostics import problem_class
    from cnndsl.diagnostics.index import CODES
    from cnndsl.reference import problem_page

    code = text.upper()
    if code in CODES:
        yield Topic(code, "problem", problem_page(problem_class(CODES[code])))
    elif _CODE.fullmatch(code) and any(known.startswith(code) for known in CODES):
        page = f"### Problems {code}...\n\n" + problem_list(known for known in CODES if known.startswith(code))
        yield Topic(code, "problem", page)
    else:
        for known, name in CODES.items():
            if name.lower() == text.lower():
                yield Topic(known, "problem", problem_page(problem_class(name)))


def problem_list(codes: Iterable[str]) -> str:
    """Codes with their titles, as a Markdown table."""
    from cnndsl.diagnostics import problem_class
    from cnndsl.diagnostics.index import CODES
    from cnndsl.reference import table

    return table(("code", "problem"), [(code, problem_class(CODES[code]).title) for code in sorted(codes)])


# --- layers, words, settings ----------------------------------------------------------------------------------------


def _kinds(text: str) -> Iterator[Topic]:
    from cnndsl.layers import find
    from cnndsl.reference import layer_page

    kind = find(text) or find(text.lower())
    if kind is not None:
        yield Topic(kind.kind, "layer kind", layer_page(kind, alone=True))


def _words(text: str) -> Iterator[Topic]:
    from cnndsl.reference import word_page
    from cnndsl.reference.words import WORDS

    for word in WORDS:
        if text.lower() in word.names:
            yield Topic(text.lower(), "word", word_page(word))


def _settings(text: str) -> Iterator[Topic]:
    from cnndsl.recipe.settings import SETTINGS
    from cnndsl.reference import option_page, setting_page

    first, _, second = text.lower().partition(" ")
    for kind in SETTINGS:
        if kind.name == first and not second:
            yield Topic(kind.name, "setting", setting_page(kind))
        option = kind.find(second or first)
        if option is not None and (not second or first == kind.name):
            yield Topic(f"{kind.name} {option.name}", "setting", option_page(kind, option))


# --- shipped blocks -------------------------------------------------------------------------------------------------


def shipped_blocks() -> list[tuple[str, tuple[str, ...]]]:
    """The files of blocks that come with cnndsl, `std.residual` say, each with the names of its blocks."""
    from cnndsl.files import shipped_names

    return [(f"std.{name}", tuple(_texts(f"std.{name}"))) for name in sorted(shipped_names())]


def _blocks(text: str) -> Iterator[Topic]:
    from cnndsl.files import shipped_names

    parts = text.lower().split(".")
    if parts[0] != "std" or len(parts) > 3 or (len(parts) > 1 and parts[1] not in shipped_names()):
        return
    if len(parts) == 1:
        listed = "".join(f"- {file}: {', '.join(f'`{name}`' for name in held)}\n" for file, held in shipped_blocks())
        yield Topic("std", "block", f"### std\n\nBlocks that come with cnndsl, by file:\n\n{listed}")
        return
    file = ".".join(parts[:2])
    for name, block in _texts(file).items():
        if len(parts) == 2 or parts[2] == name:
            yield Topic(f"{file}.{name}", "block", _block_page(file, name, block))


def _blocks_alone(text: str) -> list[Topic]:
    """Shipped blocks of that name, where nothing else has it."""
    return [topic for file, held in shipped_blocks() if text.lower() in held for topic in _blocks(f"{file}.{text}")]


def _texts(file: str) -> dict[str, tuple[str, str]]:
    """The blocks of a shipped file by name: the comment above each, and its lines."""
    from cnndsl.diagnostics import Diagnostic
    from cnndsl.zoo import locate, read

    source = read(locate(file))
    if isinstance(source, Diagnostic):
        return {}
    found = re.finditer(r"(?m)((?:^#.*\n)*)^block (\w+).*\n((?:[ ].*\n|\n(?=[ ]))*)", source.text)
    return {one[2]: (one[1].replace("# ", "").strip(), one[0][len(one[1]) :].strip()) for one in found}


def _block_page(file: str, name: str, text: tuple[str, str]) -> str:
    comment, lines = text
    use = f"use {file}: {name}"
    return f"### {file}.{name}\n\n{comment}\n\n```cnn\n{use}\n```\n\nWhat it stands for:\n\n```cnn\n{lines}\n```\n"


# --- all of them ----------------------------------------------------------------------------------------------------


def overview() -> str:
    """A page with every topic's name."""
    from cnndsl.diagnostics.index import CODES
    from cnndsl.recipe.settings import SETTINGS
    from cnndsl.reference import GROUPS, kinds_by_family
    from cnndsl.reference.words import WORDS

    codes: dict[str, list[str]] = {}
    for code in sorted(CODES, key=lambda code: (code[1:], code)):
        codes.setdefault(GROUPS[code[1]], []).append(code)
    kinds = {family: [kind.kind for kind in found] for family, found in kinds_by_family().items()}
    signs = {"": [name for word in WORDS for name in word.names]}
    settings = {kind.name: [option.name for option in kind.options] for kind in SETTINGS}
    blocks = {file: list(held) for file, held in shipped_blocks()}
    return (
        "### What can be explained\n\n`cnndsl explain NAME`, for every name here, in any case.\n\n"
        + _listed("Layer kinds", kinds)
        + _listed("Words of the language", signs)
        + _listed("Settings of `train:`", settings)
        + _listed("Blocks that come with cnndsl", blocks)
        + _listed("Problems", codes)
    )


def _listed(title: str, groups: dict[str, list[str]]) -> str:
    lines = [
        f"- {name}: {' '.join(held)}" if name and held else f"- {name}{' '.join(held)}" for name, held in groups.items()
    ]
    return f"### {title}\n\n" + "\n".join(lines) + "\n\n"
