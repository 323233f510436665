"""Training a network by its recipe, from the data to the run folder; and going on with a run."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import torch

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.pair import Pair
from cnndsl.runtime import checkpoints, run_folder, saying
from cnndsl.runtime.board import Board
from cnndsl.runtime.determinism import cost
from cnndsl.runtime.errors import NotFiniteError, TrainingError
from cnndsl.runtime.files import write_file
from cnndsl.runtime.job import DEFAULTS, Job, Options, device_of, make, seeded
from cnndsl.runtime.loop import Interrupts, Loop, Row, StopRequest, epochs
from cnndsl.runtime.memory import warning, watched
from cnndsl.runtime.progress import Progress

__all__ = ["Options", "Result", "resume", "train"]


class Result(NamedTuple):
    """What a run came to. `run` is its folder, None for a dry one; `test` is None where no test was made.

    history: a row for each epoch, with the columns of metrics.csv.
    """

    run: Path | None
    history: tuple[Row, ...]
    test: dict[str, float] | None
    stopped: bool


def train(graph: Graph | Pair, recipe: Recipe, options: Options = DEFAULTS) -> Result:
    """Train a complete graph by a recipe that `cnndsl.recipe.read` found nothing wrong with.

    Raises TrainingError. PyTorch's random state and settings are afterwards as they were before.
    """
    progress = _progress(options)
    with seeded(recipe.seed, device_of(options.device), deterministic=options.deterministic) as device:
        with watched(graph, recipe, device):
            job = make(graph, recipe, options, device)
        saying.plan(graph.name, recipe, job.loop, job.prepared.said, progress)
        if short := warning(graph, recipe, device):
            progress.line(f"note: {short}")
        if options.dry_run:
            return Result(None, (), None, False)
        if options.deterministic:
            progress.note(f"  deterministic: a step takes {cost(job.loop):.1f} times as long")
        run = _begin(job)
        progress.line(f"run folder {run}")
        return _go(job, run, progress)


def resume(run: Path, graph: Graph | Pair, recipe: Recipe, options: Options = DEFAULTS) -> Result:
    """Go on with a run from its last whole checkpoint, or from the beginning if it has none.

    `graph` and `recipe` are those of the run's own folder (`cnndsl.runtime.rebuild.read_run`); only the
    recipe's `epochs` may be others. Raises TrainingError.
    """
    progress = _progress(options)
    about = run_folder.read_recipe(run)
    device = device_of(options.device if options.device != "auto" else str(about.get("device", "auto")))
    threads = about.get("environment", {}).get("threads")
    threads = threads if isinstance(threads, int) else None
    options = options.again(about.get("options"))
    with seeded(recipe.seed, device, threads, deterministic=options.deterministic):
        with watched(graph, recipe, device):
            job = make(graph, recipe, options, device)
        saying.environment(about, device, progress)
        state, damaged = checkpoints.load(run)
        for path in damaged:
            progress.line(f"{path.name} is damaged and was passed over")
        if state is not None:
            job.loop.restore(state)
        done = job.loop.position
        if job.loop.done and (run / run_folder.RESULT).exists():
            progress.line(f"{run} is complete: {saying.epochs(done.epoch)}; --epochs N goes on up to N")
            return Result(run, tuple(job.loop.history), None, False)
        if recipe.to_json() != about["recipe"]:
            run_folder.write_json(run / run_folder.RECIPE, {**about, "recipe": recipe.to_json()})
        progress.line(f"going on with {run} after epoch {done.epoch}" + (f", step {done.step}" if done.step else ""))
        return _go(job, run, progress)


def _progress(options: Options) -> Progress:
    return Progress(options.stream or sys.stdout, quiet=options.quiet, color=options.color)


# --- the run --------------------------------------------------------------------------------------------------------


def _begin(job: Job) -> Path:
    """The run's folder with everything that going on needs. recipe.json, the last, makes it one."""
    from cnndsl.codegen import emit_file

    graph, recipe, options = job.graph, job.recipe, job.options
    run = run_folder.create(Path(options.out), graph.name)
    write_file(run / run_folder.SPEC, graph.span.source.text)
    if options.uses is not None:
        run_folder.write_json(run / run_folder.USES, options.uses)
    write_file(run / run_folder.SOURCE, emit_file(graph.graphs if isinstance(graph, Pair) else [graph]))
    about = {
        "version": run_folder.VERSION,
        "network": graph.name,
        "file": graph.span.source.name,
        "settings": dict(options.settings),
        "recipe": recipe.to_json(),
        "prepare": job.prepared.prepare.to_json(),
        "options": options.kept(),
        "device": job.loop.device.type,
        "environment": run_folder.environment(job.loop.device),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    run_folder.write_json(run / run_folder.RECIPE, about)
    return run


def _go(job: Job, run: Path, progress: Progress) -> Result:
    """The epochs that are left, then the test."""
    loop = job.loop
    try:
        with Interrupts() as stop, watched(job.graph, job.recipe, loop.device), closing(Board(run)) as board:
            try:
                for row in epochs(loop, progress, stop, lambda: _save(job, run)):
                    _save(job, run)
                    if job.show is not None:
                        job.show(run, int(row["epoch"]))
                    board.add(row)
                    progress.line(saying.epoch_line(row, loop))
            except StopRequest:
                return _stop(job, run, progress)
            except NotFiniteError as error:
                raise _explained(error, job, run, progress) from None
            return _finish(job, run, progress)
    except TrainingError as error:
        progress.clear()
        if error.help is None and checkpoints.found(run):
            error.help = f"what was reached is kept: cnndsl train --resume {run}"
        raise
    finally:
        progress.clear()


def _explained(error: NotFiniteError, job: Job, run: Path, progress: Progress) -> NotFiniteError:
    """The error with the layer where it began."""
    from cnndsl.runtime.faults import explained

    def again() -> Loop:
        """The run as it was at its last checkpoint, or at its beginning."""
        torch.manual_seed(job.recipe.seed)
        made = make(job.graph, job.recipe, job.options, job.loop.device).loop
        state, _ = checkpoints.load(run)
        if state is not None:
            made.restore(state)
        return made

    progress.line("the loss is no number any more; looking for where that began")
    return explained(error, job.loop, job.graph, again)


def _save(job: Job, run: Path) -> None:
    loop = job.loop
    checkpoints.save(run, *loop.position, loop.state(), job.options.keep)
    run_folder.write_metrics(run, loop.history)


def _stop(job: Job, run: Path, progress: Progress) -> Result:
    loop = job.loop
    _save(job, run)
    _write_weights(job, run)
    done = loop.position
    progress.line(f"stopped in epoch {done.epoch + 1} after step {done.step}; everything is saved")
    progress.line(f"go on with: cnndsl train --resume {run}")
    return Result(run, tuple(loop.history), None, True)


def _finish(job: Job, run: Path, progress: Progress) -> Result:
    loop, test = job.loop, None
    run_folder.write_metrics(run, loop.history)
    best = loop.best
    if best is not None:
        loop.learner.measured.load_state_dict(best.weights)
        last = loop.position.epoch
        ended = f"; ended after {saying.epochs(last)}" if last < job.recipe.epochs else ""
        progress.line(f"best {job.recipe.early_stopping.on} {best.value:.4g} in epoch {best.epoch}{ended}")
    _write_weights(job, run)
    if loop.split.test is not None:
        test = loop.evaluate(loop.split.test)
        count = len(loop.split.test)
        progress.head(f"test  {saying.numbers(test, loop)}  ({count:,} examples)")
    kept = loop.history[(best.epoch if best is not None else 0) - 1]
    result = {"epochs": loop.position.epoch, "epoch": int(kept["epoch"]), "last": kept, "test": test}
    run_folder.write_json(run / run_folder.RESULT, result)
    progress.line(f"saved {run / run_folder.WEIGHTS}")
    return Result(run, tuple(loop.history), test, False)


def _write_weights(job: Job, run: Path) -> None:
    about = {"network": job.graph.name, "prepare": json.dumps(job.prepared.prepare.to_json())}
    run_folder.write_weights(run, job.loop.learner.measured, about)
