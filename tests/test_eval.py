"""`cnndsl eval`: against the run's own result, PyTorch and scikit-learn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runs import NETS, result_of, text_of, trained_run
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torch.nn import functional

from cnndsl.cli import main
from cnndsl.runtime.data.digits import as_bytes, read_digits
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.measure import measure
from cnndsl.runtime.trained import load_trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return trained_run(folder, "classes")


def evaluated(run: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["eval", str(run), "--format", "json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_numbers_are_pytorchs_and_scikit_learns(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(run, capsys)
    from cnndsl.recipe.sources import Digits

    wanted = Wanted(None, 0, (1, 8, 8), (10,))
    raw = read_digits(load_trained(run).recipe.data, wanted)
    assert isinstance(load_trained(run).recipe.data, Digits)
    assert raw.test is not None
    trained = load_trained(run, "cpu")
    with torch.no_grad():
        scores = trained.module(trained.prepare.on(torch.device("cpu"))(raw.test.inputs))
    true, said = raw.test.classes, scores.argmax(1)
    assert true is not None
    assert found["examples"] == len(true) == 359
    assert found["metrics"]["loss"] == pytest.approx(float(functional.cross_entropy(scores, true)), rel=1e-5)
    assert found["metrics"]["accuracy"] == pytest.approx(float((said == true).float().mean()))
    five = scores.topk(5, 1).indices
    assert found["metrics"]["top5"] == pytest.approx(float((five == true[:, None]).any(1).float().mean()))
    assert found["confusion"] == confusion_matrix(true, said).tolist()
    names = ("precision", "recall", "f1", "examples")
    figures = precision_recall_fscore_support(true, said, zero_division=np.nan)
    for name, column in zip(names, figures, strict=True):
        given = [one[name] if one[name] is not None else np.nan for one in found["classes"]]
        assert given == pytest.approx(column.tolist(), nan_ok=True)


@pytest.mark.parametrize("name", NETS)
def test_eval_gives_what_the_run_gave(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of task; with a mean of weights, early stopping and several views, too."""
    made = trained_run(tmp_path, name)
    result = result_of(made)
    if result["test"] is not None:
        assert evaluated(made, capsys)["metrics"] == result["test"]
    validation = evaluated(made, capsys, "--on", "validation")["metrics"]
    assert {f"validation_{key}": value for key, value in validation.items()} == {
        key: value for key, value in result["last"].items() if key.startswith("validation_")
    }
    assert main(["eval", str(made), "--on", "train", "--limit", "20"]) == 0


def test_the_limit_of_the_run_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained_run(tmp_path, "classes", limit=50)
    assert evaluated(made, capsys)["metrics"] == result_of(made)["test"]
    assert evaluated(made, capsys)["examples"] == 50
    assert evaluated(made, capsys, "--limit", "7")["examples"] == 7


def test_the_table_says_what_json_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(run, capsys)
    assert main(["eval", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Classes in {run}, the test of digits: 359 examples"
    metrics = found["metrics"]
    assert lines[1] == f"loss {metrics['loss']:.4g}  accuracy {metrics['accuracy']:.2%}  top5 {metrics['top5']:.2%}"
    rows = [line.split() for line in lines[lines.index("taken for") + 3 :]]
    assert [[int(cell.replace(".", "0")) for cell in row[1:]] for row in rows] == found["confusion"]


def test_many_classes_are_told_by_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "network Many\ninput 8\ndense 30\ntrain:\n    data synthetic 300\n    loss cross_entropy\n    epochs 1\n"
    made = trained_run(tmp_path, "", text)
    confusion = np.array(evaluated(made, capsys, "--on", "train")["confusion"])
    assert main(["eval", str(made), "--on", "train"]) == 0
    told = capsys.readouterr().out.partition("taken for another most often")[2].splitlines()[1:]
    np.fill_diagonal(confusion, 0)
    most = confusion.max()
    true, _, said = told[0].partition(":")[0].split()
    assert confusion[int(true), int(said)] == most
    assert len(told) <= 10


# --- what can be wrong ----------------------------------------------------------------------------------------------


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["eval", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_folder_of_runs_names_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"pick one, such as the newest: {run}" in said(capsys, str(run.parent))
    assert "no such folder" in said(capsys, str(run / "nothing"))
    assert "but a file" in said(capsys, str(run / "spec.cnn"))
    assert "it has no recipe.json" in said(capsys, str(run / "checkpoints"))


def test_a_part_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trained_run(tmp_path, "", text_of("classes") + "    test off\n")
    assert "the run's recipe has no test part" in (text := said(capsys, str(made)))
    assert "--on train or validation" in text


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("recipe.json", "{", "is damaged"),
        ("recipe.json", "[]", "is not of a run of this version"),
        ("model.safetensors", "junk", "can't read"),
        ("spec.cnn", "network X\ninput 8x8x1\ndense 10\n", "no network"),
        ("spec.cnn", None, "can't read"),
    ],
)
def test_a_damaged_run_is_said_in_a_sentence(
    run: Path, tmp_path: Path, file: str, content: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    if content is None:
        (broken / file).unlink()
    else:
        (broken / file).write_text(content)
    text = said(capsys, str(broken))
    assert "Traceback" not in text
    assert told in text


def test_a_run_that_was_killed_is_taken_from_its_last_checkpoint(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = tmp_path / "killed"
    shutil.copytree(run, killed)
    for name in ("model.safetensors", "result.json"):
        (killed / name).unlink()
    assert main(["eval", str(run)]) == 0
    whole = capsys.readouterr().out.splitlines()
    assert main(["eval", str(killed)]) == 0
    found = capsys.readouterr().out.splitlines()
    assert "killed as of its last checkpoint, the test of" in found[0]
    assert found[1:] == whole[1:]
    assert main(["plot", str(killed)]) == 0
    assert "curves.svg" in capsys.readouterr().out
    shutil.rmtree(killed / "checkpoints")
    assert "has no weights yet" in said(capsys, str(killed))


def test_other_classes_than_the_run_had_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv = tmp_path / "rows.csv"
    csv.write_text("".join(f"{n % 7},{n % 3},{'ab'[n % 2]}\n" for n in range(40)))
    text = 'network T\ninput 2\ndense 2\ntrain:\n    data csv "rows.csv"\n    loss cross_entropy\n    epochs 1\n'
    made = trained_run(tmp_path / "runs", "", text, data_root=str(tmp_path))
    assert main(["eval", str(made), "--data-root", str(tmp_path), "--on", "validation"]) == 0
    out = capsys.readouterr().out
    assert "a " in out
    csv.write_text(csv.read_text().replace("a", "c"))
    assert "other classes than the run had: b, c instead of a, b" in said(
        capsys, str(made), "--data-root", str(tmp_path), "--on", "validation"
    )


def test_nothing_of_the_run_folder_is_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "model.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    assert main(["eval", str(copy)]) == 0
    capsys.readouterr()
    assert not (tmp_path / "ran").exists()


def test_measuring_leaves_the_random_state_alone(run: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    measure(load_trained(run, "cpu"))
    assert torch.equal(torch.get_rng_state(), before)
    assert as_bytes().inputs.dtype == torch.uint8
