"""`check --watch`, as a process of its own: each way of saving a file brings a new result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pexpect
import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
PATIENCE = 30
"""Seconds after which what was waited for is taken not to come: no measure of speed."""

GOOD = "network N\ninput 8x8x1\nconv 3x3x4\ndense 10\n"
BAD = GOOD.replace("conv", "cnov")


class Watching:
    """The program with `--watch`, its output read as it comes."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "cnndsl", "check", *words, "--watch"],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, text: str) -> str:
        """All that is printed, up to a line with this text."""
        seen: list[str] = []
        while not seen or text not in seen[-1]:
            try:
                seen.append(self.lines.get(timeout=PATIENCE))
            except Empty:
                pytest.fail(f"no {text!r} after {''.join(seen)}")
        return "".join(seen)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


Start = Callable[..., Watching]


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Start]:
    started: list[Watching] = []

    def start(*words: str) -> Watching:
        started.append(Watching(tmp_path, *words))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def replace(path: Path, text: str) -> None:
    """Save as most editors do: another file, renamed over the old one."""
    other = path.with_suffix(".tmp")
    other.write_text(text)
    other.replace(path)


def test_every_way_of_saving(tmp_path: Path, watching: Start) -> None:
    spec = tmp_path / "n.cnn"
    spec.write_text(GOOD)
    one = watching("n.cnn")
    assert "watching 1 file" in one.until("1,490")  # 6*6*4*10 + 10 + 40
    spec.write_text(GOOD.replace("dense 10", "dense 20"))
    one.until("2,940")
    replace(spec, BAD)
    one.until("1 error in n.cnn")
    spec.unlink()
    one.until("there is no file n.cnn")
    spec.write_text(GOOD)
    one.until("1,490")
    assert one.end() == 0


def test_the_exit_code_is_the_last_result(tmp_path: Path, watching: Start) -> None:
    spec = tmp_path / "n.cnn"
    spec.write_text(BAD)
    one = watching("n.cnn")
    one.until("1 error in n.cnn")
    assert one.end() == 1


def test_files_that_are_used(tmp_path: Path, watching: Start) -> None:
    (tmp_path / "n.cnn").write_text('use "blocks.cnn": unit\nnetwork N\ninput 8x8x1\nunit 4\ndense 10\n')
    one = watching("n.cnn")
    one.until("1 error in n.cnn")
    (tmp_path / "blocks.cnn").write_text("block unit(c):\n    conv 3x3x{c}\n")
    assert "watching 2 files" in one.until("1,490")
    replace(tmp_path / "blocks.cnn", "block unit(c):\n    conv 5x5x{c}\n")
    one.until("754")  # 25*4 + 4 + 4*4*4*10 + 10
    assert one.end() == 0


def test_standard_input_can_not_be_watched(tmp_path: Path, watching: Start) -> None:
    one = watching("-")
    one.until("standard input ('-') does not change")
    assert one.process.wait(PATIENCE) == 2


def test_a_terminal_is_cleared(tmp_path: Path) -> None:
    spec = tmp_path / "n.cnn"
    spec.write_text(GOOD)
    child = pexpect.spawn(
        sys.executable,
        ["-m", "cnndsl", "check", "n.cnn", "--watch"],
        cwd=str(tmp_path),
        env=ENVIRONMENT,
        timeout=PATIENCE,
    )
    child.expect("Ctrl-C ends")
    child.expect("1,490")
    time.sleep(0.01)  # another time stamp
    replace(spec, BAD)
    child.expect("\x1b\\[H\x1b\\[2J")
    child.expect("1 error in")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
