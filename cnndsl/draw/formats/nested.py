"""A scene as a graph in a graph, for formats that lay out for themselves: DOT and Mermaid."""

from __future__ import annotations

from cnndsl.draw.scene import Arrow, Scene, Thing
from cnndsl.draw.text import wrapped
from cnndsl.record import Record

_ROOM = 130.0
"""Points of a line in which an error is told, at _SIZE."""
_SIZE = 8.0


class Nested(Record):
    """What is drawn and what is in it. top: what is in nothing. inside: the things in each, by its id; a thing that
    holds nothing is a node. edges: the arrows between nodes. ports: of each thing that holds others, where its input
    comes in and its result leaves, as far as arrows begin or end there. down: whether arrows mostly run downwards, and
    not to the right."""

    top: tuple[Thing, ...]
    inside: dict[str, tuple[Thing, ...]]
    edges: tuple[Edge, ...]
    ports: dict[str, tuple[str, ...]]
    down: bool


class Edge(Record):
    """An arrow between two nodes, or ports. source, target: their ids; tail, head: the thing that it is really from
    or to, where that holds others."""

    source: str
    target: str
    arrow: Arrow
    tail: str | None = None
    head: str | None = None


def nested(scene: Scene) -> Nested:
    things = {thing.id: thing for thing in scene.things}
    top: list[Thing] = []
    inside: dict[str, list[Thing]] = {}
    for thing in scene.things:
        if thing.parent in things and thing.parent != thing.id:
            inside.setdefault(str(thing.parent), []).append(thing)
        else:
            top.append(thing)
    edges = [_edge(arrow, things, inside) for arrow in scene.arrows]
    ports: dict[str, dict[str, None]] = {}
    for edge in edges:
        for end, whole in ((edge.source, edge.arrow.source), (edge.target, edge.arrow.target)):
            if end not in things:
                ports.setdefault(whole, {})[end] = None
    return Nested(
        tuple(top),
        {holder: tuple(inner) for holder, inner in inside.items()},
        tuple(edges),
        {holder: tuple(names) for holder, names in ports.items()},
        _down(scene),
    )


def _edge(arrow: Arrow, things: dict[str, Thing], inside: dict[str, list[Thing]]) -> Edge:
    """An arrow to a thing that holds others runs to the first of them, one from it comes from the last; one between a
    thing and what is in it begins or ends at a port of that thing."""
    source, target = arrow.source, arrow.target
    if source in _around(target, things):
        return Edge(f"{source}:in", _deepest(target, inside, 0), arrow, None, _if_other(target, inside))
    if target in _around(source, things):
        return Edge(_deepest(source, inside, -1), f"{target}:out", arrow, _if_other(source, inside), None)
    first, last = _deepest(target, inside, 0), _deepest(source, inside, -1)
    return Edge(last, first, arrow, _if_other(source, inside), _if_other(target, inside))


def _around(id: str, things: dict[str, Thing]) -> list[str]:
    """What a thing stands in, the nearest first."""
    found: list[str] = []
    thing = things.get(id)
    while thing is not None and thing.parent is not None and thing.parent not in found:
        found.append(thing.parent)
        thing = things.get(thing.parent)
    return found


def _deepest(id: str, inside: dict[str, list[Thing]], place: int) -> str:
    """The node at the bottom of a thing: the first that it holds, for place 0, the last for -1."""
    inner = inside.get(id)
    return _deepest(inner[place].id, inside, place) if inner else id


def _if_other(id: str, inside: dict[str, list[Thing]]) -> str | None:
    return id if inside.get(id) else None


def _down(scene: Scene) -> bool:
    across = downwards = 0.0
    for arrow in scene.arrows:
        (x, y), (to_x, to_y) = arrow.line.points[0], arrow.line.points[-1]
        across, downwards = across + abs(to_x - x), downwards + abs(to_y - y)
    return downwards >= across


def words(thing: Thing) -> list[str]:
    """What a node says, line by line: its label, or its name; and what is wrong with it."""
    lines = [line for line in thing.label if line] or [thing.id]
    if thing.count > 1 and not any(f"×{thing.count}" in line for line in lines):
        lines[0] += f" ×{thing.count}"
    return lines


def fault_lines(thing: Thing) -> list[str]:
    """What is wrong with a thing, in short lines; nothing if its label says so."""
    return wrapped(thing.fault, _SIZE, _ROOM) if thing.fault is not None and not thing.tells else []
