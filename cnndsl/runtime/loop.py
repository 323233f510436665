"""The training loop: epochs of steps, counted, measured, and interruptible between any two steps.

Nothing in a step waits for the device: losses are kept there and read when a line or the bar needs them.
"""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnndsl.recipe import Recipe
from cnndsl.runtime.data import Batch, Examples, Split
from cnndsl.runtime.data.feed import Batches, Feed
from cnndsl.runtime.errors import NotFiniteError, TrainingError
from cnndsl.runtime.learners import Learner, LossIsNoNumber, Moment
from cnndsl.runtime.processes import ALONE, Processes
from cnndsl.runtime.progress import Progress

LOOK_EVERY = 50
"""Steps between two looks at whether the loss is still a number."""
MOST_EVALUATED = {"cpu": 256, "cuda": 2048}
"""Most examples in one batch of an evaluation, if training takes no larger ones, by the kind of device."""
EVALUATED_VALUES = {"cpu": 4_000_000, "cuda": 16_000_000}
"""Most input values in one batch of an evaluation, which keeps no activations, by the kind of device."""

Row = dict[str, float]
"""The numbers of one epoch, by the names of metrics.csv's columns."""


class Position(NamedTuple):
    """Whole epochs done, and steps done in the one begun."""

    epoch: int = 0
    step: int = 0


class Best(NamedTuple):
    """The epoch that met the validation set best, by what early stopping watches, and its weights."""

    epoch: int
    value: float
    weights: dict[str, Tensor]


class StopRequest(Exception):  # noqa: N818
    """The user asked to stop; the state is that of a whole step."""


def batches(examples: int, batch: int) -> list[tuple[int, int]]:
    """Where each step's examples begin and end.

    The last batch of an epoch may be smaller. A single example left over joins the batch before it: batch
    norm can't normalize one.
    """
    ends = list(range(batch, examples, batch))
    if ends and batch > 1 and examples - ends[-1] == 1:
        ends.pop()
    return list(zip([0, *ends], [*ends, examples], strict=True))


def order(examples: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch sees its examples: a function of the seed and the epoch alone."""
    random = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(examples, generator=random)


def evaluated(examples: Examples, batch: int, device: torch.device) -> list[tuple[int, int]]:
    """Where each batch of an evaluation begins and ends: larger ones than in training, `batch` at least."""
    values = EVALUATED_VALUES[device.type] // max(1, int(examples.inputs[0].numel()))
    many = max(batch, min(MOST_EVALUATED[device.type], values))
    return [(start, min(start + many, len(examples))) for start in range(0, len(examples), many)]


@torch.no_grad()
def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all are numbers. Their sums tell, unless one is larger than any number."""
    there = list(tensors)
    sums = torch.stack([one.sum() for one in there]) if there else torch.zeros(1)
    return bool(torch.isfinite(sums).all()) or all(bool(torch.isfinite(one).all()) for one in there)


class Loop:
    """A network in training. `position`, `sums`, `best` and `history` say how far it has come.

    Each step takes `accumulate` batches of the recipe. Of several processes each has its share of every batch, and
    `sums` are those over its own examples.
    """

    def __init__(
        self,
        learner: Learner,
        recipe: Recipe,
        split: Split,
        feed: Feed,
        device: torch.device,
        processes: Processes = ALONE,
    ) -> None:
        self.learner = learner
        self.recipe = recipe
        self.split = split
        self.feed = feed
        self.device = device
        self.processes = processes
        self.cuts = batches(len(split.train), recipe.batch * recipe.accumulate)
        self.position = Position()
        self.history: list[Row] = []
        self.sums = self._zeros()
        self.seconds = 0.0
        self.best: Best | None = None

    @property
    def steps(self) -> int:
        """Steps in all."""
        return len(self.cuts) * self.recipe.epochs

    def _zeros(self) -> Tensor:
        return torch.zeros(self.learner.width, dtype=torch.float64, device=self.device)

    # --- one epoch --------------------------------------------------------------------------------------------------

    def run_epoch(self, progress: Progress, stop: Callable[[], bool], save: Callable[[], None] | None = None) -> Row:
        """The rest of the epoch that `position` is in, then its measurement. `save` is called within it, as often as
        the recipe's `checkpoint` says.

        Raises StopRequest after a whole step, and NotFiniteError.
        """
        began = time.monotonic() - self.seconds
        epoch, first = self.position
        every = self.recipe.checkpoint.every if save is not None else 0
        train, rows = self.examples(epoch)
        losses = torch.zeros(len(self.cuts), device=self.device)
        title = f"epoch {epoch + 1}/{self.recipe.epochs}"
        self.learner.begin(training=True)
        if not first:
            self.learner.begin_epoch(lambda count: self.feed(train.pick(rows[:count])), epoch)
        progress.begin()
        for step in range(first, len(self.cuts)):
            start, end = self.cuts[step]
            losses[step] = self.step(train, rows[start:end], Position(epoch, step))
            self.position = Position(epoch, step + 1)
            if progress.due:
                seen = end - self.cuts[first][0]
                shown = float(losses[step]) * self.processes.size  # more or less: shares may differ by an example
                progress.bar(title, step + 1, len(self.cuts), seen, shown)
            last = step + 1 == len(self.cuts)
            if (step + 1) % LOOK_EVERY == 0 or last:
                self._look(losses, step + 1, weights=last)
            if stop():
                self._look(losses, step + 1, weights=True)
                self.seconds = time.monotonic() - began
                raise StopRequest
            if every and save is not None and not last and (epoch * len(self.cuts) + step + 1) % every == 0:
                self._look(losses, step + 1, weights=True)
                self.seconds = time.monotonic() - began
                save()
        row = self._row(epoch, time.monotonic() - began)
        self.position = Position(epoch + 1, 0)
        self.history.append(row)
        self.sums, self.seconds = self._zeros(), 0.0
        self._watch(row)
        return row

    def step(self, examples: Examples, rows: Tensor, position: Position) -> Tensor:
        """One update on these rows of the examples. The loss, on the device."""
        number = position.epoch * len(self.cuts) + position.step
        size = self.recipe.batch
        # A single example that joins a batch stays with it; of several batches to a step each has its own size.
        pieces = [rows] if self.recipe.accumulate == 1 else [rows[a:b] for a, b in batches(len(rows), size)]
        recorded = self.device.type == "cuda" and self.processes.size == 1
        source = self.feed.source(examples, position.epoch) if recorded else None
        made = Batches(lambda piece: self._batch(examples, piece, position.epoch), pieces, source, (self.feed.random,))
        moment = Moment(number, number / len(self.cuts), self.factor(number), (number + 1) / self.steps)
        try:
            stepped = self.learner.step(made, len(rows), moment)
        except LossIsNoNumber as found:
            raise self._not_finite(found.value, position) from None
        self.sums += stepped.sums
        return stepped.loss

    def _batch(self, examples: Examples, rows: Tensor, epoch: int) -> Batch:
        """The batch of these rows, or this process's share of it."""
        if self.processes.size == 1:
            return self.feed(examples.pick(rows), epoch)
        return self.feed.share(examples, rows, epoch, self.processes.share(len(rows), self.recipe.batch))

    def factor(self, number: int) -> float:
        """What the learning rate is multiplied by at a step of the run."""
        epoch = number // len(self.cuts)
        losses = [row["validation_loss"] for row in self.history[:epoch]] if self.recipe.schedule.watches else ()
        return self.recipe.schedule.factor(number, len(self.cuts), self.steps, losses)

    def rate(self, number: int) -> float:
        """The learning rate at a step of the run."""
        return self.recipe.optimizer.lr * self.factor(number)

    def examples(self, epoch: int) -> tuple[Examples, Tensor]:
        """What an epoch is trained on, and the order in which it sees them."""
        count = len(self.split.train)
        rows = order(count, self.recipe.seed, epoch) if self.recipe.shuffle else torch.arange(count)
        return self.split.train.in_epoch(self.recipe.seed, epoch), rows.to(self.split.train.inputs.device)

    def _look(self, losses: Tensor, done: int, *, weights: bool = False) -> None:
        """Raises NotFiniteError at the first step whose loss is no number; or if, after `done` steps, `weights` are
        none."""
        whole = self.processes.added(losses[:done])
        wrong = torch.nonzero(~torch.isfinite(whole))
        if len(wrong):
            step = int(wrong[0])
            raise self._not_finite(float(whole[step]), Position(self.position.epoch, step))
        if weights and not finite(self.learner.module.parameters()):
            raise self._not_finite(None, Position(self.position.epoch, done - 1))

    def _not_finite(self, value: float | None, position: Position) -> NotFiniteError:
        """The error for a loss of this value, or for weights."""
        epoch, step = position
        rate = self.rate(epoch * len(self.cuts) + step)
        what = "the weights became no numbers"
        if value is not None:
            what = f"the loss became {'NaN' if value != value else 'infinite'}"
        return NotFiniteError(
            f"{what} in step {step + 1} of epoch {epoch + 1}, at a learning rate of {rate:g}",
            "try a tenth of the learning rate, or bound the gradient with `clip 1`",
            epoch,
            step,
        )

    # --- measurement ------------------------------------------------------------------------------------------------

    def _row(self, epoch: int, seconds: float) -> Row:
        last = (epoch + 1) * len(self.cuts)
        row: Row = {"epoch": epoch + 1, "steps": last, "lr": self.rate(last - 1)}
        count = len(self.split.train)
        found = self.learner.values(self.processes.added(self.sums).tolist(), count, training=True)
        row.update((f"train_{name}", value) for name, value in found.items())
        if self.split.validation is not None:
            row.update((f"validation_{name}", value) for name, value in self.evaluate(self.split.validation).items())
        row["seconds"] = round(seconds, 3)
        return row

    def _watch(self, row: Row) -> None:
        """Keep the weights of an epoch that is better than any before."""
        watched = self.recipe.early_stopping
        value = row.get(f"validation_{watched.on}")
        if not watched.patience or value is None:
            return
        sign = -1 if any(watched.on in m.columns() and m.rises for m in self.recipe.metrics) else 1
        if self.best is None or sign * value < sign * self.best.value - watched.by:
            weights = {name: tensor.clone() for name, tensor in self.learner.measured.state_dict().items()}
            self.best = Best(self.position.epoch, value, weights)

    @property
    def done(self) -> bool:
        """Whether the run has come to its end: all epochs, or none better for as many as early stopping waits."""
        patience = self.recipe.early_stopping.patience
        epoch = self.position.epoch
        return epoch >= self.recipe.epochs or bool(patience and self.best and epoch - self.best.epoch >= patience)

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """The loss and the metrics over all examples, in evaluation mode."""
        self.learner.begin(training=False)
        total = self._zeros()
        for start, end in evaluated(examples, self.recipe.batch, self.device):
            share = self.processes.share(end - start, self.recipe.batch)
            if not share.idle:
                rows = torch.arange(start + share.start, start + share.end, device=examples.inputs.device)
                total += self.learner.measure(self.feed(examples.pick(rows)))
        self.learner.begin(training=True)
        return self.learner.values(self.processes.added(total).tolist(), len(examples), training=False)

    # --- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on, as tensors and plain data.

        What each process has of its own is gathered from all; `sums` are those over the examples of all.
        """
        several = {} if self.processes.size == 1 else {"processes": self._each()}
        return {
            "version": 2,
            "epoch": self.position.epoch,
            "step": self.position.step,
            "learner": self.learner.state(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
            "feed": self.feed.state(),
            "sums": self.processes.added(self.sums),
            "history": self.history,
            "seconds": self.seconds,
            "best": None if self.best is None else self.best._asdict(),
            **several,
        }

    def _each(self) -> dict[str, list[Tensor]]:
        """What the processes don't have in common, in the order of their ranks."""
        gathered = self.processes.gathered
        found = {"random": gathered(torch.get_rng_state()), "sums": gathered(self.sums)}
        if self.device.type == "cuda":
            found["cuda_random"] = gathered(torch.cuda.get_rng_state(self.device))
        return found

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`. Raises TrainingError if it is another network's."""
        try:
            self.learner.restore(state["learner"])
            self.position = Position(state["epoch"], state["step"])
            self.sums = state["sums"].to(self.device)
            self.history = list(state["history"])
            self.seconds = state["seconds"]
            self.best = None if state["best"] is None else Best(**state["best"])
            self._restore_random(state)
            self.feed.restore(state["feed"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise TrainingError(f"the checkpoint does not fit the network: {error}".splitlines()[0]) from None

    def _restore_random(self, state: dict[str, Any]) -> None:
        """The random numbers, and of several processes the sums, too. As many processes as before go on with what each
        had; of others the first goes on with what the first had, and the rest begin anew."""
        rank, size = self.processes.rank, self.processes.size
        each = state.get("processes", {})
        if size > 1 and len(each.get("random", ())) == size:
            torch.set_rng_state(each["random"][rank])
            self.sums = each["sums"][rank].to(self.device)
            if self.device.type == "cuda" and "cuda_random" in each:
                torch.cuda.set_rng_state(each["cuda_random"][rank], self.device)
            return
        if rank:
            self.sums = self._zeros()
            torch.manual_seed(own_seed(self.recipe.seed, rank, *self.position))
            return
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["cuda_random"]:
            if size == 1:
                torch.cuda.set_rng_state_all(state["cuda_random"][: torch.cuda.device_count()])
            else:
                torch.cuda.set_rng_state(state["cuda_random"][0], self.device)


def own_seed(seed: int, *numbers: int) -> int:
    """A seed for a process of a group, so that its random layers don't draw the first one's numbers again."""
    digest = hashlib.sha256(repr((seed, numbers)).encode()).digest()
    return int.from_bytes(digest[:7], "big")


class Interrupts:
    """While entered, Ctrl-C and SIGTERM ask to stop after the step; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        return bool(self.asked)

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = number


def epochs(
    loop: Loop, progress: Progress, stop: Callable[[], bool], save: Callable[[], None] | None = None
) -> Iterator[Row]:
    """The rows of the epochs that are left."""
    while not loop.done:
        yield loop.run_epoch(progress, stop, save)
