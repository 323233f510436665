"""Formats: each module has `render(scene, paper)`, from a picture to what is written into a file.

A format sees a scene and nothing of the network that it shows. Its row in FORMATS is all that the rest of the program
knows of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

from cnndsl.draw.colors import luminance
from cnndsl.draw.scene import Scene
from cnndsl.draw.theme import STANDARD, Theme
from cnndsl.record import Record

MODES = ("auto", "light", "dark")
"""`auto` asks the reader's system where the format can; where it can't, it is light."""
PAGE = "page"
"""The background that the theme has for a page."""


class Hosts(Record):
    """Programs that show pictures within pages of their own, light or dark whatever the reader's system prefers.

    dark, light: CSS selectors of what stands around a picture then.
    """

    dark: tuple[str, ...]
    light: tuple[str, ...]


NOTEBOOKS = Hosts(
    ("[data-jp-theme-light=false]", ".vscode-dark", "html[theme=dark]"),
    ("[data-jp-theme-light=true]", ".vscode-light", "html[theme=light]"),
)
"""JupyterLab and Jupyter Notebook, VS Code, Colab."""


class Paper(Record):
    """What a picture is drawn on.

    mode: one of MODES. background: `#rrggbb`, PAGE, or None, which is transparent. dpi: pixels to an inch, where there
    are pixels. preamble: whether TikZ is a document by itself. hosts: those that may show it, where the format heeds
    them.
    """

    theme: Theme = STANDARD
    mode: str = "auto"
    background: str | None = None
    dpi: float = 300.0
    preamble: bool = True
    hosts: Hosts | None = None

    @property
    def asks(self) -> bool:
        """Whether the reader's system chooses between light and dark: not if the background is a colour that stays."""
        return self.mode == "auto" and self.background in (None, PAGE)

    @property
    def dark(self) -> bool:
        """Whether it is dark, where nobody is asked."""
        if self.mode == "auto" and not self.asks:
            return luminance(str(self.background)) < 0.18
        return self.mode == "dark"

    def color(self, role: str, shade: float = 0.0) -> str:
        """A role's colour, where nobody is asked."""
        return self.theme.color(role, shade, dark=self.dark)

    @property
    def ground(self) -> str | None:
        """The colour of the background, where nobody is asked."""
        return self.color(PAGE) if self.background == PAGE else self.background


class Format(Record):
    """A row of FORMATS. endings: of files. binary: whether its module gives bytes. extra: a package that it needs and
    the light install lacks. background: what stands behind the picture unless something else is asked for. explores:
    whether it needs the scene's model. style: the one that suits it, whatever the network; None if all do."""

    about: str
    endings: tuple[str, ...]
    binary: bool = False
    extra: str | None = None
    background: str | None = None
    explores: bool = False
    style: str | None = None


FORMATS = {
    "svg": Format("scalable, with text as text, for the web and papers", (".svg",)),
    "pdf": Format("scalable, its fonts in the file, for papers", (".pdf",), binary=True, extra="reportlab"),
    "dot": Format("for Graphviz, which lays it out", (".dot", ".gv"), style="graph"),
    "mermaid": Format("a flowchart, for Markdown on GitHub", (".mmd", ".mermaid"), style="graph"),
    "tikz": Format("a document for LaTeX, or its picture alone", (".tex", ".tikz")),
    "png": Format("pixels, at --dpi", (".png",), binary=True, extra="resvg_py", background=PAGE),
    "html": Format("a page to explore: it folds, finds, tells numbers and lines", (".html", ".htm"), explores=True),
}
"""The module `cnndsl.draw.formats.<name>` has the function `render`."""

Render = Callable[[Scene, Paper], "str | bytes"]


def renderer(name: str) -> Render:
    """The function that draws in a format. Raises ImportError where a package is missing."""
    render: Render = import_module(f"cnndsl.draw.formats.{name}").render
    return render


def of_file(path: str) -> str | None:
    """The format that a file's ending stands for; None if it is no format's."""
    ending = os.path.splitext(path)[1].lower()
    return next((name for name, one in FORMATS.items() if ending in one.endings), None)
