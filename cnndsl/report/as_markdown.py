"""The report as Markdown tables, for a pull request or a README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.diagnostics import Diagnostic
from cnndsl.measure import LayerMeasure
from cnndsl.numbers import UNKNOWN, axes_text, bytes_text, grouped, share
from cnndsl.report import Measured, conventions, heading, signature
from cnndsl.terminal import visible


def render(
    networks: Sequence[Measured],
    diagnostics: Sequence[Diagnostic] = (),
    *,
    connections: bool = False,
    why: bool = False,
) -> Iterator[str]:
    """What is wrong, a heading and a table for every network, then how things were counted."""
    yield from problems(diagnostics)
    shown = [network for network in networks if network.graph.nodes]
    for network in shown:
        yield from _network(network, connections=connections, why=why)
    if any(network.analysis.totals for network in shown):
        yield f"<sub>{escaped(conventions(shown))}</sub>\n"


def problems(diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    """A list item for every problem, so that a table that is pasted says whether its spec has errors."""
    for one in diagnostics:
        place = f"{one.span.source.name}:{one.span.line}:{one.span.column}"
        yield f"- **{one.severity} {one.code}** {code(place)}: {escaped(one.message_text())}\n"
    if diagnostics:
        yield "\n"


def _network(network: Measured, *, connections: bool, why: bool) -> Iterator[str]:
    graph, analysis, _ = network
    totals = analysis.totals
    yield f"### {escaped(heading(graph))}\n\n"
    yield f"{code(graph.span.source.name)}: {escaped(signature(graph))}\n\n"
    titles = ["layer", "kind", "output", "params", "share", network.title, "share"]
    titles += ["connections"] * connections + ["receptive field"]
    yield _row(titles)
    yield _row([":---"] * 3 + ["---:"] * (len(titles) - 3))
    whole = (totals.params, network.total) if totals else (None, None)
    made: dict[tuple[LayerMeasure | None, int | None, bool], str] = {}  # equal layers' numbers are made into text once
    for node, measure, count in zip(graph.nodes, analysis.layers, network.counts(), strict=True):
        key = (measure, count, node.shares is not None)
        if key not in made:
            made[key] = " | ".join(_numbers(*key, whole, connections=connections))
        shapes = UNKNOWN if node.results is None else ", ".join(map(str, node.results))
        yield _row([escaped(node.name), escaped(node.kind), escaped(shapes), made[key]])
    if totals:
        counted = [f"**{grouped(totals.connections)}**"] * connections
        field = f"**{axes_text(totals.receptive_field)}**" if totals.receptive_field else ""
        sums = [f"**{grouped(totals.params)}**", "", f"**{grouped(network.total)}**", "", *counted, field]
        yield _row(["**total**", "", "", *sums])
    yield "\n"
    if network.counted is not None and why:
        from cnndsl.report import reasons

        yield from reasons.markdown(network.counted, graph, escaped)
    memory = analysis.memory
    if memory:
        inference, training = bytes_text(memory.inference), bytes_text(memory.training)
        yield f"Memory at batch {memory.batch:,}: {inference} for inference, {training} for training.\n\n"


def _numbers(
    measure: LayerMeasure | None,
    count: int | None,
    shared: bool,
    whole: tuple[int | None, int | None],
    *,
    connections: bool,
) -> list[str]:
    if measure is None:
        return [UNKNOWN, "", UNKNOWN, "", *[UNKNOWN] * connections, ""]
    params = "shared" if shared else grouped(measure.params)
    # The total is the main path's: layers that only serve training have no share of it.
    part = "" if measure.auxiliary else share(count, whole[1])
    counts = [params, share(measure.params, whole[0]), grouped(count), part]
    counted = [grouped(measure.connections)] * connections
    return [*counts, *counted, axes_text(measure.receptive_field)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


_ESCAPED = {character: "\\" + character for character in "\\`*[<|~$"} | {"&": "&amp;", "@": "&#64;"}


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, in a table too: no markup, HTML or mention comes of it."""
    text = visible(text)
    if text.isalnum():
        return text
    pieces = [_ESCAPED.get(c, c) for c in text]
    for i, c in enumerate(text):
        inside = 0 < i < len(text) - 1 and text[i - 1].isalnum() and text[i + 1].isalnum()
        if c == "_" and not inside:
            pieces[i] = "\\_"
    return "".join(pieces)


def code(text: str) -> str:
    """A text as a code span, between more backticks than it has in a row."""
    text = visible(text)
    fence = "`"
    while fence in text:
        fence += "`"
    gap = " " if text.startswith("`") or text.endswith("`") or (text != text.strip() and text.strip()) else ""
    return f"{fence}{gap}{text}{gap}{fence}"
