"""Where a loss that is no number began: the failing step run once more, layer by layer, forwards and backwards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnndsl.graph import INPUT, Graph, Node
from cnndsl.recipe.pair import Pair
from cnndsl.runtime import nodes
from cnndsl.runtime.data import Batch
from cnndsl.runtime.errors import NotFiniteError
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.loop import Loop, Position

REPLAYED_SECONDS = 120.0
"""At most so long a run is replayed to get to the step before."""


class Fault(NamedTuple):
    """What was found, as the end of a sentence, and what to do about it."""

    where: str
    advice: str


def explained(error: NotFiniteError, loop: Loop, graph: Graph | Pair, again: Callable[[], Loop]) -> NotFiniteError:
    """The error with the layer where it began, as far as that can be found. `again` makes the loop of the same run at
    its last checkpoint."""
    if not isinstance(loop.learner, Descent) or isinstance(graph, Pair):
        return error
    at = Position(error.epoch, error.step)
    with contextlib.suppress(RuntimeError, ValueError):  # what PyTorch can't do a second time is not explained
        if all(bool(torch.isfinite(p).all()) for p in loop.learner.module.parameters()):
            fault = look(loop, graph, at)
        else:
            fault = _replayed(again, graph, at)
        if fault is not None:
            return NotFiniteError(f"{error.message}; {fault.where}", fault.advice, *at)
    return error


def _replayed(again: Callable[[], Loop], graph: Graph, at: Position) -> Fault | None:
    """Go from the last checkpoint to the step before, and look at that and at the failing one."""
    loop = again()
    begun = loop.position
    end = time.monotonic() + REPLAYED_SECONDS
    for position in _positions(begun, at, len(loop.cuts)):
        left = (at.epoch - position.epoch) * len(loop.cuts) + at.step - position.step
        if time.monotonic() > end:
            return None
        if left <= 1:
            found = look(loop, graph, position)
            if found is not None:
                return found._replace(where=f"{found.where}, in the step before") if left else found
        if left:
            with contextlib.suppress(NotFiniteError):
                examples, rows = loop.examples(position.epoch)
                loop.step(examples, rows[slice(*loop.cuts[position.step])], position)
    return None


def _positions(begun: Position, at: Position, steps: int) -> Iterator[Position]:
    for number in range(begun.epoch * steps + begun.step, at.epoch * steps + at.step + 1):
        yield Position(*divmod(number, steps))


def look(loop: Loop, graph: Graph, position: Position) -> Fault | None:
    """What is no number in this step, the first thing forwards, then backwards; None if all are. Nothing is changed."""
    learner = loop.learner
    assert isinstance(learner, Descent)
    examples, rows = loop.examples(position.epoch)
    cut = rows[slice(*loop.cuts[position.step])]
    with _unchanged(loop):
        learner.begin(training=True)
        batch = loop.feed(examples.pick(cut), position.epoch)
        return _Looking(learner, graph, batch).found()


@contextlib.contextmanager
def _unchanged(loop: Loop) -> Iterator[None]:
    """Random numbers and running statistics are afterwards as they were."""
    module = loop.learner.module
    buffers = [buffer.clone() for buffer in module.buffers()]
    feed = {name: value.clone() for name, value in loop.feed.state().items()}
    with torch.random.fork_rng(devices=[loop.device] if loop.device.type == "cuda" else []):
        try:
            yield
        finally:
            loop.feed.restore(feed)
            with torch.no_grad():
                for buffer, before in zip(module.buffers(), buffers, strict=True):
                    buffer.copy_(before)


class _Looking:
    """One batch, forwards and backwards."""

    def __init__(self, learner: Descent, graph: Graph, batch: Batch) -> None:
        self.learner = learner
        self.graph = graph
        self.batch = batch
        self.outputs: dict[tuple[int, int], Tensor] = {}
        self.given: dict[int, list[Tensor]] = {}

    def found(self) -> Fault | None:
        for number, one in enumerate(self.batch.inputs):
            if not _finite(one):
                which = f" {number + 1}" if number else ""
                return Fault(f"input{which} of this batch is no number already", "look at the data, and at `normalize`")
        return self._forwards() or self._loss()

    def _forwards(self) -> Fault | None:
        learner = self.learner
        with learner.answers.lower():
            for node, given, found in nodes.run(self.graph, learner.module, self.batch.inputs):
                self.given[node.index] = given
                self.outputs |= {(node.index, number): one for number, one in enumerate(found)}
                if not all(_finite(one) for one in found):
                    return self._of_node(node, given)
        return None

    def _of_node(self, node: Node, given: list[Tensor]) -> Fault:
        weights = self._weights(node)
        if not all(_finite(one) for one in weights):
            where = f"the weights of {place(node)} were no numbers before this step"
            return Fault(where, "look at the data and at the steps before")
        largest = max((one.detach().abs().max().item() for one in given if one.is_floating_point()), default=0.0)
        sizes = f"inputs up to {largest:.3g}"
        if weights:
            sizes += f", weights up to {max(one.detach().abs().max().item() for one in weights):.3g}"
        return Fault(f"it began in {place(node)}, of {sizes}", _LESS)

    def _loss(self) -> Fault | None:
        """The loss and its gradients."""
        objective = self.learner.objective
        given = tuple(self.outputs[output.edge.node, output.edge.output] for output in self.graph.outputs)
        outputs = objective.outputs(given if len(given) > 1 else given[0], training=True)
        losses = objective.losses(outputs, self.batch)
        total = objective.total(losses)
        if not _finite(total):
            largest = max(one.detach().abs().max().item() for one in outputs.values())
            return Fault(f"it began in the loss itself, of outputs up to {largest:.3g}", _LESS)
        return self._backwards(total)

    def _backwards(self, total: Tensor) -> Fault | None:
        tensors = {key: one for key, one in self.outputs.items() if one.requires_grad}
        parameters = [p for p in self.learner.module.parameters() if p.requires_grad]
        found = torch.autograd.grad(total, [*tensors.values(), *parameters], allow_unused=True)
        gradients = dict(zip(tensors, found, strict=False))
        of_weights = {id(p): one for p, one in zip(parameters, found[len(tensors) :], strict=True)}
        for node in reversed(self.graph.nodes):
            own = gradients.get((node.index, 0))
            if node.kind == INPUT or own is None or not _finite(own):
                continue
            before = [gradients.get((edge.node, edge.output)) for edge in node.inputs]
            behind = [*before, *(of_weights.get(id(p)) for p in self._weights(node))]
            if not all(one is None or _finite(one) for one in behind):
                where = f"it began in the gradient of {place(node)}, which got one up to {own.abs().max().item():.3g}"
                return Fault(where, _GRADIENT)
        return None

    def _weights(self, node: Node) -> list[Any]:
        from cnndsl.codegen import node_codes

        code = node_codes(self.graph, [node.index]).get(node.index)
        if code is None:
            return []
        return [p for _, part in nodes.parts(self.learner.module, code) for p in part.parameters()]


_LESS = "try a tenth of the learning rate, a `warmup` of the schedule, or `clip 1`"
_GRADIENT = "bound the gradient with `clip 1`; a root or a logarithm near 0 has no bounded one"


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def place(node: Node) -> str:
    """A layer and its line in the spec, for people."""
    return f"`{node.name}` (line {node.span.line} of {node.span.source.name})"
