"""What a layered layout is given, and what it gives.

Positions are along the way that tensors go and across it: a picture that runs down has `along` for its y, one that runs
to the right for its x. Nothing here knows what is drawn.
"""

from __future__ import annotations

from cnndsl.draw.scene import Point
from cnndsl.record import Record


class Spot(Record):
    """A box to place. across, along: its sizes. after: room kept free beyond its far side, tail: behind it, for a
    label. first, last: whether it belongs to the first or last rank, as ports of the surrounding box do. sides:
    whether lines may end at its sides."""

    across: float
    along: float
    after: float = 0.0
    tail: float = 0.0
    first: bool = False
    last: bool = False
    sides: bool = True
    minor: bool = False

    @property
    def port(self) -> bool:
        """Whether it is a mere point on the border of the surrounding box."""
        return self.first or self.last


class Wire(Record):
    """What goes from one spot to others, by their numbers; every target has a greater number than the source.

    start, ends: where it leaves the source and enters each target, from that one's near side; None where that is
    free."""

    source: int
    targets: tuple[int, ...]
    start: float | None = None
    ends: tuple[float | None, ...] = ()


class Spacing(Record):
    """Distances: between boxes, a box and a lane, lanes; between ranks without and with lines that cross over; of the
    lines that cross over; before a box, so that an arrow has a straight end."""

    box: float = 14.0
    side: float = 9.0
    lane: float = 7.0
    rank: float = 14.0
    port: float = 6.0
    out: float = 5.0
    track: float = 6.0
    head: float = 9.0


class Level(Record):
    """Boxes beside each other and what connects them. near: whether lanes of what skips others run on the near side.
    limit: of the length of one column; None: there is one column."""

    spots: tuple[Spot, ...]
    wires: tuple[Wire, ...]
    spacing: Spacing = Spacing()
    near: bool = False
    limit: float | None = None


class Laid(Record):
    """across, along: of the whole. starts: each spot's corner, (across, along). lines: for each wire, for each target,
    its points. skips: likewise, whether it passes others by."""

    across: float
    along: float
    starts: tuple[Point, ...]
    lines: tuple[tuple[tuple[Point, ...], ...], ...]
    skips: tuple[tuple[bool, ...], ...]


def usual(sizes: list[float]) -> float:
    """The size in the middle of all; 0 if there are none."""
    return sorted(sizes)[len(sizes) // 2] if sizes else 0.0
