"""Folders of images, one for each class: found, and decoded once into a file that is mapped into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch

from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.decoded import decoded
from cnndsl.runtime.data.folders import find_named
from cnndsl.runtime.data.image_files import (
    PARTS,
    corrupt,
    entries_in,
    fitted_how,
    folders_in,
    images_below,
    is_image,
    parted,
    some,
)
from cnndsl.runtime.data.masked_folders import read_masked
from cnndsl.runtime.data.pictures import ENDINGS, need_pillow
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError


class Part(NamedTuple):
    """The image files of one part, in order, and the class of each."""

    files: list[str]
    classes: list[int]


class Listing(NamedTuple):
    """What a folder holds: the classes' names, the parts, and how many files are no images by their names."""

    names: tuple[str, ...]
    parts: dict[str, Part]
    others: int
    missing: tuple[str, ...]


def read_folder(source: Any, wanted: Wanted) -> Raw:
    """The images of a folder, at the size of the network's input. Raises DataError."""
    need_pillow()
    folder = find_named(source.name, wanted, source.folder, folder=True)
    if source.masks:
        return read_masked(source, folder, wanted)
    found = list_folder(folder)
    wanted.agree(source.known(classes=len(found.names), names=found.names))
    files = [file for part in found.parts.values() for file in part.files]
    channels, height, width = wanted.input
    held = decoded(folder, files, (channels, height, width), source.fit, wanted.say)
    said = [*_said(found, wanted.input, source.fit), *corrupt(source, folder, files, held)]
    good = torch.ones(len(files), dtype=torch.bool)
    good[list(held.bad)] = False
    number = torch.cumsum(good, 0) - 1
    made, start = {}, 0
    for name, part in found.parts.items():
        kept = good[start : start + len(part.files)]
        rows = number[start : start + len(part.files)][kept]
        made[name] = held.examples(rows, torch.tensor(part.classes)[kept])
        _whole(folder, name, made[name], found.names)
        start += len(part.files)
    return parted(source, made)._replace(names=found.names, said=tuple(said))


def _whole(folder: Path, part: str, examples: Examples, names: tuple[str, ...]) -> None:
    """Raises DataError where a class of the training part has lost all its images."""
    assert examples.classes is not None
    if part == "train":
        counts = torch.bincount(examples.classes, minlength=len(names)).tolist()
        for name, count in zip(names, counts, strict=True):
            if not count:
                raise DataError(f"{folder} has no image of the class {name!r} that can be read")


# --- finding files --------------------------------------------------------------------------------------------------


def list_folder(folder: Path) -> Listing:
    """The classes and image files of a folder. Raises DataError where it is none of images."""
    below = folders_in(folder)
    parts = {part: name for part, names in PARTS.items() for name in below if name.lower() in names}
    if parts and "train" not in parts:
        given = ", ".join(sorted(parts.values()))
        raise DataError(f"{folder} has a folder {given} but none called train", "name the folder of each part so")
    if not parts:
        parts = {"train": "."}
    classes = {part: _sorted(folders_in(folder / name)) for part, name in parts.items()}
    names = tuple(classes["train"])
    if not names:
        place = folder / parts["train"]
        what = "images but no folders" if any(is_image(entry) for entry in entries_in(place)) else "no folders"
        raise DataError(f"{place} has {what}: each class has a folder of its own", "put every class into a folder")
    found: dict[str, Part] = {}
    others, missing = 0, []
    for part in ("train", "validation", "test"):
        if part not in parts:
            continue
        place = Path(parts[part])
        unknown = [name for name in classes[part] if name not in names]
        if unknown:
            raise DataError(f"{folder / place} has a class {unknown[0]!r} that {folder / parts['train']} has not")
        missing += [f"{name} in {place}" for name in names if name not in classes[part]]
        made = Part([], [])
        for number, name in enumerate(names):
            if name not in classes[part]:
                continue
            images, left = images_below(folder, place / name)
            others += left
            if not images:
                raise DataError(f"{folder / place / name} has no images", _endings())
            made.files.extend(images)
            made.classes.extend([number] * len(images))
        found[part] = made
    return Listing(names, found, others, tuple(missing))


def _sorted(names: list[str]) -> list[str]:
    """Names in the order of the alphabet; numbers by their size."""
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


# --- what is said ---------------------------------------------------------------------------------------------------


def _said(found: Listing, input: tuple[int, ...], fit: str) -> list[str]:
    names = found.names if len(found.names) <= 12 else (*found.names[:11], "…")
    said = [f"{len(found.names)} classes: {', '.join(names)}", fitted_how(fit, input)]
    if found.missing:
        said.append(f"no images of {some(found.missing)}")
    if found.others:
        one = "1 file is no image by its name and was left out"
        said.append(
            f"{found.others:,} files are no images by their names and were left out" if found.others > 1 else one
        )
    return said


def _endings() -> str:
    return f"image files end in {', '.join(ENDINGS[:7])} …"
