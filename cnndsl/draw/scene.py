"""A picture as plain data: boxes, arrows and labels with coordinates in points, y downwards.

Styles make scenes, formats draw them. Colours are named by what they mean (`convolution`, `text`, `fault`): the theme
says what they are. What a format needs besides shapes, to make a graph description or an interactive page of it,
stands with each thing: its id, its layer's facts, the thing it is in.
"""

from __future__ import annotations

from cnndsl.draw.page.model import Model
from cnndsl.record import Record
from cnndsl.source import Span

Point = tuple[float, float]


class Area(Record):
    """A rectangle along the axes."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


class Text(Record):
    """One line of text. y: its base line. anchor: `start`, `middle` or `end`, what stands at x. turned: degrees,
    clockwise, about (x, y). role: its colour."""

    x: float
    y: float
    text: str
    size: float
    anchor: str = "middle"
    role: str = "text"
    bold: bool = False
    turned: float = 0.0


class Polygon(Record):
    """A filled outline. fill, stroke: roles, None for none. shade: how much darker (below 0: lighter) than its role's
    colour it is, as the sides of a box in perspective. texture: a pattern over the fill, None or `hatch`, `cross`,
    `dots`. dash: lengths of strokes and gaps."""

    points: tuple[Point, ...]
    fill: str | None
    stroke: str | None = "outline"
    width: float = 0.6
    shade: float = 0.0
    opacity: float = 1.0
    texture: str | None = None
    dash: tuple[float, ...] = ()


class Rect(Record):
    """A rectangle, its corners rounded by `radius`; the rest as in Polygon."""

    area: Area
    fill: str | None
    stroke: str | None = "outline"
    width: float = 0.6
    radius: float = 0.0
    shade: float = 0.0
    opacity: float = 1.0
    texture: str | None = None
    dash: tuple[float, ...] = ()


class Line(Record):
    """A line through points, its corners rounded by `radius`; heads at its ends where asked for."""

    points: tuple[Point, ...]
    role: str = "arrow"
    width: float = 0.8
    radius: float = 0.0
    head: bool = False
    tail: bool = False
    dash: tuple[float, ...] = ()


class Image(Record):
    """Pixels that fill a rectangle, each a square of one colour. pixels: red, green and blue of each, a byte each, row
    by row from above."""

    area: Area
    columns: int
    rows: int
    pixels: bytes


Mark = Text | Polygon | Rect | Line | Image


class Thing(Record):
    """One box of a picture: a layer, a block, an input, with all the marks that draw it.

    id: unique in the scene, the name of its layer or block. kind: a layer kind, `block`, `repeat` or `input`. area: its
    bounds, which arrows end on. label: what it says, line by line. facts: its numbers by name, for people, as
    (`output`, `14x14x6`). parent: the id of the thing that it stands in. holds: whether others stand in it. count: how
    often it is repeated. span: its item in the spec. fault: what is wrong with it. tells: whether its label says that.
    """

    id: str
    kind: str
    area: Area
    marks: tuple[Mark, ...]
    label: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    role: str = "other"
    parent: str | None = None
    holds: bool = False
    count: int = 1  # type: ignore[assignment]  # hides tuple.count
    span: Span | None = None
    fault: str | None = None
    tells: bool = False


class Arrow(Record):
    """A tensor that goes from one thing to another. skip: whether it passes others by. label: its shape, where said;
    label_mark: where that is written."""

    source: str
    target: str
    line: Line
    skip: bool = False
    label: str = ""
    label_mark: Text | None = None


class Scene(Record):
    """A picture. things: those that hold others before what they hold. marks: what belongs to no thing, as a title or
    a legend. Painted in this order: things that hold others, arrows, other things, marks.

    width, height: of the page, whose left upper corner is (0, 0). title, description: what it shows, for those who
    can't see it. faults: what is wrong with the network, a text each. model: for a page that folds, which needs more
    than what is seen; None where nobody asked for it.
    """

    width: float
    height: float
    title: str
    description: str
    things: tuple[Thing, ...]
    arrows: tuple[Arrow, ...]
    marks: tuple[Mark, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    model: Model | None = None


def box(area: Area, *, around: float = 0.0) -> Area:
    """The area grown on every side."""
    return Area(area.x - around, area.y - around, area.width + 2 * around, area.height + 2 * around)
