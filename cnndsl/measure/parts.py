"""The parts of a network as `expect` lines name them: layers, blocks, repeated ones; `stage[1].conv2.params`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cnndsl.elaborate.arithmetic import View
from cnndsl.graph import Edge, Graph, Output
from cnndsl.measure import Analysis, LayerMeasure

_step = re.compile(r"[^.\[\]]+|\[[0-9]+\]")


class Part(View):
    """A layer, a block, or several of them under one name with an index.

    path: its name from the network on. what: what messages call it. parts: what it holds, by name. entries: its
    members by index. first, last: its nodes' numbers, `last` excluded; none where it only holds others. result: the
    edge it gives; where that is None, its last member's.
    """

    def __init__(self, path: str, what: str, graph: Graph, analysis: Analysis) -> None:
        self.path = path
        self.what = what
        self.graph = graph
        self.analysis = analysis
        self.parts: dict[str, Part] = {}
        self.entries: dict[int, Part] = {}
        self.first = self.last = 0
        self.result: Edge | None = None

    @property
    def values(self) -> dict[str, Any]:  # type: ignore[override]
        """What it offers by name: its numbers, and its parts."""
        return {**self.parts, **self._numbers()}

    def _numbers(self) -> dict[str, Any]:
        """Sums over its layers; shape, receptive field and stride of what it gives, which is its last member's."""
        result = self._result()
        shape = None if result is None else self.graph.shape_of(result)
        last = None if result is None else self.analysis.layers[result.node]
        if shape is None or last is None:
            return {}
        made = list(self._made())
        macs = sum(m.macs for m in made)
        return {
            "params": sum(m.params for m in made),
            "macs": macs,
            "flops": 2 * macs,
            "connections": sum(m.connections for m in made),
            "rf": last.receptive_field,
            "stride": last.stride,
            "memory": sum(m.saved for m in made),
            "shape": shape.sizes,
            "channels": shape.channels,
            **dict(zip(shape.axes, shape.sizes, strict=False)),
        }

    def _result(self) -> Edge | None:
        if self.result is None and self.entries:
            return self.entries[max(self.entries)]._result()
        return self.result

    def _made(self) -> Iterator[LayerMeasure]:
        if self.first == self.last:
            for part in (*self.entries.values(), *self.parts.values()):
                yield from part._made()
        for measure in self.analysis.layers[self.first : self.last]:
            if measure is not None:
                yield measure

    def advice(self, name: str) -> str | None:
        """That one of several has what their common name does not offer."""
        for index, member in self.entries.items():
            if name in member.values:
                return f"`{self.path}` is several: did you mean `{self.path}[{index}].{name}`?"
        return None


def parts_of(graph: Graph, analysis: Analysis) -> dict[str, Part]:
    """Every layer, block and side output by its name; what is inside one or under an index, below it."""
    top = Part("", "the network", graph, analysis)
    for call in graph.calls:
        part = _at(top, call.name, "block")
        part.first, part.last, part.result = call.first, call.last, call.result
    for node in graph.nodes:
        part = _at(top, node.name, "layer")
        part.first, part.last, part.result = node.index, node.index + 1, Edge(node.index)
    for output in graph.outputs:
        _side_output(top, output)
    return top.parts


def _side_output(top: Part, output: Output) -> None:
    """Give the part of a side output its nodes and its result. Names given within it stand by themselves as well."""
    if output.first == output.last:
        return
    part = _at(top, output.name, "output")
    if part.result is None:
        part.what, part.result = f"the output `{output.name}`", output.edge
        part.first, part.last = output.first, output.last


def _at(part: Part, name: str, what: str) -> Part:
    """The part of this name below another; made if it is not there."""
    length = 0
    for match in _step.finditer(name):
        step = match.group()
        length = match.end()
        into: dict[Any, Part] = part.entries if step[0] == "[" else part.parts
        key = int(step[1:-1]) if step[0] == "[" else step
        if key not in into:
            kind = what if length == len(name) else "block"
            into[key] = Part(name[:length], f"the {kind} `{name[:length]}`", part.graph, part.analysis)
        part = into[key]
    return part
