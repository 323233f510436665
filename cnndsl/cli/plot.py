"""`cnndsl plot`."""

from __future__ import annotations

from pathlib import Path

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.cli.training import data_root_option, device_option, need_torch, trained
from cnndsl.terminal import visible

FORMATS = ("svg", "pdf", "png", "tikz")


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--format", type=click.Choice(FORMATS), default="svg", help="The format of the pictures.")
@data_root_option
@device_option
@color_option
def plot(run: Path, format: str, data_root: str | None, device: str, color: str) -> int:
    """Draw a run into its folder plots: losses and metrics by epoch, which classes are taken for which, the worst
    mistakes, predictions beside the truth, the first layer's weights, and the maps that an example becomes.

    \b
    cnndsl plot runs/LeNet5-1
    cnndsl plot runs/LeNet5-1 --format pdf

    RUN is a run's folder. A run that has ended has been drawn already; this draws one that was stopped or killed, or
    in another format. Mistakes, confusions and predictions are those on the validation part; on the test's, if there
    is none.
    """
    need_torch()

    def drawn() -> int:
        from cnndsl.runtime.plots.of_run import of_run, scenes, write

        written = write(run, scenes(of_run(run, device, data_root)), format)
        deliver([f"{visible(str(path))}\n" for path in written], None)
        return 0

    return trained(drawn, color)
