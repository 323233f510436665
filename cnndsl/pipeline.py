"""The compiler as one straight function: text, tree, graph, analysis. It reads the files that a spec uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.elaborate import Elaborated, elaborate
from cnndsl.elaborate import Options as ElaborateOptions
from cnndsl.files import Library
from cnndsl.graph import Graph
from cnndsl.measure import Analysis
from cnndsl.measure.analyse import analyse
from cnndsl.measure.expect import check_expectations
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.syntax import parse
from cnndsl.syntax.tree import Document

if TYPE_CHECKING:
    from cnndsl.recipe import Recipe


ADAM_STATES = 2
"""Numbers kept for each parameter by Adam, which memory is counted for where a network has no recipe."""


class Options(Record):
    """What a user asks for besides the file.

    sets: `--set` texts by name. input: the `--input` text. batch: examples, for memory. network: the only one
    wanted. root: the folder that `use` may not leave; the file's own where it is None.
    """

    sets: tuple[tuple[str, str], ...] = ()
    input: str | None = None
    batch: int = 1
    network: str | None = None
    root: str | None = None


class CheckedNetwork(Record):
    """One network, as far as it could be understood; `recipe` is None if it has no (valid) `train:` block."""

    graph: Graph
    analysis: Analysis
    recipe: Recipe | None


class Checked(Record):
    """A file checked. `document` is its syntax tree, `library` what it used."""

    source: Source
    document: Document
    networks: tuple[CheckedNetwork, ...]
    diagnostics: tuple[Diagnostic, ...]
    library: Library

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return all(d.severity != "error" for d in self.diagnostics)


def check(
    source: Source,
    options: Options = Options(),  # noqa: B008
    memory: dict[str, Any] | None = None,
    library: Library | None = None,
) -> Checked:
    """Everything that is known of a spec without PyTorch. Never raises for what the spec says.

    `memory` remembers parsed lines: pass the same dictionary again when the file has changed. `library` has the files
    that the spec may use; without one they are read from its folder, or from `options.root`.
    """
    library = library or Library(source, options.root)
    document, diagnostics = parse(source, memory)
    wanted = ElaborateOptions(options.sets, options.input, options.network)
    elaborated, found = elaborate(document, wanted, library)
    diagnostics += found
    networks = []
    reported: set[Span] = set()
    for one in elaborated:
        recipe, found = _recipe(one)
        diagnostics += found
        states = recipe.optimizer.states if recipe else ADAM_STATES
        analysis = analyse(one.graph, options.batch, states)
        # What a spec expects of memory is of one example, whatever batch is asked about.
        alone = analysis if options.batch == 1 or not one.expectations else analyse(one.graph, 1, states)
        diagnostics += check_expectations(one, alone)
        diagnostics += _alignment(one.graph, analysis, reported)
        networks.append(CheckedNetwork(one.graph, analysis, recipe))
    diagnostics.sort(key=lambda d: (d.span.source is not source, d.span.start))
    return Checked(source, document, tuple(networks), tuple(diagnostics), library)


def _alignment(graph: Graph, analysis: Analysis, reported: set[Span]) -> list[Diagnostic]:
    """Merges whose arms don't line up; for several networks of the same lines once."""
    if not analysis.misaligned:
        return []
    from cnndsl.measure.alignment import check_alignment

    found = [d for d in check_alignment(graph, analysis) if d.span not in reported]
    reported.update(d.span for d in found)
    return found


def _recipe(one: Elaborated) -> tuple[Recipe | None, list[Diagnostic]]:
    """The network's recipe. The training vocabulary is only loaded for networks that have one."""
    if one.train is None:
        return None, []
    from cnndsl.recipe import read

    recipe, found = read(one.settings, one.graph, one.train)
    failed = any(d.severity == "error" for d in found)
    return None if failed else recipe, found
