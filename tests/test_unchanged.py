"""Runs whose settings or network are others than when their checkpoint was written: what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runs import text_of, trained_run

from cnndsl.cli import main
from cnndsl.runtime import checkpoints

ADAM = {"name": "adam", "lr": 0.5, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0}


def resumed(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["train", "--resume", str(run), "--epochs", "3"])
    return code, capsys.readouterr().err


def set_in(run: Path, **values: Any) -> None:
    """Change settings in a run's recipe.json."""
    path = run / "recipe.json"
    about = json.loads(path.read_text())
    about["recipe"] |= values
    path.write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch": 32}, "batch 64 then, 32 now"),
        ({"optimizer": ADAM}, "optimizer adam lr=0.01 then, adam lr=0.5 now"),
        ({"optimizer": ADAM | {"lr": 0.01000001}}, "optimizer adam lr=0.01 then, adam lr=0.01000001 now"),
        ({"ema": {"name": "ema", "decay": 0.9}}, "ema off then, decay=0.9 now"),
        ({"seed": 7, "clip": 1.5}, "clip 0 then, 1.5 now; seed 0 then, 7 now"),
    ],
)
def test_settings_that_were_changed_are_told(
    values: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained_run(tmp_path, "classes")
    set_in(run, **values)
    before = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert resumed(run, capsys) == (
        2,
        f"Error: the checkpoint of {run} is of another run: {said}\n"
        f"help: put spec.cnn and recipe.json back, or begin anew with --init-from {run}\n",
    )
    assert before == {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"freeze": {"name": "freeze", "layers": [], "epochs": 1, "after": 1}}, "`freeze` needs either `epochs` or"),
        ({"lookahead": {"name": "lookahead", "k": -2}}, "`k` of `lookahead` can't be `-2`"),
        ({"ema": {"name": "ema", "decay": 0.9, "power": 2}}, "`ema` has no argument `power`"),
    ],
)
def test_settings_that_can_not_be_are_told_in_words(
    values: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained_run(tmp_path, "classes")
    set_in(run, **values)
    code, told = resumed(run, capsys)
    assert code == 2
    assert told.startswith(f"Error: {run / 'recipe.json'} is damaged: a setting of the recipe is wrong: {said}")


def test_many_settings_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained_run(tmp_path, "classes")
    set_in(run, batch=32, seed=7, clip=1.5, accumulate=2, shuffle=False)
    assert "; and 2 more\n" in resumed(run, capsys)[1]


def test_another_network_is_told_by_its_tensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained_run(tmp_path, "", text_of("classes").replace("conv 3x3x4", "conv 3x3x4 as c"))
    spec = run / "spec.cnn"
    spec.write_text(spec.read_text().replace("conv 3x3x4", "conv 3x3x5"))
    said = "c.weight 4x1x3x3 then, 5x1x3x3 now; c.bias 4 then, 5 now; dense10.weight 10x144 then, 10x180 now"
    assert resumed(run, capsys) == (
        2,
        f"Error: the checkpoint of {run} is of another run: {said}\n"
        f"help: put spec.cnn and recipe.json back, or begin anew with --init-from {run}\n",
    )
    assert main(["eval", str(run)]) == 2
    assert capsys.readouterr().err == f"Error: {run / 'model.safetensors'} is not this network's: {said}\n"


def test_more_epochs_are_no_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resumed(trained_run(tmp_path, "classes"), capsys) == (0, "")


def test_checkpoints_that_say_nothing_of_settings_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As earlier versions wrote them."""
    run = trained_run(tmp_path, "classes")
    state, _ = checkpoints.load(run)
    assert state is not None
    del state["recipe"]
    for path in checkpoints.found(run):
        path.unlink()
    checkpoints.save(run, state["epoch"], state["step"], state, 2)
    assert resumed(run, capsys) == (0, "")
