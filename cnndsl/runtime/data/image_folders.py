"""Folders of images, one for each class: found, and decoded once into a file that is mapped into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.decoded import Decoded, decoded
from cnndsl.runtime.data.folders import find_named, inside
from cnndsl.runtime.data.parts import keep_test
from cnndsl.runtime.data.pictures import ENDINGS, need_pillow
from cnndsl.runtime.data.wanted import Wanted
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
    found = list_folder(folder)
    wanted.agree(source.known(classes=len(found.names), names=found.names))
    files = [file for part in found.parts.values() for file in part.files]
    channels, height, width = wanted.input
    held = decoded(folder, files, (channels, height, width), source.fit, wanted.say)
    said = [*_said(found, wanted.input, source.fit), *_corrupt(source, folder, files, held)]
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
    raw = Raw(made["train"], made["test"]) if "test" in made else _kept(source, made)
    return raw._replace(validation=made.get("validation"), names=found.names, said=tuple(said))


def _kept(source: Any, made: dict[str, Examples]) -> Raw:
    """The training part without what is kept for the test; where validation is apart, there is no test but that."""
    if "validation" in made:
        return Raw(made["train"], None)
    return keep_test(made["train"], source.test, source.name)


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
    below = _folders(folder)
    parts = {part: name for part, names in PARTS.items() for name in below if name.lower() in names}
    if parts and "train" not in parts:
        given = ", ".join(sorted(parts.values()))
        raise DataError(f"{folder} has a folder {given} but none called train", "name the folder of each part so")
    if not parts:
        parts = {"train": "."}
    classes = {part: _sorted(_folders(folder / name)) for part, name in parts.items()}
    names = tuple(classes["train"])
    if not names:
        place = folder / parts["train"]
        what = "images but no folders" if any(_is_image(entry) for entry in _entries(place)) else "no folders"
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
            images, left = _images(folder, place / name)
            others += left
            if not images:
                raise DataError(f"{folder / place / name} has no images", _endings())
            made.files.extend(images)
            made.classes.extend([number] * len(images))
        found[part] = made
    return Listing(names, found, others, tuple(missing))


def _folders(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder) if entry.is_dir() and entry.name != "__MACOSX"]


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder and is not hidden. Raises DataError."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"can't read {folder}: {error.strerror or error}") from None


def _sorted(names: list[str]) -> list[str]:
    """Names in the order of the alphabet; numbers by their size."""
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(ENDINGS)


def _images(root: Path, folder: Path) -> tuple[list[str], int]:
    """The image files below `folder`, relative to `root`, in order; and how many other files there are."""
    found: list[str] = []
    others, waiting = 0, [folder]
    while waiting:
        place = waiting.pop()
        for entry in _entries(root / place):
            path = place / entry.name
            if entry.is_symlink():
                # Where a link leads matters: out of the folder it may show what is nobody's business.
                inside(root, str(path))
                if entry.is_dir():
                    raise DataError(f"{root / path} is a link to a folder, which is not followed")
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif _is_image(entry):
                found.append(path.as_posix())
            else:
                others += 1
            if len(found) > MAX_FILES:
                raise DataError(f"{root} holds more than {MAX_FILES:,} images")
    return sorted(found), others


# --- what is said ---------------------------------------------------------------------------------------------------


def _said(found: Listing, input: tuple[int, ...], fit: str) -> list[str]:
    channels, height, width = input
    names = found.names if len(found.names) <= 12 else (*found.names[:11], "…")
    said = [f"{len(found.names)} classes: {', '.join(names)}"]
    how = {"crop": "scaled and cropped", "pad": "scaled and padded", "resize": "stretched"}[fit]
    said.append(f"images are {how} to {height}x{width}, {'in grey' if channels == 1 else 'in colour'}")
    if found.missing:
        said.append(f"no images of {_some(found.missing)}")
    if found.others:
        said.append(f"{found.others:,} files are no images by their names and were left out")
    return said


def _corrupt(source: Any, folder: Path, files: list[str], held: Decoded) -> list[str]:
    """What is said of images that can't be read. Raises DataError where the recipe does not skip them."""
    if not held.bad:
        return []
    named = _some([f"{files[number]} {why}" for number, why in held.bad.items()])
    count = f"{len(held.bad):,} of {len(files):,} images"
    if source.corrupt == "refuse":
        advice = "mend or remove them; or leave them out with `corrupt=skip`"
        raise DataError(f"{count} in {folder} can't be read: {named}", advice)
    return [f"{count} can't be read and are left out: {named}"]


def _some(names: Any) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
    return "; ".join(listed[:_NAMED]) + more


def _endings() -> str:
    return f"image files end in {', '.join(ENDINGS[:7])} …"
