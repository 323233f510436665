"""Windows that miss cells, or see nothing: what strides leave over, what they skip, and padding without cells."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label
from cnndsl.graph import Edge, Node
from cnndsl.layers.base import Window
from cnndsl.layers.padding import reach
from cnndsl.lint.lossless import axis_text, missed, sizes_without_loss
from cnndsl.lint.view import View, is_plain
from cnndsl.shape import SPATIAL_AXES
from cnndsl.source import Span


def strides(layer: Any) -> bool:
    """Whether the windows of a layer that slides move by more than one cell."""
    return layer.stride is None or bool(max(layer.stride) > 1)


def is_even_and_padded(layer: Any) -> bool:
    """Whether a window has an even side, and padding that says how much."""
    return layer.pad not in ("same", (0,)) and any(side % 2 == 0 for side in layer.kernel)


def is_padded(layer: Any) -> bool:
    """Whether there is padding that says how much."""
    return layer.pad not in ("same", (0,))


def has_window(layer: Any) -> bool:
    """Whether a kernel has more than one cell."""
    return bool(max(layer.kernel) > 1)


MUCH = 0.3
"""Share of a map's rows from which on losing them is worth a warning."""


class BordersDropped(Diagnostic):
    """A stride leaves cells over at the end of a map, which no window reads and no other layer either: of 7 rows, a
    pool of 4 reads 4. Where that is a good part of the map, much of what was computed is thrown away.

    Wrong: `pool 4` on 7x7. Right: `pool 4 ceil`, `pool 4 same`, a window that divides the map, or another input size:
    the note says which ones near lose nothing.

    Losing little is a note, N821.
    """

    code = "W821"
    severity = "warning"
    title = "a good part of the map is dropped"
    message = "`{text}` leaves out the last {what} of its {shape} input"
    label = "{arithmetic}"
    help = "{advice}"


class BordersLost(Diagnostic):
    """A stride leaves cells over at the end of a map, which no window reads and no other layer either: of 113 rows, a
    pool of 2 reads 112. That is a small part of the map, and common in published networks; but at another input size
    nothing is lost: the note says which ones near.

    Losing a good part of the map is a warning, W821.
    """

    code = "N821"
    severity = "note"
    title = "borders are dropped"
    message = "`{text}` leaves out the last {what} of its {shape} input"
    label = "{arithmetic}"
    help = "{advice}"


def borders_dropped(view: View, node: Node) -> None:
    """A window whose stride does not come out even at the end of its input."""
    lost = missed(view.nodes, view.input_of(node).spatial, node)
    if not any(lost):
        return
    windows = _windows(view, node)
    lost = tuple(0 if _skips(w) else n for n, w in zip(lost, windows, strict=True))
    edge = node.inputs[0]
    others = [one for one in view.users[edge.node] if one is not node and one.inputs[0] == edge]
    x = view.input_of(node)
    if any(edge in one.inputs[1:] for one in view.users[edge.node]) or view.is_result(view.before(node)):
        return
    for one in others:
        lost = tuple(map(min, lost, missed(view.nodes, x.spatial, one)))
    # Of several layers that leave out the same, the first says so.
    if not any(lost) or any(one.index < node.index for one in others):
        return
    names = SPATIAL_AXES[x.rank]
    axis = max(range(x.rank), key=lambda i: lost[i] / x.spatial[i])
    window, size = windows[axis], x.spatial[axis]
    behind = (node.shapes[0].spatial[axis] - 1) * window.stride - window.pad + reach(window.size, window.dilation)  # type: ignore[index]
    arithmetic = f"{names[axis]}: the last window ends at cell {behind} of {size}"
    said = any(one.code in (BordersDropped.code, BordersLost.code) for one in view.found)
    notes = () if said else sizes_without_loss(view)
    values: dict[str, Any] = {
        "text": node.span.text,
        "what": axis_text(lost, x.rank),
        "shape": str(x),
        "arithmetic": arithmetic,
        "advice": _advice(node),
    }
    labels = tuple(Label(one.span, "leaves them out, too") for one in others if one.span != node.span)
    much = max(n / size for n, size in zip(lost, x.spatial, strict=True)) >= MUCH
    if much:
        view.report("BordersDropped", node, notes=notes, labels=labels, **values)
    else:
        view.report("BordersLost", node, notes=notes, labels=labels, **values)


def _advice(node: Node) -> str:
    if node.kind == "pool":
        return "`ceil` or `same` makes one window more, of what is left over"
    return "`same` makes one window more; or cut what is left over on both sides with `crop`"


def _windows(view: View, node: Node) -> tuple[Window, ...]:
    assert node.layer is not None
    return node.layer.window(view.input_of(node))


def _skips(window: Window) -> bool:
    """Whether no window reads certain cells, wherever they lie: between one window and the next, or in the holes that
    dilation leaves."""
    return bool(_read(window) < window.stride)


def _read(window: Window) -> int:
    """How many of as many neighbouring cells as the stride are read, far from the borders."""
    return len({tap * window.dilation % window.stride for tap in range(min(window.size, window.stride))})


class SkippedCells(Diagnostic):
    """The stride is larger than the window, so that cells between one window and the next are read by nothing; or all
    windows have their holes, which dilation makes, at the same cells.

    Wrong: `pool 2 /3`. Right: `pool 3`, `pool 3 /3`.

    A window of one cell does the same, and is common in shortcuts and in the first ResNets: that is a note, N822.
    """

    code = "W822"
    severity = "warning"
    title = "cells between the windows"
    message = "`{text}` steps over cells: it reads {read}"
    label = "a window of {size} every {stride} cells"
    help = "take a window at least as large as the stride{dilated}"


class PickedCells(Diagnostic):
    """A window of one cell with a stride picks single cells; the others are read by nothing. The first ResNets do it
    in the 1x1 convolutions that halve the map; later ones moved the stride into the 3x3 convolution (torchvision's
    ResNet v1.5), which reads all cells.

    `conv 1x1x64 /2, relu, conv 3x3x64 pad=1` reads one cell of four; `conv 1x1x64, relu, conv 3x3x64 /2 pad=1` all.
    """

    code = "N822"
    severity = "note"
    title = "single cells are picked"
    message = "`{text}` reads {read}, and nothing reads the others"
    label = "a window of {size} every {stride} cells"
    help = "move the stride to a layer with a larger window, or pool first"


def skipped_cells(view: View, node: Node) -> None:
    """A stride larger than the window, where nothing else takes the tensor."""
    windows = _windows(view, node)
    if not any(map(_skips, windows)):
        return
    edge = node.inputs[0]
    users = view.users[edge.node]
    if view.is_result(view.before(node)) or any(not _picks_as(view, one, node, edge, windows) for one in users):
        return
    if any(one.index < node.index for one in users) or max(view.input_of(node).spatial) == 1:
        return
    seen, steps = 1, 1
    for window in windows:
        seen, steps = seen * _read(window), steps * window.stride
    read = f"{seen} of every {steps} cells"
    size, step = ("x".join(map(str, sides)) for sides in ([w.size for w in windows], [w.stride for w in windows]))
    labels = tuple(Label(one.span, "reads the same cells") for one in users if one.span != node.span)
    if all(window.size == 1 for window in windows):
        view.report("PickedCells", node, labels=labels, text=node.span.text, read=read, size=size, stride=step)
    else:
        dilated = ", and a dilation that has no factor in common with it" * any(w.dilation > 1 for w in windows)
        values: dict[str, Any] = {"text": node.span.text, "read": read, "size": size, "stride": step}
        view.report("SkippedCells", node, labels=labels, dilated=dilated, **values)


def _picks_as(view: View, one: Node, node: Node, edge: Edge, windows: tuple[Window, ...]) -> bool:
    """Whether a node takes the tensor in no other way than by the same windows."""
    if one is node:
        return True
    return one.kind in ("conv", "dwconv", "pool") and one.inputs == (edge,) and _windows(view, one) == windows


class EvenKernelGrows(Diagnostic):
    """An even window has no middle: padded by half its size on both sides, the map grows by a cell with each layer and
    moves by half a cell.

    Wrong: `conv 4x4x8 pad=2`. Right: `conv 4x4x8 same`, which pads one cell less at the beginning, or `conv 3x3x8
    pad=1`.

    With a stride of 2 an even window is well centred, and nothing is said.
    """

    code = "W823"
    severity = "warning"
    title = "an even window with the same padding on both sides"
    message = "the window's {side} is even: with {pad} on both sides the map grows from {before} to {after}"
    label = "{side} has no middle"
    help = "write `same`, which keeps {before}, or an odd window"


class EvenKernel(Diagnostic):
    """An even window has no middle: with the same padding on both sides and a stride of 1, the map loses or gains a
    cell with each layer and moves by half a cell. Some published networks do that: the discriminator of pix2pix in
    its last convolutions, CRNN in its pools. A convolution that makes the map grow so is a warning, W823.

    `conv 4x4x8 pad=1` makes 31x31 of 32x32; `conv 4x4x8 same` keeps 32x32.
    """

    code = "N823"
    severity = "note"
    title = "an even window with the same padding on both sides"
    message = "the window's {side} is even: with {pad} on both sides the map goes from {before} to {after}"
    label = "{side} has no middle"
    help = "write `same`, which keeps {before}, or an odd window"


def even_kernel(view: View, node: Node) -> None:
    """An even window, moved by one cell a step, padded alike before and after."""
    layer = node.layer
    assert layer is not None
    assert node.shapes is not None
    x, y = view.input_of(node), node.shapes[0]
    sliding = layer._sliding(x)  # type: ignore[attr-defined]
    for axis, (side, stride, pad) in enumerate(zip(sliding.reaches, sliding.stride, sliding.pads, strict=True)):
        change = y.spatial[axis] - x.spatial[axis]
        if side % 2 or stride != 1 or pad[0] != pad[1] or not pad[0] or abs(change) != 1:
            continue
        fixes = _same(node) if is_plain(node) else ()
        values: dict[str, Any] = {"side": str(side), "pad": f"`pad={pad[0]}`", "before": str(x), "after": str(y)}
        if change > 0 and node.kind != "pool":
            view.report("EvenKernelGrows", node, fixes=fixes, **values)
        else:
            view.report("EvenKernel", node, fixes=fixes, **values)
        return


def _same(node: Node) -> tuple[Fix, ...]:
    """The fix that writes `same` in place of `pad=…`."""
    text = node.span.text
    start = text.find("pad=")
    end = text.find(" ", start)
    if start < 0 or text[start + 4 : start + 5] == "[":
        return ()
    place = Span(node.span.source, node.span.start + start, node.span.start + (len(text) if end < 0 else end))
    return (Fix("write `same`", (Edit(place, "same"),), "possible"),)


class OnlyPadding(Diagnostic):
    """The padding is as large as the window or larger, so that the outermost windows lie wholly in it: what they give
    is the bias alone, a frame around the map that holds nothing of the input.

    Wrong: `conv 1x1x64 pad=1`. Right: `conv 1x1x64`.
    """

    code = "W824"
    severity = "warning"
    title = "windows that see only padding"
    message = "the outermost windows of `{text}` see only padding: {pad} around a window of {side}"
    label = "a frame of {count} without content"
    help = "leave the padding out, or pad by less than the window"


def only_padding(view: View, node: Node) -> None:
    """Padding that holds whole windows."""
    sliding = node.layer._sliding(view.input_of(node))  # type: ignore[union-attr]
    for side, stride, cells in zip(sliding.reaches, sliding.stride, sliding.pads, strict=True):
        if cells[0] >= side:
            count = (cells[0] - side) // stride + 1
            values: dict[str, Any] = {"pad": f"{cells[0]} cells" if cells[0] != 1 else "1 cell", "side": str(side)}
            frame = f"{count} cell{'s' * (count != 1)}"
            view.report("OnlyPadding", node, text=node.span.text, count=frame, **values)
            return


class DeadWeights(Diagnostic):
    """The map is so much smaller than the kernel that most of the kernel's weights never meet a cell of it, only
    padding: a 3x3 kernel on a map of one cell uses its middle alone. They cost memory and time, and learn nothing.

    Wrong: `conv 3x3x64 pad=1` on 1x1x64. Right: `conv 1x1x64`, a larger input, or fewer strides before it.
    """

    code = "W825"
    severity = "warning"
    title = "weights that meet only padding"
    message = "{dead} of the {all} weights of each kernel of `{text}` meet only padding: its input is {shape}"
    label = "the kernel is larger than the map"
    help = "use a larger input, fewer strides before it, or a smaller kernel"


def dead_weights(view: View, node: Node) -> None:
    """A kernel most of whose weights meet no cell."""
    layer = node.layer
    assert layer is not None
    kernel = layer.kernel  # type: ignore[attr-defined]
    x = view.input_of(node)
    if max(kernel) * max(layer.dilation) <= min(x.spatial):  # type: ignore[attr-defined]
        return
    assert node.shapes is not None
    alive = every = 1
    for window, n, out in zip(_windows(view, node), x.spatial, node.shapes[0].spatial, strict=True):
        alive *= sum(_meets(tap, window, n, out) for tap in range(window.size))
        every *= window.size
    if 2 * alive < every:
        view.report("DeadWeights", node, dead=every - alive, all=every, text=node.span.text, shape=str(x))


def _meets(tap: int, window: Window, n: int, out: int) -> bool:
    """Whether a kernel's cell lies on a real cell at one of the `out` positions."""
    at = tap * window.dilation - window.pad
    first = max(0, -(at // window.stride))  # the first position at which it is not before the map
    return bool(first < out and at + first * window.stride < n)
