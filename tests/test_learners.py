"""How weights move and are measured, against PyTorch's own means, loops written out, and arithmetic by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_train import CPU, loop_on, network, never, silent
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cnndsl.layers.bind import Given
from cnndsl.pipeline import check
from cnndsl.recipe.base import option
from cnndsl.recipe.training import Tta
from cnndsl.runtime import checkpoints
from cnndsl.runtime.data import Examples
from cnndsl.runtime.depth import Depth
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.loop import Loop, order
from cnndsl.runtime.module import build_module
from cnndsl.runtime.objective import Objective
from cnndsl.runtime.optimizing import groups, penalties, rates
from cnndsl.runtime.train import Options, train
from cnndsl.runtime.views import views
from cnndsl.runtime.whitening import kernels
from cnndsl.source import Source

NET = "network N\ninput 6x6x2\nconv 3x3x4 nobias as c, bn, tanh\ndense 5\ntrain:\n    data synthetic\n    batch 16\n"


def examples(count: int = 50, seed: int = 0) -> Examples:
    torch.manual_seed(seed)
    return Examples(torch.randn(count, 2, 6, 6), torch.randint(0, 5, (count,)))


def started(text: str, data: Examples) -> tuple[nn.Module, Loop]:
    graph, recipe = network(text)
    torch.manual_seed(0)
    module = build_module(graph)
    return module, loop_on(module, graph, recipe, data)


def same(one: nn.Module, other: nn.Module, **near: float) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a, b, **near) for a, b in pairs if a.is_floating_point())


# --- running means --------------------------------------------------------------------------------------------------


def test_the_mean_of_the_weights_is_pytorchs() -> None:
    data = examples()
    module, loop = started(NET + "    optimizer sgd 0.1\n    ema 0.9\n", data)
    plain = copy.deepcopy(module)
    mean = AveragedModel(plain, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    assert data.classes is not None
    for epoch in range(3):
        loop.run_epoch(silent(), never)
        for rows in order(50, 0, epoch).split(16):
            optimizer.zero_grad()
            functional.cross_entropy(plain(data.inputs[rows]), data.classes[rows]).backward()
            optimizer.step()
            mean.update_parameters(plain)
    assert same(module, plain, rtol=1e-4, atol=1e-6)
    assert same(loop.learner.measured, mean.module, rtol=1e-4, atol=1e-6)
    assert not same(loop.learner.measured, module)


def test_a_mean_that_warms_up() -> None:
    module, loop = started(NET + "    ema 0.99 warmup\n", examples(16))
    kept: list[float] = []
    values: list[float] = []
    for step in range(12):
        loop.run_epoch(silent(), never)
        kept.append(min(0.99, (1 + step) / (10 + step)) if step else 0.0)
        values.append(next(module.parameters()).detach().flatten()[0].item())
    by_hand = 0.0
    for share, value in zip(kept, values, strict=True):
        by_hand = share * by_hand + (1 - share) * value
    assert float(next(loop.learner.measured.parameters()).flatten()[0]) == pytest.approx(by_hand, rel=1e-5)


def test_what_is_measured_and_saved_is_the_mean(tmp_path: Any) -> None:
    graph, recipe = network(NET + "    ema 0.9\n    epochs 2\n    validation 0.2\n")
    result = train(graph, recipe, Options(out=str(tmp_path), quiet=True))
    without = train(graph, recipe._replace(ema=option(type(recipe.ema))), Options(out=str(tmp_path), quiet=True))
    assert result.history[0]["train_loss"] == without.history[0]["train_loss"]
    assert result.history[0]["validation_loss"] != without.history[0]["validation_loss"]


def trained_with_lookahead(plain: nn.Module, data: Examples, epochs: int, share: Callable[[float], float]) -> nn.Module:
    """Train a network by lookahead of 3 steps, written out on a state dict as airbench's code keeps it; the slow one.

    share: what is kept of the slow weights when so much of the run is done.
    """
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    slow = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    assert data.classes is not None
    number, steps = 0, epochs * -(-len(data) // 16)
    for epoch in range(epochs):
        for rows in order(len(data), 0, epoch).split(16):
            optimizer.zero_grad()
            functional.cross_entropy(plain(data.inputs[rows]), data.classes[rows]).backward()
            optimizer.step()
            number += 1
            if number % 3 == 0:
                kept = share(number / steps)
                for name, fast in plain.state_dict().items():
                    if fast.is_floating_point():
                        slow[name] = kept * slow[name] + (1 - kept) * fast
                        fast.copy_(slow[name])
    made = copy.deepcopy(plain)
    made.load_state_dict(slow)
    return made


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("lookahead 3 alpha=0.8", lambda done: 0.2),
        ("lookahead k=3", lambda done: 0.5),
        ("lookahead 3 alpha={1 - 0.95**5} power=3", lambda done: 0.95**5 * done**3),
    ],
)
def test_lookahead_by_hand(line: str, share: Callable[[float], float]) -> None:
    data = examples()
    text = NET + f"    optimizer sgd 0.1 momentum=0.9\n    epochs 4\n    {line}\n"
    module, loop = started(text, data)
    plain = copy.deepcopy(module)
    slow = trained_with_lookahead(plain, data, 4, share)
    finished = [loop.run_epoch(silent(), never) for _ in range(4)]
    assert len(finished) * len(loop.cuts) == 16  # one step behind the last pull
    assert same(module, plain, rtol=1e-4, atol=1e-6)
    assert same(loop.learner.measured, slow, rtol=1e-4, atol=1e-6)
    assert not same(module, slow, rtol=1e-3, atol=1e-4)


def test_slow_weights_are_what_is_measured_stopped_at_and_saved(tmp_path: Any) -> None:
    text = (
        "network N\ninput 8x8x1\ndense 16, tanh\ndense 10\ntrain:\n    data digits\n    optimizer sgd 0.5\n"
        "    epochs 40\n    early_stopping 3 on=accuracy\n    batch 32\n    lookahead 4\n"
    )
    graph, recipe = network(text)
    result = train(graph, recipe, Options(out=str(tmp_path), quiet=True, limit=150))
    accuracies = [row["validation_accuracy"] for row in result.history]
    best = int(np.argmax(accuracies))
    short = train(graph, recipe._replace(epochs=best + 1), Options(out=str(tmp_path), quiet=True, limit=150))
    assert result.run is not None
    assert short.run is not None
    one, other = (load_file(run / "model.safetensors") for run in (result.run, short.run))
    state, _ = checkpoints.load(short.run)
    assert state is not None
    slow, fast = state["learner"]["average"], state["learner"]["model"]
    assert all(torch.equal(one[name], tensor) and torch.equal(other[name], tensor) for name, tensor in slow.items())
    assert not all(torch.equal(fast[name], tensor) for name, tensor in slow.items())


# --- accumulation, groups, clipping ---------------------------------------------------------------------------------


def test_accumulated_batches_move_as_one_large_batch() -> None:
    text = NET.replace(" nobias as c, bn", " as c") + "    optimizer sgd 0.1 momentum=0.9\n    clip 0.5\n"
    data = examples(53)
    whole, one = started(text.replace("batch 16", "batch 32"), data)
    parts, other = started(text.replace("batch 16", "batch 8\n    accumulate 4"), data)
    assert [len(loop.cuts) for loop in (one, other)] == [2, 2]
    rows = [loop.run_epoch(silent(), never) for loop in (one, other) for _ in range(2)]
    assert same(whole, parts, rtol=1e-5, atol=1e-6)
    assert [row["train_loss"] for row in rows[:2]] == pytest.approx([row["train_loss"] for row in rows[2:]], rel=1e-5)


def test_sums_are_accumulated_as_sums() -> None:
    text = "network N\ninput 3\ndense 2\ntrain:\n    data synthetic\n    loss half_squared\n    optimizer sgd 0.01\n"
    data = Examples(torch.randn(12, 3), None, torch.randn(12, 2))
    modules = []
    for batches in ("    batch 12\n", "    batch 3\n    accumulate 4\n"):
        module, loop = started(text + batches, data)
        loop.run_epoch(silent(), never)
        modules.append(module)
    assert same(*modules, rtol=1e-5, atol=1e-7)


def test_biases_and_norms_need_not_decay() -> None:
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2), nn.LayerNorm([1, 2]))
    _, recipe = network(NET + "    optimizer adamw weight_decay=0.1 decay=weights\n")
    decayed, spared = groups(module, recipe.optimizer)
    assert [tuple(p.shape) for p in decayed["params"]] == [(3, 1, 3, 3), (2, 3)]
    assert "weight_decay" not in decayed
    assert spared["weight_decay"] == 0
    assert len(spared["params"]) == 6
    _, recipe = network(NET + "    optimizer adamw weight_decay=0.1\n")
    assert len(groups(module, recipe.optimizer)) == 1


def test_groups_move_as_pytorchs() -> None:
    data = examples(16)
    module, loop = started(NET + "    optimizer adamw lr=0.01 weight_decay=0.5 decay=weights\n", data)
    plain = copy.deepcopy(module)
    kernels_, others = ([p for p in plain.parameters() if (p.dim() > 1) is wide] for wide in (True, False))
    optimizer = torch.optim.AdamW(
        [{"params": kernels_, "weight_decay": 0.5}, {"params": others, "weight_decay": 0.0}], 0.01
    )
    for _ in range(4):
        loop.run_epoch(silent(), never)
        optimizer.zero_grad()
        functional.cross_entropy(plain(data.inputs), data.classes).backward()  # type: ignore[arg-type]
        optimizer.step()
    assert same(module, plain, rtol=1e-4, atol=1e-6)


def test_rates_of_their_own_are_pytorchs() -> None:
    """Groups of PyTorch's AdamW with the rates written out; in all of them weights shrink by 0.01 * 0.5."""
    data = examples(16)
    lines = "    optimizer adamw lr=0.01 weight_decay=0.5\n    rate c 0.5\n    rate norms.bias 64\n    rate norms 2\n"
    module, loop = started(NET + lines, data)
    plain = copy.deepcopy(module)
    factors = {"c.weight": 0.5, "c_bn.weight": 2.0, "c_bn.bias": 128.0}
    assert set(factors) < {name for name, _ in plain.named_parameters()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [p], "lr": 0.01 * factors.get(name, 1), "weight_decay": 0.5 / factors.get(name, 1)}
            for name, p in plain.named_parameters()
        ]
    )
    for _ in range(4):
        loop.run_epoch(silent(), never)
        optimizer.zero_grad()
        functional.cross_entropy(plain(data.inputs), data.classes).backward()  # type: ignore[arg-type]
        optimizer.step()
    assert same(module, plain, rtol=1e-4, atol=1e-6)


def test_the_nearest_name_of_a_parameter_is_offered() -> None:
    for wrong, meant in (("norms.bais", "norms.bias"), ("c_bn.wieght", "c_bn.weight"), ("nroms", "norms")):
        (found,) = check(Source("net.cnn", NET + f"    rate {wrong} 2\n")).diagnostics
        assert found.help_text() == f"did you mean `{meant}`?"


def test_decay_of_weights_alone_and_rates_go_together() -> None:
    graph, recipe = network(
        NET + "    optimizer sgd 0.1 weight_decay=0.1 decay=weights\n    rate norms 4\n    rate c 2\n"
    )
    module = build_module(graph)
    found = groups(module, recipe.optimizer, rates(module, graph, recipe))
    assert [(len(g["params"]), g.get("rate"), g.get("weight_decay")) for g in found] == [
        (1, 2.0, 0.05),  # the convolution
        (1, None, None),  # the dense layer's weight
        (2, 4.0, 0.0),  # the norm
        (1, None, 0.0),  # the dense layer's bias
    ]


# --- views ----------------------------------------------------------------------------------------------------------


def test_views_by_hand() -> None:
    image = torch.arange(9.0).view(1, 1, 3, 3)
    made = views(option(Tta, [Given("named", True, "mirror"), Given("named", 1, "shift")]))
    found = [view(image)[0, 0].int().tolist() for view in made]
    assert found == [
        [[0, 1, 2], [3, 4, 5], [6, 7, 8]],
        [[2, 1, 0], [5, 4, 3], [8, 7, 6]],
        # The image moved up and to the left: its lower right border is repeated.
        [[4, 5, 5], [7, 8, 8], [7, 8, 8]],
        [[5, 5, 4], [8, 8, 7], [8, 8, 7]],
        [[0, 0, 1], [0, 0, 1], [3, 3, 4]],
        [[1, 0, 0], [1, 0, 0], [4, 3, 3]],
    ]


def test_views_are_mirrored_at_the_border_and_weighted() -> None:
    """As airbench evaluates: half the weight on the image and its mirror image, half on both moved by a cell."""
    data = examples(20)
    module, loop = started(NET + "    tta mirror shift=1 fill=reflect centre=0.5\n", data)
    found = loop.evaluate(data)
    module.eval()

    def both(images: torch.Tensor) -> torch.Tensor:
        return 0.5 * module(images) + 0.5 * module(images.flip(-1))

    with torch.no_grad():
        wide = functional.pad(data.inputs, (1, 1, 1, 1), "reflect")
        moved = 0.5 * both(wide[..., :6, :6]) + 0.5 * both(wide[..., 2:, 2:])
        output = 0.5 * both(data.inputs) + 0.5 * moved
    assert data.classes is not None
    assert found["loss"] == pytest.approx(float(functional.cross_entropy(output, data.classes)), rel=1e-5)


def test_predictions_are_means_over_views() -> None:
    data = examples(20)
    module, loop = started(NET + "    tta mirror\n    metrics accuracy\n", data)
    found = loop.evaluate(data)
    module.eval()
    with torch.no_grad():
        output = (module(data.inputs) + module(data.inputs.flip(3))) / 2
    assert data.classes is not None
    assert found["loss"] == pytest.approx(float(functional.cross_entropy(output, data.classes)), rel=1e-5)
    assert found["accuracy"] == pytest.approx(float((output.argmax(1) == data.classes).float().mean()))


# --- depth, whitening, precision ------------------------------------------------------------------------------------

DEEP = """network N
input 6
repeat 4:
    add:
        | identity
        | dense 6, droppath 0.5
dense 3
train:
    data synthetic
"""


def test_stochastic_depth_rises_with_the_depth() -> None:
    graph, recipe = network(DEEP + "    droppath 0.2 rise=4\n")
    module = build_module(graph)
    depth = Depth(module, graph, recipe.droppath)

    def shares() -> list[float]:
        return [layer.p for layer in module.modules() if type(layer).__name__ == "DropPath"]

    assert shares() == [0, 0, 0, 0]
    depth.at(2.0)
    assert shares() == pytest.approx([0.025, 0.05, 0.075, 0.1])
    depth.at(9.0)
    # Huang et al. 2016, equation 4: what survives is 1 - l / L (1 - p_L), here with p_L = 0.8.
    assert [1 - share for share in shares()] == pytest.approx([1 - level / 4 * (1 - 0.8) for level in (1, 2, 3, 4)])


def test_a_network_keeps_its_shares_without_the_setting(tmp_path: Any) -> None:
    graph, recipe = network(DEEP + "    epochs 1\n")
    module = build_module(graph)
    assert [layer.p for layer in module.modules() if type(layer).__name__ == "DropPath"] == [0.5] * 4
    assert recipe.droppath.last is None


def test_whitened_patches_are_uncorrelated() -> None:
    torch.manual_seed(0)
    images = functional.avg_pool2d(torch.randn(400, 3, 12, 12), 3, 1) + 0.3
    patches = functional.unfold(images, 2).transpose(1, 2).reshape(-1, 12).double()
    weight = torch.zeros(24, 3, 2, 2)
    made = kernels(patches.T @ patches / len(patches), weight)
    assert torch.equal(made[12:], -made[:12])
    found = patches @ made[:12].reshape(12, 12).double().T
    moments = (found.T @ found / len(found)).numpy()
    # The eps of airbench's code makes narrow directions narrower still.
    assert np.abs(moments - np.diag(np.diag(moments))).max() < 1e-5
    assert (np.diag(moments) <= 1).all()
    assert np.diag(moments)[0] == pytest.approx(1, abs=1e-2)
    # numpy's own eigenvectors, the largest first.
    values = np.linalg.eigvalsh((patches.T @ patches / len(patches)).numpy())[::-1]
    assert made[:12].reshape(12, 12).norm(dim=1).tolist() == pytest.approx(list(1 / np.sqrt(values + 5e-4)), rel=1e-5)


@pytest.mark.parametrize(("filters", "kept"), [(24, 0), (30, 6), (5, 0)])
def test_training_begins_with_whitened_kernels(tmp_path: Any, filters: int, kept: int) -> None:
    graph, recipe = network(
        f"network N\ninput 8x8x3\nconv 2x2x{filters} init=whiten frozen=weight as first, gelu\ndense 10\n"
        "train:\n    data digits\n    epochs 1\n    normalize unit\n"
    )
    torch.manual_seed(recipe.seed)
    start = build_module(graph).get_submodule("first").weight.detach()  # type: ignore[union-attr, operator]
    run = train(graph, recipe, Options(out=str(tmp_path), quiet=True, limit=200)).run
    assert run is not None
    found = load_file(run / "model.safetensors")["first.weight"]
    assert kept == sum(torch.equal(a, b) for a, b in zip(start, found, strict=True))
    half = min(12, (filters + 1) // 2)
    assert torch.equal(found[half : 2 * half][: filters - half], -found[: min(half, filters - half)])


def test_bf16_computes_layers_with_sixteen_bits_and_keeps_weights_and_losses_in_thirty_two() -> None:
    graph, recipe = network(NET + "    precision bf16\n    optimizer sgd 0.1\n")
    torch.manual_seed(0)
    module = build_module(graph)
    plain = copy.deepcopy(module)
    data = examples(16)
    seen: list[torch.dtype] = []
    module.get_submodule("c").register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    learner = Descent(module, recipe, Objective(recipe, graph), penalties(graph, module), CPU, bf16=True)
    from cnndsl.runtime.data import Batch
    from cnndsl.runtime.learners import Moment

    learner.begin(training=True)
    stepped = learner.step([Batch((data.inputs,), data.classes)], 16, Moment(0, 0.0, 1.0))
    assert seen == [torch.bfloat16]
    assert stepped.loss.dtype == torch.float32
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16):
        output = plain(data.inputs)
    loss = functional.cross_entropy(output.float(), data.classes)  # type: ignore[arg-type]
    loss.backward()
    torch.optim.SGD(plain.parameters(), 0.1).step()
    assert float(stepped.loss) == pytest.approx(float(loss))
    assert same(module, plain, rtol=1e-6, atol=1e-7)


# --- early stopping, plateaus, the perceptron -----------------------------------------------------------------------


def test_early_stopping_keeps_the_best_weights(tmp_path: Any) -> None:
    text = (
        "network N\ninput 8x8x1\ndense 32, relu\ndense 10\ntrain:\n    data digits\n    optimizer sgd 0.5\n"
        "    epochs 60\n    early_stopping 3 on=accuracy\n    batch 32\n"
    )
    graph, recipe = network(text)
    result = train(graph, recipe, Options(out=str(tmp_path), quiet=True, limit=150))
    accuracies = [row["validation_accuracy"] for row in result.history]
    best = int(np.argmax(accuracies))
    assert len(accuracies) == best + 1 + 3 < 60
    # The run that ends at that epoch leaves the same weights.
    short = train(graph, recipe._replace(epochs=best + 1), Options(out=str(tmp_path), quiet=True, limit=150))
    assert result.run is not None
    assert short.run is not None
    one, other = (load_file(run / "model.safetensors") for run in (result.run, short.run))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert result.test == short.test


def test_a_plateau_lowers_the_rate_of_later_epochs(tmp_path: Any) -> None:
    text = (
        "network N\ninput 8x8x1\ndense 10\ntrain:\n    data digits\n    optimizer sgd 1\n    epochs 12\n"
        "    schedule plateau 0 by=0.5\n    batch 32\n"
    )
    graph, recipe = network(text)
    history = train(graph, recipe, Options(out=str(tmp_path), quiet=True, limit=200)).history
    rates = [row["lr"] for row in history]
    assert rates[0] == 1
    assert rates[-1] < 1
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    for row in history:
        assert row["lr"] == pytest.approx(optimizer.param_groups[0]["lr"])
        theirs.step(row["validation_loss"])


def test_the_perceptron_rule_by_its_name() -> None:
    text = (
        "network P\ninput 2\ndense 1 init=zeros as neuron, step\ntrain:\n"
        "    data table rows=[[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]]\n"
        "    optimizer perceptron\n    epochs 12\n    batch 1\n    shuffle off\n"
    )
    graph, recipe = network(text)
    assert recipe.loss.name == "half_squared"
    data = Examples(torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), None, torch.tensor([[0.0], [0], [0], [1]]))
    torch.manual_seed(0)
    module = build_module(graph)
    loop = loop_on(module, graph, recipe, data)
    weights: list[float] = [0.0, 0.0, 0.0]
    for _ in range(12):
        loop.run_epoch(silent(), never)
        for (x1, x2), target in (((0, 0), 0), ((0, 1), 0), ((1, 0), 0), ((1, 1), 1)):
            error = target - (weights[0] * x1 + weights[1] * x2 + weights[2] > 0)
            weights = [weights[0] + error * x1, weights[1] + error * x2, weights[2] + error]
    found = [*module.get_parameter("neuron.weight").flatten().tolist(), *module.get_parameter("neuron.bias").tolist()]
    assert found == weights
    with torch.no_grad():
        assert module(data.inputs).flatten().tolist() == [0, 0, 0, 1]
