"""Measures torchvision's classification models and writes zoo-torchvision.csv beside this file:
`python tests/reference/measure_torchvision.py`.

Parameters are all a model has, auxiliary heads included. MACs are those of a forward pass in eval mode on the meta
device, counted by torch.utils.flop_counter (which gives twice as many): convolutions, linear layers and matrix
products, without biases. For models without attention, the sum over their Conv2d and Linear modules is compared.
"""

from __future__ import annotations

import contextlib
import csv
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

TARGET = Path(__file__).with_name("zoo-torchvision.csv")
ATTENDING = ("vit", "swin", "maxvit")
"""Families with matrix products that are no modules."""
OPERATORS = ("nms", "qnms")
_declared: list[Any] = []
"""Libraries of declared operators, which go when nothing holds them."""


def import_torchvision() -> Any:
    """The module torchvision. PyPI's wheel is built for CUDA: beside a CPU build of PyTorch its own operators are
    missing, and the import fails unless they are declared. No classification model needs them.

    Raises ImportError if torchvision is not installed.
    """
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in OPERATORS:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
        import torchvision

    return torchvision


def model_names() -> list[str]:
    """The classification models."""
    models = import_torchvision().models
    names: list[str] = models.list_models(module=models)
    return names


def standard_side(name: str) -> int:
    """Height and width of the model's usual input: the crop of its first published weights."""
    weights = import_torchvision().models.get_model_weights(name).__members__
    first = weights.get("IMAGENET1K_V1") or weights["IMAGENET1K_SWAG_LINEAR_V1"]
    crop: list[int] = first.transforms().crop_size
    return crop[0]


def build(name: str, **settings: Any) -> nn.Module:
    """A model with random weights, in eval mode; on the meta device under `with torch.device("meta")`."""
    models = import_torchvision().models
    if name in ("googlenet", "inception_v3"):
        settings = {"init_weights": False, **settings}
    with _numbers_on_the_cpu(models.regnet.BlockParams):
        model: nn.Module = models.get_model(name, weights=None, **settings)
    return model.eval()


@contextlib.contextmanager
def _numbers_on_the_cpu(block_params: Any) -> Iterator[None]:
    """RegNets compute their widths with tensors, which must have values, also where the weights have none."""
    original = block_params.from_init_params

    def computed(*values: Any, **named: Any) -> Any:
        with torch.device("cpu"):
            return original(*values, **named)

    block_params.from_init_params = computed
    try:
        yield
    finally:
        block_params.from_init_params = original


def macs(model: nn.Module, *inputs: Tensor) -> int:
    """Multiply-accumulates of a forward pass on the meta device, as torch.utils.flop_counter sees them."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fused attention is not counted
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return int(counter.get_total_flops()) // 2


def macs_of_modules(model: nn.Module, *inputs: Tensor) -> int:
    """The same from the shapes of the Conv2d and Linear modules that run."""
    total = 0

    def count(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        weight = module.weight
        assert isinstance(weight, Tensor)
        each = math.prod(weight.shape[1:])
        total += output.numel() * each

    found = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        model(*inputs)
    for hook in found:
        hook.remove()
    return total


def measure(name: str) -> list[object]:
    """The row of a model."""
    side = standard_side(name)
    with torch.device("meta"):
        model = build(name)
        image = torch.empty(1, 3, side, side)
    counted = macs(model, image)
    if not name.startswith(ATTENDING):
        assert counted == macs_of_modules(model, image), name
    params = sum(p.numel() for p in model.parameters())
    return [
        name,
        f"{side}x{side}x3",
        params,
        counted,
        f"torchvision {import_torchvision().__version__.partition('+')[0]}",
    ]


def main() -> None:
    rows = [measure(name) for name in model_names()]
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([["name", "input", "params", "macs", "source"], *rows])


if __name__ == "__main__":
    main()
