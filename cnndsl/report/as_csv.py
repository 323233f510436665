"""The report as comma-separated values (RFC 4180): a header, then one row for each layer of every network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cnndsl.numbers import axes_text
from cnndsl.report import Measured
from cnndsl.terminal import visible

COLUMNS = (
    "file",
    "network",
    "id",
    "layer",
    "kind",
    "output",
    "params",
    "trainable",
    "buffers",
    "macs",
    "connections",
    "receptive_field",
    "stride",
    "saved_bytes",
    "auxiliary",
    "line",
)
"""The columns in order. What an error left unknown is an empty cell; numbers have no separators."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_QUOTED = frozenset(',"\r\n')


def render(networks: Sequence[Measured]) -> Iterator[str]:
    """The lines, each with its end (CR LF). Another tool's count has a column of its own instead of `macs`."""
    counter = next((network.counted.counter for network in networks if network.counted is not None), None)
    title = "macs" if counter is None else _name(counter.title)
    yield ",".join(title if column == "macs" else column for column in COLUMNS) + "\r\n"
    for network in networks:
        graph, analysis, _ = network
        file, name = cell(visible(graph.span.source.name)), cell(visible(graph.name))
        for node, measure, count in zip(graph.nodes, analysis.layers, network.counts(), strict=True):
            shapes = "" if node.results is None else "; ".join(map(str, node.results))
            numbers = ",,,,,,,,"
            if measure is not None:
                *counts, field, stride, saved, auxiliary = measure._replace(macs=count)
                memory = f"{saved},{'yes' if auxiliary else 'no'}"
                numbers = f"{','.join(map(str, counts))},{axes_text(field)},{axes_text(stride)},{memory}"
            layer, kind = cell(visible(node.name)), cell(visible(node.kind))
            yield f"{file},{name},{node.index},{layer},{kind},{cell(shapes)},{numbers},{node.span.line}\r\n"


def _name(title: str) -> str:
    """A title as a column's name: `fvcore FLOPs` is `fvcore_flops`."""
    return title.lower().replace(" ", "_").replace("-", "_")


def row(values: Iterable[str | float | None]) -> str:
    """One line with its end. Numbers are written in full, None as an empty cell."""
    cells = ("" if v is None else cell(v) if isinstance(v, str) else repr(v) for v in values)
    return ",".join(cells) + "\r\n"


def cell(text: str) -> str:
    """A text as one cell. One that a spreadsheet would take for a formula gets an apostrophe before it."""
    if text.startswith(_FORMULA):
        text = "'" + text
    if _QUOTED.isdisjoint(text):
        return text
    return '"' + text.replace('"', '""') + '"'
