"""The training loop: epochs of steps, measured, and interruptible between any two steps.

Nothing in a step waits for the device: losses are kept there and read when a line or the bar needs them.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnndsl.recipe import Recipe
from cnndsl.runtime.data import Batch, Examples, Split
from cnndsl.runtime.data.feed import Feed
from cnndsl.runtime.errors import NotFiniteError, TrainingError
from cnndsl.runtime.evaluate import function
from cnndsl.runtime.progress import Progress

LOOK_EVERY = 50
"""Steps between two looks at whether the loss is still a number."""
EVALUATED_VALUES = 4_000_000
"""Most input values in one batch of an evaluation, which keeps no activations."""

FUSED = ("torch.optim.SGD", "torch.optim.Adam", "torch.optim.AdamW")

Row = dict[str, float]
"""The numbers of one epoch, by the names of metrics.csv's columns."""


class Position(NamedTuple):
    """Whole epochs done, and steps done in the one begun."""

    epoch: int = 0
    step: int = 0


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


def optimizer(recipe: Recipe, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimizer, in PyTorch's fused form where there is one: the same rule in one call."""
    call = recipe.optimizer.code()
    if call.function in FUSED:
        call = call._replace(kwargs=(*call.kwargs, ("fused", True)))
    made: torch.optim.Optimizer = function(call)(parameters)
    return made


class Objective:
    """The loss and the metrics of a recipe, as functions of the network's output.

    classes: how many outputs there are, where the data's classes must become one-hot values.
    """

    def __init__(self, recipe: Recipe, outputs: int) -> None:
        self.outputs = outputs
        self.loss = function(recipe.loss.code())
        self.of_values = recipe.loss.target == "values"
        self.sign = -1 if recipe.loss.smallest else 1
        self.summed = recipe.loss.reduction == "sum"
        self.metrics = [(m.name, m.target, function(m.code())) for m in recipe.metrics]
        self.names = ("loss", *(name for name, *_ in self.metrics))

    def targets(self, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """The targets as classes and as values; either may not exist."""
        values = batch.values
        if values is None and self.of_values and batch.classes is not None:
            soft = batch.classes.is_floating_point()
            values = batch.classes if soft else nn.functional.one_hot(batch.classes, self.outputs).to(torch.float32)
        return batch.classes, values

    def loss_of(self, output: Tensor, batch: Batch) -> Tensor:
        classes, values = self.targets(batch)
        loss: Tensor = self.loss(output, values if self.of_values else classes)
        return loss

    def measured(self, loss: Tensor, output: Tensor, batch: Batch) -> Tensor:
        """The loss and each metric, summed over the batch's examples, in the order of `names`."""
        classes, values = self.targets(batch)
        if classes is not None and classes.is_floating_point():
            classes = classes.argmax(1)  # of mixed examples, the class with the larger share
        count = len(output)
        scores = output if self.sign > 0 else -output
        found = [loss if self.summed else loss * count]
        for _, target, metric in self.metrics:
            found.append(metric(*((scores, classes) if target == "classes" else (output, values))) * count)
        return torch.stack(found)


class Loop:
    """A network in training. `position`, `sums` and `history` say how far it has come."""

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        split: Split,
        feed: Feed,
        outputs: int,
        penalties: list[tuple[float, Tensor]],
        device: torch.device,
    ) -> None:
        self.module = module
        self.recipe = recipe
        self.split = split
        self.feed = feed
        self.penalties = penalties
        self.device = device
        self.objective = Objective(recipe, outputs)
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = optimizer(recipe, self.parameters)
        self.cuts = batches(len(split.train), recipe.batch)
        self.position = Position()
        self.history: list[Row] = []
        self.sums = self._zeros()
        self.seconds = 0.0

    @property
    def steps(self) -> int:
        """Steps in all."""
        return len(self.cuts) * self.recipe.epochs

    def _zeros(self) -> Tensor:
        return torch.zeros(len(self.objective.names), dtype=torch.float64, device=self.device)

    # --- one epoch --------------------------------------------------------------------------------------------------

    def run_epoch(self, progress: Progress, stop: Callable[[], bool]) -> Row:
        """The rest of the epoch that `position` is in, then its measurement.

        Raises StopRequest after a whole step, and NotFiniteError.
        """
        began = time.monotonic() - self.seconds
        epoch, first = self.position
        rows = self._order(epoch)
        train = self.split.train.in_epoch(self.recipe.seed, epoch)
        losses = torch.zeros(len(self.cuts), device=self.device)
        title = f"epoch {epoch + 1}/{self.recipe.epochs}"
        self.module.train()
        progress.begin()
        for step in range(first, len(self.cuts)):
            start, end = self.cuts[step]
            losses[step] = self.step(train.pick(rows[start:end]), epoch * len(self.cuts) + step)
            self.position = Position(epoch, step + 1)
            if progress.due:
                seen = end - self.cuts[first][0]
                progress.bar(title, step + 1, len(self.cuts), seen, float(losses[step]))
            if (step + 1) % LOOK_EVERY == 0 or step + 1 == len(self.cuts):
                self._look(losses, step + 1)
            if stop():
                self._look(losses, step + 1)
                self.seconds = time.monotonic() - began
                raise StopRequest
        row = self._row(epoch, time.monotonic() - began)
        self.position = Position(epoch + 1, 0)
        self.history.append(row)
        self.sums, self.seconds = self._zeros(), 0.0
        return row

    def step(self, examples: Examples, number: int) -> Tensor:
        """One update on these examples, the `number`-th of the run (from 0). The loss, on the device."""
        rate = self.rate(number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self.feed(examples, number // len(self.cuts))
        self.optimizer.zero_grad(set_to_none=True)
        output = flat(self.module(*batch.inputs))
        loss = self.objective.loss_of(output, batch)
        self._total(loss).backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimizer.step()
        with torch.no_grad():
            self.sums += self.objective.measured(loss.detach(), output.detach(), batch)
        return loss.detach()

    def rate(self, number: int) -> float:
        """The learning rate at a step of the run."""
        return self.recipe.optimizer.lr * self.recipe.schedule.factor(number, len(self.cuts), self.steps)

    def _total(self, loss: Tensor) -> Tensor:
        """The loss with each layer's `l2` times its squared weights."""
        for factor, weight in self.penalties:
            loss = loss + factor * weight.square().sum()
        return loss

    def _order(self, epoch: int) -> Tensor:
        count = len(self.split.train)
        rows = order(count, self.recipe.seed, epoch) if self.recipe.shuffle else torch.arange(count)
        return rows.to(self.device)

    def _look(self, losses: Tensor, done: int) -> None:
        """Raises NotFiniteError at the first step whose loss is no number."""
        wrong = torch.nonzero(~torch.isfinite(losses[:done]))
        if len(wrong):
            step, epoch = int(wrong[0]), self.position.epoch
            value = float(losses[step])
            rate = self.rate(epoch * len(self.cuts) + step)
            raise NotFiniteError(
                f"the loss became {'NaN' if value != value else 'infinite'} in step {step + 1} of epoch {epoch + 1}, "
                f"at a learning rate of {rate:g}",
                "try a tenth of the learning rate, or bound the gradient with `clip 1`",
            )

    # --- measurement ------------------------------------------------------------------------------------------------

    def _row(self, epoch: int, seconds: float) -> Row:
        last = (epoch + 1) * len(self.cuts)
        row: Row = {"epoch": epoch + 1, "steps": last, "lr": self.rate(last - 1)}
        means = (self.sums / len(self.split.train)).tolist()
        row.update((f"train_{name}", mean) for name, mean in zip(self.objective.names, means, strict=True))
        if self.split.validation is not None:
            row.update((f"validation_{name}", value) for name, value in self.evaluate(self.split.validation).items())
        row["seconds"] = round(seconds, 3)
        return row

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """The loss and the metrics over all examples, in evaluation mode."""
        self.module.eval()
        size = max(1, int(examples.inputs[0].numel()))
        many = max(self.recipe.batch, min(1024, EVALUATED_VALUES // size))
        total = self._zeros()
        with torch.inference_mode():
            for start in range(0, len(examples), many):
                rows = torch.arange(start, min(start + many, len(examples)), device=self.device)
                batch = self.feed(examples.pick(rows))
                output = flat(self.module(*batch.inputs))
                loss = self.objective.loss_of(output, batch)
                total += self.objective.measured(loss, output, batch)
        self.module.train()
        return dict(zip(self.objective.names, (total / len(examples)).tolist(), strict=True))

    # --- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on, as tensors and plain data."""
        return {
            "version": 1,
            "epoch": self.position.epoch,
            "step": self.position.step,
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
            "feed": self.feed.state(),
            "sums": self.sums,
            "history": self.history,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`. Raises TrainingError if it is another network's."""
        try:
            self.module.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.position = Position(state["epoch"], state["step"])
            self.sums = state["sums"].to(self.device)
            self.history = list(state["history"])
            self.seconds = state["seconds"]
            torch.set_rng_state(state["random"])
            self.feed.restore(state["feed"])
            if self.device.type == "cuda" and state["cuda_random"]:
                torch.cuda.set_rng_state_all(state["cuda_random"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise TrainingError(f"the checkpoint does not fit the network: {error}".splitlines()[0]) from None


def flat(output: Tensor) -> Tensor:
    """The output as N x channels where every other side is 1, as after a global pool."""
    return output.flatten(1) if output.dim() > 2 and output[0].numel() == output.shape[1] else output


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


def epochs(loop: Loop, progress: Progress, stop: Callable[[], bool]) -> Iterator[Row]:
    """The rows of the epochs that are left."""
    while loop.position.epoch < loop.recipe.epochs:
        yield loop.run_epoch(progress, stop)
