"""The training vocabulary: every setting, with what it may be and what holds without it."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Choice, Count, Number
from cnndsl.recipe.adversarial import ADVERSARIAL
from cnndsl.recipe.augmentations import AUGMENTATIONS
from cnndsl.recipe.base import LAYERS, Portion, Seed, SettingKind, Switch, option
from cnndsl.recipe.losses import LOSSES
from cnndsl.recipe.metrics import METRICS
from cnndsl.recipe.normalizations import NORMALIZATIONS
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.recipe.schedules import SCHEDULES
from cnndsl.recipe.sources import SOURCES
from cnndsl.recipe.training import Checkpoints, EarlyStopping, Ema, Freeze, Lookahead, Rate, StochasticDepth, Tta

EPOCHS = Argument("epochs", Count(), positional=True, help="passes over the training examples")
BATCH = Argument("batch", Count(), positional=True, unit="examples", help="examples to a step")
ACCUMULATE = Argument(
    "accumulate", Count(), positional=True, unit="batches", help="batches whose gradients make one step"
)
PRECISION = Argument(
    "precision",
    Choice("fp32", "bf16", "auto"),
    positional=True,
    help="numbers that layers compute with; `auto`: bf16 where the device computes with it natively",
)
VALIDATION = Argument(
    "validation",
    Portion(),
    positional=True,
    help="share or number of the training examples kept apart and measured after each epoch; 0 for none",
)
TEST = Argument("test", Switch(), help="`off`: the test examples are not looked at")
SHUFFLE = Argument("shuffle", Switch(), help="`off`: always in the order they are stored in")
CLIP = Argument("clip", Number(0), positional=True, help="longer gradients are scaled to this norm; 0 for none")
SEED = Argument("seed", Seed(), positional=True, help="start of weights, order and noise")

SETTINGS: tuple[SettingKind, ...] = (
    SettingKind("data", "what is trained on", "digits, if they fit the network", SOURCES),
    SettingKind(
        "augment", "how examples change each time they are seen", "none", AUGMENTATIONS, initial=(), chained=True
    ),
    SettingKind("normalize", "how stored values become inputs", "standard for images, else none", NORMALIZATIONS),
    SettingKind(
        "loss",
        "what training makes small",
        "cross_entropy for classes, mse for values",
        (*LOSSES, *ADVERSARIAL),
        parts="outputs",
    ),
    SettingKind("optimizer", "how weights follow their gradients", "adam", OPTIMIZERS, parts="networks"),
    SettingKind("schedule", "how the learning rate changes", "constant", SCHEDULES),
    SettingKind(
        "rate",
        "another learning rate for some layers",
        "the same for all",
        initial=option(Rate),
        form=Rate,
        parts=LAYERS,
    ),
    SettingKind(
        "metrics", "what is reported beside the loss", "accuracy for classes, mae for values", METRICS, several=True
    ),
    SettingKind("epochs", "how often all training examples are seen", "10", (), EPOCHS, 10),
    SettingKind("batch", "how many examples are computed at once", "64", (), BATCH, 64),
    SettingKind("accumulate", "how many batches make a step", "1", (), ACCUMULATE, 1),
    SettingKind("validation", "training examples to watch progress with", "0.1, none for a table", (), VALIDATION),
    SettingKind("test", "whether the test examples are looked at, once, at the end", "on", (), TEST, True),
    SettingKind("shuffle", "whether every epoch has an order of its own", "on", (), SHUFFLE, True),
    SettingKind("clip", "bound on the norm of the whole gradient", "0, no bound", (), CLIP, 0.0),
    SettingKind("ema", "a running mean of the weights", "none", initial=option(Ema), form=Ema),
    SettingKind(
        "lookahead", "slow weights that the others are pulled to", "none", initial=option(Lookahead), form=Lookahead
    ),
    SettingKind(
        "early_stopping", "when to end before time", "never", initial=option(EarlyStopping), form=EarlyStopping
    ),
    SettingKind(
        "droppath",
        "how much of the depth is random",
        "as the network has it",
        initial=option(StochasticDepth),
        form=StochasticDepth,
    ),
    SettingKind("freeze", "which layers don't learn", "none", initial=option(Freeze), form=Freeze),
    SettingKind("tta", "several views of an image in evaluation", "the image alone", initial=option(Tta), form=Tta),
    SettingKind("precision", "numbers that layers compute with", "fp32", (), PRECISION, "fp32"),
    SettingKind(
        "checkpoint",
        "when everything is written down",
        "after each epoch",
        initial=option(Checkpoints),
        form=Checkpoints,
    ),
    SettingKind("seed", "where random numbers start", "0", (), SEED, 0),
)
BY_NAME = {kind.name: kind for kind in SETTINGS}
