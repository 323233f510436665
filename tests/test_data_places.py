"""Where a run's data are looked for again: in the place where the run found them, and nowhere else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_train import same

from cnndsl.cli import main

SPEC = """network Trees
input 2
dense 3
train:
    data csv "data/trees.csv"
    loss cross_entropy
    epochs 2
    batch 20
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec and its data in a folder, and work in another one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CNNDSL_DATA", raising=False)
    project, work = tmp_path / "project", tmp_path / "work"
    for folder in (project / "data", work):
        folder.mkdir(parents=True)
    (project / "trees.cnn").write_text(SPEC)
    rows = np.random.default_rng(0).normal(size=(90, 2))
    lines = [f"{a:.4f},{b:.4f},{'xyz'[n % 3]}" for n, (a, b) in enumerate(rows)]
    (project / "data" / "trees.csv").write_text("a,b,kind\n" + "\n".join(lines) + "\n")
    monkeypatch.chdir(work)
    return project


@pytest.mark.parametrize("root", [False, True])
def test_a_run_finds_its_data_again(project: Path, root: bool, capsys: pytest.CaptureFixture[str]) -> None:
    spec = project / "trees.cnn"
    options = []
    if root:  # named relative to where the run was begun
        spec = Path(shutil.move(spec, project.parent / "work"))
        options = ["--data-root", "../project"]
    assert main(["train", str(spec), "--epochs", "4", "--out", "whole", *options]) == 0
    assert main(["train", str(spec), "--set-train", "epochs=2", *options]) == 0
    capsys.readouterr()
    assert main(["eval", "runs/Trees-1"]) == 0
    assert 'the test of csv "data/trees.csv": 18 examples' in capsys.readouterr().out
    assert main(["plot", "runs/Trees-1"]) == 0
    assert main(["train", "--resume", "runs/Trees-1", "--epochs", "4"]) == 0
    assert same(Path("whole/Trees-1"), Path("runs/Trees-1"))


def test_what_is_named_comes_first(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(project / "trees.cnn")]) == 0
    other = project.parent / "other"
    (other / "data").mkdir(parents=True)
    lines = (project / "data" / "trees.csv").read_text().splitlines()
    (other / "data" / "trees.csv").write_text("\n".join(lines[:31]) + "\n")
    capsys.readouterr()
    assert main(["eval", "runs/Trees-1", "--data-root", str(other)]) == 0
    assert 'the test of csv "data/trees.csv": 6 examples' in capsys.readouterr().out


def test_a_place_that_is_gone_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(project / "trees.cnn")]) == 0
    project.rename(project.parent / "elsewhere")
    capsys.readouterr()
    assert main(["eval", "runs/Trees-1"]) == 2
    said = capsys.readouterr().err
    assert "`data csv` found no file " in said
    assert "name the folder above it with --data-root or CNNDSL_DATA" in said
    assert main(["eval", "runs/Trees-1", "--data-root", str(project.parent / "elsewhere")]) == 0


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "link.csv"])
def test_a_run_folder_leads_nowhere_else(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run's folder from somebody else may say what it likes of its data: they stay below the place that it names."""
    assert main(["train", str(project / "trees.cnn")]) == 0
    (project.parent / "secret.csv").write_text((project / "data" / "trees.csv").read_text())
    (project / "link.csv").symlink_to(project.parent / "secret.csv")
    path = Path("runs/Trees-1/recipe.json")
    about = json.loads(path.read_text())
    about["recipe"]["data"]["file"] = name
    path.write_text(json.dumps(about))
    capsys.readouterr()
    for arguments in (["eval", "runs/Trees-1"], ["train", "--resume", "runs/Trees-1", "--epochs", "3"]):
        assert main(arguments) == 2
        assert "lies outside the data root" in capsys.readouterr().err


@pytest.mark.parametrize("beside", [7, "/nonexistent", None, ["x"]])
def test_a_damaged_place_is_none(beside: object, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(project / "trees.cnn")]) == 0
    path = Path("runs/Trees-1/recipe.json")
    about = json.loads(path.read_text())
    about["options"] |= {"beside": beside, "data_root": beside}
    path.write_text(json.dumps(about))
    capsys.readouterr()
    assert main(["eval", "runs/Trees-1"]) == 2
    assert "`data csv` found no file " in capsys.readouterr().err
