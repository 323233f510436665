"""The style `graph`: every layer and tensor once, nothing over anything else, on pages of the width that is wanted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from drawn import checked, drawn
from geometry import arrow_faults, box_faults, crossings, page_faults, text_faults, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnndsl.compare import Side
from cnndsl.compare.changes import compare
from cnndsl.draw.difference import united
from cnndsl.draw.flat import flat
from cnndsl.draw.fold import AUTOMATIC, every, folded, only
from cnndsl.draw.outline import Item, outline
from cnndsl.draw.picture import Subject, View, picture
from cnndsl.draw.rows import LONGEST_ROW
from cnndsl.draw.scene import Scene, Text
from cnndsl.draw.styles import paper
from cnndsl.draw.styles.graph import scene
from cnndsl.draw.wanted import Wanted
from cnndsl.pipeline import check
from cnndsl.source import Source
from cnndsl.zoo.index import NETWORKS

ONE_OF_EACH_FILE = [*{row[0]: name for name, row in NETWORKS.items()}.values()]
COLUMN = 3.25 * 72
PAGE = 6.75 * 72
CROSSING = {"fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"}
"""Where the input's size is taken on both sides of a branch that ends in between: one crossing is the least."""


@cache
def graph(name: str, direction: str = "down", depth: int | None = None, width: float | None = None) -> Scene:
    return scene(folded(drawn(name), depth), Wanted(direction=direction, width=width, adapt=depth is None))


def of(text: str) -> Item:
    one = check(Source("spec.cnn", text)).networks[0]
    return outline(one.graph, one.analysis)


def faults(picture: Scene, *, wide: bool = False) -> list[str]:
    """What is wrong; wide: the page is as wide as it is, whatever stands on it."""
    page = [fault for fault in page_faults(picture, paper.MARGIN) if not wide or "at the top" in fault]
    return [*text_faults(picture), *box_faults(picture), *arrow_faults(picture), *page]


def leaves(item: Item) -> list[Item]:
    return [one for one in every(item) if not one.children]


def tensors(network: Item) -> list[tuple[str, str]]:
    """From which box to which tensors go, as the rows in the terminal have it."""
    rows = [row for row in flat(network) if row.what == "box"]
    return sorted((rows[giver].item.id, row.item.id) for row in rows for giver in row.takes)


# --- geometry -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_OF_EACH_FILE)
def test_nothing_overlaps(name: str) -> None:
    assert not faults(graph(name))


@pytest.mark.parametrize("name", ONE_OF_EACH_FILE[::3])
def test_nothing_overlaps_in_a_graph_to_the_right(name: str) -> None:
    assert not faults(graph(name, "right"))


@pytest.mark.parametrize("name", ONE_OF_EACH_FILE[1::6])
@pytest.mark.parametrize("depth", [0, 1, 99])
def test_nothing_overlaps_at_any_depth(name: str, depth: int) -> None:
    assert not faults(graph(name, "down", depth))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_overlaps_in_the_whole_zoo(name: str) -> None:
    for direction in ("down", "right"):
        for depth in (None, 0, 1, 2, 99):
            found = graph(name, direction, depth)
            assert not faults(found), (direction, depth)
            assert len(crossings(found)) <= (name in CROSSING), (direction, depth)
        for width in (COLUMN, PAGE):
            found = graph(name, direction, None, width)
            assert not faults(found, wide=True), (direction, width)


@pytest.mark.parametrize("name", ["resnet50", "unet", "googlenet", "yolov3", "inception_v4", "segnet", "densenet121"])
def test_no_line_crosses_another(name: str) -> None:
    for direction in ("down", "right"):
        assert not crossings(graph(name, direction))


def test_what_the_rules_find() -> None:
    """The rules themselves can fail: each is broken once."""
    good = graph("LeNet5")
    thing, other = good.things[1], good.things[2]
    moved = thing._replace(area=thing.area._replace(y=other.area.y))
    assert any("overlaps" in fault for fault in box_faults(good._replace(things=(good.things[0], moved, other))))
    arrow = good.arrows[1]
    x, y = arrow.line.points[-1]
    short = arrow._replace(line=arrow.line._replace(points=(arrow.line.points[0], (x, y - 3))))
    assert list(arrow_faults(good._replace(arrows=(short,)))) == [
        f"{arrow.source} -> {arrow.target} does not end on its box"
    ]
    through = arrow._replace(line=arrow.line._replace(points=(arrow.line.points[0], (x, good.things[-1].area.y))))
    assert any("runs through" in fault for fault in arrow_faults(good._replace(arrows=(through,))))
    assert any("at the right" in fault for fault in page_faults(good._replace(width=good.width + 9), paper.MARGIN))
    small = Text(10, 10, "small", 6.5)
    assert list(text_faults(good._replace(marks=(small,))))[-1] == "'small' has 6.5 pt"
    assert any("leaves" in fault for fault in text_faults(good._replace(marks=(small._replace(x=-9),))))


# --- what is in it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_OF_EACH_FILE[::4])
def test_every_box_and_tensor_is_there_once(name: str) -> None:
    network = folded(drawn(name))
    found = graph(name)
    boxes = [thing for thing in found.things if not thing.holds and thing.kind != "output"]
    assert sorted(thing.id for thing in boxes) == sorted(item.id for item in leaves(network))
    arrows = [(arrow.source, arrow.target) for arrow in found.arrows if not arrow.target.startswith("output ")]
    assert sorted(set(arrows)) == tensors(network)
    results = {output.name for output in checked(name).graph.outputs}
    given = {arrow.target for arrow in found.arrows if arrow.target.startswith("output ")}
    assert given == {f"output {name}" for name in results}


def test_repeats_are_stacked_and_counted() -> None:
    found = graph("resnet50", depth=1)
    thing = next(thing for thing in found.things if thing.count == 5)
    assert "×5" in thing.label[0].split(" ")
    assert sum(mark.area.width > 20 for mark in thing.marks if not isinstance(mark, Text)) == 3


def test_repeats_whose_channels_grow_say_from_where_to_where() -> None:
    assert "56x56x96…256" in [text.text for text in texts(graph("densenet121"))]


def test_what_serves_training_only_is_dashed() -> None:
    found = graph("googlenet")
    dashed = {arrow.target for arrow in found.arrows if arrow.line.dash}
    assert {"output aux1", "output aux2"} <= dashed
    assert "output output" not in dashed


def test_the_main_way_is_straight_though_an_auxiliary_one_is_longer() -> None:
    found = graph("inception_v3")
    ends = {arrow.target: arrow.line.points for arrow in found.arrows if arrow.target.startswith("output ")}
    things = {thing.id: thing for thing in found.things}
    last = next(arrow for arrow in found.arrows if arrow.target == "output output")
    before = next(thing for thing in found.things if thing.label[:1] == ("module_b 192",))
    assert things[last.source].area.middle[0] == pytest.approx(before.area.middle[0], abs=0.1)
    assert ends["output aux"][0][0] > before.area.right


def test_labels_say_what_is_wanted() -> None:
    found = scene(folded(drawn("LeNet5")), Wanted(show=("name", "params", "macs")))
    assert found.things[1].label == ("c1", "conv 5x5x6 · tanh", "156 params · 118k MACs")
    assert not any(text.text == "28x28x6" for text in texts(found))
    bare = scene(folded(drawn("LeNet5")), Wanted(labels=False))
    assert texts(bare) == []


def test_colours_tell_costs() -> None:
    roles = {thing.id: thing.role for thing in scene(folded(drawn("LeNet5")), Wanted(color="params")).things}
    assert roles["dense120"] == "scale8"
    assert roles["input"] == "scale0"


def test_a_part_shows_what_comes_in_and_goes_out() -> None:
    found = scene(folded(only(drawn("unet"), "up")), Wanted())
    ends = {kind: [thing.label for thing in found.things if thing.kind == kind] for kind in ("input", "output")}
    assert ends == {"input": [("from d5", "28x28x1024"), ("from d4", "64x64x512")], "output": [("to up 256 d3",)]}


def test_an_error_stands_in_its_box() -> None:
    text = "network N\ninput 8x8x1\nconv 9x9x4, relu\ndense 3\n"
    one = check(Source("wrong.cnn", text)).networks[0]
    found = scene(folded(outline(one.graph, one.analysis, {1: "E301: the kernel is larger than its input"})), Wanted())
    wrong = next(thing for thing in found.things if thing.fault)
    assert wrong.role == "fault"
    assert " ".join(wrong.label).endswith("E301: the kernel is larger than its input")
    assert not faults(found)


@pytest.mark.parametrize(("old", "new"), [("resnet18", "resnet34"), ("googlenet_paper", "googlenet")])
def test_two_networks_in_one_picture(old: str, new: str) -> None:
    a, b = (Side(name, checked(name).graph, checked(name).analysis) for name in (old, new))
    both = united(compare(a, b))
    network = outline(both.graph, both.analysis, None, both.changes)
    found = scene(folded(network), Wanted(color="change"))
    assert not faults(found)
    assert "added" in {arrow.line.role for arrow in found.arrows}
    assert all(bool(arrow.line.dash) for arrow in found.arrows if arrow.line.role == "removed")


@pytest.mark.slow
def test_random_networks_keep_the_rules() -> None:
    from test_random_networks import networks

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(networks(), st.sampled_from(["down", "right"]), st.sampled_from([None, 0, 1, 99]))
    def keep(made: tuple[str, int], direction: str, depth: int | None) -> None:
        network = folded(of(made[0]), depth)
        found = scene(network, Wanted(direction=direction))
        assert not faults(found)
        arrows = {(arrow.source, arrow.target) for arrow in found.arrows if not arrow.target.startswith("output ")}
        assert sorted(arrows) == tensors(network)

    keep()


# --- folding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_OF_EACH_FILE)
def test_pictures_have_as_many_boxes_as_a_page(name: str) -> None:
    """No more than a page shows, and not much less, if there is more to show."""
    whole, shown = drawn(name), len(leaves(folded(drawn(name))))
    assert shown <= AUTOMATIC
    assert shown >= min(len(leaves(whole)), 12)


def test_the_first_of_each_kind_of_block_is_open() -> None:
    opened = [item.id for item in every(folded(drawn("inception_v4"))) if item.children]
    assert opened == ["module_a", "module_a_reduce_a"]
    opened = [item.title for item in every(folded(drawn("resnet50"))) if item.children]
    assert opened == [
        "stage bottleneck 64 3", "bottleneck 64", "bottleneck 64", "stage bottleneck 128 4 /2",
        "stage bottleneck 256 6 /2", "stage bottleneck 512 3 /2",
    ]  # fmt: skip


def test_long_rows_are_put_in_stages_of_one_resolution() -> None:
    lines = [f"conv 3x3x{8 + n % 17} same" + (", pool 2" if n % 15 == 14 else "") for n in range(60)]
    network = of("network N\ninput 64x64x3\n" + "\n".join(lines) + "\n")
    titles = [child.title for child in network.children]
    assert titles == ["input", "15 layers, 64x64", "16 layers, 32x32", "16 layers, 16x16", "16 layers, 8x8", "pool 2"]
    assert network.numbers.params == sum(child.numbers.params or 0 for child in network.children)
    assert not faults(scene(folded(network), Wanted()))


def test_rows_without_end_are_put_in_stages_of_stages() -> None:
    lines = [f"conv 3x3x{8 + n % 97} same" for n in range(3000)]
    network = of("network N\ninput 8x8x3\n" + "\n".join(lines) + "\n")
    assert all(len(item.children) <= LONGEST_ROW for item in [network, *every(network)])
    assert sum(len(item.nodes) for item in leaves(network)) == 3001
    assert len(leaves(folded(network))) <= AUTOMATIC


def test_the_last_of_a_row_may_give_the_result() -> None:
    network = of("network N\ninput 8x8x8\n" + "conv 3x3x8 same\n" * 9)
    assert [(child.title, child.count) for child in network.children] == [("input", 1), ("conv 3x3x8 same", 9)]
    blocks = "block unit:\n    add:\n        | conv 3x3x8 same, relu\n        | identity\n\n"
    network = of(f"{blocks}network N\ninput 8x8x8\n" + "unit\n" * 9)
    assert [child.count for child in network.children] == [1, 9]
    found = scene(network, Wanted())
    assert any(arrow.target == "output output" for arrow in found.arrows)
    assert not faults(found)


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_OF_EACH_FILE[2::5])
@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_a_picture_is_as_wide_as_the_page(name: str, width: float) -> None:
    found = graph(name, "down", None, width)
    assert found.width == width
    assert found.notes == ()
    assert not faults(found, wide=True)


def test_what_can_not_fit_says_so() -> None:
    found = graph("googlenet", "down", 2, COLUMN)
    assert found.width > COLUMN
    assert len(found.notes) == 1
    assert "not 234 pt" in found.notes[0]
    assert min(text.size for text in texts(found)) >= 7


def test_long_pictures_are_set_in_columns() -> None:
    assert graph("efficientnet_b0").height < 800
    assert graph("efficientnet_b0", "right").width < 900


# --- always the same ------------------------------------------------------------------------------------------------

SHOW = """
import sys
from drawn import drawn
from cnndsl.draw.fold import folded
from cnndsl.draw.styles.graph import scene
from cnndsl.draw.wanted import Wanted
found = scene(folded(drawn("googlenet")), Wanted())
print([(t.id, t.area) for t in found.things], [a.line for a in found.arrows])
"""


def test_the_same_file_gives_the_same_picture() -> None:
    root = Path(__file__).parent
    path = os.pathsep.join([str(root), str(root.parent)])
    said = {
        subprocess.run(
            [sys.executable, "-c", SHOW],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


# --- Graphviz -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not there")
@pytest.mark.parametrize("name", ["resnet50", "unet", "googlenet", "vae"])
@pytest.mark.parametrize("direction", ["down", "right"])
def test_graphviz_lays_the_same_things_out(name: str, direction: str) -> None:
    ours = graph(name, direction)
    theirs = scene(folded(drawn(name)), Wanted(direction=direction, engine="dot"))
    assert [(t.id, t.parent, t.kind) for t in theirs.things] == [(t.id, t.parent, t.kind) for t in ours.things]
    assert [(a.source, a.target) for a in theirs.arrows] == [(a.source, a.target) for a in ours.arrows]
    assert not list(box_faults(theirs))
    ends = {thing.id: thing.area for thing in theirs.things}
    for arrow in theirs.arrows:
        x, y = arrow.line.points[-1]
        area = ends[arrow.target]
        assert area.x - 1 <= x <= area.right + 1
        assert area.y - 1 <= y <= area.bottom + 1
        assert all(a != b for a, b in pairwise(arrow.line.points))


def test_without_graphviz_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnndsl.draw.styles import NotLaidOut

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotLaidOut, match="'dot' of Graphviz is not there"):
        scene(folded(drawn("LeNet5")), Wanted(engine="dot"))


# --- the whole way --------------------------------------------------------------------------------------------------


def test_a_picture_may_close_blocks_to_fit_unless_a_depth_is_said() -> None:
    one = checked("googlenet")
    subject, column = Subject(one.graph, one.analysis), Wanted(width=COLUMN)
    assert picture(subject, column, style="graph").width == COLUMN
    assert picture(subject, column, View(depth=1), style="graph").width > COLUMN
