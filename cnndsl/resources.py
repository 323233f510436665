"""Where the grammar and the example specs lie: inside an installed package, or beside it in a checkout."""

from __future__ import annotations

import os


def folder(name: str) -> str:
    """The path of a folder that ships with the package, `grammars` or `specs`. Raises FileNotFoundError."""
    package = os.path.dirname(os.path.abspath(__file__))
    for parent in (package, os.path.dirname(package)):
        found = os.path.join(parent, name)
        if os.path.isdir(found):
            return found
    raise FileNotFoundError(f"the folder {name} is missing from this installation of cnndsl: install it again")
