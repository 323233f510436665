"""Files that use each other: `use "blocks.cnn": se` and `use std.residual`."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Label, closest, problem
from cnndsl.elaborate.evaluate import UNKNOWN
from cnndsl.elaborate.file import File, resolve_instances, sort_lines
from cnndsl.files import Library, UseError
from cnndsl.layers.index import KINDS
from cnndsl.source import Source, Span
from cnndsl.syntax import parse, tree
from cnndsl.syntax.tree import Document, Line

MOST_FILES = 100


def gather(document: Document, library: Library) -> tuple[list[File], list[Diagnostic]]:
    """The definitions of a document and of every file it uses, each behind those that it uses; its own come last."""
    gatherer = _Gatherer(library)
    gatherer.load(document)
    return gatherer.order, gatherer.diagnostics


class _Gatherer:
    """Reads each used file once."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.order: list[File] = []
        self.files: dict[Source, File] = {}
        self.open: list[Source] = []
        self.diagnostics: list[Diagnostic] = []

    def load(self, document: Document) -> File:
        """A document's definitions, with those it uses under their names in it."""
        file, found = sort_lines(document)
        self.diagnostics += found
        self.files[document.source] = file
        self.open.append(document.source)
        for line in file.uses:
            self._use(line, file)
        self.open.pop()
        self.diagnostics += resolve_instances(file)
        self.order.append(file)
        return file

    def _use(self, line: Line, file: File) -> None:
        names = line.statement.names
        used = self._used(line)
        if used is None:
            # What could not be had is unknown, so that its uses are silent.
            wanted = [(alias or name).name for name, alias in names]
            file.blind = file.blind or not wanted
            file.unknown.update(wanted)
            file.scope.values.update(dict.fromkeys(wanted, UNKNOWN))
            return
        place = line.span(line.statement.file)
        for name, alias, span in [
            (name.name, (alias or name).name, line.span(alias or name)) for name, alias in names
        ] or [(name, name, place) for name in sorted(used.own)]:
            self._import(used, name, alias, span, line, file)
        file.blind = file.blind or (used.blind and not names)

    def _used(self, line: Line) -> File | None:
        """The definitions of the file that a line uses; None if they can't be had, which is reported."""
        statement = line.statement
        place = line.span(statement.file)
        try:
            if isinstance(statement.file, tree.Text):
                source = self.library.file(statement.file.value, line.source)
            else:
                source = self.library.shipped(statement.file.names, line.source)
        except UseError as error:
            self._report(error.problem, place, **error.values)
            return None
        if source in self.open:
            circle = [one.name for one in self.open[self.open.index(source) :]]
            self._report("UseCycle", place, name=source.name, path=" uses ".join([*circle, source.name]))
            return None
        if source not in self.files:
            if len(self.files) > MOST_FILES:
                self._report("TooManyFiles", place, limit=MOST_FILES)
                return None
            document, found = parse(source)
            self.diagnostics += found
            self.load(document)
        return self.files[source]

    def _import(self, used: File, name: str, alias: str, span: Span, line: Line, file: File) -> None:
        """Let a name of a used file be `alias` in this one."""
        if name not in used.own:
            if used.may_define(name):
                file.unknown.add(alias)
                file.scope.values[alias] = UNKNOWN
                return
            known = ", ".join(sorted(used.own)) or "nothing"
            where = line.span(line.statement.file).text
            self._report("NotDefinedThere", span, name=name, known=known, file=where, guess=closest(name, used.own))
            file.unknown.add(alias)
            return
        if alias in file.places:
            labels = (Label(file.places[alias], "first defined here"),)
            self._report("DefinedTwice", span, what="name", name=alias, labels=labels)
            return
        file.places[alias] = span
        if alias in KINDS and name in used.blocks:
            self._report("HidesKind", span, name=alias)
        if name in used.blocks:
            file.blocks[alias] = used.blocks[name]
        elif name in used.networks:
            file.networks.setdefault(alias, used.networks[name])
        else:
            file.imported.append((used, name, alias))

    def _report(self, name: str, span: Span, /, **values: Any) -> None:
        self.diagnostics.append(problem(name, span, **values))
