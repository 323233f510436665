"""The families of specs/ with other parameters, classes and inputs are still those of the papers and libraries."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import torch
from reference.measure_variants import VARIANTS, Variant
from test_zoo_pytorch import agree, needs_torchvision
from zoo_specs import NAMED, REFERENCE, source

from cnndsl.pipeline import CheckedNetwork, Options, check
from cnndsl.runtime.module import build_module


class Row(NamedTuple):
    """A published figure of a network with other parameters (`alpha=0.5 classes=10`); None is not said."""

    name: str
    sets: str
    input: str
    params: int
    macs: int | None
    source: str


def rows() -> Iterator[Row]:
    for path in sorted(REFERENCE.glob("variants-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                macs = int(row["macs"]) if row["macs"] else None
                yield Row(row["name"], row["sets"], row["input"], int(row["params"]), macs, row["source"])


def changed(name: str, sets: str, input: str) -> CheckedNetwork:
    """A network as `cnndsl check NAME --set … --input …` sees it."""
    pairs = [text.partition("=") for text in sets.split()]
    options = Options(network=name, input=input, sets=tuple((key, value) for key, _, value in pairs))
    checked = check(source(NAMED[name].file), options)
    assert checked.ok, checked.diagnostics
    return checked.networks[0]


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: f"{row.name} {row.sets} {row.input}")
def test_figures_are_the_published_ones(row: Row) -> None:
    totals = changed(row.name, row.sets, row.input).analysis.totals
    assert totals is not None
    assert totals.params == row.params, row.source
    assert row.macs in (None, totals.macs), row.source


# Odd sizes show every difference in padding and rounding.
ODD = [one for one in VARIANTS if any(int(side) % 2 for side in one.input.split("x")[:2])]
FAST = ("mobilenet_v3_small", "squeezenet1_0", "shufflenet")


@needs_torchvision
@pytest.mark.parametrize(
    "one",
    [one if one.name.startswith(FAST) else pytest.param(one, marks=pytest.mark.slow) for one in ODD],
    ids=lambda one: f"{one.name} {one.text()} {one.input}",
)
def test_torchvision_gives_the_same(one: Variant) -> None:
    """On an image of odd sides."""
    torch.manual_seed(0)
    height, width, channels = map(int, one.input.split("x"))
    with torch.device("meta"):
        theirs, ours = one.build(), build_module(changed(one.name, one.text(), one.input).graph).eval()
        example = torch.empty(1, channels, height, width)
    agree(theirs, ours, example)
