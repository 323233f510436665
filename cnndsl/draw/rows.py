"""Items that stand side by side and are drawn as one: rows of equals, which are counted, and stages of long rows."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from cnndsl.draw.item import OUTSIDE, Change, Item, Link, Numbers
from cnndsl.graph import INPUT, Edge
from cnndsl.record import Record

LONGEST_PERIOD = 12
"""Items in a row that may be repeated together."""
LONGEST_ROW = 40
"""Items side by side that are not put in stages."""
SLACK = 0.25
"""How far from where a long row would be cut evenly a better place is looked for, as a share of a piece."""

Sums = Callable[[tuple[int, ...], "Edge | None"], Numbers]
"""The numbers of some layers, the last of which gives a tensor."""


class Group(Record):
    """Items from `first` on, `last` excluded, and the item that stands for them."""

    first: int
    last: int
    item: Item


def folded_rows(children: list[Item], links: list[Link], sums: Sums) -> tuple[list[Item], list[Link]]:
    """The children with rows of equals made one, and the links between what is left."""
    rows = _rows(children, links)
    inner = _within(links, [(first, first + period) for first, period, _ in rows])
    groups = [
        Group(first, first + period * count, _row(children[first : first + period * count], one, count, sums))
        for (first, period, count), one in zip(rows, inner, strict=True)
    ]
    return _gathered(children, links, groups)


def _gathered(children: list[Item], links: list[Link], groups: list[Group]) -> tuple[list[Item], list[Link]]:
    """The children with each group made one, and the links between what is left."""
    if not groups:
        return children, links
    result: list[Item] = []
    place: dict[int, int] = {OUTSIDE: OUTSIDE}
    at = 0
    for first, last, item in [*groups, Group(len(children), len(children), children[0])]:
        while at < first:
            place[at] = len(result)
            result.append(children[at])
            at += 1
        if first < last:
            place.update(dict.fromkeys(range(first, last), len(result)))
            result.append(item)
            at = last
    moved = dict.fromkeys(
        link._replace(source=place[link.source], target=place[link.target])
        for link in links
        if place[link.source] != place[link.target]
    )
    return result, list(moved)


def _within(links: list[Link], spans: list[tuple[int, int]]) -> list[tuple[Link, ...]]:
    """For each span of items, from the first on, the last excluded: their links, as they see them."""
    span = {at: number for number, (first, last) in enumerate(spans) for at in range(first, last)}
    found: list[dict[Link, None]] = [{} for _ in spans]
    for link in links:
        ends = link.source, link.target
        for number in dict.fromkeys(span[end] for end in ends if end in span):
            source, target = (end - spans[number][0] if span.get(end) == number else OUTSIDE for end in ends)
            found[number][link._replace(source=source, target=target)] = None
    return [tuple(inner) for inner in found]


# --- rows of equals -------------------------------------------------------------------------------------------------


def _row(members: list[Item], links: tuple[Link, ...], count: int, sums: Sums) -> Item:
    """Items of which the first ones are repeated, with the links of these, as one item."""
    period = len(members) // count
    nodes = tuple(n for member in members for n in member.nodes)
    last = members[-1]
    common: dict[str, Any] = {
        "nodes": nodes,
        "numbers": sums(nodes, last.result),
        "result": last.result,
        "shape": last.shape,
        "count": count,
        "outputs": tuple(name for member in members for name in member.outputs),
    }
    until = members[-period:]
    head = _grown(members[0], until[0])
    if period == 1:
        return head._replace(**common, until=None)
    titles = " · ".join(dict.fromkeys(member.title.split(" ")[0] for member in members[:period]))
    return Item(
        f"{head.id}…",
        "repeat",
        titles,
        role="block",
        children=tuple(_grown(first, last) for first, last in zip(members[:period], until, strict=True)),
        links=links,
        span=head.span,
        input_shape=head.input_shape,
        auxiliary=head.auxiliary,
        **common,
    )


def _grown(first: Item, last: Item) -> Item:
    """An item of the first of some repeats: with the shapes until the last, without rates that become others."""
    children = zip(first.children, last.children, strict=True)
    until = last.until or last.shape
    dress = zip(first.dress, last.dress, strict=True)
    return first._replace(
        title=first.title if first.title == last.title or first.children else _without_rate(first.title),
        dress=tuple(one if one == other else _without_rate(one) for one, other in dress),
        until=until if until != first.shape else None,
        children=tuple(_grown(one, other) for one, other in children),
    )


def _rows(children: list[Item], links: list[Link]) -> list[tuple[int, int, int]]:
    """Rows of equals as (first, period, count), in order: each member takes only what the one before it gives."""
    numbers: dict[Any, int] = {}
    signs = [numbers.setdefault(_signature(child), len(numbers)) for child in children]
    chained = _chained(len(children), links)
    ending = [bool(child.outputs) for child in children]
    rows = []
    at = 0
    while at < len(children):
        best = (0, 1, 0)
        for period in range(1, min(LONGEST_PERIOD, (len(children) - at) // 2) + 1):
            count = _times(signs, chained, ending, at, period)
            if count > 1 and period * count > best[1] * best[2]:
                best = (at, period, count)
        if best[2]:
            rows.append(best)
            at += best[1] * best[2]
        else:
            at += 1
    return rows


def _chained(count: int, links: list[Link]) -> list[bool]:
    """For each child: whether all it takes is what the child before it gives, which nobody else takes."""
    sources: list[set[int]] = [set() for _ in range(count)]
    targets: list[set[int]] = [set() for _ in range(count)]
    for link in links:
        if link.target != OUTSIDE:
            sources[link.target].add(link.source)
        if link.source != OUTSIDE:
            targets[link.source].add(link.target)
    return [i > 0 and sources[i] == {i - 1} and targets[i - 1] == {i} for i in range(count)]


def _times(signs: list[int], chained: list[bool], ending: list[bool], first: int, period: int) -> int:
    """How often the `period` items from `first` on stand in a row; results of the network end it."""
    count, at = 1, first + period
    if not all(chained[first + 1 : at]):
        return 1
    while at + period <= len(signs) and not any(ending[at - period : at]):
        if signs[at : at + period] != signs[first : first + period] or not all(chained[at : at + period]):
            break
        count, at = count + 1, at + period
    return count


def _signature(item: Item) -> Any:
    """What makes items equal on paper: what they are and what is in them; not their channels or names."""
    spatial = item.shape.spatial if item.shape is not None else None
    if not item.children:
        titles = tuple(map(_without_rate, (item.title, *item.dress)))
        return titles, spatial, item.count, item.fault, item.auxiliary, item.change
    inner = tuple((link.source, link.target) for link in item.links)
    return item.kind, tuple(map(_signature, item.children)), inner, item.count, spatial, item.fault


def _without_rate(title: str) -> str:
    """A layer's title; of regularisation, whose rates grow with the depth, the kind alone."""
    kind, _, _ = title.partition(" ")
    return kind if kind in ("dropout", "droppath") else title


# --- stages ---------------------------------------------------------------------------------------------------------


def staged(children: list[Item], links: list[Link], sums: Sums) -> tuple[list[Item], list[Link]]:
    """The children of a long row put in stages: those of one resolution together, in pieces if they are many. Shorter
    rows stay as they are."""
    while len(children) > LONGEST_ROW:
        ties = _ties(len(children), links)
        parts = _parts([_resolution(child) for child in children], ties)
        if len(parts) == len(children):
            parts = _pieces(0, len(children), ties)
        spans = [(first, last) for first, last in parts if last > first + 1]
        groups = [
            Group(first, last, _stage(children[first:last], inner, sums))
            for (first, last), inner in zip(spans, _within(links, spans), strict=True)
        ]
        children, links = _gathered(children, links, groups)
    return children, links


def _stage(children: list[Item], links: tuple[Link, ...], sums: Sums) -> Item:
    """Items that have nothing in common but their place as one item."""
    nodes = tuple(n for child in children for n in child.nodes)
    first, last = children[0], children[-1]
    where = {_resolution(child) for child in children} - {""}
    return Item(
        f"{first.id} … {last.id}",
        "repeat",
        f"{len(nodes)} layers" + (f", {where.pop()}" if len(where) == 1 else ""),
        nodes,
        sums(nodes, last.result),
        result=last.result,
        shape=last.shape,
        input_shape=first.input_shape,
        role="block",
        children=tuple(children),
        links=links,
        span=first.span,
        outputs=tuple(name for child in children for name in child.outputs),
        fault=next((child.fault for child in children if child.fault is not None), None),
        auxiliary=all(child.auxiliary for child in children),
        change=first.change if len({child.change.what for child in children}) == 1 else Change("changed"),
    )


def _resolution(item: Item) -> str:
    """What an item gives without its channels: `56x56`; its own for an input, which stays alone."""
    if item.kind == INPUT:
        return item.id
    return "x".join(map(str, item.shape.spatial)) if item.shape is not None else ""


def _parts(resolutions: list[str], ties: list[int]) -> list[tuple[int, int]]:
    """The items of each resolution, from the first on, the last excluded, in pieces if there are many."""
    found: list[tuple[int, int]] = []
    first = 0
    for at in range(1, len(resolutions) + 1):
        if at == len(resolutions) or resolutions[at] != resolutions[first]:
            found += _pieces(first, at, ties)
            first = at
    return found


def _pieces(first: int, last: int, ties: list[int]) -> list[tuple[int, int]]:
    """A long row in pieces of about the same length, cut where few tensors pass."""
    count = ceil((last - first) / LONGEST_ROW)
    size = (last - first) / count
    reach = max(1, int(SLACK * size))
    cuts = [first]
    for number in range(1, count):
        middle = first + round(number * size)
        near = range(max(cuts[-1] + 1, middle - reach), min(last - 1, middle + reach) + 1)
        cuts.append(min(near, key=lambda at: (ties[at], abs(at - middle))))
    return list(zip(cuts, [*cuts[1:], last], strict=True))


def _ties(count: int, links: list[Link]) -> list[int]:
    """For each item, how many tensors pass from those before it to it and those behind."""
    ends: dict[tuple[int, Edge], int] = {}
    for link in links:
        if OUTSIDE not in (link.source, link.target):
            key = link.source, link.edge
            ends[key] = max(ends.get(key, 0), link.target)
    changes = [0] * (count + 1)
    for (source, _), target in ends.items():
        changes[source + 1] += 1
        changes[target + 1] -= 1
    ties, now = [], 0
    for change in changes[:count]:
        now += change
        ties.append(now)
    return ties
