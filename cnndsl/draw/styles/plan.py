"""What a figure of volumes shows where: which blocks give way to their layers, and which are drawn once beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnndsl.draw.fold import every
from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.draw.styles.flow import Flow, absorbed, flow, is_quiet
from cnndsl.draw.styles.labels import NORMS, QUIET
from cnndsl.record import Record

MOST = 34
"""Items up to which blocks are opened in the figure itself."""
MOST_INSIDE = 14
"""Items up to which the blocks within a block are opened in its inset."""
MOST_INSETS = 9


class Sort(Record):
    """Blocks of one structure, which are drawn once for all. name: what they are called; members: all that the figure
    shows, those in other insets too."""

    name: str
    members: tuple[Item, ...]


class Plan(Record):
    """flow: what the figure shows. sorts: the blocks that have insets, by the key of their structure."""

    flow: Flow
    sorts: dict[Any, Sort]


def plan(network: Item) -> Plan:
    """What to show of a network."""
    units = _units(network)
    shown = _opened(network, lambda item: _may_open(item, units), MOST)
    return Plan(shown, _sorts(shown.items))


def inside(item: Item) -> Flow:
    """What an inset shows of a block: everything in it, unless inner blocks make that too much."""
    return _opened(item, lambda inner: inner.count == 1, MOST_INSIDE, quiet=False)


def key(item: Item) -> Any:
    """What blocks have in common that are drawn in one inset: layers and links, whatever their sizes."""
    if not item.children:
        return item.kind, tuple(map(_sort_of, item.dress)), item.count > 1
    links = tuple((link.source, link.target) for link in item.links)
    return name_of(item), tuple(map(key, item.children)), links


def _sort_of(title: str) -> str:
    """What dress has in common: activations are of one sort."""
    kind = title.split(" ")[0]
    return kind if kind in NORMS | QUIET else "activation"


def name_of(item: Item) -> str:
    """What a block is called: its name without what it was called with; a row of layers by what is in it."""
    if item.kind == "block":
        return item.title.split(" ")[0]
    return item.title if " " in item.title else f"{item.title} group"


# --- what is opened -------------------------------------------------------------------------------------------------


def _units(network: Item) -> set[str]:
    """Names of blocks that are drawn as one: those that stand in rows, and those in which tensors part and meet.
    A block within which it stands itself, as the levels of a U-Net may, is none."""
    blocks = [item for item in every(network) if item.children]
    return {
        name_of(item)
        for item in blocks
        if (item.count > 1 or _branches(item)) and name_of(item) not in map(name_of, every(item))
    }


def _branches(item: Item) -> bool:
    """Whether tensors meet in a block, among its own layers."""
    meeting: dict[int, int] = {}
    for link in item.links:
        if link.target != OUTSIDE and item.children[link.target].role == "merge":
            meeting[link.target] = meeting.get(link.target, 0) + 1
    return any(count > 1 for count in meeting.values())


def _may_open(item: Item, units: set[str]) -> bool:
    taken = {link.edge for link in item.links if link.source == OUTSIDE}
    return item.count == 1 and (len(taken) > 1 or name_of(item) not in units)


def _opened(network: Item, may: Any, most: int, *, quiet: bool = True) -> Flow:
    """The network with as many blocks opened as `may` be, the outermost first, while there is room for them."""
    chosen: set[str] = set()

    def seen() -> Flow:
        found = flow(network, lambda item: item.id in chosen)
        return absorbed(found, is_quiet) if quiet else found

    shown = seen()
    while True:
        closed = [item for item in shown.items if item.children and item.id not in chosen and may(item)]
        before = set(chosen)
        chosen |= {item.id for item in closed}
        wider = seen()
        if closed and len(wider.items) > most:
            chosen = before
            for item in sorted(closed, key=lambda one: len(one.children)):
                chosen.add(item.id)
                wider = seen()
                if len(wider.items) > most:
                    chosen.discard(item.id)
            return seen()
        if not closed:
            return wider
        shown = wider


# --- what has an inset ----------------------------------------------------------------------------------------------


def _sorts(items: Iterable[Item]) -> dict[Any, Sort]:
    """The structures of closed blocks, and of those that stay closed in their insets, in order of their appearance."""
    found: dict[Any, list[Item]] = {}
    waiting = [item for item in items if item.children]
    while waiting:
        later: list[Item] = []
        for item in waiting:
            found.setdefault(key(item), []).append(item)
            later += [inner for inner in inside(item).items if inner.children]
        waiting = later
    kept = dict(list(found.items())[:MOST_INSETS])
    called: dict[str, list[Any]] = {}
    for one, members in kept.items():
        called.setdefault(name_of(members[0]), []).append(one)
    return {one: Sort(_called(one, members[0], called), tuple(members)) for one, members in kept.items()}


def _called(one: Any, item: Item, called: dict[str, list[Any]]) -> str:
    """A name, with a letter if blocks of the same name have several structures."""
    name = name_of(item)
    same = called[name]
    return name if len(same) == 1 else f"{name} {chr(ord('A') + same.index(one))}"
