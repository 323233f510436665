"""Lines put into the bodies that their columns say, and what can be wrong with that: each mistake is reported once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, problem
from cnndsl.source import Source, Span
from cnndsl.syntax.tree import Arm, Block, Chain, Else, For, If, Instance, Line, Network, Output, Repeat, Train, Use

MOST_NESTING = 50
"""Levels of indentation; a person gets lost at ten."""

MOST_PROBLEMS = 1000
"""Problems of a file that are reported."""

MOST_EDITS = 2000
"""Lines that one fix changes."""

# White space before a line's text; the no-break space comes with text copied from web pages.
INDENTATION = re.compile(r"[ \t\r\f\u00a0]*")
_indented = re.compile(r"(?m)^([ \t\r\f\u00a0]*)([^\s#][^\n]*)")


class Nesting:
    """The bodies of a text that is being read, from the outermost to the one that is open."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.lines: list[Line] = []
        self.diagnostics: list[Diagnostic] = []
        # The open bodies, outermost first: the column of their lines, and the list that holds them.
        self.bodies: list[tuple[int, list[Line]]] = [(0, self.lines)]
        self.leaning: set[Line] = set()
        """Merges whose arms stand at their own column, or further out."""
        self.uneven: dict[tuple[int, int], int] = {}
        """Of bodies that go on between two levels, and the column where they do: the column where they began."""
        self.indentation_reported = False
        self.depth_reported = False
        # Up to where unexpected indentation has been reported, with the edits that remove it.
        self.dedented = 0

    def report(self, name: str, span: Span, /, **values: Any) -> None:
        if len(self.diagnostics) < MOST_PROBLEMS:
            self.diagnostics.append(problem(name, span, **values))

    def line_end(self, position: int) -> tuple[int, int]:
        """Where the physical line at `position` ends, and where the next one begins."""
        newline = self.text.find("\n", position)
        return (len(self.text), len(self.text)) if newline < 0 else (newline, newline + 1)

    def in_train(self) -> bool:
        """Whether the lines that are read now stand under `train`."""
        owners = [body[-1] for _, body in self.bodies if body]
        return any(isinstance(line.statement, Train) for line in owners)

    def push(self, column: int, body: list[Line]) -> None:
        self.bodies.append((column, body))

    def place(self, line: Line) -> None:
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
                self.push(column, last.body)
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
        edits = self._indented_arms(arm) if arm.column == column else ()
        fixes = (Fix("indent the arms", edits, "likely"),) if edits else ()
        self.report(
            "ArmsTooFarLeft", span, fixes=fixes, labels=(Label(arm.span(), f"this arm {what}"),), word=word,
            column=column + 1, further=column + 2, example=example,
        )  # fmt: skip

    def _indented_arms(self, first: Line) -> tuple[Edit, ...]:
        """The edits that indent arms at their merge's own column, with what belongs to them."""
        edits: list[Edit] = []
        start = self.text.rfind("\n", 0, first.start) + 1
        for found in _indented.finditer(self.text, start):
            column, text = len(found[1]), found[2]
            if column < first.column or (column == first.column and not text.startswith("|")):
                break
            if found[1].strip(" ") or len(edits) == MOST_EDITS:
                return ()
            edits.append(Edit(Span(self.source, found.start(2), found.start(2)), "    "))
        return tuple(edits)

    def _deeper(self, line: Line, left: tuple[int, list[Line]] | None) -> None:
        """A line that stands deeper than the body it would belong to: it begins the last line's body, or is wrong."""
        body = self.bodies[-1][1]
        last = body[-1] if body else None
        if left is None and last is not None and self._lacks_colon(last, line):
            self._missing_colon(last)
        if left is None and last is not None and (last.statement is None or last.statement.opens):
            if len(self.bodies) < MOST_NESTING:
                self.push(line.column, last.body)
            else:
                self.too_deep(line)
                self.push(line.column, [])
            self.bodies[-1][1].append(line)
            return
        if left is not None:
            self.uneven[id(left[1]), line.column] = left[0]
            self._uneven(line, left[0])
            # It goes on with the body it is nearest to, so that its followers are judged alike.
            self.push(line.column, left[1])
            left[1].append(line)
            return
        if self.uneven.get((id(body), self.bodies[-1][0])) != line.column:  # Else it is where its body was all along.
            self._unexpected_indent(line, last)
        self.push(line.column, body)
        body.append(line)

    def _lacks_colon(self, last: Line, line: Line) -> bool:
        """Whether a line that opens no body was meant to, as a deeper one stands below it: a merge with arms, or an
        output with layers of its own."""
        statement = last.statement
        if isinstance(statement, Output):
            return not statement.opens
        if not isinstance(statement, Chain) or statement.opens or statement.claim is not None:
            return False
        return isinstance(line.statement, Arm) and statement.items[-1].alias is None

    def _missing_colon(self, line: Line) -> None:
        """A line that lacks its colon, read as if it had one."""
        end = Span(self.source, line.end, line.end)
        line.statement = line.statement._replace(opens=True)
        line.mended = True
        fix = Fix("add `:`", (Edit(end, ":"),), "safe")
        self.report("MissingColon", end, fixes=(fix,), word=self._opening_word(line))

    def too_deep(self, line: Line) -> None:
        """Said once: lines deeper still have the same cause."""
        if not self.depth_reported:
            self.depth_reported = True
            self.report("TooDeeplyIndented", line.span(), limit=MOST_NESTING)

    def _unexpected_indent(self, line: Line, last: Line | None) -> None:
        # Under a line that ends with a comma, which was reported, it was meant to go on.
        if self.indentation_reported or (last is not None and last.mended and last.text.endswith(",")):
            return
        at = self.bodies[-1][0]
        fixes = []
        labels: tuple[Label, ...] = ()
        if last is not None:
            last.mended = True  # perhaps it lacks its colon
            labels = (Label(last.span(), "this line opens no body"),)
            if isinstance(last.statement, (Network, Instance)):
                end = Span(self.source, last.end, last.end)
                fixes.append(Fix("let the layers stand under their network", (Edit(end, ":"),), "likely"))
        if line.start < self.dedented:  # What mends the line above mends this one.
            return
        edits = self._dedent(line, at)
        if edits:
            fixes.append(Fix("remove the indentation", edits, "likely"))
        self.report("UnexpectedIndent", line.span(), labels=labels, fixes=tuple(fixes), columns=at)

    def _dedent(self, first: Line, at: int) -> tuple[Edit, ...]:
        """The edits that bring a line back to a column, and with it those below that stand further in; none where
        they are too many, or not indented with spaces."""
        columns = {first.column: at}
        edits: list[Edit] = []
        before, opens = first.column, False
        position = first.start - first.column
        while position < len(self.text):
            match = INDENTATION.match(self.text, position)
            assert match is not None
            end, after = self.line_end(position)
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
        outward, inward = self.bodies[-1][0], deeper
        targets = sorted((outward, inward), key=lambda column: (abs(column - line.column), -column))
        goes_on = not getattr(line.statement, "opens", False) and self._column_below(line) == inward
        targets = [inward] if goes_on else targets
        moved = [(column, self._moved(line, column, inward if goes_on else None)) for column in targets]
        titles = {outward: "let it end the body above", inward: "let it go on with the body above"}
        fixes = tuple(Fix(titles[column], edits, "possible") for column, edits in moved if edits)
        self.report("UnevenIndent", line.span(), fixes=fixes, given=line.column, possible=outer)

    def _column_below(self, line: Line) -> int | None:
        """Where the next line that holds anything and stands elsewhere begins; None behind the last."""
        below = (len(found[1]) for found in _indented.finditer(self.text, self.line_end(line.end)[1]))
        return next((column for column in below if column != line.column), None)

    def _moved(self, first: Line, column: int, until: int | None = None) -> tuple[Edit, ...]:
        """The edits that bring a line to another column, and with it those below that stand as far in or further, up to
        one in column `until`; none where they are too many, or not indented with spaces."""
        edits: list[Edit] = []
        position = first.start - first.column
        while position < len(self.text):
            match = INDENTATION.match(self.text, position)
            assert match is not None
            end, after = self.line_end(position)
            text = self.text[match.end() : end].split("#")[0].strip()
            if text and (len(match.group()) < first.column or len(match.group()) == until):
                break
            if text:
                if match.group().strip(" ") or len(edits) == MOST_EDITS:
                    return ()
                step = column - first.column
                place = Span(self.source, match.end() + min(step, 0), match.end())
                edits.append(Edit(place, " " * max(step, 0)))
            position = after
        return tuple(edits)

    def check_bodies(self) -> None:
        """Lines that open a body and have none. Where bodies were left out as too deep, that is known."""
        stack = [] if self.depth_reported else [self.lines]
        while stack:
            lines = stack.pop()
            for number, line in enumerate(lines):  # Some that follow may be taken out.
                statement = line.statement
                if statement is None or not statement.opens or isinstance(statement, (Network, Instance)):
                    continue
                if not line.body and line not in self.leaning:
                    self._empty_body(line, lines[number + 1 :])
                    line.mended = True
                    if isinstance(statement, (Block, Train, Output)):  # Else it is not known how many lines were meant.
                        line.body[:] = _meant(line, lines[number + 1 :])
                        del lines[number + 1 : number + 1 + len(line.body)]
                if not line.body and not isinstance(statement, Train):
                    # Whatever follows from its having no body has been said.
                    line.statement = None
            stack += [line.body for line in lines if line.body]

    def _empty_body(self, line: Line, following: list[Line]) -> None:
        """Say that a line has no body, with the edit that indents what was probably meant as one."""
        if isinstance(line.statement, Arm):
            self.report("EmptyBody", line.span(), word="|")
            return
        meant = _meant(line, following)
        starts = [inner.start for one in meant for inner in _walk(one)]
        edits = tuple(Edit(Span(self.source, start, start), "    ") for start in starts)
        what = "the line below" if len(meant) == 1 else "the lines below"
        fixes = (Fix(f"indent {what}", edits, "likely"),) if 0 < len(edits) <= MOST_EDITS else ()
        self.report("EmptyBody", line.span(), fixes=fixes, word=self._opening_word(line))

    def _opening_word(self, line: Line) -> str:
        if isinstance(line.statement, Else):
            return "else"
        if isinstance(line.statement, If):
            return "elif" if line.statement.again else "if"
        if isinstance(line.statement, Chain):
            return line.span(line.statement.items[-1].kind).text
        return line.text.split(maxsplit=1)[0].rstrip(":")

    def odd_indentation(self, start: int, end: int) -> None:
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
            self.report("TabIndentation", span, fixes=fixes, lines=len(edits))
        else:
            self.report("LookAlike", span, fixes=fixes, character="U+00A0")

    def _plain_indentation(self) -> tuple[Edit, ...]:
        """The edits that indent every line with spaces, and leave no line deeper under one that opens no body."""
        edits = []
        # Columns as they are, and as they will be.
        levels = [(0, 0)]
        opened = False
        for match in _indented.finditer(self.text):
            indent, line = match.groups()
            width = width_of_indentation(indent.replace("\u00a0", " "))
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


def _meant(line: Line, following: list[Line]) -> list[Line]:
    """The lines behind one without a body that were probably meant as its body: up to the next header for a block or a
    recipe, else one line."""
    if isinstance(line.statement, (Block, Train)):
        headers = (Network, Instance, Block, Train, Use)
        last = next((i for i, one in enumerate(following) if isinstance(one.statement, headers)), len(following))
        return following[:last]
    one = following[0] if following and not isinstance(line.statement, Chain) else None
    is_layer = one is not None and isinstance(one.statement, Chain) and bool(one.statement.items)
    again = one is not None and isinstance(one.statement, If) and one.statement.again
    inner = one is not None and isinstance(one.statement, (If, For, Repeat)) and not again
    return following[:1] if is_layer or inner else []


def _walk(line: Line) -> Iterator[Line]:
    """A line and all below it that begin a line of the text: an arm's first line stands behind its `|`."""
    yield line
    for number, inner in enumerate(line.body):
        below = _walk(inner)
        if number == 0 and isinstance(line.statement, Arm):
            next(below)
        yield from below


def _opens_body(line: str) -> bool:
    """Whether what follows a physical line may be indented."""
    code = line.partition("#")[0].strip()
    return code.endswith((":", "(", "[", "{", ",")) or code.startswith("|")


def width_of_indentation(indent: str) -> int:
    """How many columns an indentation takes."""
    return len(indent.replace("\r", "").replace("\f", "").expandtabs(4))
