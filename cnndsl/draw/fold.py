"""Which items are looked into: the others lose their children, and are drawn as one box each."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw.outline import Item

AUTOMATIC = 40
"""Boxes up to which items are opened by themselves, the outermost first."""
EVERYTHING = 10**9


class NoSuchItem(Exception):  # noqa: N818
    """No layer or block has that name; `known` are those there are."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known


def folded(network: Item, depth: int | None = None, unfold: tuple[str, ...] = (), fold: tuple[str, ...] = ()) -> Item:
    """The network with children only where they are to be seen.

    depth: how many levels of blocks are open; None: as many as give no more than AUTOMATIC boxes. unfold, fold: ids or
    titles of items, or names of blocks, that are open or closed whatever the depth. Raises NoSuchItem.
    """
    for name in (*unfold, *fold):
        if not any(_meant(item, name) for item in every(network)):
            raise NoSuchItem(name, names(network))
    levels = depth if depth is not None else _automatic(network)
    opened = _parents(network, unfold)
    return _folded(network, levels, unfold, fold, opened)


def every(item: Item) -> Iterator[Item]:
    """All items in an item, each before what is in it; not itself."""
    for child in item.children:
        yield child
        yield from every(child)


def names(network: Item) -> list[str]:
    """What folding and choosing may name."""
    found: dict[str, None] = {}
    for item in every(network):
        found[item.id] = None
        if item.kind == "block":
            found[item.title.split(" ")[0]] = None
    return list(found)


def only(network: Item, name: str) -> Item:
    """The first item of that name, as if it were the network. Raises NoSuchItem."""
    for item in every(network):
        if _meant(item, name) and item.children:
            return item
    raise NoSuchItem(name, [i.id for i in every(network) if i.children])


def _meant(item: Item, name: str) -> bool:
    return item.id == name or item.title == name or (item.kind == "block" and item.title.split(" ")[0] == name)


def _parents(network: Item, unfold: tuple[str, ...]) -> set[str]:
    """The ids of items that have to be open so that those in `unfold` can be seen."""
    found: set[str] = set()

    def look(item: Item) -> bool:
        inside = [look(child) for child in item.children]
        if any(inside):
            found.add(item.id)
        return any(inside) or any(_meant(item, name) for name in unfold)

    if unfold:
        look(network)
    return found


def _folded(item: Item, levels: int, unfold: tuple[str, ...], fold: tuple[str, ...], opened: set[str]) -> Item:
    if not item.children:
        return item
    own = item.kind == "network" or levels >= 0
    is_open = own or item.id in opened or any(_meant(item, name) for name in unfold)
    if not is_open or any(_meant(item, name) for name in fold):
        return item._replace(children=(), links=())
    inner = levels - 1
    return item._replace(children=tuple(_folded(child, inner, unfold, fold, opened) for child in item.children))


def _automatic(network: Item) -> int:
    """How many levels can be open without too many boxes."""
    level, layer = 0, [network]
    boxes = len(network.children)
    while True:
        layer = [child for item in layer for child in item.children]
        grown = boxes + sum(len(item.children) for item in layer)
        if grown > AUTOMATIC or grown == boxes:
            return level
        boxes, level = grown, level + 1
