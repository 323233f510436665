"""The inputs of a network as its spec has them, and which of their axes vary."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.elaborate.arithmetic import Budget
from cnndsl.elaborate.evaluate import Scope
from cnndsl.elaborate.file import File, NetworkLines
from cnndsl.elaborate.frame import Frame
from cnndsl.elaborate.items import Changes
from cnndsl.elaborate.network import Expander
from cnndsl.graph import Graph
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.sizes.domain import Axis
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

UNSAID = 224
"""The size of an axis that the spec gives no example of (`input HxWx3`), to begin with."""


class Where(Record):
    """One condition behind `where`: its line, its expression, and the names that it may use."""

    line: Line
    condition: Any
    scope: Scope


class Given(Record):
    """A network at its declared sizes. `shapes`: of its inputs, by name. `letters`: for each input, the capital letter
    of each axis, or None."""

    graph: Graph
    shapes: dict[str, Shape]
    letters: dict[str, tuple[str | None, ...]]
    where: tuple[Where, ...]
    diagnostics: tuple[Diagnostic, ...]


class _Scout(Expander):
    """Expands a network at its declared sizes and notes what its inputs say."""

    def __init__(self, network: NetworkLines, changes: Changes, span: Span) -> None:
        super().__init__(network, Budget(), changes._replace(inputs={}), span, set())
        self.letters: dict[str, tuple[str | None, ...]] = {}
        self.where: list[Where] = []

    def _input_sizes(self, line: Line, frame: Frame, name: str) -> tuple[int, ...] | None:
        statement = line.statement
        shape = statement.shape
        sides = shape.sides if isinstance(shape, tree.Sides) else (shape,)
        self.letters[name] = tuple(
            side.name if isinstance(side, tree.Name) and side.name != "_" else None for side in sides
        )
        open_ = any(isinstance(side, tree.Name) for side in sides)
        plain = all(isinstance(side, (tree.Name, tree.Number)) for side in sides)
        if open_ and plain and statement.example is None:
            self.changes.inputs[name] = tuple(UNSAID if isinstance(s, tree.Name) else int(s.value) for s in sides)
        return super()._input_sizes(line, frame, name)

    def _check_where(self, line: Line, frame: Frame) -> None:
        self.where += [Where(line, condition, frame.scope) for condition in line.statement.where]


def look_at(network: NetworkLines, changes: Changes, span: Span, files: list[File]) -> Given:
    """A network at its declared sizes."""
    scout = _Scout(network, changes, span)
    for file in files:
        scout.file_lets(file)
    elaborated, found = scout.run()
    graph = elaborated.graph
    shapes = {graph.nodes[i].name: graph.nodes[i].shapes for i in graph.inputs}
    known = {name: one[0] for name, one in shapes.items() if one is not None}
    return Given(graph, known, scout.letters, tuple(scout.where), tuple(found))


def axes_of(given: Given, wanted: str | None) -> tuple[Axis, ...]:
    """The axes that vary: those of the input `wanted`, or of the first one that has any, and others' with them.

    Axes with one letter are one. Without `wanted`, inputs of the same declared sizes follow the first.
    """
    name = wanted or next((name for name, shape in given.shapes.items() if shape.rank), None)
    if name is None:
        return ()
    first = given.shapes[name]
    following = [name]
    if wanted is None:
        following += [other for other, shape in given.shapes.items() if other != name and _follows(shape, first)]
    groups: dict[Any, list[tuple[str, int]]] = {}
    for one in following:
        for place in range(given.shapes[one].rank):
            groups.setdefault(_letter(given, one, place) or place, []).append((one, place))
    for other, shape in given.shapes.items():
        for place in range(shape.rank) if other not in following else ():
            letter = _letter(given, other, place)
            if letter in groups:
                groups[letter].append((other, place))
    return tuple(
        Axis(_title(given, name, places), tuple(places), given.shapes[places[0][0]].sizes[places[0][1]])
        for places in groups.values()
    )


def _follows(shape: Shape, first: Shape) -> bool:
    return shape.rank == first.rank and shape.tokens == first.tokens and shape.spatial == first.spatial


def _letter(given: Given, name: str, place: int) -> str | None:
    letters = given.letters.get(name, ())
    return letters[place] if place < len(letters) else None


def _title(given: Given, name: str, places: list[tuple[str, int]]) -> str:
    """`height`, or `height = width` where they are one."""
    return " = ".join(dict.fromkeys(given.shapes[one].axes[place] for one, place in places if one == name))
