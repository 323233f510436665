"""Layer kinds that installed packages add."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

from cnndsl.layers.base import Layer, LayerError

GROUP = "cnndsl.layers"

_found: dict[tuple[str, ...], dict[str, EntryPoint]] = {}
"""The entries of the group, for each search path that was looked through: a search takes long."""


def find_installed(name: str) -> type[Layer] | None:
    """The class of a kind that some installed package has under this name, or None.

    A class that can't be had is replaced by one that refuses every use of it with the reason.
    """
    path = tuple(sys.path)
    if path not in _found:
        _found[path] = {entry.name: entry for entry in entry_points(group=GROUP)}
    entry = _found[path].get(name)
    if entry is None:
        return None
    try:
        kind = entry.load()
    except Exception as error:
        # Whatever another package's code raises is that package's mistake, and is reported as such.
        return _broken(name, entry, f"{type(error).__name__}: {error}")
    if not (isinstance(kind, type) and issubclass(kind, Layer)):
        return _broken(name, entry, f"`{entry.value}` is not a subclass of Layer")
    return kind


def _broken(name: str, entry: EntryPoint, reason: str) -> type[Layer]:
    """A kind that refuses every use."""
    package = entry.dist.name if entry.dist is not None else entry.value
    refusal = LayerError("BrokenKind", None, kind=name, package=package, reason=reason)
    return type("Broken", (Layer,), {"kind": name, "refusal": refusal})
