"""Making fixes: one after the other, each checked before it is kept, until there is none left to make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Diagnostic, Fix
from cnndsl.pipeline import Checked, Options, check
from cnndsl.record import Record
from cnndsl.repair import repair
from cnndsl.repair.text import overlap
from cnndsl.repair.verify import Budget, Trial, key_of
from cnndsl.source import Source

MOST_FIXED = 200
"""Fixes that are made in one run."""


class Made(Record):
    """A fix that was made: what it mends, and the text that it was made in."""

    diagnostic: Diagnostic
    fix: Fix


class Fixer:
    """A spec's text under repair. `checked` is what is known of it as it is now, `made` the fixes so far."""

    def __init__(self, source: Source, options: Options) -> None:
        self.options = options
        self.memory: dict[str, Any] = {}
        self.checked = self._checked(check(source, options, self.memory))
        self.made: list[Made] = []

    def _checked(self, checked: Checked) -> Checked:
        return repair(checked, self.options, self.memory)

    def offers(self) -> Iterator[tuple[Diagnostic, Fix]]:
        """The fixes that could be made now, in the order of the text: those that edit the spec itself."""
        source = self.checked.source
        for diagnostic in self.checked.diagnostics:
            for fix in diagnostic.fixes:
                if all(edit.span.source is source for edit in fix.edits) and not overlap(fix.edits):
                    yield diagnostic, fix

    def make(self, diagnostic: Diagnostic, fix: Fix) -> bool:
        """Make a fix, if the problem is gone with it and is not there in another form; whether it was made."""
        trial = Trial(self.checked, self.options, self.memory)
        after, keys = trial.check(fix.edits, Budget(0))
        key = key_of(diagnostic, self.checked.source)
        if key in keys or any(new[0] == key[0] for new in keys - trial.before):
            return False
        self.made.append(Made(diagnostic, fix))
        self.checked = self._checked(after)
        return True

    def make_safe(self) -> None:
        """Make every safe fix, as long as there is one."""
        refused: set[tuple[str, int, str]] = set()
        while len(self.made) < MOST_FIXED:
            for diagnostic, fix in self.offers():
                name = (diagnostic.code, diagnostic.span.start, fix.title)
                if fix.applicability == "safe" and name not in refused:
                    if self.make(diagnostic, fix):
                        refused.clear()
                        break
                    refused.add(name)
            else:
                return
