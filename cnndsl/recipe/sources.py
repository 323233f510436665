"""Data sources: where examples come from, and what can be said of them before they are read."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Choice, Count, ListOf, Number, Text
from cnndsl.layers.base import LayerError
from cnndsl.recipe.base import Option, Portion
from cnndsl.shape import Shape

FIT = Argument(
    "fit",
    Choice("auto", "resize", "pad"),
    default="auto",
    help=(
        "how an image becomes as large as the input: `pad` puts background around it, `resize` interpolates "
        "bilinearly; by itself: pads up to a quarter of each side, else resizes"
    ),
)
TEST = Argument("test", Portion(), default=0.2, help="share or number of the examples kept for the test at the end")


class Source(Option):
    """Base of data sources.

    image: height, width and channels of its images, None where the source takes the network's input.
    classes: how many classes it has, None where that depends on the network or the rows.
    """

    image: tuple[int, int, int] | None = None
    classes: int | None = None
    normalization = "standard"
    validation: float | int = 0.1

    def check_input(self, shape: Shape) -> None:
        """Whether examples can be made to fit the network's input. Raises LayerError."""

    def check_output(self, outputs: int, target: str) -> None:
        """Whether its targets fit a network with so many outputs and a loss on `target` (`classes` or
        `values`). Raises LayerError."""
        if self.classes is not None and self.classes != outputs:
            raise LayerError("ClassesMismatch", None, data=self.name, classes=self.classes, outputs=outputs)


class ImageSource(Source):
    """Base of sources whose images have a size of their own and are fitted to the network's input."""

    image: tuple[int, int, int]
    fit: str

    def check_input(self, shape: Shape) -> None:
        height, width, channels = self.image
        values = {"data": self.name, "image": "x".join(map(str, self.image)), "input": str(shape)}
        if shape.tokens or shape.rank not in (0, 2):
            raise LayerError("InputMismatch", None, wanted=f"such as {height}x{width}x{channels}", **values)
        if shape.rank == 0 and shape.channels != height * width * channels:
            raise LayerError("InputMismatch", None, wanted=f"of {height * width * channels} values", **values)
        if shape.rank == 2 and shape.channels not in (1, 3):
            raise LayerError("InputMismatch", None, wanted="with 1 channel (grey) or 3 (colour)", **values)
        if shape.rank == 2 and self.fit == "pad" and (shape.sizes[0] < height or shape.sizes[1] < width):
            raise LayerError("InputTooSmallToPad", "fit", **values)


def resolve_fit(fit: str, image: tuple[int, int], size: tuple[int, int]) -> str:
    """`pad`, `resize` or, if they are equal, `none`: what makes an image as large as the input.

    `auto` pads where the input is larger than the image by at most a quarter of each side, as LeNet-5 put
    28x28 digits into 32x32; otherwise it resizes.
    """
    if image == size:
        return "none"
    if fit == "auto":
        small = all(i <= s <= i + i // 4 for i, s in zip(image, size, strict=True))
        return "pad" if small else "resize"
    return fit


class Digits(ImageSource):
    """1,797 real handwritten digits of 43 people, 8x8 grey, from scikit-learn: nothing is downloaded.

    The test part of the UCI "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998). It has
    no parts of its own, so a fifth is kept for the test: always the same, with every class in proportion.
    """

    name = "digits"
    arguments = (FIT, TEST)
    image = (8, 8, 1)
    classes = 10


class IdxSource(ImageSource):
    """Base of sources in MNIST's own file format: four IDX files, gzipped or not, in a folder."""

    arguments = (
        Argument(
            "folder",
            Text("a folder's name in quotes"),
            default="",
            help="folder of the files, below the data root; by itself: the one of the source's name",
        ),
        FIT,
    )
    image = (28, 28, 1)
    classes = 10
    folder: str


class Mnist(IdxSource):
    """MNIST: 60,000 handwritten digits to train on and 10,000 to test with, 28x28 grey (LeCun et al. 1998)."""

    name = "mnist"


class FashionMnist(IdxSource):
    """Fashion-MNIST: photographs of clothes in MNIST's sizes and format (Xiao et al. 2017)."""

    name = "fashion_mnist"


class Table(Source):
    """Rows written in the spec: the input's values, then the target's. All are trained on."""

    name = "table"
    arguments = (
        Argument(
            "rows", ListOf(ListOf(Number(), fewest=2), fewest=1), help="the examples, each a list: inputs, then targets"
        ),
        Argument("targets", Count(), default=1, unit="columns", help="how many of the last columns are targets"),
    )
    normalization = "none"
    validation = 0
    rows: tuple[tuple[float, ...], ...]
    targets: int

    def check(self) -> None:
        width = len(self.rows[0])
        for number, row in enumerate(self.rows, 1):
            if len(row) != width:
                raise LayerError("RaggedRows", "rows", row=number, given=len(row), first=width)
        if self.targets >= width:
            raise LayerError("NeedsArgument", "targets", name="table", needs="at least one column besides the targets")

    def check_input(self, shape: Shape) -> None:
        inputs = len(self.rows[0]) - self.targets
        if shape.tokens or shape.rank or shape.channels != inputs:
            raise LayerError("TableMismatch", "rows", side="inputs", columns=inputs, network=str(shape))

    def check_output(self, outputs: int, target: str) -> None:
        if target == "values":
            if outputs != self.targets:
                raise LayerError("TableMismatch", "rows", side="targets", columns=self.targets, network=outputs)
            return
        if self.targets != 1:
            raise LayerError("TableMismatch", "targets", side="classes", columns=self.targets, network=1)
        for number, row in enumerate(self.rows, 1):
            if row[-1] != int(row[-1]) or not 0 <= row[-1] < outputs:
                raise LayerError("NotAClass", "rows", row=number, value=row[-1], highest=outputs - 1)


class Synthetic(Source):
    """Made-up examples of the input's shape that can be learned, drawn from the seed: to try a network out.

    For classes: noise around one pattern per class. For values: a fixed random linear map of the input.
    """

    name = "synthetic"
    arguments = (
        Argument("examples", Count(), default=1000, positional=True, help="how many there are"),
        Argument("noise", Number(0), default=1.0, help="its deviation, the patterns' being 1"),
        TEST,
    )
    normalization = "none"
    examples: int
    noise: float

    def check_input(self, shape: Shape) -> None:
        if shape.tokens:
            raise LayerError(
                "InputMismatch",
                None,
                data=self.name,
                image="numbers",
                input=str(shape),
                wanted="of numbers, not tokens",
            )


SOURCES: tuple[type[Source], ...] = (Digits, Mnist, FashionMnist, Table, Synthetic)
