"""From a network's outputs and the targets to the loss, and to sums that metrics are made of.

Everything that is reported is a sum over examples: so batches of any size, and processes side by side, add up to
exactly what the whole set gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.ends import End, Term, ends, terms
from cnndsl.recipe.metrics import Metric
from cnndsl.runtime.data import Batch
from cnndsl.runtime.evaluate import Function, function

Outputs = dict[str, Tensor]
"""What a network gave, by the names of its outputs."""


class _Term:
    """One loss as a function: of which outputs, what they are compared with, and what it counts."""

    def __init__(self, term: Term, end: End) -> None:
        loss = term.loss
        codes = {} if loss.takes is not None else {"codes": len(term.outputs) - 1}
        self.first, self.further = term.outputs[0], term.outputs[1:]
        self.main = term.main
        self.weight = loss.weight
        self.summed = loss.reduction == "sum"
        self.target = loss.target
        self.channels = end.shape.channels
        self.loss = function(loss.code(end.node.kind, **codes), loss.support)

    def compared(self, batch: Batch) -> Tensor | None:
        """What the output is compared with."""
        if self.target == "input":
            return _flat(batch.inputs[0] if batch.values is None else batch.values)
        if self.target == "values":
            return batch.values if batch.values is not None else _as_values(batch.classes, self.channels)
        return batch.classes


class Objective:
    """The losses and metrics of a recipe, as functions of what its network gives.

    Its sums are one vector: a loss for each of `names`, then what each metric adds up. `values` makes numbers of them.
    """

    def __init__(self, recipe: Recipe, graph: Graph) -> None:
        by_name = {end.name: end for end in ends(graph)}
        chosen = terms(recipe, graph)
        self.training = tuple(by_name)
        self.evaluation = tuple(end.name for end in by_name.values() if not end.training)
        self.terms = [_Term(term, by_name[term.outputs[0]]) for term in chosen]
        self.names = ("loss", *(f"{term.first}_loss" for term in self.terms[1:]))
        main = chosen[0].loss
        kind = by_name[chosen[0].outputs[0]].node.kind
        self.scores = function(main.scores(kind), main.support)
        shares = main.shares(kind)
        self.shares = None if shares is None else function(shares, main.support)
        self.metrics: list[tuple[Metric, Function]] = [(m, function(m.code(), m.support)) for m in recipe.metrics]
        shape = by_name[chosen[0].outputs[0]].shape
        self.widths = [metric.width(main.classes(shape.channels), shape.elements) for metric in recipe.metrics]
        self.width = len(self.names) + sum(self.widths)

    def outputs(self, given: Any, *, training: bool) -> Outputs:
        """What a module returned, by name, in 32 bits; N x channels where every other side is 1, as after a global
        pool."""
        names = self.training if training else self.evaluation
        found = given if isinstance(given, tuple) else (given,)
        return {name: _flat(tensor).float() for name, tensor in zip(names, found, strict=True)}

    def losses(self, outputs: Outputs, batch: Batch) -> list[Tensor | None]:
        """The loss of each term; None for one whose output is not there."""
        return [
            term.loss(outputs[term.first], term.compared(batch), *(outputs[name] for name in term.further))
            if term.first in outputs
            else None
            for term in self.terms
        ]

    def total(self, losses: Sequence[Tensor | None], share: float = 1.0, scale: float = 1.0) -> Tensor:
        """The sum that is made small. A mean counts as `share`, the batch's part of a step's examples; all is
        multiplied by `scale`."""
        found: Tensor | None = None
        for term, loss in zip(self.terms, losses, strict=True):
            if loss is not None:
                factor = scale * term.weight * (1.0 if term.summed else share)
                part = loss if factor == 1 else loss * factor
                found = part if found is None else found + part
        assert found is not None
        return found

    @torch.no_grad()
    def sums(self, outputs: Outputs, batch: Batch, losses: Sequence[Tensor | None]) -> Tensor:
        """The losses and the metrics, summed over the batch's examples, as one vector."""
        count = batch.count
        each = [
            torch.zeros((), device=batch.inputs[0].device)
            if loss is None
            else loss.detach()
            if term.summed
            else loss.detach() * count
            for term, loss in zip(self.terms, losses, strict=True)
        ]
        main = [
            part if term.weight == 1 else part * term.weight
            for term, part in zip(self.terms, each, strict=True)
            if term.main
        ]
        parts = [sum(main[1:], main[0]).reshape(1), *(part.reshape(1) for part in each[1:])]
        first = self.terms[0]
        output = outputs[first.first]
        seen: tuple[Tensor, Tensor | None] | None = None
        for metric, measure in self.metrics:
            if metric.target == "values":
                found = measure(output, first.compared(batch))
            else:
                if seen is None:
                    seen = self.judged(outputs, batch)
                found = measure(*seen)
            parts.append(found.reshape(-1) if metric.summed else (found * count).reshape(1))
        return torch.cat(parts)

    def judged(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The result's scores, N x classes x places, larger is likelier, and the classes they should have found."""
        return self.result_scores(outputs), _classes(batch)

    def result_scores(self, outputs: Outputs) -> Tensor:
        """The result's scores, N x classes x places, larger is likelier."""
        scores: Tensor = self.scores(*self._result(outputs))
        return scores

    def probabilities(self, outputs: Outputs) -> Tensor | None:
        """The classes' probabilities, shaped as the scores; None where the loss does not take outputs for such."""
        return None if self.shares is None else self.shares(*self._result(outputs))

    def _result(self, outputs: Outputs) -> tuple[Tensor | None, ...]:
        """What functions of the network's result take; no target."""
        first = self.terms[0]
        return outputs[first.first], None, *(outputs[name] for name in first.further)

    def values(self, sums: Sequence[float], count: float, *, training: bool) -> dict[str, float]:
        """The losses and metrics by name, of sums over so many examples, taken in training or in evaluation."""
        there = [training or term.main for term in self.terms]
        found = {name: sums[index] / count for index, name in enumerate(self.names) if there[index]}
        start = len(self.names)
        for (metric, _), width in zip(self.metrics, self.widths, strict=True):
            found |= metric.values_of(sums[start : start + width], count)
            start += width
        return found

    def shown(self, found: dict[str, float]) -> dict[str, tuple[float, bool]]:
        """What of these numbers stands in a line for people, and whether each is a share."""
        said = {name: (found[name], False) for name in self.names if name in found}
        for metric, _ in self.metrics:
            said |= {name: (value, metric.share) for name, value in metric.shown(found).items()}
        return said


def _flat(output: Tensor) -> Tensor:
    """The output as N x channels where every other side is 1, as after a global pool."""
    return output.flatten(1) if output.dim() > 2 and output[0].numel() == output.shape[1] else output


def _as_values(classes: Tensor | None, channels: int) -> Tensor | None:
    """Classes as the values that outputs should have: one-hot, or the class itself where there is one output."""
    if classes is None or classes.is_floating_point():
        return classes
    if channels == 1:
        return classes.unsqueeze(1).to(torch.float32)
    return nn.functional.one_hot(classes, channels).movedim(-1, 1).to(torch.float32)


def _classes(batch: Batch) -> Tensor | None:
    """The classes themselves: of mixed examples, the one with the largest share; of values from 0 to 1, the one nearest
    to 1, or whether the only one is nearer to 1."""
    shares = batch.values if batch.classes is None else batch.classes
    if shares is None or not shares.is_floating_point():
        return shares
    return shares.argmax(1) if shares.shape[1] > 1 else (shares[:, 0] > 0.5).long()
