"""Decoded images, kept in the user's cache: a file of bytes that is mapped into memory, and what it holds in JSON."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cnndsl.datasets import decoded_folder
from cnndsl.files import write_whole
from cnndsl.runtime.data import Examples, Mapped
from cnndsl.runtime.data.masks import masked_all
from cnndsl.runtime.data.pictures import PictureError, decoded_all
from cnndsl.runtime.errors import WriteError

VERSION = 1
IN_MEMORY = 512 * 1024**2
"""Sets of at most so many bytes are read into memory; larger ones stay in the file."""
_SAID_FROM = 200
"""Images from which on it is said that decoding takes its time."""


class Decoded(NamedTuple):
    """Images that were decoded, N x channels x height x width, without those that can't be: their numbers and why."""

    images: Tensor
    bad: dict[int, str]

    def examples(self, rows: Tensor, classes: Tensor) -> Examples:
        """The images of these rows as examples of these classes."""
        if self.images.numel() > IN_MEMORY:
            return Mapped(self.images, classes, chosen=rows)
        return Examples(self.images.index_select(0, rows), classes)

    def masked(self, rows: Tensor) -> Examples:
        """The images of these rows whose last channel is their mask. Masks are held in memory."""
        images, masks = self.images[:, :-1], self.images[:, -1].index_select(0, rows)
        if self.images.numel() > IN_MEMORY:
            return Mapped(images, masks, chosen=rows)
        return Examples(images.index_select(0, rows), masks)


def decoded(
    folder: Path,
    files: list[str],
    shape: tuple[int, int, int],
    fit: str,
    say: Callable[[str], None],
    masks: list[str] | None = None,
) -> Decoded:
    """The images of these files below `folder`, each of `shape` (channels, height, width); decoded if they are not in
    the cache, or have changed. masks: the files of their masks, which then are the last channel. Raises WriteError
    where they can't be kept."""
    print_of = _fingerprint(folder, [*files, *(masks or [])])
    place = decoded_folder() / _name(folder.resolve(), shape, fit)
    about = _about(place, print_of, shape)
    if about is None:
        if len(files) >= _SAID_FROM:
            say(f"decoding {len(files):,} images, once; they are kept in {place.parent}")
        about = _fill(place, folder, files, shape, fit, print_of, masks)
    count = len(files) - len(about["bad"])
    bad = {int(number): str(why) for number, why in about["bad"].items()}
    return Decoded(_mapped(place.with_suffix(".u8"), (count, *shape)), bad)


def _name(folder: Path, shape: tuple[int, ...], fit: str) -> str:
    """The same for a folder at a size, whatever is in it: so that what has changed replaces what was there."""
    key = hashlib.sha256(f"{folder}\0{shape}\0{fit}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{key}-{'x'.join(map(str, shape))}-{fit}"


def _fingerprint(folder: Path, files: list[str]) -> str:
    """A digest of the files' names, sizes and times: it changes when one of them does."""
    from PIL import __version__

    digest = hashlib.sha256(f"{VERSION} {__version__}".encode())
    for file in files:
        try:
            found = os.stat(folder / file)
            about = f"{found.st_size} {found.st_mtime_ns}"
        except OSError:
            about = "gone"
        digest.update(f"{file}\0{about}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _about(place: Path, print_of: str, shape: tuple[int, ...]) -> dict[str, Any] | None:
    """What the cache says of these images; None if it has not these, or not whole."""
    try:
        about = json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
        size = place.with_suffix(".u8").stat().st_size
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(about, dict) or about.get("fingerprint") != print_of or not isinstance(about.get("bad"), dict):
        return None
    good = isinstance(about.get("count"), int) and size == about["count"] * int(np.prod(shape))
    numbers = all(str(number).isdigit() for number in about["bad"])
    return about if good and numbers and about["count"] + len(about["bad"]) == about.get("files") else None


def _fill(
    place: Path,
    folder: Path,
    files: list[str],
    shape: tuple[int, int, int],
    fit: str,
    print_of: str,
    masks: list[str] | None,
) -> dict[str, Any]:
    """Decode everything into the cache. Raises WriteError; then the cache is as it was."""
    bad: dict[str, str] = {}

    def good() -> Iterator[bytes]:
        if masks is None:
            pictures = decoded_all([folder / file for file in files], shape[1:], shape[0], fit)
        else:
            pictures = masked_all(folder, list(zip(files, masks, strict=True)), shape[1:], shape[0] - 1, fit)
        for number, picture in enumerate(pictures):
            if isinstance(picture, PictureError):
                bad[str(number)] = str(picture)
            else:
                yield picture.tobytes()

    needed = len(files) * int(np.prod(shape))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # What was there belongs to other images: without its description nobody takes it for these.
        place.with_suffix(".json").unlink(missing_ok=True)
        _write(place.with_suffix(".u8"), good())
        about = {
            "fingerprint": print_of,
            "folder": str(folder),
            "files": len(files),
            "count": len(files) - len(bad),
            "bad": bad,
        }
        write_whole(str(place.with_suffix(".json")), json.dumps(about).encode())
    except OSError as error:
        raise WriteError(
            f"the decoded images, {needed:,} bytes, can't be kept in {place.parent}: {error.strerror or error}",
            "make room there, or name another folder for caches: XDG_CACHE_HOME",
        ) from None
    return about


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    """Write pieces to a file that appears when it is whole. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(prefix=path.stem, suffix=".part", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    size = int(np.prod(shape))
    if size == 0:
        return torch.empty(shape, dtype=torch.uint8)
    if size <= IN_MEMORY:
        return torch.from_numpy(np.fromfile(path, np.uint8, size).reshape(shape))
    # Copy-on-write: nothing that is done to the tensor reaches the file.
    return torch.from_numpy(np.memmap(path, np.uint8, "c", shape=shape))
