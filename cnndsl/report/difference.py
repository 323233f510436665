"""What `diff` prints: two networks compared, for a terminal, for a review, and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cnndsl.compare import Comparison, Side
from cnndsl.compare.checkpoint import Loaded, Loading, Tensor
from cnndsl.diagnostics import Diagnostic
from cnndsl.numbers import grouped
from cnndsl.record import Record
from cnndsl.report import COUNTED, heading, signature
from cnndsl.report.as_markdown import code, escaped, problems
from cnndsl.report.grid import Column, draw, fit
from cnndsl.report.rows import (
    ADDED,
    AFFECTED,
    CHANGED,
    MEANINGS,
    REMOVED,
    SAME,
    Renamed,
    Row,
    Total,
    renames,
    rows,
    signed,
    totals,
)
from cnndsl.terminal import BOLD, CYAN, DIM, GREEN, PLAIN, RED, YELLOW, Look, visible, wrap

MOST_NAMES = 12
"""Renamed layers that are listed, unless all are asked for."""
_STYLES = {SAME: DIM, CHANGED: YELLOW, AFFECTED: CYAN, ADDED: GREEN, REMOVED: RED}


class Difference(Record):
    """Two networks compared. loading: what a checkpoint of the first gives to the second; None where one of them has
    errors."""

    comparison: Comparison
    loading: Loading | None


class Alone(Record):
    """A network that only one of two files has. mark: `+` or `-`."""

    mark: str
    side: Side


# --- for a terminal -------------------------------------------------------------------------------------------------


def text(
    found: Sequence[Difference],
    alone: Sequence[Alone] = (),
    look: Look = PLAIN,
    *,
    all_rows: bool = False,
    checkpoint: bool = False,
) -> str:
    """Every pair of networks that differs in full, the others in a line; then how things were counted."""
    parts = ["\n".join(_one(one, look, all_rows=all_rows, checkpoint=checkpoint)) + "\n" for one in found]
    parts += [look.paint(_alone(one), _STYLES[one.mark]) + "\n" for one in alone]
    if any(not one.comparison.equal for one in found):
        parts.append("".join(line + "\n" for line in wrap(COUNTED, look.width)))
    return "\n".join(parts)


def _alone(one: Alone) -> str:
    graph = one.side.graph
    which = "second" if one.mark == ADDED else "first"
    return visible(f"{one.mark} {heading(graph)} is in the {which} file only: {signature(graph)}")


def _one(one: Difference, look: Look, *, all_rows: bool, checkpoint: bool) -> Iterator[str]:
    comparison = one.comparison
    for line in wrap(visible(title(comparison)), look.width):
        yield look.paint(line, BOLD)
    yield from wrap(visible(said(comparison)), look.width)
    if comparison.equal and not all_rows:
        if checkpoint and one.loading is not None:
            yield from _checkpoint(one.loading, look, every=True)
        return
    yield ""
    shown = rows(comparison, all_rows=all_rows)
    columns = _columns(shown)
    fitted = fit(columns, look)
    head, rule, *body = draw(fitted.columns, look)
    yield from (head, rule)
    for row, line in zip(shown, body, strict=True):
        yield look.paint(line, _STYLES[row.mark])
    marks = dict.fromkeys(row.mark for row in shown if row.mark)
    yield from ["", *wrap(", ".join(f"{mark} {MEANINGS[mark]}" for mark in marks), look.width)] if marks else []
    if fitted.left_out:
        yield from wrap(f"No room for: {', '.join(fitted.left_out)}.", look.width)
    yield from _names(renames(comparison), look, all_rows=all_rows)
    yield ""
    yield from _totals(comparison, look)
    if one.loading is not None:
        yield ""
        yield from _checkpoint(one.loading, look, every=checkpoint)


def title(comparison: Comparison) -> str:
    """`LeNet5 in a.cnn -> LeNet5 in b.cnn`."""
    return " -> ".join(f"{side.graph.name} in {side.label}" for side in (comparison.a, comparison.b))


def said(comparison: Comparison) -> str:
    """The difference in a line: parameters, what became of how many layers."""
    if comparison.equal:
        layers = sum(node.layer is not None for node in comparison.b.graph.nodes)
        return f"no difference in {layers:,} layers"
    counts = {what: sum(p.what == what for p in comparison.pairs) for what in ("added", "removed", "changed")}
    parts = [change.said for change in comparison.parameters]
    parts += [f"{count:,} layer{'s' * (count != 1)} {what}" for what, count in counts.items() if count]
    moved = sum(pair.moved for pair in comparison.pairs)
    renamed = sum(pair.renamed for pair in comparison.pairs)
    parts += [f"{moved:,} moved"] * bool(moved) + [f"{renamed:,} with other names"] * bool(renamed)
    if not any(counts.values()) and not moved and not renamed:
        parts.append("every layer as it was")
    return ", ".join(parts)


def _columns(shown: list[Row]) -> list[Column]:
    real = [row if row.mark or row.output else None for row in shown]
    return [
        Column("", [row.mark for row in shown], right=False),
        Column("layer", [visible(row.name) for row in shown], right=False, elastic=True),
        Column("what", [visible(row.what) for row in shown], right=False, leaves=5),
        Column("output", [row.output for row in shown], right=False, leaves=3),
        Column("params", ["" if row is None else signed(row.params) for row in real]),
        Column("MACs", ["" if row is None else signed(row.macs) for row in real], leaves=4),
        Column("receptive field", [row.field for row in shown], short="field", leaves=2),
    ]


def _names(found: list[Renamed], look: Look, *, all_rows: bool) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield "other names:"
    for one in found if all_rows else found[:MOST_NAMES]:
        yield from wrap(visible(f"  {one.before} -> {one.after}{_how_many(one)}"), look.width)
    if len(found) > MOST_NAMES and not all_rows:
        yield f"  and {len(found) - MOST_NAMES:,} more; --all shows them"


def _how_many(one: Renamed) -> str:
    if one.numbered:
        return (
            " (numbers only)" if one.layers == 1 else f", … ({one.layers:,} layers, numbers only)".replace("…", "...")
        )
    return f" ({one.layers:,} layers)" if one.layers > 1 else ""


def _totals(comparison: Comparison, look: Look) -> Iterator[str]:
    found = totals(comparison)
    columns = [
        Column("total", [one.name for one in found], right=False),
        Column("before", [one.before for one in found]),
        Column("after", [one.after for one in found]),
        Column("difference", [difference_said(one) for one in found]),
        Column("", [one.percent for one in found], leaves=1),
    ]
    yield from draw(fit(columns, look).columns, look)


def difference_said(one: Total) -> str:
    return one.difference or "the same" * (one.before == one.after)


def _checkpoint(loading: Loading, look: Look, *, every: bool) -> Iterator[str]:
    """What a checkpoint of the first network gives to the second."""
    yield from wrap(checkpoint_said(loading), look.width)
    if not every:
        if loading.of("renamed") or loading.of("shape") or loading.of("missing") or loading.unused:
            yield "--checkpoint lists them."
        return
    for head, lines in checkpoint_lists(loading):
        yield from ["", *wrap(head, look.width)]
        yield from (visible(f"  {line}") for line in lines)


def checkpoint_said(loading: Loading) -> str:
    """In a sentence or two, what of a checkpoint of the first network can be loaded into the second."""
    if not loading.tensors:
        return "checkpoint: the second network has no tensors to load"
    usable = [one.tensor for one in loading.tensors if one.how in ("same", "renamed")]
    renamed, shape, new = (len(loading.of(how)) for how in ("renamed", "shape", "missing"))
    numbers = sum(t.numbers for t in usable if t.parameter)
    whole = sum(one.tensor.numbers for one in loading.tensors if one.tensor.parameter)
    said = (
        f"checkpoint: {len(usable):,} of {len(loading.tensors):,} tensors can be loaded"
        f"{f' ({renamed:,} of them under another name)' if renamed else ''}, "
        f"{grouped(numbers)} of {grouped(whole)} parameters"
    )
    more = [f"{shape:,} {'has' if shape == 1 else 'have'} another shape"] * bool(shape)
    more += [f"{new:,} {'is' if new == 1 else 'are'} new"] * bool(new)
    more += [
        f"{len(loading.unused):,} of the first network's {'has' if len(loading.unused) == 1 else 'have'} no use"
    ] * (bool(loading.unused))
    said += f"; {', '.join(more)}" if more else ""
    mistaken = sum(one.mistaken for one in loading.tensors)
    if mistaken:
        said += f". Beware: by names alone {mistaken:,} would be loaded from another layer of the same shape"
    return f"{said}."


def checkpoint_lists(loading: Loading) -> Iterator[tuple[str, list[str]]]:
    """Every tensor that is not loaded as it is, in lists with a heading."""
    lists = (
        ("Loaded under another name (first network's -> second's):", "renamed", _mapped),
        ("Of another shape, not loaded:", "shape", _reshaped),
        ("New, not in the checkpoint:", "missing", _missing),
    )
    for head, how, line in lists:
        if loading.of(how):
            yield head, [line(one) + (" *" if one.mistaken else "") for one in loading.of(how)]
    if loading.unused:
        yield "Of no use to the second network:", [f"{one.name} {_shape(one)}" for one in loading.unused]
    if any(one.mistaken for one in loading.tensors):
        yield "* The first network has this name, too, with this shape, but for another layer.", []


def _mapped(one: Loaded) -> str:
    assert one.source is not None
    return f"{one.source.name} -> {one.tensor.name}"


def _reshaped(one: Loaded) -> str:
    assert one.source is not None
    names = one.tensor.name if one.tensor.name == one.source.name else f"{one.source.name} -> {one.tensor.name}"
    return f"{names}: {_shape(one.source)} -> {_shape(one.tensor)}"


def _missing(one: Loaded) -> str:
    return f"{one.tensor.name} {_shape(one.tensor)}"


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))}{',' * (len(tensor.shape) == 1)})"


# --- for a review ---------------------------------------------------------------------------------------------------


def markdown(
    found: Sequence[Difference],
    alone: Sequence[Alone] = (),
    diagnostics: Sequence[Diagnostic] = (),
    *,
    all_rows: bool = False,
    checkpoint: bool = False,
) -> Iterator[str]:
    """The same as Markdown, the totals first and the layers below a line to open."""
    yield from problems(diagnostics)
    for one in found:
        yield from _section(one, all_rows=all_rows, checkpoint=checkpoint)
    for single in alone:
        yield f"- {escaped(_alone(single))}\n"
    if any(not one.comparison.equal for one in found):
        yield f"\n<sub>{escaped(COUNTED)}</sub>\n"


def _section(one: Difference, *, all_rows: bool, checkpoint: bool) -> Iterator[str]:
    comparison = one.comparison
    names = [comparison.a.graph.name, comparison.b.graph.name]
    yield f"### {escaped(' -> '.join(dict.fromkeys(names)))}\n\n"
    yield f"{code(comparison.a.label)} to {code(comparison.b.label)}: {escaped(said(comparison))}.\n\n"
    if comparison.equal and not all_rows:
        return
    yield from _markdown_table(
        ["", "before", "after", "difference", ""],
        [[t.name, t.before, t.after, difference_said(t), escaped(t.percent)] for t in totals(comparison)],
        "lrrrr",
    )
    shown = rows(comparison, all_rows=all_rows)
    yield f"<details><summary>{len(shown):,} row{'s' * (len(shown) != 1)} of layers</summary>\n\n"
    yield from _markdown_table(
        ["", "layer", "what", "output", "params", "MACs", "receptive field"],
        [
            [f"`{r.mark}`" * bool(r.mark), *map(escaped, (r.name, r.what, r.output)), *_costs(r), escaped(r.field)]
            for r in shown
        ],
        "llllrrr",
    )
    yield "</details>\n\n"
    for name in renames(comparison):
        yield f"- {code(name.before)} is now {code(name.after)}{escaped(_how_many(name))}\n"
    if one.loading is not None:
        yield f"\n{escaped(checkpoint_said(one.loading))}\n\n"
        for head, lines in checkpoint_lists(one.loading) if checkpoint else ():
            yield f"{escaped(head)}\n\n" + "".join(f"- {code(line)}\n" for line in lines) + "\n"


def _costs(row: Row) -> list[str]:
    return ["", ""] if row.mark == SAME and not row.output else [signed(row.params), signed(row.macs)]


def _markdown_table(titles: list[str], lines: Iterable[list[str]], sides: str) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |\n"
    yield f"| {' | '.join(':---' if side == 'l' else '---:' for side in sides)} |\n"
    for cells in lines:
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"
