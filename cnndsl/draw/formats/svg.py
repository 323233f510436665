"""SVG: every thing a group with its name, its facts as a tooltip, text as text.

Colours are attributes, which every program reads. Where the reader's system chooses between light and dark, they also
have classes, and a style sheet gives these the dark colours: browsers heed it, and whatever knows no media queries
shows the light picture. All ids and rules begin with a name made from the picture's content, so that many pictures can
stand in one page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from zlib import crc32

from cnndsl.draw.formats import PAGE, Paper
from cnndsl.draw.formats.paths import number, stroke
from cnndsl.draw.scene import Arrow, Image, Line, Mark, Point, Polygon, Rect, Scene, Text, Thing
from cnndsl.terminal import visible

_DEFAULT_WIDTH = 0.6
"""Of outlines; written once."""
NONE = "none"
NAMELESS = "\0"
"""What no text of a file can hold, in the place of a name."""
_TEXTURES = {
    "hatch": (4.0, "M-1,1l2,-2M0,4l4,-4M3,5l2,-2"),
    "cross": (4.0, "M-1,1l2,-2M0,4l4,-4M3,5l2,-2M-1,3l2,2M0,0l4,4M3,-1l2,2"),
    "dots": (3.0, None),
}
"""The side of each pattern's tile, and its lines; None for a dot."""


def render(scene: Scene, paper: Paper) -> str:
    """The picture as an SVG file."""
    return Drawing(scene, paper).text()


class Drawing:
    """One picture on its way to SVG. Until the whole text is known, its ids begin with NAMELESS."""

    def __init__(self, scene: Scene, paper: Paper) -> None:
        self.scene = scene
        self.paper = paper
        self.name = NAMELESS
        self.ids = _ids(scene)
        self.classes: dict[str, tuple[str, str, float]] = {}
        """Property, role and shade of each class."""
        self.textures: set[str] = set()

    def text(self) -> str:
        """The whole file."""
        body = list(self.body())  # first: it finds the colours and patterns that the head declares
        patterns = list(map(self._pattern, sorted(self.textures)))
        text = "\n".join([*self._head(patterns), *body, "</svg>", ""])
        return text.replace(NAMELESS, f"c{crc32(text.encode()):08x}")

    def body(self) -> Iterator[str]:
        """What is painted, from back to front, a line for each element."""
        for thing in self.scene.things:
            if thing.holds:
                yield from self._thing(thing)
        for arrow in self.scene.arrows:
            yield from self._arrow(arrow)
        for thing in self.scene.things:
            if not thing.holds:
                yield from self._thing(thing)
        for mark in self.scene.marks:
            yield self._mark(mark)

    # --- the head -----------------------------------------------------------------------------------------------

    def _head(self, patterns: list[str]) -> Iterator[str]:
        scene, paper, name = self.scene, self.paper, self.name
        width, height = number(scene.width), number(scene.height)
        fonts = ", ".join(f"'{font}'" if " " in font else font for font in paper.theme.fonts)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" id="{name}" class="cnndsl" width="{width}pt" '
            f'height="{height}pt" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-title '
            f'{name}-desc" font-family="{escaped(fonts)}" stroke-width="{number(_DEFAULT_WIDTH)}" '
            'stroke-linejoin="round">'
        )
        yield f'<title id="{name}-title">{escaped(scene.title)}</title>'
        yield f'<desc id="{name}-desc">{_described(scene)}</desc>'
        ground = self._ground()
        yield from self._dark()
        if patterns:
            yield f"<defs>{''.join(patterns)}</defs>"
        if ground:
            yield ground

    def _ground(self) -> str:
        if self.paper.background is None:
            return ""
        paint = self._paint(PAGE) if self.paper.background == PAGE else f' fill="{self.paper.ground}"'
        return f'<rect width="{number(self.scene.width)}" height="{number(self.scene.height)}"{paint}/>'

    def _dark(self) -> Iterator[str]:
        """The style sheet for dark surroundings."""
        if not self.classes or not self.paper.asks:
            return
        hosts = self.paper.hosts
        light = "" if hosts is None else f":not(:is({','.join(hosts.light)}) *)"
        yield "<style>@media (prefers-color-scheme:dark){"
        yield from self._rules(f"#{self.name}{light}")
        yield "}"
        if hosts is not None:
            yield from self._rules(f":is({','.join(hosts.dark)}) #{self.name}")
        yield "</style>"

    def _rules(self, picture: str) -> Iterator[str]:
        """The dark colours of every class, for a picture that a selector finds."""
        for name, (attribute, role, shade) in sorted(self.classes.items()):
            yield f"{picture} .{name}{{{attribute}:{self.paper.theme.color(role, shade, dark=True)}}}"

    def _pattern(self, texture: str) -> str:
        side, lines = _TEXTURES[texture]
        size = number(side)
        head = f'<pattern id="{self.name}-{texture}" width="{size}" height="{size}" patternUnits="userSpaceOnUse">'
        if lines is None:
            inside = f'<circle cx="{number(side / 2)}" cy="{number(side / 2)}" r="0.5"{self._paint("text")}/>'
        else:
            inside = f'<path d="{lines}" stroke-width="0.5"{self._paint(NONE, "text")}/>'
        return f"{head}{inside}</pattern>"

    # --- things and arrows --------------------------------------------------------------------------------------

    def _thing(self, thing: Thing) -> Iterator[str]:
        data: dict[str, str | None] = {"name": thing.id, "kind": thing.kind, "in": thing.parent}
        if thing.count > 1:
            data["count"] = str(thing.count)
        if thing.span is not None and thing.span.source.text:
            data["line"] = str(thing.span.line)
        given = "".join(f' data-{name}="{escaped(value)}"' for name, value in data.items() if value)
        marked = {"holds": thing.holds, "fault": thing.fault is not None}
        kinds = " ".join(dict.fromkeys(["thing", thing.role, *(name for name, given in marked.items() if given)]))
        yield f'<g id="{self.name}-{self.ids[thing.id]}" class="{kinds}"{given}>'
        yield f"<title>{chr(10).join(map(escaped, told(thing)))}</title>"
        yield from map(self._mark, thing.marks)
        yield "</g>"

    def _arrow(self, arrow: Arrow) -> Iterator[str]:
        kinds = "arrow skip" if arrow.skip else "arrow"
        yield f'<g class="{kinds}" data-from="{escaped(arrow.source)}" data-to="{escaped(arrow.target)}">'
        if arrow.label:
            yield f"<title>{escaped(arrow.label)}</title>"
        yield self._line(arrow.line)
        if arrow.label_mark is not None:
            yield self._text(arrow.label_mark)
        yield "</g>"

    # --- marks --------------------------------------------------------------------------------------------------

    def _mark(self, mark: Mark) -> str:
        if isinstance(mark, Text):
            return self._text(mark)
        if isinstance(mark, Line):
            return self._line(mark)
        if isinstance(mark, Image):
            return _image(mark)
        return self._shape(mark)

    def _text(self, mark: Text) -> str:
        x, y = number(mark.x), number(mark.y)
        more = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
        if mark.bold:
            more += ' font-weight="bold"'
        if mark.turned:
            more += f' transform="rotate({number(mark.turned)} {x} {y})"'
        paint = self._paint(mark.role)
        return f'<text x="{x}" y="{y}" font-size="{number(mark.size)}"{more}{paint}>{escaped(mark.text)}</text>'

    def _shape(self, mark: Polygon | Rect) -> str:
        form, pen = self._form(mark), _pen(mark.width, mark.dash) if mark.stroke else ""
        clear = f' fill-opacity="{number(mark.opacity)}"' if mark.opacity < 1 and mark.fill else ""
        if mark.texture is None:
            return f"<{form}{self._paint(mark.fill or NONE, mark.stroke, mark.shade)}{clear}{pen}/>"
        self.textures.add(mark.texture)
        texture = f' fill="url(#{self.name}-{mark.texture})" fill-opacity="0.35"'
        below = f"<{form}{self._paint(mark.fill or NONE, shade=mark.shade)}{clear}/>"
        return f"{below}<{form}{texture}{self._paint(stroke=mark.stroke)}{pen}/>"

    def _form(self, mark: Polygon | Rect) -> str:
        if isinstance(mark, Polygon):
            return f'polygon points="{_points(mark.points)}"'
        x, y, width, height = map(number, mark.area)
        corners = f' rx="{number(mark.radius)}"' if mark.radius else ""
        return f'rect x="{x}" y="{y}" width="{width}" height="{height}"{corners}'

    def _line(self, line: Line) -> str:
        drawn = stroke(line)
        steps = [f"M{_points((drawn.start,))}"]
        for step in drawn.steps:
            curve = step.first is not None and step.second is not None
            steps.append(f"C{_points((step.first, step.second, step.end))}" if curve else f"L{_points((step.end,))}")  # type: ignore[arg-type]
        pen = _pen(line.width, line.dash)
        path = f'<path d="{"".join(steps)}"{self._paint(NONE, line.role)}{pen}/>'
        fill = self._paint(line.role) if drawn.heads else ""
        return path + "".join(f'<polygon points="{_points(head)}"{fill}/>' for head in drawn.heads)

    def _paint(self, fill: str | None = None, stroke: str | None = None, shade: float = 0.0) -> str:
        """The colours of a fill, with its shade, and of a stroke, as attributes; with classes where the reader's
        system is asked. A role may be NONE: then it is said that there is no colour."""
        names, plain = [], ""
        for attribute, role, dim in (("fill", fill, shade), ("stroke", stroke, 0.0)):
            if role is None:
                continue
            if role == NONE:
                plain += f' {attribute}="none"'
                continue
            plain += f' {attribute}="{self.paper.color(role, dim)}"'
            name = f"{attribute}-{role}" + (f"-{'d' if dim > 0 else 'l'}{abs(round(dim * 100))}" if dim else "")
            self.classes[name] = (attribute, role, dim)
            names.append(name)
        classes = f' class="{" ".join(names)}"' if names and self.paper.asks else ""
        return classes + plain


def _image(mark: Image) -> str:
    """The pixels as a PNG file within the picture; browsers are told not to smooth them, each in its own way."""
    from base64 import b64encode

    from cnndsl.draw.formats.pixels import as_png

    x, y, width, height = map(number, mark.area)
    data = b64encode(as_png(mark)).decode("ascii")
    return (
        f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" '
        f'image-rendering="optimizeSpeed" style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
    )


def escaped(text: str) -> str:
    """Text for XML, in content and in attributes. What XML lacks, or would turn letters around, is written out."""
    safe = visible(text)
    for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        safe = safe.replace(character, name)
    return safe


def _described(scene: Scene) -> str:
    return "\n".join(escaped(line) for line in (scene.description, *(f"Error: {fault}" for fault in scene.faults)))


def told(thing: Thing) -> list[str]:
    """What a thing tells who points at it: what it is, what is wrong with it, its facts."""
    title = " ".join(thing.label) or thing.id
    lines = [title if title == thing.id else f"{title} ({thing.id})"]
    if thing.fault is not None:
        lines.append(f"Error: {thing.fault}")
    return [*lines, *(f"{name}: {value}" for name, value in thing.facts)]


def _ids(scene: Scene) -> dict[str, str]:
    """For each thing its name with what ids may have, made unique."""
    taken: set[str] = {"title", "desc", *_TEXTURES}
    found: dict[str, str] = {}
    for thing in scene.things:
        plain = re.sub(r"[^A-Za-z0-9_]+", "-", thing.id).strip("-") or "thing"
        name, more = plain, 2
        while name in taken:
            name, more = f"{plain}-{more}", more + 1
        taken.add(name)
        found[thing.id] = name
    return found


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def _pen(width: float, dash: tuple[float, ...]) -> str:
    thick = "" if width == _DEFAULT_WIDTH else f' stroke-width="{number(width)}"'
    return thick + (f' stroke-dasharray="{" ".join(map(number, dash))}"' if dash else "")
