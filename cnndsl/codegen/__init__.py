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
from cnndsl.graph import Graph
from cnndsl.layers.code import Support

__all__ = ["class_name", "emit", "emit_file", "module_paths"]

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


def explained_code(graph: Graph, indices: Iterable[int]) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Of each of these nodes, the path of its module (empty if it has none) and the lines that make and call it."""
    paths = module_paths(graph)
    planner = Planner(graph)
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for index in indices:
        path = paths.get(index, "")
        code = planner.codes.get(planner.owner(index))
        if code is None:
            found[index] = (path, ())
            continue
        count = max(len(graph.nodes[index].inputs), 1)
        names = Names(tuple("xyzuvw"[i] if i < 6 else f"x{i}" for i in range(count)), path)
        made = [
            f"self.{path}{'_' + suffix if suffix else ''} = {expression(call, names)}" for suffix, call in code.modules
        ]
        found[index] = (
            path,
            (*made, *(expression(call, names) for call in code.setup), expression(code.forward, names)),
        )
    return found


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
