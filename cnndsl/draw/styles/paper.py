"""From things laid out anywhere to a picture: its bounds, title, legend, errors and its description in words."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.draw import text as letters
from cnndsl.draw.facts import LEVELS, Colors, said
from cnndsl.draw.fold import every
from cnndsl.draw.geometry import area_of, moved, moved_arrow, moved_thing, united
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Arrow, Mark, Polygon, Rect, Scene, Text, Thing
from cnndsl.draw.wanted import SMALLEST, Wanted
from cnndsl.numbers import abbreviated, bytes_text, grouped
from cnndsl.record import Record

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
    "same": "as it was",
    "fault": "error",
    "added": "added",
    "removed": "removed",
    "changed": "changed",
}
"""What a legend calls the roles of colours, in its order."""
COSTS = {"params": "parameters", "macs": "MACs", "memory": "saved for training", "rf": "receptive field"}
_ALONE = 60.0
"""A page narrower than this is not asked to hold a title in one line."""


def room(width: float) -> float:
    """What of a page's width is there for a picture: all but the margins, and half a stroke on either side."""
    return width - 2 * MARGIN - 1.0


class Entry(Record):
    """A line of a legend: a word, and marks in SWATCH by SWATCH points at the origin."""

    words: str
    swatch: tuple[Mark, ...]


def picture(
    network: Item,
    wanted: Wanted,
    things: Sequence[Thing],
    arrows: Sequence[Arrow],
    marks: Sequence[Mark] = (),
    *,
    colors: Colors | None = None,
    legend: Sequence[Entry] = (),
) -> Scene:
    """A scene of what is laid out, moved so that its page begins at the origin and nothing leaves it.

    colors: those that a legend explains; of the network, if there are none. legend: more entries than the colours of
    the things.
    """
    body = united(
        [area_of(mark) for thing in things for mark in thing.marks]
        + [area_of(arrow.line) for arrow in arrows]
        + [area_of(arrow.label_mark) for arrow in arrows if arrow.label_mark is not None]
        + [area_of(mark) for mark in marks]
    )
    wide_enough = max(body.width, 3 * _ALONE)
    space = room(wanted.width) if wanted.width is not None else wide_enough
    above = _title(wanted, space)
    explained = _legend(wanted, colors or Colors(network, wanted.color), things, legend, space)
    wide = max([body.width, *(area_of(m).width for m in above), _extent(explained)])
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
    if explained:
        area = united([area_of(mark) for mark in explained])
        bottom += GAP
        found += [moved(mark, (width - area.width) / 2 - area.x, bottom - area.y) for mark in explained]
        bottom += area.height
    return Scene(
        width,
        bottom + MARGIN,
        wanted.title or network.title,
        description(network),
        tuple(moved_thing(thing, dx, dy) for thing in things),
        tuple(moved_arrow(arrow, dx, dy) for arrow in arrows),
        (*(moved(mark, dx, dy) for mark in marks), *found),
        tuple(dict.fromkeys(item.fault for item in _leaves(network) if item.fault is not None)),
    )


def noted(scene: Scene, wanted: Wanted, advice: str) -> Scene:
    """A picture with a note, and what to do about it, if it is wider than it was wanted."""
    if wanted.width is None or scene.width <= wanted.width + 0.5:
        return scene
    said = (
        f"The picture is {scene.width:.0f} pt wide, not {wanted.width:.0f} pt: with text of {SMALLEST:g} pt it can't "
        f"be narrower. {advice}"
    )
    return scene._replace(notes=(*scene.notes, said))


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


def _title(wanted: Wanted, space: float) -> list[Mark]:
    """The lines of the title about x = 0."""
    if wanted.title is None:
        return []
    size = _title_size(wanted)
    return [Text(0.0, 0.0, line, size, bold=True) for line in letters.wrapped(wanted.title, size, space, bold=True)]


# --- below ----------------------------------------------------------------------------------------------------------


def _extent(marks: Sequence[Mark]) -> float:
    return united([area_of(mark) for mark in marks]).width if marks else 0.0


def _legend(wanted: Wanted, colors: Colors, things: Sequence[Thing], more: Sequence[Entry], space: float) -> list[Mark]:
    if not wanted.legend:
        return []
    if wanted.color in COSTS:
        return _scale(wanted, colors)
    marks_drawn = [mark for thing in things for mark in thing.marks]
    used = {mark.fill for mark in marks_drawn if isinstance(mark, Rect | Polygon)}
    used -= {"input"} if wanted.color == "change" else set()
    whole = Area(0.0, 0.0, SWATCH, SWATCH)
    swatches = [Entry(words, (Rect(whole, role, radius=1.0),)) for role, words in ROLES.items() if role in used]
    marks: list[Mark] = []
    x = y = 0.0
    size = max(wanted.size, SMALLEST)
    for words, swatch in [*swatches, *more]:
        wide = SWATCH + GAP / 2 + letters.width(words, size)
        if x and x + wide > space:
            x, y = 0.0, y + letters.LEADING * max(size, SWATCH)
        marks += [moved(mark, x, y) for mark in swatch]
        marks.append(Text(x + SWATCH + GAP / 2, y + SWATCH / 2 + 0.36 * size, words, size, anchor="start"))
        x += wide + 1.5 * GAP
    return marks


def _scale(wanted: Wanted, colors: Colors) -> list[Mark]:
    """What the colours of a cost mean, from nothing to the most that anything costs."""
    size = max(wanted.size, SMALLEST)
    most = int(colors.most)
    words = bytes_text(most) if wanted.color == "memory" else abbreviated(most)
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
