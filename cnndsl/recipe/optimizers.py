"""Optimizers: how weights follow their gradients. Update rules and defaults are PyTorch's."""

from __future__ import annotations

from typing import Any, ClassVar

from cnndsl.layers.arguments import Argument, Choice, Count, Flag, Number
from cnndsl.layers.base import LayerError
from cnndsl.layers.code import Call, Input, call
from cnndsl.recipe.base import Option

PARAMETERS = Input(0)


def _rate(default: float) -> Argument:
    return Argument("lr", Number(0), default=default, positional=True, help="learning rate, before the schedule")


WEIGHT_DECAY = Argument("weight_decay", Number(0), default=0.0, help="factor of each weight added to its gradient")
DECAY = Argument(
    "decay",
    Choice("all", "weights"),
    default="all",
    bare=False,
    help="what weight_decay is for: `weights` leaves out biases and norms, all parameters of one dimension",
)
EPS = Argument("eps", Number(0), default=1e-8, help="added to the denominator, against division by zero")


def _decay(name: str, default: float, help: str) -> Argument:
    return Argument(name, Number(0, 1, below=True), default=default, help=help)


class Optimizer(Option):
    """Base of optimizers. `states` counts the numbers kept for each parameter. of_one: whether its rule asks more of a
    network than gradients, so that it is none for two networks that train each other."""

    of_one = False
    unsaid: ClassVar = {"decay": "all"}
    lr: float
    weight_decay: float
    decay: str

    @property
    def states(self) -> int:
        raise NotImplementedError(type(self).__name__)

    def code(self) -> Call:
        """The constructor's call, `Input(0)` the parameters."""
        raise NotImplementedError(type(self).__name__)


class Sgd(Optimizer):
    """Stochastic gradient descent: w -= lr * v, where v = momentum * v + gradient."""

    name = "sgd"
    arguments = (
        _rate(0.01),
        _decay("momentum", 0.0, "share of the last step that is kept"),
        Argument("nesterov", Flag(), default=False, help="looks ahead along the momentum (Nesterov 1983)"),
        WEIGHT_DECAY,
        DECAY,
    )
    momentum: float
    nesterov: bool

    def check(self) -> None:
        if self.nesterov and not self.momentum:
            raise LayerError("NeedsArgument", "nesterov", name="nesterov", needs="a momentum, such as momentum=0.9")

    @property
    def states(self) -> int:
        return 1 if self.momentum else 0

    def code(self) -> Call:
        options: dict[str, Any] = {"momentum": self.momentum} if self.momentum else {}
        if self.nesterov:
            options["nesterov"] = True
        return call("torch.optim.SGD", PARAMETERS, lr=self.lr, weight_decay=self.weight_decay, **options)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015): steps scaled by running means of the gradient and of its square."""

    name = "adam"
    arguments = (
        _rate(1e-3),
        _decay("beta1", 0.9, "decay of the mean of the gradient"),
        _decay("beta2", 0.999, "decay of the mean of its square"),
        EPS,
        WEIGHT_DECAY,
        DECAY,
    )
    beta1: float
    beta2: float
    eps: float
    states = 2
    constructor = "torch.optim.Adam"

    def code(self) -> Call:
        return call(
            self.constructor,
            PARAMETERS,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): w shrinks by lr * weight_decay a step."""

    name = "adamw"
    arguments = (
        *Adam.arguments[:-2],
        Argument("weight_decay", Number(0), default=0.01, help="share, times lr, that each weight shrinks by a step"),
        DECAY,
    )
    constructor = "torch.optim.AdamW"


class RmsProp(Optimizer):
    """RMSprop (Hinton 2012): steps divided by the root of a running mean of the squared gradient.

    Keras's defaults are alpha=0.9 eps=1e-7; these are PyTorch's, but for the rate, which is Keras's.
    """

    name = "rmsprop"
    arguments = (
        _rate(1e-3),
        _decay("alpha", 0.99, "decay of the mean of the squared gradient"),
        _decay("momentum", 0.0, "share of the last step that is kept"),
        EPS,
        WEIGHT_DECAY,
        DECAY,
    )
    alpha: float
    momentum: float
    eps: float

    @property
    def states(self) -> int:
        return 2 if self.momentum else 1

    def code(self) -> Call:
        return call(
            "torch.optim.RMSprop",
            PARAMETERS,
            lr=self.lr,
            alpha=self.alpha,
            eps=self.eps,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )


class Perceptron(Optimizer):
    """Rosenblatt's rule: w += lr (t - y) x, example by example, for one layer whose units end in `step`.

    Rosenblatt 1958. It is gradient descent on `half_squared`, as `step` passes gradients straight through: that loss
    and `batch 1` are what the rule means.
    """

    name = "perceptron"
    arguments = (_rate(1.0),)
    of_one = True
    states = 0
    weight_decay = 0.0
    decay = "all"

    def code(self) -> Call:
        return call("torch.optim.SGD", PARAMETERS, lr=self.lr)


class Sdlm(Optimizer):
    """LeNet-5's stochastic diagonal Levenberg-Marquardt: w -= lr / (mu + h) * gradient, where h is how sharply the loss
    is curved along that weight.

    LeCun et al. 1998, section III.B and appendix C: h is estimated on `examples` training examples before each epoch,
    as the diagonal of the Gauss-Newton matrix, each connection that shares the weight by itself. For networks of
    convolutions, dense layers and subsampling with few outputs. The paper trains by single examples, with `lr` 5e-4 in
    the first two epochs, 2e-4 in the next three, then 1e-4 (three), 5e-5 (four) and 1e-5.
    """

    name = "sdlm"
    arguments = (
        _rate(5e-4),
        Argument("mu", Number(0), default=0.02, help="added to the curvature, so that flat directions take no leaps"),
        Argument("examples", Count(), default=500, help="how many the curvature is estimated on"),
    )
    mu: float
    examples: int
    of_one = True
    states = 1
    weight_decay = 0.0
    decay = "all"

    def code(self) -> Call:
        return call("DiagonalLevenbergMarquardt", PARAMETERS, lr=self.lr, mu=self.mu)


OPTIMIZERS: tuple[type[Optimizer], ...] = (Sgd, Adam, AdamW, RmsProp, Perceptron, Sdlm)
