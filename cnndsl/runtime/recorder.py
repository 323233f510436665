"""Work on a GPU recorded once, as a CUDA graph, and played again: the GPU never waits for Python to start kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

BEFORE = 3
"""How often something is done as usual before it is recorded: libraries choose kernels and take memory at first."""

Work = Callable[[Sequence[Tensor]], Any]
"""What is recorded: kernels on its inputs, and what it gives, tensors that live as long as the recording. Nothing else
that Python does in it happens again."""


class Recording(NamedTuple):
    """Copy new inputs into `inputs` and play the graph: then `given` is what the work gives of them."""

    graph: Any
    inputs: list[Tensor]
    given: Any

    def play(self, inputs: Sequence[Tensor]) -> Any:
        for ours, new in zip(self.inputs, inputs, strict=True):
            ours.copy_(new)
        self.graph.replay()
        return self.given


class Recorder:
    """Does work as it is told, from its fourth time on by playing a recording.

    random: generators that the work draws from, besides PyTorch's own. Recorded kernels are those of the work done as
    usual, in the same order, and draw the same random numbers. refused: why PyTorch could not record something; then
    all is done as usual.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.random: list[torch.Generator] = []
        self.refused = ""
        self.recordings: dict[Hashable, Recording] = {}
        self._times: Counter[Hashable] = Counter()
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, key: Hashable, work: Work, inputs: Sequence[Tensor]) -> Any:
        """What the work gives of these inputs. key: all that it depends on besides what tensors hold."""
        if self.refused:
            return work(inputs)
        # All on one stream that is not the default one: a recording may not depend on another.
        outside = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(outside)
        with torch.cuda.stream(self._stream):
            given = self._done(key, work, inputs)
        outside.wait_stream(self._stream)
        return given

    def forget(self) -> None:
        """Tensors that recordings use have become others."""
        self.recordings.clear()
        self._times.clear()

    def _done(self, key: Hashable, work: Work, inputs: Sequence[Tensor]) -> Any:
        if key not in self.recordings:
            self._times[key] += 1
            if self._times[key] <= BEFORE or not self._record(key, work, inputs):
                return work(inputs)
        return self.recordings[key].play(inputs)

    def _record(self, key: Hashable, work: Work, inputs: Sequence[Tensor]) -> bool:
        """Record the work without doing it; whether that was possible."""
        held = [one.clone() for one in inputs]
        graph = torch.cuda.CUDAGraph()
        for generator in self.random:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                given = work(held)
        except RuntimeError as error:  # running out of memory is one, too
            self._refuse(error)
            return False
        self.recordings[key] = Recording(graph, held, given)
        return True

    def _refuse(self, error: RuntimeError) -> None:
        self.refused = str(error).partition("\n")[0] or type(error).__name__
        self.forget()
        # A recording that broke off leaves generators waiting for its end.
        for generator in (torch.cuda.default_generators[self.device.index or 0], *self.random):
            generator.graphsafe_set_state(generator.clone_state())
        torch.cuda.synchronize(self.device)


def shapes(tensors: Iterable[Tensor]) -> Hashable:
    """The part of a key that is about inputs: a recording is for tensors of the same form."""
    return tuple((tuple(one.shape), one.dtype) for one in tensors)
