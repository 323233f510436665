"""The `cnndsl` group: its commands by name, each imported when it is called."""

from __future__ import annotations

import os
from importlib import import_module

import click

from cnndsl import __version__

COMMANDS = {
    "check": "Every layer's shape, parameters and cost; or what is wrong, and where.",
    "sizes": "Which input sizes fit, which lose nothing, and what comes out.",
    "draw": "Draw a network: for a paper, a README, a browser.",
    "diff": "Compare two networks: layers, shapes, costs, and which weights fit.",
    "fit": "The largest setting of a parameter that keeps a budget.",
    "train": "Train a network by the recipe in its file.",
    "eval": "Measure a run's network on a part of its data.",
    "predict": "What a run's network makes of new images, rows and curves.",
    "runs": "Compare runs: how far they came, how good they are, what differs.",
    "plot": "Draw a run's curves, confusions, mistakes, kernels and feature maps.",
    "data": "The published data sets that recipes name: which are here, and fetching them.",
    "lr-find": "Look for a learning rate to begin with.",
    "features": "Draw what a run's network makes of an image on its way, and where it looks.",
    "export": "Write a trained network for other programs: ONNX, torch.export, weights and source.",
    "explain": "What an error code, a layer kind or a word of the language means.",
    "fmt": "Format specs: the one way to write them.",
    "annotate": "Write the sizes that layers give at the ends of their lines.",
    "compile": "Write networks as PyTorch source that stands on its own.",
    "list": "The networks that come with cnndsl, and their figures.",
    "show": "Print the spec of a network that comes with cnndsl.",
    "new": "Start a spec from a template, or from a network that comes with cnndsl.",
}
"""Each command is `cnndsl.cli.<name>.<name>`, hyphens being underscores; here is its line in the list of commands."""


class Commands(click.Group):
    """A group that imports a command's module only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"cnndsl.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise click.UsageError(_no_command(name), ctx)


def _no_command(name: str) -> str:
    from cnndsl.diagnostics import closest
    from cnndsl.terminal import visible
    from cnndsl.zoo import find

    said = f"There is no command '{visible(name)}'."
    if name.endswith(".cnn") or os.path.isfile(name) or find(name) is not None:
        return f"{said} Did you mean 'cnndsl check {visible(name)}'?"
    near = closest(name, COMMANDS)
    return f"{said} Did you mean '{near}'?" if near else said


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="cnndsl %(version)s")
def cli() -> None:
    """Describe a convolutional network in a text file, check it, and turn it into PyTorch.

    \b
    A spec reads like the layer list in a paper:
        network Small
        input 28x28x1
        conv 5x5x8, relu, pool 2
        dense 10

    Start with 'cnndsl check FILE', 'cnndsl new NAME', or a network that comes with it: 'cnndsl list'. Every command
    has its own --help.
    """
