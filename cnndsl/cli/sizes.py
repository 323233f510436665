"""`cnndsl sizes`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cnndsl.cli.options import CONTEXT, color_option, root_option, set_option
from cnndsl.cli.output import deliver, exit_code, keep_inputs, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.terminal import PLAIN, Look, look_of, visible
from cnndsl.zoo import locate, read

if TYPE_CHECKING:
    from cnndsl.sizes import Answer, At

FORMATS = ("table", "json", "csv", "markdown")
MOST = 65_536
"""The largest size that can be examined."""


def _range(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """`1..2048`, as two numbers. Raises click.BadParameter."""
    if value is None:
        return None
    low, dots, high = value.partition("..")
    numbers = [int(part) for part in (low, high) if part.isascii() and part.isdigit() and len(part) < 10]
    if not dots or len(numbers) != 2 or not 1 <= numbers[0] <= numbers[1]:
        raise click.BadParameter(f"'{visible(value)}' is not two sizes, such as 1..2048.", context, option)
    if numbers[1] > MOST:
        raise click.BadParameter(f"sizes up to {MOST:,} can be examined.", context, option)
    return numbers[0], numbers[1]


def _sizes(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """`225` or `225x300`, as numbers. Raises click.BadParameter."""
    if value is None:
        return None
    parts = value.strip().split("x")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 and int(part) for part in parts):
        raise click.BadParameter(f"'{visible(value)}' is no size, such as 225 or 225x300.", context, option)
    if max(map(int, parts)) > MOST // 2:
        raise click.BadParameter(f"sizes up to {MOST // 2:,} can be looked at.", context, option)
    return tuple(map(int, parts))


@click.command(context_settings=CONTEXT)
@click.argument("file", metavar="FILE[:NETWORK]", type=click.Path())
@set_option
@click.option("--at", metavar="SIZE", callback=_sizes, help="Say all about one size, such as 225 or 225x300.")
@click.option("--range", "range_", metavar="A..B", callback=_range, help="The sizes to examine. [default: 1..1024]")
@click.option(
    "--axis", "axes", metavar="NAME", multiple=True, help="Vary this axis alone: height, width, length, depth."
)
@click.option("--input", "input_", metavar="NAME", help="Vary this input alone, of several.")
@root_option
@click.option("--format", type=click.Choice(FORMATS), default="table", help="How to print the answer.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write the answer into a file.")
@color_option
def sizes(
    file: str,
    sets: tuple[tuple[str, str], ...],
    range_: tuple[int, int] | None,
    at: tuple[int, ...] | None,
    axes: tuple[str, ...],
    input_: str | None,
    root: str | None,
    format: str,
    output: str | None,
    color: str,
) -> int:
    """Say which input sizes fit, which of them lose no rows or columns, and what comes out of each.

    \b
    cnndsl sizes unet.cnn                      sizes from 1 to 1024, along each axis
    cnndsl sizes resnet50 --range 1..4096
    cnndsl sizes alexnet --at 225              what each layer leaves out, and better sizes
    cnndsl sizes crnn --axis width
    cnndsl sizes siamese --input left          with the other input as it is
    cnndsl sizes vgg16 --format csv            every size in a row of its own

    The sizes are those of the input along its axes; its channels stay. A size fits if every layer can be. Inputs of
    equal sizes vary together. The exit code is 1 if no size fits, or not the one
    of --at.
    """
    place = locate(file)
    keep_inputs(output, [place.path])
    source = read(place)
    if isinstance(source, Diagnostic):
        show([source], color)
        return exit_code([source])
    _need_numpy()
    from cnndsl.elaborate import Options
    from cnndsl.sizes import NotThere, Question, ask, ask_at

    low, high = range_ or (1, None)
    question = Question(low, high, input_, axes)
    options = Options(sets, None, place.network)
    gc.disable()  # as in check
    try:
        if at is None:
            answers, diagnostics = ask(source, question, options, root)
            pieces = _report(answers, diagnostics, format, _look(color, output))
            fit = all(answer.fits for answer in answers)
        else:
            points, diagnostics = ask_at(source, at, question, options, root)
            pieces = _report_at(points, diagnostics, format, _look(color, output))
            fit = all(point.refused is None for point in points)
    except NotThere as error:
        raise click.UsageError(visible(str(error))) from None
    errors = [d for d in diagnostics if d.severity == "error"]
    deliver(pieces, output)
    if format != "json":
        show(errors, color, below=fit)
    return exit_code(errors) or int(not fit)


def _look(color: str, output: str | None) -> Look:
    return look_of(sys.stdout, color) if output is None else PLAIN


class NoNumPy(click.ClickException):
    """The light install, which has no numpy."""

    exit_code = 2


def _need_numpy() -> None:
    """Raises click.ClickException with exit code 2 where only the light install is there."""
    from importlib.util import find_spec

    if find_spec("numpy") is None:
        raise NoNumPy("this command needs numpy\nhelp: pip install 'cnndsl[sizes]'")


def _report(answers: list[Answer], diagnostics: list[Diagnostic], format: str, look: Look) -> Iterable[str]:
    if format == "json":
        from cnndsl.report.sizes import as_json

        return [as_json.render(answers, diagnostics)]
    if format == "csv":
        from cnndsl.report.sizes import as_csv

        return as_csv.render(answers)
    if format == "markdown":
        from cnndsl.report.sizes import as_markdown

        return as_markdown.render(answers)
    from cnndsl.report.sizes import as_table

    return [as_table.render(answers, look)]


def _report_at(points: list[At], diagnostics: list[Diagnostic], format: str, look: Look) -> Iterable[str]:
    if format == "json":
        from cnndsl.report.sizes import as_json

        return [as_json.render_at(points, diagnostics)]
    if format == "csv":
        from cnndsl.report.sizes import as_csv

        return as_csv.render_at(points)
    if format == "markdown":
        from cnndsl.report.sizes import as_markdown

        return as_markdown.render_at(points)
    from cnndsl.report.sizes import as_table

    return [as_table.render_at(points, look)]
