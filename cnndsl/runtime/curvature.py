"""LeNet-5's optimizer: steps scaled, weight by weight, by how sharply the loss is curved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_PIECE = 50
"""Examples whose curvature is computed together."""


class DiagonalLevenbergMarquardt(torch.optim.Optimizer):
    """w -= lr / (mu + h) * gradient, h being the weight's curvature: what `curve` was given last, 0 before.

    LeCun et al. 1998, "Gradient-based learning applied to document recognition", equations 21 and 26.
    """

    def __init__(self, params: Any, lr: float, mu: float) -> None:
        super().__init__(params, {"lr": lr, "mu": mu})

    @property
    def curved(self) -> bool:
        """Whether any curvature is known yet."""
        return bool(self.state)

    def curve(self, parameters: Sequence[Tensor], curvature: Sequence[Tensor]) -> None:
        """Steps go by this curvature from now on."""
        for parameter, h in zip(parameters, curvature, strict=True):
            self.state[parameter]["curvature"] = h

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    h = self.state[parameter]["curvature"] if parameter in self.state else torch.zeros_like(parameter)
                    parameter.addcdiv_(parameter.grad, h + group["mu"], value=-group["lr"])


def trained_layers(module: nn.Module) -> list[nn.Module]:
    """The layers with weights that are trained, each once."""
    return [one for one in module.modules() if any(p.requires_grad for p in one.parameters(recurse=False))]


@contextlib.contextmanager
def given_to_distances(module: nn.Module) -> Iterator[list[Tensor]]:
    """The inputs of a network's last layer, call by call, if that measures distances from fixed centres: it belongs to
    the loss. Distances are squares, and by them alone the loss would seem hardly curved."""
    found: list[Tensor] = []

    def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0])

    hooks = [one.register_forward_pre_hook(see) for one in module.modules() if type(one).__name__ == "FixedRBF"]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def diagonal(
    module: nn.Module,
    layers: Sequence[nn.Module],
    inputs: Sequence[Tensor],
    summed: Callable[[Any, slice], tuple[Tensor, Tensor]],
) -> list[Tensor]:
    """The diagonal of the Gauss-Newton matrix of the mean loss, for each trained parameter of the layers, in order.

    summed: of what the module gave for some of the examples, and which: the values that the loss is of, N x K, and the
    loss, summed over them.

    As the paper's appendix C has it, h = (1/P) sum over examples and over the connections that share the weight of
    (d2 E / d u2), each connection by itself. What it approximates by a recursion that carries squares from layer to
    layer is computed exactly here: with H = S S^T, the Hessian of the loss by the outputs, one pass backwards for each
    column of S gives the derivatives d by every layer's sums, and a weight of input x has the curvature d^2 x^2. So
    the layers must be sums of weights times inputs: convolutions, dense layers, subsampling.
    """
    parameters = [p for layer in layers for p in layer.parameters() if p.requires_grad]
    total = [torch.zeros_like(p) for p in parameters]
    count = len(inputs[0])
    for start in range(0, count, _PIECE):
        part = slice(start, min(start + _PIECE, count))
        seen = _Seen(layers)
        with torch.enable_grad(), seen:
            outputs, loss = summed(module(*(x[part] for x in inputs)), part)
        squares = [torch.zeros_like(y) for _, _, y in seen.calls]
        sums = [y for _, _, y in seen.calls]
        for column in _root(outputs, loss).unbind(2):
            found = torch.autograd.grad(outputs, sums, column, retain_graph=True)
            for square, derivative in zip(squares, found, strict=True):
                square += derivative.square()
        for (layer, x, _), square in zip(seen.calls, squares, strict=True):
            own = [p for p in layer.parameters() if p.requires_grad]
            with torch.enable_grad():
                curved = torch.autograd.grad(layer.forward(x.square()), own, square)
            for parameter, h in zip(own, curved, strict=True):
                at = next(index for index, p in enumerate(parameters) if p is parameter)
                total[at] += h
    return [h / count for h in total]


class _Seen:
    """While entered, what layers are given and what they give: a layer, its input and its output for each call."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        self.layers = layers
        self.calls: list[tuple[nn.Module, Tensor, Tensor]] = []

    def __enter__(self) -> None:
        self.hooks = [layer.register_forward_hook(self._see) for layer in self.layers]

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _see(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.calls.append((layer, inputs[0].detach(), output))


def _root(outputs: Tensor, loss: Tensor) -> Tensor:
    """S with S S^T the Hessian of the loss by each example's outputs, N x K x K; what is curved downwards counts 0."""
    (slope,) = torch.autograd.grad(loss, outputs, create_graph=True)
    if not slope.requires_grad:  # a loss that is linear in the outputs, as a distance is
        return torch.zeros(*outputs.shape, outputs.shape[1], device=outputs.device)
    columns = [torch.autograd.grad(one.sum(), outputs, retain_graph=True)[0] for one in slope.unbind(1)]
    hessian = torch.stack(columns, 2).detach().double()
    values, vectors = torch.linalg.eigh((hessian + hessian.mT) / 2)
    root: Tensor = vectors * values.clamp_min(0).sqrt().unsqueeze(1)
    return root.to(outputs.dtype)
