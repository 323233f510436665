"""Which cells windows miss at the end of a map, and at which input sizes near the given one they miss none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.graph import INPUT, Edge, Node
from cnndsl.layers.base import LayerError, Window
from cnndsl.lint.view import View
from cnndsl.shape import SPATIAL_AXES, Shape

SLIDING = frozenset({"conv", "dwconv", "pool", "subsample"})
"""Kinds whose windows may miss cells."""

FARTHEST = 64
"""How far from the given size others are looked for."""

MOST_VISITS = 20_000
"""Layers that are looked at in search of other sizes: a bound on time."""

_WORDS = {1: ("cell",), 2: ("row", "column"), 3: ("slice", "row", "column")}


def missed(nodes: Sequence[Node], spatial: tuple[int, ...], node: Node) -> tuple[int, ...]:
    """How many cells at the end of each axis of its first input, of these sizes, a node's windows don't read."""
    if node.kind not in SLIDING or node.shapes is None or node.layer is None:
        return (0,) * len(spatial)
    return _missed(node.layer, Shape((*spatial, _channels(nodes, node.inputs[0]))), node.shapes[0])


def _channels(nodes: Sequence[Node], edge: Edge) -> int:
    shapes = nodes[edge.node].shapes
    return int(shapes[edge.output].channels) if shapes else 1


def _missed(layer: Any, x: Shape, y: Shape) -> tuple[int, ...]:
    windows = layer.window(x)
    if all(w.stride == 1 for w in windows):
        return (0,) * x.rank
    return tuple(n - 1 - _last(w, n, out) for n, out, w in zip(x.spatial, y.spatial, windows, strict=True))


def _last(window: Window, n: int, out: int) -> int:
    """The last of n cells that one of `out` windows reads; -1 if they read none."""
    last = -1
    for tap in range(window.size):
        at = (out - 1) * window.stride - window.pad + tap * window.dilation
        if at >= n:  # in the padding: the windows before it read further back
            steps = -(-(at - n + 1) // window.stride)
            at = at - steps * window.stride if steps < out else -1
        last = max(last, at)
    return last


def axis_text(lost: tuple[int, ...], rank: int) -> str:
    """`row and column`, `2 rows and 3 columns`."""
    parts = [(n, word) for n, word in zip(lost, _WORDS[rank], strict=True) if n]
    if all(n == 1 for n, _ in parts):
        return " and ".join(word for _, word in parts)
    return " and ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in parts)


def sizes_without_loss(view: View) -> tuple[str, ...]:
    """A note on the input sizes near the given one at which no border is lost anywhere; none if that can't be said.

    A square input is looked at as a whole; of another, each axis that something is lost of by itself.
    """
    inputs = [view.nodes[index] for index in view.graph.inputs]
    spatial = [node for node in inputs if node.shapes is not None and node.shapes[0].rank and not node.shapes[0].tokens]
    if len(spatial) != 1 or spatial[0].shapes is None:
        return ()
    search = _Search(view, spatial[0])
    x = spatial[0].shapes[0]
    if len(set(x.spatial)) == 1:
        found = search.near(tuple(range(x.rank)))
        sizes = [str(Shape((*(size,) * x.rank, x.channels))) for size in found]
        return (f"no border is lost with an input of {' or '.join(sizes)} (here {x})",) if sizes else ()
    parts = []
    for axis, name in enumerate(SPATIAL_AXES[x.rank]):
        if search.loses((axis,), x):
            found = search.near((axis,))
            if found:
                parts.append(f"a {name} of {' or '.join(map(str, found))} (here {x.spatial[axis]})")
    return (f"no border is lost with {' and '.join(parts)}",) if parts else ()


class _Search:
    """Tries other sizes of one input."""

    def __init__(self, view: View, node: Node) -> None:
        self.view = view
        self.node = node
        self.visits = 0
        self.known: dict[tuple[Any, ...], tuple[Shape, ...] | None] = {}

    def near(self, axes: tuple[int, ...]) -> list[int]:
        """The nearest smaller and the nearest larger size of these axes at which nothing is lost along them."""
        assert self.node.shapes is not None
        x = self.node.shapes[0]
        given = x.spatial[axes[0]]
        found = []
        for step in (-1, 1):
            for distance in range(1, FARTHEST + 1):
                size = given + step * distance
                if size < 1 or self.visits > MOST_VISITS:
                    break
                sizes = tuple(size if axis in axes else n for axis, n in enumerate(x.sizes))
                if self.loses(axes, Shape(sizes)) is False:
                    found.append(size)
                    break
        return found

    def loses(self, axes: tuple[int, ...], x: Shape) -> bool | None:
        """Whether something is lost along these axes with an input of this shape; None if the network can't be."""
        shapes: list[tuple[Shape, ...]] = []
        left: dict[Edge, list[int]] = {}
        """For each tensor that windows don't read to the end, what all of those that take it leave."""
        whole: set[Edge] = {output.edge for output in self.view.graph.outputs}
        for node in self.view.nodes:
            self.visits += 1
            if node.kind == INPUT or node.layer is None:
                shapes.append((x,) if node is self.node else node.shapes or ())
                continue
            inputs = tuple(shapes[edge.node][edge.output] for edge in node.inputs)
            made = self._inferred(node.layer, inputs)
            if made is None:
                return None
            shapes.append(made)
            first, *others = node.inputs
            whole.update(others)
            lost = _missed(node.layer, inputs[0], made[0]) if node.kind in SLIDING else ()
            if not any(lost):
                whole.add(first)
                continue
            before = left.get(first)
            left[first] = list(lost) if before is None else list(map(min, before, lost))
            if len(self.view.users[first.node]) == 1 and first not in whole and _along(lost, axes, x.rank):
                return True
        return any(_along(lost, axes, x.rank) for edge, lost in left.items() if edge not in whole)

    def _inferred(self, layer: Any, inputs: tuple[Shape, ...]) -> tuple[Shape, ...] | None:
        key = (layer, *inputs)
        if key not in self.known:
            try:
                inferred = layer.infer(*inputs)
            except LayerError:
                self.known[key] = None
            else:
                self.known[key] = inferred.outputs if all(c.holds() for c in inferred.conditions) else None
        return self.known[key]


def _along(lost: Sequence[int], axes: tuple[int, ...], rank: int) -> bool:
    """Whether something is lost along some of the input's axes, of which there are `rank`."""
    return any(lost) if len(lost) != rank else any(lost[axis] for axis in axes)
