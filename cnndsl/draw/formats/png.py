"""PNG: the SVG drawn by resvg with the fonts that ship with cnndsl, the same pixels on every machine."""

from __future__ import annotations

import os
import struct
from zlib import crc32

import resvg_py

from cnndsl.draw.formats import Paper, svg
from cnndsl.draw.geometry import marks_of
from cnndsl.draw.scene import Scene, Text
from cnndsl.draw.text import covered
from cnndsl.resources import folder

_INEXACT = 1 - 1e-6
"""Sizes are rounded up: one that is whole must not become a pixel more."""
_PER_METRE = 100 / 2.54
_HEADER_ENDS = 33
"""The signature, and the chunk IHDR."""


def render(scene: Scene, paper: Paper) -> bytes:
    """The picture as a PNG file of `paper.dpi` pixels to an inch, which says so.

    Letters that the fonts lack, as those of East Asia, are looked for in the fonts of the machine.
    """
    fixed = paper._replace(mode="dark" if paper.dark else "light", background=paper.ground)
    place = os.path.join(folder("draw"), "fonts")
    files = [os.path.join(place, name) for name in sorted(os.listdir(place)) if name.endswith(".ttf")]
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg.render(scene, fixed),
        dpi=96,
        zoom=paper.dpi / 96 * _INEXACT,
        font_files=files,
        skip_system_fonts=all(covered(mark.text) for mark in marks_of(scene) if isinstance(mark, Text)),
    )
    return _sized(bytes(drawn), paper.dpi)


def _sized(png: bytes, dpi: float) -> bytes:
    """The file with its pixels' size in it, so that it is printed as wide as it was asked for."""
    pixels = round(dpi * _PER_METRE)
    body = b"pHYs" + struct.pack(">IIB", pixels, pixels, 1)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", crc32(body))
    return png[:_HEADER_ENDS] + chunk + png[_HEADER_ENDS:]
