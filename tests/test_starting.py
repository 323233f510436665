"""What was trained before: weights to start with, and layers that stay as they are."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_train import loop_on, network, never, silent
from torch import nn
from torch.nn import functional

import cnndsl
from cnndsl.cli import main
from cnndsl.pipeline import check
from cnndsl.runtime.data import Examples
from cnndsl.runtime.errors import RunError
from cnndsl.runtime.freezing import Freezing
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.loop import order
from cnndsl.runtime.module import build_module
from cnndsl.runtime.optimizing import rates
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
    assert isinstance(loop.learner, Descent)
    return module, loop.learner, loop


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


def test_layers_that_are_frozen_later() -> None:
    module, learner, loop = started("freeze norms head.bias third after=1", "epochs 2")
    loop.run_epoch(silent(), never)  # type: ignore[attr-defined]
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    loop.run_epoch(silent(), never)  # type: ignore[attr-defined]
    # Norms that are named stay with their statistics; weight decay moves nothing that is frozen.
    assert changed(before, module) == {"first.conv3x3.weight", "second.conv3x3.weight", "head.weight"}
    assert len(learner.optimizer.state) == len(learner.parameters)


def test_a_bias_frozen_later_is_pytorchs_without_its_gradient() -> None:
    """Against a loop written out, which turns the gradient off as airbench94's does."""
    text = (
        "network N\ninput 6x6x2\nconv 3x3x4 frozen=weight as whiten, bn, gelu\ndense 5\ntrain:\n    data synthetic\n"
        "    batch 16\n    epochs 4\n    optimizer sgd 0.1 momentum=0.85 nesterov weight_decay=0.01\n"
        "    freeze whiten.bias after=2\n"
    )
    graph, recipe = network(text)
    torch.manual_seed(0)
    module = build_module(graph)
    theirs = copy.deepcopy(module)
    data = Examples(torch.randn(48, 2, 6, 6), torch.randint(0, 5, (48,)))
    loop = loop_on(module, graph, recipe, data)
    reached: list[bool] = []
    whiten: Any = module.get_submodule("whiten")
    whiten.register_forward_hook(lambda _, __, output: reached.append(output.requires_grad))
    optimizer = torch.optim.SGD(
        [p for p in theirs.parameters() if p.requires_grad], 0.1, momentum=0.85, nesterov=True, weight_decay=0.01
    )
    assert data.classes is not None
    for epoch in range(4):
        loop.run_epoch(silent(), never)
        theirs.get_parameter("whiten.bias").requires_grad_(epoch < 2)
        for rows in order(48, 0, epoch).split(16):
            optimizer.zero_grad()
            functional.cross_entropy(theirs(data.inputs[rows]), data.classes[rows]).backward()
            optimizer.step()
    for (name, ours), other in zip(module.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-6, msg=name)
    # The backward pass goes no further than to what learns.
    assert reached == [True] * 6 + [False] * 6
    assert whiten.bias.grad is None
    assert loop.learner.optimizer.state[whiten.bias]["momentum_buffer"].abs().max() > 0  # type: ignore[attr-defined]


def test_parameters_with_dots_in_their_names() -> None:
    """As PyTorch names the output projection of attention."""
    graph, recipe = network(
        "network N\ninput 8x8x4\ntokens, attention 2 as at\nglobalpool avg\ndense 10\ntrain:\n    data synthetic\n"
        "    freeze at.out_proj.weight\n    rate at.out_proj.bias 3\n"
    )
    module = build_module(graph)
    (held,) = Freezing(module, graph, recipe.freeze).parameters
    assert held is module.get_parameter("at.out_proj.weight")
    assert rates(module, graph, recipe) == {module.get_parameter("at.out_proj.bias"): 3.0}


@pytest.mark.parametrize("line", ["freeze first epochs=1 after=2", "freeze after=2", "freeze epochs=1"])
def test_when_is_frozen_what(line: str) -> None:
    (found,) = check(Source("net.cnn", text(line))).diagnostics
    assert found.code == "E605"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("freeze frist", "there is no layer, block or parameter called `frist`"),
        ("freeze first.conv3x3_relu", "`first.conv3x3_relu` has no weights that learn"),
        ("freeze third.bias after=3", "`third.bias` does not learn"),
        ("freeze head.bais after=3", "there is no layer, block or parameter called `head.bais`"),
        ("freeze first second third head", "nothing would be left to learn"),
        ("freeze first second third head after=1", "nothing would be left to learn after 1 epoch"),
        ("freeze first second third.weight head epochs=1", "nothing would be left to learn for 1 epoch"),
    ],
)
def test_what_can_not_be_frozen_is_told(line: str, said: str) -> None:
    (found,) = check(Source("net.cnn", text(line))).diagnostics
    assert (found.code, found.span.text, found.message_text()) == ("E634", line, said)
    near = {"frist": "first", "head.bais": "head.bias"}
    meant = next((right for wrong, right in near.items() if wrong in line), None)
    assert found.help_text() == (None if meant is None else f"did you mean `{meant}`?")


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
    with pytest.raises(RunError, match="damaged, or no file of safetensors"):
        cnndsl.train(text(), init_from=tmp_path / "bad.safetensors", out=tmp_path, quiet=True)
    save_file({"other.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(RunError, match="none of the 1 tensors"):
        cnndsl.train(text(), init_from=tmp_path / "other.safetensors", out=tmp_path, quiet=True)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
