"""`check --torch`: PyTorch's own numbers beside the predicted ones; it agrees with the zoo, and catches what lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnndsl.cli import main
from cnndsl.layers import all_kinds
from cnndsl.layers.base import Inferred, Operation, Weight
from cnndsl.layers.conv import Conv
from cnndsl.layers.padding import Sliding
from cnndsl.pipeline import Options, check
from cnndsl.runtime.compare import Comparison, compare
from cnndsl.shape import Shape
from cnndsl.source import Source
from cnndsl.zoo import locate, read

ZOO = ("lenet5", "lenet5-1998", "resnet18", "unet", "vae", "crnn", "vit_b_32", "siamese")


def compared(source: Source, network: str | None = None) -> list[Comparison]:
    return [compare(one.graph, one.analysis) for one in check(source, Options(network=network)).networks]


@pytest.mark.parametrize("name", ZOO)
def test_pytorch_agrees(name: str) -> None:
    place = locate(name)
    source = read(place)
    assert isinstance(source, Source)
    for found in compared(source, place.network):
        assert found.differences == ()
        assert found.shapes > 5
        assert found.params > 0


def test_pytorch_agrees_with_every_kind() -> None:
    for kind in all_kinds():
        for example in kind.examples[:1]:
            assert compared(Source("example", example.spec()))[0].differences == (), example


SPEC = Source("t", "network T\ninput 16x16x3\nconv 3x3x8 pad=1, relu\nconv 3x3x4 as c, relu\ndense 10\n")


def lies(monkeypatch: pytest.MonkeyPatch, rule: str, told: object) -> list[tuple[str | None, str, str, str]]:
    monkeypatch.setattr(Conv, rule, told)
    (found,) = compared(SPEC)
    return [tuple(one) for one in found.differences]


def test_a_shape_that_is_not_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(self: Conv, *inputs: Shape) -> Inferred:
        sizes = Sliding.over(inputs[0].spatial, self.pad, self.kernel, (1,)).positions()
        return Inferred((Shape((sizes[0] + 1, sizes[1], self.channels)),))

    found = lies(monkeypatch, "infer", told)
    assert ("conv3x3x8", "output", "17x16x8", "16x16x8") in found
    assert ("c", "output", "16x14x4", "14x14x4") in found


def test_weights_that_are_not_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = lies(monkeypatch, "weights", lambda self, x: (Weight("weight", (self.channels, x.channels, 3, 2)),))
    assert ("c", "parameters", "192", "292") in found
    assert ("c", "parameter weight", "4x8x3x2", "4x8x3x3") in found
    assert ("c", "parameter bias", "none", "4") in found


def test_operations_that_are_not_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(self: Conv, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("conv", inputs[0].elements, outputs[0].elements, 1, 100),)

    assert ("c", "operations (2 MACs)", "200", f"{2 * 14 * 14 * 9 * 8 * 4:,}") in lies(monkeypatch, "operations", told)


# --- the command ----------------------------------------------------------------------------------------------------

LIAR = '''
from cnndsl.layers.base import Elementwise, Example, Inferred
from cnndsl.layers.code import X, call
from cnndsl.shape import Shape


class Halve(Elementwise):
    """Says that it halves a map, and does not."""

    kind = "halve"
    family = "activation"
    primitive = "relu"
    examples = (Example("halve", "8x8x4"),)

    def infer(self, *inputs):
        x = self.take_map(inputs[0])
        return Inferred((Shape((*(n // 2 for n in x.spatial), x.channels)),))

    def expression(self):
        return call("F.relu", X)
'''


def test_a_package_whose_rule_lies_is_caught(tmp_path: Path) -> None:
    (tmp_path / "liar.py").write_text(LIAR)
    metadata = tmp_path / "liar-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: liar\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cnndsl.layers]\nhalve = liar:Halve\n")
    (tmp_path / "lied.cnn").write_text("network Lied\ninput 8x8x4\nconv 3x3x4 pad=1, halve\nconv 3x3x2 pad=1\n")
    root = str(Path(__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-m", "cnndsl", "check", "lied.cnn", "--torch"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, str(tmp_path)])},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    assert "conv3x3x4_halve: output: predicted 4x4x4, PyTorch 8x8x4" in run.stdout
    assert "PyTorch differs from Lied" in run.stdout


def test_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "lenet5", "--torch"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "PyTorch agrees with LeNet5: 11 shapes, 61,706 parameters, 416,520 MACs"
    )


def test_without_pytorch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["check", "lenet5", "--torch"]) == 2
    said = capsys.readouterr().err
    assert "--torch needs PyTorch" in said
    assert "pip install 'cnndsl[train]'" in said


def test_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "lenet5", "--torch", "--format", "json"]) == 2
    assert "--torch prints below a table" in capsys.readouterr().err
