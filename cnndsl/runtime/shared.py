"""Gradient descent by several processes at once: each has the whole network and its share of every step's examples.

PyTorch's DistributedDataParallel averages the gradients while the backward pass goes on. What wraps the network is in
this module alone: FSDP2's `fully_shard` would be another learner beside this one, with a `state` that gathers.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import cnndsl
from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.ends import ends, terms
from cnndsl.runtime.data import Batch, Split
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.processes import Processes

_RANDOM = ("dropout", "droppath", "noise", "gaussian")
"""Layer kinds that draw random numbers in training; others do so where they have a `dropout`."""


class Shared(Descent):
    """Descent on one network by all processes of a group; the weights are the same in each after every step.

    The mean of the processes' gradients is that of the whole step: each multiplies its loss, weighted by its part of
    the step's examples, with their number.
    """

    def __init__(self, *given: Any, processes: Processes, unused: bool, **further: Any) -> None:
        super().__init__(*given, **further)
        self.processes = processes
        # An error in one process alone would leave the others waiting; all look at the losses now and then.
        self.looks = False
        with warnings.catch_warnings():
            # `broadcast_buffers` has another name since PyTorch 2.13, which those before don't know.
            warnings.simplefilter("ignore", FutureWarning)
            self.replica = DistributedDataParallel(
                self.module,
                device_ids=None if self.device.type == "cpu" else [self.device],
                broadcast_buffers=False,
                init_sync=False,
                find_unused_parameters=unused,
            )
        self.forward = self.replica
        # Of a channel alone both layouts in memory are the same, and only their names differ.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")

    def _gradients(self, batches: Iterable[Batch], count: int) -> Tensor:
        sums = torch.zeros(self.width, device=self.device)
        for index, (batch, last) in enumerate(_marked(batches)):
            self.scale = 0.0 if batch.idle else float(self.processes.size)
            with contextlib.nullcontext() if last else self.replica.no_sync():
                found = self._backward(batch, batch.count / count, first=index == 0)
            if not batch.idle:
                sums = sums + found
        return sums

    def begin(self, *, training: bool) -> None:
        super().begin(training=training)
        if not training:
            self._share_buffers()

    def begin_epoch(self, sample: Callable[[int], Batch], epochs: int) -> None:
        self._share_buffers()
        super().begin_epoch(sample, epochs)

    def _share_buffers(self) -> None:
        """Each process' batch norms have seen its own share; as everywhere with DDP the first one's count."""
        mean = () if self.average is None else self.average.module.buffers()
        self.processes.alike((*self.module.buffers(), *mean))


def _marked(batches: Iterable[Batch]) -> Iterator[tuple[Batch, bool]]:
    """Each batch, and whether it is the last one."""
    before: Batch | None = None
    for batch in batches:
        if before is not None:
            yield before, False
        before = batch
    if before is not None:
        yield before, True


def unused(graph: Graph, recipe: Recipe) -> bool:
    """Whether some weights have no gradients for a while: what they make is in no loss, or they are frozen then."""
    if recipe.freeze.layers and not recipe.freeze.throughout:
        return True
    seen = {name for term in terms(recipe, graph) for name in term.outputs}
    return any(end.name not in seen for end in ends(graph))


def synchronized(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with batch norms that see the whole batch, of all processes. Raises TrainingError."""
    if device.type != "cuda":
        raise TrainingError("PyTorch's synchronized batch norm needs GPUs", "train without --sync-bn")
    return nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call, no-any-return]


def compare(graph: Graph, recipe: Recipe, split: Split, processes: Processes) -> None:
    """Whether all processes are about to do the same. Raises TrainingError."""
    if processes.size == 1:
        return
    if recipe.batch < processes.size:
        raise TrainingError(
            f"a batch of {recipe.batch} can't be shared by {processes.size} processes",
            "batch is how many examples all of them see at once: make it larger, or start fewer",
        )
    text = f"{cnndsl.__version__}\0{graph.span.source.text}\0{graph.parameters}\0{recipe.to_json()}"
    program = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    data = hashlib.sha256(repr([None if part is None else len(part) for part in split]).encode())
    if split.train.classes is not None:
        data.update(split.train.classes.numpy().tobytes())
    first_program, first_data = processes.told([program, data.hexdigest()])
    if first_program != program:
        raise TrainingError(
            "the spec, the recipe or cnndsl differ from those of process 0", "give all machines the same"
        )
    if first_data != data.hexdigest():
        raise TrainingError("the examples differ from those of process 0", "give all machines the same files")


def said(graph: Graph, recipe: Recipe, processes: Processes, *, sync_bn: bool) -> tuple[str, ...]:
    """What several processes do otherwise than one with the same batch, in sentences."""
    if processes.size == 1:
        return ()
    shares = {share.end - share.start for share in _shares(recipe.batch, processes)}
    each = " or ".join(str(one) for one in sorted(shares))
    found = [f"{processes.size} processes, each with its share of every batch: {each} of {recipe.batch} examples"]
    layers = [node.layer for node in graph.nodes if node.layer is not None]
    if any(layer.kind == "bn" for layer in layers):
        found.append(
            "batch norms see the batches of all processes (--sync-bn)"
            if sync_bn
            else "note: batch norms see each process's share alone, so that results differ from those of one process"
        )
    if any(layer.kind in _RANDOM or getattr(layer, "dropout", 0) for layer in layers):
        found.append("note: random layers draw other numbers in each process, so that results differ from those of one")
    return tuple(found)


def _shares(batch: int, processes: Processes) -> Iterator[Any]:
    for rank in range(processes.size):
        yield processes._replace(rank=rank).share(batch, batch)
