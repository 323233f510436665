"""`cnndsl diff` as a user runs it: files, the zoo, settings, formats, and git repositories made by git itself."""

from __future__ import annotations

import gc
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from cnndsl.cli import main

OLD = "network N(w=4)\ninput 8x8x1\nconv 3x3x{w} pad=1 as a, relu\ndense 10 as d\n"
NEW = "network N(w=4)\ninput 8x8x1\nconv 3x3x{w} pad=1 /2 as b, relu\ndense 10 as d\n"
HOSTILE = (
    "--help.cnn",
    "a b.cnn",
    "new\nline.cnn",
    ":(glob)*.cnn",
    "é.cnn",
    "HEAD.cnn",
    "$(touch gone).cnn",
    "x:y.cnn",
)


class Ran(NamedTuple):
    """What a command gave."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """`cnndsl diff` in a folder, in this process: what it does is the same, and it starts at once."""

    def ran(folder: Path, *arguments: str, **environment: str) -> Ran:
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            for name, value in environment.items():
                patch.setenv(name, value)
            code = main(["diff", *arguments])
        output = capfd.readouterr()
        return Ran(code, output.out, output.err)

    yield ran
    gc.enable()


def git(folder: Path, *arguments: str) -> str:
    known = ["-c", "user.name=N", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *known, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "old.cnn").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.cnn").write_text(NEW, encoding="utf-8")
    return tmp_path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of sub/net.cnn, which uses sub/blocks.cnn; both have another version in the working tree."""
    top = tmp_path / "re po"
    (top / "sub").mkdir(parents=True)
    git(top, "init", "-q")
    for c in (4, 8, 16):
        if c > 4:
            git(top, "add", "-A")
            git(top, "commit", "-qm", f"with {c // 2}")
        (top / "sub" / "blocks.cnn").write_text(f"block b:\n    conv 3x3x{c} pad=1 as c, relu\n", encoding="utf-8")
        text = f'use "blocks.cnn": b\n\nnetwork N\ninput 8x8x1\nb as x\ndense {c} as d\n'
        (top / "sub" / "net.cnn").write_text(text, encoding="utf-8")
    return top


def channels(output: str) -> tuple[int, int]:
    """What the only convolution had and has, by the JSON."""
    (one,) = json.loads(output)["comparisons"]
    pair = next(p for p in one["layers"] if p["a"] and p["a"]["kind"] == "conv")
    return pair["a"]["outputs"][0]["shape"][-1], pair["b"]["outputs"][0]["shape"][-1]


# --- files ----------------------------------------------------------------------------------------------------------


def test_text(run: Run, files: Path) -> None:
    """9 weights and a bias for each of 4 channels at 64, then 16 places; 10 units over 256, then 64 inputs."""
    ran = run(files, "old.cnn", "new.cnn")
    assert ran.returncode == 0
    assert ran.stderr == ""
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert "~ b stride 1 -> 2 8x8x4 -> 4x4x4 -1,728 3x3" in lines
    assert "a -> b (2 layers)" in lines
    assert "params 2,610 690 -1,920 -73.6%" in lines
    assert "MACs 4,864 1,216 -3,648 -75.0%" in lines
    assert "checkpoint: 3 of 4 tensors can be loaded (2 of them under another name), 50 of 690 parameters" in ran.stdout


def test_checkpoint_lists(run: Run, files: Path) -> None:
    ran = run(files, "old.cnn", "new.cnn", "--checkpoint")
    assert "  a.weight -> b.weight\n  a.bias -> b.bias\n" in ran.stdout
    assert "  d.weight: (10, 256) -> (10, 64)\n" in ran.stdout


def test_markdown_is_a_table(run: Run, files: Path) -> None:
    ran = run(files, "old.cnn", "new.cnn", "--format", "markdown")
    html = MarkdownIt("commonmark").enable("table").render(ran.stdout)
    assert html.count("<table>") == 2
    assert '<td style="text-align:right">-1,920</td>' in html
    assert "<code>a</code> is now <code>b</code>" in html


def test_json(run: Run, files: Path) -> None:
    (one,) = json.loads(run(files, "old.cnn", "new.cnn", "--format", "json").stdout)["comparisons"]
    assert one["equal"] is False
    assert one["a"]["totals"]["params"] == 2610
    assert one["checkpoint"]["mapping"] == {"b.weight": "a.weight", "b.bias": "a.bias", "d.bias": "d.bias"}
    changed = [layer for layer in one["layers"] if layer["what"] == "changed"]
    assert [layer["changes"] for layer in changed] == [[{"name": "stride", "before": "1", "after": "2"}]]


def test_all_rows(run: Run, files: Path) -> None:
    shown = run(files, "old.cnn", "old.cnn", "--all").stdout
    assert [line.split()[0] for line in shown.splitlines()[5:9]] == ["input", "a", "a_relu", "d"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["old.cnn", "new.cnn"], 0),
        (["old.cnn", "new.cnn", "--exit-code"], 1),
        (["old.cnn", "old.cnn", "--exit-code"], 0),
        (["old.cnn", "missing.cnn"], 2),
        (["old.cnn"], 2),
        (["-", "-"], 2),
        (["old.cnn", "new.cnn", "--rev", "HEAD"], 2),
        (["old.cnn", "new.cnn", "-o", "old.cnn"], 2),
        (["old.cnn:M", "new.cnn"], 1),
    ],
)
def test_exit_codes(run: Run, files: Path, arguments: list[str], code: int) -> None:
    ran = run(files, *arguments)
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_under_two_settings(run: Run, files: Path) -> None:
    for arguments in (["--set-b", "w=8"], ["--set", "w=4", "--set-b", "w=8"], ["--set-a", "w=4", "--set-b", "w=8"]):
        assert channels(run(files, "old.cnn", *arguments, "--format", "json").stdout) == (4, 8)
    text = run(files, "old.cnn", "--set-b", "w=8").stdout
    assert text.splitlines()[1].startswith("w 4 -> 8")
    assert "channels 4 -> 8" in text
    sized = run(files, "old.cnn", "--input-b", "16x16x1").stdout
    assert "8x8x4 -> 16x16x4" in sized


def test_errors_are_shown_and_the_rest_compared(run: Run, files: Path) -> None:
    (files / "wrong.cnn").write_text(NEW.replace("3x3x{w}", "99x99x{w}"), encoding="utf-8")
    ran = run(files, "old.cnn", "wrong.cnn")
    assert ran.returncode == 1
    assert "error[" in ran.stderr
    assert "kernel 3x3 -> 99x99" in ran.stdout
    assert "params 2,610 ?" in [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert "checkpoint" not in ran.stdout


def test_networks_of_families_go_by_their_names(run: Run, files: Path) -> None:
    (files / "two.cnn").write_text(OLD + "\nnetwork M\ninput 4\ndense 2\n", encoding="utf-8")
    told = json.loads(run(files, "two.cnn", "new.cnn", "--format", "json").stdout)
    assert [(one["a"]["name"], one["b"]["name"]) for one in told["comparisons"]] == [("N", "N")]
    assert [(one["in"], one["name"]) for one in told["alone"]] == [("a", "M")]


# --- git ------------------------------------------------------------------------------------------------------------


def test_revisions(run: Run, repository: Path) -> None:
    sub = repository / "sub"
    for folder, arguments, expected in (
        (sub, ["net.cnn", "--rev", "HEAD"], (8, 16)),
        (sub, ["net.cnn", "--rev", "HEAD~1"], (4, 16)),
        (sub, ["net.cnn", "--rev", "HEAD~1", "--rev", "main"], (4, 8)),
        (repository, ["sub/net.cnn", "--rev", "HEAD~1"], (4, 16)),
        (repository, ["HEAD~1:sub/net.cnn", "sub/net.cnn"], (4, 16)),
        (sub, ["HEAD~1:sub/net.cnn", "HEAD:./net.cnn"], (4, 8)),
        (sub, ["HEAD~1:sub/net.cnn:N", "net.cnn:N"], (4, 16)),
        (repository.parent, [f"{repository.name}/sub/net.cnn", "--rev", "HEAD"], (8, 16)),
    ):
        ran = run(folder, *arguments, "--format", "json")
        assert ran.returncode == 0, ran.stderr + ran.stdout
        assert channels(ran.stdout) == expected


def test_a_file_that_is_gone(run: Run, repository: Path) -> None:
    (repository / "sub" / "net.cnn").rename(repository / "moved.cnn")
    ran = run(repository, "HEAD:sub/net.cnn", "HEAD~1:sub/net.cnn", "--format", "json")
    assert channels(ran.stdout) == (8, 4)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(run: Run, tmp_path: Path, name: str) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / name).write_text(OLD, encoding="utf-8")
    (tmp_path / "other.cnn").write_text("network O\ninput 2\ndense 2\n", encoding="utf-8")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / name).write_text(NEW, encoding="utf-8")
    before = sorted(os.listdir(tmp_path))
    for arguments in ([f"./{name}", "--rev", "HEAD"], ["--rev", "HEAD", "--", name], [f"HEAD:{name}", f"./{name}"]):
        ran = run(tmp_path, "--format", "json", *arguments)
        (one,) = json.loads(ran.stdout)["comparisons"]
        assert (one["a"]["name"], one["equal"]) == ("N", False), ran.stderr
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize(
    "revision",
    ["--output=x", "-h", "--all", "HEAD --output=x", "HEAD~99", "HEAD:sub", "", "--exec-path", "a\nb", "@{u}"],
)
def test_hostile_revisions(run: Run, repository: Path, revision: str) -> None:
    before = sorted(os.listdir(repository / "sub"))
    ran = run(repository / "sub", f"--rev={revision}", "net.cnn")
    assert ran.returncode == 2
    assert "E009" in ran.stderr
    assert ran.stdout == ""
    assert sorted(os.listdir(repository / "sub")) == before


def test_what_git_can_not_read_is_said(run: Run, repository: Path, tmp_path: Path) -> None:
    sub = repository / "sub"
    (sub / "new.cnn").write_text(OLD, encoding="utf-8")
    for folder, arguments, said in (
        (sub, ["new.cnn", "--rev", "HEAD"], "there is no file sub/new.cnn in the revision HEAD"),
        (sub, ["HEAD:net.cnn", "net.cnn"], "did you mean HEAD:./net.cnn?"),
        (sub, ["HEAD:nets/net.cnn", "net.cnn"], "did you mean HEAD:sub/net.cnn?"),
        (sub, ["HEAD:../../net.cnn", "net.cnn"], "in the revision HEAD"),
        (repository, ["HEAD:sub", "sub/net.cnn"], "there is no file HEAD"),
        (repository, ["HEAD:./sub/", "sub/net.cnn"], "is a folder"),
        (tmp_path, ["nothing.cnn", "--rev", "HEAD"], "is not in a git repository"),
    ):
        ran = run(folder, *arguments)
        assert ran.returncode == 2, ran.stdout
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr


def test_without_git(run: Run, repository: Path) -> None:
    ran = run(repository / "sub", "net.cnn", "--rev", "HEAD", PATH=str(repository))
    assert ran.returncode == 2
    assert "git is not installed" in ran.stderr


def test_used_files_stay_in_the_folder(run: Run, repository: Path) -> None:
    (repository / "secret.cnn").write_text("block b:\n    relu\n", encoding="utf-8")
    (repository / "sub" / "out.cnn").write_text('use "../secret.cnn": b\nnetwork N\ninput 4\nb\n', encoding="utf-8")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "out")
    ran = run(repository, "HEAD:sub/out.cnn", "HEAD:sub/out.cnn")
    assert ran.returncode == 2 or "E225" in ran.stderr
    inside = run(repository, "HEAD:sub/out.cnn", "sub/out.cnn", "--root", ".")
    assert inside.returncode == 0, inside.stderr
    assert "no difference" in inside.stdout


def test_links_lead_to_files_of_the_revision(run: Run, repository: Path) -> None:
    (repository / "link.cnn").symlink_to("sub/net.cnn")
    (repository / "away.cnn").symlink_to("/etc/passwd")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "links")
    linked = run(repository, "HEAD:link.cnn", "HEAD~1:sub/net.cnn", "--format", "json")
    assert linked.returncode == 1, linked.stdout
    away = run(repository, "HEAD:away.cnn", "sub/net.cnn")
    assert away.returncode == 2
    assert "E010" in away.stderr


def test_bare_names_and_the_zoo(run: Run, tmp_path: Path) -> None:
    ran = run(tmp_path, "vgg11", "vgg11_bn")
    assert ran.stdout.splitlines()[1] == "norm false -> true, 8 layers added"
