"""`cnndsl.train`: training from a Python program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import cnndsl
from cnndsl.runtime.errors import DataError

SPEC = """network Small
input 8x8x1
conv 3x3x8, relu, pool 2
dense 10
train:
    data digits
    epochs 2
    batch 50
"""
DIGITS = load_digits()
IMAGES, CLASSES = (DIGITS.images * 15).astype(np.uint8), DIGITS.target


def trained(tmp_path: Path, *given: Any, **more: Any) -> Any:
    return cnndsl.train(*given, out=tmp_path, quiet=True, **more)


def accuracy(module: nn.Module, images: Any, classes: Any) -> float:
    """Of images that are normalized as the spec of arrays says: by the training set's own mean and deviation."""
    x = torch.from_numpy(np.ascontiguousarray(images)).float().unsqueeze(1)
    with torch.no_grad():
        return float((module((x - x.mean()) / x.std()).argmax(1).numpy() == classes).mean())


@pytest.mark.parametrize("kind", ["numpy", "torch", "apart", "channels last"])
def test_arrays_are_trained_on(tmp_path: Path, kind: str) -> None:
    data: Any = (IMAGES, CLASSES)
    if kind == "torch":
        data = (torch.from_numpy(IMAGES), torch.from_numpy(CLASSES))
    if kind == "channels last":
        data = [IMAGES[..., None], CLASSES]
    if kind == "apart":
        data = {"train": (IMAGES[:1000], CLASSES[:1000]), "test": (IMAGES[1000:], CLASSES[1000:])}
    found = trained(tmp_path, SPEC, data, epochs=6, batch=20, optimizer="adam lr=0.01", schedule="cosine")
    assert found.run == tmp_path / "Small-1"
    assert [row["epoch"] for row in found.history] == [1, 2, 3, 4, 5, 6]
    assert found.test["accuracy"] > 0.9, found.history
    assert not found.module.training
    assert accuracy(found.module, IMAGES, CLASSES) > 0.9
    if kind == "apart":
        assert accuracy(found.module, IMAGES[1000:], CLASSES[1000:]) == pytest.approx(found.test["accuracy"], abs=0.02)


def test_the_recipes_own_data_and_a_run_that_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "small.cnn").write_text(SPEC, encoding="utf-8")
    whole = trained(tmp_path, tmp_path / "small.cnn", seed=3, epochs=3)
    first = trained(tmp_path, cnndsl.load_spec(tmp_path / "small.cnn"), seed=3)
    again = cnndsl.train(resume=first.run, epochs=3, quiet=True)
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, again.module.state_dict()[name])
    assert whole.test == again.test


def test_a_resumed_run_knows_where_its_data_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    root.mkdir()
    np.savez(root / "digits.npz", x=IMAGES, y=CLASSES)
    spec = SPEC.replace("data digits", 'data npz "digits.npz"')
    monkeypatch.chdir(tmp_path)
    first = trained(tmp_path, spec, data_root="data")
    monkeypatch.chdir("/")
    assert len(cnndsl.train(resume=first.run, epochs=3, quiet=True).history) == 3
    root.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="found no file"):
        cnndsl.train(resume=first.run, epochs=4, quiet=True)
    assert len(cnndsl.train(resume=first.run, epochs=4, data_root=tmp_path / "moved", quiet=True).history) == 4


def test_given_arrays_are_given_again(tmp_path: Path) -> None:
    first = trained(tmp_path, SPEC, (IMAGES, CLASSES))
    with pytest.raises(DataError, match="given from Python"):
        cnndsl.train(resume=first.run, epochs=3, quiet=True)
    assert len(cnndsl.train(resume=first.run, data=(IMAGES, CLASSES), epochs=3, quiet=True).history) == 3


def test_parameters_inputs_alone_and_two_networks(tmp_path: Path) -> None:
    coder = (
        "network Coder(code=4)\ninput 8x8x1\ndense {code}, dense 64, sigmoid, reshape 8x8x1\ntrain:\n"
        "    loss reconstruction bce\n    epochs 1\n"
    )
    found = trained(tmp_path, coder, IMAGES, parameters={"code": 3})
    assert (3, 64) in {tuple(tensor.shape) for tensor in found.module.state_dict().values()}
    nets = "network A\ninput 4\ndense 64, tanh, reshape 8x8x1\nnetwork B\ninput 8x8x1\ndense 1\ntrain duel of A, B:\n"
    found = trained(tmp_path, nets + "    epochs 1\n", IMAGES)
    assert set(found.module) == {"A", "B"}


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(cnndsl.SpecError, match=r"did you mean `adam`\?"):
        trained(tmp_path, SPEC, optimizer="adma")
    with pytest.raises(cnndsl.SpecError, match="no training setting named `epocs`"):
        trained(tmp_path, SPEC, epocs=3)
    with pytest.raises(cnndsl.SpecError, match="no layer kind or block named `cov`"):
        trained(tmp_path, SPEC.replace("conv", "cov"))
    with pytest.raises(ValueError, match="the parts of data are train, validation, test, not 'val'"):
        trained(tmp_path, SPEC, {"train": (IMAGES, CLASSES), "val": (IMAGES, CLASSES)})
    with pytest.raises(ValueError, match="inputs and targets"):
        trained(tmp_path, SPEC, (IMAGES, CLASSES, CLASSES))
    with pytest.raises(ValueError, match="only `epochs` may change, not `batch`"):
        cnndsl.train(resume=tmp_path, batch=3)
    with pytest.raises(ValueError, match="give a spec"):
        cnndsl.train()
    assert list(tmp_path.iterdir()) == []


def test_the_package_alone_stays_light() -> None:
    code = "import sys, cnndsl; assert 'train' in cnndsl.__all__; print('torch' in sys.modules, 'click' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
