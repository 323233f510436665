"""Specs from Python: numbers, drawings and pages without PyTorch, as a notebook would show them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import cnndsl
from cnndsl.draw.theme import DARK, LIGHT
from tests.browser import Page, chromium, needs_chromium, opened

__all__ = ["chromium", "opened"]  # fixtures

Open = Callable[..., Page]
ROOT = Path(__file__).parents[1]
GOOD = "network N(width=4)\ninput 8x8x1\nconv 3x3x{width} as first, relu\ndense 10\n"


@pytest.fixture
def spec(tmp_path: Path) -> cnndsl.Spec:
    (tmp_path / "n.cnn").write_text(GOOD)
    return cnndsl.load_spec(tmp_path / "n.cnn")


def test_a_spec_has_its_numbers(spec: cnndsl.Spec) -> None:
    totals = spec.analysis.totals
    assert totals is not None
    assert totals.params == 3 * 3 * 4 + 4 + 6 * 6 * 4 * 10 + 10
    assert totals.macs == 6 * 6 * 4 * 9 + 6 * 6 * 4 * 10
    assert spec.name == "N"
    assert spec.ok
    assert repr(spec) == "<Spec N(width=4): 8x8x1 -> 10, 1,490 params, 2,736 MACs>"
    assert [node.name for node in spec.graph.nodes] == ["input", "first", "first_relu", "dense10"]


def test_parameters_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "n.cnn").write_text(GOOD)
    wide = cnndsl.load_spec(tmp_path / "n.cnn", width=5, input=(10, 10, 1))
    assert wide.analysis.totals is not None
    assert wide.analysis.totals.params == 3 * 3 * 5 + 5 + 8 * 8 * 5 * 10 + 10


def test_networks_of_the_zoo_need_no_file() -> None:
    assert repr(cnndsl.load_spec("resnet18")).endswith("224x224x3 -> 1000, 11,689,512 params, 1,814,073,344 MACs>")


def test_the_table_is_that_of_check(spec: cnndsl.Spec) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "cnndsl", "check", spec.graph.span.source.name], capture_output=True, text=True, cwd=ROOT
    )
    assert repr(spec.check()) == printed.stdout.rstrip()
    assert "| first | conv | 6x6x4 | 40 |" in spec.check()._repr_markdown_()


def test_what_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(cnndsl.SpecError, match=r"there is no file .*nothing\.cnn"):
        cnndsl.load_spec(tmp_path / "nothing.cnn")
    with pytest.raises(cnndsl.SpecError, match="is a folder"):
        cnndsl.load_spec(tmp_path)
    (tmp_path / "binary.cnn").write_bytes(b"\x00\x01")
    with pytest.raises(cnndsl.SpecError, match="binary"):
        cnndsl.load_spec(tmp_path / "binary.cnn")
    (tmp_path / "empty.cnn").write_text("# nothing\n")
    with pytest.raises(ValueError, match="network"):
        cnndsl.load_spec(tmp_path / "empty.cnn")
    (tmp_path / "two.cnn").write_text(GOOD + GOOD.replace("network N", "network M"))
    with pytest.raises(ValueError, match=r"has several networks \(N, M\): say which"):
        cnndsl.load_spec(tmp_path / "two.cnn")
    assert cnndsl.load_spec(tmp_path / "two.cnn", "M").name == "M"
    assert cnndsl.load_spec(f"{tmp_path / 'two.cnn'}:M").name == "M"


def test_errors_are_drawn_and_told(tmp_path: Path) -> None:
    (tmp_path / "n.cnn").write_text(GOOD.replace("relu", "rellu"))
    spec = cnndsl.load_spec(tmp_path / "n.cnn")
    assert not spec.ok
    assert "with errors" in repr(spec)
    assert "error[E201]" in spec._repr_html_()
    assert "error[E201]" in repr(spec.check())
    assert LIGHT["fault"] in spec._repr_svg_()


def test_drawings(spec: cnndsl.Spec, tmp_path: Path) -> None:
    drawing = spec.draw("graph", show=("shape", "params"))
    assert ElementTree.fromstring(drawing._repr_svg_()).tag == "{http://www.w3.org/2000/svg}svg"
    assert "40 params" in drawing._repr_svg_()
    drawing.save(tmp_path / "n.svg")
    assert (tmp_path / "n.svg").read_text() == drawing._repr_svg_()
    spec.draw().save(tmp_path / "n.png")
    assert (tmp_path / "n.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"'.*n\.xyz' says no format: there are \.svg"):
        drawing.save(tmp_path / "n.xyz")
    with pytest.raises(ValueError, match="no style 'grap': there are layers"):
        spec.draw("grap")
    with pytest.raises(TypeError, match="no setting 'sho': there are width"):
        spec.draw(sho=("shape",))
    with pytest.raises(ValueError, match="N has no block 'body'"):
        spec.draw(only="body")


def test_nothing_needs_pytorch(spec: cnndsl.Spec) -> None:
    code = (
        "import sys, cnndsl; s = cnndsl.load_spec(sys.argv[1]); s._repr_html_(); s._repr_svg_(); repr(s.check()); "
        "s.explore()._repr_html_(); print([m for m in ('torch', 'numpy', 'IPython') if m in sys.modules])"
    )
    file = spec.graph.span.source.name
    run = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout == "[]\n"


# --- as notebooks show them -----------------------------------------------------------------------------------------


def fill(page: Page) -> str:
    """The colour of the convolution, as `#rrggbb`."""
    found = page.locator(".thing.convolution [class*=fill-convolution]").first.evaluate(
        "(e) => getComputedStyle(e).fill"
    )
    return "#" + "".join(f"{int(part):02x}" for part in found[4:-1].split(", "))


@needs_chromium
@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize(
    ("around", "shown"),
    [
        ("<body>", None),
        ('<body data-jp-theme-light="true">', LIGHT),
        ('<body data-jp-theme-light="false">', DARK),
        ('<body class="vscode-dark">', DARK),
        ('<body class="vscode-light">', LIGHT),
        ('<html theme="dark"><body>', DARK),
    ],
)
def test_a_drawing_is_as_light_as_the_notebook(
    around: str, shown: dict[str, str] | None, system: Any, spec: cnndsl.Spec, opened: Open
) -> None:
    page = opened(f"<!DOCTYPE html>{around}<div>{spec._repr_html_()}</div>", still=False, color_scheme=system)
    expected = shown or (LIGHT if system == "light" else DARK)
    assert fill(page) == expected["convolution"]


@needs_chromium
def test_a_page_works_in_its_frame(spec: cnndsl.Spec, opened: Open) -> None:
    page = opened(f"<!DOCTYPE html><body>{spec.explore(500)._repr_html_()}", still=False)
    frame = page.frame_locator("iframe")
    assert page.locator("iframe").bounding_box()["height"] == 500
    frame.locator(".box[data-key=first]").click()
    assert frame.locator("#details h2").text_content() == "conv 3x3x4"
    assert frame.locator("#spec .here .number").text_content() == "3"
