"""Readers of the data sources: each turns an option of the recipe into `Raw` examples."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from cnndsl.recipe.base import portion
from cnndsl.recipe.sources import Source
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.folders import data_roots, find_files
from cnndsl.runtime.data.idx import read_idx
from cnndsl.runtime.errors import DataError

MAX_SYNTHETIC = 2 * 1024**3
"""Most bytes of made-up examples."""


class Wanted(NamedTuple):
    """What a source is read for: where to look, the seed, and the network's ends (channels first).

    of_classes: whether targets are classes.
    """

    data_root: str | None
    seed: int
    input: tuple[int, ...]
    output: tuple[int, ...]
    of_classes: bool


def read(source: Source, wanted: Wanted) -> Raw:
    """The examples of a source. Raises DataError."""
    return _READERS[source.name](source, wanted)


# --- digits ---------------------------------------------------------------------------------------------------------


def _digits(source: Any, wanted: Wanted) -> Raw:
    images, labels = digits()
    # Stored from 0 to 16; as bytes, 255 is the brightest, as in every other image.
    scaled = np.rint(images * (255 / 16)).astype(np.uint8)
    inputs = torch.from_numpy(scaled.reshape(-1, 1, 8, 8))
    examples = Examples(inputs, torch.from_numpy(labels))
    return keep_test(examples, source.test, source.name)


def digits() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """scikit-learn's digits: 1,797 x 64 values from 0 to 16, and their classes. Raises DataError.

    Its table is read directly: importing scikit-learn for it would take two seconds.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise DataError("`data digits` is part of scikit-learn, which is not installed", "pip install 'cnndsl[train]'")
    table = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    if not table.is_file():
        from sklearn.datasets import load_digits

        loaded = load_digits()
        return loaded.data.astype(np.int64), loaded.target.astype(np.int64)
    rows = np.loadtxt(table, delimiter=",", dtype=np.float64).astype(np.int64)
    return rows[:, :-1], rows[:, -1]


def keep_test(examples: Examples, share: float | int, source: str) -> Raw:
    """Keep a share or number of the examples for the test: always the same, evenly spread over each class."""
    wanted = portion(share, len(examples))
    if wanted == 0:
        return Raw(examples, None)
    if wanted >= len(examples):
        raise DataError(f"`data {source}` has {len(examples):,} examples; {wanted:,} for the test leave none to train")
    kept = evenly(examples.classes, len(examples), wanted)
    return Raw(examples.pick(torch.nonzero(~kept).squeeze(1)), examples.pick(torch.nonzero(kept).squeeze(1)))


def evenly(classes: torch.Tensor | None, total: int, wanted: int) -> torch.Tensor:
    """Which of `total` examples are kept: `wanted` of them at even distances, class by class. Boolean, `total`."""
    order = torch.arange(total) if classes is None else torch.argsort(classes, stable=True)
    places = torch.arange(wanted) * total // wanted
    kept = torch.zeros(total, dtype=torch.bool)
    kept[order[places]] = True
    return kept


# --- IDX files ------------------------------------------------------------------------------------------------------

_IDX_FOLDERS = {
    "mnist": ("mnist", "MNIST/raw"),
    "fashion_mnist": ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
}
_IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _idx(source: Any, wanted: Wanted) -> Raw:
    folders = (source.folder,) if source.folder else _IDX_FOLDERS[source.name]
    paths = find_files(source.name, data_roots(wanted.data_root), folders, _IDX_FILES)
    return Raw(_idx_part(source, paths[0], paths[1]), _idx_part(source, paths[2], paths[3]))


def _idx_part(source: Any, images_path: Path, labels_path: Path) -> Examples:
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise DataError(f"{images_path} holds {len(images):,} images, but {labels_path} {len(labels):,} labels")
    if not len(images):
        raise DataError(f"{images_path} holds no images")
    if images.shape[1:] != source.image[:2]:
        height, width = images.shape[1:]
        raise DataError(f"{images_path} holds images of {height}x{width}, where `data {source.name}` has 28x28")
    if labels.max() >= source.classes:
        raise DataError(f"{labels_path} holds a label {labels.max()}, where the highest class is {source.classes - 1}")
    return Examples(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))


# --- rows in the spec, and made-up examples -------------------------------------------------------------------------


def _table(source: Any, wanted: Wanted) -> Raw:
    rows = torch.tensor(source.rows, dtype=torch.float32)
    inputs, targets = rows[:, : -source.targets], rows[:, -source.targets :]
    inputs = inputs.reshape(len(rows), *wanted.input)
    if wanted.of_classes:
        return Raw(Examples(inputs, targets.squeeze(1).to(torch.int64)), None)
    return Raw(Examples(inputs, None, targets), None)


def _synthetic(source: Any, wanted: Wanted) -> Raw:
    elements = int(np.prod(wanted.input))
    if source.examples * elements * 4 > MAX_SYNTHETIC:
        most = MAX_SYNTHETIC // (4 * elements)
        raise DataError(
            f"{source.examples:,} synthetic examples of {elements:,} values need more than 2 GiB",
            f"at most {most:,} fit: `data synthetic {most}`" if most else "make the input smaller",
        )
    random = torch.Generator().manual_seed(wanted.seed)
    inputs = torch.randn(source.examples, *wanted.input, generator=random)
    if wanted.of_classes:
        classes = torch.arange(source.examples) % wanted.output[0]
        patterns = torch.randn(wanted.output[0], *wanted.input, generator=random)
        inputs.mul_(source.noise).add_(patterns[classes])
        return keep_test(Examples(inputs, classes), source.test, source.name)
    flat = inputs.flatten(1)
    weights = torch.randn(elements, int(np.prod(wanted.output)), generator=random) / elements**0.5
    values = (flat @ weights).reshape(source.examples, *wanted.output)
    values += source.noise * 0.1 * torch.randn(values.shape, generator=random)
    return keep_test(Examples(inputs, None, values), source.test, source.name)


_READERS: dict[str, Callable[[Any, Wanted], Raw]] = {
    "digits": _digits,
    "mnist": _idx,
    "fashion_mnist": _idx,
    "table": _table,
    "synthetic": _synthetic,
}
