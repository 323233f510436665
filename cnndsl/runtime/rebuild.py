"""A run's network and recipe, made again from its folder: from the spec, never from saved code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnndsl.graph import Graph
from cnndsl.pipeline import Options, check
from cnndsl.recipe import Recipe, from_json
from cnndsl.recipe.pair import Pair
from cnndsl.runtime import run_folder
from cnndsl.runtime.errors import RunError
from cnndsl.source import Source


def read_run(run: Path) -> tuple[Graph | Pair, Recipe]:
    """The network, or the two in one recipe, and the recipe of a run folder. Raises RunError."""
    about = run_folder.read_recipe(run)
    source = Source(str(run / run_folder.SPEC), run_folder.read_spec(run))
    try:
        network, settings = _text(about["network"]), _texts(about["settings"])
        recipe = from_json(about["recipe"])
    except (KeyError, ValueError) as error:
        raise RunError(f"{run / run_folder.RECIPE} is damaged: {error}") from None
    library = run_folder.read_uses(run, source)
    checked = check(source, Options(sets=settings, network=network), library=library)
    if not checked.ok or not checked.networks:
        found = next((d.message_text() for d in checked.diagnostics if d.severity == "error"), "no network")
        raise RunError(f"{source.name} has errors: {found}", f"cnndsl check {source.name}")
    if checked.pairs:
        return checked.pairs[0].pair, recipe
    return checked.networks[0].graph, recipe


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _texts(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} are no settings")
    return tuple((_text(name), _text(text)) for name, text in value.items())
