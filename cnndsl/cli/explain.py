"""`cnndsl explain`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.terminal import look_of, visible

if TYPE_CHECKING:
    from cnndsl.reference.topics import Topic

FORMATS = ("text", "markdown", "json")


@click.command(context_settings={**CONTEXT, "ignore_unknown_options": True})
@click.argument("words", metavar="[TOPIC | FILE LAYER]", nargs=-1)
@click.option("--format", type=click.Choice(FORMATS), default="text", help="How to print it.")
@color_option
def explain(words: tuple[str, ...], format: str, color: str) -> int:
    """Explain a problem's code, a layer kind, a word of the language.

    \b
    cnndsl explain E306                  what an error means: wrong and right
    cnndsl explain conv                  a layer kind: arguments, PyTorch, examples
    cnndsl explain repeat                a word or sign of the language; also '->', '...', '|'
    cnndsl explain optimizer adam        a training setting
    cnndsl explain std.residual          blocks that come with cnndsl

    Without a topic: all that can be asked.
    """
    if not words:
        from cnndsl.reference.topics import overview

        return _print([overview()], format, color, [])
    option = next((word for word in words if word.startswith("--")), None)
    if option is not None:
        raise click.NoSuchOption(option)
    text = " ".join(words)
    from cnndsl.reference.topics import topics_named

    found = topics_named(text)
    if not found:
        raise click.UsageError(_unknown(text))
    return _print([topic.page for topic in found], format, color, found)


def _print(pages: Iterable[str], format: str, color: str, topics: Iterable[Topic]) -> int:
    """Pages of the reference, in a format."""
    if format == "json":
        from json import dumps

        found = [{"name": one.name, "sort": one.sort, "markdown": one.page} for one in topics]
        deliver([dumps({"version": 1, "topics": found}, indent=2, ensure_ascii=False) + "\n"], None)
    elif format == "markdown":
        deliver(["\n".join(pages)], None)
    else:
        from cnndsl.report.as_page import render

        deliver(["\n".join(render(page, look_of(sys.stdout, color)) for page in pages)], None)
    return 0


def _unknown(text: str) -> str:
    from cnndsl.diagnostics import closest
    from cnndsl.reference.topics import known_names

    said = f"'{visible(text)}' is no problem's code, layer kind, word of the language, setting or block."
    near = closest(text, known_names())
    return f"{said} Did you mean '{near}'?" if near else f"{said} 'cnndsl explain' lists what there is."
