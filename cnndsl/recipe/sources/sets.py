"""Published data sets, by their names."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Flag, Text
from cnndsl.recipe.sources.base import FIT, TEST, ImageSource

FOLDER = Argument(
    "folder",
    Text("a folder's name in quotes"),
    default="",
    help="folder of the files, below the data root; by itself: the one of the source's name",
)
DIGIT_NAMES = tuple("0123456789")


class Digits(ImageSource):
    """1,797 real handwritten digits of 43 people, 8x8 grey, from scikit-learn: nothing is downloaded.

    The test part of the UCI "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998). It has
    no parts of its own, so a fifth is kept for the test: always the same, with every class in proportion.
    """

    name = "digits"
    arguments = (FIT, TEST)
    image = (8, 8, 1)
    classes = 10
    names = DIGIT_NAMES
    handed = True
    test: float | int


class Mnist(ImageSource):
    """MNIST: 60,000 handwritten digits to train on and 10,000 to test with, 28x28 grey (LeCun et al. 1998).

    Four IDX files, gzipped or not, in a folder `mnist` or `MNIST/raw`. `cnndsl data fetch mnist` puts them there.
    """

    name = "mnist"
    arguments = (FOLDER, FIT)
    image = (28, 28, 1)
    classes = 10
    names = DIGIT_NAMES
    handed = True
    folder: str


class FashionMnist(Mnist):
    """Fashion-MNIST: photographs of clothes in MNIST's sizes and format (Xiao et al. 2017)."""

    name = "fashion_mnist"
    names = (
        "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip
    handed = False


class Cifar10(ImageSource):
    """CIFAR-10: 50,000 photographs of ten kinds of things to train on and 10,000 to test with, 32x32 in colour.

    Krizhevsky 2009. The published binary version, or the one for Python, which is read without running anything of it;
    as the archive (`.tar.gz`) or unpacked. `cnndsl data fetch cifar10` gets the binary one.
    """

    name = "cifar10"
    arguments = (FOLDER, FIT)
    image = (32, 32, 3)
    classes = 10
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    folder: str


class Cifar100(ImageSource):
    """CIFAR-100: as CIFAR-10, of a hundred kinds in twenty groups.

    Krizhevsky 2009. Read as CIFAR-10 is. `coarse` takes the groups for classes.
    """

    name = "cifar100"
    arguments = (FOLDER, FIT, Argument("coarse", Flag(), default=False, help="the 20 groups are the classes"))
    image = (32, 32, 3)
    folder: str
    coarse: bool

    @property
    def classes(self) -> int:  # type: ignore[override]
        return 20 if self.coarse else 100
