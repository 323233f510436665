"""Losses that are no number: in which layer they begin, forwards or backwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_train import loop_on, network

from cnndsl.runtime import checkpoints
from cnndsl.runtime.data import Examples
from cnndsl.runtime.errors import NotFiniteError
from cnndsl.runtime.faults import look
from cnndsl.runtime.loop import Position
from cnndsl.runtime.module import build_module
from cnndsl.runtime.train import Options, train

DEEP = """network Deep
input 8x8x1
conv 3x3x8 as first, relu
conv 3x3x8 as second, relu
dense 10
train:
    data digits
    batch 32
"""


def failed(text: str, tmp_path: Path) -> NotFiniteError:
    graph, recipe = network(text)
    with pytest.raises(NotFiniteError) as caught:
        train(graph, recipe, Options(out=str(tmp_path), quiet=True))
    return caught.value


def test_a_layer_that_overflows_is_named(tmp_path: Path) -> None:
    error = failed(DEEP + "    optimizer sgd lr=1e8\n", tmp_path)
    # Weights of some 1e21 and inputs of 1e22 give products that 32 bits can't hold: arithmetic anyone can do.
    assert (
        "the loss became NaN in step 3 of epoch 1, at a learning rate of 1e+08; it began in `second`" in error.message
    )
    assert "(line 4 of test.cnn), of inputs up to " in error.message
    assert "weights up to" in error.message
    assert "learning rate" in (error.help or "")


def test_a_loss_that_overflows_by_itself(tmp_path: Path) -> None:
    text = "network N\ninput 4\ndense 3 frozen, scale 1e25, dense 3\ntrain:\n    data synthetic\n    loss mse\n"
    error = failed(text, tmp_path)
    assert "the loss became infinite in step 1 of epoch 1" in error.message
    assert "it began in the loss itself, of outputs up to " in error.message


@pytest.mark.parametrize("checkpoint", [0, 1])
@pytest.mark.parametrize("validation", ["validation 0", "validation 0.2"])
def test_a_gradient_that_overflows_is_found(tmp_path: Path, checkpoint: int, validation: str) -> None:
    # Forwards 1e-38 and 1e38 cancel; backwards the gradient is first multiplied by 1e38: above 3.4 that is infinite.
    text = (
        "network N\ninput 4\ndense 3 as first, scale 1e-38 as small, scale 1e38 as large, dense 3, scale 0.3\n"
        "train:\n    data synthetic 640\n    loss half_squared\n    optimizer sgd 0.5\n    epochs 30\n    batch 32\n"
        f"    {validation}\n    checkpoint {checkpoint}\n"
    )
    error = failed(text, tmp_path)
    assert "the weights became no numbers in step " in error.message or "the loss became " in error.message
    assert "it began in the gradient of `large` (line 3 of test.cnn), which got one up to " in error.message
    assert "clip" in (error.help or "")
    # What is kept are numbers.
    (run,) = tmp_path.iterdir()
    state, damaged = checkpoints.load(run)
    assert damaged == []
    if state is not None:
        assert all(bool(torch.isfinite(one).all()) for one in state["learner"]["model"].values())


def test_data_that_are_no_numbers_are_told_from_layers() -> None:
    graph, recipe = network(DEEP)
    torch.manual_seed(0)
    inputs = torch.randn(64, 1, 8, 8)
    inputs[40, 0, 3, 3] = float("nan")
    loop = loop_on(build_module(graph), graph, recipe, Examples(inputs, torch.arange(64) % 10))
    _, rows = loop.examples(0)
    step = int((rows == 40).nonzero()) // 32
    before = torch.get_rng_state()
    fault = look(loop, graph, Position(0, step))
    assert fault is not None
    assert fault.where == "input of this batch is no number already"
    assert look(loop, graph, Position(0, 1 - step)) is None
    assert torch.equal(before, torch.get_rng_state())


def test_weights_that_were_no_numbers() -> None:
    graph, recipe = network(DEEP)
    module = build_module(graph)
    with torch.no_grad():
        module.get_parameter("second.weight")[3, 2, 1, 1] = float("inf")
    loop = loop_on(module, graph, recipe, Examples(torch.rand(32, 1, 8, 8) + 0.1, torch.arange(32) % 10))
    fault = look(loop, graph, Position(0, 0))
    assert fault is not None
    assert fault.where == "the weights of `second` (line 4 of test.cnn) were no numbers before this step"
