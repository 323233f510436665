"""Folders of images and of the masks that belong to them: found, paired by their names, and read."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.decoded import decoded
from cnndsl.runtime.data.folders import inside
from cnndsl.runtime.data.image_files import PARTS, corrupt, fitted_how, folders_in, images_below, parted, some
from cnndsl.runtime.data.masks import BEHIND, HIGHEST
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

IMAGES = ("images", "image", "imgs", "img")
"""What the folder of images beside the masks may be called; else it is the only one beside them."""
_NAMED = 8
"""Most classes that a sentence names."""


class Pairs(NamedTuple):
    """Images and their masks, relative to the folder; images that have no mask, and masks that have no image."""

    images: list[str]
    masks: list[str]
    bare: list[str]
    spare: int


def read_masked(source: Any, folder: Path, wanted: Wanted) -> Raw:
    """The images of a folder with a class for each of their places, at the size of the network's input. Raises
    DataError."""
    channels, height, width = wanted.input
    found = list_masked(folder, source.masks, source.images)
    bare = [file for pairs in found.values() for file in pairs.bare]
    images = [file for pairs in found.values() for file in pairs.images]
    masks = [file for pairs in found.values() for file in pairs.masks]
    said = [fitted_how(source.fit, wanted.input), *_bare(source, folder, bare, len(images))]
    spare = sum(pairs.spare for pairs in found.values())
    if spare:
        said.append(
            "1 mask has no image and was left out" if spare == 1 else f"{spare:,} masks have no image: left out"
        )
    held = decoded(folder, images, (channels + 1, height, width), source.fit, wanted.say, masks)
    said += corrupt(source, folder, images, held)
    good = torch.ones(len(images), dtype=torch.bool)
    good[list(held.bad)] = False
    number = torch.cumsum(good, 0) - 1
    made: dict[str, Examples] = {}
    files: dict[str, list[str]] = {}
    start = 0
    for part, pairs in found.items():
        end = start + len(pairs.images)
        kept = good[start:end]
        made[part] = held.masked(number[start:end][kept])
        files[part] = [mask for mask, there in zip(pairs.masks, kept.tolist(), strict=True) if there]
        if not len(made[part]):
            raise DataError(f"{folder} has no image with a mask, of those to {part}, that can be read")
        start = end
    classes = max(2, wanted.output[0])
    said += _values(folder, made, files, classes)
    return parted(source, made)._replace(said=tuple(said))


def _bare(source: Any, folder: Path, bare: list[str], others: int) -> list[str]:
    """What is said of images without a mask. Raises DataError where the recipe does not skip them."""
    if not bare:
        return []
    have = "has" if len(bare) == 1 else "have"
    count = f"{len(bare):,} of {len(bare) + others:,} images in {folder} {have}"
    if source.corrupt == "refuse" or not others:
        advice = f"a mask has its image's name, or that with {BEHIND} behind; `corrupt=skip` leaves out what has none"
        raise DataError(f"{count} no mask in {source.masks}: {some(bare)}", advice)
    return [f"{count} no mask and {'is' if len(bare) == 1 else 'are'} left out: {some(bare)}"]


def _values(folder: Path, made: dict[str, Examples], files: dict[str, list[str]], classes: int) -> list[str]:
    """What is said of the masks' values; where they are 0 and 255 for two classes they become 0 and 1. Raises DataError
    where a network does not tell a class that a mask has."""
    many = max(HIGHEST + 1, classes)
    counts = {part: torch.bincount(_masks(one).flatten(), minlength=many) for part, one in made.items()}
    there = torch.stack(list(counts.values())).sum(0).nonzero().flatten().tolist()
    if classes == 2 and there[-1] == HIGHEST and not set(there) - {0, HIGHEST}:
        for part, one in made.items():
            _masks(one).clamp_(max=1)
            counts[part][1] = counts[part][HIGHEST]
        return ["in the masks 255 is class 1"]
    for part, one in made.items():
        wrong = (_masks(one).flatten(1).amax(1) >= classes).nonzero()
        if len(wrong):
            row = int(wrong[0])
            more = "" if there[-1] == HIGHEST else f"end with {there[-1] + 1} outputs, or "
            raise DataError(
                f"the mask {folder / files[part][row]} holds the value {int(_masks(one)[row].max())}, but the network "
                f"tells the classes 0 to {classes - 1}",
                f"{more}change the masks: their values are the classes",
            )
    none = [str(number) for number in range(classes) if not int(counts["train"][number])]
    more = f" and {len(none) - _NAMED:,} more" if len(none) > _NAMED else ""
    return [f"nothing in the training masks is of class {', '.join(none[:_NAMED])}{more}"] if none else []


def _masks(examples: Examples) -> Tensor:
    assert examples.classes is not None
    return examples.classes


# --- finding files --------------------------------------------------------------------------------------------------


def list_masked(folder: Path, masks: str, images: str = "") -> dict[str, Pairs]:
    """The images and masks of each part. Parts are folders that hold both, or folders in both. Raises DataError."""
    if inside(folder, masks).is_dir():
        mine, its = _roots(folder, Path(), masks, images)
        parts = _parts(folder, mine)
        return {part: _paired(folder, mine / name, its / name) for part, name in (parts or {"train": "."}).items()}
    parts = _parts(folder, Path())
    if not parts:
        there = ", ".join(sorted(folders_in(folder))) or "none"
        raise DataError(f"{folder} has no folder {masks} with masks; it has {there}", 'say which it is: masks="…"')
    return {part: _paired(folder, *_roots(folder, Path(name), masks, images)) for part, name in parts.items()}


def _parts(folder: Path, place: Path) -> dict[str, str]:
    """The folders of parts, in the order of training, validation and test. Raises DataError where only others are."""
    below = folders_in(folder / place)
    found = {part: name for part, names in PARTS.items() for name in below if name.lower() in names}
    if found and "train" not in found:
        given = ", ".join(sorted(found.values()))
        raise DataError(f"{folder / place} has a folder {given} but none called train", "name each part's folder so")
    return found


def _roots(folder: Path, place: Path, masks: str, images: str) -> tuple[Path, Path]:
    """Where the images and the masks of a part lie, below `folder`. Raises DataError."""
    its = place / masks
    if not inside(folder, str(its)).is_dir():
        raise DataError(f"{folder / place} has no folder {masks} with masks")
    if images:
        if not inside(folder, str(place / images)).is_dir():
            raise DataError(f"{folder / place} has no folder {images} with images")
        return place / images, its
    others = [name for name in folders_in(folder / place) if name != PurePosixPath(masks).parts[0]]
    known = [name for name in others if name.lower() in IMAGES] or others
    if len(known) > 1:
        raise DataError(
            f"{folder / place} has several folders that may be the images': {', '.join(sorted(known))}",
            'say which it is: images="…"',
        )
    return place / known[0] if known else place, its


def _paired(folder: Path, mine: Path, its: Path) -> Pairs:
    """Images and masks of the same names, below these folders. Raises DataError."""
    if not (folder / its).is_dir():
        raise DataError(f"{folder / mine} has images, but there are no masks in {folder / its}")
    masks: dict[str, str] = {}
    for file in images_below(folder, its)[0]:
        stem = _stem(file, its)
        if stem in masks:
            raise DataError(f"two masks in {folder / its} have one name: {masks[stem]} and {file}", "remove one")
        masks[stem] = file
    found, used = Pairs([], [], [], 0), set()
    for file in images_below(folder, mine)[0]:
        if PurePosixPath(file).is_relative_to(its.as_posix()):
            continue
        stem = _stem(file, mine)
        name = stem if stem in masks else stem + BEHIND
        if name not in masks:
            found.bare.append(file)
            continue
        used.add(name)
        found.images.append(file)
        found.masks.append(masks[name])
    if not found.images and not found.bare:
        raise DataError(f"{folder / mine} has no images")
    return found._replace(spare=len(masks) - len(used))


def _stem(file: str, place: Path) -> str:
    """A file's path below a folder, without its ending."""
    return PurePosixPath(file).relative_to(place.as_posix()).with_suffix("").as_posix()
