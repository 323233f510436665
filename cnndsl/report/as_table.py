"""The table that `check` prints in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cnndsl.graph import Graph, Node
from cnndsl.measure import Memory, Totals
from cnndsl.numbers import abbreviated, axes_text, bytes_text, grouped, share
from cnndsl.report import Measured, conventions, given_text, heading, signature
from cnndsl.report.grid import Column, draw, fit
from cnndsl.terminal import BOLD, PLAIN, Look, pad, visible, wrap

if TYPE_CHECKING:
    from cnndsl.recipe import Recipe
    from cnndsl.recipe.pair import Pair

MANY = 1000
"""A terminal shows more rows than this only when asked; files and pipes get all of them."""
HEAD, TAIL = 60, 40
"""How many rows of a long table are shown at its beginning and end."""

FIELDS = "The receptive field is that of the last feature map."
"""What the table of several networks says of that column: what follows the last map sees all of it."""

_UNBROKEN = "\0"
"""A space at which no line is broken: between a number and its unit."""


def render(
    networks: Sequence[Measured],
    look: Look = PLAIN,
    *,
    connections: bool = False,
    all_rows: bool = False,
    why: bool = False,
) -> str:
    """The table of a network, or a table of several and how to see the layers of one; and how things were counted.
    `all_rows` and `why` show the layers of several as well."""
    shown = [network for network in networks if network.graph.nodes]
    several = len(shown) > 1
    parts = []
    if not several or all_rows or why:
        parts = [table(n, look, connections=connections, all_rows=all_rows, why=why) for n in shown]
    if several:
        parts.append(overview(shown, look, connections=connections))
        if not all_rows:
            parts.append(_lines(_advice(shown[0].graph, why=why), look))
    if any(network.analysis.totals for network in shown):
        said = f"{conventions(shown)} {FIELDS}" if several else conventions(shown)
        parts.append(_lines(said, look))
    return "\n".join(parts)


def recipe_of_two(pair: Pair, recipe: Recipe, look: Look = PLAIN) -> str:
    """A sentence about a recipe in which two networks train each other."""
    first, second = (visible(graph.name) for graph in pair.graphs)
    epochs = f"{recipe.epochs} epoch{'s' if recipe.epochs > 1 else ''} of batch {recipe.batch}"
    said = f"{visible(pair.name)}: {first} and {second} train each other, on data {recipe.data.brief()}"
    return "\n" + _lines(f"{said}, by loss {recipe.loss.brief()}, in {epochs}.", look)


def _lines(text: str, look: Look) -> str:
    return "".join(line + "\n" for line in wrap(text, look.width))


def _advice(graph: Graph, *, why: bool) -> str:
    """How to see every layer of a network that stands in a table of several."""
    from shlex import quote

    file = graph.span.source.name
    name = quote(visible(f"{'-' if file == '<stdin>' else file}:{graph.name}"))
    return f"The layers of one alone: cnndsl check {name}" + ("" if why else "; of all of them: --all")


def table(
    network: Measured,
    look: Look = PLAIN,
    *,
    connections: bool = False,
    all_rows: bool = False,
    why: bool = False,
) -> str:
    """One network: title, a row for each layer, totals, memory; `why` another tool counts otherwise. Layers that an
    error left without a shape have `?`; those behind them are only counted."""
    graph = network.graph
    rows = _rows(graph)
    hidden = len(graph.nodes) - len(rows)
    gap_at, gap = None, ""
    if look.terminal and len(rows) > MANY and not all_rows:
        gap_at, gap = HEAD, f"... {len(rows) - HEAD - TAIL:,} more layers; --all shows them"
        rows = rows[:HEAD] + rows[-TAIL:]
    columns, left_out = fit(_columns(rows, network, connections=connections), look)
    lines = [*_title(graph, look), "", *draw(columns, look, gap_at=gap_at, gap=gap), ""]
    if hidden:
        lines += wrap(
            f"{hidden:,} more layer{'s' * (hidden != 1)}, of unknown shape, follow{'s' * (hidden == 1)}.", look.width
        )
    if left_out:
        lines += wrap(
            f"No room for: {', '.join(dict.fromkeys(left_out))}. Wider terminals show more, --format csv all.",
            look.width,
        )
    lines += _footer(network, look, connections=connections)
    if why and network.counted is not None:
        from cnndsl.report import reasons

        lines += ["", *reasons.lines(network.counted, graph, look)]
    return "\n".join(lines) + "\n"


def _title(graph: Graph, look: Look) -> list[str]:
    text = visible(f"{heading(graph)} in {graph.span.source.name}: {signature(graph)}")
    return [look.paint(line, BOLD) for line in wrap(text, look.width)]


def _rows(graph: Graph) -> list[int]:
    """The nodes to show: of those without a shape only the ones that are to blame, whose inputs have theirs."""
    return [
        node.index
        for node in graph.nodes
        if node.shapes is not None or all(graph.nodes[edge.node].shapes is not None for edge in node.inputs)
    ]


# --- columns --------------------------------------------------------------------------------------------------------


def _columns(rows: list[int], network: Measured, *, connections: bool) -> list[Column]:
    graph, analysis, _ = network
    nodes = [graph.nodes[i] for i in rows]
    measures = [analysis.layers[i] for i in rows]
    totals = analysis.totals
    params = [None if m is None else m.params for m in measures]
    every = network.counts()
    counts = [every[i] for i in rows]
    # The total is the main path's: layers that only serve training have no share of it.
    shared = [None if m is None or m.auxiliary else n for m, n in zip(measures, counts, strict=True)]
    columns = [
        Column("layer", _visible([n.name for n in nodes]), "total" if totals else "", right=False, elastic=True),
        Column("kind", _visible([n.kind for n in nodes]), right=False, leaves=5),
        Column("output", _outputs(nodes), right=False),
        _counts("params", params, totals and totals.params, shared=[n.shares is not None for n in nodes]),
        _shares(params, totals and totals.params),
        _counts(network.title, counts, network.total, leaves=6),
        _shares(shared, network.total),
    ]
    if connections:
        counted = [None if m is None else m.connections for m in measures]
        columns.append(_counts("connections", counted, totals and totals.connections, short="conn.", leaves=4))
    fields = _each([None if m is None else m.receptive_field for m in measures], axes_text)
    total_field = axes_text(totals.receptive_field) if totals else ""
    columns.append(Column("receptive field", fields, total_field, short="field", leaves=3))
    return columns


def _counts(
    title: str,
    counts: list[Any],
    total: Any,
    *,
    short: str = "",
    leaves: int = 0,
    shared: list[bool] | None = None,
) -> Column:
    """A column of counts, which can be abbreviated. Shared weights are counted where they are first used."""

    def made(text: Callable[[Any], str]) -> Column:
        cells = _each(counts, text)
        if shared and any(shared):
            cells = ["shared" if s else cell for cell, s in zip(cells, shared, strict=True)]
        return Column(title, cells, "" if total is None else text(total), short=short, leaves=leaves)

    return made(grouped)._replace(brief=lambda: made(abbreviated))


def _shares(counts: list[Any], total: Any) -> Column:
    return Column("share", _each(counts, lambda count: share(count, total)), leaves=1)


def _each(values: list[Any], text: Callable[[Any], str]) -> list[str]:
    """The text of each value; equal values are made into text once."""
    made = {value: text(value) for value in set(values)}
    return [made[value] for value in values]


def _outputs(nodes: list[Node]) -> list[str]:
    return _each([n.results for n in nodes], lambda shapes: "?" if shapes is None else ", ".join(map(str, shapes)))


def _visible(texts: list[str]) -> list[str]:
    return texts if "".join(texts).isprintable() else list(map(visible, texts))


# --- below the table ------------------------------------------------------------------------------------------------


def _footer(network: Measured, look: Look, *, connections: bool) -> list[str]:
    analysis, counted = network.analysis, network.counted
    entries = [*_totals(analysis.totals, connections=connections), *_memory(analysis.memory)]
    if counted is not None and counted.total is not None and counted.counter.name != "core":
        entries.insert(0, (counted.counter.title, grouped(counted.total)))
    width = max((len(title) for title, _ in entries), default=0) + 2
    lines = []
    for title, text in entries:
        wrapped = wrap(text, None if look.width is None else max(look.width - width, 10))
        first, *rest = (line.replace(_UNBROKEN, " ") for line in wrapped)
        lines += [pad(title, width) + first, *(" " * width + line for line in rest)]
    return lines


def _totals(totals: Totals | None, *, connections: bool) -> Iterable[tuple[str, str]]:
    if totals is None:
        return
    frozen = totals.params - totals.trainable
    trained = f" ({grouped(totals.trainable)} trained, {grouped(frozen)} frozen)" if frozen else ""
    buffers = f", and {grouped(totals.buffers)} numbers in buffers" if totals.buffers else ""
    yield "params", f"{grouped(totals.params)}{trained}{buffers}"
    if totals.auxiliary_params:
        main = totals.params - totals.auxiliary_params
        yield "", f"{grouped(main)} without the outputs that only serve training"
    yield "MACs", f"{grouped(totals.macs)} ({grouped(totals.flops)} FLOPs)"
    if totals.auxiliary_macs:
        whole = totals.macs + totals.auxiliary_macs
        yield "", f"{grouped(whole)} with the outputs that only serve training"
    if connections:
        yield "connections", grouped(totals.connections)
    if totals.features_field and totals.features_field != totals.receptive_field:
        yield "features", f"the last map sees {axes_text(totals.features_field)} input cells, what follows all of it"
    yield "depth", f"{totals.depth} weighted layer{'s' * (totals.depth != 1)}"


def _memory(memory: Memory | None) -> Iterable[tuple[str, str]]:
    if memory is None:
        return
    at = f"of memory at batch {memory.batch:,}"
    about = "~" if memory.estimated else ""
    weights = f"weights {_size(memory.weights)}"
    kept = (
        f"gradients {_size(memory.gradients)}, optimizer {_size(memory.optimizer)}, "
        f"saved activations {about}{_size(memory.saved)}"
    )
    peak = f"activations {_size(memory.activations_peak)}"
    yield "inference", f"{_size(memory.inference)} {at}: {weights}, {peak}"
    yield "training", f"{about}{_size(memory.training)} {at}: {weights}, {kept}"


def _size(count: int) -> str:
    return bytes_text(count).replace(" ", _UNBROKEN)


def overview(networks: Sequence[Measured], look: Look = PLAIN, *, connections: bool = False) -> str:
    """One row for each of several networks."""
    totals = [n.analysis.totals for n in networks]
    ends = [signature(n.graph).partition(" -> ") for n in networks]
    files = [visible(n.graph.span.source.name) for n in networks]
    given = [visible(given_text(n.graph)) for n in networks]
    fields = [axes_text(t and (t.features_field or t.receptive_field)) for t in totals]
    columns = [
        Column("network", [visible(n.graph.name) for n in networks], right=False, elastic=True),
        *([Column("with", given, right=False, leaves=1)] if any(given) else []),
        *([Column("file", files, right=False, leaves=2)] if len(set(files)) > 1 else []),
        Column("input", [visible(end[0]) for end in ends], right=False, leaves=3),
        Column("output", [visible(end[2]) for end in ends], right=False, leaves=5),
        _counts("params", [t and t.params for t in totals], None),
        _counts(networks[0].title, [n.total for n in networks], None, leaves=6),
    ]
    if connections:
        counted = [t and t.connections for t in totals]
        columns.append(_counts("connections", counted, None, short="conn.", leaves=5))
    columns.append(Column("receptive field", fields, short="field", leaves=4))
    title = [] if len(set(files)) > 1 else wrap(f"{len(networks)} networks in {files[0]}", look.width)
    title = [*(look.paint(line, BOLD) for line in title), *[""] * bool(title)]
    return "\n".join([*title, *draw(fit(columns, look).columns, look)]) + "\n"
