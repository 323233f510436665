"""Windows larger than their input: padding, smaller windows, larger inputs, fewer strides and pools before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Edit
from cnndsl.graph import INPUT, Node
from cnndsl.repair import changes
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.sizes import input_of, larger, resized
from cnndsl.repair.spec import Handle, Spec, chain_to
from cnndsl.repair.spot import Spot, own_handle
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

CONVOLUTIONS = ("conv", "dwconv")
POOLS = ("pool", "subsample")
MOST = 5
"""Earlier layers that are looked at for one kind of change."""
NOT_FAR = 1.3
"""An input that would have to grow by no more than this was plainly meant to be larger."""
FAR = 4.0
"""What an input counts as having to grow by where it should not grow at all."""
DOUBLED = 2.0
"""An input that would have to grow by no more than this is as likely to be wrong as the number of pools."""


def too_large(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """Ways to make room for a window."""
    handle = own_handle(spot, spec)
    own = [] if handle is None else [handle]
    yield from swapped(spot, spec)
    wider = list(larger(spot, spec))
    growth = min((_growth(spot, one) for one in wider), default=0.0)
    if _is_of_data(spot):  # What the images have is not what the network lacks.
        growth = max(growth, FAR)
    for one in own:
        yield from _one_axis(one, spot.inputs[0], f"the `{one.span.text}` along")
    fewer = list(_fewer_times(spot, spec))
    yield from fewer
    if growth <= NOT_FAR:
        yield from wider
    before = [n for n in chain_to(spot.network.graph, spot.node.inputs[0]) if n.kind != INPUT]
    if spot.node.kind in POOLS:
        if fewer and NOT_FAR < growth <= DOUBLED:
            yield from wider
        for one in own:
            yield from _without(spec, one)
        if not fewer and NOT_FAR < growth <= DOUBLED:
            yield from wider
        for one in own:
            yield from _smaller(spot, one)
        yield from _padded_before(spec, before)
        yield from _less_before(spot, spec, before)
        for one in own:
            yield from paddings(spec, one)
    else:
        for one in own:
            yield from paddings(spec, one)
            yield from _smaller(spot, one)
        yield from _padded_before(spec, before)
        yield from _less_before(spot, spec, before)
    if growth > (DOUBLED if spot.node.kind in POOLS else NOT_FAR):
        yield from wider
    for one in own:
        if spot.node.kind not in POOLS:
            yield from _without(spec, one)
    for handle in spec.handles(spot.node):
        if handle.calls_block:
            edits = changes.with_stride(spec, handle, 1) if changes.slash(handle.item) else None
            if edits is not None:
                yield Candidate(f"`{handle.item.kind.name}` without the stride", edits)


def _is_of_data(spot: Spot) -> bool:
    """Whether the input is as large as the images that the recipe names."""
    recipe, shapes = spot.network.recipe, input_of(spot).shapes
    image = getattr(getattr(recipe, "data", None), "image", None)
    return image is not None and shapes is not None and tuple(image) == shapes[0].sizes


def _one_axis(handle: Handle, shape: Shape, what: str) -> Iterator[Candidate]:
    """A square pool of an oblong map, only along the axes that have room: `pool 2x1`."""
    layer: Any = handle.node.layer
    kernel: Any = getattr(layer, "kernel", ())
    written = changes.size(handle.item)
    oblong = layer is not None and layer.kind in POOLS and shape.rank == 2 and len(set(shape.spatial)) > 1
    if not oblong or handle.calls_block or len(set(kernel)) != 1 or not isinstance(written, tree.Number):
        return
    longer = shape.spatial[0] > shape.spatial[1]
    sides = f"{kernel[0]}x1" if longer else f"1x{kernel[0]}"
    edits = [handle.edit(written, sides)]
    slash = changes.slash(handle.item)
    if slash is not None and isinstance(slash.value, tree.Number):
        step = slash.value.value
        edits.append(handle.edit(slash.value, f"{step}x1" if longer else f"1x{step}"))
    elif slash is not None or getattr(layer, "pad", (0,)) not in ((0,), "same"):
        return
    axis = shape.axes[0 if longer else 1]
    yield Candidate(f"{what} the {axis} only: `{sides}`", tuple(edits))


def _fewer_times(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """What is repeated, as often as it still fits: `repeat 5:` for `repeat 6:`, `range(5)`, `* 5`, a shorter list."""
    same = [n for n in spot.network.graph.nodes if (n.span, n.calls) == (spot.node.span, spot.node.calls)]
    fits = [n.shapes is not None for n in same].index(False)
    counts: list[tuple[Line, Any]] = []
    for handle in spec.handles(spot.node):
        counts += [(handle.line, handle.item.count)] if handle.item.count is not None else []
        above = spec.parents[id(handle.line)]
        while above is not None:
            if isinstance(above.statement, tree.Repeat):
                counts.append((above, above.statement.count))
            elif isinstance(above.statement, tree.For):
                counts.append((above, _turns(above.statement.iterable)))
            above = spec.parents[id(above)]
    # What runs in a loop within a loop is counted by neither.
    line, count = counts[0] if len(counts) == 1 and fits else (None, None)
    if line is None:
        return
    if isinstance(count, tree.Number) and fits < count.value:
        yield Candidate(f"{fits} times instead of {count.text}", (Edit(line.span(count), str(fits)),))
    elif isinstance(count, tree.Sequence) and fits < len(count.items):
        kept, last = count.items[fits - 1], count.items[-1]
        cut = Span(line.source, line.start + kept.end, line.start + last.end)
        yield Candidate(f"{fits} times instead of {len(count.items)}", (Edit(cut, ""),))


def _turns(iterable: Any) -> Any:
    """What says how often a `for` runs: the number of `range(6)`, the list itself or that of `enumerate([…])`."""
    arguments: tuple[Any, ...] = getattr(iterable, "arguments", ())
    named = getattr(getattr(iterable, "function", None), "name", "")
    return arguments[0] if named in ("range", "enumerate") and len(arguments) == 1 else iterable


def _growth(spot: Spot, candidate: Candidate) -> float:
    old = input_of(spot).shapes
    assert old is not None
    sizes = [int(e.text) for e in candidate.edits if e.text.isdigit()]
    return max([n / min(old[0].spatial) for n in sizes], default=2.0)


def swapped(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """Sizes in another order than ours: the input's channels first, a kernel's first."""
    found = input_of(spot)
    sizes = found.shapes[0].sizes if found.shapes is not None else ()
    if len(sizes) == 3 and sizes[0] < sizes[1] == sizes[2] and sizes[0] <= 4:
        wanted = Shape((*sizes[1:], sizes[0]))
        yield from resized(spec, found, wanted, f"the channels last: an input of {wanted}")
    handle = own_handle(spot, spec)
    found_here = _kernel_swapped(handle.line, handle.item) if handle is not None else None
    if found_here is not None:
        yield Candidate(f"the channels last: `{found_here.text}`", (found_here,))
        every = tuple(e for pair in spec.chains.values() if (e := _kernel_swapped(*pair)) is not None)
        if len(every) > 1:
            yield Candidate(f"the channels last in {len(every)} kernels: `{found_here.text}`", every)


def _kernel_swapped(line: Line, item: tree.Item) -> Edit | None:
    """A convolution's size `32x3x3` written as `3x3x32`; None if it does not look like that."""
    written = changes.size(item)
    numbers = [getattr(side, "value", None) for side in getattr(written, "sides", ())]
    is_convolution = getattr(item.kind, "name", "") in ("conv", "deconv")
    if not is_convolution or len(numbers) != 3 or None in numbers or not numbers[0] != numbers[1] == numbers[2]:
        return None
    return Edit(line.span(written), f"{numbers[1]}x{numbers[2]}x{numbers[0]}")


def paddings(spec: Spec, handle: Handle) -> Iterator[Candidate]:
    """A convolution or pool padded by half its window, said as the spec says it elsewhere."""
    for text, cells in padding_texts(spec, handle.node.layer):
        by = f", {cells} cell{'s' * (cells != 1)} on each side" if text == "same" and cells else ""
        yield Candidate(f"pad it: `{text}`{by}", changes.with_padding(handle, text))


def padding_texts(spec: Spec, layer: Any) -> list[tuple[str, int]]:
    """`same` and `pad=2`, what the spec uses first; how many cells each adds on a side."""
    if layer is None or layer.kind not in (*CONVOLUTIONS, *POOLS):
        return []
    dilation = max(getattr(layer, "dilation", (1,)))
    cells = {d // 2 if layer.kind in POOLS else dilation * (d - 1) // 2 for d in layer.kernel}
    half = max(cells)
    if layer.kind == "subsample":
        return []
    strides = getattr(layer, "stride", (1,)) or layer.kernel
    known = half if set(strides) == {1} and max(layer.kernel) % 2 else 0
    texts = [("same", known)] if not getattr(layer, "ceil", False) else []
    if half and len(cells) == 1:
        texts.append((f"pad={half}", half))
    if not spec.uses_word("same") and spec.uses_named("pad"):
        texts.reverse()
    return texts


def _smaller(spot: Spot, handle: Handle) -> Iterator[Candidate]:
    """A kernel that fits."""
    layer: Any = spot.node.layer
    kernel = getattr(layer, "kernel", None)
    pad = getattr(layer, "pad", (0,))
    if (
        kernel is None
        or not isinstance(pad, tuple)
        or pad[:1] == ("sides",)
        or set(getattr(layer, "dilation", (1,))) != {1}
    ):
        return
    spatial = spot.inputs[0].spatial
    pads = pad if len(pad) == len(spatial) else pad * len(spatial)
    sides = kernel if len(kernel) == len(spatial) else kernel * len(spatial)
    fitted = tuple(min(k, n + 2 * p) for k, n, p in zip(sides, spatial, pads, strict=True))
    if len(set(sides)) == 1:
        fitted = (min(fitted),) * len(fitted)
    what = "window" if layer.kind in POOLS else "kernel"
    if min(fitted) > 1 and fitted != sides:
        edits = changes.with_kernel(handle, fitted)
        if edits is not None:
            yield Candidate(f"a {what} that fits: {'x'.join(map(str, fitted))}", edits)
    for side in (2, 3) if layer.kind in POOLS else (3, 5, 1):
        edits = changes.with_kernel(handle, (side,) * len(kernel)) if side < min(kernel) else None
        if edits is not None:
            yield Candidate(f"a {what} of {'x'.join([str(side)] * spot.inputs[0].rank)}", edits)


def _without(spec: Spec, handle: Handle) -> Iterator[Candidate]:
    edits = changes.removed(spec, handle)
    if edits is not None:
        yield Candidate(f"without this `{handle.span.text}`", edits)


def _line(handle: Handle) -> str:
    return f"line {handle.line.source.position(handle.span.start)[0]}"


def _padded_before(spec: Spec, before: list[Node]) -> Iterator[Candidate]:
    """Padding in an earlier convolution, the first of them first."""
    found: list[Handle] = []
    for node in before:
        layer: Any = node.layer
        if node.kind in CONVOLUTIONS and layer is not None and max(layer.kernel) > 1 and not _padded(layer):
            handle = spec.handle(node)
            if handle is not None and not handle.calls_block and handle.span not in [h.span for h in found]:
                found.append(handle)
    for handle in list(reversed(found))[:MOST]:
        for text, _ in padding_texts(spec, handle.node.layer):
            title = f"pad the `{handle.item.kind.name}` of {_line(handle)}: `{text}`"
            yield Candidate(title, changes.with_padding(handle, text))


def _padded(layer: Any) -> bool:
    return layer.pad == "same" or any(layer.pad if layer.pad[:1] != ("sides",) else layer.pad[1])


def _less_before(spot: Spot, spec: Spec, before: list[Node]) -> Iterator[Candidate]:
    """An earlier pool removed or an earlier stride taken back, the nearest first."""
    seen: set[Span] = set()
    for node in before:
        layer: Any = node.layer
        handle = spec.handle(node)
        if layer is None or handle is None or handle.span in seen or len(seen) == MOST:
            continue
        if (node.kind in POOLS or "pool" in node.kind) and not handle.calls_block:
            seen.add(handle.span)
            shape = spot.network.graph.shape_of(node.inputs[0])
            if shape is not None:
                yield from _one_axis(handle, shape, f"the `{handle.span.text}` of {_line(handle)} along")
            edits = changes.removed(spec, handle)
            if edits is not None:
                yield Candidate(f"without the `{handle.span.text}` of {_line(handle)}", edits)
        strides = getattr(layer, "stride", None)
        if strides is not None and max(strides) > 1:
            seen.add(handle.span)
            edits = changes.with_stride(spec, handle, 1, default=node.kind not in POOLS)
            if edits is not None:
                yield Candidate(f"no stride in the `{handle.item.kind.name}` of {_line(handle)}", edits)
