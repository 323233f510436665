"""`cnndsl annotate`: what it writes holds, and nothing but claims changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_format import TEXTS, disordered, fmt, holds
from test_random_networks import networks
from test_rewriting import run

from cnndsl.annotate import annotate, without_claims
from cnndsl.pipeline import check
from cnndsl.source import Source

some = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def annotated(text: str, *, every: bool = False) -> str:
    result, found = annotate(Source("a.cnn", text), every=every)
    assert result is not None, found
    return result


def without(text: str) -> str:
    result, found = without_claims(Source("a.cnn", text))
    assert result is not None, found
    return result


def errors(text: str) -> list[str]:
    return [d.code for d in check(Source("a.cnn", text)).diagnostics if d.severity == "error"]


def bare(text: str) -> list[str]:
    """The lines of a text without claims, lines that are only a claim, and the spaces before comments."""
    lines = [re.sub(r"\s*->[^#:]*(?=:?$|:?\s*#|\s*$)", "", line.rstrip()) for line in text.split("\n")]
    return [re.sub(r"\s*#", " #", line) for line in lines if line.strip()]


def claims_hold(text: str, *, every: bool) -> str:
    """What must be so for every spec without errors; returns it annotated."""
    result = annotated(text, every=every)
    assert errors(result) == []
    assert bare(result) == bare(text)
    assert annotated(result, every=every) == result
    changed = {(a, b) for a, b in zip(text.split("\n"), result.split("\n"), strict=True) if a != b}
    if fmt(text) == text:
        assert fmt(result) == result
        assert {b for _, b in changed if "->" not in b and "#" not in b} == set()
    else:
        assert {b for _, b in changed if "->" not in b} == set()
    return result


# Their families are large.
SLOW = {
    "convnext", "densenet", "densenet_cifar", "efficientnet", "efficientnet_v2", "mobilenet_v2", "mobilenet_v3",
    "preresnet", "preresnet_cifar", "r3d", "regnet", "resnet", "resnet_cifar", "resnext", "se_resnet", "segmentation",
    "shufflenet_v1", "tiny_yolo", "wrn",
    "inception_resnet_v2", "inception_v4", "yolov3", "googlenet", "shufflenet_v2", "resnext_cifar", "wide_resnet",
}  # fmt: skip
ZOO = [
    pytest.param(name, marks=[pytest.mark.slow] if name.partition("/")[2] in SLOW else [])
    for name in TEXTS
    if not name.startswith("std/")
]


@pytest.mark.parametrize("name", ZOO)
def test_zoo(name: str) -> None:
    text = TEXTS[name]
    claims_hold(text, every=len(text) % 2 == 1)
    none = without(text)
    assert without(none) == none
    assert bare(none) == bare(text)
    assert "->" not in re.sub("#.*", "", none)
    assert holds(none) == none


@some
@given(networks(), st.integers(0, 10**9), st.booleans())
def test_random_networks(made: tuple[str, int], seed: int, every: bool) -> None:
    text = disordered(made[0], seed)
    if not errors(text):
        result = claims_hold(text, every=every)
        assert bare(without(result)) == bare(text)


@pytest.mark.parametrize("name", ["inception_v3", "vgg", "unet", "lenet5", "any_size", "siamese"])
def test_wrong_claims(name: str) -> None:
    """Claims that are wrong in every number are those of the spec again, but for what was not a number."""
    text = TEXTS[f"specs/{name}"]
    wrong = re.sub(r"(?m)(->.*?)(?= *(?:#|$))", lambda found: re.sub("[0-9]+", "7", found[0]), text)
    assert "E501" in errors(wrong)
    result = annotated(wrong)
    assert errors(result) == []
    claimed = re.compile(r"->\s*(\S.*?)(?= *(?:#|$))", re.M)
    assert {size for size in claimed.findall(text) if "{" not in size} <= set(claimed.findall(result))


# --- by hand ----------------------------------------------------------------------------------------------------------

BEFORE = """\
block down(c):
    conv 3x3x{c} /2 pad=1, relu -> {input.height // 2}x_x{c}
    conv 1x1x{c} -> 9x9x9

network A
input HxWx3 = 32x32x3
conv 3x3x4 pad=1, relu
  # 32x32x4: as before
conv 3x3x4 /2 pad=1 as a     # halved
down 8
pool 2   -> {H//8}x7x_       # half wrong
for c in [8, 16]:
    conv 3x3x{c} pad=1   -> 4x4x8
    pool 1x2 -> 4x2x8
-> 4x1x99
add:
    | identity
    | conv 3x3x16 pad=1
dense   10
"""
STAGES = """\
block down(c):
    conv 3x3x{c} /2 pad=1, relu -> {input.height // 2}x_x{c}
    conv 1x1x{c} -> 8x8x8

network A
input HxWx3 = 32x32x3
conv 3x3x4 pad=1, relu
  # 32x32x4: as before
conv 3x3x4 /2 pad=1 as a    -> 16x16x4  # halved
down 8                      -> 8x8x8
pool 2                      -> {H//8}x4x_  # half wrong
for c in [8, 16]:
    conv 3x3x{c} pad=1      -> 4x_x_
    pool 1x2                -> 4x_x_
-> 4x1x16
add:
    | identity
    | conv 3x3x16 pad=1
dense   10                  -> 10
"""


def test_what_is_written() -> None:
    assert annotated(BEFORE) == STAGES
    lines = annotated(STAGES, every=True)
    assert [line for line in lines.split("\n") if line not in STAGES.split("\n")] == [
        "conv 3x3x4 pad=1, relu      -> 32x32x4",
        "    | identity              -> 4x1x16",
        "    | conv 3x3x16 pad=1     -> 4x1x16",
    ]


def test_what_is_left_out() -> None:
    text = STAGES + "if 1 > 2:\n    -> 10\nconcat -> 10:\n    | dense 4  -> 4 # four\n    | dense 6\n-> 10  # all\n"
    result = without(text)
    assert "->" not in result.replace("if 1 > 2:\n    -> 10\n", "")
    assert result.endswith("concat:\n    | dense 4       # four\n    | dense 6\n# all\n")
    assert "dense   10\n" in result
    assert bare(result) == bare(text)


def test_ends_of_lines_stay() -> None:
    text = "network A\r\ninput 8x8x1\r\n  \r\npool 2 # x\r\n\r\n\r\ndense 3\t\r\nexpect params == 51"
    assert annotated(text) == text.replace("pool 2 #", "pool 2     -> 4x4x1  #").replace("dense 3", "dense 3    -> 3")


def test_sizes_that_differ_get_no_claim() -> None:
    text = "network A(n=2)\ninput 8x8x1\nrepeat n:\n    pool 2\nnetwork B = A(n=3)\n"
    assert annotated(text, every=True) == text
    wrong = text.replace("pool 2", "pool 2 -> 3x3x1")
    assert annotated(wrong) == text.replace("pool 2", "pool 2 -> _x_x1")


def test_blocks_of_other_files_and_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("blocks.cnn").write_text("block half:\n    pool 2 -> 4x4x1\n")
    Path("a.cnn").write_text('use "blocks.cnn"\nnetwork A\ninput 8x8x1\nhalf\ndense 2\nexpect params == 3\n')
    assert run("annotate", "--check", "a.cnn", code=1)[0] == "would change a.cnn\n"
    assert run("annotate", "a.cnn") == ("annotated a.cnn\n", "")
    assert "half       -> 4x4x1\ndense 2    -> 2\n" in Path("a.cnn").read_text()
    assert run("annotate", "a.cnn") == ("1 file already annotated\n", "")
    assert run("annotate", "--remove", "a.cnn") == ("annotated a.cnn\n", "")
    assert run("annotate", "-", stdin=b"network A\ninput 4\ndense 4 -> 5\n")[0].endswith("dense 4 -> 4\n")
    Path("b.cnn").write_text("network A\ninput 8x8x1\npool 2 -> 3x3x1\nconv 9x9x1\n")
    out, error = run("annotate", "b.cnn", code=1)
    assert out == ""
    assert "E302" in error or "E3" in error
    assert "3x3x1" in Path("b.cnn").read_text()
