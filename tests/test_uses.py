"""`use`: where files are looked for, what stays out of reach, and what ships."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnndsl.cli import main
from cnndsl.files import Library, UseError, read_source, shipped_names
from cnndsl.pipeline import Checked, Options, check
from cnndsl.source import Source

MAIN = "network A\ninput 8x8x3\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def checked(path: Path | str, root: str | None = None) -> Checked:
    source = read_source(str(path))
    assert isinstance(source, Source)
    return check(source, Options(root=root))


def codes(result: Checked) -> list[str]:
    return [d.code for d in result.diagnostics]


def test_paths_count_from_the_file_they_are_written_in(tmp_path: Path) -> None:
    write(tmp_path / "deep/er/c.cnn", "block c():\n    conv 1x1x5\n")
    write(tmp_path / "deep/b.cnn", 'use "er/c.cnn": c\nblock b():\n    c\n')
    main = write(tmp_path / "a.cnn", f'use "deep/b.cnn": b\n{MAIN}b -> 8x8x5\n')
    assert codes(checked(main)) == []


def test_a_file_is_read_once_by_whatever_path(tmp_path: Path) -> None:
    write(tmp_path / "b.cnn", "let n = 3\nblock b():\n    conv 1x1x{n}\n")
    (tmp_path / "link.cnn").symlink_to("b.cnn")
    main = Source(str(tmp_path / "a.cnn"), "")
    library = Library(main)
    assert library.file("b.cnn", main) is library.file("link.cnn", main)
    assert library.file("./x/../b.cnn", main) is library.file("b.cnn", main)


@pytest.mark.parametrize("name", ["../b.cnn", "inside/../../b.cnn", "link.cnn", "folder/b.cnn"])
def test_nothing_outside_the_project_is_read(name: str, tmp_path: Path) -> None:
    write(tmp_path / "b.cnn", "block b():\n    relu\n")
    project = tmp_path / "project"
    main = write(project / "a.cnn", f'use "{name}": b\n{MAIN}b\n')
    (project / "link.cnn").symlink_to("../b.cnn")
    (project / "folder").symlink_to("..")
    assert codes(checked(main)) == ["E225"]
    # Unless the user says so.
    assert codes(checked(main, root=str(tmp_path))) == []


@pytest.mark.parametrize("name", ["/dev/null", "/etc/passwd", "pipe"])
def test_neither_absolute_paths_nor_pipes_are_read(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    main = write(tmp_path / "a.cnn", f'use "{name}": b\n{MAIN}b\n')
    assert codes(checked(main)) == ["E224"]


def test_a_neighbour_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    write(tmp_path / "project2/b.cnn", "block b():\n    relu\n")
    main = write(tmp_path / "project/a.cnn", f'use "../project2/b.cnn": b\n{MAIN}b\n')
    assert codes(checked(main)) == ["E225"]


def test_standard_input_uses_files_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "b.cnn", "block b():\n    relu\n")
    monkeypatch.chdir(tmp_path)
    assert codes(check(Source("<stdin>", f'use "b.cnn": b\n{MAIN}b\n'))) == []
    assert codes(check(Source("<stdin>", f'use "../b.cnn": b\n{MAIN}b\n'))) == ["E225"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"block b():\n\0", "is not a text file"),
        (b"# \xff", "is not UTF-8"),
        (b" " * (8 * 1024 * 1024 + 1), "larger than 8 MiB"),
    ],
)
def test_files_that_are_no_specs(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "b.cnn").write_bytes(content)
    main = write(tmp_path / "a.cnn", f'use "b.cnn": b\n{MAIN}b\n')
    result = checked(main)
    assert codes(result) == ["E224"]
    assert reason in result.diagnostics[0].message_text()


def test_a_null_character_in_a_path(tmp_path: Path) -> None:
    with pytest.raises(UseError):
        Library(Source("a.cnn", "")).file("b\0.cnn", Source("a.cnn", ""))


def test_a_file_that_uses_itself(tmp_path: Path) -> None:
    main = write(tmp_path / "a.cnn", f'use "a.cnn": b\nblock b():\n    relu\n{MAIN}b\n')
    assert codes(checked(main)) == ["E220"]


def test_more_files_than_the_limit(tmp_path: Path) -> None:
    for n in range(120):
        write(tmp_path / f"f{n}.cnn", f'use "f{n + 1}.cnn": b as c\nblock b():\n    relu\n')
    main = write(tmp_path / "a.cnn", f'use "f0.cnn": b\n{MAIN}b\n')
    assert codes(checked(main)) == ["E704"]


def test_a_used_file_that_is_missing_is_one_error(tmp_path: Path) -> None:
    main = write(tmp_path / "a.cnn", f'use "b.cnn"\n{MAIN}anything 3, other 4\nlet x = y + 1\n')
    assert [d.code for d in checked(main).diagnostics if d.severity == "error"] == ["E224", "E401"]


def test_a_name_given_to_a_block_of_another_file_means_what_it_means_here(tmp_path: Path) -> None:
    """The block's own file has a block of that name, too; and so has a tensor's name."""
    write(
        tmp_path / "b.cnn",
        "block unit():\n    conv 1x1x99\n"
        "block twice(u, skip):\n    conv 1x1x3 as x\n    {u}\n    add {skip}\n    {u}\n",
    )
    text = f'use "b.cnn": twice\nblock unit():\n    conv 1x1x3\n{MAIN}conv 1x1x3 as x\nrelu\ntwice unit x -> 8x8x3\n'
    result = checked(write(tmp_path / "a.cnn", text))
    assert codes(result) == []
    graph = result.networks[0].graph
    (add,) = (node for node in graph.nodes if node.kind == "add")
    assert [graph.nodes[edge.node].name for edge in add.inputs][1] == "x"


def test_lets_of_a_used_file_see_what_that_file_uses(tmp_path: Path) -> None:
    write(tmp_path / "c.cnn", "let n = 4\nlet double(x) = 2 * x\n")
    write(tmp_path / "b.cnn", 'use "c.cnn": n as m, double\nlet k = double(m) + 1\n')
    main = write(tmp_path / "a.cnn", f'use "b.cnn": k\nlet n = 1\n{MAIN}conv 1x1x{{k + n}} -> 8x8x10\n')
    assert codes(checked(main)) == []


def test_networks_of_used_files_are_not_checked_themselves(tmp_path: Path) -> None:
    write(tmp_path / "b.cnn", "network B(c=2)\ninput 4x4x1\nconv 1x1x{c}\n")
    main = write(tmp_path / "a.cnn", 'use "b.cnn": B\nlet k = 3\nnetwork C = B(c={k + 1}):\n    expect params == 8\n')
    source = read_source(str(main))
    assert isinstance(source, Source)
    result = check(source)
    assert codes(result) == []
    assert [n.graph.name for n in result.networks] == ["C"]


def test_a_run_keeps_the_files_it_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on when the files that its spec used are gone or have changed."""
    common = write(tmp_path / "common.cnn", "block cr(c):\n    conv 3x3x{c}, relu\n")
    text = 'use "../common.cnn": cr\nuse std.conv\nnetwork A\ninput 8x8x1\ncr 4, separable 4, dense 10\n'
    write(tmp_path / "nets/a.cnn", text + "train:\n    data digits\n    epochs 1\n")
    monkeypatch.chdir(tmp_path)
    run = ["train", "nets/a.cnn", "--root", ".", "--limit", "40", "-q"]
    assert main(run) == 0
    common.write_text("block cr(c):\n    conv 5x5x{c}, relu\n", encoding="utf-8")
    assert main(["train", "--resume", "runs/A-1", "--epochs", "2", "-q"]) == 0
    common.unlink()
    assert main(["train", "--resume", "runs/A-1", "--epochs", "3", "-q"]) == 0


def test_every_shipped_block_works() -> None:
    lines = {
        "conv": ["cbr 3x3x8 same", "cbr 1x1x8 act=silu", "separable 8 /2"],
        "residual": [
            "add:\n    | shortcut 8 /2\n    | conv 3x3x8 /2 pad=1 nobias",
            "basic 8",
            "basic 16 /2",
            "bottleneck 4",
            "bottleneck 8 /2 groups=2 base=32",
        ],
        "attention": ["squeeze_excite 2", "tokens, encoder 2 16"],
        "mobile": ["inverted_residual 8 6", "inverted_residual 8 1 /2 se kernel=5 act=hardswish"],
        "dense": ["dense_block 3 4", "transition"],
        "unet": ["double 4", "unet 4 2"],
    }
    assert sorted(lines) == shipped_names()
    for name, items in lines.items():
        for item in items:
            result = check(Source("a.cnn", f"use std.{name}\nnetwork A\ninput 16x16x8\n{item}\n"))
            assert codes(result) == [], item


def test_resnet50_of_shipped_blocks_has_the_published_numbers() -> None:
    text = """
use std.residual: bottleneck
network ResNet50
input 224x224x3
conv 7x7x64 /2 pad=3 nobias, bn, relu, pool 3 /2 pad=1
for i, n in enumerate([3, 4, 6, 3]):
    bottleneck {64 * 2**i} /{1 if i == 0 else 2}
    bottleneck {64 * 2**i} * {n - 1}
globalpool avg, dense 1000
expect params == 25_557_032 and macs == 4_089_184_256   # torchvision 0.28.0
"""
    assert codes(check(Source("a.cnn", text))) == []
