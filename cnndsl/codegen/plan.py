"""What each class of the written file does, step by step: from a graph to plans.

A network, and every call of a block that can soundly be a class, has a Plan. A call can't be one where its nodes use
weights that lie outside it, or where it gives nothing of its own: it is then written where it is called.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from cnndsl.graph import INPUT, BlockCall, Edge, Graph, Node
from cnndsl.layers.base import Layer
from cnndsl.layers.code import Code, Input
from cnndsl.shape import Shape
from cnndsl.source import Source
from cnndsl.symbols import UNKNOWN, Expression


class Plan:
    """One network (`call` is None), or one call of a block: its inputs, steps and results, as edges of the graph.

    finally_: the moves of channels after the last step. path: what the names of its nodes begin with.
    layouts: where the channels are, at the end, in each tensor that has some; given: where they are in the inputs.
    Of a call, too (symbolic.py finds these): source: the file its block is in; values: what the names in its
    expressions stand for; defaults: of the block's parameters that have plain ones; channels: of its results, as
    expressions; asked: the conditions of the block; omitted: the calls in it that do nothing;
    rest: the layer that takes what `...` stands for, and its other arguments.
    """

    __slots__ = (
        "asked", "call", "channels", "defaults", "finally_", "given", "graph", "inputs", "layouts", "omitted", "origin",
        "path", "rest", "results", "source", "steps", "training_results", "values",
    )  # fmt: skip

    def __init__(
        self, graph: Graph, call: BlockCall | None, inputs: tuple[Edge, ...], layouts: tuple[str, ...]
    ) -> None:
        self.graph = graph
        self.call = call
        self.origin = ("", "")
        self.source: Source | None = None
        self.values: dict[str, Any] = {}
        self.channels: tuple[Expression, ...] = ()
        self.defaults: dict[str, Any] = {}
        self.asked: list[Expression] = []
        self.omitted: list[BlockCall] = []
        self.rest: tuple[Layer, tuple[Any, ...]] | None = None
        self.path = "" if call is None else call.name + "."
        self.inputs = inputs
        self.layouts = dict(zip(inputs, layouts, strict=True))
        self.given = layouts
        self.steps: list[Step] = []
        self.results: tuple[Edge, ...] = ()
        self.training_results: tuple[Edge, ...] = ()
        self.finally_: tuple[tuple[Edge, str], ...] = ()


class Step:
    """One statement of a forward pass.

    key: the items that made it, and how often they had done so before: the same in all calls of a block.
    name: its name within its plan. first, last: its nodes, `last` excluded.
    code: what its layer becomes, if it is a layer; value: the expression that gives its outputs.
    plan: if it is a call, the plan of what is called. row: if it is an nn.Sequential, its parts.
    owner: the first of the nodes whose weights it uses, if those are another step's.
    moves: the tensors whose channels have to be moved before it, and where to.
    training: whether it only serves training. given: whether the spec gives its name.
    In a block (symbolic.py finds these): condition: when it is done; said: whether its numbers have expressions where
    they depend on the block's parameters; rest: whether `...` alone
    says its numbers; arguments: what a call gives the called block's parameters; times: how often
    its item is done; kind_of: the parameters that name its kind.
    """

    __slots__ = (
        "arguments",
        "code",
        "condition",
        "first",
        "given",
        "inputs",
        "key",
        "kind_of",
        "last",
        "moves",
        "name",
        "outputs",
        "owner",
        "plan",
        "rest",
        "row",
        "said",
        "times",
        "training",
        "value",
    )  # fmt: skip

    def __init__(self, key: tuple[Any, ...], name: str, first: int, last: int) -> None:
        self.key = key
        self.name = name
        self.first = first
        self.last = last
        self.code: Code | None = None
        self.value: Any = None
        self.plan: Plan | None = None
        self.row: list[Step] = []
        self.owner: int | None = None
        self.inputs: tuple[Edge, ...] = ()
        self.outputs: tuple[Edge, ...] = ()
        self.moves: tuple[tuple[Edge, str], ...] = ()
        self.training = False
        self.given = False
        self.condition: Expression = UNKNOWN
        self.said = False
        self.rest = False
        self.arguments: dict[str, Expression] | None = None
        self.times: Expression = UNKNOWN
        self.kind_of: frozenset[str] = frozenset()

    @property
    def modules(self) -> bool:
        """Whether it has modules of its own."""
        if self.owner is not None:
            return False
        return self.code is None or bool(self.code.modules)


class Planner:
    """Makes the plans of one graph. Raises ValueError if the graph is not complete."""

    def __init__(self, graph: Graph) -> None:
        if not graph.complete or not graph.outputs:
            raise ValueError(f"the network {graph.name} has errors")
        self.graph = graph
        self.codes = {node.index: self._code(node) for node in graph.nodes if node.layer is not None}
        self.roots = self._roots()
        self.takers = self._takers()
        self.training = self._training()
        self.inside = _Calls(graph.calls)
        self.repeats: dict[int, int] = {}
        self.inline: set[int] = set()
        self._look_at_shared_weights()
        self.plans: dict[int, Plan] = {}

    def _code(self, node: Node) -> Code:
        assert node.layer is not None
        assert node.shapes is not None
        return node.layer.code(self.input_shapes(node), node.shapes)

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        return tuple(self.shape(edge) for edge in node.inputs)

    def shape(self, edge: Edge) -> Shape:
        shape = self.graph.shape_of(edge)
        assert shape is not None
        return shape

    def _roots(self) -> dict[int, Edge]:
        """For each layer that gives what it was given, such as the identity, where that comes from."""
        roots: dict[int, Edge] = {}
        for index, code in self.codes.items():
            if isinstance(code.forward, Input) and not code.modules:
                edge = self.graph.nodes[index].inputs[code.forward.index]
                roots[index] = roots.get(edge.node, edge)
        return roots

    def root(self, edge: Edge) -> Edge:
        return self.roots.get(edge.node, edge)

    def _takers(self) -> dict[Edge, list[int]]:
        """For each tensor, the layers that take it, in order; a result of the network is taken by no layer: -1."""
        takers: dict[Edge, list[int]] = {}
        for node in self.graph.nodes:
            if node.index not in self.roots:
                for edge in node.inputs:
                    takers.setdefault(self.root(edge), []).append(node.index)
        for output in self.graph.outputs:
            takers.setdefault(self.root(output.edge), []).append(len(self.graph.nodes))
        return takers

    def extended(self, index: int) -> bool:
        """Whether some layer takes an output of a node besides its first."""
        shapes = self.graph.nodes[index].shapes or ()
        return any(Edge(index, output) in self.takers for output in range(1, len(shapes)))

    def _training(self) -> set[int]:
        """The nodes that only serve results which only training wants, and what hangs on these."""
        nodes = self.graph.nodes
        main = {output.edge.node for output in self.graph.outputs if not output.training}
        other = {output.edge.node for output in self.graph.outputs if output.training}
        if not other:
            return set()
        for node in reversed(nodes):
            before = [edge.node for edge in node.inputs]
            if node.index in main:
                main.update(before)
            if node.index in other:
                other.update(before)
        found = other - main
        for node in nodes:
            if node.index not in main and any(edge.node in found for edge in node.inputs):
                found.add(node.index)
        return {index for index in found if nodes[index].kind != INPUT}

    # --- shared weights -----------------------------------------------------------------------------------------

    def _look_at_shared_weights(self) -> None:
        """Which calls repeat another with its weights, and which can't be classes for the weights they use."""
        for node in self.graph.nodes:
            if node.shares is None:
                continue
            whole = self._repeated(node.index)
            if whole is None:
                self._open_around(node.index, node.shares)
            elif whole not in self.repeats:
                first = self.repeats[whole] = self._first(whole)
                self._open_around(self.inside.parents[whole], self.inside.calls[first].first, call=True)

    def _open_around(self, inner: int, owner: int, *, call: bool = False) -> None:
        """Calls around a node (or call) in which the owner of its weights does not lie are no classes."""
        around = inner if call else self.inside.of(inner)
        while around >= 0:
            one = self.inside.calls[around]
            if one.first <= owner < one.last:
                break
            self.inline.add(around)
            around = self.inside.parents[around]

    def _repeated(self, index: int) -> int | None:
        """The outermost call around a node that is another call once more, with its weights."""
        around, found = self.inside.of(index), None
        while around >= 0:
            if self._first(around) >= 0:
                found = around
            around = self.inside.parents[around]
        return found

    def _first(self, number: int) -> int:
        """The call whose weights a call uses for all of its layers; -1 if there is none."""
        known = self.inside.firsts.get(number)
        if known is None:
            known = self.inside.firsts[number] = self._find_first(number)
        return known

    def _find_first(self, number: int) -> int:
        nodes, call = self.graph.nodes, self.inside.calls[number]
        shared = next((n for n in nodes[call.first : call.last] if n.shares is not None), None)
        if shared is None or shared.shares is None:
            return -1
        start = shared.shares - (shared.index - call.first)
        first = self.inside.by_range.get((call.block, start, start + call.last - call.first), -1)
        if first < 0 or first >= number:
            return -1
        for node in nodes[call.first : call.last]:
            other = nodes[node.index - call.first + start]
            owner = other.index if other.shares is None else other.shares
            weighted = node.layer is not None and bool(node.layer.weights(*self.input_shapes(node)))
            if node.layer != other.layer or (weighted and node.shares != owner):
                return -1
        return first

    def owner(self, index: int) -> int:
        """The node whose modules a node uses: its own, or those of one that it repeats."""
        shares = self.graph.nodes[index].shares
        if shares is not None:
            return shares
        around = self.inside.of(index)
        while around >= 0:
            first = self.repeats.get(around)
            if first is not None and around not in self.inline:
                index += self.inside.calls[first].first - self.inside.calls[around].first
            around = self.inside.parents[around]
        return index

    # --- plans --------------------------------------------------------------------------------------------------

    def network(self) -> Plan:
        """The plan of the whole network."""
        graph = self.graph
        inputs = tuple(Edge(index) for index in graph.inputs)
        plan = Plan(graph, None, inputs, ("first",) * len(inputs))
        self._fill(plan, -1, 0, len(graph.nodes), 0)
        plan.results = tuple(self.root(o.edge) for o in graph.outputs if not o.training)
        plan.training_results = tuple(self.root(o.edge) for o in graph.outputs if o.training)
        wanted = dict.fromkeys((*plan.results, *plan.training_results))
        plan.finally_ = tuple((e, "first") for e in wanted if self._moves(plan.layouts, e, "first"))
        return plan

    def _fill(self, plan: Plan, around: int, first: int, last: int, depth: int) -> None:
        """Add the steps of the nodes from `first` to `last`, which lie in call number `around`."""
        index, child = first, self.inside.next_within(around, around + 1)
        while index < last:
            call = self.inside.calls[child] if child >= 0 else None
            if call is None or index < call.first:
                if self.graph.nodes[index].layer is not None and index not in self.roots:
                    self._add_layer(plan, index, depth)
                index += 1
                continue
            self._add_call(plan, child, depth)
            index = max(index, call.last)
            child = self.inside.next_within(around, self.inside.ends[child])
        while child >= 0:
            plan.omitted.append(self.inside.calls[child])
            child = self.inside.next_within(around, self.inside.ends[child])

    def _key(self, path: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(span.start for span in path)

    def _add_layer(self, plan: Plan, index: int, depth: int) -> None:
        node, code = self.graph.nodes[index], self.codes[index]
        step = Step(self._key((*node.calls[depth:], node.span)), node.name[len(plan.path) :], index, index + 1)
        step.code, step.value, step.owner = code, code.forward, node.shares
        step.given = node.named
        step.inputs = tuple(self.root(edge) for edge in node.inputs)
        step.training = index in self.training
        layout = code.layout
        if layout == "any":
            # A merge of both layouts goes on channels first, as most layers want it.
            found = {plan.layouts[edge] for edge in step.inputs}
            layout = plan.layouts[step.inputs[0]] if len(found) == 1 else "first"
        step.moves = self._move(plan.layouts, step.inputs, layout)
        step.outputs = (Edge(index),)
        if self.extended(index):
            assert node.layer is not None
            step.value = code.extended
            step.outputs = tuple(Edge(index, output) for output in range(len(node.layer.extra_outputs) + 1))
        plan.layouts.update(dict.fromkeys(step.outputs, layout))
        plan.steps.append(step)

    def _move(self, layouts: dict[Edge, str], inputs: tuple[Edge, ...], layout: str) -> tuple[tuple[Edge, str], ...]:
        """The moves that put the channels of these tensors where they are wanted."""
        moves = tuple((e, layout) for e in dict.fromkeys(inputs) if self._moves(layouts, e, layout))
        layouts.update(moves)
        return moves

    def _moves(self, layouts: dict[Edge, str], edge: Edge, layout: str) -> bool:
        shape = self.shape(edge)
        return layouts[edge] != layout and shape.rank > 0 and not shape.tokens

    def _add_call(self, plan: Plan, number: int, depth: int) -> None:
        """Add a call: as one step, or as those it consists of."""
        call = self.inside.calls[number]
        if all(index in self.roots for index in range(call.first, call.last)):
            plan.omitted.append(call)
            return
        inputs, results = self._ends(call)
        if number in self.inline or not inputs or self.root(call.result or Edge(-1)) not in results:
            self._write_out(plan, number, depth)
            return
        moves: tuple[tuple[Edge, str], ...] = ()
        for edge in inputs:
            # Moved by the caller, so that what it takes the tensor for later finds it moved.
            takers = self.takers[edge]
            layout = self.codes[takers[bisect_left(takers, call.first)]].layout
            moves += self._move(plan.layouts, (edge,), layout) if layout != "any" else ()
        node, level = self.graph.nodes[call.first], self.inside.levels[number]
        path = (*node.calls, node.span)
        inner = Plan(self.graph, call, inputs, tuple(plan.layouts[edge] for edge in inputs))
        inner.source = path[level + 1].source
        inner.origin = (call.block, inner.source.name)
        self._fill(inner, number, call.first, call.last, level + 1)
        inner.results = results
        owner = None
        if number in self.repeats:
            first = self.plans.get(self.repeats[number])
            if first is None or not _same(first, inner):
                self._write_out(plan, number, depth)
                return
            owner = self.inside.calls[self.repeats[number]].first
        self.plans[number] = inner
        step = Step(self._key(path[depth : level + 1]), call.name[len(plan.path) :], call.first, call.last)
        step.plan, step.owner, step.moves = inner, owner, moves
        step.given = " as " in path[level].text
        step.inputs, step.outputs = inputs, results
        step.training = all(i in self.training for i in range(call.first, call.last) if i not in self.roots)
        if step.training:  # All of it is: whoever calls it asks.
            for one in inner.steps:
                one.training = False
        plan.layouts.update((edge, inner.layouts[edge]) for edge in results)
        plan.steps.append(step)

    def _write_out(self, plan: Plan, number: int, depth: int) -> None:
        """Write a call where it is called. If it repeats another, the calls in it repeat those in the other."""
        call = self.inside.calls[number]
        self.inline.add(number)
        if self.repeats.pop(number, None) is not None:
            child = self.inside.next_within(number, number + 1)
            while child >= 0:
                if self._first(child) >= 0:
                    self.repeats[child] = self._first(child)
                child = self.inside.next_within(number, self.inside.ends[child])
        self._fill(plan, number, call.first, call.last, depth)

    def _ends(self, call: BlockCall) -> tuple[tuple[Edge, ...], tuple[Edge, ...]]:
        """The tensors from outside that a call takes, and its own that are taken outside, its result first."""
        inputs: dict[Edge, None] = {}
        results: dict[Edge, None] = {}
        own = self.root(call.input)
        result = self.root(call.result) if call.result is not None else None
        for node in self.graph.nodes[call.first : call.last]:
            if node.index in self.roots:
                continue
            for edge in map(self.root, node.inputs):
                if not call.first <= edge.node < call.last:
                    inputs[edge] = None
            assert node.shapes is not None
            for output in range(len(node.shapes)):
                edge = Edge(node.index, output)
                takers = self.takers.get(edge, [])
                if edge == result or bisect_right(takers, call.last - 1) < len(takers):
                    results[edge] = None
        ordered_inputs = sorted(inputs, key=lambda edge: edge != own)
        ordered_results = sorted(results, key=lambda edge: edge != result)
        return tuple(ordered_inputs), tuple(ordered_results)


class _Calls:
    """The calls of a graph as a tree, by their numbers; -1 stands for the network."""

    def __init__(self, calls: tuple[BlockCall, ...]) -> None:
        self.calls = calls
        self.parents: list[int] = []
        self.levels: list[int] = []
        """How many calls each lies in."""
        self.ends: list[int] = [len(calls)] * len(calls)
        """The number of the first call that is neither this one nor within it."""
        self.firsts: dict[int, int] = {}
        self.by_range: dict[tuple[str, int, int], int] = {}
        self.starts = [call.first for call in calls]
        open_: list[int] = []
        for number, call in enumerate(calls):
            while open_ and not _encloses(calls[open_[-1]], call):
                self.ends[open_.pop()] = number
            self.parents.append(open_[-1] if open_ else -1)
            self.levels.append(len(open_))
            open_.append(number)
            self.by_range.setdefault((call.block, call.first, call.last), number)

    def next_within(self, around: int, number: int) -> int:
        """The call from `number` on that lies directly in `around`, or -1."""
        last = self.ends[around] if around >= 0 else len(self.calls)
        return number if number < last else -1

    def of(self, index: int) -> int:
        """The innermost call that made a node, or -1."""
        number = bisect_right(self.starts, index) - 1
        while number >= 0 and not self.calls[number].first <= index < self.calls[number].last:
            number = self.parents[number]
        return number


def _encloses(outer: BlockCall, inner: BlockCall) -> bool:
    return inner.name.startswith(outer.name + ".") and outer.first <= inner.first <= inner.last <= outer.last


def _same(first: Plan, second: Plan) -> bool:
    """Whether two plans do the same, step by step."""
    if len(first.steps) != len(second.steps) or len(first.inputs) != len(second.inputs):
        return False
    places = [edge_places(first), edge_places(second)]
    if [places[0][e] for e in first.results] != [places[1][e] for e in second.results]:
        return False
    for a, b in zip(first.steps, second.steps, strict=True):
        moved = [[(at[edge], layout) for edge, layout in s.moves] for s, at in zip((a, b), places, strict=True)]
        taken = [[at[edge] for edge in s.inputs] for s, at in zip((a, b), places, strict=True)]
        if moved[0] != moved[1] or taken[0] != taken[1] or a.code != b.code or a.value != b.value:
            return False
        if (a.plan is None) != (b.plan is None) or (a.plan and b.plan and not _same(a.plan, b.plan)):
            return False
    return True


def edge_places(plan: Plan) -> dict[Edge, tuple[int, int]]:
    """Where each tensor of a plan comes from: (-1, n) is its n-th input, (s, n) the n-th output of step s."""
    places = {edge: (-1, number) for number, edge in enumerate(plan.inputs)}
    for at, step in enumerate(plan.steps):
        places.update((edge, (at, number)) for number, edge in enumerate(step.outputs))
    return places
