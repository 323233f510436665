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
from cnndsl.runtime import checkpoints, run_folder, saying, unchanged
from cnndsl.runtime.board import Board
from cnndsl.runtime.determinism import cost
from cnndsl.runtime.errors import NotFiniteError, TrainingError
from cnndsl.runtime.files import write_file
from cnndsl.runtime.job import DEFAULTS, Job, Options, device_of, make, seeded
from cnndsl.runtime.loop import Interrupts, Loop, Row, StopRequest, epochs
from cnndsl.runtime.memory import warning, watched
from cnndsl.runtime.processes import Agreement
from cnndsl.runtime.progress import Progress

__all__ = ["Options", "Result", "begun", "resume", "train"]


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
    processes = options.processes
    device = device_of(options.device, processes)
    with seeded(recipe.seed, device, processes.threads, deterministic=options.deterministic):
        with watched(graph, recipe, device, processes), processes.watched():
            job = make(graph, recipe, options, device)
        saying.plan(graph.name, recipe, job.loop, job.prepared.said, progress)
        if short := warning(graph, recipe, device, processes):
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
    processes = options.processes
    device = device_of(options.device if options.device != "auto" else str(about.get("device", "auto")), processes)
    threads = about.get("environment", {}).get("threads")
    threads = processes.threads or (threads if isinstance(threads, int) else None)
    options = options.again(about.get("options"))
    if checkpoints.found(run):
        options = options._replace(init_from=None)
    with seeded(recipe.seed, device, threads, deterministic=options.deterministic):
        with watched(graph, recipe, device, processes), processes.watched():
            job = make(graph, recipe, options, device)
        saying.environment(about, device, progress)
        _restore(job, run, progress)
        done = job.loop.position
        if job.loop.done and (run / run_folder.RESULT).exists():
            progress.line(f"{run} is complete: {saying.epochs(done.epoch)}; --epochs N goes on up to N")
            return Result(run, tuple(job.loop.history), None, False)
        with processes.together() as leads:
            if leads and recipe.to_json() != about["recipe"]:
                run_folder.write_json(run / run_folder.RECIPE, {**about, "recipe": recipe.to_json()})
        progress.line(f"going on with {run} after epoch {done.epoch}" + (f", step {done.step}" if done.step else ""))
        return _go(job, run, progress)


def begun(name: str, options: Options) -> Path | None:
    """The run that these processes have begun already, if they were started again after one of them was lost."""
    processes = options.processes
    if options.dry_run or processes.agent is None:
        return None
    agents = processes.exchanged(processes.agent)
    found = run_folder.launched_by(Path(options.out), name, agents) if processes.leads else None
    said = processes.told(None if found is None else str(found))
    return None if said is None else Path(said)


def _restore(job: Job, run: Path, progress: Progress) -> None:
    """Go to where the last whole checkpoint was written. One process reads it for all. Raises TrainingError."""
    processes = job.options.processes
    content: bytes | None = None
    with processes.together() as leads:
        content, damaged = checkpoints.read(run) if leads else (None, [])
    for path in damaged:
        progress.line(f"{path.name} is damaged and was passed over")
    content = processes.content(content)
    with processes.together():
        if content is not None:
            state = checkpoints.state_of(content, run)
            begun = len(state["processes"]["random"]) if "processes" in state else 1
            if begun != processes.size:
                progress.line(saying.regrouped(begun, processes.size))
            unchanged.check(state, job.recipe, job.loop.learner.module.state_dict(), run)
            job.loop.restore(state)


def _progress(options: Options) -> Progress:
    quiet = options.quiet or not options.processes.leads
    return Progress(options.stream or sys.stdout, quiet=quiet, color=options.color)


# --- the run --------------------------------------------------------------------------------------------------------


def _begin(job: Job) -> Path:
    """The run's folder: one of several processes makes it for all."""
    run: Path | None = None
    with job.options.processes.together() as leads:
        run = _folder(job) if leads else None
    return Path(job.options.processes.told(None if run is None else str(run)))


def _folder(job: Job) -> Path:
    """A new folder with everything that going on needs. recipe.json, the last, makes it a run's. Raises WriteError."""
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
        "options": options.kept(graph),
        "device": job.loop.device.type,
        "environment": run_folder.environment(job.loop.device),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    run_folder.write_json(run / run_folder.RECIPE, about)
    return run


def _go(job: Job, run: Path, progress: Progress) -> Result:
    """The epochs that are left, then the test."""
    loop, processes = job.loop, job.options.processes
    _launched(job, run)
    try:
        with (
            Interrupts() as asked,
            watched(job.graph, job.recipe, loop.device, processes),
            processes.watched(),
            closing(Board(run)) as board,
        ):
            stop = asked if processes.size == 1 else Agreement(asked, processes)
            try:
                for row in epochs(loop, progress, stop, lambda: _save(job, run)):
                    _save(job, run)
                    if processes.leads:
                        if job.show is not None:
                            job.show(run, int(row["epoch"]))
                        board.add(loop.history)
                    progress.line(saying.epoch_line(row, loop))
            except StopRequest:
                return _stop(job, run, progress)
            except NotFiniteError as error:
                raise _explained(error, job, run, progress) from None
            return _finish(job, run, progress)
    except TrainingError as error:
        progress.clear()
        if error.help is None and checkpoints.found(run):
            error.help = f"what was reached is kept: {processes.command(run)}"
        raise
    finally:
        progress.clear()


def _explained(error: NotFiniteError, job: Job, run: Path, progress: Progress) -> TrainingError:
    """The error with the layer where it began; several processes are sent for that to one."""
    from cnndsl.runtime.faults import explained

    if job.options.processes.size > 1:
        error.help = f"{error.help}; one process finds the layer where it began: cnndsl train --resume {run}"
        return job.options.processes.known(error)

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


def _launched(job: Job, run: Path) -> None:
    """Note which launchers' processes train this, so that those find it that are started again."""
    agents = job.options.processes.exchanged(job.options.processes.agent)
    with job.options.processes.together() as leads:
        if leads and agents[0] is not None:
            run_folder.write_json(run / run_folder.LAUNCH, {"agents": sorted(set(filter(None, agents)))})


def _save(job: Job, run: Path) -> None:
    loop = job.loop
    state = loop.state()
    with job.options.processes.together() as leads:
        if leads:
            checkpoints.save(run, *loop.position, state | unchanged.kept(job.recipe), job.options.keep)
            run_folder.write_metrics(run, loop.history)


def _stop(job: Job, run: Path, progress: Progress) -> Result:
    loop = job.loop
    _save(job, run)
    _write_weights(job, run)
    done = loop.position
    progress.line(f"stopped in epoch {done.epoch + 1} after step {done.step}; everything is saved")
    progress.line(f"go on with: {job.options.processes.command(run)}")
    return Result(run, tuple(loop.history), None, True)


def _finish(job: Job, run: Path, progress: Progress) -> Result:
    loop, test = job.loop, None
    with job.options.processes.together() as leads:
        if leads:
            run_folder.write_metrics(run, loop.history)
    best = loop.best
    if best is not None:
        loop.learner.measured.load_state_dict(best.weights)
        last = loop.position.epoch
        ended = f"; ended after {saying.epochs(last)}" if last < job.recipe.epochs else ""
        watched = saying.numbers({job.recipe.early_stopping.on: best.value}, loop)
        progress.line(f"best {watched} in epoch {best.epoch}{ended}")
    _write_weights(job, run)
    if loop.split.test is not None:
        test = loop.evaluate(loop.split.test)
        count = len(loop.split.test)
        progress.head(f"test  {saying.numbers(test, loop)}  ({count:,} examples)")
    kept = loop.history[(best.epoch if best is not None else 0) - 1]
    result = {"epochs": loop.position.epoch, "epoch": int(kept["epoch"]), "last": kept, "test": test}
    with job.options.processes.together() as leads:
        if leads:
            run_folder.write_json(run / run_folder.RESULT, result)
            _plot(job, run)
    progress.line(f"saved {run / run_folder.WEIGHTS}")
    return Result(run, tuple(loop.history), test, False)


def _plot(job: Job, run: Path) -> None:
    # Imported at the end of a run: nothing before needs to wait for it.
    from cnndsl.runtime.plots.of_run import of_job, scenes, write

    write(run, scenes(of_job(job, run.name)))


def _write_weights(job: Job, run: Path) -> None:
    about = {"network": job.graph.name, "prepare": json.dumps(job.prepared.prepare.to_json())}
    with job.options.processes.together() as leads:
        if leads:
            run_folder.write_weights(run, job.loop.learner.measured, about)
