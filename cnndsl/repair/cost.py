"""What a fix costs: the numbers of the network with it, beside those without as far as they are known."""

from __future__ import annotations

from cnndsl.graph import Node
from cnndsl.pipeline import CheckedNetwork
from cnndsl.shape import Shape, product

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K"))


def short(number: float) -> str:
    """`416.5K`, `1.81G`: at most four digits."""
    for unit, letter in _UNITS:
        if abs(number) >= unit:
            return f"{number / unit:.3g}{letter}" if abs(number) < 100 * unit else f"{number / unit:.0f}{letter}"
    return f"{number:,.0f}"


def cost(before: CheckedNetwork, after: CheckedNetwork, spot: Shape | None) -> str:
    """`gives 4x4x120; +8,192 params, -0.3M MACs`: what the layer that failed gives now, and the difference it makes.

    Where the network could not be counted before, the difference is that of the layers that could, and the whole is
    given, too.
    """
    old, new = before.analysis.totals, after.analysis.totals
    same = _shapes(before) == _shapes(after)
    if same and old == new:
        return ""
    said = [f"gives {spot}"] if spot is not None and not same else []
    if new is None:
        return "; ".join(said)
    if old is not None:
        changed = [_signed(new.params - old.params, "params"), _signed(new.macs - old.macs, "MACs")]
        said.append(", ".join(c for c in changed if c) or "same params and MACs")
        return "; ".join(said)
    added = _added(before, after)
    if added:
        said.append(_signed(added, "params"))
    said.append(f"{new.params:,} params and {short(new.macs)} MACs in all")
    return "; ".join(said)


def _shapes(network: CheckedNetwork) -> list[object]:
    return [(node.kind, node.shapes) for node in network.graph.nodes]


def _signed(number: int, what: str) -> str:
    if not number:
        return ""
    exact = f"{number:+,}" if what == "params" else ("+" if number > 0 else "-") + short(abs(number))
    return f"{exact} {what}"


def _added(before: CheckedNetwork, after: CheckedNetwork) -> int:
    """The parameters by which layers differ that are new, gone, or were counted before as well; 0 if that of one is not
    known."""
    old = {node.name: node for node in before.graph.nodes}
    new = {node.name: node for node in after.graph.nodes}
    total = 0
    for name, node in new.items():
        known = old.get(name)
        counted = None if known is None else _params(before, known)
        failed = known if counted and known is not None and known.shapes is None else None
        if failed is not None and _inputs(before, failed) != _inputs(after, node):
            return 0  # What a layer would have had on an input that it can't have is no number to compare with.
        if known is None or counted is not None:
            total += (_params(after, node) or 0) - (counted or 0)
    for name, node in old.items():
        if name not in new:
            counted = _params(before, node)
            if counted is None:
                return 0
            total -= counted
    return total


def _params(network: CheckedNetwork, node: Node) -> int | None:
    """The parameters that a node's layer has for itself; None where what it gets is not known."""
    shapes = _inputs(network, node)
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    if node.layer is None or node.shares is not None:
        return 0
    return sum(int(product(w.shape)) for w in node.layer.weights(*known) if w.kind != "buffer")


def _inputs(network: CheckedNetwork, node: Node) -> list[Shape | None]:
    return [network.graph.shape_of(edge) for edge in node.inputs]
