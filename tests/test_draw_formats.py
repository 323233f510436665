"""Formats of pictures: each file read by a program that was not written here, and every text safe in it."""

from __future__ import annotations

import gc
import io
import json
import re
import string
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from shutil import which
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pypdf
import pytest
from PIL import Image

from cnndsl.cli import main
from cnndsl.draw.formats import FORMATS, PAGE, Paper, of_file, renderer
from cnndsl.draw.scene import Area, Arrow, Line, Mark, Polygon, Rect, Scene, Text, Thing
from cnndsl.terminal import visible
from cnndsl.zoo.index import NETWORKS

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


# --- PDF ------------------------------------------------------------------------------------------------------------


def page(scene: Scene, paper: Paper = Paper()) -> pypdf.PageObject:  # noqa: B008
    reader = pypdf.PdfReader(io.BytesIO(renderer("pdf")(scene, paper)), strict=True)  # type: ignore[arg-type]
    assert len(reader.pages) == 1
    assert reader.metadata is not None
    assert reader.metadata.title == visible(scene.title)
    return reader.pages[0]


def test_pdf_is_as_large_as_the_picture_and_keeps_its_text() -> None:
    made = page(rich())
    assert [float(value) for value in made.mediabox] == [0, 0, 140, 160]
    assert made.extract_text().splitlines() == ["conv 3x3x8", "conv 3x3x8", "turned"]


def test_pdf_embeds_all_its_fonts() -> None:
    fonts = page(rich())["/Resources"]["/Font"]
    names = {font["/BaseFont"] for font in (fonts[key].get_object() for key in fonts)}
    assert names == {"/AAAAAA+LiberationSans", "/AAAAAA+LiberationSans-Bold"}
    assert all("/FontFile2" in fonts[key].get_object()["/FontDescriptor"] for key in fonts)


def test_hostile_text_in_pdf() -> None:
    made = page(scene_of(thing(HOSTILE, 20, label=HOSTILE), title=HOSTILE))
    assert made.extract_text().strip() == visible(HOSTILE)


@pytest.mark.skipif(which("pdftoppm") is None, reason="poppler's pdftoppm is not there")
def test_pdf_looks_like_png(tmp_path: Path) -> None:
    """Two renderers that share nothing below the scene agree on nearly every pixel."""
    (tmp_path / "a.pdf").write_bytes(renderer("pdf")(rich(), Paper()))  # type: ignore[arg-type]
    subprocess.run(["pdftoppm", "-r", "72", "-png", "-singlefile", "a.pdf", "a"], cwd=tmp_path, check=True)
    one = pixels((tmp_path / "a.png").read_bytes())[:, :, :3]
    other = pixels(renderer("png")(rich(), Paper(dpi=72, background="#ffffff")))[:, :, :3]  # type: ignore[arg-type]
    assert one.shape == other.shape
    assert np.abs(one - other).mean() < 5
    assert (np.abs(one - other).max(axis=2) > 128).mean() < 0.01


# --- DOT ------------------------------------------------------------------------------------------------------------


def test_dot_is_laid_out_by_graphviz() -> None:
    root = graphviz(rich())
    titles = [group.findtext(SVG + "title") for group in root.iter(SVG + "g") if group.get("class")]
    assert titles == ["Small", "cluster block", "a", "b", "a->b"]
    assert [text.text for text in root.iter(SVG + "text")] == ["block ×3", "conv 3x3x8", "conv 3x3x8"]


def test_hostile_text_in_dot() -> None:
    root = graphviz(scene_of(thing("a", 20, label=HOSTILE), thing(HOSTILE, 70), thing("\\", 120), title=HOSTILE))
    assert root.findtext(f".//{SVG}text") == visible(HOSTILE)
    assert len([g for g in root.iter(SVG + "g") if g.get("class") == "node"]) == 3
    assert len([g for g in root.iter(SVG + "g") if g.get("class") == "edge"]) == 2


def graphviz(scene: Scene) -> ElementTree.Element:
    """What `dot` makes of a scene."""
    if which("dot") is None:
        pytest.skip("Graphviz is not there")
    source = renderer("dot")(scene, Paper())
    run = subprocess.run(["dot", "-Tsvg"], input=source, capture_output=True, encoding="utf-8", check=True)
    assert run.stderr == ""
    return ElementTree.fromstring(run.stdout)


# --- TikZ -----------------------------------------------------------------------------------------------------------


def typeset(source: str, folder: Path) -> pypdf.PageObject:
    """The only page that pdflatex makes of a document, without a complaint."""
    if which("pdflatex") is None:
        pytest.skip("LaTeX is not there")
    (folder / "a.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace")
    if "not found" in run.stdout:
        pytest.skip("LaTeX lacks TikZ")
    assert run.returncode == 0, run.stdout
    assert not re.findall("(?m)^(?:!|.*Warning|Overfull|Missing).*", run.stdout)
    reader = pypdf.PdfReader(folder / "a.pdf")
    assert len(reader.pages) == 1
    return reader.pages[0]


def test_tikz_is_a_document(tmp_path: Path) -> None:
    made = typeset(str(renderer("tikz")(rich(), Paper(background=PAGE))), tmp_path)
    assert [round(float(value), 1) for value in made.mediabox] == [0, 0, 140, 160]
    assert made.extract_text().split() == ["conv", "3x3x8", "conv", "3x3x8", "turned"]


@pytest.mark.skipif(which("pdftoppm") is None, reason="poppler's pdftoppm is not there")
def test_tikz_looks_like_png(tmp_path: Path) -> None:
    made = rich()._replace(marks=tuple(mark for mark in rich().marks if getattr(mark, "texture", None) is None))
    typeset(str(renderer("tikz")(made, Paper(background=PAGE))), tmp_path)
    subprocess.run(["pdftoppm", "-r", "72", "-png", "-singlefile", "a.pdf", "a"], cwd=tmp_path, check=True)
    one = pixels((tmp_path / "a.png").read_bytes())[:160, :140, :3]
    other = pixels(renderer("png")(made, Paper(dpi=72, background=PAGE)))[:, :, :3]  # type: ignore[arg-type]
    assert np.abs(one - other).mean() < 5
    assert (np.abs(one - other).max(axis=2) > 128).mean() < 0.015


def test_tikz_goes_into_a_document(tmp_path: Path) -> None:
    picture = renderer("tikz")(rich(), Paper(preamble=False))
    (tmp_path / "picture.tex").write_text(str(picture), encoding="utf-8")
    document = r"""\documentclass{article}\usepackage{tikz}\usetikzlibrary{arrows.meta,patterns}\begin{document}
        \begin{figure}\centering\input{picture.tex}\caption{A caption.}\end{figure}\end{document}"""
    assert "caption" in typeset(document, tmp_path).extract_text()


def test_hostile_text_in_tikz(tmp_path: Path) -> None:
    labels = [HOSTILE, string.printable, "^^41 \\input{x} \\end ~~ -- ,, '' é ü Ł α ß 中"]
    things = [thing(HOSTILE * number, 20.0 * number, label=label) for number, label in enumerate(labels, 1)]
    made = typeset(str(renderer("tikz")(scene_of(*things, title=HOSTILE), Paper())), tmp_path)
    shown = "".join(made.extract_text().split())
    assert "x00\\x07\\x1b[31m\\n\\u202egnp.\\ufeff\\ud800" in shown
    assert string.digits + string.ascii_letters in shown
    assert shown.endswith("[U+4E2D]")


# --- Mermaid --------------------------------------------------------------------------------------------------------

NODE = Path(sys.prefix) / "node"
"""Where `.ci/run` installs the packages mermaid and jsdom."""
READ = """
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";
globalThis.window = new JSDOM("").window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false });
const read = [];
for (const text of CHARTS) {
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    const nodes = [...db.getVertices().values()].map((node) => [node.id, node.text]);
    const groups = db.getSubGraphs().map((group) => [group.title, [...group.nodes].sort()]);
    const edges = db.getEdges().map((edge) => [edge.start, edge.end, edge.text]);
    read.push({ nodes, groups, edges, title: db.getAccTitle() });
}
console.log(JSON.stringify(read));
"""


def parsed(charts: list[str]) -> list[dict[str, Any]]:
    """What the parser of Mermaid itself reads."""
    if which("node") is None or not (NODE / "node_modules" / "mermaid").is_dir():
        pytest.skip("Node.js or the packages mermaid and jsdom are not there")
    command = ["node", "--input-type=module", "-"]
    run = subprocess.run(
        command, input=READ.replace("CHARTS", json.dumps(charts)), cwd=NODE, capture_output=True, encoding="utf-8"
    )
    assert run.returncode == 0, run.stderr
    read: list[dict[str, Any]] = json.loads(run.stdout)
    return read


def decoded(text: str) -> str:
    """A label as Mermaid shows it: its parser keeps `#60;` as a sign that stands for the number."""
    return re.sub("ﬂ°°([0-9]+)¶ß", lambda found: chr(int(found.group(1))), text)


def test_mermaid_reads_what_was_meant() -> None:
    labels = [HOSTILE, "- end", "+ 1", "1. *a* _b_ #35; $$x$$", "a\\nb", "@{shape: x}"]
    things = [thing("end" + label, 20.0 * number, label=label) for number, label in enumerate(labels)]
    scenes = (rich(), scene_of(*things, title=HOSTILE))
    plain, hostile = parsed([str(renderer("mermaid")(scene, Paper())) for scene in scenes])
    assert plain == {
        "nodes": [["n1", "conv 3x3x8"], ["n2", "conv 3x3x8"]],
        "groups": [["block ×3", ["n1", "n2"]]],
        "edges": [["n1", "n2", ""]],
        "title": "Small",
    }
    assert [decoded(text) for _, text in hostile["nodes"]] == [visible(label) for label in labels]
    assert decoded(hostile["title"]) == visible(HOSTILE)
    assert len(hostile["edges"]) == len(labels) - 1


# --- the zoo --------------------------------------------------------------------------------------------------------

NAMED = ("crnn", "densenet121", "googlenet", "lenet5", "resnet50", "siamese", "unet", "vae", "vit_b_16", "yolov3_spp")
EACH = tuple({row[0]: name for name, row in NETWORKS.items()}.values())
LARGEST_SVG = 200_000
"""Bytes of any network's picture: what a page loads at once."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Path]]]:
    """Networks of the zoo drawn by the command, with its options: their files."""
    monkeypatch.chdir(tmp_path)

    def drawn(names: Iterable[str], ending: str, *options: str) -> list[Path]:
        assert main(["draw", *names, "-o", f"{{name}}.{ending}", *options]) == 0
        return sorted(tmp_path.glob(f"*.{ending}"))

    yield drawn
    gc.enable()


several = pytest.mark.parametrize("names", [NAMED, pytest.param(EACH, marks=pytest.mark.slow)], ids=["some", "all"])
styles = pytest.mark.parametrize("style", ["volumes", "graph"])


@styles
@several
def test_zoo_in_svg(files: Callable[..., list[Path]], names: tuple[str, ...], style: str) -> None:
    made = files(names, "svg", "--style", style)
    assert len(made) == len(names)
    for path in made:
        root = ElementTree.parse(path).getroot()
        known = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(known) == len(set(known))
        assert path.stat().st_size < LARGEST_SVG


@styles
@several
def test_zoo_in_dot(files: Callable[..., list[Path]], names: tuple[str, ...], style: str) -> None:
    if which("dot") is None:
        pytest.skip("Graphviz is not there")
    made = files(names, "dot", "--style", style)
    run = subprocess.run(["dot", "-Tcanon", *map(str, made)], capture_output=True, encoding="utf-8", check=True)
    assert run.stderr == ""
    assert run.stdout.count("digraph ") == len(names)


def test_a_block_and_what_is_in_it_are_joined_by_ports() -> None:
    scene = rich()
    inner = (Arrow("block", "a", scene.arrows[0].line), Arrow("b", "block", scene.arrows[0].line))
    root = graphviz(scene._replace(arrows=(*scene.arrows, *inner)))
    edges = [g.findtext(SVG + "title") or "" for g in root.iter(SVG + "g") if g.get("class") == "edge"]
    assert sorted(edges) == ["a->b", "b->block:out", "block:in->a"]


@several
def test_zoo_in_mermaid(files: Callable[..., list[Path]], names: tuple[str, ...]) -> None:
    made: list[str] = []
    for style in ("volumes", "graph"):
        made += [path.read_text(encoding="utf-8") for path in files(names, "mmd", "--style", style)]
    assert max(map(len, made)) < 50_000  # what Mermaid, and with it GitHub, draws at most
    for read in parsed(made):
        assert read["nodes"]
        assert 0 < len(read["edges"]) <= 500
        assert all(source != target for source, target, _ in read["edges"])


@styles
@pytest.mark.parametrize("name", ["unet", *(pytest.param(name, marks=pytest.mark.slow) for name in EACH)])
def test_zoo_in_tikz(files: Callable[..., list[Path]], name: str, style: str, tmp_path: Path) -> None:
    (made,) = files([name], "tex", "--style", style)
    typeset(made.read_text(encoding="utf-8"), tmp_path)


@pytest.mark.parametrize("name", ["lenet5", *(pytest.param(name, marks=pytest.mark.slow) for name in EACH)])
def test_zoo_in_pdf(files: Callable[..., list[Path]], name: str) -> None:
    """The same words in the same order as in SVG."""
    (made,), (drawn,) = files([name], "pdf"), files([name], "svg")
    words = " ".join(text.text or "" for text in ElementTree.parse(drawn).iter(SVG + "text"))
    text = pypdf.PdfReader(made, strict=True).pages[0].extract_text()
    assert "".join(text.split()) == "".join(words.split())


# --- all ------------------------------------------------------------------------------------------------------------


def test_endings_are_known() -> None:
    assert all(of_file(f"a{ending}") == name for name, one in FORMATS.items() for ending in one.endings)
    assert of_file("figure.SVG") == "svg"
    assert of_file("figure") is None


def test_same_bytes_twice() -> None:
    for name, row in FORMATS.items():
        if row.explores:
            continue  # it needs a network: tests/test_page_model.py
        first, second = (renderer(name)(rich(), Paper()) for _ in range(2))
        assert first == second
        assert isinstance(first, bytes) == row.binary
