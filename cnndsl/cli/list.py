"""`cnndsl list`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.terminal import look_of, visible
from cnndsl.zoo import Entry, entries, key

FORMATS = ("table", "json", "csv", "markdown")


@click.command(context_settings=CONTEXT)
@click.argument("words", nargs=-1)
@click.option("--format", type=click.Choice(FORMATS), default="table", help="How to print the list.")
@color_option
def list(words: tuple[str, ...], format: str, color: str) -> int:  # noqa: A001 - the command's name
    """List the networks that come with cnndsl: parameters, MACs, receptive field, input and paper.

    \b
    cnndsl list                   all of them, by file and size
    cnndsl list resnet 2016       those with both words in their name, file or paper
    cnndsl list vgg --format csv

    Each is found by its name: 'cnndsl check NAME', 'show', 'compile', 'train', 'new --from NAME'.
    """
    known = entries()
    found = [entry for entry in known if all(_begins(entry, word) for word in words)]
    found = found or [entry for entry in known if all(_has(entry, word) for word in words)]
    if not found:
        raise click.UsageError(_nothing(words, known))
    deliver(_report(found, format, color), None)
    return 0


_beginning = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]")


def _begins(entry: Entry, word: str) -> bool:
    """Whether a word of a network's name, file or paper begins so: that of GoogLeNet is no LeNet."""
    wanted = key(word)
    return any(
        key(text[found.start() :]).startswith(wanted) for text in _texts(entry) for found in _beginning.finditer(text)
    )


def _has(entry: Entry, word: str) -> bool:
    """Whether it stands anywhere there."""
    return any(key(word) in key(text) for text in _texts(entry))


def _texts(entry: Entry) -> tuple[str, ...]:
    return (entry.name.replace("_", " "), entry.name, entry.file.replace("_", " "), entry.paper)


def _nothing(words: Iterable[str], known: Iterable[Entry]) -> str:
    from cnndsl.diagnostics import closest
    from cnndsl.zoo import files

    said = " and ".join(f"'{visible(word)}'" for word in words)
    names = [*(entry.name for entry in known), *files()]
    near = next((guess for word in words if (guess := closest(word, names))), None)
    return f"No network has {said} in its name, file or paper." + (f" Did you mean '{near}'?" if near else "")


def _report(found: Iterable[Entry], format: str, color: str) -> Iterable[str]:
    from cnndsl.report import zoo

    shown = tuple(found)
    if format == "json":
        return [zoo.json(shown)]
    if format == "csv":
        return zoo.csv(shown)
    if format == "markdown":
        return zoo.markdown(shown)
    return [zoo.text(shown, look_of(sys.stdout, color))]
