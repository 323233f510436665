"""Losses and metrics against PyTorch's and scikit-learn's own, published formulas, and arithmetic by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score, r2_score, recall_score
from test_train import network
from torch import Tensor, nn
from torch.nn import functional

from cnndsl.layers.bind import Given
from cnndsl.recipe.base import option
from cnndsl.recipe.losses import LOSSES, Loss
from cnndsl.recipe.metrics import METRICS, Metric
from cnndsl.runtime.data import Batch
from cnndsl.runtime.evaluate import function
from cnndsl.runtime.objective import Objective


def loss_named(name: str, **values: object) -> Loss:
    chosen = next(loss for loss in LOSSES if loss.name == name)
    made: Loss = option(chosen, [Given("named", value, key) for key, value in values.items()])
    return made


def loss_of(name: str, *inputs: Any, end: str = "", **values: object) -> float:
    loss = loss_named(name, **values)
    return float(function(loss.code(end), loss.support)(*inputs))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- losses ---------------------------------------------------------------------------------------------------------


def test_mae_and_binary_cross_entropy() -> None:
    output, target = torch.tensor([[0.2, 0.9], [0.5, 0.6]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert loss_of("mae", output, target) == pytest.approx((0.2 + 0.1 + 0.5 + 0.6) / 4)
    by_hand = -(math.log(0.8) + math.log(0.9) + math.log(0.5) + math.log(0.4)) / 4
    assert loss_of("bce", output, target, end="sigmoid") == pytest.approx(by_hand, rel=1e-6)
    assert loss_of("bce", torch.logit(output), target) == pytest.approx(by_hand, rel=1e-6)


def test_focal_loss() -> None:
    torch.manual_seed(0)
    output, classes = torch.randn(50, 7), torch.randint(0, 7, (50,))
    assert loss_of("focal", output, classes, gamma=0) == pytest.approx(float(functional.cross_entropy(output, classes)))
    # Lin et al. 2017, equation 4, by its letters.
    total = 0.0
    for row, right in zip(output.double().softmax(1).tolist(), classes.tolist(), strict=True):
        total -= (1 - row[right]) ** 2 * math.log(row[right])
    assert loss_of("focal", output, classes) == pytest.approx(total / 50, rel=1e-5)


def test_losses_of_maps_are_means_over_places() -> None:
    torch.manual_seed(0)
    output, classes = torch.randn(3, 4, 5, 6), torch.randint(0, 4, (3, 5, 6))
    flat = output.movedim(1, -1).reshape(-1, 4)
    for name in ("cross_entropy", "focal"):
        assert loss_of(name, output, classes) == pytest.approx(loss_of(name, flat, classes.flatten()), rel=1e-5)


@pytest.mark.parametrize(
    ("by", "end", "theirs"),
    [
        ("mse", "", functional.mse_loss),
        ("mae", "", functional.l1_loss),
        ("bce", "sigmoid", functional.binary_cross_entropy),
        ("bce", "conv", functional.binary_cross_entropy_with_logits),
    ],
)
def test_reconstruction(by: str, end: str, theirs: Any) -> None:
    output, image = torch.rand(4, 1, 6, 6, generator=generator()), torch.rand(4, 1, 6, 6, generator=generator(1))
    assert loss_of("reconstruction", output, image, end=end, by=by) == pytest.approx(float(theirs(output, image)))


def test_the_divergence_of_the_vae_is_pytorchs() -> None:
    torch.manual_seed(0)
    image, output = torch.rand(8, 1, 5, 5), torch.rand(8, 1, 5, 5)
    mean, logvar = torch.randn(8, 3), torch.randn(8, 3)
    cloud = torch.distributions.Normal(mean, (logvar / 2).exp())
    away = torch.distributions.kl_divergence(cloud, torch.distributions.Normal(0.0, 1.0)).sum() / 8
    apart = functional.binary_cross_entropy(output, image, reduction="sum") / 8
    loss = loss_named("vae", beta=4)
    for codes in (1, 2):
        made = function(loss.code("sigmoid", codes=2 * codes), loss.support)  # type: ignore[call-arg]
        found = float(made(output, image, *[mean, logvar] * codes))
        assert found == pytest.approx(float(apart + 4 * codes * away), rel=1e-5)


def test_contrastive_loss() -> None:
    left, right = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]), torch.tensor([[3.0, 4.0], [1.0, 1.5], [6.0, 8.0]])
    # Distances 5, 0.5 and 10; alike, not alike, not alike; margin 2. Hadsell et al. 2006, equation 4.
    by_hand = (0.5 * 25 + 0.5 * 1.5**2 + 0) / 3
    assert loss_of("contrastive", left, torch.tensor([1, 0, 0]), right, margin=2) == pytest.approx(by_hand)
    loss = loss_named("contrastive", margin=2)
    scores = function(loss.scores(), loss.support)(left, None, right)
    assert scores.argmax(1).tolist() == [0, 1, 0]


def test_contrastive_gradients_are_finite_where_codes_agree() -> None:
    left = torch.zeros(2, 3, requires_grad=True)
    loss = loss_named("contrastive")
    function(loss.code(), loss.support)(left, torch.tensor([1, 0]), torch.zeros(2, 3)).backward()
    assert left.grad is not None
    assert torch.isfinite(left.grad).all()


@pytest.mark.parametrize("blank", [0, 2, 5])
def test_ctc_is_pytorchs(blank: int) -> None:
    torch.manual_seed(blank)
    output = torch.randn(3, 6, 12)
    target = torch.tensor([[0, 4, 4, 1], [2, -1, -1, -1], [3, 3, 0, -1]])
    others = [number for number in range(6) if number != blank]
    labels = [[others[t] for t in row if t >= 0] for row in target.tolist()]
    theirs = nn.CTCLoss(blank=blank)(
        output.permute(2, 0, 1).log_softmax(2),
        torch.tensor([label for row in labels for label in row]),
        torch.full((3,), 12),
        torch.tensor([len(row) for row in labels]),
    )
    assert loss_of("ctc", output, target, blank=blank) == pytest.approx(float(theirs), rel=1e-5)


# --- metrics --------------------------------------------------------------------------------------------------------


def measured(name: str, batches: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """A metric over several batches, as training adds them up."""
    metric: Metric = option(next(one for one in METRICS if one.name == name))
    measure = function(metric.code(), metric.support)
    total: Any = 0.0
    for output, target in batches:
        found = measure(output, target).double()
        total = total + (found.reshape(-1) if metric.summed else found.reshape(1) * len(output))
    return metric.values_of(total.tolist(), sum(len(output) for output, _ in batches))


def pieces(output: Tensor, target: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Batches of different sizes."""
    return list(zip(output.split([7, 20, len(output) - 27]), target.split([7, 20, len(output) - 27]), strict=True))


def test_metrics_of_classes_are_scikit_learns() -> None:
    torch.manual_seed(3)
    scores, classes = torch.randn(90, 5), torch.randint(0, 5, (90,))
    scores[range(90), classes] += 1
    found = scores.argmax(1)
    assert measured("accuracy", pieces(scores, classes)) == {"accuracy": pytest.approx(accuracy_score(classes, found))}
    each = recall_score(classes, found, average=None)
    assert list(measured("per_class", pieces(scores, classes)).values()) == pytest.approx(list(each))
    assert measured("iou", pieces(scores, classes)) == {
        "iou": pytest.approx(jaccard_score(classes, found, average="macro"))
    }


def test_iou_of_maps_leaves_out_what_is_nowhere() -> None:
    torch.manual_seed(3)
    scores, classes = torch.randn(30, 4, 6, 6), torch.randint(0, 3, (30, 6, 6))
    scores[:, 3] = -99.0
    theirs = jaccard_score(classes.flatten(), scores.argmax(1).flatten(), average="macro", labels=[0, 1, 2])
    assert measured("iou", pieces(scores, classes)) == {"iou": pytest.approx(theirs)}


def test_a_class_that_is_missing_has_no_accuracy() -> None:
    found = measured("per_class", [(torch.eye(3), torch.tensor([0, 1, 1]))])
    assert (found["class_0"], found["class_1"]) == (1.0, 0.5)
    assert math.isnan(found["class_2"])
    metric: Metric = option(next(one for one in METRICS if one.name == "per_class"))
    assert metric.shown({"loss": 1.0, **found}) == {"worst class 1": 0.5}


@pytest.mark.parametrize("outputs", [1, 3])
def test_r2_is_scikit_learns(outputs: int) -> None:
    torch.manual_seed(1)
    target = torch.randn(80, outputs) * 3 + 100
    output = target + torch.randn(80, outputs)
    assert measured("r2", pieces(output, target)) == {
        "r2": pytest.approx(r2_score(target.double(), output.double()), abs=1e-9)
    }


def test_r2_of_targets_that_are_all_alike() -> None:
    alike = torch.full((40, 1), 2.0)
    assert measured("r2", pieces(alike, alike)) == {"r2": r2_score(alike, alike)}
    assert measured("r2", pieces(alike + 1, alike)) == {"r2": r2_score(alike, alike + 1)}


def edit_distance(one: list[int], other: list[int]) -> int:
    """Levenshtein's distance, the textbook's table."""
    table = [[i + j if not i * j else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            same = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(same, table[i - 1][j] + 1, table[i][j - 1] + 1)
    return table[-1][-1]


@pytest.mark.parametrize("blank", [0, 3])
def test_character_errors_are_levenshteins(blank: int) -> None:
    torch.manual_seed(blank)
    chance = random.Random(blank)
    output = torch.randn(60, 4, 9)
    words = [[chance.randrange(3) for _ in range(chance.randrange(6))] for _ in range(60)]
    target = torch.tensor([word + [-1] * (6 - len(word)) for word in words])
    total = 0
    for row, word in zip(output.argmax(1).tolist(), words, strict=True):
        kept = [best for place, best in enumerate(row) if place == 0 or best != row[place - 1]]
        total += edit_distance([best - (best > blank) for best in kept if best != blank], word)
    loss = loss_named("ctc", blank=blank)
    scores = function(loss.scores(), loss.support)(output, None)
    found = measured("errors", pieces(scores, target))
    assert found == {"errors": pytest.approx(total / sum(map(len, words)))}


# --- objectives -----------------------------------------------------------------------------------------------------

HEADS = """network Heads
input 4
dense 5 as body
output early training:
    dense 3
from body, dense 3 as kind
from body, dense 2 as place
output kind
output place
train:
    data synthetic
    loss kind cross_entropy
    loss place mse weight=0.5
    loss early cross_entropy smoothing=0.1 weight=0.25
    metrics accuracy
"""


def test_losses_of_several_outputs_are_weighted() -> None:
    graph, recipe = network(HEADS)
    objective = Objective(recipe, graph)
    torch.manual_seed(0)
    early, kind, place = torch.randn(6, 3), torch.randn(6, 3), torch.randn(6, 2)
    batch = Batch((torch.zeros(6, 4),), torch.tensor([0, 1, 2, 0, 1, 2]), torch.randn(6, 2))
    classes, values = batch.classes, batch.values
    assert classes is not None
    assert values is not None
    outputs = objective.outputs((early, kind, place), training=True)
    losses = objective.losses(outputs, batch)
    one, two = functional.cross_entropy(kind, classes), functional.mse_loss(place, values)
    three = functional.cross_entropy(early, classes, label_smoothing=0.1)
    assert float(objective.total(losses)) == pytest.approx(float(one + 0.5 * two + 0.25 * three))
    assert float(objective.total(losses, 0.5, 3.0)) == pytest.approx(1.5 * float(one + 0.5 * two + 0.25 * three))
    found = objective.values(objective.sums(outputs, batch, losses).tolist(), 6, training=True)
    assert found == {
        "loss": pytest.approx(float(one + 0.5 * two)),
        "early_loss": pytest.approx(float(three)),
        "place_loss": pytest.approx(float(two)),
        "accuracy": pytest.approx(float((kind.argmax(1) == classes).float().mean())),
    }
    outputs = objective.outputs((kind, place), training=False)
    losses = objective.losses(outputs, batch)
    alone = objective.values(objective.sums(outputs, batch, losses).tolist(), 6, training=False)
    assert list(alone) == ["loss", "place_loss", "accuracy"]
    assert alone["loss"] == pytest.approx(float(one + 0.5 * two))


def test_outputs_for_training_have_the_main_loss_at_three_tenths() -> None:
    graph, recipe = network(
        "network N\ninput 4\noutput early training:\n    dense 3\ndense 3\ntrain:\n    data synthetic\n"
        "    loss cross_entropy smoothing=0.2\n"
    )
    objective = Objective(recipe, graph)
    early, main = torch.randn(5, 3, generator=generator()), torch.randn(5, 3, generator=generator(1))
    batch = Batch((torch.zeros(5, 4),), torch.tensor([0, 1, 2, 0, 1]))
    # The result stands first, whatever the order of the lines.
    total = objective.total(objective.losses(objective.outputs((main, early), training=True), batch))
    one, two = (functional.cross_entropy(o, batch.classes, label_smoothing=0.2) for o in (main, early))  # type: ignore[arg-type]
    assert float(total) == pytest.approx(float(one + 0.3 * two))


def test_one_output_tells_two_classes_apart() -> None:
    graph, recipe = network(
        "network N\ninput 4\ndense 1, sigmoid\ntrain:\n    data synthetic\n    loss bce\n    metrics accuracy\n"
    )
    objective = Objective(recipe, graph)
    output = torch.tensor([[0.9], [0.4], [0.6], [0.1]])
    batch = Batch((torch.zeros(4, 4),), torch.tensor([1, 1, 0, 0]))
    outputs = objective.outputs(output, training=False)
    losses = objective.losses(outputs, batch)
    found = objective.values(objective.sums(outputs, batch, losses).tolist(), 4, training=False)
    by_hand = -(math.log(0.9) + math.log(0.4) + math.log(0.4) + math.log(0.9)) / 4
    assert found == {"loss": pytest.approx(by_hand, rel=1e-6), "accuracy": 0.5}


def test_mixed_examples_have_shares_of_classes() -> None:
    graph, recipe = network(
        "network N\ninput 4\ndense 3\ntrain:\n    data synthetic\n    loss cross_entropy\n    metrics accuracy\n"
    )
    objective = Objective(recipe, graph)
    output = torch.randn(2, 3, generator=generator())
    shares = torch.tensor([[0.3, 0.7, 0.0], [0.0, 0.4, 0.6]])
    batch = Batch((torch.zeros(2, 4),), shares)
    outputs = objective.outputs(output, training=True)
    (loss,) = objective.losses(outputs, batch)
    assert loss is not None
    first, second = (functional.cross_entropy(output, torch.tensor(c), reduction="none") for c in ([0, 1], [1, 2]))
    assert float(loss) == pytest.approx(
        float((torch.tensor([0.3, 0.4]) * first + torch.tensor([0.7, 0.6]) * second).mean())
    )
    assert len(objective.sums(outputs, batch, [loss])) == 2
