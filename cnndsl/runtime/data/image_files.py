"""Image files below a folder: found within bounds, parted, and what is said of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.decoded import Decoded
from cnndsl.runtime.data.folders import inside
from cnndsl.runtime.data.parts import keep_test
from cnndsl.runtime.data.pictures import ENDINGS
from cnndsl.runtime.errors import DataError

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What a folder with one part of the data may be called."""
MAX_FILES = 20_000_000
_NAMED = 5
"""Most files that a sentence names."""


def entries_in(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder and is not hidden. Raises DataError."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"can't read {folder}: {error.strerror or error}") from None


def is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(ENDINGS)


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, without hidden ones. Raises DataError."""
    return [entry.name for entry in entries_in(folder) if entry.is_dir() and entry.name != "__MACOSX"]


def images_below(root: Path, folder: Path) -> tuple[list[str], int]:
    """The image files below `folder`, relative to `root`, in order; and how many other files there are."""
    found: list[str] = []
    others, waiting = 0, [folder]
    while waiting:
        place = waiting.pop()
        for entry in entries_in(root / place):
            path = place / entry.name
            if entry.is_symlink():
                # Where a link leads matters: out of the folder it may show what is nobody's business.
                inside(root, str(path))
                if entry.is_dir():
                    raise DataError(f"{root / path} is a link to a folder, which is not followed")
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif is_image(entry):
                found.append(path.as_posix())
            else:
                others += 1
            if len(found) > MAX_FILES:
                raise DataError(f"{root} holds more than {MAX_FILES:,} images")
    return sorted(found), others


def parted(source: Any, made: dict[str, Examples]) -> Raw:
    """The parts. Where no test is apart, a share of the training part is kept for it, unless validation is apart."""
    train, validation = made["train"], made.get("validation")
    if "test" in made or validation is not None:
        return Raw(train, made.get("test"), validation)
    return keep_test(train, source.test, source.name)


def fitted_how(fit: str, input: tuple[int, ...]) -> str:
    """How images become as large as the input."""
    channels, height, width = input
    how = {"crop": "scaled and cropped", "pad": "scaled and padded", "resize": "stretched"}[fit]
    return f"images are {how} to {height}x{width}, {'in grey' if channels == 1 else 'in colour'}"


def corrupt(source: Any, folder: Path, files: list[str], held: Decoded) -> list[str]:
    """What is said of images that can't be read. Raises DataError where the recipe does not skip them."""
    if not held.bad:
        return []
    named = some([f"{files[number]} {why}" for number, why in held.bad.items()])
    count = f"{len(held.bad):,} of {len(files):,} images"
    if source.corrupt == "refuse":
        advice = "mend or remove them; or leave them out with `corrupt=skip`"
        raise DataError(f"{count} in {folder} can't be read: {named}", advice)
    return [f"{count} can't be read and are left out: {named}"]


def some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
    return "; ".join(listed[:_NAMED]) + more
