"""Images within pictures: as PNG files, and as runs of pixels of one colour for formats that know only shapes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from cnndsl.draw.scene import Image
from cnndsl.record import Record

_GREY, _COLORS = 0, 2
"""Types of colour of the PNG specification."""


class Run(Record):
    """Neighbouring pixels of a row that have one colour: red, green and blue, 0 to 255."""

    row: int
    start: int
    length: int
    color: tuple[int, int, int]


def as_png(image: Image) -> bytes:
    """A PNG file of the pixels, 8 bits to a channel; in grey where they all are. The same bytes for the same pixels."""
    pixels = image.pixels
    grey = pixels[::3] == pixels[1::3] == pixels[2::3]
    values, kind = (pixels[::3], _GREY) if grey else (pixels, _COLORS)
    wide = len(values) // image.rows
    lines = b"".join(b"\0" + values[start : start + wide] for start in range(0, len(values), wide))
    head = struct.pack(">IIBBBBB", image.columns, image.rows, 8, kind, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    body = b"".join(chunk)
    return struct.pack(">I", len(chunk[1])) + body + struct.pack(">I", zlib.crc32(body))


def runs(image: Image) -> Iterator[Run]:
    """The image row by row, in runs as long as they can be."""
    for row in range(image.rows):
        first = 3 * row * image.columns
        line = image.pixels[first : first + 3 * image.columns]
        start = 0
        for column in range(1, image.columns + 1):
            color = line[3 * start : 3 * start + 3]
            if column == image.columns or line[3 * column : 3 * column + 3] != color:
                yield Run(row, start, column - start, (color[0], color[1], color[2]))
                start = column
