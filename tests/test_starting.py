"""What was trained before: weights to start with, and layers that stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_train import loop_on, network, never, silent
from torch import nn

import cnndsl
from cnndsl.cli import main
from cnndsl.pipeline import check
from cnndsl.runtime.data import Examples
from cnndsl.runtime.errors import RunError
from cnndsl.runtime.job import frozen
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

NET = """block unit(c):
    conv 3x3x{c} pad=1 nobias, bn, relu

network Net
input 8x8x1
unit 4 as first
unit 4 as second
conv 3x3x4 frozen=bias as third
dense CLASSES as head
train:
    data digits
    epochs 1
    batch 100
"""


def text(*lines: str, classes: int = 10) -> str:
    whole = NET.replace("CLASSES", str(classes)) + "".join(f"    {line}\n" for line in lines)
    return whole.replace("    epochs 1\n", "") if "epochs 2" in lines else whole


def started(*lines: str) -> tuple[nn.Module, Descent, object]:
    graph, recipe = network(text(*lines, "normalize none", "optimizer adamw lr=0.01 weight_decay=0.1"))
    torch.manual_seed(0)
    module = build_module(graph)
    data = Examples(torch.randn(300, 1, 8, 8), torch.randint(0, 10, (300,)))
    loop = loop_on(module, graph, recipe, data)
    given = frozen(module, graph, recipe)
    learner = Descent(module, recipe, loop.learner.objective, (), loop.device, frozen=given)  # type: ignore[attr-defined]
    loop.learner = learner
    return module, learner, loop


def changed(before: dict[str, torch.Tensor], module: nn.Module) -> set[str]:
    return {n for n, tensor in module.state_dict().items() if not torch.equal(before[n], tensor)}


def test_frozen_blocks_stay_as_they_are() -> None:
    module, _, loop = started("freeze first second")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    loop.run_epoch(silent(), never)  # type: ignore[attr-defined]
    assert changed(before, module) == {"third.weight", "head.weight", "head.bias"}


def test_frozen_for_a_while() -> None:
    module, _, loop = started("freeze first second epochs=1", "epochs 2")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    loop.run_epoch(silent(), never)  # type: ignore[attr-defined]
    assert changed(before, module) == {"third.weight", "head.weight", "head.bias"}
    loop.run_epoch(silent(), never)  # type: ignore[attr-defined]
    # All learn now, but for what the network itself freezes.
    assert changed(before, module) == set(before) - {"third.bias"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("freeze frist", "there is no layer or block called `frist`"),
        ("freeze first.conv3x3_relu", "`first.conv3x3_relu` has no weights that learn"),
        ("freeze first second third head", "nothing would be left to learn"),
    ],
)
def test_what_can_not_be_frozen_is_told(line: str, said: str) -> None:
    (found,) = check(Source("net.cnn", text(line))).diagnostics
    assert (found.code, found.span.text, found.message_text()) == ("E634", line, said)
    assert ("did you mean `first`?" in (found.help_text() or "")) == ("frist" in line)


def test_a_net_for_other_classes_starts_with_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first = cnndsl.train(text(), quiet=True)
    Path("few.cnn").write_text(
        text("freeze first second", "test off", classes=10).replace("head", "top"), encoding="utf-8"
    )
    assert main(["train", "few.cnn", "--init-from", str(first.run), "--limit", "200"]) == 0
    said = capsys.readouterr().out
    assert "starts with 14 of its 16 tensors from runs/Net-1" in said
    assert "as new: top.weight (not there), top.bias (not there)" in said
    assert "frozen first, second" in said
    old, new = (load_file(f"runs/Net-{number}/model.safetensors") for number in (1, 2))
    assert all(torch.equal(old[name], new[name]) for name in old if name.startswith(("first", "second")))
    # Without a checkpoint a run begins again as it was begun.
    for path in (*Path("runs/Net-2/checkpoints").iterdir(), Path("runs/Net-2/result.json")):
        path.unlink()
    assert main(["train", "--resume", "runs/Net-2"]) == 0
    again = load_file("runs/Net-2/model.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in new.items())


def test_weights_that_are_not_there_or_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no file"):
        cnndsl.train(text(), init_from=tmp_path / "none.safetensors", out=tmp_path, quiet=True)
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(RunError, match="can't read"):
        cnndsl.train(text(), init_from=tmp_path / "bad.safetensors", out=tmp_path, quiet=True)
    save_file({"other.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(RunError, match="none of the 1 tensors"):
        cnndsl.train(text(), init_from=tmp_path / "other.safetensors", out=tmp_path, quiet=True)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
