"""Figures in the styles of papers: rules of geometry over the zoo, and what published figures and tables show."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from drawn import checked, drawn
from rules import broken, crossings, small

from cnndsl.draw.faults import faults
from cnndsl.draw.geometry import area_of, marks_of, united
from cnndsl.draw.outline import Item, outline
from cnndsl.draw.picture import Subject, View, picture
from cnndsl.draw.scene import Area, Rect, Scene, Text, Thing
from cnndsl.draw.styles import layers, paper, volumes
from cnndsl.draw.styles.labels import lines
from cnndsl.draw.styles.scales import LEAST_STEP, scale
from cnndsl.draw.wanted import SMALLEST, Wanted
from cnndsl.pipeline import check
from cnndsl.source import Source
from cnndsl.zoo.index import NETWORKS

COLUMN, PAGE = 3.25 * 72, 6.75 * 72
"""Widths of a column and of a page with two of them, in points."""
WIDTHS = (None, COLUMN, PAGE)
CHAINS = (
    "LeNet5",
    "LeNet5_1998",
    "alexnet",
    "vgg16",
    "nin",
    "c3d",
    "spectra",
    "crnn",
    "conv_autoencoder",
    "Perceptron",
)
DEEP = (
    "resnet18",
    "resnet152",
    "googlenet",
    "inception_v4",
    "densenet201",
    "mobilenet_v2",
    "efficientnet_b0",
    "unet",
    "unet_keras",
    "segnet",
    "fcn8s",
    "vae",
    "siamese",
    "siamese_embedding",
    "textcnn",
    "vit_b_16",
    "yolov3",
    "r3d_18",
    "lraspp_mobilenet_v3_large",
    "deeplabv3_resnet50",
)
HUES = {"convolution", "pooling", "dense", "merge", "activation", "attention"}


def volume(name: str, **wanted: object) -> Scene:
    return volumes.scene(drawn(name), Wanted(**wanted))  # type: ignore[arg-type]


def chain(name: str, **wanted: object) -> Scene:
    return layers.scene(drawn(name), Wanted(**wanted))  # type: ignore[arg-type]


def of(text: str) -> Item:
    one = check(Source("spec.cnn", text)).networks[0]
    return outline(one.graph, one.analysis)


def texts(scene: Scene) -> list[str]:
    return [mark.text for mark in marks_of(scene) if isinstance(mark, Text)]


def thing(scene: Scene, name: str) -> Thing:
    return next(one for one in scene.things if one.id == name)


def kept(scene: Scene, width: float | None) -> list[str]:
    """What a figure breaks of the rules that all of them keep."""
    found = [*broken(scene), *small(scene, SMALLEST)]
    area = united(area_of(mark) for mark in marks_of(scene))
    edges = (area.x, area.y, scene.width - area.right, scene.height - area.bottom)
    upright = edges if width is None else edges[1::2]
    if any(abs(edge - paper.MARGIN) > 0.01 for edge in upright):
        found.append(f"margins {edges}")
    if width is not None and abs(scene.width - width) > 0.01:
        found.append(f"{scene.width} wide")
    return found


# --- rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CHAINS)
def test_chains_keep_the_rules(name: str, width: float | None) -> None:
    assert layers.fits(drawn(name))
    assert kept(chain(name, width=width), width) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*DEEP, "LeNet5", "vgg16", "conv_autoencoder", "crnn"])
def test_volumes_keep_the_rules(name: str, width: float | None) -> None:
    scene = volume(name, width=width)
    assert kept(scene, width) == []
    if width is None:
        assert crossings(scene) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_whole_zoo_keeps_the_rules(name: str) -> None:
    for width in WIDTHS:
        assert kept(volume(name, width=width), width) == []
        if layers.fits(drawn(name)):
            assert kept(chain(name, width=width), width) == []
    assert crossings(volume(name)) == 0


@pytest.mark.parametrize("width", [None, PAGE])
@pytest.mark.parametrize(
    "wish",
    [
        {"labels": False},
        {"show": ("name", "shape", "params", "macs", "memory", "rf")},
        {"show": ()},
        {"color": "macs", "legend": True},
        {"legend": True, "title": "A title of so many words that no column holds all of them in one of its lines"},
    ],
    ids=lambda wish: next(iter(wish)),
)
@pytest.mark.parametrize("name", ["LeNet5", "resnet50", "unet", "segnet", "yolov3"])
def test_whatever_is_wanted_the_rules_are_kept(name: str, wish: dict[str, object], width: float | None) -> None:
    for draw in (chain, volume):
        assert kept(draw(name, width=width, **wish), width) == []


def test_what_the_rules_find() -> None:
    """The rules can fail: each is broken once."""
    good = chain("LeNet5")
    first, second, *others = good.things
    found = Counter(said.split(":")[0] for said in broken(good))
    assert not found
    twice = good._replace(things=(first, second._replace(id=first.id), *others))
    assert any(said.startswith("named") for said in broken(twice))
    elsewhere = good._replace(things=(first, second._replace(area=first.area), *others))
    assert {said.split(":")[0] for said in broken(elsewhere)} >= {"loose"}
    under = next(area_of(mark) for mark in second.marks if isinstance(mark, Text))
    assert any(
        said.startswith("covered") for said in broken(good._replace(things=(first._replace(area=under), second)))
    )
    label = next(mark for mark in second.marks if isinstance(mark, Text))
    shifted = second._replace(marks=(*second.marks, label._replace(text="9x9")))
    assert any(said.startswith("colliding") for said in broken(good._replace(things=(first, shifted, *others))))
    assert any(said.startswith("leaving") for said in broken(good._replace(width=100.0)))
    across = good.arrows[0]._replace(source=first.id, target=others[-1].id)
    line = across.line._replace(points=(first.area.middle, others[-1].area.middle))
    assert any(said.startswith("passing") for said in broken(good._replace(arrows=(across._replace(line=line),))))


@pytest.mark.parametrize("name", ["inception_v3", "inception_v4", "googlenet", "xception", "resnet18"])
def test_arms_within_blocks_do_not_cross_their_neighbours(name: str) -> None:
    scene = volume(name)
    insets = {one.id for one in scene.things if one.id.endswith("(drawn once)")}
    parents = {one.id: one.parent for one in scene.things}
    for inset in insets:
        held = {inset, *(one for one, parent in parents.items() if parent == inset)}
        inner = tuple(a._replace(skip=True) for a in scene.arrows if a.source in held and a.target in held)
        assert inner
        assert crossings(scene._replace(arrows=inner)) == 0


def test_towers_end_their_rows_together() -> None:
    """The halves of a siamese network stand above each other in a column, too."""
    scene = volume("siamese", width=COLUMN)
    rows = Counter(round(one.area.middle[1]) for one in scene.things if one.kind not in ("connector", "absdiff"))
    assert [rows[y] for y in sorted(rows)] == [5, 5, 5, 4]  # the third has the layer behind both towers
    (comes,) = [one for one in scene.arrows if one.source.startswith("a →")]
    assert len({round(y, 3) for _, y in comes.line.points}) == 1


def test_a_legend_is_as_large_as_the_labels() -> None:
    sizes = {mark.size for mark in marks_of(volume("unet", width=COLUMN)) if isinstance(mark, Text)}
    assert sizes == {SMALLEST}


def test_a_stride_stays_with_its_operation() -> None:
    assert lines(("3×3 max pool", "/2"), 8.0, 44.0) == ("3×3 max pool /2",)
    assert lines(("4×4 deconv", "/2", "BN", "ReLU"), 8.0, 44.0) == ("4×4 deconv /2,", "BN, ReLU")


def test_the_same_network_gives_the_same_figure() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from drawn import drawn\n"
        "from cnndsl.draw.styles import layers, volumes\n"
        "from cnndsl.draw.wanted import Wanted\n"
        "print(layers.scene(drawn('LeNet5'), Wanted()))\n"
        "for name in ('googlenet', 'unet'):\n"
        "    print(volumes.scene(drawn(name), Wanted(width=300)))\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) > 10_000


@pytest.mark.parametrize("name", [*CHAINS, *DEEP])
def test_no_figure_needs_more_than_six_hues(name: str) -> None:
    fills = {mark.fill for mark in marks_of(volume(name)) if isinstance(mark, Rect)}
    greys = {"input", "other", "normalisation", "block", "group", "page", "outline", None}
    assert fills <= HUES | greys
    assert len(HUES) == 6


# --- which style ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "style"),
    [
        *[(name, "layers") for name in CHAINS],
        *[(name, "volumes") for name in DEEP],
        ("darknet19", "volumes"),
        ("mobilenet_v1", "volumes"),
        ("resnet9", "volumes"),
    ],
)
def test_chains_that_are_not_too_long_are_drawn_as_layers(name: str, style: str) -> None:
    assert layers.fits(drawn(name)) == (style == "layers")
    one = checked(name)
    assert picture(Subject(one.graph, one.analysis)) == {"layers": chain, "volumes": volume}[style](name)


def test_what_branches_is_drawn_as_volumes_even_if_layers_are_wanted() -> None:
    one = checked("resnet18")
    assert picture(Subject(one.graph, one.analysis), style="layers") == volume("resnet18")


# --- layers ---------------------------------------------------------------------------------------------------------


def test_lenet_has_the_sizes_of_its_paper() -> None:
    """LeCun et al. 1998, figure 2: INPUT, C1, S2, C3, S4, C5, F6 and OUTPUT."""
    said = ["32×32×1", "28×28×6", "14×14×6", "10×10×16", "5×5×16", "1×1×120", "84", "10"]
    assert [one.label[0] for one in chain("LeNet5_1998").things] == said
    names = [one.label[0] for one in chain("LeNet5_1998", show=("name", "shape")).things]
    assert names == ["32×32×1", "c1", "s2", "c3", "s4", "c5", "f6", "rbf"]


def test_stacks_have_a_sheet_for_each_map_up_to_eight() -> None:
    scene = chain("LeNet5")
    sheets = {
        one.id: [m for m in one.marks if isinstance(m, Rect) and m.fill == one.role and not m.radius]
        for one in scene.things
    }
    assert {name: len(found) for name, found in sheets.items() if name in ("input", "c1", "pool2")} == {
        "input": 1,
        "c1": 6,
        "pool2": 6,
    }
    dots = [m for m in thing(scene, "c3").marks if isinstance(m, Rect) and m.fill == "outline"]
    assert len(sheets["c3"]) == 7
    assert len(dots) == 3


def test_a_window_is_as_large_on_its_map_as_in_the_network() -> None:
    """5 of 32 cells; its lines meet on the next map."""
    scene = chain("LeNet5")
    patch = next(m for m in thing(scene, "c1").marks if isinstance(m, Rect) and m.fill == "page")
    assert patch.area.width / thing(scene, "input").area.width == pytest.approx(5 / 32, rel=0.02)
    assert thing(scene, "input").area.x < patch.area.x < patch.area.right < thing(scene, "input").area.right


def test_maps_that_are_not_square_are_drawn_so() -> None:
    areas = {one.id: one.area for one in chain("crnn").things}
    assert areas["input"].width > 1.2 * areas["input"].height


def test_dense_layers_are_columns_and_what_they_take_is_flattened() -> None:
    scene = chain("LeNet5")
    flat = next(one for one in scene.things if one.kind == "flatten")
    assert flat.label == ("400", "flatten")
    assert flat.area.height > 5 * flat.area.width
    circles = {
        one.id: sum(isinstance(m, Rect) and m.fill == "page" for m in one.marks)
        for one in scene.things
        if one.kind == "dense"
    }
    assert circles["dense10"] == 10
    assert 4 <= circles["dense120"] < 20


def test_units_that_are_few_have_all_their_connections() -> None:
    network = of("network N\ninput 3\ndense 4, relu\ndense 2\n")
    scene = layers.scene(network, Wanted())
    lines = [len([m for m in one.marks if type(m).__name__ == "Line"]) for one in scene.things]
    assert [count + 1 for count in lines[1:]] == [3 * 4, 4 * 2]  # one of them is the arrow


def test_a_long_chain_is_set_in_rows() -> None:
    tops = [round(one.area.middle[1]) for one in chain("vgg16", width=COLUMN).things]
    assert len(set(tops)) >= 3
    assert len({round(one.area.middle[1]) for one in chain("vgg16").things}) == 1
    assert len({round(one.area.middle[1]) for one in chain("LeNet5", width=PAGE).things}) == 1


# --- volumes --------------------------------------------------------------------------------------------------------


def test_scales_are_logarithmic_between_the_extremes() -> None:
    lengths = scale([7, 14, 56, 224], 10.0, 75.0, 20.0)
    steps = [lengths(2 * size) - lengths(size) for size in (7, 14, 28, 56, 112)]
    assert steps == pytest.approx([13.0] * 5)
    assert (lengths(7), lengths(224)) == (pytest.approx(10.0), pytest.approx(75.0))


def test_each_halving_shows() -> None:
    """3 px of 1/96 inch are 2.25 pt."""
    lengths = scale([1, 2**20], 10.0, 30.0, 20.0)
    assert lengths(2) - lengths(1) == LEAST_STEP == 3 * 72 / 96


@pytest.mark.parametrize(
    ("name", "blocks"), [("resnet18", (2, 2, 2, 2)), ("resnet50", (3, 4, 6, 3)), ("resnet152", (3, 8, 36, 3))]
)
def test_resnets_have_the_blocks_of_their_table(name: str, blocks: tuple[int, ...]) -> None:
    """He et al. 2015, table 1: how many there are in conv2_x to conv5_x."""
    stages = Counter[str]()
    for one in volume(name).things:
        if one.kind == "block" and one.parent is None and not one.holds:
            stages[dict(one.facts)["output"].split("x")[0]] += one.count
    assert tuple(stages.values()) == blocks
    brackets = sum(text.startswith("×") for text in texts(volume(name)))
    assert brackets == sum(one.count > 1 for one in volume(name).things if one.parent is None)


def test_blocks_are_drawn_once() -> None:
    """He et al. 2015, figure 5: 1x1, 3x3, 1x1 with a quarter of the channels inside."""
    scene = volume("resnet50")
    frames = [one for one in scene.things if one.holds]
    assert [frame.label[0] for frame in frames] == ["bottleneck A", "bottleneck B"]
    inside = [one for one in scene.things if one.parent == frames[1].id]
    assert [one.label for one in inside[:3]] == [
        ("1×1 conv, C/4", "BN, ReLU"),
        ("3×3 conv, C/4", "BN, ReLU"),
        ("1×1 conv, C", "BN"),
    ]
    assert sum(arrow.skip for arrow in scene.arrows if arrow.target == inside[3].id) == 1
    assert all(frames[1].area.x <= one.area.x and one.area.right <= frames[1].area.right for one in inside)


def test_an_inception_module_has_four_arms_side_by_side() -> None:
    scene = volume("googlenet")
    frame = next(one for one in scene.things if one.holds)
    inside = [one for one in scene.things if one.parent == frame.id]
    columns = {round(one.area.middle[0]) for one in inside}
    assert len(columns) == 4
    taking = [arrow for arrow in scene.arrows if arrow.source == frame.id]
    assert len(taking) == 4


def test_stages_stand_together() -> None:
    """A gap marks a change of resolution where labels leave room for it."""
    scene = volume("resnet50", labels=False)
    main = sorted((one for one in scene.things if one.parent is None), key=lambda one: one.area.x)
    sizes = [dict(one.facts)["output"].split("x")[0] for one in main]
    gaps = [b.area.x - a.area.right for a, b in itertools.pairwise(main)]
    pairs = list(zip(gaps, itertools.pairwise(sizes), strict=True))
    within = [gap for gap, (a, b) in pairs if a == b]
    between = [gap for gap, (a, b) in pairs if "1" not in (a, b) and a != b]
    assert max(within) < min(between)


def test_a_u_has_the_levels_of_its_paper_and_its_skips_go_across() -> None:
    """Ronneberger et al. 2015, figure 1: from 572 to 28 on four levels and the bottom; 388 at the end."""
    scene = volume("unet")
    rows: dict[int, list[Thing]] = {}
    for one in scene.things:
        if one.kind != "concat":
            rows.setdefault(round(one.area.middle[1]), []).append(one)
    levels = [sorted(rows[y], key=lambda one: one.area.x) for y in sorted(rows)]
    outputs = [[dict(one.facts)["output"].split("x")[0] for one in level] for level in levels]
    assert outputs == [
        ["572", "570", "568", "392", "390", "388", "388"],
        ["284", "282", "280", "200", "198", "196"],
        ["140", "138", "136", "104", "102", "100"],
        ["68", "66", "64", "56", "54", "52"],
        ["32", "30", "28"],
    ]
    skips = [arrow for arrow in scene.arrows if arrow.skip]
    assert len(skips) == 4
    for arrow in skips:
        assert thing(scene, arrow.source).area.right < thing(scene, arrow.target).area.x
        assert thing(scene, arrow.source).area.middle[1] == pytest.approx(thing(scene, arrow.target).area.middle[1])


def test_two_towers_stand_side_by_side_and_share_their_weights() -> None:
    scene = volume("siamese")
    rows = {round(one.area.middle[1]) for one in scene.things if one.kind == "input"}
    assert len(rows) == 2
    assert sum("shared" in one.label for one in scene.things) == 5
    assert {one.label[0] for one in scene.things if one.kind == "input"} == {"left", "right"}


def test_what_serves_training_only_is_dashed_and_outputs_are_named() -> None:
    scene = volume("googlenet")
    dashed = {one.id for one in scene.things if any(isinstance(m, Rect) and m.dash for m in one.marks)}
    heads = {one.id for one in scene.things if one.id.startswith("aux")}
    assert dashed == heads
    assert len(heads) == 8
    assert {"→ aux1", "→ aux2", "→ output"} <= set(texts(scene))


def test_an_arm_ends_in_its_merge() -> None:
    scene = volume("textcnn")
    merged = next(one for one in scene.things if one.kind == "concat")
    assert len([arrow for arrow in scene.arrows if arrow.target == merged.id]) == 3


def test_lines_that_are_cut_have_their_letters_twice() -> None:
    scene = volume("yolov3", width=COLUMN)
    letters = Counter(one.label[0] for one in scene.things if one.kind == "connector")
    assert letters
    assert set(letters.values()) == {2}


def test_a_width_never_makes_text_small_but_may_leave_words_out() -> None:
    whole, narrow = volume("resnet50", width=PAGE), volume("resnet50", width=COLUMN)
    assert {mark.size for mark in marks_of(narrow) if isinstance(mark, Text)} == {SMALLEST}
    assert "7×7 conv /2" in texts(whole)
    assert "7×7" in texts(narrow)


# --- what is wanted -------------------------------------------------------------------------------------------------


def test_costs_give_colours() -> None:
    scene = volume("resnet50", color="params", legend=True)
    roles = {one.role for one in scene.things if one.parent is None and not one.holds}
    assert roles <= {f"scale{i}" for i in range(9)}
    assert "scale8" in roles
    assert "parameters:" in texts(scene)


def test_a_legend_explains_what_is_there() -> None:
    said = texts(volume("unet", legend=True))
    assert {"convolution", "pooling", "merge", "activation", "larger maps", "concatenation"} <= set(said)
    assert "sum" not in said
    assert "attention, sequence" not in said


def test_without_labels_only_counts_and_merges_are_left() -> None:
    assert {text.strip("×0123456789") for text in texts(volume("densenet121", labels=False))} == {""}
    assert texts(chain("LeNet5", labels=False)) == []


def test_blocks_that_are_closed_have_no_insets() -> None:
    one = checked("resnet50")
    scene = picture(Subject(one.graph, one.analysis), view=View(depth=0))
    assert not [frame for frame in scene.things if frame.holds]
    assert sum("stage" in found.label for found in scene.things) == 4
    assert kept(scene, None) == []


def test_a_block_alone_can_be_drawn() -> None:
    one = checked("googlenet")
    scene = picture(Subject(one.graph, one.analysis), view=View(only="inception"), style="volumes")
    assert kept(scene, None) == []
    assert sum(found.kind == "conv" for found in scene.things) == 6


def random_network(seed: int) -> str:
    """A network whose layers take what earlier ones of their resolution gave, at random."""
    dice = random.Random(seed)
    lines = ["network R", "input 32x32x4"]
    known: dict[int, list[str]] = {}
    level = 0
    for number in range(dice.randint(6, 26)):
        name = f" as t{number}" if dice.random() < 0.5 else ""
        what = dice.random()
        if what < 0.35 and known.get(level):
            lines.append("concat " + " ".join(dice.sample(known[level], min(len(known[level]), dice.randint(1, 3)))))
            lines.append(f"conv 1x1x8{name}")
        elif what < 0.45 and level < 3:
            level += 1
            lines.append(f"conv 3x3x8 /2 pad=1{name}")
        elif what < 0.55 and level:
            level -= 1
            lines += ["upsample 2", f"conv 3x3x8 same{name}"]
        else:
            lines.append(f"conv 3x3x8 same{name}, relu" if dice.random() < 0.5 else f"conv 1x1x8{name}")
        if name:
            known.setdefault(level, []).append(name.split()[1])
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(12))
def test_networks_of_any_shape_keep_the_rules(seed: int) -> None:
    network = of(random_network(seed))
    for width in WIDTHS:
        assert kept(volumes.scene(network, Wanted(width=width)), width) == []


def test_what_can_not_be_so_narrow_says_so() -> None:
    for draw in (chain, volume):
        scene = draw("vgg16", width=40.0)
        assert scene.width > 40
        assert "pt wide, not 40 pt" in scene.notes[0]


BROKEN = """\
network Wrong
input 28x28x1
conv 5x5x8 /2, relu
pool 2                  -> 12x12x8
conv 3x3x3x16, rellu
conv 3x3x16, relu
dense 10 nobais
"""


@pytest.mark.parametrize("style", ["layers", "volumes"])
def test_what_is_wrong_is_drawn_as_far_as_it_is_known(style: str) -> None:
    found = check(Source("wrong.cnn", BROKEN))
    one = found.networks[0]
    subject = Subject(one.graph, one.analysis, faults(one.graph, found.diagnostics))
    for width in (None, COLUMN):
        scene = picture(subject, Wanted(width=width), style=style)
        red = [found for found in scene.things if found.role == "fault"]
        assert len(red) == 4
        assert any("E501" in text for text in texts(scene))
        assert not [said for said in broken(scene) if not said.startswith("covered")]


def test_empty_networks_are_drawn() -> None:
    for text in ("network N\ninput 8x8x3\n", "network N\ninput 8x8x3 as a\ninput 8x8x3 as b\nadd b\n"):
        for draw in (layers.scene, volumes.scene):
            assert isinstance(draw(of(text), Wanted()), Scene)
    assert Area(0, 0, 1, 1).right == 1
