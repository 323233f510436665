"""A trained network, as its run folder gives it: made from the spec, with the saved weights, ready for new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.pair import Pair
from cnndsl.runtime import run_folder
from cnndsl.runtime.data.prepare import Prepare, prepare_from_json
from cnndsl.runtime.errors import RunError
from cnndsl.runtime.job import device_of
from cnndsl.runtime.module import build_module
from cnndsl.runtime.rebuild import read_run


class Trained(NamedTuple):
    """A run's network in evaluation mode, and how examples are prepared for it.

    about: what recipe.json holds besides.
    """

    run: Path
    graph: Graph
    recipe: Recipe
    prepare: Prepare
    module: nn.Module
    device: torch.device
    about: dict[str, Any]


def load_trained(run: Path, device: str = "auto") -> Trained:
    """The network of a run folder with the weights it ended or was stopped with. Nothing in the folder is run as code.

    Raises RunError where the folder is no run's, is damaged or has no weights yet.
    """
    graph, recipe = read_run(run)
    if isinstance(graph, Pair):
        raise RunError(
            f"{run} trained two networks against each other, which give no answers that can be measured",
            f"look at the pictures in {run / 'samples'}; model.py and model.safetensors hold both networks",
        )
    about = run_folder.read_recipe(run)
    try:
        prepare = prepare_from_json(about.get("prepare"))
    except ValueError as error:
        raise RunError(f"{run / run_folder.RECIPE} is damaged: {error}") from None
    there = device_of(device)
    with torch.random.fork_rng(devices=[]):
        module = build_module(graph)
    weights = read_weights(run)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise RunError(f"{run / run_folder.WEIGHTS} is not this network's: {first}") from None
    return Trained(run, graph, recipe, prepare, module.to(there).eval(), there, about)


def read_weights(run: Path) -> dict[str, Tensor]:
    """What model.safetensors holds. Raises RunError."""
    path = run / run_folder.WEIGHTS
    if not path.exists():
        raise RunError(f"{run} has no weights yet: it never came to its end", f"cnndsl train --resume {run}")
    return run_folder.read_tensors(path)
