"""What `check` prints: pure functions from graphs and analyses to text.

`as_table` draws for a terminal, `as_json`, `as_csv` and `as_markdown` write for programs and for reviews.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cnndsl.graph import Graph
from cnndsl.measure import Analysis
from cnndsl.record import Record
from cnndsl.shape import Shape

if TYPE_CHECKING:
    from cnndsl.measure.counters import Counted

COUNTED = (
    "Counted for one example. MACs: multiply-accumulates of convolutions, matrix products and weighted sums, "
    "without bias; FLOPs = 2 MACs. Shared weights count once."
)
"""The convention of every count, for people; `measure.CONVENTION` is its long form."""


class Measured(Record):
    """A network and its numbers, as the report sees them; `counted` is another tool's count, where one is asked for."""

    graph: Graph
    analysis: Analysis
    counted: Counted | None = None

    @property
    def title(self) -> str:
        """The head of the column with the operations: MACs, or what another tool calls its number."""
        return "MACs" if self.counted is None else self.counted.counter.title

    def counts(self) -> list[int | None]:
        """What stands in that column for each layer."""
        if self.counted is not None:
            return list(self.counted.layers)
        return [None if m is None else m.macs for m in self.analysis.layers]

    @property
    def total(self) -> int | None:
        """What stands under that column: the main path's; None if it is unknown."""
        if self.counted is not None:
            return self.counted.total
        return self.analysis.totals.macs if self.analysis.totals else None


def conventions(networks: Iterable[Measured]) -> str:
    """How everything in a report was counted, for people."""
    counted = next((n.counted for n in networks if n.counted is not None), None)
    return COUNTED if counted is None else f"{counted.counter.said()} {COUNTED}"


def signature(graph: Graph) -> str:
    """What goes in and comes out: `32x32x1 -> 10`, inputs and outputs named where there are several."""
    inputs = [(graph.nodes[i].name, _shapes_text(graph.nodes[i].shapes)) for i in graph.inputs]
    outputs = [(o.name, str(graph.shape_of(o.edge) or "?")) for o in graph.outputs if not o.training]
    return f"{_listed(inputs)} -> {_listed(outputs)}"


def heading(graph: Graph) -> str:
    """A network's name with its parameters' values: `ResNet(depth=50)`."""
    given = given_text(graph)
    return f"{graph.name}({given})" if given else graph.name


def given_text(graph: Graph) -> str:
    """The values of a network's parameters: `depth=50, classes=1000`; empty if it has none."""
    return ", ".join(f"{name}={_value_text(value)}" for name, value in graph.parameters.items())


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _shapes_text(shapes: tuple[Shape, ...] | None) -> str:
    return "?" if shapes is None else ", ".join(map(str, shapes))


def _listed(named: Iterable[tuple[str, str]]) -> str:
    named = list(named)
    if len(named) == 1:
        return named[0][1]
    return ", ".join(f"{name} {shape}" for name, shape in named) or "?"
