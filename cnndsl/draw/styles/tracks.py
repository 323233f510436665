"""Where boxes and the lines between them go: a main path straight through, arms in rows beside it, skips in lanes.

Coordinates run along the flow (x) and across it (y, rows further on are larger). Nothing here knows what is drawn: a
figure that flows downwards swaps the two.

The longest path is the spine, row 0. What is left falls into paths, longest first; each gets a row, the shorter the
nearer. Where a line goes across rows, what stands in them keeps away from it, so no line runs through a box. A link
that passes boxes of its own row by takes a lane on the smaller side of the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from cnndsl.draw.scene import Point
from cnndsl.record import Record

CHANNEL = 5.0
"""Beside a box, for lines across the rows."""
LANE = 7.0
ENTRY = 7.5
"""From a line across the rows to the box that it enters, so that its arrow has a straight end."""
ROWS_APART = 8.0
PAD = 3.0
"""Between what belongs to two neighbours."""
Pair = tuple[int, int]


class Node(Record):
    """A box, in lengths from the point that stands on its row's axis. body_before, body_after, rise, drop: its own
    bounds; before, after, over, under: with its labels. gap: the least distance from the body before it. merges:
    whether lines may reach it from the sides, too."""

    body_before: float
    body_after: float
    rise: float
    drop: float
    before: float
    after: float
    over: float
    under: float
    gap: float = 12.0
    merges: bool = False


class Tracks(Record):
    """Places: for each node, of its point; rows: of each node; axes: by row; lines: for each link its points, from one
    body's bounds to the other's; lanes: the links that take a lane or a row of their own."""

    places: tuple[Point, ...]
    rows: tuple[int, ...]
    axes: dict[int, float]
    lines: dict[Pair, tuple[Point, ...]]
    lanes: frozenset[Pair]


class Path(Record):
    """Nodes that stand in a row, each taking what the one before it gives; entry: the node before the first, exit: the
    one after the last, in other rows; None for none. Without nodes it is a line alone."""

    nodes: tuple[int, ...]
    entry: int | None
    exit: int | None


def tracks(
    nodes: Sequence[Node],
    links: Sequence[Pair],
    parts: Sequence[Path],
    *,
    both_sides: bool = False,
    apart: float = ROWS_APART,
) -> Tracks:
    """The layout of nodes that stand in the order of the flow: each link leads to a later node.

    parts: the nodes in paths, the spine first. both_sides: whether arms may stand on the smaller side of the spine,
    where they come before its nodes. apart: between two rows.
    """
    return _Layout(nodes, sorted(set(links)), parts, both_sides, apart).tracks()


def paths(count: int, links: Sequence[Pair], final: int) -> list[Path]:
    """The spine, and what is left in paths, the longest first."""
    free = set(range(count))
    spine = _longest(free, links, final)
    found = [Path(spine, None, None)]
    free -= set(spine)
    while free:
        best = _longest(free, links, None)
        free -= set(best)
        sources = [a for a, b in links if b == best[0]]
        targets = [b for a, b in links if a == best[-1]]
        found.append(Path(best, max(sources, default=None), min(targets, default=None)))
    return found


def _longest(free: set[int], links: Sequence[Pair], final: int | None) -> tuple[int, ...]:
    """The longest path among free nodes, that to `final` if it is given; the earliest of several."""
    before: dict[int, list[int]] = {node: [] for node in free}
    for a, b in links:
        if a in free and b in free:
            before[b].append(a)
    length: dict[int, int] = {}
    step: dict[int, int] = {}
    for node in sorted(free):
        best = max(before[node], key=lambda a: (length[a], -a), default=None)
        length[node] = 1 if best is None else length[best] + 1
        if best is not None:
            step[node] = best
    end = final if final is not None else max(sorted(free), key=lambda node: (length[node], -node))
    path = [end]
    while path[-1] in step:
        path.append(step[path[-1]])
    return tuple(reversed(path))


class _Layout:
    def __init__(
        self, nodes: Sequence[Node], links: list[Pair], parts: Sequence[Path], both_sides: bool, apart: float
    ) -> None:
        self.nodes = nodes
        self.links = links
        self.apart = apart
        self.paths = parts
        self.row: dict[int, int] = dict.fromkeys(self.paths[0].nodes, 0)
        self.taken: dict[int, list[tuple[float, float]]] = {}
        self.roles: dict[Pair, str] = {}
        self.wires: dict[Pair, int] = {}
        self.last = len(nodes)
        self._roles()
        self.both_sides = both_sides and not any(
            role == "other" and a in self.row and b in self.row for (a, b), role in self.roles.items()
        )
        self._rows()
        self.lane = self._lanes()
        self.x: list[float] = [0.0] * len(nodes)
        self.frontier: dict[int, float] = {}

    # --- rows -------------------------------------------------------------------------------------------------------

    def _roles(self) -> None:
        """What each link is: `along` a path, its `entry` or `exit`, or an `other`."""
        self.roles = dict.fromkeys(self.links, "other")
        for path in self.paths:
            for pair in pairwise(path.nodes):
                self.roles[pair] = "along"
        for path in self.paths[1:]:
            if path.entry is not None:
                self.roles[path.entry, path.nodes[0]] = "entry"
            if path.exit is not None:
                self.roles[path.nodes[-1], path.exit] = "exit"

    def _span(self, path: Path) -> tuple[float, float]:
        """From where to where a path needs its row, in numbers of nodes."""
        start = path.entry if path.entry is not None else (path.nodes[0] if path.nodes else 0) - 0.5
        end = path.exit if path.exit is not None else (path.nodes[-1] if path.nodes else self.last) + 0.5
        return float(start), float(end)

    def _rows(self) -> None:
        within = {path.nodes: self._within(path) for path in self.paths[1:]}
        for path in self._shortest_first(path for path in self.paths[1:] if within[path.nodes] is None):
            self._put(path, 0, within)
        for pair in self.links:
            if self.roles[pair] == "other":
                if self.row[pair[0]] == self.row[pair[1]]:
                    self.roles[pair] = "lane"
                else:
                    self.roles[pair] = "wire"
                    self.wires[pair] = self._free_row((float(pair[0]), float(pair[1])), 1)

    def _shortest_first(self, arms: Iterable[Path]) -> list[Path]:
        return sorted(arms, key=lambda p: (self._span(p)[1] - self._span(p)[0], p.nodes[0]))

    def _within(self, path: Path) -> Path | None:
        """The arm that a path leaves and comes back to; None where that is the spine, or there is none."""
        return next((p for p in self.paths[1:] if path.entry in p.nodes and path.exit in p.nodes), None)

    def _put(self, path: Path, beyond: int, within: dict[tuple[int, ...], Path | None]) -> None:
        """Give an arm a row beyond another, and its own arms the rows behind it, so that none crosses others."""
        row = self._free_row(self._span(path), self._side(path), beyond)
        self.row.update(dict.fromkeys(path.nodes, row))
        for arm in self._shortest_first(arm for arm in self.paths[1:] if within[arm.nodes] is path):
            self._put(arm, row, within)

    def _side(self, path: Path) -> int:
        """-1 for an arm that comes before the spine's own nodes, where both sides are used; else 1."""
        spine = self.paths[0].nodes
        if not self.both_sides or path.entry is None:
            return 1
        if path.entry not in spine:
            # Arms of an arm stay on its side.
            return self._side(next(other for other in self.paths if path.entry in other.nodes))
        after = spine.index(path.entry) + 1
        return -1 if after < len(spine) and path.nodes[0] < spine[after] else 1

    def _free_row(self, span: tuple[float, float], side: int, beyond: int = 0) -> int:
        row = beyond + side
        while any(start < span[1] and span[0] < end for start, end in self.taken.get(row, [])):
            row += side
        self.taken.setdefault(row, []).append(span)
        return row

    def _lanes(self) -> dict[Pair, int]:
        """For each link in a lane its number, the shorter the nearer to the row."""
        found: dict[Pair, int] = {}
        lanes = [pair for pair in self.links if self.roles[pair] == "lane"]
        for a, b in sorted(lanes, key=lambda pair: (pair[1] - pair[0], pair)):
            met = [lane for (c, d), lane in found.items() if self.row[c] == self.row[a] and max(a, c) < min(b, d)]
            found[a, b] = next(n for n in range(1, len(met) + 2) if n not in met)
        return found

    # --- along the flow -----------------------------------------------------------------------------------------------

    def _tap(self, node: int) -> float:
        """Where lines leave the row of a node."""
        one = self.nodes[node]
        return self.x[node] + max(one.body_after, one.after if self._crosses(node) else 0.0) + CHANNEL

    def _crosses(self, node: int) -> bool:
        """Whether a line from a node goes past its row's labels to another row."""
        return any(a == node and self.roles[a, b] in ("entry", "wire") for a, b in self.links)

    def _taps(self, node: int) -> bool:
        return any(a == node and self.roles[a, b] in ("entry", "wire", "lane") for a, b in self.links)

    def _port(self, node: int) -> float:
        """How far before its point lines from other rows reach a node's row."""
        one = self.nodes[node]
        return 0.0 if one.merges else max(one.body_before, one.before) + CHANNEL

    def _row_of(self, pair: Pair) -> int:
        """The row in which a line runs that goes between two rows."""
        role = self.roles[pair]
        return self.wires[pair] if role == "wire" else self.row[pair[1] if role == "entry" else pair[0]]

    def _between(self, a: int, b: int) -> range:
        return range(min(a, b) + 1, max(a, b))

    def _place(self) -> None:
        previous: dict[int, int] = {}
        for v, node in enumerate(self.nodes):
            row = self.row[v]
            x = node.before
            incoming = [(a, b) for a, b in self.links if b == v]
            outgoing = [(a, b) for a, b in self.links if a == v]
            if row in self.frontier:
                x = max(x, self.frontier[row] + PAD + node.before)
            if row in previous:
                u = previous[row]
                gap = max(node.gap, 2 * CHANNEL if self._taps(u) else 0.0)
                x = max(x, self.x[u] + self.nodes[u].body_after + gap + node.body_before)
            crossing = [pair for pair in incoming if self.roles[pair] in ("exit", "wire")]
            port = self._port(v)
            if crossing and not node.merges and row in previous:
                x = max(x, self.x[previous[row]] + self.nodes[previous[row]].after + CHANNEL + port)
            for a, b in incoming:
                role = self.roles[a, b]
                if role == "entry":
                    x = max(x, self._tap(a) + ENTRY + node.body_before, self._tap(a) + PAD + node.before)
                elif role == "along":
                    if self._crosses(a):
                        x = max(x, self._tap(a) + PAD + node.before)
                elif role in ("exit", "wire"):
                    x = max(x, (self._tap(a) if role == "wire" else self.x[a] + self.nodes[a].after + CHANNEL) + port)
                else:
                    x = max(x, self._tap(a) + CHANNEL)
            for pair in crossing:
                for k in self._between(row, self._row_of(pair)):
                    x = max(x, self.frontier.get(k, 0.0) + CHANNEL + port)
            self.x[v] = x
            tap = self._tap(v)
            rows_out = [self._row_of(p) for p in outgoing if self.roles[p] in ("entry", "wire")]
            for target in rows_out:
                for k in (*self._between(row, target), target):
                    late = self.frontier.get(k, float("-inf")) + CHANNEL - tap
                    if late > 0:
                        self.x[v] += late
                        tap = self._tap(v)
            self.frontier[row] = max(self.frontier.get(row, 0.0), self.x[v] + node.after)
            for pair in crossing:
                at = self.x[v] - port
                for k in (*self._between(row, self._row_of(pair)), self._row_of(pair)):
                    self.frontier[k] = max(self.frontier.get(k, 0.0), at)
            for target in rows_out:
                for k in (*self._between(row, target), target):
                    self.frontier[k] = max(self.frontier.get(k, 0.0), tap)
            previous[row] = v

    # --- across it --------------------------------------------------------------------------------------------------

    def _axes(self) -> dict[int, float]:
        rows = sorted({*self.row.values(), *self.wires.values(), 0})
        axes: dict[int, float] = {}
        below = 0.0
        for number, row in enumerate(rows):
            members = [self.nodes[v] for v, r in self.row.items() if r == row]
            lanes = max((n for (a, _), n in self.lane.items() if self.row[a] == row), default=0)
            over = max((node.over for node in members), default=1.0) + lanes * LANE
            axes[row] = below + over + (self.apart if number else 0.0)
            below = axes[row] + max((node.under for node in members), default=1.0)
        return axes

    def tracks(self) -> Tracks:
        self._place()
        axes = self._axes()
        places = tuple((self.x[v], axes[self.row[v]]) for v in range(len(self.nodes)))
        lines = {pair: self._line(pair, axes) for pair in self.links}
        passing = frozenset(pair for pair, role in self.roles.items() if role in ("lane", "wire"))
        return Tracks(places, tuple(self.row[v] for v in range(len(self.nodes))), axes, lines, passing)

    def _line(self, pair: Pair, axes: dict[int, float]) -> tuple[Point, ...]:
        u, v = pair
        role = self.roles[pair]
        source, target = self.nodes[u], self.nodes[v]
        y, end_y = axes[self.row[u]], axes[self.row[v]]
        start = (self.x[u] + source.body_after, y)
        arrival = (self.x[v] - target.body_before, end_y)
        if role == "along":
            return start, arrival
        tap = self._tap(u)
        if role == "entry":
            return start, (tap, y), (tap, end_y), arrival
        if role == "lane":
            members = [self.nodes[n].over for n, r in self.row.items() if r == self.row[u]]
            lane = y - max(members) - (self.lane[pair] - 0.5) * LANE
            return start, (tap, y), (tap, lane), (self.x[v], lane), (self.x[v], end_y - target.rise)
        through = axes[self._row_of(pair)]
        first: tuple[Point, ...] = (start,) if role == "exit" else (start, (tap, y), (tap, through))
        if target.merges:
            side = end_y - target.rise if through < end_y else end_y + target.drop
            return (*first, (self.x[v], through), (self.x[v], side))
        port = self.x[v] - self._port(v)
        return (*first, (port, through), (port, end_y), arrival)
