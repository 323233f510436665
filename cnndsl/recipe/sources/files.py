"""Data in files of the user's own: images in folders, arrays, tables."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, BadValue, Choice, Text, Type
from cnndsl.layers.base import LayerError
from cnndsl.recipe.sources.base import FIT, TEST, ImageSource, Source, place, share_for_test
from cnndsl.shape import Shape

_ARRAY_NAME = Text("the name of an array in the file, in quotes")


class Folder(ImageSource):
    """Images in folders: one folder for each class, its name the class's.

    PNG, JPEG, BMP, GIF (the first picture), WebP, TIFF and PNM. The classes stand in the folder itself, or apart in its
    folders `train`, `val` (or `valid`, `validation`) and `test`; what is not apart is split off. Images are decoded
    once, made as large as the network's input, and kept in the user's cache; a folder that has changed is read again.

    With `masks="masks"` each image has a mask instead, for networks that give a class for each place: a picture in the
    folder of masks, of the image's name or with `_mask` behind it, whose values (or indexes into its palette) are the
    classes.
    """

    name = "folder"
    arguments = (
        place("folder", "below the data root or beside the spec"),
        Argument(
            "fit",
            Choice("crop", "resize", "pad"),
            default="crop",
            help=(
                "how an image becomes as large as the input: `crop` scales it to cover the input and takes the middle, "
                "`pad` scales it to fit inside and puts background around it, `resize` stretches it"
            ),
        ),
        Argument(
            "corrupt",
            Choice("refuse", "skip"),
            default="refuse",
            bare=False,
            help="images that can't be read: nothing is trained, or they are named and left out",
        ),
        share_for_test("where there is no folder `test`"),
        Argument(
            "masks",
            Text("a folder's name in quotes"),
            default="",
            help="the folder of masks, in the one named first or in each of its parts; without it, images have classes",
        ),
        Argument(
            "images",
            Text("a folder's name in quotes"),
            default="",
            help="the folder of the images that have masks; by itself: the one beside the masks",
        ),
    )
    folder: str
    corrupt: str
    test: float | int
    masks: str
    images: str

    @property
    def gives(self) -> str:  # type: ignore[override]
        return "map" if self.masks else "class"

    def check(self) -> None:
        if self.images and not self.masks:
            raise LayerError("NeedsArgument", "images", name="images", needs="`masks=`, the folder of their masks")
        if self.masks and not self.masks.strip("./"):
            raise LayerError("NeedsArgument", "masks", name="masks", needs='a folder of its own, such as masks="masks"')


class Npz(ImageSource):
    """NumPy arrays in a file: inputs and targets, whole, or apart for training, validation and test.

    Arrays are found by the names that are common: `x` and `y`, `images` and `labels`, `data` and `target`, also with
    `_train`, `_val`, `_test` behind or `train_`, `val_`, `test_` before them; or as `x=` and `y=` say. Images of bytes
    (N x height x width, with or without channels last or first) are fitted to the input; other numbers are taken as
    they are and must have its shape. Classes are whole numbers from 0, names, or one-hot. Objects are never loaded.
    """

    name = "npz"
    arguments: tuple[Argument, ...] = (
        place("file", "an .npz file below the data root or beside the spec"),
        Argument("x", _ARRAY_NAME, default="", help="the inputs' name; that of the training part if there are parts"),
        Argument("y", _ARRAY_NAME, default="", help="the targets' name"),
        FIT,
        share_for_test("where the file has none apart"),
    )
    gives = ""
    of_places = True
    file: str
    x: str
    y: str
    test: float | int

    def check_input(self, shape: Shape) -> None:
        if self.image is not None:
            super().check_input(shape)


class Columns(Type):
    """Columns of a table: how many of the last ones, a name, a list of names, or `first`."""

    wanted = "a number of last columns, a column's name in quotes, a list of names, or `first`"

    def convert(self, value: Any) -> Any:
        value = value[0] if isinstance(value, tuple) and len(value) == 1 else value
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31):
            return value
        if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
            return tuple(value)
        raise BadValue(self.wanted)


class Csv(Source):
    """A table or curves in a text file, one example a line: inputs and targets in its columns.

    Curves (`input 900x1`) have a column for each point; with several channels all points of the first come first. For
    `loss cross_entropy` the target is a class: whole numbers from 0, or names, which become classes in the order of
    the alphabet. Empty cells and what is no number are errors, told with their line.
    """

    name = "csv"
    arguments = (
        place("file", "below the data root or beside the spec"),
        Argument(
            "targets",
            Columns(),
            default=1,
            unit="columns",
            help="how many of the last columns are targets, or which: a name, a list of names, `first`; 0 for none",
        ),
        Argument(
            "without", Columns(), default=(), unit="columns", help="columns to leave out, such as numbers of lines"
        ),
        Argument(
            "header",
            Choice("auto", "yes", "no"),
            default="auto",
            bare=False,
            help="whether the first line names the columns; by itself: if it has a cell that is no number",
        ),
        Argument(
            "delimiter",
            Choice("auto", "comma", "semicolon", "tab", "space"),
            default="auto",
            bare=False,
            help="what stands between columns; by itself: what makes as many of every one of the first lines",
        ),
        TEST,
    )
    of_values = True
    file: str
    targets: Any
    without: Any
    header: str
    delimiter: str
    test: float | int
    columns: tuple[int, int] | None = None
    """How many columns of inputs and targets were read; None before."""

    def check(self) -> None:
        if isinstance(self.without, int):
            raise LayerError(
                "BadArgument", "without", kind="data csv", name="without", value=str(self.without), wanted="names"
            )

    def check_input(self, shape: Shape) -> None:
        if shape.tokens:
            values = {"data": self.name, "image": "numbers", "input": str(shape)}
            raise LayerError("InputMismatch", None, wanted="of numbers, not tokens", **values)
        if self.columns is not None and self.columns[0] != shape.elements:
            network = f"{shape.elements} ({shape})"
            raise LayerError("TableMismatch", "targets", side="inputs", columns=self.columns[0], network=network)

    def check_output(self, outputs: int, target: str) -> None:
        super().check_output(outputs, target)
        if self.columns is None:
            return
        targets, wanted = self.columns[1], 1 if target == "classes" else outputs
        if targets != wanted:
            raise LayerError("TableMismatch", "targets", side="targets", columns=targets, network=wanted)
