"""`cnndsl explain FILE LAYER`: what is printed is arithmetic that Python evaluates to what is printed, and that is
what the analysis says and PyTorch does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from derivations import value_of

from cnndsl.cli import main
from cnndsl.explain import Section
from cnndsl.explain.derive import derive
from cnndsl.explain.traced import in_names, in_numbers, quantity
from cnndsl.layers import all_kinds
from cnndsl.layers.base import Example, Layer
from cnndsl.pipeline import Checked, CheckedNetwork, Options, check
from cnndsl.shape import ceil_div, maximum, minimum
from cnndsl.source import Source
from cnndsl.zoo import entries, locate, read

EXAMPLES = [(kind, example) for kind in all_kinds() for example in kind.examples]


def checked_zoo(name: str) -> Checked:
    place = locate(name)
    source = read(place)
    assert isinstance(source, Source)
    return check(source, Options(network=place.network))


def compare(network: CheckedNetwork, index: int) -> dict[str, Section]:
    """Every sum of a node's derivation evaluated, and its results compared with the analysis."""
    node, measure = network.graph.nodes[index], network.analysis.layers[index]
    assert node.shapes is not None
    assert measure is not None
    found = {section.title: section for section in derive(network.graph, node)}
    for section in found.values():
        for term in section.terms:
            assert not term.sum or value_of(term.sum) == term.value, (node.name, term)
        assert all(held.holds for held in section.held)
    sizes = tuple(term.value for term in found["shape"].terms if term.name in node.shapes[0].axes)
    assert sizes == node.shapes[0].sizes
    if node.shares is None:
        assert sum(t.value for t in found["parameters"].terms if t.name == "params") == measure.params
    assert found["MACs"].terms[-1].value == measure.macs
    assert found["connections"].terms[-1].value == measure.connections
    assert found["kept for training"].terms[-1].value == measure.saved
    fields = tuple(term.value for term in found["receptive field"].terms if term.name == "field")
    assert fields == measure.receptive_field
    return found


@pytest.mark.parametrize(("kind", "example"), EXAMPLES, ids=lambda value: getattr(value, "item", ""))
def test_every_kind(kind: type[Layer], example: Example) -> None:
    (network,) = check(Source("example", example.spec())).networks
    found = compare(network, len(network.graph.nodes) - 1)
    # A size is computed, or taken over, or what an argument says; few are so by themselves.
    assert kind.kind in ("globalpool", "unpool") or all(term.rule for term in found["shape"].terms)


def test_zoo() -> None:
    names = sorted(entry.name for entry in entries() if entry.macs < 2e10)
    chosen = random.Random(4).sample(names, 24)
    for name in chosen:
        (network,) = checked_zoo(name).networks
        layers = [node.index for node in network.graph.nodes if node.layer is not None]
        for index in random.Random(name).sample(layers, min(4, len(layers))):
            compare(network, index)


@pytest.mark.slow
def test_whole_zoo() -> None:
    for entry in entries():
        (network,) = checked_zoo(entry.name).networks
        layers = [node.index for node in network.graph.nodes if node.layer is not None]
        for index in random.Random(entry.name).sample(layers, min(12, len(layers))):
            compare(network, index)


def test_words_for_what_rules_compute_without_comparisons() -> None:
    a, b, zero = quantity("a", 7), quantity("b", 3), 0
    for value, names, numbers in (
        (maximum(a, b), "max(a, b)", "max(7, 3)"),
        (minimum(a, b), "min(a, b)", "min(7, 3)"),
        (maximum(a - b, zero), "max(a - b, 0)", "max(7 - 3, 0)"),
        (ceil_div(a, b), "ceil(a / b)", "ceil(7 / 3)"),
        ((a - b) // 2 + 1, "floor((a - b) / 2) + 1", "(7 - 3) / 2 + 1"),
        (a * (b // 1) * 1, "a * b", "7 * 3"),
        (a - (b - 1), "a - (b - 1)", "7 - (3 - 1)"),
        (quantity("c", -3) * a, "c * a", "(-3) * 7"),
    ):
        assert (in_names(value), in_numbers(value)) == (names, numbers)
        assert value_of(numbers) == value


# --- the command ----------------------------------------------------------------------------------------------------


Explained = Callable[..., str]


@pytest.fixture
def explained(capsys: pytest.CaptureFixture[str]) -> Explained:
    """Runs `cnndsl explain` with these words, asserts its exit code, and gives all that it printed."""

    def run(*words: str, code: int = 0) -> str:
        found = main(["explain", *words])
        output = "".join(capsys.readouterr())
        assert found == code, output
        return output

    return run


def test_lenet5(explained: Explained) -> None:
    said = explained("lenet5", "c3")
    for line in (
        "input         14x14x6  from pool2",
        "= (14 + 0 + 0 - 5) / 1 + 1 = 10",
        "= 16 * (6 / 1) * 5 * 5 = 2,400",
        "= weight + bias = 2,400 + 16 = 2,416",
        "= weights * positions = 2,400 * 100 = 240,000",
        "= 6 + (5 - 1) * 2 = 14",
        "self.c3 = nn.Conv2d(6, 16, 5)",
    ):
        assert line in said, line


def test_calls_and_expressions(tmp_path: Path, explained: Explained) -> None:
    spec = tmp_path / "blocks.cnn"
    spec.write_text(
        "let wide = 4\nblock unit(width, stride=1):\n    let inner = width // 2\n"
        "    conv 1x1x{inner}, relu\n    conv 3x3x{wide * width} /{stride} pad=1\n\n"
        "network Blocks\ninput 32x32x3\nfor i in range(2):\n    unit {8 * 2**i} /2 as stage[i]\ndense 10\n"
    )
    said = explained(str(spec), "stage[1].conv3x3")
    assert "blocks.cnn:10:5  unit {8 * 2**i} /2 as stage[i]" in said
    assert "unit(width=16, stride=2)" in said
    assert "{8 * 2**i} = 16 with i = 1" in said
    assert "{wide * width} = 64 with wide = 4 and width = 16" in said
    assert "PyTorch  stage.1.conv3x3" in said
    assert "stage[0].conv3x3" in explained(str(spec), "5")
    assert "stage[1].conv3x3" in explained(str(spec), "5").split("likewise")[1]
    assert "Line 10 calls a block" in explained(str(spec), "10", code=2)


def test_a_line_and_a_column(explained: Explained) -> None:
    source = read(locate("lenet5"))
    assert isinstance(source, Source)
    number = next(i for i in range(1, 20) if source.line(i).startswith("conv 5x5x6"))
    column = source.line(number).index("tanh") + 1
    whole = json.loads(explained("lenet5", str(number), "--format", "json"))
    assert [layer["name"] for layer in whole["layers"]] == ["c1", "c1_tanh"]
    one = json.loads(explained("lenet5", f"{number}:{column}", "--format", "json"))
    assert [layer["name"] for layer in one["layers"]] == ["c1_tanh"]
    assert one["layers"][0]["pytorch"]["lines"] == ["torch.tanh(x)"]
    assert {"title", "terms", "notes", "conditions"} == one["layers"][0]["sections"][0].keys()


def test_a_layer_that_fails(tmp_path: Path, explained: Explained) -> None:
    spec = tmp_path / "bad.cnn"
    spec.write_text("network Bad\ninput 12x12x3\nconv 5x5x8, pool 2\nconv 5x5x16 groups=3 as broken, relu\ndense 10\n")
    said = explained(str(spec), "broken", code=1)
    assert "= (4 + 0 + 0 - 5) / 1 + 1 = 0" in said
    assert "does not hold 4 + 0 + 0 >= 5" in said
    assert "does not hold 8 is divisible by 3" in said
    assert "error[E306]" in said
    assert "because of an error in broken" in explained(str(spec), "dense10", code=1)


def test_set_and_input(explained: Explained) -> None:
    assert "224 + 3 + 3 - 7" in explained("resnet50", "conv7x7x64")
    assert "floor((66 + 3 + 3 - 7) / 2) + 1" in explained("resnet50", "conv7x7x64", "--input", "66x66x3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lenet5", "c33"), "Did you mean 'c3'?"),
        (("lenet5", "conv"), "No layer is named 'conv'."),
        (("lenet5",), "Which layer of lenet5?"),
        (("lenet5", "900"), "lines"),
        (("lenet5", "1"), "No layer is made by line 1"),
        (("resnet50", "stage256"), "'stage256' is not one layer: did you mean 'stage256.bottleneck.conv1x1'"),
        (("nosuchfile.cnn", "c1"), "nosuchfile.cnn"),
    ],
)
def test_misuse(words: tuple[str, ...], said: str, explained: Explained) -> None:
    assert said in explained(*words, code=2)
