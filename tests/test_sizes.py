"""Which input sizes fit: compared with checking size by size, with published minimum sizes, and with gradients."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from cnndsl.elaborate import Options, elaborate
from cnndsl.graph import Graph
from cnndsl.report.sizes import sizes_text
from cnndsl.sizes import Answer, Line, Question, ask, ask_at, nearest
from cnndsl.sizes.patterns import as_ranges, members, pattern_of
from cnndsl.source import Source
from cnndsl.syntax import parse
from tests.zoo_specs import ROOT


def zoo(file: str) -> Source:
    return Source(file, (ROOT / "specs" / file).read_text(encoding="utf-8"))


def answer_of(source: Source | str, question: Question = Question(), **options: Any) -> Answer:  # noqa: B008
    source = Source("net.cnn", source) if isinstance(source, str) else source
    answers, diagnostics = ask(source, question, Options(**options))
    assert not [d for d in diagnostics if d.severity == "error"], [d.message_text() for d in diagnostics]
    return answers[0]


def graph_at(source: Source, inputs: dict[str, Any], **options: Any) -> Graph | None:
    """The network at one size, by elaborating it there; None if it has an error that is not its `where`'s."""
    document, _ = parse(source)
    text = ",".join(f"{name}={'x'.join(map(str, shape.sizes))}" for name, shape in inputs.items())
    if len(inputs) == 1:
        text = text.partition("=")[2]
    found, diagnostics = elaborate(document, Options(input=text, **options))
    errors = [d for d in diagnostics if d.severity == "error" and type(d).__name__ != "ExpectFails"]
    return None if errors or not found else found[0].graph


def agrees(source: Source, line: Line, index: int, **options: Any) -> None:
    """One size of a line is what elaborating there says: whether it fits, what comes out."""
    graph = graph_at(source, line.inputs(index), **options)
    where = f"{source.name} {options} {line.title} {line.sizes[index]}"
    assert bool(line.fits()[index]) == (graph is not None), where
    if graph is None:
        assert line.why(index), where
        return
    outputs = {o.name: graph.shape_of(o.edge) for o in graph.outputs if not o.training}
    assert {name: shape.sizes for name, shape in line.outputs(index).items()} == {
        name: shape.sizes for name, shape in outputs.items() if shape is not None
    }, where


# --- published smallest sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "network", "smallest"),
    [
        # torchvision: `min_size` of its models' metadata, which its own tests hold.
        ("alexnet.cnn", "alexnet", 63),
        ("vgg.cnn", "vgg16", 32),
        ("vgg.cnn", "vgg11", 32),
        ("resnet.cnn", "resnet50", 1),
        ("resnet.cnn", "resnet152", 1),
        ("densenet.cnn", "densenet121", 29),
        ("googlenet.cnn", "googlenet", 15),
        ("squeezenet.cnn", "squeezenet1_0", 21),
        ("squeezenet.cnn", "squeezenet1_1", 17),
        ("mobilenet_v2.cnn", "mobilenet_v2", 1),
        ("lenet5.cnn", "LeNet5", 16),
    ],
)
def test_smallest_sizes(file: str, network: str, smallest: int) -> None:
    for line in answer_of(zoo(file), network=network).lines:
        assert pattern_of(line.sizes, line.fits()).smallest == smallest


def test_inception_with_and_without_its_auxiliary_head() -> None:
    """Keras: "no smaller than 75"; with the head that only serves training it needs the full 299."""
    answer = answer_of(zoo("inception_v3.cnn"), network="inception_v3")
    (line,), (inference,) = answer.lines, answer.inference
    assert pattern_of(line.sizes, line.fits()).smallest == 299
    assert pattern_of(inference.sizes, inference.fits()).smallest == 75


def test_unet_of_the_paper() -> None:
    """Every pool of the paper's net has an even map for 572, and for sizes that differ by multiples of 16."""
    answer = answer_of(zoo("unet.cnn"), network="unet")
    (line,) = answer.lines
    pattern = pattern_of(line.sizes, line.lossless())
    assert (pattern.alone, pattern.period, pattern.smallest) == ((), 16, 188)
    assert 572 in members(pattern, 1024)
    assert line.outputs(571)["output"].sizes == (388, 388, 2)


def test_padded_unet_wants_multiples_of_16() -> None:
    (line,) = answer_of(zoo("unet.cnn"), network="unet_padded").lines
    assert list(line.sizes[line.fits()]) == list(range(16, int(line.sizes[-1]) + 1, 16))


# --- size by size ---------------------------------------------------------------------------------------------------

ZOO = [
    ("lenet5.cnn", "LeNet5", range(1, 64)),
    ("alexnet.cnn", "alexnet", range(55, 80)),
    ("unet.cnn", "unet_padded", range(1, 50)),
    ("unet.cnn", "unet", range(180, 200)),
    ("tiny_yolo.cnn", "tiny_yolo_v3", range(20, 70)),
    ("crnn.cnn", "crnn", range(1, 40)),
    ("fcn.cnn", "fcn8s", range(1, 10)),
    ("textcnn.cnn", "textcnn", range(1, 12)),
    ("siamese.cnn", "siamese", range(60, 70)),
    ("c3d.cnn", "c3d", range(1, 20)),
    ("any_size.cnn", "AnySize", range(1, 20)),
    ("segnet.cnn", None, range(20, 40)),
    ("vae.cnn", None, range(1, 40)),
    ("vit.cnn", "vit_b_32", range(28, 36)),
]


@pytest.mark.parametrize(("file", "network", "sizes"), ZOO, ids=lambda value: str(value))
def test_zoo_size_by_size(file: str, network: str | None, sizes: range) -> None:
    source = zoo(file)
    network = network or next(
        line.split()[1].split("(")[0] for line in source.text.splitlines() if line[:7] == "network"
    )
    answer = answer_of(source, Question(sizes[0], sizes[-1]), network=network)
    for line in answer.lines:
        for index in range(len(line.sizes)):
            agrees(source, line, index, network=network)


# --- specs that ask for sizes, axes that depend on each other -------------------------------------------------------

SPECS = {
    "if": """
input 20x20x3
if input.height > 7:
    conv 3x3x4 /2
else:
    conv 1x1x4
pool 2
""",
    "if both": """
input 20x12x3
if input.height > 7:
    pool 2x1
if input.width > 9 and here.height < 8:
    pool 1x3
conv 3x3x4
""",
    "nested": """
block shrink(n):
    if n > 4:
        pool 2
        shrink {here.height}
network N
input 40x40x2
shrink {input.height}
conv 2x2x3
""",
    "loop": """
input 30x6
repeat input.length // 8:
    conv 3x4
dense 3
""",
    "let": """
network N
input HxWx1 = 20x20x1 where H >= 4, W % 2 == 0
let half = H // 2
let f(x) = x % 5
if f(half) == 3:
    conv 5x5x2
else:
    pool {1 + W % 3}
conv {min(half, 4)}x1x2
""",
    "mistakes": """
input 12x12x2
conv 1x1x{10 // (input.height - 6)}
conv 3x3x{[4, 5, 6, 7][input.width % 5]}
""",
    "flatten": """
input 14x14x4
pool 2
reshape 7x7x4
conv 3x3x2
""",
    "only square": """
input 9x9x2
add:
    | identity
    | permute 1x0x2
""",
    "instancenorm": """
input 6x6x2
conv 3x3x2, instancenorm
""",
    "branch on both": """
input 8x8x2
if input.height == input.width:
    conv 3x3x2
else:
    conv 5x5x2
""",
    "squeeze": """
input 9x5x4
mul:
    | pool 3
    | pool 3 /3, conv 1x1x4
    | globalpool avg, conv 1x1x4
""",
    "mul of ones": """
input 9x5x4
mul:
    | pool 3
    | pool 4
""",
    "crop": """
input 9x9x4
identity as x
conv 3x3x4 /2, deconv 2x2x4 /2
concat crop x
conv 4x4x2
""",
    "same": """
input 9x9x4
conv 3x3x4 /2 same, pool 3 /2 same avg
upsample 4
pad 2 reflect
pixelunshuffle 4
""",
    "unpool": """
input 9x9x4
pool 3 /2 ceil as p, conv 3x3x4 same, unpool 3 p /2
pool 2
""",
    "three": """
input 5x6x7x2
conv 3x3x3x2, pool 2x1x2, dense 3
""",
    "shared": """
network N
input left 9x9x1
input right 9x9x1
from left, pool 2, dense 4 as d
from right, pool 3 /2, reuse d
absdiff d
""",
    "open": """
input HxHx3
conv 3x3x2 /2
""",
    "dropped late": """
input 20x3
adaptivepool 7
pool 2
""",
}


@pytest.mark.parametrize("name", SPECS)
def test_spec_size_by_size(name: str) -> None:
    text = SPECS[name].lstrip()
    source = Source(f"{name}.cnn", text if "network" in text else f"network N\n{text}")
    last = 14 if name in ("three", "shared", "if both") else 20
    answer = answer_of(source, Question(1, last))
    for line in answer.lines:
        assert not line.unknown().any()
        for index in range(len(line.sizes)):
            agrees(source, line, index)
    if len(answer.axes) == 2:
        every_pair(source, answer)


def every_pair(source: Source, answer: Answer) -> None:
    """What an answer says of two axes together holds for every pair of sizes."""
    sizes = answer.lines[0].sizes
    lines = answer.lines if len(answer.lines) == 2 else answer.lines * 2
    count = 0
    for h in range(len(sizes)):
        for w in range(len(sizes)):
            given = dict(answer.inputs)
            for axis, size in zip(answer.axes, (sizes[h], sizes[w]), strict=True):
                for name, place in axis.places:
                    old = given[name].sizes
                    given[name] = given[name]._replace(sizes=(*old[:place], int(size), *old[place + 1 :]))
            fits = graph_at(source, given) is not None
            count += fits
            if answer.coupled is None:
                assert fits == bool(lines[0].fits()[h] and lines[1].fits()[w]), (source.name, h + 1, w + 1)
    if answer.pairs is not None:
        assert answer.pairs.fit == count


# --- generated networks ---------------------------------------------------------------------------------------------


@st.composite
def layers(draw: st.DrawFn, rank: int) -> str:
    """A layer that slides, enlarges, cuts or pads, for a map of so many axes."""
    kernel = "x".join(str(draw(st.integers(1, 4))) for _ in range(rank))
    stride = "x".join(str(draw(st.integers(1, 3))) for _ in range(rank))
    pad = draw(st.sampled_from(["", " pad=1", " same"]))
    plain = [
        f"conv {kernel}x2 /{stride}{pad}",
        f"conv {kernel}x2 dilation={draw(st.integers(1, 3))}{pad}",
        f"pool {kernel} /{stride}" + draw(st.sampled_from(["", " ceil", " same", " avg"])),
        f"deconv {kernel}x2 /{stride}",
        f"upsample {draw(st.integers(2, 3))}",
        f"crop {draw(st.integers(1, 2))}",
        f"pad {draw(st.integers(1, 2))} {draw(st.sampled_from(['constant', 'reflect', 'circular']))}",
        f"adaptivepool {draw(st.integers(1, 4))}",
        "relu",
    ]
    return draw(st.sampled_from(plain))


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A chain with merges and conditions on sizes, one or two axes."""
    rank = draw(st.integers(1, 2))
    axes = ("length",) if rank == 1 else ("height", "width")
    lines = ["network N", f"input {'x'.join(['12'] * rank)}x2"]
    for _ in range(draw(st.integers(1, 5))):
        sort = draw(st.sampled_from(["plain", "plain", "merge", "if", "let"]))
        one, other = draw(layers(rank)), draw(layers(rank))
        axis, number = draw(st.sampled_from(axes)), draw(st.integers(2, 12))
        if sort == "plain":
            lines.append(one)
        elif sort == "merge":
            kind = draw(st.sampled_from(["add", "mul", "concat", "concat crop"]))
            lines += [f"{kind}:", f"    | {one}", f"    | {draw(st.sampled_from(['identity', other]))}"]
        elif sort == "if":
            where = draw(st.sampled_from(["here", "input"]))
            lines += [f"if {where}.{axis} > {number}:", f"    {one}"]
            lines += ["else:", f"    {other}"] if draw(st.booleans()) else []
        else:
            name = f"n{len(lines)}"
            lines += [f"let {name} = here.{axis} // {number}", f"if {name} % 2 == 0:", f"    {one}"]
    lines += [draw(st.sampled_from(["dense 3", "conv " + "1x" * rank + "2", "globalpool"]))]
    return "\n".join(lines) + "\n"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_generated_networks_size_by_size(text: str) -> None:
    source = Source("generated.cnn", text)
    answers, diagnostics = ask(source, Question(1, 14))
    assert answers, [d.message_text() for d in diagnostics]
    for line in answers[0].lines:
        assert not line.unknown().any()
        for index in range(len(line.sizes)):
            agrees(source, line, index)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=4)
)
def test_what_is_left_out_has_no_gradient(drawn: list[tuple[bool, int, int, int]]) -> None:
    """Cells behind the last window: PyTorch gives them no gradient."""
    chain = [(pool, max(k, s), s, min(p, max(k, s) // 2)) for pool, k, s, p in drawn]
    items = [f"pool {k} /{s} pad={p} avg" if pool else f"conv {k}x1 /{s} pad={p}" for pool, k, s, p in chain]
    answer = answer_of("network N\ninput 40x1\n" + "\n".join(items) + "\n", Question(1, 48))
    (line,) = answer.lines
    for index in np.flatnonzero(line.fits()):
        left = {layer: cells for layer, _, cells, _ in line.losses(int(index))}
        part = line.part(int(index))
        assert part is not None
        names = [node.name for node in part.graph.nodes[1:]]
        length = int(line.sizes[index])
        for name, (pool, k, s, p) in zip(names, chain, strict=True):
            x = torch.ones(1, 1, length, requires_grad=True)
            y = F.avg_pool1d(x, k, s, p) if pool else F.conv1d(x, torch.ones(1, 1, k), stride=s, padding=p)
            y.sum().backward()
            assert x.grad is not None
            assert left.get(name, 0) == int((x.grad == 0).sum()), (items, line.sizes[index], name)
            length = y.shape[-1]


# --- sets of sizes in words -----------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 9))
def test_patterns_are_exact(start: list[bool], times: int, low: int) -> None:
    mask = np.array(start + start[-7:] * times, dtype=bool)
    sizes = np.arange(low, low + len(mask))
    pattern = pattern_of(sizes, mask)
    wanted = list(sizes[mask])
    assert members(pattern, int(sizes[-1])) == wanted
    ranges = as_ranges(pattern, int(sizes[-1]))
    assert sorted(n for r in ranges for n in range(r["first"], r["last"] + 1, r["step"])) == wanted


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ([], "none"),
        (range(1, 101), "every size"),
        (range(21, 101), "every size from 21"),
        (range(16, 101, 16), "multiples of 16: 16, 32, 48, ..."),
        (range(32, 101, 16), "multiples of 16 from 32: 32, 48, 64, ..."),
        (range(28, 101, 16), "every 16th size from 28: 28, 44, 60, ..."),
        ([3, *range(5, 8), *range(20, 101)], "3, 5-7, and every size from 20"),
        ([n for n in range(31, 101) if n % 16 in (15, 0, 1)], "31-33, 47-49, 63-65, ... (the same every 16)"),
        ([7, 30], "7, 30"),
        ([1, 2, 4, 8, 16, 32, 64], "1-2, 4, 8, 16, 32, 64"),
    ],
)  # fmt: skip
def test_sets_in_words(wanted: Iterable[int], text: str) -> None:
    sizes = np.arange(1, 101)
    mask = np.isin(sizes, list(wanted))
    line = answer_of("network N\ninput 9x1\nrelu\n", Question(1, 100)).lines[0]
    assert sizes_text(pattern_of(sizes, mask), line, "...") == text


# --- one size, and the command --------------------------------------------------------------------------------------


def test_one_size() -> None:
    (at,), _ = ask_at(zoo("vgg.cnn"), (225, 300), options=Options(network="vgg16"))
    left = {stage.layer: stage.losses for stage in at.stages if stage.losses}
    # 225 -> 112 -> 56 -> ..., 300 -> 150 -> 75 -> 37 -> 18: halved and rounded down.
    assert left == {
        "stage[0]": (("height", 1, 225),),
        "stage[2]": (("width", 1, 75),),
        "stage[3]": (("width", 1, 37),),
    }
    assert [(near.title, near.lossless) for near in at.near] == [("height", (224, 256)), ("width", (288, 320))]


def test_nearest() -> None:
    (line,) = answer_of(zoo("unet.cnn"), network="unet_padded").lines
    assert nearest(line, 100) == (96, 112)
    assert nearest(line, 16) == (None, 32)
    (line,) = answer_of(zoo("lenet5.cnn")).lines
    assert nearest(line, 28, lossless=True) == (24, 32)


def run(*words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "cnndsl", "sizes", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_formats() -> None:
    code, out, _ = run("crnn", "--format", "json", "--range", "1..100")
    data = json.loads(out)
    assert code == 0
    assert [line["fits"] for line in data["networks"][0]["lines"]] == [
        [{"first": 32, "last": 100, "step": 1}],
        [{"first": 4, "last": 100, "step": 1}],
    ]
    code, out, _ = run("lenet5", "--format", "csv", "--range", "14..17")
    rows = list(csv.DictReader(out.splitlines()))
    assert [(row["size"], row["fits"], row["loses_nothing"], row["output"]) for row in rows] == [
        ("14", "no", "no", ""), ("15", "no", "no", ""), ("16", "yes", "yes", "10"), ("17", "yes", "no", "10"),
    ]  # fmt: skip
    code, out, _ = run("lenet5", "--format", "markdown", "--at", "33")
    assert code == 0
    assert "1 of 29 in height and width" in out


def test_exit_codes(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.cnn"
    nothing.write_text("network N\ninput 8x8x3\nglobalpool\nconv 3x3x4\n", encoding="utf-8")
    code, out, _ = run(str(nothing))
    assert code == 1
    assert "none" in out
    misspelt = tmp_path / "misspelt.cnn"
    misspelt.write_text("network N\ninput 8x8x3\ncnov 3x3x4\n", encoding="utf-8")
    code, out, err = run(str(misspelt))
    assert code == 1
    assert "E201" in err
    assert run("lenet5", "--at", "3")[0] == 1
    vector = tmp_path / "vector.cnn"
    vector.write_text("network N\ninput 784\ndense 10\n", encoding="utf-8")
    code, _, err = run(str(vector))
    assert code == 2
    assert "nothing varies" in err
    for words in (("--range", "9..3"), ("--axis", "depth"), ("--input", "left"), ("--at", "3x4x5")):
        code, out, err = run("lenet5", *words)
        assert (code, out) == (2, ""), words
        assert "Error" in err
