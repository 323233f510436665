"""Finding the networks that come with cnndsl by their names, and the commands `list`, `show` and `new`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from zoo_specs import FILES, NAMED, ROOT, SECTIONS, network

import cnndsl
from cnndsl.catalogue import cited
from cnndsl.cli.new import TEMPLATES, alone, network_name
from cnndsl.diagnostics import Diagnostic
from cnndsl.pipeline import check
from cnndsl.report.as_page import drawn_spec
from cnndsl.source import Source
from cnndsl.terminal import Look
from cnndsl.zoo import entries, files, find, locate, read
from cnndsl.zoo.index import BASES, NETWORKS

SMALL = "network Small\ninput 6x6x1\ndense 2\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up in a folder that holds nothing."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command in the current folder; it must end with `code`."""
    done = subprocess.run([sys.executable, "-m", "cnndsl", *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file", "picked"),
    [
        ("resnet50", "resnet", "resnet50"),
        ("ResNet-50", "resnet", "resnet50"),
        ("resnet50-v1", "resnet", "resnet50_v1"),
        ("vgg16-bn", "vgg", "vgg16_bn"),
        ("VGG16_BN", "vgg", "vgg16_bn"),
        ("ResNet", "resnet", "ResNet"),
        ("resnet", "resnet", None),
        ("lenet5", "lenet5", None),
        ("LeNet5", "lenet5", "LeNet5"),
        ("unet", "unet", "unet"),
        ("UNet", "unet", "UNet"),
        ("U-Net", "unet", None),
        ("RegNet-Y-16GF", "regnet", "regnet_y_16gf"),
        ("regnet_y-1_6gf", "regnet", "regnet_y_1_6gf"),
    ],
)
def test_names(name: str, file: str, picked: str | None) -> None:
    place = locate(name)
    assert place == (str(ROOT / "specs" / f"{file}.cnn"), picked, f"specs/{file}.cnn")
    source = read(place)
    assert isinstance(source, Source)
    assert source.text == (ROOT / "specs" / f"{file}.cnn").read_text(encoding="utf-8")
    assert source.name == place.name


def test_every_network_and_file_is_found() -> None:
    for section in SECTIONS:
        assert find(section.name) == (section.file.stem, section.name)
        assert find(section.name.replace("_", "-")) == (section.file.stem, section.name)
    for file in FILES:
        found = find(file.stem)
        assert found is not None
        assert found[0] == file.stem


def test_a_network_of_a_family() -> None:
    assert locate("resnet:resnet18")[1:] == ("resnet18", "specs/resnet.cnn")
    assert locate("resnet18:ResNet").network == "ResNet"


@pytest.mark.parametrize("name", ["resnet18", "resnet18.cnn"])
def test_a_file_wins(name: str) -> None:
    Path(name).write_text(SMALL, encoding="utf-8")
    source = read(locate("resnet18"))
    assert isinstance(source, Source)
    assert (source.text, source.name) == (SMALL, name)


@pytest.mark.parametrize("name", ["./resnet18", "resnet18.cnn", "specs/resnet18", "nets/../resnet18"])
def test_paths_are_no_names(name: str) -> None:
    assert locate(name) == (name, None, name)
    found = read(locate(name))
    assert isinstance(found, Diagnostic)
    assert found.code == "E001"
    assert not found.notes


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("resnt50", "resnet50"),
        ("vgg-16-bm", "vgg16_bn"),
        ("zzzzzz", None),
        ("RegNetY16GF", "regnet_y_1_6gf or regnet_y_16gf"),
        ("ResNet-20", "resnet20_cifar_a or resnet20_cifar_b"),
        ("mobilenet", "mobilenet_v1 or mobilenet_v2 or mobilenet_v3"),
        (
            "shufflenet_v1_g",
            "shufflenet_v1_g3_x0_5, shufflenet_v1_g8_x0_5, shufflenet_v1_g1_x1_0, shufflenet_v1_g2_x1_0, …",
        ),
    ],
)
def test_unknown_names(name: str, guess: str | None) -> None:
    found = read(locate(name))
    assert isinstance(found, Diagnostic)
    assert found.message_text() == f"there is no file {name}"
    assert found.help_text() == (f"did you mean {guess}?" if guess else None)
    assert "cnndsl list" in found.notes[0]


def test_files_nearby_are_suggested_first() -> None:
    Path("renset.cnn").write_text(SMALL, encoding="utf-8")
    found = read(locate("renset"))
    assert isinstance(found, Diagnostic)
    assert found.help_text() == "did you mean renset.cnn?"
    assert not found.notes


def test_a_suffix_makes_no_two_files_alike() -> None:
    Path("neg.cnn").write_text(SMALL, encoding="utf-8")
    assert "did you mean" not in run("check", "missing.cnn", code=2).stderr
    assert "did you mean neg.cnn?" in run("check", "negs.cnn", code=2).stderr


def test_commands_find_names() -> None:
    assert "11,689,512" in run("check", "ResNet-18").stdout
    assert "class LeNet5(nn.Module)" in run("compile", "lenet5").stdout
    assert "61,706 parameters" in run("train", "lenet5", "--dry-run").stdout
    assert "did you mean resnet18?" in run("check", "resnet18x", code=2).stderr
    assert "pick one, as in resnet_cifar:ResNetCifar." in run("train", "resnet_cifar", code=2).stderr
    assert "Did you mean 'cnndsl check lenet5'?" in run("lenet5", code=2).stderr


def test_load_finds_names() -> None:
    assert sum(p.numel() for p in cnndsl.load("LeNet-5").parameters()) == 61_706
    with pytest.raises(cnndsl.SpecError, match="no file lenet55"):
        cnndsl.load("lenet55")


# --- the index ------------------------------------------------------------------------------------------------------


def test_the_index_holds_every_network() -> None:
    assert set(NETWORKS) | set(BASES) == set(NAMED)
    assert {"ResNet", "VGG", "UNet"} <= set(BASES) <= {section.base for section in SECTIONS}
    assert "tensorflow_lenet" in NETWORKS  # a base, but none of its instances is the same


@pytest.mark.parametrize(
    ("name", "input", "params", "macs", "field", "paper"),
    [
        # Receptive fields: Araujo et al. 2019 and arithmetic by hand; the rest: torchvision and the papers.
        ("resnet18", "224x224x3", 11_689_512, 1_814_073_344, (435, 435), "He et al. 2015"),
        ("resnet50", "224x224x3", 25_557_032, 4_089_184_256, (427, 427), "He et al. 2015"),
        ("resnet50_v1", "224x224x3", 25_557_032, None, (483, 483), "He et al. 2015"),
        ("vgg16", "224x224x3", 138_357_544, 15_470_264_320, (212, 212), "Simonyan, Zisserman 2014"),
        ("LeNet5", "32x32x1", 61_706, 416_520, (16, 16), "LeCun et al. 1998"),
    ],
)
def test_entries(name: str, input: str, params: int, macs: int | None, field: tuple[int, ...], paper: str) -> None:
    (entry,) = (entry for entry in entries() if entry.name == name)
    assert (entry.input, entry.params, entry.rf) == (input, params, field)
    assert macs in (None, entry.macs)
    assert entry.paper.startswith(paper + ', "')


def test_what_only_the_input_has_no_field() -> None:
    (entry,) = (entry for entry in entries() if entry.name == "MnistMLP")
    assert entry.rf == ()


def test_citations() -> None:
    text = """\
# Paper: A 2001, "First", X
# about it
network A
network B = A:
# Paper: C 2003, "Third", Z
# about C
network C
network D = C(n=1):
# Source: somewhere

network E
"""
    first, third = 'A 2001, "First", X', 'C 2003, "Third", Z'
    assert cited(text) == {"A": first, "B": first, "C": third, "D": third, "E": first}


# --- list -----------------------------------------------------------------------------------------------------------


def test_list_as_csv_and_json() -> None:
    shown = list(csv.DictReader(io.StringIO(run("list", "--format", "csv").stdout)))
    objects = json.loads(run("list", "--format", "json").stdout)
    assert [row["name"] for row in shown] == [one["name"] for one in objects] == list(NETWORKS)
    for row, one in zip(shown, objects, strict=True):
        assert row["macs"] == str(one["macs"])
        assert row["rf"] == "x".join(map(str, one["rf"]))
    sizes = [one["params"] for one in objects if one["file"] == "resnet"]
    assert len(sizes) > 5
    assert sizes == sorted(sizes)


def test_list_words() -> None:
    table = run("list", "VGG", "2014").stdout
    assert "vgg16_bn" in table
    assert "resnet" not in table
    assert "138,357,544" in table
    lenets = run("list", "lenet").stdout
    assert "LeNet5_1998" in lenets
    assert "caffe_lenet" in lenets
    assert "googlenet" not in lenets
    assert "googlenet_paper" in run("list", "oglenet").stdout
    markdown = run("list", "lenet-5", "--format", "markdown").stdout.splitlines()
    assert markdown[0].startswith("| name | input | params | MACs |")
    assert any(line.startswith("| LeNet5 | 32x32x1 | 61,706 | 416,520 | 16x16 |") for line in markdown)
    refused = run("list", "resnet", "nothing-has-this", code=2)
    assert "No network has 'resnet' and 'nothing-has-this'" in refused.stderr
    assert "Did you mean 'resnet18'?" in run("list", "resent18", code=2).stderr


# --- show -----------------------------------------------------------------------------------------------------------


def test_show_prints_the_file() -> None:
    done = subprocess.run([sys.executable, "-m", "cnndsl", "show", "ResNet-50"], capture_output=True)
    assert done.returncode == 0
    assert done.stdout == (ROOT / "specs" / "resnet.cnn").read_bytes()
    assert "did you mean resnet50?" in run("show", "resnt50", code=2).stderr


def test_show_of_a_file_is_as_it_is() -> None:
    Path("odd.cnn").write_bytes("network Ä # \x1b[31m\r\ninput 3".encode())
    done = subprocess.run([sys.executable, "-m", "cnndsl", "show", "odd.cnn"], capture_output=True)
    assert done.stdout == Path("odd.cnn").read_bytes()


def test_show_in_a_terminal() -> None:
    text = 'network A  # "one" \x1b[2J\nuse "#.cnn": b\n'
    plain = drawn_spec(text, Look(80))
    assert plain == 'network A  # "one" \\x1b[2J\nuse "#.cnn": b\n'
    coloured = drawn_spec(text, Look(80, colour=True))
    assert "\x1b[2J" not in coloured
    assert '\x1b[1mnetwork\x1b[0m A  \x1b[2m# "one" \\x1b[2J\x1b[0m\n' in coloured
    assert 'use \x1b[36m"#.cnn"\x1b[0m: b\n' in coloured


# --- new ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates(template: str) -> None:
    done = run("new", "my-net2", "--template", template)
    text = Path("my-net2.cnn").read_text(encoding="utf-8")
    found = check(Source("my-net2.cnn", text))
    assert not found.diagnostics
    assert all(one.graph.name.startswith("MyNet2") for one in found.networks)
    assert "Name" not in text
    trains = any(one.recipe for one in (*found.networks, *found.pairs))
    assert done.stdout.splitlines() == [
        "wrote my-net2.cnn",
        "next: cnndsl check my-net2.cnn",
        *(["next: cnndsl train my-net2.cnn"] if trains else []),
    ]
    assert trains == (template in ("mlp", "cnn", "resnet", "gan", "audio"))
    assert max(map(len, text.splitlines())) <= 120
    # One that has no recipe says what can be done instead.
    assert trains != ("cnndsl compile" in text)


@pytest.mark.slow
@pytest.mark.parametrize(("template", "least"), [("mlp", 90), ("cnn", 95), ("resnet", 95)])
def test_templates_learn_digits(template: str, least: float) -> None:
    run("new", "digits", "--template", template)
    run("train", "digits.cnn", "--quiet")
    (result,) = Path("runs").glob("*/result.json")
    assert 100 * json.loads(result.read_text(encoding="utf-8"))["test"]["accuracy"] >= least


def test_help_of_new_tells_every_template() -> None:
    shown = run("new", "--help").stdout
    assert all(f"\n  {template} " in shown for template in TEMPLATES)


def test_new_of_a_network() -> None:
    said = run("new", "mine.cnn", "--from", "resnet-18").stdout
    assert Path("mine.cnn").read_bytes() == (ROOT / "specs" / "resnet.cnn").read_bytes()
    steps = ["check", "train"]
    assert said == "wrote mine.cnn\n" + "".join(f"next: cnndsl {step} mine.cnn:resnet18\n" for step in steps)
    said = run("new", "a lenet", "--from", "lenet5").stdout
    assert said.splitlines()[1:] == ["next: cnndsl check 'a lenet.cnn'", "next: cnndsl train 'a lenet.cnn'"]


def test_a_spec_that_needs_others_is_not_copied_alone() -> None:
    alone(Source("mine.cnn", "use std.residual: bottleneck\nnetwork A\ninput 8x8x1\nrelu\n"))
    with pytest.raises(click.UsageError) as refused:
        alone(Source("mine.cnn", 'use "a.cnn": one\nuse "parts/b.cnn"\nuse "a.cnn": two\n'))
    assert "mine.cnn uses other files (a.cnn, parts/b.cnn), which a copy" in refused.value.message


@pytest.mark.parametrize("name", files())
def test_every_spec_of_the_zoo_can_be_copied(name: str) -> None:
    source = read(locate(name))
    assert isinstance(source, Source)
    alone(source)


def test_new_never_overwrites() -> None:
    Path("mine.cnn").write_text("mine", encoding="utf-8")
    refused = run("new", "mine", code=2)
    assert "mine.cnn is there already" in refused.stderr
    assert Path("mine.cnn").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--from", "resnt18"], "Did you mean resnet18?"),
        (["x", "--from", "zzzzzz"], "'cnndsl list' shows those there are."),
        (["x", "--from", "resnet18", "--template", "cnn"], "not both"),
        (["no/such/folder"], "can't write no/such/folder.cnn"),
        ([""], "is no name for a file"),
        ([".."], "is no name for a file"),
        (["a\x1bb"], "is no name for a file"),
    ],
)
def test_new_refuses(arguments: list[str], said: str) -> None:
    assert said in run("new", *arguments, code=2).stderr
    assert not list(Path.cwd().glob("*"))


@pytest.mark.parametrize(
    ("stem", "name"),
    [("my-net2", "MyNet2"), ("lenet", "Lenet"), ("2d net", "Net2dNet"), ("é", "Net"), ("UNet", "UNet"), ("a_b", "AB")],
)
def test_names_of_new_networks(stem: str, name: str) -> None:
    assert network_name(stem) == name
    assert check(Source("x.cnn", f"network {name}\ninput 3\ndense 2\n")).ok


def test_figures_of_the_index_are_those_of_check() -> None:
    for name in ("resnet18", "LeNet5", "vgg11"):
        totals = network(name).analysis.totals
        assert totals is not None
        assert NETWORKS[name][2:4] == (totals.params, totals.macs)
