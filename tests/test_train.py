"""Training: updates against arithmetic and independent loops, and runs that survive."""

from __future__ import annotations

import copy
import csv
import importlib.util
import io
import json
import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cnndsl.elaborate import elaborate
from cnndsl.graph import Graph
from cnndsl.recipe import Recipe, read
from cnndsl.runtime import checkpoints
from cnndsl.runtime.data import Examples, Split
from cnndsl.runtime.data.feed import Feed
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.errors import NotFiniteError, RunError, TrainingError
from cnndsl.runtime.freezing import Freezing
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.loop import EVALUATED_VALUES, Loop, Position, batches, order
from cnndsl.runtime.module import build_module
from cnndsl.runtime.objective import Objective
from cnndsl.runtime.optimizing import penalties, rates
from cnndsl.runtime.progress import Progress
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.train import Options, resume, train
from cnndsl.source import Source
from cnndsl.syntax import parse

CPU = torch.device("cpu")
SPECS = Path(__file__).resolve().parent.parent / "specs"

SMALL = """network Small
input 8x8x1
conv 3x3x4 nobias, bn, relu, dropout 0.2
dense 10
train:
    data digits
    optimizer sgd lr=0.05 momentum=0.9
    schedule cosine warmup=0.5
    epochs 3
    batch 100
"""


def network(text: str) -> tuple[Graph, Recipe]:
    """The only network of a spec, and its recipe."""
    document, faults = parse(Source("test.cnn", text))
    (one,), found = elaborate(document)
    recipe, more = read(one.settings, one.graph, one.train or one.graph.span)
    assert [*faults, *found, *more] == []
    return one.graph, recipe


def loop_on(module: nn.Module, graph: Graph, recipe: Recipe, examples: Examples) -> Loop:
    as_they_are = Feed(Prepare("none", (0, 0), tuple(examples.inputs.shape[1:]), (1.0,), (0.0,)), CPU)
    given = (module, recipe, Objective(recipe, graph), penalties(graph, module), CPU)
    freezing = Freezing(module, graph, recipe.freeze) if recipe.freeze.layers else None
    learner = Descent(*given, freezing=freezing, rates=rates(module, graph, recipe))
    return Loop(learner, recipe, Split(examples, None, None), as_they_are, CPU)


def silent() -> Progress:
    return Progress(io.StringIO(), quiet=True)


def never() -> bool:
    return False


# --- updates by hand ------------------------------------------------------------------------------------------------

AND = [(0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 1.0)]


def perceptron(*settings: str) -> tuple[Graph, Recipe]:
    lines = ["data table rows=[[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]]", "loss half_squared"]
    lines += ["optimizer sgd lr=0.25", "epochs 10", "batch 1", *settings]
    return network(
        "network P\ninput 2\ndense 1 init=zeros as neuron, step\ntrain:\n" + "".join(f"    {s}\n" for s in lines)
    )


@pytest.mark.parametrize("shuffle", ["shuffle off", "shuffle on"])
def test_each_update_of_the_perceptron_is_rosenblatts(shuffle: str) -> None:
    graph, recipe = perceptron(shuffle)
    module = build_module(graph)
    examples = Examples(torch.tensor([row[:2] for row in AND]), None, torch.tensor([row[2:] for row in AND]))
    loop = loop_on(module, graph, recipe, examples)
    weights, bias = [0.0, 0.0], 0.0
    for epoch in range(10):
        sequence = range(4) if shuffle.endswith("off") else order(4, recipe.seed, epoch).tolist()
        wrong = 0
        for number, row in enumerate(sequence):
            x1, x2, target = AND[row]
            # Rosenblatt: the unit fires above 0, and w += lr (t - y) x. A quarter is exact in binary.
            fires = 1.0 if weights[0] * x1 + weights[1] * x2 + bias > 0 else 0.0
            error = target - fires
            weights = [weights[0] + 0.25 * error * x1, weights[1] + 0.25 * error * x2]
            bias += 0.25 * error
            wrong += error != 0
            loop.step(examples, torch.tensor([row]), Position(epoch, number))
            parameters = dict(module.named_parameters())
            assert parameters["neuron.weight"].tolist() == [weights]
            assert parameters["neuron.bias"].tolist() == [bias]
    assert wrong == 0
    with torch.no_grad():
        assert module(examples.inputs).flatten().tolist() == [0, 0, 0, 1]


# --- against loops written with plain PyTorch -----------------------------------------------------------------------

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd lr=0.1": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd lr=0.05 momentum=0.9 nesterov weight_decay=1e-3": lambda p: torch.optim.SGD(
        p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3
    ),
    "adam lr=3e-3 beta1=0.8": lambda p: torch.optim.Adam(p, lr=3e-3, betas=(0.8, 0.999)),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.01),
    "rmsprop lr=1e-3 alpha=0.9 momentum=0.5 eps=1e-7": lambda p: torch.optim.RMSprop(
        p, lr=1e-3, alpha=0.9, momentum=0.5, eps=1e-7
    ),
}


@pytest.mark.parametrize("written", OPTIMIZERS)
def test_weights_are_those_of_a_plain_pytorch_loop(written: str) -> None:
    graph, recipe = network(
        "network N\ninput 6x6x2\nconv 3x3x4 l2=0.01, tanh\ndense 5\ntrain:\n    data synthetic\n"
        f"    optimizer {written}\n    loss cross_entropy smoothing=0.1\n    schedule step 1 by=0.5\n"
        "    epochs 3\n    batch 16\n    clip 0.5\n    seed 4\n"
    )
    torch.manual_seed(0)
    module = build_module(graph)
    plain = copy.deepcopy(module)
    examples = Examples(torch.randn(50, 2, 6, 6), torch.randint(0, 5, (50,)))
    loop = loop_on(module, graph, recipe, examples)
    rows = [loop.run_epoch(silent(), never) for _ in range(3)]

    optimizer = OPTIMIZERS[written](plain.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    kernel = next(p for p in plain.parameters() if p.dim() == 4)
    losses = []
    assert examples.classes is not None
    for epoch in range(3):
        sequence = order(50, 4, epoch)
        total = 0.0
        for picked in sequence.split(16):
            optimizer.zero_grad()
            loss = criterion(plain(examples.inputs[picked]), examples.classes[picked])
            (loss + 0.01 * (kernel**2).sum()).backward()
            nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
            optimizer.step()
            total += loss.item() * len(picked)
        losses.append(total / 50)
        scheduler.step()
    for (name, ours), theirs in zip(module.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6), name
    assert [row["train_loss"] for row in rows] == pytest.approx(losses, rel=1e-5)
    assert [row["lr"] for row in rows] == pytest.approx([recipe.optimizer.lr * 0.5**i for i in range(3)])


def test_frozen_weights_stay() -> None:
    graph, recipe = network(
        "network N\ninput 4\ndense 6 frozen as first, tanh\ndense 3 frozen=weight as second\n"
        "train:\n    data synthetic 40\n    epochs 2\n    batch 8\n"
    )
    module = build_module(graph)
    before = copy.deepcopy(module.state_dict())
    examples = Examples(torch.randn(40, 4), torch.arange(40) % 3)
    loop = loop_on(module, graph, recipe, examples)
    loop.run_epoch(silent(), never)
    after = module.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"second.bias"}


def test_classes_become_one_hot_for_losses_on_values() -> None:
    graph, recipe = network("network N\ninput 3\ndense 4\ntrain:\n    data synthetic\n    loss mse\n    metrics mae\n")
    module = build_module(graph)
    examples = Examples(torch.randn(9, 3), torch.arange(9) % 4)
    loop = loop_on(module, graph, recipe, examples)
    measured = loop.evaluate(examples)
    with torch.no_grad():
        difference = module(examples.inputs) - torch.eye(4)[torch.arange(9) % 4]
    assert measured == {
        "loss": pytest.approx(float(difference.square().mean()), rel=1e-5),
        "mae": pytest.approx(float(difference.abs().mean()), rel=1e-5),
    }


def test_the_smallest_distance_is_the_predicted_class() -> None:
    graph, recipe = network(
        "network N\ninput 3\ndense 6 as d, rbf 7\ntrain:\n    data synthetic\n    loss map_distance j=2\n"
        "    metrics accuracy top5\n"
    )
    module = build_module(graph)
    examples = Examples(torch.randn(30, 3), torch.arange(30) % 7)
    measured = loop_on(module, graph, recipe, examples).evaluate(examples)
    with torch.no_grad():
        distances = module(examples.inputs)
    assert examples.classes is not None
    rank = (distances < distances.gather(1, examples.classes.unsqueeze(1))).sum(1)
    assert measured["accuracy"] == pytest.approx(float((rank == 0).float().mean()))
    assert measured["top5"] == pytest.approx(float((rank < 5).float().mean()))


def test_evaluation_in_batches_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, recipe = network("network N\ninput 3\ndense 4, dropout 0.5\ntrain:\n    data synthetic\n    batch 7\n")
    module = build_module(graph)
    examples = Examples(torch.randn(50, 3), torch.arange(50) % 4)
    loop = loop_on(module, graph, recipe, examples)
    whole = loop.evaluate(examples)
    monkeypatch.setitem(EVALUATED_VALUES, "cpu", 1)
    assert loop.evaluate(examples) == pytest.approx(whole, rel=1e-6)
    module.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(module(examples.inputs), examples.classes)  # type: ignore[arg-type]
    assert whole["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_steps() -> None:
    assert len(batches(60_000, 128)) * 5 == 2_345
    assert batches(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert batches(9, 4) == [(0, 4), (4, 9)]
    assert batches(8, 4) == [(0, 4), (4, 8)]
    assert batches(3, 1) == [(0, 1), (1, 2), (2, 3)]
    assert batches(1, 64) == [(0, 1)]
    assert batches(5, 64) == [(0, 5)]


def test_orders_are_permutations_of_their_own() -> None:
    first, second = order(100, 0, 0), order(100, 0, 1)
    assert first.sort().values.tolist() == list(range(100))
    assert not torch.equal(first, second)
    assert not torch.equal(first, order(100, 1, 0))
    assert torch.equal(first, order(100, 0, 0))
    order(10, 2**63 - 1, 10**6)


# --- runs in Python -------------------------------------------------------------------------------------------------


def weights_of(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model.safetensors")


def same(first: Path, second: Path) -> bool:
    """Whether two runs ended in the same weights, bit for bit, and had the same numbers on the way."""
    one, other = weights_of(first), weights_of(second)
    assert one.keys() == other.keys()
    rows = [[row[:-1] for row in csv.reader((run / "metrics.csv").open())] for run in (first, second)]
    return all(torch.equal(one[name], other[name]) for name in one) and rows[0] == rows[1]


class Talkative(io.StringIO):
    """A stream that sends this process a real SIGINT when a text is written to it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def write(self, text: str) -> int:
        if self.text in text:
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    runs = [train(graph, recipe._replace(seed=seed), Options(out=str(tmp_path), quiet=True)).run for seed in (0, 0, 1)]
    assert [run.name for run in runs if run] == ["Small-1", "Small-2", "Small-3"]
    first, again, other = (run for run in runs if run)
    assert same(first, again)
    assert not same(first, other)


def test_training_leaves_pytorchs_state_as_it_was(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    before = torch.get_rng_state(), torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    result = train(graph, recipe._replace(epochs=1), Options(out=str(tmp_path), quiet=True))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), signal.getsignal(signal.SIGINT))
    assert result.test is not None
    assert not result.stopped


def test_an_interrupt_saves_in_mid_epoch_and_resuming_ends_bit_for_bit_the_same(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    whole = train(graph, recipe, Options(out=str(tmp_path), quiet=True)).run
    stream = Talkative("epoch 2/3")
    stopped = train(graph, recipe, Options(out=str(tmp_path), stream=stream))
    assert stopped.stopped
    assert stopped.run is not None
    assert whole is not None
    assert f"go on with: cnndsl train --resume {stopped.run}" in stream.getvalue()
    assert checkpoints.found(stopped.run)[0].name.startswith("epoch-000002-step-00000001-")
    assert not (stopped.run / "result.json").exists()
    again = resume(stopped.run, *read_run(stopped.run), Options(quiet=True))
    assert again.run == stopped.run
    assert same(whole, stopped.run)
    done = [json.loads((run / "result.json").read_text())["test"] for run in (whole, stopped.run)]
    assert done[0] == done[1]


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    whole = train(graph, recipe, Options(out=str(tmp_path), quiet=True)).run
    assert whole is not None
    for damage in ("cut", "flip", "all"):
        run = train(graph, recipe, Options(out=str(tmp_path), quiet=True)).run
        assert run is not None
        (run / "result.json").unlink()
        files = checkpoints.found(run)
        assert len(files) == 2
        for path in files if damage == "all" else files[:1]:
            content = bytearray(path.read_bytes())
            if damage == "flip":
                content[len(content) // 2] ^= 1
            path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
        stream = io.StringIO()
        resume(run, *read_run(run), Options(stream=stream))
        assert f"{files[0].name} is damaged and was passed over" in stream.getvalue()
        assert f"after epoch {0 if damage == 'all' else 2}" in stream.getvalue()
        assert same(whole, run)


def test_more_epochs_for_a_finished_run(tmp_path: Path) -> None:
    graph, recipe = network(SMALL.replace("schedule cosine warmup=0.5", "schedule step 2"))
    whole = train(graph, recipe, Options(out=str(tmp_path), quiet=True)).run
    short = train(graph, recipe._replace(epochs=1), Options(out=str(tmp_path), quiet=True)).run
    assert whole is not None
    assert short is not None
    stream = io.StringIO()
    resume(short, *read_run(short), Options(stream=stream))
    assert "is complete: 1 epoch" in stream.getvalue()
    stored, shorter = read_run(short)
    resume(short, stored, shorter._replace(epochs=3), Options(quiet=True))
    assert same(whole, short)
    assert read_run(short)[1].epochs == 3


def test_a_checkpoint_can_run_no_code(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    run = train(graph, recipe._replace(epochs=1), Options(out=str(tmp_path), quiet=True)).run
    assert run is not None
    for path in checkpoints.found(run):
        path.unlink()
    witness = tmp_path / "witness"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(witness),)

    buffer = io.BytesIO()
    torch.save({"version": 1, "model": Evil()}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(Evil())):
        name = f"epoch-000001-step-00000000-{checkpoints._digest(content)}.pt"
        path = run / "checkpoints" / name
        path.write_bytes(content)
        with pytest.raises(RunError, match="is no checkpoint"):
            checkpoints.load(run)
        path.unlink()
    assert not witness.exists()


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("recipe.json", None, "no run folder"),
        ("recipe.json", "{", "is damaged"),
        ("recipe.json", "[" * 100_000, "recipe.json"),
        ("recipe.json", '{"version": 99}', "not of a run of this version"),
        ("recipe.json", '{"version": 1}', "is damaged"),
        ("spec.cnn", None, "can't read"),
        ("spec.cnn", "network Small\ninput 3\n", "has errors"),
        (
            "spec.cnn",
            SMALL.replace("3x3x4", "3x3x5"),
            "another run: conv3x3x5.weight not there then, 5x1x3x3 now",
        ),
    ],
)
def test_a_run_folder_that_was_changed(tmp_path: Path, file: str, content: str | None, said: str) -> None:
    graph, recipe = network(SMALL)
    run = train(graph, recipe._replace(epochs=1), Options(out=str(tmp_path), quiet=True)).run
    assert run is not None
    (run / "result.json").unlink()
    (run / file).unlink()
    if content is not None:
        (run / file).write_text(content)
    with pytest.raises(TrainingError) as caught:
        resume(run, *read_run(run), Options(quiet=True))
    assert said in caught.value.message


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    graph, recipe = network(SMALL.replace("lr=0.05", "lr=1e30").replace("bn, ", "").replace(" warmup=0.5", ""))
    with pytest.raises(NotFiniteError) as caught:
        train(graph, recipe, Options(out=str(tmp_path), quiet=True))
    assert "the loss became " in caught.value.message
    assert " of epoch 1, at a learning rate of " in caught.value.message
    assert "learning rate" in (caught.value.help or "")
    assert not list(tmp_path.glob("*/model.safetensors"))


def test_the_network_in_the_run_folder_stands_alone(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    run = train(graph, recipe, Options(out=str(tmp_path), quiet=True)).run
    assert run is not None
    specification = importlib.util.spec_from_file_location("model", run / "model.py")
    assert specification is not None
    assert specification.loader is not None
    written = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(written)
    module = written.Small()
    module.load_state_dict(weights_of(run))
    module.eval()
    # The digits prepared by hand, from what the folder says, give the accuracy that the run reported.
    from sklearn.datasets import load_digits

    about = json.loads((run / "recipe.json").read_text())
    theirs = load_digits()
    rows = np.argsort(theirs.target, kind="stable")[np.arange(359) * 1797 // 359]
    x = torch.tensor(np.rint(theirs.data[rows] * 255 / 16), dtype=torch.float32).view(-1, 1, 8, 8)
    x = x * about["prepare"]["scale"][0] + about["prepare"]["shift"][0]
    with torch.no_grad():
        accuracy = float((module(x).argmax(1) == torch.tensor(theirs.target[rows])).float().mean())
    reported = json.loads((run / "result.json").read_text())["test"]["accuracy"]
    assert accuracy == pytest.approx(reported, abs=1e-6)
    assert (run / "spec.cnn").read_text() == SMALL


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_gpu(tmp_path: Path) -> None:
    graph, recipe = network(SMALL)
    runs = [train(graph, recipe, Options(out=str(tmp_path), device="cuda", quiet=True)).run for _ in range(2)]
    assert runs[0] is not None
    assert runs[1] is not None
    assert same(runs[0], runs[1])
    stream = Talkative("epoch 2/3")
    stopped = train(graph, recipe, Options(out=str(tmp_path), device="cuda", stream=stream)).run
    assert stopped is not None
    resume(stopped, *read_run(stopped), Options(quiet=True))
    assert same(runs[0], stopped)
