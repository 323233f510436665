"""Grids of small pictures with captions, from arrays to a scene: kernels, feature maps, examples.

Any format of `cnndsl.draw.formats` draws the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnndsl.draw import text as letters
from cnndsl.draw.scene import Area, Image, Mark, Rect, Scene, Text
from cnndsl.draw.wanted import SMALLEST

Pixels = NDArray[np.uint8]
"""Grey, rows x columns; or red, green and blue, rows x columns x 3."""

PAGE = 486.0
"""The width of a page of a paper, in points."""
MARGIN, GAP = 8.0, 8.0
_TITLE, _HEADING = 11.0, 9.0
_LINE = SMALLEST * letters.LEADING


class Tile(NamedTuple):
    """One small picture, and the lines below it. said: what it shows, for those who can't see it."""

    pixels: Pixels
    caption: tuple[str, ...] = ()
    said: str = ""


class Section(NamedTuple):
    """Tiles that belong together, below a heading; `note` is a line in small letters beside it."""

    title: str
    tiles: Sequence[Tile]
    note: str = ""


class _Layout(NamedTuple):
    """One section's measures: of its tiles, of the cells that they stand in, and how many stand in a row."""

    wide: float
    high: float
    cell: float
    lines: int
    columns: int


def grid(
    title: str, sections: Sequence[Section], description: str = "", *, side: float = 44.0, width: float = PAGE
) -> Scene:
    """A page of sections, as wide as `width` points at most.

    side: of a tile's longer side, in points. Captions that are wider than a tile make its cell wider, to twice as much;
    then they are cut. Without a title it begins with the first section.
    """
    marks, y, right = list[Mark](), MARGIN, MARGIN
    if title:
        marks.append(Text(MARGIN, MARGIN + letters.ASCENT * _TITLE, title, _TITLE, "start", bold=True))
        y, right = MARGIN + _TITLE * letters.LEADING, MARGIN + letters.width(title, _TITLE, bold=True)
    for section in sections:
        layout = _layout(section, side, width - 2 * MARGIN)
        if section.title:
            y += GAP / 2
            heading, right = _heading(section, y, right, width)
            marks += heading
            y += _HEADING * letters.LEADING
        y += GAP / 2
        for start in range(0, len(section.tiles), layout.columns):
            for column, tile in enumerate(section.tiles[start : start + layout.columns]):
                x = MARGIN + column * (layout.cell + GAP)
                marks += _tile(tile, x, y, layout)
                right = max(right, x + layout.cell)
            y += layout.high + layout.lines * _LINE + GAP
    return Scene(right + MARGIN, y - GAP + MARGIN, title, description or title, (), (), tuple(marks))


def _heading(section: Section, y: float, right: float, width: float) -> tuple[list[Mark], float]:
    base = y + letters.ASCENT * _HEADING
    room = width - 2 * MARGIN
    title = letters.cut(section.title, _HEADING, room, bold=True)
    wide = letters.width(title, _HEADING, bold=True)
    marks: list[Mark] = [Text(MARGIN, base, title, _HEADING, "start", bold=True)]
    end = MARGIN + wide
    if section.note and room - wide > 4 * GAP:
        note = letters.cut(section.note, SMALLEST, room - wide - GAP)
        marks.append(Text(end + GAP, base, note, SMALLEST, "start", "muted"))
        end += GAP + letters.width(note, SMALLEST)
    return marks, max(right, end)


def _layout(section: Section, side: float, room: float) -> _Layout:
    rows, columns = (max(sizes) for sizes in zip(*(tile.pixels.shape[:2] for tile in section.tiles), strict=True))
    scale = side / max(rows, columns)
    wide, high = max(columns * scale, 2.0), max(rows * scale, 2.0)
    captions = max(letters.widest(tile.caption, SMALLEST) for tile in section.tiles)
    cell = min(max(wide, min(captions, max(2 * wide, side))), room)
    lines = max(len(tile.caption) for tile in section.tiles)
    return _Layout(wide, high, cell, lines, max(1, int((room + GAP) // (cell + GAP))))


def _tile(tile: Tile, x: float, y: float, layout: _Layout) -> list[Mark]:
    rows, columns = tile.pixels.shape[:2]
    scale = min(layout.wide / columns, layout.high / rows)
    wide, high = columns * scale, rows * scale
    middle = x + layout.cell / 2
    area = Area(middle - wide / 2, y + (layout.high - high) / 2, wide, high)
    marks: list[Mark] = [Image(area, columns, rows, pixel_bytes(tile.pixels)), Rect(area, None, "outline", 0.4)]
    for number, line in enumerate(tile.caption):
        base = y + layout.high + 1.5 + number * _LINE + letters.ASCENT * SMALLEST
        shown = letters.cut(line, SMALLEST, layout.cell)
        marks.append(Text(middle, base, shown, SMALLEST, role="text" if number == 0 else "muted"))
    return marks


def pixel_bytes(pixels: Pixels) -> bytes:
    """The pixels as `cnndsl.draw.scene.Image` holds them."""
    colors = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
    return np.ascontiguousarray(colors, np.uint8).tobytes()


# --- from tensors to pixels -----------------------------------------------------------------------------------------


def of_image(stored: Tensor) -> Pixels:
    """A stored image, uint8, channels x rows x columns of 1 or 3 channels, as it is."""
    values: Pixels = stored.cpu().numpy()
    return values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))


def spread(values: Tensor) -> Pixels:
    """Values, rows x columns or 3 x rows x columns, from black, the lowest, to white, the highest. What is no finite
    number is black."""
    found = values.detach().to("cpu", torch.float64)
    finite = torch.isfinite(found)
    if not bool(finite.any()):
        return _bytes(torch.zeros_like(found))
    low, high = float(found[finite].min()), float(found[finite].max())
    return _bytes(torch.where(finite, (found - low) / ((high - low) or 1.0), 0.0))


def around_zero(values: Tensor, largest: float | None = None) -> Pixels:
    """Values, shaped as `spread` takes them, with 0 in the middle grey; black and white are as far from it as the value
    that is farthest, or as `largest`."""
    found = values.detach().to("cpu", torch.float64).nan_to_num(0.0, 0.0, 0.0)
    far = float(found.abs().max()) if largest is None else largest
    return _bytes((found / (2 * far) + 0.5 if far else found + 0.5).clamp(0, 1))


def _bytes(shares: Tensor) -> Pixels:
    whole = (shares * 255).round().to(torch.uint8)
    return of_image(whole if whole.dim() == 3 else whole[None])
