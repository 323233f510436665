"""Training recipes: what a `train:` block means, what is refused, and the arithmetic of losses and schedules."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from cnndsl.diagnostics import Diagnostic
from cnndsl.elaborate import elaborate
from cnndsl.layers.bind import Given
from cnndsl.pipeline import Options, check
from cnndsl.recipe import SETTINGS, Recipe, from_json, read
from cnndsl.recipe.base import option
from cnndsl.recipe.losses import LOSSES, CrossEntropy, Distance, HalfSquared, MapDistance, Mse
from cnndsl.recipe.overrides import override, parse_settings
from cnndsl.recipe.schedules import SCHEDULES
from cnndsl.recipe.sources import resolve_fit
from cnndsl.runtime.evaluate import function
from cnndsl.source import Source
from cnndsl.syntax import parse

NET = "network N\ninput 32x32x1\nconv 5x5x4, pool 4\ndense 10\n"
VECTOR = "network N\ninput 2\ndense 1\n"


def recipe_of(text: str) -> tuple[Recipe, list[Diagnostic]]:
    """The recipe of the only network of a spec."""
    document, faults = parse(Source("test.cnn", text))
    (one,), found = elaborate(document)
    assert not faults
    assert not found
    recipe, diagnostics = read(one.settings, one.graph, one.train or one.graph.span)
    return recipe, diagnostics


def with_train(net: str, *lines: str) -> str:
    return net + "train:\n" + "".join(f"    {line}\n" for line in lines)


def named(name: str, **values: object) -> list[Given]:
    return [Given("named", value, key) for key, value in values.items()]


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_recipe_as_people_write_it() -> None:
    recipe, found = recipe_of(
        with_train(
            NET,
            "data mnist pad",
            "normalize range low=-0.1 high=1.175",
            "loss cross_entropy smoothing=0.1",
            "optimizer sgd 0.1 momentum=0.9 nesterov weight_decay=5e-4",
            "schedule cosine warmup=2",
            "metrics accuracy top5",
            "epochs 20",
            "batch 128",
            "accumulate 2",
            "validation 5_000",
            "test off",
            "shuffle off",
            "clip 1",
            "ema 0.99",
            "lookahead off",
            "early_stopping 5 on=top5",
            "droppath off",
            "freeze off",
            "tta mirror shift=1",
            "precision bf16",
            "checkpoint 500",
            "seed 7",
        )
    )
    assert found == []
    assert recipe.lines() == [
        "data mnist folder= fit=pad",
        "augment none",
        "normalize range low=-0.1 high=1.175",
        "loss cross_entropy smoothing=0.1",
        "optimizer sgd lr=0.1 momentum=0.9 nesterov=true weight_decay=0.0005",
        "schedule cosine final=0 warmup=2",
        "rate off",
        "metrics accuracy top5",
        "epochs 20",
        "batch 128",
        "accumulate 2",
        "validation 5000",
        "test off",
        "shuffle off",
        "clip 1",
        "ema decay=0.99 warmup=false",
        "lookahead k=0 alpha=0.5 power=0",
        "early_stopping patience=5 on=top5 by=0",
        "droppath last=none rise=0",
        "freeze epochs=0",
        "tta mirror=true shift=1",
        "precision bf16",
        "checkpoint every=500",
        "seed 7",
    ]
    assert from_json(recipe.to_json())._replace(settings=recipe.settings) == recipe


def test_defaults_depend_on_the_data() -> None:
    images, found = recipe_of(with_train(NET, "epochs 3"))
    assert found == []
    assert (images.data.name, images.loss.name, images.normalize.name) == ("digits", "cross_entropy", "standard")
    assert (images.optimizer.name, images.optimizer.lr, images.batch, images.epochs) == ("adam", 1e-3, 64, 3)
    assert (images.validation, images.test, images.shuffle, images.seed) == (0.1, True, True, 0)
    rows, found = recipe_of(with_train(VECTOR, "data table rows=[[0, 1, 2], [3, 4, 5]]"))
    assert found == []
    assert (rows.loss.name, rows.normalize.name, rows.validation) == ("mse", "none", 0)
    assert [metric.name for metric in rows.metrics] == ["mae"]


def test_a_choice_is_written_back_as_its_line() -> None:
    """In brief, each is a line that reads as the same choice; what it was by default is left out."""
    lines = [
        'data folder "photos" corrupt=skip',
        "freeze body norms epochs=2",
        "schedule step every=5",
        "optimizer sgd lr=0.1",
    ]
    recipe, _ = recipe_of(with_train(NET, *lines))
    again = ["data " + recipe.data.brief(), recipe.freeze.brief(), "schedule " + recipe.schedule.brief()]
    assert [*again, "optimizer " + recipe.optimizer.brief()] == lines
    assert recipe.data.titled() == 'folder "photos"'
    assert str(recipe.schedule) == "step every=5 by=0.1 warmup=0"


def test_a_switch_may_be_true_or_false() -> None:
    recipe, found = recipe_of(with_train(NET, "test {false}", "shuffle {true}"))
    assert found == []
    assert (recipe.test, recipe.shuffle) == (False, True)


@pytest.mark.parametrize(
    ("lines", "problem", "place"),
    [
        (["optimiser adam"], "UnknownSetting", "optimiser"),
        (["learning_rate 0.1"], "UnknownSetting", "learning_rate"),
        (["optimizer adma"], "UnknownChoice", "adma"),
        (["data 3"], "UnknownChoice", "3"),
        (["optimizer lr=0.1"], "MissingChoice", "optimizer lr=0.1"),
        (["metrics"], "MissingChoice", "metrics"),
        (["metrics accuracy topfive"], "UnknownChoice", "topfive"),
        (["epochs 3", "epochs 4"], "SettingTwice", "epochs 4"),
        (["optimizer adam momentum=0.9"], "UnknownArgument", "momentum=0.9"),
        (["optimizer sgd fast"], "UnknownWord", "fast"),
        (["optimizer sgd lr=-1"], "BadArgument", "lr=-1"),
        (["optimizer sgd momentum=1"], "BadArgument", "momentum=1"),
        (["optimizer sgd lr=1 lr=2"], "ArgumentTwice", "lr=2"),
        (["optimizer sgd 0.1 0.2"], "TooManyArguments", "0.2"),
        (["optimizer sgd nesterov"], "NeedsArgument", "nesterov"),
        (["schedule step"], "NeedsArgument", "schedule step"),
        (["epochs"], "MissingArgument", "epochs"),
        (["epochs 0"], "BadArgument", "0"),
        (["epochs 2.5"], "BadArgument", "2.5"),
        (["batch many"], "UnknownWord", "many"),
        (["validation 1.5"], "BadArgument", "1.5"),
        (["validation -1"], "BadArgument", "-1"),
        (["shuffle maybe"], "UnknownWord", "maybe"),
        (["epochs {true}"], "BadArgument", "{true}"),
        (["clip 1 {true}"], "TooManyArguments", "{true}"),
        (["seed -3"], "BadArgument", "-3"),
        (["data table"], "MissingArgument", "data table"),
        (["data table rows=[[1, 2, 3], [4, 5]]"], "RaggedRows", "rows=[[1, 2, 3], [4, 5]]"),
        (["data table rows=[[1, 2]] targets=2"], "NeedsArgument", "targets=2"),
        (["data mnist pad resize"], "ArgumentTwice", "resize"),
        (["rate 64"], "MissingArgument", "rate 64"),
        (["rate dense10"], "MissingArgument", "rate dense10"),
        (["rate dense10 0"], "NeedsArgument", "0"),
        (["rate dense10 2", "rate dense10 3"], "SettingTwice", "rate dense10 3"),
        (["rate dense10.bais 2"], "RateOfNothing", "dense10.bais"),
    ],
)
def test_a_wrong_line_is_marked_where_it_is_wrong(lines: list[str], problem: str, place: str) -> None:
    _, found = recipe_of(with_train(NET, *lines))
    assert [(type(d).__name__, d.span.text) for d in found] == [(problem, place)]
    assert found[0].message_text()
    assert not re.search(r"\{\w+\}", found[0].message_text() + (found[0].help_text() or ""))


def test_several_mistakes_give_several_diagnostics() -> None:
    _, found = recipe_of(with_train(NET, "optimiser adam", "loss cross_entrpy", "epochs -1"))
    assert [type(d).__name__ for d in found] == ["UnknownSetting", "UnknownChoice", "BadArgument"]


@pytest.mark.parametrize(
    ("line", "near"),
    [("optimiser adam", "optimizer"), ("loss cross_entrpy", "cross_entropy"), ("schedule cosin", "cosine")],
)
def test_did_you_mean(line: str, near: str) -> None:
    _, found = recipe_of(with_train(NET, line))
    assert found[0].help_text() == f"did you mean `{near}`?"
    assert [edit.text for fix in found[0].fixes for edit in fix.edits] == [near]


def test_rates_are_for_parts() -> None:
    recipe, found = recipe_of(with_train(NET, "rate dense10.bias 64", "rate dense10 0.5"))
    assert found == []
    assert [(part.name, part.value.factor) for part in recipe.parts] == [("dense10.bias", 64), ("dense10", 0.5)]
    assert recipe.lines()[-2:] == ["rate dense10.bias factor=64", "rate dense10 factor=0.5"]
    assert from_json(recipe.to_json())._replace(settings=recipe.settings) == recipe
    recipe, found = recipe_of(with_train(NET, "rate off"))
    assert found == []
    assert (recipe.parts, recipe.rate.factor) == ((), 1)


def test_names_with_hyphens() -> None:
    recipe, found = recipe_of(with_train(NET, 'data "fashion-mnist"'))
    assert found == []
    assert recipe.data.name == "fashion_mnist"


# --- recipe and network ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        (with_train(NET.replace("10", "84"), "data digits"), "ClassesMismatch", "dense 84"),
        (with_train(NET.replace("32x32x1", "32x32x4"), "data digits"), "InputMismatch", "input 32x32x4"),
        (with_train("network N\ninput 65\ndense 10\n", "data digits"), "InputMismatch", "input 65"),
        (with_train(NET.replace("32x32x1", "24x24x1"), "data mnist pad"), "InputTooSmallToPad", "data mnist pad"),
        (with_train("network N\ninput 8x8x1\nconv 3x3x10\n", "data digits"), "NotOnePrediction", "conv 3x3x10"),
        (with_train("network N\ninput 8x8x1\ndense 3\n", "data shapes"), "NotAMap", "dense 3"),
        (with_train("network N\ninput 8x8x1\ndense 3\n", 'data folder "x" masks="m"'), "NotAMap", "dense 3"),
        (
            with_train("network N\ninput 8x8x1\nconv 3x3x3 same\n", 'data folder "x"'),
            "NotOnePrediction",
            "conv 3x3x3 same",
        ),
        (
            with_train("network N\ninput 8x8x1\nconv 3x3x3 same\n", 'data folder "x" images="m"'),
            "NeedsArgument",
            'images="m"',
        ),
        (with_train("network N\ninput 8x8x1\npool 8\n", "data synthetic"), "NothingToTrain", "network N"),
        (with_train("network N\ninput 8x8x1\ndense 10 frozen\n", "data digits"), "NothingToTrain", "network N"),
        (with_train(VECTOR, "data table rows=[[1, 2, 3, 4]]"), "TableMismatch", "data table rows=[[1, 2, 3, 4]]"),
        (
            with_train(VECTOR, "data table rows=[[1, 2, 0.5]]", "loss cross_entropy"),
            "NotAClass",
            "data table rows=[[1, 2, 0.5]]",
        ),
        (
            with_train(VECTOR, "data table rows=[[1, 2, 0]]", "metrics accuracy"),
            "MetricMismatch",
            "metrics accuracy",
        ),
        (with_train(NET.replace("10", "4"), "data synthetic", "metrics top5"), "MetricMismatch", "metrics top5"),
        (with_train(NET, "loss map_distance"), "DistancesExpected", "dense 10"),
        (with_train(VECTOR, "epochs 1"), "NoData", "train:"),
    ],
)
def test_what_does_not_fit_the_network(text: str, problem: str, place: str) -> None:
    _, found = recipe_of(text)
    assert [(type(d).__name__, d.span.text) for d in found] == [(problem, place)]
    assert not re.search(r"\{\w+\}", found[0].message_text() + (found[0].help_text() or ""))


def test_a_softmax_before_cross_entropy_is_a_warning() -> None:
    _, found = recipe_of(with_train(NET.replace("dense 10", "dense 10, softmax"), "data digits"))
    assert [(type(d).__name__, d.severity, d.span.text) for d in found] == [("SoftmaxBeforeLoss", "warning", "softmax")]


def test_an_rbf_with_cross_entropy_is_a_warning() -> None:
    _, found = recipe_of(with_train(NET.replace("dense 10", "rbf 10"), "data digits"))
    assert [(type(d).__name__, d.span.text) for d in found] == [("DistancesAsScores", "rbf 10")]


@pytest.mark.parametrize("shape", ["32x32x1", "8x8x3", "5x40x1", "64"])
def test_inputs_that_digits_are_fitted_to(shape: str) -> None:
    _, found = recipe_of(with_train(f"network N\ninput {shape}\ndense 10\n", "data digits"))
    assert found == []


@pytest.mark.parametrize(
    ("image", "size", "fit"),
    [((28, 28), (28, 28), "none"), ((28, 28), (32, 32), "pad"), ((28, 28), (35, 35), "pad"),
     ((28, 28), (36, 36), "resize"), ((8, 8), (32, 32), "resize"), ((28, 28), (24, 24), "resize"),
     ((28, 28), (32, 24), "resize")],
)  # fmt: skip
def test_padding_or_resizing(image: tuple[int, int], size: tuple[int, int], fit: str) -> None:
    assert resolve_fit("auto", image, size) == fit


# --- settings from outside ------------------------------------------------------------------------------------------


def test_settings_from_the_command_line_are_read_as_in_a_spec() -> None:
    settings, found = parse_settings([("optimizer", "sgd lr=0.5"), ("epochs", "3")])
    assert found == []
    document, _ = parse(Source("test.cnn", with_train(NET, "epochs 9", "batch 8")))
    (one,), _ = elaborate(document)
    recipe, found = read(override(one.settings, settings), one.graph, one.graph.span)
    assert found == []
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.epochs, recipe.batch) == ("sgd", 0.5, 3, 8)


@pytest.mark.parametrize("text", ["sgd lr=", "sgd lr={1/0}", "sgd\n    epochs 3", 'sgd "', "{nope}"])
def test_a_wrong_setting_from_the_command_line_is_shown_as_written(text: str) -> None:
    settings, found = parse_settings([("optimizer", text)])
    document, _ = parse(Source("test.cnn", NET))
    (one,), _ = elaborate(document)
    _, more = read(settings, one.graph, one.graph.span)
    assert [*found, *more]
    assert {d.span.source.name for d in [*found, *more]} == {"--set-train"}
    assert {d.span.source.text for d in [*found, *more]} == {"optimizer " + text.replace("\n", " ")}


# --- the vocabulary as data -----------------------------------------------------------------------------------------


def test_everything_in_the_vocabulary_explains_itself() -> None:
    for kind in SETTINGS:
        assert kind.help
        assert kind.default
        for chosen in kind.options:
            assert chosen.__doc__, chosen
            for argument in chosen.arguments:
                assert argument.help, (chosen, argument)


def test_a_stored_recipe_that_was_changed_is_refused() -> None:
    data = recipe_of(with_train(NET, "epochs 1"))[0].to_json()
    for change in (
        {"epochs": 0},
        {"epochs": "1"},
        {"optimizer": {"name": "nope"}},
        {"optimizer": {"name": "adam", "lr": "fast"}},
        {"optimizer": 3},
        {"metrics": [{"name": "nope"}]},
        {"more": 1},
    ):
        with pytest.raises(ValueError, match="recipe"):
            from_json({**data, **change})
    with pytest.raises(ValueError, match="recipe"):
        from_json({"epochs": 1})


def test_reading_recipes_loads_no_torch() -> None:
    code = "import sys, cnndsl.recipe, cnndsl.recipe.checks, cnndsl.recipe.overrides; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- losses, against arithmetic by hand -----------------------------------------------------------------------------

OUTPUT = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
CLASSES = torch.tensor([1, 0])


def test_cross_entropy() -> None:
    def by_hand(row: list[float], right: int, smoothing: float) -> float:
        total = sum(math.exp(value) for value in row)
        logs = [math.log(math.exp(value) / total) for value in row]
        target = [smoothing / 3 + (1 - smoothing) * (i == right) for i in range(3)]
        return -sum(t * one for t, one in zip(target, logs, strict=True))

    for smoothing in (0.0, 0.1):
        wanted = (by_hand([1, 2, 0.5], 1, smoothing) + by_hand([0, -1, 3], 0, smoothing)) / 2
        loss = function(option(CrossEntropy, named("loss", smoothing=smoothing)).code())
        assert float(loss(OUTPUT, CLASSES)) == pytest.approx(wanted, abs=1e-6)


def test_squared_losses() -> None:
    target = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    # Differences 0 2 0.5 and 0 -2 2: squares 4.25 and 8.
    assert float(function(option(Mse).code())(OUTPUT, target)) == pytest.approx(12.25 / 6)
    assert float(function(option(HalfSquared).code())(OUTPUT, target)) == pytest.approx(12.25 / 2)


def test_the_losses_of_lenet5() -> None:
    # Equation 8: the mean of the right class's distance; 2.0 and 0.0 here.
    assert float(function(option(Distance).code())(OUTPUT, CLASSES)) == pytest.approx(1.0)
    # Equation 9, with j = 0.5.
    first = 2.0 + math.log(math.exp(-0.5) + math.exp(-1) + math.exp(-2) + math.exp(-0.5))
    second = 0.0 + math.log(math.exp(-0.5) + math.exp(0) + math.exp(1) + math.exp(-3))
    loss = function(option(MapDistance, named("loss", j=0.5)).code())
    assert float(loss(OUTPUT, CLASSES)) == pytest.approx((first + second) / 2, abs=1e-6)


def test_only_distances_are_predicted_by_the_smallest() -> None:
    assert {loss.name for loss in LOSSES if loss.smallest} == {"distance", "map_distance"}


# --- schedules, against PyTorch's -----------------------------------------------------------------------------------

EPOCH, STEPS = 7, 70


def torch_rates(make: object, per_epoch: bool = False) -> list[float]:
    """The rates of a PyTorch scheduler from a base rate of 1, step by step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)  # type: ignore[operator]
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not per_epoch or (step + 1) % EPOCH == 0:
            scheduler.step()
    return rates


def rates(name: str, **values: object) -> list[float]:
    chosen = next(s for s in SCHEDULES if s.name == name)
    schedule = option(chosen, named(name, **values))
    return [schedule.factor(step, EPOCH, STEPS) for step in range(STEPS)]


def test_schedules_are_pytorchs() -> None:
    lr = torch.optim.lr_scheduler
    near = {"abs": 1e-9, "rel": 1e-9}
    assert rates("constant") == [1.0] * STEPS
    assert rates("cosine") == pytest.approx(torch_rates(lambda o: lr.CosineAnnealingLR(o, STEPS)), **near)
    assert rates("cosine", final=0.1) == pytest.approx(
        torch_rates(lambda o: lr.CosineAnnealingLR(o, STEPS, eta_min=0.1)), **near
    )
    assert rates("linear", final=0.2) == pytest.approx(
        torch_rates(lambda o: lr.LinearLR(o, 1.0, 0.2, total_iters=STEPS)), **near
    )
    assert rates("step", every=3, by=0.5) == pytest.approx(
        torch_rates(lambda o: lr.StepLR(o, 3, 0.5), per_epoch=True), **near
    )
    assert rates("step", at=[2, 5, 8]) == pytest.approx(
        torch_rates(lambda o: lr.MultiStepLR(o, [2, 5, 8], 0.1), per_epoch=True), **near
    )
    assert rates("exponential", by=0.9)[::EPOCH] == pytest.approx(
        torch_rates(lambda o: lr.ExponentialLR(o, 0.9), per_epoch=True)[::EPOCH], **near
    )
    assert rates("onecycle") == pytest.approx(
        torch_rates(lambda o: lr.OneCycleLR(o, 1.0, total_steps=STEPS, cycle_momentum=False)), **near
    )


def test_a_triangle() -> None:
    corners = np.interp(range(STEPS), [0, int(0.23 * STEPS), STEPS], [0.2, 1, 0.07])
    assert rates("triangle", rise=0.23, start=0.2, final=0.07) == pytest.approx(corners.tolist())
    assert rates("triangle", rise=0.0) == pytest.approx(rates("linear"))
    assert rates("triangle", rise=0.5, warmup=1)[EPOCH:] == pytest.approx(
        np.interp(range(STEPS - EPOCH), [0, (STEPS - EPOCH) // 2, STEPS - EPOCH], [0, 1, 0]).tolist()
    )


def test_warmup_rises_in_equal_steps_and_then_the_schedule_begins() -> None:
    warmed = rates("linear", warmup=2)
    assert warmed[:14] == pytest.approx([(i + 1) / 14 for i in range(14)])
    assert warmed[14:] == pytest.approx([1 - i / 56 for i in range(56)])


def test_a_warmup_longer_than_the_run() -> None:
    schedule = option(SCHEDULES[0], named("constant", warmup=100.0))
    assert [schedule.factor(step, 2, 4) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_plateau_is_pytorchs() -> None:
    random = torch.Generator().manual_seed(5)
    losses = (torch.rand(60, generator=random) / torch.arange(1, 61).sqrt()).tolist()
    for patience, by, threshold in ((0, 0.5, 1e-4), (3, 0.1, 0.0), (5, 0.7, 0.05)):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, patience=patience, factor=by, threshold=threshold, eps=0
        )
        schedule = option(SCHEDULES[-1], named("plateau", patience=patience, by=by, threshold=threshold))
        for epoch in range(60):
            rate = schedule.factor(epoch * 4 + 1, 4, 240, losses[:epoch])
            assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
            theirs.step(losses[epoch])


def test_factors_of_steps_may_be_listed() -> None:
    found = rates("step", at=[2, 5], to=[0.4, 0.02])
    assert found == [1.0] * 14 + [0.4] * 21 + [0.02] * 35


# --- parts ----------------------------------------------------------------------------------------------------------

TWO_HEADS = "network N\ninput 8x8x1\ndense 9 as a\noutput early training:\n    dense 10\ndense 10 as mse\noutput mse\n"


@pytest.mark.parametrize(
    ("lines", "whole", "parts"),
    [
        (["loss focal"], "focal gamma=2", {}),
        (["loss early focal 1 weight=0.5"], "cross_entropy smoothing=0", {"early": "focal gamma=1 weight=0.5"}),
        (["loss focal", "loss early mae"], "focal gamma=2", {"early": "mae"}),
        # An output may be called like a loss: a second word decides.
        (["loss mse cross_entropy"], "cross_entropy smoothing=0", {"mse": "cross_entropy smoothing=0"}),
        (["loss mse weight=2"], "mse weight=2", {}),
        # An output may be called like the layer that gives it; the loss on the network's result is the recipe's own.
        (["loss head focal"], "focal gamma=2", {"output": "focal gamma=2"}),
    ],
)
def test_settings_for_parts(lines: list[str], whole: str, parts: dict[str, str]) -> None:
    net = TWO_HEADS if "head" not in lines[0] else "network N\ninput 8x8x1\ndense 10 as head\n"
    recipe, found = recipe_of(with_train(net, "data digits", *lines))
    assert found == []
    assert str(recipe.loss) == whole
    assert {part.name: str(part.value) for part in recipe.parts} == parts
    assert from_json(recipe.to_json())._replace(settings=recipe.settings) == recipe


def test_what_follows_from_the_loss_follows_from_the_one_on_the_result() -> None:
    net = "network N\ninput 8x8x1\nconv 3x3x1 same as image\noutput image\n"
    for loss in ("loss reconstruction", "loss image reconstruction"):
        recipe, found = recipe_of(with_train(net, "data digits", loss))
        assert found == []
        assert (recipe.normalize.name, recipe.metrics) == ("unit", ())


@pytest.mark.parametrize(
    ("line", "problem", "place"),
    [
        ("loss erly mse", "UnknownPart", "erly"),
        ("loss early msee", "UnknownChoice", "msee"),
        ("loss msee", "UnknownChoice", "msee"),
        ("ema", "MissingArgument", "ema"),
        ("ema 1", "BadArgument", "1"),
        ("early_stopping 5 on=top5", "UnknownMetric", "early_stopping 5 on=top5"),
        ("precision fp8", "BadArgument", "fp8"),
    ],
)
def test_wrong_lines_about_parts_and_runs(line: str, problem: str, place: str) -> None:
    _, found = recipe_of(with_train(TWO_HEADS, "data digits", line))
    assert [(type(d).__name__, d.span.text) for d in found] == [(problem, place)]


def test_a_setting_may_be_off() -> None:
    recipe, found = recipe_of(with_train(NET, "ema off", "early_stopping off", "tta off"))
    assert found == []
    assert (recipe.ema.decay, recipe.early_stopping.patience, recipe.tta.mirror) == (0.0, 0, False)


# --- what goes on behind commas -------------------------------------------------------------------------------------


def test_augmentations_follow_each_other_behind_commas() -> None:
    lines = ["data cifar10", "epochs 3, augment flip, crop 4 fill=zero, affine 10 0.1, cutout 8, batch 128, seed 2"]
    recipe, found = recipe_of(with_train(NET.replace("32x32x1", "32x32x3"), *lines))
    assert found == []
    assert (recipe.epochs, recipe.batch, recipe.seed) == (3, 128, 2)
    assert [one.name for one in recipe.augment] == ["flip", "crop", "affine", "cutout"]
    assert (recipe.augment[1].fill, recipe.augment[2].rotate, recipe.augment[2].shift) == ("zero", 10, 0.1)
    line = next(line for line in recipe.lines() if line.startswith("augment"))
    assert line == (
        "augment flip vertical=false alternate=false chance=0.5, crop pixels=4 fill=zero, "
        "affine rotate=10 shift=0.1 scale=0 shear=0 fill=zero chance=1, cutout size=8 chance=1"
    )
    assert from_json(recipe.to_json())._replace(settings=recipe.settings) == recipe
    place = recipe.place("augment")
    assert place is not None
    assert place.text == "augment flip, crop 4 fill=zero, affine 10 0.1, cutout 8"


def test_what_goes_on_behind_a_comma_is_set_from_outside_with_it() -> None:
    document, _ = parse(Source("test.cnn", with_train(NET, "data fashion_mnist", "augment flip, crop 4", "epochs 9")))
    (one,), _ = elaborate(document)
    for text, names in (("none", []), ("crop 2, noise", ["crop", "noise"])):
        settings, found = parse_settings([("augment", text)])
        assert found == []
        recipe, found = read(override(one.settings, settings), one.graph, one.graph.span)
        assert found == []
        assert [augmentation.name for augmentation in recipe.augment] == names
        assert recipe.epochs == 9


def test_a_network_that_gives_back_its_input_is_given_0_to_1() -> None:
    net = "network N\ninput 28x28x1\ndense 784, sigmoid, reshape 28x28x1\n"
    assert recipe_of(with_train(net, "data mnist", "loss reconstruction"))[0].normalize.name == "unit"
    assert (
        recipe_of(with_train(net, "data mnist", "loss reconstruction", "normalize range"))[0].normalize.name == "range"
    )


def test_a_recipe_is_for_the_network_as_it_is_declared() -> None:
    text = "network Net(n=10)\ninput 8x8x1\ndense {n}\ntrain:\n    data digits\n"
    other = check(Source("net.cnn", text), Options(sets=(("n", "7"),)))
    assert other.ok
    assert [d.code for d in other.diagnostics] == ["N649"]
    assert check(Source("net.cnn", text), Options(sets=(("n", "10"),))).diagnostics == ()
    declared = check(Source("net.cnn", text.replace("n=10", "n=7")))
    assert [d.code for d in declared.diagnostics] == ["E606"]
    # What is written wrong stays wrong.
    misspelt = check(Source("net.cnn", text + "    epohcs 3\n"), Options(sets=(("n", "7"),)))
    assert [d.code for d in misspelt.diagnostics] == ["N649", "E601"]
