"""What a user may ask of a picture, whatever its style."""

from __future__ import annotations

from cnndsl.record import Record

POINTS = {"in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "pt": 1.0, "px": 0.75}
"""Points to each unit of length that `--width` may have."""
SMALLEST = 7.0
"""Text of a printed figure is at least so large, in points."""

COLORS = ("kind", "params", "macs", "memory", "rf")
"""What the colour of a layer may tell."""
SHOWN = ("name", "shape", "params", "macs", "memory", "rf")
"""What the label of a layer may say besides what it is."""
DIRECTIONS = ("down", "right")
ENGINES = ("own", "dot")


class Wanted(Record):
    """Settings of a picture.

    width: of the page in points; None: as wide as it comes out. direction: of DIRECTIONS, where a graph runs. show:
    what labels say, of SHOWN. color: what colours tell, of COLORS; `change` in a picture of two networks. title: the
    line above the picture; None for none. legend: whether colours are explained. labels: whether layers are labelled.
    engine: of ENGINES, what lays a graph out. adapt: whether a graph may close blocks so that it is no wider than that.
    """

    width: float | None = None
    direction: str = "down"
    show: tuple[str, ...] = ("shape",)
    color: str = "kind"
    title: str | None = None
    legend: bool = False
    labels: bool = True
    engine: str = "own"
    adapt: bool = False
    size: float = 8.0
    """Of labels, in points."""
