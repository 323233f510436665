"""Deep networks as boxes in perspective: stages together, merges as circles, skips in lanes, blocks folded."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.draw import text as letters
from cnndsl.draw.facts import Colors, facts
from cnndsl.draw.geometry import area_of, moved, moved_area, moved_arrow, moved_thing, united
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Point, Scene, Text, Thing
from cnndsl.draw.styles import paper
from cnndsl.draw.styles.boxes import scales
from cnndsl.draw.styles.insets import APART, Panel, panels, shelved
from cnndsl.draw.styles.labels import BARE
from cnndsl.draw.styles.plan import Plan, plan
from cnndsl.draw.styles.stations import PACKED, Maker, Station, flow_links, labels_height, node_of
from cnndsl.draw.styles.tracks import Pair, Path, Tracks, paths, tracks
from cnndsl.draw.wanted import Wanted

SIZE_PAD = 3.0


def scene(network: Item, wanted: Wanted) -> Scene:
    """The figure of a network."""
    planned = plan(network)
    colors = Colors(network._replace(children=planned.flow.items), wanted.color)
    main = _Figure(planned, network, colors, wanted, wanted.size, 1.0, BARE).panel()
    insets = panels(planned, network, colors, wanted.size) if wanted.labels else []
    below = shelved(insets, max(main.width, 300.0))
    things, arrows = list(main.things), list(main.arrows)
    if insets:
        dx, dy = (main.width - below.width) / 2, main.height + 1.5 * APART
        things += [moved_thing(thing, dx, dy) for thing in below.things]
        arrows += [moved_arrow(arrow, dx, dy) for arrow in below.arrows]
    return paper.picture(network, wanted, things, arrows)


class _Figure:
    """The network itself, in one line of boxes."""

    def __init__(
        self, planned: Plan, network: Item, colors: Colors, wanted: Wanted, size: float, factor: float, words: int
    ) -> None:
        self.plan = planned
        self.network = network
        self.colors = colors
        self.wanted = wanted
        self.size = size
        self.leading = letters.LEADING * size
        items = planned.flow.items
        known = scales((item.shape for item in items if item.shape is not None), factor)
        maker = Maker(planned, known, colors, wanted, size, words)
        links = flow_links(planned.flow)
        item_paths = paths(len(items), links, _final(items, links))
        made = [maker.stations(path, links) for path in item_paths]
        self.stations = sorted((s for path in made for s in path), key=lambda s: s.items)
        self.place = {number: i for i, station in enumerate(self.stations) for number in station.items}
        self.links = sorted({(self.place[a], self.place[b]) for a, b in links if self.place[a] != self.place[b]})
        self.paths = [self._station_path(path, part) for path, part in zip(item_paths, made, strict=True)]
        self.lanes = _has_lanes(self.paths, self.links)
        self.groups = [group for path in self.paths for group in self._groups(path)]

    def _station_path(self, path: Path, made: list[Station]) -> Path:
        numbers = tuple(self.place[station.items[0]] for station in made)
        entry = self.place[path.entry] if path.entry is not None else None
        return Path(numbers, entry, self.place[path.exit] if path.exit is not None else None)

    def _groups(self, path: Path) -> list[list[int]]:
        """The stations of one stage: those of one size that stand together, merges between them included."""
        groups: list[list[int]] = []
        for number in path.nodes:
            station = self.stations[number]
            fresh = not groups or self.stations[groups[-1][0]].size != station.size or self._is_crossed(number)
            if station.merges:
                continue
            if not station.size:
                groups.append([])
            elif fresh or not groups[-1]:
                groups.append([number])
            else:
                groups[-1].append(number)
            groups = [g for g in groups[:-1] if g] + groups[-1:]
            if not groups[-1]:
                groups[-1] = [number]
        return [group for group in groups if self.stations[group[0]].size]

    def _is_crossed(self, number: int) -> bool:
        """Whether a line may cross labels before a station."""
        return False

    # --- layout -----------------------------------------------------------------------------------------------------

    def _tracks(self) -> Tracks:
        over = self.leading + SIZE_PAD if self.groups and not self.lanes else 0.0
        nodes = []
        for path in self.paths:
            row = [self.stations[n] for n in path.nodes]
            under = labels_height(row, self.size) + (self.leading if self.groups and self.lanes else 0.0)
            for before, number in zip((None, *path.nodes), path.nodes, strict=False):
                one = self.stations[before] if before is not None else None
                nodes.append((number, node_of(self.stations[number], one, over, under, self.size)))
        made = [node for _, node in sorted(nodes, key=lambda pair: pair[0])]
        for group in self.groups:
            wide = letters.width(self.stations[group[0]].size, self.size) + 4.0
            lacking = (wide - sum(made[n].before + made[n].after for n in group)) / 2
            if lacking > 0:
                first, last = group[0], group[-1]
                made[first] = made[first]._replace(before=made[first].before + lacking)
                made[last] = made[last]._replace(after=made[last].after + lacking)
        self.nodes = made
        return tracks(made, self.links, self.paths)

    def panel(self) -> Panel:
        laid = self._tracks()
        things = self._things(laid)
        arrows = self._arrows(laid)
        marks = [mark for thing in things for mark in thing.marks]
        area = united([area_of(m) for m in marks] + [area_of(a.line) for a in arrows])
        return Panel(
            area.width,
            area.height,
            tuple(moved_thing(thing, -area.x, -area.y) for thing in things),
            tuple(moved_arrow(arrow, -area.x, -area.y) for arrow in arrows),
        )

    # --- drawing ----------------------------------------------------------------------------------------------------

    def _things(self, laid: Tracks) -> list[Thing]:
        labels: dict[int, list[Mark]] = {n: [] for n in range(len(self.stations))}
        for row, axis in laid.axes.items():
            members = [n for n in range(len(self.stations)) if laid.rows[n] == row]
            if members:
                self._label_row(members, laid, axis, labels)
        things: list[Thing] = []
        for number, station in enumerate(self.stations):
            x, y = laid.places[number]
            for piece in station.pieces:
                own = labels[number] if piece is station.pieces[0] else []
                marks = (*(moved(mark, x, y) for mark in piece.marks), *own)
                things.append(self._thing(station, piece.id, piece.item, moved_area(piece.area, x, y), marks))
        return things

    def _thing(self, station: Station, name: str, item: Item, area: Area, marks: tuple[Mark, ...]) -> Thing:
        return Thing(
            name,
            item.kind,
            area,
            marks,
            station.operation,
            facts(item, self.network),
            self.colors.role(item),
            count=item.count,
            span=item.span,
            fault=item.fault,
        )

    def _label_row(self, members: Sequence[int], laid: Tracks, axis: float, labels: dict[int, list[Mark]]) -> None:
        """Write the labels of the stations of a row, each sort of them on a line of its own."""
        stations = [self.stations[n] for n in members]
        y = axis + max(s.body.bottom for s in stations) + 3.0
        if any(s.channels for s in stations):
            for n in members:
                for x, said in self.stations[n].channels:
                    labels[n].append(self._text(laid.places[n][0] + x, y, said))
            y += self.leading
        if any(s.times > 1 for s in stations):
            for n in members:
                if self.stations[n].times > 1:
                    labels[n] += self._bracket(n, laid, y)
            y += self.leading + 3.0
        groups = [group for group in self.groups if group[0] in members]
        if self.lanes and groups:
            self._sizes(groups, laid, y, labels)
            y += self.leading
        elif groups:
            top = axis + min(s.body.y for s in stations) - SIZE_PAD - self.leading
            self._sizes(groups, laid, top, labels)
        for n in members:
            for i, line in enumerate(self.stations[n].operation):
                labels[n].append(self._text(laid.places[n][0], y + i * self.leading, line))

    def _sizes(self, groups: Sequence[list[int]], laid: Tracks, y: float, labels: dict[int, list[Mark]]) -> None:
        for group in groups:
            first, last = group[0], group[-1]
            left = laid.places[first][0] - self.nodes[first].before
            right = laid.places[last][0] + self.nodes[last].after
            body = (
                laid.places[first][0] + self.stations[first].body.x,
                laid.places[last][0] + self.stations[last].body.right,
            )
            half = letters.width(self.stations[first].size, self.size) / 2
            middle = min(max((body[0] + body[1]) / 2, left + half), right - half)
            labels[first].append(self._text(middle, y, self.stations[first].size))

    def _bracket(self, number: int, laid: Tracks, y: float) -> list[Mark]:
        """A bracket under a station, and how often what stands there is repeated."""
        station = self.stations[number]
        x = laid.places[number][0]
        left, right = x + station.body.x, x + station.body.right
        line = Line(((left, y + 0.5), (left, y + 3.0), (right, y + 3.0), (right, y + 0.5)), "text", 0.6)
        return [line, Text(x, y + 3.5 + letters.ASCENT * self.size, f"×{station.times}", self.size, bold=True)]

    def _text(self, x: float, y: float, said: str) -> Text:
        """A line of text whose upper end is at y."""
        return Text(x, y + letters.ASCENT * self.size, said, self.size)

    def _arrows(self, laid: Tracks) -> list[Arrow]:
        arrows: list[Arrow] = []
        for number, station in enumerate(self.stations):
            x, y = laid.places[number]
            for one, other in zip(station.pieces, station.pieces[1:], strict=False):
                line = Line(((x + other.area.x - PACKED, y), (x + other.area.x, y)), "arrow", 0.7)
                arrows.append(Arrow(one.id, other.id, line))
        for a, b in self.links:
            line = self._line(laid.lines[a, b], (a, b) in laid.lanes)
            source, target = self.stations[a].pieces[-1].id, self.stations[b].pieces[0].id
            arrows.append(Arrow(source, target, line, (a, b) in laid.lanes))
        return arrows

    def _line(self, points: tuple[Point, ...], skip: bool) -> Line:
        return Line(points, "skip" if skip else "arrow", 0.8, radius=5.0, head=True)


def _final(items: Sequence[Item], links: Sequence[Pair]) -> int:
    """The output that the most layers lead to; the first of several."""
    length = [1] * len(items)
    for a, b in links:
        length[b] = max(length[b], length[a] + 1)
    outputs = [n for n, item in enumerate(items) if item.outputs and not item.auxiliary]
    return max(outputs or [len(items) - 1], key=lambda n: (length[n], -n))


def _has_lanes(parts: Sequence[Path], links: Sequence[Pair]) -> bool:
    """Whether links pass by stations of their own path."""
    row = {n: i for i, path in enumerate(parts) for n in path.nodes}
    along = {pair for path in parts for pair in zip(path.nodes, path.nodes[1:], strict=False)}
    return any(row[a] == row[b] and (a, b) not in along for a, b in links)
