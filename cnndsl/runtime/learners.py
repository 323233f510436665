"""How weights move: what one step does with its examples, and how a network is measured.

The loop counts, shuffles, saves; a learner knows the network, the objective and the optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from cnndsl.recipe import Recipe
from cnndsl.recipe.optimizers import Sdlm
from cnndsl.runtime.answers import Answers
from cnndsl.runtime.curvature import DiagonalLevenbergMarquardt, diagonal, given_to_distances, trained_layers
from cnndsl.runtime.data import Batch
from cnndsl.runtime.depth import Depth
from cnndsl.runtime.freezing import Freezing
from cnndsl.runtime.fused import Fused
from cnndsl.runtime.objective import Objective
from cnndsl.runtime.optimizing import average, groups, optimizer


class Stepped(NamedTuple):
    """What a step came to, on the device: its loss, and the sums over its examples."""

    loss: Tensor
    sums: Tensor


class Moment(NamedTuple):
    """When a step is: its number in the run, from 0; how many epochs are done; what the rate is multiplied by; and the
    share of the run's steps that is done with this one."""

    number: int
    epochs: float
    factor: float
    done: float = 0.0


class LossIsNoNumber(Exception):  # noqa: N818
    """The loss of a step is NaN or infinite; the weights are as they were before it."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self.value = value


class Learner(Protocol):
    """What the loop needs of it.

    module: the network as it is trained; measured: as it is measured and saved, which may be a mean over steps.
    width: how many sums there are. bf16: whether layers compute with 16 bits.
    """

    module: nn.Module
    width: int
    bf16: bool

    @property
    def measured(self) -> nn.Module: ...

    def step(self, batches: Iterable[Batch], count: int, moment: Moment) -> Stepped:
        """One update on all these examples, `count` in all. Raises LossIsNoNumber where looking costs nothing."""

    def measure(self, batch: Batch) -> Tensor:
        """The sums over these examples, in evaluation mode. Between `begin` of evaluation and of training."""

    def begin(self, *, training: bool) -> None:
        """Training or evaluation begins."""

    def begin_epoch(self, sample: Callable[[int], Batch], epochs: int) -> None:
        """An epoch of training begins, so many being done; `sample` gives at most so many of its examples, as they
        are."""

    def values(self, sums: Sequence[float], count: float, *, training: bool) -> dict[str, float]:
        """The losses and metrics by name, of sums over so many examples, taken in training or in evaluation."""

    def shown(self, found: dict[str, float]) -> dict[str, tuple[float, bool]]:
        """What of them stands in a line for people, and whether each is a share."""

    def state(self) -> dict[str, Any]:
        """All that later steps depend on, as tensors and plain data."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`. Raises what PyTorch raises if it is another network's."""


class Descent:
    """Gradient descent on one network: the usual learner.

    penalties: weights whose squares are part of the loss, each with its factor. bf16: layers compute with 16 bits.
    depth: what sets the shares of paths that are dropped, where the recipe does. freezing: what holds weights and
    statistics as they are, while the recipe says so. rates: what some parameters' learning rates are multiplied by.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        objective: Objective,
        penalties: Sequence[tuple[float, Tensor]],
        device: torch.device,
        *,
        bf16: bool = False,
        depth: Depth | None = None,
        freezing: Freezing | None = None,
        rates: Mapping[nn.Parameter, float] | None = None,
    ) -> None:
        self.freezing = freezing
        if freezing is not None and recipe.freeze.throughout:
            freezing.at(0.0)  # what never learns is not among the optimizer's parameters
        self.module = module
        self.objective = objective
        self.recipe = recipe
        self.penalties = penalties
        self.device = device
        self.forward: Any = module
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = optimizer(recipe.optimizer, groups(module, recipe.optimizer, rates))
        self.fused = Fused(self.optimizer)
        self.average = average(module, recipe)
        self.answers = Answers(recipe, objective, device, bf16=bf16)
        self.depth = depth
        self.bf16 = bf16
        self.width = objective.width
        self.scale = 1.0  # what the loss is multiplied by before its gradients are made
        self.looks = device.type == "cpu"  # whether each loss is looked at before that, as costs nothing on a CPU

    @property
    def measured(self) -> nn.Module:
        return self.average.module if self.average is not None else self.module

    def begin(self, *, training: bool) -> None:
        self.module.train(training)
        if self.freezing is not None and self.freezing.held:
            self.freezing.stop_statistics()

    def begin_epoch(self, sample: Callable[[int], Batch], epochs: int) -> None:
        if self.freezing is not None:
            self.freezing.at(epochs)
        chosen = self.recipe.optimizer
        if isinstance(chosen, Sdlm):
            self._curve(sample(chosen.examples))

    def _curve(self, batch: Batch) -> None:
        """Estimate how the loss is curved on these examples."""
        term = self.objective.terms[0]

        def summed(given: Any, part: slice) -> tuple[Tensor, Tensor]:
            outputs = self.objective.outputs(given, training=False)
            some = batch.cut(part.start, part.stop)
            loss = self.objective.losses(outputs, some)[0]
            assert loss is not None
            scale = term.weight * (1 if term.summed else len(some.inputs[0]))
            return codes[-1] if codes else outputs[term.first], loss * scale

        layers = trained_layers(self.module)
        self.module.eval()
        with given_to_distances(self.module) as codes:
            curvature = diagonal(self.module, layers, batch.inputs, summed)
        self.begin(training=True)
        parameters = [p for layer in layers for p in layer.parameters() if p.requires_grad]
        assert isinstance(self.optimizer, DiagonalLevenbergMarquardt)
        self.optimizer.curve(parameters, curvature)

    def step(self, batches: Iterable[Batch], count: int, moment: Moment) -> Stepped:
        if self.freezing is not None:
            self.freezing.at(moment.epochs)
        if self.depth is not None:
            self.depth.at(moment.epochs)
        for number, group in enumerate(self.optimizer.param_groups):
            self._set_rate(number, self.recipe.optimizer.lr * moment.factor * group.get("rate", 1.0))
        if isinstance(self.optimizer, DiagonalLevenbergMarquardt) and not self.optimizer.curved:
            # A step by itself, as when a rate is looked for: by the curvature of its own examples.
            batches = list(batches)
            self._curve(batches[0])
        sums = self._update(batches, count)
        if self.average is not None:
            self.average.update(moment.number, moment.done)
        return Stepped(sums[0] / count, sums)

    def _set_rate(self, number: int, rate: float) -> None:
        """The learning rate of a group of parameters, for the next step."""
        self.optimizer.param_groups[number]["lr"] = rate

    def _update(self, batches: Iterable[Batch], count: int) -> Tensor:
        """Move the weights by so many examples; the sums over them."""
        for parameter in self.parameters:
            parameter.grad = None
        sums = self._gradients(batches, count)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.fused.step()
        return sums

    def _gradients(self, batches: Iterable[Batch], count: int) -> Tensor:
        """Make the gradients of a step on so many examples; the sums over them."""
        sums: Tensor | None = None
        for batch in batches:
            more = self._backward(batch, batch.count / count, first=sums is None)
            sums = more if sums is None else sums + more
        assert sums is not None
        return sums

    def _backward(self, batch: Batch, share: float, *, first: bool) -> Tensor:
        """Add the gradients of one batch; the sums over its examples."""
        with self.answers.lower():
            given = self.forward(*batch.inputs)
        outputs = self.objective.outputs(given, training=True)
        losses = self.objective.losses(outputs, batch)
        total = self.objective.total(losses, share, self.scale)
        if first:
            for factor, weight in self.penalties:
                total = total + factor * weight.square().sum()
        if self.looks and not isfinite(value := total.item()):
            raise LossIsNoNumber(value)
        total.backward()  # type: ignore[no-untyped-call]
        return self.objective.sums(outputs, batch, losses)

    def measure(self, batch: Batch) -> Tensor:
        with torch.inference_mode():
            outputs = self.answers(self.measured, batch)
            return self.objective.sums(outputs, batch, self.objective.losses(outputs, batch))

    def values(self, sums: Sequence[float], count: float, *, training: bool) -> dict[str, float]:
        return self.objective.values(sums, count, training=training)

    def shown(self, found: dict[str, float]) -> dict[str, tuple[float, bool]]:
        return self.objective.shown(found)

    def state(self) -> dict[str, Any]:
        mean = {} if self.average is None else {"average": self.average.module.state_dict()}
        return {"model": self.module.state_dict(), "optimizer": self.fused.state_dict(), **mean}

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["model"])
        self.fused.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
