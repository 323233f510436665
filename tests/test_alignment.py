"""Merges whose arms don't line up: what is reported, what is not, and what merges see, against gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_layer_windows import extent, seen

from cnndsl.diagnostics import Diagnostic
from cnndsl.files import read_source
from cnndsl.measure.alignment import check_alignment
from cnndsl.measure.analyse import analyse
from cnndsl.pipeline import Checked, check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

torch.set_num_threads(1)

ROOT = Path(__file__).parents[1]


def checked(lines: str, size: str = "32x32x4") -> Checked:
    found = check(Source("t.cnn", f"network T\ninput {size}\n{lines}\n"))
    assert [d for d in found.diagnostics if d.severity == "error"] == []
    return found


def warnings(lines: str, size: str = "32x32x4") -> list[Diagnostic]:
    network = checked(lines, size).networks[0]
    return check_alignment(network.graph, network.analysis)


MISALIGNED = [
    # lines, size, code, axes, input cells, cells of the merged tensor
    ("add:\n    | conv 3x3x4 pad=[2, 0, 2, 0]\n    | identity", "8x8x4", "height and width", "1 input cell", "1"),
    ("add:\n    | conv 3x3x4 pad=[1, 1, 2, 0]\n    | identity", "8x8x4", "width", "1 input cell", "1"),
    ("concat:\n    | conv 5x5x4\n    | crop cells=[0, 4, 2, 2]", "8x8x4", "height", "2 input cells", "2"),
    (
        "pool 2\nadd:\n    | conv 3x3x4 pad=[2, 0, 2, 0]\n    | identity",
        "8x8x4",
        "height and width",
        "2 input cells",
        "1",
    ),
    ("add:\n    | conv 4x4x4 pad=[3, 0, 1, 2]\n    | identity", "8x8x4", "height", "1.5 input cells", "1.5"),
    ("add:\n    | conv 2x4 pad=[0, 1], conv 2x4 pad=[0, 1]\n    | identity", "16x4", "length", "1 input cell", "1"),
    (
        "conv 1x1x4 as a\nconv 3x3x4 pad=[0, 2, 0, 2]\nmax a",
        "8x8x4",
        "height and width",
        "1 input cell",
        "1",
    ),
    ("concat crop:\n    | conv 5x5x4\n    | conv 3x3x4 pad=[0, 4, 1, 1]", "8x8x4", "height", "2 input cells", "2"),
]


@pytest.mark.parametrize(("lines", "size", "axes", "distance", "cells"), MISALIGNED)
def test_arms_that_look_at_different_places(lines: str, size: str, axes: str, distance: str, cells: str) -> None:
    (found,) = warnings(lines, size)
    assert (found.code, found.severity) == ("W362", "warning")
    assert (found.values["axes"], found.values["distance"], found.values["cells"]) == (axes, distance, cells)


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("add:\n    | conv 3x3x8 /2 pad=1\n    | conv 9x9x8", "16x16x4"),
        ("add:\n    | pool 2\n    | crop size=8x8", "16x16x4"),
        ("concat:\n    | conv 3x3x8 /2x1 pad=1\n    | conv 9x1x8", "16x16x4"),
    ],
)
def test_arms_of_other_strides(lines: str, size: str) -> None:
    (found,) = warnings(lines, size)
    assert found.code == "W361"
    assert (found.values["first"], found.values["second"]) == ("2 input cells", "1 input cell")


SOUND = {
    "a shortcut of 1x1 with a stride": ("add:\n    | conv 3x3x8 /2 pad=1\n    | conv 1x1x8 /2", "32x32x4"),
    "a shortcut of an average": ("add:\n    | conv 3x3x8 /2 pad=1\n    | pool 2 avg, conv 1x1x8", "32x32x4"),
    "option A": ("add:\n    | conv 3x3x4 /2 pad=1\n    | pool 1 /2", "32x32x4"),
    "TensorFlow's same with strides": (
        "add:\n    | conv 3x3x8 /2 same, conv 3x3x8 /2 same\n    | conv 1x1x8 /4",
        "32x32x4",
    ),
    "even windows": ("add:\n    | conv 4x4x4 same\n    | conv 2x2x4 same\n    | identity", "32x32x4"),
    "inception": (
        "concat:\n    | conv 1x1x4\n    | conv 3x3x4 same\n    | conv 1x7x4 same, conv 7x1x4 same\n"
        "    | pool 3 /1 same, conv 1x1x4",
        "32x32x4",
    ),
    "a reduction without padding": (
        "concat:\n    | conv 3x3x8 /2\n    | conv 1x1x8, conv 3x3x8 pad=1, conv 3x3x8 /2\n    | pool 3 /2",
        "33x33x4",
    ),
    "squeeze and excitation": ("mul:\n    | identity\n    | globalpool, conv 1x1x4, sigmoid", "32x32x4"),
    "squeeze behind a stride": ("conv 3x3x8 /2\nmul:\n    | globalpool, conv 1x1x8\n    | identity", "32x32x4"),
    "a centre crop": ("concat crop:\n    | identity\n    | conv 3x3x4, conv 3x3x4", "32x32x4"),
    "an odd centre crop": ("concat crop:\n    | identity\n    | conv 4x4x4", "32x32x4"),
    "a crop to a size": ("conv 1x1x4 as a\nconv 3x3x4 as b\nfrom a, crop to=b\nadd b", "32x32x4"),
    "U-Net": (
        "concat crop:\n    | identity\n    | pool 2, conv 3x3x8, conv 3x3x8, deconv 2x2x4 /2",
        "32x32x4",
    ),
    "upsampling": ("add:\n    | identity\n    | pool 2, upsample 2 bilinear", "32x32x4"),
    "a spatial pyramid": (
        "concat:\n    | identity\n    | adaptivepool 3, upsample size=32x32 bilinear\n"
        "    | globalpool, upsample size=32x32",
        "32x32x4",
    ),
    "dilations": (
        "concat:\n    | conv 1x1x4\n    | conv 3x3x4 pad=6 dilation=6\n    | conv 3x3x4 pad=12 dilation=12",
        "32x32x4",
    ),
    "causal convolutions": (
        "add:\n    | conv 3x4 pad=[4, 0] dilation=2\n    | identity\nadd:\n    | conv 3x4 pad=[8, 0] dilation=4\n"
        "    | identity",
        "64x4",
    ),
    "causal in time": ("add:\n    | conv 3x3x3x4 pad=[2, 0, 1, 1, 1, 1]\n    | identity", "8x8x8x4"),
    "attention": ("add:\n    | identity\n    | attention 2", "64x4"),
    "one cell": ("pool 2\npool 4\nadd:\n    | conv 3x3x4 pad=[2, 0, 2, 0]\n    | identity", "8x8x4"),
    "vectors": ("add:\n    | dense 8\n    | globalpool, dense 8", "8x8x4"),
    "the same twice": ("relu as a\nadd a", "8x8x4"),
    "space to depth": ("concat:\n    | pool 2\n    | pixelunshuffle 2", "8x8x4"),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_networks_are_not_warned_of(name: str) -> None:
    assert warnings(*SOUND[name]) == []


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.cnn")), ids=lambda path: path.stem)
def test_no_published_network_is_warned_of(path: Path) -> None:
    source = read_source(str(path))
    assert isinstance(source, Source)
    assert [w for n in check(source).networks for w in check_alignment(n.graph, n.analysis)] == []


def test_inputs_of_their_own_need_not_line_up() -> None:
    spec = "network N\ninput a 32x32x4\ninput b 16x16x4\nfrom a, pool 2\nadd b\n"
    network = check(Source("t.cnn", spec)).networks[0]
    assert check_alignment(network.graph, network.analysis) == []


def test_one_warning_for_a_place() -> None:
    spec = """block unit:
    add:
        | conv 3x3x4 pad=[2, 0, 2, 0]
        | identity
network N
input 32x32x4
unit * 5
unit
"""
    network = check(Source("t.cnn", spec)).networks[0]
    assert len(network.analysis.misaligned) == 6
    (found,) = check_alignment(network.graph, network.analysis)
    assert [label.text for label in found.labels] == ["looks further back", "looks further on", "called from here"]


@pytest.mark.parametrize(
    ("lines", "size"), [(case[0], case[1]) for case in MISALIGNED if "crop" not in case[0] and "max" not in case[0]]
)
def test_the_distance_is_that_of_the_gradients(lines: str, size: str) -> None:
    """Each arm alone, in PyTorch: the middle of what its first cells away from the edges see."""
    merge, *arms = lines.split("\n    | ")
    before = merge.rpartition("\n")[0]
    middles = []
    for arm in arms:
        alone = checked(f"{before}\n{arm}" if before else arm, size)
        shape = [int(n) for n in size.split("x")]
        x = torch.randn(8, shape[-1], *(4 * n for n in shape[:-1]))
        axis = len(shape) - 2
        cells = seen(build_module(alone.networks[0].graph), x, axis)
        position = len(cells) // 2
        middles.append((cells[position][0] + cells[position][-1]) / 2)
    expected = next(case for case in MISALIGNED if case[0] == lines)
    if expected[2] != "height":  # the last axis is looked at
        assert abs(middles[0] - middles[1]) == float(expected[3].split()[0])


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("concat crop:\n    | conv 5x4\n    | conv 2x4\n    | identity", "40x2"),
        ("conv 3x2 as a\nconv 9x2 as b\nfrom a, crop to=b, conv 3x2", "40x2"),
        ("identity as a\nconv 3x2, pool 2, conv 5x2, upsample to=a linear", "40x2"),
        ("add:\n    | conv 3x2 pad=[2, 0]\n    | identity\nconv 3x2", "40x2"),
        ("mul:\n    | identity\n    | globalpool, conv 1x2\nconv 3x2 pad=1", "20x2"),
        ("conv 3x2 /2 pad=1\nmul:\n    | globalpool, conv 1x2, sigmoid\n    | identity\nconv 3x2 pad=1", "20x2"),
        ("pool 2, upsample 2\nmul:\n    | identity\n    | globalpool, conv 1x2\nconv 3x2 pad=1", "20x2"),
        ("conv 3x2 /2 pad=1, upsample 2\nmul:\n    | globalpool\n    | identity\npool 2 avg", "20x2"),
    ],
)
def test_what_merges_see(lines: str, size: str) -> None:
    network = checked(lines, size).networks[0]
    length, channels = map(int, size.split("x"))
    x = torch.randn(8, channels, length)
    cells = seen(build_module(network.graph), x, 0)
    totals = analyse(network.graph).totals
    assert totals is not None
    assert totals.receptive_field == (max(map(extent, cells)),)


def test_a_global_branch_leaves_the_stride_alone() -> None:
    unit = "mul:\n    | identity\n    | globalpool, conv 1x1x4, sigmoid\nconv 3x3x4 pad=1\n"
    totals = analyse(checked("conv 3x3x4 /2 pad=1\n" + unit * 10).networks[0].graph).totals
    assert totals is not None
    assert totals.receptive_field == (32, 32)
    assert totals.stride == (2, 2)


def test_a_global_branch_behind_an_upsampling_leaves_the_stride_alone() -> None:
    unit = "mul:\n    | identity\n    | globalpool, conv 1x1x4, sigmoid\nconv 3x3x4 pad=1\n"
    totals = analyse(checked("pool 4\nupsample 2\nconv 3x3x4 pad=1\n" + unit * 3).networks[0].graph).totals
    assert totals is not None
    assert totals.receptive_field == (32, 32)
    assert totals.stride == (2, 2)
