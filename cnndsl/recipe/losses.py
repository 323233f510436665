"""Losses: what training makes small, as PyTorch expressions over the outputs and the target."""

from __future__ import annotations

from typing import Any, ClassVar

from cnndsl.layers.arguments import Argument, Choice, Count, Number
from cnndsl.layers.code import Binary, Input, Support, call
from cnndsl.recipe.base import Option

OUTPUT, TARGET = Input(0), Input(1)

WEIGHT = Argument("weight", Number(0), default=1.0, help="factor of this loss in the sum that is made small")


class Loss(Option):
    """Base of losses.

    target: what an output is compared with: `classes` (whole numbers; N, or N x places for maps), `values` (shaped as
    the output; classes become one-hot), `input` (the network's own input) or `sequence` (classes in order, N x length,
    -1 behind the last).
    reduction: whether the expression is a `mean` or a `sum` over the batch.
    smallest: the class with the smallest output is predicted, as where outputs are distances.
    decides: whether targets from 0 to 1 are classes too: those nearer to 1.
    takes: how many outputs of the network it compares at once; None: its own, and those that `gaussian` samples from.
    of_two: whether it is for two networks that are trained against each other (cnndsl.recipe.adversarial).
    on_host: whether PyTorch needs numbers of the targets on the host for it, which a GPU has to be waited for.
    support: functions that its expressions call, in PyTorch's terms alone.
    """

    target = "classes"
    reduction = "mean"
    smallest = False
    decides = False
    takes: int | None = 1
    of_two = False
    on_host = False
    support: tuple[Support, ...] = ()
    unsaid: ClassVar = {"weight": 1.0}
    weight: float

    def code(self, end: str = "") -> Any:
        """The scalar loss of a batch: an expression as layers are emitted, `Input(0)` the network's output (N x
        channels x places), `Input(1)` the target, those behind it the further outputs it takes. `end` is the kind of
        the layer that gives the output."""
        raise NotImplementedError(type(self).__name__)

    def scores(self, end: str = "") -> Any:
        """What metrics of classes look at, of the same inputs: N x classes x places, larger is likelier."""
        return call(".neg", OUTPUT) if self.smallest else OUTPUT

    def shares(self, end: str = "") -> Any | None:
        """The classes' probabilities, shaped as the scores, of the same inputs; None where outputs mean no such."""
        return None

    def classes(self, outputs: int) -> int:
        """How many classes so many outputs tell apart."""
        return outputs


class CrossEntropy(Loss):
    """Softmax cross-entropy between the last layer's outputs (logits) and the class, at every place of a map.

    The softmax is part of the loss: the network must not end in one. `smoothing` spreads that share of
    the target evenly over all classes (Szegedy et al. 2016, section 7).
    """

    name = "cross_entropy"
    arguments = (
        Argument("smoothing", Number(0, 1, below=True), default=0.0, help="share of the target spread over classes"),
        WEIGHT,
    )
    smoothing: float

    def code(self, end: str = "") -> Any:
        options = {"label_smoothing": self.smoothing} if self.smoothing else {}
        return call("F.cross_entropy", OUTPUT, TARGET, **options)

    def shares(self, end: str = "") -> Any | None:
        return call(".softmax", OUTPUT, 1)


class Focal(Loss):
    """Cross-entropy times (1 - p)^gamma, p being the right class's share: what is known well counts little.

    Lin et al. 2017, with a softmax over the classes as `cross_entropy` has it. `gamma=0` is cross-entropy.
    """

    name = "focal"
    arguments = (
        Argument("gamma", Number(0), default=2.0, positional=True, help="how much less what is known well counts"),
        WEIGHT,
    )
    gamma: float
    support = (
        Support(
            "focal_loss",
            '''def focal_loss(output, target, gamma):
    """The mean of -(1 - p)^gamma log p, p being the softmax at the target's class (Lin et al. 2017)."""
    entropy = F.cross_entropy(output, target, reduction="none")
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).mean()
''',
        ),
    )

    def code(self, end: str = "") -> Any:
        return call("focal_loss", OUTPUT, TARGET, gamma=self.gamma)

    def shares(self, end: str = "") -> Any | None:
        return call(".softmax", OUTPUT, 1)


class Mse(Loss):
    """Mean of the squared differences between outputs and targets, over the outputs and the batch."""

    name = "mse"
    target = "values"
    arguments = (WEIGHT,)

    def code(self, end: str = "") -> Any:
        return call("F.mse_loss", OUTPUT, TARGET)


class Mae(Loss):
    """Mean of the absolute differences between outputs and targets, over the outputs and the batch."""

    name = "mae"
    target = "values"
    arguments = (WEIGHT,)

    def code(self, end: str = "") -> Any:
        return call("F.l1_loss", OUTPUT, TARGET)


class Bce(Loss):
    """Binary cross-entropy between each output and a target from 0 to 1, the mean over outputs and batch.

    Behind a `sigmoid` the outputs are taken as probabilities; otherwise the sigmoid is part of the loss. A network with
    one output tells two classes apart, at every place if it is a map.
    """

    name = "bce"
    target = "values"
    decides = True
    arguments = (WEIGHT,)
    support = (
        Support(
            "two_scores",
            '''def two_scores(output, threshold):
    """Scores of the classes 0 and 1 from one output for the latter; several outputs are scores as they are."""
    return output if output.shape[1] != 1 else torch.cat([torch.full_like(output, threshold), output], 1)
''',
        ),
        Support(
            "two_shares",
            '''def two_shares(shares):
    """Probabilities of the classes 0 and 1 from one of the latter; several are as they are."""
    return shares if shares.shape[1] != 1 else torch.cat([1 - shares, shares], 1)
''',
        ),
    )

    def code(self, end: str = "") -> Any:
        name = "F.binary_cross_entropy" if end == "sigmoid" else "F.binary_cross_entropy_with_logits"
        return call(name, OUTPUT, TARGET)

    def scores(self, end: str = "") -> Any:
        return call("two_scores", OUTPUT, 0.5 if end == "sigmoid" else 0.0)

    def shares(self, end: str = "") -> Any | None:
        return call("two_shares", OUTPUT if end == "sigmoid" else call(".sigmoid", OUTPUT))

    def classes(self, outputs: int) -> int:
        return max(2, outputs)


class HalfSquared(Loss):
    """Half the squared differences, 1/2 (t - y)^2, summed over the outputs and the batch.

    Its gradient is y - t. With a `step` activation, which passes gradients straight through, plain SGD
    at batch 1 is Rosenblatt's perceptron rule: w += lr (t - y) x.
    """

    name = "half_squared"
    target = "values"
    reduction = "sum"
    arguments = (WEIGHT,)

    def code(self, end: str = "") -> Any:
        return Binary("*", 0.5, call("F.mse_loss", OUTPUT, TARGET, reduction="sum"))


class Reconstruction(Loss):
    """The difference between the network's output and its own input: an autoencoder's loss.

    `by` says how they are compared: the mean of squares, of absolute differences, or binary cross-entropy, for outputs
    that are probabilities (behind a `sigmoid`) and inputs from 0 to 1.
    """

    name = "reconstruction"
    target = "input"
    arguments = (
        Argument("by", Choice("mse", "mae", "bce"), default="mse", help="how output and input are compared"),
        WEIGHT,
    )
    by: str

    def code(self, end: str = "") -> Any:
        return call(_compared(self.by, end), OUTPUT, TARGET)


class Vae(Loss):
    """The variational autoencoder's: the output's difference from the input plus `beta` times the distance
    (Kullback-Leibler divergence) of each code's normal distribution from the standard one; the sum for an example,
    averaged over the batch.

    Kingma and Welling 2014, equation 10; Higgins et al. 2017 for a `beta` other than 1. The codes are those that
    `gaussian` layers sample from: their mean and log-variance must be outputs of the network, too.
    """

    name = "vae"
    target = "input"
    takes = None
    arguments = (
        Argument("by", Choice("bce", "mse", "mae"), default="bce", help="how output and input are compared"),
        Argument("beta", Number(0), default=1.0, help="weight of the divergence"),
        WEIGHT,
    )
    by: str
    beta: float
    support = (
        Support(
            "divergence",
            '''def divergence(*codes):
    """The Kullback-Leibler divergence of normal distributions from the standard one, the mean over the batch.

    codes: the mean and the logarithm of the variance of each. Kingma and Welling 2014, appendix B.
    """
    pairs = zip(codes[::2], codes[1::2], strict=True)
    total = sum((mean.square() + logvar.exp() - 1 - logvar).sum() for mean, logvar in pairs)
    return total / (2 * len(codes[0]))
''',
        ),
    )

    def code(self, end: str = "", codes: int = 2) -> Any:
        difference = call(_compared(self.by, end), OUTPUT, TARGET, reduction="sum")
        each = Binary("/", difference, call("len", OUTPUT))
        further = [Input(2 + number) for number in range(codes)]
        return Binary("+", each, Binary("*", self.beta, call("divergence", *further)))


def _compared(by: str, end: str) -> str:
    """The function of PyTorch that compares an output with values."""
    if by == "bce":
        return "F.binary_cross_entropy" if end == "sigmoid" else "F.binary_cross_entropy_with_logits"
    return "F.mse_loss" if by == "mse" else "F.l1_loss"


class Contrastive(Loss):
    """Pulls two codes together if their inputs are of one class, and pushes them `margin` apart if they are not.

    Hadsell et al. 2006, equation 4: the mean of 1/2 d^2 for like pairs and 1/2 max(0, margin - d)^2 for unlike ones, d
    being the distance between the network's first two outputs. For the accuracy, pairs nearer than half the margin are
    taken as alike.
    """

    name = "contrastive"
    takes = 2
    arguments = (
        Argument("margin", Number(0), default=1.0, positional=True, help="distance beyond which unlike pairs may stay"),
        WEIGHT,
    )
    margin: float
    support = (
        Support(
            "contrastive_loss",
            '''def contrastive_loss(code, alike, other, margin):
    """Hadsell et al. 2006, equation 4; `alike` is 1 for pairs of one class."""
    distance = F.pairwise_distance(code.flatten(1), other.flatten(1), eps=0)
    apart = F.relu(margin - distance).square()
    return torch.where(alike == 1, distance.square(), apart).mean() / 2
''',
        ),
        Support(
            "likeness",
            '''def likeness(code, other, margin):
    """Scores for unlike and alike: alike is what is nearer than half the margin."""
    near = margin / 2 - F.pairwise_distance(code.flatten(1), other.flatten(1), eps=0)
    return torch.stack([torch.zeros_like(near), near], 1)
''',
        ),
    )

    def code(self, end: str = "") -> Any:
        return call("contrastive_loss", OUTPUT, TARGET, Input(2), margin=self.margin)

    def scores(self, end: str = "") -> Any:
        return call("likeness", OUTPUT, Input(2), margin=self.margin)

    def classes(self, outputs: int) -> int:
        return 2


class Ctc(Loss):
    """Connectionist temporal classification: every place of a sequence of outputs gives one class or none, and all ways
    to spell the target so count together (Graves et al. 2006).

    The network ends in `places x classes` logits; the softmax is part of the loss. `blank` is the output for none, the
    other outputs are the classes in order. The loss of an example is divided by its target's length, then averaged, as
    PyTorch does. Targets that are too long for the places count nothing.
    """

    name = "ctc"
    target = "sequence"
    arguments = (
        Argument("blank", Count(0), default=0, positional=True, help="number of the output that means none, from 0"),
        WEIGHT,
    )
    blank: int
    on_host = True
    support = (
        Support(
            "ctc_loss",
            '''def ctc_loss(output, target, blank):
    """PyTorch's, of logits N x outputs x places and classes N x length with -1 behind each sequence's end."""
    places = torch.full((len(output),), output.shape[2], dtype=torch.long)
    lengths = (target >= 0).sum(1).cpu()
    labels = (target + (target >= blank)).clamp(min=0)
    spread = F.log_softmax(output, 1).permute(2, 0, 1)
    return F.ctc_loss(spread, labels, places, lengths, blank=blank, zero_infinity=True)
''',
        ),
        Support(
            "blank_first",
            '''def blank_first(output, blank):
    """The outputs with the one for none before the others."""
    return torch.cat([output[:, blank : blank + 1], output[:, :blank], output[:, blank + 1 :]], 1)
''',
        ),
    )

    def code(self, end: str = "") -> Any:
        return call("ctc_loss", OUTPUT, TARGET, blank=self.blank)

    def scores(self, end: str = "") -> Any:
        return call("blank_first", OUTPUT, self.blank) if self.blank else OUTPUT

    def classes(self, outputs: int) -> int:
        return outputs - 1


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
    arguments = (WEIGHT,)

    def code(self, end: str = "") -> Any:
        return call(".mean", _of_class())


class MapDistance(Loss):
    """LeNet-5's second criterion: maximum a posteriori, which also pushes the wrong classes away.

    LeCun et al. 1998, equation 9: the mean of y_D + log(e^-j + sum_i e^-y_i), for outputs y that are
    distances and D the correct class. `j` is the paper's positive constant: a "rubbish" class at that
    distance, so that classes further away are pushed no more. The smallest output is predicted.
    """

    name = "map_distance"
    arguments = (
        Argument("j", Number(0), default=1.0, help="distance of the class of rubbish, in squared units"),
        WEIGHT,
    )
    smallest = True
    j: float

    def code(self, end: str = "") -> Any:
        rivals = call("F.pad", call(".neg", OUTPUT), (0, 1), value=-self.j)
        return call(".mean", Binary("+", _of_class(), call(".logsumexp", rivals, 1)))


LOSSES: tuple[type[Loss], ...] = (
    CrossEntropy,
    Focal,
    Mse,
    Mae,
    Bce,
    Reconstruction,
    Vae,
    Contrastive,
    Ctc,
    HalfSquared,
    Distance,
    MapDistance,
)
