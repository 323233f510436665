"""Plots of runs: pixels against Pillow's reading of them, curves and tables against their numbers."""

from __future__ import annotations

import io
import re
import shutil
from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from geometry import text_faults
from PIL import Image as Pillow
from runs import NETS, text_of, trained_run
from sklearn.metrics import confusion_matrix, r2_score

from cnndsl.cli import main
from cnndsl.draw.formats import PAGE, Paper, renderer
from cnndsl.draw.formats.pixels import as_png, runs
from cnndsl.draw.geometry import marks_of
from cnndsl.draw.scene import Area, Image, Line, Rect, Scene, Text
from cnndsl.runtime.data import Examples
from cnndsl.runtime.measure import with_data
from cnndsl.runtime.plots.axes import axis_of, whole_axis
from cnndsl.runtime.plots.confusion import confusion
from cnndsl.runtime.plots.curves import curves
from cnndsl.runtime.plots.grid import Section, Tile, around_zero, grid, of_image, spread
from cnndsl.runtime.plots.mistakes import look
from cnndsl.runtime.plots.of_run import Subject, of_folder, scenes
from cnndsl.runtime.saved_pictures import CLASS_COLORS
from cnndsl.runtime.trained import load_trained

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


# --- axes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "share", "log", "labels"),
    [
        ([0.03, 2.1], False, False, ["0", "0.5", "1.0", "1.5", "2.0", "2.5"]),
        ([0.36, 0.99], True, False, ["20%", "40%", "60%", "80%", "100%"]),
        ([0.981, 0.992], True, False, ["98.00%", "98.25%", "98.50%", "98.75%", "99.00%", "99.25%"]),
        ([0.002, 1.5], False, True, ["0.001", "0.01", "0.1", "1", "10"]),
        ([5.0], False, False, ["2", "3", "4", "5", "6", "7", "8"]),
        ([1.0], True, False, ["0%", "20%", "40%", "60%", "80%", "100%"]),
        ([0.0], False, False, ["-0.6", "-0.4", "-0.2", "0", "0.2", "0.4", "0.6"]),
        ([], False, False, ["-0.6", "-0.4", "-0.2", "0", "0.2", "0.4", "0.6"]),
        ([12_000.0, 48_000.0], False, False, ["10,000", "20,000", "30,000", "40,000", "50,000"]),
    ],
)
def test_ticks_are_round(values: list[float], share: bool, log: bool, labels: list[str]) -> None:
    axis = axis_of(values, share=share, log=log, bound=1.0 if share else None)
    assert [label for _, label in axis.ticks] == labels
    for value in values:
        assert -1e-9 <= axis.share(value) <= 1 + 1e-9


def test_epochs_are_whole_numbers() -> None:
    assert [label for _, label in whole_axis(1).ticks] == ["1"]
    assert [label for _, label in whole_axis(4).ticks] == ["1", "2", "3", "4"]
    assert [label for _, label in whole_axis(20).ticks] == ["1", "5", "10", "15", "20"]
    assert whole_axis(1000).ticks[-1] == (1000.0, "1,000")


# --- curves and tables ----------------------------------------------------------------------------------------------

HISTORY = [
    {"epoch": n, "train_loss": 2.0 / n, "validation_loss": 2.1 / n, "train_accuracy": 1 - 0.5 / n, "train_class_3": 0.5}
    for n in range(1, 6)
]


def lines_of(scene: Scene, role: str) -> list[Line]:
    return [m for m in scene.marks if isinstance(m, Line) and m.role == role and len(m.points) > 2]


def test_curves_stand_where_the_numbers_say() -> None:
    scene = curves("Run", HISTORY, frozenset({"accuracy"}))
    assert scene is not None
    assert not list(text_faults(scene))
    words = [mark.text for mark in scene.marks if isinstance(mark, Text)]
    assert {"loss", "accuracy", "train", "validation", "epoch"} <= set(words)
    assert not any("class" in word for word in words)
    loss, accuracy = lines_of(scene, "train")
    (validation,) = lines_of(scene, "validation")
    heights = [y for _, y in loss.points]
    # Twice the distance from the lowest point is twice the difference of the losses.
    fallen = [HISTORY[n]["train_loss"] - HISTORY[4]["train_loss"] for n in range(4)]
    ratios = [(heights[4] - heights[n]) / fallen[n] for n in range(4)]
    assert ratios == pytest.approx([ratios[0]] * 4)
    apart = np.diff([x for x, _ in loss.points])
    assert apart == pytest.approx([apart[0]] * 4)
    assert all(v[1] < t[1] for v, t in zip(validation.points, loss.points, strict=True))
    assert len(accuracy.points) == 5


@pytest.mark.parametrize("epochs", [1, 2, 30, 2000])
def test_curves_of_any_length(epochs: int) -> None:
    rows = [{"epoch": n + 1, "train_loss": 10.0 ** (-n % 7), "validation_loss": float("nan")} for n in range(epochs)]
    scene = curves("Run", rows, frozenset())
    assert scene is not None
    assert not list(text_faults(scene))
    assert curves("Run", [], frozenset()) is None


@pytest.mark.parametrize("many", [2, 10, 25, 30, 31, 100, 1000])
def test_confusions_fit_the_page(many: int) -> None:
    counts = (np.eye(many, dtype=int) * 123_456 + RANDOM.integers(0, 2, (many, many))).tolist()
    scene = confusion("Run", "a note", counts, [f"class {n} with a long name" for n in range(many)])
    assert not list(text_faults(scene))
    assert scene.width <= 487
    marks = [mark for mark in scene.marks if isinstance(mark, Rect) and mark.fill]
    assert len(marks) == (many * many if many <= 30 else 0)


def test_cells_say_their_counts() -> None:
    counts = [[50, 3, 0], [0, 40, 2], [1, 0, 9]]
    scene = confusion("Run", "note", counts, ["a", "b", "c"])
    cells = [mark.area for mark in scene.marks if isinstance(mark, Rect) and mark.fill]
    said = [[0] * 3 for _ in range(3)]
    for mark in scene.marks:
        for number, area in enumerate(cells):
            inside = isinstance(mark, Text) and area.x < mark.x < area.right and area.y < mark.y < area.bottom
            if inside and isinstance(mark, Text):
                said[number // 3][number % 3] = int(mark.text)
    assert said == counts


# --- of runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_run_is_drawn(name: str, tmp_path: Path) -> None:
    run = trained_run(tmp_path, name)
    there = {path.stem for path in (run / "plots").iterdir()}
    wanted = {
        "classes": {"curves", "confusion", "mistakes", "kernels", "features"},
        "averaged": {"curves", "confusion", "mistakes", "kernels", "features"},
        "values": {"curves", "predicted"},
        "maps": {"curves", "confusion", "segmentations", "kernels", "features"},
        "input": {"curves", "reconstructions", "kernels", "features"},
        "pairs": {"curves", "confusion", "kernels"},
        "decision": {"curves", "confusion", "segmentations", "kernels", "features"},
        "rows": {"curves", "kernels", "features"},
    }
    assert there == wanted[name]
    for path in (run / "plots").iterdir():
        ElementTree.parse(path)
    # Drawn again from the folder, they are the same to the byte.
    before = {path.name: path.read_bytes() for path in (run / "plots").iterdir()}
    assert main(["plot", str(run)]) == 0
    assert {path.name: path.read_bytes() for path in (run / "plots").iterdir()} == before
    subject = of_folder(load_trained(run, "cpu"))
    for scene in scenes(subject).values():
        assert not list(text_faults(scene))


def test_confusions_and_mistakes_are_those_of_scikit_learn_and_pytorch(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "classes")
    trained = load_trained(run, "cpu")
    network, split = with_data(trained)
    assert split.validation is not None
    true = split.validation.classes
    assert true is not None
    with torch.no_grad():
        scores = trained.module(trained.prepare.on(torch.device("cpu"))(split.validation.inputs))
    seen = look(network, split.validation, trained.prepare.names)
    assert seen.confusion is not None
    assert seen.confusion.tolist() == confusion_matrix(true, scores.argmax(1), labels=range(10)).tolist()
    losses = torch.nn.functional.cross_entropy(scores, true, reduction="none")
    losses[scores.argmax(1) == true] = -1
    worst = [int(n) for n in losses.argsort(descending=True)[: len(seen.mistakes)]]
    assert 3 < len(seen.mistakes) <= 24
    assert [one.wrong for one in seen.mistakes] == pytest.approx([float(losses[n]) for n in worst], rel=1e-4)
    assert [one.true for one in seen.mistakes] == [int(true[n]) for n in worst]
    for one, row in zip(seen.mistakes, worst, strict=True):
        assert torch.equal(one.stored, split.validation.inputs[row])
        assert one.share == pytest.approx(float(scores[row].softmax(0).max()), rel=1e-4)


def test_maps_and_kernels_are_the_modules_own(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "classes")
    subject = of_folder(trained := load_trained(run, "cpu"))
    _, split = with_data(trained)
    assert split.validation is not None
    made = scenes(subject)
    weights = next(p for p in trained.module.parameters() if p.dim() == 4).detach()
    drawn = [m for m in made["kernels"].marks if isinstance(m, Image)]
    assert [m.pixels[::3] for m in drawn] == [
        around_zero(one, float(weights.abs().max())).tobytes() for one in weights[:, 0]
    ]
    with torch.no_grad():
        x = trained.prepare.on(torch.device("cpu"))(split.validation.inputs[:1])
        maps = torch.nn.functional.conv2d(x, weights, next(p for p in trained.module.parameters() if p.dim() == 1))
    shown = [m for m in made["features"].marks if isinstance(m, Image)]
    assert shown[0].pixels[::3] == split.validation.inputs[0].numpy().tobytes()
    for mark, one in zip(shown[1:], maps[0], strict=True):
        pixels = np.frombuffer(mark.pixels[::3], np.uint8).astype(int)
        assert np.abs(pixels - spread(one).astype(int).flatten()).max() <= 1


def outputs_of(run: Path) -> tuple[Subject, torch.Tensor, torch.Tensor, Examples]:
    """A run, and of its validation part what the network takes and gives, by PyTorch alone."""
    trained = load_trained(run, "cpu")
    _, split = with_data(trained)
    assert split.validation is not None
    with torch.no_grad():
        x = trained.prepare.on(torch.device("cpu"))(split.validation.inputs)
        return of_folder(trained), x, trained.module(x), split.validation


def test_dots_stand_at_true_and_predicted_values(tmp_path: Path) -> None:
    subject, _, given, part = outputs_of(trained_run(tmp_path, "values"))
    assert part.values is not None
    made = scenes(subject)["predicted"]
    dots = [m.area.middle for m in made.marks if isinstance(m, Rect) and m.fill == "validation"]
    frames = [m.area for m in made.marks if isinstance(m, Rect) and m.fill is None]
    assert (len(dots), len(frames)) == (3 * len(part), 3)
    for output, frame in enumerate(frames):
        true, predicted = part.values[:, output], given[:, output]
        assert f"output {output + 1}, R² {r2_score(true, predicted):.3f}" in {t.text for t in texts(made)}
        here = np.array(dots[output * len(part) : (output + 1) * len(part)])
        # One scale for both directions: from the places of dots to values is one straight line.
        scale, shift = np.polyfit(here[:, 0], true, 1)
        assert scale * here[:, 0] + shift == pytest.approx(true.numpy(), abs=1e-4)
        assert scale * (frame.x + frame.bottom - here[:, 1]) + shift == pytest.approx(predicted.numpy(), abs=1e-4)
        ends = ((frame.x, frame.bottom), (frame.right, frame.y))
        assert any(isinstance(m, Line) and m.points == ends for m in made.marks)


def test_reconstructions_are_the_pixels_given_and_given_back(tmp_path: Path) -> None:
    subject, x, given, part = outputs_of(trained_run(tmp_path, "input"))
    made = scenes(subject)["reconstructions"]
    rows = [n * len(part) // 6 for n in range(6)]
    shown = [np.frombuffer(m.pixels[::3], np.uint8).astype(int) for m in made.marks if isinstance(m, Image)]
    (scale,), (shift,) = subject.prepare.scale, subject.prepare.shift
    for number, row in enumerate(rows):
        assert shown[number].tolist() == part.inputs[row].flatten().tolist()
        back = ((given[row] - shift) / scale).round().clamp(0, 255).flatten().numpy()
        assert np.abs(shown[6 + number] - back).max() <= 1
    missed = [t.text for t in texts(made) if re.fullmatch(r"missed [0-9.]+", t.text)]
    assert missed == [f"missed {float(torch.nn.functional.mse_loss(given[row], x[row])):.3g}" for row in rows]


@pytest.mark.parametrize("name", ["maps", "decision"])
def test_segmentations_show_the_classes_of_places(name: str, tmp_path: Path) -> None:
    subject, _, given, part = outputs_of(trained_run(tmp_path, name))
    assert part.classes is not None
    made = scenes(subject)["segmentations"]
    taken = given.argmax(1) if name == "maps" else (given[:, 0] > 0).long()
    shown = [m for m in made.marks if isinstance(m, Image) and m.columns > 1]
    many = min(6, len(part))
    assert len(shown) == 3 * many
    colors = [bytes.fromhex(color) for color in CLASS_COLORS]
    for number in range(many):
        row = number * len(part) // many
        for picture, classes in ((shown[many + number], part.classes[row]), (shown[2 * many + number], taken[row])):
            assert picture.pixels == b"".join(colors[int(c)] for c in classes.flatten())
        right = float((taken[row] == part.classes[row]).float().mean())
        assert [t.text for t in texts(made) if t.text.endswith("right")][number] == f"{right:.1%} right"


def texts(scene: Scene) -> list[Text]:
    return [mark for mark in scene.marks if isinstance(mark, Text)]


def test_the_test_part_is_looked_at_only_where_there_is_no_other(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "", text_of("classes") + "    validation 0\n")
    assert "359 test examples" in (run / "plots" / "confusion.svg").read_text()
    run = trained_run(tmp_path, "classes")
    assert "144 validation examples" in (run / "plots" / "confusion.svg").read_text()


def test_a_stopped_run_is_drawn_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained_run(tmp_path, "classes")
    (run / "result.json").unlink()
    shutil.rmtree(run / "plots")
    assert main(["plot", str(run), "--format", "pdf"]) == 0
    assert capsys.readouterr().out.split() == [
        str(run / "plots" / f"{name}.pdf") for name in ("curves", "confusion", "mistakes", "kernels", "features")
    ]
    assert main(["plot", str(tmp_path)]) == 2
    assert "pick one" in capsys.readouterr().err
