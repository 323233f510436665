"""The numbers of items as people read them, and the colours that tell of them."""

from __future__ import annotations

from cnndsl.draw.fold import every
from cnndsl.draw.outline import Item
from cnndsl.numbers import UNKNOWN, abbreviated, axes_text, bytes_text, grouped, share

LEVELS = 9
"""Colours of a scale, `scale0` to `scale8`."""


def facts(item: Item, network: Item) -> tuple[tuple[str, str], ...]:
    """Everything known of an item by name: its output, and its costs with their shares of the whole network."""
    numbers, whole, own = item.numbers, network.numbers, item is network
    found = [
        ("kind", item.kind),
        ("output", said(item, "shape")),
        ("params", _with_share(grouped(numbers.params), "" if own else share(numbers.params, whole.params))),
        ("MACs", _with_share(grouped(numbers.macs), "" if own else share(numbers.macs, whole.macs))),
        ("receptive field", axes_text(numbers.field)),
        ("saved for training", UNKNOWN if numbers.saved is None else bytes_text(numbers.saved)),
    ]
    if item.count > 1:
        found.insert(1, ("repeated", f"{item.count} times"))
    if item.dress:
        found.insert(1, ("with", ", ".join(item.dress)))
    if item.shares is not None:
        found.append(("weights", f"those of {item.shares}"))
    found += [(f"{name} before", value) for name, value in item.change.was]
    if item.change.said:
        found.append(("changed", item.change.said))
    return tuple((name, value) for name, value in found if value)


def _with_share(count: str, part: str) -> str:
    return f"{count} ({part})" if part else count


def said(item: Item, what: str) -> str:
    """One fact as short as a label wants it: `14x14x6`, `2.42k params`; empty if there is nothing to say."""
    numbers = item.numbers
    if what == "name":
        return item.id if item.named else ""
    if what == "shape":
        return _shape(item)
    if what == "params":
        return f"{abbreviated(numbers.params)} params" if numbers.params else ""
    if what == "macs":
        return f"{abbreviated(numbers.macs)} MACs" if numbers.macs else ""
    if what == "memory":
        return bytes_text(numbers.saved) if numbers.saved else ""
    return f"sees {axes_text(numbers.field)}" if numbers.field else ""


def _shape(item: Item) -> str:
    """The shape that an item gives; in repeats from the first to the last, `56x56x96…256`."""
    first, last = item.shape, item.until
    if first is None or last is None:
        return UNKNOWN if first is None else str(first)
    alike = first.spatial == last.spatial and first.rank == last.rank
    return f"{first}…{last.channels if alike else last}"


def cost(item: Item, what: str) -> float | None:
    """The number that a colour tells of; None if it is unknown."""
    numbers = item.numbers
    if what == "rf":
        return float(max(numbers.field)) if numbers.field else None
    value = {"params": numbers.params, "macs": numbers.macs, "memory": numbers.saved}[what]
    return None if value is None else float(value)


class Colors:
    """The role of each item's colour, for one network: its family's, or its place on the scale of a cost.

    The scale is that of square roots, so that what costs little is still told from what costs nothing.
    """

    def __init__(self, network: Item, what: str) -> None:
        self.what = what
        leaves = [item for item in every(network) if not item.children]
        costs = [cost(item, what) for item in leaves] if what not in ("kind", "change") else []
        self.most = max((value for value in costs if value is not None), default=0.0)

    def role(self, item: Item) -> str:
        if item.fault is not None:
            return "fault"
        if self.what == "change":
            return item.change.what or "same"
        if self.what == "kind":
            return item.role
        value = cost(item, self.what)
        if value is None:
            return "unknown"
        level = round((value / self.most) ** 0.5 * (LEVELS - 1)) if self.most else 0
        return f"scale{min(level, LEVELS - 1)}"
