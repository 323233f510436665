"""Every example in README.md, ARCHITECTURE.md and docs/ is true, and every link leads somewhere.

What is done with a fenced block is said by the words behind its backticks:

    ```cnn                  a whole spec, in which `check` finds nothing wrong
    ```cnn small.cnn        the same, kept under that name for the commands below it on the page
    ```cnn 32x32x1          lines of a network with this input
    ```cnn wrong 32x32x1    the same in which `check` finds an error; also `wrong` and a file's name
    ```console              commands behind `$` and the output they print; `...` alone stands for any lines
    ```console slow         the same for commands that train: numbers with a point are compared by their form only
    ```python               doctests
    ```python shrink.py     a file for the commands below it; also `toml pyproject.toml`, which installs such files

Other blocks are not run. `pytest tests/test_docs.py --rewrite` writes the output of the commands into the pages.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from cnndsl.elaborate.arithmetic import MOST_BITS, MOST_ITEMS, MOST_STEPS
from cnndsl.elaborate.builder import MOST_NODES, MOST_OPEN
from cnndsl.elaborate.evaluate import MOST_DEPTH
from cnndsl.elaborate.functions import BUILTINS
from cnndsl.layers.arguments import LARGEST
from cnndsl.pipeline import check
from cnndsl.source import MAX_BYTES, Source
from cnndsl.syntax.layout import MOST_NESTING
from cnndsl.syntax.parser import MOST_TOKENS
from cnndsl.syntax.tables import KEYWORDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
SIZE = re.compile(r"[0-9_]+(x[0-9_]+)*")


class Fence(NamedTuple):
    """A fenced block: its page, the line it begins in, the words behind its backticks, its text."""

    page: Path
    line: int
    words: list[str]
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def file(self) -> str | None:
        return next((word for word in self.words[1:] if word.endswith((".cnn", ".py", ".toml"))), None)


def fences(page: Path) -> list[Fence]:
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    return [Fence(page, t.map[0] + 1, t.info.split(), t.content) for t in tokens if t.type == "fence" and t.map]


FENCES = [fence for page in PAGES for fence in fences(page)]


# --- specs ----------------------------------------------------------------------------------------------------------


def of_kind(kind: str) -> list[Fence]:
    return [fence for fence in FENCES if fence.words[:1] == [kind]]


def spec_of(fence: Fence) -> Source:
    size = next((word for word in fence.words[1:] if SIZE.fullmatch(word)), None)
    return Source(fence.name, f"network Example\ninput {size}\n{fence.text}" if size else fence.text)


@pytest.mark.parametrize("fence", of_kind("cnn"), ids=lambda fence: fence.name)
def test_spec(fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(w in ("cnn", "wrong", fence.file) or SIZE.fullmatch(w) for w in fence.words), fence.words
    write_files(fence.page, tmp_path, fence.line)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = check(spec_of(fence)).diagnostics
    if "wrong" in fence.words:
        assert any(d.severity == "error" for d in found)
    else:
        assert [d for d in found if d.severity != "note"] == []


# --- commands -------------------------------------------------------------------------------------------------------


class Command(NamedTuple):
    """A command of a console block, as it stands there and as bash takes it, and the output printed below it."""

    shown: str
    text: str
    output: str


def commands(fence: Fence) -> Iterator[Command]:
    """The commands of a block; a line that begins with `> ` goes on with the command before it."""
    for found in re.finditer(r"(?m)^\$ .*\n(?:> .*\n)*", fence.text):
        output = re.split(r"(?m)^\$ ", fence.text[found.end() :], maxsplit=1)[0]
        yield Command(found.group(), "".join(line[2:] for line in found.group().splitlines(keepends=True)), output)


def output_of(command: str, folder: Path) -> str:
    """What a command prints, errors included, in the order in which they come."""
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    environment["CUDA_VISIBLE_DEVICES"] = ""
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])  # the package beside these tests
    environment["PATH"] = str(Path(sys.executable).parent) + os.pathsep + environment["PATH"]
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return "".join(line.rstrip() + "\n" for line in run.stdout.splitlines())


def matches(wanted: str, given: str, *, loosely: bool = False) -> bool:
    """Whether an output is the one wanted, where `...` stands for any lines."""
    pattern = "".join("(?:.*\n)*?" if line == "..." else _line_pattern(line, loosely) for line in wanted.splitlines())
    return re.fullmatch(pattern, given) is not None


def _line_pattern(line: str, loosely: bool) -> str:
    number = re.compile(r"[0-9]+\.[0-9]+(?:e-?[0-9]+)?|[0-9]+ threads?")
    if not loosely:
        return re.escape(line) + "\n"
    return r"[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?(?: threads?)?".join(map(re.escape, number.split(line))) + "\n"


def write_files(page: Path, folder: Path, before: int) -> None:
    """The files that the page has shown before a line."""
    for fence in fences(page):
        if fence.file and fence.line < before:
            (folder / fence.file).write_text(fence.text, encoding="utf-8")
            if fence.file == "pyproject.toml":
                install(folder)


def install(folder: Path) -> None:
    """What pip would do for a folder with a pyproject.toml, as far as the entry points go."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = project["entry-points"].items()
    lines = [line for group, entries in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in entries.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def prepare(folder: Path) -> None:
    """What the commands of a page find: the specs of the project, as in a clone."""
    (folder / "specs").symlink_to(ROOT / "specs")


def run_commands(page: Path, folder: Path, words: list[str], *, rewrite: bool) -> None:
    """Run the console blocks marked with these words, in order, and compare; or write what is printed into the page."""
    prepare(folder)
    replaced = []
    loosely = "slow" in words
    for fence in fences(page):
        if fence.words != words:
            continue
        write_files(page, folder, fence.line)
        text = ""
        for command in commands(fence):
            given = output_of(command.text, folder)
            same = matches(command.output, given, loosely=loosely)
            assert same or rewrite, f"{fence.name}: {command.shown}{given}"
            text += command.shown + (command.output if same else given)
        replaced.append((fence, text))
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for fence, text in reversed(replaced):
        lines[fence.line : fence.line + fence.text.count("\n")] = [text]
    if rewrite:
        page.write_text("".join(lines), encoding="utf-8")


def pages_with(*words: str) -> list[Path]:
    return [page for page in PAGES if any(f.words == [*words] for f in FENCES if f.page == page)]


@pytest.mark.parametrize("page", pages_with("console"), ids=lambda page: page.name)
def test_commands(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run_commands(page, tmp_path, ["console"], rewrite=request.config.getoption("--rewrite"))


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("console", "slow"), ids=lambda page: page.name)
def test_commands_that_train(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run_commands(page, tmp_path, ["console", "slow"], rewrite=request.config.getoption("--rewrite"))


@pytest.mark.parametrize("page", pages_with("python"), ids=lambda page: page.name)
def test_python(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for fence in fences(page):
        if fence.words == ["python"]:
            write_files(page, tmp_path, fence.line)
            examples = doctest.DocTestParser().get_doctest(fence.text, names, fence.name, str(page), fence.line)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            report: list[str] = []
            runner.run(examples, out=report.append, clear_globs=False)
            names = examples.globs
            assert not runner.failures, "".join(report)


def test_blocks_are_marked_as_something_known() -> None:
    known = {"cnn", "console", "python", "json", "sh", "text", "toml", "yaml"}
    assert not [fence.name for fence in FENCES if not fence.words or fence.words[0] not in known]


def test_matching() -> None:
    assert matches("a\n...\nb\n", "a\n1\n2\nb\n")
    assert not matches("a\nb\n", "a\n1\nb\n")
    assert matches("loss 0.1 in 20 epochs\n", "loss 1e-5 in 20 epochs\n", loosely=True)
    assert not matches("loss 0.1 in 20 epochs\n", "loss 0.2 in 30 epochs\n", loosely=True)


# --- links and commands that are named ------------------------------------------------------------------------------


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them: equal ones get a number."""
    found: Counter[str] = Counter()
    names = set()
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            text = "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
            base = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            names.add(f"{base}-{found[base]}" if found[base] else base)
            found[base] += 1
    return frozenset(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    wrong = []
    for target in targets:
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            wrong.append(target)
    assert not wrong


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {t for page in PAGES for t in re.findall(r"(?m)(?:`|^)make ([a-z-]+)", page.read_text(encoding="utf-8"))}
    assert {"demo", "test"} <= named
    assert not {target for target in named if not re.search(rf"(?m)^{target}:", makefile)}


def test_the_language_page_tells_keywords_and_limits() -> None:
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    reserved = re.search(r"These names are reserved: `([^`]*)`", page)
    assert reserved is not None
    assert sorted(reserved.group(1).split()) == sorted(KEYWORDS)
    limits = page.partition("## Limits")[2]
    for limit in (
        MOST_NODES,
        MOST_NESTING,
        MOST_OPEN,
        MOST_DEPTH,
        MOST_TOKENS,
        MOST_STEPS,
        MOST_ITEMS,
        MOST_BITS,
        LARGEST,
    ):
        assert re.search(rf"\| [^|]*(?<![\d,]){limit:,}(?![\d,])[^|]* \|", limits), limit
    assert f"{MAX_BYTES // 2**20} MiB" in limits
    assert not set(re.search(r"\| functions \| `([^`]*)` \|", page).group(1).split()) ^ set(BUILTINS)  # type: ignore[union-attr]
