"""Training a network by its recipe, from the data to the run folder; and going on with a run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.runtime import checkpoints, run_folder
from cnndsl.runtime.data.feed import Feed
from cnndsl.runtime.data.prepare import Prepared, prepare
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import wanted_for
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.files import write_file
from cnndsl.runtime.loop import Interrupts, Loop, Row, StopRequest, epochs
from cnndsl.runtime.module import build_module
from cnndsl.runtime.progress import Progress


class Options(NamedTuple):
    """What belongs to a run but not to the recipe.

    data_root: folder of the data sets; out: where run folders are made; device: `cpu`, `cuda` or `auto`;
    limit: at most so many examples of each part; dry_run: say what would be done, and do nothing;
    stream: where progress is written (standard output), color: `auto`, `always` or `never`; settings: the
    parameters set from outside, as written, that `resume` sets again; uses: the files that the spec used, as
    `cnndsl.files.kept_files` gives them.
    """

    data_root: str | None = None
    out: str = "runs"
    device: str = "auto"
    limit: int | None = None
    quiet: bool = False
    dry_run: bool = False
    stream: Any = None
    color: str = "auto"
    settings: tuple[tuple[str, str], ...] = ()
    uses: dict[str, Any] | None = None


DEFAULTS = Options()


class Result(NamedTuple):
    """What a run came to. `run` is its folder, None for a dry one; `test` is None where no test was made.

    history: a row for each epoch, with the columns of metrics.csv.
    """

    run: Path | None
    history: tuple[Row, ...]
    test: dict[str, float] | None
    stopped: bool


def train(graph: Graph, recipe: Recipe, options: Options = DEFAULTS) -> Result:
    """Train a complete graph by a recipe that `cnndsl.recipe.read` found nothing wrong with.

    Raises TrainingError. PyTorch's random state and settings are afterwards as they were before.
    """
    progress = _progress(options)
    with _settings(recipe.seed, device_of(options.device)) as device:
        with _memory_watched(recipe):
            job = _prepare(graph, recipe, options, device)
        _say_plan(job, progress)
        if options.dry_run:
            return Result(None, (), None, False)
        run = _begin(job)
        progress.line(f"run folder {run}")
        return _go(job, run, progress)


def resume(run: Path, graph: Graph, recipe: Recipe, options: Options = DEFAULTS) -> Result:
    """Go on with a run from its last whole checkpoint, or from the beginning if it has none.

    `graph` and `recipe` are those of the run's own folder (`cnndsl.runtime.rebuild.read_run`); only the
    recipe's `epochs` may be others. Raises TrainingError.
    """
    progress = _progress(options)
    about = run_folder.read_recipe(run)
    device = device_of(options.device if options.device != "auto" else str(about.get("device", "auto")))
    threads = about.get("environment", {}).get("threads")
    with _settings(recipe.seed, device, threads if isinstance(threads, int) else None):
        with _memory_watched(recipe):
            job = _prepare(graph, recipe, options._replace(limit=about.get("limit")), device)
        _say_environment(about, device, progress)
        state, damaged = checkpoints.load(run)
        for path in damaged:
            progress.line(f"{path.name} is damaged and was passed over")
        if state is not None:
            job.loop.restore(state)
        done = job.loop.position
        if done.epoch >= recipe.epochs and (run / run_folder.RESULT).exists():
            progress.line(f"{run} is complete: {_epochs(done.epoch)}; --epochs N goes on up to N")
            return Result(run, tuple(job.loop.history), None, False)
        if recipe.to_json() != about["recipe"]:
            run_folder.write_json(run / run_folder.RECIPE, {**about, "recipe": recipe.to_json()})
        progress.line(f"going on with {run} after epoch {done.epoch}" + (f", step {done.step}" if done.step else ""))
        return _go(job, run, progress)


def _progress(options: Options) -> Progress:
    return Progress(options.stream or sys.stdout, quiet=options.quiet, color=options.color)


# --- preparation ----------------------------------------------------------------------------------------------------


class _Job(NamedTuple):
    """A run that is ready to go."""

    graph: Graph
    recipe: Recipe
    options: Options
    prepared: Prepared
    loop: Loop


def device_of(wanted: str) -> torch.device:
    """The device of that name; `auto` is the GPU if there is one. Raises TrainingError."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError("PyTorch finds no CUDA device here", "train with --device cpu")
    return torch.device(wanted)


@contextlib.contextmanager
def _settings(seed: int, device: torch.device, threads: int | None = None) -> Iterator[torch.device]:
    """Seeded random numbers and the same kernels at each run; everything as before at the end."""
    before = torch.get_num_threads()
    cudnn = torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic
    # Sums depend on how many threads share them, so that a resumed run uses as many as it began with.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            if threads is not None and 0 < threads <= (os.cpu_count() or 1):
                torch.set_num_threads(threads)
            cudnn.benchmark, cudnn.deterministic = False, True
            torch.manual_seed(seed)
            yield device
        finally:
            torch.set_num_threads(before)
            cudnn.benchmark, cudnn.deterministic = flags


def _prepare(graph: Graph, recipe: Recipe, options: Options, device: torch.device) -> _Job:
    """The network, its data and the loop. The seed must be set: it gives the weights."""
    module = build_module(graph)
    wanted = wanted_for(graph, recipe, options.data_root)
    raw = read(recipe.data, wanted)
    prepared = prepare(raw, recipe, wanted.input, options.limit, wanted.task)
    # Kernels of 2-D convolutions are faster where channels stand last in memory, on CPUs and GPUs alike.
    ranks = {p.dim() for p in module.parameters()}
    flat = 4 in ranks and 5 not in ranks and len(wanted.input) == 3
    memory_format = torch.channels_last if flat else torch.contiguous_format
    module = module.to(device).to(memory_format=memory_format)  # type: ignore[call-overload]
    split = prepared.split.each(lambda part: part.to(device))
    feed = Feed(prepared.prepare, device, memory_format=memory_format, seed=recipe.seed)
    loop = Loop(module, recipe, split, feed, wanted.output[0], penalties(graph, module), device)
    return _Job(graph, recipe, options, prepared, loop)


def penalties(graph: Graph, module: nn.Module) -> list[tuple[float, Tensor]]:
    """Each weight that a layer's `l2=` puts into the loss, with its factor; biases are not among them."""
    from cnndsl.codegen import module_paths

    factors = {node.index: getattr(node.layer, "l2", 0.0) for node in graph.nodes if node.shares is None}
    if not any(factors.values()):
        return []
    paths = module_paths(graph)
    return [
        (factor, parameter)
        for index, factor in factors.items()
        if factor
        for name, parameter in module.get_submodule(paths[index]).named_parameters()
        if parameter.requires_grad and "bias" not in name
    ]


# --- the run --------------------------------------------------------------------------------------------------------


def _begin(job: _Job) -> Path:
    """The run's folder with everything that going on needs. recipe.json, the last, makes it one."""
    from cnndsl.codegen import emit

    graph, recipe, options = job.graph, job.recipe, job.options
    run = run_folder.create(Path(options.out), graph.name)
    write_file(run / run_folder.SPEC, graph.span.source.text)
    if options.uses is not None:
        run_folder.write_json(run / run_folder.USES, options.uses)
    write_file(run / run_folder.SOURCE, emit(graph))
    about = {
        "version": run_folder.VERSION,
        "network": graph.name,
        "file": graph.span.source.name,
        "settings": dict(options.settings),
        "recipe": recipe.to_json(),
        "prepare": job.prepared.prepare.to_json(),
        "limit": options.limit,
        "device": job.loop.device.type,
        "environment": run_folder.environment(job.loop.device),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    run_folder.write_json(run / run_folder.RECIPE, about)
    return run


def _go(job: _Job, run: Path, progress: Progress) -> Result:
    """The epochs that are left, then the test."""
    loop = job.loop
    try:
        with Interrupts() as stop, _memory_watched(job.recipe):
            try:
                for row in epochs(loop, progress, stop):
                    _save(run, loop)
                    progress.line(_epoch_line(row, loop))
            except StopRequest:
                return _stop(job, run, progress)
            return _finish(job, run, progress)
    except TrainingError as error:
        progress.clear()
        if error.help is None and checkpoints.found(run):
            error.help = f"what was reached is kept: cnndsl train --resume {run}"
        raise
    finally:
        progress.clear()


def _save(run: Path, loop: Loop) -> None:
    checkpoints.save(run, *loop.position, loop.state())
    run_folder.write_metrics(run, loop.history)


def _stop(job: _Job, run: Path, progress: Progress) -> Result:
    loop = job.loop
    _save(run, loop)
    _write_weights(job, run)
    done = loop.position
    progress.line(f"stopped in epoch {done.epoch + 1} after step {done.step}; everything is saved")
    progress.line(f"go on with: cnndsl train --resume {run}")
    return Result(run, tuple(loop.history), None, True)


def _finish(job: _Job, run: Path, progress: Progress) -> Result:
    loop, test = job.loop, None
    run_folder.write_metrics(run, loop.history)
    _write_weights(job, run)
    if loop.split.test is not None:
        test = loop.evaluate(loop.split.test)
        count = len(loop.split.test)
        progress.head(f"test  {_numbers(test, job.recipe)}  ({count:,} examples)")
    result = {"epochs": loop.position.epoch, "last": loop.history[-1], "test": test}
    run_folder.write_json(run / run_folder.RESULT, result)
    progress.line(f"saved {run / run_folder.WEIGHTS}")
    return Result(run, tuple(loop.history), test, False)


def _write_weights(job: _Job, run: Path) -> None:
    about = {"network": job.graph.name, "prepare": json.dumps(job.prepared.prepare.to_json())}
    run_folder.write_weights(run, job.loop.module, about)


@contextlib.contextmanager
def _memory_watched(recipe: Recipe) -> Iterator[None]:
    """Turns what PyTorch raises, "out of memory" in its several ways above all, into one sentence."""
    try:
        yield
    except ValueError as error:  # such as a batch norm that is given a single value
        raise TrainingError(f"PyTorch can't train this: {str(error).splitlines()[0]}") from error
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise TrainingError(f"PyTorch can't train this: {str(error).splitlines()[0]}") from error
        raise TrainingError(
            f"there is not enough memory for batches of {recipe.batch}", f"try `batch {max(1, recipe.batch // 2)}`"
        ) from error


# --- what is said ---------------------------------------------------------------------------------------------------


def _say_plan(job: _Job, progress: Progress) -> None:
    recipe, loop, split = job.recipe, job.loop, job.loop.split
    count = sum(p.numel() for p in loop.parameters)
    where = "GPU" if loop.device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    progress.head(f"{job.graph.name}: {count:,} parameters to train, on the {where}")
    parts = [f"{len(split.train):,} examples to train"]
    parts += [f"{len(split.validation):,} to validate"] if split.validation is not None else []
    parts += [f"{len(split.test):,} for the test at the end"] if split.test is not None else []
    said = [f"data {recipe.data.name}: {', '.join(parts)}", *job.prepared.said]
    said += [f"loss {recipe.loss}", f"optimizer {recipe.optimizer}"]
    said += [f"schedule {recipe.schedule}"] if recipe.schedule.name != "constant" or recipe.schedule.warmup else []
    steps = len(loop.cuts)
    said.append(f"batch {recipe.batch}: {steps:,} steps an epoch, {loop.steps:,} in {_epochs(recipe.epochs)}")
    said.append(f"seed {recipe.seed}")
    for text in said:
        progress.note("  " + text)


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def _say_environment(about: dict[str, Any], device: torch.device, progress: Progress) -> None:
    """Where the machine or PyTorch is another, the numbers may be, too."""
    now, then = run_folder.environment(device), about.get("environment", {})
    changed = [f"{key} {then.get(key)} -> {now[key]}" for key in now if then.get(key) != now[key]]
    if changed:
        progress.line(f"note: begun elsewhere, so that the last digits may differ: {', '.join(changed)}")


def _epoch_line(row: Row, loop: Loop) -> str:
    total = str(loop.recipe.epochs)
    parts = [f"epoch {int(row['epoch']):>{len(total)}}/{total}"]
    for part in ("train", "validation"):
        found = {name: row[f"{part}_{name}"] for name in loop.objective.names if f"{part}_{name}" in row}
        if found:
            parts.append(f"{part} {_numbers(found, loop.recipe)}")
    return "  ".join([*parts, f"{row['seconds']:.1f} s"])


def _numbers(values: dict[str, float], recipe: Recipe) -> str:
    shares = {metric.name for metric in recipe.metrics if metric.share}
    return " ".join(f"{name} {value:{'.2%' if name in shares else '.4g'}}" for name, value in values.items())
