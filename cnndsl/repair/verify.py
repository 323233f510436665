"""Trying a candidate: the edits made, the whole pipeline run again, and what is said then compared with before."""

from __future__ import annotations

from typing import Any, TypeAlias

from cnndsl.diagnostics import Diagnostic, Edit
from cnndsl.elaborate import Options as ElaborateOptions
from cnndsl.elaborate import elaborate
from cnndsl.files import Library
from cnndsl.pipeline import Checked, Options, check
from cnndsl.repair.text import Moved, applied
from cnndsl.source import Source
from cnndsl.syntax import parse

Key: TypeAlias = tuple[str, str, int, int]
"""A problem's code and place, in the text before the edits."""


def key_of(diagnostic: Diagnostic, main: Source, moved: Moved | None = None) -> Key:
    """What makes a problem the same before and after an edit of `main`: its code and its place."""
    source, start, end = diagnostic.span
    if moved is not None and source is main:
        start, end = moved.back(start), moved.back(end, is_end=True)
    return diagnostic.code, source.name, start, end


Seen: TypeAlias = "dict[tuple[str, int, int], list[tuple[Any, ...]]]"
"""By the places of items: the layers that they made, with what those get and give."""


def seen(checked: Checked, moved: Moved | None = None) -> Seen:
    """What each item made, blocks that it calls included, by its place in the text before the edits; nothing of layers
    that failed."""
    found: Seen = {}
    main = checked.source
    for network in checked.networks:
        for node in network.graph.nodes:
            inputs = tuple(network.graph.shape_of(edge) for edge in node.inputs)
            for source, start, end in (node.span, *node.calls):
                if moved is not None and source is main:
                    start, end = moved.back(start), moved.back(end, is_end=True)
                place = (source.name, start, end)
                if node.shapes is not None:
                    found.setdefault(place, []).append((node.kind, inputs, node.shapes))
    return found


class Budget:
    """Layers that may still be elaborated. It counts work, not time, so that the output never depends on the clock."""

    def __init__(self, layers: int) -> None:
        self.left = layers

    def spend(self, layers: int) -> None:
        self.left -= layers


class Trial:
    """Runs candidates for one checked file. Lines that were parsed, and files that were read, are kept."""

    def __init__(self, checked: Checked, options: Options, memory: dict[str, Any]) -> None:
        self.checked = checked
        self.options = options
        self.memory = memory
        self.main = checked.source
        self.seen = seen(checked)
        self.before = {key_of(d, self.main) for d in checked.diagnostics}
        self.errors = {key_of(d, self.main) for d in checked.diagnostics if d.severity == "error"}

    def _edited(self, edits: tuple[Edit, ...]) -> tuple[Source, Library]:
        source = applied(self.main, edits)
        library = Library(source, self.checked.library.root)
        library.sources = self.checked.library.sources
        return source, library

    def errors_after(self, edits: tuple[Edit, ...], network: str | None, budget: Budget) -> set[Key]:
        """The errors of one network (None: of those asked for) as far as its graph goes."""
        source, library = self._edited(edits)
        document, found = parse(source, self.memory)
        wanted = ElaborateOptions(self.options.sets, self.options.input, network or self.options.network)
        networks, more = elaborate(document, wanted, library)
        budget.spend(sum(len(one.graph.nodes) for one in networks))
        moved = Moved(edits)
        return {key_of(d, source, moved) for d in found + more if d.severity == "error"}

    def unseen(self, new: set[Key], after: Checked, edits: tuple[Edit, ...]) -> set[Key]:
        """Those of new warnings that the edits did not bring about: they are about layers that are as they were, and
        were not given before because an error kept the network from being looked at."""
        if not new:
            return set()
        now = seen(after, Moved(edits))
        # In a loop that runs less often, fewer of the same.
        same = {place for place, layers in now.items() if all(one in self.seen.get(place, ()) for one in layers)}
        return {key for key in new if any(n == key[1] and s <= key[2] and key[3] <= e for n, s, e in same)}

    def check(self, edits: tuple[Edit, ...], budget: Budget, network: str | None = None) -> tuple[Checked, set[Key]]:
        """Everything about the edited file, or one network of it, and its problems."""
        source, library = self._edited(edits)
        options = self.options if network is None else self.options._replace(network=network)
        checked = check(source, options, self.memory, library)
        budget.spend(2 * sum(len(one.graph.nodes) for one in checked.networks))
        moved = Moved(edits)
        keys = {key_of(d, source, moved) for d in checked.diagnostics}
        return checked, keys
