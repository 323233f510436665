"""Pages of the reference on a terminal: the Markdown that `cnndsl.reference` makes, drawn.

It knows the Markdown that those pages have, and no more: headings, paragraphs, lists, tables, specs fenced or indented;
code, bold text and links within them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cnndsl.terminal import BOLD, CYAN, DIM, Look, pad, visible, width_of, wrap

WIDTH = 100
"""Cells of a line where the output is no terminal: prose is easier to read in lines."""

_SPEC = re.compile(r'("[^"]*")|(#.*)|^( *(?:network|block|train)\b)')
_SPEC_STYLES = (CYAN, DIM, BOLD)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKED = re.compile(r"\*\*(.+?)\*\*|`([^`]+)`")
_CODE = re.compile(r"`[^`]+`")
_HELD = "\x00"
"""Stands for a space within code, where a line is not broken."""


def render(page: str, look: Look) -> str:
    """A page as text. Code keeps its backquotes where there are no colours."""
    width = look.width or WIDTH
    return "\n".join(line.rstrip() for part in _parts(page) for line in (*_drawn(part, width, look), "")) + ""


def drawn_spec(text: str, look: Look) -> str:
    """A spec for a terminal: comments, strings and headers in styles of their own, nothing that moves the cursor."""

    def painted(found: re.Match[str]) -> str:
        return look.paint(found[0], _SPEC_STYLES[(found.lastindex or 1) - 1])

    return "".join(_SPEC.sub(painted, visible(line)) + "\n" for line in text.splitlines())


def _parts(page: str) -> Iterator[list[str]]:
    """The lines of a page in groups: what empty lines part, a fence with all that is in it."""
    group: list[str] = []
    fenced = False
    for line in page.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        if line or fenced:
            group.append(line)
        elif group:
            yield group
            group = []
    if group:
        yield group


def _drawn(lines: list[str], width: int, look: Look) -> list[str]:
    first = lines[0]
    if first.startswith("#"):
        return [look.paint(_plain(first.lstrip("# ")), BOLD)]
    if first.startswith("```"):
        return ["    " + line for line in drawn_spec("\n".join(lines[1:-1]), look).splitlines()]
    if first.startswith("    "):
        return drawn_spec("\n".join(lines), look).splitlines()
    if first.startswith("|"):
        return _table([_cells(line) for line in lines if not re.fullmatch(r"[| -]+", line)], width, look)
    if first.startswith("- "):
        items = re.split(r"(?m)^- ", "\n".join(lines))[1:]
        return [line for item in items for line in _paragraph(item, width, look, "- ")]
    return _paragraph(" ".join(lines), width, look)


def _paragraph(text: str, width: int, look: Look, lead: str = "") -> list[str]:
    wrapped = _wrapped(text, max(width - len(lead), 20), look)
    return [(lead if i == 0 else " " * len(lead)) + line for i, line in enumerate(wrapped)]


def _wrapped(text: str, width: int, look: Look) -> list[str]:
    """Text in lines, its marks drawn; code is not broken unless a line has no room for it."""
    text = " ".join(_without_links(text).split())
    held = _CODE.sub(lambda found: found[0].replace(" ", _HELD) if len(found[0]) < width else found[0], text)
    joined = "\n".join(wrap(held, width)).replace(_HELD, " ")
    return _painted(joined, look).split("\n")


def _painted(text: str, look: Look) -> str:
    """Bold text and code in their styles; broken code is drawn line by line."""

    def drawn(found: re.Match[str]) -> str:
        if found[1] is not None:
            return look.paint(found[1], BOLD)
        parts = found[2].split("\n") if look.colour else [found[0]]
        return "\n".join(look.paint(part, CYAN) for part in parts)

    return visible_lines(_MARKED.sub(drawn, text)) if not look.colour else _MARKED.sub(drawn, visible_lines(text))


def visible_lines(text: str) -> str:
    """Text whose lines hold nothing that a terminal takes for a command."""
    return "\n".join(map(visible, text.split("\n")))


def _without_links(text: str) -> str:
    return _LINK.sub(r"\1", text).replace("&lt;", "<").replace("\\|", "|")


def _plain(text: str) -> str:
    return visible(_MARKED.sub(lambda found: found[1] or found[2], _without_links(text)))


# --- tables ---------------------------------------------------------------------------------------------------------


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _table(rows: list[list[str]], width: int, look: Look) -> list[str]:
    """A table in columns, the last one wrapped; where there is no room for that, a list with the titles inside."""
    header, *body = rows
    shown = [[_without_links(cell) for cell in row] for row in rows]
    widths = [max(width_of(_bare(row[i], look)) for row in shown) for i in range(len(header))]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    if width - before >= min(widths[-1], 30):
        lines = [] if not any(header) else [_row(header, widths, look, BOLD, width - before)]
        return [
            line for group in [*lines, *(_row(row, widths, look, "", width - before) for row in body)] for line in group
        ]
    return [line for row in body for line in _entry(header, row, width, look)]


def _bare(text: str, look: Look) -> str:
    """Text as it will stand there, without styles."""
    return _MARKED.sub(lambda found: found[1] or (found[2] if look.colour else found[0]), text)


def _row(cells: list[str], widths: list[int], look: Look, style: str, room: int) -> list[str]:
    *front, last = cells
    lead, bare = "", ""
    for cell, width in zip(front, widths, strict=False):
        shown = _bare(_without_links(cell), look)
        fill = " " * (width - width_of(shown) + 2)
        lead += (look.paint(shown, style) if style else _painted(_without_links(cell), look)) + fill
        bare += pad(shown, width) + "  "
    lines = _wrapped(last, max(room, 20), look)
    if style:
        lines = [look.paint(line, style) for line in lines]
    return [lead + lines[0], *(" " * width_of(bare) + line for line in lines[1:])]


def _entry(header: list[str], row: list[str], width: int, look: Look) -> list[str]:
    """One row as a paragraph: its first cell, then the last one, then the others behind their titles."""
    others = "; ".join(f"{title}: {cell}" for title, cell in zip(header[1:-1], row[1:-1], strict=False) if cell)
    texts = [text for text in (row[-1] if len(row) > 1 else "", others) if text]
    lines = ["  " + line for line in _wrapped(row[0], width - 2, look)]
    return lines + ["      " + line for text in texts for line in _wrapped(text, width - 6, look)]
