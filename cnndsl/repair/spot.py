"""Where an error is in the graph: the network, the node that can't be, and what it gets."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Node
from cnndsl.pipeline import Checked, CheckedNetwork
from cnndsl.record import Record
from cnndsl.repair.spec import Handle, Spec
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax.tree import Line


class Spot(Record):
    """The node that an error is about, in the first network that has it, and the shapes of what it gets.

    place: the marked place, which may be an argument that a block was called with and passed on.
    """

    network: CheckedNetwork
    node: Node
    inputs: tuple[Shape, ...]
    place: Span


OF_RECIPES = ("ClassesMismatch", "InputMismatch", "SoftmaxBeforeLoss")
"""Problems of a network that does not go with its recipe; the last is a warning."""


def spot_of(diagnostic: Diagnostic, checked: Checked, spec: Spec) -> Spot | None:
    """The node that an error of shapes, or a claim, is about; None for errors that are not about one."""
    name = type(diagnostic).__name__
    if name == "ClaimFails":
        return _claimed(diagnostic.span, checked, spec)
    if name == "ExpectFails":
        return _expected(diagnostic.span, checked, spec)
    if name in (*OF_RECIPES, "WeightsDiffer"):
        return _named(diagnostic.span, checked)
    for network in checked.networks:
        for node in network.graph.nodes:
            if node.shapes is not None or node.layer is None:
                continue
            shapes = [network.graph.shape_of(edge) for edge in node.inputs]
            known = tuple(shape for shape in shapes if shape is not None)
            if len(known) == len(shapes) and any(_within(diagnostic.span, one) for one in (node.span, *node.calls)):
                return Spot(network, node, known, diagnostic.span)
    return None


def _named(place: Span, checked: Checked) -> Spot | None:
    """The last node that is marked, though it has a shape: it does not go with the recipe, or with its weights."""
    for network in checked.networks:
        for node in reversed(network.graph.nodes):
            if place == node.span or place in node.calls:
                shapes = tuple(s for e in node.inputs if (s := network.graph.shape_of(e)) is not None)
                return Spot(network, node, shapes, place)
    return None


def _within(place: Span, item: Span) -> bool:
    return place.source is item.source and item.start <= place.start and place.end <= item.end


def _expected(place: Span, checked: Checked, spec: Spec) -> Spot | None:
    """The input of the network that a `where` condition or an `expect` is about."""
    lines = [line for line in spec.lines if _within(place, line.span())]
    header = spec.header(lines[-1]) if lines and place.source is spec.source else None
    name = header.statement.name.name if header is not None else ""
    for network in checked.networks:
        nodes = [network.graph.nodes[index] for index in network.graph.inputs]
        for node in nodes:
            if _within(place, node.span):
                return Spot(network, node, (), place)
        if network.graph.name == name and nodes:
            return Spot(network, nodes[0], (), place)
    return None


def own_handle(spot: Spot, spec: Spec) -> Handle | None:
    """The item that can be edited of a layer itself: its own, or the call of a block that passed the marked argument
    on to it."""
    handle = spec.handle(spot.node)
    if handle is None or (handle.calls_block and not _within(spot.place, handle.span)):
        return None
    return handle


def _claimed(place: Span, checked: Checked, spec: Spec) -> Spot | None:
    """The last node that the line of a claim makes, in the first network where the claim may fail."""
    lines = [line for line in spec.lines if _within(place, line.span())]
    if not lines or place.source is not spec.source:
        return None
    for network in checked.networks:
        node = claimed_node(lines[-1], network, spec)
        if node is not None:
            shapes = tuple(s for e in node.inputs if (s := network.graph.shape_of(e)) is not None)
            return Spot(network, node, shapes, place)
    return None


def claimed_node(line: Line, network: CheckedNetwork, spec: Spec) -> Node | None:
    """The last node of a network that a line makes, or one before it in the same body, if it has a shape."""
    siblings = spec.siblings(line)
    for one in reversed(siblings[: siblings.index(line) + 1]):
        whole = one.span()
        found = [n for n in network.graph.nodes if any(_within(s, whole) for s in (n.span, *n.calls))]
        if found and found[-1].shapes is not None:
            return found[-1]
    return None
