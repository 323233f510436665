"""Claims that don't hold: the layer before it that was plainly meant otherwise, or the claim itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.graph import INPUT, Node
from cnndsl.repair import changes
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.merges import last_channels
from cnndsl.repair.sizes import input_of, resized
from cnndsl.repair.spec import Spec, chain_to
from cnndsl.repair.spot import Spot
from cnndsl.repair.windows import CONVOLUTIONS, POOLS, padding_texts, swapped
from cnndsl.shape import Shape

MOST = 6
"""Layers before a claim that are looked at."""


def claimed(wanted: str, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """Ways to make a claim true; `wanted` is the claim as written."""
    sizes = tuple(int(part) if part.isdigit() else None for part in wanted.split("x"))
    actual = spot.node.shapes[0] if spot.node.shapes else None
    if actual is None or len(sizes) != len(actual.sizes):
        return
    near = [spot.node, *chain_to(spot.network.graph, spot.node.inputs[0])] if spot.node.inputs else [spot.node]
    before = [node for node in near if node.kind != INPUT][:MOST]
    channels = sizes[-1]
    if channels is not None and channels != actual.channels:
        yield from last_channels(spec, before, channels)
    spatial = [(w, a) for w, a in zip(sizes[:-1], actual.spatial, strict=True) if w is not None]
    if any(w != a for w, a in spatial):
        yield from swapped(spot, spec)
        for node in before:
            yield from _resizing(node, spec, spatial)
        yield from _input(spot, spec)


def _resizing(node: Node, spec: Spec, spatial: list[tuple[int, int]]) -> Iterator[Candidate]:
    """One layer with other padding, another stride, another kernel."""
    handle = spec.handle(node)
    layer: Any = node.layer
    if handle is None or handle.calls_block or node.kind not in (*CONVOLUTIONS, *POOLS):
        return
    place = f"line {handle.line.source.position(handle.span.start)[0]}"
    kind = handle.item.kind.name
    for text, _ in padding_texts(spec, layer):
        yield Candidate(f"pad the `{kind}` of {place}: `{text}`", changes.with_padding(handle, text))
    wanted, actual = spatial[0]
    stride = max(getattr(layer, "stride", None) or layer.kernel)
    if wanted > actual and stride > 1:
        edits = changes.with_stride(spec, handle, 1, default=node.kind not in POOLS)
        if edits is not None:
            yield Candidate(f"no stride in the `{kind}` of {place}", edits)
    ratio = round(actual / wanted)
    if wanted < actual and ratio > 1:
        edits = changes.with_stride(spec, handle, stride * ratio)
        if edits is not None:
            yield Candidate(f"`/{stride * ratio}` in the `{kind}` of {place}", edits)
    for step in (-2, -1, 1, 2):
        kernel = tuple(k + step for k in layer.kernel)
        changed = changes.with_kernel(handle, kernel) if min(kernel) > (node.kind in POOLS) else None
        if changed:
            what = "window" if node.kind in POOLS else "kernel"
            yield Candidate(f"a {what} of {'x'.join(map(str, kernel))} in {place}", changed)
    if layer.kind in CONVOLUTIONS and layer.pad != (0,):
        yield Candidate(f"no padding in the `{kind}` of {place}", changes.with_padding(handle, "valid"))


def _input(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """A larger or smaller input by up to eight cells."""
    found = input_of(spot)
    shape = found.shapes[0] if found.shapes else None
    if shape is None or shape.rank == 0 or len(set(shape.spatial)) != 1:
        return
    for step in (4, -4, 2, -2, 1, -1, 3, -3, 8, -8):
        size = shape.sizes[0] + step
        if size > 0:
            wanted = Shape((*(size for _ in shape.spatial), shape.channels), shape.tokens)
            word = "larger" if step > 0 else "smaller"
            yield from resized(spec, found, wanted, f"a {word} input, {wanted}")
