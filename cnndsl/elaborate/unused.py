"""Names that a file defines and never reads: parameters, `let`s, blocks that no network calls.

This looks at the lines as written, before anything is expanded: a line under an `if` that is not taken reads its names
as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cnndsl.diagnostics import Diagnostic, problem
from cnndsl.elaborate.file import target_names
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Document, Line

_READING: dict[Any, tuple[str, ...]] = {
    tree.Let: ("value",),
    tree.Function: ("value",),
    tree.For: ("iterable",),
    tree.Repeat: ("count",),
    tree.Network: ("parameters",),
    tree.Block: ("parameters",),
    tree.Instance: ("settings",),
    tree.Input: ("shape", "example", "where"),
    tree.Output: ("reference",),
    tree.Train: (),
    tree.Use: (),
}
"""The parts in which a statement reads names; of what is not here, all parts. The others define some."""


class Definition(Record):
    """A block or network: its line, and all lines that see its parameters, that one first."""

    line: Line
    lines: list[Line]


def unused_names(document: Document) -> list[Diagnostic]:
    """Warnings for the names of a file without errors that nothing reads. Names that begin with `_` are meant so. A
    file without networks is there for others: what it defines for them is not looked for."""
    reads = _Reads()
    networks, blocks, lets = _definitions(document)
    found: list[Diagnostic] = []
    everywhere = reads.of(document.lines)
    for one in networks.values():
        found += [*_parameters(one, "network", reads), *_lets(one, reads)]
    for name, one in blocks.items():
        # One that is passed as a value takes what its callers give to every block that may stand there.
        if name not in everywhere.values | everywhere.words:
            found += _parameters(one, "block", reads)
        found += _lets(one, reads)
    if networks:
        found += [_unread(span, name) for span, name in _targets(lets) if name not in everywhere.values]
        found += _uncalled(networks, blocks, lets, reads)
    return found


def _definitions(document: Document) -> tuple[dict[str, Definition], dict[str, Definition], list[Line]]:
    """The networks and the blocks of a file by name, and the `let`s outside them. An instance's lines belong to its
    base, whose parameters they see."""
    networks: dict[str, Definition] = {}
    blocks: dict[str, Definition] = {}
    instances: list[Definition] = []
    lets: list[Line] = []
    last: Definition | None = None
    for line in document.lines:
        statement = line.statement
        if isinstance(statement, (tree.Network, tree.Instance)):
            last = Definition(line, [line])
            if isinstance(statement, tree.Network):
                networks.setdefault(statement.name.name, last)
            else:
                instances.append(last)
        elif isinstance(statement, tree.Block):
            blocks.setdefault(statement.name.name, Definition(line, [line]))
        elif last is not None:
            last.lines.append(line)
        elif isinstance(statement, (tree.Let, tree.Function)):
            lets.append(line)
    for one in instances:
        base = networks.get(one.line.statement.base.name)
        if base is None:  # that of another file
            networks.setdefault(one.line.statement.name.name, one)
        else:
            base.lines.extend(one.lines)
    return networks, blocks, lets


def _parameters(one: Definition, sort: str, reads: _Reads) -> Iterator[Diagnostic]:
    """The parameters that no line of a block or network reads."""
    statement = one.line.statement
    if isinstance(statement, tree.Instance):
        return
    read = reads.of(one.lines).values
    for parameter in statement.parameters:
        if not parameter.rest and parameter.name not in read and not parameter.name.startswith("_"):
            # The name alone: the default stands behind it.
            start = one.line.start + parameter.start
            span = Span(one.line.source, start, start + len(parameter.name))
            yield problem("UnusedParameter", span, name=parameter.name, owner=f"the {sort} `{statement.name.name}`")


def _lets(one: Definition, reads: _Reads) -> Iterator[Diagnostic]:
    """The `let`s in a block or network that nothing there reads."""
    read = reads.of(one.lines).values
    for span, name in _targets(_every(one.lines)):
        if name not in read:
            yield _unread(span, name)


def _targets(lines: Iterable[Line]) -> Iterator[tuple[Span, str]]:
    """The names that `let` lines define, but for those that are meant to be left."""
    for line in lines:
        statement = line.statement
        if isinstance(statement, (tree.Let, tree.Function)):
            targets = (statement.name,) if isinstance(statement, tree.Function) else statement.targets
            for target in target_names(targets):
                if not target.name.startswith("_"):
                    yield line.span(target), target.name


def _unread(span: Span, name: str) -> Diagnostic:
    return problem("UnusedLet", span, name=name)


def _uncalled(
    networks: dict[str, Definition], blocks: dict[str, Definition], lets: list[Line], reads: _Reads
) -> Iterator[Diagnostic]:
    """Blocks that no network reaches, through whatever other blocks and values."""
    reached: set[str] = set()
    waiting: list[Iterable[Line]] = [lets, *(one.lines for one in networks.values())]
    while waiting:
        for name in set().union(*reads.of(waiting.pop())) & blocks.keys() - reached:
            reached.add(name)
            waiting.append(blocks[name].lines)
    for name, one in blocks.items():
        if name not in reached and not name.startswith("_"):
            yield problem("UncalledBlock", one.line.span(one.line.statement.name), name=name)


def _every(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines and those below them."""
    stack = [*lines]
    while stack:
        line = stack.pop()
        yield line
        stack.extend(line.body)


class Names(Record):
    """Names in lines: those that stand for values, the kinds of layers, and other words and strings, which may be
    the names of blocks."""

    values: set[str]
    kinds: set[str]
    words: set[str]


class _Reads:
    """What statements read. Equal lines share one statement, which is looked at once."""

    def __init__(self) -> None:
        self._known: dict[int, Names] = {}

    def of(self, lines: Iterable[Line]) -> Names:
        """The names in lines and below them."""
        found = Names(set(), set(), set())
        for line in _every(lines):
            for all_of_them, some in zip(found, self._statement(line.statement), strict=True):
                all_of_them |= some
        return found

    def _statement(self, statement: Any) -> Names:
        known = self._known.get(id(statement))
        if known is None:
            known = self._known[id(statement)] = Names(set(), set(), set())
            _collect(statement, known)
        return known


def _collect(node: Any, found: Names) -> None:
    """Add the names in a part of a statement."""
    stack = [node]
    while stack:
        one = stack.pop()
        kind = type(one)
        if kind is tree.Name:
            found.values.add(one.name)
        elif kind is tree.Reference:
            found.words.add(one.name)
            stack.extend(step for step in one.steps if type(step) is not str)
        elif kind is tree.Text:
            found.words.add(one.value)
        elif kind is tree.Item:
            if type(one.kind) is tree.Name:
                found.kinds.add(one.kind.name)
            else:
                stack.append(one.kind)
            stack += [one.arguments, one.count, one.alias]
        elif kind is tree.Sides:  # a name among them is a size that is not fixed
            stack.extend(side for side in one.sides if type(side) is not tree.Name)
        elif kind is tree.Claim:
            stack.append(None if type(one.shape) is tree.Name else one.shape)
        elif kind is tree.Comprehension:
            stack += [one.element, *(clause[1] for clause in one.clauses)]
        elif kind in _READING:
            stack += [getattr(one, name) for name in _READING[kind]]
        elif kind is not tree.Number and isinstance(one, tuple):  # every node is a tuple of its parts
            stack += [part for part in one if isinstance(part, tuple)]
