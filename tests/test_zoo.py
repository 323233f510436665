"""The networks of specs/ are those of the papers and libraries: to the integer, and layer by layer."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from zoo_specs import FILES, REFERENCE, SECTIONS, Row, Section, check_file, input_sizes, network, rows, spelled

from cnndsl.graph import Graph
from cnndsl.measure import LayerMeasure
from cnndsl.shape import Shape

ROWS = rows()
TABLES = sorted((REFERENCE / "layers").glob("*.csv"))

# --- published figures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.table}:{row.name}")
def test_figures_are_the_published_ones(row: Row) -> None:
    name = spelled(row.name)
    assert name is not None, f"no spec has the network {row.name}"
    found = network(name)
    if row.input not in ("", *input_sizes(found.graph)):
        found = network(name, row.input)
    totals = found.analysis.totals
    assert totals is not None
    assert row.params in (None, totals.params), row.source
    assert row.macs in (None, totals.macs), row.source


def test_references_are_named_once() -> None:
    twice = [name for name, count in Counter((row.table, row.name, row.input) for row in ROWS).items() if count > 1]
    assert not twice


# --- layer by layer -------------------------------------------------------------------------------------------------

# What a layer is, by PyTorch's name for its module and by the kind's name here.
SORTS = {
    # A dense layer is a convolution as large as its input.
    **dict.fromkeys(("Conv2d", "ConvTranspose2d", "Linear", "conv", "dwconv", "deconv", "dense", "linear"), "sums"),
    **dict.fromkeys(("MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "pool", "globalpool", "adaptivepool"), "pool"),
    **dict.fromkeys(("BatchNorm2d", "LocalResponseNorm", "bn", "lrn"), "norm"),
}
# What a table may have besides, and what is not compared: each is one line here and may be several there.
OTHERS = {"ReLU", "ReLU6", "SiLU", "Sigmoid", "Tanh", "Dropout", "StochasticDepth", "Flatten"}


class Layer(NamedTuple):
    """One layer: its sort, its output's sizes in PyTorch's order without trailing ones, parameters, MACs."""

    sort: str
    output: tuple[int, ...]
    params: int
    macs: int


def table_layers(path: Path) -> Iterator[Layer]:
    """The layers of a table that are compared."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["type"] in OTHERS:
                continue
            before, after = (sizes(row[key], batch="repr" in row) for key in ("in", "out"))
            if row["type"].startswith("Adaptive") and before == after:
                continue  # takes every cell as it is
            yield Layer(SORTS[row["type"]], after, int(row["params"]), int(row["macs"]))


def sizes(text: str, *, batch: bool) -> tuple[int, ...]:
    numbers = [int(number) for number in text.split("x")]
    return without_ones(numbers[1:] if batch else numbers)


def without_ones(numbers: list[int]) -> tuple[int, ...]:
    """Sizes in PyTorch's order, where 1000x1x1 is 1000."""
    while len(numbers) > 1 and numbers[-1] == 1:
        numbers = numbers[:-1]
    return tuple(numbers)


def spec_layers(graph: Graph, measures: tuple[LayerMeasure | None, ...]) -> Iterator[Layer]:
    """The layers of a network's main path that are compared."""
    heads = graph.auxiliary()
    for node, measure in zip(graph.nodes, measures, strict=True):
        if node.kind not in SORTS or node.index in heads:
            continue
        before, after = (graph.shape_of(edge) for edge in (node.inputs[0], node.inputs[0]._replace(node=node.index)))
        assert isinstance(before, Shape)
        assert isinstance(after, Shape)
        assert measure is not None
        assert node.layer is not None
        if SORTS[node.kind] == "pool" and all(window.size == 1 for window in node.layer.window(before)):
            continue  # takes every cell, or every other cell, as it is
        output = without_ones([after.channels, *after.spatial])
        yield Layer(SORTS[node.kind], output, measure.params, measure.macs)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_layers_are_those_of_the_table(path: Path) -> None:
    name = spelled(path.stem)
    assert name is not None, f"no spec has the network {path.stem}"
    found = network(name)
    ours = spec_layers(found.graph, found.analysis.layers)
    for number, theirs in enumerate(table_layers(path)):
        assert next_like(theirs, ours) == theirs, f"layer {number}"
    assert all(not layer.params for layer in ours)


def next_like(wanted: Layer, layers: Iterator[Layer]) -> Layer | None:
    """The next layer, or one further on, if those before it have no weights and are of another sort: tables list
    modules, and lack pools and norms that their networks call as functions."""
    for layer in layers:
        if layer == wanted or layer.params or layer.sort == wanted.sort:
            return layer
    return None


def test_a_difference_in_a_table_is_seen() -> None:
    layers = list(table_layers(REFERENCE / "layers" / "lenet5.csv"))
    assert layers[0] == Layer("sums", (6, 28, 28), 156, 117_600)
    assert len(layers) == 7
    assert math.prod(layers[1].output) == 14 * 14 * 6
    found = network("LeNet5")
    ours = list(spec_layers(found.graph, found.analysis.layers))
    assert ours == layers
    wide = ours[2]._replace(output=(16, 10, 11))
    assert next_like(layers[2], iter([wide, *ours[3:]])) == wide
    assert next_like(layers[2], iter(ours[1:])) == layers[2]
    assert next_like(layers[2], iter(ours[1:2])) is None


# --- specs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_network_checks(file: Path) -> None:
    found = check_file(file)
    assert not [d for d in found.diagnostics if d.severity != "note"]
    assert all(one.analysis.totals is not None for one in found.networks)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.file.stem}:{section.name}")
def test_every_network_states_its_figures(section: Section) -> None:
    """A base is one of its instances, and leaves the figures to them."""
    if section.base is None and any(other.base == section.name for other in SECTIONS):
        return
    claims = re.findall(r"(?m)^ *expect (.*)", section.text)
    exact = {figure for claim in claims for figure in re.findall(r"\b(\w+) == [0-9_]+", claim)}
    assert "params" in exact
    assert exact & {"macs", "connections"}


def test_names_of_networks_differ() -> None:
    """In every spelling by which they are found; a base and its instance may share one."""
    found: dict[str, Section] = {}
    for section in SECTIONS:
        key = section.name.lower()
        other = found.setdefault(key, section)
        assert other is section or section.base == other.name, f"{section.name} in {other.file} and {section.file}"


CITED = re.compile(r'# Paper: \S.* (19|20)\d\d, ".+", \S.+')


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_spec_is_tidy(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"[a-z0-9_-]+", file.stem), "lower-case letters, digits, _ and -"
    assert lines[0].startswith(("# Paper: ", "# Source: "))
    for number, line in enumerate(lines, 1):
        assert len(line) <= (120 if line.startswith("#") else 100), f"line {number} has {len(line)} characters"
        assert line == line.rstrip(), f"line {number} ends with spaces"
        if line.startswith("# Paper:"):
            assert CITED.fullmatch(line), f'line {number}: # Paper: Authors year, "Title", where'
