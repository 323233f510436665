"""The table of the zoo, as text, JSON, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.numbers import abbreviated, axes_text, grouped
from cnndsl.report.as_csv import cell
from cnndsl.report.as_markdown import escaped
from cnndsl.report.grid import Column, draw, fit
from cnndsl.terminal import PLAIN, Look, wrap
from cnndsl.zoo import SUFFIX, Entry

SAID = (
    "Parameters are all that a network has, auxiliary heads included; MACs are multiply-accumulates of the main path "
    "for one example of this input; the receptive field is that of the last feature map."
)


MOST = 48
"""Characters that the table has for where a network comes from."""


def text(entries: Sequence[Entry], look: Look = PLAIN) -> str:
    """A line for each network, cut to the terminal's width, and how things were counted."""
    columns = [
        Column("name", [entry.name for entry in entries], right=False, elastic=True),
        Column("input", [entry.input for entry in entries], right=False, leaves=3),
        _counts("params", [entry.params for entry in entries]),
        _counts("MACs", [entry.macs for entry in entries]),
        Column("receptive field", [axes_text(entry.rf) for entry in entries], short="field", leaves=2),
        Column("paper", [brief(entry.paper) for entry in entries], right=False, leaves=1),
    ]
    lines = [*draw(fit(columns, look).columns, look), "", *wrap(SAID, look.width)]
    return "\n".join(lines) + "\n"


def _counts(title: str, counts: list[int]) -> Column:
    short = Column(title, list(map(abbreviated, counts)))
    return Column(title, list(map(grouped, counts)), brief=lambda: short)


def brief(paper: str) -> str:
    """A citation without its title, `He et al. 2015`; what has none is cut if it is long."""
    text = paper.partition(', "')[0]
    return text if len(text) <= MOST else text[: MOST - 3].rstrip() + "..."


def json(entries: Sequence[Entry]) -> str:
    """A list of objects, one for each network."""
    from json import dumps

    return dumps([entry._asdict() for entry in entries], indent=2, ensure_ascii=False) + "\n"


def csv(entries: Sequence[Entry]) -> Iterator[str]:
    """A header, then a row for each network; lines end with CR LF (RFC 4180)."""
    yield ",".join(Entry._fields) + "\r\n"
    for entry in entries:
        texts = (axes_text(value) if isinstance(value, tuple) else str(value) for value in entry)
        yield ",".join(map(cell, texts)) + "\r\n"


def markdown(entries: Sequence[Entry], folder: str | None = None) -> Iterator[str]:
    """A table. Where `folder` says how the specs are reached, names are links to them."""
    yield "| name | input | params | MACs | receptive field | where it comes from |\n"
    yield "| :--- | :--- | ---: | ---: | ---: | :--- |\n"
    for entry in entries:
        name = escaped(entry.name)
        linked = f"[{name}]({folder}/{entry.file}{SUFFIX})" if folder is not None else name
        numbers = f"{grouped(entry.params)} | {grouped(entry.macs)} | {axes_text(entry.rf)}"
        yield f"| {linked} | {escaped(entry.input)} | {numbers} | {escaped(entry.paper)} |\n"
