"""Finished runs that several test files look at, and the command line on them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from test_train import network

from cnndsl.runtime.train import Options, train

NETS = {
    "classes": (
        "input 8x8x1; conv 3x3x4, relu; dense 10",
        "data digits; metrics accuracy top5; epochs 2; batch 64; optimizer adam 1e-2",
    ),
    "averaged": (
        "input 10x10x1; conv 3x3x4 nobias, bn, relu; dense 10",
        "data digits; ema 0.9; tta mirror shift=1; epochs 2; batch 64; optimizer adam 1e-2; early_stopping 5",
    ),
    "values": (
        "input 20x1; conv 3x4, relu; dense 3",
        "data synthetic 60; loss mse; metrics mse mae r2; epochs 2; batch 16",
    ),
    "maps": (
        "input 16x16x1; conv 3x3x4 same, relu; conv 1x1x3",
        "data shapes 40; loss cross_entropy; metrics accuracy iou; epochs 1; batch 8",
    ),
    "input": (
        "input 8x8x1; conv 3x3x4 same, relu; conv 1x1x1, sigmoid",
        "data digits; loss reconstruction; epochs 1; batch 64",
    ),
    "pairs": (
        "input left 8x8x1; input right 8x8x1; from left, dense 6 as one; from right, reuse one; absdiff one; dense 1",
        "data digits; loss bce; metrics accuracy; epochs 1; batch 64",
    ),
    "decision": (
        "input 16x16x1; conv 3x3x4 same, relu; conv 1x1x1",
        "data shapes 40; loss bce; metrics accuracy; epochs 1; batch 8",
    ),
    "rows": ("input 8x40x1; conv 8x3x11; tokens", "data digit_rows 60; loss ctc; epochs 1; batch 8"),
}
"""The layers and the recipe of a small network for each kind of task."""


def text_of(name: str) -> str:
    """The spec of one of NETS."""
    layers, recipe = NETS[name]
    lines = [f"network {name.capitalize()}", *layers.split("; "), "train:"]
    return "\n".join([*lines, *(f"    {line}" for line in recipe.split("; ")), ""])


def trained_run(folder: Path, name: str, text: str | None = None, **options: Any) -> Path:
    """A run of one of NETS in a folder."""
    graph, recipe = network(text or text_of(name))
    result = train(graph, recipe, Options(out=str(folder), stream=io.StringIO(), **options))
    assert result.run is not None
    return result.run


def result_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "result.json").read_text())
    return found
