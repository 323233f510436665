"""LeNet-5's optimizer: curvature against Hessians, Jacobians and arithmetic by hand, and networks trained by it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from test_train import CPU, loop_on, network, never, silent
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn import functional

from cnndsl.pipeline import check
from cnndsl.runtime.curvature import DiagonalLevenbergMarquardt, diagonal, trained_layers
from cnndsl.runtime.data import Batch, Examples
from cnndsl.runtime.module import build_module
from cnndsl.runtime.train import Options, train
from cnndsl.source import Source

SPECS = Path(__file__).resolve().parent.parent / "specs"
DENSE = "network N\ninput 7\ndense 5, tanh\ndense 4, tanh\ndense 3\ntrain:\n    data synthetic\n    optimizer sdlm\n"


def curved(module: nn.Module, x: Tensor, classes: Tensor) -> dict[str, Tensor]:
    def summed(given: Tensor, part: slice) -> tuple[Tensor, Tensor]:
        return given, functional.cross_entropy(given, classes[part], reduction="sum")

    layers = trained_layers(module)
    names = {id(p): name for name, p in module.named_parameters()}
    parameters = [p for layer in layers for p in layer.parameters()]
    return {names[id(p)]: h for p, h in zip(parameters, diagonal(module, layers, [x], summed), strict=True)}


def test_without_shared_weights_it_is_the_gauss_newton_diagonal() -> None:
    """J^T H J of each example with PyTorch's own Jacobians, H = diag(p) - p p^T (softmax cross-entropy)."""
    torch.manual_seed(0)
    module = build_module(network(DENSE)[0])
    x, classes = torch.randn(60, 7), torch.randint(0, 3, (60,))
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    jacobians = vmap(jacrev(lambda own, one: functional_call(module, own, (one.unsqueeze(0),))[0]), in_dims=(None, 0))(
        parameters, x
    )
    p = torch.softmax(module(x), 1).detach()
    hessian = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    found = curved(module, x, classes)
    for name, jacobian in jacobians.items():
        flat = jacobian.flatten(2)
        wanted = torch.einsum("nkw,nkl,nlw->w", flat, hessian, flat) / 60
        torch.testing.assert_close(found[name].flatten(), wanted, rtol=1e-4, atol=1e-6)


def test_shared_weights_add_up_over_their_connections() -> None:
    """A convolution as the dense layer that it is: the curvature of a kernel's weight is the sum of those of the dense
    layer's weights that equal it (the paper's equation 22)."""
    torch.manual_seed(1)
    conv, last = nn.Conv1d(2, 3, 3), nn.Linear(3 * 4, 2)
    unrolled = nn.Linear(2 * 6, 3 * 4)
    with torch.no_grad():
        unrolled.weight.zero_()
        unrolled.bias.copy_(conv.bias.repeat_interleave(4))
        shared: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
        for o in range(3):
            for at in range(4):
                for i in range(2):
                    for k in range(3):
                        unrolled.weight[o * 4 + at, i * 6 + at + k] = conv.weight[o, i, k]
                        shared.setdefault((o, i, k), []).append((o * 4 + at, i * 6 + at + k))
    x, classes = torch.randn(10, 2, 6), torch.randint(0, 2, (10,))
    ours = curved(nn.Sequential(conv, nn.Tanh(), nn.Flatten(), last), x, classes)
    theirs = curved(nn.Sequential(nn.Flatten(), unrolled, nn.Tanh(), copy.deepcopy(last)), x, classes)
    for index, places in shared.items():
        assert float(ours["0.weight"][index]) == pytest.approx(
            sum(float(theirs["1.weight"][place]) for place in places), rel=1e-4
        )
    torch.testing.assert_close(ours["0.bias"], theirs["1.bias"].view(3, 4).sum(1), rtol=1e-4, atol=1e-7)


def test_by_hand() -> None:
    """y = w x with the loss (y - t)^2 of one output: h = 2 x^2, the bias's 2; w -= lr / (mu + h) * 2 (y - t) x."""
    graph, recipe = network(
        "network N\ninput 1\ndense 1 init=zeros\ntrain:\n    data table rows=[[3, 6]]\n    loss mse\n"
        "    normalize none\n"
        "    optimizer sdlm lr=0.5 mu=0.25\n    epochs 1\n    batch 1\n    validation 0\n"
    )
    module = build_module(graph)
    loop = loop_on(module, graph, recipe, Examples(torch.tensor([[3.0]]), None, torch.tensor([[6.0]])))
    loop.run_epoch(silent(), never)
    weight, bias = (float(p.detach()) for p in module.parameters())
    assert weight == pytest.approx(0.5 / (0.25 + 18) * 2 * 6 * 3)
    assert bias == pytest.approx(0.5 / (0.25 + 2) * 2 * 6)


def test_curvature_is_looked_at_once_an_epoch_and_kept_in_checkpoints() -> None:
    graph, recipe = network(DENSE + "    epochs 2\n    batch 10\n")
    torch.manual_seed(0)
    module = build_module(graph)
    loop = loop_on(module, graph, recipe, Examples(torch.randn(60, 7), torch.randint(0, 3, (60,))))
    loop.run_epoch(silent(), never)
    optimizer = loop.learner.optimizer  # type: ignore[attr-defined]
    assert isinstance(optimizer, DiagonalLevenbergMarquardt)
    before = [state["curvature"].clone() for state in optimizer.state.values()]
    assert len(before) == 6
    kept = optimizer.state_dict()["state"]
    assert all(torch.equal(kept[number]["curvature"], h) for number, h in enumerate(before))
    loop.learner.begin_epoch(
        lambda count: Batch((torch.randn(min(count, 5), 7),), torch.zeros(5, dtype=torch.int64)), 0
    )
    assert any(
        not torch.equal(h, state["curvature"]) for h, state in zip(before, optimizer.state.values(), strict=True)
    )


def test_what_it_is_not_for_is_told() -> None:
    found = check(Source("n.cnn", DENSE.replace("dense 5, tanh", "dense 5, prelu"))).diagnostics
    assert [(d.code, d.span.text) for d in found] == [("E633", "prelu")]


@pytest.mark.slow
def test_lenet5_learns_the_digits_by_it(tmp_path: Path) -> None:
    """By single examples, as in the paper, but carefully: a fifth of its rate, and five times its mu."""
    from cnndsl.recipe import read
    from cnndsl.recipe.overrides import override, parse_settings

    source = Source("lenet5-1998.cnn", (SPECS / "lenet5-1998.cnn").read_text(encoding="utf-8"))
    (one,) = check(source).networks
    assert one.recipe is not None
    sets, _ = parse_settings(
        [("optimizer", "sdlm lr=1e-4 mu=0.1"), ("schedule", "constant"), ("epochs", "2"), ("batch", "1")]
    )
    recipe, wrong = read(override(one.recipe.settings, sets), one.graph, one.graph.span)
    assert wrong == []
    result = train(one.graph, recipe, Options(out=str(tmp_path), quiet=True))
    assert result.test is not None
    assert result.test["accuracy"] > 0.9


def test_a_small_net_learns_by_it() -> None:
    graph, recipe = network(DENSE.replace("sdlm", "sdlm lr=0.02") + "    epochs 8\n    batch 4\n")
    torch.manual_seed(0)
    module = build_module(graph).to(CPU)
    x = torch.randn(200, 7)
    loop = loop_on(module, graph, recipe, Examples(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()))
    losses = [loop.run_epoch(silent(), never)["train_loss"] for _ in range(8)]
    assert losses[-1] < 0.5 * losses[0]
