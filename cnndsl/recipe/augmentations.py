"""Augmentation: how training examples are changed at random each time they are seen, a whole batch at once."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Choice, Count, Flag, Number
from cnndsl.layers.base import LayerError
from cnndsl.recipe.base import Option


def _chance(default: float = 1.0) -> Argument:
    return Argument("chance", Number(0, 1), default=default, help="share of the examples that are changed")


def _chance_of_batch() -> Argument:
    return Argument("chance", Number(0, 1), default=1.0, help="share of the batches that are mixed")


FILL = Argument(
    "fill",
    Choice("zero", "edge", "reflect"),
    default="zero",
    help="what comes in from outside: the background, the nearest cell, or the image mirrored",
)


class Augmentation(Option):
    """Base of augmentations.

    fewest_axes, most_axes: how many spatial axes the input may have: none for rows of a table, one for curves and
    sounds, two for images. mixes: whether it mixes examples with others, and their targets with them.
    mirrors: whether letters become others.
    """

    fewest_axes = 1
    most_axes = 3
    mixes = False
    mirrors = False
    chance: float


class Flip(Augmentation):
    """Mirrored, left to right (curves: end to start), or with `vertical` top to bottom.

    With `alternate` each example is mirrored in every other epoch, which half begins being drawn from the seed: so
    two epochs together see everything once each way (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU").
    """

    name = "flip"
    arguments = (
        Argument("vertical", Flag(), default=False, help="top to bottom"),
        Argument("alternate", Flag(), default=False, help="in every other epoch, instead of by chance"),
        _chance(0.5),
    )
    mirrors = True
    vertical: bool
    alternate: bool

    def check(self) -> None:
        if self.alternate and self.chance != 0.5:
            raise LayerError("NeedsArgument", "chance", name="chance", needs="mirroring by chance, not `alternate`")


class Crop(Augmentation):
    """Cut out of itself at a random place after a border was put around it, so that it moves by up to `pixels`.

    What ResNets are trained with on CIFAR (He et al. 2015, section 4.2: 4 pixels of zeros).
    """

    name = "crop"
    arguments = (
        Argument("pixels", Count(), default=4, positional=True, unit="cells", help="width of the border"),
        Argument("fill", FILL.type, default="reflect", help=FILL.help),
    )
    pixels: int
    fill: str


class Affine(Augmentation):
    """Rotated, moved, scaled and sheared, each by an amount drawn evenly from minus to plus what is written.

    About the centre of the image, bilinearly. Next to `elastic` both are one resampling.
    """

    name = "affine"
    arguments = (
        Argument("rotate", Number(0, 180), default=0.0, positional=True, unit="degrees", help="most rotation"),
        Argument(
            "shift", Number(0, 1), default=0.0, positional=True, help="most movement along each axis, of its side"
        ),
        Argument(
            "scale",
            Number(0, 1, below=True),
            default=0.0,
            positional=True,
            help="most change of size: 0.1 is 0.9 … 1.1",
        ),
        Argument("shear", Number(0, 60), default=0.0, positional=True, unit="degrees", help="most slant"),
        FILL,
        _chance(),
    )
    fewest_axes = most_axes = 2
    rotate: float
    shift: float
    scale: float
    shear: float
    fill: str

    def check(self) -> None:
        if not (self.rotate or self.shift or self.scale or self.shear):
            raise LayerError("NeedsArgument", None, name="affine", needs="an amount, such as `affine rotate=10`")


class Elastic(Augmentation):
    """Bent as handwriting is: every cell is taken from a little beside, by distances that change smoothly.

    Simard et al. 2003: random numbers from -1 to 1, smoothed with a Gaussian of `sigma` cells, times `strength`.
    """

    name = "elastic"
    arguments = (
        Argument("strength", Number(0), default=34.0, positional=True, unit="cells", help="factor of the distances"),
        Argument("sigma", Number(0.1), default=4.0, positional=True, unit="cells", help="how far bends reach"),
        FILL,
        _chance(),
    )
    fewest_axes = most_axes = 2
    strength: float
    sigma: float
    fill: str


class Color(Augmentation):
    """Brighter or darker, with more or less contrast, more or less colourful: by factors drawn from 1 - x to 1 + x."""

    name = "color"
    arguments = (
        Argument("brightness", Number(0, 1), default=0.0, positional=True, help="most change of the factor"),
        Argument(
            "contrast", Number(0, 1), default=0.0, positional=True, help="most change of differences from the mean"
        ),
        Argument("saturation", Number(0, 1), default=0.0, positional=True, help="most change of differences from grey"),
        _chance(),
    )
    fewest_axes = most_axes = 2
    brightness: float
    contrast: float
    saturation: float

    def check(self) -> None:
        if not (self.brightness or self.contrast or self.saturation):
            raise LayerError("NeedsArgument", None, name="color", needs="an amount, such as `color brightness=0.2`")


class Cutout(Augmentation):
    """A square hole at a random place, in which the input is 0: the mean, after `normalize standard`.

    DeVries and Taylor 2017: its middle may be anywhere, so that holes may lie partly outside.
    """

    name = "cutout"
    arguments = (
        Argument("size", Count(), default=8, positional=True, unit="cells", help="side of the square"),
        _chance(),
    )
    size: int


class Noise(Augmentation):
    """Gaussian noise added to the network's input, after normalization. Where the network gives back its input, that
    input is without the noise."""

    name = "noise"
    arguments = (
        Argument("deviation", Number(0), default=0.1, positional=True, help="deviation, in units of the input"),
        _chance(),
    )
    fewest_axes = 0
    deviation: float


class Mixup(Augmentation):
    """Each example of a batch mixed with another one, and the loss with the other's target, in the same shares.

    Zhang et al. 2018: the share is drawn from Beta(alpha, alpha) once a batch. With `cutmix` in the same recipe, one of
    them is drawn for each batch.
    """

    name = "mixup"
    arguments = (
        Argument("alpha", Number(0.001), default=0.2, positional=True, help="small: mostly one of the two"),
        _chance_of_batch(),
    )
    fewest_axes = 0
    mixes = True
    alpha: float


class Cutmix(Augmentation):
    """A rectangle of each example is taken from another one, and the loss counts the other's target by its area.

    Yun et al. 2019: the rectangle's area is 1 - share, the share drawn from Beta(alpha, alpha) once a batch.
    """

    name = "cutmix"
    arguments = (
        Argument("alpha", Number(0.001), default=1.0, positional=True, help="1: every area is equally likely"),
        _chance_of_batch(),
    )
    mixes = True
    alpha: float


class NoAugmentation(Augmentation):
    """Examples are seen as they are: alone, to switch off what a recipe says, as in `--set-train augment=none`."""

    name = "none"
    fewest_axes = 0


AUGMENTATIONS: tuple[type[Augmentation], ...] = (
    Flip,
    Crop,
    Affine,
    Elastic,
    Color,
    Cutout,
    Noise,
    Mixup,
    Cutmix,
    NoAugmentation,
)
