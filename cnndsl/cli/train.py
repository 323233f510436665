"""`cnndsl train`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.group import alone, first_speaks, grouped, started
from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.training import Chosen, Failed, choose, need_torch, recipe_options, trained

if TYPE_CHECKING:
    from cnndsl.runtime.processes import Processes
    from cnndsl.runtime.train import Result

STOPPED = 130


@click.command(context_settings=CONTEXT)
@click.argument("file", metavar="FILE[:NETWORK]", required=False)
@recipe_options
@click.option("--epochs", type=click.IntRange(min=1), help="Short for --set-train epochs=N.")
@click.option("--seed", type=click.IntRange(min=0), help="Short for --set-train seed=N.")
@click.option("--out", metavar="FOLDER", default="runs", show_default=True, help="Where the run's folder is made.")
@click.option("--resume", metavar="RUN", type=click.Path(path_type=Path), help="Go on with the run in this folder.")
@click.option("--init-from", metavar="RUN|FILE", help="Start with the weights of a run or of safetensors that fit.")
@click.option("--keep", metavar="N", type=click.IntRange(min=1), default=2, help="Keep the last N checkpoints; 2.")
@click.option("--deterministic", is_flag=True, help="Only algorithms that give the same bits; says what that costs.")
@click.option("--compile", "compiled", is_flag=True, help="Let torch.compile make the network faster, if it can.")
@click.option("--overfit-batch", is_flag=True, help="Only see whether one batch can be learned by heart.")
@click.option("--fast-dev-run", is_flag=True, help="Only try everything: two epochs of three batches.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--nproc", metavar="N", type=click.IntRange(min=1), help="Train with N processes on this machine.")
@click.option("--max-restarts", metavar="N", type=click.IntRange(min=0), help="With --nproc: go on after N crashes.")
@click.option("--sync-bn", is_flag=True, help="Batch norms see the batches of all processes; needs GPUs.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@color_option
@click.pass_context
def train(context: click.Context, /, file: str | None, resume: Path | None, color: str, **given: Any) -> int:
    """Train a network by the recipe in its file, and leave a run folder.

    \b
    cnndsl train lenet5.cnn                       by its train: block
    cnndsl train lenet5.cnn --epochs 3 --set-train optimizer='sgd lr=0.1'
    cnndsl train nets.cnn:Small --data-root ~/data
    cnndsl train --resume runs/LeNet5-1           go on after Ctrl-C or a crash
    cnndsl train lenet5.cnn --overfit-batch       can it learn one batch?
    cnndsl train lenet5.cnn --nproc 2             two processes, half of each batch each

    Without a train: block the network is trained on scikit-learn's digits, if they fit.
    """
    with first_speaks():
        _refuse(file, resume, given)
        starts = given["nproc"] is not None and not started()
        if resume is not None:
            need_torch()
            work: Callable[[Processes], int] = partial(_resume, resume, color, given)
        else:
            assert file is not None
            short = [(name, str(given[name])) for name in ("epochs", "seed") if given[name] is not None]
            sets, quiet = (*given["set_train"], *short), given["quiet"] or starts
            chosen = choose(file, given["sets"], given["root"], sets, color, quiet=quiet)
            if not isinstance(chosen, Chosen):
                return chosen
            work = partial(_train, chosen, given, color)
    if starts:
        from cnndsl.runtime.launch import launch

        return trained(lambda: launch(context.obj, given["nproc"], given["max_restarts"] or 0), color)
    return grouped(work, given["device"], color)


def _refuse(file: str | None, resume: Path | None, given: dict[str, Any]) -> None:
    """Raises click.UsageError for options that don't go together."""
    if file is None and resume is None:
        raise click.UsageError("Give a spec to train, or --resume with a run's folder.")
    if file is not None and resume is not None:
        raise click.UsageError(f"--resume goes on with the spec in {resume}: leave {file} away.")
    if sum(given[name] for name in _TRIALS) > 1:
        raise click.UsageError("Only one of --overfit-batch, --fast-dev-run and --dry-run at a time.")
    if resume is not None and (any(given[name] for name in _KEPT if name != "seed") or given["seed"] is not None):
        raise click.UsageError(
            "A resumed run keeps its settings: only --epochs, --device and --data-root may change. For others begin a "
            f"new run with its weights: --init-from {resume}"
        )
    if given["max_restarts"] is not None and given["nproc"] is None:
        raise click.UsageError("--max-restarts goes with --nproc; torchrun has an option of that name, too.")
    if given["overfit_batch"]:
        alone("--overfit-batch", given["nproc"])


_SWITCHES = ("deterministic", "compiled", "sync_bn")
_TRIALS = ("overfit_batch", "fast_dev_run", "dry_run")
_KEPT = ("sets", "set_train", "seed", "limit", "init_from", *_SWITCHES, *_TRIALS)
"""What a resumed run has from its beginning."""


def _train(chosen: Chosen, given: dict[str, Any], color: str, processes: Processes) -> int:
    from cnndsl.runtime.train import Options, begun
    from cnndsl.runtime.train import train as run

    names = ["data_root", "device", "quiet", "out", "limit", "init_from", "dry_run", "keep", *_SWITCHES]
    options = Options(
        **{name: given[name] for name in names},
        color=color,
        settings=given["sets"],
        uses=chosen.uses,
        processes=processes,
    )
    if given["overfit_batch"]:
        return _overfit(chosen, options)
    if given["fast_dev_run"]:
        from cnndsl.runtime.trials import dev_run

        result = dev_run(chosen.graph, chosen.recipe, options)
        if not result.stopped and not options.quiet and processes.leads:
            click.echo("everything works; nothing is left of this run")
        return _code(result)
    if (before := begun(chosen.graph.name, options)) is not None:
        return _resume(before, color, given | {"epochs": None}, processes)
    return _code(run(chosen.graph, chosen.recipe, options))


def _overfit(chosen: Chosen, options: Any) -> int:
    """Raises Failed if the batch was not learned."""
    from cnndsl.runtime.trials import overfit

    found = overfit(chosen.graph, chosen.recipe, options)
    if not found.learned:
        raise Failed(
            f"{found.steps} steps did not teach it one batch: the loss went from {found.first:.4g} to "
            f"{found.last['loss']:.4g}",
            "try another learning rate (cnndsl lr-find); look for a layer that lets nothing through",
            1,
        )
    if not options.quiet:
        click.echo(f"learned by heart in {found.steps} steps")
    return 0


def _resume(run: Path, color: str, given: dict[str, Any], processes: Processes) -> int:
    from cnndsl.runtime.rebuild import read_run
    from cnndsl.runtime.train import Options, resume

    with processes.together():
        graph, recipe = read_run(run)
    if given["epochs"] is not None:
        recipe = recipe._replace(epochs=given["epochs"])
    where = {name: given[name] for name in ("data_root", "device", "quiet")}
    return _code(resume(run, graph, recipe, Options(**where, color=color, processes=processes)))


def _code(result: Result) -> int:
    return STOPPED if result.stopped else 0
