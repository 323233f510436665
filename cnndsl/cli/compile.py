"""`cnndsl compile`."""

from __future__ import annotations

import click

from cnndsl.cli.options import CONTEXT, color_option, input_option, set_option, target
from cnndsl.cli.output import deliver, exit_code, keep_inputs, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.files import read_source


@click.command("compile", context_settings=CONTEXT)
@click.argument("file", metavar="FILE[:NETWORK]", type=click.Path())
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write the source into a file, as in model.py.")
@set_option
@input_option
@color_option
def command(file: str, output: str | None, sets: tuple[tuple[str, str], ...], input_: str | None, color: str) -> int:
    """Write a network as readable PyTorch source that does not need this program.

    \b
    cnndsl compile lenet.cnn -o lenet.py
    cnndsl compile resnet.cnn:ResNet --set depth=101 -o resnet101.py

    A file with errors is not compiled: they are shown, and nothing is written.
    """
    path, network = target(file)
    keep_inputs(output, [path])
    source = read_source(path)
    if isinstance(source, Diagnostic):
        show([source], color)
        return exit_code([source])
    from cnndsl.pipeline import Options, check

    checked = check(source, options=Options(sets=sets, input=input_, batch=1, network=network))
    code = exit_code(checked.diagnostics)
    if code == 0 and len(checked.networks) > 1:
        names = ", ".join(one.graph.name for one in checked.networks)
        raise click.UsageError(f"{file} holds several networks: {names}. Pick one, as in {path}:{names.split(',')[0]}.")
    if code == 0:
        from cnndsl.codegen import emit

        deliver([emit(checked.networks[0].graph)], output)
    show(checked.diagnostics, color)
    return code
