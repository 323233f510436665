"""Parsing: lines a second of three items each, with the place of everything; and Lark on the same lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lark import Lark

from benchmarks.installed import ROOT
from benchmarks.measure import Row, in_turns, median
from cnndsl.source import Source
from cnndsl.syntax import parse

LINES = 4_000


def rows() -> Iterator[Row]:
    distinct = [f"conv 3x3x{n + 1} same, bn momentum=0.{n + 1}, leaky 0.2" for n in range(LINES)]
    equal = distinct[:1] * LINES
    lark = Lark((ROOT / "grammars" / "cnn.lark").read_text(encoding="utf-8"), parser="lalr", propagate_positions=True)
    ours, again, theirs = in_turns(
        (_parse(distinct), _parse(equal), lambda: [lark.parse(line) for line in distinct]), 7
    )
    rate = LINES / median(ours)
    yield Row("distinct lines of three items, with places", f"{rate:,.0f} a second", "at least 4,000", rate >= 4_000)
    yield Row("equal lines", f"{LINES / median(again):,.0f} a second")
    yield Row("Lark with propagate_positions / this, distinct lines", f"{median(theirs) / median(ours):.1f} x")


def _parse(lines: list[str]) -> Callable[[], object]:
    source = "\n".join(lines) + "\n"

    def action() -> None:
        document, diagnostics = parse(Source("lines", source))
        assert len(document.lines) == len(lines)
        assert not diagnostics

    return action
