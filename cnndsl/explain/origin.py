"""Where a layer comes from: the item that made it, what its expressions came to, and the calls of blocks around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.elaborate import elaborate
from cnndsl.elaborate.arithmetic import Budget, EvaluationError, View
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.elaborate.frame import Frame
from cnndsl.elaborate.network import Expander
from cnndsl.graph import Edge, Graph, Node
from cnndsl.layers.bind import written
from cnndsl.pipeline import Checked, Options, elaborate_options
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line


class Worked(Record):
    """An expression of the spec: its text, its value, and the values of the names in it, as they are written."""

    text: str
    value: str
    names: tuple[tuple[str, str], ...]


class Origin(Record):
    """One item: its place, the expressions in it, and for a call of a block the values of the block's parameters."""

    span: Span
    worked: tuple[Worked, ...]
    block: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


def origins(checked: Checked, options: Options, graph: Graph, node: Node) -> tuple[Origin, ...]:
    """The item that made a node, and before it the calls of the blocks that it stands in, outermost first.

    The spec is expanded once more, with somebody who looks on.
    """
    found: list[Origin] = []

    def expander(*values: Any) -> Expander:
        return _Watching(*values, wanted=node.index, network=graph.name, found=found)

    elaborate(checked.document, elaborate_options(options), checked.library, expander)
    return tuple(found)


class _Watching(Expander):
    """Expands a network, and notes how one of its nodes came to be."""

    def __init__(self, *values: Any, wanted: int, network: str, found: list[Origin]) -> None:
        super().__init__(*values)
        self.wanted = wanted if self.network.name == network else -1
        self.found = found
        self.around: list[tuple[tree.Item, Line, Frame, int]] = []

    def add(self, kind: str, layer: Any, inputs: Any, shapes: Any, line: Line, item: Any, frame: Frame, *more: Any,
            **named: Any) -> Edge:  # fmt: skip
        if len(self.nodes) == self.wanted:
            for outer, place, caller, call in self.around:
                made = self.calls[call] if call < len(self.calls) else None
                values = () if made is None else tuple((n, _shown(v)) for n, v in made.values.items())
                block = "" if made is None else made.block
                self.found.append(Origin(place.span(outer), _worked(outer, place, caller), block, values))
            self.found.append(Origin(line.span(item), _worked(item, line, frame)))
        return super().add(kind, layer, inputs, shapes, line, item, frame, *more, **named)

    def _call_block(self, block: Any, item: tree.Item, line: Line, frame: Frame, called: str, named: bool) -> None:
        self.around.append((item, line, frame, len(self.calls)))
        super()._call_block(block, item, line, frame, called, named)
        self.around.pop()


def _worked(item: tree.Item, line: Line, frame: Frame) -> tuple[Worked, ...]:
    """The expressions of an item, each once."""
    found: dict[str, Worked] = {}
    for node in (*_braces(item.kind), *(one for argument in item.arguments for one in _braces(argument))):
        text = line.span(node).text
        value = _value(node, frame.scope)
        if value is not None and text not in found:
            names = {line.span(name).text: _value(name, frame.scope) for name in _named(node)}
            known = tuple((name, one) for name, one in names.items() if one is not None)
            found[text] = Worked(text, value, known)
    return tuple(found.values())


def _braces(node: Any) -> Iterator[Any]:
    """The outermost expressions in braces."""
    if isinstance(node, tree.Brace):
        yield node
    elif isinstance(node, tuple):
        for part in node:
            yield from _braces(part)


def _named(node: Any) -> Iterator[Any]:
    """What an expression names: `width`, `input.channels`, `widths[2]`. Functions are no values."""
    if (isinstance(node, tree.Attribute) and isinstance(node.value, tree.Name)) or isinstance(node, tree.Name):
        yield node
    elif isinstance(node, tree.Call):
        yield from (name for one in node.arguments for name in _named(one))
    elif isinstance(node, tree.Comprehension):
        return
    elif isinstance(node, tuple):
        for part in node:
            yield from _named(part)


def _value(node: Any, scope: Scope) -> str | None:
    try:
        value = evaluate(node.expression if isinstance(node, tree.Brace) else node, scope, Budget())
    except (EvaluationError, Silent, KeyError):
        return None
    return None if isinstance(value, View) else _shown(value)


def _shown(value: Any) -> str:
    text = written(value)
    return text if len(text) <= 60 else text[:57] + "..."
