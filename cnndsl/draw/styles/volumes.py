"""Deep networks as boxes in perspective."""

from __future__ import annotations

from cnndsl.draw.facts import Colors, facts, said
from cnndsl.draw.outline import Item
from cnndsl.draw.scene import Area, Arrow, Line, Rect, Scene, Text, Thing
from cnndsl.draw.styles import paper
from cnndsl.draw.text import width
from cnndsl.draw.wanted import Wanted


def scene(network: Item, wanted: Wanted) -> Scene:
    colors = Colors(network, wanted.color)
    things: list[Thing] = []
    x = 0.0
    for item in network.children:
        label = (item.title, said(item, "shape"))
        wide = max(width(line, wanted.size) for line in label) + 8
        area = Area(x, 0.0, wide, 40.0)
        texts = [Text(x + wide / 2, 16.0 + 12 * n, line, wanted.size) for n, line in enumerate(label)]
        marks = (Rect(area, colors.role(item)), *texts)
        role = colors.role(item)
        things.append(Thing(item.id, item.kind, area, marks, label, facts(item, network), role, span=item.span))
        x += wide + 16
    arrows = [
        Arrow(things[a].id, things[b].id, Line(((things[a].area.right, 20.0), (things[b].area.x, 20.0)), head=True))
        for a, b, *_ in network.links
        if a >= 0 and b >= 0
    ]
    return paper.picture(network, wanted, things, arrows)
