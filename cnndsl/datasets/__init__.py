"""Published data sets: where they lie on this machine, and where they come from. Nothing here needs PyTorch."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from cnndsl.record import Record

VARIABLE = "CNNDSL_DATA"
MIRRORS = "CNNDSL_MIRRORS"
_TABLE = "published.toml"


class File(Record):
    """A file of a data set as it is offered: its bytes and their SHA-256; `unpacked` if these are of what it holds."""

    name: str
    size: int
    digest: str
    unpacked: bool


class DataSet(Record):
    """A published data set. The fields are those of published.toml."""

    name: str
    about: str
    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    files: tuple[File, ...]


class Version(Record):
    """One form in which CIFAR is published: its folder, its archive, and what its files are called.

    names: the file with the classes' names; binary: whether it is the binary version, not the one for Python.
    """

    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    names: str
    binary: bool

    @property
    def files(self) -> tuple[str, ...]:
        """Those that must be there."""
        return (*self.train, self.test)


def _numbered(ending: str) -> tuple[str, ...]:
    return tuple(f"data_batch_{number}{ending}" for number in range(1, 6))


IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""MNIST's files, and those of data sets in its form: training images and labels, then the test's."""
CIFAR = {
    "cifar10": (
        Version(
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            _numbered(".bin"),
            "test_batch.bin",
            "batches.meta.txt",
            True,
        ),
        Version("cifar-10-batches-py", "cifar-10-python.tar.gz", _numbered(""), "test_batch", "batches.meta", False),
    ),
    "cifar100": (
        Version(
            "cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), "test.bin", "fine_label_names.txt", True
        ),
        Version("cifar-100-python", "cifar-100-python.tar.gz", ("train",), "test", "meta", False),
    ),
}
"""The forms in which CIFAR's two sets are read, the one that is looked for first in front."""


def published() -> dict[str, DataSet]:
    """Every published data set by its name in recipes."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), _TABLE), "rb") as file:
        table = tomllib.load(file)
    return {name: _data_set(name, **entry) for name, entry in table.items()}


def _data_set(name: str, about: str, folders: list[str], mirrors: list[str], files: list[dict[str, object]]) -> DataSet:
    made = [
        File(str(f["name"]), int(str(f["size"])), str(f.get("unpacked", f.get("sha256"))), "unpacked" in f)
        for f in files
    ]
    return DataSet(name, about, tuple(folders), tuple(mirrors), tuple(made))


# --- where data lie -------------------------------------------------------------------------------------------------


def data_roots(given: str | None, beside: Path | None = None) -> list[Path]:
    """The folders to search, first to last: the one given; or that of CNNDSL_DATA, the user's cache, and the spec's."""
    if given:
        return [Path(given)]
    named = os.environ.get(VARIABLE)
    return [*([Path(named)] if named else []), user_cache(), *([beside] if beside is not None else [])]


def user_cache() -> Path:
    """The folder where this user's data sets are kept, by the platform's convention."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cnndsl"


def decoded_folder() -> Path:
    """Where images that were decoded from folders are kept."""
    return user_cache() / "decoded"


def spelled(folder: Path, name: str) -> Path | None:
    """The file of that name, plain or gzipped; it may be spelled with dots (`train-images.idx3-ubyte`)."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = folder / (spelling + ending)
            if os.path.isfile(path):
                return path
    return None


def found(data: DataSet, roots: list[Path]) -> Path | None:
    """The folder or archive that `data NAME` would read below these folders, None if it is nowhere."""
    places = (root / folder for root in roots for folder in data.folders)
    return next((path for place in places for path in _forms(data, place)), None)


def _forms(data: DataSet, place: Path) -> Iterator[Path]:
    """What of the set lies in a folder, in the order in which it is looked for."""
    if data.name not in CIFAR:
        if all(spelled(place, name) for name in IDX_FILES):
            yield place
        return
    for version in CIFAR[data.name]:
        yield from (f for f in (place / version.folder, place) if all(spelled(f, name) for name in version.files))
        if (place / version.archive).is_file():
            yield place / version.archive
