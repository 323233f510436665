"""DOT, the language of Graphviz: the things and arrows of a scene, laid out by whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw.formats import Paper
from cnndsl.draw.formats.nested import Nested, fault_lines, nested, words
from cnndsl.draw.scene import Scene, Thing
from cnndsl.terminal import visible

_SIZE = 10
"""Of text, in points."""


def render(scene: Scene, paper: Paper) -> str:
    """The picture as a digraph: what holds others is a cluster."""
    return "\n".join([*_Digraph(scene, paper).lines(), ""])


class _Digraph:
    def __init__(self, scene: Scene, paper: Paper) -> None:
        self.scene = scene
        self.paper = paper
        self.graph: Nested = nested(scene)

    def lines(self) -> Iterator[str]:
        color, graph = self.paper.color, self.graph
        font = f"fontname={quoted(self.paper.theme.fonts[0])}, fontsize={_SIZE}, fontcolor={quoted(color('text'))}"
        yield f"digraph {quoted(self.scene.title)} {{"
        rank = "TB" if graph.down else "LR"
        yield f"    graph [rankdir={rank}, compound=true, bgcolor={quoted(self.paper.ground or 'transparent')}, {font}]"
        yield f"    node [shape=box, style={quoted('rounded,filled')}, color={quoted(color('outline'))}, {font}]"
        yield f"    edge [color={quoted(color('arrow'))}, arrowsize=0.7, {font}]"
        for thing in graph.top:
            yield from self._thing(thing, "    ")
        for edge in graph.edges:
            said = {
                "label": escaped([edge.arrow.label]) if edge.arrow.label else "",
                "ltail": quoted(_cluster(edge.tail)) if edge.tail is not None else "",
                "lhead": quoted(_cluster(edge.head)) if edge.head is not None else "",
                "color": quoted(color("skip")) if edge.arrow.skip else "",
            }
            yield f"    {quoted(edge.source)} -> {quoted(edge.target)}{_attributes(said)}"
        yield "}"

    def _thing(self, thing: Thing, indent: str) -> Iterator[str]:
        color, inner = self.paper.color, self.graph.inside.get(thing.id)
        faulty = thing.fault is not None
        said = {
            "label": escaped([*words(thing), *fault_lines(thing)]),
            "fillcolor": quoted(color(thing.role if inner is None else "group")),
            "color": quoted(color("fault-text" if faulty else "group-outline")) if faulty or inner else "",
            "penwidth": "2" if faulty else "",
            "tooltip": escaped([f"{name}: {value}" for name, value in thing.facts]) if thing.facts else "",
        }
        if inner is None:
            yield f"{indent}{quoted(thing.id)}{_attributes(said)}"
            return
        yield f"{indent}subgraph {quoted(_cluster(thing.id))} {{"
        yield f"{indent}    graph [style={quoted('rounded,filled')}, labeljust=l, {_attributes(said)[2:]}"
        for port in self.graph.ports.get(thing.id, ()):
            yield f"{indent}    {quoted(port)} [shape=point, width=0.06, fillcolor={quoted(color('arrow'))}]"
        for child in inner:
            yield from self._thing(child, f"{indent}    ")
        yield f"{indent}}}"


def quoted(text: str) -> str:
    """A name of DOT. It knows one escape, `\\"`, so that a backslash before a quote has to go."""
    return '"' + visible(text).replace("\\", "/").replace('"', '\\"') + '"'


def escaped(lines: list[str]) -> str:
    """A label of several lines. Graphviz reads `\\` and `&` in it as the beginnings of something else."""
    safe = [visible(line).replace("\\", "\\\\").replace("&", "&amp;").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(safe) + '"'


def _cluster(id: str) -> str:
    return f"cluster {id}"


def _attributes(given: dict[str, str]) -> str:
    said = ", ".join(f"{name}={value}" for name, value in given.items() if value)
    return f" [{said}]" if said else ""
