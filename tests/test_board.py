"""The numbers that a run leaves for TensorBoard, read back with TensorBoard's own reader."""

from __future__ import annotations

import csv
import io
import json
import struct
import sys
from pathlib import Path

import pytest
import torch
from test_distributed import SPEC, command, ran
from test_train import SMALL, Talkative, network, same

from cnndsl.runtime import checkpoints
from cnndsl.runtime.board import FOLDER, Board
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.train import Options, resume, train

Curves = dict[str, list[tuple[int, float]]]


def board(run: Path) -> Curves:
    """What TensorBoard shows of a run: each curve's steps and values."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reader = accumulator.EventAccumulator(str(run / FOLDER)).Reload()
    return {tag: [(one.step, one.value) for one in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def table(run: Path) -> Curves:
    """The same by metrics.csv, in the 32 bits of TensorBoard's numbers."""
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: Curves = {}
    for column in rows[0]:
        part, _, name = column.partition("_")
        if column not in ("epoch", "steps", "seconds"):
            found[f"{name}/{part}" if name else column] = [
                (int(row["epoch"]), struct.unpack("f", struct.pack("f", float(row[column])))[0]) for row in rows
            ]
    return found


def trained(folder: Path, stream: io.StringIO | None = None) -> Path:
    graph, recipe = network(SMALL)
    result = train(graph, recipe, Options(out=str(folder), stream=stream or io.StringIO()))
    assert result.run is not None
    return result.run


def resumed(run: Path) -> None:
    resume(run, *read_run(run), Options(quiet=True))


def test_the_board_shows_what_the_table_holds(tmp_path: Path) -> None:
    run = trained(tmp_path)
    assert board(run) == table(run)
    assert set(board(run)) == {"lr", *(f"{n}/{part}" for n in ("loss", "accuracy") for part in ("train", "validation"))}
    assert [step for step, _ in board(run)["lr"]] == [1, 2, 3]


def test_a_run_that_was_stopped_shows_each_epoch_once(tmp_path: Path) -> None:
    run = trained(tmp_path, Talkative("epoch 1/3  train"))
    assert [step for step, _ in board(run)["lr"]] == [1]
    resumed(run)
    assert [step for step, _ in board(run)["lr"]] == [1, 2, 3]
    assert board(run) == table(run)


def test_epochs_that_come_again_replace_the_former(tmp_path: Path) -> None:
    run = trained(tmp_path)
    before = board(run)
    newest, older = checkpoints.found(run)
    newest.unlink()
    assert "epoch-000002" in older.name
    resumed(run)
    assert len(list((run / FOLDER).iterdir())) == 2
    assert board(run) == before == table(run)


def test_an_epoch_that_a_kill_left_out_is_added(tmp_path: Path) -> None:
    """A checkpoint is written before the board: between the two a run may be killed."""
    run = trained(tmp_path)
    whole = table(run)
    for path in (run / FOLDER).iterdir():
        path.unlink()
    one = Board(run)
    history = [{"epoch": 1.0, "train_loss": 0.5}]
    one.add(history)
    one.close()
    checkpoints.found(run)[0].unlink()  # the run goes on after its second epoch
    resumed(run)
    assert [step for step, _ in board(run)["lr"]] == [2, 3]
    assert board(run)["loss/train"] == [(1, 0.5), *whole["loss/train"][1:]]


def test_a_run_begun_without_tensorboard_gets_all_its_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tensorboard", None)
        run = trained(tmp_path, Talkative("epoch 2/3  train"))
        assert not (run / FOLDER).exists()
    resumed(run)
    assert board(run) == table(run)
    assert [step for step, _ in board(run)["lr"]] == [1, 2, 3]


def test_without_tensorboard_nothing_else_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    with_it = trained(tmp_path / "with", said)
    state = torch.get_rng_state()
    without_said = io.StringIO()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tensorboard", None)
        without_it = trained(tmp_path / "without", without_said)
    assert same(with_it, without_it)
    assert torch.equal(state, torch.get_rng_state())
    assert {path.name for path in with_it.iterdir()} - {path.name for path in without_it.iterdir()} == {FOLDER}
    lines = [text.getvalue().count("\n") for text in (said, without_said)]
    assert lines[0] == lines[1]


def test_a_board_that_can_not_be_written_ends_no_run(tmp_path: Path) -> None:
    run = trained(tmp_path, Talkative("epoch 1/3  train"))
    for path in (run / FOLDER).iterdir():
        path.unlink()
    (run / FOLDER).rmdir()
    (run / FOLDER).write_text("no folder")
    resumed(run)
    assert json.loads((run / "result.json").read_text())["epochs"] == 3
    assert (run / FOLDER).read_text() == "no folder"


@pytest.mark.slow
def test_of_several_processes_one_writes(tmp_path: Path) -> None:
    (tmp_path / "small.cnn").write_text(SPEC, encoding="utf-8")
    done = ran(*command("nproc", "small.cnn", "--epochs", "2"), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    run = tmp_path / "runs" / "Small-1"
    assert len(list((run / FOLDER).iterdir())) == 1
    assert board(run) == table(run)
    assert [step for step, _ in board(run)["lr"]] == [1, 2]
