"""Losses: what training makes small, as PyTorch expressions over the output and the target."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Number
from cnndsl.layers.code import Binary, Input, call
from cnndsl.recipe.base import Option

OUTPUT, TARGET = Input(0), Input(1)


class Loss(Option):
    """Base of losses.

    target: `classes` (whole numbers; shape N) or `values` (shaped as the output; classes become one-hot).
    reduction: whether the expression is a `mean` or a `sum` over the batch.
    smallest: the class with the smallest output is predicted, as where outputs are distances.
    """

    target = "classes"
    reduction = "mean"
    smallest = False

    def code(self) -> Any:
        """The scalar loss of a batch: an expression as layers are emitted, `Input(0)` the network's output
        (N x channels), `Input(1)` the target."""
        raise NotImplementedError(type(self).__name__)


class CrossEntropy(Loss):
    """Softmax cross-entropy between the last layer's outputs (logits) and the class.

    The softmax is part of the loss: the network must not end in one. `smoothing` spreads that share of
    the target evenly over all classes (Szegedy et al. 2016, section 7).
    """

    name = "cross_entropy"
    arguments = (
        Argument("smoothing", Number(0, 1, below=True), default=0.0, help="share of the target spread over classes"),
    )
    smoothing: float

    def code(self) -> Any:
        options = {"label_smoothing": self.smoothing} if self.smoothing else {}
        return call("F.cross_entropy", OUTPUT, TARGET, **options)


class Mse(Loss):
    """Mean of the squared differences between outputs and targets, over the outputs and the batch."""

    name = "mse"
    target = "values"

    def code(self) -> Any:
        return call("F.mse_loss", OUTPUT, TARGET)


class HalfSquared(Loss):
    """Half the squared differences, 1/2 (t - y)^2, summed over the outputs and the batch.

    Its gradient is y - t. With a `step` activation, which passes gradients straight through, plain SGD
    at batch 1 is Rosenblatt's perceptron rule: w += lr (t - y) x.
    """

    name = "half_squared"
    target = "values"
    reduction = "sum"

    def code(self) -> Any:
        return Binary("*", 0.5, call("F.mse_loss", OUTPUT, TARGET, reduction="sum"))


def _of_class() -> Any:
    """The output that belongs to each example's class; shape N."""
    return call(".squeeze", call(".gather", OUTPUT, 1, call(".unsqueeze", TARGET, 1)), 1)


class Distance(Loss):
    """LeNet-5's first criterion: the mean of the correct class's output, a distance.

    LeCun et al. 1998, equation 8. For an `rbf` output layer with fixed centres; trained centres would
    collapse. The class with the smallest output is predicted.
    """

    name = "distance"
    smallest = True

    def code(self) -> Any:
        return call(".mean", _of_class())


class MapDistance(Loss):
    """LeNet-5's second criterion: maximum a posteriori, which also pushes the wrong classes away.

    LeCun et al. 1998, equation 9: the mean of y_D + log(e^-j + sum_i e^-y_i), for outputs y that are
    distances and D the correct class. `j` is the paper's positive constant: a "rubbish" class at that
    distance, so that classes further away are pushed no more. The smallest output is predicted.
    """

    name = "map_distance"
    arguments = (Argument("j", Number(0), default=1.0, help="distance of the class of rubbish, in squared units"),)
    smallest = True
    j: float

    def code(self) -> Any:
        rivals = call("F.pad", call(".neg", OUTPUT), (0, 1), value=-self.j)
        return call(".mean", Binary("+", _of_class(), call(".logsumexp", rivals, 1)))


LOSSES: tuple[type[Loss], ...] = (CrossEntropy, Mse, HalfSquared, Distance, MapDistance)
