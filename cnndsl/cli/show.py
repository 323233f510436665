"""`cnndsl show`."""

from __future__ import annotations

import re
import sys

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver, exit_code
from cnndsl.cli.output import show as show_problems
from cnndsl.diagnostics import Diagnostic
from cnndsl.terminal import BOLD, CYAN, DIM, Look, look_of, visible
from cnndsl.zoo import locate, read

_PARTS = re.compile(r'("[^"]*")|(#.*)|^( *(?:network|block|train)\b)')
_STYLES = (CYAN, DIM, BOLD)


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
    terminal = look.width is not None or look.colour
    deliver([drawn(source.text, look) if terminal else source.text], None)
    return 0


def drawn(text: str, look: Look) -> str:
    """A spec for a terminal: comments, strings and headers in styles of their own, nothing that moves the cursor."""

    def painted(found: re.Match[str]) -> str:
        return look.paint(found[0], _STYLES[(found.lastindex or 1) - 1])

    return "".join(_PARTS.sub(painted, visible(line)) + "\n" for line in text.splitlines())
