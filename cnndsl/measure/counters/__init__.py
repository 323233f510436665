"""How other tools count: the number that each would print for a network, as tables over the primitive operations.

Every table says in what a tool's count of an operation differs from its multiply-accumulates (`core_macs`), and why.
So a count is always core plus the sum of its reasons, and `check --why` can name every one. What a table does not
mention, the tool counts as core does.

The number is the tool's for a module that a user would write by hand: one example, in evaluation (`model.eval()`),
PyTorch's own module for every layer that has one (`nn.ReLU`, `nn.MaxPool2d`, `nn.Softmax`, …), operators for merges
(`x + y`, `torch.cat`), and for kinds that PyTorch lacks the class that `compile` writes. The tools' mistakes are kept.
A layer that is used again (`reuse`) counts again with every tool, as with core.

Sources: the tools' own code in the versions named below; the tests run them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cnndsl.graph import INPUT, Edge, Graph, Node
from cnndsl.layers.base import Layer
from cnndsl.measure.counters.terms import Counter, Step
from cnndsl.measure.primitives import core_macs
from cnndsl.record import Record
from cnndsl.shape import Shape

NAMES = ("core", "torch", "fvcore", "torchinfo", "thop", "ptflops", "calflops")
"""What `check --count` takes. Each but `core` is the module `of_…` with its `COUNTER`: to add one, add both."""

CORE = Counter(
    "core",
    "cnndsl",
    "MACs",
    "MACs: multiply-accumulates of convolutions, matrix products and weighted sums, without bias.",
    {},
)


def counter_named(name: str) -> Counter:
    """The counter of one of NAMES, imported when it is asked for."""
    if name == "core":
        return CORE
    counter: Counter = import_module(f"cnndsl.measure.counters.of_{name}").COUNTER
    return counter


class Group(Record):
    """A reason to count otherwise than core, and by how much in all; `layers` are the numbers of the nodes that it
    applies to, each with its part, the largest first."""

    reason: str
    amount: int
    layers: tuple[tuple[int, int], ...]


class Counted(Record):
    """A network as a tool counts it.

    layers: the count of each node; None where its shape is unknown. total: the sum over the main path, as the tool
    sees the network in evaluation; None if any shape is unknown. core: the multiply-accumulates of the same layers.
    groups: why the total is not core, largest first; their amounts add up to the difference.
    """

    counter: Counter
    layers: tuple[int | None, ...]
    total: int | None
    core: int
    groups: tuple[Group, ...]


def count(graph: Graph, counter: Counter) -> Counted:
    """The graph's count, one pass; what depends on a layer and its inputs alone is remembered."""
    auxiliary = graph.auxiliary()
    known: dict[tuple[Any, ...], tuple[int, dict[str, int]]] = {}
    layers: list[int | None] = []
    core = 0
    parts: dict[str, dict[int, int]] = {}
    for node in graph.nodes:
        if node.shapes is None:
            layers.append(None)
            continue
        if node.kind == INPUT or node.layer is None:
            layers.append(0)
            continue
        inputs = tuple(_shape(graph, edge) for edge in node.inputs)
        key = (node.layer, *inputs)
        if key not in known:
            known[key] = _layer(node, node.layer, inputs, counter)
        macs, differences = known[key]
        layers.append(macs + sum(differences.values()))
        if node.index in auxiliary:
            continue
        core += macs
        for reason, amount in differences.items():
            parts.setdefault(reason, {})[node.index] = amount
    whole = graph.complete and bool(graph.outputs)
    total = sum(n or 0 for i, n in enumerate(layers) if i not in auxiliary) if whole else None
    return Counted(counter, tuple(layers), total, core, _groups(parts))


def _shape(graph: Graph, edge: Edge) -> Shape:
    shape = graph.shape_of(edge)
    assert shape is not None
    return shape


def _layer(node: Node, layer: Layer, inputs: tuple[Shape, ...], counter: Counter) -> tuple[int, dict[str, int]]:
    """A layer's multiply-accumulates, and what the counter counts besides, by reason."""
    assert node.shapes is not None
    macs = 0
    differences: dict[str, int] = {}
    for operation in layer.operations(inputs, node.shapes):
        macs += int(core_macs(operation))
        step = Step(operation, layer, inputs, node.shapes)
        for term in counter.terms_of(layer.kind, operation.primitive):
            amount = term.amount(step)
            if amount:
                differences[term.reason] = differences.get(term.reason, 0) + amount
    return macs, differences


def _groups(parts: dict[str, dict[int, int]]) -> tuple[Group, ...]:
    groups = [
        Group(reason, sum(of.values()), tuple(sorted(of.items(), key=lambda part: (-abs(part[1]), part[0]))))
        for reason, of in parts.items()
    ]
    return tuple(sorted(groups, key=lambda group: -abs(group.amount)))
