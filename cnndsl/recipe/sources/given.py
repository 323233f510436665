"""Data that needs no files: rows in the spec, arrays from Python, and made-up examples."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Count, ListOf, Number
from cnndsl.layers.base import LayerError
from cnndsl.recipe.sources.base import FIT, TEST, Source
from cnndsl.recipe.sources.files import Npz
from cnndsl.shape import Shape


class Table(Source):
    """Rows written in the spec: the input's values, then the target's. All are trained on."""

    name = "table"
    arguments = (
        Argument(
            "rows", ListOf(ListOf(Number(), fewest=2), fewest=1), help="the examples, each a list: inputs, then targets"
        ),
        Argument("targets", Count(), default=1, unit="columns", help="how many of the last columns are targets"),
    )
    of_values = True
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
        if shape.tokens or shape.elements != inputs:
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


class Arrays(Npz):
    """Arrays that a Python program hands over itself. They are taken as those of `npz` are; the command has none."""

    name = "arrays"
    arguments = (FIT, TEST)


class Synthetic(Source):
    """Made-up examples of the input's shape that can be learned, drawn from the seed: to try a network out.

    For classes: noise around one pattern per class; of tokens, sequences with words that only this class has. For
    values: a fixed random linear map of the input, or, for a map of values, the input blurred. A network that gives a
    class for each place gets what `shapes` draws, one that reads a row what `digit_rows` writes.
    """

    name = "synthetic"
    arguments = (
        Argument("examples", Count(), default=1000, positional=True, help="how many there are"),
        Argument("noise", Number(0), default=1.0, help="its deviation, the patterns' being 1"),
        TEST,
    )
    normalization = "none"
    of_places = True
    examples: int
    noise: float
    test: float | int


class Shapes(Source):
    """Drawn images and the masks that belong to them: rounded shapes on a noisy ground, each class with its own outline
    and brightness, class 0 the ground.

    For networks that give a class for each place, such as U-Net. As many classes as the network has outputs; one output
    tells shapes from ground. Where a network gives smaller maps, the middle of the masks counts, or every second …
    cell.
    """

    name = "shapes"
    arguments = (
        Argument("examples", Count(), default=1000, positional=True, help="how many images there are"),
        Argument("noise", Number(0), default=0.1, help="deviation of the noise, black being 0 and white 1"),
        TEST,
    )
    gives = "map"
    examples: int
    noise: float
    test: float | int

    def check_input(self, shape: Shape) -> None:
        if shape.tokens or shape.rank != 2:
            values = {"data": self.name, "image": "images", "input": str(shape)}
            raise LayerError("InputMismatch", None, wanted="such as 64x64x1", **values)


class DigitRows(Source):
    """Rows of handwritten digits, scikit-learn's put side by side, to be read from left to right.

    For networks that read text, such as CRNN, with `loss ctc`: the network's outputs are the ten digits, in order, and
    one for none.
    """

    name = "digit_rows"
    arguments = (
        Argument("examples", Count(), default=2000, positional=True, help="how many rows there are"),
        Argument("shortest", Count(), default=1, unit="digits", help="fewest digits in a row"),
        Argument("longest", Count(), default=6, unit="digits", help="most digits in a row, as far as they have room"),
        TEST,
    )
    gives = "sequence"
    classes = 10
    handed = True
    examples: int
    shortest: int
    longest: int
    test: float | int

    def check(self) -> None:
        if self.shortest > self.longest:
            raise LayerError(
                "NeedsArgument", "shortest", name="digit_rows", needs="`longest` to be at least `shortest`"
            )

    def check_input(self, shape: Shape) -> None:
        if shape.tokens or shape.rank != 2 or shape.channels not in (1, 3) or shape.sizes[1] < shape.sizes[0]:
            values = {"data": self.name, "image": "rows of digits", "input": str(shape)}
            raise LayerError("InputMismatch", None, wanted="that is wider than high, such as 32x100x1", **values)

    def check_output(self, outputs: int, target: str) -> None:
        if outputs < self.classes:
            raise self.mismatch(outputs, self.classes)
