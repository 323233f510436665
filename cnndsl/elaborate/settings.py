"""What elaboration hands on besides the graph: lines of `train:` blocks, evaluated, and expectations."""

from __future__ import annotations

from typing import Any

from cnndsl.elaborate.evaluate import Scope
from cnndsl.layers.bind import Given
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.syntax.tree import Line


class Setting(Record):
    """One line of a `train:` block, evaluated: its first word, then what follows.

    spans: the place of each of `given`; span: the whole line; name_span: its first word. follows: whether it stands
    behind a comma; chain: those behind commas that go on with it (cnndsl.recipe.chains).
    """

    name: str
    given: tuple[Given, ...]
    span: Span
    spans: tuple[Span, ...]
    name_span: Span
    follows: bool = False
    chain: tuple[Setting, ...] = ()


class Expectation(Record):
    """An `expect` line: its condition, and the names it may use."""

    line: Line
    condition: Any
    scope: Scope
