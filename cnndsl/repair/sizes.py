"""Other input sizes: which would do, found by running the graph's shape rules alone, without elaborating again."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.diagnostics import Edit
from cnndsl.elaborate.arithmetic import Budget as Steps
from cnndsl.elaborate.arithmetic import EvaluationError
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.graph import INPUT, Graph, Node
from cnndsl.layers.base import LayerError
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.spec import Spec, chain_to
from cnndsl.repair.spot import Spot
from cnndsl.shape import Shape
from cnndsl.syntax import tree

LARGEST = 4096
"""The largest size of an axis that is looked at."""
NEAR = 64
"""How far from the present size a better one is looked for."""


class Replay:
    """A graph's shape rules for other input sizes. What a layer gave for an input is remembered."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[tuple[object, ...], tuple[Shape, ...] | None] = {}

    def works(self, changed: int, shape: Shape) -> bool:
        """Whether every layer can be, as far as is known, if input number `changed` is of this shape."""
        shapes: list[tuple[Shape, ...] | None] = []
        for node in self.graph.nodes:
            if node.kind == INPUT:
                shapes.append((shape,) if node.index == changed else node.shapes)
                continue
            inputs = []
            for edge in node.inputs:
                outputs = shapes[edge.node]
                if outputs is not None and edge.output < len(outputs):
                    inputs.append(outputs[edge.output])
            if node.layer is None or len(inputs) < len(node.inputs):
                shapes.append(None)
                continue
            made = self._outputs(node, inputs)
            if made is None:
                return False
            shapes.append(made)
        return True

    def _outputs(self, node: Node, inputs: list[Shape]) -> tuple[Shape, ...] | None:
        key = (node.layer, *inputs)
        if key not in self.known:
            assert node.layer is not None
            try:
                inferred = node.layer.infer(*inputs)
                works = all(condition.holds() for condition in inferred.conditions)
                self.known[key] = inferred.outputs if works else None
            except LayerError:
                self.known[key] = None
        return self.known[key]


def input_of(spot: Spot) -> Node:
    """The input that a node's first input goes back to."""
    return chain_to(spot.network.graph, spot.node.inputs[0])[-1] if spot.node.inputs else spot.node


def larger(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """The smallest larger input with which every window fits."""
    found = input_of(spot)
    if found.shapes is None or found.shapes[0].rank == 0:
        return
    shape = found.shapes[0]
    replay = Replay(spot.network.graph)
    largest = max(shape.spatial)
    if 4 < largest != min(shape.spatial) and shape.channels != largest:
        square = _resized(shape, tuple(range(shape.rank)), largest)
        yield from resized(spec, found, square, f"equal sides: an input of {square}")
    for axes in _axes(shape):
        size = _smallest(replay, found.index, shape, axes)
        if size is not None:
            wanted = _resized(shape, axes, size)
            yield from resized(spec, found, wanted, f"a larger input, {wanted}: the smallest that works")


def near(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """The nearest inputs, one larger and one smaller, with which all arms come out alike."""
    found = input_of(spot)
    if found.shapes is None or found.shapes[0].rank == 0:
        return
    shape = found.shapes[0]
    replay = Replay(spot.network.graph)
    for axes in _axes(shape):
        size = shape.sizes[axes[0]]
        for word, sizes in (
            ("larger", range(size + 1, size + NEAR + 1)),
            ("smaller", range(size - 1, max(size - NEAR, 0), -1)),
        ):
            wanted = next((w for n in sizes if replay.works(found.index, w := _resized(shape, axes, n))), None)
            if wanted is not None:
                yield from resized(spec, found, wanted, f"a {word} input, {wanted}: the nearest that works")


def _axes(shape: Shape) -> list[tuple[int, ...]]:
    """The axes that are changed together: all where they are equal, else each for itself."""
    every = tuple(range(shape.rank))
    return [every] if len(set(shape.spatial)) == 1 else [(axis,) for axis in every]


def _resized(shape: Shape, axes: tuple[int, ...], size: int) -> Shape:
    return shape._replace(sizes=tuple(size if i in axes else n for i, n in enumerate(shape.sizes)))


def _smallest(replay: Replay, changed: int, shape: Shape, axes: tuple[int, ...]) -> int | None:
    """By halving: what works for one size works, but for merges, for the larger ones."""
    fails = works = int(shape.sizes[axes[0]])
    while not replay.works(changed, _resized(shape, axes, works)):
        fails, works = works, 2 * works
        if works > LARGEST:
            return None
    while works - fails > 1:
        middle = (works + fails) // 2
        if replay.works(changed, _resized(shape, axes, middle)):
            works = middle
        else:
            fails = middle
    return works


def resized(spec: Spec, node: Node, wanted: Shape, title: str) -> Iterator[Candidate]:
    """The edit that makes an input of another size, where the size is written as numbers."""
    line = spec.inputs.get((node.span.start, node.span.end)) if node.span.source is spec.source else None
    if line is None:
        return
    statement = line.statement
    written = statement.example if statement.example is not None else statement.shape
    sides = written.sides if isinstance(written, tree.Sides) else (written,)
    if len(sides) != len(wanted.sizes):
        return
    edits = []
    for side, size in zip(sides, wanted.sizes, strict=True):
        if isinstance(side, tree.Number) and side.value != size:
            edits.append(Edit(line.span(side), str(size)))
        elif isinstance(side, tree.Name):
            return
    yield Candidate(title, tuple(edits))


def where(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """The nearest sizes that an input's `where` conditions allow, all axes of one size changed together."""
    line = spec.inputs.get((spot.node.span.start, spot.node.span.end))
    if line is None or line.statement.example is None:
        return
    example = line.statement.example
    sides = getattr(example, "sides", (example,))
    letters = getattr(line.statement.shape, "sides", (line.statement.shape,))
    if len(sides) != len(letters):
        return
    free = [
        (letter.name, side)
        for letter, side in zip(letters, sides, strict=True)
        if isinstance(letter, tree.Name) and isinstance(side, tree.Number)
    ]
    values = {name: int(side.value) for name, side in free}
    # Smaller first of two that are as near: nothing has to be made up.
    for step in sorted(range(-NEAR, NEAR + 1), key=lambda n: (abs(n), n)):
        moved = {name: size + step for name, size in values.items()}
        nearest = {**values, **_only_wrong(line, values, moved, spot)}
        if nearest != values and all(size > 0 for size in nearest.values()) and _holds(line, nearest, spot):
            edits = tuple(Edit(line.span(side), str(nearest[n])) for n, side in free if nearest[n] != side.value)
            yield Candidate("an input size for which the condition holds", edits, "likely")
            return


def _only_wrong(line: tree.Line, values: dict[str, int], moved: dict[str, int], spot: Spot) -> dict[str, int]:
    """Of the moved sizes, those that failing conditions speak of."""
    text = " ".join(line.span(c).text for c in line.statement.where if not _holds(line, values, spot, (c,)))
    return {name: size for name, size in moved.items() if name in text}


def _holds(line: tree.Line, values: dict[str, int], spot: Spot, conditions: tuple[object, ...] | None = None) -> bool:
    scope = Scope(None, {**spot.network.graph.parameters, **values})
    try:
        return all(
            evaluate(condition, scope, Steps())
            for condition in (line.statement.where if conditions is None else conditions)
        )
    except (EvaluationError, Silent):
        return False
