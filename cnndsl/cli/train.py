"""`cnndsl train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.options import CONTEXT, color_option, root_option, set_option, settings
from cnndsl.cli.output import exit_code, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.terminal import visible
from cnndsl.zoo import locate, read

if TYPE_CHECKING:
    from cnndsl.graph import Graph
    from cnndsl.pipeline import CheckedNetwork
    from cnndsl.recipe import Recipe
    from cnndsl.runtime.train import Result

Pairs = tuple[tuple[str, str], ...]
STOPPED = 130


@click.command(context_settings=CONTEXT)
@click.argument("file", metavar="FILE[:NETWORK]", required=False)
@set_option
@root_option
@click.option(
    "--set-train",
    "set_train",
    metavar="NAME=VALUE",
    multiple=True,
    callback=settings,
    help="Give a training setting another value, as in optimizer='sgd lr=0.1'. May be repeated.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Short for --set-train epochs=N.")
@click.option("--seed", type=click.IntRange(min=0), help="Short for --set-train seed=N.")
@click.option("--data-root", metavar="FOLDER", help="Where data sets lie; else CNNDSL_DATA, else the user's cache.")
@click.option("--out", metavar="FOLDER", default="runs", show_default=True, help="Where the run's folder is made.")
@click.option("--resume", metavar="RUN", type=click.Path(path_type=Path), help="Go on with the run in this folder.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="auto: a GPU if there is one."
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Use at most N examples of each part.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@color_option
def train(
    file: str | None,
    sets: Pairs,
    root: str | None,
    set_train: Pairs,
    epochs: int | None,
    seed: int | None,
    data_root: str | None,
    out: str,
    resume: Path | None,
    device: str,
    limit: int | None,
    dry_run: bool,
    quiet: bool,
    color: str,
) -> int:
    """Train a network by the recipe in its file, and leave a run folder.

    \b
    cnndsl train lenet5.cnn                       by its train: block
    cnndsl train lenet5.cnn --epochs 3 --set-train optimizer='sgd lr=0.1'
    cnndsl train nets.cnn:Small --data-root ~/data
    cnndsl train --resume runs/LeNet5-1           go on after Ctrl-C or a crash

    Without a train: block the network is trained on scikit-learn's digits, if they fit.
    """
    if (file is None) == (resume is None):
        raise click.UsageError("Give a spec to train, or --resume with a run's folder.")
    if resume is not None and (sets or set_train or seed is not None or limit is not None or dry_run):
        raise click.UsageError("A resumed run keeps its settings: only --epochs, --device and --data-root may change.")
    where = {"data_root": data_root, "device": device, "quiet": quiet, "color": color}
    if resume is not None:
        _need_torch()
        return _resume(resume, epochs, where)
    assert file is not None
    short = [(name, str(value)) for name, value in (("epochs", epochs), ("seed", seed)) if value is not None]
    network, uses, diagnostics = _network(file, sets, root)
    recipe = None
    if network is not None and exit_code(diagnostics) == 0:
        recipe, more = _recipe(network, (*set_train, *short))
        diagnostics = [*diagnostics, *more]
    show([d for d in diagnostics if not quiet or d.severity == "error"], color)
    if network is None or recipe is None or exit_code(diagnostics):
        return exit_code(diagnostics)
    if network.recipe is None and not quiet:
        click.echo(f"{network.graph.name} has no train: block; trained with the default recipe on the digits")
    # Loaded only now, so that mistakes in a spec are shown at once.
    _need_torch()
    chosen = {"out": out, "limit": limit, "dry_run": dry_run, "settings": sets, "uses": uses}
    return _train(network.graph, recipe, {**where, **chosen})


def _need_torch() -> None:
    """Raises click.ClickException with exit code 2 where only the light install is there."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "numpy", "safetensors") if find_spec(name) is None]
    if missing:
        raise Failed(f"training needs {', '.join(missing)}", "pip install 'cnndsl[train]'", 2)


def _network(
    file: str, sets: Pairs, root: str | None
) -> tuple[CheckedNetwork | None, dict[str, Any] | None, list[Diagnostic]]:
    """The one network of the file that is to be trained, the files it uses, and what is wrong. Raises
    click.UsageError."""
    from cnndsl.files import kept_files
    from cnndsl.pipeline import Options, check

    place = locate(file)
    source = read(place)
    if isinstance(source, Diagnostic):
        return None, None, [source]
    checked = check(source, Options(sets=sets, network=place.network, root=root))
    diagnostics = list(checked.diagnostics)
    if exit_code(diagnostics):
        return None, None, diagnostics
    if not checked.networks:
        raise click.UsageError(f"{visible(source.name)} holds no network to train.")
    networks = checked.networks
    if len(networks) > 1:
        networks = tuple(n for n in networks if n.recipe is not None)
    if len(networks) != 1:
        said, names = visible(file), [n.graph.name for n in checked.networks]
        raise click.UsageError(
            f"{said} holds {len(names)} networks ({', '.join(names)}): pick one, as in {said}:{names[0]}."
        )
    return networks[0], kept_files(checked.library), diagnostics


def _recipe(network: CheckedNetwork, sets: Pairs) -> tuple[Recipe, list[Diagnostic]]:
    """The network's recipe, or the default one, with what was set from outside; and what is wrong with that."""
    from cnndsl.recipe import read as read_recipe

    if network.recipe is not None and not sets:
        return network.recipe, []
    from cnndsl.recipe.overrides import override, parse_settings

    others, diagnostics = parse_settings(sets)
    lines = override(network.recipe.settings if network.recipe is not None else (), others)
    recipe, found = read_recipe(lines, network.graph, network.graph.span)
    return recipe, [*diagnostics, *found]


def _train(graph: Graph, recipe: Recipe, options: dict[str, Any]) -> int:
    from cnndsl.runtime.errors import MismatchError, TrainingError
    from cnndsl.runtime.train import Options
    from cnndsl.runtime.train import train as run

    try:
        return _code(run(graph, recipe, Options(**options)))
    except MismatchError as error:
        show(error.diagnostics, options["color"])
        return error.exit_code
    except TrainingError as error:
        raise Failed(error.message, error.help, error.exit_code) from None


def _resume(run: Path, epochs: int | None, options: dict[str, Any]) -> int:
    from cnndsl.runtime.errors import TrainingError
    from cnndsl.runtime.rebuild import read_run
    from cnndsl.runtime.train import Options, resume

    try:
        graph, recipe = read_run(run)
        if epochs is not None:
            recipe = recipe._replace(epochs=epochs)
        return _code(resume(run, graph, recipe, Options(**options)))
    except TrainingError as error:
        raise Failed(error.message, error.help, error.exit_code) from None


def _code(result: Result) -> int:
    return STOPPED if result.stopped else 0


class Failed(click.ClickException):
    """Training that can't begin or go on: the sentence, the advice, and the exit code."""

    def __init__(self, message: str, help: str | None, code: int) -> None:
        super().__init__(f"{visible(message)}\nhelp: {visible(help)}" if help else visible(message))
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return self.code
