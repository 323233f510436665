"""Networks in the terminal: what is drawn is read back, and is the network."""

from __future__ import annotations

import pytest
from drawn import drawn

from cnndsl.draw.flat import flat
from cnndsl.draw.fold import folded
from cnndsl.draw.outline import Item, outline
from cnndsl.draw.styles.text import text
from cnndsl.draw.wanted import Wanted
from cnndsl.pipeline import check
from cnndsl.source import Source
from cnndsl.terminal import Look, width_of
from cnndsl.zoo.index import NETWORKS

UNICODE = Look(unicode=True)
MARKS = "●■◆▣✗"
UPWARDS = "│├┤┼╯╰┴"
SIDES = "─├┤┼╯╰╮╭┴┬"


def picture(network: Item, look: Look = UNICODE) -> str:
    return text(network, Wanted(), look)


def read_back(lines: list[str]) -> list[set[int]]:
    """For each box of a picture: the boxes that its rails lead up to."""
    rows = [[line[i] if i < len(line) else " " for i in range(120)] for line in lines]
    boxes: dict[tuple[int, int], int] = {}
    for y, row in enumerate(rows):
        found = [x for x, cell in enumerate(row) if cell in MARKS]
        if found:
            boxes[y, found[0]] = len(boxes)
    return [
        {boxes[place] for lane, y in above(rows, *box) if (place := climb(rows, lane, y)) in boxes} for box in boxes
    ]


def above(rows: list[list[str]], y: int, x: int) -> list[tuple[int, int]]:
    """Where a box's rails go up from: straight, or along the line that joins several."""
    if y == 0:
        return []
    if rows[y - 1][x] in "│" + MARKS:
        return [(x, y - 1)]
    if rows[y - 1][x] == " ":
        return []
    joined = [x]
    for step in (-1, 1):
        lane = x + step
        while lane >= 0 and rows[y - 1][lane] in SIDES + "│":
            joined.append(lane)
            lane += step
    return [(lane, y - 2) for lane in joined if rows[y - 1][lane] in UPWARDS and rows[y - 1][lane] != "│"]


def climb(rows: list[list[str]], x: int, y: int) -> tuple[int, int]:
    while rows[y][x] in UPWARDS:
        y -= 1
    return y, x


@pytest.mark.parametrize("name", [*NETWORKS][::5])
@pytest.mark.parametrize("depth", [0, 1, 9])
def test_the_rails_are_the_networks_tensors(name: str, depth: int) -> None:
    network = folded(drawn(name), depth=depth)
    lines = picture(network).splitlines()
    assert read_back(lines) == [set(row.takes) for row in flat(network) if row.what == "box"]


def test_what_a_picture_looks_like() -> None:
    spec = (
        "block unit(c):\n    add:\n        | conv 3x3x{c} same nobias, bn, relu\n          conv 3x3x{c} same\n"
        "        | conv 1x1x{c}\n    relu\n\n"
        "network N\ninput 8x8x4\nunit 8 * 2\nunit 9\nglobalpool, dense 2\noutput side training:\n    dense 3\n"
    )
    one = check(Source("spec.cnn", spec)).networks[0]
    network = outline(one.graph, one.analysis)
    assert "\n" + picture(folded(network, depth=1)) == PICTURE
    assert picture(folded(network, depth=1), Look()).isascii()


PICTURE = """
●    input                        8x8x4
│    ┌ unit 8 ×2
├─╮  │
│ ■  │ conv 3x3x8 same, bn, relu  8x8x8
│ ■  │ conv 3x3x8 same            8x8x8
■ │  │ conv 1x1x8                 8x8x8
├─╯  │
◆    │ add, relu                  8x8x8
│    └
│    ┌ unit 9
├─╮  │
│ ■  │ conv 3x3x9 same, bn, relu  8x8x9
│ ■  │ conv 3x3x9 same            8x8x9
■ │  │ conv 1x1x9                 8x8x9
├─╯  │
◆    │ add, relu                  8x8x9
│    └
■    globalpool                   1x1x9
■    dense 2  → output            2
■    dense 3  → side              3
"""


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("name", ["lenet5", "inception_v3", "unet", "densenet121", "googlenet"])
def test_it_fits_the_width(name: str, width: int) -> None:
    wanted = Wanted(show=("shape", "params", "macs"))
    drawing = text(folded(drawn(name), depth=1), wanted, Look(width, unicode=True))
    assert max(map(width_of, drawing.splitlines())) <= max(width, 32)


def test_faults_stand_below_their_layers() -> None:
    checked = check(Source("wrong.cnn", "network N\ninput 8x8x1\nconv 9x9x4, relu\nconv 3x3x3\n"))
    graph, analysis, _ = checked.networks[0]
    lines = picture(outline(graph, analysis, {1: "too small"})).splitlines()
    assert [line.strip() for line in lines[1:3]] == ["✗  conv 9x9x4, relu  ?", "^ too small"]
