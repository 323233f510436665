"""The report as JSON: the form that docs/json.md describes and docs/check.schema.json defines.

It is written piece by piece, one layer to a line, so that a network of 100,000 layers needs no second
copy of itself in memory. Everything is ASCII, so that no encoding can spoil it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Graph, Node, Output
from cnndsl.measure import CONVENTION, LayerMeasure, Memory, Totals
from cnndsl.report import Measured
from cnndsl.shape import Shape
from cnndsl.source import Span

if TYPE_CHECKING:
    from cnndsl.measure.counters import Counted

VERSION = 1
"""Rises when a field changes its meaning or goes; new fields may come without."""


def render(networks: Sequence[Measured], diagnostics: Sequence[Diagnostic], *, why: bool = False) -> Iterator[str]:
    """The document in pieces. `why` adds the reasons for which another tool's count is not the MACs."""
    yield f'{{\n"version": {VERSION},\n"convention": {json.dumps(CONVENTION)},\n"networks": ['
    for i, network in enumerate(networks):
        yield ",\n" if i else "\n"
        yield from _network(network, why=why)
    yield '\n],\n"diagnostics": ['
    for i, diagnostic in enumerate(diagnostics):
        yield (",\n" if i else "\n") + json.dumps(diagnostic.to_json())
    yield "\n]\n}\n"


def _network(network: Measured, *, why: bool) -> Iterator[str]:
    graph, analysis, counted = network
    head = {
        "name": graph.name,
        "span": graph.span.to_json(),
        "parameters": {name: value_data(value) for name, value in graph.parameters.items()},
        "inputs": [_input(graph.nodes[i]) for i in graph.inputs],
        "outputs": [_output(graph, output) for output in graph.outputs],
        "totals": totals_data(analysis.totals),
        "memory": memory_data(analysis.memory),
    }
    if counted is not None:
        head["count"] = _count(counted, why=why)
    yield json.dumps(head)[:-1] + ', "layers": ['
    texts = _Texts()
    for i, (node, measure) in enumerate(zip(graph.nodes, analysis.layers, strict=True)):
        layer = texts.layer(node, measure)
        if counted is not None:
            layer = f'{layer[:-1]}, "count": {json.dumps(value_data(counted.layers[i]))}}}'
        yield (",\n " if i else "\n ") + layer
    yield "\n]}"


def _count(counted: Counted, *, why: bool) -> dict[str, Any]:
    """Another tool's count, by its name, with its convention."""
    counter = counted.counter
    told: dict[str, Any] = {
        "name": counter.name,
        "tool": counter.tool,
        "unit": counter.unit,
        "convention": counter.said(),
    }
    told |= {"total": value_data(counted.total), "core": value_data(counted.core)}
    if why:
        from cnndsl.report import reasons

        told["why"] = reasons.data(counted)
    return told


def _input(node: Node) -> dict[str, Any]:
    shape = node.shapes[0] if node.shapes else None
    return {"name": node.name, "layer": node.index, **shape_data(shape)}


def _output(graph: Graph, output: Output) -> dict[str, Any]:
    where = {"layer": output.edge.node, "output": output.edge.output, "training": output.training}
    return {"name": output.name, **where, **shape_data(graph.shape_of(output.edge))}


def shape_data(shape: Shape | None) -> dict[str, Any]:
    """Axes and sizes as written, channels last; null where an error left them unknown."""
    if shape is None:
        return {"axes": None, "shape": None}
    return {"axes": list(shape.axes), "shape": list(map(value_data, shape.sizes))}


def totals_data(totals: Totals | None) -> dict[str, Any] | None:
    if totals is None:
        return None
    return {name: value_data(value) for name, value in totals._asdict().items()} | {"flops": value_data(totals.flops)}


def memory_data(memory: Memory | None) -> dict[str, Any] | None:
    if memory is None:
        return None
    return {**memory._asdict(), "inference": memory.inference, "training": memory.training}


def value_data(value: Any) -> Any:
    """A value of the language as JSON: what JSON has no form for, a symbol say, as `{"expr": …}`."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, (list, tuple)):
        return [value_data(member) for member in value]
    if isinstance(value, dict):
        return {str(key): value_data(member) for key, member in value.items()}
    return {"expr": str(value)}


class _Texts:
    """Layers as JSON text. What many layers have in common, spans and shapes, is made into text once."""

    def __init__(self) -> None:
        self._spans: dict[Span, str] = {}
        self._calls: dict[tuple[Span, ...], str] = {}
        self._shapes: dict[tuple[Shape, ...] | None, str] = {}
        self._measures: dict[LayerMeasure | None, str] = {}

    def layer(self, node: Node, measure: LayerMeasure | None) -> str:
        """One layer, on one line."""
        edges = node.inputs
        inputs = ", ".join([str(edge.node) for edge in edges])
        ports = ""
        if any(edge.output for edge in edges):
            ports = f', "input_outputs": [{", ".join([str(edge.output) for edge in edges])}]'
        shares = "null" if node.shares is None else node.shares
        return (
            f'{{"id": {node.index}, "name": {json.dumps(node.name)}, "named": {"true" if node.named else "false"}, '
            f'"kind": {json.dumps(node.kind)}, "span": {self._span(node.span)}, '
            f'"calls": {self._call_list(node.calls)}, '
            f'"inputs": [{inputs}]{ports}, "outputs": {self._outputs(node.results)}, "shares": {shares}, '
            f"{self._numbers(measure)}}}"
        )

    def _span(self, span: Span) -> str:
        if span not in self._spans:
            self._spans[span] = json.dumps(span.to_json())
        return self._spans[span]

    def _call_list(self, calls: tuple[Span, ...]) -> str:
        if calls not in self._calls:
            self._calls[calls] = f"[{', '.join(map(self._span, calls))}]"
        return self._calls[calls]

    def _outputs(self, shapes: tuple[Shape, ...] | None) -> str:
        if shapes not in self._shapes:
            self._shapes[shapes] = json.dumps([shape_data(shape) for shape in (shapes or (None,))])
        return self._shapes[shapes]

    def _numbers(self, measure: LayerMeasure | None) -> str:
        if measure not in self._measures:
            values = measure if measure is not None else (None,) * len(LayerMeasure._fields)
            named = {name: value_data(value) for name, value in zip(LayerMeasure._fields, values, strict=True)}
            self._measures[measure] = json.dumps(named)[1:-1]
        return self._measures[measure]
