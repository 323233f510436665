"""Losses of two networks that are trained against each other: each a pair of expressions over the discriminator's
scores."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Number
from cnndsl.layers.code import Binary, Input, call
from cnndsl.recipe.losses import Loss

REAL, MADE = Input(0), Input(1)
"""The discriminator's scores of examples, and of what the generator made; shape N."""


class AdversarialLoss(Loss):
    """Base of losses for two networks.

    bounded: whether the discriminator may end in `sigmoid`, so that its scores are probabilities.
    """

    target = "input"
    of_two = True
    weight = 1.0
    bounded = False

    def discriminator(self, end: str = "") -> Any:
        """What the discriminator makes small: an expression over `REAL` and `MADE`; `end` is its last layer's kind."""
        raise NotImplementedError(type(self).__name__)

    def generator(self, end: str = "") -> Any:
        """What the generator makes small: an expression over the scores of what it made, `Input(0)`."""
        raise NotImplementedError(type(self).__name__)

    def judged(self, end: str = "") -> Any:
        """The scores as they are reported, of `Input(0)`."""
        return REAL


class NonSaturating(AdversarialLoss):
    """Binary cross-entropy: the discriminator tells examples (1) from what was made (0), the generator makes what is
    taken for 1. For `train … of` two networks.

    Goodfellow et al. 2014, section 3: the generator makes log D(G(z)) large rather than log(1 - D(G(z))) small, whose
    gradient vanishes when it is bad; so does DCGAN. Behind a `sigmoid` the scores are taken as probabilities.
    `smoothing` makes the target of examples less than 1 (Salimans et al. 2016, section 3.4).
    """

    name = "non_saturating"
    arguments = (
        Argument("smoothing", Number(0, 1, below=True), default=0.0, help="what the target of examples is below 1"),
    )
    bounded = True
    smoothing: float

    def discriminator(self, end: str = "") -> Any:
        real = _entropy(REAL, call("torch.full_like", REAL, 1.0 - self.smoothing), end)
        return Binary("+", real, _entropy(MADE, call("torch.zeros_like", MADE), end))

    def generator(self, end: str = "") -> Any:
        return _entropy(REAL, call("torch.ones_like", REAL), end)

    def judged(self, end: str = "") -> Any:
        return REAL if end == "sigmoid" else call("torch.sigmoid", REAL)


def _entropy(scores: Any, target: Any, end: str) -> Any:
    name = "F.binary_cross_entropy" if end == "sigmoid" else "F.binary_cross_entropy_with_logits"
    return call(name, scores, target)


class Hinge(AdversarialLoss):
    """The mean of max(0, 1 - D(x)) + max(0, 1 + D(G(z))) for the discriminator, of -D(G(z)) for the generator. For
    `train … of` two networks.

    Lim and Ye 2017, "Geometric GAN". The discriminator's score has no bounds: it must not end in `sigmoid`.
    """

    name = "hinge"

    def discriminator(self, end: str = "") -> Any:
        real, made = (call("F.relu", Binary(sign, 1.0, scores)) for sign, scores in (("-", REAL), ("+", MADE)))
        return Binary("+", call(".mean", real), call(".mean", made))

    def generator(self, end: str = "") -> Any:
        return call(".neg", call(".mean", REAL))


class LeastSquares(AdversarialLoss):
    """Half the squared distance of scores from 1 for examples and from 0 for what was made; the generator's from 1.
    For `train … of` two networks.

    Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation 9. The discriminator's score has no
    bounds: it must not end in `sigmoid`.
    """

    name = "least_squares"

    def discriminator(self, end: str = "") -> Any:
        real = call("F.mse_loss", REAL, call("torch.ones_like", REAL))
        return Binary("*", 0.5, Binary("+", real, call("F.mse_loss", MADE, call("torch.zeros_like", MADE))))

    def generator(self, end: str = "") -> Any:
        return Binary("*", 0.5, call("F.mse_loss", REAL, call("torch.ones_like", REAL)))


ADVERSARIAL: tuple[type[AdversarialLoss], ...] = (NonSaturating, Hinge, LeastSquares)
