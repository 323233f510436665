"""What a spec's text holds at each place: the item of a node, the lines around it, where a value is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Edit
from cnndsl.graph import Edge, Graph, Node
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Document, Line


class Handle(Record):
    """An item that can be edited: its line, and the items of the blocks it stands in, outermost first.

    node: the node that it made, or one of them, if it calls a block; then `calls_block`.
    """

    line: Line
    item: tree.Item
    node: Node
    calls: tuple[Span, ...]
    calls_block: bool

    @property
    def span(self) -> Span:
        return self.line.span(self.item)

    def edit(self, node: Any, text: str) -> Edit:
        """Replace a part of the line's statement."""
        return Edit(self.line.span(node), text)

    def insert(self, offset: int, text: str) -> Edit:
        """Insert at an offset of the line."""
        at = self.line.start + offset
        return Edit(Span(self.line.source, at, at), text)


class Spec:
    """A document's lines and items by their places. Only the main file can be edited."""

    def __init__(self, document: Document, wrong: frozenset[Span] = frozenset()) -> None:
        self.document = document
        self.wrong = wrong
        """Places of all errors."""
        self.source: Source = document.source
        self.parents: dict[int, Line | None] = {}
        """The line above each line's body, by where the line stands. An arm's first line stands behind it."""
        self.chains: dict[tuple[int, int], tuple[Line, tree.Item]] = {}
        self.inputs: dict[tuple[int, int], Line] = {}
        self.blocks: dict[str, Line] = {}
        self.lines: list[Line] = []
        self._look(document.lines, None)
        self.newline = "\r\n" if "\r\n" in self.source.text else "\n"

    def _look(self, lines: list[Line], parent: Line | None) -> None:
        for line in lines:
            self.lines.append(line)
            self.parents[id(line)] = parent
            statement = line.statement
            if isinstance(statement, tree.Chain):
                for item in statement.items:
                    self.chains[line.start + item.start, line.start + item.end] = line, item
            elif isinstance(statement, tree.Input):
                self.inputs[line.start, line.end] = line
            elif isinstance(statement, tree.Block):
                self.blocks[statement.name.name] = line
            self._look(line.body, line)

    def item_at(self, span: Span) -> tuple[Line, tree.Item] | None:
        """The item whose place this is, if it stands in the main file."""
        return self.chains.get((span.start, span.end)) if span.source is self.source else None

    def siblings(self, line: Line) -> list[Line]:
        """The lines of the body that a line stands in, itself among them."""
        parent = self.parents[id(line)]
        return self.document.lines if parent is None else parent.body

    def handles(self, node: Node) -> Iterator[Handle]:
        """What can be edited about a node: its own item, then the calls of the blocks it is in, innermost first."""
        found = self.item_at(node.span)
        if found is not None:
            yield Handle(*found, node, node.calls, False)
        for depth in range(len(node.calls) - 1, -1, -1):
            found = self.item_at(node.calls[depth])
            if found is not None:
                yield Handle(*found, node, node.calls[:depth], True)

    def handle(self, node: Node) -> Handle | None:
        """The innermost of them."""
        return next(self.handles(node), None)

    def is_repeated(self, line: Line) -> bool:
        """Whether a line stands in a block or a loop, so that it may give another shape each time."""
        above = self.parents[id(line)]
        while above is not None:
            if isinstance(above.statement, (tree.Block, tree.For, tree.Repeat)):
                return True
            above = self.parents[id(above)]
        return False

    def uses_word(self, word: str) -> bool:
        """Whether a layer of the spec has this word, such as `same`, among its arguments."""
        return any(
            isinstance(argument, tree.Reference) and argument.name == word
            for _, item in self.chains.values()
            for argument in item.arguments
        )

    def uses_named(self, name: str) -> bool:
        """Whether a layer of the spec has an argument `name=`."""
        return any(
            isinstance(argument, tree.Named) and argument.name == name
            for _, item in self.chains.values()
            for argument in item.arguments
        )

    # --- where a value is written -------------------------------------------------------------------------------

    def literal(self, value: Any, line: Line, calls: tuple[Span, ...]) -> Span | None:
        """Where the number is written that a value is: here, or where the block was called with it, or in the
        network's header; None if it is computed."""
        if isinstance(value, tree.Number):
            return line.span(value)
        if isinstance(value, tree.Brace):
            value = value.expression
        if isinstance(value, tree.Number):
            return line.span(value)
        if isinstance(value, tree.Name):
            return self._named_literal(value.name, line, calls)
        return None

    def _named_literal(self, name: str, line: Line, calls: tuple[Span, ...]) -> Span | None:
        top = line
        while (above := self.parents[id(top)]) is not None and not isinstance(top.statement, tree.Block):
            if isinstance(above.statement, (tree.For, tree.Repeat)):
                return None
            top = above
        if isinstance(top.statement, tree.Block):
            return self._argument_literal(top.statement, name, calls)
        for other in self.lines:
            statement = other.statement
            if isinstance(statement, tree.Let) and [getattr(t, "name", "") for t in statement.targets] == [name]:
                return other.span(statement.value) if isinstance(statement.value, tree.Number) else None
        header = self.header(top)
        for parameter in getattr(header.statement, "parameters", ()) if header is not None else ():
            if parameter.name == name and isinstance(parameter.default, tree.Number):
                return header.span(parameter.default) if header is not None else None
        return None

    def header(self, line: Line) -> Line | None:
        """The line above a line that begins its network, or an instance."""
        kinds = (tree.Network, tree.Instance)
        headers = [one for one in self.lines if isinstance(one.statement, kinds) and one.start <= line.start]
        return headers[-1] if headers else None

    def _argument_literal(self, block: tree.Block, name: str, calls: tuple[Span, ...]) -> Span | None:
        """Where a call of a block gives the number that is its parameter `name`."""
        found = self.item_at(calls[-1]) if calls else None
        if found is None or getattr(found[1].kind, "name", "") != block.name.name:
            return None
        line, item = found
        positional = []
        for argument in item.arguments:
            if isinstance(argument, tree.Named):
                if argument.name == name:
                    return self.literal(argument.value, line, calls[:-1])
            elif isinstance(argument, tree.Slash):
                if name == "stride":
                    return self.literal(argument.value, line, calls[:-1])
            else:
                positional.append(argument)
        given = {a.name for a in item.arguments if isinstance(a, tree.Named)}
        given |= {"stride" for a in item.arguments if isinstance(a, tree.Slash)}
        open_ = [p.name for p in block.parameters if not p.rest and p.name not in given]
        meant = dict(zip(open_, positional, strict=False)).get(name)
        return self.literal(meant, line, calls[:-1]) if meant is not None else None


def chain_to(graph: Graph, edge: Edge) -> list[Node]:
    """The nodes from the one that an edge leaves back to an input, following first inputs."""
    found = []
    node = graph.nodes[edge.node]
    while True:
        found.append(node)
        if not node.inputs:
            return found
        node = graph.nodes[node.inputs[0].node]


def arms_of(graph: Graph, node: Node) -> list[list[Node]]:
    """For each input of a merge, the nodes on its way from where the arms part, the last first; an arm without layers
    is empty."""
    chains = [chain_to(graph, edge) for edge in node.inputs]
    common = set.intersection(*({one.index for one in chain} for chain in chains))
    return [[one for one in chain if one.index not in common] for chain in chains]
