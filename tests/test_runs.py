"""`cnndsl runs`: against what the runs' own files say, and PyTorch's count of parameters."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from runs import result_of, text_of, trained_run

from cnndsl.cli import main
from cnndsl.runtime.trained import load_trained

FAST = text_of("classes").replace("adam 1e-2", "sgd lr=0.1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one network, one of another, one that was stopped, one that was killed, and damaged ones."""
    place = tmp_path_factory.mktemp("runs")
    trained_run(place, "classes")
    trained_run(place, "", FAST.replace("epochs 2", "epochs 3"))
    trained_run(place, "values")
    first = place / "Classes-1"
    for name in ("stopped", "killed", "torn", "foreign", "young"):
        shutil.copytree(first, place / name)
    for name in ("stopped", "killed"):
        (place / name / "result.json").unlink()
    weights = place / "stopped" / "model.safetensors"
    os.utime(weights, ns=(weights.stat().st_atime_ns, 2 * weights.stat().st_mtime_ns))
    (place / "killed" / "model.safetensors").unlink()
    (place / "torn" / "metrics.jsonl").write_text('{"epoch": 1, "tra')
    (place / "foreign" / "recipe.json").write_text('{"version": 99}')
    (place / "young" / "recipe.json").unlink()
    (place / "notes").mkdir()
    return place


def listed(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    assert main(["runs", *map(str, arguments), "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_the_numbers_are_those_of_the_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_name = {Path(row["folder"]).name: row for row in listed(capsys, folder)}
    for name in ("Classes-1", "Classes-2", "Values-1"):
        run, row = folder / name, by_name[name]
        result = result_of(run)
        rows = list(csv.DictReader(io.StringIO((run / "metrics.csv").read_text())))
        assert row["params"] == sum(p.numel() for p in load_trained(run, "cpu").module.parameters())
        assert row["epochs"] == row["planned"] == len(rows)
        assert row["train_loss"] == float(rows[-1]["train_loss"])
        assert row["test"] == result["test"]
        assert row["seconds"] == pytest.approx(sum(float(one["seconds"]) for one in rows))
        ((metric, best),) = row["validation"].items()
        choose = max if metric == "accuracy" else min
        assert best == choose(float(one[f"validation_{metric}"]) for one in rows)
    assert set(by_name["Values-1"]["validation"]) == {"mse"}


def test_what_became_of_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {Path(row["folder"]).name: (row["state"], row["problem"]) for row in listed(capsys, folder)}
    assert list(rows) == ["Classes-1", "Classes-2", "Values-1", "foreign", "killed", "stopped", "torn", "young"]
    assert rows["Classes-1"] == ("complete", None)
    assert rows["stopped"] == ("stopped", None)
    assert rows["killed"] == ("never ended", None)
    assert rows["torn"][0] == rows["foreign"][0] == rows["young"][0] == "damaged"
    assert "metrics.jsonl is damaged" in rows["torn"][1]
    assert "not of a run of this version" in rows["foreign"][1]
    assert "it has no recipe.json" in rows["young"][1]


def test_a_run_that_goes_on_is_not_complete(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "longer"
    shutil.copytree(folder / "Classes-1", run)
    about = json.loads((run / "recipe.json").read_text())
    about["recipe"]["epochs"] = 9
    (run / "recipe.json").write_text(json.dumps(about))
    (row,) = listed(capsys, run)
    assert (row["epochs"], row["planned"]) == (2, 9)
    assert row["state"] != "complete"
    about["recipe"]["early_stopping"]["patience"] = 1
    (run / "recipe.json").write_text(json.dumps(about))
    assert listed(capsys, run)[0]["state"] == "complete"


def test_what_differs_is_told_among_runs_of_one_network(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, other = listed(capsys, *(folder / name for name in ("Classes-1", "Classes-2", "Values-1")))
    assert {k: v for k, v in first["differs"].items() if k != "spec"} == {"optimizer": "adam lr=0.01", "epochs": "2"}
    assert {k: v for k, v in second["differs"].items() if k != "spec"} == {"optimizer": "sgd lr=0.1", "epochs": "3"}
    assert first["differs"]["spec"] != second["differs"]["spec"]
    assert other["differs"] == {}


def test_sorting(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def order(*arguments: str) -> list[str]:
        return [Path(row["folder"]).name for row in listed(capsys, folder, *arguments)]

    accuracy = {name: result_of(folder / name)["test"]["accuracy"] for name in ("Classes-1", "Classes-2")}
    assert order("--sort", "accuracy")[:2] == sorted(accuracy, key=lambda name: -accuracy[name])
    loss = {name: result_of(folder / name)["test"]["loss"] for name in ("Classes-1", "Classes-2", "Values-1")}
    assert order("--sort", "test_loss")[:3] == sorted(loss, key=lambda name: loss[name])
    assert order("--sort", "epochs", "--reverse")[-1] in ("Classes-1", "Values-1", "killed", "stopped")
    for key in ("folder", "network", "params", "state", "train_loss", "validation", "seconds", "started"):
        assert len(order("--sort", key)) == 8
    assert main(["runs", str(folder), "--sort", "acuracy"]) == 2
    assert "Did you mean 'accuracy'?" in capsys.readouterr().err


def test_formats_agree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(capsys, folder)
    assert main(["runs", str(folder), "--format", "csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["folder"] for row in table] == [row["folder"] for row in rows]
    for one, row in zip(table, rows, strict=True):
        assert one["state"] == row["state"]
        assert one["problem"] == (row["problem"] or "")
        if row["problem"] is None:
            assert int(one["params"]) == row["params"]
        for name, value in row["test"].items():
            assert float(one[f"test_{name}"]) == value
    assert main(["runs", str(folder), "--format", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({line.count("|") for line in lines}) == 1


def test_narrow_terminals(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["runs", str(folder / "Classes-1"), str(folder / "torn")]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.partition("\n\n")[0].splitlines())) <= 100
    assert "left out for want of room" in out


def test_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no runs there\n"
    assert listed(capsys, tmp_path) == []
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 2
    assert "runs is not there" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["runs", "file"]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_pytorch_is_not_loaded(folder: Path) -> None:
    code = "import sys\nfrom cnndsl.cli import main\nmain(sys.argv[1:])\nprint({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code, "runs", str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
