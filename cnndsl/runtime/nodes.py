"""A compiled network run node by node, with the modules of the whole: what every layer really gives."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from cnndsl.codegen import NodeCode, node_codes
from cnndsl.graph import INPUT, Graph, Node

Outputs = tuple[Tensor, ...]


def call(module: nn.Module, code: NodeCode, inputs: Sequence[Tensor], *, training: bool = False) -> Outputs:
    """The outputs of one node of inputs whose channels stand first, theirs standing first, too.

    The node's expression is run in the compiled source's own names, with the module's own parts.
    """
    layer = {f"layer{'_' + suffix if suffix else ''}": part for suffix, part in parts(module, code)}
    names = {**vars(sys.modules[type(module).__module__]), "torch": torch, "nn": nn, "F": F}
    moved = [x.movedim(1, -1) if code.layout == "last" and x.dim() > 2 else x for x in inputs]
    names |= {f"x{number}": tensor for number, tensor in enumerate(moved)}
    names["self"] = SimpleNamespace(**layer, training=training)
    given = eval(code.forward, names)
    found = given if isinstance(given, tuple) else (given,)
    return tuple(x.movedim(-1, 1) if code.layout == "last" and x.dim() > 2 else x for x in found)


def parts(module: nn.Module, code: NodeCode) -> list[tuple[str, nn.Module]]:
    """A node's modules with their suffixes."""
    return [(s, module.get_submodule(f"{code.path}_{s}" if s else code.path)) for s, _ in code.made]


def parameters(module: nn.Module, code: NodeCode, name: str | None = None) -> list[nn.Parameter]:
    """A node's parameters, or the one of that name."""
    if name is not None:
        return [module.get_parameter(f"{code.path}.{name}")]
    return [parameter for _, part in parts(module, code) for parameter in part.parameters()]


def run(
    graph: Graph, module: nn.Module, inputs: Sequence[Tensor], *, change: Callable[[Node, Tensor], Tensor] | None = None
) -> Iterator[tuple[Node, list[Tensor], Outputs]]:
    """Every node in order, with what it was given and what it gives, as the module computes it in its present mode.

    Tensors have their channels first. `change` may replace a node's first output before others see it.
    """
    codes = node_codes(graph)
    tensors: dict[tuple[int, int], Tensor] = dict(zip(((index, 0) for index in graph.inputs), inputs, strict=True))
    for node in graph.nodes:
        given: list[Tensor] = []
        if node.kind == INPUT:
            found: Outputs = (tensors[node.index, 0],)
        else:
            given = [tensors[edge.node, edge.output] for edge in node.inputs]
            found = call(module, codes[node.index], given, training=module.training)
        if change is not None:
            found = (change(node, found[0]), *found[1:])
        tensors |= {(node.index, number): tensor for number, tensor in enumerate(found)}
        yield node, given, found
