"""Measures torchvision's models with other arguments and inputs than the usual, and writes variants-torchvision.csv
beside this file: `python tests/reference/measure_variants.py`.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

try:
    from reference.measure_torchvision import build, import_torchvision, macs
except ImportError:  # run as a script
    from measure_torchvision import build, import_torchvision, macs

TARGET = Path(__file__).with_name("variants-torchvision.csv")


class Variant(NamedTuple):
    """A network of specs/ with some of its parameters changed, as `--set` has them; torchvision's model and its
    arguments for the same; an input, height x width x channels."""

    name: str
    sets: dict[str, Any]
    model: str
    settings: dict[str, Any]
    input: str

    def build(self) -> nn.Module:
        return build(self.model, **self.settings)

    def text(self) -> str:
        """The changed parameters as one line: `alpha=0.5 classes=10`."""
        return " ".join(f"{key}={str(value).lower()}" for key, value in self.sets.items())


TEN = {"classes": 10}, {"num_classes": 10}
"""Ten classes, as the spec says it and as torchvision does."""


def variant(name: str, input: str, sets: dict[str, Any] | None = None, **settings: Any) -> Variant:
    """A variant of the model that torchvision calls the same."""
    return Variant(name, sets or {}, name, settings, input)


VARIANTS = (
    *(
        variant(name, "97x131x3", TEN[0], **TEN[1])
        for name in ("resnet18", "resnet50", "densenet121", "regnet_y_400mf")
    ),
    *(variant(name, "97x131x3", TEN[0], **TEN[1]) for name in ("squeezenet1_0", "squeezenet1_1", "mnasnet0_75")),
    *(variant(name, "97x131x3", TEN[0], **TEN[1]) for name in ("shufflenet_v2_x0_5", "efficientnet_b0")),
    *(variant(name, "97x131x3", TEN[0], **TEN[1]) for name in ("efficientnet_v2_s", "convnext_tiny", "vgg11_bn")),
    *(variant(name, "225x231x3", TEN[0], **TEN[1]) for name in ("alexnet", "googlenet")),
    *(variant("resnet50", size) for size in ("160x160x3", "256x256x3", "288x288x3", "299x299x3", "200x320x3")),
    *(variant("mobilenet_v2", size) for size in ("96x96x3", "128x128x3", "160x160x3", "192x192x3", "225x225x3")),
    *(
        variant("mobilenet_v2", "97x131x3", {"alpha": alpha}, width_mult=alpha)
        for alpha in (0.1, 0.25, 0.35, 0.6, 0.75, 1.4)
    ),
    *(
        variant(f"mobilenet_v3_{size}", "97x131x3", {"width_mult": width}, width_mult=width)
        for size in ("small", "large")
        for width in (0.35, 0.5, 0.75, 1.25, 2.0)
    ),
    *(
        Variant(
            "resnext50_32x4d",
            {"cardinality": groups, "width": width},
            "resnet50",
            {"groups": groups, "width_per_group": width},
            "65x97x3",
        )
        for groups, width in ((1, 64), (2, 40), (4, 24), (8, 14))
    ),
    Variant("wide_resnet50_2", {"wide": 1.5}, "resnet50", {"width_per_group": 96}, "65x97x3"),
    variant("googlenet", "97x131x3", {"aux_logits": False}, aux_logits=False),
    variant("inception_v3", "97x131x3", {"aux_logits": False}, aux_logits=False),
    variant("inception_v3", "320x299x3", {"classes": 10}, num_classes=10),
    variant("vit_b_16", "384x384x3", image_size=384),
    variant("vit_b_32", "96x96x3", TEN[0], image_size=96, **TEN[1]),
)


def measure(one: Variant) -> list[object]:
    """The row of a variant."""
    height, width, channels = map(int, one.input.split("x"))
    with torch.device("meta"):
        model = one.build()
        image = torch.empty(1, channels, height, width)
    params = sum(p.numel() for p in model.parameters())
    version = import_torchvision().__version__.partition("+")[0]
    arguments = ", ".join(f"{key}={value}" for key, value in one.settings.items())
    return [
        one.name,
        one.text(),
        one.input,
        params,
        macs(model, image),
        f"torchvision {version} {one.model}({arguments})",
    ]


def main() -> None:
    rows = [measure(one) for one in VARIANTS]
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([["name", "sets", "input", "params", "macs", "source"], *rows])


if __name__ == "__main__":
    main()
