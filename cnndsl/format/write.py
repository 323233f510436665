"""From a document to its formatted text.

Lines and their order stay; what changes is white space: indentation, spaces between tokens, blank lines, the columns
of claims and comments. A line whose spaces can't be changed without changing what it says stays as it is.
"""

from __future__ import annotations

from itertools import islice, takewhile

from cnndsl.format.align import NEAREST, Candidate, Tail, columns, keep_tables
from cnndsl.format.same import same
from cnndsl.format.spacing import Part, Word, parts
from cnndsl.source import Source
from cnndsl.syntax import parse, parse_line
from cnndsl.syntax.fault import SyntaxFault
from cnndsl.syntax.tree import Arm, Block, Chain, Document, Instance, Line, Network, Train, Trivia

INDENT = 4
ARM = 2
"""Columns of `| `."""
CLAIM_GAP, COMMENT_GAP = 4, 2
"""Spaces behind the longest line, where claims or comments have no column of their own yet."""
MOST_BLANK = 2
"""Blank lines in a row, outside bodies; within one."""

_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_APART = " " * NEAREST
_WHITE = " \t\r\f"


class Row:
    """One line of the result: its code from a column on, and what stands at its end.

    claim_at, comment_at: the columns where these stood in the text that was read, -1 if they were not set apart from
    the code by two spaces; under: the column of its comment in any case. section: which part of the file it belongs
    to. follows: the row whose comment this one, a comment alone, goes on with.
    """

    __slots__ = (
        "claim",
        "claim_at",
        "code",
        "comment",
        "comment_at",
        "follows",
        "indent",
        "opens",
        "section",
        "text",
        "under",
    )

    def __init__(self, indent: int, code: str = "") -> None:
        self.indent = indent
        self.code = code
        self.claim = ""
        self.claim_at = -1
        self.comment = ""
        self.comment_at = self.under = -1
        self.section = 0
        self.opens = False
        self.follows: Row | None = None
        self.text = ""


def formatted(document: Document) -> str:
    """The text of a document, formatted. It must be free of errors of syntax.

    Parsed again it gives the same lines and comments, and formatted again itself.
    """
    writer = _Writer(document)
    writer.body(document.lines, 0, ())
    writer.rest()
    _align(writer.rows)
    newline = line_end(document.source.text)
    return "".join(row.text + newline for row in writer.rows)


def line_end(text: str) -> str:
    """How the lines of a text end: as its first one does."""
    return "\r\n" if text[: text.find("\n") + 1].endswith("\r\n") else "\n"


class _Writer:
    """One pass over a document's lines and what stands between them."""

    def __init__(self, document: Document) -> None:
        self.source = document.source
        self.text = document.source.text
        self.trivia = sorted((t for t in document.trivia if self._is_real(t)), key=lambda t: t.start)
        self.next = 0
        self.rows: list[Row] = []
        self.blank = 0
        self.section = 0
        # The bodies that the last line stands in, outermost first: their columns as read, and as written.
        self.bodies: tuple[tuple[int, int], ...] = ((0, 0),)

    def _is_real(self, trivia: Trivia) -> bool:
        """Whether a blank is a line of its own, and not the rest of one behind `|`."""
        return trivia.kind == "comment" or not self._before(trivia.start).strip()

    def _before(self, position: int) -> str:
        """The physical line up to a position."""
        return self.text[self.text.rfind("\n", 0, position) + 1 : position]

    # --- bodies -------------------------------------------------------------------------------------------------------

    def body(self, lines: list[Line], indent: int, outer: tuple[tuple[int, int], ...], lead: str = "") -> None:
        """Write the lines of a body at a column; `lead` stands before the first, behind which it stands already."""
        bodies = (*outer, (lines[0].column, indent)) if lines else outer
        written = [self._logical(line) for line in lines]
        keep_tables([table for _, table in written if table is not None])
        for line, (pieces, table) in zip(lines, written, strict=True):
            if not lead:
                self._between(line.start, bodies)
            self.bodies = bodies
            if isinstance(line.statement, Arm):
                self._arm(line, indent, bodies, lead)
            else:
                self._line(line, pieces, table, indent, lead)
                if line.body:
                    self.body(line.body, indent + INDENT, bodies)
            lead = ""

    def _arm(self, line: Line, indent: int, bodies: tuple[tuple[int, int], ...], lead: str) -> None:
        """`|` and its lines: the first stands behind it, unless a comment does."""
        start = line.body[0].start
        between = list(takewhile(lambda trivia: trivia.start < start, islice(self.trivia, self.next, None)))
        if all(trivia.kind == "blank" for trivia in between):
            self.next += len(between)
            self.body(line.body, indent + ARM, bodies, lead + "| ")
            return
        row = Row(indent - ARM * lead.count("|"), lead + "|")
        row.opens = True
        self._add(row)
        self._tail(row, line.end)
        self.body(line.body, indent + ARM, bodies)

    def _logical(self, line: Line) -> tuple[list[Part], Candidate | None]:
        """A line's parts, and, if it is a single one, how it may be written."""
        if isinstance(line.statement, Arm):
            return [], None
        pieces = parts(line.text, line.statement)
        if len(pieces) > 1:
            return pieces, None
        code, _ = _split(pieces[0].words, line)
        head = code[0].text if code else ""
        return pieces, _candidate(head, code, line.text)

    def _line(self, line: Line, pieces: list[Part], table: Candidate | None, indent: int, lead: str) -> None:
        if not self.bodies[1:] and isinstance(line.statement, (Network, Instance, Block, Train)):
            self.section += 1
        column = indent - ARM * lead.count("|")
        rows = [self._row(line, pieces[0], table.text, column, lead)] if table else []
        if not table:
            rows = self._several(line, pieces, indent, lead)
        if not _says_the_same(line, rows, len(lead)):
            rows = self._as_it_is(line, column, lead)
        rows[-1].opens = bool(line.body)
        for row in rows:
            self._add(row)
        self._tail(rows[-1], line.end)

    def _row(self, line: Line, part: Part, code: str, column: int, lead: str) -> Row:
        _, claim = _split(part.words, line)
        row = Row(column, lead + (code or (lead and _joined(claim))))
        if claim and (code or not lead):
            row.claim = _joined(claim)
            before = self._before(line.start + claim[0].start)
            row.claim_at = len(before) if before.endswith(_APART) else -1
        if part.comment is not None:
            self._comment(row, line.start + part.comment[0], line.start + part.comment[1])
        return row

    def _several(self, line: Line, pieces: list[Part], indent: int, lead: str) -> list[Row]:
        """A logical line of several physical ones: what stands in a bracket is indented by one step."""
        tables = self._inner_tables(line, pieces)
        rows: list[Row] = []
        indents = [indent]
        for number, part in enumerate(pieces):
            if number:
                indents.append(indents[part.holder] + (0 if part.closes else INDENT))
            table = tables.get(number)
            code = table.text if table else _joined(_split(part.words, line)[0])
            column = indents[number] if number else indent - ARM * lead.count("|")
            leading = len(code) - len(code.lstrip(" "))
            row = self._row(line, part, code[leading:], column + leading, "" if number else lead)
            if rows and part.comment and not code:
                _follow(row, rows[-1])
            rows.append(row)
        return _without_extra_blanks(rows)

    def _inner_tables(self, line: Line, pieces: list[Part]) -> dict[int, Candidate]:
        """What may be rows of tables in a line's brackets; the spaces before such a row count as well."""
        tables: dict[int, Candidate] = {}
        for holder in {part.holder for part in pieces}:
            inner = [n for n, p in enumerate(pieces) if p.holder == holder and p.words and not p.closes and n]
            before = {n: self._before(line.start + pieces[n].words[0].start) for n in inner}
            base = min((len(indent) for indent in before.values()), default=0)
            for n in inner:
                code, claim = _split(pieces[n].words, line)
                if not claim:
                    tables[n] = _candidate("", code, line.text, len(before[n]) - base)
            keep_tables([tables[n] for n in inner if n in tables])
        return tables

    def _as_it_is(self, line: Line, column: int, lead: str) -> list[Row]:
        """The rows of a line that is left alone."""
        first, *others = line.text.split("\n")
        rows = [Row(column, lead + first.rstrip(_WHITE))]
        return rows + [Row(0, other.rstrip(_WHITE)) for other in others]

    # --- comments and blank lines -------------------------------------------------------------------------------------

    def _between(self, end: int, bodies: tuple[tuple[int, int], ...]) -> None:
        """Comments and blank lines up to the next logical line, which stands in `bodies`."""
        while self.next < len(self.trivia) and self.trivia[self.next].start < end:
            trivia = self.trivia[self.next]
            self.next += 1
            if trivia.kind == "blank":
                self.blank += 1
                continue
            at = len(self._before(trivia.start))
            row = Row(self._indent_of_comment(at, bodies))
            self._comment(row, trivia.start, trivia.end)
            if self.rows and not self.blank:
                _follow(row, self.rows[-1])
            self._add(row)

    def _indent_of_comment(self, at: int, bodies: tuple[tuple[int, int], ...]) -> int:
        """The column for a comment that stood at `at`: that of the innermost body that ends behind it, if the comment
        stood as deep, else that of the line that follows."""
        for column, indent in self.bodies[: len(bodies) - 1 : -1]:
            if column <= at:
                return indent
        return bodies[-1][1] if bodies else 0

    def _comment(self, row: Row, start: int, end: int) -> None:
        row.comment = self.text[start:end].rstrip(_WHITE)
        before = self._before(start)
        row.under = len(before)
        row.comment_at = row.under if before.endswith(_APART) else -1

    def _tail(self, row: Row, end: int) -> None:
        """Give a row the comment behind its code, which ends at `end`."""
        if self.next < len(self.trivia):
            trivia = self.trivia[self.next]
            if trivia.kind == "comment" and "\n" not in self.text[end : trivia.start]:
                self._comment(row, trivia.start, trivia.end)
                self.next += 1

    def rest(self) -> None:
        """What stands behind the last line."""
        self._between(len(self.text) + 1, ((0, 0),))

    def _add(self, row: Row) -> None:
        """Add a row, with the blank lines before it that remain."""
        row.section = self.section
        if self.rows and self.blank:
            last = self.rows[-1]
            begins = last.opens and row.indent > last.indent
            most = 0 if begins else 1 if row.indent else MOST_BLANK
            self.rows += [Row(0) for _ in range(min(self.blank, most))]
        self.blank = 0
        self.rows.append(row)


# --- code -------------------------------------------------------------------------------------------------------------


def _split(words: tuple[Word, ...], line: Line) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """The words of a line's code, and those of the claim at its end. A claim before a `:` is code."""
    statement = line.statement
    if not isinstance(statement, Chain) or statement.claim is None or statement.opens:
        return words, ()
    start = statement.claim.start
    first = next((i for i, word in enumerate(words) if word.start >= start), len(words))
    return words[:first], words[first:]


def _joined(words: tuple[Word, ...]) -> str:
    """The words with the spaces that belong between them."""
    return "".join(" " * (word.space and i > 0) + word.text for i, word in enumerate(words))


def _candidate(head: str, words: tuple[Word, ...], text: str, leading: int = 0) -> Candidate:
    """How words may be written: as they belong, or with the spaces that they have now, if all that tells the two apart
    are more spaces where one belongs, or `leading` ones before the first."""
    written = " " * leading
    gaps = [leading] if leading else []
    for before, word in zip((None, *words), words, strict=False):
        space = "" if before is None else text[before.end : word.start]
        if space.strip(" ") or (before is not None and (len(space) > 0) != word.space):
            return Candidate(head, _joined(words), None, ())
        written += space
        if len(space) > 1:
            gaps.append(len(written))
        written += word.text
    return Candidate(head, _joined(words), written, tuple(gaps))


def _says_the_same(line: Line, rows: list[Row], lead: int) -> bool:
    """Whether the text of rows, the first without what leads it, is read as the line's own text is."""
    texts = [" ".join(filter(None, (row.code, row.claim, row.comment))) for row in rows]
    text = "\n".join(texts)[lead:]
    if text == line.text:
        return True
    if len(rows) == 1:
        try:
            return same(parse_line(text), line.statement)
        except SyntaxFault:
            return False
    # What opens a body needs one.
    opens = line.statement.opens
    document, found = parse(Source("", f"{text}\n    identity\n" if opens else text))
    return not found and len(document.lines) == 1 and same(document.lines[0].statement, line.statement)


def _follow(row: Row, before: Row) -> None:
    """Let a comment alone go on with the one at the end of the line before, if it stands right under it."""
    if before.under == row.under and (before.code or before.claim or before.follows):
        row.follows = before.follows or before


def _without_extra_blanks(rows: list[Row]) -> list[Row]:
    """The rows of a bracket with one blank line in a row at most, and none beside the bracket."""
    kept: list[Row] = []
    for row in rows:
        if row.code[:1] in _CLOSING:
            while kept and not (kept[-1].code or kept[-1].comment):
                kept.pop()
        blank = not (row.code or row.comment)
        if not (blank and (not (kept[-1].code or kept[-1].comment) or kept[-1].code[-1:] in _OPENING)):
            kept.append(row)
    return kept


# --- columns ----------------------------------------------------------------------------------------------------------


def _align(rows: list[Row]) -> None:
    """Give claims and comments their columns, and every row its text."""
    for row in rows:
        row.text = " " * row.indent + row.code if row.code else ""
    claimed = [row for row in rows if row.claim and row.code]
    places = columns([Tail(r.section, len(r.text), r.claim_at) for r in claimed], CLAIM_GAP)
    for row, column in zip(claimed, places, strict=True):
        row.text = row.text.ljust(column) + row.claim
    for row in rows:
        if row.claim and not row.code:
            row.text = " " * row.indent + row.claim
    tails = [row for row in rows if row.comment and row.text]
    behind = columns([Tail(r.section, len(r.text), r.comment_at) for r in tails], COMMENT_GAP)
    at = dict(zip(map(id, tails), behind, strict=True))
    for row in rows:
        if row.comment:
            column = at[id(row.follows)] if row.follows else at.get(id(row), row.indent)
            row.text = row.text.ljust(column) + row.comment
