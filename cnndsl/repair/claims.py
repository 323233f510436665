"""Claims and expectations that don't hold: the layer that was plainly meant otherwise, or the claim itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit
from cnndsl.graph import INPUT, Node
from cnndsl.repair import changes
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.merges import last_channels
from cnndsl.repair.sizes import input_of, resized, where
from cnndsl.repair.spec import Handle, Spec, chain_to
from cnndsl.repair.spot import Spot, claimed_node
from cnndsl.repair.windows import CONVOLUTIONS, POOLS, padding_texts, swapped
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

MOST = 6
"""Layers before a claim that are looked at."""
USUAL_SIZES = (28, 32, 224, 227, 299, 64, 96, 128, 160, 192, 240, 256, 300, 320, 384, 416, 448, 512, 572)
"""Sides of inputs that papers and data sets have."""


def claimed(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E501. What makes a claim true by padding or a stride was hardly made true by chance, so it comes before the claim
    itself; another kernel, input or number of channels would make anything true."""
    sizes = tuple(int(part) if part.isdigit() else None for part in problem.values["claimed"].split("x"))
    actual = spot.node.shapes[0] if spot.node.shapes else None
    if actual is None or len(sizes) != len(actual.sizes):
        yield from _corrected(problem, spot, spec)
        return
    near = [spot.node, *chain_to(spot.network.graph, spot.node.inputs[0])] if spot.node.inputs else [spot.node]
    before = [node for node in near if node.kind != INPUT][:MOST]
    spatial = [(w, a) for w, a in zip(sizes[:-1], actual.spatial, strict=True) if w is not None]
    differs = any(w != a for w, a in spatial)
    if differs:
        yield from swapped(spot, spec)
        yield from _all_same(before, spec)
        nearest = next((node for node in before if _windowed(node, spec) is not None), None)
        for node in before:
            yield from _padded(node, nearest, spec, spatial)
    yield from _corrected(problem, spot, spec)
    channels = sizes[-1]
    if channels is not None and channels != actual.channels:
        yield from last_channels(spec, before, channels)
    if differs:
        for node in before:
            yield from _other_kernel(node, spec)
        yield from _input(spot, spec)


def _corrected(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """The claim as it is, and with it those that would hold if it did: what follows from a wrong one is wrong, too."""
    edits: list[Edit] = []
    own: Edit | None = None
    for line in spec.lines:
        claim = getattr(line.statement, "claim", None)
        node = claimed_node(line, spot.network, spec) if claim is not None and not spec.is_repeated(line) else None
        if claim is None or node is None or not node.shapes:
            continue
        edit = _rewritten(line, claim, node.shapes[0])
        if edit is not None and edit.span == problem.span:
            own = edit
        elif edit is not None and edit.span not in spec.wrong:
            edits.append(edit)
    if own is None:
        return
    yield Candidate(f"claim {own.text}", (own,), "possible")
    if edits:
        lines = f"{len(edits)} other line{'s' * (len(edits) != 1)}"
        yield Candidate(f"claim {own.text}, and what comes out in {lines}", (own, *edits), "possible")


def _rewritten(line: Line, claim: tree.Claim, shape: Shape) -> Edit | None:
    """A claim made true, `_` left as it is; None if it is true, or not written as numbers."""
    sides = claim.shape.sides if isinstance(claim.shape, tree.Sides) else (claim.shape,)
    known = all(isinstance(side, tree.Number) or getattr(side, "name", "") == "_" for side in sides)
    if not known or (len(sides) == len(shape.sizes) and _holds(sides, shape)):
        return None
    if len(sides) != len(shape.sizes):
        return Edit(line.span(claim.shape), str(shape))
    texts = ["_" if isinstance(side, tree.Name) else str(size) for side, size in zip(sides, shape.sizes, strict=True)]
    return Edit(line.span(claim.shape), "x".join(texts))


def _holds(sides: tuple[Any, ...], shape: Shape) -> bool:
    return all(isinstance(a, tree.Name) or a.value == b for a, b in zip(sides, shape.sizes, strict=True))


def _windowed(node: Node, spec: Spec) -> Handle | None:
    """The item of a convolution or pool that can be edited where it is written."""
    handle = spec.handle(node)
    return None if handle is None or handle.calls_block or node.kind not in (*CONVOLUTIONS, *POOLS) else handle


def _place(handle: Handle) -> str:
    return f"line {handle.line.source.position(handle.span.start)[0]}"


def _padded(node: Node, nearest: Node | None, spec: Spec, spatial: list[tuple[int, int]]) -> Iterator[Candidate]:
    """One layer with other padding, or another stride."""
    handle = _windowed(node, spec)
    layer: Any = node.layer
    if handle is None:
        return
    kind, place = handle.item.kind.name, _place(handle)
    texts = [text for text, _ in padding_texts(spec, layer)]
    texts += [f"pad={cells}" for cells in range(1, min(max(layer.kernel) // 2, MOST))] if node is nearest else []
    for text in dict.fromkeys(texts):
        yield Candidate(f"pad the `{kind}` of {place}: `{text}`", changes.with_padding(handle, text))
    wanted, actual = spatial[0]
    stride = max(getattr(layer, "stride", None) or layer.kernel)
    if wanted > actual and stride > 1:
        edits = changes.with_stride(spec, handle, 1, default=node.kind not in POOLS)
        if edits is not None:
            yield Candidate(f"no stride in the `{kind}` of {place}", edits)
    ratio = round(actual / wanted) if wanted else 1
    if wanted < actual and ratio > 1:
        edits = changes.with_stride(spec, handle, stride * ratio)
        if edits is not None:
            yield Candidate(f"`/{stride * ratio}` in the `{kind}` of {place}", edits)
    if layer.kind in CONVOLUTIONS and layer.pad != (0,):
        yield Candidate(f"no padding in the `{kind}` of {place}", changes.with_padding(handle, "valid"))


def _all_same(before: list[Node], spec: Spec) -> Iterator[Candidate]:
    """Transposed convolutions that give their input times the stride, as encoders' counterparts mostly are meant to."""
    handles = [h for node in before if node.kind == "deconv" and (h := spec.handle(node)) is not None]
    plain = [h for h in dict.fromkeys(handles) if not h.calls_block and changes.word(h.item, "same") is None]
    if not plain:
        return
    last = plain[0]
    yield Candidate(f"pad the `deconv` of {_place(last)}: `same`", changes.with_padding(last, "same"))
    if len(plain) > 1:
        edits = tuple(edit for handle in plain for edit in changes.with_padding(handle, "same"))
        yield Candidate(f"pad the {len(plain)} transposed convolutions: `same`", edits)


def _other_kernel(node: Node, spec: Spec) -> Iterator[Candidate]:
    handle = _windowed(node, spec)
    layer: Any = node.layer
    for step in (-2, -1, 1, 2) if handle is not None else ():
        assert handle is not None
        kernel = tuple(k + step for k in layer.kernel)
        changed = changes.with_kernel(handle, kernel) if min(kernel) > (node.kind in POOLS) else None
        if changed:
            what = "window" if node.kind in POOLS else "kernel"
            yield Candidate(f"a {what} of {'x'.join(map(str, kernel))} in {_place(handle)}", changed)


def _input(spot: Spot, spec: Spec, sizes: tuple[int, ...] = ()) -> Iterator[Candidate]:
    """An input that is larger or smaller by up to eight cells, or of one of these sizes."""
    found = input_of(spot)
    shape = found.shapes[0] if found.shapes else None
    if shape is None or shape.rank == 0 or len(set(shape.spatial)) != 1:
        return
    present = shape.sizes[0]
    usual = [size for size in USUAL_SIZES if abs(size - present) <= 8]
    steps = [present + step for step in (4, -4, 2, -2, 1, -1, 3, -3, 8, -8)]
    for size in dict.fromkeys([*usual, *steps, *sizes]):
        if 0 < size != present:
            wanted = Shape((*(size for _ in shape.spatial), shape.channels), shape.tokens)
            word = "larger" if size > present else "smaller"
            yield from resized(spec, found, wanted, f"a {word} input, {wanted}")


# --- expectations ---------------------------------------------------------------------------------------------------


def expected(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E502: the size of an input that `where` asks for; else another input or no biases before batch norm, where what
    was expected comes out exactly."""
    if (spot.node.span.start, spot.node.span.end) in spec.inputs and spot.place.start < spot.node.span.end:
        yield from where(spot, spec)
        return
    yield from _other_measure(problem)
    if "." in problem.span.text.split()[0]:  # Of one layer: what it is was hardly meant to change the input.
        return
    yield from _without_biases(spec)
    yield from _input(spot, spec, USUAL_SIZES)


def _other_measure(problem: Diagnostic) -> Iterator[Candidate]:
    """FLOPs where MACs were written, or the other way round."""
    text = problem.span.text
    for given, meant in (("macs", "flops"), ("flops", "macs")):
        at = text.find(given)
        if at >= 0 and text.count(given) == 1:
            start = problem.span.start + at
            span = Span(problem.span.source, start, start + len(given))
            yield Candidate(f"that is the number of `{meant}`: a FLOP is half a MAC", (Edit(span, meant),), "likely")
            return


def _without_biases(spec: Spec) -> Iterator[Candidate]:
    """Convolutions that stand before a `bn` without their biases, as published networks mostly have them."""
    edits = []
    for line, item in spec.chains.values():
        items = line.statement.items
        at = items.index(item) + 1
        following = getattr(items[at].kind, "name", "") if at < len(items) else ""
        is_convolution = getattr(item.kind, "name", "") in ("conv", "dwconv", "deconv")
        if is_convolution and following == "bn" and changes.word(item, "nobias", "bias") is None:
            end = line.start + max([item.kind.end, *(a.end for a in item.arguments)])
            edits.append(Edit(line.span(item)._replace(start=end, end=end), " nobias"))
    if edits:
        plural = "s" * (len(edits) != 1)
        yield Candidate(
            f"no bias{'es' * bool(plural)} in the {len(edits)} convolution{plural} before `bn`", tuple(edits)
        )
