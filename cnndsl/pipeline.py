"""The compiler as one straight function: text, tree, graph, analysis. It reads the files that a spec uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.elaborate import Elaborated, elaborate
from cnndsl.elaborate import Options as ElaborateOptions
from cnndsl.elaborate.unused import unused_names
from cnndsl.files import Library
from cnndsl.graph import Graph
from cnndsl.lint import lint
from cnndsl.lint.view import View
from cnndsl.measure import Analysis
from cnndsl.measure.analyse import analyse
from cnndsl.measure.expect import check_expectations
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.syntax import parse
from cnndsl.syntax.tree import Document, Train

if TYPE_CHECKING:
    from cnndsl.elaborate.joint import Joint
    from cnndsl.lint.control import Control
    from cnndsl.recipe import Recipe
    from cnndsl.recipe.pair import Pair


ADAM_STATES = 2
"""Numbers kept for each parameter by Adam, which memory is counted for where a network has no recipe."""


class Options(Record):
    """What a user asks for besides the file.

    sets: `--set` texts by name. input: the `--input` text. batch: examples, for memory. network: the only one
    wanted. root: the folder that `use` may not leave; the file's own where it is None. allow, deny: codes, beginnings
    of codes, `warnings` or `notes` that are left out, or are errors.
    """

    sets: tuple[tuple[str, str], ...] = ()
    input: str | None = None
    batch: int = 1
    network: str | None = None
    root: str | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class CheckedNetwork(Record):
    """One network, as far as it could be understood; `recipe` is None if it has no (valid) `train:` block."""

    graph: Graph
    analysis: Analysis
    recipe: Recipe | None


class CheckedPair(Record):
    """Two networks in a recipe of both; `recipe` is None if it is not valid. joint: the recipe as it is written."""

    pair: Pair
    recipe: Recipe | None
    joint: Joint


class Checked(Record):
    """A file checked. `document` is its syntax tree, `library` what it used, `pairs` its recipes for two networks."""

    source: Source
    document: Document
    networks: tuple[CheckedNetwork, ...]
    diagnostics: tuple[Diagnostic, ...]
    library: Library
    pairs: tuple[CheckedPair, ...] = ()

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
    elaborated, found = elaborate(document, elaborate_options(options), library)
    diagnostics += found
    networks = []
    reported: set[Span] = set()
    for one in elaborated:
        recipe, found = recipe_of(one, declared=not (options.sets or options.input))
        diagnostics += found
        states = recipe.optimizer.states if recipe else ADAM_STATES
        analysis = analyse(one.graph, options.batch, states)
        # What a spec expects of memory is of one example, whatever batch is asked about.
        alone = analysis if options.batch == 1 or not one.expectations else analyse(one.graph, 1, states)
        diagnostics += check_expectations(one, alone)
        diagnostics += _alignment(one.graph, analysis, reported)
        networks.append(CheckedNetwork(one.graph, analysis, recipe))
    pairs, found = _pairs(document, options, library, elaborated)
    diagnostics += found
    control = _control(document, library)
    if all(d.severity != "error" for d in diagnostics):
        diagnostics += unused_names(document)
        diagnostics += _suspicions(networks, control)
    diagnostics = _controlled(diagnostics, control, options)
    diagnostics.sort(key=lambda d: (d.span.source is not source, d.span.start))
    return Checked(source, document, tuple(networks), tuple(diagnostics), library, tuple(pairs))


def _pairs(
    document: Document, options: Options, library: Library, elaborated: list[Elaborated]
) -> tuple[list[CheckedPair], list[Diagnostic]]:
    """The recipes for two networks, and what is wrong with them; loaded only for files that have some."""
    if not any(isinstance(line.statement, Train) and line.statement.of for line in document.lines):
        return [], []
    from cnndsl.elaborate.joint import joint_recipes
    from cnndsl.recipe.pair import read_pair

    joints, diagnostics = joint_recipes(document, elaborate_options(options), library, elaborated)
    found = []
    for joint in joints:
        pair, recipe, more = read_pair(joint)
        found.append(CheckedPair(pair, recipe, joint))
        diagnostics += more
    return found, diagnostics


def _suspicions(networks: list[CheckedNetwork], control: Control | None) -> list[Diagnostic]:
    """What is legal but suspicious; for several networks of the same lines once. Only asked of specs without errors:
    those come first."""
    allowed = control.covers if control is not None else _nothing
    reported: set[tuple[str, Span]] = set()
    found: list[Diagnostic] = []
    for one in networks:
        if one.graph.complete and one.graph.outputs:
            found += lint(View(one.graph, one.analysis, one.recipe, allowed, reported))
    return found


def _nothing(code: str, severity: str, span: Span) -> bool:
    """What is allowed where no comment allows anything."""
    return False


def _control(document: Document, library: Library) -> Control | None:
    """What the comments of the files allow; None where there are none that do."""
    used = [source for source in dict.fromkeys(library.links.values()) if "allow" in source.text]
    if "allow" not in document.source.text and not used:
        return None
    from cnndsl.lint.control import Control

    # What a used file says was read before, but only where it allows something is its text needed again.
    return Control([document, *(parse(one)[0] for one in used if one is not document.source)])


def _controlled(diagnostics: list[Diagnostic], control: Control | None, options: Options) -> list[Diagnostic]:
    """The diagnostics as the files' comments and the options ask for them."""
    if control is not None:
        whole = options.network is None and not options.sets and options.input is None
        diagnostics = control.apply(diagnostics, complete=whole)
    if options.allow or options.deny:
        from cnndsl.lint.control import decide

        diagnostics = decide(diagnostics, options.allow, options.deny)
    return diagnostics


def elaborate_options(options: Options) -> ElaborateOptions:
    """What of the options changes the networks."""
    return ElaborateOptions(options.sets, options.input, options.network)


def _alignment(graph: Graph, analysis: Analysis, reported: set[Span]) -> list[Diagnostic]:
    """Merges whose arms don't line up; for several networks of the same lines once."""
    if not analysis.misaligned:
        return []
    from cnndsl.measure.alignment import check_alignment

    found = [d for d in check_alignment(graph, analysis) if d.span not in reported]
    reported.update(d.span for d in found)
    return found


def recipe_of(one: Elaborated, *, declared: bool = True) -> tuple[Recipe | None, list[Diagnostic]]:
    """The network's recipe. The training vocabulary is only loaded for networks that have one."""
    if one.train is None:
        return None, []
    from cnndsl.recipe import read

    recipe, found = read(one.settings, one.graph, one.train, declared=declared)
    failed = any(d.severity == "error" for d in found)
    return None if failed else recipe, found
