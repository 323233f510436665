"""One input of a trained network, what every layer gives for it, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cnndsl.diagnostics import closest
from cnndsl.graph import Node
from cnndsl.runtime import nodes
from cnndsl.runtime.errors import DataError
from cnndsl.runtime.measure import class_names
from cnndsl.runtime.predict import Prediction, Predictor


class Example(NamedTuple):
    """name: of its file. stored: as it was read, for each input of the network, a batch of one. inputs: prepared."""

    predictor: Predictor
    name: str
    stored: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    prediction: Prediction


class Score(NamedTuple):
    """A class, and the network's score for it: a tensor without axes, which gradients go back from."""

    number: int
    name: str
    value: Tensor


def read(predictor: Predictor, places: Sequence[str]) -> Example:
    """The first example of these files, and what is made of it. Raises DataError where one can't be read."""
    prediction = next(iter(predictor(places)), None)
    found = next(iter(predictor.examples(places)), None)
    if found is None or prediction is None:
        raise DataError(f"{places[0]} holds no example")
    if found.problem is not None:
        name = found.names[0]
        raise DataError(found.problem if name in found.problem else f"{name} {found.problem}")
    stored = tuple(one[:1].to(predictor.trained.device) for one in found.stored)
    inputs = tuple(map(predictor.prepared, stored))
    return Example(predictor, found.names[0], stored, inputs, prediction)


def layers(example: Example) -> list[tuple[Node, Tensor]]:
    """Every node of the network in order, with what it gives for the example, channels first."""
    trained = example.predictor.trained
    with torch.inference_mode():
        return [(node, found[0][0]) for node, _, found in nodes.run(trained.graph, trained.module, example.inputs)]


def score(example: Example, outputs: tuple[Tensor, ...], wanted: str | None) -> Score:
    """The score of a class (None: of the likeliest), summed over places, from the network's outputs for a batch.

    Raises DataError where the network has no classes, or not that one.
    """
    predictor = example.predictor
    objective = predictor.network.objective
    if predictor.kind not in ("class", "map", "pair"):
        raise DataError(
            "there is no class to ask for: the network gives values",
            "saliency and Grad-CAM show what speaks for a class; the maps of its layers can be drawn",
        )
    scores = objective.result_scores(objective.outputs(outputs, training=False))
    sums = scores.flatten(2).sum(2) if scores.dim() > 2 else scores
    names = class_names(predictor.network, predictor.trained.prepare.names, sums.shape[1])
    number = int(sums[0].argmax()) if wanted is None else _number(names, wanted)
    return Score(number, names[number], sums[:, number].sum())


def _number(names: tuple[str, ...], wanted: str) -> int:
    if wanted in names:
        return names.index(wanted)
    near = closest(wanted, names)
    some = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    raise DataError(f"there is no class `{wanted}`", f"did you mean `{near}`?" if near else f"there are {some}")
