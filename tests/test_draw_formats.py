"""Formats of pictures: each file read by a program that was not written here, and every text safe in it."""

from __future__ import annotations

import io
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from cnndsl.draw.formats import FORMATS, PAGE, Paper, of_file, renderer
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Polygon, Rect, Scene, Text, Thing

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<&>\"'\\${}%#_^~`|;:-->]]>\x00\x07\x1b[31m\n\u202egnp.\ufeff\ud800é×→"


def thing(id: str, y: float, role: str = "convolution", label: str = "conv 3x3x8", **more: object) -> Thing:
    area = Area(20, y, 100, 24)
    marks: tuple[Mark, ...] = (Rect(area, role, radius=3), Text(70, y + 15, label, 8))
    return Thing(id, "conv", area, marks, (label,), (("output", "8x8x8"),), role, **more)  # type: ignore[arg-type]


def scene_of(*things: Thing, marks: tuple[Mark, ...] = (), title: str = "Small", fault: str = "") -> Scene:
    """The things one below the other, joined by arrows."""
    arrows = tuple(
        Arrow(a.id, b.id, Line(((70, a.area.bottom), (70, b.area.y)), head=True)) for a, b in pairwise(things)
    )
    return Scene(140, 60 + 50 * len(things), title, "What it is.", things, arrows, marks, (fault,) if fault else ())


def rich() -> Scene:
    """A scene with every kind of mark."""
    hold = Area(10, 4, 120, 150)
    holder = Thing("block", "block", hold, (Rect(hold, "group", "group-outline", radius=5),), holds=True, count=3)
    marks = (
        Polygon(((20, 120), (50, 110), (50, 150)), "pooling", shade=0.2, texture="hatch"),
        Polygon(((60, 120), (90, 110), (90, 150)), "dense", shade=-0.3, texture="dots", opacity=0.5),
        Rect(Area(95, 110, 20, 20), None, "outline", 1.2, texture="cross", dash=(2, 1)),
        Line(((5, 5), (5, 100), (60, 100), (60, 140)), "skip", 1.0, radius=6, head=True, tail=True, dash=(3, 2)),
        Text(135, 60, "turned", 7, "end", "muted", bold=True, turned=90),
    )
    made = scene_of(thing("a", 20, parent="block"), thing("b", 70, "merge", parent="block"), marks=marks)
    return made._replace(things=(holder, *made.things))


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(int)


# --- SVG ------------------------------------------------------------------------------------------------------------


def svg(scene: Scene, paper: Paper = Paper()) -> ElementTree.Element:  # noqa: B008
    text = renderer("svg")(scene, paper)
    assert isinstance(text, str)
    return ElementTree.fromstring(text)


def test_svg_says_what_it_is() -> None:
    root = svg(rich())
    names = {element.get("id"): element for element in root.iter() if element.get("id")}
    assert len(names) == len([element for element in root.iter() if element.get("id")])
    labels = [names[name].text for name in (root.get("aria-labelledby") or "").split()]
    assert labels == ["Small", "What it is."]
    assert root.get("role") == "img"
    assert (root.get("width"), root.get("viewBox")) == ("140pt", "0 0 140 160")
    groups = {group.get("data-name"): group for group in root.iter(SVG + "g") if group.get("data-name")}
    assert list(groups) == ["block", "a", "b"]
    assert groups["a"].get("data-in") == "block"
    assert groups["a"].findtext(SVG + "title") == "conv 3x3x8 (a)\noutput: 8x8x8"
    assert groups["a"].findtext(SVG + "text") == "conv 3x3x8"


def test_svg_without_a_reader_to_ask_has_no_style_sheet() -> None:
    for mode in ("light", "dark"):
        assert svg(rich(), Paper(mode=mode)).find(SVG + "style") is None
    sheet = svg(rich()).findtext(SVG + "style") or ""
    assert sheet.startswith("@media (prefers-color-scheme:dark){")


def test_a_scene_of_nothing_is_drawn() -> None:
    assert svg(Scene(10, 10, "Nothing", "", (), ())).tag == SVG + "svg"


def test_hostile_text_in_svg() -> None:
    scene = scene_of(thing(HOSTILE, 20, label=HOSTILE), thing("b", 70), title=HOSTILE, fault=HOSTILE)
    root = svg(scene._replace(description=HOSTILE))
    shown = root.findtext(f".//{SVG}text") or ""
    assert shown.startswith("<&>\"'\\${}%#_^~`|;:-->]]>\\x00\\x07\\x1b[31m\\n\\u202egnp.\\ufeff\\ud800é×→")


# --- PNG ------------------------------------------------------------------------------------------------------------


def test_png_has_the_pixels_and_the_size_that_were_asked_for() -> None:
    made = renderer("png")(scene_of(thing("a", 20)), Paper(dpi=144, background=PAGE))
    assert isinstance(made, bytes)
    image = Image.open(io.BytesIO(made))
    assert image.size == (280, 220)
    assert [round(value) for value in image.info["dpi"]] == [144, 144]


def test_png_has_ink_where_text_is() -> None:
    """The text alone, in the fonts that ship with the program: dark pixels where it stands, and nowhere else."""
    scene = Scene(100, 40, "", "", (), (), (Text(50, 20, "conv 3×3 → 64", 10),))
    drawn = pixels(renderer("png")(scene, Paper(dpi=144)))  # type: ignore[arg-type]
    rows, columns = np.nonzero(drawn[:, :, 3] > 128)
    assert 20 < rows.min() < rows.max() < 46
    assert abs(columns.min() + columns.max() - 200) < 6
    assert drawn[rows, columns, :3].max() < 0x60


def test_png_is_transparent_or_has_the_background() -> None:
    scene = scene_of(thing("a", 20))
    corners = {}
    for ground in (None, PAGE, "#336699"):
        corners[ground] = pixels(renderer("png")(scene, Paper(dpi=72, background=ground)))[0, 0].tolist()  # type: ignore[arg-type]
    assert corners == {None: [0, 0, 0, 0], PAGE: [255, 255, 255, 255], "#336699": [0x33, 0x66, 0x99, 255]}


# --- all ------------------------------------------------------------------------------------------------------------


def test_endings_are_known() -> None:
    assert [of_file(f"a{ending}") for one in FORMATS.values() for ending in one.endings] == list(FORMATS)
    assert of_file("figure.SVG") == "svg"
    assert of_file("figure") is None


def test_same_bytes_twice() -> None:
    for name, row in FORMATS.items():
        first, second = (renderer(name)(rich(), Paper()) for _ in range(2))
        assert first == second
        assert isinstance(first, bytes) == row.binary
