"""Where data files are looked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cnndsl.runtime.errors import DataError

VARIABLE = "CNNDSL_DATA"


def data_roots(given: str | None) -> list[Path]:
    """The folders to search, first to last: the one given; or that of CNNDSL_DATA; or the user's cache."""
    if given:
        return [Path(given)]
    named = os.environ.get(VARIABLE)
    return [*([Path(named)] if named else []), user_cache()]


def user_cache() -> Path:
    """The folder where this user's data sets are kept, by the platform's convention."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cnndsl"


def inside(root: Path, folder: str) -> Path:
    """`folder` of a spec, below `root`. Raises DataError if it leads out, also through a link."""
    try:
        path = (root / folder).resolve()
    except (ValueError, OSError, RuntimeError) as error:
        raise DataError(f"the data folder {folder!r} can't be a folder: {error}") from None
    if not path.is_relative_to(root.resolve()):
        raise DataError(
            f"the data folder {folder!r} lies outside the data root {root}", "a spec may only name folders below it"
        )
    return path


def find_files(source: str, roots: list[Path], folders: tuple[str, ...], names: tuple[str, ...]) -> list[Path]:
    """The files of those names, all in the first of `folders` below the first root that has one of them.

    A file may be gzipped, and may be spelled with dots (`train-images.idx3-ubyte`). Raises DataError.
    """
    tried = []
    for root in roots:
        for folder in folders:
            place = inside(root, folder)
            tried.append(place)
            found = [_spelled(place, name) for name in names]
            if all(found):
                return [path for path in found if path is not None]
            if any(found):
                missing = ", ".join(name for name, path in zip(names, found, strict=True) if path is None)
                raise DataError(f"{place} lacks {missing} (plain or .gz)")
    places = ", ".join(map(str, tried))
    raise DataError(
        f"`data {source}` was not found in {places}",
        f"put {', '.join(names)} (plain or .gz) there, or name the folder above with --data-root or {VARIABLE}",
    )


def _spelled(folder: Path, name: str) -> Path | None:
    for spelling in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = folder / (spelling + ending)
            if os.path.isfile(path):
                return path
    return None
