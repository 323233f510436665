"""Columns: where claims and comments at line ends stand, and which spaces make a table.

Whatever stands in line by hand stays so. Everything here gives the same again for its own result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cnndsl.record import Record

NEAREST = 2
"""Spaces that part a line's code from what stands behind it, at least."""
_LONG = 88
"""A line longer than this moves its own claim or comment only."""


class Tail(Record):
    """A claim or comment at a line's end.

    section: the number of the part of the file whose tails stand in one column. width: columns that the line takes
    before it. at: the column where it stands now.
    """

    section: int
    width: int
    at: int


def columns(tails: Sequence[Tail], gap: int) -> list[int]:
    """The columns for tails of one sort, in their order.

    The tails of a section stand where most of them stand already, if that leaves room for at least half of them;
    else `gap` spaces behind the longest line. A line that is too long for its section's column has its tail right
    behind it.
    """
    sections: dict[int, list[Tail]] = {}
    for tail in tails:
        sections.setdefault(tail.section, []).append(tail)
    chosen = {section: _shared(members) or _behind(members, gap) for section, members in sections.items()}
    return [_column(tail, chosen[tail.section]) for tail in tails]


def _fits(tail: Tail, column: int) -> bool:
    return tail.width + NEAREST <= column


def _column(tail: Tail, column: int) -> int:
    return column if _fits(tail, column) else tail.width + NEAREST


def _shared(members: list[Tail]) -> int | None:
    """The column where most tails of a section stand, two at least if there are two; None if there is none with room
    for half of them."""
    counts = Counter(member.at for member in members if _fits(member, member.at))
    for column, count in sorted(counts.items(), key=lambda found: (-found[1], found[0])):
        if count >= min(2, len(members)) and 2 * sum(_fits(member, column) for member in members) >= len(members):
            return column
    return None


def _behind(members: list[Tail], gap: int) -> int:
    """The column behind the longest line of a section; lines that are too long don't count where they are few."""
    widths = sorted(member.width for member in members)
    usual = [width for width in widths if width <= _LONG]
    return max(usual if 2 * len(usual) >= len(widths) else widths) + gap


# --- tables -----------------------------------------------------------------------------------------------------------


_FIGURES = "0123456789.-{"
"""What a number, or an expression in its place, begins with."""


class Candidate:
    """A line that may be a row of a table: as it is written, if only spaces more than needed tell that apart from how
    it is written without a table, and how it is written then.

    head: what rows of one table have in common. gaps: the places, in `written`, of what stands behind more than one
    space. text: what it is, as far as decided.
    """

    __slots__ = ("gaps", "head", "plain", "text", "words")

    def __init__(self, head: str, plain: str, written: str | None, gaps: tuple[int, ...]) -> None:
        self.head = head
        self.plain = plain
        self.gaps = gaps if written is not None else ()
        self.text = plain if written is None else written
        self.words = _words(self.text)

    def give_up(self) -> None:
        """It is no row of a table."""
        self.text, self.gaps = self.plain, ()
        self.words = _words(self.text)

    def in_line(self, gap: int, other: Candidate) -> bool:
        """Whether what stands behind a gap begins, or if it is a number ends, where something of another row does
        that stands behind a gap, too, or is its word of the same number."""
        number, end = self.words[gap]
        same = {start for start, (count, _) in other.words.items() if count == number} | {*other.gaps}
        figure = self.text[gap] in _FIGURES
        return any(start == gap or (figure and other.words[start][1] == end) for start in same)


def _words(text: str) -> dict[int, tuple[int, int]]:
    """Where the words of a text begin, with their numbers and their ends; a comma behind a word is no part of it."""
    found: dict[int, tuple[int, int]] = {}
    position = 0
    for word in text.split(" "):
        if word:
            found[position] = len(found), position + len(word.rstrip(","))
        position += len(word) + 1
    return found


def keep_tables(rows: Iterable[Candidate]) -> None:
    """Decide which lines keep their spaces: those in which everything behind more than one space is in line with
    something in the row before or behind, of those with the same head."""
    tables: dict[str, list[Candidate]] = {}
    for row in rows:
        tables.setdefault(row.head, []).append(row)
    for table in tables.values():
        order = list(range(len(table)))
        changed = any(row.gaps for row in table)
        while changed:
            changed = False
            for i in order:
                row, near = table[i], [*table[max(i - 1, 0) : i], *table[i + 1 : i + 2]]
                if row.gaps and not all(any(row.in_line(gap, other) for other in near) for gap in row.gaps):
                    row.give_up()
                    changed = True
            # What one row gives up may cost the row before it: the other way round, that is seen at once.
            order.reverse()
