"""`cnndsl fmt` as it is run: files in place, standard input, --check, --diff; nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

UNTIDY = "network  A\ninput 4\r\ndense   3 # é"
TIDY = "network A\ninput 4\ndense 3  # é\n"
BROKEN = "network A\n  input {\ndense   3\n"


def run(*arguments: str, stdin: bytes = b"", code: int = 0) -> tuple[str, str]:
    """Standard output and error of a command, which must end with `code`."""
    done = subprocess.run([sys.executable, "-m", "cnndsl", *arguments], input=stdin, capture_output=True)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode(), done.stderr.decode()


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"untidy.cnn": UNTIDY, "tidy.cnn": TIDY, "broken.cnn": BROKEN}.items():
        Path(name).write_bytes(text.encode())


def test_in_place() -> None:
    os.chmod("untidy.cnn", 0o640)
    Path("link.cnn").symlink_to("untidy.cnn")
    out, error = run("fmt", "tidy.cnn", "link.cnn", "broken.cnn", code=1)
    assert out == "formatted link.cnn\n1 file formatted, 1 file already formatted, 1 file with errors, as before\n"
    assert "E107" in error
    assert Path("untidy.cnn").read_bytes() == TIDY.encode()
    assert os.stat("untidy.cnn").st_mode & 0o777 == 0o640
    assert Path("link.cnn").is_symlink()
    assert Path("broken.cnn").read_bytes() == BROKEN.encode()
    assert run("fmt", "untidy.cnn") == ("1 file already formatted\n", "")
    assert sorted(path.name for path in Path().iterdir()) == ["broken.cnn", "link.cnn", "tidy.cnn", "untidy.cnn"]


def test_byte_order_mark_stays() -> None:
    Path("untidy.cnn").write_bytes(b"\xef\xbb\xbf" + UNTIDY.encode())
    assert run("fmt", "untidy.cnn")[0] == "formatted untidy.cnn\n"
    assert Path("untidy.cnn").read_bytes() == b"\xef\xbb\xbf" + TIDY.encode()


def test_check() -> None:
    assert run("fmt", "--check", "tidy.cnn") == ("1 file already formatted\n", "")
    out, _ = run("fmt", "--check", "tidy.cnn", "untidy.cnn", code=1)
    assert out == "would change untidy.cnn\n1 file to change, 1 file already formatted\n"
    assert Path("untidy.cnn").read_bytes() == UNTIDY.encode()
    assert run("fmt", "--check", "-", stdin=UNTIDY.encode(), code=1)[0] == "would change <stdin>\n"


def test_diff_is_one_that_git_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    Path("returns.cnn").write_bytes(b"network A\r\n\r\n\r\n\r\ninput  4\r\ndense 3\r\n\r\n")
    names = ["untidy.cnn", "returns.cnn"]
    out, error = run("fmt", "--diff", *names, "tidy.cnn")
    assert error == ""
    assert "\\ No newline at end of file" in out
    assert Path("untidy.cnn").read_bytes() == UNTIDY.encode()
    patch = out.replace(" (formatted)", "")
    subprocess.run(["git", "apply", "-p0", "--whitespace=nowarn", "-"], input=patch.encode(), check=True)
    assert run("fmt", "--check", *names)[0] == "2 files already formatted\n"
    assert run("fmt", "--diff", *names) == ("", "")


def test_standard_input() -> None:
    assert run("fmt", "-", stdin=UNTIDY.encode()) == (TIDY, "")
    assert run("fmt", "-", stdin=TIDY.encode()) == (TIDY, "")
    assert run("fmt", "-", stdin=b"") == ("", "")
    out, error = run("fmt", "-", stdin=BROKEN.encode(), code=1)
    assert out == ""
    assert "E107" in error
    assert "stands alone" in run("fmt", "-", "tidy.cnn", code=2)[1]


def test_what_can_not_be_read_or_written() -> None:
    out, error = run("fmt", "gone.cnn", "untidy.cnn", code=2)
    assert "E001" in error
    assert out == "formatted untidy.cnn\n1 file formatted, 1 file with errors, as before\n"
    assert "E002" in run("fmt", ".", code=2)[1]


def test_nobody_reads_on() -> None:
    script = f"{sys.executable} -m cnndsl fmt untidy.cnn broken.cnn 2>&1 >&- | head -c 0"
    subprocess.run(["bash", "-c", script], check=True)
    assert Path("untidy.cnn").read_bytes() == TIDY.encode()
