"""All plots of a run, made when it ends, and by `cnndsl plot`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from cnndsl.draw.formats import FORMATS, PAGE, Paper, renderer
from cnndsl.draw.scene import Scene
from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.pair import Pair
from cnndsl.recipe.task import task_of
from cnndsl.runtime import run_folder
from cnndsl.runtime.data import Examples, Split
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.files import write_error, write_file
from cnndsl.runtime.job import Job
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.listing import history_of, result_of
from cnndsl.runtime.measure import Network, with_data
from cnndsl.runtime.plots.answers import answers
from cnndsl.runtime.plots.confusion import confusion
from cnndsl.runtime.plots.curves import curves
from cnndsl.runtime.plots.inside import features, kernels
from cnndsl.runtime.plots.mistakes import look, mistakes
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.trained import Trained, load_trained, prepare_of

FOLDER = "plots"


class Subject(NamedTuple):
    """A run as its plots see it. best: the epoch whose weights were kept, None for the last. graph, network: None of
    two networks that train each other; else the network is in evaluation mode."""

    name: str
    graph: Graph | None
    recipe: Recipe
    prepare: Prepare
    history: Sequence[Mapping[str, float]]
    best: int | None
    network: Network | None
    split: Split | None


def of_job(job: Job, name: str) -> Subject:
    """A run that has ended, by its name; its network is put into evaluation mode."""
    loop = job.loop
    learner, best = loop.learner, None if loop.best is None else loop.best.epoch
    best = None if best == len(loop.history) else best
    network = None
    graph = job.graph if isinstance(job.graph, Graph) else None
    if isinstance(learner, Descent) and graph is not None:
        # Not `begin`, for which several processes would wait for each other: one of them draws.
        learner.module.eval()
        kind = task_of(job.recipe.data, job.recipe.loss, graph).kind
        batch = job.recipe.batch
        network = Network(learner.measured, learner.answers, learner.objective, loop.feed, kind, batch)
    return Subject(name, graph, job.recipe, job.prepared.prepare, loop.history, best, network, loop.split)


def of_run(run: Path, device: str = "auto", data_root: str | None = None) -> Subject:
    """A run as its folder has it, of one network or of two that train each other. Raises TrainingError."""
    graph, recipe = read_run(run)
    if not isinstance(graph, Pair):
        return of_folder(load_trained(run, device), data_root)
    prepare = prepare_of(run, run_folder.read_recipe(run))
    return Subject(run.resolve().name, None, recipe, prepare, history_of(run), None, None, None)


def of_folder(trained: Trained, data_root: str | None = None) -> Subject:
    """A run of one network as its folder has it. Raises TrainingError."""
    network, split = with_data(trained, data_root)
    result = result_of(trained.run) or {}
    best = result.get("epoch") if result.get("epoch") != result.get("epochs") else None
    return Subject(
        trained.run.resolve().name,
        trained.graph,
        trained.recipe,
        trained.prepare,
        history_of(trained.run),
        best if isinstance(best, int) else None,
        network,
        split,
    )


def scenes(subject: Subject) -> dict[str, Scene]:
    """The plots that there can be of a run, by the names of their files. The test part is looked at only where the
    recipe has no validation part."""
    name = subject.name
    made: dict[str, Scene | None] = {
        "curves": curves(f"{name}: by epoch", subject.history, _shares(subject.recipe), subject.best)
    }
    if subject.network is not None and subject.graph is not None and subject.split is not None:
        made |= _of_network(subject, subject.graph, subject.network, subject.split)
    return {name: scene for name, scene in made.items() if scene is not None}


def _shares(recipe: Recipe) -> frozenset[str]:
    return frozenset(name for metric in recipe.metrics if metric.share for name in metric.columns())


def _of_network(subject: Subject, graph: Graph, network: Network, split: Split) -> dict[str, Scene | None]:
    made: dict[str, Scene | None] = {}
    part = "validation" if split.validation is not None else "test"
    examples = split.validation if split.validation is not None else split.test
    if examples is not None:
        seen = look(network, examples, subject.prepare.names)
        if seen.confusion is not None:
            places = "places of " if network.kind == "map" else ""
            note = f"{places}{len(examples):,} {part} examples; a cell is the darker, the more of its row it holds"
            made["confusion"] = confusion(f"{subject.name}: confusions", note, seen.confusion.tolist(), seen.names)
        made["mistakes"] = mistakes(f"{subject.name}: worst mistakes", f"{part} examples, the worst first", seen)
        made |= answers(subject.name, part, network, examples, subject.prepare)
    made["kernels"] = kernels(f"{subject.name}: first weights", graph, network.module, subject.prepare)
    made["features"] = _features(subject, graph, network, examples if examples is not None else split.train, part)
    return made


def _features(subject: Subject, graph: Graph, network: Network, examples: Examples, part: str) -> Scene | None:
    first = examples.pick(torch.zeros(1, dtype=torch.int64, device=examples.inputs.device))
    stored = first.inputs[0].cpu() if first.inputs.dtype == torch.uint8 and first.inputs.dim() == 4 else None
    title = f"{subject.name}: feature maps of the first {part} example"
    return features(title, graph, network.module, network.feed(first).inputs[0], stored)


def write(run: Path, made: Mapping[str, Scene], format: str = "svg") -> list[Path]:
    """Draw plots into a run's folder, over those that are there. Raises WriteError, and TrainingError where a package
    is missing."""
    folder = run / FOLDER
    try:
        render = renderer(format)
    except ImportError:
        raise TrainingError(f"drawing {format} needs {FORMATS[format].extra}", "pip install 'cnndsl[draw]'") from None
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    written = []
    for name, scene in made.items():
        path = folder / f"{name}{FORMATS[format].endings[0]}"
        write_file(path, render(scene, Paper(background=PAGE)))
        written.append(path)
    return written
