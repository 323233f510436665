"""Diagnostics as data: what went wrong, where, and what would mend it.

Each problem is one class, declared in the `problems` module beside the pass that finds it; this
module holds what they share. A class's strings are templates over the values it is made with:

    class UnknownKind(Diagnostic):
        \"\"\"A layer is named that does not exist. …\"\"\"     # printed by the reference
        code = "E201"
        title = "unknown layer kind"
        message = "there is no layer kind or block named `{name}`"
        label = "not a layer kind"

Nothing is generated when a class body runs, so that start-up stays fast; and `problem("UnknownKind",
span, name="cnov")` imports a class only when the problem first occurs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cnndsl.record import Record
from cnndsl.source import Span


class Label(Record):
    """A secondary place and what is to be seen there."""

    span: Span
    text: str


class Edit(Record):
    """Replace the text of `span` by `text`; an empty span inserts."""

    span: Span
    text: str


class Fix(Record):
    """Edits that together mend the problem.

    `applicability` is `safe` (keeps or restores what the author plainly meant), `likely` (a good
    guess, such as a corrected spelling) or `possible` (one way among several).
    """

    title: str
    edits: tuple[Edit, ...]
    applicability: str = "likely"


class Diagnostic:
    """One problem at one place. Subclasses are the kinds of problem.

    `values` fill the templates `message`, `label` and `help`; a `None` value makes the `help` that
    needs it disappear. Instances are immutable by convention and compare by content.
    """

    code = "E000"
    severity = "error"
    title = ""
    message = ""
    label = ""
    help = ""
    cause = ""
    """What of its input a shape problem blames, if it does: see elaborate/causes.py."""

    __slots__ = ("fixes", "labels", "notes", "span", "values")

    def __init__(
        self,
        span: Span,
        *,
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        fixes: tuple[Fix, ...] = (),
        **values: Any,
    ) -> None:
        self.span = span
        self.labels = labels
        self.notes = notes
        self.fixes = fixes
        self.values = values

    def message_text(self) -> str:
        """What went wrong, in one sentence of the user's words."""
        return self.message.format(**self.values)

    def label_text(self) -> str:
        """What stands at the marked place, in a few words."""
        return self.label.format(**self.values)

    def guess(self) -> str | None:
        """What was meant by a misspelt `name` or `word`, if that can be guessed."""
        found: str | None = self.values.get("guess")
        return found

    def guess_fixes(self) -> tuple[Fix, ...]:
        """The fix that writes what was meant, where the misspelt word stands at the marked place."""
        guess, word = self.guess(), self.values.get("word", self.values.get("name"))
        if not guess or not isinstance(word, str) or guess == word or not self.span.text.startswith(word):
            return ()
        if self.span.text[len(word) : len(word) + 1].isalnum():
            return ()
        place = Span(self.span.source, self.span.start, self.span.start + len(word))
        return (Fix(f"did you mean `{guess}`?", (Edit(place, guess),), "likely"),)

    def help_text(self) -> str | None:
        """What to do about it, or None where nothing sensible can be said."""
        if not self.help:
            return None
        if any(value is None and "{" + name + "}" in self.help for name, value in self.values.items()):
            return None
        return self.help.format(**self.values)

    def note_texts(self) -> tuple[str, ...]:
        """The notes, then the help, each with its prefix, as they are printed and put into JSON."""
        help_text = self.help_text()
        notes = tuple("note: " + note for note in self.notes)
        return (*notes, "help: " + help_text) if help_text else notes

    def to_json(self) -> dict[str, object]:
        """The documented, versioned JSON form."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "message": self.message_text(),
            "span": self.span.to_json(),
            "labels": [
                *(
                    [{"span": self.span.to_json(), "text": self.label_text(), "primary": True}]
                    if self.label_text()
                    else []
                ),
                *({"span": s.to_json(), "text": t, "primary": False} for s, t in self.labels),
            ],
            "notes": list(self.note_texts()),
            "fixes": [
                {
                    "title": fix.title,
                    "applicability": fix.applicability,
                    "edits": [{"span": e.span.to_json(), "text": e.text} for e in fix.edits],
                }
                for fix in self.fixes
            ],
        }

    def __repr__(self) -> str:
        line, column = self.span.source.position(self.span.start)
        return f"{self.code} {self.span.source.name}:{line}:{column} {self.message_text()}"

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other)
            and isinstance(other, Diagnostic)
            and (self.span, self.values, self.labels, self.notes, self.fixes)
            == (other.span, other.values, other.labels, other.notes, other.fixes)
        )

    __hash__ = None  # type: ignore[assignment]


def problem_class(name: str) -> type[Diagnostic]:
    """The class of a problem, imported through the index made at build time."""
    from cnndsl.diagnostics.index import PROBLEMS

    result: type[Diagnostic] = getattr(import_module(PROBLEMS[name]), name)
    return result


def problem(name: str, span: Span, /, **values: Any) -> Diagnostic:
    """A diagnostic of the named class at `span`; `values` as its templates and constructor want."""
    made = problem_class(name)(span, **values)
    if not made.fixes:
        made.fixes = made.guess_fixes()
    return made


_LONGEST_WORD = 80
_MOST_CANDIDATES = 300


def closest(word: str, candidates: Any, *, cutoff: float = 0.62) -> str | None:
    """The candidate spelled most like `word`, for "did you mean"; None if none is near, which three letters of five in
    common are not, nor is a word half as long again, unless one begins with the other. One letter of two may differ.

    Of many candidates only the last ones are compared: those that were named most recently.
    """
    if len(word) > _LONGEST_WORD:
        return None
    from difflib import get_close_matches

    lowered = {str(c).lower(): str(c) for c in [*candidates][-_MOST_CANDIDATES:]}
    word = word.lower()
    near = [one for one in lowered if _as_long(word, one) or one.startswith(word) or word.startswith(one)]
    found = get_close_matches(word, near, n=1, cutoff=0.5 if len(word) == 2 else cutoff)
    return lowered[found[0]] if found else None


def _as_long(word: str, other: str) -> bool:
    """Whether of two words none is more than half as long again."""
    short, long = sorted((len(word), len(other)))
    return long <= short + max(2, short // 2)
