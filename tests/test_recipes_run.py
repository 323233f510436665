"""Every recipe of specs/ trains: a few steps on data of the form it asks for, in a run that can be gone on with."""

from __future__ import annotations

import io
import re
import shutil
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from zoo_specs import NAMED, SECTIONS, Section, source

from cnndsl.datasets import CIFAR, IDX_FILES
from cnndsl.graph import Graph
from cnndsl.pipeline import Options as CheckOptions
from cnndsl.pipeline import check
from cnndsl.recipe import Recipe, read
from cnndsl.recipe.overrides import override, parse_settings
from cnndsl.runtime import checkpoints, run_folder
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.train import Options, resume, train

RECIPES = tuple(section for section in SECTIONS if re.search(r"(?m)^ *train( \w+)?:", section.text))

SMALLER: dict[str, dict[str, str]] = {
    "UNet": {"width": "4"},
    "UNetPadded": {"width": "4"},
    "TextCNN": {"words": "200"},
    "CRNN": {"units": "16"},
    "RawAudio": {"depth": "3"},
    "ResNeXtCifar": {"cardinality": "4", "width": "4"},
    "DenseNetCifar": {"depth": "22"},
    "PreResNetCifar": {"depth": "29"},
    "WRN": {"depth": "10", "k": "1"},
    "ResNet": {"depth": "18", "classes": "5"},
    "AlexNet": {"classes": "5"},
    "SegNet": {"width": "4"},
    "MobileNetV2": {"alpha": "0.35", "classes": "5"},
}
"""Parameters with which networks learn in moments; the recipe stays what it is."""
INPUT = {"UNetPadded": "64x64x3", "UNetKeras": "64x64x1"}
"""Smaller images, where a network takes any."""
SLOW = {
    "Airbench94", "ResNet9", "UNet", "UNetPadded", "UNetKeras", "SegNet", "Siamese", "AlexNet", "ResNet",
    "MobileNetV2", "RawAudio", "CRNN",
}  # fmt: skip
"""Networks that take more than a few seconds nevertheless."""
EPOCHS = 2
LEFT = {"spec.cnn", "model.py", "recipe.json", "metrics.csv", "metrics.jsonl", "model.safetensors", "result.json"}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny files in the forms in which data sets are published, of random values."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    mnist = root / "mnist"
    mnist.mkdir()
    for name, count in zip(IDX_FILES, (60, 60, 20, 20), strict=True):
        sizes = (count, 28, 28) if "images" in name else (count,)
        values = random.integers(0, 256, sizes) if "images" in name else np.arange(count) % 10
        header = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        (mnist / name).write_bytes(header + values.astype(np.uint8).tobytes())
    for name, versions in CIFAR.items():
        version = next(one for one in versions if one.binary)
        folder = root / name / version.folder
        folder.mkdir(parents=True)
        for file in version.files:
            labels = np.arange(20)[:, None] % 10
            labels = labels if name == "cifar10" else np.concatenate([labels, labels], 1)
            rows = np.concatenate([labels, random.integers(0, 256, (20, 3072))], 1)
            (folder / file).write_bytes(rows.astype(np.uint8).tobytes())
    for kind in range(5):
        folder = root / "imagenet" / f"kind{kind}"
        folder.mkdir(parents=True)
        for number in range(6):
            Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return root


@cache
def small(name: str) -> tuple[Graph, Recipe]:
    """A network of the zoo in a small edition, with its recipe for few examples."""
    options = CheckOptions(sets=tuple(SMALLER.get(name, {}).items()), input=INPUT.get(name), network=name)
    found = check(source(NAMED[name].file), options)
    (network,) = found.networks
    recipe = network.recipe
    assert recipe is not None, found.diagnostics
    batch = min(recipe.batch, 4)
    sets = [("epochs", str(EPOCHS)), ("batch", str(batch)), ("validation", "0.25" if recipe.validation else "0")]
    if recipe.data.name in ("synthetic", "shapes", "digit_rows"):
        sets.append(("data", f"{recipe.data.name} 20"))
    others, faults = parse_settings(sets)
    made, wrong = read(override(recipe.settings, others), network.graph, network.graph.span)
    assert [*faults, *wrong] == []
    return network.graph, made


def finite(row: dict[str, float]) -> bool:
    return all(isfinite(value) for name, value in row.items() if name.endswith("loss"))


@pytest.mark.parametrize(
    "section",
    [pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.name in SLOW else []) for one in RECIPES],
)
def test_recipe_trains(section: Section, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    graph, recipe = small(section.name)
    many = len(recipe.data.rows) if recipe.data.name == "table" else 2 * recipe.batch
    options = Options(
        data_root=str(data_root), out=str(tmp_path), device="cpu", limit=many, keep=EPOCHS, quiet=True,
        stream=io.StringIO(), settings=tuple(SMALLER.get(section.name, {}).items()),
    )  # fmt: skip
    result = train(graph, recipe, options)
    assert result.run is not None
    assert len(result.history) == EPOCHS
    assert all(finite(row) for row in result.history)
    assert {path.name for path in result.run.iterdir()} >= LEFT

    saved = checkpoints.found(result.run)
    assert len(saved) == EPOCHS
    first, last = (weights(torch.load(path, weights_only=True)) for path in (saved[-1], saved[0]))
    assert any(not torch.equal(first[name], last[name]) for name in first)
    assert all(bool(torch.isfinite(one).all()) for one in last.values())

    # As if it had been stopped after the first epoch: going on gives the same weights.
    ended = load_file(result.run / run_folder.WEIGHTS)
    for path in (*saved[:-1], result.run / run_folder.WEIGHTS, result.run / run_folder.RESULT):
        path.unlink()
    rebuilt = (graph, recipe) if section.name in INPUT else read_run(result.run)
    again = resume(result.run, *rebuilt, options)
    assert rows(again.history) == rows(result.history)
    resumed = load_file(result.run / run_folder.WEIGHTS)
    assert all(torch.equal(ended[name], resumed[name]) for name in ended)
    shutil.rmtree(result.run)


def test_two_networks_train_each_other(tmp_path: Path) -> None:
    """As `cnndsl train dcgan-digits` has it, in fewer steps."""
    (pair,) = check(source(NAMED["DigitsGenerator"].file)).pairs
    assert pair.recipe is not None
    result = train(pair.pair, pair.recipe._replace(epochs=2), Options(out=str(tmp_path), limit=128, quiet=True))
    assert all(finite(row) for row in result.history)
    assert result.run is not None
    assert {path.name for path in result.run.iterdir()} >= LEFT | {"samples"}


def weights(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = state["learner"]["model"]
    return found


def rows(history: tuple[dict[str, float], ...]) -> list[dict[str, str]]:
    """The numbers of epochs but for the time they took, where NaN equals itself."""
    return [{key: repr(value) for key, value in row.items() if key != "seconds"} for row in history]


def test_the_networks_that_everybody_trains_have_recipes() -> None:
    found = {section.file.stem for section in RECIPES}
    assert found >= {
        "lenet1", "lenet4", "lenet5", "lenet5-1998", "perceptron", "mnist-mlp", "resnet9", "resnet_cifar", "wrn",
        "airbench94", "conv_autoencoder", "vae", "unet", "segnet", "crnn", "siamese", "spectra", "raw_audio", "textcnn",
        "resnet",
    }  # fmt: skip
