"""Expanding a network at one size, and finding out for which others the same happens.

Every layer's rule runs on vectors beside the integers. Where the spec asks for a size (`if input.height > 7`), the
expression is evaluated for all sizes at hand; those where something else comes out are left for another expansion. So
a few expansions tell all about hundreds of sizes, exactly.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from cnndsl.diagnostics import Diagnostic, problem_class
from cnndsl.elaborate.arithmetic import Budget, EvaluationError, Varying, View
from cnndsl.elaborate.builder import Stop
from cnndsl.elaborate.evaluate import Closure, Scope, Silent, evaluate
from cnndsl.elaborate.file import Block, NetworkLines
from cnndsl.elaborate.frame import Called, Frame
from cnndsl.elaborate.items import Changes
from cnndsl.elaborate.network import Expander
from cnndsl.elaborate.values import Tensor
from cnndsl.graph import INPUT, Edge, Graph, Node
from cnndsl.layers.base import Layer
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.sizes.domain import Domain
from cnndsl.sizes.forward import Forward, Must, by_rows, varying_in
from cnndsl.sizes.vectors import Array, Coupled, Sizes
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

MOST_ROWS = 20_000
"""Different sizes for which one expression is evaluated."""

Box = tuple[Array, ...]
"""Some of a domain's points: for each dimension, which of its points. All combinations belong to it."""


class Failure(Record):
    """Points at which the network can't be, and why: the layer with its inputs' shapes, or what was reported; or, with
    neither, what goes into a layer and into the one whose weights it takes."""

    box: Box
    name: str
    span: Span
    layer: Layer | None
    shapes: tuple[Shape, ...]
    reported: Diagnostic | None


class Traced(Record):
    """What one expansion found. `box`: the points whose network is `graph`, with the shapes of its nodes as vectors,
    `known`; empty if the expansion failed. `left`: boxes of which nothing is known. `asked`: whether the spec asked
    for a size."""

    box: Box
    graph: Graph | None
    known: dict[int, tuple[Shape, ...]]
    failures: tuple[Failure, ...]
    left: tuple[Box, ...]
    asked: bool
    nodes: int


class _Watched(dict[str, Any]):
    """A tensor's sizes by name; whoever takes one is told to the trace."""

    def __init__(self, values: dict[str, Any], trace: Trace, sizes: dict[str, Any]) -> None:
        super().__init__(values)
        self.trace = trace
        self.sizes = sizes

    def __getitem__(self, name: str) -> Any:
        value, sizes = super().__getitem__(name), self.sizes[name]
        if name == "shape":
            return tuple(self.trace.read(n, s) for n, s in zip(value, sizes, strict=True))
        return self.trace.read(value, sizes)


class _TracedTensor(Tensor):
    """A tensor as expressions see it, whose sizes are told to the trace when they are read."""

    trace: Trace
    vectors: Shape | None = None
    watched: _Watched | None = None

    @property
    def values(self) -> dict[str, Any]:  # type: ignore[override]
        if self.vectors is None:
            return super().values
        if self.watched is None:
            vectors = Tensor(self.name, self.edge, self.vectors).values
            self.watched = _Watched(super().values, self.trace, vectors)
        return self.watched


class Trace(Expander):
    """Expands a network at one point of a domain. Make one, call `trace`."""

    def __init__(
        self, network: NetworkLines, changes: Changes, span: Span, domain: Domain, box: Box, forward: Forward,
        unasked: frozenset[int] = frozenset(),
    ) -> None:  # fmt: skip
        self.point = domain.nearest(box)
        given = changes._replace(inputs=domain.at(self.point))
        super().__init__(network, Budget(), given, span, set())
        self.forward = forward
        self.vectors = domain.inputs()
        self.box = box
        # Numbers of nodes that may fail.
        self.unasked = unasked
        self.known: dict[int, tuple[Shape, ...]] = {}
        self.failures: list[Failure] = []
        self.left: list[Box] = []
        self.asked = False
        self.over = False
        self.made = 0
        self._read: dict[Sizes, None] = {}
        self._replay: dict[Sizes, int] | None = None
        self._lifting = False
        self.budget.watch = self._watch

    def trace(self) -> Traced:
        """The network there, and what is known of the other points of the box. Raises Coupled."""
        graph = None
        with suppress(Stop):
            graph = self.run()[0].graph
            self.made = self.made or len(graph.nodes)
        box = self.box
        if self.over:
            self._leave(box)
            graph, box = None, tuple(np.zeros_like(mask) for mask in box)
        return Traced(box, graph, self.known, tuple(self.failures), tuple(self.left), self.asked, self.made)

    # --- which points are still the same ---------------------------------------------------------------------------

    def _leave(self, box: Box) -> None:
        """Have points looked at by another expansion."""
        if all(mask.any() for mask in box):
            self.left.append(box)

    def _narrowed(self, dim: int, mask: Array) -> Box:
        return (*self.box[:dim], self.box[dim] & mask, *self.box[dim + 1 :])

    def _end(self) -> None:
        """Go no further: the point itself is no longer among those that are looked at. Raises Stop."""
        self.over = True
        self.made = len(self.nodes)
        raise Stop

    def _require(self, must: Must, failure: Failure) -> None:
        """Go on with the points where something holds; the others fail."""
        if must.difference is not None:
            try:
                within = must.within(self.box)
            except Coupled:
                raise Coupled(failure.name) from None
            if not within:
                self._fail(failure)
            return
        holds = must.holds if isinstance(must.holds, np.ndarray) else np.full_like(self.box[must.dim], must.holds)
        failing = self._narrowed(must.dim, ~holds)
        if failing[must.dim].any():
            self.failures.append(failure._replace(box=failing))
            self.box = self._narrowed(must.dim, holds)
            if not holds[self.point[must.dim]]:
                self._end()

    def _fail(self, failure: Failure) -> None:
        """All points fail. Raises Stop."""
        self.failures.append(failure._replace(box=self.box))
        self.box = tuple(np.zeros_like(mask) for mask in self.box)
        self._end()

    def report(self, name: str, span: Span, calls: tuple[Span, ...] = (), /, **values: Any) -> None:
        """What is wrong at this point is so at all that are the same."""
        before = len(self.diagnostics)
        super().report(name, span, calls, **values)
        if problem_class(name).severity == "error" and not self.over:
            reported = self.diagnostics[before] if len(self.diagnostics) > before else None
            self._fail(Failure((), span.text, span, None, (), reported))

    # --- layers ----------------------------------------------------------------------------------------------------

    def apply(
        self, layer: Layer, item: tree.Item, line: Line, inputs: tuple[Edge, ...], frame: Frame, base: str,
        alias: str | None = None,
    ) -> Edge:  # fmt: skip
        shapes = tuple(self.known[edge.node][edge.output] for edge in inputs)
        made = self.forward.make(layer, shapes)
        span = line.span(item)
        if made.refusal is None and len(self.nodes) not in self.unasked:
            failure = Failure((), frame.prefix + (alias or base), span, layer, shapes, None)
            for must in made.musts:
                self._require(must, failure)
        edge = super().apply(layer, item, line, inputs, frame, base, alias)
        self.known[edge.node] = made.outputs
        return edge

    def share(self, index: int, first: Node | None, calls: tuple[Span, ...]) -> None:
        node = self.nodes[index]
        if first is not None and node.shares is None:
            self._weights_agree(node, first)
        super().share(index, first, calls)

    def _weights_agree(self, node: Node, first: Node) -> None:
        """Go on with the points where the weights fit that a layer takes from another one: the others fail."""
        mine, others = self._inputs_of(node), self._inputs_of(first)
        layer = node.layer
        if layer is None or mine == others or not varying_in((*mine, *others)):
            return

        def fit(shapes: tuple[Shape, ...]) -> bool:
            return layer.weights(*shapes[: len(mine)]) == layer.weights(*shapes[len(mine) :])

        try:
            must = by_rows(fit, (*mine, *others))
        except Coupled:
            raise Coupled(node.name) from None
        self._require(must, Failure((), node.name, node.span, None, (mine[0], others[0]), None))

    def _inputs_of(self, node: Node) -> tuple[Shape, ...]:
        return tuple(self.known[edge.node][edge.output] for edge in node.inputs)

    def _input(self, line: Line, frame: Frame) -> None:
        super()._input(line, frame)
        node = self.nodes[-1]
        if node.kind == INPUT and node.shapes is not None and node.name in self.vectors:
            sizes = self.vectors[node.name]
            self.known[node.index] = (self.forward.shape(node.shapes[0]._replace(sizes=sizes)),)

    def _input_sizes(self, line: Line, frame: Frame, name: str) -> tuple[int, ...] | None:
        sizes = super()._input_sizes(line, frame, name)
        shape = line.statement.shape
        sides = shape.sides if isinstance(shape, tree.Sides) else (shape,)
        for side, vector in zip(sides, self.vectors.get(name, ()), strict=False):
            if isinstance(side, tree.Name) and side.name != "_" and sizes is not None:
                frame.scope.values[side.name] = self._varying(frame.scope.values[side.name], vector)
        return sizes

    def _check_where(self, line: Line, frame: Frame) -> None:
        """What the spec demands of its input is another question than what fits."""

    # --- expressions -----------------------------------------------------------------------------------------------

    def view(self, name: str, edge: Edge) -> Tensor:
        plain = super().view(name, edge)
        traced = _TracedTensor(plain.name, plain.edge, plain.shape)
        traced.trace = self
        if edge.node in self.known:
            traced.vectors = self.known[edge.node][edge.output]
        return traced

    def read(self, number: int, sizes: Any) -> int:
        """A size that an expression asks for: here `number`, elsewhere what the vector says."""
        if not isinstance(sizes, Sizes):
            return number
        if self._replay is None:
            self._read[sizes] = None
            return number
        if sizes not in self._replay:
            raise _ReadMore(sizes)
        return self._replay[sizes]

    def _varying(self, number: int, sizes: Any) -> int:
        """A number for expressions, which is told to the trace when it is read."""
        if not isinstance(sizes, Sizes):
            return number
        varying = Varying(number)
        varying.read = lambda: self.read(number, sizes)
        return varying

    def let(self, line: Line, scope: Scope, calls: tuple[Span, ...] = ()) -> None:
        self._lifting = True
        super().let(line, scope, calls)
        self._lifting = False

    def _call_block(self, block: Block, item: tree.Item, line: Line, frame: Frame, called: str, named: bool) -> None:
        # What `...` stands for goes into layers as it is.
        self._lifting = not block.passes_on
        super()._call_block(block, item, line, frame, called, named)
        self._lifting = False

    def _run_block(self, call: Called, span: Span, frame: Frame, called: str, named: bool) -> Called:
        self._lifting = False
        return super()._run_block(call, span, frame, called, named)

    def _watch(self, node: Any, scope: Scope, budget: Budget) -> Any:
        """Evaluate a whole expression here, and everywhere if it reads sizes; go on where it comes to the same."""
        budget.watch = None
        try:
            self._read = {}
            value = _outcome(node, scope, budget)
            if self._read and not self.over:
                self.asked = True
                value = self._everywhere(node, scope, value)
        finally:
            budget.watch = self._watch
        if isinstance(value, Exception):
            raise value
        return value

    def _everywhere(self, node: Any, scope: Scope, here: Any) -> Any:
        """The value; one that varies, where it may be kept for later."""
        dim, index, values = self._elsewhere(node, scope)
        if self._lifting and type(here) is int and all(type(value) is int for value in values):
            vector = np.zeros(len(self.box[dim]), dtype=object if max(map(abs, values)) >= 1 << 62 else np.int64)
            vector[np.flatnonzero(self.box[dim])] = np.array(values, dtype=vector.dtype)[index]
            vector[~self.box[dim]] = here
            return self._varying(here, self.forward.interned(Sizes(vector, dim)))
        classes = {_seen(here): 0}
        numbers = np.array([classes.setdefault(_seen(value), len(classes)) for value in values])
        found = np.full(len(self.box[dim]), -1)
        found[np.flatnonzero(self.box[dim])] = numbers[index]
        for other in range(1, len(classes)):
            self._leave(self._narrowed(dim, found == other))
        self.box = self._narrowed(dim, found == 0)
        return here

    def _elsewhere(self, node: Any, scope: Scope) -> tuple[int, Array, list[Any]]:
        """What an expression comes to at the points of a dimension: each point's number in a list of values."""
        while True:
            read = list(self._read)
            dims = {sizes.dim for sizes in read}
            if len(dims) != 1 or any(sizes.values is None for sizes in read):
                raise Coupled
            dim = dims.pop()
            columns = [np.asarray(sizes.values)[self.box[dim]] for sizes in read]
            rows, index = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
            if len(rows) > MOST_ROWS:
                raise Coupled
            try:
                values = [self._replayed(node, scope, dict(zip(read, map(int, row), strict=True))) for row in rows]
            except _ReadMore as more:
                self._read[more.sizes] = None
            else:
                return dim, index.reshape(-1), values

    def _replayed(self, node: Any, scope: Scope, sizes: dict[Sizes, int]) -> Any:
        self._replay = sizes
        try:
            return _outcome(node, scope, Budget())
        finally:
            self._replay = None


class _ReadMore(Exception):  # noqa: N818 (not an error: asked again with more)
    """An expression asks for a size elsewhere that it did not ask for here."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes


def _outcome(node: Any, scope: Scope, budget: Budget) -> Any:
    """The value of an expression, or the exception that it ends in."""
    try:
        return evaluate(node, scope, budget)
    except (EvaluationError, Silent) as error:
        return error


def _seen(value: Any) -> tuple[Any, ...]:
    """What is equal for two values that are the same to all that a spec may do with them."""
    if isinstance(value, (list, tuple)):
        return type(value), *map(_seen, value)
    if isinstance(value, dict):
        return dict, *((key, _seen(member)) for key, member in value.items())
    if isinstance(value, EvaluationError):
        return EvaluationError, value.problem
    if isinstance(value, Silent):
        return (Silent,)
    if isinstance(value, (View, Closure)) or callable(value):
        return type(value), id(value)
    return type(value), value
