"""IDX files, the format of MNIST: a magic number, the sizes, then the values.

The header is two zero bytes, a byte for the type of the values (8: unsigned bytes, the only one taken here), a
byte for the number of dimensions, then each size as a big-endian 32-bit number. Files may be gzipped. What a
header claims is never trusted: reading is bounded, and goes on only as far as there is data.
Format: "The IDX file format", LeCun, Cortes, Burges, THE MNIST DATABASE.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from cnndsl.datasets import IDX_FILES, published
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.archives import opened, read_exactly
from cnndsl.runtime.data.folders import find_files
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

MAX_BYTES = 2 * 1024**3
"""Most values that are read from one file: 40 times MNIST."""
_UNSIGNED_BYTE = 8


def read_idx_set(source: Any, wanted: Wanted) -> Raw:
    """A data set in MNIST's four files. Raises DataError."""
    folders = (source.folder,) if source.folder else published()[source.name].folders
    paths = find_files(source.name, wanted, folders, IDX_FILES)
    return Raw(_part(source, paths[0], paths[1]), _part(source, paths[2], paths[3]), names=source.names)


def _part(source: Any, images_path: Path, labels_path: Path) -> Examples:
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


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The values of an IDX file of unsigned bytes with so many dimensions. Raises DataError."""
    with opened(path) as file:
        sizes = _sizes(path, file, dimensions)
        wanted = prod(sizes)
        if wanted > MAX_BYTES:
            shown = " x ".join(f"{size:,}" for size in sizes)
            raise DataError(f"{path} says that it holds {shown} values; at most {MAX_BYTES:,} are read")
        values = read_exactly(path, file, wanted)
        if file.read(1):
            raise DataError(f"{path} goes on after the {wanted:,} values that it says it holds")
        return np.frombuffer(values, dtype=np.uint8).reshape(sizes)


def _sizes(path: Path, file: IO[bytes] | Any, dimensions: int) -> tuple[int, ...]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DataError(f"{path} is no IDX file: it begins with {_shown(magic)}, not with two zero bytes")
    if magic[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} holds values of IDX type 0x{magic[2]:02x}; only unsigned bytes (0x08) are read")
    if magic[3] != dimensions:
        what = {1: "labels", 3: "images"}.get(dimensions, "values")
        raise DataError(f"{path} has {magic[3]} dimensions, where {what} have {dimensions}")
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{path} is cut off in its header")
    return tuple(int.from_bytes(header[i : i + 4], "big") for i in range(0, len(header), 4))


def _shown(data: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in data) or "nothing"
