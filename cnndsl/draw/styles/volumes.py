"""Deep networks as boxes in perspective: stages together, merges as circles, skips in lanes, blocks folded."""

from __future__ import annotations

from cnndsl.draw.facts import Colors
from cnndsl.draw.fold import every
from cnndsl.draw.geometry import moved, moved_arrow, moved_thing
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Rect, Scene
from cnndsl.draw.styles import paper
from cnndsl.draw.styles.boxes import BAND, merge
from cnndsl.draw.styles.figure import Figure
from cnndsl.draw.styles.insets import APART, Panel, insets
from cnndsl.draw.styles.labels import BARE, NONE, SHORT
from cnndsl.draw.styles.line import TOO_WIDE, Lines, in_lines
from cnndsl.draw.styles.paper import SWATCH, Entry
from cnndsl.draw.styles.plan import Plan, plan
from cnndsl.draw.styles.stations import TRANSPOSED, activated
from cnndsl.draw.styles.valley import Layout, Valley, in_valley, valley
from cnndsl.draw.wanted import Wanted

LEVELS = (
    (BARE, 1.0, 8.0),
    (BARE, 0.85, 7.0),
    (BARE, 0.7, 7.0),
    (SHORT, 0.7, 7.0),
    (SHORT, 0.55, 7.0),
    (NONE, 0.55, 7.0),
    (NONE, 0.45, 7.0),
    (NONE, 0.35, 7.0),
)
"""What a figure of a given width may give up, step by step: words of operations, the factor of its lengths, and the
size of text in points."""
STEP_COST = 0.22
LEAST = 0.0
"""What no figure costs less than."""
MERGES = {"add": "sum", "mul": "product", "concat": "concatenation", "absdiff": "absolute difference", "max": "maximum"}
NARROWEST = 300.0
"""Insets have so much room beside each other, even under a figure that is narrower."""


def scene(network: Item, wanted: Wanted) -> Scene:
    """The figure of a network."""
    planned = plan(network)
    shown = tuple(item._replace(children=(), links=()) for item in planned.flow.items)
    colors = Colors(network._replace(children=shown, links=()), wanted.color)
    main, figure = _fitted(planned, network, colors, wanted)
    things, arrows, marks = list(main.things), list(main.arrows), list(main.marks)
    if wanted.labels and planned.sorts:
        room = paper.room(wanted.width) if wanted.width is not None else max(main.width, NARROWEST)
        below = insets(planned, network, colors, figure.size, room)
        dx, dy = (main.width - below.width) / 2, main.height + 1.5 * APART
        things += [moved_thing(thing, dx, dy) for thing in below.things]
        arrows += [moved_arrow(arrow, dx, dy) for arrow in below.arrows]
        marks += [moved(mark, dx, dy) for mark in below.marks]
    # Where no operation is written, colours have to say what boxes are.
    explained = wanted._replace(legend=wanted.legend or (figure.words == NONE and wanted.labels), size=figure.size)
    legend = _legend(planned, explained)
    scene = paper.picture(network, explained, things, arrows, marks, colors=colors, legend=legend)
    return paper.noted(scene, wanted, "Look into fewer blocks (--depth, --fold), or show less (--show, --no-labels).")


def _fitted(planned: Plan, network: Item, colors: Colors, wanted: Wanted) -> tuple[Panel, Figure]:
    """The network's own figure as it fits best, and what it is made of."""
    if wanted.width is None:
        figure = Figure(planned, network, colors, wanted, wanted.size, 1.0, BARE)
        found = valley(figure)
        return (in_valley(figure, found, stairs=True) if found else in_lines(figure, None)).panel(), figure
    room = paper.room(wanted.width)
    best: tuple[float, Lines | Layout, Figure] | None = None
    for step, (words, factor, size) in enumerate(LEVELS):
        figure = Figure(planned, network, colors, wanted, size, factor, words)
        found = valley(figure)
        tried = [in_lines(figure, room)] if found is None else _valleys(figure, found, room)
        for one in tried:
            cost = _cost(one, room) + step * STEP_COST
            if best is None or cost < best[0]:
                best = cost, one, figure
        if best is not None and best[0] <= LEAST + (step + 1) * STEP_COST:
            break
    assert best is not None
    return best[1].panel(), best[2]


def _valleys(figure: Figure, found: Valley, room: float) -> list[Lines | Layout]:
    """A U with stairs and one without; where neither fits, lines may."""
    made: list[Lines | Layout] = [in_valley(figure, found, stairs=stairs) for stairs in (True, False)]
    return (
        made if any(one.width <= room for one in made if isinstance(one, Layout)) else [*made, in_lines(figure, room)]
    )


def _cost(one: Lines | Layout, room: float) -> float:
    """What a layout costs, in rows: a U a little if it lacks stairs, and much for being too wide."""
    if isinstance(one, Lines):
        return one.cost
    return (0.0 if one.stairs else 0.8) + (TOO_WIDE + one.width - room if one.width > room else 0.0)


def _legend(planned: Plan, wanted: Wanted) -> list[Entry]:
    """What marks of boxes mean besides their colours."""
    items = [one for item in planned.flow.items for one in (item, *every(item))]
    kinds = {item.kind for item in items}
    middle = SWATCH / 2
    area = Area(0.0, 0.0, SWATCH, SWATCH)
    found = []
    if wanted.color == "kind" and any(activated(item) for item in planned.flow.items):
        band = Rect(Area(0.7 * SWATCH, 0.0, 0.3 * SWATCH, SWATCH), "convolution", None, shade=BAND)
        found.append(Entry("activation", (Rect(area, "convolution", None), band, Rect(area, None))))
    if wanted.color == "kind" and kinds & TRANSPOSED:
        found.append(Entry("larger maps", (Rect(area, "page", texture="hatch"),)))
    if any(item.auxiliary for item in items):
        found.append(Entry("training only", (Rect(area, "page", dash=(2.0, 1.5)),)))
    for kind, words in MERGES.items():
        if kind in kinds:
            found.append(Entry(words, tuple(merge(middle, middle, kind, "merge", wanted.size, 0.9 * middle))))
    return found
