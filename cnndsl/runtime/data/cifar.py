"""CIFAR-10 and CIFAR-100, in the published binary format or the one for Python, unpacked or as the archive.

Binary: records of the labels (one byte, or the group's and the class's) and 3,072 bytes: the red, the green, the blue
plane of a 32x32 image, row by row. Python: pickled dictionaries with the same bytes as an array and the labels as a
list; they are read without unpickling (`cnndsl.runtime.data.pickled`).
Format: Krizhevsky, "The CIFAR-10 dataset".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cnndsl.datasets import CIFAR, Version, published, spelled
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.archives import read_all, read_members
from cnndsl.runtime.data.folders import inside, not_found, places
from cnndsl.runtime.data.pickled import PickleError, read_pickle
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

PIXELS = 3 * 32 * 32
MAX_FILE = 256 * 1024**2
"""Most bytes of one of its files: the largest has 154 million."""


_COARSE_NAMES = "coarse_label_names.txt"

Contents = tuple[Version, str, dict[str, bytes]]
"""Which version was found, where, and what its files hold, by their names."""


def read_cifar(source: Any, wanted: Wanted) -> Raw:
    """Either data set. Raises DataError."""
    version, where, files = _found(source, wanted)
    labels = 1 if source.name == "cifar10" else 2
    decode = _binary if version.binary else _python
    parts = [_joined(source, where, names, files, decode, labels) for names in (version.train, (version.test,))]
    return Raw(parts[0], parts[1], names=source.names or _names(source, version, files))


def _found(source: Any, wanted: Wanted) -> Contents:
    folders = (source.folder,) if source.folder else published()[source.name].folders
    tried = places(wanted, folders)
    for place in tried:
        for version in CIFAR[source.name]:
            for folder in (place / version.folder, place):
                found = {name: spelled(folder, name) for name in version.files}
                if any(found.values()):
                    return version, str(folder), _unpacked(folder, version, found)
            archive = place / version.archive
            if archive.is_file():
                return version, str(archive), _packed(inside(place, version.archive), version)
    archives = " or ".join(version.archive for version in CIFAR[source.name])
    raise not_found(source.name, tried, f"put {archives} there, unpacked or not")


def _unpacked(folder: Path, version: Version, found: dict[str, Path | None]) -> dict[str, bytes]:
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}")
    every = found | {name: spelled(folder, name) for name in (version.names, _COARSE_NAMES)}
    return {name: read_all(inside(folder, str(path)), MAX_FILE) for name, path in every.items() if path is not None}


def _packed(archive: Path, version: Version) -> dict[str, bytes]:
    files = read_members(archive, frozenset((*version.files, version.names, _COARSE_NAMES)), MAX_FILE)
    missing = [name for name in version.files if name not in files]
    if missing:
        raise DataError(f"{archive} lacks {', '.join(missing)}", "fetch the file again")
    return files


Decoded = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images, N x 3,072, and labels, N x 1 or 2: the group's first."""


def _joined(
    source: Any,
    where: str,
    names: tuple[str, ...],
    files: dict[str, bytes],
    decode: Callable[[str, bytes, int], Decoded],
    labels: int,
) -> Examples:
    decoded = [decode(f"{name} of {where}", files[name], labels) for name in names]
    images = np.concatenate([images for images, _ in decoded])
    both = np.concatenate([classes for _, classes in decoded])
    highest = ([9], [19, 99])[labels - 1]
    for column, most in enumerate(highest):
        if both[:, column].max() > most:
            raise DataError(f"{where} holds a label {both[:, column].max()}, where the highest class is {most}")
    classes = both[:, 0 if getattr(source, "coarse", False) else labels - 1]
    return Examples(torch.from_numpy(images).view(-1, 3, 32, 32), torch.from_numpy(classes.astype(np.int64)))


def _binary(name: str, content: bytes, labels: int) -> Decoded:
    size = labels + PIXELS
    if not content or len(content) % size:
        raise DataError(f"{name} has {len(content):,} bytes, which is no number of records of {size:,}: it is cut off")
    records = np.frombuffer(bytearray(content), np.uint8).reshape(-1, size)
    return records[:, labels:], records[:, :labels]


def _python(name: str, content: bytes, labels: int) -> Decoded:
    try:
        held = {_text(key): value for key, value in read_pickle(content).items()}
    except PickleError as error:
        raise DataError(f"{name} {error}", "nothing of it was run; fetch the binary version") from None
    images = held.get("data")
    lists = [held.get(key) for key in (("labels",) if labels == 1 else ("coarse_labels", "fine_labels"))]
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != PIXELS:
        raise DataError(f"{name} holds no images of {PIXELS:,} bytes")
    for one in lists:
        if not isinstance(one, list) or len(one) != len(images):
            raise DataError(f"{name} has not one label for each of its {len(images):,} images")
        if not all(type(label) is int and 0 <= label < 256 for label in one):
            raise DataError(f"{name} holds labels that are no classes")
    return images, np.array(lists, np.uint8).T


def _names(source: Any, version: Version, files: dict[str, bytes]) -> tuple[str, ...]:
    """What the classes are called, as far as the files say; else their numbers."""
    numbers = tuple(str(number) for number in range(source.classes))
    if version.binary:
        names = files.get(_COARSE_NAMES if source.coarse else version.names, b"").decode("utf-8", "replace").split()
    else:
        try:
            held = {_text(key): value for key, value in read_pickle(files.get(version.names, b"")).items()}
        except PickleError:
            return numbers
        listed = held.get("coarse_label_names" if source.coarse else "fine_label_names")
        names = [_text(name) for name in listed] if isinstance(listed, list) else []
    return tuple(names) if len(names) == source.classes else numbers


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
