"""Plots of runs: pixels against Pillow's reading of them, curves and tables against their numbers."""

from __future__ import annotations

import io
import re
from base64 import b64decode

import numpy as np
import pytest
import torch
from geometry import text_faults
from PIL import Image as Pillow

from cnndsl.draw.formats import PAGE, Paper, renderer
from cnndsl.draw.formats.pixels import as_png, runs
from cnndsl.draw.geometry import marks_of
from cnndsl.draw.scene import Area, Image
from cnndsl.runtime.plots.grid import Section, Tile, around_zero, grid, of_image, spread

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (5, 7), dtype=np.uint8)
COLORS = RANDOM.integers(0, 256, (4, 6, 3), dtype=np.uint8)


def image(pixels: np.ndarray) -> Image:
    return next(m for m in marks_of(grid("t", [Section("", [Tile(pixels)])])) if isinstance(m, Image))


# --- images in pictures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pixels", "mode"), [(GREY, "L"), (COLORS, "RGB")], ids=["grey", "colors"])
def test_pillow_reads_the_pixels_that_were_put_in(pixels: np.ndarray, mode: str) -> None:
    read = Pillow.open(io.BytesIO(as_png(image(pixels))))
    assert read.mode == mode
    assert np.array_equal(np.asarray(read), pixels)


def test_runs_cover_every_pixel_once() -> None:
    pixels = np.repeat(RANDOM.integers(0, 2, (3, 8, 1), dtype=np.uint8), 3, 2)
    again = np.zeros_like(pixels)
    found = list(runs(Image(Area(0, 0, 1, 1), 8, 3, pixels.tobytes())))
    for run in found:
        again[run.row, run.start : run.start + run.length] = run.color
    assert np.array_equal(again, pixels)
    assert len(found) == 3 + int((pixels[:, 1:, 0] != pixels[:, :-1, 0]).sum())


def test_every_format_shows_images() -> None:
    scene = grid("Two", [Section("both", [Tile(GREY), Tile(COLORS)])])
    svg = renderer("svg")(scene, Paper())
    assert isinstance(svg, str)
    for data, pixels in zip(re.findall(r"base64,([^\"]+)", svg), (GREY, COLORS), strict=True):
        assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(b64decode(data)))), pixels)
    tikz = renderer("tikz")(scene, Paper())
    assert isinstance(tikz, str)
    red, green, blue = COLORS[0, 0]
    assert f"rgb,255:red,{red};green,{green};blue,{blue}" in tikz
    pdf = renderer("pdf")(scene, Paper())
    assert isinstance(pdf, bytes)
    assert pdf.count(b"/Subtype /Image") == 2


def test_a_png_has_squares_where_pixels_are() -> None:
    """A pixel's middle has its colour: nothing is smoothed."""
    scene = grid("", [Section("", [Tile(COLORS)])], side=60.0)
    mark = next(m for m in scene.marks if isinstance(m, Image))
    png = renderer("png")(scene, Paper(dpi=144, background=PAGE))
    assert isinstance(png, bytes)
    drawn = np.asarray(Pillow.open(io.BytesIO(png)).convert("RGB"))
    step = 2 * mark.area.width / 6
    for row in range(4):
        for column in range(6):
            x, y = 2 * mark.area.x + (column + 0.5) * step, 2 * mark.area.y + (row + 0.5) * step
            assert np.abs(drawn[int(y), int(x)].astype(int) - COLORS[row, column]).max() <= 1


# --- grids ----------------------------------------------------------------------------------------------------------


def test_grids_fit_the_page_and_no_words_overlap() -> None:
    tiles = [Tile(GREY, (f"a long caption {n}", "true 3, found 5")) for n in range(40)]
    scene = grid("Forty", [Section("conv5x5x6", tiles, "28x28, from -1.2 to 3.4"), Section("pool2", tiles[:3])])
    assert not list(text_faults(scene))
    assert scene.width <= 486
    assert sum(isinstance(mark, Image) for mark in scene.marks) == 43


def test_values_become_pixels() -> None:
    assert spread(torch.tensor([[0.0, 1.0], [2.0, 4.0]])).tolist() == [[0, 64], [128, 255]]
    assert spread(torch.tensor([[float("nan"), 1.0], [2.0, float("inf")]])).tolist() == [[0, 0], [255, 0]]
    assert spread(torch.full((2, 2), 3.0)).tolist() == [[0, 0], [0, 0]]
    assert around_zero(torch.tensor([[-2.0, 0.0, 1.0]])).tolist() == [[0, 128, 191]]
    assert around_zero(torch.zeros(1, 2)).tolist() == [[128, 128]]
    assert spread(torch.rand(3, 4, 5)).shape == (4, 5, 3)
    assert np.array_equal(of_image(torch.from_numpy(COLORS).permute(2, 0, 1)), COLORS)
