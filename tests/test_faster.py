"""`cnndsl train --compile`: what it computes, and what is said where PyTorch's compiler can't work."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import torch
from test_train import SMALL
from test_train_command import run_command

from cnndsl.runtime.faster import compiled

FAILING = """#!/bin/sh
case "$*" in *--version*) echo "g++ (GCC) 14.2.0"; exit 0;; esac
echo "fatal error: memory: No such file or directory" >&2
exit 1
"""
"""A compiler that is there, but whose library is not."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.cnn").write_text(SMALL)
    (tmp_path / "failing").write_text(FAILING)
    (tmp_path / "failing").chmod(0o700)
    return tmp_path


def tried(folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code and what is complained of; nothing may be begun or half-written."""
    environment["TORCHINDUCTOR_CACHE_DIR"] = environment.get("TORCHINDUCTOR_CACHE_DIR", str(folder / "cache"))
    done = run_command("small.cnn", "--compile", "--device", "cpu", cwd=folder, env=environment)
    assert not (folder / "runs").exists()
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_no_compiler(folder: Path) -> None:
    said = (
        "Error: torch.compile found no C++ compiler that works; CXX is /nonexistent\n"
        "help: install g++, or train without --compile\n"
    )
    assert tried(folder, CXX="/nonexistent") == (1, said)


@pytest.mark.slow
def test_a_compiler_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "Error: torch.compile failed: fatal error: memory: No such file or directory\nhelp: train without --compile\n"
    )
    assert tried(folder, CXX=str(folder / "failing")) == (1, said)
    (folder / "empty").mkdir()
    said = "Error: torch.compile found no C++ compiler that works\nhelp: install g++, or train without --compile\n"
    monkeypatch.delenv("CXX", raising=False)
    assert tried(folder, PATH=str(folder / "empty")) == (1, said)
    code, said = tried(folder, TORCHINDUCTOR_CACHE_DIR=str(folder / "failing" / "cache"))
    assert (code, said.count("\n")) == (1, 2)
    assert said.startswith("Error: torch.compile failed: ")


def test_what_a_network_raises_itself_is_not_the_compilers() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        compiled(torch.compiler.disable(forward))(torch.zeros(2))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_network_learns_the_same(folder: Path) -> None:
    found = []
    for out, options in (("eager", []), ("compiled", ["--compile"])):
        spec = SMALL.replace(", dropout 0.2", "")  # compiled code draws its own random numbers
        (folder / "small.cnn").write_text(spec)
        done = run_command(
            "small.cnn", "--out", out, "--epochs", "2", *options, cwd=folder, env={"CUDA_VISIBLE_DEVICES": ""}
        )
        assert (done.returncode, done.stderr) == (0, "")
        with open(folder / out / "Small-1" / "metrics.csv", encoding="utf-8", newline="") as file:
            found.append([[float(v) for k, v in row.items() if k.endswith("loss")] for row in csv.DictReader(file)])
    assert found[1] == [pytest.approx(row, rel=1e-3) for row in found[0]]
