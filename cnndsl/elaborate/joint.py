"""Recipes for two networks: `train gan of Generator, Discriminator:`, which stand outside of both."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.diagnostics import Diagnostic, closest, problem
from cnndsl.elaborate import Changes, Options, prepare
from cnndsl.elaborate.arithmetic import Budget
from cnndsl.elaborate.file import NetworkLines, joint_name
from cnndsl.elaborate.network import Elaborated, Expander
from cnndsl.elaborate.settings import Setting
from cnndsl.files import Library
from cnndsl.graph import Graph
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Document, Line


class Joint(Record):
    """A recipe for two networks: its name, their graphs in the order they are named, its lines and its header's place.

    places: of the networks' names in the header.
    """

    name: str
    graphs: tuple[Graph, Graph]
    settings: tuple[Setting, ...]
    span: Span
    places: tuple[Span, Span]


def joint_recipes(
    document: Document, options: Options, library: Library, elaborated: Sequence[Elaborated]
) -> tuple[list[Joint], list[Diagnostic]]:
    """The recipes for two networks of a document whose networks were `elaborated` with the same options."""
    if not any(isinstance(line.statement, tree.Train) and line.statement.of for line in document.lines):
        return [], []
    file = prepare(document, options, library).files[-1]
    graphs = {one.graph.name: one.graph for one in elaborated}
    found: list[Joint] = []
    diagnostics: list[Diagnostic] = []
    for line in file.joint:
        if options.network not in (None, joint_name(line)):
            continue
        wrong = _misnamed(line, graphs)
        if wrong is not None:
            diagnostics.append(wrong)
            continue
        first, second = line.statement.of
        alone = NetworkLines(joint_name(line), line, (), (), file)
        settings, more = Expander(alone, Budget(), Changes({}, {}), line.span(), set()).settings_of(line)
        diagnostics += more
        pair = graphs[first.name], graphs[second.name]
        if not more:
            found.append(Joint(joint_name(line), pair, settings, line.span(), (line.span(first), line.span(second))))
    return found, diagnostics


def _misnamed(line: Line, graphs: dict[str, Graph]) -> Diagnostic | None:
    """What is wrong with the names of a recipe's networks."""
    names = line.statement.of
    for name in names:
        if name.name not in graphs:
            near = closest(name.name, graphs)
            why = f"there is no network `{name.name}` in this file"
            advice = f"did you mean `{near}`?" if near else None
            return problem("NotTwoNetworks", line.span(name), why=why, advice=advice)
    if len({name.name for name in names}) != 2 or len(names) != 2:
        why, advice = f"it names {len(names)}", "name two: the generator, then the discriminator"
        why = "it names one twice" if len(names) == 2 else why
        return problem("NotTwoNetworks", line.span(), why=why, advice=advice)
    return None
