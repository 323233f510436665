"""From things laid out anywhere to a picture: its bounds, title, legend, errors and its description in words."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.draw import text as letters
from cnndsl.draw.facts import LEVELS, Colors, cost, said
from cnndsl.draw.fold import every
from cnndsl.draw.geometry import area_of, moved, moved_arrow, moved_thing, united
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Arrow, Mark, Rect, Scene, Text, Thing
from cnndsl.draw.wanted import SMALLEST, Wanted
from cnndsl.numbers import abbreviated, axes_text, bytes_text, grouped

MARGIN = 4.0
"""White around everything, in points."""
GAP = 8.0
SWATCH = 8.0
"""The side of a colour in a legend."""
ROLES = {
    "input": "input",
    "convolution": "convolution",
    "pooling": "pooling",
    "dense": "dense",
    "merge": "merge",
    "normalisation": "normalisation",
    "activation": "activation",
    "attention": "attention, sequence",
    "other": "other",
    "block": "block",
    "unknown": "unknown",
    "fault": "error",
}
"""What a legend calls the roles of colours, in its order."""
COSTS = {"params": "parameters", "macs": "MACs", "memory": "saved for training", "rf": "receptive field"}
_ALONE = 60.0
"""A page narrower than this is not asked to hold a title in one line."""


def picture(
    network: Item,
    wanted: Wanted,
    things: Sequence[Thing],
    arrows: Sequence[Arrow],
    marks: Sequence[Mark] = (),
    *,
    legend: Sequence[tuple[str, Mark]] = (),
) -> Scene:
    """A scene of what is laid out, moved so that its page begins at the origin and nothing leaves it.

    legend: more entries for the legend than the colours of the things: a word, and a mark of SWATCH by SWATCH points
    at the origin.
    """
    body = united(
        [area_of(mark) for thing in things for mark in thing.marks]
        + [area_of(arrow.line) for arrow in arrows]
        + [area_of(arrow.label_mark) for arrow in arrows if arrow.label_mark is not None]
        + [area_of(mark) for mark in marks]
    )
    room = wanted.width - 2 * MARGIN if wanted.width is not None else max(body.width, 3 * _ALONE)
    above = _title(wanted, room)
    below = [*_legend(network, wanted, things, legend, room), *_faults(network, wanted, room)]
    wide = max([body.width, *(area_of(m).width for m in above), _extent(below)])
    width = max(wide + 2 * MARGIN, wanted.width or 0.0)
    top = MARGIN
    found: list[Mark] = []
    if above:
        for line in above:
            found.append(moved(line, width / 2, top + letters.ASCENT * _title_size(wanted)))
            top += letters.LEADING * _title_size(wanted)
        top += GAP / 2
    dx, dy = (width - body.width) / 2 - body.x, top - body.y
    bottom = top + body.height
    if below:
        area = united([area_of(mark) for mark in below])
        bottom += GAP
        found += [moved(mark, (width - area.width) / 2 - area.x, bottom - area.y) for mark in below]
        bottom += area.height
    return Scene(
        width,
        bottom + MARGIN,
        wanted.title or network.title,
        description(network),
        tuple(moved_thing(thing, dx, dy) for thing in things),
        tuple(moved_arrow(arrow, dx, dy) for arrow in arrows),
        (*(moved(mark, dx, dy) for mark in marks), *found),
        tuple(item.fault for item in _leaves(network) if item.fault is not None),
    )


def description(network: Item) -> str:
    """A picture in words: what goes in, what comes out, how large the network is."""
    inputs = [item for item in network.children if item.kind == "input"]
    leaves = [item for item in every(network) if not item.children and item.kind != "input"]
    taken = " and ".join(f"{said(item, 'shape')}" for item in inputs)
    given = " and ".join(dict.fromkeys(said(item, "shape") for item in leaves if item.outputs))
    layers = sum(len(item.nodes) for item in network.children if item.kind != "input")
    words = [f"{network.title}, a network"]
    if taken:
        words.append(f" from {taken}")
    if given:
        words.append(f" to {given}")
    words.append(f": {layers} {'layer' if layers == 1 else 'layers'}")
    numbers = network.numbers
    if numbers.params is not None and numbers.macs is not None:
        words.append(f", {grouped(numbers.params)} parameters, {grouped(numbers.macs)} MACs")
    return "".join(words) + "."


# --- above ----------------------------------------------------------------------------------------------------------


def _title_size(wanted: Wanted) -> float:
    return wanted.size * 1.25


def _title(wanted: Wanted, room: float) -> list[Mark]:
    """The lines of the title about x = 0."""
    if wanted.title is None:
        return []
    size = _title_size(wanted)
    return [Text(0.0, 0.0, line, size, bold=True) for line in letters.wrapped(wanted.title, size, room, bold=True)]


# --- below ----------------------------------------------------------------------------------------------------------


def _extent(marks: Sequence[Mark]) -> float:
    return united([area_of(mark) for mark in marks]).width if marks else 0.0


def _legend(
    network: Item, wanted: Wanted, things: Sequence[Thing], more: Sequence[tuple[str, Mark]], room: float
) -> list[Mark]:
    if not wanted.legend:
        return []
    if wanted.color != "kind":
        return _scale(network, wanted)
    used = {thing.role for thing in things if not thing.holds}
    whole = Area(0.0, 0.0, SWATCH, SWATCH)
    swatches = [(words, Rect(whole, role, radius=1.0)) for role, words in ROLES.items() if role in used]
    marks: list[Mark] = []
    x = y = 0.0
    size = max(wanted.size, SMALLEST)
    for words, swatch in [*swatches, *more]:
        wide = SWATCH + GAP / 2 + letters.width(words, size)
        if x and x + wide > room:
            x, y = 0.0, y + letters.LEADING * max(size, SWATCH)
        marks.append(moved(swatch, x, y))
        marks.append(Text(x + SWATCH + GAP / 2, y + SWATCH / 2 + 0.36 * size, words, size, anchor="start"))
        x += wide + 1.5 * GAP
    return marks


def _scale(network: Item, wanted: Wanted) -> list[Mark]:
    """What the colours of a cost mean, from nothing to the most that a layer costs."""
    size = max(wanted.size, SMALLEST)
    most = max((cost(item, wanted.color) or 0.0 for item in _leaves(network)), default=0.0)
    words = {
        "memory": bytes_text(int(most)),
        "rf": axes_text(max((i.numbers.field for i in _leaves(network) if i.numbers.field), key=max, default=None)),
    }.get(wanted.color, abbreviated(int(most)))
    y = SWATCH / 2 + 0.36 * size
    name = f"{COSTS[wanted.color]}:"
    marks: list[Mark] = [Text(0.0, y, name, size, anchor="start")]
    x = letters.width(name, size) + GAP / 2
    marks.append(Text(x, y, "0", size, anchor="start"))
    x += letters.width("0", size) + GAP / 2
    for level in range(LEVELS):
        marks.append(Rect(Area(x, 0.0, SWATCH, SWATCH), f"scale{level}", width=0.4))
        x += SWATCH
    marks.append(Text(x + GAP / 2, y, words, size, anchor="start"))
    return marks


def _leaves(network: Item) -> list[Item]:
    return [item for item in every(network) if not item.children]


def _faults(network: Item, wanted: Wanted, room: float) -> list[Mark]:
    return []


def colors(network: Item, wanted: Wanted) -> Colors:
    return Colors(network, wanted.color)
