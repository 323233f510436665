"""Merges whose arms differ: a projection in the shortcut, padding and strides that agree, channels, `crop`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Edit
from cnndsl.graph import Node
from cnndsl.repair import changes
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.sizes import near
from cnndsl.repair.spec import Handle, Spec, arms_of
from cnndsl.repair.spot import Spot
from cnndsl.repair.windows import CONVOLUTIONS, padding_texts
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

_UPSAMPLING = ("deconv", "upsample", "unpool", "pixelshuffle")
_SPATIAL_MERGES = ("add", "concat", "mul", "max", "absdiff")


def differ(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """Ways to bring the arms of a merge to one size."""
    arms = arms_of(spot.network.graph, spot.node)
    shapes = spot.inputs
    ones = [spot.node.kind == "mul" and s.rank > 0 and set(s.spatial) == {1} for s in shapes]
    maps = [s for s, one in zip(shapes, ones, strict=True) if not one]
    spatial = len({s.spatial for s in maps}) > 1
    channels = spot.node.kind != "concat" and len({s.channels for s in shapes}) > 1
    ups = any(node.kind in _UPSAMPLING for arm in arms for node in arm)
    if not spatial and channels and any(ones) and maps:  # A gate has as many channels as what it is to weight.
        gates = [number for number, one in enumerate(ones) if one]
        yield from _channels(spot, spec, arms, gates)
        yield from _input_channels(spot, spec, arms)
        yield from _channels(spot, spec, arms)
        return
    yield from _other_names(spot, spec)
    if not spatial and channels:
        if shapes[0].rank < 2:  # In a sequence every layer works position by position, and the last one is to end it.
            yield from _input_channels(spot, spec, arms)
            yield from _channels(spot, spec, arms)
        yield from _projections(spot, spec, arms)
        yield from _input_channels(spot, spec, arms)
        yield from _channels(spot, spec, arms)
        return
    if spatial and channels:
        yield from _projections(spot, spec, arms)
        yield from _both(spot, spec, arms)
        return
    yield from _factors(spot, spec, arms)
    if ups:
        yield from _unpadded(spec, arms)
        yield from near(spot, spec) if _odd(shapes) else ()
        yield from _crop(spot, spec)
    yield from _said_strides(spot, spec, arms)
    yield from _padded(spot, spec, arms)
    yield from _strides(spot, spec, arms)
    yield from _projections(spot, spec, arms)
    if not ups:
        yield from _crop(spot, spec)
        yield from near(spot, spec)
    else:
        yield from near(spot, spec)


def _factors(spot: Spot, spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """Upsampling by as much as the other arm is larger or smaller, or upsampling that was left out."""
    first, second = (s.spatial for s in spot.inputs[:2])
    for arm, own, wanted in ((arms[0], first, second), (arms[1], second, first)) if len(arms) == 2 else ():
        for node in arm:
            layer: Any = node.layer
            by = layer.stride if node.kind == "deconv" else getattr(layer, "factor", ())
            handle = spec.handle(node)
            if node.kind not in ("deconv", "upsample") or handle is None or handle.calls_block:
                continue
            fitting = {b * w // o for b, w, o in zip(by * len(own), wanted, own, strict=False) if b * w % o == 0}
            if by and len(set(by)) == 1 and len(fitting) == 1 and max(fitting) > 1:
                (factor,) = fitting
                if node.kind == "deconv":
                    edits = changes.with_stride(spec, handle, factor)
                else:
                    edits = changes.with_kernel(handle, (factor,) * len(by))
                yield Candidate(f"`{node.kind}` by {factor} in {_line(handle)}", edits or ())
            break
    merge = spec.handle(spot.node)
    ratio = _ratio(spot.inputs)
    exact = all(b == a * ratio for a, b in zip(first, second, strict=True))
    if merge is not None and not merge.calls_block and not merge.line.body and ratio > 1 and exact:
        yield Candidate(f"upsample first: `upsample {ratio}`", changes.before(merge, f"upsample {ratio}"))


def _unpadded(spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """A transposed convolution that gives its input times the stride."""
    for arm in arms:
        node = next((one for one in arm if one.kind == "deconv"), None)
        handle = spec.handle(node) if node is not None else None
        if handle is not None and not handle.calls_block and changes.word(handle.item, "same") is None:
            yield Candidate(f"pad the `deconv` of {_line(handle)}: `same`", changes.with_padding(handle, "same"))


def _odd(shapes: tuple[Shape, ...]) -> bool:
    """Whether sizes differ by one cell, as halving an odd size and doubling it brings about."""
    first = shapes[0].spatial
    return all(abs(a - b) <= 1 for s in shapes[1:] for a, b in zip(first, s.spatial, strict=True))


def _other_names(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """Another layer's name, where that has the size; where a later merge takes that one, the two names exchanged."""
    handle = spec.handle(spot.node)
    names = [a for a in handle.item.arguments if isinstance(a, tree.Reference) and not a.steps] if handle else []
    if handle is None or handle.line.body or len(names) != 1 or len(spot.inputs) != 2:
        return
    written, here = names[0], spot.inputs[0]
    siblings = spec.siblings(handle.line)
    at = siblings.index(handle.line)
    for name, shape in _named_before(spot, siblings[:at]):
        fits = shape.spatial == here.spatial and (spot.node.kind == "concat" or shape.channels == here.channels)
        if name == written.name or not fits:
            continue
        users = [place for line in siblings for place in _uses(line, name)]
        later = [place for line in siblings[at + 1 :] for place in _uses(line, name, handle.item.kind.name)]
        if users == later and len(later) < 2:
            edits = (handle.edit(written, name), *(Edit(place, written.name) for place in later))
            way = ", and the other way round further down" if later else ""
            yield Candidate(f"`{name}` instead of `{written.name}`{way}", edits, "likely")


def _named_before(spot: Spot, lines: list[Line]) -> Iterator[tuple[str, Shape]]:
    """The names that lines give, and the shapes of what has them, the last first; without what the merge gets."""
    got = {edge.node for edge in spot.node.inputs}
    made = {(n.span, n.calls): n.shapes[0] for n in spot.network.graph.nodes if n.shapes and n.index not in got}
    for line in reversed(lines):
        for item in reversed(getattr(line.statement, "items", ())):
            shape = made.get((line.span(item), spot.node.calls))
            if item.alias is not None and not item.alias.steps and shape is not None:
                yield item.alias.name, shape


def _uses(line: Line, name: str, kind: str = "") -> Iterator[Span]:
    """Where items of a line, of one kind if it is given, take the tensor of a name."""
    for item in getattr(line.statement, "items", ()):
        for argument in item.arguments if kind in ("", getattr(item.kind, "name", "")) else ():
            if isinstance(argument, tree.Reference) and argument.name == name and not argument.steps:
                yield line.span(argument)


def _padded(spot: Spot, spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """Padding where a window makes an arm smaller than the others."""
    for arm in arms:
        for node in arm:
            handle = spec.handle(node)
            if handle is None or handle.calls_block:
                continue
            layer: Any = node.layer
            if node.kind == "pool" and layer is not None and changes.slash(handle.item) is None:
                for text, _ in _pool_texts(spec, layer):
                    yield Candidate(f"a pool that keeps the size: `/1 {text}`", _joined(handle, f"/1 {text}"))
            for text, _ in padding_texts(spec, layer):
                yield Candidate(_pad_title(handle, text), changes.with_padding(handle, text))
    # Several convolutions without padding in one arm.
    for arm in arms:
        edits: tuple[Edit, ...] = ()
        count = 0
        for node in arm:
            layer = node.layer
            handle = spec.handle(node)
            unpadded = layer is not None and node.kind in CONVOLUTIONS and max(layer.kernel) > 1 and layer.pad == (0,)
            if handle is None or handle.calls_block or not unpadded:
                continue
            texts = padding_texts(spec, layer)
            one = changes.with_padding(handle, texts[0][0]) if texts else ()
            if one and one[0] not in edits:
                edits += one
                count += 1
        if count > 1:
            yield Candidate(f"pad the {count} convolutions of this arm", edits)


def _pool_texts(spec: Spec, layer: Any) -> list[tuple[str, int]]:
    texts = [("same", 0)]
    if len(set(layer.kernel)) == 1 and layer.kernel[0] % 2:
        texts.append((f"pad={layer.kernel[0] // 2}", 0))
    if not spec.uses_word("same") and spec.uses_named("pad"):
        texts.reverse()
    return texts


def _joined(handle: Handle, text: str) -> tuple[Edit, ...]:
    """A stride and padding behind the sizes of an item, in place of padding that it has."""
    old = changes.named(handle.item, "pad") or changes.word(handle.item, "same", "valid")
    first = changes.with_word(handle, text if old is None else text.split()[0])
    return first if old is None else (*first, handle.edit(old, text.split()[1]))


def _pad_title(handle: Handle, text: str) -> str:
    return f"pad the `{handle.item.kind.name}` of {_line(handle)}: `{text}`"


def _line(handle: Handle) -> str:
    return f"line {handle.line.source.position(handle.span.start)[0]}"


def _strides(spot: Spot, spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """The stride of one arm given to the other, or taken away."""
    ratio = _ratio(spot.inputs)
    for arm, shape in zip(arms, spot.inputs, strict=True):
        largest = max(s.spatial for s in spot.inputs)
        if ratio > 1 and shape.spatial == largest:
            yield from _with_stride(spec, arm, ratio)
    for arm in arms:
        for node in arm:
            for handle in spec.handles(node):
                strides = getattr(node.layer, "stride", None) or ()
                if (strides and max(strides) > 1) or (handle.calls_block and changes.slash(handle.item)):
                    edits = changes.with_stride(spec, handle, 1)
                    if edits is not None:
                        yield Candidate(f"no stride in the `{_kind(handle)}` of {_line(handle)}", edits)
                    break
            if node.kind == "pool":
                whole = spec.handle(node)
                removed = changes.removed(spec, whole) if whole is not None and not whole.calls_block else None
                if removed is not None and whole is not None:
                    yield Candidate(f"without the `{whole.span.text}` of {_line(whole)}", removed)


def _kind(handle: Handle) -> str:
    return getattr(handle.item.kind, "name", "layer")


def _ratio(shapes: tuple[Shape, ...]) -> int:
    """How many times the smallest map goes into the largest along each axis; 1 if there is no such number."""
    large, small = max(s.spatial for s in shapes), min(s.spatial for s in shapes)
    ratios = {-(-a // b) for a, b in zip(large, small, strict=True)}
    return ratios.pop() if len(ratios) == 1 else 1


def _said_strides(spot: Spot, spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """In a block: the stride of one arm, as it is said there, for a layer or a block of the arm that has none."""
    merge = spec.handle(spot.node)
    if merge is None or _ratio(spot.inputs) == 1:
        return
    depth = len(merge.calls)
    said = {text for arm in arms for node in arm if (text := _said_stride(spec, node, depth)).startswith("/{")}
    largest = max(s.spatial for s in spot.inputs)
    for arm, shape in zip(arms, spot.inputs, strict=True):
        handles = [h for node in reversed(arm) for h in spec.handles(node) if len(h.calls) == depth]
        for handle in dict.fromkeys(handles) if shape.spatial == largest and len(said) == 1 else ():
            if changes.slash(handle.item) is None and _may_stride(spec, handle):
                text = next(iter(said))
                edits = changes.with_slash(handle, text)
                yield Candidate(f"the other arm's stride: `{text}` in the `{_kind(handle)}` of {_line(handle)}", edits)


def _may_stride(spec: Spec, handle: Handle) -> bool:
    """Whether an item is a convolution, a pool, or a call of a block that has a stride."""
    if handle.calls_block:
        block = spec.blocks.get(_kind(handle))
        return block is not None and any(p.name == "stride" for p in block.statement.parameters)
    return handle.node.kind in (*CONVOLUTIONS, "pool")


def _with_stride(spec: Spec, arm: list[Node], stride: int) -> Iterator[Candidate]:
    for node in reversed(arm):
        layer: Any = node.layer
        strides = getattr(layer, "stride", None)
        if node.kind not in CONVOLUTIONS or strides is None:
            continue
        for handle in spec.handles(node):
            edits = changes.with_stride(spec, handle, max(strides) * stride)
            if edits is not None:
                text = f"`/{max(strides) * stride}` in the `{_kind(handle)}` of {_line(handle)}"
                yield Candidate(f"the other arm's stride: {text}", edits)
                break


def _input_channels(spot: Spot, spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """In a block whose other arm does nothing: an arm's last layer brought back to the channels that came in."""
    merge = spec.handle(spot.node)
    if merge is None or not merge.calls or len(arms) != 2:
        return
    for idle, busy in ((1, 0), (0, 1)):
        if not all(node.kind == "identity" for node in arms[idle]):
            continue
        for node in arms[busy]:
            handle = next((h for h in spec.handles(node) if len(h.calls) == len(merge.calls)), None)
            sets = getattr(node.layer, "channels", None) or getattr(node.layer, "units", None)
            if not isinstance(sets, int) or handle is None:
                continue
            value = changes.channels_written(handle.item)
            if value is not None and not handle.calls_block:
                where = f"`{{input.channels}}` in the `{_kind(handle)}` of {_line(handle)}"
                yield Candidate(f"as many channels as come in: {where}", (handle.edit(value, "{input.channels}"),))
            break


def _channels(spot: Spot, spec: Spec, arms: list[list[Node]], only: list[int] | None = None) -> Iterator[Candidate]:
    """The channels of one arm's last layer changed to the other's; `only` some arms'."""
    for number, arm in enumerate(arms):
        if only is not None and number not in only:
            continue
        others = dict.fromkeys(s.channels for i, s in enumerate(spot.inputs) if i != number)
        for wanted in others:
            if wanted != spot.inputs[number].channels:
                yield from last_channels(spec, arm, wanted)


def last_channels(spec: Spec, arm: list[Node], wanted: int) -> Iterator[Candidate]:
    """Another number of channels in the last layer that sets it."""
    for node in arm:
        channels = getattr(node.layer, "channels", None) or getattr(node.layer, "units", None)
        if channels is None or not isinstance(channels, int):
            continue
        for handle in spec.handles(node):
            edits = changes.with_channels(spec, handle, wanted)
            if edits is not None:
                noun = "units" if hasattr(node.layer, "units") else "channels"
                yield Candidate(f"{wanted} {noun} in the `{_kind(handle)}` of {_line(handle)}", edits)
                return
        return


def _both(spot: Spot, spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """Channels and padding or strides together, where arms differ in both."""
    sizes = [*_padded(spot, spec, arms), *_strides(spot, spec, arms)]
    for one in _channels(spot, spec, arms):
        for other in sizes[:8]:
            yield Candidate(f"{one.title}; {other.title}", one.edits + other.edits)


def _crop(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    handle = spec.handle(spot.node)
    if handle is None or handle.calls_block or spot.node.kind not in _SPATIAL_MERGES:
        return
    if changes.word(handle.item, "crop") is None:
        at = max([handle.item.kind.end, *(a.end for a in handle.item.arguments)])
        title = f"crop the arms to the smallest: `{spot.node.kind} crop`"
        yield Candidate(title, (handle.insert(at, " crop"),))
        every = [
            _cropped(*pair) for pair in spec.chains.values() if getattr(pair[1].kind, "name", "") == spot.node.kind
        ]
        edits = tuple(edit for edit in every if edit is not None)
        if len(edits) > 1:
            yield Candidate(f"crop the arms to the smallest in all {len(edits)} merges: `{spot.node.kind} crop`", edits)


def _cropped(line: Line, item: tree.Item) -> Edit | None:
    """A merge with `crop`; None if it has it."""
    if changes.word(item, "crop") is not None:
        return None
    at = line.start + max([item.kind.end, *(a.end for a in item.arguments)])
    return Edit(Span(line.source, at, at), " crop")


# --- the projection in a shortcut -------------------------------------------------------------------------------


def _projections(spot: Spot, spec: Spec, arms: list[list[Node]]) -> Iterator[Candidate]:
    """A 1x1 convolution in an arm that does nothing, to the size of the other arm and in its style."""
    handle = spec.handle(spot.node)
    if handle is None or handle.calls_block or len(arms) != 2 or spot.inputs[0].rank == 0:
        return
    for idle, busy in ((1, 0), (0, 1)):
        if arms[busy] and all(node.kind == "identity" for node in arms[idle]):
            if _is_inverted(arms[busy]):
                yield from _conditional(spec, handle, arms[busy])
            texts = _projection_texts(spot, spec, handle, arms[busy], idle, busy)
            for text, condition in texts:
                yield from _placed(spot, spec, handle, idle, text, condition)


def _is_inverted(arm: list[Node]) -> bool:
    """Whether an arm is wider within than at its ends, as inverted residuals are (Sandler et al. 2018): those leave the
    shortcut out where it does not fit."""
    widths = [node.shapes[0].channels for node in arm if node.kind in CONVOLUTIONS and node.shapes]
    return len(widths) > 1 and max(widths[1:]) > widths[0]


def _conditional(spec: Spec, handle: Handle, arm: list[Node]) -> Iterator[Candidate]:
    """In a block: the arm that does nothing only where the other keeps the size."""
    depth = len(handle.calls)
    channels = _said_channels(spec, arm, depth)
    strides = {s for node in arm if (s := _said_stride(spec, node, depth))}
    if not depth or not channels or len(strides) > 1 or not all(s.startswith("/{") for s in strides):
        return
    conditions = [f"{s[2:-1]} == 1" for s in strides]
    conditions.append(f"input.channels == {channels[1:-1] if channels.startswith('{') else channels}")
    for line in handle.line.body:
        inner = line.body if isinstance(line.statement, tree.If) else [line]
        if len(inner) != 1 or not _does_nothing(inner[0]):
            continue
        if inner[0] is line:
            said = " and ".join(conditions)
            start = " " * line.column
            edit = Edit(line.span(), f"if {said}:{spec.newline}{start}    {line.text}")
        else:
            known = line.span(line.statement.condition)
            missing = [one for one in conditions if one not in known.text]
            first = f"({known.text})" if " or " in known.text else known.text
            said = " and ".join([first, *missing])
            edit = Edit(known, said)
        yield Candidate(f"the shortcut only where it fits: `if {said}:`", (edit,), "likely")


def _does_nothing(line: Line) -> bool:
    """Whether a line is an arm of an `identity` alone."""
    if not isinstance(line.statement, tree.Arm) or len(line.body) != 1:
        return False
    items = list(getattr(line.body[0].statement, "items", ()))
    return [getattr(one.kind, "name", "") for one in items] == ["identity"] and items[0].alias is None


def _projection_texts(
    spot: Spot, spec: Spec, handle: Handle, arm: list[Node], idle: int, busy: int
) -> list[tuple[str, str]]:
    """The projections to try: `conv 1x1x128 /2 nobias, bn`, and when they are needed in a block."""
    depth = len(handle.calls)
    rank = spot.inputs[idle].rank
    ratio = _ratio(spot.inputs)
    larger = spot.inputs[idle].spatial >= spot.inputs[busy].spatial
    channels = _said_channels(spec, arm, depth) or str(spot.inputs[busy].channels)
    strides = [s for node in arm if (s := _said_stride(spec, node, depth))]
    stride = strides[0] if len(strides) == 1 else f"/{ratio}" if ratio > 1 and larger else ""
    if ratio == 1 and not stride.startswith("/{"):
        stride = ""
    layers: list[Any] = [node.layer for node in arm]
    nobias = any(getattr(one, "bias", True) is False for one in layers if one is not None and one.kind == "conv")
    norm = ", bn" if any(node.kind == "bn" for node in arm) else ""
    words = [f"conv {'1x' * rank}{channels}", stride, "nobias" if nobias else ""]
    text = " ".join(word for word in words if word) + norm
    if not handle.calls:
        return [(text, "")]
    bare = channels[1:-1] if channels.startswith("{") else channels
    condition = f"input.channels != {bare}"
    if stride.startswith("/{"):
        condition = f"{stride[2:-1]} != 1 or {condition}"
    times = sum(n.kind == spot.node.kind and n.span == spot.node.span for n in spot.network.graph.nodes)
    return [(text, condition), (text, "")] if times > 1 else [(text, ""), (text, condition)]


def _said_channels(spec: Spec, arm: list[Node], depth: int) -> str:
    """How the arm's last layer says its channels, at the merge's own level."""
    for node in arm:
        if not isinstance(getattr(node.layer, "channels", None), int):
            continue
        for handle in spec.handles(node):
            if len(handle.calls) == depth:
                written = changes.channels_written(handle.item)
                return handle.line.span(written).text if written is not None else ""
        return ""
    return ""


def _said_stride(spec: Spec, node: Node, depth: int) -> str:
    """How a layer of the arm says its stride, at the merge's own level."""
    for handle in spec.handles(node):
        if len(handle.calls) == depth:
            found = changes.slash(handle.item)
            return handle.line.span(found).text if found is not None else ""
    return ""


def _placed(spot: Spot, spec: Spec, handle: Handle, idle: int, text: str, condition: str) -> Iterator[Candidate]:
    """The projection where the idle arm is written."""
    body = handle.line.body
    title = f"a projection in the shortcut: `{text}`"
    if condition:
        title = f"a projection in the shortcut where it is needed: `{text}`"
    if not body:
        yield from _named_shortcut(spot, spec, handle, text, condition, title)
        return
    arm = body[idle] if len(body) == 2 and all(isinstance(one.statement, tree.Arm) for one in body) else None
    if arm is None or len(arm.body) != 1 or not isinstance(arm.body[0].statement, tree.Chain):
        return
    line: Line = arm.body[0]
    items = line.statement.items
    if len(items) != 1 or getattr(items[0].kind, "name", "") != "identity" or line.statement.claim is not None:
        return
    if condition:
        inner = " " * (line.column + 4)
        text = f"if {condition}:{spec.newline}{inner}{text}"
    yield Candidate(title, (Edit(line.span(items[0]), text),), "likely")


def _named_shortcut(
    spot: Spot, spec: Spec, handle: Handle, text: str, condition: str, title: str
) -> Iterator[Candidate]:
    """`add skip` written with arms, so that one of them can hold the projection."""
    names = [a for a in handle.item.arguments if isinstance(a, tree.Reference) and not a.steps]
    items = handle.line.statement.items
    if condition or len(names) != 1 or len(handle.item.arguments) != 1 or handle.line.statement.claim is not None:
        return
    if handle.item.alias is not None or handle.item is not items[0]:
        return
    start = " " * handle.line.column
    arms = [f"{start}    | identity", f"{start}    | from {names[0].name}, {text}"]
    kind = handle.item.kind.name
    lines = [f"{kind}:", *arms]
    end = handle.item.end
    if len(items) > 1:
        end = items[1].start
        lines.append(start)
    span = Span(handle.line.source, handle.line.start + handle.item.start, handle.line.start + end)
    yield Candidate(title, (Edit(span, spec.newline.join(lines)),), "likely")
