"""Networks as graphs: layers as boxes, blocks as boxes around them, tensors as lines between them."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Scene
from cnndsl.draw.styles import paper
from cnndsl.draw.styles.nest import Nest, Wish
from cnndsl.draw.styles.painting import Painting
from cnndsl.draw.styles.plates import Look
from cnndsl.draw.wanted import SMALLEST, Wanted

LONGEST = 700.0
"""A picture longer than this is set in columns: the height of a page."""
LENGTHS = (LONGEST, 1.4 * LONGEST, 2.0 * LONGEST)
"""Columns that are tried where a picture of a given width is too long in one."""
NARROWEST = 60.0
"""No column is narrower than that."""
ROOM = 120.0
"""How wide labels may be where there is room."""
ROOMS = (ROOM, 90.0, 70.0, 55.0)


def scene(network: Item, wanted: Wanted) -> Scene:
    """The graph of a folded network. Raises NotLaidOut if Graphviz is wanted and can't be run."""
    if wanted.engine == "dot":
        from cnndsl.draw.styles.dot_engine import arranged

        look = Look(wanted, ROOM, shapes=True)
        painting = arranged(Painting(Nest(network, Wish(look, wanted.direction == "right", None), outer=True), wanted))
    else:
        painting = Painting(_fitting(network, wanted), wanted)
    scene = paper.picture(painting.network, wanted, painting.things, painting.arrows)
    return paper.noted(scene, wanted, "Look into fewer blocks (--depth, --fold), or choose another --direction.")


def _fitting(network: Item, wanted: Wanted) -> Nest:
    """The network laid out as it is best read in the width that is wanted; as narrow as can be if it doesn't fit."""
    look = Look(wanted, ROOM, shapes=wanted.direction == "right")
    if wanted.width is None:
        return Nest(network, Wish(look, look.shapes, LONGEST), outer=True)
    room = wanted.width - 2 * paper.MARGIN
    small = look._replace(wanted=wanted._replace(size=SMALLEST))
    looks = [one._replace(room=width) for width in ROOMS for one in (look, small)]
    if wanted.adapt:
        network = _adapted(network, looks[-1], room)
    whole = [Nest(network, Wish(one, look.shapes, room if look.shapes else None), outer=True) for one in looks]
    fits = [nest for nest in whole if nest.width <= room]
    if not fits or look.shapes or fits[0].height <= LONGEST:
        return fits[0] if fits else whole[-1]
    for length in LENGTHS:
        for nest in fits:
            if nest.width + NARROWEST <= room:
                columns = Nest(network, nest.wish._replace(limit=length), outer=True)
                if columns.width <= room:
                    return columns
    return fits[0]


def _adapted(network: Item, look: Look, room: float) -> Item:
    """The network with so many blocks closed that it is not too wide, nor too long for as many columns as have room."""
    while True:
        nest = Nest(network, Wish(look, look.shapes, room if look.shapes else None), outer=True)
        inner = [part for part in _nests(nest) if not any(isinstance(one, Nest) for one in part.parts)]
        columns = 1 if look.shapes else max(1, room // nest.width)
        if not inner or (nest.width <= room and nest.height <= LENGTHS[1] * columns):
            return network
        if nest.width > room:
            network = _without(network, {max(reversed(inner), key=lambda part: part.width).item.id})
        else:
            network = _without(network, _longest(inner))


def _longest(nests: list[Nest]) -> set[str]:
    """The ids of the blocks of the name that takes the most room; the first of them stays open if there are others."""
    groups: dict[str, list[Nest]] = {}
    for nest in nests:
        groups.setdefault(nest.item.title.split(" ")[0], []).append(nest)
    several = [group[1:] for group in groups.values() if len(group) > 1] or list(groups.values())
    return {nest.item.id for nest in max(several, key=lambda group: sum(nest.height for nest in group))}


def _nests(nest: Nest) -> Iterator[Nest]:
    for part in nest.parts:
        if isinstance(part, Nest):
            yield part
            yield from _nests(part)


def _without(item: Item, names: set[str]) -> Item:
    """The item with some of the blocks in it closed."""
    if item.id in names and item.kind != "network":
        return item._replace(children=(), links=())
    return item._replace(children=tuple(_without(child, names) for child in item.children))
