"""Steps on a GPU recorded once, as a CUDA graph, and played again: the GPU never waits for Python to start kernels.

Recorded is what makes the gradients: the forward pass, the losses, the metrics' sums and the backward pass. What
changes from step to step in ways that a recording can't follow stays outside: the batch's making, the optimizer, the
mean of the weights. The kernels are those of a step that is not recorded, in the same order, and draw the same random
numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.ends import terms
from cnndsl.runtime.data import Batch
from cnndsl.runtime.learners import Descent

BEFORE = 3
"""Steps on batches of a shape before one is recorded: libraries choose kernels and take memory in the first ones."""


class Recording(NamedTuple):
    """A step's gradients as a graph: play it after copying a batch into `batch`."""

    graph: Any
    batch: Batch
    sums: Tensor
    gradients: list[Tensor | None]

    def play(self, batch: Batch) -> None:
        for ours, given in zip(_tensors(self.batch), _tensors(batch), strict=True):
            ours.copy_(given)
        self.graph.replay()


class Recorded(Descent):
    """Descent on a GPU by recorded steps, one recording for each shape of batches.

    The first steps on a shape are taken as usual, and so is everything where PyTorch can't record a network.
    """

    def __init__(self, *given: Any, **further: Any) -> None:
        super().__init__(*given, **further)
        self.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()
        self.seen: Counter[Any] = Counter()
        self.recordings: dict[Any, Recording] = {}
        self.refused = ""  # why PyTorch can't record this network, if it has been tried

    def _gradients(self, batches: Iterable[Batch], count: int) -> Tensor:
        given = list(batches)
        if self.refused or len(given) > 1:
            return super()._gradients(given, count)
        # All on one stream that is not the default one: a recording may not depend on another.
        outside = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(outside)
        with torch.cuda.stream(self.stream):
            sums = self._recorded(given[0], count)
        outside.wait_stream(self.stream)
        return sums

    def _recorded(self, batch: Batch, count: int) -> Tensor:
        key = self._key(batch)
        if key not in self.recordings:
            self.seen[key] += 1
            if self.seen[key] <= BEFORE or not self._record(key, batch):
                return super()._gradients([batch], count)
        recording = self.recordings[key]
        recording.play(batch)
        for parameter, gradient in zip(self.parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.sums

    def _key(self, batch: Batch) -> Any:
        """What a recording is good for."""
        shapes = tuple((tuple(one.shape), one.dtype) for one in _tensors(batch))
        return shapes, bool(self.frozen), torch.backends.cudnn.deterministic

    def _record(self, key: Any, batch: Batch) -> bool:
        """Record the step on a batch of this kind, without taking it; whether that was possible."""
        classes, values = (None if one is None else one.clone() for one in (batch.classes, batch.values))
        held = Batch(tuple(one.clone() for one in batch.inputs), classes, values)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                sums = self._backward(held, 1.0, first=True)
        except RuntimeError as error:  # running out of memory is one, too
            self._give_up(error)
            return False
        self.recordings[key] = Recording(graph, held, sums, [parameter.grad for parameter in self.parameters])
        return True

    def _give_up(self, error: RuntimeError) -> None:
        self.refused = str(error).splitlines()[0] or type(error).__name__
        self.recordings.clear()
        self.optimizer.zero_grad(set_to_none=True)
        # A recording that broke off leaves PyTorch's generator waiting for its end.
        generator = torch.cuda.default_generators[self.device.index or 0]
        generator.graphsafe_set_state(generator.clone_state())
        torch.cuda.synchronize(self.device)


def recordable(graph: Graph, recipe: Recipe) -> bool:
    """Whether each step does the same but for its batch: no share of dropped paths that rises, and no loss that needs
    the host."""
    return recipe.droppath.last is None and not any(term.loss.on_host for term in terms(recipe, graph))


def _tensors(batch: Batch) -> list[Tensor]:
    return [*batch.inputs, *(one for one in (batch.classes, batch.values) if one is not None)]
