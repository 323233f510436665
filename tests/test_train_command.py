"""`cnndsl train` as people run it: runs, interrupts, kills, full disks."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from test_data import make_mnist
from test_train import SMALL, SPECS, same

from cnndsl.cli import main
from cnndsl.elaborate import elaborate
from cnndsl.recipe import read
from cnndsl.runtime import checkpoints
from cnndsl.runtime.train import Options, train
from cnndsl.source import Source
from cnndsl.syntax import parse


def run_command(*arguments: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    command = [sys.executable, "-m", "cnndsl", options.pop("command", "train"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.cnn").write_text(SMALL)
    return tmp_path


def test_a_first_run(folder: Path) -> None:
    done = run_command("small.cnn", "--set-train", "optimizer=adam 2e-3", "--epochs", "2", cwd=folder)
    assert done.stderr == ""
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Small: ")
    assert "data digits: 1,294 examples to train, 144 to validate, 359 for the test at the end" in done.stdout
    assert "optimizer adam lr=0.002" in done.stdout
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1/2", "2/2"]
    assert sum(line.startswith("test ") for line in lines) == 1
    run = folder / "runs" / "Small-1"
    assert {path.name for path in run.iterdir()} == {
        "spec.cnn", "recipe.json", "model.py", "metrics.csv", "metrics.jsonl", "checkpoints",
        "model.safetensors", "result.json", "plots", *(["tensorboard"] if find_spec("tensorboard") else ()),
    }  # fmt: skip
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds"} <= set(rows[0])
    objects = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [{key: float(value) for key, value in row.items()} for row in rows] == objects


def test_mnist_from_idx_files_and_the_variable(folder: Path) -> None:
    make_mnist(folder / "data" / "mnist", train=300, test=40)
    spec = (SPECS / "mnist-mlp.cnn").read_text()
    (folder / "mlp.cnn").write_text(spec)
    done = run_command("mlp.cnn", cwd=folder, env={"CNNDSL_DATA": str(folder / "data")})
    assert done.returncode == 0, done.stderr
    assert "data mnist: 300 examples to train, 40 for the test at the end" in done.stdout
    assert "3 steps an epoch, 15 in 5 epochs" in done.stdout
    assert "(40 examples)" in done.stdout


def test_a_network_without_a_recipe(folder: Path) -> None:
    (folder / "bare.cnn").write_text("network Bare\ninput 8x8x1\ndense 10\n")
    done = run_command("bare.cnn", "--epochs", "1", "--limit", "50", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Bare has no train: block; trained with the default recipe on the digits" in done.stdout
    assert "50 examples to train" in done.stdout
    (folder / "bare.cnn").write_text("network Bare\ninput 8x8x1\ndense 12\n")
    done = run_command("bare.cnn", cwd=folder)
    assert done.returncode == 1
    assert "`digits` has 10 classes, but the network ends with 12 outputs" in done.stderr
    assert "data synthetic" in done.stderr


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    done = run_command("small.cnn", "--dry-run", cwd=folder)
    assert done.returncode == 0
    assert "13 steps an epoch, 39 in 3 epochs" in done.stdout
    assert [path.name for path in folder.iterdir()] == ["small.cnn"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Give a spec to train"),
        (["none.cnn"], 2, "no file none.cnn"),
        (["small.cnn:Nope"], 1, "Nope"),
        (["small.cnn", "--set-train", "optimizer=adma"], 2, "did you mean `adam`?"),
        (["small.cnn", "--set-train", "epochs"], 2, "epochs"),
        (["small.cnn", "--set-train", "data=mnist", "--data-root", "nowhere"], 2, "train-images-idx3-ubyte"),
        (["small.cnn", "--set-train", "validation=1438"], 2, "leaves none"),
        (["small.cnn", "--out", "small.cnn/runs"], 2, "can't write small.cnn/runs"),
        (["small.cnn", "--out", "/proc/runs"], 2, "can't write /proc/runs"),
        ([], 2, "Give a spec to train, or --resume"),
        (["small.cnn", "--resume", "runs/Small-1"], 2, "goes on with the spec in runs/Small-1: leave small.cnn away"),
        (["--resume", "runs/none"], 2, "is no run folder"),
        (["--resume", "runs/none", "--seed", "3"], 2, "--init-from runs/none"),
        (["two.cnn"], 2, "holds 2 networks (A, B)"),
    ],
)
def test_misuse_gives_a_sentence(folder: Path, arguments: list[str], code: int, said: str) -> None:
    (folder / "two.cnn").write_text("network A\ninput 8\ndense 3\nnetwork B\ninput 8\ndense 3\n")
    done = run_command(*arguments, cwd=folder, env={"XDG_CACHE_HOME": str(folder)})
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    assert not (folder / "runs").exists() or not list((folder / "runs").iterdir())


def test_no_gpu_is_a_sentence(folder: Path) -> None:
    done = run_command("small.cnn", "--device", "cuda", cwd=folder, env={"CUDA_VISIBLE_DEVICES": ""})
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "no CUDA device" in done.stderr


def test_quiet_is_quiet(folder: Path) -> None:
    """Also of a spec that there is something to say about: `-q` leaves nothing but errors."""
    (folder / "noted.cnn").write_text(SMALL.replace(" nobias", ""))
    assert "note[N811]" in run_command("noted.cnn", "--dry-run", cwd=folder).stderr
    for name in ("small.cnn", "noted.cnn"):
        done = run_command(name, "--quiet", "--epochs", "1", cwd=folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run_command("noted.cnn", "--quiet", "--set-train", "epochs=-1", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error" in done.stderr
    assert "note" not in done.stderr


def small_files() -> None:
    """What a disk that is full at 20 kB does to this process's files."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk(folder: Path) -> None:
    (folder / "large.cnn").write_text(SMALL.replace("dense 10", "dense 500, relu, dense 10"))
    done = run_command("large.cnn", cwd=folder, preexec_fn=small_files)
    assert done.returncode == 2
    assert "can't write" in done.stderr
    assert "Traceback" not in done.stderr
    run = folder / "runs" / "Small-1"
    left = [path for path in run.rglob("*") if path.is_file()]
    assert {path.name for path in left} == {"spec.cnn", "recipe.json", "model.py"}
    # With room again, the run goes on.
    assert run_command("--resume", str(run), cwd=folder).returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions don't hold for root")
def test_a_read_only_folder(folder: Path) -> None:
    folder.chmod(0o500)
    try:
        done = run_command("small.cnn", cwd=folder)
    finally:
        folder.chmod(0o700)
    assert done.returncode == 2
    assert "can't write runs" in done.stderr


def test_a_terminal_shows_a_bar_and_heeds_no_color(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    # Some 650 steps of two wide convolutions: no machine does them before the bar appears.
    slow = SMALL.replace("conv 3x3x4", "conv 3x3x64, relu, conv 3x3x64").replace("epochs 3", "epochs 1")
    (folder / "slow.cnn").write_text(slow.replace("batch 100", "batch 2"))
    for color in ("", "1"):
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": color, "COLUMNS": "100", "LC_ALL": "C.UTF-8"}
        command = ["-m", "cnndsl", "train", "slow.cnn"]
        child = pexpect.spawn(sys.executable, command, cwd=folder, env=environment, timeout=120, encoding="utf-8")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0, child.before
        assert "examples/s" in child.before
        assert ("\x1b[1m" in child.before) == (color == "")
        # The bar is gone at the end: what stays is the epoch's line.
        assert "\r\x1b[2Kepoch 1/1  train" in child.before.replace("\x1b[0m", "")


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "cnndsl", "train", *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(condition: Callable[[], Any], process: Any) -> None:
    until = time.monotonic() + 120
    alive = process.is_alive if hasattr(process, "is_alive") else lambda: process.poll() is None
    while not condition() and alive() and time.monotonic() < until:
        time.sleep(0.01)


LONG = SMALL.replace("epochs 3", "epochs 30").replace("batch 100", "batch 16") + "    checkpoint 20\n    ema 0.95\n"


# Processes of their own that have PyTorch loaded from the start: killing is what is tested, not starting.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["cnndsl.cli.train", "cnndsl.runtime.train", "torch._dynamo"])


def command_in_fork(folder: str, arguments: list[str]) -> None:
    """What a killed process does: the command, in this folder, its output in a file."""
    os.chdir(folder)
    with open("output.txt", "a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        os._exit(main(["train", *arguments]))


def forked(folder: Path, *arguments: str) -> Any:
    process = FORKS.Process(target=command_in_fork, args=(str(folder), list(arguments)))
    process.start()
    return process


def killed_and_resumed(
    folder: Path, moment: random.Random, times: int, text: str = LONG, network: str = "Small"
) -> None:
    """Kill a run again and again, each time a moment after it has written something; it ends as one that was never
    killed."""
    (folder / "long.cnn").write_text(text)
    whole = forked(folder, f"long.cnn:{network}", "--out", "whole")
    whole.join(240)
    assert whole.exitcode == 0, (folder / "output.txt").read_text()
    run = folder / "runs" / f"{network}-1"
    process = forked(folder, f"long.cnn:{network}")
    killed = 0
    for _ in range(times):
        before = checkpoints.found(run)[:1]
        until = time.monotonic() + 120
        while checkpoints.found(run)[:1] == before and process.is_alive() and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(moment.random() * 0.1)
        killed += process.is_alive()
        process.kill()
        process.join()
        process = forked(folder, "--resume", str(run))
    process.join(240)
    assert process.exitcode == 0, (folder / "output.txt").read_text()
    assert killed > times // 2
    assert same(folder / "whole" / f"{network}-1", run)


def test_a_killed_run_ends_as_one_that_was_not(folder: Path) -> None:
    killed_and_resumed(folder, random.Random(1), 5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_run_killed_many_times(folder: Path, seed: int) -> None:
    killed_and_resumed(folder, random.Random(seed + 2), 10)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of other processes are Linux's")
def test_a_disk_that_fills_up_loses_nothing(folder: Path) -> None:
    """Files of more than 20 kB can't be written any more, from some moment on."""
    text = LONG.replace("dense 10", "dense 200, relu, dense 10").replace("epochs 30", "epochs 8")
    (folder / "long.cnn").write_text(text)
    whole = forked(folder, "long.cnn", "--out", "whole")
    whole.join(240)
    assert whole.exitcode == 0
    run = folder / "runs" / "Small-1"
    process = forked(folder, "long.cnn")
    wait_for(lambda: checkpoints.found(run), process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    process.join(240)
    said = (folder / "output.txt").read_text()
    assert process.exitcode == 2, said
    assert "can't write runs/Small-1/checkpoints/" in said
    assert "help: what was reached is kept: cnndsl train --resume runs/Small-1" in said
    assert "Traceback" not in said
    assert checkpoints.load(run)[0] is not None
    assert not list(run.rglob("*.tmp*"))
    again = forked(folder, "--resume", str(run))
    again.join(240)
    assert again.exitcode == 0
    assert same(folder / "whole" / "Small-1", run)


def test_the_last_checkpoints_are_kept(folder: Path) -> None:
    done = run_command("small.cnn", "--keep", "5", "--set-train", "checkpoint=4", cwd=folder)
    assert done.returncode == 0, done.stderr
    run = folder / "runs" / "Small-1"
    # 13 steps an epoch: after every fourth of the run's 39, and at each epoch's end.
    places = [path.name.rsplit("-", 1)[0] for path in checkpoints.found(run)]
    assert places == [
        "epoch-000003-step-00000000",
        "epoch-000002-step-00000010",
        "epoch-000002-step-00000006",
        "epoch-000002-step-00000002",
        "epoch-000002-step-00000000",
    ]
    assert run_command("--resume", str(run), "--epochs", "4", cwd=folder).returncode == 0
    assert len(checkpoints.found(run)) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_control_c_saves_and_says_how_to_go_on(folder: Path, number: int) -> None:
    text = SMALL.replace("epochs 3", "epochs 500").replace("batch 100", "batch 16")
    (folder / "long.cnn").write_text(text)
    run = folder / "runs" / "Small-1"
    process = start("long.cnn", cwd=folder)
    wait_for(lambda: checkpoints.found(run), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert err == ""
    assert "everything is saved" in out
    assert "go on with: cnndsl train --resume runs/Small-1" in out
    assert (run / "model.safetensors").exists()


@pytest.mark.parametrize("name", ["lenet5", "lenet5-1998", "perceptron"])
def test_the_recipes_of_the_specs_train(tmp_path: Path, name: str) -> None:
    text = (SPECS / f"{name}.cnn").read_text()
    document, _ = parse(Source(f"{name}.cnn", text))
    (one,), _ = elaborate(document)
    recipe, found = read(one.settings, one.graph, one.train or one.graph.span)
    assert [d for d in found if d.severity == "error"] == []
    short = recipe._replace(epochs=min(recipe.epochs, 2))
    result = train(one.graph, short, Options(out=str(tmp_path), quiet=True, limit=200))
    losses = [row["train_loss"] for row in result.history]
    assert name == "perceptron" or losses[1] < losses[0]
