"""PDF: vectors, with the letters that are used of the fonts that ship with cnndsl in the file."""

from __future__ import annotations

import io
import os
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from cnndsl.draw.formats import Paper
from cnndsl.draw.formats.paths import stroke
from cnndsl.draw.formats.pixels import as_png
from cnndsl.draw.geometry import area_of, marks_of
from cnndsl.draw.scene import Area, Image, Line, Mark, Point, Polygon, Rect, Scene, Text
from cnndsl.draw.text import width
from cnndsl.resources import folder
from cnndsl.terminal import visible

REGULAR, BOLD = "LiberationSans-Regular", "LiberationSans-Bold"
_CLEAR = 0.35
"""How much a texture covers of what is below it."""
_STEP = {"hatch": 2.8, "cross": 2.8, "dots": 3.0}
"""From one line, or dot, of a texture to the next."""


def render(scene: Scene, paper: Paper) -> bytes:
    """The picture as a PDF file of one page that is as large as the picture."""
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, os.path.join(folder("draw"), "fonts", f"{name}.ttf")))
    made = io.BytesIO()
    # invariant: without the time at which it was made.
    canvas = Canvas(made, pagesize=(scene.width, scene.height), invariant=1, pageCompression=1, initialFontName=REGULAR)
    canvas.setTitle(visible(scene.title))
    canvas.setSubject(visible(scene.description))
    canvas.setAuthor("")
    canvas.setCreator("cnndsl")
    canvas.setProducer("cnndsl")
    drawing = _Drawing(canvas, scene.height, paper)
    if paper.ground is not None:
        drawing.shape(Rect(Area(0.0, 0.0, scene.width, scene.height), None), HexColor(paper.ground))
    for mark in marks_of(scene):
        drawing.mark(mark)
    canvas.showPage()
    canvas.save()
    return made.getvalue()


class _Drawing:
    """Marks on a page, whose y runs upwards from the bottom."""

    def __init__(self, canvas: Any, height: float, paper: Paper) -> None:
        self.canvas = canvas
        self.height = height
        self.paper = paper

    def mark(self, mark: Mark) -> None:
        self.canvas.saveState()
        if isinstance(mark, Text):
            self.text(mark)
        elif isinstance(mark, Line):
            self.line(mark)
        elif isinstance(mark, Image):
            x, y = self._at((mark.area.x, mark.area.bottom))
            self.canvas.drawImage(ImageReader(io.BytesIO(as_png(mark))), x, y, mark.area.width, mark.area.height)
        else:
            self.shape(mark, self.color(mark.fill, mark.shade))
        self.canvas.restoreState()

    def color(self, role: str | None, shade: float = 0.0) -> Any:
        return HexColor(self.paper.color(role, shade)) if role is not None else None

    def text(self, mark: Text) -> None:
        canvas = self.canvas
        text = visible(mark.text)
        wide = width(text, mark.size, bold=mark.bold)
        canvas.translate(*self._at((mark.x, mark.y)))
        canvas.rotate(-mark.turned)
        canvas.setFont(BOLD if mark.bold else REGULAR, mark.size)
        canvas.setFillColor(self.color(mark.role))
        canvas.drawString({"start": 0.0, "middle": -wide / 2, "end": -wide}[mark.anchor], 0.0, text)

    def line(self, line: Line) -> None:
        canvas, drawn = self.canvas, stroke(line)
        color = self.color(line.role)
        self._pen(color, line.width, line.dash)
        path = canvas.beginPath()
        path.moveTo(*self._at(drawn.start))
        for step in drawn.steps:
            if step.first is None or step.second is None:
                path.lineTo(*self._at(step.end))
            else:
                path.curveTo(*self._at(step.first), *self._at(step.second), *self._at(step.end))
        canvas.drawPath(path, stroke=1, fill=0)
        canvas.setFillColor(color)
        for head in drawn.heads:
            canvas.drawPath(self._outline(head), stroke=0, fill=1)

    def shape(self, mark: Polygon | Rect, fill: Any) -> None:
        canvas = self.canvas
        if fill is not None:
            canvas.setFillColor(fill)
            canvas.setFillAlpha(mark.opacity)
            canvas.drawPath(self._form(mark), stroke=0, fill=1)
            canvas.setFillAlpha(1)
        if mark.texture is not None:
            self._texture(mark, mark.texture)
        if mark.stroke is not None:
            self._pen(self.color(mark.stroke), mark.width, mark.dash)
            canvas.drawPath(self._form(mark), stroke=1, fill=0)

    def _texture(self, mark: Polygon | Rect, texture: str) -> None:
        """Lines, or dots, on the shape alone."""
        canvas, area, step = self.canvas, area_of(mark), _STEP[texture]
        canvas.saveState()
        canvas.clipPath(self._form(mark), stroke=0, fill=0)
        canvas.setLineWidth(0.5)
        ink = self.color("text")
        canvas.setStrokeColor(ink)
        canvas.setFillColor(ink)
        canvas.setStrokeAlpha(_CLEAR)
        canvas.setFillAlpha(_CLEAR)
        path = canvas.beginPath()
        if texture == "dots":
            for row in range(int(area.height / step) + 1):
                for column in range(int(area.width / step) + 1):
                    x, y = self._at((area.x + (column + 0.5) * step, area.y + (row + 0.5) * step))
                    path.circle(x, y, 0.5)
        else:
            for slope in (1, -1) if texture == "cross" else (1,):
                self._hatch(path, area, step * 2**0.5, slope)
        canvas.drawPath(path, stroke=int(texture != "dots"), fill=int(texture == "dots"))
        canvas.restoreState()

    def _hatch(self, path: Any, area: Area, step: float, slope: int) -> None:
        """Diagonals over the whole area, upwards to the right if slope is 1."""
        for number in range(int((area.width + area.height) / step) + 1):
            x = area.x - area.height + (number + 0.5) * step
            start, end = (area.bottom, area.y) if slope == 1 else (area.y, area.bottom)
            path.moveTo(*self._at((x, start)))
            path.lineTo(*self._at((x + area.height, end)))

    def _form(self, mark: Polygon | Rect) -> Any:
        if isinstance(mark, Polygon):
            return self._outline(mark.points)
        path, area = self.canvas.beginPath(), mark.area
        x, y = self._at((area.x, area.bottom))
        radius = min(mark.radius, area.width / 2, area.height / 2)
        if radius:
            path.roundRect(x, y, area.width, area.height, radius)
        else:
            path.rect(x, y, area.width, area.height)
        return path

    def _outline(self, points: tuple[Point, ...]) -> Any:
        path = self.canvas.beginPath()
        path.moveTo(*self._at(points[0]))
        for point in points[1:]:
            path.lineTo(*self._at(point))
        path.close()
        return path

    def _pen(self, color: Any, wide: float, dash: tuple[float, ...]) -> None:
        self.canvas.setStrokeColor(color)
        self.canvas.setLineWidth(wide)
        self.canvas.setLineJoin(1)
        if dash:
            self.canvas.setDash(list(dash))

    def _at(self, point: Point) -> Point:
        return point[0], self.height - point[1]
