"""Gradient descent on a GPU by recorded steps (cnndsl.runtime.recorder).

Where examples lie on the GPU and the optimizer's rule is one kernel, a whole step is a recording: it takes rows, makes
the batch, and moves the weights. Otherwise the forward and the backward pass are one, on a batch made as usual. What
changes from step to step in ways that no tensor holds stays outside, such as the mean of the weights.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.ends import terms
from cnndsl.runtime.data import Batch
from cnndsl.runtime.data.feed import Batches
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.recorder import Recorder, shapes


class Recorded(Descent):
    """Descent by recorded steps."""

    def __init__(self, *given: Any, **further: Any) -> None:
        super().__init__(*given, **further)
        self.recorder = Recorder(self.device)
        self.whole = self.fused.direct
        self.now = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.rates = [torch.tensor(rate, device=self.device) for rate in self.now]
        self._make_recordable()

    def _make_recordable(self) -> None:
        """Learning rates are read from the GPU, so that a recording sees them change."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            if not self.whole:  # then the step is no part of a recording, and what it keeps may lie anywhere
                continue
            group["lr"] = rate
            if "capturable" in group:
                group["capturable"] = True

    def _set_rate(self, number: int, rate: float) -> None:
        if not self.whole:
            super()._set_rate(number, rate)
        elif rate != self.now[number]:
            self.rates[number].fill_(rate)
        self.now[number] = rate

    def _update(self, batches: Iterable[Batch], count: int) -> Tensor:
        if not self.whole or not isinstance(batches, Batches) or batches.source is None or len(batches.rows) > 1:
            return super()._update(batches, count)
        self.recorder.random = list(batches.random)

        def work(rows: Sequence[Tensor]) -> Tensor:
            return Descent._update(self, batches.of(rows), count)

        key = ("update", batches.source, self._settings(), shapes(batches.rows))
        sums: Tensor = self.recorder(key, work, batches.rows)
        return sums

    def _gradients(self, batches: Iterable[Batch], count: int) -> Tensor:
        if not isinstance(batches, Batches) or len(batches.rows) > 1:
            return super()._gradients(batches, count)
        (batch,) = batches

        def work(tensors: Sequence[Tensor]) -> tuple[Tensor, list[Tensor | None]]:
            sums = Descent._gradients(self, [batch.filled(tensors)], count)
            return sums, [parameter.grad for parameter in self.parameters]

        key = ("gradients", self._settings(), shapes(batch.tensors))
        sums, gradients = self.recorder(key, work, batch.tensors)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        found: Tensor = sums
        return found

    def _settings(self) -> Hashable:
        """What a step depends on besides examples, weights and rates."""
        return self.freezing is not None and self.freezing.held, torch.backends.cudnn.deterministic

    def state(self) -> dict[str, Any]:
        kept = super().state()
        for group, rate in zip(kept["optimizer"]["param_groups"], self.now, strict=True):
            group["lr"] = rate
            if "capturable" in group:
                group["capturable"] = False
        return kept

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.recorder.forget()  # the optimizer's state lies elsewhere now
        for number, group in enumerate(self.optimizer.param_groups):
            self.now[number] = float(group["lr"])
            self.rates[number].fill_(self.now[number])
        self._make_recordable()


def recordable(graph: Graph, recipe: Recipe) -> bool:
    """Whether each step does the same but for its batch: no share of dropped paths that rises, and no loss that needs
    the host."""
    return recipe.droppath.last is None and not any(term.loss.on_host for term in terms(recipe, graph))
