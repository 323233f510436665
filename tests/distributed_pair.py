"""What each process of a pair does for tests/test_distributed.py: `python distributed_pair.py FOLDER`.

It writes what it found to FOLDER/RANK.pt; alone (no RANK in the environment) it would find what one process does.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cnndsl.elaborate import elaborate
from cnndsl.graph import Graph
from cnndsl.recipe import Recipe, read
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.job import Options, make
from cnndsl.runtime.loop import Loop, StopRequest
from cnndsl.runtime.processes import ALONE, Agreement, Processes, joined
from cnndsl.runtime.progress import Progress
from cnndsl.source import Source
from cnndsl.syntax import parse

CPU = torch.device("cpu")
DENSE = "input 8x8x1\ndense 24, tanh\ndense 10"

RECIPES = {
    # 109 examples: the last batch has 19; moved, turned, spoiled, the mean of weights, a bounded gradient.
    "augmented": (
        DENSE,
        "batch 30\naugment crop 1, affine rotate=10, noise 0.1, cutout 2\n"
        "ema 0.8\nclip 0.5\nmetrics accuracy per_class",
    ),
    # Examples mixed with others of the batch, which another process has.
    "mixed": (DENSE, "batch 30\naugment mixup, cutmix\noptimizer adam 0.01"),
    # A last batch of three, which one process has alone; in a step of several batches, too.
    "idle": (DENSE, "batch 53\nschedule cosine warmup=0.5"),
    "accumulated": (DENSE, "batch 15\naccumulate 3\nearly_stopping 3 on=accuracy"),
    # A loss that is a sum, weights in the loss, a head for training, a path that no loss looks at, whitened kernels.
    "sum": ("input 8x8x1\nconv 3x3x4 l2=1e-2, relu\ndense 10", "batch 26\nloss half_squared\noptimizer sgd 0.001"),
    "curved": (DENSE, "batch 30\noptimizer sdlm"),
    # Some weights have gradients in the first epoch alone, others in all but that.
    "frozen later": (f"{DENSE} as head", "batch 30\noptimizer sgd 0.05 momentum=0.9\nfreeze head.weight after=1"),
    "rates": (f"{DENSE} as head", "batch 30\noptimizer adamw 0.01\nrate head 0.1\nrate head.bias 64"),
    "slow weights": (DENSE, "batch 30\noptimizer sgd 0.05 momentum=0.9\nlookahead 5 alpha=0.3 power=2"),
    "frozen first": (f"{DENSE} as head", "batch 30\noptimizer sgd 0.05 momentum=0.9\nfreeze head.weight epochs=1"),
    "heads": (
        "input 8x8x1\nconv 2x2x8 init=whiten frozen=weight, gelu\noutput early training:\n    dense 10\ndense 10",
        "batch 30\nloss early focal weight=0.5\nmetrics accuracy",
    ),
}
RANDOM = ("input 8x8x1\nconv 3x3x4, bn, relu, dropout 0.3\ndense 10", "batch 30\naugment crop 1\noptimizer adam 0.01")
INFINITE = (
    "input 2\ndense 1",
    "data table rows=[[0, 1, 0], [1, 0, 1], [1, 1, 1e30], [0, 0, 1], [0, 1, 1], [1, 1, 0]]\nnormalize none\nloss mse\n"
    "batch 6\nshuffle off\nvalidation 0\ntest off",
)


def parsed(net: str, recipe: str) -> tuple[Graph, Recipe]:
    lines = [*recipe.splitlines(), "epochs 3", *([] if "data" in recipe else ["data digits"])]
    text = f"network N\n{net}\ntrain:\n" + "".join(f"    {line}\n" for line in lines)
    document, faults = parse(Source("test.cnn", text))
    (one,), found = elaborate(document)
    made, more = read(one.settings, one.graph, one.train or one.graph.span)
    assert [*faults, *found, *more] == []
    return one.graph, made


def loop_of(net: str, recipe: str, processes: Processes = ALONE) -> Loop:
    graph, made = parsed(net, recipe)
    torch.manual_seed(made.seed)
    return make(graph, made, Options(limit=109, processes=processes), CPU).loop


def finished(loop: Loop, stop: Callable[[], bool] = lambda: False) -> Loop:
    progress = Progress(io.StringIO(), quiet=True)
    while not loop.done:
        loop.run_epoch(progress, stop)
    return loop


def found(loop: Loop) -> dict[str, Any]:
    """What training came to: weights, each epoch's numbers without the time, the test's."""
    weights = {name: tensor.clone() for name, tensor in loop.learner.measured.state_dict().items()}
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in loop.history]
    assert loop.split.test is not None
    return {"weights": weights, "history": rows, "test": loop.evaluate(loop.split.test)}


def trained(net: str, recipe: str, processes: Processes = ALONE) -> dict[str, Any]:
    return found(finished(loop_of(net, recipe, processes)))


def resumed(processes: Processes) -> dict[str, Any]:
    """A run that the second process was asked to stop, gone on with from what the first one would have saved."""
    whole = trained(*RANDOM, processes)
    loop = loop_of(*RANDOM, processes)
    asked = Agreement(lambda: processes.rank == 1 and loop.position >= (1, 2), processes)
    try:
        finished(loop, asked)
    except StopRequest:
        stopped = loop.position
    buffer = io.BytesIO()
    torch.save(loop.state(), buffer)
    content = processes.content(buffer.getvalue() if processes.leads else None)
    assert content is not None
    state = torch.load(io.BytesIO(content), weights_only=True)
    again = loop_of(*RANDOM, processes)
    again.restore(state)
    return {"whole": whole, "stopped": tuple(stopped), "again": found(finished(again)), "state": state}


def refused(work: Callable[[], Any]) -> tuple[str, str, int]:
    """The error that it ends with."""
    try:
        work()
    except TrainingError as error:
        return type(error).__name__, error.message, error.exit_code
    raise AssertionError("nothing was refused")


def failing(processes: Processes) -> None:
    with processes.together():
        if processes.rank == 1:
            raise TrainingError("no luck")


def main(folder: Path) -> None:
    with joined("cpu") as processes:
        torch.set_num_threads(1)
        results: dict[str, Any] = {name: trained(*given, processes) for name, given in RECIPES.items()}
        results["resumed"] = resumed(processes)
        results["infinite"] = refused(lambda: finished(loop_of(*INFINITE, processes)))
        results["failing"] = refused(lambda: failing(processes))
        other = f"batch {30 + processes.rank}"
        results["other recipe"] = refused(lambda: loop_of(DENSE, other, processes))
        results["small batch"] = refused(lambda: loop_of(DENSE, "batch 1", processes))
        torch.save(results, folder / f"{processes.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
