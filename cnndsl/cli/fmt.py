"""`cnndsl fmt`."""

from __future__ import annotations

import click

from cnndsl.cli.options import CONTEXT, check_option, color_option, diff_option
from cnndsl.cli.rewriting import Asked, change_files
from cnndsl.diagnostics import Diagnostic
from cnndsl.source import Source


@click.command(context_settings=CONTEXT)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@check_option
@diff_option
@color_option
def fmt(files: tuple[str, ...], check: bool, diff: bool, color: str) -> int:
    """Format specs in place: the one way to write them.

    \b
    cnndsl fmt lenet.cnn
    cnndsl fmt --check specs/*.cnn        in CI: exit with 1 if a file is not formatted
    cnndsl fmt --diff lenet.cnn           only show what would change
    cnndsl fmt - < lenet.cnn              standard input, to standard output

    Only white space changes, never what a spec says; comments stay. A file with errors of syntax is left as it is,
    and they are shown.
    """
    return change_files(files, _formatted, Asked("formatted", check, diff, color))


def _formatted(source: Source) -> tuple[str | None, list[Diagnostic]]:
    from cnndsl.format import formatted
    from cnndsl.syntax import parse

    document, diagnostics = parse(source)
    failed = any(diagnostic.severity == "error" for diagnostic in diagnostics)
    return None if failed else formatted(document), diagnostics
