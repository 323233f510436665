"""From the outline of a network to what a page shows."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic
from cnndsl.diagnostics.render import render, unread
from cnndsl.draw.facts import cost, facts, said
from cnndsl.draw.fold import every, folded
from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.draw.outline import Link as Tensor
from cnndsl.draw.page.model import PORT, File, Inside, Link, Model, Note, Piece, Place, Spec, Step
from cnndsl.draw.page.ranks import Ranked, directed, ranked
from cnndsl.draw.wanted import COLORS, SHOWN, Wanted
from cnndsl.graph import Edge
from cnndsl.source import Source, Span
from cnndsl.terminal import visible

NOTED = 100
"""Problems that a page tells."""
_UNNAMED = ("output",)
"""The result of a network that names none: it needs no mark."""
_KEPT = "\n\r\t\xa0"
_MARK = "\ufffd"


def explored(
    network: Item,
    spec: Spec,
    wanted: Wanted = Wanted(),  # noqa: B008
    depth: int | None = None,
    unfold: tuple[str, ...] = (),
    fold: tuple[str, ...] = (),
) -> Model:
    """What a page shows of a network. depth, unfold, fold: what of it is open first, as in `folded`. Raises
    NoSuchItem."""
    shown = folded(network, depth, unfold, fold)
    build = _Build(spec.source, network, {item.id for item in every(shown) if item.children})
    piece = build.piece(network)
    described = ", ".join(f"{name} {value}" for name, value in facts(network, network)[1:])
    return build.model(wanted.title or network.title, described, piece, spec, wanted)


def unexplored(spec: Spec, wanted: Wanted = Wanted()) -> Model:  # noqa: B008
    """What a page shows where nothing of a network is known: what is wrong."""
    return _Build(spec.source, None, set()).model(wanted.title or spec.source.name, "", None, spec, wanted)


class _Build:
    def __init__(self, source: Source, whole: Item | None, opened: set[str]) -> None:
        self.files = [source]
        self.whole = whole
        self.open = opened

    def model(self, title: str, description: str, network: Piece | None, spec: Spec, wanted: Wanted) -> Model:
        notes = tuple(self.note(d) for d in spec.diagnostics[:NOTED])
        files = tuple(File(visible(one.name), _shown(one.text)) for one in self.files)
        return Model(
            visible(title), visible(description), network, files, notes, wanted.direction, wanted.color, wanted.show
        )

    # --- places -------------------------------------------------------------------------------------------------

    def place(self, span: Span | None) -> Place | None:
        if span is None:
            return None
        if span.source not in self.files:
            self.files.append(span.source)
        return Place(
            self.files.index(span.source), *_position(span.source, span.start), *_position(span.source, span.end)
        )

    def note(self, diagnostic: Diagnostic) -> Note:
        place = None if unread(diagnostic) else self.place(diagnostic.span)
        message = visible(diagnostic.message_text())
        return Note(diagnostic.severity, diagnostic.code, message, render(diagnostic), place)

    # --- pieces -------------------------------------------------------------------------------------------------

    def piece(self, item: Item) -> Piece:
        assert self.whole is not None
        return Piece(
            item.id,
            item.kind,
            visible(item.title),
            item.role,
            item.dress,
            item.count,
            tuple((what, text) for what in SHOWN if (text := said(item, what))),
            tuple((what, value) for what in COLORS[1:] if (value := cost(item, what)) is not None),
            facts(item, self.whole),
            self.place(item.span),
            None if item.fault is None else visible(item.fault),
            () if self.whole.outputs == _UNNAMED else item.outputs,
            item.auxiliary,
            item.change.what,
            item is self.whole or item.id in self.open,
            self.inside(item) if item.children else None,
        )

    def inside(self, item: Item) -> Inside:
        """What an item holds, in layers: its children, then the tensors that come in, then those that go out."""
        count = len(item.children)
        entries, exits = _entries(item), _exits(item)
        place = {edge: count + number for number, edge in enumerate(entries)}
        end = {edge: count + len(entries) + number for number, edge in enumerate(exits)}
        tensors = [link for link in item.links if link.source != OUTSIDE or link.target != OUTSIDE]
        ends = [
            (
                place[link.edge] if link.source == OUTSIDE else link.source,
                end[link.edge] if link.target == OUTSIDE else link.target,
                link.edge,
            )
            for link in tensors
        ]
        layers = ranked(count, ends, len(entries), len(exits))
        steps, ways = _steps(item, tensors, layers)
        links = tuple(_link(steps, way, tensor) for tensor, way in zip(tensors, ways, strict=True))
        pieces = tuple(map(self.piece, item.children))
        return Inside(pieces, layers.ranks, steps, links, layers.lanes, len(entries), len(exits))


def _steps(item: Item, tensors: list[Tensor], layers: Ranked) -> tuple[tuple[Step, ...], list[tuple[int, ...]]]:
    """The steps of all tensors from rank to rank, those that they share once, and each tensor's as their numbers."""
    numbers: dict[Step, int] = {}
    ways = []
    for link, path in zip(tensors, layers.paths, strict=True):
        leaves = PORT if link.source == OUTSIDE else _port(_exits(item.children[link.source]), link.edge)
        enters = PORT if link.target == OUTSIDE else _port(_entries(item.children[link.target]), link.edge)
        last = len(path) - 2
        found = [
            Step(path[n], path[n + 1], leaves if n == 0 else PORT, enters if n == last else PORT)
            for n in range(last + 1)
        ]
        ways.append(tuple(numbers.setdefault(step, len(numbers)) for step in found))
    return directed(tuple(numbers), layers), ways


def _link(steps: tuple[Step, ...], way: tuple[int, ...], tensor: Tensor) -> Link:
    first, last = steps[way[0]], steps[way[-1]]
    return Link(first.source, last.target, way, first.leaves, last.enters, tensor.change)


def _entries(item: Item) -> list[Edge]:
    """The tensors that come into an item."""
    return list(dict.fromkeys(link.edge for link in item.links if link.source == OUTSIDE))


def _exits(item: Item) -> list[Edge]:
    """The tensors that go out of an item."""
    return list(dict.fromkeys(link.edge for link in item.links if link.target == OUTSIDE))


def _port(ports: list[Edge], edge: Edge) -> int:
    """The number of the port of a tensor; of another's, if there is no choice."""
    if edge in ports:
        return ports.index(edge)
    return 0 if len(ports) == 1 else PORT


def _shown(text: str) -> str:
    """A spec's text with a mark in the place of each letter that can't be seen, or would turn others around."""
    hidden = [letter for letter in set(text) if not letter.isprintable() and letter not in _KEPT]
    return text.translate({ord(letter): _MARK * (1 + (letter > "\uffff")) for letter in hidden})


def _position(source: Source, offset: int) -> tuple[int, int]:
    """Line and column from 0, the column in UTF-16 units."""
    line, column = source.position(offset)
    before = source.text[offset - column + 1 : offset]
    return line - 1, len(before) + sum(letter > "\uffff" for letter in before)
