"""Parts of a data set: what is kept for the test, for validation, and fewer examples to try something out."""

from __future__ import annotations

import torch
from torch import Tensor

from cnndsl.recipe.base import portion
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.errors import DataError


def keep_test(examples: Examples, share: float | int, source: str) -> Raw:
    """Keep a share or number of the examples for the test: always the same, evenly spread over each class."""
    wanted = portion(share, len(examples))
    if wanted == 0:
        return Raw(examples, None)
    if wanted >= len(examples):
        raise DataError(f"`data {source}` has {len(examples):,} examples; {wanted:,} for the test leave none to train")
    kept = evenly(labels(examples), len(examples), wanted)
    return Raw(examples.part(torch.nonzero(~kept).squeeze(1)), examples.part(torch.nonzero(kept).squeeze(1)))


def draw(examples: Examples, wanted: int, seed: int) -> tuple[Examples, Examples]:
    """The other examples, and `wanted` that are drawn from the seed: of each class in proportion."""
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))
    classes = labels(examples)
    drawn = torch.zeros(len(examples), dtype=torch.bool)
    drawn[order] = evenly(None if classes is None else classes[order], len(examples), wanted)
    return examples.part(torch.nonzero(~drawn).squeeze(1)), examples.part(torch.nonzero(drawn).squeeze(1))


def at_most(examples: Examples, limit: int | None) -> Examples:
    """The examples, or so many of them, of each class in proportion."""
    if limit is None or len(examples) <= limit:
        return examples
    return examples.part(torch.nonzero(evenly(labels(examples), len(examples), limit)).squeeze(1))


def labels(examples: Examples) -> Tensor | None:
    """The class of each example, shape N; None where it has none, or several."""
    return examples.classes if examples.classes is not None and examples.classes.dim() == 1 else None


def evenly(classes: Tensor | None, total: int, wanted: int) -> Tensor:
    """Which of `total` examples are kept: `wanted` of them at even distances, class by class. Boolean, `total`."""
    order = torch.arange(total) if classes is None else torch.argsort(classes, stable=True)
    places = torch.arange(wanted) * total // wanted
    kept = torch.zeros(total, dtype=torch.bool)
    kept[order[places]] = True
    return kept
