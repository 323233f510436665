"""Short runs: the search for a rate, one batch by heart, everything at once; memory, and what determinism changes."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import pytest
import torch
from test_train import SMALL, network, same
from test_train_command import run_command

from cnndsl.runtime.determinism import cost
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.job import Options, make
from cnndsl.runtime.loop import Position
from cnndsl.runtime.memory import fitting, free, needed, shortage, warning, watched
from cnndsl.runtime.processes import ALONE, Processes
from cnndsl.runtime.train import train
from cnndsl.runtime.trials import Point, dev_run, find_rate, judged, overfit

CPU = torch.device("cpu")
QUIET = Options(quiet=True)


# --- the search for a rate ------------------------------------------------------------------------------------------


def test_each_step_is_made_at_a_higher_rate() -> None:
    graph, recipe = network(SMALL.replace("sgd lr=0.05 momentum=0.9", "sgd lr=0.3"))
    found = find_rate(graph, recipe, QUIET, 1e-4, 1.0, 30)
    assert [point.rate for point in found.points] == pytest.approx([1e-4 * 1e4 ** (i / 29) for i in range(30)])
    # The first three steps by hand: the weights move by the rate, whatever the recipe's own is.
    torch.manual_seed(recipe.seed)
    loop = make(graph, recipe, QUIET, CPU).loop
    module = loop.learner.module.train()
    examples, rows = loop.examples(0)
    torch.manual_seed(recipe.seed)
    loop = make(graph, recipe, QUIET, CPU).loop
    module = loop.learner.module.train()
    mean = 0.0
    for number, point in enumerate(found.points[:3]):
        batch = loop.feed(examples.pick(rows[slice(*loop.cuts[number])]), 0)
        loss = torch.nn.functional.cross_entropy(module(*batch.inputs), batch.classes)  # type: ignore[arg-type]
        module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.optim.SGD(module.parameters(), point.rate).step()
        mean = 0.9 * mean + 0.1 * loss.item()
        assert point.loss == pytest.approx(loss.item(), rel=1e-4)
        assert point.smoothed == pytest.approx(mean / (1 - 0.9 ** (number + 1)), rel=1e-4)


def test_a_suggestion_lies_below_the_lowest_loss() -> None:
    # A parabola in the logarithm of the rate, lowest at 1e-1, and steepest where it begins.
    rates = [10 ** (-6 + i / 10) for i in range(60)]
    points = tuple(Point(r, 0.0, (math.log10(r) + 1) ** 2 + 1) for r in rates)
    found = judged(points)
    assert found.lowest == pytest.approx(1e-1)
    assert found.steepest == pytest.approx(rates[1])
    assert found.suggested == pytest.approx(math.sqrt(rates[1] * 1e-2))
    assert judged(tuple(Point(r, 0.0, 2.0 + i) for i, r in enumerate(rates))).suggested is None
    assert judged(points[:2]).suggested is None


def test_a_search_ends_where_the_loss_diverges() -> None:
    graph, recipe = network(SMALL.replace("bn, ", ""))
    found = find_rate(graph, recipe, QUIET, 1e-3, 1e12, 60)
    assert len(found.points) < 60
    assert all(math.isfinite(point.loss) for point in found.points)


def test_the_command_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "small.cnn").write_text(SMALL)
    done = run_command("small.cnn", cwd=tmp_path, command="lr-find")
    assert done.returncode == 0, done.stderr
    suggested = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"a rate to begin with: optimizer sgd lr=\S+ momentum=0.9", suggested)
    assert [path.name for path in tmp_path.iterdir()] == ["small.cnn"]
    done = run_command("small.cnn", "--csv", "--steps", "12", cwd=tmp_path, command="lr-find")
    assert done.stdout.splitlines()[0] == "lr,loss,smoothed"
    assert len(done.stdout.splitlines()) == 13
    done = run_command("small.cnn", "--from", "2", "--to", "1", cwd=tmp_path, command="lr-find")
    assert (done.returncode, "--from must be above 0 and below --to" in done.stderr) == (2, True)


# --- one batch, and everything --------------------------------------------------------------------------------------


def test_a_network_learns_one_batch_by_heart() -> None:
    graph, recipe = network(SMALL + "    metrics accuracy per_class\n")
    stream = io.StringIO()
    found = overfit(graph, recipe, Options(stream=stream))
    assert found.learned
    assert found.last["loss"] < 0.05 * found.first or found.last["accuracy"] == 1
    said = stream.getvalue()
    assert "one batch of 100 examples" in said
    # As an epoch's line has them: shares as percentages, of many classes the worst alone.
    last = said.splitlines()[-1]
    assert f"accuracy {found.last['accuracy']:.2%} worst class" in last
    assert "class_0" not in last


def test_a_network_that_lets_nothing_through_does_not(tmp_path: Path) -> None:
    dead = SMALL.replace("dense 10", "scale 0, dense 10")
    (tmp_path / "dead.cnn").write_text(dead)
    done = run_command("dead.cnn", "--overfit-batch", cwd=tmp_path)
    assert done.returncode == 1
    assert "500 steps did not teach it one batch" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dead.cnn"]


def test_everything_is_tried_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "small.cnn").write_text(SMALL + "    ema 0.9\n    early_stopping 3\n")
    done = run_command("small.cnn", "--fast-dev-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 steps an epoch, 6 in 2 epochs" in done.stdout
    assert "everything works" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["small.cnn"]


def test_a_run_that_tries_everything_has_no_folder() -> None:
    graph, recipe = network(SMALL)
    result = dev_run(graph, recipe, QUIET)
    assert result.run is None
    assert result.test is not None


@pytest.mark.parametrize("options", [["--dry-run", "--overfit-batch"], ["--fast-dev-run", "--dry-run"]])
def test_one_trial_at_a_time(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "small.cnn").write_text(SMALL)
    done = run_command("small.cnn", *options, cwd=tmp_path)
    assert (done.returncode, "at a time" in done.stderr) == (2, True)


# --- memory ---------------------------------------------------------------------------------------------------------

LARGE = """network Large
input 64x64x3
conv 3x3x64 pad=1, relu, conv 3x3x64 pad=1, relu
globalpool, dense 10
train:
    data synthetic 2048
"""


def test_what_a_step_needs_is_the_analysis_own_sum() -> None:
    graph, recipe = network(LARGE + "    batch 4096\n")
    # Per example the input of the first convolution, the outputs of both ReLUs (kept for themselves and for the
    # convolution behind), and the pooled vector; weights, gradients and two numbers of Adam for each parameter.
    weights = 3 * 9 * 64 + 64 + 64 * 9 * 64 + 64 + 650
    kept = 4 * (64 * 64 * 3 + 2 * 64 * 64 * 64 + 64)
    assert needed(graph, recipe, 100) - needed(graph, recipe, 50) == 50 * kept
    assert needed(graph, recipe, 100) == 100 * kept + 4 * 4 * weights
    assert fitting(graph, recipe, 512 * kept + 16 * weights) == 512
    assert fitting(graph, recipe, 16 * weights) is None


def test_a_shortage_says_what_would_do() -> None:
    graph, recipe = network(LARGE + "    batch 1_048_576\n")
    error = shortage(graph, recipe, CPU)
    room = free(CPU)
    assert room is not None
    assert "there is not enough memory for batches of 1048576: a step needs about 2.25 TB" in error.message
    assert error.help is not None
    batch = int(error.help.split("`")[1].split()[1])
    assert needed(graph, recipe, batch) <= room < needed(graph, recipe, 4 * batch)
    assert f"accumulate {1_048_576 // batch}" in error.help
    assert "would fit" in (warning(graph, recipe, CPU) or "")
    assert warning(graph, recipe._replace(batch=1), CPU) is None


def test_of_several_processes_each_needs_memory_for_its_share() -> None:
    graph, recipe = network(LARGE + "    batch 4096\n")
    kept = 4 * (64 * 64 * 3 + 2 * 64 * 64 * 64 + 64)
    weights = 4 * (3 * 9 * 64 + 64 + 64 * 9 * 64 + 64 + 650)
    for size, share, fits in ((2, 50, 512), (3, 34, 256), (8, 13, 512)):  # 512 leave one of three 171 examples
        # As alone on so many examples, with a copy of the gradients that is sent.
        group = Processes(0, size, 0, size)
        assert needed(graph, recipe, 100, group) == needed(graph, recipe, share) + weights
        assert fitting(graph, recipe, 512 // size * kept + 5 * weights, group) == fits
    room = free(CPU)
    assert room is not None
    each = free(CPU, Processes(0, 4, 0, 4))
    assert each is not None
    # What is free changes a little from moment to moment. On machines of their own processes have all of it.
    assert each == pytest.approx(room / 4, rel=0.1)
    assert free(CPU, Processes(0, 4, 0, 1)) == pytest.approx(room, rel=0.1)


def test_what_is_said_of_several_processes() -> None:
    room = free(CPU)
    assert room is not None
    kept = 4 * (64 * 64 * 3 + 2 * 64 * 64 * 64 + 64)
    # Half as much again as is free: too much for one process, and for two on this machine, which have half of what is
    # free for half the examples; not for two on machines of their own.
    graph, recipe = network(LARGE + f"    batch {int(1.5 * room / kept)}\n")
    alone, here, apart = ALONE, Processes(0, 2, 0, 2), Processes(0, 2, 0, 1)
    assert "of memory, but" in (warning(graph, recipe, CPU, alone) or "")
    assert "of memory in each of 2 processes, but" in (warning(graph, recipe, CPU, here) or "")
    assert "are free for each; `batch " in (warning(graph, recipe, CPU, here) or "")
    assert warning(graph, recipe, CPU, apart) is None
    error = shortage(graph, recipe, CPU, here)
    assert "in each of 2 processes, and " in error.message


def test_memory_that_runs_out_is_a_sentence(tmp_path: Path) -> None:
    import resource

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6 * 1024**3, 6 * 1024**3))

    (tmp_path / "large.cnn").write_text(LARGE + "    batch 2048\n    epochs 1\n")
    done = run_command("large.cnn", cwd=tmp_path, preexec_fn=bounded)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "there is not enough memory for batches of 2048: a step needs about 4.40 GB" in done.stderr
    assert "accumulate" in done.stderr
    assert "Traceback" not in done.stderr


# --- determinism ----------------------------------------------------------------------------------------------------


def test_what_determinism_costs_is_measured_and_changes_nothing(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    torch.manual_seed(0)
    loop = make(graph, recipe, QUIET, CPU).loop
    loop.step(*loop.examples(0), Position(0, 0))
    before = {name: tensor.clone() for name, tensor in loop.learner.module.state_dict().items()}
    random = torch.get_rng_state()
    assert cost(loop, 3) > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in loop.learner.module.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()

    stream = io.StringIO()
    runs = [
        train(graph, recipe, Options(out=str(tmp_path), deterministic=one, stream=stream)).run for one in (True, False)
    ]
    assert "deterministic: a step takes " in stream.getvalue()
    assert runs[0] is not None
    assert runs[1] is not None
    assert same(runs[0], runs[1])  # on a CPU the bits are the same anyhow


def test_what_can_not_be_deterministic_is_a_sentence() -> None:
    graph, recipe = network(SMALL)
    with pytest.raises(TrainingError, match="PyTorch can't train this") as caught, watched(graph, recipe, CPU):
        # What PyTorch says on a GPU, where alone there are such kernels.
        raise RuntimeError(
            "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you set"
        )
    assert caught.value.help == "train without --deterministic"
