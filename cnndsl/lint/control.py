"""Control over warnings: `# allow W812: a reason` in a spec, `--allow` and `--deny` on the command line.

A comment behind a line holds for that line, one on a line of its own for the next line, and one above everything else
for the file (the main file's for all that it uses, too). What a spec allows is silent whatever the command line says;
of what the command line says the selector that says most counts. Errors can't be silenced.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from cnndsl.diagnostics import Diagnostic, Edit, Fix, closest, problem
from cnndsl.diagnostics.index import CODES
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.syntax.tree import Document
from cnndsl.terminal import visible

WORDS = {"warnings": "warning", "notes": "note"}
"""Selectors of a whole severity, for options."""

_selector = re.compile(r"[EWN][0-9]{1,3}")
_comment = re.compile(r'"[^"\n]*"?|#[^\n]*')
_allow = re.compile(r"#[ \t]*allow[ \t]+(?=[A-Za-z][0-9])([^\n:#]*)")
_word = re.compile(r"[^\s,]+")


class UnknownAllowed(Diagnostic):
    """A comment allows a code that does not exist, or its reason is not behind a colon.

    Wrong: `conv 3x3x8 /2  # allow W8121`. Right: `conv 3x3x8 /2  # allow W812: the last row is black`.

    A code's beginning stands for all that begin so: `# allow W81`.
    """

    code = "W801"
    severity = "warning"
    title = "no such code to allow"
    message = "there is no code `{word}` to allow"
    label = "not a code"

    def help_text(self) -> str:
        if self.values["guess"]:
            return f"did you mean `{self.values['guess']}`?"
        return "a reason stands behind a colon: `# allow W812: as published`"


class AllowsNothing(Diagnostic):
    """A comment allows what is not warned of: the warning was mended, or the comment stands in the wrong place.

    It holds for the line that it stands behind; on a line of its own, for the next line; above everything else, for
    the file. Nothing is said under `--set` and `--input`, or where there are errors or only one network is checked.
    """

    code = "W802"
    severity = "warning"
    title = "an allow without effect"
    message = "`allow {word}` silences nothing"
    label = "nothing of the kind {where}"
    help = "remove it; an allow holds for its own line, or above everything else for the file"


class ErrorAllowed(Diagnostic):
    """Only warnings and notes can be allowed. A spec with an error has no meaning that could be used.

    Wrong: `conv 9x9x8  # allow E306`. Right: a kernel that fits.
    """

    code = "W803"
    severity = "warning"
    title = "errors can't be allowed"
    message = "`{word}` is an error: only warnings and notes can be allowed"
    label = "stays an error"


class Allow(Record):
    """One code, or beginning of codes, that a comment allows, and where.

    span: its place in the comment. remove: the edit that takes it out. first, last: what it holds for in its source,
    `last` excluded. whole: whether that is the file.
    """

    selector: str
    span: Span
    remove: Edit
    first: int
    last: int
    whole: bool


def has_comments(text: str) -> bool:
    """Whether a text may hold a comment that allows something: a quick look."""
    return _allow.search(text) is not None


def matches(selector: str, code: str, severity: str) -> bool:
    """Whether a code is the selector's, or one of those that it stands for."""
    return WORDS[selector] == severity if selector in WORDS else code.startswith(selector)


class Control:
    """What the comments of the files of one check allow, and what was made of it.

    documents: the main file's, then those of the files that it uses.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.allows: list[Allow] = []
        self.problems: list[Diagnostic] = []
        self.used: set[Span] = set()
        self.main = documents[0].source if documents else None
        for document in documents:
            if has_comments(document.source.text):
                self._read(document)
        self.whole: dict[Source | None, list[Allow]] = {}
        self.lines: dict[tuple[Source, int], list[Allow]] = {}
        self.firsts: dict[Source, list[int]] = {}
        self._index()

    def _read(self, document: Document) -> None:
        text = document.source.text
        lines = [(line.start, line.end) for line in document.walk()]
        for comment in _comment.finditer(text):
            if comment.group()[0] != "#":
                continue
            for found in _allow.finditer(text, comment.start(), comment.end()):
                reach = _reach(text, lines, found.start())
                self._take(document.source, found.start(), found.span(1), reach)

    def _take(self, source: Source, start: int, words_at: tuple[int, int], reach: tuple[int, int, bool]) -> None:
        """The selectors of the comment that begins at `start`."""
        words = list(_word.finditer(source.text, *words_at))
        for word in words:
            span = Span(source, word.start(), word.end())
            said = word.group()
            if said[0] == "E" and _known(said):
                self.problems.append(problem("ErrorAllowed", span, word=said))
            elif not _known(said):
                guess = closest(said.upper(), [c for c in CODES if c[0] != "E"])
                fixes = (Fix(f"write `{guess}`", (Edit(span, guess),)),) if guess else ()
                self.problems.append(problem("UnknownAllowed", span, word=visible(said), guess=guess, fixes=fixes))
                if guess is None:
                    return  # what follows is a sentence
            else:
                remove = _removal(source, start, span, alone=len(words) == 1)
                self.allows.append(Allow(said, span, remove, *reach))

    def covers(self, code: str, severity: str, span: Span) -> bool:
        """Whether a comment allows this code at this place; then the comment counts as used."""
        if severity == "error":
            return False
        found = [allow for allow in self._near(span) if matches(allow.selector, code, severity)]
        self.used.update(allow.span for allow in found)
        return bool(found)

    def _near(self, span: Span) -> list[Allow]:
        """The comments that hold at a place. What they hold for are lines, which don't overlap, and files."""
        source = span.source
        near = [*self.whole.get(source, ()), *(self.whole.get(self.main, ()) if source is not self.main else ())]
        firsts = self.firsts.get(source, [])
        number = bisect_right(firsts, span.start)
        if number:
            near += [allow for allow in self.lines[source, firsts[number - 1]] if span.start < allow.last]
        return near

    def _index(self) -> None:
        """Sort the comments by what they hold for."""
        for allow in self.allows:
            source = allow.span.source
            if allow.whole:
                self.whole.setdefault(source, []).append(allow)
            else:
                self.lines.setdefault((source, allow.first), []).append(allow)
        for source, first in self.lines:
            self.firsts.setdefault(source, []).append(first)
        for firsts in self.firsts.values():
            firsts.sort()

    def apply(self, diagnostics: list[Diagnostic], *, complete: bool) -> list[Diagnostic]:
        """The diagnostics that no comment allows, and what is wrong with the comments themselves.

        complete: whether everything in the main file was looked at, so that an unused comment is a mistake.
        """
        kept = [d for d in diagnostics if not self.covers(d.code, d.severity, d.span)]
        about = list(self.problems)
        if complete and all(d.severity != "error" for d in diagnostics):
            unused = [a for a in self.allows if a.span.source is self.main and a.span not in self.used]
            about += [_unused(allow) for allow in unused]
        about = [d for d in about if not self.covers(d.code, d.severity, d.span)]
        return kept + [d for d in about if d.code != AllowsNothing.code or d.span not in self.used]


def _known(selector: str) -> bool:
    return _selector.fullmatch(selector) is not None and any(code.startswith(selector) for code in CODES)


def _reach(text: str, lines: list[tuple[int, int]], start: int) -> tuple[int, int, bool]:
    """What a comment that begins at `start` holds for: from, up to, and whether that is the whole file.

    lines: where the file's logical lines begin and end, in order.
    """
    number = bisect_right(lines, (start, len(text)))
    at = start
    if not text[text.rfind("\n", 0, start) + 1 : start].strip():
        if number == 0:
            return 0, len(text) + 1, True
        if lines[number - 1][1] <= start:  # else it stands within a line that goes on
            if number == len(lines):
                return start, start, False
            at = lines[number][0]
    line_start, line_end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    first = bisect_right(lines, (line_start, -1))
    if first and lines[first - 1][1] > line_start:
        first -= 1
    last = bisect_right(lines, (line_end, -1))
    return (lines[first][0], lines[last - 1][1], False) if first < last else (start, start, False)


def _removal(source: Source, start: int, span: Span, *, alone: bool) -> Edit:
    """What takes an allowed code out of its comment: the comment with it, where it is the only one."""
    text = source.text
    if not alone:
        first, end = span.start, span.end
        while end < len(text) and text[end] in ", \t":
            end += 1
        if text[end : end + 1] in ("", ":", "\n"):  # the last: the comma before it goes
            first, end = len(text[:first].rstrip(", \t")), span.end
        return Edit(Span(source, first, end), "")
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    line_start = text.rfind("\n", 0, start) + 1
    if not text[line_start:start].strip():
        return Edit(Span(source, line_start, min(end + 1, len(text))), "")
    return Edit(Span(source, len(text[:start].rstrip(" \t")), end), "")


def _unused(allow: Allow) -> Diagnostic:
    where = "in this file" if allow.whole else "on its line"
    fix = Fix("remove it", (allow.remove,), "safe")
    return problem("AllowsNothing", allow.span, word=allow.selector, where=where, fixes=(fix,))


def refusal(selectors: Sequence[str], option: str) -> str | None:
    """What is wrong with the selectors of an option, as a sentence; None if nothing is."""
    for selector in selectors:
        if selector in WORDS:
            continue
        if not _known(selector):
            known = [*(c for c in CODES if c[0] != "E"), *WORDS]
            guess = closest(selector, known)
            advice = f"Did you mean '{guess}'?" if guess else "A code is wanted, as W812, its beginning, or 'warnings'."
            return f"There is no code '{visible(selector)}'. {advice}"
        if selector[0] == "E":
            can = "denied: it is an error already" if option == "--deny" else "allowed: only warnings and notes can"
            return f"{selector} can't be {can}."
    return None


def decide(diagnostics: list[Diagnostic], allow: Sequence[str], deny: Sequence[str]) -> list[Diagnostic]:
    """The diagnostics as options ask: without those allowed, those denied as errors."""
    kept = []
    for one in diagnostics:
        chosen = _chosen(one, allow, deny) if one.severity != "error" else None
        if chosen is None:
            kept.append(one)
        elif chosen[1] == "deny":
            kept.append(_denied(one, chosen[0]))
    return kept


def _chosen(one: Diagnostic, allow: Sequence[str], deny: Sequence[str]) -> tuple[str, str] | None:
    """The selector that says most about a diagnostic, and what it says; of two that say as much, allow."""
    found = [(s, "deny") for s in deny if matches(s, one.code, one.severity)]
    found += [(s, "allow") for s in allow if matches(s, one.code, one.severity)]
    return max(found, key=lambda pair: (0 if pair[0] in WORDS else len(pair[0]), pair[1] == "allow"), default=None)


def _denied(one: Diagnostic, selector: str) -> Diagnostic:
    """The same as an error."""
    note = f"`--deny {selector}` makes this {one.severity} an error"
    made = type(one)(one.span, labels=one.labels, notes=(*one.notes, note), fixes=one.fixes, **one.values)
    vars(made)["severity"] = "error"  # of this one, not of the class
    return made
