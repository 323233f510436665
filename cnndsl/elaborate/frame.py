"""The state of an expansion within one scope: a network's lines, or one call of a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.elaborate.evaluate import Scope
from cnndsl.elaborate.file import Block, File
from cnndsl.graph import Choice, Edge
from cnndsl.layers.bind import Given
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.syntax.tree import Line


class Called(Record):
    """A call of a block, as `reuse` needs it: its arguments, what its nodes' names begin with, and their numbers.

    given: the names of the values that the call sets; the others are the block's own.
    """

    block: Block
    values: dict[str, Any]
    rest: tuple[list[Given], list[Span]] | None
    prefix: str
    nodes: range
    given: tuple[str, ...]


class Frame:
    """Where an expansion is.

    file: whose names hold here. here: the current tensor; None before the network's input. input: the tensor that
    the block got.
    tensors: names given with `as`, with the place of each; lost: names whose line was not carried out.
    called: the blocks called under a name. scope: names with values, a loop's in front; home: without a loop's.
    prefix: what the names of the nodes made here begin with; branch: the output, with a dot, whose side branch
    is run, which names that the spec does not give have besides. rest: what `...` stands for. calls: the items
    that called the blocks, outermost first. lines: what is run here. choices: what conditions came to so far.
    """

    __slots__ = (
        "branch",
        "called",
        "calls",
        "choices",
        "file",
        "here",
        "home",
        "input",
        "lines",
        "lost",
        "prefix",
        "rest",
        "scope",
        "tensors",
    )

    def __init__(
        self,
        file: File,
        scope: Scope,
        here: Edge | None = None,
        prefix: str = "",
        calls: tuple[Span, ...] = (),
        rest: tuple[list[Given], list[Span]] | None = None,
    ) -> None:
        self.file = file
        self.scope = scope
        self.home = scope
        self.here = here
        self.input = here
        self.prefix = prefix
        self.branch = ""
        self.calls = calls
        self.rest = rest
        self.tensors: dict[str, tuple[Edge, Span]] = {}
        self.lost: set[str] = set()
        self.lines: Sequence[Line] = ()
        self.choices: list[Choice] = []
        self.called: dict[str, Called] = {}

    @property
    def in_block(self) -> bool:
        return bool(self.calls)


class Names:
    """The names of a network's nodes: each once. Names from the spec win over derived ones."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.taken: dict[str, tuple[int, bool]] = {}
        """Each name, with its node's number and whether the spec gave it."""

    def derive(self, base: str, index: int) -> str:
        """A name that no node has, for node number `index`: the base, or the base with a number behind."""
        count = self.counts.get(base, 0)
        name = base
        while True:
            count += 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in self.taken:
                break
        self.counts[base] = count
        self.taken[name] = (index, False)
        return name

    def give(self, name: str, index: int) -> int | None:
        """Let node number `index` have a name from the spec; returns the node that has to be renamed, if any."""
        before = self.taken.get(name)
        self.taken[name] = (index, True)
        return before[0] if before is not None and not before[1] else None
