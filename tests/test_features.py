"""`cnndsl features`: what is drawn is what PyTorch computes from the run's own source."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rules import colliding, leaving
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from cnndsl.cli import main
from cnndsl.draw.colors import luminance
from cnndsl.draw.scene import Image as Pixels
from cnndsl.draw.scene import Scene
from cnndsl.runtime.features import attribution, example, scenes
from cnndsl.runtime.features.heat import VIRIDIS, colored
from cnndsl.runtime.predict import Predictor
from cnndsl.runtime.trained import load_trained

SPECS = {
    "net": "network Net\ninput 16x16x1\nconv 3x3x6 as c1, relu, pool 2\nconv 3x3x12 as c2, relu, dropout 0.5\ndense 10",
    "mlp": "network Mlp\ninput 64\ndense 80, relu\ndense 10",
    "curve": "network Curve\ninput 60x2\nconv 5x4 as c1, relu, pool 2\nglobalpool, dense 3",
    "words": "network Words\ninput 16 tokens\nembedding 50 8, conv 3x12, relu, globalpool max, dense 2",
    "twins": "network Twins\ninput left 8x8x1\ninput right 8x8x1\nfrom left, dense 9 as code\n"
    "from right, reuse code\nabsdiff code\ndense 1",
    "seg": "network Seg\ninput 32x32x1\nconv 3x3x8 same, relu, conv 1x1x3",
    "field": "network Field\ninput 9x9x2\nadd as sum:\n    | conv 3x3x6, relu\n    | conv 3x3x6\nrelu, dense 3",
}
DATA = {"field": "synthetic", "curve": "synthetic", "words": "synthetic", "seg": "shapes"}
LOSS = {"twins": "    loss bce\n", "seg": "    loss cross_entropy\n"}
HOW = ("saliency", "cam")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("features")
    for name, text in SPECS.items():
        lines = f"{text}\ntrain:\n    data {DATA.get(name, 'digits')}\n{LOSS.get(name, '')}    epochs 1\n"
        (made / f"{name}.cnn").write_text(lines)
        limit = ["--limit", "150"]
        assert main(["train", str(made / f"{name}.cnn"), "--out", str(made / "runs"), "-q", *limit]) == 0
    digits = load_digits()
    for number in (3, 7):
        pixels = digits.images[list(digits.target).index(number)] * 255 / 16
        Image.fromarray(pixels.round().astype(np.uint8)).save(made / f"{number}.png")
    random = np.random.default_rng(0)
    # Without cells that are equal, of which a pool could take either.
    Image.fromarray(random.permutation(256)[:64].reshape(8, 8).astype(np.uint8)).save(made / "noise.png")
    np.save(made / "curve.npy", random.normal(size=(2, 2, 60)).astype(np.float32))
    np.save(made / "field.npy", random.normal(size=(1, 2, 9, 9)).astype(np.float32))
    np.save(made / "words.npy", random.integers(0, 50, (2, 16)))
    return made


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def of_run(name: str, *inputs: str) -> example.Example:
    return example.read(Predictor(load_trained(Path("runs") / f"{name}-1", "cpu")), inputs)


def by_hand() -> tuple[nn.Module, Tensor]:
    """The run's own source with its weights, and the noise as the recipe's words say."""
    run = Path("runs/Net-1")
    names: dict[str, Any] = {}
    exec((run / "model.py").read_text(), names)
    net: nn.Module = names["Net"]()
    net.load_state_dict(load_file(run / "model.safetensors"))
    about = json.loads((run / "recipe.json").read_text())["prepare"]
    pixels = torch.tensor(np.asarray(Image.open("noise.png")))[None, None].float()
    larger = functional.interpolate(pixels, (16, 16), mode="bilinear").round()
    return net.eval(), larger * about["scale"][0] + about["shift"][0]


# --- numbers --------------------------------------------------------------------------------------------------------


def test_layers_give_what_hooks_see(here: Path) -> None:
    net, x = by_hand()
    seen: dict[str, Tensor] = {}
    for name in ("c1", "c2", "dense10"):
        net.get_submodule(name).register_forward_hook(lambda _, __, given, name=name: seen.update({name: given[0]}))
    net(x)
    found = {node.name: values for node, values in example.layers(of_run("Net", "noise.png"))}
    for name, values in seen.items():
        torch.testing.assert_close(found[name], values.detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("wanted", [None, "3"])
def test_saliency_is_the_gradient(here: Path, wanted: str | None) -> None:
    net, x = by_hand()
    x.requires_grad_()
    scores = net(x)[0]
    scores[int(wanted) if wanted else int(scores.argmax())].backward()
    found = attribution.saliency(of_run("Net", "noise.png"), wanted)
    assert found.number == (int(wanted) if wanted else int(scores.argmax()))
    assert x.grad is not None
    torch.testing.assert_close(found.values, x.grad[0].abs().amax(0), atol=1e-6, rtol=1e-4)


def test_smoothgrad_is_the_mean_of_gradients(here: Path) -> None:
    """Of a network whose gradient is the same everywhere within a region, little noise changes nothing."""
    net, x = by_hand()
    found = attribution.saliency(of_run("Net", "noise.png"), "7", samples=4)
    random = torch.Generator().manual_seed(0)
    total = torch.zeros_like(x)
    for _ in range(4):
        noise = torch.randn(x.shape, generator=random) * 0.15 * (x.max() - x.min())
        noisy = (x + noise).requires_grad_()
        net(noisy)[0, 7].backward()
        assert noisy.grad is not None
        total += noisy.grad
    torch.testing.assert_close(found.values, (total[0] / 4).abs().amax(0), atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("layer", [None, "c1"])
def test_grad_cam(here: Path, layer: str | None) -> None:
    net, x = by_hand()
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: object, given: Tensor) -> None:
        given.retain_grad()
        kept.append(given)

    net.get_submodule(layer or "c2").register_forward_hook(keep)
    net(x)[0, 3].backward()
    (maps,) = kept
    assert maps.grad is not None
    alpha = maps.grad[0].mean((1, 2))
    cam = torch.relu(torch.einsum("c,chw->hw", alpha, maps[0])).detach()
    wanted = functional.interpolate(cam[None, None], (16, 16), mode="bilinear")[0, 0]
    found = attribution.grad_cam(of_run("Net", "noise.png"), "3", layer)
    assert (found.layer, found.name) == (layer or "c2", "3")
    torch.testing.assert_close(found.values, wanted, atol=1e-6, rtol=1e-4)


def test_colours_grow_lighter() -> None:
    """What orders them for readers who see no hues."""
    light = [luminance(color) for color in VIRIDIS]
    assert light == sorted(light)
    ends = colored(torch.tensor([[0.0, 1.0]]))
    assert ends.tolist() == [[[68, 1, 84], [253, 231, 37]]]


# --- pictures -------------------------------------------------------------------------------------------------------


def pictures(scene: Scene) -> list[Pixels]:
    return [mark for mark in scene.marks if isinstance(mark, Pixels)]


def test_a_map_is_spread_from_black_to_white(here: Path) -> None:
    found = of_run("Net", "7.png")
    layers = [scenes.Layer(node, values) for node, values in example.layers(found) if node.name == "c1"]
    scene = scenes.maps("t", layers, found, 4)
    image, *maps = pictures(scene)
    assert (image.columns, image.rows) == (16, 16)
    assert [(one.columns, one.rows) for one in maps] == [(14, 14)] * 4
    for one, values in zip(maps, layers[0].values, strict=False):
        low, high = values.min(), values.max()
        grey = ((values - low) / (high - low) * 255).round().to(torch.uint8).flatten().tolist()
        assert list(one.pixels[::3]) == grey
    assert any(getattr(mark, "text", "") == "conv, 14x14x6, the first 4 of 6 maps" for mark in scene.marks)
    assert not [*leaving(scene), *colliding(scene)]


@pytest.mark.parametrize("name", ["Net", "Mlp", "Curve", "Words", "Twins", "Seg", "Field"])
def test_every_layer_of_every_kind_of_network(here: Path, name: str) -> None:
    inputs = {"Curve": ["curve.npy"], "Field": ["field.npy"], "Words": ["words.npy"], "Twins": ["7.png", "3.png"]}.get(
        name, ["7.png"]
    )
    found = of_run(name, *inputs)
    layers = [scenes.Layer(node, values) for node, values in example.layers(found) if node.layer is not None]
    scene = scenes.maps("A title", layers, found, 9)
    texts = {mark.text for mark in scene.marks if hasattr(mark, "text")}
    assert {layer.node.name for layer in layers} <= texts
    assert not [*leaving(scene), *colliding(scene)]


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_files(here: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    assert main(["features", "runs/Net-1", "7.png", "-o", f"a.{ending}"]) == 0
    said = capsys.readouterr().out
    assert re.match(r"Net of runs/Net-1: 7.png is [0-9], probability [0-9.]+%\nsaved a\.\w+: 6 layers of 7", said)
    start = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}[ending]
    assert Path(f"a.{ending}").read_bytes().startswith(start)


@pytest.mark.parametrize("how", HOW)
def test_heat_maps(here: Path, capsys: pytest.CaptureFixture[str], how: str) -> None:
    assert main(["features", "runs/Net-1", "7.png", f"--{how}", "--class", "2"]) == 0
    assert f"saved Net-1-{how}.svg" in capsys.readouterr().out
    text = Path(f"Net-1-{how}.svg").read_text()
    assert text.count("<image") == 4
    assert "for 2" in text
    assert "0 on the left" in text


@pytest.mark.parametrize("how", HOW)
def test_fields_of_numbers_are_looked_at_like_images(here: Path, how: str) -> None:
    assert main(["features", "runs/Field-1", "field.npy", f"--{how}"]) == 0
    text = Path(f"Field-1-{how}.svg").read_text()
    assert text.count("<image") == 4
    assert how == "saliency" or "Grad-CAM of sum for" in text


def test_a_flattened_image_is_looked_at_as_one(here: Path) -> None:
    found = attribution.saliency(of_run("Mlp", "7.png"))
    assert found.values.shape == (8, 8)
    assert main(["features", "runs/Mlp-1", "--kernels", "--maps", "80"]) == 0
    assert Path("Mlp-1-kernels.svg").read_text().count("<image") == 80


def test_kernels(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "runs/Net-1", "--kernels"]) == 0
    assert capsys.readouterr().out == "saved Net-1-kernels.svg: weights of c1\n"
    assert Path("Net-1-kernels.svg").read_text().count("<image") == 6
    assert main(["features", "runs/Net-1", "--kernels", "--layers", "c2", "-o", "c2.svg"]) == 0
    assert Path("c2.svg").read_text().count("<image") == 63
    assert "the first 63 of 72 kernels" in Path("c2.svg").read_text()


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["Net-1"], 2, "Give an image, or --kernels."),
        (["Net-2", "7.png"], 2, "there is no run folder runs/Net-2"),
        (["Net-1", "8.png"], 2, "8.png is not there"),
        (["Net-1", "net.cnn"], 2, "net.cnn is no image that can be read"),
        (["Net-1", "7.png", "--kernels"], 2, "leave out the image"),
        (["Net-1", "7.png", "--cam", "--saliency"], 2, "Only one of"),
        (["Net-1", "7.png", "--class", "7"], 2, "--class is for"),
        (["Net-1", "7.png", "--layers", "c3"], 2, "there is no layer `c3`\nhelp: did you mean `c"),
        (["Net-1", "7.png", "--cam", "--layers", "c3"], 2, "there is no layer `c3`"),
        (["Net-1", "7.png", "--cam", "--layers", "dense10"], 2, "Grad-CAM looks at maps, and `dense10` gives 10"),
        (["Net-1", "7.png", "--cam", "--class", "x"], 2, "there is no class `x`"),
        (["Net-1", "7.png", "-o", "a.gif"], 2, "it ends with .svg, .png or .pdf"),
        (["Net-1", "7.png", "-o", "no/a.svg"], 2, "can't write no/a.svg"),
        (["Mlp-1", "7.png", "--cam"], 2, "the network has none\nhelp: try --saliency"),
        (["Curve-1", "curve.npy", "--saliency"], 2, "the network does not take images"),
        (["Curve-1", "7.png"], 2, "the network was not trained on images"),
        (["Twins-1", "7.png", "3.png", "--cam"], 2, "the network takes two inputs"),
        (["Net-1", "--kernels", "--layers", "c1_relu"], 1, "these layers have no weights"),
    ],
)
def test_misuse_gives_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    before = sorted(here.rglob("*"))
    assert main(["features", f"runs/{arguments[0]}", *arguments[1:]]) == code
    out, told = capsys.readouterr()
    assert said in told
    assert out == ""
    assert sorted(here.rglob("*")) == before
