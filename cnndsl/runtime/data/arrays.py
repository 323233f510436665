"""Arrays from `.npz` files and from Python: found by their names, and made examples of.

An `.npz` file is a zip archive of `.npy` files. Objects are never loaded, what a header claims is compared with the
bytes that are there before anything is made of it, and everything is bounded.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from cnndsl.diagnostics import closest
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.folders import find_named
from cnndsl.runtime.data.parts import keep_test
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

MAX_BYTES = 8 * 1024**3
"""Most bytes that the arrays of one file may have."""
MAX_HEADER = 10_000
INPUTS = ("x", "images", "data", "inputs", "X")
TARGETS = ("y", "labels", "target", "targets", "Y")
PARTS = {"train": "train", "validation": "val", "test": "test"}

Arrays = dict[str, NDArray[Any]]


def read_npz(source: Any, wanted: Wanted) -> Raw:
    """The arrays of a file as examples. Raises DataError."""
    path = find_named(source.name, wanted, source.file, folder=False)
    with _Archive(path) as archive:
        names = _chosen(str(path), archive.names, source.x, source.y)
        arrays = {part: tuple(archive.read(name) if name else None for name in pair) for part, pair in names.items()}
    return examples_of(str(path), arrays, source, wanted)


def read_inputs(path: Path, source: Any, wanted: Wanted) -> Tensor:
    """The inputs of new examples in a `.npy` or `.npz` file, as they are stored. Of several arrays the one that
    `source`, a `data npz`, names, or one that is called as inputs usually are. Raises DataError."""
    if path.suffix.lower() != ".npz":
        try:
            with open(path, "rb") as file:
                return _inputs(str(path), _read_npy(str(path), file, os.fstat(file.fileno()).st_size), wanted)
        except OSError as error:
            raise DataError(f"can't read {path}: {error.strerror or error}") from None
    with _Archive(path) as archive:
        names = archive.names
        said = getattr(source, "x", "")
        found = _plain(names, said if said in names else "", INPUTS) or (names[0] if len(names) == 1 else None)
        found = found or _named(names, said, INPUTS, PARTS["test"])
        if found is None:
            listed = ", ".join(names) or "none"
            raise DataError(f"{path} has no array that is known as inputs; it has {listed}", "call it x")
        return _inputs(f"the array {found!r} of {path}", archive.read(found), wanted)


def read_given(source: Any, wanted: Wanted) -> Raw:
    """The arrays that were given from Python. Raises DataError."""
    if wanted.given is None:
        raise DataError(
            "`data arrays` are given from Python, and the command line has none",
            'keep them in a file, numpy.savez("data.npz", x=x, y=y), and write `data npz "data.npz"`',
        )
    arrays = {part: tuple(_as_array(one, part) for one in pair) for part, pair in wanted.given.items()}
    return examples_of("the arrays", arrays, source, wanted)


def _as_array(value: Any, part: str) -> NDArray[Any] | None:
    if value is None:
        return None
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype == object:
        raise DataError(f"the {part} array holds objects, not numbers")
    return array


# --- the file -------------------------------------------------------------------------------------------------------


class _Archive:
    """An `.npz` file that is read array by array."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> _Archive:
        try:
            self.zip = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{self.path} is no .npz file that can be read ({reason})") from None
        self.members = {
            info.filename.removesuffix(".npy"): info for info in self.zip.infolist() if info.filename.endswith(".npy")
        }
        total = sum(info.file_size for info in self.members.values())
        if total > MAX_BYTES:
            raise DataError(f"{self.path} says that it holds {total:,} bytes; at most {MAX_BYTES:,} are read")
        return self

    def __exit__(self, *_: object) -> None:
        self.zip.close()

    @property
    def names(self) -> list[str]:
        return list(self.members)

    def read(self, name: str) -> NDArray[Any]:
        """One array. Raises DataError."""
        info = self.members[name]
        where = f"the array {name!r} of {self.path}"
        try:
            with self.zip.open(info) as file:
                return _read_npy(where, file, info.file_size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{where} is damaged ({error})") from None
        except (RuntimeError, NotImplementedError) as error:  # packed with a password, or in a way of its own
            raise DataError(f"{where} can't be unpacked ({error})") from None
        except OSError as error:
            raise DataError(f"can't read {self.path}: {error.strerror or error}") from None


def _read_npy(where: str, file: Any, size: int) -> NDArray[Any]:
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read is None:
            raise DataError(f"{where} is in version {'.'.join(map(str, version))} of the format, which is not read")
        shape, columns_first, kind = read(file, max_header_size=MAX_HEADER)
    except ValueError as error:
        raise DataError(f"{where} is no array ({str(error).splitlines()[0]})") from None
    if kind.hasobject:
        raise DataError(f"{where} holds objects, which are never loaded", "save numbers, or fixed-length texts")
    if kind.fields is not None or kind.kind not in "biufUS":
        raise DataError(f"{where} holds values of the type {kind}, where numbers or names are expected")
    if any(side < 0 for side in shape):
        raise DataError(f"{where} is no array (its shape is {shape})")
    wanted = prod(shape) * kind.itemsize
    if wanted > size:
        raise DataError(f"{where} says that it holds {wanted:,} bytes, but has at most {size:,}: it is cut off")
    content = bytearray()
    while len(content) < wanted:
        piece = file.read(min(1 << 24, wanted - len(content)))
        if not piece:
            raise DataError(f"{where} is cut off: it ends after {len(content):,} of {wanted:,} bytes")
        content += piece
    if file.read(1):
        raise DataError(f"{where} goes on after the {wanted:,} bytes that it says it holds")
    return np.frombuffer(content, kind).reshape(shape, order="F" if columns_first else "C")


# --- which array is what --------------------------------------------------------------------------------------------


def _chosen(where: str, names: list[str], x: str, y: str) -> dict[str, tuple[str, str | None]]:
    """The names of the inputs and targets of each part. Raises DataError."""
    for given in (x, y):
        if given and given not in names:
            near = closest(given, names)
            raise DataError(
                f"{where} has no array {given!r}; it has {', '.join(names) or 'none'}",
                f"did you mean {near!r}?" if near else None,
            )
    found = {part: (_named(names, x, INPUTS, word), _named(names, y, TARGETS, word)) for part, word in PARTS.items()}
    if found["train"][0] is None:
        found["train"] = (_plain(names, x, INPUTS), _plain(names, y, TARGETS))
    whole = {part: (inputs, targets) for part, (inputs, targets) in found.items() if inputs is not None}
    if "train" not in whole:
        listed = ", ".join(names) or "none"
        raise DataError(f"{where} has no array that is known as inputs; it has {listed}", 'say which: x="…" y="…"')
    return whole


def _named(names: list[str], given: str, known: tuple[str, ...], part: str) -> str | None:
    """The array of one part: as its training part's name says with another word, or by a common name."""
    if given:
        return next((n for n in (given.replace("train", part),) if n in names and "train" in given), None)
    return next((n for name in known for n in (f"{name}_{part}", f"{part}_{name}") if n in names), None)


def _plain(names: list[str], given: str, known: tuple[str, ...]) -> str | None:
    return given or next((name for name in known if name in names), None)


# --- examples -------------------------------------------------------------------------------------------------------


def examples_of(where: str, arrays: dict[str, tuple[Any, ...]], source: Any, wanted: Wanted) -> Raw:
    """Examples of the inputs and targets of each part. Raises DataError, and what `wanted.agree` raises."""
    inputs = {part: _inputs(where, pair[0], wanted) for part, pair in arrays.items()}
    first = inputs["train"]
    if first.dtype == torch.uint8:
        height, width = first.shape[2:]
        wanted.agree(source.known(image=(int(height), int(width), int(first.shape[1]))))
    names: tuple[str, ...] = ()
    targets = {part: pair[1] for part, pair in arrays.items()}
    if targets["train"] is not None and targets["train"].dtype.kind in "US":
        names = tuple(str(name) for name in np.unique(targets["train"]))
        wanted.agree(source.known(classes=len(names), names=names))
    made = {
        part: _examples(f"{where} ({part})" if len(inputs) > 1 else where, inputs[part], targets[part], names, wanted)
        for part in inputs
    }
    raw = Raw(made["train"], made["test"]) if "test" in made else keep_test(made["train"], source.test, source.name)
    return raw._replace(validation=made.get("validation"), names=names)


def _inputs(where: str, array: NDArray[Any], wanted: Wanted) -> Tensor:
    """Inputs as they are stored: images of bytes, N x C x H x W; tokens; or float32 in the shape of the input."""
    shape, each = wanted.input, array.shape[1:]
    if not array.ndim or not len(array):
        raise DataError(f"{where} holds no examples")
    if array.dtype.kind in "US":
        raise DataError(f"{where} holds names for inputs, where numbers are expected")
    if wanted.tokens:
        return _tokens(where, array, wanted)
    images = array.dtype == np.uint8 and len(shape) in (1, 3)
    if images and array.ndim == 3 and len(shape) == 3:
        return torch.from_numpy(array[:, None])
    moved = _channels_first(array, shape, images)
    if moved is None:
        shown, needed = "x".join(map(str, each)), "x".join(map(str, (*shape[1:], shape[0])))
        raise DataError(
            f"the network takes inputs of {needed}; those in {where} are of {shown}",
            "images are resized if their pixels are bytes, 0 to 255 (NumPy's uint8)" if len(shape) == 3 else None,
        )
    if images and moved.ndim == 4:
        return torch.from_numpy(np.ascontiguousarray(moved))
    if not np.isfinite(moved).all():
        row = int(np.argwhere(~np.isfinite(moved.reshape(len(moved), -1)).all(1))[0, 0])
        raise DataError(f"{where} holds a value in example {row} that is no finite number (NaN or infinite)")
    return torch.from_numpy(np.ascontiguousarray(moved, np.float32))


def _channels_first(array: NDArray[Any], shape: tuple[int, ...], images: bool) -> NDArray[Any] | None:
    """Examples with their channels first, from any of the usual orders; None if there is none that fits."""
    each = array.shape[1:]
    if each == shape:
        return array
    if each == (*shape[1:], shape[0]):
        return np.moveaxis(array, -1, 1)
    if images and array.ndim == 4:
        # Of another size: fitted later. Channels are few.
        return np.moveaxis(array, -1, 1) if each[-1] in (1, 3, 4) else array if each[0] in (1, 3, 4) else None
    if shape[0] == 1 and each == shape[1:]:
        return array[:, None]
    if prod(each) == prod(shape) and (len(shape) == 1 or array.ndim == 2):
        return array.reshape(len(array), *shape)
    return None


def _tokens(where: str, array: NDArray[Any], wanted: Wanted) -> Tensor:
    if array.dtype.kind not in "iu" or array.shape[1:] != wanted.input:
        raise DataError(f"{where} holds no rows of {wanted.input[0]} tokens: whole numbers, N x {wanted.input[0]}")
    if array.min() < 0 or array.max() >= wanted.tokens:
        raise DataError(f"{where} holds the token {array.max()}; the network knows those from 0 to {wanted.tokens - 1}")
    return torch.from_numpy(array.astype(np.int64))


def _examples(where: str, inputs: Tensor, targets: Any, names: tuple[str, ...], wanted: Wanted) -> Examples:
    if wanted.task == "input":
        return Examples(inputs, None)
    if targets is None:
        raise DataError(f"{where} has no targets", 'say which array they are: y="…"')
    if len(targets) != len(inputs):
        raise DataError(f"{where} has {len(inputs):,} inputs, but {len(targets):,} targets")
    if wanted.task == "values":
        return Examples(inputs, None, _values(where, targets, wanted.output))
    highest = {"class": wanted.output[0] - 1, "map": wanted.output[0] - 1}.get(wanted.task, 2**31)
    return Examples(inputs, _classes(where, targets, names, wanted, max(1, highest)))


def _values(where: str, targets: NDArray[Any], output: tuple[int, ...]) -> Tensor:
    if targets.dtype.kind in "US":
        raise DataError(f"{where} has names for targets, which are classes", "write `loss cross_entropy`")
    each = targets.shape[1:]
    if each == output or prod(each) == prod(output):
        moved = targets
    elif len(output) > 1 and each == (*output[1:], output[0]):
        moved = np.moveaxis(targets, -1, 1)
    else:
        shown, needed = "x".join(map(str, each)) or "1", "x".join(map(str, (*output[1:], output[0])))
        raise DataError(f"{where} has targets of {shown}, but the network gives {needed}")
    if not np.isfinite(moved).all():
        raise DataError(f"{where} has targets that are no finite numbers (NaN or infinite)")
    return torch.from_numpy(np.ascontiguousarray(moved, np.float32)).reshape(len(targets), *output)


def _classes(where: str, targets: NDArray[Any], names: tuple[str, ...], wanted: Wanted, highest: int) -> Tensor:
    if names:
        numbers = {name: number for number, name in enumerate(names)}
        unknown = next((str(one) for one in targets.ravel() if str(one) not in numbers), None)
        if unknown is not None:
            raise DataError(f"{where} has a class {unknown!r} that the training part has not")
        targets = np.array([numbers[str(one)] for one in targets.ravel()], np.int64).reshape(targets.shape)
    axes = 1 if wanted.task in ("class", "pair") else 1 + max(1, len(wanted.output) - 1)
    if targets.ndim == axes + 1 and targets.shape[1:] == (1,) * (targets.ndim - 1):
        targets = targets.reshape(len(targets))
    elif wanted.task == "class" and targets.ndim == 2 and _one_hot(targets):
        targets = targets.argmax(1)
    elif wanted.task == "map" and targets.ndim == axes + 1 and targets.shape[-1] == 1:
        targets = targets[..., 0]
    whole = targets.dtype.kind in "biu" or bool((targets == np.floor(targets)).all())
    if targets.ndim != axes or not whole:
        raise DataError(
            f"{where} has targets of {'x'.join(map(str, targets.shape))} that are no classes: whole numbers"
        )
    lowest = -1 if wanted.task == "sequence" else 0
    if targets.min() < lowest or targets.max() > highest:
        wrong = targets.min() if targets.min() < lowest else targets.max()
        raise DataError(f"{where} has a class {wrong}, but the network tells those from 0 to {highest}")
    if wanted.task == "map" and targets.shape[1:] != wanted.output[1:]:
        shown, needed = ("x".join(map(str, s)) for s in (targets.shape[1:], wanted.output[1:]))
        raise DataError(f"{where} has maps of {shown}, but the network gives {needed}")
    small = wanted.task == "map" and highest < 256
    return torch.from_numpy(np.ascontiguousarray(targets, np.uint8 if small else np.int64))


def _one_hot(targets: NDArray[Any]) -> bool:
    return bool(targets.shape[1] > 1 and ((targets == 0) | (targets == 1)).all() and (targets.sum(1) == 1).all())
