"""Receptive fields against gradients, and sizes against PyTorch's own on random arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_layers import batch, first_shape, graph_of, last_layer
from torch import nn

from cnndsl.layers import find
from cnndsl.layers.base import LayerError
from cnndsl.layers.bind import Given, bind
from cnndsl.measure.analyse import analyse
from cnndsl.runtime.module import build_module
from cnndsl.shape import Shape

torch.set_num_threads(1)


def seen(module: nn.Module, x: torch.Tensor, axis: int) -> list[np.ndarray]:
    """For each output position along a spatial axis, with the others in the middle, the input cells along that
    axis that it depends on for some of the inputs `x`."""
    module.eval()
    x = x.clone().requires_grad_()
    output = module(x)
    middle = [slice(None), slice(None), *(n // 2 for n in output.shape[2:])]
    found = []
    for position in range(output.shape[2 + axis]):
        index = list(middle)
        index[2 + axis] = position
        (gradient,) = torch.autograd.grad(output[tuple(index)].sum(), x, retain_graph=True)
        others = [d for d in range(x.dim()) if d != 2 + axis]
        found.append(np.flatnonzero(gradient.abs().amax(others).numpy() > 0))
    return found


def extent(cells: np.ndarray) -> int:
    return int(cells[-1] - cells[0] + 1) if len(cells) else 0


CHAINS = [
    # one layer
    ("conv 5x3", "40x2"),
    ("conv 4x3 /3 same", "40x2"),
    ("conv 3x3 dilation=4 pad=4", "40x2"),
    ("conv 3x5x2 /2x1 pad=1x2 dilation=1x2", "20x20x2"),
    ("dwconv 7 same", "40x2"),
    ("pool 3 /2 pad=1", "40x2"),
    ("pool 2x3 avg /1x2", "12x13x2"),
    ("pool 3 /2 same avg nopadcount", "40x2"),
    ("subsample 4 /2", "40x2"),
    ("deconv 2x3 /2", "20x2"),
    ("deconv 3x3 /2 pad=1", "20x2"),
    ("deconv 4x3 /2 pad=1", "20x2"),
    ("deconv 5x3 /3 same", "20x2"),
    ("deconv 7x3 /2 pad=[3, 2]", "20x2"),
    ("deconv 3x3 dilation=3", "20x2"),
    ("deconv 3x3 dilation=2 /4 pad=1", "20x2"),
    ("deconv 2x3 /5", "20x2"),
    ("upsample 2", "20x2"),
    ("upsample 3 linear", "20x2"),
    ("upsample 2 linear", "20x2"),
    ("upsample size=33 linear", "20x2"),
    ("upsample size=9 linear", "20x2"),
    ("upsample size=10 linear", "20x2"),
    ("upsample size=13", "20x2"),
    ("upsample size=35 linear align_corners", "20x2"),
    ("upsample size=41 linear align_corners", "21x2"),
    ("upsample 2 bicubic", "12x12x2"),
    ("upsample 3 bicubic", "12x12x2"),
    ("upsample size=4x5 bicubic", "12x15x1"),
    ("pixelshuffle 2", "9x9x4"),
    ("pixelunshuffle 3", "12x12x1"),
    ("adaptivepool 5", "20x2"),
    ("adaptivepool 7", "20x2"),
    ("adaptivepool 12 max", "20x2"),
    ("adaptivepool 30", "20x2"),
    ("globalpool max", "9x7x2"),
    ("crop 3", "20x2"),
    ("pad 2", "20x2"),
    ("pad 2 reflect", "20x2"),
    ("gelu", "20x2"),
    ("ln", "20x4"),
    ("linear 3", "20x4"),
    ("lrn 3", "20x4"),
    ("softmax", "20x4"),
    ("windowattention 1 3", "9x12x2"),
    ("windowattention 1 2x4 shift=1x2", "8x12x2"),
    ("windowattention 1 3 cosine", "9x6x2"),
    ("permute 1x0x2, conv 1x3x2, permute 1x0x2", "9x11x2"),
    ("permute 2x1x0, conv 1x3x2", "9x11x4"),
    # several
    ("windowattention 1 4, conv 3x3x2 same", "12x12x2"),
    ("conv 2x2x4 /2, windowattention 2 3, windowattention 2 3 shift=1", "24x24x2"),
    ("windowattention 1 4, windowattention 1 4 shift=2, conv 3x3x2 /2, windowattention 1 2", "24x24x2"),
    ("conv 3x4, pool 2, conv 3x4, pool 2, conv 3x4", "60x2"),
    ("conv 3x4 /2, conv 3x4 dilation=2, pool 3 /2 avg", "60x2"),
    ("pool 2, deconv 2x3 /2", "40x2"),
    ("conv 3x3, pool 2, conv 3x3, deconv 2x3 /2, conv 3x3", "40x2"),
    ("conv 3x3, pool 2, deconv 2x3 /2, conv 2x3", "40x2"),
    ("deconv 2x3 /2, conv 2x3", "20x2"),
    ("deconv 2x3 /2, conv 4x3", "20x2"),
    ("deconv 3x3 /2, conv 2x3", "20x2"),
    ("deconv 4x3 /2 pad=1, conv 3x3, deconv 4x3 /2 pad=1, conv 3x3", "20x2"),
    ("upsample 2, conv 3x3, upsample 2, conv 3x3", "20x2"),
    ("pool 4 avg, upsample 4 linear, conv 5x3", "80x2"),
    ("pool 2 avg, upsample 3, pool 2 avg, conv 3x3", "60x2"),
    ("conv 3x3 /2, upsample 2 linear, conv 3x3 /2, upsample 2 linear", "60x2"),
]


@pytest.mark.parametrize(("chain", "input"), CHAINS, ids=[c for c, _ in CHAINS])
def test_receptive_field_is_what_gradients_reach(chain: str, input: str) -> None:
    graph = graph_of(chain, input)
    measured = analyse(graph).layers[-1]
    assert measured is not None
    module = build_module(graph).double()
    torch.manual_seed(0)
    x = batch(first_shape(graph), 64).double()
    for axis, expected in enumerate(measured.receptive_field):
        assert max(map(extent, seen(module, x, axis))) == expected


WHOLE = [
    ("dense 3", "5x6x2"),
    ("conv 3x3x4, dense 3", "5x6x2"),
    ("flatten, dense 2", "5x6x2"),
    ("rbf 4", "5x6x2"),
    # and sequence layers, as often as they come
    ("attention 2, attention 2", "9x4"),
    ("conv 3x4 same, attention 2, conv 3x2 same", "9x2"),
    ("lstm 3, globalpool max", "9x2"),
    ("upsample 2, attention 1, conv 3x2", "9x2"),
    ("rnn 3, linear 2", "9x2"),
    ("tokens, clstoken, posembed, attention 2, token 0", "3x4x2"),
    ("gru 3 last", "7x2"),
    ("attention 1 causal", "6x2"),
    ("windowattention 1 2x3 grid, conv 3x3x2 same", "8x9x2"),
]


@pytest.mark.parametrize(("chain", "input"), WHOLE)
def test_dense_layers_see_everything(chain: str, input: str) -> None:
    graph = graph_of(chain, input)
    assert analyse(graph).totals.receptive_field == first_shape(graph).spatial  # type: ignore[union-attr]


@pytest.mark.parametrize(("chain", "input"), [c for c in CHAINS if "," not in c[0]], ids=lambda v: str(v))
def test_windows_stand_where_the_rule_says(chain: str, input: str) -> None:
    """Where neighbouring outputs see windows that are a whole number of inputs apart, every one of them."""
    graph = graph_of(chain, input)
    layer, inputs, _ = last_layer(graph)
    module = build_module(graph).double()
    x = batch(first_shape(graph), 64).double()
    for axis, window in enumerate(layer.window(*inputs)):
        n = inputs[0].spatial[axis]
        if window.upscale != 1 or window.then is not None or "reflect" in chain:
            continue
        for position, cells in enumerate(seen(module, x, axis)):
            first = position * window.stride - window.pad
            expected = [first + window.dilation * i for i in range(window.size)]
            assert [c for c in expected if 0 <= c < n] == cells.tolist()


# --- random arguments against PyTorch ---------------------------------------------------------------------------


def sizes_of(kind: str, given: list[Given], x: Shape) -> tuple[Any, ...] | None:
    """The output's spatial sizes by our rule, or None if it refuses."""
    try:
        inferred = bind(find(kind), given).infer(x)  # type: ignore[arg-type]
    except LayerError:
        return None
    return inferred.outputs[0].spatial if all(c.holds() for c in inferred.conditions) else None


def sizes_by_pytorch(make: Any, x: Shape) -> tuple[int, ...] | None:
    """The output's spatial sizes as PyTorch makes them, or None if it refuses or nothing is left."""
    try:
        output = make()(torch.zeros(1, x.channels, *x.spatial))
    except (RuntimeError, ValueError):
        return None
    return tuple(output.shape[2:]) if output.numel() else None


def value(form: int | tuple[int, ...]) -> Given:
    return Given("value", form)


def named(name: str, v: Any) -> Given:
    return Given("named", v, name)


@st.composite
def geometry(draw: st.DrawFn, largest_pad: int = 4) -> dict[str, Any]:
    rank = draw(st.integers(1, 3))

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(low, high)] * rank))

    return {
        "rank": rank,
        "sizes": numbers(1, 12 if rank < 3 else 6),
        "kernel": numbers(1, 5),
        "stride": numbers(1, 4),
        "dilation": numbers(1, 3),
        "pad": numbers(0, largest_pad),
        "channels": draw(st.integers(1, 6)),
        "inputs": draw(st.integers(1, 6)),
        "groups": draw(st.integers(1, 3)),
    }


@settings(max_examples=150, deadline=None)
@given(geometry())
def test_random_convolutions_agree(g: dict[str, Any]) -> None:
    x = Shape((*g["sizes"], g["inputs"]))
    given = [
        value((*g["kernel"], g["channels"])),
        *(named(n, g[n]) for n in ("stride", "dilation", "pad", "groups")),
    ]
    make = getattr(nn, f"Conv{g['rank']}d")
    expected = sizes_by_pytorch(
        lambda: make(g["inputs"], g["channels"], g["kernel"], g["stride"], g["pad"], g["dilation"], groups=g["groups"]),
        x,
    )
    assert sizes_of("conv", given, x) == expected


@settings(max_examples=150, deadline=None)
@given(geometry(), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_random_transposed_convolutions_agree(g: dict[str, Any], outpad: list[int]) -> None:
    x = Shape((*g["sizes"], g["inputs"]))
    added = tuple(outpad[: g["rank"]])
    given = [
        value((*g["kernel"], g["channels"])),
        *(named(n, g[n]) for n in ("stride", "dilation", "pad", "groups")),
        named("outpad", added),
    ]
    make = getattr(nn, f"ConvTranspose{g['rank']}d")
    expected = sizes_by_pytorch(
        lambda: make(
            g["inputs"], g["channels"], g["kernel"], g["stride"], g["pad"], added, g["groups"], True, g["dilation"]
        ),
        x,
    )
    assert sizes_of("deconv", given, x) == expected


@settings(max_examples=200, deadline=None)
@given(geometry(largest_pad=3), st.booleans(), st.booleans(), st.booleans())
def test_random_pools_agree(g: dict[str, Any], ceil: bool, average: bool, default_stride: bool) -> None:
    x = Shape((*g["sizes"], g["inputs"]))
    stride = None if default_stride else g["stride"]
    given = [
        value(g["kernel"]),
        Given("word", "avg" if average else "max"),
        *([] if stride is None else [named("stride", stride)]),
        named("pad", g["pad"]),
        named("ceil", ceil),
    ]
    make = getattr(nn, f"{'Avg' if average else 'Max'}Pool{g['rank']}d")
    # PyTorch's 3-D average pool looks at the input without its padding; ours pads before it.
    short = any(n < k for n, k in zip(g["sizes"], g["kernel"], strict=True))
    assume(not (average and g["rank"] == 3 and short and not ceil))
    expected = sizes_by_pytorch(lambda: make(g["kernel"], stride, g["pad"], ceil_mode=ceil), x)
    assert sizes_of("pool", given, x) == expected


@settings(max_examples=100, deadline=None)
@given(geometry(), st.sampled_from(["nearest", "linear", "bilinear", "trilinear", "bicubic"]))
def test_random_upsampling_agrees(g: dict[str, Any], mode: str) -> None:
    x = Shape((*g["sizes"], g["inputs"]))
    given = [value(g["stride"]), Given("word", mode)]
    expected = sizes_by_pytorch(lambda: lambda t: nn.functional.interpolate(t, scale_factor=g["stride"], mode=mode), x)
    assert sizes_of("upsample", given, x) == expected


@settings(max_examples=100, deadline=None)
@given(geometry(), st.integers(0, 3), st.sampled_from(["constant", "reflect", "replicate", "circular"]))
def test_random_padding_agrees(g: dict[str, Any], more: int, mode: str) -> None:
    x = Shape((*g["sizes"], g["inputs"]))
    sides = [cells for pad in g["pad"] for cells in (pad, pad + more)]
    assume(any(sides))
    flat = [cell for i in reversed(range(g["rank"])) for cell in sides[2 * i : 2 * i + 2]]
    expected = sizes_by_pytorch(lambda: lambda t: nn.functional.pad(t, flat, mode=mode), x)
    assert sizes_of("pad", [named("cells", sides), Given("word", mode)], x) == expected


@settings(max_examples=60, deadline=None)
@given(geometry(largest_pad=2), st.sampled_from(["max", "avg", "avg nopadcount"]), st.booleans())
def test_random_pools_run_as_they_are_written(g: dict[str, Any], words: str, same: bool) -> None:
    """Padding that PyTorch's pools can't say becomes other code: it must give the shape that the rule gives."""
    rank = g["rank"]
    sides = [cells for k, p in zip(g["kernel"], g["pad"], strict=True) for cells in (min(p, k // 2), k // 2)]
    size = "x".join(map(str, (*g["sizes"], 2)))
    pad = "same" if same else f"pad={sides}"
    item = f"pool {'x'.join(map(str, g['kernel']))} /{'x'.join(map(str, g['stride']))} {words} {pad}"
    x = Shape((*g["sizes"], 2))
    written = [value(g["kernel"]), *(Given("word", w) for w in words.split()), Given("slash", g["stride"])]
    written.append(Given("word", "same") if same else named("pad", sides))
    expected = sizes_of("pool", written, x)
    assume(expected is not None)
    output = build_module(graph_of(item, size))(batch(x))
    assert tuple(output.shape[2:]) == expected
    assert output.dim() == rank + 2
    assert output.isfinite().all()
