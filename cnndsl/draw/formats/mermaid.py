"""Mermaid: a flowchart that GitHub and others draw from a fenced block."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw.formats import Paper
from cnndsl.draw.formats.nested import Nested, fault_lines, nested, words
from cnndsl.draw.scene import Scene, Thing
from cnndsl.terminal import visible

_PLAIN = frozenset(" -+/=.,:()[]×…·→")
"""Besides letters and digits what a label may hold as it is; `-` and `+` not at its beginning."""


def render(scene: Scene, paper: Paper) -> str:
    """The picture as a flowchart: what holds others is a subgraph."""
    return "\n".join([*_Flowchart(scene, paper).lines(), ""])


class _Flowchart:
    def __init__(self, scene: Scene, paper: Paper) -> None:
        self.scene = scene
        self.paper = paper
        self.graph: Nested = nested(scene)
        self.way = "TB" if self.graph.down else "LR"
        self.names = {thing.id: f"n{number}" for number, thing in enumerate(scene.things)}
        """Names of things and ports that are words of no language: `end` would be one."""
        for ports in self.graph.ports.values():
            self.names.update({port: f"p{len(self.names) + number}" for number, port in enumerate(ports)})

    def lines(self) -> Iterator[str]:
        graph, color = self.graph, self.paper.color
        yield f"flowchart {self.way}"
        yield f"    accTitle: {_told(self.scene.title)}"
        if self.scene.description:
            yield f"    accDescr: {_told(self.scene.description)}"
        for thing in graph.top:
            yield from self._thing(thing, "    ")
        for edge in graph.edges:
            # To a subgraph itself an arrow may run, but not between it and what is in it.
            between = f"-->|{escaped([edge.arrow.label])}|" if edge.arrow.label else "-->"
            source, target = self.names[edge.tail or edge.source], self.names[edge.head or edge.target]
            yield f"    {source} {between} {target}"
        used = dict.fromkeys(_class(thing, graph) for thing in self.scene.things)
        for name in used:
            role = name.removesuffix("-fault")
            stroke = color("fault-text") + ",stroke-width:3px" if name != role else color("outline")
            yield f"    classDef {name} fill:{color(role)},stroke:{stroke},color:{color('text')}"
        for name in used:
            members = [self.names[thing.id] for thing in self.scene.things if _class(thing, graph) == name]
            yield f"    class {','.join(members)} {name}"

    def _thing(self, thing: Thing, indent: str) -> Iterator[str]:
        label = escaped([*words(thing), *fault_lines(thing)])
        inner = self.graph.inside.get(thing.id)
        if inner is None:
            yield f"{indent}{self.names[thing.id]}[{label}]"
            return
        yield f"{indent}subgraph {self.names[thing.id]}[{label}]"
        yield f"{indent}    direction {self.way}"
        for port in self.graph.ports.get(thing.id, ()):
            yield f'{indent}    {self.names[port]}((" "))'
        for child in inner:
            yield from self._thing(child, f"{indent}    ")
        yield f"{indent}end"


def _class(thing: Thing, graph: Nested) -> str:
    role = "group" if thing.id in graph.inside else thing.role
    return f"{role}-fault" if thing.fault is not None else role


def escaped(lines: list[str]) -> str:
    """A label of several lines, in quotes. What Mermaid, Markdown or HTML might take for more than a letter is
    written as its number."""
    return '"' + "<br>".join(map(_numbered, lines)) + '"'


def _numbered(text: str) -> str:
    safe = [c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in visible(text).strip()]
    if safe and safe[0] in "-+":
        safe[0] = f"#{ord(safe[0])};"
    return "".join(safe)


def _told(text: str) -> str:
    """A line for those who can't see the picture; it ends where the line does."""
    return _numbered(text)
