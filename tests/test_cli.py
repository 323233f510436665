"""The command as a user runs it: in a process of its own, with pipes, files and terminals."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pexpect
import pytest

from cnndsl import __version__
from cnndsl.terminal import width_of

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "docs" / "check.schema.json").read_text(encoding="utf-8"))
COMMAND = (sys.executable, "-m", "cnndsl")

SMALL = """\
network Small
input 6x6x1
conv 3x3x4
dense 2
"""

BROKEN = """\
network Broken
input 6x6x1
conv 9x9x4
dense 2
"""

SMALL_TABLE = """\
Small in small.cnn: 6x6x1 -> 2

layer      kind   output  params  share  MACs  share  receptive field
---------------------------------------------------------------------
input      input  6x6x1        0            0                     1x1
conv3x3x4  conv   4x4x4       40  23.5%   576  81.8%              3x3
dense2     dense  2          130  76.5%   128  18.2%              6x6
---------------------------------------------------------------------
total                        170          704                     6x6

params     170
MACs       704 (1,408 FLOPs)
features   the last map sees 3x3 input cells, what follows all of it
depth      2 weighted layers
"""
"""4 kernels of 9 weights and a bias at 16 places; then 2 units over 64 inputs and a bias."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what changes how programs draw."""
    dropped = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LC_ALL", "LC_CTYPE", "LANG", "PYTHONIOENCODING", "PYTHONUTF8")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "LANG": "C.UTF-8", "TERM": "xterm-256color", **more}


def run(
    *arguments: str,
    cwd: Path | None = None,
    input: str | bytes = b"",
    env: dict[str, str] | None = None,
    stdout: Any = subprocess.PIPE,
    limit: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command; nothing it does may end in a traceback."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        input=input.encode() if isinstance(input, str) else input,
        env=env or environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        preexec_fn=limit,
    )
    out, err = ((text or b"").decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    assert "Traceback" not in out + err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good spec and one with an error."""
    (tmp_path / "small.cnn").write_text(SMALL, encoding="utf-8")
    (tmp_path / "broken.cnn").write_text(BROKEN, encoding="utf-8")
    return tmp_path


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_prints_a_table(folder: Path) -> None:
    done = run("check", "small.cnn", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(SMALL_TABLE + "inference  ")
    assert re.search(
        r"^training +\S+ k?B of memory at batch 1: weights 680 B, gradients 680 B", done.stdout, re.MULTILINE
    )
    assert "\n\nCounted for one example. MACs: " in done.stdout


def test_check_of_the_shipped_lenet() -> None:
    done = run("check", "specs/lenet5.cnn", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "params     61,706\nMACs       416,520 (833,040 FLOPs)\n" in done.stdout


def test_check_of_an_error(folder: Path) -> None:
    done = run("check", "broken.cnn", cwd=folder)
    assert done.returncode == 1
    assert re.match(r"error\[E3\d\d\]: ", done.stderr)
    assert "--> broken.cnn:3:" in done.stderr
    assert "3 | conv 9x9x4\n" in done.stderr
    assert done.stderr.endswith("\n1 error in broken.cnn\n")


def test_check_of_several_files(folder: Path) -> None:
    done = run("check", "small.cnn", "broken.cnn", "missing.cnn", cwd=folder)
    assert done.returncode == 2
    assert done.stdout.startswith("network  file ")
    assert "\nSmall    small.cnn " in done.stdout
    assert "conv3x3" not in done.stdout
    assert "error[E001]: there is no file missing.cnn\n" in done.stderr
    assert done.stderr.endswith("1 error in broken.cnn\n")


def test_check_of_standard_input(folder: Path) -> None:
    assert run("check", "-", input=SMALL).stdout.startswith("Small in <stdin>: 6x6x1 -> 2\n")
    assert "--> <stdin>:3:" in run("check", "-", input=BROKEN).stderr
    twice = run("check", "-", "-", input=SMALL)
    assert twice.returncode == 2
    assert "only once" in twice.stderr


TWO = SMALL + "\n" + SMALL.replace("Small", "Other").replace("dense 2", "dense 3")


def test_one_network_of_a_file(folder: Path) -> None:
    (folder / "two.cnn").write_text(TWO, encoding="utf-8")
    (folder / "odd:name.cnn").write_text(SMALL, encoding="utf-8")
    assert run("check", "two.cnn", "--all", cwd=folder).stdout.count("layer      kind") == 2
    said = run("check", "two.cnn", cwd=folder).stdout
    (advice,) = re.findall("cnndsl (check \\S+);", said)
    assert run(*advice.split(), cwd=folder).stdout.startswith("Small in two.cnn: 6x6x1 -> 2\n")
    one = run("check", "two.cnn:Other", cwd=folder).stdout
    assert one.startswith("Other in two.cnn: 6x6x1 -> 3\n")
    assert "Small" not in one
    assert run("check", "--", "-:Other", input=TWO).stdout.startswith("Other in <stdin>")
    assert run("check", "odd:name.cnn", cwd=folder).returncode == 0
    unknown = run("check", "two.cnn:Othr", cwd=folder)
    assert unknown.returncode in (1, 2)
    assert "Othr" in unknown.stderr
    assert "Other" in unknown.stderr


def test_set_input_and_batch(folder: Path) -> None:
    (folder / "wide.cnn").write_text(
        "network Wide(width=4)\ninput 6x6x1\nconv 3x3x{width}\ndense 2\n", encoding="utf-8"
    )
    done = run("check", "wide.cnn", "--set", "width=8", "--input", "10x10x3", "--batch", "64", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Wide(width=8) in wide.cnn: 10x10x3 -> 2\n")
    assert re.search(r"^conv3x3 +conv +8x8x8 +224 ", done.stdout, re.MULTILINE)
    assert "at batch 64: " in done.stdout


def test_connections(folder: Path) -> None:
    done = run("check", "small.cnn", "--connections", cwd=folder)
    assert re.search(r"^conv3x3x4 .* 640 +3x3$", done.stdout, re.MULTILINE)
    assert "connections  770\n" in done.stdout


def test_warnings_can_fail(folder: Path) -> None:
    assert run("check", "small.cnn", "--fail-on-warning", cwd=folder).returncode == 0


def test_a_hundred_errors_are_counted(folder: Path) -> None:
    (folder / "many.cnn").write_text("network Many\ninput 8x8x1\n" + "cnov 3x3x1\n" * 100, encoding="utf-8")
    done = run("check", "many.cnn", cwd=folder)
    assert done.stderr.count("error[") == 20
    assert done.stderr.endswith("100 errors in many.cnn (only the first 20 errors are shown)\n")


# --- formats --------------------------------------------------------------------------------------------------------


def test_json(folder: Path) -> None:
    done = run("check", "--format", "json", "small.cnn", "broken.cnn", "missing.cnn", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "")
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    small, broken = document["networks"]
    assert (small["totals"]["params"], small["totals"]["macs"]) == (170, 704)
    assert broken["totals"] is None
    assert broken["layers"][0]["outputs"][0]["shape"] == [6, 6, 1]
    assert broken["layers"][1]["outputs"][0]["shape"] is None
    wrong, missing = document["diagnostics"]
    assert wrong["span"]["line"] == 3
    assert (missing["code"], missing["span"]["file"]) == ("E001", "missing.cnn")


def test_json_of_a_file_that_is_nonsense(folder: Path) -> None:
    (folder / "nonsense.cnn").write_text("?? !!\nnetwork\n  )", encoding="utf-8")
    done = run("check", "--format", "json", "nonsense.cnn", cwd=folder)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["diagnostics"]


def test_csv(folder: Path) -> None:
    done = run("check", "--format", "csv", "small.cnn", "broken.cnn", cwd=folder)
    assert done.returncode == 1
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert [row["params"] for row in rows[:3]] == ["0", "40", "130"]
    assert rows[4]["output"] == ""
    assert "error[E3" in done.stderr


def test_markdown(folder: Path) -> None:
    done = run("check", "--format", "markdown", "small.cnn", cwd=folder)
    assert done.stdout.startswith("### Small\n\n`small.cnn`: 6x6x1 -> 2\n\n| layer | kind |")
    assert "| conv3x3x4 | conv | 4x4x4 | 40 | 23.5% | 576 | 81.8% | 3x3 |\n" in done.stdout


@pytest.mark.parametrize("stage", ["tree", "graph", "analysis", "source"])
def test_every_stage_can_be_seen(folder: Path, stage: str) -> None:
    done = run("check", "--emit", stage, "small.cnn", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "conv" in done.stdout.lower()
    broken = run("check", "--emit", stage, "broken.cnn", cwd=folder)
    assert broken.returncode == 1
    assert "error[E3" in broken.stderr


# --- files that can't be read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "compile"])
def test_unreadable_files_get_one_sentence(folder: Path, command: str) -> None:
    (folder / "utf16.cnn").write_bytes(SMALL.encode("utf-16"))
    (folder / "latin.cnn").write_bytes(b"network A\n# caf\xe9\n")
    (folder / "binary.cnn").write_bytes(b"\x89PNG\r\n\x00\x00")
    (folder / "folder").mkdir()
    with open(folder / "huge.cnn", "wb") as file:
        file.truncate(100 * 1024 * 1024)
    cases = {
        "missing.cnn": "error[E001]: there is no file missing.cnn\n",
        "smal.cnn": "error[E001]: there is no file smal.cnn\n  = help: did you mean small.cnn?\n",
        "small": "error[E001]: there is no file small\n  = help: did you mean small.cnn?\n",
        "small.cnn/x": "error[E001]: there is no file small.cnn/x\n",
        "folder": "error[E002]: folder is a folder, not a spec\n",
        ".": "error[E002]: . is a folder, not a spec\n  = help: name the files in it: ./*.cnn\n",
        "/proc/self/mem": "error[E003]: can't read /proc/self/mem: input/output error\n",
        "huge.cnn": "error[E004]: huge.cnn is larger than 8 MiB, which no spec is\n",
        "/dev/zero": "error[E004]: /dev/zero is larger than 8 MiB, which no spec is\n",
        "binary.cnn": "error[E005]: binary.cnn is not a text file: byte 7 is zero\n",
        "utf16.cnn": "error[E006]: utf16.cnn is not UTF-8 text: it begins as UTF-16 does\n",
        "latin.cnn": "error[E006]: latin.cnn is not UTF-8 text: "
        "line 2 has the byte 0xe9, which is out of place there\n",
        "a\x1b[31m.cnn": "error[E001]: there is no file a\\x1b[31m.cnn\n",
    }
    for name, said in cases.items():
        if command == "compile" and name not in ("missing.cnn", "folder"):
            continue  # they read files alike
        done = run(command, name, cwd=folder)
        assert (done.returncode, done.stdout) == (2, ""), name
        assert done.stderr.startswith(said), done.stderr
        assert done.stderr.count("error") == 1 + said.count("input/output error")


def test_a_file_that_may_not_be_read(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (folder / "small.cnn").chmod(0)
    done = run("check", "small.cnn", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "error[E003]: can't read small.cnn: permission denied\n")


def test_byte_order_marks_and_line_ends_change_nothing(folder: Path) -> None:
    expected = run("check", "small.cnn", cwd=folder).stdout
    for content in (
        b"\xef\xbb\xbf" + SMALL.encode(),
        SMALL.replace("\n", "\r\n").encode(),
        SMALL.rstrip("\n").encode(),
    ):
        (folder / "small.cnn").write_bytes(content)
        done = run("check", "small.cnn", cwd=folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    (folder / "broken.cnn").write_bytes(b"\xef\xbb\xbf" + BROKEN.replace("\n", "\r\n").encode())
    assert "3 | conv 9x9x4\n" in run("check", "broken.cnn", cwd=folder).stderr


def test_an_empty_file(folder: Path) -> None:
    (folder / "empty.cnn").write_text("")
    done = run("check", "empty.cnn", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error[E")


# --- misuse ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc", "small.cnn"], "There is no command 'chekc'. Did you mean 'check'?"),
        (["small.cnn"], "There is no command 'small.cnn'. Did you mean 'cnndsl check small.cnn'?"),
        (["frobnicate"], "There is no command 'frobnicate'."),
        (["a\x1b[31m"], "There is no command 'a\\x1b[31m'."),
        (["check"], "Missing argument 'FILE[:NETWORK]...'."),
        (["check", "--fromat", "json", "small.cnn"], "Did you mean one of: '--format', '--root'?"),
        (["check", "--format", "yaml", "small.cnn"], "'yaml' is not one of 'table', 'json', 'csv', "),
        (["check", "--batch", "0", "small.cnn"], "0 is not in the range x>=1."),
        (["check", "--set", "width", "small.cnn"], "'width' is not of the form name=value, such as depth=101."),
        (["check", "-o", "small.cnn", "small.cnn"], "--output small.cnn would overwrite the spec itself."),
        (["compile", "-o", "./small.cnn", "small.cnn"], "--output ./small.cnn would overwrite the spec itself."),
    ],
)
def test_misuse(folder: Path, arguments: list[str], said: str) -> None:
    done = run(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "--help" in done.stderr
    assert "\x1b" not in done.stderr
    assert (folder / "small.cnn").read_text() == SMALL


def test_version_and_help() -> None:
    assert run("--version").stdout == f"cnndsl {__version__}\n"
    helped = run("--help")
    assert helped.returncode == 0
    for name in ("check", "train", "compile"):
        assert re.search(rf"^  {name} +\S", helped.stdout, re.MULTILINE)
        own = run(name, "-h")
        assert own.returncode == 0
        assert own.stdout.startswith(f"Usage: cnndsl {name} ")
    assert run().returncode == 2


# --- compile --------------------------------------------------------------------------------------------------------


def test_compile_to_standard_output_and_to_a_file(folder: Path) -> None:
    done = run("compile", "small.cnn", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Made by cnndsl {__version__} from small.cnn" in done.stdout
    compile(done.stdout, "small.py", "exec")
    assert "cnndsl" not in re.sub(r'""".*?"""', "", done.stdout, count=1, flags=re.DOTALL)
    assert run("compile", "small.cnn", "-o", "small.py", cwd=folder).stdout == ""
    assert (folder / "small.py").read_text(encoding="utf-8") == done.stdout
    assert sorted(os.listdir(folder)) == ["broken.cnn", "small.cnn", "small.py"]


def test_compile_writes_every_network_or_the_one_picked(folder: Path) -> None:
    (folder / "two.cnn").write_text(TWO, encoding="utf-8")
    both = run("compile", "two.cnn", cwd=folder).stdout
    assert re.findall(r"^class (\w+)", both, re.MULTILINE) == ["Small", "Other"]
    one = run("compile", "two.cnn:Other", cwd=folder).stdout
    assert re.findall(r"^class (\w+)", one, re.MULTILINE) == ["Other"]


def test_compile_with_errors_writes_nothing(folder: Path) -> None:
    (folder / "model.py").write_text("old")
    done = run("compile", "broken.cnn", "-o", "model.py", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[E3" in done.stderr
    assert (folder / "model.py").read_text() == "old"


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_with_its_permissions_and_behind_a_link(folder: Path) -> None:
    target, link = folder / "model.py", folder / "link.py"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert run("compile", "small.cnn", "-o", "link.py", cwd=folder).returncode == 0
    assert link.is_symlink()
    assert "class Small" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_new_file_gets_the_usual_permissions(folder: Path) -> None:
    run("compile", "small.cnn", "-o", "model.py", cwd=folder, limit=lambda: void(os.umask(0o027)))
    assert (folder / "model.py").stat().st_mode & 0o777 == 0o640


def void(_: object) -> None:
    """Take a value and give none, as `preexec_fn` wants."""


def test_a_failed_write_leaves_the_old_file(folder: Path) -> None:
    (folder / "model.py").write_text("old")

    def no_large_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = run("compile", "small.cnn", "-o", "model.py", cwd=folder, limit=no_large_files)
    assert (done.returncode, done.stderr) == (2, "Error: can't write model.py: File too large\n")
    assert (folder / "model.py").read_text() == "old"
    assert sorted(os.listdir(folder)) == ["broken.cnn", "model.py", "small.cnn"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("no/such/model.py", "Error: can't write no/such/model.py: No such file or directory\n"),
        ("/dev/full", "Error: can't write /dev/full: No space left on device\n"),
        (".", "Error: can't write .: Is a directory\n"),
        ("small.cnn/x.py", "Error: can't write small.cnn/x.py: Not a directory\n"),
    ],
)
def test_places_that_can_not_be_written(folder: Path, output: str, said: str) -> None:
    for command in ("check", "compile"):
        done = run(command, "small.cnn", "-o", output, cwd=folder)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_the_result_in_a_file_is_what_a_pipe_gets(folder: Path) -> None:
    for form in ("table", "json", "csv", "markdown"):
        printed = run("check", "small.cnn", "--format", form, cwd=folder).stdout
        run("check", "small.cnn", "--format", form, "-o", "out", "--color", "always", cwd=folder)
        assert (folder / "out").read_bytes().decode() == printed


@pytest.mark.parametrize(
    "arguments", [["check", "small.cnn"], ["check", "broken.cnn"], ["compile", "small.cnn"], ["--help"], ["--version"]]
)
def test_a_full_disk_behind_standard_output(folder: Path, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = run(*arguments, cwd=folder, stdout=full)
    assert done.returncode == 2
    assert re.match(r"[Ee]rror: can't write standard output: No space left on device\n", done.stderr)


def test_standard_output_that_is_closed(folder: Path) -> None:
    done = run("check", "small.cnn", cwd=folder, limit=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (2, "Error: can't write standard output: it is closed\n")


def test_a_reader_that_stops_reading(folder: Path) -> None:
    (folder / "long.cnn").write_text("network Long\ninput 8x8x1\n" + "ln\n" * 3000, encoding="utf-8")
    for arguments in (["check", "long.cnn"], ["check", "long.cnn", "--format", "json"], ["check", "--help"]):
        with subprocess.Popen(
            [*COMMAND, *arguments], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(60) == 0


def test_both_outputs_closed_early(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen([*COMMAND, "check", "broken.cnn"], cwd=folder, stdout=write, stderr=write) as process:
        os.close(write)
        assert process.wait(60) == 1


def test_interrupting(folder: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "check", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"#" * 200_000)  # more than a pipe holds: when it is written, the command reads
        time.sleep(0.5)  # and when it has read that, it waits for more
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read().strip() == b""


# --- terminals ------------------------------------------------------------------------------------------------------


def in_terminal(folder: Path, *arguments: str, width: int = 80, **env: str) -> str:
    """What the command shows in a terminal of that width."""
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], *arguments],
        cwd=str(folder),
        env=environment(**env),
        dimensions=(40, width),
        encoding="utf-8",
        timeout=60,
    )
    text: str = child.read()
    child.close()
    return text.replace("\r\n", "\n")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_terminal_is_never_too_narrow(folder: Path, width: int) -> None:
    (folder / "lenet5.cnn").write_bytes((ROOT / "specs" / "lenet5.cnn").read_bytes())
    for arguments in (["lenet5.cnn"], ["broken.cnn"], ["lenet5.cnn", "broken.cnn", "missing.cnn", "--connections"]):
        shown = in_terminal(folder, "check", *arguments, width=width)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
        assert max(width_of(row) for row in plain.split("\n")) <= width, plain


def test_a_terminal_gets_colours_and_lines(folder: Path) -> None:
    good, bad = in_terminal(folder, "check", "small.cnn"), in_terminal(folder, "check", "broken.cnn")
    assert "─────" in good
    assert "\x1b[1m" in good
    assert "\x1b[31;1merror[E3" in bad
    assert "3 │" in bad


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours(folder: Path, env: dict[str, str]) -> None:
    text = in_terminal(folder, "check", "small.cnn", **env) + in_terminal(folder, "check", "broken.cnn", **env)
    assert "\x1b" not in text
    assert "─────" in text


@pytest.mark.parametrize("env", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_terminal_that_knows_ascii_only(folder: Path, env: dict[str, str]) -> None:
    (folder / "broken.cnn").write_text(BROKEN.replace("9x9x4", "9x9x4 # é漢"), encoding="utf-8")
    text = in_terminal(folder, "check", "small.cnn", **env) + in_terminal(folder, "check", "broken.cnn", **env)
    assert text.isascii() or env != {"PYTHONIOENCODING": "ascii"}
    assert "-----" in text
    assert "│" not in text
    assert "─" not in text


def test_colours_can_be_forced_and_forbidden(folder: Path) -> None:
    assert "\x1b" in run("check", "broken.cnn", "--color", "always", cwd=folder).stderr
    assert "\x1b" in run("check", "broken.cnn", cwd=folder, env=environment(FORCE_COLOR="1")).stderr
    assert "\x1b" not in run("check", "broken.cnn", cwd=folder).stderr
    assert "\x1b" not in in_terminal(folder, "check", "broken.cnn", "--color", "never")
    assert "\x1b" in in_terminal(folder, "check", "broken.cnn", "--color", "always", NO_COLOR="1")


def test_a_pipe_is_as_wide_as_columns_says(folder: Path) -> None:
    narrow = run("check", "small.cnn", cwd=folder, env=environment(COLUMNS="40")).stdout
    assert max(map(len, narrow.splitlines())) <= 40
    assert "\x1b" not in narrow
    for nonsense in ("", "0", "wide", "-3"):
        assert run("check", "small.cnn", cwd=folder, env=environment(COLUMNS=nonsense)).stdout.startswith(SMALL_TABLE)


def test_colours_of_the_list() -> None:
    plain, coloured = (run("list", "lenet", "--color", color).stdout for color in ("auto", "always"))
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == plain != coloured


def test_a_spec_can_not_write_to_the_terminal(folder: Path) -> None:
    (folder / "evil.cnn").write_text('network A\ninput 3x3x1 \x1b[2J\x9b31m\u202e\nconv "\x07"\n', encoding="utf-8")
    text = in_terminal(folder, "check", "evil.cnn", NO_COLOR="1")
    assert "error[" in text
    assert not [c for c in text if not c.isprintable() and c != "\n"]


# --- start-up -------------------------------------------------------------------------------------------------------


def test_check_imports_nothing_heavy() -> None:
    script = (
        "import sys, click; before = set(sys.modules)\n"
        "from cnndsl.cli import main\n"
        "code = main(['check', 'specs/lenet5.cnn'])\n"
        "print(code, *sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    code, *modules = done.stderr.split()
    assert code == "0"
    heavy = {"torch", "numpy", "networkx", "rich", "lark", "json", "difflib", "dataclasses", "pathlib", "textwrap"}
    assert heavy.isdisjoint(modules)
    assert "cnndsl.diagnostics.render" not in modules
    assert "cnndsl.cli.train" not in modules
