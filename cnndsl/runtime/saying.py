"""What a run says of itself: its plan, its epochs, and where it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cnndsl.recipe import Recipe
from cnndsl.runtime import run_folder
from cnndsl.runtime.loop import Loop, Row
from cnndsl.runtime.progress import Progress


def plan(name: str, recipe: Recipe, loop: Loop, prepared: tuple[str, ...], progress: Progress) -> None:
    """What will be done, before anything is."""
    split = loop.split
    count = sum(p.numel() for p in loop.learner.module.parameters() if p.requires_grad)
    threads = torch.get_num_threads()
    computing = f"CPU, {threads} {'thread' if threads == 1 else 'threads'}"
    where = "GPU" if loop.device.type == "cuda" else computing
    if loop.processes.size > 1:
        each = f"{computing} for each process"
        where = f"{loop.processes.size} GPUs" if loop.device.type == "cuda" else each
    progress.head(f"{name}: {count:,} parameters to train, on the {where}")
    parts = [f"{len(split.train):,} examples to train"]
    parts += [f"{len(split.validation):,} to validate"] if split.validation is not None else []
    parts += [f"{len(split.test):,} for the test at the end"] if split.test is not None else []
    said = [f"data {recipe.data.titled()}: {', '.join(parts)}", *prepared]
    said += [f"loss {recipe.loss}", *map(str, recipe.parts)]
    # Of two networks each may have its own, and then there is no other.
    shared = sum(part.setting == "optimizer" for part in recipe.parts) < 2
    said += [f"optimizer {recipe.optimizer}"] if shared else []
    said += _settings(recipe, loop)
    said.append(_batches(recipe, loop))
    said.append(f"seed {recipe.seed}")
    for text in said:
        progress.note("  " + text)


def _settings(recipe: Recipe, loop: Loop) -> list[str]:
    """The settings that are worth a line."""
    schedule = recipe.schedule
    said = [f"schedule {schedule}"] if schedule.name != "constant" or schedule.warmup else []
    said += [f"clip {recipe.clip:g}"] if recipe.clip else []
    said += [f"frozen {', '.join(recipe.freeze.layers)}{recipe.freeze.when}"] if recipe.freeze.layers else []
    said += [str(recipe.ema)] if recipe.ema.decay else []
    said += [str(recipe.lookahead)] if recipe.lookahead.k else []
    said += [str(recipe.early_stopping)] if recipe.early_stopping.patience else []
    said += [str(recipe.droppath)] if recipe.droppath.last is not None else []
    if recipe.precision == "auto":
        said.append(f"precision {'bf16' if loop.learner.bf16 else 'fp32'}, as this device computes natively")
    said += [f"precision {recipe.precision}"] if recipe.precision == "bf16" else []
    said += [str(recipe.tta)] if recipe.tta.mirror or recipe.tta.shift else []
    return said


def _batches(recipe: Recipe, loop: Loop) -> str:
    several = f", {recipe.accumulate} to a step" if recipe.accumulate > 1 else ""
    steps = "1 step" if len(loop.cuts) == 1 else f"{len(loop.cuts):,} steps"
    return f"batch {recipe.batch}{several}: {steps} an epoch, {loop.steps:,} in {epochs(recipe.epochs)}"


def regrouped(begun: int, now: int) -> str:
    """That a run goes on with another number of processes."""
    others = "1 process" if begun == 1 else f"{begun} processes"
    return (
        f"note: begun by {others} and gone on with by {now}: the batch is the same, but the last digits may "
        "differ, and random layers draw other numbers"
    )


def epochs(count: int) -> str:
    """So many epochs."""
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def environment(about: Mapping[str, Any], device: torch.device, progress: Progress) -> None:
    """Where the machine or PyTorch is another, the numbers may be, too."""
    now, then = run_folder.environment(device), about.get("environment", {})
    changed = [f"{key} {then.get(key)} -> {now[key]}" for key in now if then.get(key) != now[key]]
    if changed:
        progress.line(f"note: begun elsewhere, so that the last digits may differ: {', '.join(changed)}")


def epoch_line(row: Row, loop: Loop) -> str:
    """One line for an epoch."""
    total = str(loop.recipe.epochs)
    parts = [f"epoch {int(row['epoch']):>{len(total)}}/{total}"]
    for part in ("train", "validation"):
        found = {name.removeprefix(part + "_"): value for name, value in row.items() if name.startswith(part + "_")}
        if found:
            parts.append(f"{part} {numbers(found, loop)}")
    seconds = row["seconds"]
    return "  ".join([*parts, f"{seconds:.{1 if seconds >= 1 else 2}f} s"])


def numbers(values: dict[str, float], loop: Loop) -> str:
    """Losses and metrics, those that are shares as percentages."""
    said = loop.learner.shown(values)
    return " ".join(f"{name} {value:{'.2%' if share else '.4g'}}" for name, (value, share) in said.items())
