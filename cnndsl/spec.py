"""A spec as Python sees it: `cnndsl.load_spec("net.cnn")` has its numbers, and shows itself as its drawing.

Nothing here needs PyTorch, or a notebook: notebooks find `_repr_html_` and its like by themselves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Graph
from cnndsl.measure import Analysis
from cnndsl.pipeline import Checked, CheckedNetwork, Options, check
from cnndsl.report import Measured, heading, signature
from cnndsl.zoo import locate, read

if TYPE_CHECKING:
    from cnndsl.draw.picture import Subject
    from cnndsl.draw.scene import Scene


class SpecError(ValueError):
    """A spec with errors. `diagnostics` holds them; the text is what `cnndsl check` would print."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        from cnndsl.diagnostics.render import render_all

        super().__init__(render_all(diagnostics))
        self.diagnostics = diagnostics


def load_spec(
    path: str | os.PathLike[str],
    network: str | None = None,
    *,
    input: str | tuple[int, ...] | None = None,
    root: str | None = None,
    **parameters: Any,
) -> Spec:
    """A network of a spec file, with its numbers and its drawing; it may have errors, which are drawn too.

    The arguments are those of `cnndsl.load`. Raises SpecError if the file can't be read, or holds nothing that could
    be drawn; ValueError if the choice of a network is left open.
    """
    checked = checked_file(path, network, input=input, root=root, parameters=parameters)
    networks = tuple(one for one in checked.networks if len(one.graph.nodes) > 1)
    if not networks:
        raise SpecError(errors_of(checked)) if not checked.ok else ValueError(f"{checked.source.name} has no layers")
    return Spec(checked, chosen(checked, networks))


def checked_file(
    path: str | os.PathLike[str],
    network: str | None,
    *,
    input: str | tuple[int, ...] | None,
    root: str | None,
    parameters: Mapping[str, Any],
) -> Checked:
    """A file, checked as the arguments of `cnndsl.load` ask for. Raises SpecError if it can't be read."""
    place = locate(os.fspath(path))
    source = read(place)
    if isinstance(source, Diagnostic):
        raise SpecError((source,))
    size = "x".join(map(str, input)) if isinstance(input, (tuple, list)) else input
    sets = tuple((name, text_of(value)) for name, value in parameters.items())
    return check(source, Options(sets, size, 1, network or place.network, root))


def chosen(checked: Checked, networks: tuple[CheckedNetwork, ...]) -> CheckedNetwork:
    """The only one of a file's networks. Raises ValueError."""
    if len(networks) != 1:
        names = ", ".join(one.graph.name for one in networks)
        raise ValueError(f"{checked.source.name} has several networks ({names}): say which")
    return networks[0]


def errors_of(checked: Checked) -> tuple[Diagnostic, ...]:
    return tuple(d for d in checked.diagnostics if d.severity == "error")


def text_of(value: Any) -> str:
    """A Python value as a spec writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return str(value)


class Spec:
    """A network of a spec. In a notebook it shows itself as its drawing, light or dark as the notebook is.

    graph, analysis: its layers and their numbers. diagnostics: what is said about the spec; ok: whether there is no
    error.
    """

    def __init__(self, checked: Checked, network: CheckedNetwork) -> None:
        self._checked = checked
        self._network = network

    @property
    def name(self) -> str:
        return self._network.graph.name

    @property
    def checked(self) -> Checked:
        """The whole file, as it was checked."""
        return self._checked

    @property
    def network(self) -> CheckedNetwork:
        """The network, with its recipe."""
        return self._network

    @property
    def graph(self) -> Graph:
        return self._network.graph

    @property
    def analysis(self) -> Analysis:
        return self._network.analysis

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self._checked.diagnostics

    @property
    def ok(self) -> bool:
        return self._checked.ok

    def check(self) -> Table:
        """The table that `cnndsl check` prints, and what is wrong."""
        return Table(Measured(self.graph, self.analysis), self.diagnostics)

    def draw(
        self, style: str | None = None, *, depth: int | None = None, only: str | None = None, **wanted: Any
    ) -> Drawing:
        """Its drawing in a style, as `cnndsl draw` makes it.

        depth: how many levels of blocks are open. only: the block to draw. wanted: settings of
        `cnndsl.draw.wanted.Wanted`, as `show=("shape", "params")` or `color="macs"`. Raises ValueError for a style or
        block that there is not, TypeError for a setting.
        """
        from cnndsl.draw.fold import NoSuchItem
        from cnndsl.draw.picture import View, picture
        from cnndsl.draw.styles import SCENES
        from cnndsl.draw.wanted import Wanted

        if style is not None and style not in SCENES:
            raise ValueError(f"there is no style {style!r}: there are {', '.join(SCENES)}")
        unknown = [name for name in wanted if name not in Wanted._fields]
        if unknown:
            raise TypeError(f"draw() has no setting {unknown[0]!r}: there are {', '.join(Wanted._fields)}")
        try:
            scene = picture(self._subject, Wanted(**wanted), View(depth, only=only), style)
        except NoSuchItem as error:
            raise ValueError(f"{self.name} has no block {error.name!r}") from None
        return Drawing(scene, self._told())

    def explore(self, height: int = 600) -> Page:
        """The page that `cnndsl draw -o net.html` writes: it folds, finds, tells numbers and lines. In a notebook it
        shows itself, so many pixels high."""
        from cnndsl.draw.formats import Paper, html
        from cnndsl.draw.page.build import explored
        from cnndsl.draw.page.model import Spec as Told
        from cnndsl.draw.picture import outlined

        model = explored(outlined(self._subject), Told(self._checked.source, self.diagnostics))
        return Page(html.page(model, Paper()), height)

    @property
    def _subject(self) -> Subject:
        from cnndsl.draw.faults import faults
        from cnndsl.draw.picture import Subject

        return Subject(self.graph, self.analysis, faults(self.graph, self.diagnostics))

    def _told(self) -> str:
        """What `check` would print of its errors; empty if there are none."""
        from cnndsl.diagnostics.render import render_all

        return render_all(errors_of(self._checked))

    def __repr__(self) -> str:
        totals = self.analysis.totals
        counted = f", {totals.params:,} params, {totals.macs:,} MACs" if totals is not None else ", with errors"
        return f"<Spec {heading(self.graph)}: {signature(self.graph)}{counted}>"

    def _repr_html_(self) -> str:
        return self.draw()._repr_html_()

    def _repr_svg_(self) -> str:
        return self.draw()._repr_svg_()


class Table:
    """A network's layers with their numbers: text in a terminal, a table in a notebook."""

    def __init__(self, network: Measured, diagnostics: tuple[Diagnostic, ...]) -> None:
        self._network = network
        self._diagnostics = diagnostics

    def __repr__(self) -> str:
        from cnndsl.diagnostics.render import render_all
        from cnndsl.report import as_table

        return "\n".join(filter(None, (as_table.render([self._network]), render_all(self._diagnostics)))).rstrip()

    def _repr_markdown_(self) -> str:
        from cnndsl.report import as_markdown

        return "".join(as_markdown.render([self._network], self._diagnostics))


class Drawing:
    """A drawing that shows itself in a notebook, and can be saved. scene: what is drawn, as plain data."""

    def __init__(self, scene: Scene, told: str = "") -> None:
        self.scene = scene
        self._errors = told

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it into a file, whose ending says the format. Raises ValueError for an ending that says none,
        ImportError where a format needs a package that is missing, and OSError."""
        from cnndsl.draw.formats import FORMATS, Paper, of_file, renderer
        from cnndsl.files import write_whole

        name = of_file(os.fspath(path))
        if name is None or FORMATS[name].explores:
            known = ", ".join(row.endings[0] for row in FORMATS.values() if not row.explores)
            raise ValueError(f"the ending of {os.fspath(path)!r} says no format: there are {known}")
        content = renderer(name)(self.scene, Paper(background=FORMATS[name].background))
        write_whole(os.fspath(path), content if isinstance(content, bytes) else content.encode("utf-8"))

    def __repr__(self) -> str:
        return f"<Drawing of {self.scene.title}: {self.scene.width:.0f} x {self.scene.height:.0f} pt>"

    def _repr_svg_(self) -> str:
        from cnndsl.draw.formats import Paper, svg

        return svg.render(self.scene, Paper())

    def _repr_html_(self) -> str:
        from cnndsl.draw.formats import NOTEBOOKS, Paper, svg

        drawn = svg.render(self.scene, Paper(hosts=NOTEBOOKS))
        errors = f"<pre>{escape(self._errors)}</pre>" if self._errors else ""
        return f'<div style="max-width: 100%; overflow: auto">{drawn}</div>{errors}'


class Page:
    """A page to explore a network, which shows itself in a notebook. text: the whole page."""

    def __init__(self, text: str, height: int) -> None:
        self.text = text
        self.height = height

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it into a file. Raises OSError."""
        from cnndsl.files import write_whole

        write_whole(os.fspath(path), self.text.encode("utf-8", "backslashreplace"))

    def __repr__(self) -> str:
        return f"<Page of {len(self.text):,} characters>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.text)}" sandbox="allow-scripts" title="Network" '
            f'style="width: 100%; height: {int(self.height)}px; box-sizing: border-box; border: 1px solid #8886">'
            "</iframe>"
        )
