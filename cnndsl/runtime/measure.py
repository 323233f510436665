"""A trained network on a part of its data: the losses and metrics of its recipe, and which classes it confuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.task import task_of
from cnndsl.runtime.answers import Answers
from cnndsl.runtime.data import Batch, Examples, Split
from cnndsl.runtime.data.feed import Feed, feed_for
from cnndsl.runtime.data.prepare import prepare
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import wanted_for
from cnndsl.runtime.errors import DataError
from cnndsl.runtime.job import Options, computes_bf16, memory_format_of
from cnndsl.runtime.loop import evaluated
from cnndsl.runtime.objective import Objective, Outputs
from cnndsl.runtime.trained import Trained

PARTS = ("train", "validation", "test")
ALIKE = ("of different classes", "of one class")
"""What the two answers about a pair are called."""


class Network(NamedTuple):
    """What answers, and how its answers are judged. kind: of its task (`cnndsl.recipe.task.Task`)."""

    module: nn.Module
    answers: Answers
    objective: Objective
    feed: Feed
    kind: str
    batch: int


class Judged(NamedTuple):
    """One batch: which examples it holds, as they are stored and as the network took them; what it gave."""

    start: int
    stored: Examples
    batch: Batch
    outputs: Outputs


class Measured(NamedTuple):
    """The numbers of a part of so many examples: losses and metrics by name; those of a line for people, each with
    whether it is a share. confusion: how many examples, or places, of each class (rows) were taken for each class
    (columns), int64; None where answers are no classes. names: of the classes."""

    part: str
    count: int  # type: ignore[assignment]  # hides tuple.count
    values: dict[str, float]
    shown: dict[str, tuple[float, bool]]
    confusion: Tensor | None
    names: tuple[str, ...]


def measure(trained: Trained, part: str = "test", data_root: str | None = None, limit: int | None = None) -> Measured:
    """The network on one of PARTS of its recipe's data.

    limit: at most so many examples of the part; None for as many as the run took. Raises TrainingError.
    """
    network, split = with_data(trained, data_root, limit)
    examples = split[PARTS.index(part)]
    if examples is None:
        there = [name for name, one in zip(PARTS, split, strict=True) if one is not None]
        raise DataError(f"the run's recipe has no {part} part", f"look at --on {' or '.join(there)}")
    return _measured(network, part, examples, trained.prepare.names)


def with_data(trained: Trained, data_root: str | None = None, limit: int | None = None) -> tuple[Network, Split]:
    """The network ready to be judged, and its recipe's data as the run had it, where the run found it unless another
    root is named. Raises TrainingError."""
    graph, recipe = trained.graph, trained.recipe
    kept = trained.about.get("options") or {}
    places = Options(data_root=data_root).found(kept)
    wanted = wanted_for(graph, recipe, places.data_root, places.beside)
    raw = read(recipe.data, wanted)
    if raw.names != trained.prepare.names:
        raise DataError(_other_names(raw.names, trained.prepare.names), "name the data of the run with --data-root")
    prepared = prepare(raw, recipe, wanted.input, kept.get("limit") if limit is None else limit, wanted.task)
    memory_format = memory_format_of(trained.module, wanted.input)
    trained.module.to(memory_format=memory_format)  # type: ignore[call-overload]
    feed = feed_for(trained.prepare, recipe, wanted, trained.device, memory_format)
    return network_of(graph, recipe, trained.module, feed, trained.device), prepared.split


def _other_names(now: tuple[str, ...], then: tuple[str, ...]) -> str:
    return f"the data has other classes than the run had: {_listed(now)} instead of {_listed(then)}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "unnamed ones"


def network_of(graph: Graph, recipe: Recipe, module: nn.Module, feed: Feed, device: torch.device) -> Network:
    """A module, in evaluation mode, ready to be judged by its recipe."""
    objective = Objective(recipe, graph)
    answers = Answers(recipe, objective, device, bf16=computes_bf16(recipe.precision, device))
    return Network(module, answers, objective, feed, task_of(recipe.data, recipe.loss, graph).kind, recipe.batch)


def judged(network: Network, examples: Examples) -> Iterator[Judged]:
    """The examples in order, in batches as the training loop evaluates them."""
    for start, end in evaluated(examples, network.batch, network.feed.device):
        stored = examples.pick(torch.arange(start, end, device=examples.inputs.device))
        batch = network.feed(stored)
        yield Judged(start, stored, batch, network.answers(network.module, batch))


def _measured(network: Network, part: str, examples: Examples, names: tuple[str, ...]) -> Measured:
    objective = network.objective
    total: Any = 0
    confusion: Tensor | None = None
    for one in judged(network, examples):
        with torch.inference_mode():
            losses = objective.losses(one.outputs, one.batch)
            total = total + objective.sums(one.outputs, one.batch, losses).double()
        confused = confusion_of(network, one)
        if confused is not None:
            confusion = confused if confusion is None else confusion + confused
    values = objective.values(total.tolist(), len(examples), training=False)
    many = 0 if confusion is None else len(confusion)
    return Measured(part, len(examples), values, objective.shown(values), confusion, class_names(network, names, many))


def class_names(network: Network, names: tuple[str, ...], many: int) -> tuple[str, ...]:
    """What `many` classes are called: as the data calls them, or their numbers."""
    if network.kind == "pair":
        return ALIKE
    return names if len(names) == many else tuple(map(str, range(many)))


def confusion_of(network: Network, one: Judged) -> Tensor | None:
    """How often each class was taken for each, classes x classes, in a batch; None where answers are no classes."""
    if network.kind not in ("class", "map", "pair"):
        return None
    scores, true = network.objective.judged(one.outputs, one.batch)
    number = scores.shape[1]
    if true is None or number < 2:
        return None
    pairs = true.flatten() * number + scores.argmax(1).flatten()
    return torch.bincount(pairs, minlength=number * number).reshape(number, number).cpu()
