"""What the stages of the compiler made, for those who want to see inside: `check --emit tree|graph|analysis`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.graph import Graph
from cnndsl.measure import Analysis
from cnndsl.report import heading
from cnndsl.source import Source
from cnndsl.terminal import visible


def tree(source: Source, lines: list[Any]) -> Iterator[str]:
    """The syntax tree: a row for each logical line, nested as the text is. The pieces of a statement follow
    without their places; what could not be parsed is `None`."""
    yield f"{visible(source.name)}\n"
    stack = [(line, 1) for line in reversed(lines)]
    while stack:
        line, depth = stack.pop()
        number, column = source.position(line.start)
        yield f"{'  ' * depth}{number}:{column} {visible(_compact(line.statement))}\n"
        stack.extend((below, depth + 1) for below in reversed(line.body))


def graph(value: Graph) -> Iterator[str]:
    """The graph: a row for each node with its number, name, layer, inputs, shapes and place."""
    yield f"network {visible(heading(value))}\n"
    for node in value.nodes:
        inputs = ", ".join(f"{e.node}.{e.output}" if e.output else str(e.node) for e in node.inputs)
        layer = node.kind if node.layer is None else repr(node.layer)
        shapes = "?" if node.results is None else ", ".join(map(str, node.results))
        shared = "" if node.shares is None else f" sharing {node.shares}"
        line, column = node.span.source.position(node.span.start)
        place = f"{node.span.source.name}:{line}:{column}"
        yield visible(f"  {node.index} {node.name} = {layer} of ({inputs}){shared} -> {shapes} at {place}") + "\n"
    for output in value.outputs:
        training = " (training only)" if output.training else ""
        yield visible(f"  output {output.name} = {output.edge.node}.{output.edge.output}{training}") + "\n"


def analysis(value: Graph, numbers: Analysis) -> Iterator[str]:
    """The analysis: a row for each node, then the totals and the memory."""
    yield f"network {visible(heading(value))}\n"
    for node, measure in zip(value.nodes, numbers.layers, strict=True):
        yield f"  {node.index} {visible(node.name)}: {_fields(measure)}\n"
    yield f"  totals: {_fields(numbers.totals)}\n"
    yield f"  memory: {_fields(numbers.memory)}\n"


def _fields(value: Any) -> str:
    return "unknown" if value is None else ", ".join(f"{k}={v}" for k, v in value._asdict().items())


def _compact(value: Any) -> str:
    """A piece of the tree without places and without what is absent."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        fields = value._asdict().items()
        said = [f"{k}={_compact(v)}" for k, v in fields if k not in ("start", "end") and v is not None and v != ()]
        return f"{type(value).__name__}({', '.join(said)})"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_compact, value))}]"
    return repr(value)
