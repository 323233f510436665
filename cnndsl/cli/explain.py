"""`cnndsl explain`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cnndsl.cli.options import CONTEXT, color_option, input_option, root_option, set_option
from cnndsl.cli.output import deliver
from cnndsl.pipeline import Options
from cnndsl.terminal import look_of, visible
from cnndsl.zoo import Place, locate, read

if TYPE_CHECKING:
    from cnndsl.reference.topics import Topic

FORMATS = ("text", "markdown", "json")


@click.command(context_settings={**CONTEXT, "ignore_unknown_options": True})
@click.argument("words", metavar="[TOPIC | FILE[:NETWORK] LAYER]", nargs=-1)
@set_option
@input_option
@root_option
@click.option("--connections", is_flag=True, help="Of a layer, derive its connections too.")
@click.option("--format", type=click.Choice(FORMATS), default="text", help="How to print it.")
@color_option
def explain(
    words: tuple[str, ...],
    sets: tuple[tuple[str, str], ...],
    input_: str | None,
    root: str | None,
    connections: bool,
    format: str,
    color: str,
) -> int:
    """Explain an error's code, a layer kind, a word of the language; or why a layer's numbers are what they are.

    \b
    cnndsl explain E306                  what an error means: wrong and right
    cnndsl explain conv                  a layer kind: arguments, PyTorch, examples
    cnndsl explain repeat                a word or sign of the language; also '->', '...', '|'
    cnndsl explain optimizer adam        a training setting
    cnndsl explain std.residual          blocks that come with cnndsl
    cnndsl explain lenet5 c3             a layer: its shape, parameters, MACs and receptive field, derived
    cnndsl explain net.cnn 7             the layers of line 7; 7:12 the one at column 12

    Without a topic: all that can be asked. The exit code is 1 if the layer has an error.
    """
    option = next((word for word in words if word.startswith("--")), None)
    if option is not None:
        raise click.NoSuchOption(option)
    from cnndsl.reference.topics import overview, topics_named

    if not words:
        return _print([overview()], format, color, [])
    text = " ".join(words)
    topics = topics_named(text)
    if topics and not (len(words) == 2 and os.path.lexists(words[0])):
        return _print([topic.page for topic in topics], format, color, topics)
    place = locate(words[0])
    if len(words) == 2 and (topics_named(words[0]) == [] or os.path.lexists(place.path)):
        options = Options(sets=sets, input=input_, network=place.network, root=root)
        return _layers(place, words[1], options, format, color, connections=connections)
    raise click.UsageError(_unknown(text, place))


def _layers(place: Place, layer: str, options: Options, format: str, color: str, *, connections: bool) -> int:
    """Derive the layers that are meant."""
    from cnndsl.cli.output import exit_code, show
    from cnndsl.diagnostics import Diagnostic
    from cnndsl.explain.find import NotFound, find
    from cnndsl.explain.find import explain as explained
    from cnndsl.pipeline import check
    from cnndsl.report import as_derivation, heading

    source = read(place)
    if isinstance(source, Diagnostic):
        show([source], color)
        return exit_code([source])
    checked = check(source, options)
    try:
        found = find(checked, layer)
    except NotFound as error:
        show([d for d in checked.diagnostics if d.severity == "error"], color)
        raise click.UsageError(visible(str(error))) from None
    made = [explained(checked, options, found.graph, node, found.others) for node in found.nodes]
    made = [one._replace(title=heading(found.graph)) for one in made]
    if found.graph.complete:
        from cnndsl.codegen import described, node_codes

        codes = node_codes(found.graph, [node.index for node in found.nodes])
        torch = {index: (code.path, described(code)) for index, code in codes.items()}
        made = [one._replace(torch=torch.get(node.index)) for one, node in zip(made, found.nodes, strict=True)]
    if format == "json":
        deliver([as_derivation.to_json(made)], None)
    else:
        deliver([as_derivation.render(made, look_of(sys.stdout, color), connections=connections)], None)
    return 1 if any(one.faults or one.unknown for one in made) else 0


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


def _unknown(text: str, place: Place) -> str:
    """What to say of what is no topic."""
    if os.path.lexists(place.path):
        return f"Which layer of {visible(text)}? 'cnndsl check {visible(text)}' shows their names."
    from cnndsl.diagnostics import closest
    from cnndsl.reference.topics import known_names

    said = f"'{visible(text)}' is no problem's code, layer kind, word of the language, setting or block."
    near = closest(text, known_names())
    return f"{said} Did you mean '{near}'?" if near else f"{said} 'cnndsl explain' lists what there is."
