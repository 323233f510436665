"""Chains of layers as the figure of LeNet-5 has them (LeCun et al. 1998)."""

from __future__ import annotations

from cnndsl.draw.facts import Colors, facts, said
from cnndsl.draw.outline import OUTSIDE, Item
from cnndsl.draw.scene import Area, Arrow, Line, Rect, Scene, Text, Thing
from cnndsl.draw.styles import paper
from cnndsl.draw.text import width
from cnndsl.draw.wanted import Wanted


def fits(network: Item) -> bool:
    """Whether a network is a chain of a few layers."""
    chained = all(link.target == link.source + 1 for link in network.links if OUTSIDE not in link[:2])
    return chained and 0 < len(network.children) <= 26 and not any(item.children for item in network.children)


def scene(network: Item, wanted: Wanted) -> Scene:
    colors = Colors(network, wanted.color)
    things: list[Thing] = []
    x = 0.0
    for item in network.children:
        label = (item.title, said(item, "shape"))
        wide = max(width(line, wanted.size) for line in label) + 8
        area = Area(x, 0.0, wide, 40.0)
        marks = [Rect(area, colors.role(item))]
        marks += [Text(x + wide / 2, 16.0 + 12 * n, line, wanted.size) for n, line in enumerate(label)]
        role = colors.role(item)
        things.append(Thing(item.id, item.kind, area, tuple(marks), label, facts(item, network), role, span=item.span))
        x += wide + 16
    arrows = [
        Arrow(
            things[a].id,
            things[b].id,
            Line(((things[a].area.right, 20.0), (things[b].area.x, 20.0)), head=True),
        )
        for a, b, _ in network.links
        if a >= 0 and b >= 0
    ]
    return paper.picture(network, wanted, things, arrows)
