"""Networks as there is to draw them: trees of items, and links between those that stand side by side."""

from __future__ import annotations

from cnndsl.graph import Edge
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.source import Span

OUTSIDE = -1
"""In a link: the surroundings of the item that holds both ends."""


class Numbers(Record):
    """Sums over an item's layers, of all its repeats; None where one is unknown. field: what its result sees of the
    input, per axis. saved: bytes kept for the backward pass."""

    params: int | None
    macs: int | None
    saved: int | None
    field: tuple[int, ...] | None


class Link(Record):
    """A tensor that goes from one child to another, by their numbers; OUTSIDE is what surrounds them.

    edge: the tensor. change: `added` or `removed` in a picture of two networks.
    """

    source: int
    target: int
    edge: Edge
    change: str = ""


class Change(Record):
    """What became of a layer between two networks. what: `added`, `removed`, `changed` or, where it stayed as it is,
    empty. said: what changed, in the user's words. was: its numbers before, by name, for people."""

    what: str
    said: str = ""
    was: tuple[tuple[str, str], ...] = ()


class Changes(Record):
    """What became of everything, in a picture of two networks. layers: by the numbers of nodes. added, removed: links
    that are new or gone, as the number of the node that takes and the tensor."""

    layers: dict[int, Change]
    added: frozenset[tuple[int, Edge]] = frozenset()
    removed: frozenset[tuple[int, Edge]] = frozenset()


SAME = Change("")


class Item(Record):
    """A layer, block or repeat. Items are equal if they are drawn equally; their numbers may differ.

    id: the name of its layer or call, unique. kind: the layer's kind, `block`, `repeat` or `input`. title: what it is,
    as written with its numbers: `conv 3x3x64 /2`, `bottleneck 64`. dress: titles of the layers that are drawn with it.
    nodes: the numbers of all its layers, those of every repeat included. result: the tensor it gives. shape: that
    one's shape. role: the role of its colour. children, links: what is in it, empty for a layer; links in order.
    count: how often it stands in a row. named: whether the spec names it. outputs: names of the network's outputs that
    it gives. fault: what is wrong with it. auxiliary: whether it only serves training. change: what became of it, in a
    picture of two networks. until: in a repeat, the shape that the last one gives, if it is another.
    shares: the name of the layer whose weights it uses, if it has none of its own.
    """

    id: str
    kind: str
    title: str
    nodes: tuple[int, ...]
    numbers: Numbers
    dress: tuple[str, ...] = ()
    result: Edge | None = None
    shape: Shape | None = None
    input_shape: Shape | None = None
    role: str = "other"
    children: tuple[Item, ...] = ()
    links: tuple[Link, ...] = ()
    count: int = 1  # type: ignore[assignment]  # hides tuple.count
    span: Span | None = None
    named: bool = False
    outputs: tuple[str, ...] = ()
    fault: str | None = None
    auxiliary: bool = False
    change: Change = SAME
    until: Shape | None = None
    shares: str | None = None

    @property
    def main(self) -> int:
        """The number of the layer that gives a layer item its name; of a block, its first."""
        return self.nodes[0]
