"""scikit-learn's digits: one by one, and written side by side in rows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.parts import keep_test
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError


def read_digits(source: Any, wanted: Wanted) -> Raw:
    """Each digit by itself. Raises DataError."""
    return keep_test(as_bytes(), source.test, source.name)._replace(names=source.names)


def as_bytes() -> Examples:
    """The digits as images of bytes, 1,797 x 1 x 8 x 8: stored from 0 to 16, 255 is the brightest here."""
    images, labels = digits()
    scaled = np.rint(images * (255 / 16)).astype(np.uint8)
    return Examples(torch.from_numpy(scaled.reshape(-1, 1, 8, 8)), torch.from_numpy(labels))


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


# --- rows of digits -------------------------------------------------------------------------------------------------

_HEIGHT, _WIDTH = 0.75, 0.5
"""A digit's sides, as shares of the row's height."""


def read_rows(source: Any, wanted: Wanted) -> Raw:
    """Rows of digits; those of the test are written with digits that no other row has. Raises DataError."""
    return rows_of_digits(source.examples, (source.shortest, source.longest), source.test, source.name, wanted)


def rows_of_digits(examples: int, lengths: tuple[int, int], test: float | int, name: str, wanted: Wanted) -> Raw:
    """So many rows, of `lengths[0]` to `lengths[1]` digits as far as there is room, as large as the input."""
    channels, height, width = wanted.input
    room = int(width // max(1, round(height * _WIDTH)))
    shortest, longest = lengths[0], min(lengths[1], room)
    if height < 8 or shortest > longest:
        raise DataError(
            f"rows of {shortest} digits have no room in an input of {height}x{width}: it takes {room} of them",
            "make the input at least 8 cells high, and wider",
        )
    random = torch.Generator().manual_seed(wanted.seed)
    glyphs = keep_test(_grown(as_bytes(), height), 0.2, "digits")
    parts = keep_test(Examples(torch.zeros(examples), None), test, name)
    assert glyphs.test is not None
    size, counts = (channels, height, width), (shortest, longest)
    train = _written(len(parts.train), glyphs.train, size, counts, random)
    tested = None if parts.test is None else _written(len(parts.test), glyphs.test, size, counts, random)
    said = f"rows of {shortest} to {longest} digits, those of the test written with digits of their own"
    return Raw(train, tested, names=tuple("0123456789"), said=(said,))


def _grown(digits: Examples, height: int) -> Examples:
    """The digits at the size that they have in a row."""
    size = round(height * _HEIGHT), max(1, round(height * _WIDTH))
    grown = functional.interpolate(digits.inputs.to(torch.float32), size, mode="bilinear", align_corners=False)
    return Examples(grown.round_().clamp_(0, 255).to(torch.uint8), digits.classes)


def _written(
    examples: int, glyphs: Examples, input: tuple[int, int, int], lengths: tuple[int, int], random: torch.Generator
) -> Examples:
    """Rows of digits drawn from `glyphs`: each at a height of its own, with gaps that share what room is left."""
    assert glyphs.classes is not None
    channels, height, width = input
    tall, wide = glyphs.inputs.shape[2:]
    images = torch.zeros(examples, 1, height, width, dtype=torch.uint8)
    classes = torch.full((examples, lengths[1]), -1)
    counts = torch.randint(lengths[0], lengths[1] + 1, (examples,), generator=random)
    chosen = torch.randint(len(glyphs), (examples, lengths[1]), generator=random)
    tops = torch.randint(height - tall + 1, (examples, lengths[1]), generator=random)
    shares = torch.rand(examples, lengths[1] + 1, generator=random)
    for row in range(examples):
        count = int(counts[row])
        gaps = _gaps(shares[row, : count + 1], width - count * wide)
        left = 0
        for place in range(count):
            left += gaps[place]
            top, glyph = int(tops[row, place]), int(chosen[row, place])
            images[row, 0, top : top + tall, left : left + wide] = glyphs.inputs[glyph, 0]
            left += wide
        classes[row, :count] = glyphs.classes[chosen[row, :count]]
    return Examples(images.expand(-1, channels, -1, -1).contiguous(), classes)


def _gaps(shares: Tensor, room: int) -> list[int]:
    """Whole numbers in proportion to the shares, together at most `room`."""
    gaps: list[int] = (shares / shares.sum().clamp(min=1e-6) * room).to(torch.int64).tolist()
    return gaps
