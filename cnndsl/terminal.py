"""What a terminal can show: its width, colours and characters, and text made fit for it.

Every text of a spec that reaches a terminal goes through `visible`, so that a spec can neither move the
cursor nor turn letters around; every width is counted by `width_of`, in cells, not in code points.
"""

from __future__ import annotations

import os
from typing import Any

from cnndsl.record import Record

RED, GREEN, YELLOW, CYAN = "31", "32", "33", "36"
BOLD, DIM = "1", "2"

_DRAWN = "│─·…"
"""Every character besides ASCII that this program draws with."""


class Look(Record):
    """How text is to be drawn. The default is plain: any width, no colours, ASCII.

    width: cells in a line, or None where lines may have any length (files and pipes). terminal: whether it is one,
    and no file or pipe of some width.
    """

    width: int | None = None
    colour: bool = False
    unicode: bool = False
    terminal: bool = False

    def paint(self, text: str, *styles: str) -> str:
        """The text in a style (`RED`, `BOLD`, …), where there are colours."""
        return f"\x1b[{';'.join(styles)}m{text}\x1b[0m" if self.colour and text and styles else text

    def drawn(self, character: str, ascii: str) -> str:
        """The character, or what stands for it in ASCII."""
        return character if self.unicode else ascii


PLAIN = Look()


def look_of(stream: Any, color: str = "auto") -> Look:
    """What the stream can show. `color` is `auto`, `always` or `never`.

    A stream that is no terminal gets plain text of any width, or of COLUMNS. NO_COLOR, FORCE_COLOR, TERM=dumb and a
    locale that is explicitly C are heeded.
    """
    terminal = is_terminal(stream)
    return Look(
        _asked_columns() or (_columns(stream) if terminal else None),
        color == "always" or (color == "auto" and _wants_colour(terminal)),
        terminal and _says(stream, _DRAWN),
        terminal,
    )


def is_terminal(stream: Any) -> bool:
    """Whether somebody sees what is written to a stream, so that nothing in it may move the cursor."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):
        return False


def _wants_colour(terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def _asked_columns() -> int:
    """What COLUMNS says; 0 if that is no width."""
    given = os.environ.get("COLUMNS", "")
    return int(given[:6]) if given.isascii() and given.isdigit() else 0


def _columns(stream: Any) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (AttributeError, ValueError, OSError):
        return 80


def _says(stream: Any, text: str) -> bool:
    """Whether the stream can write the text. Python writes UTF-8 even where the locale is C, so that is asked too."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG")
    if locale in ("C", "POSIX"):
        return False
    try:
        text.encode(stream.encoding or "ascii")
    except (AttributeError, LookupError, UnicodeEncodeError):
        return False
    return True


def write(stream: Any, text: str) -> None:
    """Write text as it is; what the stream's encoding has no character for is written as `\\xe9`.

    Raises OSError where the stream can't be written, BrokenPipeError where nobody reads it.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        encoded = text.encode(encoding, "backslashreplace")
    except LookupError:
        encoded = text.encode("ascii", "backslashreplace")
    binary = getattr(stream, "buffer", None)
    if binary is None:
        stream.write(encoded.decode(encoding))
        return
    stream.flush()
    binary.write(encoded)


# --- text -----------------------------------------------------------------------------------------------------------


def visible(text: str) -> str:
    """The text in one line, every character in it seen: controls, terminal escapes, invisible and turning ones
    are written out (`\\x1b`, `\\u202e`). This is the one way in which a spec's text gets to a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _written_out(c) for c in text)


def _written_out(character: str) -> str:
    known = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
    number = ord(character)
    if number < 0x100:
        return known.get(character) or f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def width_of(text: str) -> int:
    """How many cells a terminal needs for visible text: two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if character.isascii():
        return 1
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text filled up with spaces to `width` cells; `right` puts the text at the end."""
    fill = " " * (width - width_of(text))
    return fill + text if right else text + fill


def shorten(text: str, width: int, mark: str) -> str:
    """The text in at most `width` cells: its end, which tells paths such as `stage1.conv2` apart, after a mark."""
    if width_of(text) <= width:
        return text
    room = width - len(mark)
    if room <= 0:
        return mark[: max(width, 0)]
    start = len(text)
    while start and width_of(text[start - 1 :]) <= room:
        start -= 1
    return mark + text[start:]


def wrap(text: str, width: int | None) -> list[str]:
    """The text in lines of at most `width` cells, broken at spaces; a longer word has a line of its own."""
    if width is None or width_of(text) <= width:
        return [text]
    lines: list[str] = []
    line, used = "", 0
    for word in text.split(" "):
        cells = width_of(word)
        if line and used + 1 + cells > width:
            lines.append(line)
            line, used = word, cells
        else:
            line, used = (f"{line} {word}", used + 1 + cells) if line else (word, cells)
    return [*lines, line]
