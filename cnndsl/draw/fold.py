"""Which items are looked into: the others lose their children, and are drawn as one box each."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.draw.words import shortened
from cnndsl.graph import Edge

AUTOMATIC = 40
"""Boxes up to which items are opened by themselves, the outermost first."""
MOST_TAKERS = 4
"""Layers that take what a part gives, which are named."""
EVERYTHING = 10**9


class NoSuchItem(Exception):  # noqa: N818
    """No layer or block has that name; `known` are those there are."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known


def folded(network: Item, depth: int | None = None, unfold: tuple[str, ...] = (), fold: tuple[str, ...] = ()) -> Item:
    """The network with children only where they are to be seen.

    depth: how many levels of blocks are open; None: what gives no more than AUTOMATIC boxes. unfold, fold: ids or
    titles of items, or names of blocks, that are open or closed whatever the depth. Raises NoSuchItem.
    """
    for name in (*unfold, *fold):
        if not any(_meant(item, name) for item in every(network)):
            raise NoSuchItem(name, names(network))
    opened = _automatic(network, fold) if depth is None else _levels(network, depth)
    return _closed(network, opened | _parents(network, unfold), unfold, fold)


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
    """The first item of that name as if it were the network: what comes in has boxes as inputs have, named by what
    gives it, and what it gives is named by what takes it. Raises NoSuchItem."""
    for item in every(network):
        if _meant(item, name) and item.children:
            return _standing_alone(network, item)
    raise NoSuchItem(name, [i.id for i in every(network) if i.children])


def _standing_alone(network: Item, item: Item) -> Item:
    coming = list(dict.fromkeys(link.edge for link in item.links if link.source == OUTSIDE))
    takers = _takers(network, item)
    givers = [_giver(network, edge) for edge in coming]
    count = len(givers)
    links = [
        link._replace(
            source=coming.index(link.edge) if link.source == OUTSIDE else link.source + count,
            target=link.target + count,
        )
        for link in item.links
        if link.target != OUTSIDE
    ]
    going = {link.source for link in item.links if link.target == OUTSIDE}
    children = [
        child if number not in going or child.outputs or not takers else _giving(child, takers)
        for number, child in enumerate(item.children)
    ]
    given = tuple(name for child in children for name in child.outputs)
    return item._replace(
        kind="network", count=1, children=(*givers, *children), links=tuple(links), outputs=given, until=None
    )


def _giver(network: Item, edge: Edge) -> Item:
    """A box for the tensor that comes from outside: the layer that gives it, as an input."""
    item = network
    while item.children:
        item = next(child for child in item.children if edge.node in child.nodes)
        if item.count > 1:
            break
    title = item.title if item.kind == "input" else f"from {_named(item)}"
    return Item(item.id, "input", title, item.nodes, item.numbers, result=edge, shape=item.shape, role="input")


def _named(item: Item) -> str:
    """What an item is called: its name in the spec, or what it is."""
    return item.id if item.named else shortened(item.title, item.input_shape, item.shape)


def _takers(network: Item, item: Item) -> tuple[str, ...]:
    """The names of what takes the tensors that an item gives, each once; a few of many."""
    whole = set(item.nodes)
    found: dict[str, None] = {}
    for outer in (network, *every(network)):
        for link in outer.links:
            if link.edge.node in whole and OUTSIDE not in (link.source, link.target):
                taker = outer.children[link.target]
                if whole.isdisjoint(taker.nodes):
                    found[f"to {_named(taker)}"] = None
    return tuple(found)[:MOST_TAKERS]


def _giving(item: Item, names: tuple[str, ...]) -> Item:
    """An item of which the last in it gives results of those names."""
    if not item.children:
        return item._replace(outputs=names)
    going = next((link.source for link in item.links if link.target == OUTSIDE), len(item.children) - 1)
    children = [_giving(child, names) if n == going else child for n, child in enumerate(item.children)]
    return item._replace(outputs=names, children=tuple(children))


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


def _closed(item: Item, opened: set[str], unfold: tuple[str, ...], fold: tuple[str, ...]) -> Item:
    """An item with what is not open, or is to be closed, without children."""
    if not item.children:
        return item
    is_open = item.kind == "network" or item.id in opened or any(_meant(item, name) for name in unfold)
    if not is_open or any(_meant(item, name) for name in fold):
        return item._replace(children=(), links=())
    return item._replace(children=tuple(_closed(child, opened, unfold, fold) for child in item.children))


def _levels(network: Item, depth: int) -> set[str]:
    """The ids of all items that stand in fewer than so many others."""
    found: set[str] = set()
    level = [child for child in network.children if child.children]
    while level and depth > 0:
        found |= {item.id for item in level}
        level = [child for item in level for child in item.children if child.children]
        depth -= 1
    return found


# --- what is opened by itself ---------------------------------------------------------------------------------------


def _automatic(network: Item, fold: tuple[str, ...]) -> set[str]:
    """The ids of items to open, without too many boxes: of each kind of block the first; then all blocks of a name
    that stand side by side, as long as there is room for all of them."""
    boxes = len(network.children)
    opened: set[str] = set()
    seen: set[object] = set()
    waiting = _blocks(network, fold)
    for item in waiting:
        kind = _kind(item)
        more = len(item.children) - 1
        if kind not in seen and boxes + more <= AUTOMATIC:
            seen.add(kind)
            opened.add(item.id)
            boxes += more
            waiting += _blocks(item, fold)
    level = _blocks(network, fold)
    while level:
        for group in _by_name(level):
            more = sum(len(item.children) - 1 for item in group if item.id not in opened)
            if boxes + more <= AUTOMATIC:
                opened |= {item.id for item in group}
                boxes += more
        level = [inner for item in level if item.id in opened for inner in _blocks(item, fold)]
    return opened


def _blocks(item: Item, fold: tuple[str, ...]) -> list[Item]:
    """What in an item can be opened, and is not to be closed."""
    return [child for child in item.children if child.children and not any(_meant(child, name) for name in fold)]


def _by_name(items: list[Item]) -> list[list[Item]]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.title.split(" ")[0], []).append(item)
    return list(groups.values())


def _kind(item: Item) -> object:
    """What makes blocks alike, sizes and channels aside: what is in them and how it hangs together."""
    if not item.children:
        return item.kind
    return item.title.split(" ")[0], tuple(map(_kind, item.children)), tuple(link[:2] for link in item.links)
