"""What else a run may do: averaged weights, an early end, stochastic depth, several views, checkpoints."""

from __future__ import annotations

from typing import ClassVar

from cnndsl.layers.arguments import Argument, Choice, Count, Flag, ListOf, Number, Text
from cnndsl.layers.base import LayerError
from cnndsl.recipe.base import Option, plain


class Ema(Option):
    """A running mean of the weights, by which the network is measured and which is what a run leaves.

    After each step mean = decay * mean + (1 - decay) * weights, batch norm's statistics included; it begins as the
    weights after the first step, as PyTorch's AveragedModel does. With `warmup` the decay is at most
    (1 + steps) / (10 + steps), so that a short run forgets its beginning.
    """

    name = "ema"
    arguments = (
        Argument(
            "decay", Number(0, 1, below=True), default=0.0, positional=True, help="share that is kept; 0: no mean"
        ),
        Argument("warmup", Flag(), default=False, help="begins with a smaller share"),
    )
    decay: float
    warmup: bool

    def share(self, step: int) -> float:
        """What is kept of the mean after step number `step`, from 0."""
        if step == 0:
            return 0.0
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay


class Lookahead(Option):
    """Slow weights that follow the fast ones: after every `k` steps slow = slow + alpha * (fast - slow), and the fast
    weights go on from there (Zhang et al. 2019, "Lookahead Optimizer: k steps forward, 1 step back", algorithm 1).

    The slow weights are what is measured and what a run leaves, as the paper's algorithm returns them. They begin as
    the network does; batch norm's statistics go along with the weights, and the optimizer keeps its momentum. With a
    `power` the share of the slow weights that is kept grows over the run, from 0 to 1 - alpha: it is (1 - alpha) *
    t^power, where t is the share of the steps that is done. `lookahead 5 alpha={1 - 0.95**5} power=3` is airbench's
    (Jordan 2024), which takes the slow weights at the end.
    """

    name = "lookahead"
    arguments = (
        Argument("k", Count(0), default=0, positional=True, unit="steps", help="from one pull to the next; 0: none"),
        Argument("alpha", Number(0, 1), default=0.5, help="how far the slow weights go towards the fast ones"),
        Argument("power", Number(0), default=0.0, help="with which the share grows that is kept; 0: always 1 - alpha"),
    )
    k: int
    alpha: float
    power: float

    def check(self) -> None:
        if not self.k and (self.alpha, self.power) != (0.5, 0.0):
            raise LayerError(
                "NeedsArgument", None, name="lookahead", needs="a number of steps: `lookahead 5 alpha=0.5`"
            )
        if not self.alpha and not self.power:
            raise LayerError(
                "NeedsArgument", "alpha", name="lookahead", needs="an alpha above 0: slow weights move by it"
            )

    def kept(self, done: float) -> float:
        """What is kept of the slow weights when this share of the run's steps is done."""
        return float((1 - self.alpha) * min(1.0, done) ** self.power)


class EarlyStopping(Option):
    """Ends the run when the validation set has not been met better for so many epochs; what is left are the weights of
    the best epoch, also where the run goes to its end."""

    name = "early_stopping"
    arguments = (
        Argument("patience", Count(0), default=0, positional=True, unit="epochs", help="how long; 0: never"),
        Argument("on", Text("a metric's name or `loss`"), default="loss", help="what is watched"),
        Argument("by", Number(0), default=0.0, help="what is not better by more than that counts as no better"),
    )
    patience: int
    on: str
    by: float


class Tta(Option):
    """Predictions in evaluation are means of the outputs for several views of an image: test-time augmentation.

    `mirror` adds the image seen in a mirror; `shift` each moved by so many cells up and left, and down and right. All
    views count alike, or those that are not moved have the share `centre` together: `tta mirror shift=1 fill=reflect
    centre=0.5` is airbench's (Jordan 2024).
    """

    name = "tta"
    arguments = (
        Argument("mirror", Flag(), default=False, help="left and right swapped, too"),
        Argument("shift", Count(0), default=0, unit="cells", help="up and left, down and right, too; 0: not moved"),
        Argument(
            "fill",
            Choice("edge", "reflect"),
            default="edge",
            help="what comes in from outside then: the nearest cell, or the image mirrored",
        ),
        Argument(
            "centre", Number(0, 1), default=None, help="share of what is not moved; by itself: a third, as of each"
        ),
    )
    unsaid: ClassVar = {"fill": "edge", "centre": None}
    mirror: bool
    shift: int
    fill: str
    centre: float | None

    def check(self) -> None:
        if self.centre is not None and not self.shift:
            raise LayerError("NeedsArgument", "centre", name="centre", needs="a shift, such as shift=1")
        if self.fill != "edge" and not self.shift:
            raise LayerError("NeedsArgument", "fill", name="fill", needs="a shift, such as shift=1")


class StochasticDepth(Option):
    """The share of examples whose branch the `droppath` layers drop: rising in equal steps to `last`, the deeper the
    layer (Huang et al. 2016, equation 4), instead of what the network says.

    With `rise` it grows from 0 during the first epochs.
    """

    name = "droppath"
    arguments = (
        Argument(
            "last",
            Number(0, 1, below=True),
            default=None,
            positional=True,
            help="of the deepest; else as the spec says",
        ),
        Argument("rise", Number(0), default=0.0, unit="epochs", help="how long the shares grow"),
    )
    last: float | None
    rise: float


class Freeze(Option):
    """Layers and blocks, by their names, whose weights stay as they are: throughout or for the first `epochs`, for what
    was trained before (`--init-from`), or from when they were trained for so many epochs, `after`, which makes the rest
    of a run faster. The statistics of their batch norms stay, too.

    With a parameter's name behind a dot it is about that alone: `freeze whiten.bias after=3` is what airbench does with
    the bias of its first convolution (Jordan 2024). `norms` stands for all normalization layers. No gradient is
    computed for what is frozen.
    """

    name = "freeze"
    gathers = True
    arguments = (
        Argument(
            "layers",
            ListOf(Text("the name of a layer, a block or a parameter")),
            default=(),
            positional=True,
            help="their names, in a row",
        ),
        Argument("epochs", Number(0), default=0.0, unit="epochs", help="how long; 0: throughout"),
        Argument(
            "after", Number(0), default=0.0, unit="epochs", help="how long they are trained before; 0: not at all"
        ),
    )
    layers: tuple[str, ...]
    epochs: float
    after: float

    def check(self) -> None:
        if self.epochs and self.after:
            raise LayerError("NeedsArgument", "after", name="freeze", needs="either `epochs` or `after`, not both")
        if (self.epochs or self.after) and not self.layers:
            raise LayerError("NeedsArgument", None, name="freeze", needs="names of layers: `freeze stage1 epochs=2`")

    @property
    def throughout(self) -> bool:
        """Whether what is frozen stays so from the first step to the last."""
        return not self.epochs and not self.after

    @property
    def when(self) -> str:
        """In words, behind what is frozen; empty if it is so throughout."""
        count = self.epochs or self.after
        epochs = "1 epoch" if count == 1 else f"{count:g} epochs"
        return f" for {epochs}" if self.epochs else f" after {epochs}" if self.after else ""

    def holds(self, epochs: float) -> bool:
        """Whether it is frozen when so many epochs are done."""
        return epochs >= self.after if self.after else self.throughout or epochs < self.epochs

    def __str__(self) -> str:
        when = f"after={plain(self.after)}" if self.after else f"epochs={plain(self.epochs)}"
        return " ".join((self.name, *self.layers, when))


class Rate(Option):
    """What the learning rate of some layers, or of a parameter of theirs, is multiplied by, besides the schedule: `rate
    head 10`, `rate norms.bias 64`. The names are those of `freeze`.

    `weight_decay` is not multiplied along: how much weights shrink in a step is what it is without the line (Jordan
    2024, as airbench does for the biases of its batch norms; Page 2018 trains them so, too). Where several lines are
    about a parameter, all their factors count.
    """

    name = "rate"
    arguments = (Argument("factor", Number(0), default=1.0, positional=True, help="what the rate is multiplied by"),)
    factor: float

    def check(self) -> None:
        if not self.factor:
            raise LayerError("NeedsArgument", 0, name="rate", needs="a factor above 0; what is not to learn: `freeze`")

    def __str__(self) -> str:
        return super().__str__() if self.factor != 1 else f"{self.name} off"


class Checkpoints(Option):
    """How often everything is written down: at the end of each epoch, and every so many steps within one."""

    name = "checkpoint"
    arguments = (
        Argument("every", Count(0), default=0, positional=True, unit="steps", help="0: at the end of an epoch alone"),
    )
    every: int
