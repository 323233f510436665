"""The examples that a network is most wrong about, and how often it takes each class for each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cnndsl.draw.scene import Scene
from cnndsl.runtime.data import Examples
from cnndsl.runtime.measure import Judged, Network, class_names, confusion_of, judged
from cnndsl.runtime.plots.grid import Section, Tile, grid, of_image

MOST = 24
"""Mistakes that are shown."""


class Mistake(NamedTuple):
    """An example that was taken for another class. wrong: the larger, the worse: the loss of its true class where there
    are probabilities, else the distance of the scores. share: the probability of what it was taken for."""

    wrong: float
    stored: Tensor
    true: int
    taken: int
    share: float | None


class Looked(NamedTuple):
    """What was seen of a part: the confusions, None where there are none; and the worst mistakes, the worst first."""

    confusion: Tensor | None
    mistakes: list[Mistake]
    names: tuple[str, ...]


def look(network: Network, examples: Examples, names: tuple[str, ...]) -> Looked:
    """Go through a part once. The module is in evaluation mode."""
    confusion: Tensor | None = None
    worst: list[Mistake] = []
    for one in judged(network, examples):
        confused = confusion_of(network, one)
        if confused is None:
            break
        confusion = confused if confusion is None else confusion + confused
        worst = sorted([*worst, *_mistakes(network, one)], key=lambda mistake: -mistake.wrong)[:MOST]
    many = 0 if confusion is None else len(confusion)
    return Looked(confusion, worst, class_names(network, names, many))


def _mistakes(network: Network, one: Judged) -> list[Mistake]:
    """The worst of a batch of images with a class each."""
    if network.kind != "class" or one.stored.inputs.dtype != torch.uint8 or one.stored.inputs.dim() != 4:
        return []
    scores, true = network.objective.judged(one.outputs, one.batch)
    if true is None or one.stored.inputs.shape[1] not in (1, 3):
        return []
    shares = network.objective.probabilities(one.outputs)
    taken = scores.argmax(1)
    measure = scores if shares is None else shares.log()
    own = measure.gather(1, true[:, None]).squeeze(1)
    wrong = -own if shares is not None else measure.amax(1) - own
    wrong = torch.where(taken == true, -torch.inf, wrong.nan_to_num(torch.inf))
    found = []
    for row in wrong.topk(min(MOST, len(wrong))).indices.tolist():
        if taken[row] == true[row]:
            break
        share = None if shares is None else float(shares[row, taken[row]])
        image = one.stored.inputs[row].cpu()
        found.append(Mistake(float(wrong[row]), image, int(true[row]), int(taken[row]), share))
    return found


def mistakes(title: str, note: str, seen: Looked) -> Scene | None:
    """The worst mistakes as small pictures; None where there are none."""
    if not seen.mistakes:
        return None
    tiles = []
    for one in seen.mistakes:
        share = "" if one.share is None else f", {one.share:.0%}"
        true, taken = seen.names[one.true], seen.names[one.taken]
        tiles.append(Tile(of_image(one.stored), (f"is {true}", f"taken for {taken}{share}")))
    return grid(title, [Section(note, tiles)])
