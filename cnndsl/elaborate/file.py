"""Sorting a file's lines: the `let`s that hold for it, its blocks, its networks and their lines."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest, problem
from cnndsl.layers import find
from cnndsl.record import Record
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Document, Line


class NetworkLines(Record):
    """A network as written: its header, parameters and lines.

    header: None for layers without a `network` line. base: the network that an instance is made of.
    own: an instance's own lines, its expectations and recipes.
    """

    name: str
    header: Line | None
    parameters: tuple[tree.Parameter, ...]
    lines: tuple[Line, ...]
    base: str | None = None
    settings: tuple[tree.Named, ...] = ()
    own: tuple[Line, ...] = ()


class File(Record):
    """A file's definitions. `unknown` holds names that a line which could not be read may have defined."""

    lets: tuple[Line, ...]
    blocks: dict[str, Line]
    networks: dict[str, NetworkLines]
    unknown: frozenset[str]


_DEFINING = {"let", "block", "network", "use"}


def sort_lines(document: Document) -> tuple[File, list[Diagnostic]]:
    """The definitions of a document, instances resolved."""
    return _Sorter(document).run()


class _Sorter:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.diagnostics: list[Diagnostic] = []
        self.lets: list[Line] = []
        self.blocks: dict[str, Line] = {}
        self.networks: dict[str, NetworkLines] = {}
        self.unknown: set[str] = set()
        self.open: tuple[Line | None, list[Line]] | None = None

    def run(self) -> tuple[File, list[Diagnostic]]:
        for line in self.document.lines:
            self._line(line)
        self._close()
        self._resolve_instances()
        file = File(tuple(self.lets), self.blocks, self.networks, frozenset(self.unknown))
        return file, self.diagnostics

    def _line(self, line: Line) -> None:
        statement = line.statement
        if statement is None:
            self._unreadable(line)
        if isinstance(statement, (tree.Network, tree.Instance)):
            self._close()
            self.open = (line, list(line.body))
        elif isinstance(statement, tree.Block):
            self._define(self.blocks, statement.name, line, "block")
        elif isinstance(statement, tree.Use):
            self._report("NotYet", line, what="`use`")
        elif isinstance(statement, tree.Train) and statement.of:
            self._report("NotYet", line, what="a recipe for two networks")
        elif self.open is not None:
            self.open[1].append(line)
        elif isinstance(statement, (tree.Let, tree.Function)):
            self.lets.append(line)
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
        self._report("NoNetwork", line)
        self.open = (None, [line])

    def _unreadable(self, line: Line) -> None:
        words = line.text.replace("(", " ").replace("=", " ").replace(":", " ").split()
        if len(words) > 1 and words[0] in _DEFINING:
            self.unknown.add(words[1])
            if words[0] == "network":
                self._close()
                self.open = (None, list(line.body))

    def _define(self, into: dict[str, Any], name: tree.Name, line: Line, what: str) -> None:
        if name.name in into:
            first = into[name.name]
            first_line = first.header if isinstance(first, NetworkLines) else first
            labels = (Label(first_line.span(first_line.statement.name), "first defined here"),) if first_line else ()
            self.diagnostics.append(problem("DefinedTwice", line.span(name), labels=labels, what=what, name=name.name))
            return
        into[name.name] = line

    def _close(self) -> None:
        """End the open network."""
        if self.open is None:
            return
        header, lines = self.open
        self.open = None
        if header is None:
            self.networks.setdefault("network", NetworkLines("network", None, (), tuple(lines)))
            return
        statement = header.statement
        name = statement.name.name
        if name in self.networks:
            self._define(self.networks, statement.name, header, "network")
            return
        if isinstance(statement, tree.Instance):
            network = NetworkLines(name, header, (), (), statement.base.name, statement.settings, tuple(lines))
        else:
            network = NetworkLines(name, header, statement.parameters, tuple(lines))
        self.networks[name] = network

    def _resolve_instances(self) -> None:
        """Give every instance its base's parameters and lines; bases that are not there are reported."""
        for name, network in list(self.networks.items()):
            if network.base is None or network.header is None:
                continue
            base = self.networks.get(network.base)
            if base is not None and base.base is not None:
                span = network.header.span(network.header.statement.base)
                self.diagnostics.append(problem("InstanceOfInstance", span, name=network.base, base=base.base))
                del self.networks[name]
                continue
            if base is None:
                if network.base not in self.unknown:
                    plain = [n for n, one in self.networks.items() if one.base is None]
                    span = network.header.span(network.header.statement.base)
                    self.diagnostics.append(
                        problem("UnknownNetwork", span, name=network.base, guess=closest(network.base, plain))
                    )
                del self.networks[name]
                continue
            self.networks[name] = network._replace(parameters=base.parameters, lines=base.lines)

    def _report(self, name: str, line: Line, **values: Any) -> None:
        self.diagnostics.append(problem(name, line.span(), **values))
