"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from cnndsl.terminal import visible

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def settings(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """`--set name=value`, as pairs of texts. Raises click.BadParameter."""
    pairs: list[tuple[str, str]] = []
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise click.BadParameter(
                f"'{visible(text)}' is not of the form name=value, such as depth=101.", context, option
            )
        if name.strip() in (known for known, _ in pairs):
            raise click.BadParameter(f"'{visible(name.strip())}' is given twice.", context, option)
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


set_option: Decorator = click.option(
    "--set",
    "sets",
    metavar="NAME=VALUE",
    multiple=True,
    callback=settings,
    help="Give a parameter of the network another value. May be repeated.",
)


def _joined(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Several `--input` as one text."""
    return ",".join(values) or None


input_option: Decorator = click.option(
    "--input",
    "input_",
    metavar="SIZE",
    multiple=True,
    callback=_joined,
    help="Use another input size, as in 224x224x3; of several inputs left=28x28x1,right=28x28x1.",
)


def codes(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """The codes that several `--allow` or `--deny` name, commas between them or not. Raises click.BadParameter."""
    selectors = tuple(word for value in values for word in value.replace(",", " ").split())
    if selectors:
        from cnndsl.lint.control import refusal

        wrong = refusal(selectors, option.opts[0])
        if wrong is not None:
            raise click.BadParameter(wrong, context, option)
    return selectors


def control_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--allow` and `--deny`, and `--fail-on-warning`, which is short for `--deny warnings`."""
    options = (
        click.option(
            "--allow",
            metavar="CODE",
            multiple=True,
            callback=codes,
            help="Say nothing of a warning or note: W812, W8 for all that begin so, 'notes'. May be repeated.",
        ),
        click.option(
            "--deny",
            metavar="CODE",
            multiple=True,
            callback=codes,
            help="Make a warning or note an error: W812, W8, 'warnings'. May be repeated.",
        ),
        click.option("--fail-on-warning", is_flag=True, help="Short for --deny warnings."),
    )
    for option in reversed(options):
        command = option(command)
    return command


root_option: Decorator = click.option(
    "--root", metavar="FOLDER", help="The folder that `use` may not leave. Without it: the file's own."
)
color_option: Decorator = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Use colours. 'auto', the default: in a terminal, unless NO_COLOR is set.",
)
check_option: Decorator = click.option(
    "--check", is_flag=True, help="Write nothing; list what would change, and exit with 1 if anything would."
)
diff_option: Decorator = click.option("--diff", is_flag=True, help="Write nothing; print what would change, as a diff.")
