"""`cnndsl draw --watch`: the page of a network in a browser, drawn again at each save of its spec."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRINUSE
from typing import Any

import click

from cnndsl.cli.output import exit_code, show
from cnndsl.cli.serve import Server, Site
from cnndsl.cli.watch import Round, watch
from cnndsl.diagnostics import Diagnostic
from cnndsl.draw.faults import faults
from cnndsl.draw.fold import NoSuchItem
from cnndsl.draw.formats import Paper, html
from cnndsl.draw.page.build import explored, unexplored
from cnndsl.draw.page.model import Model, Spec
from cnndsl.draw.picture import WHOLE, Subject, View, outlined
from cnndsl.draw.wanted import Wanted
from cnndsl.pipeline import Checked, CheckedNetwork, Options, check
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.terminal import visible, write
from cnndsl.zoo import Place, read

PORT = 8732
"""Where the page is served unless something else is asked for: a page that is still open finds the next run there."""
MOST_REMEMBERED = 20_000
"""Parsed lines that are remembered from one save to the next."""
_SYNTAX = "E1"
"""What the codes of errors begin with that leave a line unread: a picture would lack more than is wrong."""


class Watched(Record):
    """What is watched, and what of it is drawn first."""

    place: Place
    options: Options
    wanted: Wanted = Wanted()
    paper: Paper = Paper()
    view: View = WHOLE


def serve(watched: Watched, port: int | None, *, open_browser: bool) -> int:
    """Serve the page until Ctrl-C or SIGTERM. Returns the exit code of the last drawing.

    port: None for the usual one, or a free one if that is taken. Raises click.UsageError if the port is taken.
    """
    site = Site()
    server = _server(site, port)
    live = _Live(watched, site, server.address)
    live.choose()
    with _terminated_as_interrupted():
        server.start()
        try:
            if open_browser:
                _open(server.address)
            return watch(live.draw, [watched.place.path], "auto", did="drawn")
        finally:
            server.stop()


def _server(site: Site, port: int | None) -> Server:
    try:
        return Server(site, PORT if port is None else port)
    except OSError as error:
        if port is None:
            return Server(site, 0)
        reason = (
            "is in use" if error.errno == EADDRINUSE else f"can't be used ({(error.strerror or str(error)).lower()})"
        )
        raise click.UsageError(f"Port {port} {reason}: name another, or leave --port out.") from None


def _open(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        write(sys.stderr, f"No browser could be opened: go to {address}\n")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends what runs as Ctrl-C does."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Live:
    """One spec, from save to save."""

    def __init__(self, watched: Watched, site: Site, address: str) -> None:
        self.watched = watched
        self.site = site
        self.address = address
        self.memory: dict[str, Any] = {}
        self.chosen = watched.place.network
        self.last: Model | None = None
        self.told = False

    def choose(self) -> None:
        """Find out which network of the file is meant. Raises click.UsageError if that is not clear, or if it lacks
        what is to be unfolded."""
        source = read(self.watched.place)
        if isinstance(source, Diagnostic):
            return
        networks = _drawable(self._check(source))
        if len(networks) > 1:
            names = ", ".join(visible(one.graph.name) for one in networks[:8]) + ", …" * (len(networks) > 8)
            where = visible(f"{source.name}:{networks[0].graph.name}")
            raise click.UsageError(f"There are {len(networks)} networks ({names}): draw one, as in {where}.")
        if networks:
            self.chosen = networks[0].graph.name
            self._model(networks[0], Spec(source))

    def draw(self) -> Round:
        """Draw the spec as it is now; what takes longer, finding fixes, is left for when the picture is shown."""
        if len(self.memory) > MOST_REMEMBERED:
            self.memory.clear()
        source = read(self.watched.place)
        if isinstance(source, Diagnostic):
            spec = Spec(Source(source.span.source.name, ""), (source,))
            self._show(spec, None)
            return self._round(spec, None, ())
        checked = self._check(source)
        spec = Spec(source, checked.diagnostics)
        self._show(spec, checked)
        return self._round(spec, checked, tuple(checked.library.sources))

    def _check(self, source: Source) -> Checked:
        return check(source, self.watched.options._replace(network=self.watched.place.network), self.memory)

    def _round(self, spec: Spec, checked: Checked | None, used: tuple[str, ...]) -> Round:
        files = dict.fromkeys([self.watched.place.path, *used])
        code = exit_code(spec.diagnostics)
        folders = dict.fromkeys(os.path.dirname(path) or "." for path in files) if code else ()
        return Round(code, lambda: self._display(spec, checked), tuple(files), tuple(folders))

    def _display(self, spec: Spec, checked: Checked | None) -> int:
        if checked is not None and not checked.ok:
            from cnndsl.repair import repair

            options = self.watched.options._replace(network=self.watched.place.network)
            repaired = repair(checked, options, self.memory)
            if repaired.diagnostics != spec.diagnostics:
                spec = spec._replace(diagnostics=repaired.diagnostics)
                self._show(spec, checked)
        if sys.stdout is not None and (sys.stdout.isatty() or not self.told):
            write(sys.stdout, f"{self.address}\n")
            sys.stdout.flush()
            self.told = True
        show(spec.diagnostics, "auto", below=True)
        return exit_code(spec.diagnostics)

    def _show(self, spec: Spec, checked: Checked | None) -> None:
        model = self._made(spec, checked)
        self.site.show(lambda version: html.page(model, self.watched.paper, version=version), html.data(model))

    def _made(self, spec: Spec, checked: Checked | None) -> Model:
        """The page's model: with the last network that could be read, where this one can't."""
        networks = [] if checked is None else _drawable(checked)
        unread = checked is None or any(d.code.startswith(_SYNTAX) for d in spec.diagnostics)
        if not networks or (unread and self.last is not None):
            model = unexplored(spec, self.watched.wanted)
            return (
                model
                if self.last is None
                else model._replace(network=self.last.network, title=self.last.title, stale=True)
            )
        network = next((one for one in networks if one.graph.name == self.chosen), networks[0])
        self.chosen = network.graph.name
        model = self._lenient(network, spec)
        self.last = model if not unread else None
        return model

    def _lenient(self, network: CheckedNetwork, spec: Spec) -> Model:
        """The model; of the whole network, opened as usual, if it has no longer what was to be opened."""
        try:
            return self._model(network, spec)
        except NoSuchItem:
            return explored(outlined(_subject(network, spec)), spec, self.watched.wanted, self.watched.view.depth)

    def _model(self, network: CheckedNetwork, spec: Spec) -> Model:
        view = self.watched.view
        item = outlined(_subject(network, spec), view.only)
        return explored(item, spec, self.watched.wanted, view.depth, view.unfold, view.fold)


def _subject(network: CheckedNetwork, spec: Spec) -> Subject:
    return Subject(network.graph, network.analysis, faults(network.graph, spec.diagnostics))


def _drawable(checked: Checked) -> list[CheckedNetwork]:
    return [one for one in checked.networks if len(one.graph.nodes) > 1]
