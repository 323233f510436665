"""From text to logical lines: indentation, continued lines, comments, arms.

A line goes on over newlines while a bracket is open. Lines nest as they are indented; a body follows a line
that opens one. `|` opens an arm, whose body stands at the column of the text behind it. Whatever is wrong
is reported once, and the layout goes on with the next line.
"""

from __future__ import annotations

import re
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, problem
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.syntax.faults import SyntaxFault, mended
from cnndsl.syntax.parser import MOST_OPEN, parse_line
from cnndsl.syntax.tree import Arm, Chain, Document, Else, If, Instance, Line, Network, Train, Trivia

MOST_NESTING = 50
"""Levels of indentation; a person gets lost at ten."""

MOST_PROBLEMS = 1000
"""Problems of a file that are reported."""

MOST_EDITS = 2000
"""Lines that one fix changes."""

MOST_RESCANNED = 4_000_000
"""Characters that are looked at twice in search of closing brackets, before each line ends where it ends."""

MOST_FAULTS = 8
"""Faults of one line that are mended and reported, before it counts as unreadable."""

# White space before a line's text; the no-break space comes with text copied from web pages.
_indentation = re.compile(r"[ \t\r\f\u00a0]*")
_indented = re.compile(r"(?m)^([ \t\r\f\u00a0]*)([^\s#][^\n]*)")
_structure = re.compile(r'#[^\n]*|"[^"\n]*"?|[()\[\]{}\n]')
_plain_line = re.compile(r'[^\n#"()\[\]{}]*')
_new_statement = re.compile(r"(?:network|block|train|let|expect|use|output)\b|input\s|\||[a-z][a-z0-9_]*\s+[0-9{]")
# What other languages end a body with.
_end_word = re.compile(r"end(?:[ _]?(?:if|for|while|repeat|block|network|train|add|concat))?[;.]?")
_curly_body = re.compile(
    r"(?:(?:network|block|train|repeat|for|if|elif|else|output)\b[^\n{}#\"]*?|[a-z][a-z_]*(?=[ \t]*\{[ \t]*\n[ \t]+\|))"
    r"(?P<space>[ \t]*)(?P<brace>\{)(?=[ \t]*(?:#[^\n]*)?(?:\r?\n|$))"
)
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
            if not faults and "(" in text:
                from cnndsl.syntax.foreign import foreign_call  # Only where something is wrong.

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


class _Layout:
    """One pass over a text."""

    def __init__(self, source: Source, memory: dict[str, Any]) -> None:
        self.source = source
        self.text = source.text
        self.memory = memory
        self.lines: list[Line] = []
        self.trivia: list[Trivia] = []
        self.diagnostics: list[Diagnostic] = []
        # The open bodies, outermost first: the column of their lines, and the list that holds them.
        self.bodies: list[tuple[int, list[Line]]] = [(0, self.lines)]
        self.mended = False
        self.ends: list[Span] = []
        self.curly: list[Span] = []
        self.curly_ends: list[Span] = []
        self.end_is_name: bool | None = None
        self.leaning: set[Line] = set()
        """Merges whose arms stand at their own column, or further out."""
        self.indentation_reported = False
        self.depth_reported = False
        # Up to where unexpected indentation has been reported, with the edits that remove it.
        self.dedented = 0
        # Characters that were looked at in vain for the end of a bracket.
        self.rescanned = 0

    def run(self) -> tuple[Document, list[Diagnostic]]:
        position = 0
        length = len(self.text)
        while position < length:
            position = self._physical(position)
        self._check_bodies()
        self._report_ends()
        self._report_curly()
        self.diagnostics.sort(key=lambda d: d.span.start)
        return Document(self.source, self.lines, tuple(self.trivia)), self.diagnostics

    # --- lines --------------------------------------------------------------------------------------------------

    def _physical(self, position: int) -> int:
        """Take what begins on the line at `position`; returns where the next line begins."""
        match = _indentation.match(self.text, position)
        assert match is not None
        start = match.end()
        indent = match.group()
        if not indent.strip(" "):
            return self._content(start, start - position)
        if self.text[start : start + 1] not in ("", "\n", "#"):
            self._odd_indentation(position, start)
        return self._content(start, _width(indent))

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
        curly = _curly_body.match(text, start)
        if curly is not None:
            return self._curly(curly, column)
        if self.curly and text[start : self._line_end(start)[0]].split("#")[0].rstrip() == "}":
            self.curly_ends.append(Span(self.source, start, start + 1))
            return self._line_end(start)[1]
        end, after = self._logical_end(start)
        stripped = text[start:end].rstrip()
        if _end_word.fullmatch(stripped) and not self._names_end():
            self.ends.append(Span(self.source, start, start + len(stripped)))
            return after
        line = Line(self.source, start, start + len(stripped), column, self._parse(start, stripped))
        line.mended = self.mended
        self._place(line)
        return after

    def _curly(self, found: re.Match[str], column: int) -> int:
        """A line that opens its body with a brace, read as if it were a colon."""
        start, brace = found.start(), found.start("brace")
        self.curly.append(Span(self.source, found.start("space"), brace + 1))
        line = Line(self.source, start, brace + 1, column, self._parse(start, self.text[start:brace] + ":"))
        line.mended = True
        self._place(line)
        end, after = self._line_end(brace)
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
        self._report("CurlyBody", span, labels=labels, fixes=fixes)

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
        self._place(arm)
        match = _indentation.match(self.text, start + 1)
        assert match is not None
        inner = match.end()
        if self.text[inner : inner + 1] in ("", "\n", "#"):
            return self._content(inner, column + 1)
        if len(self.bodies) >= MOST_NESTING:
            self._too_deep(arm)
            return self._logical_end(inner)[1]
        if match.group().strip(" "):
            self._odd_indentation(start + 1, inner)
        column = _width(" " * (column + 1) + match.group())
        self._push(column, arm.body)
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
                    return self._line_end(position)
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
        first_end = first_end or self._line_end(position)
        self.rescanned += position - first_end[0]
        on_first = [at for at in open_brackets if at < first_end[1]]
        if not on_first:  # All of that line's brackets are closed, on a line that opens another.
            return self._unclosed(open_brackets[0], self._line_end(open_brackets[0]))
        return self._unclosed(on_first[-1], first_end)

    def _begins_statement(self, position: int) -> bool:
        """Whether the text of a line looks like a new statement, so that no bracket before it goes on."""
        following = _indentation.match(self.text, position)
        return following is not None and _new_statement.match(self.text, following.end()) is not None

    def _line_end(self, position: int) -> tuple[int, int]:
        newline = self.text.find("\n", position)
        return (len(self.text), len(self.text)) if newline < 0 else (newline, newline + 1)

    def _unclosed(self, bracket: int, end: tuple[int, int]) -> tuple[int, int]:
        opener = self.text[bracket]
        closer = {"(": ")", "[": "]", "{": "}"}[opener]
        span = Span(self.source, bracket, bracket + 1)
        self._report("UnclosedBracket", span, opener=opener, closer=closer)
        self.unclosed_at = bracket
        return end

    unclosed_at = -1
    """The last bracket reported as unclosed: its line is not reported a second time."""

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
        fixes: tuple[Fix, ...] = ()
        if fault.fix is not None:
            title, replacement = fault.fix
            place = Span(self.source, start + fault.fix_at[0], start + fault.fix_at[1])
            fixes = (Fix(title, (Edit(place, replacement),), fault.applicability),)
        self._report(fault.problem, span, fixes=fixes, **fault.values)

    def _report(self, name: str, span: Span, /, **values: Any) -> None:
        if len(self.diagnostics) < MOST_PROBLEMS:
            self.diagnostics.append(problem(name, span, **values))

    # --- nesting ------------------------------------------------------------------------------------------------

    def _push(self, column: int, body: list[Line]) -> None:
        self.bodies.append((column, body))

    def _place(self, line: Line) -> None:
        """Put a line into the body that its column says."""
        column = line.column
        bodies = self.bodies
        left = None
        is_arm = isinstance(line.statement, Arm)
        while len(bodies) > 1 and (column < bodies[-1][0] or (bodies[-2][0] == bodies[-1][0] and not is_arm)):
            left = bodies.pop()
        at, body = bodies[-1]
        if column > at:
            self._deeper(line, left)
            return
        last = body[-1] if body else None
        if is_arm and last is not None and last.statement is not None:
            if isinstance(last.statement, Chain) and last.statement.opens and not last.body:
                # Its arms stand at its own column: the arms of this body, until another line does.
                self._too_far_left(last, line)
                self._push(column, last.body)
                body = last.body
            elif isinstance(last.statement, Arm):
                self._check_inner_merge(last, line)
        body.append(line)

    def _check_inner_merge(self, arm: Line, following: Line) -> None:
        """An arm that ends with a merge without arms, and `|` at the arm's own column behind it."""
        inner = arm.body[-1] if arm.body else None
        while inner is not None and inner.body:
            inner = inner.body[-1]
        if inner is not None and isinstance(inner.statement, Chain) and inner.statement.opens:
            self._too_far_left(inner, following)

    def _too_far_left(self, merge: Line, arm: Line) -> None:
        self.leaning.add(merge)
        if self.indentation_reported:
            return
        word = self._opening_word(merge)
        column = merge.column
        lead = arm.column * " " + "| " if arm.column < column else column * " "
        inner = f"{(column + 4) * ' '}| "
        example = f"\n{lead}{word}:\n{inner}…\n{inner}…"
        item = merge.statement.items[-1]
        span = merge.span(item)
        what = "belongs to the merge around it" if arm.column < column else "stands too far left"
        self._report(
            "ArmsTooFarLeft", span, labels=(Label(arm.span(), f"this arm {what}"),), word=word, column=column + 1,
            further=column + 2, example=example,
        )  # fmt: skip

    def _deeper(self, line: Line, left: tuple[int, list[Line]] | None) -> None:
        """A line that stands deeper than the body it would belong to: it begins the last line's body, or is wrong."""
        body = self.bodies[-1][1]
        last = body[-1] if body else None
        if left is None and last is not None and (last.statement is None or last.statement.opens):
            if len(self.bodies) < MOST_NESTING:
                self._push(line.column, last.body)
            else:
                self._too_deep(line)
                self._push(line.column, [])
            self.bodies[-1][1].append(line)
            return
        if left is not None:
            self._uneven(line, left[0])
            # It goes on with the body it is nearest to, so that its followers are judged alike.
            self._push(line.column, left[1])
            left[1].append(line)
            return
        self._unexpected_indent(line, last)
        self._push(line.column, body)
        body.append(line)

    def _too_deep(self, line: Line) -> None:
        """Said once: lines deeper still have the same cause."""
        if not self.depth_reported:
            self.depth_reported = True
            self._report("TooDeeplyIndented", line.span(), limit=MOST_NESTING)

    def _unexpected_indent(self, line: Line, last: Line | None) -> None:
        # Under a line that ends with a comma, which was reported, it was meant to go on.
        if self.indentation_reported or (last is not None and last.mended and last.text.endswith(",")):
            return
        at = self.bodies[-1][0]
        fixes = []
        labels: tuple[Label, ...] = ()
        if last is not None:
            labels = (Label(last.span(), "this line opens no body"),)
            if isinstance(last.statement, (Network, Instance)):
                end = Span(self.source, last.end, last.end)
                fixes.append(Fix("let the layers stand under their network", (Edit(end, ":"),), "likely"))
        if line.start < self.dedented:  # What mends the line above mends this one.
            return
        edits = self._dedent(line, at)
        if edits:
            fixes.append(Fix("remove the indentation", edits, "likely"))
        self._report("UnexpectedIndent", line.span(), labels=labels, fixes=tuple(fixes), columns=at)

    def _dedent(self, first: Line, at: int) -> tuple[Edit, ...]:
        """The edits that bring a line back to a column, and with it those below that stand further in; none where
        they are too many, or not indented with spaces."""
        columns = {first.column: at}
        edits: list[Edit] = []
        before, opens = first.column, False
        position = first.start - first.column
        while position < len(self.text):
            match = _indentation.match(self.text, position)
            assert match is not None
            end, after = self._line_end(position)
            text = self.text[match.end() : end].split("#")[0].rstrip()
            column = len(match.group())
            if text:
                if column <= at:
                    break
                if column > before:
                    columns[column] = columns[before] + (column - before if opens else 0)
                elif column not in columns:
                    columns[column] = at
                if match.group().strip(" ") or len(edits) == MOST_EDITS:
                    return ()
                edits.append(Edit(Span(self.source, position + columns[column], match.end()), ""))
                before, opens = column, text.endswith(":") or text.startswith("|")
            position = after
        self.dedented = position
        return tuple(edits)

    def _uneven(self, line: Line, deeper: int) -> None:
        line.mended = True
        if self.indentation_reported:
            return
        columns = [str(column) for column, _ in self.bodies] + [str(deeper)]
        outer = " or ".join(dict.fromkeys(columns[-2:]))
        self._report("UnevenIndent", line.span(), given=line.column, possible=outer)

    def _check_bodies(self) -> None:
        """Lines that open a body and have none. Where bodies were left out as too deep, that is known."""
        if self.depth_reported:
            return
        stack = list(self.lines)
        while stack:
            line = stack.pop()
            stack.extend(line.body)
            statement = line.statement
            if statement is None or not statement.opens or isinstance(statement, (Network, Instance)):
                continue
            if not line.body and line not in self.leaning:
                word = "|" if isinstance(statement, Arm) else self._opening_word(line)
                self._report("EmptyBody", line.span(), word=word)
            if not line.body and not isinstance(statement, Train):
                # Whatever follows from its having no body has been said.
                line.statement = None

    def _report_ends(self) -> None:
        """Lines that say `end`: once, with the edit that removes them all."""
        if not self.ends:
            return
        edits = tuple(Edit(self._whole_line(span), "") for span in self.ends)
        fix = Fix("remove it" if len(edits) == 1 else "remove them", edits, "likely")
        fixes = (fix,) if len(edits) <= MOST_EDITS else ()
        self._report("StrayEnd", self.ends[0], fixes=fixes, word=self.ends[0].text, lines=len(edits))

    def _whole_line(self, span: Span) -> Span:
        """A span with the white space before it and, if nothing else stands there, the rest of its line."""
        text = self.text
        start = text.rfind("\n", 0, span.start) + 1
        newline = text.find("\n", span.end)
        end = len(text) if newline < 0 else newline + 1
        alone = not text[start : span.start].strip() and not text[span.end : end].strip()
        return Span(self.source, start, end) if alone else span

    def _opening_word(self, line: Line) -> str:
        if isinstance(line.statement, Else):
            return "else"
        if isinstance(line.statement, If):
            return "elif" if line.statement.again else "if"
        if isinstance(line.statement, Chain):
            return line.span(line.statement.items[-1].kind).text
        return line.text.split(maxsplit=1)[0].rstrip(":")

    def _odd_indentation(self, start: int, end: int) -> None:
        """Tabs or no-break spaces in the indentation: said once for a file, with the edit that mends it everywhere."""
        if self.indentation_reported or not self.text[start:end].strip("\r\f "):
            return
        self.indentation_reported = True
        edits = self._plain_indentation()
        span = Span(self.source, start, end)
        tabs = "\t" in self.text[start:end]
        title = "indent with spaces, four for a tab" if tabs else "indent with plain spaces"
        if not any(edit.text for edit in edits):
            title = "remove the indentation: no line above opens a body"
        fix = Fix(title, edits, "likely")
        fixes = (fix,) if len(edits) <= MOST_EDITS else ()
        if tabs:
            self._report("TabIndentation", span, fixes=fixes, lines=len(edits))
        else:
            self._report("LookAlike", span, fixes=fixes, character="U+00A0")

    def _plain_indentation(self) -> tuple[Edit, ...]:
        """The edits that indent every line with spaces, and leave no line deeper under one that opens no body."""
        edits = []
        # Columns as they are, and as they will be.
        levels = [(0, 0)]
        opened = False
        for match in _indented.finditer(self.text):
            indent, line = match.groups()
            width = _width(indent.replace("\u00a0", " "))
            while levels[-1][0] > width:
                levels.pop()
            at, fixed = levels[-1]
            odd = bool(indent.strip(" \r\f"))
            if width > at:
                fixed = fixed + width - at if opened or not odd else fixed
                levels.append((width, fixed))
            if odd:
                edits.append(Edit(Span(self.source, match.start(1), match.end(1)), " " * fixed))
            opened = _opens_body(line)
        return tuple(edits)


def _opens_body(line: str) -> bool:
    """Whether what follows a physical line may be indented."""
    code = line.partition("#")[0].strip()
    return code.endswith((":", "(", "[", "{", ",")) or code.startswith("|")


def _width(indent: str) -> int:
    """How many columns an indentation takes."""
    return len(indent.replace("\r", "").replace("\f", "").expandtabs(4))
