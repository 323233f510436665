"""A trained network, as its run folder gives it: made from the spec, with the saved weights, ready for new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.pair import Pair
from cnndsl.runtime import checkpoints, run_folder, unchanged
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
    """The network of a run folder with the weights it ended or was stopped with, or those of its last checkpoint.
    Nothing in the folder is run as code.

    Raises RunError where the folder is no run's, is damaged or has no weights yet.
    """
    graph, recipe = read_run(run)
    if isinstance(graph, Pair):
        raise RunError(
            f"{run} trained two networks against each other, which give no answers that can be measured",
            f"look at the pictures in {run / 'samples'}; cnndsl export {run} writes the generator",
        )
    about = run_folder.read_recipe(run)
    there = device_of(device)
    module = _with_weights(run, graph, read_weights(run))
    return Trained(run, graph, recipe, prepare_of(run, about), module.to(there).eval(), there, about)


class Part(NamedTuple):
    """A network of a run, on the CPU and in evaluation mode. prepare: how examples become its inputs, None where it
    takes random numbers."""

    graph: Graph
    module: nn.Module
    prepare: Prepare | None


def load_part(run: Path, network: str | None = None) -> Part:
    """The network of a run; of two that train each other the one of this name, by itself the generator. Raises
    RunError."""
    graph, _ = read_run(run)
    there = {one.name: one for one in (graph.graphs if isinstance(graph, Pair) else (graph,))}
    if network is not None and network not in there:
        raise RunError(f"{run} has no network {network!r}, but {' and '.join(there)}")
    if not isinstance(graph, Pair):
        found = load_trained(run, "cpu")
        return Part(found.graph, found.module, found.prepare)
    chosen = there[network] if network is not None else graph.generator
    start = f"{chosen.name}."
    weights = {name.removeprefix(start): one for name, one in read_weights(run).items() if name.startswith(start)}
    module = _with_weights(run, chosen, weights).eval()
    makes = chosen is graph.generator
    return Part(chosen, module, None if makes else prepare_of(run, run_folder.read_recipe(run)))


def prepare_of(run: Path, about: dict[str, Any]) -> Prepare:
    """How a run's examples are prepared, by what its recipe.json holds. Raises RunError."""
    try:
        return prepare_from_json(about.get("prepare"))
    except ValueError as error:
        raise RunError(f"{run / run_folder.RECIPE} is damaged: {error}") from None


def _with_weights(run: Path, graph: Graph, weights: dict[str, Tensor]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        module = build_module(graph)
    if found := unchanged.tensors(weights, module.state_dict()):
        raise RunError(f"{run / run_folder.WEIGHTS} is not this network's: {unchanged.some(found)}")
    module.load_state_dict(weights)
    return module


def read_weights(run: Path) -> dict[str, Tensor]:
    """What model.safetensors holds; of a run that goes on, or was killed, those of its last checkpoint. Raises
    RunError."""
    path = run / run_folder.WEIGHTS
    return run_folder.read_tensors(path) if path.exists() else _of_checkpoint(run)


def as_of(run: Path) -> str:
    """Behind a run's name: that its weights are not those of its end."""
    return "" if (run / run_folder.WEIGHTS).exists() else " as of its last checkpoint"


def _of_checkpoint(run: Path) -> dict[str, Tensor]:
    content, _ = checkpoints.read(run)
    if content is None:
        raise RunError(f"{run} has no weights yet: it never came to a checkpoint", f"cnndsl train --resume {run}")
    learner = checkpoints.state_of(content, run).get("learner")
    kept = learner.get("average", learner.get("model")) if isinstance(learner, dict) else None
    if not isinstance(kept, dict) or not all(isinstance(one, Tensor) for one in kept.values()):
        raise RunError(f"the last checkpoint of {run} holds no weights")
    return kept
