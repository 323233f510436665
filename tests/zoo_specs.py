"""The specs of the zoo: which networks they hold, what is written about each, and what `check` finds."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cnndsl.graph import Edge, Graph
from cnndsl.pipeline import Checked, CheckedNetwork, Options, check
from cnndsl.source import Source

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "tests" / "reference"
FILES = tuple(sorted((ROOT / "specs").glob("*.cnn")))

_NETWORK = re.compile(r"network (\w+)\s*(?:=\s*(\w+))?")
_OTHER = re.compile(r"(block|use)\b")


class Section(NamedTuple):
    """One network of a file as it is written. base: the network that it is an instance of."""

    file: Path
    name: str
    base: str | None
    text: str

    def claims(self, figure: str) -> int:
        """The number of parameters or MACs that it is said to have, or 0."""
        found = re.search(rf"expect .*\b{figure} == ([0-9_]+)", self.text)
        return int(found[1]) if found else 0


def sections(file: Path) -> list[Section]:
    """The networks of a file, in its order."""
    found: list[Section] = []
    inside = False
    for line in file.read_text(encoding="utf-8").splitlines():
        header = _NETWORK.match(line)
        if header:
            found.append(Section(file, header[1], header[2], ""))
        inside = bool(header) or (inside and not _OTHER.match(line))
        if inside:
            found[-1] = found[-1]._replace(text=f"{found[-1].text}{line}\n")
    return found


SECTIONS = tuple(section for file in FILES for section in sections(file))
NAMED = {section.name: section for section in SECTIONS}


def spelled(name: str) -> str | None:
    """A network's name in its own spelling, as LeNet5 for lenet5; None if there is none."""
    return name if name in NAMED else next((one for one in NAMED if one.lower() == name.lower()), None)


@cache
def source(file: Path) -> Source:
    return Source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))


def check_file(file: Path) -> Checked:
    return check(source(file))


@cache
def network(name: str, input: str | None = None) -> CheckedNetwork:
    """One network, at its declared input or another."""
    checked = check(source(NAMED[name].file), Options(network=name, input=input))
    assert checked.ok, checked.diagnostics
    return checked.networks[0]


def fits(name: str, input: str) -> bool:
    """Whether a network can have an input of this size."""
    return check(source(NAMED[name].file), Options(network=name, input=input)).ok


def input_sizes(graph: Graph) -> list[str]:
    """The sizes of a network's inputs, as a spec writes them."""
    shapes = [graph.shape_of(Edge(index)) for index in graph.inputs]
    return [f"{shape} tokens" if shape is not None and shape.tokens else str(shape) for shape in shapes]


class Row(NamedTuple):
    """A published figure: which file says it, of which network, at which input; None is not said."""

    table: str
    name: str
    input: str
    params: int | None
    macs: int | None
    source: str


def rows() -> list[Row]:
    """Every row of tests/reference/zoo-*.csv."""
    found = []
    for path in sorted(REFERENCE.glob("zoo-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                params, macs = (int(row[key]) if row[key] else None for key in ("params", "macs"))
                found.append(Row(path.stem, row["name"], row["input"], params, macs, row["source"]))
    return found
