"""From a graph to PyTorch source that a colleague would accept in review, without a dependency on cnndsl."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cnndsl.codegen.identifiers import Identifiers, attribute_names, class_names, variable_names
from cnndsl.codegen.python import Names, statement
from cnndsl.graph import INPUT, Edge, Graph, Node
from cnndsl.layers.code import Code, Input, Support, X, call
from cnndsl.shape import Shape

__all__ = ["class_name", "emit", "emit_file"]

INDENT = "        "

_definition = re.compile(r"(?m)^(?:class |def )?([A-Za-z_][A-Za-z0-9_]*)(?= =|\()")


def emit(graph: Graph, note: str = "") -> str:
    """The source of one network's module. Raises ValueError if the graph is not complete."""
    return emit_file([graph], note)


def emit_file(graphs: Sequence[Graph], note: str = "") -> str:
    """The source of a file with a class for each network. `note` says where it comes from.

    Raises ValueError if a graph is not complete: a network with errors can't be compiled.
    """
    names = class_names(support_names(graphs))
    writers = [_Writer(graph, names) for graph in graphs]
    support = {s.name: s.source.strip("\n") for writer in writers for s in writer.support()}
    bodies = [*support.values(), *("\n".join(writer.lines()) for writer in writers)]
    body = "\n\n\n".join(bodies)
    return "\n\n".join([_heading(graphs, note), _imports(body)]) + "\n\n\n" + body + "\n"


def class_name(graph: Graph) -> str:
    """The name of the class that `emit` writes for a graph."""
    return class_names(support_names([graph])).make(graph.name)


def support_names(graphs: Sequence[Graph]) -> frozenset[str]:
    """Every name that is defined beside the networks of a file."""
    codes = [code for graph in graphs for code in _codes(graph).values()]
    return _defined(one for code in codes for one in (*code.support, *code.extended_support))


def _defined(support: Iterable[Support]) -> frozenset[str]:
    """The names that are defined at the margin of these sources: classes, functions, constants."""
    sources = {one.source for one in support}
    return frozenset(name for source in sources for name in _definition.findall(source))


def _codes(graph: Graph) -> dict[int, Code]:
    """What each layer becomes, by its node's number. Raises ValueError if the graph is not complete."""
    if not graph.complete or not graph.outputs:
        raise ValueError(f"the network {graph.name} has errors")
    return {node.index: _code(graph, node) for node in graph.nodes if node.layer is not None}


def _code(graph: Graph, node: Node) -> Code:
    assert node.layer is not None
    assert node.shapes is not None
    shapes = [graph.shape_of(edge) for edge in node.inputs]
    return node.layer.code(tuple(shape for shape in shapes if shape is not None), node.shapes)


def _heading(graphs: Sequence[Graph], note: str) -> str:
    names = ", ".join(graph.name for graph in graphs)
    lines = [f"{names} in PyTorch."]
    if note:
        lines += ["", *note.splitlines()]
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{text}\n"""' if note else f'"""{text}"""'


def _imports(body: str) -> str:
    """The imports that the body needs, in the usual order."""
    code = re.sub(r'"""(?s:.)*?"""|#[^\n]*', "", body)
    lines = ["import math\n"] if re.search(r"\bmath\.", code) else []
    if re.search(r"\btorch\.", code):
        lines.append("import torch")
    if re.search(r"\bF\.", code):
        lines.append("import torch.nn.functional as F")
    lines.append("from torch import Tensor, nn")
    return "\n".join(lines)


class _Writer:
    """Writes one network's class."""

    def __init__(self, graph: Graph, names: Identifiers) -> None:
        self.graph = graph
        self.name = names.make(graph.name)
        self.uses = _uses(graph)
        self.codes = _codes(graph)
        self.reserved = _defined(self.support())
        attributes = attribute_names()
        self.modules: dict[int, str] = {}
        for node in graph.nodes:
            if node.layer is not None and node.shares is None and self.codes[node.index].modules:
                suffixes = tuple(suffix for suffix, _ in self.codes[node.index].modules)
                self.modules[node.index] = attributes.make(node.name, suffixes)
        self.variables: dict[Edge, str] = {}
        # Where the channels are in the tensor of each variable. Several edges may share one.
        self.layouts: dict[str, str] = {}

    def _extended(self, node: Node) -> bool:
        """Whether some layer takes an output of the node besides its first."""
        return any(output for output in self.uses.get(node.index, {}) if output)

    def support(self) -> list[Support]:
        """The classes and functions that the network's class needs beside it."""
        found: list[Support] = []
        for node in self.graph.nodes:
            if node.layer is not None:
                code = self.codes[node.index]
                found += [*code.support, *(code.extended_support if self._extended(node) else ())]
        return found

    def lines(self) -> list[str]:
        """The class."""
        return ["class " + self.name + "(nn.Module):", *self._docstring(), "", *self._init(), "", *self._forward()]

    def _docstring(self) -> list[str]:
        inputs = ", ".join(_batch_shape(self.graph.nodes[i].shapes) for i in self.graph.inputs)
        outputs = ", ".join(_batch_shape((self._shape(o.edge),)) for o in self.graph.outputs)
        return [f'    """Takes {inputs}, gives {outputs}."""']

    def _shape(self, edge: Edge) -> Shape:
        shapes = self.graph.nodes[edge.node].shapes
        assert shapes is not None
        return shapes[edge.output]

    def _init(self) -> list[str]:
        lines = ["    def __init__(self) -> None:", f"{INDENT}super().__init__()"]
        setup = []
        for index, attribute in self.modules.items():
            code = self.codes[index]
            names = Names((), attribute)
            for suffix, constructor in code.modules:
                target = f"self.{attribute}{'_' + suffix if suffix else ''}"
                lines += statement(target, constructor, names, INDENT)
            for one in code.setup:
                setup += statement("", one, names, INDENT)
        return lines + setup

    # --- forward ------------------------------------------------------------------------------------------------

    def _forward(self) -> list[str]:
        graph = self.graph
        variables = variable_names(self.reserved)
        lines: list[str] = []
        inputs = []
        for index in graph.inputs:
            single = len(graph.inputs) == 1 and self._runs_on(graph.nodes[index])
            name = "x" if single else variables.make(graph.nodes[index].name)
            inputs.append(name)
            self.variables[Edge(index)] = name
            self.layouts[name] = "first"
        for node in graph.nodes:
            if node.kind != INPUT:
                lines += self._node(node, variables)
        results = [self._in_layout(o.edge, "first", lines) for o in graph.outputs]
        lines.append(f"{INDENT}return {', '.join(results)}")
        given = ", ".join(f"{name}: Tensor" for name in inputs)
        kind = "Tensor" if len(results) == 1 else f"tuple[{', '.join(['Tensor'] * len(results))}]"
        return [f"    def forward(self, {given}) -> {kind}:", *lines]

    def _runs_on(self, node: Node) -> bool:
        """Whether a node's output is only taken by the very next node, or is the last one made: then it is `x`."""
        uses = self.uses.get(node.index, {})
        takers = [taker for output in uses.values() for taker in output]
        results = sum(o.edge.node == node.index for o in self.graph.outputs)
        last = node.index == len(self.graph.nodes) - 1
        runs_on = (takers == [node.index + 1] and not results) or (last and results == 1)
        return runs_on and not self._extended(node)

    def _node(self, node: Node, variables: Identifiers) -> list[str]:
        """The statement that computes a node's outputs."""
        code = self.codes[node.index]
        layout = code.layout
        lines: list[str] = []
        if layout == "any":
            layout = self.layouts[self.variables[node.inputs[0]]]
        inputs = tuple(self._in_layout(edge, layout, lines) for edge in node.inputs)
        owner = node.index if node.shares is None else node.shares
        names = Names(inputs, self.modules.get(owner, ""))
        first = Edge(node.index)
        if isinstance(code.forward, Input) and (inputs[0] != "x" or self._runs_on(node)):
            # The identity is no statement: its output is its input's variable.
            self.variables[first] = inputs[0]
            return lines
        name = "x" if self._runs_on(node) else variables.make(node.name)
        self.variables[first] = name
        self.layouts[name] = layout
        target, value = name, code.forward
        if self._extended(node):
            assert node.layer is not None
            extra = [variables.make(f"{node.name}_{output}") for output in node.layer.extra_outputs]
            for number, one in enumerate(extra, 1):
                self.variables[Edge(node.index, number)] = one
                self.layouts[one] = layout
            target, value = ", ".join([name, *extra]), code.extended
        shape, before = self._shape(first), self._shape(node.inputs[0])
        comment = str(shape) if shape != before else ""
        return lines + statement(target, value, names, INDENT, comment)

    def _in_layout(self, edge: Edge, layout: str, lines: list[str]) -> str:
        """The variable of an edge with its channels where they are wanted; a move is written if needed."""
        name = self.variables[edge]
        shape = self._shape(edge)
        if self.layouts[name] == layout or shape.rank == 0 or shape.tokens:
            return name
        move = (1, -1) if layout == "last" else (-1, 1)
        lines += statement(name, call(".movedim", X, *move), Names((name,), ""), INDENT)
        self.layouts[name] = layout
        return name


def _uses(graph: Graph) -> dict[int, dict[int, list[int]]]:
    """For each node, by output, the nodes that take it."""
    uses: dict[int, dict[int, list[int]]] = {}
    for node in graph.nodes:
        for edge in node.inputs:
            uses.setdefault(edge.node, {}).setdefault(edge.output, []).append(node.index)
    return uses


def _batch_shape(shapes: tuple[Shape, ...] | None) -> str:
    """A shape as PyTorch has it: `(N, 6, 28, 28)`."""
    assert shapes is not None
    shape = shapes[0]
    if shape.tokens:
        return f"(N, {shape.sizes[0]}) of integers"
    sizes = (shape.channels, *shape.spatial)
    return f"(N, {', '.join(map(str, sizes))})"
