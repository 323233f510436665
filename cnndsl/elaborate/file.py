"""Sorting a file's lines: the `let`s that hold for it, its blocks, its networks and their lines, what it uses."""

from __future__ import annotations

import re
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest, problem
from cnndsl.elaborate.evaluate import UNKNOWN, Scope
from cnndsl.layers import find
from cnndsl.layers.index import KINDS
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Document, Line


class NetworkLines(Record):
    """A network as written: its header, parameters and lines.

    header: None for layers without a `network` line. file: the file of its parameters and lines. base: the network
    that an instance is made of, in `file`. own: an instance's own lines, its expectations and recipes; own_file:
    the file of those, and of its settings.
    """

    name: str
    header: Line | None
    parameters: tuple[tree.Parameter, ...]
    lines: tuple[Line, ...]
    file: File
    base: NetworkLines | None = None
    settings: tuple[tree.Named, ...] = ()
    own: tuple[Line, ...] = ()
    own_file: File | None = None


class Block(Record):
    """A block's line, the file whose names its body sees, and whether it passes arguments on with `...`."""

    line: Line
    file: File
    passes_on: bool


class File:
    """What one file defines, as its blocks and networks see it.

    lets, uses: its lines of those kinds. joint: its recipes for two networks. blocks, networks: by name, those that it
    uses included. own: the names that it defines itself. places: where each name is defined here. unknown: names that
    something unreadable may have defined; blind: whether that may have been any name. imported: `let` names of other
    files with their names here. scope: the names that hold for the file. steps: what was found out about its chains.
    """

    __slots__ = (
        "blind", "blocks", "imported", "joint", "lets", "networks", "own", "places", "scope", "steps", "unknown",
        "uses",
    )  # fmt: skip

    def __init__(self) -> None:
        self.lets: list[Line] = []
        self.uses: list[Line] = []
        self.joint: list[Line] = []
        self.blocks: dict[str, Block] = {}
        self.networks: dict[str, NetworkLines] = {}
        self.own: set[str] = set()
        self.places: dict[str, Span] = {}
        self.unknown: set[str] = set()
        self.blind = False
        self.imported: list[tuple[File, str, str]] = []
        self.scope = Scope()
        self.steps: dict[int, Any] = {}

    def may_define(self, name: str) -> bool:
        """Whether something that could not be read may have defined a name."""
        return self.blind or name in self.unknown


_DEFINING = {"let", "block", "network", "use"}
_parameter = re.compile(r"[(,]\s*([A-Za-z_][A-Za-z0-9_]*)")


def sort_lines(document: Document) -> tuple[File, list[Diagnostic]]:
    """The definitions of a document. Instances have their settings only: see `resolve_instances`."""
    return _Sorter(document).run()


class _Sorter:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.diagnostics: list[Diagnostic] = []
        self.file = File()
        self.open: tuple[Line | None, list[Line]] | None = None

    def run(self) -> tuple[File, list[Diagnostic]]:
        for line in self.document.lines:
            self._line(line)
        self._close()
        self.file.scope.values.update(dict.fromkeys(self.file.unknown, UNKNOWN))
        return self.file, self.diagnostics

    def _line(self, line: Line) -> None:
        statement = line.statement
        if statement is None:
            self._unreadable(line)
        if isinstance(statement, (tree.Network, tree.Instance)):
            self._close()
            self.open = (line, list(line.body))
        elif isinstance(statement, tree.Block):
            self._block(line)
        elif isinstance(statement, tree.Use):
            self.file.uses.append(line)
        elif isinstance(statement, tree.Train) and statement.of:
            self._close()
            self.file.joint.append(line)
        elif self.open is not None:
            self.open[1].append(line)
        elif isinstance(statement, (tree.Let, tree.Function)):
            self.file.lets.append(line)
            targets = (statement.name,) if isinstance(statement, tree.Function) else statement.targets
            self.file.own.update(target.name for target in target_names(targets))
        elif statement is not None:
            self._without_header(line)

    def _without_header(self, line: Line) -> None:
        """Layers before any `network` line: said once, then checked as a network without a name."""
        first = line.statement.items[0] if isinstance(line.statement, tree.Chain) and line.statement.items else None
        word = first.kind.name if first is not None and isinstance(first.kind, tree.Name) else ""
        guess = closest(word, _DEFINING, cutoff=0.7)
        if first is not None and guess is not None and find(word) is None:
            span = line.span(first.kind)
            fix = Fix(f"write `{guess}`", (Edit(span, guess),), "likely")
            self.diagnostics.append(problem("MisspeltKeyword", span, word=word, keyword=guess, fixes=(fix,)))
            self.open = (None, [])
            return
        fixes: tuple[Fix, ...] = ()
        if isinstance(line.statement, (tree.Input, tree.Chain)) and not line.column:
            edit = Edit(line.span()._replace(end=line.start), "network Net\n")
            fixes = (Fix("begin with `network Net`", (edit,), "likely"),)
        self._report("NoNetwork", line, fixes=fixes)
        self.open = (None, [line])

    def _unreadable(self, line: Line) -> None:
        words = line.text.replace("(", " ").replace("=", " ").replace(":", " ").split()
        if not words or words[0] not in _DEFINING:
            return
        if words[0] == "use":
            self.file.blind = True
            return
        self.file.unknown.update(words[1:2])
        if words[0] == "network":
            self.file.unknown.update(_parameter.findall(line.text))
            self._close()
            self.open = (None, list(line.body))

    def _block(self, line: Line) -> None:
        name = line.statement.name
        if self._is_new(name, line, "block"):
            self.file.blocks[name.name] = Block(line, self.file, _uses_rest(line))
            parameters = [p for p in line.statement.parameters if not p.rest]
            for index, parameter in enumerate(parameters):
                if parameter.name in [p.name for p in parameters[:index]]:
                    what = {"what": "parameter", "name": parameter.name}
                    self.diagnostics.append(problem("DefinedTwice", line.span(parameter), **what))
            if name.name in KINDS:
                self.diagnostics.append(problem("HidesKind", line.span(name), name=name.name))

    def _is_new(self, name: tree.Name, line: Line, what: str) -> bool:
        """Whether no block or network has the name yet; if one has, that is reported."""
        file = self.file
        if name.name in (file.blocks if what == "block" else file.networks):
            labels = (Label(file.places[name.name], "first defined here"),)
            self.diagnostics.append(problem("DefinedTwice", line.span(name), labels=labels, what=what, name=name.name))
            return False
        file.own.add(name.name)
        file.places[name.name] = line.span(name)
        return True

    def _close(self) -> None:
        """End the open network."""
        if self.open is None:
            return
        header, lines = self.open
        self.open = None
        networks = self.file.networks
        if header is None:
            networks.setdefault("network", NetworkLines("network", None, (), tuple(lines), self.file))
            return
        statement = header.statement
        if not self._is_new(statement.name, header, "network"):
            return
        name = statement.name.name
        if isinstance(statement, tree.Instance):
            made = NetworkLines(name, header, (), (), self.file, None, statement.settings, tuple(lines), self.file)
        else:
            made = NetworkLines(name, header, statement.parameters, tuple(lines), self.file)
        networks[name] = made

    def _report(self, name: str, line: Line, **values: Any) -> None:
        self.diagnostics.append(problem(name, line.span(), **values))


def _uses_rest(block: Line) -> bool:
    """Whether `...` stands anywhere in a block's body."""
    stack = list(block.body)
    while stack:
        line = stack.pop()
        stack.extend(line.body)
        items = line.statement.items if isinstance(line.statement, tree.Chain) else ()
        if any(isinstance(argument, tree.Rest) for item in items for argument in item.arguments):
            return True
    return False


def resolve_instances(file: File) -> list[Diagnostic]:
    """Give every instance its base's parameters and lines; bases that are not there are reported."""
    found: list[Diagnostic] = []
    for name, network in list(file.networks.items()):
        header = network.header
        if network.own_file is not file or header is None:
            continue
        word = header.statement.base
        base = file.networks.get(word.name) if word.name != name else None
        if base is not None and base.own_file is None:
            file.networks[name] = network._replace(
                parameters=base.parameters, lines=base.lines, file=base.file, base=base
            )
            continue
        del file.networks[name]
        if base is not None and base.header is not None:
            first = base.header.statement.base.name
            found.append(problem("InstanceOfInstance", header.span(word), name=word.name, base=first))
        elif not file.may_define(word.name):
            plain = [n for n, one in file.networks.items() if one.own_file is None]
            found.append(problem("UnknownNetwork", header.span(word), name=word.name, guess=closest(word.name, plain)))
    return found


def own_networks(file: File) -> dict[str, NetworkLines]:
    """The networks that a file defines itself."""
    return {name: one for name, one in file.networks.items() if name in file.own or one.header is None}


def joint_name(line: Line) -> str:
    """What the recipe for two networks of this line is called."""
    name = line.statement.name
    return name.name if name is not None else "pair"


def target_names(targets: tuple[Any, ...]) -> list[tree.Name]:
    """The names that a `let` or a `for` sets, those in nested tuples too."""
    found = []
    for target in targets:
        found += [target] if isinstance(target, tree.Name) else target_names(target)
    return found
