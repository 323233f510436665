"""What the commands that train have in common: which network, by which recipe, and how failures are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.options import Decorator, root_option, set_option, settings
from cnndsl.cli.output import exit_code, show
from cnndsl.diagnostics import Diagnostic
from cnndsl.record import Record
from cnndsl.terminal import visible
from cnndsl.zoo import locate, read

if TYPE_CHECKING:
    from cnndsl.graph import Graph
    from cnndsl.pipeline import CheckedNetwork, CheckedPair
    from cnndsl.recipe import Recipe
    from cnndsl.recipe.pair import Pair

Pairs = tuple[tuple[str, str], ...]

data_root_option: Decorator = click.option(
    "--data-root", metavar="FOLDER", help="Where data sets lie; else CNNDSL_DATA, else the user's cache."
)
device_option: Decorator = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="auto: a GPU if there is one."
)
_OPTIONS: tuple[Decorator, ...] = (
    set_option,
    root_option,
    click.option(
        "--set-train",
        "set_train",
        metavar="NAME=VALUE",
        multiple=True,
        callback=settings,
        help="Give a training setting another value, as in optimizer='sgd lr=0.1'. May be repeated.",
    ),
    data_root_option,
    device_option,
    click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Use at most N examples of each part."),
)


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is trained, on what, and where."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class Chosen(Record):
    """The network that is meant, or the two of a recipe for both; the recipe, and the files the spec used."""

    graph: Graph | Pair
    recipe: Recipe
    uses: dict[str, Any] | None


def choose(file: str, sets: Pairs, root: str | None, set_train: Pairs, color: str, *, quiet: bool) -> Chosen | int:
    """What a file holds to be trained, diagnostics shown; or the exit code, if that can't be.

    Raises click.UsageError where the choice is left open, and Failed where PyTorch is missing.
    """
    network, uses, diagnostics = _network(file, sets, root)
    recipe = None
    if network is not None and exit_code(diagnostics) == 0:
        recipe, more = _recipe(network, set_train, changed=bool(sets))
        diagnostics = [*(d for d in diagnostics if d.code != "N649"), *more]
    show([d for d in diagnostics if not quiet or d.severity == "error"], color)
    if network is None or recipe is None or exit_code(diagnostics):
        return exit_code(diagnostics)
    if network.recipe is None and not quiet:
        click.echo(f"{_graph(network).name} has no train: block; trained with the default recipe on the digits")
    # Loaded only now, so that mistakes in a spec are shown at once.
    need_torch()
    return Chosen(_graph(network), recipe, uses)


def _graph(network: CheckedNetwork | CheckedPair) -> Graph | Pair:
    from cnndsl.pipeline import CheckedPair

    return network.pair if isinstance(network, CheckedPair) else network.graph


def need_torch() -> None:
    """Raises Failed where only the light install is there."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "numpy", "safetensors") if find_spec(name) is None]
    if missing:
        raise Failed(f"training needs {', '.join(missing)}", "pip install 'cnndsl[train]'", 2)


def _network(
    file: str, sets: Pairs, root: str | None
) -> tuple[CheckedNetwork | CheckedPair | None, dict[str, Any] | None, list[Diagnostic]]:
    """The one network or pair of the file that is to be trained, the files it uses, and what is wrong. Raises
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
    every: list[CheckedNetwork | CheckedPair] = [*checked.networks, *checked.pairs]
    networks: tuple[CheckedNetwork | CheckedPair, ...] = checked.networks
    if place.network is not None and any(one.pair.name == place.network for one in checked.pairs):
        networks = checked.pairs
    elif len(networks) > 1:
        networks = tuple(one for one in every if one.recipe is not None)
    if len(networks) != 1:
        said, names = visible(file), [_graph(one).name for one in every]
        raise click.UsageError(
            f"{said} holds {len(names)} networks ({', '.join(names)}): pick one, as in {said}:{names[0]}."
        )
    return networks[0], kept_files(checked.library), diagnostics


def _recipe(
    network: CheckedNetwork | CheckedPair, sets: Pairs, *, changed: bool
) -> tuple[Recipe | None, list[Diagnostic]]:
    """The network's recipe, or the default one, with what was set from outside; and what is wrong with that.

    changed: whether the network has other parameters than in its file: whether its recipe fits was not said then.
    """
    from cnndsl.pipeline import CheckedPair
    from cnndsl.recipe import read as read_recipe

    if network.recipe is not None and not sets and not changed:
        return network.recipe, []
    from cnndsl.recipe.overrides import override, parse_settings

    others, diagnostics = parse_settings(sets)
    lines = override(network.recipe.settings if network.recipe is not None else (), others)
    if isinstance(network, CheckedPair):
        from cnndsl.recipe.pair import read_pair

        _, recipe, found = read_pair(network.joint._replace(settings=tuple(lines)))
        return recipe, [*diagnostics, *found]
    recipe, found = read_recipe(lines, network.graph, network.graph.span)
    return recipe, [*diagnostics, *found]


def trained(run: Callable[[], int], color: str) -> int:
    """The exit code that `run` gives; what stops training becomes a sentence. Raises Failed."""
    from cnndsl.runtime.errors import MismatchError, ToldError, TrainingError

    try:
        return run()
    except ToldError as error:
        return error.exit_code
    except MismatchError as error:
        show(error.diagnostics, color)
        return error.exit_code
    except TrainingError as error:
        raise Failed(error.message, error.help, error.exit_code) from None


class Failed(click.ClickException):
    """Training that can't begin or go on: the sentence, the advice, and the exit code."""

    def __init__(self, message: str, help: str | None, code: int) -> None:
        super().__init__(f"{visible(message)}\nhelp: {visible(help)}" if help else visible(message))
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return self.code
