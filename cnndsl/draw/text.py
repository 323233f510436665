"""How large a text is, known before anything is laid out: from the widths of the fonts that ship with cnndsl.

They are Liberation Sans, whose letters are as wide as Arial's and Helvetica's, so that a picture which names those
fonts first keeps its labels where they were measured.
"""

from __future__ import annotations

from functools import cache

from cnndsl.draw.metrics import BOLD, REGULAR

FAMILY = "Liberation Sans"
ASCENT, DESCENT = 0.74, 0.21
"""How far letters reach above and below their line, as shares of the size."""
LEADING = 1.22
"""From one line of text to the next, as a share of the size."""
_WIDE = 1000
"""Of letters that the fonts lack: those of East Asia fill a square."""


@cache
def _widths(bold: bool) -> dict[str, int]:
    return {letter: width for width, letters in (BOLD if bold else REGULAR).items() for letter in letters}


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line of text in points, at a size in points."""
    known = _widths(bold)
    return sum([known.get(letter, _WIDE) for letter in text]) * size / 1000


def covered(text: str) -> bool:
    """Whether the fonts have all letters of the text."""
    known = _widths(False)
    return all(letter in known for letter in text)


def widest(lines: tuple[str, ...], size: float, *, bold: bool = False) -> float:
    """The width of the widest line; 0 if there is none."""
    return max((width(line, size, bold=bold) for line in lines), default=0.0)


def cut(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, shortened with an ellipsis to fit into `room` points."""
    if width(text, size, bold=bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle] + "…", size, bold=bold) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """A text in lines of at most `room` points; a word wider than that is cut."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(cut(word, size, room, bold=bold))
    return lines
