"""`cnndsl draw` as a user runs it: what it writes, and what it says of what it can't do."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from cnndsl.cli import main
from cnndsl.draw.styles import SCENES

SPEC = "network Small\ninput 28x28x1\nconv 5x5x8, relu\npool 2\ndense 10\n"
TWO = SPEC + "\nnetwork Other\ninput 8x8x3\nconv 3x3x4\ndense 2\n"
WRONG = "network Wrong\ninput 28x28x1\nconv 5x5x8\nconv 3x3x3x4\ndense 10\n"


class Ran(NamedTuple):
    """What a command gave."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def last(self) -> str:
        return self.stderr.splitlines()[-1]


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """`cnndsl draw` in a folder with small.cnn, two.cnn, Other.cnn and wrong.cnn, in this process."""
    for name, text in (("small", SPEC), ("two", TWO), ("Other", TWO.partition("\n\n")[2]), ("wrong", WRONG)):
        (tmp_path / f"{name}.cnn").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def ran(*arguments: str) -> Ran:
        code = main(["draw", *arguments])
        output = capfd.readouterr()
        return Ran(code, output.out, output.err)

    yield ran
    gc.enable()


def test_into_a_file(run: Run, tmp_path: Path) -> None:
    assert run("small.cnn", "-o", "small.svg") == (0, "", "")
    assert ElementTree.parse(tmp_path / "small.svg").getroot().tag.endswith("svg")


def test_into_a_pipe(run: Run) -> None:
    drawn = run("lenet5")
    assert drawn.returncode == 0
    assert "LeNet5" in (ElementTree.fromstring(drawn.stdout)[0].text or "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["small.cnn", "-o", "small.swg"], "The ending of 'small.swg' says no format: did you mean '.svg'?"),
        (["small.cnn", "-o", "no/small.svg"], "can't write no/small.svg: No such file or directory"),
        (["small.cnn", "-o", "small.cnn", "--format", "svg"], "would overwrite the spec itself"),
        (["small.cnn", "--format", "swg"], "'swg' is not one of"),
        (["small.cnn", "--width", "3"], "'3' is no length, such as 3.25in"),
        (["small.cnn", "--width", "-3in"], "'-3in' is no length, such as 3.25in"),
        (["small.cnn", "--width", "1e3in"], "'1e3in' is no length, such as 3.25in"),
        (["small.cnn", "--width", "3mm"], "3mm is no width for a picture: 0.5in to 200in."),
        (["small.cnn", "--show", "parms"], "'parms' can't be shown: did you mean 'params'?"),
        (["small.cnn", "--fold", "conv5x5"], "Small has no layer or block 'conv5x5'. Did you mean 'conv5x5x8'?"),
        (["small.cnn", "--only", "a"], "Small has no block 'a': it has no blocks."),
        (["small.cnn", "--background", "red"], "'red' is no colour, such as '#f4f4f4'"),
        (["small.cnn", "--dpi", "300"], "--dpi is for PNG; SVG has no pixels."),
        (["small.cnn", "--no-preamble"], "--no-preamble is for --format tikz."),
        (["small.cnn", "--engine", "dot", "--style", "layers"], "--engine lays out graphs: it needs --style graph"),
        (["small.cnn", "--direction", "right", "--style", "volumes"], "--direction turns graphs: it needs --style gr"),
        (["Other.cnn", "-o", "{name}.cnn", "--format", "svg"], "--output Other.cnn would overwrite the spec itself."),
        (["small.cnn", "--theme", "no.toml"], "can't read no.toml: No such file or directory."),
        (["two.cnn"], "There are 2 networks (Small, Other): draw one, as in two.cnn:Small"),
        (["-", "-"], "Standard input ('-') can be read only once."),
        (["small.cnn", "--watch", "--style", "graph"], "leave out --style."),
        (["small.cnn", "--watch", "--no-labels"], "leave out --no-labels."),
        (["small.cnn", "--watch", "--rev", "HEAD"], "--watch needs one file"),
    ],
)
def test_misuse(run: Run, arguments: list[str], said: str, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    drawn = run(*arguments)
    assert drawn.returncode == 2
    assert drawn.stdout == ""
    assert said in drawn.last
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_all_networks_of_a_file(run: Run, tmp_path: Path) -> None:
    assert run("two.cnn", "-o", "{name}.svg") == (0, "", "")
    assert {path.name for path in tmp_path.glob("*.svg")} == {"Small.svg", "Other.svg"}
    assert run("two.cnn:Other", "-o", "one.svg") == (0, "", "")
    assert run("small.cnn", "two.cnn", "-o", "{name}.svg").returncode == 2


@pytest.mark.parametrize(
    ("theme", "said"),
    [
        ("[light]\ntext = 'red'", "t.toml: 'red' is no colour for 'text' ([light]): write it as '#8fc3e8' or '#8ce'"),
        ("[dark]\ntext = 12", "t.toml: 12 is no colour for 'text' ([dark])"),
        ("[dark]\npoling = '#fff'", "t.toml: there is no role 'poling' ([dark]): did you mean 'pooling'?"),
        ("light = 3", "t.toml: 'light' is no table: write [light], and roles below it"),
        ("[lite]", "t.toml: there is no 'lite' in a theme: it has fonts, [light] and [dark]"),
        ("fonts = 'Arial'", "t.toml: 'fonts' is a list of names"),
        ('fonts = ["A\'b"]', "t.toml: 'A'b' is no name of a font"),
        ("[light", "t.toml: it is no TOML: "),
    ],
)
def test_bad_theme(run: Run, theme: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(theme, encoding="utf-8")
    drawn = run("small.cnn", "--theme", "t.toml", "-o", "small.svg")
    assert drawn.returncode == 2
    assert said in drawn.last
    assert not (tmp_path / "small.svg").exists()


def test_theme(run: Run, tmp_path: Path) -> None:
    text = 'fonts = ["My Font"]\n[light]\nconvolution = "#ABC"\n[dark]\nconvolution = "#123456"\n'
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    light, dark = (run("small.cnn", "--theme", "t.toml", "--mode", mode).stdout for mode in ("light", "dark"))
    assert "#aabbcc" in light
    assert "#123456" in dark
    assert "'My Font'" in light


def test_a_broken_spec_is_drawn(run: Run, tmp_path: Path) -> None:
    drawn = run("wrong.cnn", "-o", "wrong.svg")
    assert drawn.returncode == 1
    assert "error[E301]" in drawn.stderr
    root = ElementTree.parse(tmp_path / "wrong.svg").getroot()
    faults = [group for group in root.iter() if "fault" in (group.get("class") or "").split()]
    assert [group.get("data-line") for group in faults] == ["4"]


TWICE_WRONG = """network Wrong
input 28x28x1
conv 5x5x8, relu
add:
    | conv 3x3x16 pad=1, bn
    | conv 1x1x12
relu
dense 10 nobais
)
"""


@pytest.mark.parametrize("style", SCENES)
@pytest.mark.parametrize("width", ["2in", "6in"])
def test_errors_stand_in_the_picture(run: Run, style: str, width: str, tmp_path: Path) -> None:
    """Each at its layer, or numbered there and told below; one of no layer is told below."""
    (tmp_path / "twice.cnn").write_text(TWICE_WRONG, encoding="utf-8")
    drawn = run("twice.cnn", "--style", style, "--width", width, "-o", "twice.svg")
    assert drawn.returncode == 1
    root = ElementTree.parse(tmp_path / "twice.svg").getroot()
    shown = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    errors = ["E331, line 4", "E241, line 8", "E108, line 9"]
    assert all(f"{error}: " in shown for error in errors)
    assert [line[:19] for line in (root[1].text or "").splitlines()[1:]] == [f"Error: {error}" for error in errors]


def test_errors_stand_in_the_terminals_picture(run: Run, tmp_path: Path) -> None:
    (tmp_path / "twice.cnn").write_text(TWICE_WRONG, encoding="utf-8")
    drawn = run("twice.cnn", "--style", "text")
    assert drawn.returncode == 1
    assert [line.strip()[:15] for line in drawn.stdout.splitlines() if "E" in line] == [
        "^ E331, line 4:",
        "^ E241, line 8:",
        "X E108, line 9:",
    ]


def test_text_is_no_picture_of_a_format(run: Run, tmp_path: Path) -> None:
    drawn = run("lenet5", "--style", "text", "-o", "lenet5.svg")
    assert drawn.returncode == 2
    assert "lenet5.svg" in drawn.stderr
    assert not (tmp_path / "lenet5.svg").exists()
    assert run("lenet5", "--style", "text", "-o", "lenet5.txt").returncode == 0
    assert (tmp_path / "lenet5.txt").read_text(encoding="utf-8").startswith("●  input              32x32x1\n")


def test_two_specs_are_one_picture(run: Run, tmp_path: Path) -> None:
    old = "network N\ninput 8x8x3\nconv 3x3x4, relu\ndense 2\n"
    (tmp_path / "old.cnn").write_text(old, encoding="utf-8")
    (tmp_path / "new.cnn").write_text(old.replace("relu\n", "relu\npool 2\n"), encoding="utf-8")
    assert run("old.cnn", "new.cnn", "--style", "text").stdout.splitlines()[2] == "+  pool 2            3x3x4"
    assert run("old.cnn", "new.cnn", "-o", "both.svg").returncode == 0
    root = ElementTree.parse(tmp_path / "both.svg").getroot()
    assert "pool 2" in [element.text for element in root.iter() if element.tag.endswith("text")]
    assert run("old.cnn", "gone.cnn", "-o", "both.svg").returncode == 2
    assert run("old.cnn", "--rev", "HEAD", "-o", "both.svg").returncode == 2  # no repository is there


@pytest.mark.parametrize(("ending", "direction"), [("mmd", "TB"), ("dot", "TB")])
def test_graphs_are_what_graph_languages_get(run: Run, ending: str, direction: str, tmp_path: Path) -> None:
    assert run("lenet5", "-o", f"a.{ending}").returncode == 0
    assert run("lenet5", "--style", "graph", "-o", f"b.{ending}").returncode == 0
    made = (tmp_path / f"a.{ending}").read_text(encoding="utf-8")
    assert made == (tmp_path / f"b.{ending}").read_text(encoding="utf-8")
    assert direction in made


def test_without_graphviz(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    drawn = run("small.cnn", "--engine", "dot", "-o", "small.svg")
    assert drawn.returncode == 2
    assert "needs the program 'dot' of Graphviz, which is not there" in drawn.last
    assert not (tmp_path / "small.svg").exists()


@pytest.mark.parametrize("spec", ["network A\n", "network A\ninput 8x8x3\n", "", "block b():\n    relu\n"])
def test_nothing_to_draw(run: Run, spec: str, tmp_path: Path) -> None:
    (tmp_path / "empty.cnn").write_text(spec, encoding="utf-8")
    drawn = run("empty.cnn", "-o", "empty.svg")
    assert drawn.returncode == 2
    assert drawn.stderr
    assert not (tmp_path / "empty.svg").exists()


def test_a_file_that_is_not_there(run: Run) -> None:
    drawn = run("no.cnn")
    assert drawn.returncode == 2
    assert "no.cnn" in drawn.stderr
