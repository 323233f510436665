"""Networks with several inputs: what is seen of each, against gradients; and inputs and results at the edges."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cnndsl.measure import LayerMeasure
from cnndsl.measure.analyse import analyse
from cnndsl.pipeline import Checked, check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

torch.set_num_threads(1)


def checked(lines: str) -> Checked:
    return check(Source("t.cnn", f"network N\n{lines}\n"))


def errors(found: Checked) -> list[str]:
    return [d.code for d in found.diagnostics if d.severity == "error"]


def measures(lines: str) -> dict[str, LayerMeasure]:
    found = checked(lines)
    assert errors(found) == []
    network = found.networks[0]
    made = zip(network.graph.nodes, network.analysis.layers, strict=True)
    return {node.name: measure for node, measure in made if measure is not None}


VECTOR_FIRST = "input z 10\ninput txt 20x12\nlstm 8 last as s\nconcat z as both"
IMAGE_FIRST = "input img 8x6x12\nglobalpool, flatten as i\ninput txt 200x12\nlstm 8 last as s\nconcat i as both"
TEXT_FIRST = (
    "input txt 20x12\nlstm 16 last as s\ninput img 8x6x16\ntokens\nattention 4 as a\nglobalpool, flatten as i\n"
    "concat s as both"
)

SEEN = [
    # the network, a layer, what it sees of which input
    (VECTOR_FIRST, "s", "txt", (20,)),
    (VECTOR_FIRST, "both", "txt", (20,)),
    (IMAGE_FIRST, "i", "img", (8, 6)),
    (IMAGE_FIRST, "s", "txt", (200,)),
    (IMAGE_FIRST, "both", "txt", (200,)),
    (TEXT_FIRST, "s", "txt", (20,)),
    (TEXT_FIRST, "a", "img", (8, 6)),
    (TEXT_FIRST, "both", "img", (8, 6)),
    # of equal rank: the first input is smaller than the second
    ("input a 4x4x2\nconv 3x3x2 as c\nglobalpool as h\ninput b 9x9x2\nglobalpool as g\nadd h", "g", "b", (9, 9)),
    ("input a 4x4x2\nglobalpool as g\ninput b 9x9x2\nglobalpool\nadd g as both", "both", "b", (9, 9)),
    # of a vector: the text is looked up with it
    (
        "input z 6\ndense 6\nreshape 1x6 as q\ninput txt 7x6\nfrom q, attention 2 txt as found",
        "found",
        "txt",
        (7,),
    ),
]


@pytest.mark.parametrize(("lines", "layer", "of", "expected"), SEEN)
def test_a_layer_sees_of_its_own_input(lines: str, layer: str, of: str, expected: tuple[int, ...]) -> None:
    assert measures(lines)[layer].receptive_field == expected
    assert depends_on(lines, layer, of) == expected


def depends_on(lines: str, layer: str, of: str) -> tuple[int, ...]:
    """Along each axis of an input, how many cells the layer's first output depends on."""
    graph = checked(f"{lines}\noutput {layer}").networks[0].graph
    torch.manual_seed(0)
    module = build_module(graph).double().eval()
    inputs: list[Any] = []
    for index in graph.inputs:
        shapes = graph.nodes[index].shapes
        assert shapes is not None
        inputs.append(torch.randn(1, shapes[0].channels, *shapes[0].spatial, dtype=torch.double, requires_grad=True))
    results = module(*inputs)
    if isinstance(results, dict):
        result = results[layer]
    else:
        names = [o.name for o in graph.outputs]
        result = results[names.index(layer)] if isinstance(results, tuple) else results
    wanted = [graph.nodes[index].name for index in graph.inputs].index(of)
    first = result.flatten(2)[..., 0] if result.dim() > 2 else result
    (gradient,) = torch.autograd.grad(first.square().sum(), inputs[wanted])
    counts = []
    for axis in range(2, gradient.dim()):
        others = [d for d in range(gradient.dim()) if d != axis]
        counts.append(int((gradient.abs().amax(others) > 0).sum()))
    return tuple(counts)


def test_the_order_of_the_inputs_does_not_matter_to_their_layers() -> None:
    image = "input img 8x6x12\nconv 3x3x4 as c, globalpool, flatten as i"
    text = "input txt 20x12\nconv 5x4 as d, lstm 8 last as s"
    one, other = measures(f"{image}\n{text}\nconcat i"), measures(f"{text}\n{image}\nconcat s")
    for name in ("c", "i", "d", "s"):
        assert one[name].receptive_field == other[name].receptive_field
        assert one[name].stride == other[name].stride


@pytest.mark.parametrize("first", ["left HxWx3", "left {0}x32x3", "left {q}x32x3"])
def test_an_input_that_cannot_be_read_has_only_its_own_error(first: str) -> None:
    found = checked(f"input {first}\ninput right 32x32x3\ndense 3")
    assert len(errors(found)) == 1
    analysis = found.networks[0].analysis
    assert analysis.totals is None
    assert analysis.layers[0] is None
    assert analysis.layers[2] is not None
    assert analysis.layers[2].receptive_field == (32, 32)


BLOCK = "block b(t):\n    identity, conv 1x1x2\n    from {t}\n\n"

EDGES = [
    # a file; the most bytes that inference has alive, by hand
    (BLOCK + "network N\ninput 6x6x4\nconv 1x1x4 as n4\noutput n5 training:\n    b input\n", 4 * (144 + 144 + 72)),
    (BLOCK + "network N\ninput 6x6x4\noutput only training:\n    b input\n", None),
    # what follows a result for training and leads nowhere is not computed for inference
    (
        "network N\ninput 6x6x4\nconv 1x1x4\noutput x training:\n"
        "    conv 1x1x8 as c\n    identity, conv 1x1x2\n    from c\n",
        4 * (144 + 144),
    ),
    ("network N\ninput 6x6x4\nconv 1x1x4 as n4\noutput n4 training\n", 4 * (144 + 144)),
    ("network N\ninput 6x6x4\noutput n4 training:\n    conv 1x1x2\n", None),
]


@pytest.mark.parametrize(("text", "alive"), EDGES)
def test_results_for_training_at_the_edges(text: str, alive: int | None) -> None:
    found = check(Source("t.cnn", text))
    for network in found.networks:
        memory = analyse(network.graph).memory
        if alive is not None:
            assert errors(found) == []
            assert memory is not None
            assert memory.activations_peak == alive
