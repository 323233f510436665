"""`cnndsl compile`."""

from __future__ import annotations

import gc

import click

from cnndsl import __version__
from cnndsl.cli.options import CONTEXT, color_option, input_option, root_option, set_option
from cnndsl.cli.output import deliver, exit_code, keep_inputs, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.source import Source
from cnndsl.terminal import visible
from cnndsl.zoo import locate, read


@click.command(context_settings=CONTEXT)
@click.argument("file", metavar="FILE[:NETWORK]", type=click.Path())
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write the source into a file, as in model.py.")
@set_option
@input_option
@root_option
@color_option
def compile(  # noqa: A001 - the command's name
    file: str, output: str | None, sets: tuple[tuple[str, str], ...], input_: str | None, root: str | None, color: str
) -> int:
    """Write the networks of a file as readable PyTorch source that does not need this program.

    \b
    cnndsl compile lenet5.cnn -o lenet5.py
    cnndsl compile nets.cnn:Small --set width=32 -o small.py
    cnndsl compile resnet50 -o resnet50.py        one that comes with cnndsl

    A file with errors is not compiled: they are shown, and nothing is written.
    """
    place = locate(file)
    keep_inputs(output, [place.path])
    source = read(place)
    if isinstance(source, Diagnostic):
        show([source], color)
        return exit_code([source])
    from cnndsl.pipeline import Options, check

    gc.disable()  # as in check
    checked = check(source, Options(sets=sets, input=input_, network=place.network, root=root))
    code = exit_code(checked.diagnostics)
    if code == 0 and not checked.networks:
        raise click.UsageError(f"{visible(source.name)} holds no network to compile.")
    if code == 0:
        from cnndsl.codegen import emit_file

        deliver([emit_file([one.graph for one in checked.networks], _note(source, sets, input_))], output)
    show(checked.diagnostics, color)
    return code


def _note(source: Source, sets: tuple[tuple[str, str], ...], input_: str | None) -> str:
    """Where the source comes from, so that it can be made again."""
    options = [*(f"--set {name}={value}" for name, value in sets), *([f"--input {input_}"] if input_ else [])]
    return visible(" ".join([f"Made by cnndsl {__version__} from {source.name}", *options]))
