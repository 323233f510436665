"""What a figure of volumes is made of before anything has its place: stations, links between them, their labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cnndsl.draw import text as letters
from cnndsl.draw.facts import Colors, facts
from cnndsl.draw.geometry import HEAD, area_of, moved, moved_area, moved_arrow, moved_thing, united
from cnndsl.draw.outline import Item, Link
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Point, Text, Thing
from cnndsl.draw.styles.boxes import scales
from cnndsl.draw.styles.insets import Panel
from cnndsl.draw.styles.plan import Plan
from cnndsl.draw.styles.stations import PACKED, Maker, Piece, Station
from cnndsl.draw.styles.tracks import Pair, Path, paths
from cnndsl.draw.wanted import Wanted
from cnndsl.graph import INPUT

RADIUS = 5.0
"""Of the corners of lines."""


class Figure:
    """A network's stations at one scale, with one size of text and as many words of operations.

    stations: in the order of the flow. links: between stations, by their numbers. paths: of stations, the spine first.
    """

    def __init__(
        self, planned: Plan, network: Item, colors: Colors, wanted: Wanted, size: float, factor: float, words: int
    ) -> None:
        self.network = network
        self.colors = colors
        self.wanted = wanted
        self.size = size
        self.factor = factor
        self.words = words
        self.leading = letters.LEADING * size
        items = planned.flow.items
        shapes = [item.shape for item in items if item.shape is not None]
        hidden = [i.shape for i in items if i.shape is not None and i.kind != INPUT and not i.outputs]
        known = scales(shapes, hidden, factor)
        maker = Maker(planned, known, colors, wanted, size, words)
        links = sorted({(link.source, link.target) for link in planned.flow.inner})
        item_paths = paths(len(items), links, _final(items, links))
        made = [maker.stations(path, links) for path in item_paths]
        self.stations = sorted((s for path in made for s in path), key=lambda s: s.items)
        place = {number: i for i, station in enumerate(self.stations) for number in station.items}
        self.links = sorted({(place[a], place[b]) for a, b in links if place[a] != place[b]})
        self.changes = _changes(planned.flow.inner, place)
        self.paths = [
            Path(
                tuple(place[station.items[0]] for station in part),
                place[path.entry] if path.entry is not None else None,
                place[path.exit] if path.exit is not None else None,
            )
            for path, part in zip(item_paths, made, strict=True)
        ]

    # --- things -----------------------------------------------------------------------------------------------------

    def things(self, number: int, at: Point, labels: Sequence[Mark]) -> list[Thing]:
        """A station's boxes at a place; the labels go with the first."""
        station = self.stations[number]
        return [
            self._thing(station, piece, at, labels if piece is station.pieces[0] else ()) for piece in station.pieces
        ]

    def _thing(self, station: Station, piece: Piece, at: Point, labels: Sequence[Mark]) -> Thing:
        item = piece.item
        return Thing(
            piece.id,
            item.kind,
            moved_area(piece.area, *at),
            (*(moved(mark, *at) for mark in piece.marks), *labels),
            station.operation,
            facts(item, self.network),
            self.colors.role(item),
            count=item.count,
            span=item.span,
            fault=item.fault,
        )

    def inner_arrows(self, number: int, at: Point) -> list[Arrow]:
        """Between the boxes of a station."""
        x, y = at
        found = []
        for one, other in pairwise(self.stations[number].pieces):
            start, end = min(other.area.x - PACKED, one.area.right), other.area.x
            line = Line(((x + start, y), (x + end, y)), "arrow", 0.7, head=end - start > 2 * HEAD)
            found.append(Arrow(one.id, other.id, line))
        return found

    def arrow(self, link: Pair, points: Sequence[Point], *, skip: bool = False) -> Arrow:
        """A tensor between two stations."""
        change = self.changes.get(link, "")
        role = change or ("skip" if skip else "arrow")
        dash = (2.0, 1.5) if change == "removed" else ()
        line = Line(tuple(points), role, 0.8, radius=RADIUS, head=True, dash=dash)
        source, target = self.stations[link[0]].pieces[-1].id, self.stations[link[1]].pieces[0].id
        return Arrow(source, target, line, skip)

    # --- labels -----------------------------------------------------------------------------------------------------

    def text(self, x: float, y: float, said: str, *, anchor: str = "middle", bold: bool = False) -> Text:
        """A line of text whose upper end is at y."""
        return Text(x, y + letters.ASCENT * self.size, said, self.size, anchor, bold=bold)

    def channels(self, number: int, x: float, y: float) -> list[Mark]:
        return [self.text(x + at, y, said) for at, said in self.stations[number].channels]

    def operation(self, number: int, x: float, y: float) -> list[Mark]:
        lines = self.stations[number].operation
        return [self.text(x, y + i * self.leading, line) for i, line in enumerate(lines)]

    def bracket(self, number: int, x: float, y: float, *, above: bool = False) -> list[Mark]:
        """A bracket beside a station, and how often what stands there is repeated; y: where its room begins."""
        station = self.stations[number]
        left, right = x + station.body.x, x + station.body.right
        near, far = (y + self.leading + 2.5, y + self.leading) if above else (y + 0.5, y + 2.5)
        line = Line(((left, near), (left, far), (right, far), (right, near)), "text", 0.6)
        return [line, self.text(x, y if above else y + 4.0, f"×{station.times}", bold=True)]


def bounded(things: Sequence[Thing], arrows: Sequence[Arrow]) -> Panel:
    """Things and arrows as a panel whose left upper corner is at the origin."""
    areas = [area_of(mark) for thing in things for mark in thing.marks] + [area_of(arrow.line) for arrow in arrows]
    area: Area = united(areas)
    return Panel(
        area.width,
        area.height,
        tuple(moved_thing(thing, -area.x, -area.y) for thing in things),
        tuple(moved_arrow(arrow, -area.x, -area.y) for arrow in arrows),
    )


def _changes(links: Sequence[Link], place: dict[int, int]) -> dict[Pair, str]:
    """What became of the links between stations, in a picture of two networks, where that is true of all of them."""
    found: dict[Pair, set[str]] = {}
    for link in links:
        found.setdefault((place[link.source], place[link.target]), set()).add(link.change)
    return {pair: changes.pop() for pair, changes in found.items() if len(changes) == 1}


def _final(items: Sequence[Item], links: Sequence[Pair]) -> int:
    """The output that the most layers lead to; the first of several."""
    length = [1] * len(items)
    for a, b in links:
        length[b] = max(length[b], length[a] + 1)
    outputs = [n for n, item in enumerate(items) if item.outputs and not item.auxiliary]
    return max(outputs or [len(items) - 1], key=lambda n: (length[n], -n))
