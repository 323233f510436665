"""The report's formats, as pure functions of graphs and analyses built here by hand.

The numbers are LeNet-5's, worked out by hand: a 5x5 kernel over c channels has 25 c + 1 parameters per output.
"""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label
from cnndsl.graph import Edge, Graph, Node, Output
from cnndsl.measure import Analysis, LayerMeasure, Memory, Totals
from cnndsl.numbers import abbreviated, bytes_text, grouped, share
from cnndsl.report import Measured, as_csv, as_json, as_markdown, as_table, as_text, heading, signature
from cnndsl.shape import Shape
from cnndsl.source import Source, Span
from cnndsl.terminal import PLAIN, Look, width_of

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = json.loads((DOCS / "check.schema.json").read_text(encoding="utf-8"))

TEXT = """network LeNet5
input 32x32x1
conv 5x5x6 as c1, tanh
pool 2 avg
conv 5x5x16, tanh
pool 2 avg
dense 120, tanh
dense 84, tanh
dense 10
"""

# name, kind, item as written, output, params, MACs, receptive field
LENET = (
    ("input", "input", "input 32x32x1", (32, 32, 1), 0, 0, (1, 1)),
    ("c1", "conv", "conv 5x5x6", (28, 28, 6), 6 * 26, 28 * 28 * 6 * 25, (5, 5)),
    ("tanh1", "tanh", "tanh", (28, 28, 6), 0, 0, (5, 5)),
    ("pool1", "pool", "pool 2 avg", (14, 14, 6), 0, 0, (6, 6)),
    ("conv2", "conv", "conv 5x5x16", (10, 10, 16), 16 * 151, 10 * 10 * 16 * 150, (14, 14)),
    ("tanh2", "tanh", "tanh", (10, 10, 16), 0, 0, (14, 14)),
    ("pool2", "pool", "pool 2 avg", (5, 5, 16), 0, 0, (16, 16)),
    ("dense1", "dense", "dense 120", (120,), 120 * 401, 120 * 400, (32, 32)),
    ("tanh3", "tanh", "tanh", (120,), 0, 0, (32, 32)),
    ("dense2", "dense", "dense 84", (84,), 84 * 121, 84 * 120, (32, 32)),
    ("tanh4", "tanh", "tanh", (84,), 0, 0, (32, 32)),
    ("dense3", "dense", "dense 10", (10,), 10 * 85, 10 * 84, (32, 32)),
)


def network(
    *,
    name: str = "LeNet5",
    file: str = "lenet.cnn",
    prefix: str = "",
    fails_at: int | None = None,
    repeats: int = 1,
    parameters: dict[str, Any] | None = None,
) -> Measured:
    """LeNet-5, `repeats` times one behind the other; from node `fails_at` on, shapes are unknown."""
    source = Source(file, TEXT)
    nodes: list[Node] = []
    layers: list[LayerMeasure | None] = []
    for repeat in range(repeats):
        for own, kind, item, sizes, params, macs, field in LENET:
            i = len(nodes)
            full = f"{prefix}{own}" if repeats == 1 else f"{prefix}block[{repeat}].{own}"
            unknown = fails_at is not None and i >= fails_at
            start = TEXT.index(item)
            span = Span(source, start, start + len(item))
            inputs = (Edge(i - 1),) if i else ()
            nodes.append(
                Node(i, full, kind, None, inputs, None if unknown else (Shape(sizes),), span, named=own == "c1")
            )
            measure = LayerMeasure(params, params, 0, macs, macs, field, (1, 1), 4 * i)
            layers.append(None if unknown else measure)
    complete = fails_at is None
    params, macs = (repeats * sum(row[k] for row in LENET) for k in (4, 5))
    totals = Totals(params, params, 0, macs, macs, (32, 32), (1, 1), 5 * repeats)
    memory = Memory(32, 4 * params, 34_000, 4 * params, 8 * params, 60_000)
    outputs = (Output("output", Edge(len(nodes) - 1)),)
    graph = Graph(name, tuple(nodes), (0,), outputs, parameters or {}, Span(source, 0, 14))
    return Measured(graph, Analysis(tuple(layers), totals if complete else None, memory if complete else None))


class Problem(Diagnostic):
    """Something wrong."""

    code = "E301"
    title = "a problem"
    message = "{what} is wrong"
    label = "this"
    help = "mend it"


def problem(what: str = "something") -> Diagnostic:
    source = Source("lenet.cnn", TEXT)
    span = Span(source, 15, 28)
    return Problem(span, labels=(Label(span, "too"),), fixes=(Fix("so", (Edit(span, "input 9x9x1"),)),), what=what)


# --- the table ------------------------------------------------------------------------------------------------------

PLAIN_TABLE = """\
LeNet5 in lenet.cnn: 32x32x1 -> 10

layer   kind   output    params  share     MACs  share  receptive field
-----------------------------------------------------------------------
input   input  32x32x1        0               0                     1x1
c1      conv   28x28x6      156   0.3%  117,600  28.2%              5x5
tanh1   tanh   28x28x6        0               0                     5x5
pool1   pool   14x14x6        0               0                     6x6
conv2   conv   10x10x16   2,416   3.9%  240,000  57.6%            14x14
tanh2   tanh   10x10x16       0               0                   14x14
pool2   pool   5x5x16         0               0                   16x16
dense1  dense  120       48,120  78.0%   48,000  11.5%            32x32
tanh3   tanh   120            0               0                   32x32
dense2  dense  84        10,164  16.5%   10,080   2.4%            32x32
tanh4   tanh   84             0               0                   32x32
dense3  dense  10           850   1.4%      840   0.2%            32x32
-----------------------------------------------------------------------
total                    61,706         416,520                   32x32

params     61,706
MACs       416,520 (833,040 FLOPs)
depth      5 weighted layers
inference  281 kB of memory at batch 32: weights 247 kB, activations 34.0 kB
training   1.05 MB of memory at batch 32: weights 247 kB, gradients 247 kB, optimizer 494 kB, saved activations 60.0 kB
"""


def test_the_table_as_a_pipe_gets_it() -> None:
    assert as_table.table(network()) == PLAIN_TABLE


def test_40_columns() -> None:
    rows = as_table.table(network(), Look(40)).split("\n")
    assert rows[:8] == [
        "LeNet5 in lenet.cnn: 32x32x1 -> 10",
        "",
        "layer   kind   output    params   MACs",
        "--------------------------------------",
        "input   input  32x32x1        0      0",
        "c1      conv   28x28x6      156   118k",
        "tanh1   tanh   28x28x6        0      0",
        "pool1   pool   14x14x6        0      0",
    ]
    assert rows[17] == "total                     61.7k   417k"
    assert " ".join(rows[19:21]).startswith("No room for: share, field.")


@pytest.mark.parametrize("width", [24, 30, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("connections", [False, True])
@pytest.mark.parametrize("prefix", ["", "stage1.bottleneck[12].", "段階."])
def test_no_row_is_wider_than_the_terminal(width: int, connections: bool, prefix: str) -> None:
    both = [network(prefix=prefix), network(fails_at=4)]
    text = as_table.render(both, Look(width), connections=connections, all_rows=True)
    assert max(width_of(row) for row in text.split("\n")) <= width
    if width >= 100:
        assert "share" in text
        assert "receptive field" in text
        assert ("connections" in text) == connections


def test_columns_stay_aligned_with_wide_names() -> None:
    rows = as_table.table(network(prefix="段階.")).split("\n")[2:17]
    assert len({width_of(row) for row in rows}) == 1


def test_names_that_are_cut_keep_their_ends() -> None:
    text = as_table.table(network(prefix="stage1.bottleneck[12]."), Look(60, False, True))
    assert re.search(r"^…tleneck\[12\]\.dense1  dense ", text, re.MULTILINE)


def test_what_a_layer_without_shape_looks_like() -> None:
    rows = as_table.table(network(fails_at=4)).split("\n")
    assert rows[0] == "LeNet5 in lenet.cnn: 32x32x1 -> ?"
    assert rows[7:] == [
        "pool1  pool   14x14x6       0               0                     6x6",
        "conv2  conv   ?             ?               ?",
        "",
        "7 more layers, of unknown shape, follow.",
        "",
    ]


COUNTED_TEXT = (
    "Counted for one example. MACs: multiply-accumulates of convolutions, matrix products and weighted sums, "
    "without bias; FLOPs = 2 MACs. Shared weights count once."
)


def test_several_networks_get_a_line_each() -> None:
    text = as_table.render([network(), network(name="Broken", file="b.cnn", fails_at=4)])
    assert text.split("\n\n") == [
        "network  file       input    output  params     MACs  receptive field\n"
        "---------------------------------------------------------------------\n"
        "LeNet5   lenet.cnn  32x32x1  10      61,706  416,520            32x32\n"
        "Broken   b.cnn      32x32x1  ?            ?        ?",
        "The layers of one alone: cnndsl check lenet.cnn:LeNet5; of all of them: --all",
        f"{COUNTED_TEXT} The receptive field is that of the last feature map.\n",
    ]


def test_networks_of_one_file() -> None:
    both = [network(), network(name="Wide", parameters={"width": 2, "act": "relu"})]
    title, rows, *_ = as_table.render(both, connections=True).split("\n\n")
    assert title == "2 networks in lenet.cnn"
    assert rows.splitlines()[0].split() == [
        *("network", "with", "input", "output", "params", "MACs", "connections", "receptive", "field")
    ]
    assert rows.splitlines()[3].startswith("Wide     width=2, act=relu  32x32x1  10  ")


def test_all_layers_of_several_networks() -> None:
    text = as_table.render([network(), network(name="Other")], all_rows=True)
    assert [line.split(" in ")[0] for line in text.splitlines() if " in lenet.cnn" in line] == [
        "LeNet5",
        "Other",
        "2 networks",
    ]
    assert "The layers of one" not in text


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_a_table_of_several_fits(width: int) -> None:
    lines = as_table.render([network(), network(name="Second" * 4)], Look(width)).splitlines()
    assert [line for line in lines if width_of(line) > width and " " in line] == []


def test_a_network_of_which_nothing_is_known_has_no_table() -> None:
    empty = Graph("Empty", (), (), (), {}, Span(Source("a.cnn", ""), 0, 0))
    nothing = Measured(empty, Analysis((), None, None))
    assert as_table.render([nothing]) == ""
    assert as_table.render([]) == ""
    assert json.loads("".join(as_json.render([nothing], [])))["networks"][0]["layers"] == []


def test_shared_weights_are_said_to_be_shared() -> None:
    graph, analysis, _ = network()
    nodes = (*graph.nodes[:-1], graph.nodes[-1]._replace(shares=9))
    shared = Measured(graph._replace(nodes=nodes), analysis)
    assert re.search(r"^dense3  dense  10 +shared ", as_table.table(shared), re.MULTILINE)
    assert "| dense3 | dense | 10 | shared |" in "".join(as_markdown.render([shared]))
    assert json.loads("".join(as_json.render([shared], [])))["networks"][0]["layers"][-1]["shares"] == 9


def test_frozen_parameters_and_buffers_are_told_apart() -> None:
    graph, analysis, _ = network()
    totals = Totals(100, 70, 840, 5, 5, (1, 1), (1, 1), 1)
    text = as_table.table(Measured(graph, analysis._replace(totals=totals)))
    assert "params     100 (70 trained, 30 frozen), and 840 numbers in buffers\n" in text


def test_a_terminal_folds_a_long_table_and_a_pipe_does_not() -> None:
    long = network(repeats=200)
    shown = as_table.table(long, Look(80, terminal=True))
    assert len(shown.split("\n")) < 120
    assert "... 2,300 more layers; --all shows them" in shown
    assert len(as_table.table(long, Look(80, terminal=True), all_rows=True).split("\n")) > 2400
    assert len(as_table.table(long, Look(80)).split("\n")) > 2400
    assert len(as_table.table(long, PLAIN).split("\n")) > 2400


def test_colours_only_add_escapes() -> None:
    text = as_table.render([network(), network()], Look(100, True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == as_table.render([network(), network()], Look(100))


def test_names_with_escapes_are_made_visible_everywhere() -> None:
    bad = network(prefix="\x1b[2J", name="N\x07", file="\x1b]0;.cnn")
    texts = [
        as_table.render([bad, bad], Look(100, False, True)),
        "".join(as_csv.render([bad])).replace("\r\n", "\n"),
        "".join(as_markdown.render([bad])),
        "".join(as_json.render([bad], [])),
        "".join(as_text.graph(bad.graph)),
        "".join(as_text.analysis(bad.graph, bad.analysis)),
        "".join(as_text.tree(bad.graph.span.source, [])),
    ]
    for text in texts:
        assert not [c for c in text if c != "\n" and not c.isprintable()]


def test_headings() -> None:
    given = network(parameters={"depth": 50, "kernel": (3, 3), "se": False, "long": "x" * 100})
    assert heading(given.graph) == f"LeNet5(depth=50, kernel=3x3, se=false, long={'x' * 37}...)"
    two = given.graph._replace(inputs=(0, 1), outputs=(*given.graph.outputs, Output("early", Edge(3))))
    assert signature(two) == "input 32x32x1, c1 28x28x6 -> output 10, early 14x14x6"
    only_training = given.graph._replace(outputs=(Output("early", Edge(3), training=True), *given.graph.outputs))
    assert signature(only_training) == "32x32x1 -> 10"


# --- JSON -----------------------------------------------------------------------------------------------------------


def as_document(networks: list[Measured], diagnostics: list[Diagnostic]) -> Any:
    document = json.loads("".join(as_json.render(networks, diagnostics)))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def test_json_of_a_good_network() -> None:
    document = as_document([network(parameters={"depth": 50, "act": "relu"})], [])
    assert document["version"] == 1
    assert "flops = 2 * macs" in document["convention"]
    (net,) = document["networks"]
    assert (net["name"], net["parameters"]) == ("LeNet5", {"depth": 50, "act": "relu"})
    assert net["inputs"] == [
        {"name": "input", "layer": 0, "axes": ["height", "width", "channels"], "shape": [32, 32, 1]}
    ]
    assert net["outputs"][0]["shape"] == [10]
    assert net["totals"]["params"] == 61_706
    assert net["totals"]["macs"] == 416_520
    assert net["totals"]["flops"] == 833_040
    assert net["totals"]["receptive_field"] == [32, 32]
    assert net["memory"]["inference"] == 4 * 61_706 + 34_000
    layer = net["layers"][1]
    assert layer["id"] == 1
    assert layer["inputs"] == [0]
    assert layer["outputs"] == [{"axes": ["height", "width", "channels"], "shape": [28, 28, 6]}]
    assert layer["span"] == {"file": "lenet.cnn", "line": 3, "column": 1, "end_line": 3, "end_column": 11}
    assert (layer["name"], layer["named"], layer["params"], layer["macs"]) == ("c1", True, 156, 117_600)


def test_json_of_a_broken_network_holds_what_is_known() -> None:
    document = as_document([network(fails_at=4)], [problem()])
    (net,) = document["networks"]
    assert net["totals"] is None
    assert net["memory"] is None
    assert net["outputs"][0]["shape"] is None
    assert net["layers"][3]["params"] == 0
    assert net["layers"][4]["outputs"] == [{"axes": None, "shape": None}]
    assert net["layers"][4]["params"] is None
    (diagnostic,) = document["diagnostics"]
    assert diagnostic["span"] == {"file": "lenet.cnn", "line": 2, "column": 1, "end_line": 2, "end_column": 14}
    assert diagnostic["message"] == "something is wrong"
    assert diagnostic["notes"] == ["help: mend it"]
    assert diagnostic["fixes"][0]["edits"][0]["text"] == "input 9x9x1"


def test_json_of_nothing() -> None:
    assert as_document([], []) == {"version": 1, "convention": as_json.CONVENTION, "networks": [], "diagnostics": []}


def test_json_keeps_large_integers_and_odd_values() -> None:
    graph, analysis, _ = network()
    huge = 2**80 + 1
    layers = (analysis.layers[0]._replace(macs=huge), *analysis.layers[1:])  # type: ignore[union-attr]
    parameters = {"a": float("inf"), "b": [1, 2.5, None, True], "c": {50: "é\u202e"}, "d": object}
    document = as_document([Measured(graph._replace(parameters=parameters), analysis._replace(layers=layers))], [])
    (net,) = document["networks"]
    assert net["layers"][0]["macs"] == huge
    assert net["parameters"]["a"] == {"expr": "inf"}
    assert net["parameters"]["b"] == [1, 2.5, None, True]
    assert net["parameters"]["c"] == {"50": "é\u202e"}
    assert set(net["parameters"]["d"]) == {"expr"}


def test_json_of_symbols_and_of_other_outputs() -> None:
    class Symbol:
        def __str__(self) -> str:
            return "H//2"

    graph, analysis, _ = network()
    nodes = list(graph.nodes)
    nodes[1] = nodes[1]._replace(shapes=(Shape((Symbol(), 28, 6)),))
    nodes[2] = nodes[2]._replace(inputs=(Edge(0, 0), Edge(1, 2)))
    document = as_document([Measured(graph._replace(nodes=tuple(nodes)), analysis)], [])
    layers = document["networks"][0]["layers"]
    assert layers[1]["outputs"][0]["shape"] == [{"expr": "H//2"}, 28, 6]
    assert layers[2]["inputs"] == [0, 1]
    assert layers[2]["input_outputs"] == [0, 2]
    assert "input_outputs" not in layers[1]


def test_json_is_ascii() -> None:
    assert "".join(as_json.render([network(prefix="段")], [problem("é")])).isascii()


def test_the_documented_example_has_the_documented_form() -> None:
    page = (DOCS / "json.md").read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(example))


def test_every_field_is_documented() -> None:
    page = (DOCS / "json.md").read_text(encoding="utf-8")

    def names(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(names, node), set())
        if not isinstance(node, dict):
            return set()
        own = set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
        return own.union(*map(names, node.values()))

    assert [name for name in sorted(names(SCHEMA)) if f"`{name}`" not in page] == []


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_csv_reads_back() -> None:
    text = "".join(as_csv.render([network(), network(name="Broken", fails_at=4)]))
    assert text.replace("\r\n", "").find("\n") == -1
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 24
    assert rows[1] == {
        "file": "lenet.cnn",
        "network": "LeNet5",
        "id": "1",
        "layer": "c1",
        "kind": "conv",
        "output": "28x28x6",
        "params": "156",
        "trainable": "156",
        "buffers": "0",
        "macs": "117600",
        "connections": "117600",
        "receptive_field": "5x5",
        "stride": "1x1",
        "saved_bytes": "4",
        "auxiliary": "no",
        "line": "3",
    }
    assert sum(int(row["params"]) for row in rows[:12]) == 61_706
    assert rows[16]["output"] == rows[16]["params"] == rows[16]["stride"] == ""
    assert rows[16]["line"] == "5"


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_csv_cells_are_no_formulas(start: str) -> None:
    (row,) = csv.reader(io.StringIO(as_csv.cell(start), newline=""))
    assert row == ["'" + start]


@pytest.mark.parametrize("text", ["", "plain", "a,b", 'say "x"', "two\nlines", "a\r\nb", "'", "é;漢"])
def test_csv_cells_read_back(text: str) -> None:
    (row,) = csv.reader(io.StringIO(as_csv.cell(text) + ",end\r\n", newline=""))
    assert row == [text, "end"]


def test_csv_of_a_file_whose_name_has_a_comma_and_a_formula() -> None:
    rows = list(csv.reader(io.StringIO("".join(as_csv.render([network(file="=a,b.cnn")])), newline="")))
    assert {len(row) for row in rows} == {len(as_csv.COLUMNS)}
    assert rows[1][0] == "'=a,b.cnn"


# --- Markdown -------------------------------------------------------------------------------------------------------


def cells(markdown: str) -> list[list[str]]:
    """The text of every table cell, row by row, as a Markdown parser sees it."""
    rows: list[list[str]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    for before, token in pairwise(tokens):
        if before.type == "tr_open":
            rows.append([])
        if before.type in ("th_open", "td_open"):
            rows[-1].append("".join(c.content for c in token.children or [] if c.type in ("text", "text_special")))
    return rows


def test_markdown_is_a_table() -> None:
    text = "".join(as_markdown.render([network()]))
    rows = cells(text)
    assert rows[0] == ["layer", "kind", "output", "params", "share", "MACs", "share", "receptive field"]
    assert rows[2] == ["c1", "conv", "28x28x6", "156", "0.3%", "117,600", "28.2%", "5x5"]
    assert rows[-1] == ["total", "", "", "61,706", "", "416,520", "", "32x32"]
    assert len(rows) == 14
    assert text.startswith("### LeNet5\n\n`lenet.cnn`: 32x32x1 -> 10\n\n| layer |")


def test_markdown_of_a_broken_network_and_connections() -> None:
    rows = cells("".join(as_markdown.render([network(fails_at=4)], connections=True)))
    assert rows[0][7] == "connections"
    assert rows[5] == ["conv2", "conv", "?", "?", "", "?", "", "?", ""]
    assert {len(row) for row in rows} == {9}


@pytest.mark.parametrize(
    "name", ["a|b", "_a_", "*a*", "`a`", "a_b", "<b>", "a&amp;b", "[a](b)", "\\", "\\|", "~~a~~", "@you", "$a$", "a\nb"]
)
def test_markdown_shows_any_name_as_it_is(name: str) -> None:
    graph, analysis, _ = network()
    nodes = (graph.nodes[0]._replace(name=name), *graph.nodes[1:])
    rows = cells("".join(as_markdown.render([Measured(graph._replace(nodes=nodes), analysis)])))
    assert rows[1][0] == name.replace("\n", "\\n")
    assert len(rows[1]) == 8


@pytest.mark.parametrize("name", ["a.cnn", "`a`.cnn", "a``b.cnn", "@you/#1.cnn"])
def test_markdown_file_names_are_code(name: str) -> None:
    (inline,) = (t for t in MarkdownIt().parse(as_markdown.code(name)) if t.type == "inline")
    assert [(c.type, c.content) for c in inline.children or []] == [("code_inline", name)]


# --- numbers --------------------------------------------------------------------------------------------------------


def test_numbers() -> None:
    assert [grouped(n) for n in (0, 999, 1000, 61_706, 10**15, None)] == [
        "0",
        "999",
        "1,000",
        "61,706",
        "1,000,000,000,000,000",
        "?",
    ]
    assert [abbreviated(n) for n in (0, 999, 1000, 1005, 61_706, 999_499, 999_500, 4_089_184_256, 10**20)] == [
        "0",
        "999",
        "1.00k",
        "1.01k",
        "61.7k",
        "999k",
        "1.00M",
        "4.09G",
        "100,000P",
    ]
    assert [bytes_text(n) for n in (0, 999, 1000, 246_824, 99_949, 99_950, 1_047_296, 10**400)][:7] == [
        "0 B",
        "999 B",
        "1.00 kB",
        "247 kB",
        "99.9 kB",
        "100 kB",
        "1.05 MB",
    ]
    assert [share(*pair) for pair in ((1, 3), (2, 3), (1, 10_000), (5, 5), (0, 5), (None, 5), (5, None), (0, 0))] == [
        "33.3%",
        "66.7%",
        "<0.1%",
        "100%",
        "",
        "",
        "",
        "",
    ]


# --- what the stages made -------------------------------------------------------------------------------------------


def test_emitted_graph_and_analysis() -> None:
    graph, analysis, _ = network()
    rows = "".join(as_text.graph(graph)).split("\n")
    assert rows[0] == "network LeNet5"
    assert rows[2] == "  1 c1 = conv of (0) -> 28x28x6 at lenet.cnn:3:1"
    assert rows[13] == "  output output = 11.0"
    rows = "".join(as_text.analysis(graph, analysis)).split("\n")
    assert rows[2].startswith("  1 c1: params=156, trainable=156, buffers=0, macs=117600,")
    assert rows[13].startswith("  totals: params=61706,")
    assert "unknown" in "".join(as_text.analysis(*network(fails_at=4)[:2]))
