"""What a page shows, as plain data: every item of a network with its words, numbers and place in the spec.

A page folds and unfolds by itself, so it is given the whole outline and no coordinates.
"""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic
from cnndsl.record import Record
from cnndsl.source import Source

PORT = -1
"""In a Step: no open block's port that is known."""


class Spec(Record):
    """The text that a network comes from, and what is said about it."""

    source: Source
    diagnostics: tuple[Diagnostic, ...] = ()


class Place(Record):
    """A range of a text: number of the file, then lines and columns from 0; columns count UTF-16 units, as JavaScript
    does; the end is exclusive."""

    file: int
    line: int
    column: int
    end_line: int
    end_column: int


class Step(Record):
    """The part of a tensor's way from one rank to the next, between two vertices.

    leaves: which of the exits of its source it comes from, if that is a block; enters: which of the entries of its
    target. down, up: whether the target stands below its source, and the source above its target, if they can.
    """

    source: int
    target: int
    leaves: int = PORT
    enters: int = PORT
    down: bool = False
    up: bool = False


class Link(Record):
    """A tensor's way through the ranks of a block, from one vertex to another. steps: their numbers, in order. leaves,
    enters: as in its first and last step. change: `added` or `removed`, in a picture of two networks."""

    source: int
    target: int
    steps: tuple[int, ...]
    leaves: int = PORT
    enters: int = PORT
    change: str = ""


class Inside(Record):
    """What is in a block, in layers. ranks: from the first to the last, each rank's vertices from left to right. The
    vertices are its pieces by their numbers, then its entries, then its exits, then places where lanes pass a rank.

    entries, exits: how many tensors come in and go out. lanes: the places of each, rank by rank.
    """

    pieces: tuple[Piece, ...]
    ranks: tuple[tuple[int, ...], ...]
    steps: tuple[Step, ...]
    links: tuple[Link, ...]
    lanes: tuple[tuple[int, ...], ...] = ()
    entries: int = 0
    exits: int = 0


class Piece(Record):
    """An item: a layer, block or repeat.

    said: what a label may say, by what is asked for (`shape`: `14x14x6`). costs: numbers that colours tell of, by the
    same names. facts: its numbers by name, for people. place: its item in the spec. outputs: named results of the
    network that it gives. change: what became of it, in a picture of two networks. is_open: whether it is unfolded
    first. inside: what it holds; None if nothing.
    """

    id: str
    kind: str
    title: str
    role: str
    dress: tuple[str, ...] = ()
    count: int = 1  # type: ignore[assignment]  # hides tuple.count
    said: tuple[tuple[str, str], ...] = ()
    costs: tuple[tuple[str, float], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    place: Place | None = None
    fault: str | None = None
    outputs: tuple[str, ...] = ()
    auxiliary: bool = False
    change: str = ""
    is_open: bool = False
    inside: Inside | None = None


class Note(Record):
    """Something that is said about the spec. text: as `check` prints it, with its lines."""

    severity: str
    code: str
    message: str
    text: str
    place: Place | None = None


class File(Record):
    """A text that the network comes from."""

    name: str
    text: str


class Model(Record):
    """All that a page shows.

    network: everything; None if nothing of it could be read. direction, color, show: what to begin with, as in
    Wanted. stale: whether the network is that of an earlier text, since the files' one can't be read.
    """

    title: str
    description: str
    network: Piece | None
    files: tuple[File, ...] = ()
    notes: tuple[Note, ...] = ()
    direction: str = "down"
    color: str = "kind"
    show: tuple[str, ...] = ("shape",)
    stale: bool = False
