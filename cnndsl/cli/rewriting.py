"""Commands that give specs another text: read, change, compare, and write back as a whole or say what would change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import click

from cnndsl.cli.output import CannotWrite, deliver, exit_code, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.files import STDIN, read_source, rewrite
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.terminal import CYAN, GREEN, RED, Look, look_of, visible

Change = Callable[[Source], "tuple[str | None, list[Diagnostic]]"]
"""The new text of a spec, None where its errors don't let it have one, and what is wrong with it."""


class Asked(Record):
    """What is to be done with the new texts, and the word for a file that has one, such as `formatted`."""

    done: str
    check: bool
    diff: bool
    color: str


class Changed(Record):
    """A spec whose text changes."""

    path: str
    source: Source
    text: str


def change_files(paths: Sequence[str], change: Change, asked: Asked) -> int:
    """Change specs as asked and say what was done; returns the exit code. Raises click.ClickException."""
    if STDIN in paths and len(paths) > 1:
        raise click.UsageError("Standard input ('-') stands alone: its new text goes to standard output.")
    changed: list[Changed] = []
    diagnostics: list[Diagnostic] = []
    left = refused = 0
    for path in dict.fromkeys(paths):
        source = read_source(path)
        text, found = (None, [source]) if isinstance(source, Diagnostic) else change(source)
        diagnostics += found
        if text is None or isinstance(source, Diagnostic):
            refused += 1
        elif text == source.text and path != STDIN:
            left += 1
        else:
            changed.append(Changed(path, source, text))
    if paths == (STDIN,) and not (asked.check or asked.diff):
        deliver([one.text for one in changed], None)
    else:
        changed = [one for one in changed if one.text != one.source.text]
        look = look_of(sys.stdout, asked.color)
        for one in changed:
            deliver(_carried_out(one, asked, look), None)
        if not asked.diff:
            deliver([_summary(len(changed), left, refused, asked)], None)
    show(diagnostics, asked.color, below=bool(changed))
    return exit_code(diagnostics) or (1 if asked.check and changed else 0)


def _carried_out(one: Changed, asked: Asked, look: Look) -> Iterable[str]:
    """Write a new text, or leave that; and what is said about it."""
    if asked.diff:
        return _diff(one, asked, look)
    if asked.check:
        return [f"would change {visible(one.source.name)}\n"]
    try:
        rewrite(one.path, one.text)
    except OSError as error:
        raise CannotWrite(one.path, error) from error
    return [f"{asked.done} {visible(one.path)}\n"]


def _summary(changed: int, left: int, refused: int, asked: Asked) -> str:
    """How many files there were of each sort, in a line; empty for one file that was changed or refused."""
    if changed + left + refused == 1 and not left:
        return ""
    parts = []
    if changed:
        parts.append(f"{_files(changed)} {'to change' if asked.check else asked.done}")
    if left:
        parts.append(f"{_files(left)} already {asked.done}")
    if refused:
        parts.append(f"{_files(refused)} with errors, as before")
    return ", ".join(parts) + "\n"


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _diff(one: Changed, asked: Asked, look: Look) -> Iterator[str]:
    """A unified diff, as `patch` takes it; in a terminal coloured, and nothing in it moves the cursor."""
    from difflib import unified_diff

    name = visible(one.source.name)
    before, after = one.source.text, one.text
    styles = {"-": RED, "+": GREEN, "@": CYAN}
    terminal = look.terminal or look.colour
    for line in unified_diff(_lines(before), _lines(after), name, f"{name} ({asked.done})", lineterm=""):
        text, newline, _ = line.partition("\n")
        shown = look.paint(visible(text), *filter(None, [styles.get(text[:1])])) if terminal else text
        ends = newline or line.startswith(("---", "+++", "@@"))
        yield f"{shown}\n" if ends else f"{shown}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """The lines of a text with their ends; only a newline ends one."""
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]
