"""A network as one graph of boxes: blocks that are opened give way to what is in them."""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.draw.outline import OUTSIDE, Item, Link
from cnndsl.graph import Edge
from cnndsl.record import Record


class Flow(Record):
    """Items in an order in which each stands after what it takes, and the tensors between them.

    Links name items by their numbers, OUTSIDE for what surrounds all of them. within: for each item the blocks that
    were opened around it, the outermost first.
    """

    items: tuple[Item, ...]
    links: tuple[Link, ...]
    within: tuple[tuple[Item, ...], ...]

    @property
    def inner(self) -> tuple[Link, ...]:
        """The links between items."""
        return tuple(link for link in self.links if OUTSIDE not in (link.source, link.target))


def flow(network: Item, opens: Callable[[Item], bool]) -> Flow:
    """The network with every item for which `opens` holds replaced by its children, whatever the depth."""
    found = _Part()
    found.enter(network, opens, ())
    return Flow(tuple(found.items), tuple(sorted(set(found.links))), tuple(found.within))


class _Part:
    """What an opened item becomes. takes: the items that take a tensor from outside; gives: the items behind the
    tensors that go out; result: the item that gives the last one."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.links: list[Link] = []
        self.within: list[tuple[Item, ...]] = []
        self.takes: list[tuple[int, Edge]] = []
        self.gives: dict[Edge, int] = {}
        self.result = OUTSIDE

    def enter(self, item: Item, opens: Callable[[Item], bool], around: tuple[Item, ...]) -> None:
        parts: list[tuple[int, _Part | None]] = []
        for child in item.children:
            at = len(self.items)
            if not child.children or not opens(child):
                parts.append((at, None))
                self.items.append(child)
                self.within.append(around)
                continue
            part = _Part()
            part.enter(child, opens, (*around, child))
            parts.append((at, part))
            self.items += part.items
            self.within += part.within
            self.links += [
                Link(a + at, b + at, edge, change) for a, b, edge, change in part.links if OUTSIDE not in (a, b)
            ]
        for source, target, edge, _ in item.links:
            first = OUTSIDE if source == OUTSIDE else _giver(parts[source], edge)
            if target == OUTSIDE:
                self.gives[edge] = first
                self.links.append(Link(first, OUTSIDE, edge))
                continue
            for taker in _takers(parts[target], edge):
                self.links.append(Link(first, taker, edge))
                if source == OUTSIDE:
                    self.takes.append((taker, edge))
        self.result = self.gives.get(item.result, len(self.items) - 1) if item.result else len(self.items) - 1


def _giver(part: tuple[int, _Part | None], edge: Edge) -> int:
    """The item that gives a tensor; of a repeat, whose last member gives it, the one that stands for that."""
    at, inside = part
    return at if inside is None else at + inside.gives.get(edge, inside.result)


def _takers(part: tuple[int, _Part | None], edge: Edge) -> list[int]:
    """The items that take a tensor; all that take any if it goes to another member of a repeat."""
    at, inside = part
    if inside is None:
        return [at]
    exact = [taker for taker, taken in inside.takes if taken == edge]
    return [at + taker for taker in dict.fromkeys(exact or [taker for taker, _ in inside.takes])]
