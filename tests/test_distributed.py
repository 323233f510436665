"""Several processes on one network: against one process with the same batch, and against what goes wrong."""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import distributed_pair as pair
import pytest
import torch
from safetensors.torch import load_file
from test_augment import chosen, feed, pictures
from torch import Tensor

from cnndsl.runtime import run_folder
from cnndsl.runtime.data import Examples
from cnndsl.runtime.processes import ALONE, Processes

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(HERE.parent),
    "OMP_NUM_THREADS": "1",
    "GLOO_SOCKET_IFNAME": next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), ""),
}


# --- shares ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_shares_cover_each_batch_once(size: int) -> None:
    for batch in (8, 16, 31, 64):
        for rows in range(1, batch + 2):
            shares = [Processes(rank, size).share(rows, batch) for rank in range(size)]
            busy = [share for share in shares if not share.idle]
            assert [row for share in busy for row in range(share.start, share.end)] == list(range(rows))
            counts = [share.end - share.start for share in busy]
            assert max(counts) - min(counts) <= 1
            # Batch norm can't normalize one example; where a batch has two for each process, none gets one.
            assert min(counts) >= 2 or batch < 2 * size or rows == 1
            assert all(0 < share.end <= rows for share in shares)


AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "flip": {},
    "crop": {"pixels": 2},
    "affine": {"rotate": 20, "scale": 0.2},
    "elastic": {"strength": 4, "sigma": 2},
    "color": {"brightness": 0.4, "saturation": 0.3},
    "cutout": {"size": 3},
    "noise": {"deviation": 0.5},
    "mixup": {},
    "cutmix": {},
}


@pytest.mark.parametrize("name", [*AUGMENTATIONS])
def test_shares_of_an_augmented_batch_are_parts_of_the_whole(name: str) -> None:
    examples = Examples(pictures(50, 3, 8, 8), torch.arange(50) % 10)
    rows = torch.randperm(50)[:23]
    augment = chosen(name, **AUGMENTATIONS[name])
    alone, feeds = feed(augment), [feed(augment) for _ in range(3)]
    for epoch in range(2):  # the numbers drawn later agree, too
        whole = alone(examples.pick(rows), epoch)
        parts = [one.share(examples, rows, epoch, Processes(rank, 3).share(23, 23)) for rank, one in enumerate(feeds)]
        torch.testing.assert_close(torch.cat([part.inputs[0] for part in parts]), whole.inputs[0])
        assert whole.classes is not None
        assert torch.cat([part.classes for part in parts if part.classes is not None]).equal(whole.classes)


# --- two processes against one --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each of two processes found that did what `distributed_pair.py` says."""
    folder = tmp_path_factory.mktemp("pair")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, str(HERE / "distributed_pair.py"), str(folder)]
    both = [
        subprocess.Popen(command, env={**ENVIRONMENT, **place, "RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")
    ]
    assert [one.wait(timeout=300) for one in both] == [0, 0]
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    return first, second


def close(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", [*pair.RECIPES])
def test_two_processes_come_to_what_one_comes_to(name: str, found: tuple[dict[str, Any], dict[str, Any]]) -> None:
    alone = pair.trained(*pair.RECIPES[name])
    first, second = (each[name] for each in found)
    close(alone["weights"], first["weights"])
    # Both have the same weights and numbers, to the last bit.
    assert all(tensor.equal(second["weights"][key]) for key, tensor in first["weights"].items())
    assert first["history"] == second["history"]
    for one, other in zip([*alone["history"], alone["test"]], [*first["history"], first["test"]], strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            if "loss" in key:
                assert other[key] == pytest.approx(value, rel=1e-4)
            else:  # counts of examples add up exactly
                assert other[key] == value, key


def test_going_on_is_bit_for_bit_the_same(found: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for each in found:
        resumed = each["resumed"]
        whole, again = resumed["whole"], resumed["again"]
        assert all(tensor.equal(again["weights"][key]) for key, tensor in whole["weights"].items())
        assert again["history"] == whole["history"]
        assert again["test"] == whole["test"]
    # Dropout drew other numbers in each.
    first, second = found[0]["resumed"]["state"]["processes"]["random"]
    assert not first.equal(second)


def test_asked_to_stop_one_process_stops_all_after_the_same_step(found: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = (each["resumed"]["stopped"] for each in found)
    assert first == second >= (1, 2)


def test_one_process_goes_on_with_a_run_of_two(found: tuple[dict[str, Any], dict[str, Any]]) -> None:
    loop = pair.loop_of(*pair.RANDOM)
    state = found[0]["resumed"]["state"]
    loop.restore(state)
    assert tuple(loop.position) == found[0]["resumed"]["stopped"]
    pair.finished(loop)
    assert len(loop.history) == 3
    # The epoch's sums hold what both had seen: every example counts once.
    assert 0 < loop.history[1]["train_accuracy"] <= 1


def test_a_loss_that_is_no_number_in_one_process_stops_both(found: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = (each["infinite"] for each in found)
    assert first == second
    assert first[0] == "NotFiniteError"
    assert first[1].startswith("the loss became infinite in step 1 of epoch 1")


@pytest.mark.parametrize(
    ("name", "speaker", "sentence"),
    [
        ("failing", 1, "process 1: no luck"),
        ("other recipe", 1, "process 1: the spec, the recipe or cnndsl differ from those of process 0"),
        ("small batch", 0, "a batch of 1 can't be shared by 2 processes"),
    ],
)
def test_one_process_says_what_is_wrong_for_all(
    name: str, speaker: int, sentence: str, found: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    assert found[speaker][name] == ("TrainingError", sentence, 1)
    assert found[1 - speaker][name] == ("ToldError", "another process failed", 1)


def test_a_process_alone_is_asked_and_does_nothing() -> None:
    numbers = torch.arange(3.0)
    assert ALONE.added(numbers) is numbers
    assert ALONE.gathered(numbers) == [numbers]
    assert ALONE.share(7, 3) == (0, 7, 7, False)
    assert ALONE.told({"a": 1}) == {"a": 1}
    with ALONE.together() as leads:
        assert leads


# --- the command ----------------------------------------------------------------------------------------------------

SPEC = """network Small
input 8x8x1
conv 3x3x8 pad=1, relu, dropout 0.2
dense 10
train:
    data digits
    augment crop 1
    optimizer sgd lr=0.05 momentum=0.9
    ema 0.9
    epochs 12
    batch 20
    checkpoint every=10
"""


def command(launcher: str, *options: str, restarts: int = 0) -> list[str]:
    """Train `small.cnn` in two processes."""
    again = ("--max-restarts", str(restarts)) if restarts else ()
    if launcher == "nproc":
        return [sys.executable, "-m", "cnndsl", "train", "--nproc", "2", *again, *options]
    rendezvous = ("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1")
    started = ("-m", "torch.distributed.run", "--nproc-per-node", "2", *rendezvous, *again)
    return [sys.executable, *started, "-m", "cnndsl", "train", *options]


def ran(*given: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(given, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.cnn").write_text(SPEC, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "small.cnn").write_text(SPEC, encoding="utf-8")
    done = ran(*command("nproc", "small.cnn"), folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "Small-1"


def weights(run: Path) -> dict[str, Tensor]:
    return dict(load_file(run / run_folder.WEIGHTS))


def rows(run: Path) -> list[dict[str, str]]:
    """The lines of metrics.csv without the time."""
    with open(run / run_folder.METRICS, encoding="utf-8", newline="") as file:
        return [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_nproc_trains_and_one_process_speaks(folder: Path) -> None:
    done = ran(*command("nproc", "small.cnn", "--epochs", "1", "--set-train", "dropout=off"), folder=folder)
    assert done.returncode == 2  # no such setting: said once, by the process that would have started the others
    assert done.stderr.count("dropout") >= 1
    assert "small.cnn" not in done.stdout
    done = ran(*command("nproc", "small.cnn", "--epochs", "1"), folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("run folder") == 1
    assert "2 processes, each with its share of every batch: 10 of 20 examples" in done.stdout
    assert [path.name for path in (folder / "runs").iterdir()] == ["Small-1"]


def begun(started: subprocess.Popen[str], folder: Path, checkpoint: str) -> list[int]:
    """The processes that were started, once there is such a checkpoint."""
    end = time.monotonic() + 200
    while not list(folder.glob(f"runs/*/checkpoints/{checkpoint}*")):
        assert started.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    listed = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in listed.split()]


LINUX = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["nproc", "torchrun"])
def test_after_a_process_was_killed_all_go_on_bit_for_bit(launcher: str, folder: Path, undisturbed: Path) -> None:
    with subprocess.Popen(
        command(launcher, "small.cnn", restarts=1),
        cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as started:  # fmt: skip
        os.kill(begun(started, folder, "epoch-000003-step-")[1], signal.SIGKILL)
        said, complained = started.communicate(timeout=300)
    assert started.returncode == 0, complained
    assert re.search(r"going on with runs/Small-1 after epoch \d", said)
    assert [path.name for path in (folder / "runs").iterdir()] == ["Small-1"]
    again = folder / "runs" / "Small-1"
    assert all(tensor.equal(weights(again)[name]) for name, tensor in weights(undisturbed).items())
    assert rows(again) == rows(undisturbed)


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "to"), [("nproc", "launcher"), ("torchrun", "processes"), ("nproc", "second")])
def test_sigterm_saves_after_the_same_step(launcher: str, to: str, folder: Path, undisturbed: Path) -> None:
    with subprocess.Popen(
        command(launcher, "small.cnn"),
        cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as started:  # fmt: skip
        workers = begun(started, folder, "epoch-000002-step-")
        for pid in {"launcher": [started.pid], "processes": workers, "second": workers[1:]}[to]:
            os.kill(pid, signal.SIGTERM)
        said, _ = started.communicate(timeout=300)
    assert started.returncode == (130 if launcher == "nproc" else 1)
    assert said.count("everything is saved") == 1
    assert said.count("go on with: ") == 1
    again = said.partition("go on with: ")[2].split()
    assert again[0] == ("cnndsl" if launcher == "nproc" else "torchrun")
    assert "runs/Small-1" in again
    done = ran(*command("nproc", "--resume", "runs/Small-1"), folder=folder)
    assert done.returncode == 0, done.stderr
    resumed = folder / "runs" / "Small-1"
    assert all(tensor.equal(weights(resumed)[name]) for name, tensor in weights(undisturbed).items())


@LINUX
@pytest.mark.slow
def test_without_restarts_a_killed_process_ends_the_run(folder: Path) -> None:
    with subprocess.Popen(
        command("nproc", "small.cnn"),
        cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as started:  # fmt: skip
        os.kill(begun(started, folder, "epoch-000000-step-")[1], signal.SIGKILL)
        _, complained = started.communicate(timeout=100)
    assert started.returncode == 1
    assert "process 1 was ended by SIGKILL" in complained
    assert "Traceback" not in complained


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["nproc", "torchrun"])
def test_a_loss_that_is_no_number_is_said_once(launcher: str, folder: Path) -> None:
    options = ("small.cnn", "--set-train", "optimizer=sgd lr=1e9")
    done = ran(*command(launcher, *options, restarts=1 if launcher == "nproc" else 0), folder=folder)
    assert done.returncode == 1
    assert done.stderr.count("the loss became NaN") == 1
    assert "one process finds the layer where it began" in done.stderr


@pytest.mark.slow
def test_what_is_for_one_process_says_so(folder: Path) -> None:
    for options in (("small.cnn", "--overfit-batch"),):
        done = ran(*command("torchrun", *options), folder=folder)
        assert done.stderr.count("--overfit-batch is for one process: leave --nproc or torchrun away.") == 1
    done = ran(*command("nproc", "small.cnn", "--fast-dev-run"), folder=folder)
    assert done.returncode == 0
    assert done.stdout.count("everything works") == 1
    assert [path.name for path in folder.iterdir()] == ["small.cnn"]
    done = ran(*command("nproc", "small.cnn", "--sync-bn"), folder=folder)
    assert done.returncode == 1
    assert done.stderr.count("PyTorch's synchronized batch norm needs GPUs") == 1
