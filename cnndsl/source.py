"""Source text and the places in it.

A `Source` is a named text; a `Span` is a half-open range of code points in one. Everything that points
at a spec does so with spans, and only this module turns offsets into lines and columns.
"""

from __future__ import annotations

from bisect import bisect_right

from cnndsl.record import Record

MAX_BYTES = 8 * 1024 * 1024
"""A spec file may hold 8 MiB: forty times the largest that a person has written by hand."""


class Source:
    """A named text. `name` is the path as the user gave it, or `<stdin>`."""

    __slots__ = ("_starts", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._starts: list[int] | None = None

    @property
    def starts(self) -> list[int]:
        """The offset at which each line begins; made when first asked for."""
        if self._starts is None:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        """1-based line and column, in code points, of an offset."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its line end."""
        starts = self.starts
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r")

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {len(self.text)} characters)"


class Span(Record):
    """The code points `start` up to, not including, `end` of `source`."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    def to_json(self) -> dict[str, object]:
        """`{file, line, column, end_line, end_column}`, 1-based, the end exclusive."""
        line, column = self.source.position(self.start)
        end_line, end_column = self.source.position(self.end)
        return {
            "file": self.source.name,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
        }
