"""The interactive page: what it is given, as plain data, and its scripts and style sheet.

    Item (the whole outline) --build--> Model (every item with its words, numbers and place) --formats.html--> a page

The scripts are written by hand and joined as they are, in the order of SCRIPTS; nothing is built. They lay out what is
unfolded: ranks and lanes come with the model, since they do not depend on how large things are.
"""

from __future__ import annotations

import os

SCRIPTS = ("base.js", "layout.js", "picture.js", "view.js", "panels.js", "search.js", "main.js")
"""In the order in which they are joined to one script."""


def asset(name: str) -> str:
    """A file of the page: a script, or `page.css`."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


def script() -> str:
    """All scripts as one."""
    return "\n".join(asset(name) for name in SCRIPTS)
