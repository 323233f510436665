"""Where a size that does not fit came from: the places and numbers that a shape problem is shown with.

A problem says in `cause` what of its input it blames: an axis (`channels`, `length`; `axis` is the one that its value
`axis` names), `shape` (what sort of tensor it is), or `arms` (a merge's inputs differ). The way back through the graph
gives a label where that was made, and a note with all the steps: `32 -conv 5-> 28 -pool 2-> 14`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cnndsl.diagnostics import Label
from cnndsl.graph import INPUT, Edge, Node
from cnndsl.record import Record
from cnndsl.shape import Shape
from cnndsl.source import Span

MOST_STEPS = 9
"""Sizes that a note shows; of more, those in the middle are left out."""
MOST_ARMS = 6
"""Arms of a merge that get a label."""
MOST_BACK = 10_000
"""Nodes that are looked at on the way back."""

CHANNELS = "channels"


class Step(Record):
    """A node on the way to a tensor, and the size that an axis has behind it."""

    node: Node
    size: int
    by: str
    """What it did, in a few letters: `conv 5/2`."""


def cause_of(
    cause: str, values: dict[str, Any], inputs: tuple[Edge, ...], nodes: list[Node]
) -> tuple[list[Label], list[str]]:
    """The labels and notes for what a problem blames on these inputs, all of which have shapes."""
    if cause == "arms":
        return _arms(values.get("axis"), inputs, nodes)
    if cause == "shape":
        return [_made(inputs[0], nodes)], []
    axis = str(values["axis"]) if cause == "axis" else cause
    steps = trace(inputs[0], axis, nodes)
    return ([_became(steps, axis)], _chain_note(axis, steps)) if steps else ([], [])


# --- the way back ---------------------------------------------------------------------------------------------------


def trace(edge: Edge, axis: str, nodes: list[Node]) -> list[Step]:
    """The nodes that an axis of a tensor runs through, from where it begins to the tensor itself, those that leave
    its size as it was apart. Empty if the tensor has no such axis."""
    shape = _shape(edge, nodes)
    if shape is None or axis not in shape.axes:
        return []
    at = shape.axes.index(axis)
    found: list[Step] = []
    for _ in range(MOST_BACK):
        node = nodes[edge.node]
        before = _before(node, edge, at, nodes)
        size = _size(edge, at, nodes)
        if before is None:
            found.append(Step(node, size, ""))
            break
        source, place = before
        if _size(source, place, nodes) != size or _makes_channels(node, at, nodes):
            found.append(Step(node, size, _doing(node, at, nodes)))
        edge, at = source, place
    return found[::-1]


def _before(node: Node, edge: Edge, at: int, nodes: list[Node]) -> tuple[Edge, int] | None:
    """The input, and the axis of it, that an axis of a node's output continues; None if it begins there."""
    if node.layer is None or not node.inputs or edge.output or node.shapes is None:
        return None
    shapes = [_shape(one, nodes) for one in node.inputs]
    own = node.shapes[0]
    if any(shape is None for shape in shapes):
        return None
    spatial = at < own.rank
    if spatial:
        along = node.layer.follows(*shapes)  # type: ignore[arg-type]  # none is None
        if at >= len(along) or along[at] is None:
            return None
    size = own.sizes[at]
    for one, shape in zip(node.inputs, shapes, strict=True):
        assert shape is not None
        place = along[at] if spatial else len(shape.sizes) - 1
        if place is None or (spatial and place >= shape.rank) or shape.tokens != own.tokens:
            continue
        # Of a merge's inputs it continues one that has its size: `mul` repeats a size of 1.
        if len(node.inputs) == 1 or shape.sizes[place] == size:
            return (one, place) if spatial or shape.rank == own.rank or shape.channels == own.channels else None
    return None


def _makes_channels(node: Node, at: int, nodes: list[Node]) -> bool:
    """Whether the axis is the channels' and the node has as many as it says, not as many as it was given."""
    assert node.shapes is not None
    assert node.layer is not None
    return at == node.shapes[0].rank and any(name in node.layer.__dict__ for name in ("channels", "units"))


def _doing(node: Node, at: int, nodes: list[Node]) -> str:
    """What a node does along an axis, in a few letters: `conv 7/2 pad 3`, or its item as it is written."""
    layer = node.layer
    assert layer is not None
    assert node.shapes is not None
    own = node.shapes[0]
    if at < own.rank and len(node.inputs) == 1:
        shape = _shape(node.inputs[0], nodes)
        assert shape is not None
        along = layer.follows(shape)[at]
        window = layer.window(shape)[along] if along is not None else None
        if window is not None and "kernel" not in layer.__dict__ and window.size == shape.sizes[along or 0]:
            window = None  # It sees all there is, however much that is.
        if window is not None and window.upscale == 1 and window.stride and (window.size, window.stride) != (1, 1):
            stride = f"/{window.stride}" if window.stride != (window.size if node.kind == "pool" else 1) else ""
            dilation = f" dilation {window.dilation}" if window.dilation != 1 else ""
            return f"{node.kind} {window.size}{stride}{dilation}{f' pad {window.pad}' if window.pad else ''}"
    text = " ".join(node.span.text.split(" as ")[0].split())
    return text if len(text) <= 24 else node.kind


def _shape(edge: Edge, nodes: list[Node]) -> Shape | None:
    known = nodes[edge.node].shapes
    return known[edge.output] if known is not None else None


def _size(edge: Edge, at: int, nodes: list[Node]) -> int:
    shape = _shape(edge, nodes)
    assert shape is not None
    size: int = shape.sizes[at]
    return size


# --- one input ------------------------------------------------------------------------------------------------------


def _became(steps: list[Step], axis: str) -> Label:
    """The label on the layer that gave an axis its size."""
    last = steps[-1]
    if last.node.kind == INPUT:
        said = f"{last.size} channels" if axis == CHANNELS else f"the {axis} is {last.size}"
        return Label(last.node.span, f"{said} from the input on")
    if axis == CHANNELS:
        return Label(last.node.span, f"{last.size} channels come out of here")
    return Label(last.node.span, f"the {axis} becomes {last.size} here")


def _made(edge: Edge, nodes: list[Node]) -> Label:
    """The label on the layer that made a tensor of the sort that it is: as many axes, tokens or not."""
    shape = _shape(edge, nodes)
    assert shape is not None
    for _ in range(MOST_BACK):
        node = nodes[edge.node]
        if node.layer is None or not node.inputs or edge.output:
            break
        before = _shape(node.inputs[0], nodes)
        if before is None or before.rank != shape.rank or before.tokens != shape.tokens:
            break
        edge = node.inputs[0]
    node, first = nodes[edge.node], _shape(edge, nodes)
    assert first is not None
    if node.kind == INPUT:
        return Label(node.span, "declared here")
    sort = "a vector" if not first.rank else "tokens" if first.tokens else " x ".join(first.axes)
    return Label(node.span, f"from here on it is {sort}: {first}")


def _chain_note(axis: str, steps: list[Step], which: str = "") -> list[str]:
    """All sizes that a spatial axis had, as one line; nothing for channels, or where it had only one."""
    if axis == CHANNELS or len(steps) < 2:
        return []
    return [f"{axis}{which}: {chain(steps)}"]


def chain(steps: list[Step]) -> str:
    """`32 -conv 5-> 28 -pool 2-> 14`; of very many steps the first and the last."""
    parts = [f"-{step.by}-> {step.size}" for step in steps[1:]]
    if len(parts) > MOST_STEPS:
        left_out = len(parts) - MOST_STEPS + 1
        parts = [*parts[:3], f"... {left_out} more ...", *parts[3 + left_out :]]
    return " ".join([str(steps[0].size), *parts])


# --- several inputs -------------------------------------------------------------------------------------------------


def _arms(axis: str | None, inputs: tuple[Edge, ...], nodes: list[Node]) -> tuple[list[Label], list[str]]:
    """A label for each arm of a merge, and for two that differ the first layers at which they part."""
    texts: dict[Span, list[str]] = {}
    for edge in inputs[:MOST_ARMS]:
        texts.setdefault(nodes[edge.node].span, []).append(str(_shape(edge, nodes)))
    notes: list[str] = []
    parted: dict[Span, str] = {}
    if axis is not None:
        for number, steps in _parting(axis, inputs, nodes):
            if len(steps) > 1:
                span = steps[1].node.span
                said = f"{steps[1].size} channels" if axis == CHANNELS else f"the {axis} becomes {steps[1].size}"
                if span not in texts or axis != CHANNELS:
                    parted[span] = said
            if axis != CHANNELS:
                notes.append(f"{axis} in arm {number + 1}: {chain(steps)}")
    labels = []
    for span, shapes in texts.items():
        here = f"; {parted.pop(span)} here" if span in parted else ""
        labels.append(Label(span, f"this arm gives {' and '.join(dict.fromkeys(shapes))}{here}"))
    labels += [Label(span, f"{said} here") for span, said in parted.items()]
    return labels, notes


def _parting(axis: str, inputs: tuple[Edge, ...], nodes: list[Node]) -> list[tuple[int, list[Step]]]:
    """Two arms that differ along an axis, each with its number and its steps from the one where they part on."""
    sizes = [_along(edge, axis, nodes) for edge in inputs]
    common = Counter(sizes).most_common(1)[0][0]
    usual = sizes.index(common)
    odd = next((number for number, size in enumerate(sizes) if size != common), usual)
    pair = sorted({usual, odd})
    traces = [trace(inputs[number], axis, nodes) for number in pair]
    if len(traces) < 2 or not all(traces):
        return []
    first, second = traces
    same = 0
    while same < min(len(first), len(second)) and first[same].node.index == second[same].node.index:
        same += 1
    if same:  # What both have in common is one step, where they begin.
        first, second = first[same - 1 :], second[same - 1 :]
        while len(first) > 2 and len(second) > 2 and first[1].size == second[1].size:
            first, second = [first[1], *first[2:]], [second[1], *second[2:]]
    return list(zip(pair, (first, second), strict=True))


def _along(edge: Edge, axis: str, nodes: list[Node]) -> int | None:
    shape = _shape(edge, nodes)
    return shape.sizes[shape.axes.index(axis)] if shape is not None and axis in shape.axes else None
