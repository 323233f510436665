"""`cnndsl fit`."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import click

from cnndsl.cli.options import CONTEXT, color_option, input_option, root_option, set_option
from cnndsl.cli.output import deliver, exit_code, keep_inputs, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.files import Library
from cnndsl.pipeline import Options
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.terminal import PLAIN, look_of, visible
from cnndsl.zoo import locate, read

if TYPE_CHECKING:
    from cnndsl.fit import Axis, Found
    from cnndsl.graph import Graph

FORMATS = ("table", "json")
MISUSE = 2


@click.command(context_settings=CONTEXT)
@click.argument("file", metavar="FILE[:NETWORK]", type=click.Path())
@click.argument("budgets", metavar="BUDGET...", nargs=-1, required=True)
@click.option(
    "--vary",
    metavar="NAME[=VALUES]",
    multiple=True,
    required=True,
    help="What may change: a parameter, or `input`. VALUES are 8..256, 8..256:8 for multiples of 8, 8.. for no end, "
    "or a list 16,32,64. May be repeated: the first comes first.",
)
@set_option
@input_option
@root_option
@click.option(
    "--tries", metavar="N", type=click.IntRange(min=10), default=200, show_default=True, help="Settings to try at most."
)
@click.option("--all", "all_rows", is_flag=True, help="Show everything that was tried.")
@click.option("--format", type=click.Choice(FORMATS), default="table", help="How to print the answer.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write the answer into a file.")
@color_option
def fit(
    file: str,
    budgets: tuple[str, ...],
    vary: tuple[str, ...],
    sets: tuple[tuple[str, str], ...],
    input_: str | None,
    root: str | None,
    tries: int,
    all_rows: bool,
    format: str,
    output: str | None,
    color: str,
) -> int:
    """Find the largest setting of a network's parameters that keeps a budget.

    \b
    cnndsl fit net.cnn "params < 1M" --vary width=8..256:8
    cnndsl fit net.cnn "macs < 300M" "memory < 2G" --vary width --vary depth=2..8
    cnndsl fit resnet50 "macs <= 2G" --vary input=32..512:32
    cnndsl fit net.cnn "features.rf <= 100" --vary kernel=3,5,7

    A BUDGET is what an `expect` line may say: params, macs, flops, memory, rf, depth and so on, of the network or of a
    named layer. Settings with which there is no network are skipped. The exit code is 1 if nothing fits.
    """
    place = locate(file)
    keep_inputs(output, [place.path])
    source = read(place)
    if isinstance(source, Diagnostic):
        show([source], color)
        return exit_code([source])
    asked = Asked(budgets, vary, Options(sets, input_, network=place.network, root=root), tries)
    gc.disable()  # as in check
    return _answer(source, asked, Print(format, output, color, all_rows))


class Asked(Record):
    """What is to be found: budgets, what may vary, what else is set, and how many settings to try."""

    budgets: tuple[str, ...]
    vary: tuple[str, ...]
    options: Options
    tries: int


class Print(Record):
    """How the answer is to be printed."""

    format: str
    output: str | None
    color: str
    all_rows: bool


def _answer(source: Source, asked: Asked, how: Print) -> int:
    """Search, print, and choose the exit code. Raises click.UsageError."""
    from cnndsl.fit.budgets import Judge, read_budgets
    from cnndsl.fit.search import search
    from cnndsl.syntax import parse

    lines, wrong = read_budgets(asked.budgets)
    if wrong:
        return _refuse(wrong, source, asked, how, MISUSE)
    document, wrong = parse(source)
    judge = Judge(document, Library(source, asked.options.root), asked.options, lines)
    networks, errors = judge.networks(asked.options)
    if [d for d in wrong if d.severity == "error"] or not networks:
        return _refuse([*wrong, *errors], source, asked, how, exit_code([*wrong, *errors]) or 1)
    if len(networks) > 1:
        names = ", ".join(one.graph.name for one in networks)
        raise click.UsageError(f"{visible(source.name)} holds several networks: say which, as in FILE:NAME ({names}).")
    graph = networks[0].graph
    axes = _axes(asked, graph)
    shapes = {graph.nodes[i].name: (graph.nodes[i].shapes or (None,))[0] for i in graph.inputs}
    unnamed = [] if errors else judge.unnamed(networks[0])
    if unnamed:
        return _refuse(unnamed, source, asked, how, MISUSE)
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    found = search(axes, lambda at: judge.judge(axes, at, known), asked.tries)
    if errors and all(one.problem is not None for one in found.tries):
        return _refuse(errors, source, asked, how, 1)
    _print(graph.name, source, asked, found, how)
    return 0 if found.best is not None else 1


def _axes(asked: Asked, graph: Graph) -> tuple[Axis, ...]:
    """What varies. Raises click.UsageError."""
    from cnndsl.fit.values import BadAxis, axis

    axes: list[Axis] = []
    for text in asked.vary:
        try:
            one = axis(text, graph)
        except BadAxis as error:
            raise click.UsageError(f"--vary {visible(text)}: {error}") from None
        if one.name in [other.name for other in axes] or one.name in dict(asked.options.sets):
            raise click.UsageError(f"'{visible(one.name)}' is to vary, but it is given twice.")
        axes.append(one)
    return tuple(axes)


def _refuse(found: list[Diagnostic], source: Source, asked: Asked, how: Print, code: int) -> int:
    """Show what is wrong with the spec or a budget."""
    if how.format == "json":
        from cnndsl.report import fitting

        deliver(fitting.json("", source.name, asked.budgets, None, found), how.output)
    else:
        show(found, how.color)
    return code


def _print(name: str, source: Source, asked: Asked, found: Found, how: Print) -> None:
    from cnndsl.report import fitting

    if how.format == "json":
        deliver(fitting.json(name, source.name, asked.budgets, found, ()), how.output)
        return
    look = look_of(sys.stdout, how.color) if how.output is None else PLAIN
    deliver([fitting.table(name, asked.budgets, found, look, all_rows=how.all_rows)], how.output)
