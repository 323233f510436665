"""From text to logical lines: indentation, continued lines, comments, arms.

A line goes on over newlines while a bracket is open. Lines nest as they are indented; a body follows a line
that opens one. `|` opens an arm, whose body stands at the column of the text behind it. Whatever is wrong
is reported once, and the layout goes on with the next line.
"""

from __future__ import annotations

import re
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.syntax.fault import SyntaxFault
from cnndsl.syntax.nesting import INDENTATION, MOST_EDITS, MOST_NESTING, Nesting, width_of_indentation
from cnndsl.syntax.parser import MOST_OPEN, parse_line
from cnndsl.syntax.tree import Arm, Document, Line, Trivia

MOST_RESCANNED = 4_000_000
"""Characters that are looked at twice in search of closing brackets, before each line ends where it ends."""

HABITS = ("Semicolon", "ForeignComment", "ColonBehindName")
"""Problems that a file mostly has many times, out of one habit."""

MOST_FAULTS = 8
"""Faults of one line that are mended and reported, before it counts as unreadable."""

_structure = re.compile(r'#[^\n]*|"[^"\n]*"?|[()\[\]{}\n]')
_plain_line = re.compile(r'[^\n#"()\[\]{}]*')
_new_statement = re.compile(r"(?:network|block|train|let|expect|use|output)\b|input\s|\||[a-z][a-z0-9_]*\s+[0-9{]")
# What other languages end a body with.
_end_word = re.compile(r"end(?:[ _]?(?:if|for|while|repeat|block|network|train|add|concat))?[;.]?")
_curly_body = re.compile(
    r"(?:(?:network|block|train|repeat|for|if|elif|else|output)\b[^\n{}#\"]*?|[a-z][a-z_]*(?=[ \t]*\{[ \t]*\n[ \t]+\|))"
    r"(?P<space>[ \t]*)(?P<brace>\{)(?=[ \t]*(?:#[^\n]*)?(?:\r?\n|$))"
)
# A list written as in YAML. `->` begins a claim.
_dash = re.compile(r"-[ \t]+(?=[A-Za-z])")
# Lines that only Python has; what makes layers there is looked at where a line can't be read.
_python = re.compile(
    r"import[ \t]+[A-Za-z_][\w.]*[ \t]*(?:as\b|,|#|\r?\n|$)|from[ \t]+[\w.]+[ \t]+import\b|class[ \t]+\w+[ \t]*[(:]"
    r"|def[ \t]+\w+[ \t]*\(|[A-Za-z_]\w*[ \t]*=[ \t]*(?:\w+\.)*(?:Sequential|Model)\(|super\(|@\w|print\("
    r"|(?:\w+\.)(?:compile|fit|summary|build|evaluate|to|cuda)\("
)
_begins = re.compile(r"(?m)^[ \t]*(?P<line>[^\s#][^\n]*)")
_PYTHON_BEGINS = frozenset("@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_short_expression = re.compile(r"\s*[\w.]+(?:\s*(?:\*\*|//|[-+*/%])\s*[\w.]+)*")
_named_end = re.compile(r"(?m)^[ \t]*(?:block[ \t]+end\b|use\b[^\n]*\bend\b)")
_OPENERS = {")": "(", "]": "[", "}": "{"}

_ARM = Arm()


class _Faulty(Record):
    """A line with faults; `statement` is what it says once they are mended, None if that isn't known."""

    faults: tuple[SyntaxFault, ...]
    statement: Any


def _read(text: str) -> Any:
    """The statement of a line, or what is wrong with it.

    Faults that have a plain fix are mended and the line is read on, so that its body and the names it
    defines count, and its other faults are found.
    """
    faults: list[SyntaxFault] = []
    line: str | None = text
    keyword = None
    while line is not None and len(faults) < MOST_FAULTS:
        try:
            statement = parse_line(line, keyword)
        except SyntaxFault as fault:
            from cnndsl.syntax.faults import mended  # Only where something is wrong, as what follows.

            if not faults and "(" in text:
                from cnndsl.syntax.foreign import foreign_call

                call = foreign_call(text)
                if call is not None:
                    return _Faulty((call,), None)
            faults.append(fault)
            keyword = fault.values.get("keyword", keyword)
            line = mended(line, fault)
        else:
            return _Faulty(tuple(faults), statement) if faults else statement
    # What is wrong after a mending that did not help may come from the mending.
    return _Faulty(tuple(faults[:1]), None)


def parse(source: Source, memory: dict[str, Any] | None = None) -> tuple[Document, list[Diagnostic]]:
    """The document of a text, and what is wrong with it. Never raises for what the text holds.

    `memory` remembers parsed lines by their text; pass the same one again when a file changes.
    """
    return _Layout(source, {} if memory is None else memory).run()


class _Layout(Nesting):
    """One pass over a text."""

    def __init__(self, source: Source, memory: dict[str, Any]) -> None:
        super().__init__(source)
        self.memory = memory
        self.trivia: list[Trivia] = []
        self.mended = False
        self.ends: list[Span] = []
        self.dashes: list[Span] = []
        self.habits: dict[str, list[tuple[Span, Edit]]] = {}
        """What is written as in another language throughout a file, by the name of its problem."""
        self.python: list[Span] = []
        self.curly: list[Span] = []
        self.curly_ends: list[Span] = []
        self.end_is_name: bool | None = None
        # Characters that were looked at in vain for the end of a bracket.
        self.rescanned = 0

    def run(self) -> tuple[Document, list[Diagnostic]]:
        position = 0
        length = len(self.text)
        while position < length:
            position = self._physical(position)
        self.check_bodies()
        self._report_ends()
        self._report_curly()
        self._report_dashes()
        self._report_habits()
        if self.diagnostics and self._report_configuration():
            self.python.clear()
        if self.python:
            self._report_python()
        self.diagnostics.sort(key=lambda d: d.span.start)
        return Document(self.source, self.lines, tuple(self.trivia)), self.diagnostics

    # --- lines --------------------------------------------------------------------------------------------------

    def _physical(self, position: int) -> int:
        """Take what begins on the line at `position`; returns where the next line begins."""
        match = INDENTATION.match(self.text, position)
        assert match is not None
        start = match.end()
        indent = match.group()
        if not indent.strip(" "):
            return self._content(start, start - position)
        if self.text[start : start + 1] not in ("", "\n", "#"):
            self.odd_indentation(position, start)
        return self._content(start, width_of_indentation(indent))

    def _content(self, start: int, column: int) -> int:
        """The line whose text begins at `start`, at a column; returns where the next line begins."""
        text = self.text
        first = text[start : start + 1]
        if first in ("", "\n"):
            self.trivia.append(Trivia("blank", start, start))
            return start + 1
        if first == "#":
            newline = text.find("\n", start)
            return self._comment(start, len(text) if newline < 0 else newline)
        if first == "|":
            return self._arm(start, column)
        if first == "/" and text.startswith("//", start):
            span = Span(self.source, start, start + 2)
            self.habits.setdefault("ForeignComment", []).append((span, Edit(span, "#")))
            return self._comment(start, self.line_end(start)[0])
        if first == "-" and (dash := _dash.match(text, start)) is not None:
            self.dashes.append(Span(self.source, start, dash.end()))
            start = dash.end()
        if first in _PYTHON_BEGINS and _python.match(text, start) is not None:
            end, after = self._logical_end(start)
            self.python.append(Span(self.source, start, start + len(text[start:end].rstrip())))
            return after
        curly = _curly_body.match(text, start)
        if curly is not None:
            return self._curly(curly, column)
        if self.curly and text[start : self.line_end(start)[0]].split("#")[0].rstrip() == "}":
            self.curly_ends.append(Span(self.source, start, start + 1))
            return self.line_end(start)[1]
        end, after = self._logical_end(start)
        stripped = text[start:end].rstrip()
        if _end_word.fullmatch(stripped) and not self._names_end():
            self.ends.append(Span(self.source, start, start + len(stripped)))
            return after
        if start <= self.unclosed_at < end:
            self.unclosed_column = column
        elif self._goes_on(start, column):
            # It was meant to stand in the bracket above, which is said.
            self.place(Line(self.source, start, start + len(stripped), column, None))
            return after
        line = Line(self.source, start, start + len(stripped), column, self._parse(start, stripped))
        line.mended = self.mended
        self.place(line)
        return after

    def _goes_on(self, start: int, column: int) -> bool:
        """Whether a line below one with an unclosed bracket belongs to it: it stands deeper, or begins with no word,
        and does not look like a statement."""
        if self.unclosed_column is None:
            return False
        deeper = column > self.unclosed_column or not (self.text[start].isalpha() or self.text[start] == "_")
        if deeper and not _new_statement.match(self.text, start):
            return True
        self.unclosed_column = None
        return False

    def _curly(self, found: re.Match[str], column: int) -> int:
        """A line that opens its body with a brace, read as if it were a colon."""
        start, brace = found.start(), found.start("brace")
        self.curly.append(Span(self.source, found.start("space"), brace + 1))
        line = Line(self.source, start, brace + 1, column, self._parse(start, self.text[start:brace] + ":"))
        line.mended = True
        self.place(line)
        end, after = self.line_end(brace)
        comment = self.text.find("#", brace, end)
        return after if comment < 0 else self._comment(comment, end)

    def _report_curly(self) -> None:
        """Bodies in braces: once, with the edit that mends them all."""
        if not self.curly:
            return
        edits = [Edit(span, ":") for span in self.curly]
        edits += [Edit(self._whole_line(span), "") for span in self.curly_ends]
        fixes = (Fix("write `:`, and nothing at the end", tuple(edits), "likely"),) if len(edits) <= MOST_EDITS else ()
        brace = self.curly[0]
        span = Span(self.source, brace.end - 1, brace.end)
        labels = tuple(Label(span, "nothing ends a body but indentation") for span in self.curly_ends[:1])
        self.report("CurlyBody", span, labels=labels, fixes=fixes)

    def _report_dashes(self) -> None:
        """Layers listed with dashes: once, with the edit that removes them all."""
        if self.dashes:
            fix = Fix("leave the dashes out", tuple(Edit(span, "") for span in self.dashes), "likely")
            fixes = (fix,) if len(self.dashes) <= MOST_EDITS else ()
            first = self.dashes[0]
            self.report("ListDash", Span(self.source, first.start, first.start + 1), fixes=fixes)

    def _report_habits(self) -> None:
        """What one habit has brought about everywhere: once, with the edits that mend it."""
        for name, found in self.habits.items():
            span, edit = found[0]
            edits = tuple(edit for _, edit in found)
            them = "it" if len(edits) == 1 else "them"
            title = {"": f"leave {them} out", "#": "write `#`"}.get(edit.text, "write a comma")
            fixes = (Fix(title, edits, "likely"),) if len(edits) <= MOST_EDITS else ()
            self.report(name, span, fixes=fixes, count=len(found))

    def _report_python(self) -> None:
        """Lines of Python: once. Of a file that is nothing but a Python program nothing else is said."""
        from cnndsl.syntax.program import is_program, translated  # Only for what is no spec.

        first, count = self.python[0], len(self.python)
        if is_program(self.text):
            spec = translated(self.text)
            first = Span(self.source, *_begins.search(self.text).span("line"))  # type: ignore[union-attr]
            self.lines[:] = [Line(self.source, first.start, first.end, 0, None)]
            self.diagnostics.clear()
            whole = (Edit(Span(self.source, 0, len(self.text)), spec.text),) if spec is not None else ()
            title = f"write it as a spec{spec.guess}" if spec is not None else ""
            fixes = (Fix(title, whole, "possible"),) if spec is not None else ()
            self.report("PythonProgram", first, fixes=fixes)
            return
        edits = tuple(Edit(self._whole_line(span), "") for span in self.python)
        what = "this line" if count == 1 else f"these {count} lines"
        self.report("PythonLine", first, fixes=(Fix(f"remove {what}", edits, "likely"),), count=count)

    def _report_configuration(self) -> bool:
        """Of a file that is another tool's configuration that alone is said; returns whether it is."""
        from cnndsl.syntax.configuration import configuration  # Only for what is no spec.

        found = configuration(self.text)
        if found is None:
            return False
        first = Span(self.source, found.start, found.end)
        self.lines[:] = [Line(self.source, first.start, first.end, 0, None)]
        self.diagnostics.clear()
        whole = (Edit(Span(self.source, 0, len(self.text)), found.text),)
        fixes = (Fix("write it as a spec", whole, "possible"),) if found.text else ()
        self.report("ForeignConfiguration", first, fixes=fixes, tool=found.tool)
        return True

    def _names_end(self) -> bool:
        """Whether the file has a block named `end`."""
        if self.end_is_name is None:
            self.end_is_name = _named_end.search(self.text) is not None
        return self.end_is_name

    def _comment(self, start: int, end: int) -> int:
        """Keep a comment that goes to `end`, where its line ends; returns where the next line begins."""
        self.trivia.append(Trivia("comment", start, start + len(self.text[start:end].rstrip("\r"))))
        return end + 1

    def _arm(self, start: int, column: int) -> int:
        """`|`, and the line behind it, which stands in the arm's body at its own column."""
        arm = Line(self.source, start, start + 1, column, _ARM)
        self.place(arm)
        match = INDENTATION.match(self.text, start + 1)
        assert match is not None
        inner = match.end()
        if self.text[inner : inner + 1] in ("", "\n", "#"):
            return self._content(inner, column + 1)
        if len(self.bodies) >= MOST_NESTING:
            self.too_deep(arm)
            return self._logical_end(inner)[1]
        if match.group().strip(" "):
            self.odd_indentation(start + 1, inner)
        column = width_of_indentation(" " * (column + 1) + match.group())
        self.push(column, arm.body)
        return self._content(inner, column)

    def _logical_end(self, start: int) -> tuple[int, int]:
        """Where the logical line's text ends, and where the next line begins."""
        text = self.text
        match = _plain_line.match(text, start)
        assert match is not None
        end = match.end()
        if end >= len(text) or text[end] == "\n":
            return end, end + 1
        return self._structured_end(start)

    def _structured_end(self, start: int) -> tuple[int, int]:
        """The same for a line with brackets, strings or a comment."""
        text = self.text
        open_brackets: list[int] = []
        position = start
        first_end: tuple[int, int] | None = None
        while True:
            match = _structure.search(text, position)
            if match is None:
                end = (len(text), len(text))
                break
            position = match.end()
            mark = match.group()
            if mark == "\n":
                end = (match.start(), position)
                if not open_brackets:
                    return end
                first_end = first_end or end
                if self._begins_statement(position) or self.rescanned > MOST_RESCANNED:
                    break
            elif mark[0] == "#":
                if not open_brackets:
                    return match.start(), self._comment(match.start(), position)
            elif mark in "([{":
                open_brackets.append(match.start())
                if len(open_brackets) > MOST_OPEN and first_end is None:
                    # The parser says that they are too many.
                    return self.line_end(position)
                if len(open_brackets) > MOST_OPEN:
                    break
            elif mark in ")]}" and open_brackets and text[open_brackets[-1]] == _OPENERS[mark]:
                open_brackets.pop()
            elif mark in ")]}" and open_brackets:
                break
        if not open_brackets:
            return end
        # A bracket is open where the line can't go on: only the first line of the text belongs to it, and the
        # others are looked at again.
        first_end = first_end or self.line_end(position)
        self.rescanned += position - first_end[0]
        on_first = [at for at in open_brackets if at < first_end[1]]
        if not on_first:  # All of that line's brackets are closed, on a line that opens another.
            return self._unclosed(open_brackets[0], self.line_end(open_brackets[0]))
        return self._unclosed(on_first[-1], first_end)

    def _begins_statement(self, position: int) -> bool:
        """Whether the text of a line looks like a new statement, so that no bracket before it goes on."""
        following = INDENTATION.match(self.text, position)
        return following is not None and _new_statement.match(self.text, following.end()) is not None

    def _unclosed(self, bracket: int, end: tuple[int, int]) -> tuple[int, int]:
        opener = self.text[bracket]
        closer = {"(": ")", "[": "]", "{": "}"}[opener]
        span = Span(self.source, bracket, bracket + 1)
        fixes: tuple[Fix, ...] = ()
        found = _short_expression.match(self.text, bracket + 1, end[0]) if opener == "{" else None
        if found is not None:
            line = self.text.rfind("\n", 0, bracket) + 1
            mended = self.text[line : found.end()] + closer + self.text[found.end() : end[0]]
            if not isinstance(_read(mended.partition("#")[0].strip().lstrip("| ")), _Faulty):
                edit = Edit(Span(self.source, found.end(), found.end()), closer)
                fixes = (Fix(f"close it behind `{found.group().strip()}`", (edit,), "likely"),)
        self.report("UnclosedBracket", span, fixes=fixes, opener=opener, closer=closer)
        self.unclosed_at = bracket
        return end

    unclosed_at = -1
    """The last bracket reported as unclosed: its line is not reported a second time."""

    unclosed_column: int | None = None
    """The column of its line, as long as the lines below may belong to it."""

    # --- statements ---------------------------------------------------------------------------------------------

    def _parse(self, start: int, text: str) -> Any:
        """The statement of a line's text, or None; with a diagnostic for each of its faults."""
        known = self.memory.get(text)
        if known is None:
            known = self.memory[text] = _read(text)
        self.mended = isinstance(known, _Faulty)
        if not isinstance(known, _Faulty):
            return known
        if not start <= self.unclosed_at < start + len(text):
            for fault in known.faults:
                self._report_fault(start, fault)
        return known.statement

    def _report_fault(self, start: int, fault: SyntaxFault) -> None:
        span = Span(self.source, start + fault.start, start + fault.end)
        colon = self.text.find(":", start, start + fault.start) if fault.problem == "BodyOnSameLine" else -1
        if colon >= 0 and self.in_train():
            span = Span(self.source, colon, colon + 1)
            self.habits.setdefault("ColonBehindName", []).append((span, Edit(span, "")))
            return
        if fault.problem in HABITS and fault.fix is not None:
            self.habits.setdefault(fault.problem, []).append((span, Edit(span, fault.fix[1])))
            return
        fixes: tuple[Fix, ...] = ()
        if fault.fix is not None:
            title, replacement = fault.fix
            if fault.problem == "AssignmentHere" and self.in_train():
                replacement = f"{fault.values['name']} {fault.values['rest']}"
                title = f"write `{replacement}`"
            place = Span(self.source, start + fault.fix_at[0], start + fault.fix_at[1])
            fixes = (Fix(title, (Edit(place, replacement),), fault.applicability),)
        self.report(fault.problem, span, fixes=fixes, **fault.values)

    def _report_ends(self) -> None:
        """Lines that say `end`: once, with the edit that removes them all."""
        if not self.ends:
            return
        edits = tuple(Edit(self._whole_line(span), "") for span in self.ends)
        fix = Fix("remove it" if len(edits) == 1 else "remove them", edits, "likely")
        fixes = (fix,) if len(edits) <= MOST_EDITS else ()
        self.report("StrayEnd", self.ends[0], fixes=fixes, word=self.ends[0].text, lines=len(edits))

    def _whole_line(self, span: Span) -> Span:
        """A span with the white space before it and, if nothing else stands there, the rest of its line."""
        text = self.text
        start = text.rfind("\n", 0, span.start) + 1
        newline = text.find("\n", span.end)
        end = len(text) if newline < 0 else newline + 1
        alone = not text[start : span.start].strip() and not text[span.end : end].strip()
        return Span(self.source, start, end) if alone else span
