"""`cnndsl lr-find`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.group import alone, first_speaks
from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.cli.training import Chosen, choose, recipe_options, trained
from cnndsl.recipe.optimizers import Optimizer

if TYPE_CHECKING:
    from cnndsl.runtime.trials import Rates

_ROWS = 24
_CELLS = 32


@click.command("lr-find", context_settings=CONTEXT)
@click.argument("file", metavar="FILE[:NETWORK]")
@recipe_options
@click.option("--from", "first", type=float, default=1e-6, show_default=True, help="The rate of the first step.")
@click.option("--to", "last", type=float, default=10.0, show_default=True, help="The rate of the last step.")
@click.option("--steps", type=click.IntRange(min=10), default=100, show_default=True, help="How many steps.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every step as CSV.")
@color_option
def lr_find(
    file: str,
    sets: Any,
    root: str | None,
    set_train: Any,
    data_root: str | None,
    device: str,
    limit: int | None,
    first: float,
    last: float,
    steps: int,
    as_csv: bool,
    color: str,
) -> int:
    """Look for a learning rate: train with one that grows from step to step, until the loss diverges.

    \b
    cnndsl lr-find lenet5.cnn
    cnndsl lr-find lenet5.cnn --set-train optimizer='sgd momentum=0.9' --to 100

    Nothing is written. The suggestion lies between the rate where the loss falls fastest and a tenth of the one
    where it is lowest (Smith 2017).
    """
    with first_speaks():
        alone("lr-find")
    if not 0 < first < last < float("inf"):
        raise click.UsageError("--from must be above 0 and below --to.")
    chosen = choose(file, sets, root, set_train, color, quiet=as_csv)
    if not isinstance(chosen, Chosen):
        return chosen

    def search() -> int:
        from cnndsl.runtime.train import Options
        from cnndsl.runtime.trials import find_rate

        options = Options(data_root=data_root, device=device, limit=limit, quiet=True)
        found = find_rate(chosen.graph, chosen.recipe, options, first, last, steps)
        deliver(_csv(found) if as_csv else _table(found, chosen), None)
        return 0 if found.suggested is not None else 1

    return trained(search, color)


def _csv(found: Rates) -> list[str]:
    return ["lr,loss,smoothed\n", *(f"{p.rate!r},{p.loss!r},{p.smoothed!r}\n" for p in found.points)]


def _with_rate(optimizer: Optimizer, rate: float) -> str:
    """The recipe's optimizer with another rate, as its line would say it."""
    others = optimizer.brief(without=("lr",)).removeprefix(optimizer.name)
    return f"{optimizer.name} lr={rate:.2g}{others}"


def _table(found: Rates, chosen: Chosen) -> list[str]:
    """Some of the steps with a bar each, and what follows."""
    points = found.points[:: -(-len(found.points) // _ROWS)] if found.points else ()
    highest = max((point.smoothed for point in points), default=1.0) or 1.0
    lines = ["learning rate  loss"]
    for point in points:
        bar = "#" * max(0, round(_CELLS * point.smoothed / highest))
        lines.append(f"{point.rate:>13.2e}  {point.smoothed:<9.4g} {bar}".rstrip())
    if found.suggested is None or found.steepest is None or found.lowest is None:
        lines.append("the loss never fell: try lower rates with --from, or look at the network with --overfit-batch")
    else:
        lines.append(f"falls fastest at {found.steepest:.2g}, lowest at {found.lowest:.2g}")
        lines.append(f"a rate to begin with: optimizer {_with_rate(chosen.recipe.optimizer, found.suggested)}")
    return [line + "\n" for line in lines]
