"""Training on a GPU: recorded steps are the same steps, runs go on bit for bit, and nothing waits for the device.

Skipped where there is no GPU.
"""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
import torch
from test_resume import RECIPES, after, finished, numbers, parsed, same_tensors
from test_train import network

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.runtime import job
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.job import Options, make, seeded
from cnndsl.runtime.loop import Loop, Position, StopRequest
from cnndsl.runtime.recorded import Recorded
from cnndsl.runtime.recorder import BEFORE, Recorder
from cnndsl.runtime.train import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

GPU = torch.device("cuda")
QUIET = Options(quiet=True, limit=120)
NOT_RECORDED = ("accumulated batches, bounded gradients, random depth",)
AUGMENTATIONS = (
    "flip, crop 2",
    "flip alternate, crop 1 fill=zero",
    "affine 10 0.1 0.1 5, elastic 20 sigma=2",
    "color 0.2 0.2 0.2",
    "cutout 3, noise 0.1",
    "mixup 0.2",
    "mixup 0.2, cutmix",
)


def recorder_of(loop: Loop) -> Recorder:
    """What records a loop's steps, all of which it could."""
    assert isinstance(loop.learner, Recorded)
    assert loop.learner.recorder.refused == ""
    return loop.learner.recorder


def made(graph: Graph, recipe: Recipe) -> Loop:
    torch.manual_seed(recipe.seed)
    return make(graph, recipe, QUIET, GPU).loop


@pytest.mark.parametrize("name", RECIPES)
def test_recorded_steps_are_the_same_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, recipe = parsed(name)
    with seeded(recipe.seed, GPU, deterministic=True):
        recorded = finished(made(graph, recipe))
        if name not in NOT_RECORDED:
            assert len(recorder_of(recorded).recordings) == (2 if recipe.freeze.after else 1)
        monkeypatch.setattr(Recorder, "__call__", lambda _, key, work, inputs: work(inputs))
        usual = finished(made(graph, recipe))
        assert numbers(recorded) == numbers(usual)
        same_tensors(recorded.state(), usual.state())


def test_each_shape_of_batches_has_its_recording() -> None:
    graph, recipe = network(
        "network N\ninput 8x8x1\nconv 3x3x4, relu\ndense 10\ntrain:\n    data digits\n    epochs 6\n    batch 50\n"
    )
    with seeded(recipe.seed, GPU):
        loop = finished(made(graph, recipe))
        assert sorted(len(one.inputs[0]) for one in recorder_of(loop).recordings.values()) == [20, 50]


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_goes_on_from_any_step(name: str) -> None:
    graph, recipe = parsed(name)
    chance = random.Random(name)
    with seeded(recipe.seed, GPU, deterministic=True):
        whole = finished(made(graph, recipe))
        stop = chance.randrange(1, len(whole.history) * len(whole.cuts))
        first = made(graph, recipe)
        with pytest.raises(StopRequest):
            finished(first, after(stop))
        file = io.BytesIO()
        torch.save(first.state(), file)
        file.seek(0)
        torch.manual_seed(stop)
        second = make(graph, recipe, QUIET, GPU).loop
        second.restore(torch.load(file, map_location="cpu", weights_only=True))  # as checkpoints are read
        finished(second)
        assert numbers(second) == numbers(whole), stop
        same_tensors(second.state(), whole.state())


def stepped(loop: Loop, steps: int) -> None:
    examples, rows = loop.examples(0)
    loop.learner.begin(training=True)
    for number in range(steps):
        loop.step(examples, rows[slice(*loop.cuts[number % len(loop.cuts)])], Position(0, number % len(loop.cuts)))


def waits_for_nothing(loop: Loop) -> None:
    """Raises RuntimeError if a step waits for the GPU, once its batches have been seen."""
    stepped(loop, 2 * BEFORE)
    examples, rows = loop.examples(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(2):
            loop.step(examples, rows[slice(*loop.cuts[number])], Position(0, number))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", RECIPES)
def test_no_step_waits_for_the_gpu(name: str) -> None:
    graph, recipe = parsed(name)
    with seeded(recipe.seed, GPU):
        waits_for_nothing(made(graph, recipe))


@pytest.mark.parametrize("augment", AUGMENTATIONS)
@pytest.mark.parametrize("where", ["on the GPU", "in main memory"])
def test_no_augmentation_waits_for_the_gpu(augment: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "in main memory":
        monkeypatch.setattr(job, "HELD", 0.0)
    graph, recipe = network(
        "network N\ninput 12x12x1\nconv 3x3x4, relu\ndense 10\ntrain:\n    data synthetic 500\n"
        f"    epochs 2\n    batch 60\n    validation 0\n    augment {augment}\n"
    )
    with seeded(recipe.seed, GPU):
        loop = made(graph, recipe)
        assert loop.split.train.inputs.is_cuda == (where == "on the GPU")
        waits_for_nothing(loop)
        finished(loop)
        (one,) = {key[0] for key in recorder_of(loop).recordings}
        assert one == ("update" if where == "on the GPU" else "gradients")


def test_what_is_augmented_is_the_same_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, recipe = network(
        "network N\ninput 12x12x1\nconv 3x3x4, relu\ndense 10\ntrain:\n    data synthetic 500\n    epochs 4\n"
        "    batch 40\n    validation 0\n    augment flip alternate, crop 2, affine 10 0.1, mixup 0.3\n"
    )
    with seeded(recipe.seed, GPU, deterministic=True):
        recorded = finished(made(graph, recipe))
        assert len(recorder_of(recorded).recordings) == 2  # mirrored in one epoch, not in the next
        monkeypatch.setattr(Recorder, "__call__", lambda _, key, work, inputs: work(inputs))
        usual = finished(made(graph, recipe))
        assert numbers(recorded) == numbers(usual)
        same_tensors(recorded.state(), usual.state())


def test_the_numbers_are_those_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    graph, recipe = network(
        "network N\ninput 8x8x1\nconv 3x3x8 nobias, bn, relu\ndense 16, tanh\ndense 10\ntrain:\n    data digits\n"
        "    optimizer sgd lr=0.05 momentum=0.9 weight_decay=1e-3\n    epochs 3\n    batch 20\n"
    )
    with seeded(recipe.seed, GPU):
        ours = finished(made(graph, recipe))
        torch.manual_seed(recipe.seed)
        theirs = finished(make(graph, recipe, QUIET, torch.device("cpu")).loop)
        for name, value in theirs.learner.module.state_dict().items():
            found = ours.learner.module.state_dict()[name].cpu()
            torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-4)
        assert ours.history[-1]["train_loss"] == pytest.approx(theirs.history[-1]["train_loss"], rel=1e-3)


def test_what_pytorch_cant_record_trains_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, recipe = parsed("dropout, batch norm, momentum, warm-up")
    with seeded(recipe.seed, GPU, deterministic=True):
        loop = made(graph, recipe)
        # A network that asks what it computed: no spec can write one.
        loop.learner.module.register_forward_hook(lambda _, __, outputs: print(float(outputs.detach().sum())))
        finished(loop)
        assert isinstance(loop.learner, Recorded)
        assert loop.learner.recorder.refused
        assert not loop.learner.recorder.recordings
        monkeypatch.setattr(Recorder, "__call__", lambda _, key, work, inputs: work(inputs))
        usual = finished(made(graph, recipe))
        same_tensors(loop.state(), usual.state())


def test_a_loss_that_explodes_is_said(tmp_path: Path) -> None:
    graph, recipe = network(
        "network N\ninput 8x8x1\nconv 3x3x4, relu\ndense 10\ntrain:\n    data digits\n    optimizer sgd lr=1e30\n"
        "    epochs 2\n    batch 10\n"
    )
    with pytest.raises(TrainingError, match="became"):
        train(graph, recipe, QUIET._replace(out=str(tmp_path), stream=io.StringIO(), device="cuda"))


def test_too_little_memory_says_what_fits(tmp_path: Path) -> None:
    graph, recipe = network(
        "network N\ninput 64x64x3\nconv 3x3x256 pad=1, relu, conv 3x3x256 pad=1, relu\npool 64\ndense 10\n"
        "train:\n    data synthetic 4096\n    epochs 1\n    batch 2048\n    validation 0\n"
    )
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.05)
    try:
        with pytest.raises(TrainingError, match="not enough memory for batches of 2048") as caught:
            train(graph, recipe, Options(out=str(tmp_path), quiet=True, stream=io.StringIO(), device="cuda"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "`batch" in str(caught.value.help)
