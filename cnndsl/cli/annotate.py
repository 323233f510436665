"""`cnndsl annotate`."""

from __future__ import annotations

import click

from cnndsl.cli.options import CONTEXT, check_option, color_option, diff_option, root_option
from cnndsl.cli.rewriting import Asked, change_files
from cnndsl.diagnostics import Diagnostic
from cnndsl.source import Source


@click.command(context_settings=CONTEXT)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--at",
    type=click.Choice(["stages", "lines"]),
    default="stages",
    help="Where new claims are written. 'stages', the default: where height and width change; 'lines': on every line.",
)
@click.option("--remove", is_flag=True, help="Remove the claims instead.")
@root_option
@check_option
@diff_option
@color_option
def annotate(
    files: tuple[str, ...], at: str, remove: bool, root: str | None, check: bool, diff: bool, color: str
) -> int:
    """Write the sizes that layers give at the ends of their lines, and correct those that stand there.

    \b
    cnndsl annotate lenet.cnn             -> 14x14x6, wherever height and width change
    cnndsl annotate --at lines lenet.cnn  on every line
    cnndsl annotate --diff lenet.cnn      only show what would change
    cnndsl annotate --check specs/*.cnn   in CI: exit with 1 if a claim is missing or wrong
    cnndsl annotate --remove lenet.cnn    without claims

    Sides that are right stay as they are written, `_` and {expressions} too. A line of a block or a loop that gives
    different sizes gets no claim. A file with other errors than wrong claims is left as it is, and they are shown.
    """
    if remove and at == "lines":
        raise click.UsageError("--remove removes all claims; --at says where new ones are written.")

    def change(source: Source) -> tuple[str | None, list[Diagnostic]]:
        from cnndsl.annotate import annotate, without_claims

        return without_claims(source) if remove else annotate(source, every=at == "lines", root=root)

    return change_files(files, change, Asked("annotated", check, diff, color))
