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
    holds nothing is a node. down: whether arrows mostly run downwards, and not to the right."""

    top: tuple[Thing, ...]
    inside: dict[str, tuple[Thing, ...]]
    down: bool

    def first(self, id: str) -> str:
        """The node in a thing that takes what comes to it: itself, if it holds none."""
        inner = self.inside.get(id)
        return self.first(inner[0].id) if inner else id

    def last(self, id: str) -> str:
        """The node in a thing that gives what leaves it."""
        inner = self.inside.get(id)
        return self.last(inner[-1].id) if inner else id


def nested(scene: Scene) -> Nested:
    known = {thing.id for thing in scene.things}
    top: list[Thing] = []
    inside: dict[str, list[Thing]] = {}
    for thing in scene.things:
        if thing.parent in known and thing.parent != thing.id:
            inside.setdefault(str(thing.parent), []).append(thing)
        else:
            top.append(thing)
    return Nested(tuple(top), {holder: tuple(things) for holder, things in inside.items()}, _down(scene))


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


def ends(arrow: Arrow, graph: Nested) -> tuple[str, str]:
    """The nodes between which an arrow runs: of things that hold others, those that give and take."""
    return graph.last(arrow.source), graph.first(arrow.target)
