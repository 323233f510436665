"""What data sources have in common."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

from cnndsl.layers.arguments import Argument, Choice, Text
from cnndsl.layers.base import LayerError
from cnndsl.recipe.base import Option, Portion
from cnndsl.shape import Shape

FIT = Argument(
    "fit",
    Choice("auto", "resize", "pad", "crop"),
    default="auto",
    help=(
        "how an image becomes as large as the input: `pad` puts background around it, `crop` takes its middle, "
        "`resize` interpolates bilinearly; by itself: pads up to a quarter of each side, else resizes"
    ),
)


def share_for_test(unless: str = "") -> Argument:
    """The argument that says how much is kept for the test; `unless` says where it does not hold."""
    meaning = "share or number of the examples kept for the test at the end" + (f", {unless}" if unless else "")
    return Argument("test", Portion(), default=0.2, help=meaning)


TEST = share_for_test()


def place(what: str, help: str) -> Argument:
    """The argument that names a file or folder, in quotes."""
    return Argument(what, Text(f"a {what}'s name in quotes"), positional=True, help=help)


class Source(Option):
    """Base of data sources.

    image: height, width and channels of its images, None where the source takes the network's input or only reading
    tells. classes: how many classes it has, names: what they are called; None and empty where that depends on the
    network or on what is read. gives: what belongs to an example: a `class`, a `map` of classes, `values` or a
    `sequence` of classes; empty where that is what the loss asks for. normalization, validation: what holds for it by
    default.
    """

    image: tuple[int, int, int] | None = None
    classes: int | None = None
    names: tuple[str, ...] = ()
    gives = ""
    normalization = "standard"
    validation: float | int = 0.1
    of_values = False
    """Whether its targets are values unless a loss on classes says otherwise."""
    of_places = False
    """Whether its targets may be maps, if the network gives maps."""
    handed = False
    """Whether its images mean something else when they are mirrored, as letters do."""

    def titled(self) -> str:
        """Its name, and the file or folder that it reads: `folder "photos"`."""
        others = [a.name for a in self.arguments if not (a.positional and isinstance(a.type, Text))]
        return self.brief(without=others)

    def known(self, **facts: Any) -> Self:
        """The same source with what reading it has shown: `image`, `classes`, `names`."""
        found = copy(self)
        found.__dict__.update(facts)
        return found

    def check_input(self, shape: Shape) -> None:
        """Whether examples can be made to fit the network's input. Raises LayerError."""

    def check_output(self, outputs: int, target: str) -> None:
        """Whether its targets fit a network with so many outputs and a loss on `target` (`classes` or
        `values`). Raises LayerError."""
        if self.classes is not None and self.classes != outputs:
            raise self.mismatch(outputs, self.classes)

    def mismatch(self, outputs: int, classes: int) -> LayerError:
        """That a network has so many outputs and the data so many classes."""
        many = "1 output" if outputs == 1 else f"{outputs} outputs"
        return LayerError("ClassesMismatch", None, data=self.name, classes=classes, outputs=many)


class ImageSource(Source):
    """Base of sources of images that have a size of their own and are fitted to the network's input."""

    gives = "class"
    fit: str

    def check_input(self, shape: Shape) -> None:
        shown = "images" if self.image is None else "x".join(map(str, self.image))
        values = {"data": self.name, "image": shown, "input": str(shape)}
        height, width, channels = self.image or (28, 28, 1)
        if shape.tokens or shape.rank not in (0, 2) or (shape.rank == 0 and self.image is None):
            raise LayerError("InputMismatch", None, wanted=f"such as {height}x{width}x{channels}", **values)
        if shape.rank == 0 and shape.channels != height * width * channels:
            raise LayerError("InputMismatch", None, wanted=f"of {height * width * channels} values", **values)
        if shape.rank == 2 and shape.channels not in (1, 3) and (self.image is None or shape.channels != channels):
            raise LayerError("InputMismatch", None, wanted="with 1 channel (grey) or 3 (colour)", **values)
        if shape.rank == 2 and self.image is not None and channels not in (1, 3, shape.channels):
            raise LayerError("InputMismatch", None, wanted=f"with {channels} channels", **values)
        if shape.rank == 2 and self.image is not None:
            if self.fit == "pad" and (shape.sizes[0] < height or shape.sizes[1] < width):
                raise LayerError("InputTooSmallToPad", "fit", **values)
            if self.fit == "crop" and (shape.sizes[0] > height or shape.sizes[1] > width):
                raise LayerError("InputTooLargeToCrop", "fit", **values)


def resolve_fit(fit: str, image: tuple[int, int], size: tuple[int, int]) -> str:
    """`pad`, `crop`, `resize` or, if they are equal, `none`: what makes an image as large as the input.

    `auto` pads where the input is larger than the image by at most a quarter of each side, as LeNet-5 put
    28x28 digits into 32x32; otherwise it resizes.
    """
    if image == size:
        return "none"
    if fit == "auto":
        small = all(i <= s <= i + i // 4 for i, s in zip(image, size, strict=True))
        return "pad" if small else "resize"
    return fit
