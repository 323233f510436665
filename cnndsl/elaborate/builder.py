"""The graph as it grows: nodes with their shapes, names, and what is reported on the way."""

from __future__ import annotations

import re
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest, problem, problem_class
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import UNKNOWN, Scope
from cnndsl.elaborate.frame import Frame, Names
from cnndsl.elaborate.unread import KEEPERS, first_word, names_of
from cnndsl.elaborate.values import Indexed, Tensor, given_arguments
from cnndsl.graph import INPUT, BlockCall, Edge, Node
from cnndsl.layers import find
from cnndsl.layers.base import Inferred, Layer, LayerError, Weight
from cnndsl.layers.bind import places_of
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

MOST_NODES = 250_000
MOST_OPEN = 60
"""Bodies that are run at once, each within the one before: blocks, branches, loops, arms."""
MOST_PROBLEMS = 1000
"""Problems of one network that are reported, before the rest is left unread."""
MOST_SHOWN = 3
"""Further places of one cause that are shown with it."""
MOST_CELLS = 1 << 40
"""Cells along one axis: more than any memory holds, and small enough that counts stay numbers one can print."""


_MEASURES = frozenset({"params", "macs", "flops", "connections", "rf", "stride", "depth", "memory"})


class Stop(Exception):  # noqa: N818
    """A limit was reached and reported: the expansion ends."""


class Builder:
    """A graph under construction. `troubled` is whether anything went wrong, also if it was reported before."""

    def __init__(self, budget: Budget, reported: set[tuple[str, str, int, int]]) -> None:
        self.budget = budget
        self.nodes: list[Node] = []
        self.names = Names()
        self.diagnostics: list[Diagnostic] = []
        # What was reported, here or for a network that shares lines with this one.
        self.reported = reported
        self.troubled = False
        # What is said of names of no kind or block; None where they look misspelt.
        self.missing: dict[str, Diagnostic | None] = {}
        # The header of the instance whose base's lines are run.
        self.instance: Span | None = None
        self.prefixes = Names()
        self.calls: list[BlockCall] = []
        self.inferred: dict[tuple[Any, ...], Inferred | LayerError] = {}
        # The shapes that tensors would have if the claims that fail were right: what only fails because of those
        # has the same cause, and is not reported.
        self.supposed: dict[Edge, Shape] = {}

    def report(self, name: str, span: Span, calls: tuple[Span, ...] = (), /, **values: Any) -> None:
        """Add a diagnostic, once for a place; the calls of the blocks it lies in are shown with it."""
        self.troubled = True
        key = (name, span.source.name, span.start, span.end)
        if key in self.reported:
            return
        self.reported.add(key)
        if len(self.diagnostics) >= MOST_PROBLEMS:
            raise Stop
        if self.instance is not None:
            values["labels"] = (*values.get("labels", ()), Label(self.instance, "as this instance has it"))
        if calls:
            places = dict.fromkeys(reversed(calls))
            labels = tuple(Label(call, "called from here") for call in places)
            values["labels"] = (*values.get("labels", ()), *labels[:3])
        self.diagnostics.append(problem(name, span, **values))

    def is_known_as_missing(self, name: str, span: Span) -> bool:
        """Whether it was said that no kind or block is called so, and what is missing is a definition: then each use is
        shown there, as long as they are few."""
        if name not in self.missing:
            of_name = (d for d in self.diagnostics if type(d).__name__ == "UnknownKind" and d.values["name"] == name)
            first: Any = next(of_name, None)
            if first is None:
                return False
            self.missing[name] = first if first.is_undefined() else None
        one = self.missing[name]
        if one is None:
            return False
        again = Label(span, "here, too")
        if one.span != span and again not in one.labels and len(one.labels) < MOST_SHOWN:
            one.labels = (*one.labels, again)
        self.troubled = True
        return one.span != span

    def report_evaluation(self, error: EvaluationError, line: Line, frame: Frame, fallback: Any = None) -> None:
        node = error.node if error.node is not None else fallback
        values = error.values
        if error.problem == "UndefinedName":
            later = (one for one in frame.lines if one.start > line.start and _is_let_of(values["name"], one))
            if (made := next(later, None)) is not None:
                values = {
                    **values,
                    "guess": values["name"],
                    "labels": (Label(made.span(), "defined here, further down"),),
                }
        self.report(error.problem, line.span(node), frame.calls, **values)
        if error.problem == "TooManySteps":
            raise Stop

    def pay(self, node: Any, steps: int = 10) -> None:
        """Pay for one more round of a loop, which takes about as long as ten steps of an expression."""
        self.budget.spend(steps, node)

    def apply(
        self, layer: Layer, item: tree.Item, line: Line, inputs: tuple[Edge, ...], frame: Frame, base: str,
        alias: str | None = None,
    ) -> Edge:  # fmt: skip
        """Add a layer's node, with the shapes that it infers."""
        shapes: list[Shape] = []
        nodes = self.nodes
        for edge in inputs:
            known = nodes[edge.node].shapes
            if known is None:
                return self.add(layer.kind, layer, inputs, None, line, item, frame, base, alias)
            shapes.append(known[edge.output])
        key = (layer, *shapes)
        inferred = self.inferred.get(key)
        if inferred is None:
            inferred = self.inferred[key] = infer_integers(layer, shapes)
        if self.supposed and self._suppose(layer, inputs) and isinstance(inferred, LayerError):
            self.troubled = True
            return self.add(layer.kind, layer, inputs, None, line, item, frame, base, alias)
        if isinstance(inferred, LayerError):
            self.report_refusal(inferred, line, item, frame, None, inputs)
            return self.add(layer.kind, layer, inputs, None, line, item, frame, base, alias)
        return self.add(layer.kind, layer, inputs, inferred.outputs, line, item, frame, base, alias)

    def _suppose(self, layer: Layer, inputs: tuple[Edge, ...]) -> bool:
        """Infer what the next node would give if the claims that fail were right; whether it would give anything."""
        if not any(edge in self.supposed for edge in inputs):
            return False
        shapes = [self.supposed.get(edge) or self.nodes[edge.node].shapes[edge.output] for edge in inputs]  # type: ignore[index]
        inferred = infer_integers(layer, shapes)
        if isinstance(inferred, LayerError):
            return False
        index = len(self.nodes)
        self.supposed.update((Edge(index, number), shape) for number, shape in enumerate(inferred.outputs))
        return True

    def add(
        self, kind: str, layer: Layer | None, inputs: tuple[Edge, ...], shapes: tuple[Shape, ...] | None, line: Line,
        item: tree.Item, frame: Frame, base: str, alias: str | None = None,
    ) -> Edge:  # fmt: skip
        """Add a node; its output 0."""
        index = len(self.nodes)
        span = Span(line.source, line.start + item.start, line.start + item.end)
        if index >= MOST_NODES:
            self.report("TooManyNodes", span, limit=MOST_NODES)
            raise Stop
        if alias is None:
            name = self.names.derive(frame.prefix + frame.branch + base, index)
        else:
            name = frame.prefix + alias
            displaced = self.names.give(name, index)
            if displaced is not None:
                self.nodes[displaced] = self.nodes[displaced]._replace(name=self.names.derive(name, displaced))
        node = Node(index, name, kind, layer, inputs, shapes, span, frame.calls, None, alias is not None)
        self.nodes.append(node)
        return Edge(index, 0)

    def share(self, index: int, first: Node | None, calls: tuple[Span, ...]) -> None:
        """Let node number `index`, which `reuse` made, use the weights of `first`; says if they don't fit."""
        node = self.nodes[index]
        weights = self.weights_of(node)
        if not weights or node.shares is not None or (first is not None and first.shapes is None):
            return
        if first is not None and self.weights_of(first) == weights:
            self.nodes[index] = node._replace(shares=first.index if first.shares is None else first.shares)
            return
        labels = (Label(first.span, f"made for {self._given(first)} here"),) if first is not None else ()
        self.report(
            "WeightsDiffer",
            node.span,
            calls,
            name=node.name if first is None else first.name,
            given=self._given(node),
            labels=labels,
        )

    def _given(self, node: Node) -> str:
        """The shapes of what a node takes, as text."""
        known = [self.nodes[edge.node].shapes for edge in node.inputs]
        return ", ".join(str(one[edge.output]) for one, edge in zip(known, node.inputs, strict=True) if one is not None)

    def weights_of(self, node: Node) -> tuple[Weight, ...]:
        """The tensors that a node's layer owns; none where its shape is unknown."""
        if node.layer is None or node.shapes is None:
            return ()
        known = [self.nodes[edge.node].shapes for edge in node.inputs]
        shapes = [one[edge.output] for one, edge in zip(known, node.inputs, strict=True) if one is not None]
        return node.layer.weights(*shapes)

    def add_failed(
        self, line: Line, frame: Frame, item: tree.Item, kind: str, base: str, alias: str | None = None
    ) -> Edge:
        """A node for a layer that can't be: without a shape, so that what follows is silent."""
        inputs = (frame.here,) if frame.here is not None else ()
        return self.add(kind, None, inputs, None, line, item, frame, base, alias)

    def add_unknown_input(self, line: Line, item: tree.Item) -> Edge:
        """An input of unknown shape, where the network has none."""
        index = len(self.nodes)
        name = self.names.derive("unknown", index)
        self.nodes.append(Node(index, name, INPUT, None, (), None, line.span(item)))
        return Edge(index, 0)

    def forget(
        self, line: Line, frame: Frame, item: tree.Item | None = None, kind: str = "", base: str = "unknown"
    ) -> None:
        """Go on after a line or item that was not carried out: the current tensor and the names are unknown.

        kind, base: the kind of the item and its name, as far as they are known.
        """
        self.troubled = True
        whole = item or tree.Item(0, line.end - line.start, tree.Name(0, 0, ""), (), None, None)
        if item is None and first_word(line) in KEEPERS:
            pass
        elif frame.here is None:
            frame.here = self.add_unknown_input(line, whole)
        elif self.nodes[frame.here.node].shapes is not None:
            frame.here = self.add(kind or "unknown", None, (frame.here,), None, line, whole, frame, base)
        own = {item.alias.name} if item is not None and item.alias is not None else set()
        for name in names_of(line) if item is None else own:
            frame.lost.add(name)
            frame.scope.values.setdefault(name, UNKNOWN)

    def report_refusal(
        self, error: LayerError, line: Line, item: tree.Item, frame: Frame, places: list[Span] | None,
        inputs: tuple[Edge, ...] = (),
    ) -> None:  # fmt: skip
        """Report a layer's refusal at the argument it blames, with where what it says of these inputs came from."""
        span = line.span(item)
        argument = error.argument
        if argument is not None:
            given, found = given_arguments(item.arguments, line, frame.scope, self.budget, frame.rest)
            places = found if places is None else places
            if isinstance(argument, str):
                kind = find(item.kind.name) if isinstance(item.kind, tree.Name) else None
                index = places_of(kind, given).get(argument) if kind is not None else None
            else:
                index = argument
            if index is not None and index < len(places):
                span = places[index]
        values = dict(error.values)
        word = values.get("word")
        if error.problem == "UnknownWord" and isinstance(word, str) and frame.scope.has(word):
            # A name is a name, never a variable: this one was meant as one.
            values["fixes"] = (
                Fix(f"write `{{{word}}}`, the value of `{word}`", (Edit(span, f"{{{word}}}"),), "likely"),
            )
        if inputs and (cause := problem_class(error.problem).cause):
            from cnndsl.elaborate.causes import cause_of  # Only where something is wrong.

            labels, notes = cause_of(cause, error.values, inputs, self.nodes)
            values["labels"] = tuple(label for label in labels if label.span != span)
            values["notes"] = tuple(notes)
        self.report(error.problem, span, frame.calls, **values)

    def define_tensor(self, name: str, edge: Edge, span: Span, frame: Frame) -> None:
        if name in frame.tensors:
            first = frame.tensors[name][1]
            labels = (Label(first, "first defined here"),) if first != span else ()
            notes = ("a name in a loop has an index, as in `as x[i]`",) if first == span else ()
            self.report("DefinedTwice", span, frame.calls, what="layer", name=name, labels=labels, notes=notes)
            return
        before = frame.home.values.get(name)
        if before is not None and not isinstance(before, (Tensor, Indexed)) and before is not UNKNOWN:
            place = frame.home.places.get(name)
            labels = (Label(place, "first defined here"),) if place is not None else ()
            self.report("DefinedTwice", span, frame.calls, what="name", name=name, labels=labels)
            return
        if name in _MEASURES or name in ("input", "here"):
            # It would hide the network's own number in `expect` lines.
            self.report("ReservedWord", span, word=name)
            return
        frame.tensors[name] = (edge, span)
        view = self.view(name, edge)
        values = frame.home.values
        base, bracket, index = name.partition("[")
        if bracket and index.endswith("]") and index[:-1].isdigit():
            indexed = values.setdefault(base, Indexed())
            if isinstance(indexed, Indexed):
                indexed[int(index[:-1])] = view
        else:
            before = values.get(name)
            view.entries = before if isinstance(before, Indexed) else {}
            values[name] = view

    def tensor_named(self, name: str, span: Span, frame: Frame) -> Edge | None:
        """The tensor of a name, or None with a diagnostic."""
        home = getattr(name, "frame", frame)
        special = {"input": home.input, "here": home.here}.get(str(name))
        if special is not None:
            edge: Edge = special
            return edge
        found = home.tensors.get(str(name))
        if found is None and re.split(r"[.\[]", name, maxsplit=1)[0] in home.lost:
            return None
        if found is None:
            self._report_undefined(str(name), span, frame, home)
            return None
        made: Edge = found[0]
        return made

    def _report_undefined(self, name: str, span: Span, frame: Frame, home: Frame) -> None:
        """Say why a name is no tensor's: it is made further down, it is a block's, or nothing has it."""
        later = (line for line in home.lines if line.start > span.start and name in names_of(line))
        made = next(later, None) if home is frame else None
        if made is not None:
            labels = (Label(made.span(), "made here"),)
            self.report("UsedBefore", span, frame.calls, name=name, labels=labels)
            return
        notes: tuple[str, ...] = ()
        if name in frame.file.blocks:
            notes = (f"`{name}` is a block; a call of it has a name where `as` gives it one: `{name} … as x`",)
        elif "." in name or any(name in names_of(block.line) for block in frame.file.blocks.values()):
            notes = ("names given within a block are seen within it only",)
        guess = closest(name, home.tensors)
        self.report("UndefinedTensor", span, frame.calls, name=name, guess=guess, notes=notes)

    def view(self, name: str, edge: Edge) -> Tensor:
        shapes = self.nodes[edge.node].shapes
        return Tensor(name, edge, shapes[edge.output] if shapes is not None else None)

    def show_tensors(self, frame: Frame) -> None:
        """Let expressions see the current tensor as `here`, and the block's own as `input`."""
        if frame.here is not None:
            frame.scope.values["here"] = self.view("here", frame.here)
        if frame.input is not None and "input" not in frame.scope.values:
            frame.scope.values["input"] = self.view("input", frame.input)

    def scope_here(self, frame: Frame) -> Scope:
        """The names that can be used at this place, for what is evaluated later: `here` is the tensor of this place."""
        values = {} if frame.here is None else {"here": self.view("here", frame.here)}
        return Scope(frame.scope, values)


def _is_let_of(name: str, line: Line) -> bool:
    return first_word(line) == "let" and name in names_of(line)


def infer_integers(layer: Layer, shapes: list[Shape]) -> Inferred | LayerError:
    """What a layer's shape rule says to integers: its outputs, or the first thing that is wrong."""
    try:
        inferred = layer.infer(*shapes)
    except LayerError as error:
        return error
    for condition in inferred.conditions:
        if not condition.holds():
            return condition.error()
    for output in inferred.outputs:
        if any(size > MOST_CELLS for size in output.sizes):
            return LayerError("TensorTooLarge", None, shape=str(output), limit=MOST_CELLS)
    return inferred
