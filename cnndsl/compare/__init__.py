"""Comparing two networks: which layer of one is which of the other, and what became of it.

`align.py` finds the pairs (`sequence.py` where order decides), `changes.py` what differs in each, `checkpoint.py`
which tensors of a checkpoint of the first can be loaded into the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.graph import Edge, Graph, Node
from cnndsl.layers.arguments import Tensor, Tensors
from cnndsl.layers.base import Layer
from cnndsl.measure import Analysis
from cnndsl.record import Record


class Side(Record):
    """One of the two networks. label: what it is called in reports: its file, with a revision perhaps."""

    label: str
    graph: Graph
    analysis: Analysis


class Change(Record):
    """What changed of a layer, or of a network's parameters, in the user's words: `stride`, `1`, `2`."""

    name: str
    before: str
    after: str

    @property
    def said(self) -> str:
        """`stride 1 -> 2`; the values alone where they say what they are of: `bias -> nobias`, `relu -> gelu`."""
        alone = self.name == "kind" or self.name in (self.before, self.after)
        return f"{'' if alone else self.name + ' '}{self.before} -> {self.after}"


class Pair(Record):
    """A layer of both networks, or of one: then the other number is None.

    what: `same`; `affected`: the layer is as it was, but its numbers are not; `changed`; `added`; `removed`.
    changes: what differs in the layer itself, and `takes` where its inputs do. moved: whether it stands elsewhere
    among the others. renamed: whether it has another name.
    """

    a: int | None
    b: int | None
    what: str
    changes: tuple[Change, ...] = ()
    moved: bool = False
    renamed: bool = False


class Comparison(Record):
    """Two networks compared. pairs: every layer of both, in the order of the second, those that are gone between."""

    a: Side
    b: Side
    parameters: tuple[Change, ...]
    pairs: tuple[Pair, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs, not even a name of a layer."""
        return not self.parameters and all(p.what == "same" and not p.renamed and not p.moved for p in self.pairs)


def written_arguments(layer: Layer) -> Iterator[tuple[str, Any, Any]]:
    """A layer's arguments but for the tensors it takes, which are edges: name, value, default."""
    for argument in layer.arguments:
        if not isinstance(argument.type, (Tensor, Tensors)):
            yield argument.name, getattr(layer, argument.name), argument.default


def plain(value: Any) -> Any:
    """An argument's value in one form: a size whose sides are equal is one number (`/2x2` is `/2`)."""
    if isinstance(value, (list, tuple)):
        values = tuple(map(plain, value))
        return values[0] if values and all(v == values[0] and type(v) is int for v in values) else values
    return value


def sources(graph: Graph, node: Node) -> tuple[Edge, ...]:
    """What a node takes; where the order makes no difference, sorted."""
    return tuple(sorted(node.inputs)) if node.kind in ORDERLESS else node.inputs


ORDERLESS = frozenset({"add", "mul", "max", "absdiff"})
"""Kinds whose inputs may stand in any order."""
