"""Where a network looks: gradients of a class's score.

Saliency: Simonyan, Vedaldi and Zisserman 2014, "Deep Inside Convolutional Networks". Its mean over noisy inputs:
Smilkov et al. 2017, "SmoothGrad". Grad-CAM: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks
via Gradient-based Localization".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnndsl.diagnostics import closest
from cnndsl.graph import Edge, Node
from cnndsl.runtime import nodes
from cnndsl.runtime.errors import DataError
from cnndsl.runtime.features.example import Example, score

NOISE = 0.15
"""Of SmoothGrad: the deviation of the noise, as a share of the input's range."""
_SEED = 0


class Heat(NamedTuple):
    """How much each place speaks for a class: rows x columns, not below 0. layer: which Grad-CAM looked at."""

    values: Tensor
    number: int
    name: str
    layer: str = ""


def saliency(example: Example, wanted: str | None = None, samples: int = 0) -> Heat:
    """The greatest absolute gradient over the channels of each pixel. samples: of how many noisy inputs the gradients
    are averaged; 0 for the input alone. Raises DataError."""
    _need_image(example)
    (given,) = example.inputs
    found = score(example, _run(example, given), wanted)
    low, high = given.aminmax()
    random = torch.Generator(given.device).manual_seed(_SEED)
    total = torch.zeros_like(given)
    for _ in range(max(1, samples)):
        noise = torch.randn(given.shape, generator=random, device=given.device) * NOISE * (high - low)
        x = (given + noise if samples else given).detach().requires_grad_()
        value = score(example, _run(example, x), found.name if wanted is None else wanted).value
        total += torch.autograd.grad(value, x)[0]
    return Heat((total[0] / max(1, samples)).reshape(_image(example)).abs().amax(0), found.number, found.name)


def grad_cam(example: Example, wanted: str | None = None, layer: str | None = None) -> Heat:
    """The maps of a layer, each weighed with the mean of the score's gradient by it, summed and cut off at 0, at the
    size of the image. layer: without one, the last convolution, or the
    merge of branches behind it, whose maps are no result of the network. Raises DataError."""
    _need_image(example)
    trained = example.predictor.trained
    graph = trained.graph
    node = _node(example, layer)
    seen: list[Tensor] = []

    def kept(one: Node, tensor: Tensor) -> Tensor:
        if one.index != node.index:
            return tensor
        seen.append(tensor if tensor.requires_grad else tensor.detach().requires_grad_())
        return seen[0]

    every: dict[Edge, Tensor] = {}
    for one, _, found in nodes.run(graph, trained.module, example.inputs, change=kept):
        every |= {Edge(one.index, number): tensor for number, tensor in enumerate(found)}
    outputs = tuple(every[output.edge] for output in graph.outputs if not output.training)
    asked = score(example, outputs, wanted)
    maps = seen[0]
    gradient = torch.autograd.grad(asked.value, maps, allow_unused=True)[0]
    if gradient is None:
        raise DataError(f"the class's score does not depend on `{node.name}`")
    weighed = (gradient.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    size = _image(example)[1:]
    heat = functional.interpolate(weighed.detach(), size, mode="bilinear", align_corners=False)
    return Heat(heat[0, 0], asked.number, asked.name, node.name)


def _run(example: Example, x: Tensor) -> tuple[Tensor, ...]:
    found = example.predictor.trained.module(x)
    return found if isinstance(found, tuple) else (found,)


def _image(example: Example) -> tuple[int, int, int]:
    """Channels, height and width of the input; of an image that was flattened, those before."""
    prepare = example.predictor.trained.prepare
    if len(prepare.input) == 1:
        assert prepare.image is not None
        return prepare.image[2], *prepare.size
    channels, height, width = prepare.input
    return channels, height, width


def _need_image(example: Example) -> None:
    """Raises DataError where the network does not take one image."""
    if len(example.inputs) > 1:
        raise DataError(
            "the network takes two inputs; saliency and Grad-CAM are drawn over one",
            "the maps of its layers can be drawn",
        )
    prepare = example.predictor.trained.prepare
    if len(prepare.input) != 3 and (prepare.image is None or len(prepare.input) != 1):
        raise DataError(
            "the network does not take images, so there is none to draw over", "the maps of its layers can be drawn"
        )


def _sides(node: Node) -> int:
    assert node.shapes is not None
    return int(max(node.shapes[0].spatial))


def _node(example: Example, name: str | None) -> Node:
    """The layer with maps that is meant. Raises DataError."""
    graph = example.predictor.trained.graph
    hidden = graph.auxiliary()
    maps = [n for n in graph.nodes if n.layer is not None and n.shapes is not None and n.shapes[0].rank == 2]
    maps = [n for n in maps if n.index not in hidden]
    if name is None:
        ends = {output.edge.node for output in graph.outputs}
        # Behind parallel branches, each of which sees a part, that is the merge.
        convolutions = [n for n in maps if ("conv" in n.kind or len(n.inputs) > 1) and _sides(n) > 1]
        last = next((n for n in reversed(convolutions) if n.index not in ends), None) or next(iter(convolutions), None)
        if last is None:
            raise DataError("Grad-CAM looks at the maps of a convolution, and the network has none", "try --saliency")
        return last
    found = next((n for n in graph.nodes if n.name == name), None)
    if found is None:
        near = closest(name, [n.name for n in maps])
        raise DataError(f"there is no layer `{name}`", f"did you mean `{near}`?" if near else None)
    if found not in maps:
        shape = "x".join(map(str, found.shapes[0].sizes)) if found.shapes else "?"
        raise DataError(
            f"Grad-CAM looks at maps, and `{name}` gives {shape}"
            if found.layer is not None
            else f"`{name}` is the input",
            f"such a layer is `{maps[-1].name}`" if maps else None,
        )
    return found
