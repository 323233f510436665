"""`cnndsl show`."""

from __future__ import annotations

import sys

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver, exit_code
from cnndsl.cli.output import show as show_problems
from cnndsl.diagnostics import Diagnostic
from cnndsl.report.as_page import drawn_spec
from cnndsl.terminal import look_of
from cnndsl.zoo import locate, read


@click.command(context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@color_option
def show(name: str, color: str) -> int:
    """Print the spec of a network that comes with cnndsl, as it is.

    \b
    cnndsl show resnet50
    cnndsl show resnet50 > my.cnn      a copy to change; see also 'cnndsl new'

    A network that is one of a family, as resnet50 is, stands in the family's file. NAME may also be a file.
    """
    source = read(locate(name))
    if isinstance(source, Diagnostic):
        show_problems([source], color)
        return exit_code([source])
    look = look_of(sys.stdout, color)
    terminal = look.terminal or look.colour
    deliver([drawn_spec(source.text, look) if terminal else source.text], None)
    return 0
