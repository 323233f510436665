"""Lines of a recipe that are about some layers: `freeze stage1 head.bias`."""

from __future__ import annotations

from cnndsl.graph import Graph, Node
from cnndsl.record import Record

NORMS = "norms"
"""Stands for all normalization layers, unless a layer or block is called so."""
_NORM_KINDS = frozenset({"bn", "ln", "gn", "instancenorm", "rmsnorm", "l2norm"})


class Selected(Record):
    """A layer that is meant; of its parameters only the one of this name, or all."""

    node: Node
    parameter: str | None = None


def learned(graph: Graph) -> dict[int, tuple[str, ...]]:
    """The names of the parameters that training changes, by the number of the layer that has them."""
    named = ((node.index, _parameters(graph, node, ("parameter",))) for node in graph.nodes)
    return {index: names for index, names in named if names}


def selected(graph: Graph, name: str) -> list[Selected]:
    """What a name in a recipe stands for: the layer of that name, all layers in the block or blocks of that name,
    all normalization layers (`norms`), or, with a parameter's name behind a dot, that of each of these (`c1.bias`)."""
    whole = _layers(graph, name)
    if whole:
        return [Selected(node) for node in whole]
    words = name.split(".")
    for dot in range(len(words) - 1, 0, -1):  # attention's parameters have dots in their names
        owner, parameter = ".".join(words[:dot]), ".".join(words[dot:])
        named = [n for n in _layers(graph, owner) if parameter in _parameters(graph, n, ("parameter", "frozen"))]
        if named:
            return [Selected(node, parameter) for node in named]
    return []


def names(graph: Graph) -> list[str]:
    """The names that `selected` knows, for "did you mean": the layers' and blocks', then those of parameters."""
    layers = dict.fromkeys(part for n in graph.nodes for part in (n.name, n.name.split(".")[0].split("[")[0]))
    learning = learned(graph)
    own = [f"{n.name}.{parameter}" for n in graph.nodes for parameter in learning.get(n.index, ())]
    norms = [f"{NORMS}.{parameter}" for n in _layers(graph, NORMS) for parameter in learning.get(n.index, ())]
    return [*own, *dict.fromkeys(norms), NORMS, *layers]


def _layers(graph: Graph, name: str) -> list[Node]:
    found = [n for n in graph.nodes if n.name == name or n.name.startswith((f"{name}.", f"{name}["))]
    return found or [n for n in graph.nodes if name == NORMS and n.kind in _NORM_KINDS]


def _parameters(graph: Graph, node: Node, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a layer's own parameters of these kinds; one that shares another's weights has none."""
    if node.layer is None or node.shares is not None:
        return ()
    inputs = [shape for edge in node.inputs if (shape := graph.shape_of(edge)) is not None]
    return tuple(weight.name for weight in node.layer.weights(*inputs) if weight.kind in kinds)
