"""`cnndsl diff`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cnndsl.cli.options import CONTEXT, Decorator, color_option, input_option, root_option, set_option, settings
from cnndsl.cli.output import deliver, exit_code, keep_inputs, show
from cnndsl.cli.sides import Sets, check_both, sides, together, two_specs
from cnndsl.diagnostics import Diagnostic
from cnndsl.record import Record
from cnndsl.terminal import PLAIN, look_of

if TYPE_CHECKING:
    from cnndsl.compare import Comparison
    from cnndsl.compare.checkpoint import Loading
    from cnndsl.pipeline import Checked
    from cnndsl.report.difference import Alone, Difference

FORMATS = ("text", "json", "markdown")


class Print(Record):
    """How the result is to be printed."""

    format: str
    output: str | None
    color: str
    all_rows: bool
    checkpoint: bool


def _only(which: str) -> Decorator:
    """`--set-a` or `--set-b`."""
    option: Decorator = click.option(
        f"--set-{which}",
        f"sets_{which}",
        metavar="NAME=VALUE",
        multiple=True,
        callback=settings,
        help=f"The same for {which.upper()} only.",
    )
    return option


@click.command(context_settings=CONTEXT)
@click.argument("a", metavar="A[:NETWORK]", type=click.Path())
@click.argument("b", metavar="[B[:NETWORK]]", required=False, type=click.Path())
@click.option(
    "--rev",
    "revisions",
    metavar="REV",
    multiple=True,
    help="With one file: compare it at this git revision with as it is now; given twice, two revisions of it.",
)
@set_option
@_only("a")
@_only("b")
@input_option
@click.option("--input-a", metavar="SIZE", help="The same for A only.")
@click.option("--input-b", metavar="SIZE", help="The same for B only.")
@root_option
@click.option("--checkpoint", is_flag=True, help="List what of a checkpoint of A can't be loaded into B by name.")
@click.option("--all", "all_rows", is_flag=True, help="A row for every layer, also for those that are the same.")
@click.option("--format", type=click.Choice(FORMATS), default="text", help="How to print the result.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write the result into a file.")
@click.option("--exit-code", "fail", is_flag=True, help="Exit with 1 if the networks differ, as git does.")
@color_option
def diff(
    a: str,
    b: str | None,
    revisions: tuple[str, ...],
    sets: Sets,
    sets_a: Sets,
    sets_b: Sets,
    input_: str | None,
    input_a: str | None,
    input_b: str | None,
    root: str | None,
    checkpoint: bool,
    all_rows: bool,
    format: str,
    output: str | None,
    fail: bool,
    color: str,
) -> int:
    """Compare two networks: layers, shapes, costs, and which weights of A can be loaded into B.

    \b
    cnndsl diff old.cnn new.cnn                  two files
    cnndsl diff resnet50 resnet101               networks that come with cnndsl
    cnndsl diff net.cnn --rev HEAD~1             a file as it was, and as it is now
    cnndsl diff net.cnn --rev v1.0 --rev v1.1    a file at two git revisions
    cnndsl diff HEAD~2:specs/net.cnn net.cnn     the same as git writes it, from the top of the repository
    cnndsl diff resnet:ResNet --set-b depth=101  a network with two values of a parameter

    Layers belong together by what they are, what they take and where they stand, and by their names last: renamed
    layers, blocks written out and branches in another order are found again.

    The exit code is 0, whether they differ or not, unless --exit-code is given; 1 if a spec has errors, and what is
    known is compared; 2 if something can't be read.
    """
    first, second = two_specs(a, b, revisions)
    first = first._replace(sets=_joined(sets, sets_a), input=input_a or input_)
    second = second._replace(sets=_joined(sets, sets_b), input=input_b or input_)
    if b is None and first == second:
        raise click.UsageError("There is nothing to compare with: give a second file, --rev, --set-b or --input-b.")
    keep_inputs(output, [one.place.path for one in (first, second) if one.revision is None])
    gc.disable()  # as in check
    checked, diagnostics = check_both((first, second), root)
    found, alone = _compare(checked)
    deliver(_report(found, alone, diagnostics, Print(format, output, color, all_rows, checkpoint)), output)
    if format != "json":
        show(diagnostics, color, below=output is None)
    code = exit_code(diagnostics)
    differ = bool(alone) or any(not one.comparison.equal for one in found)
    return code or int(fail and differ)


def _joined(both: Sets, own: Sets) -> Sets:
    return tuple(({**dict(both), **dict(own)}).items())


def _compare(checked: list[Checked | None]) -> tuple[list[Difference], list[Alone]]:
    """Every pair of networks that belong together, and those of one file only."""
    from cnndsl.compare.changes import compare
    from cnndsl.report.difference import Alone, Difference

    first, second = checked
    if first is None or second is None:
        return [], []
    both, mine, other = together(sides(first), sides(second))
    found = [compare(one, two) for one, two in both]
    return (
        [Difference(one, _loading(one)) for one in found],
        [*(Alone("-", side) for side in mine), *(Alone("+", side) for side in other)],
    )


def _loading(comparison: Comparison) -> Loading | None:
    """What a checkpoint of the first gives to the second; None where one has errors."""
    if not all(side.graph.complete and side.graph.outputs for side in (comparison.a, comparison.b)):
        return None
    from cnndsl.codegen import module_paths
    from cnndsl.compare.checkpoint import loading

    return loading(comparison, module_paths(comparison.a.graph), module_paths(comparison.b.graph))


def _report(found: list[Difference], alone: list[Alone], diagnostics: list[Diagnostic], how: Print) -> Iterable[str]:
    from cnndsl.report import difference

    if how.format == "json":
        from cnndsl.report import difference_json

        return difference_json.render(found, alone, diagnostics)
    shown = {"all_rows": how.all_rows, "checkpoint": how.checkpoint}
    if how.format == "markdown":
        return difference.markdown(found, alone, diagnostics, **shown)
    look = look_of(sys.stdout, how.color) if how.output is None else PLAIN
    return [difference.text(found, alone, look, **shown)]
