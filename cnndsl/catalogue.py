"""For development: what the specs of the zoo hold, found by checking them all.

`python -m cnndsl.generate` writes it into cnndsl/zoo/index.py and docs/zoo.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cnndsl.graph import INPUT, Edge, Graph
from cnndsl.measure import Analysis
from cnndsl.pipeline import CheckedNetwork, check
from cnndsl.report import zoo as table
from cnndsl.shape import product
from cnndsl.source import Source
from cnndsl.zoo import SUFFIX, Entry

SPECS = Path(__file__).resolve().parent.parent / "specs"

_CITED = re.compile(r"# (?:Paper|Source): (.+)")
_HEADER = re.compile(r"network (\w+)\s*(?:=\s*(\w+))?")


class Survey(NamedTuple):
    """The networks of all specs; and those that have an instance with their own figures, with their files' names."""

    entries: tuple[Entry, ...]
    bases: dict[str, str]


@cache
def survey() -> Survey:
    """Every spec checked. A network with errors is left out: the tests of the zoo tell of it."""
    entries: list[Entry] = []
    bases: dict[str, str] = {}
    for path in sorted(SPECS.glob(f"*{SUFFIX}")):
        text = path.read_text(encoding="utf-8")
        papers = cited(text)
        checked = check(Source(str(path), text)).networks
        found = [_entry(path.stem, one, papers[one.graph.name]) for one in checked if one.analysis.totals]
        same = _with_instance(found, headers(text))
        bases |= dict.fromkeys(same, path.stem)
        entries += sorted((entry for entry in found if entry.name not in same), key=_size)
    return Survey(tuple(entries), bases)


def _with_instance(entries: list[Entry], written: dict[str, str | None]) -> set[str]:
    """The networks that have an instance with their own figures, and under its name are listed already."""
    figures = {entry.name: tuple(entry)[2:6] for entry in entries}
    return {base for name, base in written.items() if base and name in figures and figures[name] == figures.get(base)}


def _entry(file: str, one: CheckedNetwork, paper: str) -> Entry:
    graph, analysis = one.graph, one.analysis
    totals = analysis.totals
    assert totals is not None
    shapes = [graph.shape_of(Edge(index)) for index in graph.inputs]
    inputs = ", ".join(f"{shape} tokens" if shape is not None and shape.tokens else str(shape) for shape in shapes)
    return Entry(graph.name, file, inputs, totals.params, totals.macs, features_field(graph, analysis), paper)


def _size(entry: Entry) -> tuple[int, int, str]:
    return (entry.params, entry.macs, entry.name)


def features_field(graph: Graph, analysis: Analysis) -> tuple[int, ...]:
    """The receptive field of the last map with more than one position on the way to the main output: what follows it
    sees all of it. Empty if only the input is such a map."""
    main = next(output for output in graph.outputs if not output.training)
    behind = {main.edge.node}
    for node in reversed(graph.nodes):
        if node.index not in behind:
            continue
        shape = graph.shape_of(Edge(node.index))
        measure = analysis.layers[node.index]
        if node.kind == INPUT or shape is None or measure is None:
            continue
        if product(shape.spatial) > 1:
            return measure.receptive_field
        behind.update(edge.node for edge in node.inputs)
    return ()


# --- what is written about a network --------------------------------------------------------------------------------


def headers(text: str) -> dict[str, str | None]:
    """The networks of a spec, each with the one that it is an instance of."""
    found = (_HEADER.match(line) for line in text.splitlines())
    return {header[1]: header[2] for header in found if header}


def cited(text: str) -> Mapping[str, str]:
    """Where each network of a spec comes from: the citation in the comment right above it, else its base's, else the
    file's first. Empty if there is none."""
    above = {name: paper for name, paper in _above(text) if paper}
    first = next((found[1] for line in text.splitlines() if (found := _CITED.match(line))), "")
    return {
        name: above.get(name) or (above.get(base) if base else None) or first for name, base in headers(text).items()
    }


def _above(text: str) -> Iterator[tuple[str, str]]:
    """Every network with the last citation among the comments right above it."""
    paper = ""
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            yield header[1], paper
        found = _CITED.match(line)
        paper = found[1] if found else paper if line.startswith("#") else ""


# --- the generated files --------------------------------------------------------------------------------------------


def index() -> str:
    """The text of cnndsl/zoo/index.py, below its heading."""
    entries, bases = survey()
    networks = "".join(f"    {name!r}: {tuple(values)!r},\n" for name, *values in entries)
    others = "".join(f"    {name!r}: {file!r},\n" for name, file in sorted(bases.items()))
    return (
        "# Each network's file, input, parameters, MACs, receptive field of the features, and where it comes from.\n"
        f"NETWORKS: dict[str, tuple[str, str, int, int, tuple[int, ...], str]] = {{\n{networks}}}\n\n"
        f"# Networks that have an instance with their own figures, and their files.\nBASES: dict[str, str] = {{\n{others}}}\n"
    )


_PAGE = """<!-- Generated by `python -m cnndsl.generate` from specs/; do not edit. -->

# The zoo

{count} networks in {files} specs come with cnndsl. Every one is found by its name: `cnndsl check resnet50`, and so by
`show`, `compile`, `train` and `cnndsl.load("resnet50")`. Capitals, `-` and `_` make no difference: ResNet-50 is
`resnet50`. A file's name means all of its networks: `cnndsl check resnet_cifar`. `cnndsl list` prints this table, and
`cnndsl new NAME --from resnet50` makes a copy to change.

Names are torchvision's where it has the network, and the network is torchvision's then: with the same weights it gives
the same output. The tests hold every figure here against published ones, to the integer.

{said}

"""


def page() -> str:
    """The text of docs/zoo.md."""
    entries = survey().entries
    files = {entry.file for entry in entries}
    heading = _PAGE.format(count=len(entries), files=len(files), said=table.SAID)
    return heading + "".join(table.markdown(entries, folder="../specs"))
