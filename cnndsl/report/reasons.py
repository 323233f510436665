"""Why another tool's count of a network is not its multiply-accumulates: `check --count X --why`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.graph import Graph
from cnndsl.measure.counters import Counted, Group
from cnndsl.numbers import grouped
from cnndsl.terminal import Look, pad, visible, wrap

NAMED = 3
"""How many layers a reason names, those that it matters most for."""


def lines(counted: Counted, graph: Graph, look: Look) -> list[str]:
    """For a terminal: what is explained, then each reason with its sum and the layers that it matters most for."""
    amounts = [signed(group.amount) for group in counted.groups]
    width = max(map(len, amounts), default=0) + 2
    result = wrap(headline(counted), look.width)
    for group, amount in zip(counted.groups, amounts, strict=True):
        said = f"{group.reason} ({layers_text(group, graph)})"
        first, *rest = wrap(said, None if look.width is None else max(look.width - width - 2, 20))
        result.append("  " + pad(amount, width - 2, right=True) + "  " + first)
        result += [" " * (width + 2) + line for line in rest]
    return result


def markdown(counted: Counted, graph: Graph, escaped: Any) -> Iterator[str]:
    """The same as a Markdown table; `escaped` makes a text Markdown."""
    yield escaped(headline(counted)) + "\n\n"
    if not counted.groups:
        return
    yield "| difference | reason | layers |\n| ---: | :--- | :--- |\n"
    for group in counted.groups:
        cells = (signed(group.amount), escaped(group.reason), escaped(layers_text(group, graph)))
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"


def data(counted: Counted) -> list[dict[str, Any]]:
    """The same for JSON, with every layer."""
    return [
        {
            "reason": group.reason,
            "amount": group.amount,
            "layers": [{"layer": layer, "amount": amount} for layer, amount in group.layers],
        }
        for group in counted.groups
    ]


def headline(counted: Counted) -> str:
    """What has to be explained."""
    title, total = counted.counter.title, counted.total
    if total is None:
        return f"{title}: unknown, as a layer's shape is."
    if not counted.groups:
        return f"{title}: {grouped(total)}, as core counts every layer."
    difference = total - counted.core
    return f"{title}: {grouped(total)} = {grouped(counted.core)} core MACs {_sum(difference)}. The difference:"


def layers_text(group: Group, graph: Graph) -> str:
    """`c1 and c3`; of more than three layers the first three and how many there are."""
    names = [visible(graph.nodes[layer].name) for layer, _ in group.layers]
    if len(names) > NAMED:
        return f"{len(names):,} layers: {', '.join(names[:NAMED])}, …"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def signed(amount: int) -> str:
    """`+1,024` or `-1,024`."""
    return f"{amount:+,}"


def _sum(amount: int) -> str:
    return f"{'-' if amount < 0 else '+'} {abs(amount):,}"
