"""`cnndsl check --fix` as a user runs it: what is written, what is said, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

COMMAND = (sys.executable, "-m", "cnndsl")

INTENDED = """\
# the claims leave one way only
network LeNet5
input 32x32x1
conv 5x5x6, tanh     -> 28x28x6   # first
pool 2 avg           -> 14x14x6
conv 5×5x16, tanh    -> 10x10x16
pool 2 avg           -> 5x5x16
conv 7x7x120, tanh
dense 84, tanh
dense 10
expect params == 61_706
"""
MENDED = INTENDED.replace("5×5x16", "5x5x16").replace("7x7x120", "5x5x120")

OPEN = """\
network Open
input 8x8x3
conv 9x9x4
dense 2
"""


def run(folder: Path, *arguments: str, text: str | None = None, seed: str = "0") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    environment.pop("COLUMNS", None)
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, input=text, capture_output=True, text=True, env=environment
    )


def test_safe_fixes_are_made_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "net.cnn"
    path.write_bytes(b"\xef\xbb\xbf" + INTENDED.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    ran = run(tmp_path, "check", "--fix", "net.cnn")
    assert (ran.returncode, "2 fixes made" in ran.stderr) == (0, True)
    assert "61,706" in ran.stdout
    assert path.read_bytes() == b"\xef\xbb\xbf" + MENDED.replace("\n", "\r\n").encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["net.cnn"]


def test_what_may_be_meant_is_left(tmp_path: Path) -> None:
    path = tmp_path / "net.cnn"
    path.write_text(OPEN)
    ran = run(tmp_path, "check", "--fix", "net.cnn")
    assert ran.returncode == 1
    assert "nothing changed; --fix=ask shows 4 that may be meant" in ran.stderr
    assert path.read_text() == OPEN


def test_nothing_to_fix(tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(MENDED)
    ran = run(tmp_path, "check", "--fix", "net.cnn")
    assert (ran.returncode, ran.stderr) == (0, "net.cnn: nothing changed\n")


def test_a_file_that_it_uses_is_never_edited(tmp_path: Path) -> None:
    inner = "block b(c):\n    conv 9×9x{c}\n"
    (tmp_path / "inner.cnn").write_text(inner)
    (tmp_path / "net.cnn").write_text('use "inner.cnn": b\n\nnetwork N\ninput 8x8x3\nb 4\n')
    run(tmp_path, "check", "--fix", "net.cnn")
    assert (tmp_path / "inner.cnn").read_text() == inner


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-", "--fix"), "--fix writes into the file, and standard input is none."),
        (("lenet5", "--fix"), "specs/lenet5.cnn comes with cnndsl and is left as it is"),
        (("net.cnn", "--fix=ask"), "--fix=ask asks before every change, and this is no terminal"),
        (("net.cnn", "--fix", "--watch"), "Use one of them."),
        (("net.cnn", "--fix=all"), "'all' is not one of 'safe', 'ask'"),
    ],
)
def test_refusals(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "net.cnn").write_text(OPEN)
    ran = run(tmp_path, "check", *arguments, text=OPEN)
    assert ran.returncode == 2
    assert said in " ".join(ran.stderr.split())
    assert (tmp_path / "net.cnn").read_text() == OPEN


def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "net.cnn"
    path.write_text(INTENDED)
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write everything")
    assert run(tmp_path, "check", "--fix", "net.cnn").returncode == 2
    assert path.read_text() == INTENDED


def asked(folder: Path, answers: str) -> str:
    """What `--fix=ask` shows in a terminal in which these lines are typed."""
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "check", "--fix=ask", "net.cnn"], cwd=str(folder), encoding="utf-8", timeout=60
    )
    seen = ""
    for answer in answers:
        child.expect_exact("[y/n/q] ")
        seen += child.before
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    return seen + str(child.before)


def test_asking_yes(tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(OPEN)
    said = asked(tmp_path, "ny")
    assert (tmp_path / "net.cnn").read_text() == OPEN.replace("9x9x4", "9x9x4 same")
    assert "1 fix made" in said


def test_asking_no_and_quit(tmp_path: Path) -> None:
    for answers in ("q", "nnnn"):
        (tmp_path / "net.cnn").write_text(OPEN)
        assert "nothing changed" in asked(tmp_path, answers)
        assert (tmp_path / "net.cnn").read_text() == OPEN


def test_fixes_in_json(tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(OPEN)
    found = json.loads(run(tmp_path, "check", "--format", "json", "net.cnn").stdout)
    fixes = found["diagnostics"][0]["fixes"]
    assert [fix["applicability"] for fix in fixes] == ["possible"] * 4
    assert fixes[0]["title"].startswith("a larger input, 9x9x3")
    assert fixes[0]["edits"][0]["text"] == "9"


def test_the_same_under_another_hash_seed(tmp_path: Path) -> None:
    specs = sorted((Path(__file__).parent / "check" / "repairs").glob("[sug]*.cnn"))
    assert len(specs) > 5
    said = [run(tmp_path, "check", *map(str, specs), seed=seed) for seed in ("1", "2")]
    assert len({(one.stdout, one.stderr) for one in said}) == 1
