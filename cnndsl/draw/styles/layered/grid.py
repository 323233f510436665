"""Spots and lanes as cells: in every rank that a line passes it has a cell of its own, so that it never meets a box."""

from __future__ import annotations

from cnndsl.draw.styles.layered.level import Level
from cnndsl.draw.styles.layered.ranks import ranked, slacks
from cnndsl.record import Record


class Segment(Record):
    """What leads from a cell to one in the next rank. wire: its number, -1 for a spot that fills both ranks.
    target: which of the wire's targets it ends in; -1 if it goes on."""

    upper: int
    lower: int
    wire: int
    target: int = -1


class Grid:
    """Cells in ranks. Cell c is of spot `spot[c]`, or, if that is -1, a lane of wire `wire[c]`; `order[r]` are those
    of rank r from the near to the far side. single: the spots that must not fill several ranks."""

    def __init__(self, level: Level, single: frozenset[int] = frozenset()) -> None:
        self.level = level
        self.single = single
        self.ranks, self.spans = ranked(level, single)
        self.slacks = slacks(level, self.ranks, self.spans)
        self.spot: list[int] = []
        self.wire: list[int] = []
        self.rank: list[int] = []
        self.segments: list[Segment] = []
        self.first: list[int] = []
        """The first cell of each spot; those of its other ranks follow."""
        self.skip: list[bool] = []
        """Whether each cell is a lane beside what its wire goes to as well."""
        self.degree = [0] * len(level.spots)
        for wire in level.wires:
            self.degree[wire.source] += len(wire.targets)
        self._spots()
        self._wires()
        self.up: list[list[int]] = [[] for _ in self.spot]
        self.down: list[list[int]] = [[] for _ in self.spot]
        for number, segment in enumerate(self.segments):
            self.down[segment.upper].append(number)
            self.up[segment.lower].append(number)
        self.order = self._initial()
        self.place = [0] * len(self.spot)
        self.number()

    def number(self) -> None:
        """Bring `place`, each cell's place in its rank, up to date with `order`."""
        for row in self.order:
            for place, cell in enumerate(row):
                self.place[cell] = place

    def last(self, spot: int) -> int:
        """The last cell of a spot."""
        return self.first[spot] + self.spans[spot] - 1

    def lane(self, cell: int) -> bool:
        return self.spot[cell] < 0

    def width(self, cell: int) -> float:
        return self.level.spots[self.spot[cell]].across if self.spot[cell] >= 0 else 0.0

    # --- making it ----------------------------------------------------------------------------------------------

    def _cell(self, rank: int, spot: int = -1, wire: int = -1, *, skip: bool = False) -> int:
        self.rank.append(rank)
        self.spot.append(spot)
        self.wire.append(wire)
        self.skip.append(skip)
        return len(self.rank) - 1

    def _spots(self) -> None:
        for number, (rank, span) in enumerate(zip(self.ranks, self.spans, strict=True)):
            cells = [self._cell(rank + more, number) for more in range(span)]
            self.first.append(cells[0])
            self.segments += [Segment(cell, cell + 1, -1) for cell in cells[:-1]]

    def _wires(self) -> None:
        for number, wire in enumerate(self.level.wires):
            start = self.ranks[wire.source] + self.spans[wire.source] - 1
            end = max((self.ranks[target] for target in wire.targets), default=start + 1)
            skip = self.degree[wire.source] > 1
            cells = {start: self.last(wire.source)}
            for rank in range(start + 1, end):
                cells[rank] = self._cell(rank, wire=number, skip=skip)
                self.segments.append(Segment(cells[rank - 1], cells[rank], number))
            for target, spot in enumerate(wire.targets):
                cell = self.first[spot]
                self.segments.append(Segment(cells[self.rank[cell] - 1], cell, number, target))

    def _initial(self) -> list[list[int]]:
        """Cells in the order of the spots, beside them branches that lead elsewhere, beside all of them lanes that
        skip, what starts last inmost."""
        count = max(self.rank, default=-1) + 1
        main = self._main()
        rows: list[list[int]] = [[] for _ in range(count)]
        for cell, rank in enumerate(self.rank):
            rows[rank].append(cell)
        side = -1 if self.level.near else 1

        def key(cell: int) -> tuple[int, int, int]:
            if self.spot[cell] >= 0:
                return 0 if self.spot[cell] in main else side, self.spot[cell], cell
            source = self.level.wires[self.wire[cell]].source
            if self.skip[cell]:
                return 2 * side, -side * source, cell
            return 0 if source in main else side, source, cell

        return [sorted(row, key=key) for row in rows]

    def _main(self) -> set[int]:
        """The spots that lead to the end of the longest way."""
        ends = [n for n, slack in enumerate(self.slacks) if not slack]
        main = {n for n in ends if self.ranks[n] + self.spans[n] == max(self.ranks[m] + self.spans[m] for m in ends)}
        for wire in sorted(self.level.wires, key=lambda w: -w.source):
            if not main.isdisjoint(wire.targets):
                main.add(wire.source)
        return main
