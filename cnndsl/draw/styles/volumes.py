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
from cnndsl.draw.styles.line import in_lines
from cnndsl.draw.styles.paper import SWATCH, Entry
from cnndsl.draw.styles.plan import Plan, plan
from cnndsl.draw.styles.stations import TRANSPOSED, activated
from cnndsl.draw.styles.valley import Valley, in_valley, valley
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
        room = wanted.width - 2 * paper.MARGIN if wanted.width is not None else max(main.width, NARROWEST)
        below = insets(planned, network, colors, figure.size, room)
        dx, dy = (main.width - below.width) / 2, main.height + 1.5 * APART
        things += [moved_thing(thing, dx, dy) for thing in below.things]
        arrows += [moved_arrow(arrow, dx, dy) for arrow in below.arrows]
        marks += [moved(mark, dx, dy) for mark in below.marks]
    # Where no operation is written, colours have to say what boxes are.
    explained = wanted._replace(legend=True) if figure.words == NONE and wanted.labels else wanted
    return paper.picture(network, explained, things, arrows, marks, colors=colors, legend=_legend(planned, wanted))


def _fitted(planned: Plan, network: Item, colors: Colors, wanted: Wanted) -> tuple[Panel, Figure]:
    """The network's own figure as it fits best, and what it is made of."""
    if wanted.width is None:
        figure = Figure(planned, network, colors, wanted, wanted.size, 1.0, BARE)
        found = valley(figure)
        return in_valley(figure, found, stairs=True) if found else in_lines(figure, None)[0], figure
    room = wanted.width - 2 * paper.MARGIN
    best: tuple[float, Panel, Figure] | None = None
    for step, (words, factor, size) in enumerate(LEVELS):
        figure = Figure(planned, network, colors, wanted, size, factor, words)
        found = valley(figure)
        tried = [in_lines(figure, room)] if found is None else _valleys(figure, found, room)
        for panel, cost in tried:
            total = cost + step * STEP_COST
            if best is None or total < best[0]:
                best = total, panel, figure
    assert best is not None
    return best[1], best[2]


def _valleys(figure: Figure, found: Valley, room: float) -> list[tuple[Panel, float]]:
    """A U with stairs and one without, and what they cost: a little for the missing stairs, much for being too wide.
    Where neither fits, lines may."""
    made = [(in_valley(figure, found, stairs=stairs), 0.0 if stairs else 0.8) for stairs in (True, False)]
    tried = [(panel, cost + max(0.0, panel.width - room)) for panel, cost in made]
    return tried if any(panel.width <= room for panel, _ in made) else [*tried, in_lines(figure, room)]


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
