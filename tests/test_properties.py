"""What holds for every text: it is read, checked, drawn and written as JSON without a crash, the same each time; and
for random networks: they are what PyTorch says."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from cnndsl.codegen import emit_file
from cnndsl.diagnostics.render import render_all
from cnndsl.pipeline import Checked, Options, check
from cnndsl.report import Measured, as_csv, as_json, as_markdown, as_table, as_text
from cnndsl.runtime.module import build_module
from cnndsl.source import Source
from cnndsl.terminal import Look

ROOT = Path(__file__).resolve().parent.parent
SPECS = sorted([*ROOT.glob("specs/*.cnn"), *ROOT.glob("tests/check/*/*.cnn")])
# Those that a limit stops take seconds, and files that are no text are not for the parser.
SLOW = {"layers", "too_many_steps", "bounds", "junk", "latin1", "utf16"}
TEXTS = [p.read_text(encoding="utf-8-sig") for p in SPECS if p.stem not in SLOW]

# A text that takes longer than this hangs.
HANGS = timedelta(seconds=30)
some = settings(max_examples=300, deadline=HANGS, suppress_health_check=list(HealthCheck))


def outputs(text: str, options: Options = Options()) -> list[str]:  # noqa: B008
    """Everything that can be said of a text."""
    checked = check(Source("a.cnn", text), options)
    for diagnostic in checked.diagnostics:
        spans = [diagnostic.span, *(label.span for label in diagnostic.labels)]
        spans += [edit.span for fix in diagnostic.fixes for edit in fix.edits]
        assert all(0 <= s.start <= s.end <= len(s.source.text) for s in spans), diagnostic
        assert "object at 0x" not in diagnostic.message_text()
    networks = [Measured(one.graph, one.analysis) for one in checked.networks]
    said = [
        render_all(checked.diagnostics),
        render_all(checked.diagnostics, Look(40, True, True)),
        "".join(as_json.render(networks, checked.diagnostics)),
        "".join(as_csv.render(networks)),
        "".join(as_markdown.render(networks, connections=True)),
        as_table.render(networks, Look(80), connections=True, all_rows=True),
        "".join(as_text.tree(checked.source, checked.document.lines)),
    ]
    json.loads(said[2])
    if checked.ok and checked.networks:
        said.append(emit_file([one.graph for one in checked.networks], "made from a.cnn"))
        compile(said[-1], "a.py", "exec")
    return said


def holds(text: str) -> None:
    """Nothing is raised, and all is the same a second time."""
    assert outputs(text) == outputs(text)


# --- any text ---------------------------------------------------------------------------------------------------------


@some
@given(st.text(max_size=60))
@example("\x00\ud7ff\uffff")
@example("\u2028\x85\x0b")
@example("network A\r\n\rinput 4\r\ndense 3\r")
def test_any_text(text: str) -> None:
    holds(text)


WORDS = [
    "network", "block", "train", "let", "expect", "input", "output", "repeat", "for", "if", "elif", "else", "from",
    "reuse", "as", "in", "not", "and", "or", "true", "of", "where", "use", "A", "B", "x", "c1", "conv", "pool", "dense",
    "relu", "bn", "add", "concat", "unpool", "upsample", "reshape", "linear", "same", "avg", "nobias", "stride", "data",
    "epochs", "digits", "3", "0", "2.5", "1e9", "4x", "3x3x8", "32x32x1", "8", "/2", "->", "=", "==", ":", ",", "(",
    ")", "[", "]", "{", "}", "*", "**", "-", "+", "~", "<", ".", "...", "|", '"a"', "#", "$", "×", "here", "range",
    "channels", "params", "\n", "\n", "\n    ", "\n  ", "\t", " ",
]  # fmt: skip


@some
@given(st.lists(st.sampled_from(WORDS), max_size=40), st.sampled_from(["", " "]))
@example(["input", "true"], " ")
@example(["conv", "3x3x4", "stride=true"], " ")
@example(["dense", "true"], " ")
def test_any_words(words: list[str], between: str) -> None:
    holds("network A\ninput 8x8x4\n" + between.join(words))


@st.composite
def changed_specs(draw: st.DrawFn) -> str:
    """A spec with some of its lines left out, doubled, swapped or indented, or characters changed, or cut off."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for _ in range(draw(st.integers(1, 4))):
        change = draw(st.sampled_from(["drop", "double", "swap", "indent", "character", "cut", "insert", "join"]))
        at = draw(st.integers(0, len(lines) - 1))
        other = draw(st.integers(0, len(lines) - 1))
        place = draw(st.integers(0, max(len(lines[at]) - 1, 0)))
        if change == "drop":
            lines[at] = ""
        elif change == "double":
            lines.insert(other, lines[at])
        elif change == "swap":
            lines[at], lines[other] = lines[other], lines[at]
        elif change == "indent":
            lines[at] = draw(st.sampled_from([" ", "    ", "\t"])) + lines[at]
        elif change == "character":
            new = draw(st.sampled_from(list(' x0179,:={}()[]|#"-*/.~_aA\t×')))
            lines[at] = lines[at][:place] + new + lines[at][place + 1 :]
        elif change == "cut":
            lines[at] = lines[at][:place]
        elif change == "insert":
            lines.insert(at, draw(st.sampled_from(TEXTS)).split("\n")[0])
        else:
            lines[at : at + 2] = ["".join(lines[at : at + 2])]
    return "\n".join(lines)


@some
@given(changed_specs())
def test_changed_specs(text: str) -> None:
    holds(text)


@pytest.mark.slow
@settings(max_examples=3000, deadline=HANGS, suppress_health_check=list(HealthCheck))
@given(changed_specs())
def test_many_changed_specs(text: str) -> None:
    outputs(text)


@some
@given(
    st.dictionaries(
        st.sampled_from(["n", "x", "depth"]), st.text(max_size=8) | st.sampled_from(["3", "[1]", "foo", "-1"])
    ),
    st.none() | st.text("0123456789x=,-abc ", max_size=16),
)
def test_any_settings(sets: dict[str, str], size: str | None) -> None:
    text = "network A(n=3, depth=2)\ninput HxWx1 = 8x8x1 where H > 2\nrepeat depth:\n    dense {n}\nexpect params > 3\n"
    outputs(text, Options(tuple(sets.items()), size))


# --- random networks --------------------------------------------------------------------------------------------------

ITEMS = [
    "conv 3x3x4", "conv 3x3x6 same", "conv 1x1x8 nobias", "conv 5x5x4 /2 pad=2", "conv 3x3x4 same /2",
    "conv 2x3x4 /1x2",
    "conv 3x3x8 pad=[1, 0, 2, 1]", "conv 3x3x4 same dilation=2", "conv 3x3x4 same groups=2", "dwconv 3x3 same",
    "dwconv 3x3 pad=1 multiplier=2", "deconv 2x2x4 /2", "deconv 3x3x4 /2 same", "deconv 4x4x6 /2 pad=1", "pool 2",
    "pool 3 /2 pad=1", "pool 2 avg", "pool 3 /2 same", "pool 3 /2 ceil avg", "globalpool avg", "globalpool max",
    "adaptivepool 2x2", "upsample 2", "upsample 2 bilinear", "pixelshuffle 2", "pixelunshuffle 2", "bn", "ln", "gn 2",
    "relu", "gelu", "leaky 0.2", "prelu", "tanh", "softmax", "silu", "dropout 0.5", "flatten", "linear 6", "dense 7",
    "pad 1", "crop 1", "identity", "subsample 2", "l2norm", "lrn 5", "slice 0 2", "shuffle 2",
    "conv 3x3x4 same, bn, relu", "linear 4, gelu", "posembed", "layerscale 0.1", "droppath 0.2", "tokens",
    "tokens, clstoken, posembed sincos", "linear 4, tokens, attention 2", "attention 2 causal", "attention 1",
    "windowattention 2 3 shift=1", "windowattention 1 4x2 grid",
    "token -1", "tokens, lstm 4", "gru 3 layers=2 bidirectional", "rnn 5 relu last", "conv 3x8 same",
]  # fmt: skip
# What a forward pass of these costs, FlopCounterMode does not count, or counts as what it is not.
UNCOUNTED = {"subsample"}


def checked_lines(lines: list[str], head: str = "network A\ninput 12x10x4\n") -> Checked:
    return check(Source("a.cnn", head + "\n".join(lines)))


@st.composite
def chains(draw: st.DrawFn) -> list[str]:
    """Lines of items that fit each other."""
    lines: list[str] = []
    for item in draw(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=7)):
        if checked_lines([*lines, item]).ok:
            lines.append(item)
    assume(lines)
    return lines


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chains())
@example(["globalpool avg", "slice 0 2", "gn 2"])
def test_random_networks_are_what_pytorch_says(lines: list[str]) -> None:
    (network,) = checked_lines(lines).networks
    torch.manual_seed(0)
    module = build_module(network.graph).eval()
    # Of a single example PyTorch refuses to normalize groups of one value.
    x = torch.randn(2, 4, 12, 10)
    with torch.no_grad():
        result = module(x)
    (output,) = network.graph.outputs
    shape = network.graph.shape_of(output.edge)
    assert shape is not None
    assert tuple(result.shape) == (2, shape.channels, *shape.spatial)
    totals = network.analysis.totals
    assert totals is not None
    assert totals.params == sum(p.numel() for p in module.parameters())
    if not any(word in line for line in lines for word in UNCOUNTED):
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            # Without data, PyTorch takes attention and recurrence apart.
            module.to("meta")(x.to("meta"))
        assert 2 * totals.flops == counter.get_total_flops()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chains(), st.integers(0, 7))
def test_names_stay_when_a_line_is_inserted_elsewhere(lines: list[str], at: int) -> None:
    """Names come from a layer's own line, so another line does not change them."""
    before = [node.name for node in checked_lines(lines).networks[0].graph.nodes]
    longer = checked_lines([*lines[:at], "noise 0.1", *lines[at:]])
    after = [node.name for node in longer.networks[0].graph.nodes if node.kind != "noise"]
    assert after == before


def test_names_that_the_spec_gives_win() -> None:
    graph = checked_lines(["conv 3x3x4", "relu", "relu", "relu as relu", "dense 3 as conv3x3x4"]).networks[0].graph
    assert [node.name for node in graph.nodes] == ["input", "conv3x3x4_2", "relu_3", "relu_2", "relu", "conv3x3x4"]
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)
