"""From a graph to PyTorch source that a colleague would accept in review, without a dependency on cnndsl.

`plan.py` finds what each class does, `calls.py` which blocks call which. `blocks.py` reads what a block's text says,
`symbolic.py` puts its expressions (`symbols.py`) into the plans. `rows.py` finds what stands in an nn.Sequential,
`merge.py` which calls of a block share a class, `parameters.py` what its instances are given, `variables.py` what
tensors are called; `writer.py` and `python.py` write it down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap

from cnndsl.codegen.classes import Library
from cnndsl.codegen.identifiers import class_names
from cnndsl.codegen.plan import Planner
from cnndsl.codegen.python import WIDTH, Names, expression
from cnndsl.codegen.writer import Writer
from cnndsl.graph import Graph, Node
from cnndsl.layers.code import Support
from cnndsl.record import Record

__all__ = ["NodeCode", "class_name", "described", "emit", "emit_file", "module_paths", "node_codes"]

_definition = re.compile(r"(?m)^(?:class |def )?([A-Za-z_][A-Za-z0-9_]*)(?= =|\()")


def emit(graph: Graph, note: str = "") -> str:
    """The source of one network's module. Raises ValueError if the graph is not complete."""
    return emit_file([graph], note)


def emit_file(graphs: Sequence[Graph], note: str = "") -> str:
    """The source of a file with a class for each network, and for each block. `note` says where it comes from.

    Raises ValueError if a graph is not complete: a network with errors can't be compiled.
    """
    planners = [Planner(graph) for graph in graphs]
    support = {one.name: one.source.strip("\n") for planner in planners for one in _support(planner)}
    names = class_names(support_names(planners))
    own = [names.make(graph.name) for graph in graphs]
    library = Library(planners, names)
    functions = _defined(one for planner in planners for one in _support(planner))
    networks = [library.network(plan, name) for plan, name in zip(library.networks, own, strict=True)]
    classes = ["\n".join(Writer(library, made, functions).lines()) for made in (*library.blocks, *networks)]
    body = "\n\n\n".join([*support.values(), *classes])
    return "\n\n".join([_heading(graphs, note), _imports(body)]) + "\n\n\n" + body + "\n"


def class_name(graph: Graph) -> str:
    """The name of the class that `emit` writes for a graph."""
    return class_names(support_names([Planner(graph)])).make(graph.name)


def module_paths(graph: Graph) -> dict[int, str]:
    """Where the module of each layer is within the network's, by the number of its node: `layer1.0.conv1`.

    A layer of several modules has a `_` and a suffix behind it for each. Layers that share weights have one place.
    """
    planner = Planner(graph)
    library = Library([planner], class_names())
    (plan,) = library.networks
    library.network(plan, graph.name)
    paths = {}
    for node in graph.nodes:
        owner = planner.owner(node.index)
        if node.layer is not None and planner.codes[owner].modules:
            path = library.path(plan, owner)
            paths[node.index] = path.replace('["', ".").replace('"]', "").replace("[", ".").replace("]", "")
    return paths


class NodeCode(Record):
    """What one node is in PyTorch.

    path: that of its module in the network's, empty if it has none. made: what its modules are made by, each with its
    suffix; setup: what is done with them once. forward: the expression of its output, of the inputs x0, x1, … and of
    `self.layer` (with a `_` and the suffix behind it); it gives a tuple where a layer asks for another output.
    layout: where the channels are in what it takes and gives: `first`, `last`, or `any`.
    """

    path: str
    made: tuple[tuple[str, str], ...]
    setup: tuple[str, ...]
    forward: str
    layout: str


def node_codes(graph: Graph, indices: Iterable[int] | None = None) -> dict[int, NodeCode]:
    """The PyTorch of these nodes, or of all that have a layer, one by one. The graph is complete."""
    paths = module_paths(graph)
    planner = Planner(graph)
    return {
        node.index: _node_code(planner, node, paths.get(node.index, ""))
        for node in (graph.nodes if indices is None else [graph.nodes[index] for index in indices])
        if node.layer is not None and node.shapes is not None
    }


def _node_code(planner: Planner, node: Node, path: str) -> NodeCode:
    assert node.layer is not None
    assert node.shapes is not None
    code = node.layer.code(planner.input_shapes(node), node.shapes)
    names = Names(tuple(f"x{i}" for i in range(len(node.inputs))), "layer")
    forward = code.extended if planner.extended(node.index) and code.extended is not None else code.forward
    made = tuple((suffix, expression(call, names)) for suffix, call in code.modules)
    setup = tuple(expression(call, names) for call in code.setup)
    return NodeCode(path if made else "", made, setup, expression(forward, names), code.layout)


def described(code: NodeCode) -> tuple[str, ...]:
    """The lines that make a node's modules and call them, for people."""
    makes = [f"self.layer{'_' + suffix if suffix else ''} = {call}" for suffix, call in code.made]
    whole = code.path or "layer"
    lines = (line.replace("self.layer", f"self.{whole}") for line in (*makes, *code.setup, code.forward))
    return tuple(re.sub(r"\bx0\b", "x", line) if "x1" not in line else line for line in lines)


def support_names(planners: Iterable[Planner]) -> frozenset[str]:
    """Every name that is defined beside the classes of a file."""
    codes = [code for planner in planners for code in planner.codes.values()]
    return _defined(one for code in codes for one in (*code.support, *code.extended_support))


def _defined(support: Iterable[Support]) -> frozenset[str]:
    """The names that are defined at the margin of these sources: classes, functions, constants."""
    sources = {one.source for one in support}
    return frozenset(name for source in sources for name in _definition.findall(source))


def _support(planner: Planner) -> list[Support]:
    """The classes and functions that a network needs beside its classes."""
    found: list[Support] = []
    for index, code in planner.codes.items():
        found += code.support
        if planner.extended(index):
            found += code.extended_support
    return found


def _heading(graphs: Sequence[Graph], note: str) -> str:
    names = ", ".join(graph.name for graph in graphs)
    lines = wrap(f"{names} in PyTorch.", WIDTH, break_long_words=False)
    if note:
        lines += ["", *note.splitlines()]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{text}\n"""' if note else f'"""{text}"""'


def _imports(body: str) -> str:
    """The imports that the body needs, in the usual order."""
    code = re.sub(r'"""(?s:.)*?"""|#[^\n]*', "", body)
    lines = ["import math\n"] if re.search(r"\bmath\.", code) else []
    if re.search(r"\bCallable\[", code):
        lines = [*(line.strip("\n") for line in lines), "from collections.abc import Callable\n"]
    if re.search(r"\btorch\.", code):
        lines.append("import torch")
    if re.search(r"\bF\.", code):
        lines.append("import torch.nn.functional as F")
    lines.append("from torch import Tensor, nn")
    return "\n".join(lines)
