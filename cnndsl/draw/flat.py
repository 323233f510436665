"""An outline as rows from top to bottom: what is drawn as a box, where items that are open begin and end."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.record import Record


class Row(Record):
    """One row. what: `box`, or `begin` or `end` of an open item. takes: the numbers of the boxes (among boxes alone)
    that a box takes tensors from, in order, each once."""

    what: str
    item: Item
    takes: tuple[int, ...] = ()


def flat(network: Item) -> list[Row]:
    """The rows of a folded network, its own beginning and end left out."""
    giver: dict[int, int] = {}
    boxes = 0
    for row in _rows(network):
        if row.what == "box":
            giver.update(dict.fromkeys(row.item.nodes, boxes))
            boxes += 1
        elif row.what == "end":
            _give_for_repeats(row.item, giver)
    return [*_taking(network, giver)]


def _rows(item: Item) -> Iterator[Row]:
    for child in item.children:
        if child.children:
            yield Row("begin", child)
            yield from _rows(child)
            yield Row("end", child)
        else:
            yield Row("box", child)


def _give_for_repeats(item: Item, giver: dict[int, int]) -> None:
    """What the repeats of an open item give, the boxes of the one that is drawn give for them."""
    if item.count == 1:
        return
    last = next((link.edge.node for link in reversed(item.links) if link.target == OUTSIDE), item.nodes[0])
    for node in item.nodes:
        giver.setdefault(node, giver[last])


def _taking(item: Item, giver: dict[int, int]) -> Iterator[Row]:
    for number, child in enumerate(item.children):
        if child.children:
            yield Row("begin", child)
            yield from _taking(child, giver)
            yield Row("end", child)
        else:
            given = (giver[link.edge.node] for link in item.links if link.target == number and link.edge.node in giver)
            yield Row("box", child, tuple(dict.fromkeys(given)))
