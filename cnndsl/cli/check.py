"""`cnndsl check`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.fixing import CHOICES, CheckCommand, fix_files, refuse
from cnndsl.cli.options import CONTEXT, color_option, control_options, input_option, root_option, set_option
from cnndsl.cli.output import deliver, exit_code, keep_inputs, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.files import STDIN
from cnndsl.record import Record
from cnndsl.report import Measured
from cnndsl.terminal import PLAIN, look_of
from cnndsl.zoo import Place, locate, read

if TYPE_CHECKING:
    from cnndsl.pipeline import Checked, Options

FORMATS = ("table", "json", "csv", "markdown", "sarif", "github")
COUNTERS = ("core", "torch", "fvcore", "torchinfo", "thop", "ptflops", "calflops")
REPAIRED = ("W601",)
"""Warnings for which fixes are tried, as they are for errors."""
MOST_REMEMBERED = 20_000
"""Parsed lines that `--watch` remembers."""
STAGES = ("tree", "graph", "analysis", "source")


class Wanted(Record):
    """What is to be printed, and how."""

    format: str
    connections: bool
    all_rows: bool
    output: str | None
    color: str
    counter: str | None
    why: bool


@click.command(cls=CheckCommand, context_settings=CONTEXT)
@click.argument("files", metavar="FILE[:NETWORK]...", nargs=-1, required=True, type=click.Path())
@set_option
@input_option
@root_option
@click.option(
    "--batch", metavar="N", type=click.IntRange(min=1), default=1, help="Examples that memory is counted for."
)
@click.option("--count", type=click.Choice(COUNTERS), help="Count as another tool does; 'core' counts MACs.")
@click.option("--why", is_flag=True, help="With --count: which layers that tool counts otherwise, and why.")
@click.option("--connections", is_flag=True, help="Count connections too, as LeCun's papers do.")
@click.option(
    "--all", "all_rows", is_flag=True, help="Show every layer, also of several networks, or of over 1,000 layers."
)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default="table",
    help="How to print the result; sarif and github: what is wrong.",
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write the result into a file.")
@click.option("--watch", is_flag=True, help="Check again at each save, until Ctrl-C.")
@click.option(
    "--torch", is_flag=True, help="Build the PyTorch module, and compare shapes, parameters and MACs with it."
)
@click.option(
    "--fix",
    type=click.Choice(CHOICES),
    help="Make the fixes that are safe, in the file, then check it; --fix=ask shows each fix and asks.",
)
@control_options
@color_option
@click.option("--emit", type=click.Choice(STAGES), help="Print what a stage of the compiler made instead.")
def check(
    files: tuple[str, ...],
    sets: tuple[tuple[str, str], ...],
    input_: str | None,
    root: str | None,
    batch: int,
    count: str | None,
    why: bool,
    connections: bool,
    all_rows: bool,
    format: str,
    output: str | None,
    watch: bool,
    torch: bool,
    fix: str | None,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    fail_on_warning: bool,
    color: str,
    emit: str | None,
) -> int:
    """Check specs: every layer's output shape, parameters, MACs and receptive field, or what is wrong and where.

    \b
    cnndsl check lenet.cnn                        a file: its network, or a line for each of several
    cnndsl check specs/resnet.cnn --all           every layer of all of them
    cnndsl check nets.cnn:Small --set width=32
    cnndsl check resnet50                         one that comes with cnndsl: see 'cnndsl list'
    cnndsl check a.cnn b.cnn --format json
    cat lenet.cnn | cnndsl check -
    cnndsl check lenet.cnn --watch                again at each save
    cnndsl check resnet50 --torch                 the same numbers from PyTorch itself
    cnndsl check --fix lenet.cnn                  make the safe fixes; --fix=ask asks for each

    The exit code is 0 if all is well, 1 if a spec has errors (or PyTorch differs), 2 if a file can't be read.
    """
    if why and (count is None or format not in ("table", "markdown", "json") or emit):
        raise click.UsageError("--why explains --count=..., in a table, Markdown or JSON.")
    if torch:
        if format != "table" or emit or output is not None:
            raise click.UsageError(
                "--torch prints below a table on standard output: leave out --format, -o and --emit."
            )
        from cnndsl.cli.torch import need_torch

        need_torch()
    places = [locate(file) for file in files]
    keep_inputs(output, [place.path for place in places])
    if sum(place.path == STDIN for place in places) > 1:
        raise click.UsageError("Standard input ('-') can be read only once.")
    from cnndsl.pipeline import Options

    if fix is not None and watch:
        raise click.UsageError("--fix changes the file once; --watch looks on as you change it. Use one of them.")
    if fix is not None:
        refuse(places, fix)
    gc.disable()  # the program ends before a collection would pay: a fifth of the time of a large network
    deny += ("warnings",) if fail_on_warning else ()
    options = Options(sets=sets, input=input_, batch=batch, root=root, allow=allow, deny=deny)
    if fix is not None:
        fix_files(places, options, fix, color)
    wanted = Wanted(format, connections, all_rows, output, color, count, why)
    if watch:
        return _watch(places, options, wanted, emit, torch=torch)
    return _display(*_check(places, options), wanted, emit, torch=torch)


def _display(
    checked: list[Checked], diagnostics: list[Diagnostic], wanted: Wanted, emit: str | None, *, torch: bool
) -> int:
    """Print the results and all that is wrong; the exit code."""
    deliver(_stage(emit, checked) if emit else _report(checked, diagnostics, wanted), wanted.output)
    if wanted.format != "json" or emit:
        show(diagnostics, wanted.color, below=wanted.output is None and any(one.networks for one in checked))
    code = exit_code(diagnostics)
    if torch:
        from cnndsl.cli.torch import compare_all

        code = code or int(not compare_all(checked, wanted.color))
    return code


def _watch(places: list[Place], options: Options, wanted: Wanted, emit: str | None, *, torch: bool) -> int:
    """Check again at each save of a file that was read. Lines that stay are parsed once."""
    import os

    from cnndsl.cli.watch import Round
    from cnndsl.cli.watch import watch as run_again

    if any(place.path == STDIN for place in places):
        raise click.UsageError("--watch needs files: standard input ('-') does not change.")
    memory: dict[str, Any] = {}

    def run() -> Round:
        if len(memory) > MOST_REMEMBERED:
            memory.clear()
        checked, diagnostics = _check(places, options, memory)
        code = exit_code(diagnostics)
        files = dict.fromkeys([*(p.path for p in places), *(path for one in checked for path in one.library.sources)])
        folders = dict.fromkeys(os.path.dirname(path) or "." for path in files) if code else ()
        return Round(
            code, lambda: _display(checked, diagnostics, wanted, emit, torch=torch), tuple(files), tuple(folders)
        )

    return run_again(run, [place.path for place in places], wanted.color)


def _check(
    places: Iterable[Place], options: Options, memory: dict[str, Any] | None = None
) -> tuple[list[Checked], list[Diagnostic]]:
    """Every file's networks, and all that is wrong, the files that can't be read included. `memory` remembers lines."""
    from cnndsl.pipeline import check as check_source

    memory = {} if memory is None else memory
    checked, diagnostics = [], []
    for place in places:
        source = read(place)
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
            continue
        asked = options._replace(network=place.network)
        one = check_source(source, asked, memory)
        if not one.ok or any(d.code in REPAIRED for d in one.diagnostics):
            from cnndsl.repair import repair

            one = repair(one, asked, memory)
        checked.append(one)
        diagnostics.extend(one.diagnostics)
    return checked, diagnostics


def _report(checked: list[Checked], diagnostics: list[Diagnostic], wanted: Wanted) -> Iterable[str]:
    networks = [Measured(n.graph, n.analysis) for one in checked for n in one.networks]
    if wanted.counter is not None:
        from cnndsl.measure.counters import count, counter_named

        counter = counter_named(wanted.counter)
        networks = [network._replace(counted=count(network.graph, counter)) for network in networks]
    if wanted.format in ("sarif", "github"):
        return _problems(checked, diagnostics, wanted.format)
    if wanted.format == "json":
        from cnndsl.report import as_json

        return as_json.render(networks, diagnostics, why=wanted.why)
    if wanted.format == "csv":
        from cnndsl.report import as_csv

        return as_csv.render(networks)
    if wanted.format == "markdown":
        from cnndsl.report import as_markdown

        return as_markdown.render(networks, diagnostics, connections=wanted.connections, why=wanted.why)
    from cnndsl.report import as_table

    look = look_of(sys.stdout, wanted.color) if wanted.output is None else PLAIN
    shown = {"connections": wanted.connections, "all_rows": wanted.all_rows, "why": wanted.why}
    pairs = [(pair.pair, pair.recipe) for one in checked for pair in one.pairs if pair.recipe is not None]
    said = [as_table.recipe_of_two(pair, recipe, look) for pair, recipe in pairs]
    return [as_table.render(networks, look, **shown), *said]


def _problems(checked: list[Checked], diagnostics: list[Diagnostic], format: str) -> Iterable[str]:
    """The formats of continuous integration: what is wrong, without figures."""
    if format == "github":
        from cnndsl.report import as_github

        return as_github.render(diagnostics)
    from cnndsl.report import as_sarif

    return [as_sarif.render([one.source for one in checked], diagnostics)]


def _stage(emit: str, checked: list[Checked]) -> Iterable[str]:
    """What one stage made of every file."""
    from cnndsl.report import as_text

    for one in checked:
        if emit == "tree":
            yield from as_text.tree(one.source, one.document.lines)
            continue
        for network in one.networks:
            if emit == "graph":
                yield from as_text.graph(network.graph)
            elif emit == "analysis":
                yield from as_text.analysis(network.graph, network.analysis)
            elif network.graph.complete:
                from cnndsl.codegen import emit as source_of

                yield source_of(network.graph)
