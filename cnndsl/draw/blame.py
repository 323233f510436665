"""Errors in a picture: a number at each thing that has one, and what is wrong below, whatever the style."""

from __future__ import annotations

from collections.abc import Iterable

from cnndsl.draw import text as letters
from cnndsl.draw.geometry import moved, moved_arrow, moved_thing
from cnndsl.draw.scene import Area, Mark, Rect, Scene, Text, Thing

MARGIN = 4.0
"""White around the page, in points."""
_GAP = 8.0
_ROOM = 280.0
"""How wide a page may become for the lines below it, if nobody said how wide it is."""
_SMALL = 0.9
"""The size of a number in its disc, as a share of the text's."""


def blamed(scene: Scene, loose: Iterable[str], size: float, *, fixed: bool) -> Scene:
    """The picture with every error that its things don't tell themselves. loose: errors that are at no thing. size: of
    the text, in points. fixed: whether the page has to stay as wide as it is."""
    silent = [thing for thing in scene.things if thing.fault is not None and not thing.tells]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(str(thing.fault) for thing in silent), 1)}
    shown = {thing.fault for thing in scene.things}
    told = [(str(number), text) for text, number in numbers.items()]
    told += [("", text) for text in dict.fromkeys([*(f for f in scene.faults if f not in shown), *loose])]
    if not told:
        return scene
    indent = letters.width("00", size, bold=True) if silent else 0.0
    asked = max(letters.width(text, size) for _, text in told) + indent + 2 * MARGIN
    width = scene.width if fixed else max(scene.width, min(asked, _ROOM))
    aside = (width - scene.width) / 2
    discs = [mark for thing in silent for mark in _disc(thing, numbers[str(thing.fault)], size)]
    lines, bottom = _lines(told, size, indent, Area(MARGIN, scene.height, width - 2 * MARGIN, 0.0))
    return scene._replace(
        width=width,
        height=bottom + MARGIN,
        things=tuple(moved_thing(thing, aside, 0.0) for thing in scene.things),
        arrows=tuple(moved_arrow(arrow, aside, 0.0) for arrow in scene.arrows),
        marks=(*(moved(mark, aside, 0.0) for mark in (*scene.marks, *discs)), *lines),
    )


def _disc(thing: Thing, number: int, size: float) -> list[Mark]:
    """A number in a disc, on the right upper corner of a thing; within it where that is the page's."""
    radius = 0.62 * size
    x, y = thing.area.right - radius / 3, max(thing.area.y, radius + MARGIN / 2)
    disc = Rect(Area(x - radius, y - radius, 2 * radius, 2 * radius), "fault-text", "page", 0.8, radius=radius)
    return [disc, Text(x, y + 0.36 * _SMALL * size, str(number), _SMALL * size, role="page", bold=True)]


def _lines(told: list[tuple[str, str]], size: float, indent: float, room: Area) -> tuple[list[Mark], float]:
    """The errors below each other, from the top of `room` on, and where they end."""
    marks: list[Mark] = []
    y = room.y + _GAP / 2
    for number, text in told:
        base = y + letters.ASCENT * size
        if number:
            marks.append(Text(room.x, base, number, size, "start", "fault-text", bold=True))
        aside = indent if number else 0.0
        for line in letters.wrapped(text, size, room.width - aside):
            marks.append(Text(room.x + aside, y + letters.ASCENT * size, line, size, "start", "fault-text"))
            y += letters.LEADING * size
    return marks, y
