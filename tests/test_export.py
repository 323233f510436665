"""`cnndsl export`: what other programs load computes what the network does, and says what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from test_docs import install
from test_layers import KINDS
from torch import nn

from cnndsl.cli import main
from cnndsl.layers.base import Layer
from cnndsl.runtime.errors import ExportError
from cnndsl.runtime.export.compare import agree, difference
from cnndsl.runtime.export.subject import untrained
from cnndsl.runtime.module import load
from cnndsl.spec import checked_file, chosen

ROOT = Path(__file__).resolve().parent.parent
SPEC = """network Digits
input 12x12x3
conv 3x3x8 nobias, bn, relu as conv2d, pool 2
output early training:
    globalpool, dense 10
dense 10 as linear
train:
    data digits fit=pad
    epochs 1
    batch 100
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, of 8x8 grey images that are padded and repeated for three channels."""
    made = tmp_path_factory.mktemp("export")
    (made / "digits.cnn").write_text(SPEC)
    assert main(["train", str(made / "digits.cnn"), "--out", str(made / "runs"), "--limit", "200", "-q"]) == 0
    return made


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def by_hand(run: Path) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """The run's own source with its weights; real digits as pixels; and those as the recipe's words say."""
    names: dict[str, Any] = {}
    exec((run / "model.py").read_text(), names)
    net: nn.Module = names["Digits"]()
    net.load_state_dict(load_file(run / "model.safetensors"))
    pixels = torch.from_numpy((load_digits().images[:40] * 255 / 16).round().astype(np.uint8))[:, None]
    about = json.loads((run / "recipe.json").read_text())["prepare"]
    x = nn.functional.pad(pixels, (2, 2, 2, 2)).float().expand(-1, 3, -1, -1)
    return net.eval(), pixels, x * about["scale"][0] + about["shift"][0]


# --- ONNX -----------------------------------------------------------------------------------------------------------


def test_onnx_of_prepared_inputs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "runs/Digits-1"]) == 0
    said = capsys.readouterr().out
    assert "input `input`: float32, N x 3 x 12 x 12; prepared: pixels from 0 to 255, padded to 12x12, times" in said
    assert "the channel repeated 3 times" in said
    assert "output `output`: float32, N x 10; classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in said
    assert "checked by onnxruntime" in said
    assert "saved Digits_1.onnx" in said
    net, _, x = by_hand(Path("runs/Digits-1"))
    session = onnxruntime.InferenceSession("Digits_1.onnx")
    for count in (1, 3, 40):
        (given,) = session.run(["output"], {"input": x[:count].numpy()})
        torch.testing.assert_close(torch.as_tensor(given), net(x[:count]).detach(), atol=1e-5, rtol=1e-5)


def test_onnx_of_pixels(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "runs/Digits-1", "--raw", "-o", "raw.onnx"]) == 0
    assert "input `input`: uint8, N x 1 x 8 x 8; pixels from 0 to 255" in capsys.readouterr().out
    net, pixels, x = by_hand(Path("runs/Digits-1"))
    (given,) = onnxruntime.InferenceSession("raw.onnx").run(None, {"input": pixels.numpy()})
    torch.testing.assert_close(torch.as_tensor(given), net(x).detach(), atol=1e-5, rtol=1e-5)


def test_onnx_says_what_it_is(here: Path) -> None:
    assert main(["export", "runs/Digits-1", "-q"]) == 0
    model = onnx.load("Digits_1.onnx")
    onnx.checker.check_model(model, full_check=True)
    graph = model.graph
    assert [one.name for one in graph.input] == ["input"]
    assert [one.name for one in graph.output] == ["output"]
    assert [size.dim_param for size in graph.input[0].type.tensor_type.shape.dim] == ["batch", "", "", ""]
    weights = {one.name for one in graph.initializer}
    assert {name for name in weights if name.endswith("weight")} <= set(load_file("runs/Digits-1/model.safetensors"))
    assert not any("early" in name for name in weights)
    about = {one.key: one.value for one in model.metadata_props}
    assert about["network"] == "Digits"
    assert json.loads(about["classes"]) == [str(n) for n in range(10)]
    assert json.loads(about["inputs"]) == [{"name": "input", "shape": ["N", 3, 12, 12], "type": "float32"}]
    assert json.loads(about["preparation"])["fit"] == "pad"
    content = Path("Digits_1.onnx").read_bytes()
    assert b"/torch/" not in content, "it tells where its maker's files lie"


def test_names_of_ends_that_tools_use_inside(here: Path) -> None:
    """An input and outputs called as the exporter calls what is between them; one tensor given twice, and an input."""
    Path("odd.cnn").write_text(
        "network Odd\ninput linear 4\ninput relu 4\nfrom linear, dense 4, relu as conv2d\n"
        "add conv2d relu as code, relu as add\noutput add\noutput code\noutput conv2d\n"
    )
    assert main(["export", "odd.cnn", "--untrained", "-q"]) == 0
    session = onnxruntime.InferenceSession("odd.onnx")
    assert [one.name for one in session.get_inputs()] == ["linear", "relu"]
    assert [one.name for one in session.get_outputs()] == ["add", "code", "conv2d"]


# --- the others -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
def test_torch_export(here: Path, raw: bool) -> None:
    assert main(["export", "runs/Digits-1", "-o", "a.pt2", "-q", *["--raw"] * raw]) == 0
    about = {"cnndsl.json": ""}
    program = torch.export.load("a.pt2", extra_files=about).module()
    net, pixels, x = by_hand(Path("runs/Digits-1"))
    torch.testing.assert_close(program(pixels if raw else x), net(x), atol=1e-5, rtol=1e-5)
    assert program((pixels if raw else x)[:1]).shape == (1, 10)
    assert json.loads(about["cnndsl.json"])["network"] == "Digits"


@pytest.mark.parametrize(("file", "module"), [("my-digits.safetensors", "my_digits"), ("other.pt", "other")])
def test_the_example_runs_without_cnndsl(
    here: Path, capsys: pytest.CaptureFixture[str], file: str, module: str
) -> None:
    assert main(["export", "runs/Digits-1", "-o", file]) == 0
    example = capsys.readouterr().out.partition("without cnndsl:\n\n")[2].partition("saved")[0]
    assert example.count("\n") <= 12
    assert f"from {module} import Digits" in example
    assert example.strip() in Path(f"{module}.py").read_text().replace("\n    ", "\n")
    program = f"import sys\nsys.modules['cnndsl'] = None\nimport torch\ntorch.manual_seed(1)\n{example}"
    program += "torch.save([x, net(x).detach()], 'given.pt')\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    torch.manual_seed(1)
    net, _, _ = by_hand(Path("runs/Digits-1"))
    about = json.loads(Path("runs/Digits-1/recipe.json").read_text())["prepare"]
    pixels = torch.randint(256, (1, 1, 8, 8))
    wanted = nn.functional.pad(pixels, (2, 2, 2, 2)).expand(-1, 3, -1, -1) * about["scale"][0] + about["shift"][0]
    x, given = torch.load("given.pt", weights_only=True)
    torch.testing.assert_close(x, wanted)
    torch.testing.assert_close(given, net(wanted).detach())


def test_source_alone(here: Path) -> None:
    assert main(["export", "runs/Digits-1", "--format", "source", "-q", "-o", "alone.py"]) == 0
    text = Path("alone.py").read_text()
    assert 'load_file("model.safetensors")' in text
    compile(text, "alone.py", "exec")


def test_to_standard_output(here: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["export", "runs/Digits-1", "-o", "-"]) == 0
    out, told = capfdbinary.readouterr()
    assert onnx.load_from_string(out).graph.name == "Digits"
    assert b"checked by onnxruntime" in told


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "there is no run folder nope\nhelp: did you mean runs/Digits-1?"),
        (["runs"], "runs is no run folder: it has no recipe.json\nhelp: did you mean runs/Digits-1?"),
        (["digits.cnn"], "digits.cnn is a spec, which has no trained weights\nhelp: cnndsl train digits.cnn"),
        (["lenet5"], "lenet5 is a spec"),
        (["runs/Digits-1", "-o", "a.onx"], "did you mean '.onnx'?"),
        (["runs/Digits-1", "-o", "a"], "there are .onnx, .pt2, .safetensors, .pt, .py"),
        (["runs/Digits-1", "-o", "a.pt2", "--format", "onnx"], "'a.pt2' is the name of a torch-export file"),
        (["runs/Digits-1", "-o", "nowhere/a.onnx"], "can't write nowhere/a.onnx: there is no such folder"),
        (["runs/Digits-1", "-o", "runs/Digits-1/model.safetensors"], "is the run's own"),
        (["runs/Digits-1", "-o", "runs/Digits-1/model.pt"], "model.py is the run's own"),
        (["runs/Digits-1", "--raw", "--format", "source"], "the source has an example that does it"),
        (["runs/Digits-1", "--format", "state-dict", "-o", "-"], "state-dict writes two files"),
        (["runs/Digits-1", "--set", "a=1"], "a run has its settings"),
        (["lenet5", "--untrained", "--raw"], "an untrained network has none"),
        (["vae.cnn", "--untrained"], "no file vae.cnn"),
        ([str(ROOT / "specs" / "siamese.cnn"), "--untrained"], "holds 4 networks"),
    ],
)
def test_misuse_gives_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    before = sorted(here.rglob("*"))
    assert main(["export", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(here.rglob("*")) == before


BESSEL = """
from cnndsl.layers.base import Elementwise, Example
from cnndsl.layers.code import X, call


class Bessel(Elementwise):
    kind = "bessel"
    family = "activation"
    primitive = "leaky_relu"
    examples = (Example("bessel", "8x8x4"),)

    def expression(self):
        return call("torch.special.bessel_j0", X)
"""
PACKAGE = """
[project]
name = "bessel"
version = "1.0"
[project.entry-points."cnndsl.layers"]
bessel = "bessel:Bessel"
"""


def test_a_layer_that_onnx_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "bessel.py").write_text(BESSEL)
    (tmp_path / "pyproject.toml").write_text(PACKAGE)
    install(tmp_path)
    (tmp_path / "odd.cnn").write_text("network Odd\ninput 8x8x1\nconv 3x3x4, relu\n\nbessel as wave\ndense 3\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-m", "cnndsl", "export", "odd.cnn", "--untrained"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Error: `wave` (line 5 of odd.cnn), a `bessel`, can't be written as ONNX: " in done.stderr
    assert "bessel_j0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "odd.onnx").exists()


def test_another_result_is_refused() -> None:
    checked = checked_file("lenet5", None, input=None, root=None, parameters={})
    subject = untrained(chosen(checked, checked.networks).graph)

    def wrong(inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
        return [subject.module(*inputs).detach() + 1e-3]

    with pytest.raises(
        ExportError, match=r"something else for 1 examples: output `output`, greatest difference 0\.001"
    ):
        agree(subject, wrong, "it")
    with pytest.raises(ExportError, match="would be"):
        difference(torch.zeros(2, 3), torch.zeros(3, 2), "a")


def test_weights_that_are_no_numbers_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits.cnn", "--out", "broken", "--limit", "100", "-q"]) == 0
    path = Path("broken/Digits-1/model.safetensors")
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    weights["linear.weight"][0, 0] = float("nan")
    save_file(weights, path)
    assert main(["export", "broken/Digits-1", "-o", "broken.onnx"]) == 1
    assert "output `output` is not finite" in capsys.readouterr().err
    assert not Path("broken.onnx").exists()


# --- networks of many kinds -----------------------------------------------------------------------------------------

ZOO = [
    "LeNet5_1998", "vae", "siamese_embedding", "conv_autoencoder", "crnn", "textcnn", "speech_commands_m5",
    "dcgan_generator", "airbench94", "densenet_40_12", "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small",
    "googlenet", "espcn_x3 --input 32x32x1", "segnet --input 64x64x3", "swin_t",
]  # fmt: skip
FAST = ("LeNet5_1998", "siamese_embedding")


def exported(name: str, folder: Path) -> None:
    """Compared with what `load` makes, here by onnxruntime alone."""
    file = folder / "a.onnx"
    name, *options = name.split()
    assert main(["export", name, *options, "--untrained", "-q", "-o", str(file)]) == 0
    onnx.checker.check_model(onnx.load(file))
    session = onnxruntime.InferenceSession(file)
    net = load(name, input=options[-1] if options else None).eval()
    weights = {one.name: torch.tensor(onnx.numpy_helper.to_array(one)) for one in onnx.load(file).graph.initializer}
    own = {key: weights[key] for key in net.state_dict() if key in weights}
    assert own
    if set(own) != set(net.state_dict()):
        return  # some were changed on the way, as those of batch norm and of recurrent layers are
    net.load_state_dict(own)
    inputs = []
    for one in session.get_inputs():
        sizes = [3, *one.shape[1:]]
        tokens = "int64" in one.type
        inputs.append(torch.randint(2, sizes) if tokens else torch.randn(*sizes))
    given = session.run(None, {one.name: x.numpy() for one, x in zip(session.get_inputs(), inputs, strict=True)})
    wanted = net(*inputs)
    for one, other in zip(given, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        torch.testing.assert_close(torch.as_tensor(one), other.detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", FAST)
def test_zoo(name: str, tmp_path: Path) -> None:
    exported(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ZOO if name not in FAST])
def test_more_of_the_zoo(name: str, tmp_path: Path) -> None:
    exported(name, tmp_path)
    if name in ("vae", "crnn", "swin_t"):
        assert main(["export", name, "--untrained", "-q", "-o", str(tmp_path / "a.pt2")]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_kind(kind: type[Layer], tmp_path: Path) -> None:
    example = kind.examples[0]
    (tmp_path / "one.cnn").write_text(example.spec())
    assert main(["export", str(tmp_path / "one.cnn"), "--untrained", "-q", "-o", str(tmp_path / "a.onnx")]) == 0
