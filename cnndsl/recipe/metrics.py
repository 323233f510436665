"""Metrics: what is reported beside the loss, as PyTorch expressions whose sums over all batches are enough."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from typing import Any

from cnndsl.layers.code import Attribute, Support, call
from cnndsl.recipe.base import Option
from cnndsl.recipe.losses import OUTPUT, TARGET


class Metric(Option):
    """Base of metrics.

    target: `classes`, `values` or `sequence`, what it compares with; fewest_classes: how many there must be.
    share: whether it is printed as a percentage. rises: whether more is better.
    summed: whether `code` gives sums over the batch; else it is a mean, which counts for each of the batch's examples.
    support: functions that its expression calls, in PyTorch's terms alone.
    """

    target = "classes"
    fewest_classes = 2
    share = True
    rises = True
    summed = False
    support: tuple[Support, ...] = ()

    def code(self) -> Any:
        """What a batch adds: `Input(0)` the scores (N x classes x places, larger is likelier) or, for values, the
        output, `Input(1)` the target."""
        raise NotImplementedError(type(self).__name__)

    def width(self, classes: int, values: int) -> int:
        """How many numbers `code` gives, for so many classes, or so many values of an output."""
        return 1

    def values_of(self, sums: Sequence[float], count: float) -> dict[str, float]:
        """The metric by name, of the sums over all batches and the number of examples: plain arithmetic."""
        return {self.name: sums[0] / count}

    def columns(self) -> tuple[str, ...]:
        """The names of its values that are the same whatever the network: what may be watched."""
        return (self.name,)

    def shown(self, found: dict[str, float]) -> dict[str, float]:
        """What of all that was found stands in an epoch's line, of this metric."""
        return {self.name: found[self.name]} if self.name in found else {}


class Accuracy(Metric):
    """Share of the examples, or of the places of maps, whose class got the best output."""

    name = "accuracy"
    summed = True
    support = (
        Support(
            "recognised",
            '''def recognised(scores, classes):
    """How many examples are recognised, a whole number; of maps each example counts with its share of places."""
    hits = (scores.argmax(1) == classes).sum()
    return hits if classes.dim() == 1 else hits.double() / classes[0].numel()
''',
        ),
    )

    def code(self) -> Any:
        return call("recognised", OUTPUT, TARGET)


class Top5(Metric):
    """Share of the examples whose class is among the five best outputs."""

    name = "top5"
    fewest_classes = 5
    summed = True

    def code(self) -> Any:
        best = Attribute(call(".topk", OUTPUT, 5, 1), "indices")
        hit = call(".eq", best, call(".unsqueeze", TARGET, 1))
        return call(".sum", call(".any", hit, 1))


_COUNTED = Support(
    "counted",
    '''def counted(classes, number):
    """How often each class occurs; shape `number`."""
    ones = torch.ones(classes.numel(), device=classes.device)
    return torch.zeros(number, device=classes.device).scatter_add_(0, classes.flatten(), ones)
''',
)


class PerClass(Metric):
    """The accuracy of each class by itself, in a column of its own; an epoch's line has the worst one.

    It is `nan` for a class of which there is no example."""

    name = "per_class"
    summed = True
    support = (
        _COUNTED,
        Support(
            "hits_and_counts",
            '''def hits_and_counts(scores, classes):
    """How many examples of each class were recognised, then how many there are."""
    number = scores.shape[1]
    right = torch.where(scores.argmax(1) == classes, classes, number)
    return torch.cat([counted(right, number + 1)[:number], counted(classes, number)])
''',
        ),
    )

    def code(self) -> Any:
        return call("hits_and_counts", OUTPUT, TARGET)

    def width(self, classes: int, values: int) -> int:
        return 2 * classes

    def values_of(self, sums: Sequence[float], count: float) -> dict[str, float]:
        half = len(sums) // 2
        pairs = enumerate(zip(sums[:half], sums[half:], strict=True))
        return {f"class_{number}": hits / total if total else nan for number, (hits, total) in pairs}

    def columns(self) -> tuple[str, ...]:
        return ()

    def shown(self, found: dict[str, float]) -> dict[str, float]:
        own = {name: value for name, value in found.items() if name.startswith("class_") and not isnan(value)}
        if not own:
            return {}
        worst = min(own, key=lambda name: own[name])
        return {"worst " + worst.replace("_", " "): found[worst]}


class IoU(Metric):
    """Mean over the classes of intersection over union: places that are the class and predicted as it, by places that
    are either (Jaccard 1912). Counted over the whole set; classes that occur nowhere are left out."""

    name = "iou"
    summed = True
    support = (
        _COUNTED,
        Support(
            "overlaps",
            '''def overlaps(scores, classes):
    """For each class how often it was predicted rightly, how often predicted, and how often it is there."""
    number = scores.shape[1]
    found = scores.argmax(1)
    right = torch.where(found == classes, classes, number)
    return torch.cat([counted(right, number + 1)[:number], counted(found, number), counted(classes, number)])
''',
        ),
    )

    def code(self) -> Any:
        return call("overlaps", OUTPUT, TARGET)

    def width(self, classes: int, values: int) -> int:
        return 3 * classes

    def values_of(self, sums: Sequence[float], count: float) -> dict[str, float]:
        third = len(sums) // 3
        rows = zip(sums[:third], sums[third : 2 * third], sums[2 * third :], strict=True)
        found = [both / (predicted + there - both) for both, predicted, there in rows if predicted + there]
        return {self.name: sum(found) / len(found) if found else 0.0}


class MeanSquaredError(Metric):
    """Mean squared difference between outputs and targets."""

    name = "mse"
    target = "values"
    share = False
    rises = False

    def code(self) -> Any:
        return call("F.mse_loss", OUTPUT, TARGET)


class MeanAbsoluteError(Metric):
    """Mean absolute difference between outputs and targets."""

    name = "mae"
    target = "values"
    share = False
    rises = False

    def code(self) -> Any:
        return call("F.l1_loss", OUTPUT, TARGET)


class R2(Metric):
    """Coefficient of determination: 1 minus the squared differences by those from the targets' own mean.

    1 is perfect, 0 no better than the mean. Of several outputs the mean of each one's; as scikit-learn's `r2_score`.
    """

    name = "r2"
    target = "values"
    share = False
    summed = True
    support = (
        Support(
            "r2_sums",
            '''def r2_sums(output, target):
    """Squared differences, targets and squared targets, each summed over the batch for every output."""
    y, t = output.flatten(1).double(), target.flatten(1).double()
    return torch.cat([(y - t).square().sum(0), t.sum(0), t.square().sum(0)])
''',
        ),
    )

    def code(self) -> Any:
        return call("r2_sums", OUTPUT, TARGET)

    def width(self, classes: int, values: int) -> int:
        return 3 * values

    def values_of(self, sums: Sequence[float], count: float) -> dict[str, float]:
        third = len(sums) // 3
        rows = zip(sums[:third], sums[third : 2 * third], sums[2 * third :], strict=True)
        found = [_determination(left, squares - total * total / count) for left, total, squares in rows]
        return {self.name: sum(found) / len(found)}


def _determination(left: float, spread: float) -> float:
    """R2 of one output; of targets that are all alike 1 if they are met exactly, else 0, as scikit-learn has it."""
    if spread > 0:
        return 1 - left / spread
    return 1.0 if left == 0 else 0.0


class Errors(Metric):
    """Character error rate of `ctc`'s outputs: the fewest insertions, deletions and replacements that make the targets
    of what was read, by the targets' length in all. The best output of every place is read, repeats and blanks left
    out."""

    name = "errors"
    target = "sequence"
    rises = False
    summed = True
    support = (
        Support(
            "edits",
            '''def edits(scores, target):
    """Edit distances between what is read greedily and the targets, and the targets' lengths, each summed.

    scores: N x outputs x places, the first output for none.
    """
    best = scores.argmax(1)
    starts = torch.cat([torch.ones_like(best[:, :1], dtype=torch.bool), best[:, 1:] != best[:, :-1]], 1)
    kept = starts & (best > 0)
    places = kept.cumsum(1) - 1
    width = scores.shape[2]
    read = torch.full((len(best), width + 1), -1, device=best.device)
    read.scatter_(1, torch.where(kept, places, width), torch.where(kept, best - 1, -1))
    found, wanted = kept.sum(1), (target >= 0).sum(1)
    # The rows of Levenshtein's table, for the whole batch at once; `least` is a running minimum of table - index.
    index = torch.arange(target.shape[1] + 1, device=best.device)
    row = index.expand(len(best), -1)
    for place in range(width):
        differs = (read[:, place, None] != target).long()
        down = torch.cat([row[:, :1] + 1, torch.minimum(row[:, 1:] + 1, row[:, :-1] + differs)], 1)
        least = (down - index).cummin(1).values + index
        row = torch.where((place < found)[:, None], least, row)
    total = row.gather(1, wanted[:, None]).sum()
    return torch.stack([total, wanted.sum()]).float()
''',
        ),
    )

    def code(self) -> Any:
        return call("edits", OUTPUT, TARGET)

    def width(self, classes: int, values: int) -> int:
        return 2

    def values_of(self, sums: Sequence[float], count: float) -> dict[str, float]:
        return {self.name: sums[0] / sums[1] if sums[1] else 0.0}


METRICS: tuple[type[Metric], ...] = (
    Accuracy,
    Top5,
    PerClass,
    IoU,
    MeanSquaredError,
    MeanAbsoluteError,
    R2,
    Errors,
)
