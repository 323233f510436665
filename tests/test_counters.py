"""How other tools count: what `--count` says is what the tools themselves print."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import torch
from counted import CASES
from counting_tools import printed

from cnndsl.cli import main
from cnndsl.cli.check import COUNTERS
from cnndsl.graph import Graph
from cnndsl.layers import all_kinds
from cnndsl.measure.analyse import analyse
from cnndsl.measure.counters import NAMES, Counted, count, counter_named
from cnndsl.pipeline import Options, check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

torch.set_num_threads(1)

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "reference" / "counters.csv"
OTHERS = NAMES[1:]
RUN_HERE = ("torch", "fvcore", "torchinfo", "thop", "ptflops")
"""The tools that the development environment has; of the others there is what they once printed."""


@cache
def graph_of(spec: str) -> Graph:
    checked = check(Source("case.cnn", spec))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []
    return checked.networks[0].graph


def counted(spec: str, counter: str) -> Counted:
    return count(graph_of(spec), counter_named(counter))


@cache
def measured() -> dict[str, dict[str, int]]:
    """What each tool printed for each case; an empty cell, where a tool failed, is left out."""
    with REFERENCE.open(encoding="utf-8") as file:
        file.readline()
        return {row.pop("name"): {tool: int(n) for tool, n in row.items() if n} for row in csv.DictReader(file)}


PRINTED = [(tool, name) for tool in OTHERS for name in CASES if tool in measured()[name]]


@pytest.mark.parametrize(("tool", "name"), PRINTED)
def test_counts_are_what_the_tools_printed(tool: str, name: str) -> None:
    assert counted(CASES[name].spec, tool).total == measured()[name][tool]


@pytest.mark.parametrize(("tool", "name"), [(tool, name) for tool, name in PRINTED if tool in RUN_HERE])
def test_the_tools_print_it_here_too(tool: str, name: str) -> None:
    case = CASES[name]
    assert printed(tool, case.module(), case.inputs()) == measured()[name][tool]


RESNET_50 = (ROOT / "specs" / "resnet.cnn").read_text(encoding="utf-8")

GOLDEN = {
    "lenet5": {
        "core": 416_520,
        "torch": 833_040,
        "fvcore": 416_520,
        "torchinfo": 423_038,
        "thop": 416_520,
        "ptflops": 448_662,
        "calflops": 852_156,
    },
    "resnet50": {
        "core": 4_089_184_256,
        "torch": 8_178_368_512,
        "fvcore": 4_111_512_576,
        "torchinfo": 4_089_238_376,
        "thop": 4_133_742_592,
        "ptflops": 4_132_436_968,
        "calflops": 8_211_108_352,
    },
}
"""The same networks in torchvision and in PyTorch's tutorials, as the tools print them."""


@pytest.mark.parametrize("name", NAMES)
def test_known_networks(name: str) -> None:
    assert counted(CASES["lenet5"].spec, name).total == GOLDEN["lenet5"][name]
    assert counted(RESNET_50, name).total == GOLDEN["resnet50"][name]


def test_core_is_the_macs_of_the_analysis() -> None:
    for case in CASES.values():
        graph = graph_of(case.spec)
        analysis = analyse(graph)
        assert analysis.totals is not None
        found = count(graph, counter_named("core"))
        assert found.total == found.core == analysis.totals.macs
        assert found.layers == tuple(m.macs for m in analysis.layers if m is not None)


@pytest.mark.parametrize("name", NAMES)
def test_reasons_add_up(name: str) -> None:
    """Every layer's count is in the total, and the reasons make the whole difference from core."""
    for spec in (*(case.spec for case in CASES.values()), RESNET_50):
        found = counted(spec, name)
        assert found.total == sum(n for n in found.layers if n is not None)
        assert found.total - found.core == sum(group.amount for group in found.groups)
        assert all(group.amount and group.layers for group in found.groups)


SAME_EITHER_WAY = ("torch", "fvcore", "torchinfo")
"""Tools to which it is one whether a network calls `nn.ReLU` or, as the compiled one does, `F.relu`."""

ZOO = [
    ("alexnet", "alexnet", "64x64x3"),
    ("googlenet", "googlenet", "64x64x3"),
    ("se_resnet", "se_resnet50", "32x32x3"),
    ("densenet", "densenet121", "32x32x3"),
    ("mobilenet_v3", "mobilenet_v3_small", "32x32x3"),
    ("shufflenet_v2", "shufflenet_v2_x0_5", "32x32x3"),
    ("efficientnet", "efficientnet_b0", "32x32x3"),
    ("convnext", "convnext_tiny", "32x32x3"),
    ("vit", "vit_b_32", "64x64x3"),
    ("r3d", "r3d_18", "4x16x16x3"),
    ("crnn", "crnn", None),
]


@pytest.mark.parametrize(("file", "network", "size"), ZOO, ids=[network for _, network, _ in ZOO])
def test_whole_networks(file: str, network: str, size: str | None) -> None:
    source = Source(file, (ROOT / "specs" / f"{file}.cnn").read_text(encoding="utf-8"))
    graph = check(source, Options(network=network, input=size)).networks[0].graph
    shapes = graph.nodes[0].shapes
    assert shapes is not None
    x = torch.randn(1, shapes[0].channels, *shapes[0].spatial)
    for tool in SAME_EITHER_WAY:
        assert count(graph, counter_named(tool)).total == printed(tool, build_module(graph), x), tool


# --- the page ------------------------------------------------------------------------------------------------------

PAGE = ROOT / "docs" / "counting.md"
LISTED = [
    ("conv 3x3x8 pad=1", "8x8x4"),
    ("conv 3x3x8 pad=1 groups=4 nobias", "8x8x4"),
    ("deconv 2x2x8 /2", "8x8x4"),
    ("dense 10", "256"),
    ("linear 10", "16x64"),
    ("attention 4", "16x64"),
    ("lstm 32", "16x64"),
    ("embedding 100x64", "16 tokens"),
    ("bn", "8x8x4"),
    ("ln", "16x64"),
    ("gn 2", "8x8x4"),
    ("lrn 5", "8x8x4"),
    ("relu", "8x8x4"),
    ("relu6", "8x8x4"),
    ("prelu", "8x8x4"),
    ("gelu", "8x8x4"),
    ("silu", "8x8x4"),
    ("sigmoid", "8x8x4"),
    ("softmax", "8x8x4"),
    ("pool 2", "8x8x4"),
    ("pool 2 avg", "8x8x4"),
    ("globalpool avg", "8x8x4"),
    ("adaptivepool 3", "8x8x4"),
    ("upsample 2", "8x8x4"),
    ("upsample 2 bilinear", "8x8x4"),
    ("dropout", "8x8x4"),
]


def listing() -> str:
    """The page's table: what each tool counts of one layer."""
    lines = [f"| layer | input | {' | '.join(NAMES)} |\n", f"|---|---|{'---:|' * len(NAMES)}\n"]
    for item, size in LISTED:
        spec = CASES["conv"]._replace(lines=item, size=size).spec
        counts = " | ".join(f"{counted(spec, name).total:,}" for name in NAMES)
        lines.append(f"| `{item}` | {size} | {counts} |\n")
    return "".join(lines)


def test_the_page_lists_what_is_counted(request: pytest.FixtureRequest) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition("<!-- table -->\n")
    table, _, after = rest.partition("<!-- end of table -->\n")
    if request.config.getoption("--rewrite"):
        PAGE.write_text(f"{before}<!-- table -->\n{listing()}<!-- end of table -->\n{after}", encoding="utf-8")
        return
    assert table == listing()


def test_the_page_has_the_known_networks() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in NAMES:
        known = (GOLDEN["lenet5"][name], GOLDEN["resnet50"][name])
        assert f"| `{name}` | {known[0]:,} | {known[1]:,} | {counter_named(name).unit} |" in page


# --- what is printed ------------------------------------------------------------------------------------------------

LENET = CASES["lenet5"].spec


@pytest.fixture
def lenet(tmp_path: Path) -> str:
    path = tmp_path / "lenet.cnn"
    path.write_text(LENET, encoding="utf-8")
    return str(path)


def printed_by(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["check", *arguments]) == code
    return capsys.readouterr().out


def test_the_command_knows_every_counter() -> None:
    assert COUNTERS == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_table_says_what_it_counts(name: str, lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed_by(capsys, lenet, "--count", name)
    counter = counter_named(name)
    total = next(line for line in text.splitlines() if line.startswith("total"))
    assert counter.title in text.splitlines()[2]
    assert f"{GOLDEN['lenet5'][name]:,}" in total
    assert counter.said() in text


def test_core_is_what_is_printed_anyway(lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain = printed_by(capsys, lenet)
    core = printed_by(capsys, lenet, "--count", "core")
    assert core.startswith(plain.partition("Counted for")[0])
    assert printed_by(capsys, lenet, "--format", "csv") == printed_by(
        capsys, lenet, "--format", "csv", "--count", "core"
    )


def test_why_in_the_table(lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed_by(capsys, lenet, "--count", "ptflops", "--why")
    assert "ptflops MACs: 448,662 = 416,520 core MACs + 32,142. The difference:" in text
    said = [line.split()[0] for line in text.partition("The difference:\n")[2].partition("\n\n")[0].splitlines()]
    assert said == ["+13,016", "+12,608", "+6,518"]  # activations, pools, biases
    assert sum(int(number.replace(",", "")) for number in said) == 448_662 - 416_520
    assert "(pool2 and pool2_2)" in text
    assert "(4 layers: conv5x5x6_relu, conv5x5x16_relu, dense120_relu, …)" in text
    assert "fvcore FLOPs: 416,520, as core counts every layer." in printed_by(
        capsys, lenet, "--count", "fvcore", "--why"
    )


def test_markdown(lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed_by(capsys, lenet, "--count", "torchinfo", "--why", "--format", "markdown")
    assert "| params | share | torchinfo mult-adds | share |" in text
    assert "**423,038**" in text
    assert "| +6,518 | torchinfo counts biases as well | 5 layers: conv5x5x6, conv5x5x16, dense120, … |" in text
    assert "<sub>torchinfo mult-adds: as torchinfo 1.8.0 counts" in text
    assert "| +" not in printed_by(capsys, lenet, "--count", "torchinfo", "--format", "markdown")


def test_csv(lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed_by(capsys, lenet, "--count", "torchinfo", "--format", "csv")
    rows = list(csv.DictReader(text.splitlines()))
    assert "macs" not in rows[0]
    assert sum(int(row["torchinfo_mult_adds"]) for row in rows) == 423_038


def test_json(lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((ROOT / "docs" / "check.schema.json").read_text(encoding="utf-8"))
    plain = json.loads(printed_by(capsys, lenet, "--format", "json"))
    document = json.loads(printed_by(capsys, lenet, "--format", "json", "--count", "calflops", "--why"))
    jsonschema.Draft202012Validator(schema).validate(document)
    (network,) = document["networks"]
    found = network.pop("count")
    assert (found["name"], found["unit"], found["total"], found["core"]) == ("calflops", "FLOPs", 852_156, 416_520)
    assert sum(reason["amount"] for reason in found["why"]) == 852_156 - 416_520
    for reason in found["why"]:
        assert sum(layer["amount"] for layer in reason["layers"]) == reason["amount"]
    assert sum(layer.pop("count") for layer in network["layers"]) == 852_156
    assert document == plain
    without = json.loads(printed_by(capsys, lenet, "--format", "json", "--count", "calflops"))
    assert "why" not in without["networks"][0]["count"]


@pytest.mark.parametrize("options", [["--why"], ["--why", "--count", "thop", "--format", "csv"]])
def test_why_needs_a_count(options: list[str], lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", lenet, *options]) == 2
    assert "--why explains --count" in capsys.readouterr().err


def test_an_unknown_tool_is_refused(lenet: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", lenet, "--count", "deepspeed"]) == 2
    assert "torchinfo" in capsys.readouterr().err


def test_of_a_spec_with_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.cnn"
    path.write_text("network N\ninput 8x8x3\nconv 9x9x4\nrelu\n", encoding="utf-8")
    for form in ("table", "markdown", "json"):
        text = printed_by(capsys, str(path), "--count", "fvcore", "--why", "--format", form, code=1)
        assert "unknown" in text or '"total": null' in text


# --- kinds of our own -----------------------------------------------------------------------------------------------

# What PyTorch has no module for is counted as the class that `compile` writes for it.
OWN = {
    "connect": ("conv 3x3x3 connect=[[0, 1], [1, 2], [0, 1, 2]]", "6x6x3"),
    "connect nobias": ("conv 3x3x3 pad=1 nobias connect=[[0], [1, 2], [0, 2]]", "6x6x3"),
    "subsample": ("subsample 2", "8x6x4"),
    "rbf": ("rbf 5", "12"),
    "layerscale": ("layerscale 0.1", "5x6x4"),
    "posembed": ("posembed", "7x8"),
    "posembed sincos": ("conv 1x8, posembed sincos", "7x8"),
    "clstoken": ("clstoken, token 0", "7x8"),
    "droppath": ("conv 3x3x4, droppath 0.1", "5x6x4"),
    "step": ("conv 3x3x4, step, noise 0.1", "5x6x4"),
    "rbf digits": ("rbf 10 centres=digits", "84"),
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("tool", RUN_HERE)
def test_kinds_that_pytorch_lacks(tool: str, name: str) -> None:
    lines, size = OWN[name]
    case = CASES["conv"]._replace(lines=lines, size=size)
    graph = graph_of(case.spec)
    # ptflops asks the first parameter which type the input has.
    assert count(graph, counter_named(tool)).total == printed(tool, build_module(graph), case.inputs())


def test_heads_that_only_serve_training_are_not_run_in_evaluation() -> None:
    spec = """network N
input 8x8x3
conv 3x3x4, relu
output early training:
    globalpool, dense 5
conv 3x3x8, globalpool, dense 5
"""
    without = spec.replace("output early training:\n    globalpool, dense 5\n", "")
    for name in NAMES:
        assert counted(spec, name).total == counted(without, name).total
        assert sum(n or 0 for n in counted(spec, name).layers) > (counted(spec, name).total or 0)


def test_what_has_no_shape_has_no_count() -> None:
    graph = check(Source("t.cnn", "network N\ninput 8x8x3\nconv 9x9x4\nrelu\n")).networks[0].graph
    found = count(graph, counter_named("fvcore"))
    assert found.total is None
    assert found.layers == (0, None, None)


def test_tables_name_primitives_that_exist() -> None:
    existing = set()
    for kind in all_kinds():
        for example in kind.examples:
            graph = graph_of(example.spec())
            for node in graph.nodes:
                if node.layer is not None and node.shapes is not None:
                    inputs = tuple(graph.shape_of(edge) for edge in node.inputs)
                    for op in node.layer.operations(inputs, node.shapes):  # type: ignore[arg-type]
                        existing |= {op.primitive, f"{node.kind}.{op.primitive}"}
    for name in NAMES:
        assert set(counter_named(name).terms) <= existing


@pytest.mark.parametrize("name", OTHERS)
def test_conventions_name_the_tool_and_its_version(name: str) -> None:
    counter = counter_named(name)
    said = counter.said()
    assert said.startswith(f"{name} {counter.unit}: as ")
    assert counter.tool in said
    with REFERENCE.open(encoding="utf-8") as file:
        versions = dict(pair.split() for pair in file.readline().removeprefix("# ").split(", "))
    number = counter.tool.rpartition(" ")[2]
    assert versions[name].startswith(number + ".") or versions[name].split("+")[0].startswith(number)
