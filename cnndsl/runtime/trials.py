"""Short runs that leave nothing behind: which learning rate, can a batch be learned, does all of it work?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from math import exp, isfinite, log
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.base import option
from cnndsl.recipe.pair import Pair
from cnndsl.recipe.schedules import Constant
from cnndsl.recipe.training import EarlyStopping, Lookahead
from cnndsl.runtime import checkpoints, run_folder, saying
from cnndsl.runtime.data import Batch
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.job import Options, device_of, make, seeded
from cnndsl.runtime.learners import LossIsNoNumber, Moment
from cnndsl.runtime.loop import Loop, Position
from cnndsl.runtime.memory import watched
from cnndsl.runtime.processes import ALONE
from cnndsl.runtime.progress import Progress
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.train import Result, train

SMOOTHING = 0.9
"""Share of the running mean of losses that is kept from step to step."""
ENDLESS = {"early_stopping": option(EarlyStopping), "lookahead": option(Lookahead)}
"""What is left out where a run has no end to come to."""
DIVERGED = 4.0
"""A loss of so many times the best one ends the search for a rate."""


class Point(NamedTuple):
    """A step at a learning rate: its loss, and the running mean of the losses up to it."""

    rate: float
    loss: float
    smoothed: float


class Rates(NamedTuple):
    """A search for a learning rate. steepest: where the loss falls fastest; lowest: where it is smallest;
    suggested: a rate to begin with, None where the loss never fell."""

    points: tuple[Point, ...]
    steepest: float | None
    lowest: float | None
    suggested: float | None


def find_rate(
    graph: Graph | Pair, recipe: Recipe, options: Options, first: float = 1e-6, last: float = 10.0, steps: int = 100
) -> Rates:
    """Train with a rate that grows from step to step until the loss diverges (Smith 2017, the "range test").

    The suggestion is the geometric mean of the steepest rate and a tenth of the one with the lowest loss. Raises
    TrainingError.
    """
    _alone(graph)
    recipe = recipe._replace(schedule=option(Constant), **ENDLESS)
    with seeded(recipe.seed, device_of(options.device)) as device, watched(graph, recipe, device):
        loop = make(graph, recipe, options, device).loop
        return judged(tuple(_rising(loop, first, last, steps)))


def _alone(graph: Graph | Pair) -> None:
    """Raises TrainingError for two networks, whose losses rise where the other one gets better."""
    if isinstance(graph, Pair):
        raise TrainingError("of two networks that train each other no loss says how good they are", "--fast-dev-run")


def _rising(loop: Loop, first: float, last: float, steps: int) -> Iterator[Point]:
    mean, best = 0.0, float("inf")
    loop.learner.begin(training=True)
    for number, position in zip(range(steps), _positions(loop), strict=False):
        rate = first * (last / first) ** (number / max(1, steps - 1))
        try:
            loss = _step(loop, position, rate)
        except LossIsNoNumber:
            return
        if not isfinite(loss):
            return
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smoothed = mean / (1 - SMOOTHING ** (number + 1))
        yield Point(rate, loss, smoothed)
        best = min(best, smoothed)
        if number >= 10 and smoothed > DIVERGED * best:
            return


def _step(loop: Loop, position: Position, rate: float) -> float:
    """One step at this learning rate; its loss."""
    examples, rows = loop.examples(position.epoch)
    picked = rows[slice(*loop.cuts[position.step])]
    base = loop.recipe.optimizer.lr or 1.0
    moment = Moment(position.epoch * len(loop.cuts) + position.step, float(position.epoch), rate / base)
    batch: Batch = loop.feed(examples.pick(picked), position.epoch)
    return float(loop.learner.step([batch], len(picked), moment).loss)


def _positions(loop: Loop) -> Iterator[Position]:
    """The steps of one epoch after the other, without end."""
    epoch = 0
    while True:
        for step in range(len(loop.cuts)):
            yield Position(epoch, step)
        epoch += 1


def judged(points: tuple[Point, ...]) -> Rates:
    """What a search found."""
    if len(points) < 3:
        return Rates(points, None, None, None)
    slopes = [
        ((after.smoothed - before.smoothed) / log(after.rate / before.rate), here.rate)
        for before, here, after in zip(points, points[1:], points[2:], strict=False)
    ]
    slope, steepest = min(slopes)
    lowest = min(points, key=lambda point: point.smoothed).rate
    if slope >= 0:
        return Rates(points, None, lowest, None)
    return Rates(points, steepest, lowest, exp((log(steepest) + log(lowest / 10)) / 2))


# --- one batch ------------------------------------------------------------------------------------------------------

BATCH_STEPS = 500
"""At most so many steps a batch is learned by heart."""
LEARNED = 0.05
"""A batch is learned when its loss is below this share of the first one, or every class is right."""
_LOOK_EVERY = 20


class Overfit(NamedTuple):
    """How a single batch was learned: the first loss, the last numbers, the steps made, and whether that will do."""

    first: float
    last: dict[str, float]
    steps: int
    learned: bool


def overfit(graph: Graph | Pair, recipe: Recipe, options: Options) -> Overfit:
    """Train on one batch alone until it is known by heart: a network that can't do that has a fault.

    Raises TrainingError.
    """
    _alone(graph)
    progress = Progress(options.stream or sys.stdout, quiet=options.quiet, color=options.color)
    batch = recipe.batch
    recipe = recipe._replace(validation=0, test=False, schedule=option(Constant), accumulate=1, **ENDLESS)
    with seeded(recipe.seed, device_of(options.device)) as device, watched(graph, recipe, device):
        loop = make(graph, recipe, options._replace(limit=min(batch, options.limit or batch)), device).loop
        found = loop.evaluate(loop.split.train)
        first, steps = found["loss"], 0
        progress.head(f"{graph.name}: one batch of {len(loop.split.train)} examples, again and again")
        progress.note(f"  loss {recipe.loss}, optimizer {recipe.optimizer}")
        progress.line(f"step {0:>4}  loss {first:.4g}")
        while steps < BATCH_STEPS and not _known(first, found):
            loop.learner.begin(training=True)
            for _ in range(_LOOK_EVERY):
                loop.step(*loop.examples(0), Position(steps, 0))
                steps += 1
            found = loop.evaluate(loop.split.train)
            progress.line(f"step {steps:>4}  {saying.numbers(found, loop)}")
        return Overfit(first, found, steps, _known(first, found))


def _known(first: float, found: dict[str, float]) -> bool:
    return found["loss"] <= LEARNED * first or found.get("accuracy") == 1.0


# --- all of it, quickly ---------------------------------------------------------------------------------------------

DEV_BATCHES = 3
"""Batches of each part in a run that only tries everything."""


def dev_run(graph: Graph | Pair, recipe: Recipe, options: Options) -> Result:
    """Two epochs of three batches, with everything that a run does, in a folder that is removed: the result has none.

    Raises TrainingError.
    """
    limit = DEV_BATCHES * recipe.batch * recipe.accumulate
    with tempfile.TemporaryDirectory(prefix="cnndsl-") as folder:
        small = options._replace(out=folder, limit=min(limit, options.limit or limit))
        result = train(graph, recipe._replace(epochs=min(2, recipe.epochs)), small)
        with options.processes.together() as leads:
            if leads and result.run is not None and not result.stopped:
                _check_rebuilt(result.run, small._replace(processes=ALONE))
        return result._replace(run=None)


def _check_rebuilt(run: Path, options: Options) -> None:
    """Whether the run's folder alone gives the network again. Raises TrainingError."""
    from safetensors.torch import load_file

    graph, recipe = read_run(run)
    with seeded(recipe.seed, device_of(options.device)) as device:
        loop = make(graph, recipe, options, device).loop
        state, _ = checkpoints.load(run)
        if state is None:
            raise TrainingError("the run left no checkpoint")
        loop.restore(state)
        if loop.best is not None:
            loop.learner.measured.load_state_dict(loop.best.weights)
        saved: dict[str, Tensor] = load_file(run / run_folder.WEIGHTS)
        again = loop.learner.measured.state_dict()
        if any(not torch.equal(saved[name], tensor.cpu()) for name, tensor in again.items()):
            raise TrainingError("the run's folder gives other weights than the run had")
