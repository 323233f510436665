"""A network as one graph of boxes: blocks that are opened give way to what is in them."""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.draw.outline import OUTSIDE, Item, Link
from cnndsl.graph import INPUT, Edge
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


def absorbed(whole: Flow, quiet: Callable[[Item, Item], bool]) -> Flow:
    """The flow with items that are not drawn for themselves among the dress of those before them.

    quiet: whether the first of two items leaves nothing to draw behind the second, which alone it takes, and which
    nobody else takes.
    """
    sources: list[set[int]] = [set() for _ in whole.items]
    targets: list[set[int]] = [set() for _ in whole.items]
    for link in whole.links:
        if link.target != OUTSIDE:
            sources[link.target].add(link.source)
        if link.source != OUTSIDE:
            targets[link.source].add(link.target)
    items: list[Item] = []
    within: list[tuple[Item, ...]] = []
    place: dict[int, int] = {OUTSIDE: OUTSIDE}
    for number, item in enumerate(whole.items):
        before = next(iter(sources[number])) if len(sources[number]) == 1 else OUTSIDE
        host = items[place[before]] if before != OUTSIDE else None
        if host is not None and targets[before] == {number} and not host.outputs and quiet(item, host):
            place[number] = place[before]
            items[place[before]] = _with(host, item)
        else:
            place[number] = len(items)
            items.append(item)
            within.append(whole.within[number])
    links = {link._replace(source=place[link.source], target=place[link.target]) for link in whole.links}
    return Flow(tuple(items), tuple(sorted(k for k in links if k.source != k.target)), tuple(within))


def is_quiet(item: Item, before: Item) -> bool:
    """Whether a layer changes no shape and learns no filters, so that its tensor is that of the item before."""
    if item.children or item.fault is not None or item.shape is None or before.shape is None or before.kind == INPUT:
        return False
    if item.shape != before.shape and not (item.kind == "flatten" and before.shape.elements == before.shape.channels):
        return False
    if before.children or before.kind in ("block", "repeat"):
        return item.role == "activation" or item.kind in ("dropout", "droppath", "flatten")
    return item.role in ("activation", "normalisation", "other") or item.kind == "adaptivepool"


def _with(host: Item, item: Item) -> Item:
    """An item together with one that is drawn with it."""
    return host._replace(
        dress=(*host.dress, item.title, *item.dress),
        nodes=(*host.nodes, *item.nodes),
        result=item.result,
        shape=item.shape,
        outputs=item.outputs,
    )


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
                link._replace(source=link.source + at, target=link.target + at)
                for link in part.links
                if OUTSIDE not in (link.source, link.target)
            ]
        for link in item.links:
            source, target, edge, _ = link
            first = OUTSIDE if source == OUTSIDE else _giver(parts[source], edge)
            if target == OUTSIDE:
                self.gives[edge] = first
                self.links.append(link._replace(source=first))
                continue
            for taker in _takers(parts[target], edge):
                self.links.append(link._replace(source=first, target=taker))
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
