"""The gallery of docs/: commands, and the pictures that they make, as `python -m cnndsl.generate` writes them."""

from __future__ import annotations

import contextlib
import io
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

from cnndsl.record import Record

FOLDER = "docs/figures"


class Figure(Record):
    """One picture: its file's name, what it is of, and the options that make it."""

    name: str
    about: str
    options: str

    @property
    def command(self) -> str:
        """What a reader types."""
        return f"cnndsl draw {self.options} -o {self.name}.svg"


PARTS: tuple[tuple[str, tuple[Figure, ...]], ...] = (
    (
        "Chains: maps to scale, and the windows between them",
        (
            Figure("lenet5", "LeNet-5, as it is taught", "lenet5"),
            Figure("lenet5-column", "The same for a column of a paper", "lenet5 --width 3.25in"),
            Figure("alexnet", "AlexNet, for the width of a page", "alexnet --width 6.75in"),
            Figure("vgg16", "VGG-16", "vgg16 --width 6.75in"),
            Figure("audio_m5", "One dimension: a network for sound", "audio_m5 --width 6.75in"),
            Figure("c3d", "Three: a network for films", "c3d --width 6.75in"),
        ),
    ),
    (
        "Deep networks: stages, repeats, skips",
        (
            Figure("resnet152", "ResNet-152, its blocks drawn once", "resnet152 --width 6.75in"),
            Figure("densenet201", "DenseNet-201", "densenet201 --width 6.75in"),
            Figure("inception_v4", "Inception-v4", "inception_v4 --width 6.75in"),
            Figure("mobilenet_v2", "MobileNetV2", "mobilenet_v2 --width 6.75in"),
            Figure("unet", "U-Net", "unet --width 6.75in"),
            Figure("siamese", "Siamese networks: two inputs, one set of weights", "siamese --width 6.75in"),
        ),
    ),
    (
        "Graphs",
        (
            Figure("googlenet-graph", "GoogLeNet with its auxiliary classifiers", "googlenet --style graph"),
            Figure("resnet50-graph", "ResNet-50, some blocks looked into", "resnet50 --style graph"),
            Figure(
                "resnet18-costs",
                "Where ResNet-18 spends its multiplications",
                "resnet18 --style graph --depth 2 --color macs --show shape,macs --legend",
            ),
            Figure(
                "unet-graph", "The turn of U-Net, from left to right", "unet --style graph --direction right --depth 0"
            ),
        ),
    ),
    (
        "Two networks as one",
        (Figure("resnet18-resnet34", "What ResNet-34 adds to ResNet-18", "resnet18 resnet34 --legend"),),
    ),
)
FIGURES = tuple(figure for _, figures in PARTS for figure in figures)


def page() -> str:
    """The text of docs/gallery.md."""
    lines = [
        "# Gallery",
        "",
        "Pictures as they come out, each with the command that made it. They are SVG here, light or dark as the",
        "reader's system is; `-o NAME.pdf`, `.png`, `.tex` and others give the same: see [drawing](drawing.md).",
        "",
    ]
    for title, figures in PARTS:
        lines += [f"## {title}", ""]
        for figure in figures:
            lines += [
                f"### {figure.about}",
                "",
                f"`{figure.command}`",
                "",
                f"![{figure.about}](figures/{figure.name}.svg)",
                "",
            ]
    return "\n".join(lines)


def targets() -> dict[str, Callable[[], str]]:
    """What makes each file, by its path."""
    made: dict[str, Callable[[], str]] = {"docs/gallery.md": page}
    for figure in FIGURES:
        made[f"{FOLDER}/{figure.name}.svg"] = lambda figure=figure: drawn(figure)  # type: ignore[misc]
    return made


def drawn(figure: Figure) -> str:
    """The SVG that a figure's command writes. Raises RuntimeError if it fails."""
    from cnndsl.cli import main

    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(said):
        path = Path(folder) / f"{figure.name}.svg"
        if main(["draw", *shlex.split(figure.options), "-o", str(path)]) != 0:
            raise RuntimeError(f"{figure.command}: {said.getvalue()}")
        return path.read_text(encoding="utf-8")
