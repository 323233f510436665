"""Where an error is in the graph: the network, the node that can't be, and what it gets."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Node
from cnndsl.pipeline import Checked, CheckedNetwork
from cnndsl.record import Record
from cnndsl.repair.spec import Handle, Spec
from cnndsl.shape import Shape
from cnndsl.source import Span


class Spot(Record):
    """The node that an error is about, in the first network that has it, and the shapes of what it gets.

    place: the marked place, which may be an argument that a block was called with and passed on.
    """

    network: CheckedNetwork
    node: Node
    inputs: tuple[Shape, ...]
    place: Span


def spot_of(diagnostic: Diagnostic, checked: Checked, spec: Spec) -> Spot | None:
    """The node that an error of shapes, or a claim, is about; None for errors that are not about one."""
    name = type(diagnostic).__name__
    if name == "ClaimFails":
        return _claimed(diagnostic.span, checked, spec)
    if name == "ExpectFails":
        return _required(diagnostic.span, checked)
    for network in checked.networks:
        for node in network.graph.nodes:
            if node.shapes is not None or node.layer is None:
                continue
            shapes = [network.graph.shape_of(edge) for edge in node.inputs]
            known = tuple(shape for shape in shapes if shape is not None)
            if len(known) == len(shapes) and any(_within(diagnostic.span, one) for one in (node.span, *node.calls)):
                return Spot(network, node, known, diagnostic.span)
    return None


def _within(place: Span, item: Span) -> bool:
    return place.source is item.source and item.start <= place.start and place.end <= item.end


def _required(place: Span, checked: Checked) -> Spot | None:
    """The input whose `where` condition an error is about."""
    for network in checked.networks:
        for index in network.graph.inputs:
            node = network.graph.nodes[index]
            if _within(place, node.span):
                return Spot(network, node, (), place)
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
    line = lines[-1]
    siblings = spec.siblings(line)
    earlier = siblings[: siblings.index(line) + 1]
    for network in checked.networks:
        for one in reversed(earlier):
            whole = one.span()
            found = [n for n in network.graph.nodes if any(_within(s, whole) for s in (n.span, *n.calls))]
            if found and found[-1].shapes is not None:
                shapes = tuple(s for e in found[-1].inputs if (s := network.graph.shape_of(e)) is not None)
                return Spot(network, found[-1], shapes, place)
    return None
