"""A figure of volumes in one line from left to right, or in several where the page is too narrow for that."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum

from cnndsl.draw import text as letters
from cnndsl.draw.geometry import moved
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Point, Rect, Text, Thing
from cnndsl.draw.styles.figure import RADIUS, Figure, bounded
from cnndsl.draw.styles.insets import Panel
from cnndsl.draw.styles.stations import Station, labels_height, node_of
from cnndsl.draw.styles.tracks import Node, Pair, Path, Tracks, tracks
from cnndsl.record import Record

SIZE_PAD = 3.0
BELOW_PAD = 2.0
RULE_PAD = 2.0
"""From a line over a size to the size."""
SYSTEMS_APART = 12.0
RETURN = 9.0
"""How far the line from one row to the next goes out to the sides."""
CONNECTOR = 5.5
"""The radius of the circle in which a line ends that goes on in another row."""
SHORTER = (1.0, 0.93, 0.86, 0.8, 0.7)
"""Shares of the room that rows are tried to fill."""
TOO_WIDE = 20.0
"""What it costs to be wider than the page, in rows."""
CROSSING = 0.4
"""What a line costs that goes on in another row, in rows."""
RAGGED = 0.15
"""What it costs to part stations that stand above each other, in rows."""


class Cut(Record):
    """A link that goes on in another row. link: of stations; name: what both its ends are marked with."""

    link: Pair
    name: str


class Lines:
    """A figure in rows. cost: what it costs, in rows: those it has, lines that are cut, and what does not fit."""

    def __init__(self, figure: Figure, systems: Sequence[_System], cuts: Sequence[Cut], over: float) -> None:
        self.figure = figure
        self.systems = systems
        self.cost = len(systems) + CROSSING * len(cuts) + (TOO_WIDE + 10 * over if over else 0.0)

    def panel(self) -> Panel:
        return _stacked(self.figure, self.systems)


def in_lines(figure: Figure, room: float | None) -> Lines:
    """The figure, in as many rows as fit into `room` points."""
    whole = _System(figure, list(range(len(figure.stations))), [])
    if room is None or whole.width <= room:
        return Lines(figure, [whole], [], 0.0)
    return _wrapped(figure, whole, room)


# --- where rows end -------------------------------------------------------------------------------------------------


def _wrapped(figure: Figure, whole: _System, room: float) -> Lines:
    """The figure in several rows; shorter ones where the ends of lines that are cut need more room than was thought."""
    room -= 2 * RETURN
    spine = set(pairwise(figure.paths[0].nodes))
    made = []
    for share in SHORTER:
        chunks = _chunks(figure, whole, room * share, spine)
        cuts = _cuts(figure, chunks, spine)
        systems = [_System(figure, chunk, cuts) for chunk in chunks]
        over = fsum(max(0.0, system.width - room) for system in systems) / room
        made.append(Lines(figure, systems, cuts, over))
        if not over:
            break
    return min(made, key=lambda lines: lines.cost)


def _chunks(figure: Figure, whole: _System, room: float, spine: set[Pair]) -> list[list[int]]:
    """The stations of each row: cut where few lines cross, none wider than `room` if that can be."""
    order = sorted(whole.members, key=lambda n: (whole.place(n)[0], n))
    starts = [whole.place(n)[0] - whole.node(n).before for n in order]
    ends = [whole.place(n)[0] + whole.node(n).after for n in order]
    rank = {n: i for i, n in enumerate(order)}
    crossings = [0.0] * (len(order) + 1)
    for a, b in figure.links:
        if (a, b) not in spine:
            for cut in range(rank[a] + 1, rank[b] + 1):
                crossings[cut] += CROSSING
    for cut in range(1, len(order)):
        crossings[cut] += RAGGED if starts[cut] < max(ends[:cut]) else 0.0
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(order) + 1):
        choices = []
        left, right = starts[end - 1], ends[end - 1]
        for start in reversed(range(end)):
            left, right = min(left, starts[start]), max(right, ends[start])
            wide = right - left
            if wide > 2 * room and start < end - 1:
                break
            slack = ((room - wide) / room) ** 2 * 0.3 if wide <= room else (wide / room) * 10
            choices.append((best[start][0] + 1.0 + slack + crossings[start], start))
        best.append(min(choices))
    chunks: list[list[int]] = []
    end = len(order)
    while end:
        start = best[end][1]
        chunks.insert(0, sorted(order[start:end]))
        end = start
    return chunks


def _cuts(figure: Figure, chunks: Sequence[Sequence[int]], spine: set[Pair]) -> list[Cut]:
    """The links that end in one row and go on in another, but for the spine's; those of one tensor share a name."""
    row = {n: i for i, chunk in enumerate(chunks) for n in chunk}
    cut = [pair for pair in figure.links if row[pair[0]] != row[pair[1]] and pair not in spine]
    numbers = {a: number for number, a in enumerate(dict.fromkeys(a for a, _ in cut))}
    return [Cut(pair, _letter(numbers[pair[0]])) for pair in cut]


def _letter(number: int) -> str:
    """a to z, and aa, ab, … after them."""
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else "") + chr(ord("a") + last)


# --- one row --------------------------------------------------------------------------------------------------------


class _System:
    """Some of the stations in a line, and the ends of links that are cut. Nodes are the stations, in order, each with
    the ends of links that come to it before and those that leave it behind it."""

    def __init__(self, figure: Figure, members: list[int], cuts: Sequence[Cut]) -> None:
        self.figure = figure
        self.members = members
        own = set(members)
        comes = [(cut.link[1], -1, cut) for cut in cuts if cut.link[1] in own]
        leaves: list[tuple[int, int, Cut]] = []
        for cut in cuts:
            if cut.link[0] in own and not any(other[2].name == cut.name for other in leaves):
                leaves.append((cut.link[0], 1, cut))
        keyed = [*((n, 0, None) for n in members), *comes, *leaves]
        self.keys: list[tuple[int, int, Cut | None]] = sorted(keyed, key=lambda k: (k[0], k[1], k[2] or ((-1, -1), "")))
        self.index = {n: i for i, (n, what, _) in enumerate(self.keys) if what == 0}
        self.links = [(self.index[a], self.index[b]) for a, b in figure.links if a in own and b in own]
        for i, (n, what, _) in enumerate(self.keys):
            if what:
                self.links.append((i, self.index[n]) if what < 0 else (self.index[n], i))
        self.paths = self._paths(own)
        self.lanes = _has_lanes(self.paths, self.links)
        self.groups = [group for path in self.paths for group in self._groups(path)]
        self.laid = self._layout()

    def node(self, number: int) -> Node:
        return self.nodes[self.index[number]]

    def place(self, number: int) -> Point:
        return self.laid.places[self.index[number]]

    @property
    def width(self) -> float:
        ends = zip(self.laid.places, self.nodes, strict=True)
        return max(x + node.after for (x, _), node in ends)

    def _station(self, index: int) -> Station | None:
        number, what, _ = self.keys[index]
        return self.figure.stations[number] if what == 0 else None

    def _paths(self, own: set[int]) -> list[Path]:
        """The figure's paths as far as they are in this row, and the ends of links, each a path for itself."""
        found: list[Path] = []
        for path in self.figure.paths:
            nodes = tuple(self.index[n] for n in path.nodes if n in own)
            if nodes:
                first, last = path.nodes[0] in own, path.nodes[-1] in own
                entry = (
                    self.index[path.entry] if first and path.entry in self.index and path.entry is not None else None
                )
                leaves = self.index[path.exit] if last and path.exit in self.index and path.exit is not None else None
                found.append(Path(nodes, entry, leaves))
        for i, (n, what, _) in enumerate(self.keys):
            if what and not self._lengthened(found, i, self.index[n], what):
                found.append(Path((i,), None, self.index[n]) if what < 0 else Path((i,), self.index[n], None))
        return found

    def _lengthened(self, found: list[Path], end: int, at: int, what: int) -> bool:
        """Whether the end of a link at a station goes on straight with an arm that begins or ends there. what: -1 for
        a link that comes, 1 for one that leaves."""
        for number, arm in enumerate(found[1:], 1):
            if what < 0 and arm.nodes[0] == at and arm.entry is None:
                found[number] = arm._replace(nodes=(end, *arm.nodes))
                return True
            if what > 0 and arm.nodes[-1] == at and arm.exit is None:
                found[number] = arm._replace(nodes=(*arm.nodes, end))
                return True
        return False

    def _groups(self, path: Path) -> list[list[int]]:
        """The stations of one stage, by their indices: those of one size that stand together."""
        groups: list[list[int]] = []
        last = ""
        for index in path.nodes:
            station = self._station(index)
            if self.lanes and self._is_crossed(index):
                last = ""
            if station is None or station.merges:
                continue
            if station.size and station.size == last:
                groups[-1].append(index)
            elif station.size:
                groups.append([index])
            last = station.size
        return groups

    def _is_crossed(self, index: int) -> bool:
        """Whether a line to or from another row may come between a station and the one before it."""
        row = next(path.nodes for path in self.paths if index in path.nodes)
        before = row[row.index(index) - 1] if row[0] != index else index
        return any((b == index and a not in row) or (a == before and b not in row) for a, b in self.links)

    def _layout(self) -> Tracks:
        figure = self.figure
        over = figure.leading + SIZE_PAD if self.groups and not self.lanes else 0.0
        made: dict[int, Node] = {}
        for path in self.paths:
            row = [s for s in map(self._station, path.nodes) if s is not None]
            under = labels_height(row, figure.size) + (
                figure.leading + BELOW_PAD + RULE_PAD if self.groups and self.lanes else 0.0
            )
            before: Station | None = None
            for index in path.nodes:
                station = self._station(index)
                if station is None:
                    r = CONNECTOR
                    made[index] = Node(r, r, r, r, r, r, r, r)
                else:
                    made[index] = node_of(station, before, over, under, figure.size, figure.factor)
                before = station
        for group in self.groups:
            wide = letters.width(self._size(group), figure.size) + 4.0
            lacking = (wide - fsum(made[i].before + made[i].after for i in group)) / 2
            if lacking > 0:
                first, last = group[0], group[-1]
                made[first] = made[first]._replace(before=made[first].before + lacking)
                made[last] = made[last]._replace(after=made[last].after + lacking)
        self.nodes = [made[i] for i in range(len(self.keys))]
        return tracks(self.nodes, self.links, self.paths)

    def _size(self, group: Sequence[int]) -> str:
        station = self._station(group[0])
        return station.size if station is not None else ""

    # --- drawing ----------------------------------------------------------------------------------------------------

    def things(self) -> list[Thing]:
        figure = self.figure
        labels: dict[int, list[Mark]] = {i: [] for i in range(len(self.keys))}
        for row, axis in self.laid.axes.items():
            members = [i for i in range(len(self.keys)) if self.laid.rows[i] == row and self._station(i) is not None]
            if members:
                self._label(members, axis, labels)
        things: list[Thing] = []
        for i, (number, what, cut) in enumerate(self.keys):
            if cut is None:
                things += figure.things(number, self.laid.places[i], labels[i])
            else:
                things.append(_connector(figure, cut, self.laid.places[i], comes=what < 0))
        return things

    def _label(self, members: Sequence[int], axis: float, labels: dict[int, list[Mark]]) -> None:
        """Write the labels of the stations of a row, each sort of them on a line of its own."""
        figure = self.figure
        stations = {i: figure.stations[self.keys[i][0]] for i in members}
        xs = {i: self.laid.places[i][0] for i in members}
        number = {i: self.keys[i][0] for i in members}
        y = axis + max(s.body.bottom for s in stations.values()) + 3.0
        if any(s.channels for s in stations.values()):
            for i in members:
                labels[i] += figure.channels(number[i], xs[i], y)
            y += figure.leading
        if any(s.times > 1 for s in stations.values()):
            for i, station in stations.items():
                if station.times > 1:
                    labels[i] += figure.bracket(number[i], xs[i], y)
            y += figure.leading + 4.0
        groups = [group for group in self.groups if group[0] in xs]
        if self.lanes and groups:
            self._sizes(groups, y + BELOW_PAD + RULE_PAD, labels)
            y += figure.leading + BELOW_PAD + RULE_PAD
        elif groups:
            top = axis + min(s.body.y for s in stations.values()) - SIZE_PAD - figure.leading
            self._sizes(groups, top, labels)
        for i in members:
            labels[i] += figure.operation(number[i], xs[i], y)

    def _sizes(self, groups: Sequence[list[int]], y: float, labels: dict[int, list[Mark]]) -> None:
        """The size of the maps of each stage, over or under its middle."""
        for group in groups:
            first, last = group[0], group[-1]
            x, u = self.laid.places[first][0], self.laid.places[last][0]
            a, b = self.nodes[first], self.nodes[last]
            size = self._size(group)
            half = letters.width(size, self.figure.size) / 2
            middle = (x - a.body_before + u + b.body_after) / 2
            middle = min(max(middle, x - a.before + half), u + b.after - half)
            labels[first].append(self.figure.text(middle, y, size))
            if len(group) > 1:
                # A line says how far the size holds.
                under = y + self.figure.leading + 0.5 if not self.lanes else y - RULE_PAD
                ends = ((x - a.body_before, under), (u + b.body_after, under))
                labels[first].append(Line(ends, "muted", 0.5))

    def arrows(self) -> list[Arrow]:
        figure = self.figure
        found: list[Arrow] = []
        for n in self.members:
            found += figure.inner_arrows(n, self.place(n))
        own = set(self.members)
        for a, b in figure.links:
            if a in own and b in own:
                pair = (self.index[a], self.index[b])
                found.append(figure.arrow((a, b), self.laid.lines[pair], skip=pair in self.laid.lanes))
        for i, (number, what, cut) in enumerate(self.keys):
            if cut is not None:
                pair = (i, self.index[number]) if what < 0 else (self.index[number], i)
                line = Line(self.laid.lines[pair], "skip", 0.8, radius=RADIUS, head=True)
                piece = figure.stations[number].pieces
                name = _connector_name(cut, comes=what < 0)
                ends = (name, piece[0].id) if what < 0 else (piece[-1].id, name)
                found.append(Arrow(*ends, line, True))
        return found


def _connector_name(cut: Cut, *, comes: bool) -> str:
    return f"{cut.name} → {cut.link[1]}" if comes else f"{cut.link[0]} → {cut.name}"


def _connector(figure: Figure, cut: Cut, at: Point, *, comes: bool) -> Thing:
    """The circled letter in which a line ends, or begins again."""
    x, y = at
    area = Area(x - CONNECTOR, y - CONNECTOR, 2 * CONNECTOR, 2 * CONNECTOR)
    marks: tuple[Mark, ...] = (
        Rect(area, "page", "skip", 0.7, radius=CONNECTOR),
        Text(x, y + 0.34 * figure.size, cut.name, figure.size),
    )
    return Thing(_connector_name(cut, comes=comes), "connector", area, marks, (cut.name,), role="input")


# --- several rows ---------------------------------------------------------------------------------------------------


def _stacked(figure: Figure, systems: Sequence[_System]) -> Panel:
    """Rows one under the other, with the spine's line from the end of each to the start of the next."""
    things: list[Thing] = []
    arrows: list[Arrow] = []
    top = 0.0
    ends: list[tuple[Panel, float]] = []
    for number, system in enumerate(systems):
        panel = bounded(system.things(), system.arrows())
        dx = RETURN if number else 0.0
        ends.append((panel, top))
        things += [
            thing._replace(area=_shift(thing.area, dx, top), marks=tuple(moved(m, dx, top) for m in thing.marks))
            for thing in panel.things
        ]
        arrows += [_shifted(arrow, dx, top) for arrow in panel.arrows]
        top += panel.height + SYSTEMS_APART
    places = {thing.id: thing.area for thing in things}
    spine = figure.paths[0].nodes
    for number, (one, other) in enumerate(pairwise(systems)):
        for a, b in pairwise(spine):
            if a in one.index and b in other.index:
                pieces, more = figure.stations[a].pieces, figure.stations[b].pieces
                start, end = places[pieces[-1].id], places[more[0].id]
                right = max(start.right + RETURN / 2, (RETURN if number else 0.0) + ends[number][0].width + 4.0)
                between = ends[number + 1][1] - SYSTEMS_APART / 2
                points = (
                    (start.right, start.middle[1]),
                    (right, start.middle[1]),
                    (right, between),
                    (0.0, between),
                    (0.0, end.middle[1]),
                    (end.x, end.middle[1]),
                )
                arrows.append(figure.arrow((a, b), points))
    return bounded(things, arrows)


def _shift(area: Area, dx: float, dy: float) -> Area:
    return Area(area.x + dx, area.y + dy, area.width, area.height)


def _shifted(arrow: Arrow, dx: float, dy: float) -> Arrow:
    line = moved(arrow.line, dx, dy)
    assert isinstance(line, Line)
    return arrow._replace(line=line)


def _has_lanes(parts: Sequence[Path], links: Sequence[Pair]) -> bool:
    """Whether links pass by stations of their own path."""
    row = {n: i for i, path in enumerate(parts) for n in path.nodes}
    along = {pair for path in parts for pair in pairwise(path.nodes)}
    return any(row[a] == row[b] and (a, b) not in along for a, b in links)
