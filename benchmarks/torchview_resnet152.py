"""ResNet-152 written by hand in PyTorch and drawn by torchview as SVG, as its documentation has it:
`python -m benchmarks.torchview_resnet152 FOLDER`. Needs Graphviz."""

from __future__ import annotations

import sys

import torch
from torchview import draw_graph

from benchmarks.networks import resnet152


def main(folder: str) -> None:
    with torch.device("meta"):
        net = resnet152().eval()
    drawing = draw_graph(net, input_size=(1, 3, 224, 224), device="meta", expand_nested=True)
    drawing.visual_graph.render(filename="resnet152", directory=folder, format="svg")


if __name__ == "__main__":
    main(*sys.argv[1:])
