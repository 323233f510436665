"""Two networks that train each other: against a loop written with plain PyTorch, and through stops."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from test_train import silent
from test_train_command import killed_and_resumed
from torch import Tensor, nn
from torch.nn import functional

from cnndsl.cli import main
from cnndsl.pipeline import check
from cnndsl.recipe import Recipe
from cnndsl.recipe.pair import Pair
from cnndsl.runtime import checkpoints, run_folder
from cnndsl.runtime.adversaries import Adversaries
from cnndsl.runtime.data import Batch
from cnndsl.runtime.errors import RunError, TrainingError
from cnndsl.runtime.job import Job, make, seeded
from cnndsl.runtime.learners import Moment
from cnndsl.runtime.loop import StopRequest
from cnndsl.runtime.module import build_module
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.train import Options, resume, train
from cnndsl.runtime.trained import load_trained
from cnndsl.runtime.trials import dev_run, overfit
from cnndsl.source import Source

CPU = torch.device("cpu")
NETS = """network Maker(z=6)
input 1x1x{z}
deconv 4x4x8 nobias, bn, relu
deconv 4x4x1 /2 pad=1, tanh as image

network Judge
input 8x8x1
conv 4x4x4 /2 pad=1, leaky 0.2
conv 4x4x6 /2 pad=1 nobias, bn, leaky 0.2
flatten, linear 1SIGMOID as score

train duel of Maker, Judge:
"""
MAKES = NETS[NETS.index("input") : NETS.index(" as image")]
LINES = ("data digits", "epochs 3", "batch 40")


def text(*lines: str, end: str = "") -> str:
    return NETS.replace("SIGMOID", end) + "".join(f"    {line}\n" for line in (*LINES, *lines))


def pair(*lines: str, end: str = "") -> tuple[Pair, Recipe]:
    checked = check(Source("duel.cnn", text(*lines, end=end)))
    assert checked.diagnostics == (), checked.diagnostics
    (one,) = checked.pairs
    assert one.recipe is not None
    return one.pair, one.recipe


def problems(written: str) -> list[tuple[str, str]]:
    return [(d.code, d.span.text) for d in check(Source("duel.cnn", written)).diagnostics]


def learner(*lines: str, end: str = "") -> Adversaries:
    torch.manual_seed(0)
    return Adversaries(*pair(*lines, end=end), CPU)


# --- against loops written out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", ", sigmoid"])
def test_a_step_is_dcgans(end: str) -> None:
    """The loop of pytorch/examples, dcgan/main.py: binary cross-entropy, the discriminator first."""
    ours = learner("optimizer Maker adam lr=3e-3 beta1=0.5", "optimizer Judge sgd lr=0.1", end=end)
    plain = copy.deepcopy(ours.module)
    maker, judge = plain["Maker"], plain["Judge"]
    examples = torch.randn(12, 1, 8, 8).clamp(-1, 1)
    moment = Moment(0, 0.0, 0.5)
    ours.begin(training=True)
    torch.manual_seed(5)
    sums = [ours.step([Batch((examples,))], 12, moment).sums for _ in range(3)][-1]

    criterion: Any = nn.BCELoss() if end else nn.BCEWithLogitsLoss()
    first, second = (
        torch.optim.SGD(judge.parameters(), 0.05),
        torch.optim.Adam(maker.parameters(), 1.5e-3, (0.5, 0.999)),
    )
    torch.manual_seed(5)
    for _ in range(3):
        judge.zero_grad()
        real = judge(examples).flatten()
        error_real = criterion(real, torch.ones(12))
        error_real.backward()
        made = maker(torch.randn(12, 6, 1, 1))
        false = judge(made.detach()).flatten()
        error_false = criterion(false, torch.zeros(12))
        error_false.backward()
        first.step()
        maker.zero_grad()
        error = criterion(judge(made).flatten(), torch.ones(12))
        error.backward()
        second.step()
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(ours.module.state_dict()[name], tensor, rtol=1e-5, atol=1e-6)
    shares = (real, false) if end else (torch.sigmoid(real), torch.sigmoid(false))
    theirs = [error_real + error_false, error, *(share.mean() for share in shares)]
    torch.testing.assert_close(sums / 12, torch.stack(theirs).detach(), rtol=1e-5, atol=1e-6)


def test_both_networks_look_ahead_together() -> None:
    """Both go back to their slow weights at the same step (Chavdarova et al. 2021, "Lookahead-Minmax")."""
    ours, plain = learner("lookahead 2 alpha=0.3"), learner()
    examples = torch.randn(12, 1, 8, 8).clamp(-1, 1)
    start = {name: tensor.clone() for name, tensor in ours.module.state_dict().items()}
    for one in (ours, plain):
        one.begin(training=True)
        torch.manual_seed(5)
        for number in range(2):
            one.step([Batch((examples,))], 12, Moment(number, 0.0, 1.0, (number + 1) / 10))
    measured, moved = ours.measured.state_dict(), ours.module.state_dict()
    for name, tensor in plain.module.state_dict().items():
        expected = start[name] + 0.3 * (tensor - start[name]) if tensor.is_floating_point() else tensor
        torch.testing.assert_close(measured[name], expected, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(moved[name], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("line", ["lookahead 2 alpha=0.3", "ema 0.9"])
def test_slow_weights_begin_as_both_networks_do(line: str, ended: Path) -> None:
    """`--init-from`: what is measured before the first step are the weights that were given."""
    with seeded(3, CPU):
        loop = make(*pair(line), Options(quiet=True, limit=120, init_from=str(ended)), CPU).loop
    given = load_file(ended / run_folder.WEIGHTS)
    assert all(torch.equal(tensor, given[name]) for name, tensor in loop.learner.measured.state_dict().items())


REAL, FALSE = torch.tensor([0.5, 2.0, -1.0]), torch.tensor([-3.0, 0.25, 1.0])


@pytest.mark.parametrize(
    ("written", "discriminator", "generator"),
    [
        # max(0, 1 - 0.5) + 0 + max(0, 2), and 0 + 1.25 + 2, thirds of both.
        ("hinge", 2.5 / 3 + 3.25 / 3, (3.0 - 0.25 - 1.0) / 3),
        ("least_squares", ((0.25 + 1 + 4) / 3 + (9 + 0.0625 + 1) / 3) / 2, (16 + 0.5625 + 0) / 6),
        (
            "non_saturating smoothing=0.1",
            float(functional.binary_cross_entropy_with_logits(REAL, torch.full((3,), 0.9)))
            + float(functional.binary_cross_entropy_with_logits(FALSE, torch.zeros(3))),
            float(functional.softplus(-FALSE).mean()),
        ),
    ],
)
def test_losses_are_the_papers(written: str, discriminator: float, generator: float) -> None:
    ours = learner(f"loss {written}")
    assert float(ours.losses[0](REAL, FALSE)) == pytest.approx(discriminator, rel=1e-6)
    assert float(ours.losses[1](FALSE)) == pytest.approx(generator, rel=1e-6)


def test_each_side_has_its_own_settings() -> None:
    _, recipe = pair()
    assert str(recipe.optimizer).startswith("adam lr=0.0002 beta1=0.5")
    assert (recipe.normalize.name, recipe.validation, recipe.test) == ("range", 0, False)
    ours = learner("optimizer sgd lr=0.25", "optimizer Judge rmsprop lr=0.5")
    assert isinstance(ours.generator.optimizer, torch.optim.SGD)
    assert isinstance(ours.discriminator.optimizer, torch.optim.RMSprop)


# --- runs -----------------------------------------------------------------------------------------------------------

RUN = ("clip 1", "ema 0.9", "schedule cosine", "augment noise 0.05")


def started() -> Job:
    made_of, recipe = pair(*RUN)
    torch.manual_seed(recipe.seed)
    return make(made_of, recipe, Options(quiet=True, limit=130), CPU)


@pytest.mark.parametrize("stopped_at", [1, 4, 8])
def test_going_on_from_any_step_gives_the_same(stopped_at: int) -> None:
    whole = started()
    while not whole.loop.done:
        whole.loop.run_epoch(silent(), lambda: False)

    first = started()
    steps = iter(range(1, 100))
    with contextlib.suppress(StopRequest):
        while not first.loop.done:
            first.loop.run_epoch(silent(), lambda: next(steps) == stopped_at)
    assert not first.loop.done
    buffer = io.BytesIO()
    torch.save(first.loop.state(), buffer)
    again = started()
    torch.manual_seed(99)
    again.loop.restore(torch.load(io.BytesIO(buffer.getvalue()), weights_only=True))
    while not again.loop.done:
        again.loop.run_epoch(silent(), lambda: False)
    assert equal(whole.loop.learner.state(), again.loop.learner.state())
    assert [without_time(row) for row in whole.loop.history] == [without_time(row) for row in again.loop.history]


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def without_time(row: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in row.items() if key != "seconds"}


def test_a_run_leaves_both_networks_and_pictures(tmp_path: Path) -> None:
    options = Options(out=str(tmp_path), quiet=True, limit=120)
    result = train(*pair(*RUN), options)
    run = result.run
    assert run == tmp_path / "duel-1"
    assert set(result.history[0]) >= {"train_discriminator_loss", "train_generator_loss", "train_real", "train_made"}
    ended = load_file(run / run_folder.WEIGHTS)
    assert {name.split(".")[0] for name in ended} == {"Maker", "Judge"}
    source = (run / run_folder.SOURCE).read_text(encoding="utf-8")
    assert "class Maker" in source
    assert "class Judge" in source
    pictures = sorted(path.name for path in (run / "samples").iterdir())
    assert pictures == ["epoch-0001.png", "epoch-0002.png", "epoch-0003.png"]
    with Image.open(run / "samples" / pictures[0]) as image:
        # Eight to a side, each cell enlarged six times, two of margin.
        assert (image.size, image.mode) == ((400, 400), "L")

    seen = (run / "samples" / "epoch-0003.png").read_bytes()
    for path in (checkpoints.found(run)[0], run / run_folder.WEIGHTS, run / run_folder.RESULT):
        path.unlink()
    resume(run, *read_run(run), options)
    assert (run / "samples" / "epoch-0003.png").read_bytes() == seen
    again = load_file(run / run_folder.WEIGHTS)
    assert all(torch.equal(again[name], tensor) for name, tensor in ended.items())
    with pytest.raises(RunError, match="trained two networks against each other"):
        load_trained(run)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has ended."""
    run = train(*pair(*RUN), Options(out=str(tmp_path_factory.mktemp("ended")), quiet=True, limit=120)).run
    assert run is not None
    return run


def test_runs_tell_both_losses_and_all_weights(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(ended), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    last = json.loads((ended / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["train_losses"] == {name: last[f"train_{name}_loss"] for name in ("generator", "discriminator")}
    weights = load_file(ended / run_folder.WEIGHTS)
    assert row["params"] == sum(
        t.numel() for name, t in weights.items() if "running" not in name and "num_" not in name
    )
    assert main(["runs", str(ended)]) == 0
    table = capsys.readouterr().out
    assert (
        f"generator {last['train_generator_loss']:.4g}, discriminator {last['train_discriminator_loss']:.4g}" in table
    )
    assert main(["runs", str(ended), "--format", "csv"]) == 0
    (line,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert float(line["train_generator_loss"]) == last["train_generator_loss"]


def test_either_network_is_exported(
    ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    checked, _ = pair(*RUN)
    weights = load_file(ended / run_folder.WEIGHTS)
    for given, graph in ((str(ended), checked.generator), (f"{ended}:Judge", checked.discriminator)):
        assert main(["export", given, "-o", f"{graph.name}.pt2"]) == 0
        assert capsys.readouterr().out.startswith(f"{graph.name} of ")
        module = build_module(graph).eval()
        start = f"{graph.name}."
        module.load_state_dict({n.removeprefix(start): t for n, t in weights.items() if n.startswith(start)})
        x = torch.randn(3, *((6, 1, 1) if graph.name == "Maker" else (1, 8, 8)))
        written = torch.export.load(f"{graph.name}.pt2").module()
        with torch.no_grad():
            torch.testing.assert_close(written(x), module(x), rtol=1e-4, atol=1e-6)
    assert main(["export", str(ended), "--raw", "-o", "raw.pt2"]) == 2
    assert "Maker takes random numbers" in capsys.readouterr().err
    assert main(["export", f"{ended}:Maker2", "-o", "x.pt2"]) == 2
    assert "has no network 'Maker2', but Maker and Judge" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Judge.pt2", "Maker.pt2"]


@pytest.mark.parametrize("command", [["eval"], ["predict", "x.png"], ["features", "x.png"], ["features", "--kernels"]])
def test_what_two_networks_do_not_do_is_a_sentence(
    command: list[str], ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command[0], str(ended), *command[1:]]) == 2
    said = capsys.readouterr().err
    assert "trained two networks against each other, which give no answers" in said
    assert f"cnndsl export {ended} writes the generator" in said


def test_its_curves_are_drawn(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (ended / "plots" / "curves.svg").read_bytes()
    assert main(["plot", str(ended)]) == 0
    assert capsys.readouterr().out.split() == [str(ended / "plots" / "curves.svg")]
    assert (ended / "plots" / "curves.svg").read_bytes() == before


LONG = ("epochs 5", "batch 20", "ema 0.9", "checkpoint 15")


def test_a_killed_run_of_two_ends_as_one_that_was_not(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, random.Random(5), 2, long_text(), "duel")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_run_of_two_killed_many_times(tmp_path: Path, seed: int) -> None:
    killed_and_resumed(tmp_path, random.Random(seed), 8, long_text(), "duel")


def long_text() -> str:
    return NETS.replace("SIGMOID", "") + "".join(f"    {line}\n" for line in ("data digits", *LONG))


def test_trials() -> None:
    made_of, recipe = pair()
    assert dev_run(made_of, recipe, Options(quiet=True)).run is None
    with pytest.raises(TrainingError, match="no loss says how good they are"):
        overfit(made_of, recipe, Options(quiet=True))


def test_a_loss_that_is_no_number_stops_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the loss became"):
        train(*pair("optimizer sgd lr=1e30"), Options(out=str(tmp_path), quiet=True, limit=120))


# --- what is wrong with a recipe ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (text().replace("of Maker, Judge", "of Maker, Juge"), ("E213", "Juge")),
        (text().replace("of Maker, Judge", "of Maker"), ("E213", "train duel of Maker:")),
        (text().replace("of Maker, Judge", "of Maker, Maker"), ("E213", "train duel of Maker, Maker:")),
        (text().replace("of Maker, Judge", "of Judge, Maker"), ("E630", "linear 1 as score")),
        (text().replace("input 8x8x1", "input 16x16x1"), ("E630", "tanh as image")),
        (text().replace("linear 1 ", "linear 2 "), ("E630", "linear 2 as score")),
        (text().replace(MAKES, "input 64\ntanh, reshape 8x8x1").replace("(z=6)", ""), ("E611", "Maker")),
        (text("loss bce"), ("E630", "loss bce")),
        (text("loss hinge", end=", sigmoid"), ("E630", "sigmoid as score")),
        (text("validation 0.1"), ("E631", "validation 0.1")),
        (text("schedule plateau"), ("E631", "schedule plateau")),
        (text("optimizer sdlm"), ("E631", "optimizer sdlm")),
        (text("optimizer Maker perceptron"), ("E631", "optimizer Maker perceptron")),
        (text("optimizer Juge adam"), ("E640", "Juge")),
        (text("optimiser adam"), ("E601", "optimiser")),
        (text().replace("data digits", "data digits fit=pad").replace("8x8x1", "8x8x1"), None),
        ("network N\ninput 8x8x1\ndense 10\ntrain:\n    data digits\n    loss hinge\n", ("E632", "loss hinge")),
    ],
)
def test_wrong_recipes_are_told_at_their_place(written: str, found: tuple[str, str] | None) -> None:
    assert problems(written) == ([found] if found else [])


def test_the_generator_comes_first() -> None:
    (only,) = check(Source("duel.cnn", text().replace("of Maker, Judge", "of Judge, Maker"))).diagnostics
    assert only.help_text() == "name the generator first: `of Maker, Judge`"


def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("duel.cnn").write_text(text(), encoding="utf-8")
    assert main(["check", "duel.cnn"]) == 0
    said = capsys.readouterr().out
    assert "duel: Maker and Judge train each other, on data digits, by loss non_saturating" in said
    for name in ("duel.cnn", "duel.cnn:duel"):
        assert main(["train", name, "--dry-run", "--set-train", "optimizer=Judge sgd lr=0.5"]) == 0
        assert "optimizer Judge sgd lr=0.5" in capsys.readouterr().out
    assert main(["train", "duel.cnn", "--epochs", "1", "--limit", "80"]) == 0
    assert "saved runs/duel-1/model.safetensors" in capsys.readouterr().out
    assert main(["train", "--resume", "runs/duel-1", "--epochs", "2"]) == 0
    assert "epoch 2/2" in capsys.readouterr().out
    assert main(["lr-find", "duel.cnn"]) == 1
