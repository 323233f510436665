"""The rows of a comparison, as people read it: what is equal is counted, whole blocks and repeats are one row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cnndsl.compare import Comparison, Pair, Side
from cnndsl.compare.align import unnumbered
from cnndsl.graph import BlockCall, Node
from cnndsl.measure import LayerMeasure, Memory, Totals
from cnndsl.numbers import UNKNOWN, axes_text, bytes_text, grouped
from cnndsl.record import Record
from cnndsl.shape import Shape

SAME, CHANGED, AFFECTED, ADDED, REMOVED = "", "~", ".", "+", "-"
MEANINGS = {
    CHANGED: "changed",
    AFFECTED: "as it was, with other numbers",
    ADDED: "added",
    REMOVED: "removed",
}
"""What the mark before a row says."""


class Row(Record):
    """One row: a layer, a block, or several layers that are equal in both networks (`SAME`; then only `name` counts).

    params, macs: what comes or goes. layers: how many it stands for.
    """

    mark: str
    name: str
    what: str = ""
    output: str = ""
    params: int | None = 0
    macs: int | None = 0
    field: str = ""
    layers: int = 1


def rows(comparison: Comparison, *, all_rows: bool = False) -> list[Row]:
    """The rows of a comparison. `all_rows`: every layer for itself."""
    if all_rows:
        return [_layer(comparison, pair) for pair in comparison.pairs]
    return [*_folded_repeats(_folded(comparison))]


def signed(count: int | None) -> str:
    """A difference: `+1,728`, `-64`; nothing for none, `?` if it is unknown."""
    if count is None:
        return UNKNOWN
    return f"{count:+,}" if count else ""


def mark_of(comparison: Comparison, pair: Pair) -> str:
    """Which mark a pair has. That a layer sees more or less of the input is no change of its own."""
    if pair.what == "added":
        return ADDED
    if pair.what == "removed":
        return REMOVED
    if pair.what == "changed" or pair.moved:
        return CHANGED
    return AFFECTED if pair.what == "affected" and _costs_differ(comparison, pair) else SAME


def _costs_differ(comparison: Comparison, pair: Pair) -> bool:
    one, two = _nodes(comparison, pair)
    mine, other = _measures(comparison, pair)
    if one is None or two is None or mine is None or other is None:
        return (mine is None) != (other is None)
    return (one.results, mine.params, mine.macs) != (two.results, other.params, other.macs)


def _nodes(comparison: Comparison, pair: Pair) -> tuple[Node | None, Node | None]:
    a, b = comparison.a.graph.nodes, comparison.b.graph.nodes
    return None if pair.a is None else a[pair.a], None if pair.b is None else b[pair.b]


def _measures(comparison: Comparison, pair: Pair) -> tuple[LayerMeasure | None, LayerMeasure | None]:
    a, b = comparison.a.analysis.layers, comparison.b.analysis.layers
    return None if pair.a is None else a[pair.a], None if pair.b is None else b[pair.b]


# --- single layers --------------------------------------------------------------------------------------------------


def _layer(comparison: Comparison, pair: Pair) -> Row:
    one, two = _nodes(comparison, pair)
    mine, other = _measures(comparison, pair)
    node = two or one
    assert node is not None
    return Row(
        mark_of(comparison, pair),
        node.name,
        _what(pair, node),
        arrow(_output(one), _output(two)),
        _difference(pair, _field_of(mine, "params"), _field_of(other, "params")),
        _difference(pair, _field_of(mine, "macs"), _field_of(other, "macs")),
        arrow(_field(mine), _field(other)),
    )


def _what(pair: Pair, node: Node) -> str:
    if pair.changes or pair.moved:
        return ", ".join([*(change.said for change in pair.changes), *["moved"] * pair.moved])
    return node.kind


def _difference(pair: Pair, before: int | None, after: int | None) -> int | None:
    before = 0 if pair.a is None else before
    after = 0 if pair.b is None else after
    return None if before is None or after is None else after - before


def _output(node: Node | None) -> str | None:
    if node is None:
        return None
    return UNKNOWN if node.results is None else shapes_text(node.results)


def shapes_text(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes))


def _field(measure: LayerMeasure | None) -> str | None:
    return None if measure is None else axes_text(measure.receptive_field)


def arrow(before: str | None, after: str | None) -> str:
    """What was and what is: one text where there is one, or where they are equal."""
    if before is None or after is None:
        return after or before or ""
    return before if before == after else f"{before} -> {after}"


# --- what is folded -------------------------------------------------------------------------------------------------


def _folded(comparison: Comparison) -> Iterator[Row]:
    """Layers that are the same counted; a block whose layers are all new, all gone or all affected as one row."""
    pairs = comparison.pairs
    marks = [mark_of(comparison, pair) for pair in pairs]
    starts = _starts(comparison.a), _starts(comparison.b)
    at = same = 0
    while at < len(pairs):
        call, length = _block_at(pairs, marks, at, starts)
        if call is not None or marks[at] != SAME:
            if same:
                yield _equal(pairs[at - same : at])
            same = 0
            yield _block(comparison, marks, call, at, length) if call else _layer(comparison, pairs[at])
        else:
            same += 1
        at += length
    if same:
        yield _equal(pairs[at - same : at])


def _starts(side: Side) -> dict[int, list[BlockCall]]:
    """The calls of blocks by their first node, outermost first."""
    found: dict[int, list[BlockCall]] = {}
    for call in side.graph.calls:
        if call.last - call.first > 1:
            found.setdefault(call.first, []).append(call)
    return found


def _block_at(
    pairs: Sequence[Pair],
    marks: list[str],
    at: int,
    starts: tuple[dict[int, list[BlockCall]], dict[int, list[BlockCall]]],
) -> tuple[BlockCall | None, int]:
    """The outermost block that begins here and fares as one, and how many pairs it has."""
    gone = marks[at] == REMOVED
    index = pairs[at].a if gone else pairs[at].b
    for call in starts[0 if gone else 1].get(-1 if index is None else index, ()):
        length = call.last - call.first
        inside = pairs[at : at + length]
        if [p.a if gone else p.b for p in inside] != [*range(call.first, call.last)]:
            continue
        found = set(marks[at : at + length])
        if found in ({ADDED}, {REMOVED}) or found - {SAME} == {AFFECTED}:
            return call, length
    return None, 1


def _block(comparison: Comparison, marks: list[str], call: BlockCall, at: int, length: int) -> Row:
    pairs = comparison.pairs[at : at + length]
    parts = [_layer(comparison, pair) for pair in pairs]
    mark = next(mark for mark in marks[at : at + length] if mark != SAME)
    graph = (comparison.a if mark == REMOVED else comparison.b).graph
    result = None if call.result is None else graph.shape_of(call.result)
    output = parts[-1].output if mark == AFFECTED else UNKNOWN if result is None else str(result)
    return Row(
        mark,
        call.name,
        f"{call.block}, {length} layers",
        output,
        _sum(part.params for part in parts),
        _sum(part.macs for part in parts),
        parts[-1].field,
        length,
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [*counts]
    return None if None in known else sum(count for count in known if count is not None)


def _equal(pairs: Sequence[Pair]) -> Row:
    """A row that counts layers that are the same."""
    field = sum(pair.what == "affected" for pair in pairs)
    text = f"{len(pairs):,} layer{'s' * (len(pairs) != 1)} the same"
    if field == len(pairs):
        text += ", but for what they see"
    elif field:
        text += f", {field:,} of them see other parts of the input"
    return Row(SAME, text, layers=len(pairs))


def _folded_repeats(made: Iterable[Row]) -> Iterator[Row]:
    """Blocks that follow each other and are equal but for a number in their names as one row."""
    last: Row | None = None
    count = 1
    for row in made:
        if last is not None and row.layers > 1 and row.mark != SAME and _alike(last, row):
            count += 1
            last = row
            continue
        if last is not None:
            yield _repeated(last, count)
        last, count = row, 1
    if last is not None:
        yield _repeated(last, count)


def _alike(one: Row, two: Row) -> bool:
    same = one.mark, one.what, one.output, one.params, one.macs
    return same == (two.mark, two.what, two.output, two.params, two.macs) and unnumbered(one.name) == unnumbered(
        two.name
    )


def _repeated(row: Row, count: int) -> Row:
    if count == 1:
        return row
    params = None if row.params is None else row.params * count
    macs = None if row.macs is None else row.macs * count
    name, what = f"{count} blocks up to {row.name}", f"{row.what} each"
    return row._replace(name=name, what=what, params=params, macs=macs, layers=row.layers * count)


# --- names ----------------------------------------------------------------------------------------------------------


class Renamed(Record):
    """Layers that have other names: what is common to their names left out. `numbered`: only numbers differ."""

    before: str
    after: str
    numbered: bool
    layers: int


def renames(comparison: Comparison) -> list[Renamed]:
    """Which names changed, for people: a block's layers together, and layers that only count anew together."""
    found: dict[tuple[str, str, bool], int] = {}
    first: dict[str, tuple[str, str]] = {}
    for pair in comparison.pairs:
        if not pair.renamed:
            continue
        one, two = _nodes(comparison, pair)
        assert one is not None
        assert two is not None
        before, after = _parts_that_differ(one.name, two.name)
        base = unnumbered(before)
        if base == unnumbered(after):
            before, after = first.setdefault(base, (before, after))
            found[before, after, True] = found.get((before, after, True), 0) + 1
        else:
            key = (base, unnumbered(after), False) if _several(one.name, before) else (before, after, False)
            found[key] = found.get(key, 0) + 1
    return _with_followers([Renamed(*names, layers) for names, layers in found.items()])


def _with_followers(found: list[Renamed]) -> list[Renamed]:
    """Without those that are named after another: `c1_bn` became `stem_bn` because `c1` became `stem`."""
    known = {(one.before, one.after): one for one in found if not one.numbered}
    kept = dict.fromkeys(known, 0)
    for one in known.values():
        cut = one.before.rfind("_"), one.after.rfind("_")
        leader = one.before[: cut[0]], one.after[: cut[1]]
        follows = min(cut) > 0 and one.before[cut[0] :] == one.after[cut[1] :] and leader in known
        kept[leader if follows else (one.before, one.after)] += one.layers
    return [
        one if one.numbered else one._replace(layers=kept[one.before, one.after])
        for one in found
        if one.numbered or kept[one.before, one.after]
    ]


def _several(name: str, part: str) -> bool:
    """Whether a part of a name is that of a block, whose layers come one by one."""
    return not name.endswith(part)


def _parts_that_differ(before: str, after: str) -> tuple[str, str]:
    """Two names without the steps that they have in common at their ends and beginnings."""
    one, two = before.split("."), after.split(".")
    while len(one) > 1 and len(two) > 1 and one[-1] == two[-1]:
        del one[-1], two[-1]
    while len(one) > 1 and len(two) > 1 and one[0] == two[0]:
        del one[0], two[0]
    return ".".join(one), ".".join(two)


# --- totals ---------------------------------------------------------------------------------------------------------


class Total(Record):
    """One number of both networks, as text, and what it changed by; `difference` is empty where nothing did."""

    name: str
    before: str
    after: str
    difference: str
    percent: str


def totals(comparison: Comparison) -> list[Total]:
    """The numbers of both networks as wholes; those that an error left unknown are `?`."""
    a, b = comparison.a, comparison.b
    one, two = _Numbers(a), _Numbers(b)
    found = [_count("params", one.totals, two.totals, "params")]
    if any(t is not None and t.trainable != t.params for t in (one.totals, two.totals)):
        found.append(_count("trained", one.totals, two.totals, "trainable"))
    found += [
        _count("MACs", one.totals, two.totals, "macs"),
        _number("layers", one.layers, two.layers, grouped),
        _count("depth", one.totals, two.totals, "depth"),
        _sizes("receptive field", one.totals, two.totals, "receptive_field"),
        _sizes("features' field", one.totals, two.totals, "features_field"),
        _bytes("inference", one.memory, two.memory, "inference"),
        _bytes("training", one.memory, two.memory, "training"),
    ]
    return found


class _Numbers:
    """The numbers of one network as a whole."""

    def __init__(self, side: Side) -> None:
        self.totals = side.analysis.totals
        self.memory = side.analysis.memory
        self.layers = sum(node.layer is not None for node in side.graph.nodes)


def _field_of(owner: Totals | Memory | LayerMeasure | None, field: str) -> Any:
    return None if owner is None else getattr(owner, field)


def _count(name: str, before: Totals | None, after: Totals | None, field: str) -> Total:
    return _number(name, _field_of(before, field), _field_of(after, field), grouped)


def _bytes(name: str, before: Memory | None, after: Memory | None, field: str) -> Total:
    return _number(name, _field_of(before, field), _field_of(after, field), bytes_text)


def _sizes(name: str, before: Totals | None, after: Totals | None, field: str) -> Total:
    one, two = (UNKNOWN if owner is None else axes_text(_field_of(owner, field)) for owner in (before, after))
    return Total(name, one, two, "", "")


def _number(name: str, before: int | None, after: int | None, text: Callable[[int], str]) -> Total:
    """A number of both networks, each `?` if an error left it unknown."""
    one, two = (UNKNOWN if count is None else text(count) for count in (before, after))
    if before is None or after is None or before == after:
        return Total(name, one, two, "", "")
    sign = "+" if after > before else "-"
    return Total(name, one, two, f"{sign}{text(abs(after - before))}", percent(before, after) if before else "")


def percent(before: int, after: int) -> str:
    """By how much a number changed, in percent to one digit: `+74.3%`."""
    tenths = (2000 * abs(after - before) + before) // (2 * before)
    sign = "+" if after > before else "-"
    return f"{sign}{tenths // 10:,}.{tenths % 10}%" if tenths else "<0.1%"
