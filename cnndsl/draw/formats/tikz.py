"""TikZ: a document that LaTeX turns into the picture, or the picture alone for a document of one's own.

Coordinates are those of the scene, in big points; colours have names, so that a document can define others. Labels are
in the document's own sans serif, made narrower where that is wider than the letters that were measured.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from cnndsl.draw.formats import Paper
from cnndsl.draw.formats.paths import head_length, number, stroke
from cnndsl.draw.formats.pixels import runs
from cnndsl.draw.scene import Arrow, Image, Line, Mark, Point, Polygon, Rect, Scene, Text
from cnndsl.draw.text import width
from cnndsl.terminal import visible

_HEAD = r"""\RequirePackage{fix-cm}
\documentclass{article}
\IfFileExists{tgheros.sty}{\usepackage[T1]{fontenc}\usepackage{tgheros}}{}
\usepackage{tikz}
\usetikzlibrary{arrows.meta,patterns}
"""
_BODY = r"""\pagestyle{empty}
\parindent=0bp
\topskip=0bp
\begin{document}%
"""
_FIT = r"\def\cnnfit#1#2{\setbox0\hbox{#2}\ifdim\wd0>#1\resizebox{#1}{\height}{\box0}\else\box0\fi}"
r"""`\cnnfit{40bp}{text}`: the text, no wider than that."""
_DEFAULT_WIDTH = 0.6
_TEXTURES = {"hatch": "north east lines", "cross": "crosshatch", "dots": "dots"}
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def render(scene: Scene, paper: Paper) -> str:
    """The picture as a document, or without its preamble."""
    picture = "\n".join(_Picture(scene, paper).lines())
    title = f"% {visible(scene.description or scene.title)}\n"
    if not paper.preamble:
        needed = r"% It needs \usepackage{tikz} and \usetikzlibrary{arrows.meta,patterns}."
        return f"{title}{needed}\n{picture}\n"
    size = f"paperwidth={number(scene.width)}bp,paperheight={number(scene.height)}bp,margin=0bp"
    return f"{title}{_HEAD}\\usepackage[{size}]{{geometry}}\n{_BODY}{picture}\n\\end{{document}}\n"


class _Picture:
    def __init__(self, scene: Scene, paper: Paper) -> None:
        self.scene = scene
        self.paper = paper
        self.roles: dict[str, None] = {}

    def lines(self) -> Iterator[str]:
        scene, ground = self.scene, self.paper.ground
        body = list(self._body())
        yield (
            rf"\begin{{tikzpicture}}[x=1bp, y=-1bp, line width={number(_DEFAULT_WIDTH)}bp, line join=round, "
            r"words/.style={inner sep=0bp, outer sep=0bp, font=\sffamily\fontsize{#1bp}{#1bp}\selectfont}]"
        )
        yield _FIT
        for role in sorted(self.roles):
            yield rf"\definecolor{{cnn-{role}}}{{HTML}}{{{self.paper.color(role)[1:].upper()}}}"
        page = f"(0,0) rectangle ({number(scene.width)},{number(scene.height)})"
        if ground is not None:
            yield rf"\definecolor{{cnn-page}}{{HTML}}{{{ground[1:].upper()}}}"
            yield rf"\fill[cnn-page] {page};"
        yield rf"\useasboundingbox {page};"
        yield from body
        yield r"\end{tikzpicture}%"

    def _body(self) -> Iterator[str]:
        """A command for each mark, below a comment for each thing."""
        for thing in self.scene.things:
            if thing.holds:
                yield f"% {visible(thing.id)}"
                yield from map(self._mark, thing.marks)
        for arrow in self.scene.arrows:
            yield from self._arrow(arrow)
        for thing in self.scene.things:
            if not thing.holds:
                yield f"% {visible(thing.id)}"
                yield from map(self._mark, thing.marks)
        yield from map(self._mark, self.scene.marks)

    def _arrow(self, arrow: Arrow) -> Iterator[str]:
        yield self._line(arrow.line)
        if arrow.label_mark is not None:
            yield self._text(arrow.label_mark)

    def _mark(self, mark: Mark) -> str:
        if isinstance(mark, Text):
            return self._text(mark)
        if isinstance(mark, Line):
            return self._line(mark)
        if isinstance(mark, Image):
            return "\n".join(_image(mark))
        return self._shape(mark)

    def _text(self, mark: Text) -> str:
        options = [f"words={number(mark.size)}", f"anchor={_ANCHORS[mark.anchor]}", f"text={self._color(mark.role)}"]
        if mark.turned:
            options.append(f"rotate={number(-mark.turned)}")
        series = r"\bfseries " if mark.bold else ""
        room = number(width(visible(mark.text), mark.size, bold=mark.bold))
        fitted = rf"\cnnfit{{{room}bp}}{{{series}{escaped(mark.text)}}}"
        return rf"\node[{', '.join(options)}] at {_at((mark.x, mark.y))} {{{fitted}}};"

    def _shape(self, mark: Polygon | Rect) -> str:
        form, corners = self._form(mark)
        fill = [f"fill={self._color(mark.fill, mark.shade)}"] if mark.fill is not None else []
        if fill and mark.opacity < 1:
            fill.append(f"fill opacity={number(mark.opacity)}")
        pen = [f"draw={self._color(mark.stroke)}", *_pen(mark.width, mark.dash)] if mark.stroke is not None else []
        if mark.texture is None:
            return rf"\path[{', '.join([*fill, *pen, *corners])}] {form};"
        # Patterns are opaque: what would shine through is mixed into their colour.
        ink = self._color("text") + "!35" + (f"!{self._color(mark.fill, mark.shade)}" if mark.fill is not None else "")
        texture = [f"pattern={_TEXTURES[mark.texture]}", f"pattern color={ink}"]
        below = rf"\path[{', '.join([*fill, *corners])}] {form};"
        return rf"{below}\path[{', '.join([*texture, *pen, *corners])}] {form};"

    def _form(self, mark: Polygon | Rect) -> tuple[str, list[str]]:
        """A path, and the option that rounds its corners."""
        if isinstance(mark, Polygon):
            return " -- ".join([*map(_at, mark.points), "cycle"]), []
        area = mark.area
        radius = min(mark.radius, area.width / 2, area.height / 2)
        corners = [f"rounded corners={number(radius)}bp"] if radius else []
        return f"{_at((area.x, area.y))} rectangle {_at((area.right, area.bottom))}", corners

    def _line(self, line: Line) -> str:
        drawn = stroke(line._replace(head=False, tail=False))  # TikZ has heads of its own, and shortens lines for them
        path = [_at(drawn.start)]
        for step in drawn.steps:
            if step.first is None or step.second is None:
                path.append(f"-- {_at(step.end)}")
            else:
                path.append(f".. controls {_at(step.first)} and {_at(step.second)} .. {_at(step.end)}")
        length = head_length(line)
        tip = f"{{Triangle[length={number(length)}bp, width={number(0.8 * length)}bp]}}"
        heads = [f"{tip * line.tail}-{tip * line.head}"] if line.head or line.tail else []
        return rf"\draw[{', '.join([self._color(line.role), *_pen(line.width, line.dash), *heads])}] {' '.join(path)};"

    def _color(self, role: str, shade: float = 0.0) -> str:
        self.roles[role] = None
        if not shade:
            return f"cnn-{role}"
        return f"cnn-{role}!{round(100 - abs(shade) * 100)}!{'black' if shade > 0 else 'white'}"


def _image(mark: Image) -> Iterator[str]:
    """A rectangle for each run of pixels of one colour."""
    wide, high = mark.area.width / mark.columns, mark.area.height / mark.rows
    for run in runs(mark):
        red, green, blue = run.color
        x, y = mark.area.x + run.start * wide, mark.area.y + run.row * high
        corners = f"{_at((x, y))} rectangle {_at((x + run.length * wide, y + high))}"
        yield rf"\fill[fill={{rgb,255:red,{red};green,{green};blue,{blue}}}] {corners};"


def _pen(wide: float, dash: tuple[float, ...]) -> list[str]:
    options = [] if wide == _DEFAULT_WIDTH else [f"line width={number(wide)}bp"]
    if dash:
        parts = [f"{'off' if index % 2 else 'on'} {number(length)}bp" for index, length in enumerate(dash)]
        options.append(f"dash pattern={' '.join(parts)}")
    return options


def _at(point: Point) -> str:
    return f"({number(point[0])},{number(point[1])})"


# --- text -----------------------------------------------------------------------------------------------------------

_SPECIAL = {
    "\\": r"$\backslash$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': r"{\ttfamily\char34}",
    "`": r"{\ttfamily\char96}",
    "'": r"{\ttfamily\char39}",
    **{character: f"$\\{character}$" for character in "{}"},
    **{character: f"\\{character}" for character in "&#%_"},
    "$": r"$\mathdollar$",
    # Two of these in a row would be one sign.
    **{character: f"{character}{{}}" for character in "-,?!"},
    "×": r"$\times$",
    "·": r"$\cdot$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "°": r"$^\circ$",
    "²": "$^2$",
    "³": "$^3$",
    "…": r"\dots{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
_GREEK = "GREEK SMALL LETTER "


def escaped(text: str) -> str:
    """Text for LaTeX with any engine and any encoding of fonts. A letter that it has no name for is written as its
    number."""
    return "".join(map(_letter, visible(text)))


def _letter(letter: str) -> str:
    known = _SPECIAL.get(letter)
    if known is not None:
        return known
    if letter.isascii():
        return letter
    parts = unicodedata.normalize("NFD", letter)
    if len(parts) == 2 and parts[1] in _ACCENTS and parts[0].isascii():
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    name = unicodedata.name(letter, "")
    if name.startswith(_GREEK) and name.count(" ") == 3 and name != _GREEK + "OMICRON" and "FINAL" not in name:
        return f"$\\{name.removeprefix(_GREEK).lower().replace('lamda', 'lambda')}$"
    return f"[U+{ord(letter):04X}]"
