"""What a shape problem says of where a size came from, against PyTorch's own sizes on the way."""

from __future__ import annotations

import re

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnndsl.diagnostics import Diagnostic
from cnndsl.pipeline import check
from cnndsl.source import Source


def error_of(text: str) -> Diagnostic:
    (error,) = [one for one in check(Source("a.cnn", text)).diagnostics if one.severity == "error"]
    return error


def line_of(text: str, error: Diagnostic, said: str) -> str:
    """The line with the label that says something."""
    (span,) = [label.span for label in error.labels if said in label.text]
    return text.split("\n")[span.source.position(span.start)[0] - 1]


@st.composite
def chains(draw: st.DrawFn) -> tuple[int, list[tuple[str, int, int, int]]]:
    """An input's height, and convolutions and pools with kernel, stride and padding, none of which is too large."""
    layers = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["conv", "pool"]))
        kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        layers.append((kind, kernel, stride, draw(st.integers(0, kernel // 2))))
    return draw(st.integers(8, 64)), layers


@settings(max_examples=100, deadline=None)
@given(chains())
def test_the_sizes_on_the_way_are_pytorchs(case: tuple[int, list[tuple[str, int, int, int]]]) -> None:
    height, layers = case
    lines, sizes = ["network N", f"input {height}x64x1"], [height]
    x = torch.empty(1, 1, height, 64, device="meta")
    for kind, kernel, stride, pad in layers:
        module = nn.Conv2d(1, 1, (kernel, 1), (stride, 1), (pad, 0), device="meta")
        if kind == "pool":
            module = nn.MaxPool2d((kernel, 1), (stride, 1), (pad, 0))
        if x.shape[2] + 2 * pad < kernel:
            break
        x = module(x)
        sizes.append(x.shape[2])
        lines.append(f"{kind} {kernel}x1{'x1' if kind == 'conv' else ''} /{stride}x1 pad={pad}x0")
    lines.append(f"conv {x.shape[2] + 1}x1x1")
    error = error_of("\n".join(lines))
    wanted = [size for number, size in enumerate(sizes) if number == 0 or size != sizes[number - 1]]
    said = [note for note in error.notes if note.startswith("height: ")]
    assert said == [] if len(wanted) == 1 else [int(n) for n in re.findall(r"(?:: |> )(\d+)", said[0])] == wanted
    # The label stands on the last layer that changed the size.
    last = max((n for n, size in enumerate(sizes) if n and size != sizes[n - 1]), default=0)
    place = "from the input on" if last == 0 else f"becomes {sizes[-1]} here"
    assert line_of("\n".join(lines), error, place) == lines[1 + last]


def test_steps_are_named_by_what_they_do_along_the_axis() -> None:
    error = error_of(
        "network N\ninput 64x32x3\nconv 7x5x8 /2 pad=3x2, relu\npool 3x2 /2\nconv 3x3x8 dilation=2 as c\n"
        "upsample 2, crop 1\nconv 99x1x8"
    )
    assert error.notes == (
        "height: 64 -conv 7/2 pad 3-> 32 -pool 3/2-> 15 -conv 3 dilation 2-> 11 -upsample 2-> 22 -crop 1-> 20",
    )


def test_arms_are_labelled_where_they_part() -> None:
    text = (
        "network N\ninput 32x32x4\nconv 3x3x8 as c\nadd:\n    | conv 3x3x8 /2 pad=1, bn, relu\n      conv 3x3x8 pad=1\n"
        "    | conv 1x1x8, relu"
    )
    error = error_of(text)
    assert error.message_text() == "`add` gets 15x15x8 and 30x30x8, which differ in height and width"
    assert "/2" in line_of(text, error, "the height becomes 15 here")
    assert [label.text for label in error.labels if "gives" in label.text] == [
        "this arm gives 15x15x8", "this arm gives 30x30x8",
    ]  # fmt: skip
    assert error.notes == ("height in arm 1: 30 -conv 3/2 pad 1-> 15", "height in arm 2: 30")


def test_the_odd_arm_is_compared_with_a_usual_one() -> None:
    text = "network N\ninput 8x8x4\nconcat:\n    | conv 3x3x2\n    | conv 1x1x2\n    | identity\n    | pool 3 /1 pad=1"
    error = error_of(text)
    assert error.notes == ("height in arm 1: 8 -conv 3-> 6", "height in arm 2: 8")
    assert "conv 3x3x2" in line_of(text, error, "the height becomes 6 here")


def test_channels_come_from_the_layer_that_chose_them() -> None:
    text = "network N\ninput 8x8x3\nconv 3x3x20 as a\nbn, relu\npool 2\ndropout 0.5\nconv 1x1x6 groups=3"
    assert line_of(text, error_of(text), "20 channels come out of here") == "conv 3x3x20 as a"


def test_a_vector_comes_from_the_layer_that_flattened() -> None:
    text = "network N\ninput 8x8x3\nconv 3x3x20\ndense 10\nrelu\npool 2"
    assert line_of(text, error_of(text), "from here on it is a vector: 10") == "dense 10"


def test_a_broken_block_shows_its_own_lines_and_its_call() -> None:
    text = "block b(k):\n    conv {k}x{k}x4\n    pool 2\nnetwork N\ninput 16x16x3\nb 3\nb 3\nb 3"
    error = error_of(text)
    assert error.notes == ("height: 16 -conv 3-> 14 -pool 2-> 7 -conv 3-> 5 -pool 2-> 2",)
    assert line_of(text, error, "the height becomes 2 here") == "    pool 2"
    assert [label.text for label in error.labels][-1] == "called from here"
