"""`cnndsl predict`: against the module called directly, for every kind of task; bad files among good ones."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from runs import text_of, trained_run
from torch import Tensor

from cnndsl.cli import main
from cnndsl.runtime.data.digits import as_bytes
from cnndsl.runtime.trained import load_trained

CPU = torch.device("cpu")
DIGITS = as_bytes().inputs[:6]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return trained_run(folder, "classes")


@pytest.fixture(scope="module")
def pictures(folder: Path) -> list[Path]:
    """Six digits as PNG files of their own size, and one file that is cut off."""
    place = folder / "pictures"
    place.mkdir()
    for number, digit in enumerate(DIGITS):
        Image.fromarray(digit[0].numpy()).save(place / f"d{number}.png")
    whole = (place / "d0.png").read_bytes()
    (place / "bad.png").write_bytes(whole[: len(whole) // 2])
    (place / "notes.txt").write_text("no picture")
    return [place / f"d{number}.png" for number in range(6)]


def predicted(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> list[dict[str, Any]]:
    assert main(["predict", *map(str, arguments), "--format", "json"]) == code
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def outputs(run: Path, stored: Tensor, *more: Tensor) -> Tensor:
    """What the network gives, called by hand."""
    trained = load_trained(run, "cpu")
    prepare = trained.prepare.on(CPU)
    with torch.no_grad():
        given: Tensor = trained.module(*(prepare(one) for one in (stored, *more)))
    return given


# --- classes --------------------------------------------------------------------------------------------------------


def test_probabilities_are_pytorchs(run: Path, pictures: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = predicted(capsys, run, *pictures, "--top", 3)
    shares = outputs(run, DIGITS).softmax(1)
    for row, path, one in zip(found, pictures, shares, strict=True):
        best = one.topk(3)
        assert row["input"] == str(path)
        assert [c["number"] for c in row["classes"]] == best.indices.tolist()
        assert [c["name"] for c in row["classes"]] == list(map(str, best.indices.tolist()))
        assert [c["probability"] for c in row["classes"]] == pytest.approx(best.values.tolist(), rel=1e-4)


def test_pictures_arrays_and_standard_input_give_the_same(
    run: Path, pictures: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = [predicted(capsys, run, path)[0]["classes"][0]["number"] for path in pictures]
    np.save(tmp_path / "digits.npy", DIGITS[:, 0].numpy())
    np.savez(tmp_path / "digits.npz", x=DIGITS.permute(0, 2, 3, 1).numpy(), y=np.zeros(6))
    for name in ("digits.npy", "digits.npz"):
        rows = predicted(capsys, run, tmp_path / name)
        assert [row["classes"][0]["number"] for row in rows] == one_by_one
        assert [row["input"] for row in rows] == [f"{tmp_path / name}[{n}]" for n in range(6)]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(f"{path}\n" for path in pictures).encode())))
    assert [row["classes"][0]["number"] for row in predicted(capsys, run, "-")] == one_by_one


def test_other_sizes_and_colours_are_made_fit(
    run: Path, pictures: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.open(pictures[1]).convert("RGB").resize((64, 64), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    large = predicted(capsys, run, tmp_path / "large.png")[0]["classes"][0]
    assert large["number"] == predicted(capsys, run, pictures[1])[0]["classes"][0]["number"]


def test_a_bad_file_is_said_and_the_others_are_predicted(
    run: Path, pictures: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    place = pictures[0].parent
    assert main(["predict", str(run), str(place), str(place / "none.png")]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"error: {place}/bad.png is cut off\nerror: {place}/none.png is not there\n"
    assert [line.split()[0] for line in captured.out.splitlines()[2:]] == list(map(str, pictures))
    rows = predicted(capsys, run, place, code=1)
    assert [row.get("error") for row in rows] == ["is cut off", *[None] * 6]


def test_csv_is_read_back(run: Path, pictures: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.csv"
    assert main(["predict", str(run), str(pictures[0]), "--top", "2", "--format", "csv", "-o", str(out)]) == 0
    assert capsys.readouterr().out == ""
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert list(rows[0]) == ["input", "rank", "class", "probability"]
    shares = outputs(run, DIGITS[:1]).softmax(1)[0]
    assert [float(row["probability"]) for row in rows] == pytest.approx(shares.topk(2).values.tolist(), rel=1e-4)


def test_names_of_classes_are_the_datas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2)).round(3)
    table = tmp_path / "rows.csv"
    table.write_text("a,b,kind\n" + "".join(f"{x},{y},{'up' if y > 0 else 'down'}\n" for x, y in rows))
    text = 'network T\ninput 2\ndense 2\ntrain:\n    data csv "rows.csv"\n    loss cross_entropy\n    epochs 30\n'
    text += "    optimizer adam 5e-2\n"
    made = trained_run(tmp_path / "runs", "", text, data_root=str(tmp_path))
    (tmp_path / "new.csv").write_text("0.1,9\n0.2,-9\n")
    found = predicted(capsys, made, tmp_path / "new.csv")
    assert [row["classes"][0]["name"] for row in found] == ["up", "down"]
    # The file that it was trained on is taken with its targets left out.
    assert len(predicted(capsys, made, table)) == 60
    (tmp_path / "wide.csv").write_text("1,2,3,4\n")
    assert "but the network takes 2" in predicted(capsys, made, tmp_path / "wide.csv", code=1)[0]["error"]


def test_probabilities_of_one_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained_run(tmp_path, "pairs")
    for number, digit in enumerate(DIGITS[:4]):
        Image.fromarray(digit[0].numpy()).save(tmp_path / f"{number}.png")
    files = [tmp_path / f"{number}.png" for number in range(4)]
    found = predicted(capsys, made, *files, "--top", 2)
    logits = outputs(made, DIGITS[:4:2], DIGITS[1:4:2])
    for row, share in zip(found, logits.sigmoid().flatten().tolist(), strict=True):
        by_name = {one["name"]: one["probability"] for one in row["classes"]}
        assert by_name == pytest.approx({"of one class": share, "of different classes": 1 - share}, rel=1e-4)
    assert main(["predict", str(made), *map(str, files[:3])]) == 2
    assert "two pictures at a time" in capsys.readouterr().err


# --- values, maps, images, sequences --------------------------------------------------------------------------------


def test_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained_run(tmp_path, "values")
    rows = np.random.default_rng(1).normal(size=(5, 20)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",")
    wanted = outputs(made, torch.from_numpy(rows)[:, None])
    assert main(["predict", str(made), str(tmp_path / "rows.npy"), "--format", "csv"]) == 0
    table = list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]
    assert np.allclose([[float(cell) for cell in row[1:]] for row in table], wanted, rtol=1e-4, atol=1e-6)
    for name in ("rows.npy", "rows.csv"):
        found = predicted(capsys, made, tmp_path / name)
        assert np.allclose([row["values"] for row in found], wanted, rtol=1e-4, atol=1e-6)
    assert main(["predict", str(made), str(tmp_path / "rows.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["input", "value", "1", "value", "2", "value", "3"]
    assert [float(cell) for cell in lines[2].split()[1:]] == pytest.approx(wanted[0].tolist(), rel=1e-3)
    assert main(["predict", str(made), str(tmp_path / "a.png")]) == 2
    assert "give it rows of 20x1" in capsys.readouterr().err


def test_maps_are_written_with_their_classes_for_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained_run(tmp_path, "maps")
    images = np.random.default_rng(2).integers(0, 256, (2, 16, 16), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    found = predicted(capsys, made, tmp_path / "x.npy", "--pictures", tmp_path / "out", "--top", 3)
    classes = outputs(made, torch.from_numpy(images)[:, None]).argmax(1)
    for row, one, name in zip(found, classes, ("x-0.png", "x-1.png"), strict=True):
        assert row["picture"] == str(tmp_path / "out" / name)
        assert np.array_equal(np.asarray(Image.open(row["picture"])), one)
        for told in row["classes"]:
            assert told["share"] == pytest.approx(float((one == told["number"]).float().mean()))
    # Nothing is written over.
    again = predicted(capsys, made, tmp_path / "x.npy", "--pictures", tmp_path / "out")
    assert [Path(row["picture"]).name for row in again] == ["x-0-2.png", "x-1-2.png"]


def test_images_are_given_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained_run(tmp_path, "input")
    np.save(tmp_path / "x.npy", DIGITS[:2, 0].numpy())
    found = predicted(capsys, made, tmp_path / "x.npy", "--pictures", tmp_path / "out")
    given = outputs(made, DIGITS[:2])
    for row, one, digit in zip(found, given[:, 0], DIGITS[:2, 0], strict=True):
        assert row["mse"] == pytest.approx(float((one - digit / 255).square().mean()), rel=1e-3)
        assert np.abs(np.asarray(Image.open(row["picture"])).astype(int) - (one * 255).round().numpy()).max() <= 1


def test_sequences_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained_run(tmp_path, "rows", text_of("rows").replace("epochs 1", "epochs 8\n    optimizer adam 3e-2"))
    images = np.random.default_rng(3).integers(0, 256, (3, 8, 40), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    trained = load_trained(made, "cpu")
    scores = outputs(made, trained.prepare.fitted(torch.from_numpy(images)[:, None]))
    for row, one in zip(predicted(capsys, made, tmp_path / "x.npy"), scores, strict=True):
        best, read = one.argmax(0).tolist() if one.shape[0] == 11 else one.argmax(1).tolist(), []
        for place, number in enumerate(best):
            if number and (place == 0 or best[place - 1] != number):
                read.append(str(number - 1))
        assert row["read"] == read


# --- what can be wrong ----------------------------------------------------------------------------------------------


def test_what_is_no_input_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "floats.npy", np.zeros((2, 8, 8)))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "shape.npy", np.zeros((2, 5), np.uint8))
    (tmp_path / "torn.npy").write_bytes((tmp_path / "floats.npy").read_bytes()[:150])
    (tmp_path / "empty").mkdir()
    names = ["floats.npy", "objects.npy", "shape.npy", "torn.npy", "empty", "none.npy"]
    assert main(["predict", str(run), *(str(tmp_path / name) for name in names)]) == 1
    errors = capsys.readouterr().err.splitlines()
    told = ["no bytes", "never loaded", "takes inputs of 8x8x1", "cut off", "holds no pictures", "can't read"]
    for line, name, words in zip(errors, names, told, strict=True):
        assert name in line
        assert words in line


def test_misuse(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["predict", str(run)]) == 2
    assert main(["predict", str(run), "-", "-"]) == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert main(["predict", str(run), "-"]) == 2
    assert "names no files" in capsys.readouterr().err
    assert main(["predict", str(run.parent), "a.png"]) == 2
    assert "pick one" in capsys.readouterr().err
