"""Where data files are looked for. A spec can name what lies below a data root, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path

from cnndsl.datasets import VARIABLE, data_roots, spelled
from cnndsl.diagnostics import closest
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError


def inside(root: Path, name: str) -> Path:
    """What a spec calls `name`, below `root`. Raises DataError if it leads out, also through a link."""
    try:
        path = (root / name).resolve()
    except (ValueError, OSError, RuntimeError) as error:
        raise DataError(f"there can be no data in {name!r}: {error}") from None
    if not path.is_relative_to(root.resolve()):
        raise DataError(
            f"{name!r} lies outside the data root {root}", "a spec may only name what lies below it, links included"
        )
    return path


def places(wanted: Wanted, folders: tuple[str, ...]) -> list[Path]:
    """Every one of the folders below every data root, whether there or not. Raises DataError."""
    return [inside(root, folder) for root in data_roots(wanted.data_root, wanted.beside) for folder in folders]


MOST_LOOKED_AT = 1000
"""Files beside a place that is not there, of which one may be meant."""


def find_named(source: str, wanted: Wanted, name: str, *, folder: bool) -> Path:
    """The file or folder that a spec names, below the first data root that has it. Raises DataError."""
    what = "folder" if folder else "file"
    tried = []
    for root in data_roots(wanted.data_root, wanted.beside):
        inside(root, name)
        path = root / name
        if path.is_dir() if folder else path.is_file():
            return path
        if path.exists():
            raise DataError(f"{path} is no {what}, as `data {source}` needs")
        tried.append(str(path))
    advice = _alike(tried, folder=folder)
    if advice is None and not wanted.data_root:
        advice = f"name the folder above it with --data-root or {VARIABLE}"
    raise DataError(f"`data {source}` found no {what} {' or '.join(tried)}", advice)


def _alike(tried: list[str], *, folder: bool) -> str | None:
    """Whether what is meant stands beside a place that is not there, under nearly the same name."""
    for place in map(Path, tried):
        with suppress(OSError):
            beside = [one.name for one in islice(place.parent.iterdir(), MOST_LOOKED_AT) if one.is_dir() == folder]
            if meant := closest(place.name, beside):
                return f"did you mean {meant}?"
    return None


def find_files(source: str, wanted: Wanted, folders: tuple[str, ...], names: tuple[str, ...]) -> list[Path]:
    """The files of those names, all in the first of `folders` below the first data root that has one of them.

    A file may be gzipped, and may be spelled with dots (`train-images.idx3-ubyte`). Raises DataError.
    """
    tried = []
    for root in data_roots(wanted.data_root, wanted.beside):
        for folder in folders:
            place = inside(root, folder)
            tried.append(place)
            found = [spelled(place, name) for name in names]
            if any(found):
                missing = ", ".join(name for name, path in zip(names, found, strict=True) if path is None)
                if missing:
                    raise DataError(f"{place} lacks {missing} (plain or .gz)")
                return [inside(root, str(path)) for path in found if path is not None]
    raise not_found(source, tried, f"put {', '.join(names)} (plain or .gz) there")


def not_found(source: str, tried: list[Path], advice: str) -> DataError:
    """That a published data set is nowhere, and what to do."""
    return DataError(
        f"`data {source}` was not found in {', '.join(map(str, tried))}",
        f"cnndsl data fetch {source}; or {advice}; or name the folder above with --data-root or {VARIABLE}",
    )
