"""Every layer kind against PyTorch: shapes, state dicts, gradients, arithmetic, receptive fields, refusals.

Each kind's own examples run through the whole pipeline, from the text of a spec to a module.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnndsl.graph import Graph, Node
from cnndsl.layers import all_kinds
from cnndsl.layers.arguments import Choice, Flag
from cnndsl.layers.base import Example, Layer, WeightedLayer
from cnndsl.layers.rbf import DIGITS
from cnndsl.measure.primitives import ONCE_A_BATCH, core_macs
from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.shape import Shape
from cnndsl.source import Source

torch.set_num_threads(1)

KINDS = tuple(kind for kind in all_kinds() if kind.fewest_inputs == 1)  # merges: test_merges.py
EXAMPLES = [(kind, example) for kind in KINDS for example in kind.examples]
each_example = pytest.mark.parametrize(
    ("kind", "example"), EXAMPLES, ids=[f"{e.item} on {e.input}" for _, e in EXAMPLES]
)


def graph_of(item: str, input: str) -> Graph:
    """The graph of a network that is one line on one input."""
    checked = check(Source("t.cnn", Example(item, input).spec()))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []
    return checked.networks[0].graph


def problems_of(item: str, input: str) -> list[Any]:
    """What is reported of such a network."""
    return list(check(Source("t.cnn", f"network T\ninput {input}\n{item}\n")).diagnostics)


def input_shapes(graph: Graph, node: Node) -> tuple[Shape, ...]:
    shapes = tuple(graph.shape_of(edge) for edge in node.inputs)
    assert all(s is not None for s in shapes)
    return shapes  # type: ignore[return-value]


def batch(shape: Shape, examples: int = 2) -> torch.Tensor:
    if shape.tokens:
        return torch.randint(0, 40, (examples, *shape.sizes))
    return torch.randn(examples, shape.channels, *shape.spatial)


def first_shape(graph: Graph) -> Shape:
    shapes = graph.nodes[0].shapes
    assert shapes is not None
    return shapes[0]


def last_layer(graph: Graph) -> tuple[Layer, tuple[Shape, ...], tuple[Shape, ...]]:
    node = graph.nodes[-1]
    assert node.layer is not None
    assert node.shapes is not None
    return node.layer, input_shapes(graph, node), node.shapes


# --- the contract -----------------------------------------------------------------------------------------------


@each_example
def test_output_shape_is_pytorchs(kind: type[Layer], example: Example) -> None:
    graph = graph_of(example.item, example.input)
    assert type(graph.nodes[-1].layer) is kind
    module = build_module(graph)
    expected = graph.nodes[-1].shapes[0]  # type: ignore[index]
    for train in (True, False):
        output = module.train(train)(batch(first_shape(graph)))
        assert tuple(output.shape) == (2, expected.channels, *expected.spatial)


@each_example
def test_weights_are_the_state_dict(kind: type[Layer], example: Example) -> None:
    graph = graph_of(example.item, example.input)
    module = build_module(graph)
    declared = [
        weight
        for node in graph.nodes
        if node.layer is not None
        for weight in node.layer.weights(*input_shapes(graph, node))
    ]
    state = {name.partition(".")[2]: tuple(value.shape) for name, value in module.state_dict().items()}
    assert list(state.items()) == [(w.name, w.shape) for w in declared]
    parameters = {name.partition(".")[2]: p.requires_grad for name, p in module.named_parameters()}
    assert parameters == {w.name: w.kind == "parameter" for w in declared if w.kind != "buffer"}


@each_example
def test_gradient_reaches_every_parameter(kind: type[Layer], example: Example) -> None:
    graph = graph_of(example.item, example.input)
    module = build_module(graph)
    output = module(batch(first_shape(graph), 16))
    if not any(p.requires_grad for p in module.parameters()):
        return
    (output * torch.randn_like(output)).sum().backward()
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
        else:
            assert parameter.grad is None, name


OWN_SUMS = ("connected_conv", "rbf", "subsample")


@each_example
def test_macs_are_half_of_what_pytorch_counts(kind: type[Layer], example: Example) -> None:
    graph = graph_of(example.item, example.input)
    operations = [
        op
        for node in graph.nodes
        if node.layer is not None and node.shapes is not None
        for op in node.layer.operations(input_shapes(graph, node), node.shapes)
    ]
    if any(op.primitive in OWN_SUMS for op in operations):
        return  # hand-written sums that PyTorch's counter does not see; see test_primitives.py
    # Without data PyTorch takes attention and recurrence apart; on a CPU libraries do them that it can't look into.
    module = build_module(graph).to("meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(batch(first_shape(graph), 3).to("meta"))
    macs = sum(core_macs(op) * (1 if op.primitive in ONCE_A_BATCH else 3) for op in operations)
    assert 2 * macs == counter.get_total_flops()


@each_example
def test_shape_rule_takes_vectors(kind: type[Layer], example: Example) -> None:
    """One pass over many input sizes gives what one pass for each size gives."""
    graph = graph_of(example.item, example.input)
    layer, inputs, _ = last_layer(graph)
    rank = inputs[0].rank
    steps = np.arange(-6, 7)
    grid = np.array(list(itertools.islice(itertools.product(steps, repeat=max(rank, 1)), 169)), dtype=np.int64)

    def resized(shape: Shape, by: Any) -> Shape:
        """The shape with every spatial size changed, a vector's channels if it has no other."""

        def changed(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(np.maximum(n + by[..., i], 1) for i, n in enumerate(sizes))

        if shape.rank == 0 or shape.tokens:
            return shape._replace(sizes=changed(shape.sizes))
        plane = changed(shape.plane) if shape.plane else ()
        return Shape((*changed(shape.spatial), shape.channels), plane=plane)

    together = layer.infer(*(resized(s, grid) for s in inputs))
    for row, by in enumerate(grid):
        alone = layer.infer(*(_ints(resized(s, by)) for s in inputs))
        for shape, vector in zip(alone.outputs, together.outputs, strict=True):
            assert shape.sizes == tuple(_at(size, row) for size in vector.sizes)
        held = [bool(c.holds()) for c in alone.conditions]
        assert held == [bool(_at(c.holds(), row)) for c in together.conditions]


def _ints(shape: Shape) -> Shape:
    return shape._replace(sizes=tuple(map(int, shape.sizes)), plane=tuple(map(int, shape.plane)))


def _at(value: Any, row: int) -> Any:
    return value[row] if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
class TestDeclarations:
    def test_reference_has_what_it_needs(self, kind: type[Layer]) -> None:
        assert kind.family
        assert kind.__doc__
        assert re.match(r"[A-Z][^\n]*", kind.__doc__)
        assert "PyTorch" in kind.__doc__
        assert kind.examples
        for argument in kind.arguments:
            assert argument.help, argument
            assert argument.type.wanted != "a value"

    def test_arguments_hide_nothing_of_the_class(self, kind: type[Layer]) -> None:
        for argument in kind.arguments:
            assert argument.name not in dir(Layer), argument
            assert argument.name not in {n for n, v in vars(kind).items() if callable(v)}, argument
        if issubclass(kind, WeightedLayer):
            assert {"frozen", "l2"} <= {a.name for a in kind.arguments}

    def test_no_word_means_two_things(self, kind: type[Layer]) -> None:
        words = [word for a in kind.arguments for word in a.words]
        assert len(words) == len(set(words))

    def test_examples_use_every_argument(self, kind: type[Layer]) -> None:
        used: dict[str, set[Any]] = {a.name: set() for a in kind.arguments}
        for example in kind.examples:
            layer = graph_of(example.item, example.input).nodes[-1].layer
            for name, values in used.items():
                values.add(layer.__dict__[name])
        for argument in kind.arguments:
            if argument.name in ("init", "std", "frozen", "l2") or argument.name == "bias":
                continue  # the same for many kinds; tests of their own below
            assert used[argument.name] - {argument.default}, f"no example of {argument.name}"
            if isinstance(argument.type, Choice):
                assert used[argument.name] == set(argument.type.options)
            if isinstance(argument.type, Flag):
                assert used[argument.name] == {True, False}


# --- arithmetic, against independent references -----------------------------------------------------------------


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TensorFlow's rule in the words of its documentation (tf.nn, "Notes on padding")."""
    effective = (kernel - 1) * dilation + 1
    total = max(effective - stride, 0) if size % stride == 0 else max(effective - size % stride, 0)
    return total // 2, total - total // 2


def windows(
    x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], fill: float
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Each output position and its window of SAME padding, `fill` outside: (rows, columns, channels)."""
    sides = [same_padding(n, k, s, d) for n, k, s, d in zip(x.shape, kernel, stride, dilation, strict=False)]
    padded = np.pad(x, (*sides, (0, 0)), constant_values=fill)
    for i in range(math.ceil(x.shape[0] / stride[0])):
        for j in range(math.ceil(x.shape[1] / stride[1])):
            rows = i * stride[0] + dilation[0] * np.arange(kernel[0])
            columns = j * stride[1] + dilation[1] * np.arange(kernel[1])
            yield i, j, padded[rows][:, columns]


SIZES = [(5, 5), (6, 7), (8, 5), (9, 8), (4, 10)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (2, 5), (4, 3)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1)])
class TestSame:
    """`same` is TensorFlow's SAME, to the last digit."""

    def test_convolution(self, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]) -> None:
        for dilation in [(1, 1), (2, 3)]:
            item = f"conv {kernel[0]}x{kernel[1]}x2 same /{stride[0]}x{stride[1]} dilation={dilation[0]}x{dilation[1]}"
            module = build_module(graph_of(item, f"{size[0]}x{size[1]}x3")).double()
            weight, bias = (p.detach().numpy() for p in module.parameters())
            x = np.random.default_rng(0).normal(size=(*size, 3))
            expected = np.zeros((math.ceil(size[0] / stride[0]), math.ceil(size[1] / stride[1]), 2))
            for i, j, window in windows(x, kernel, stride, dilation, 0.0):
                expected[i, j] = np.einsum("hwc,ochw->o", window, weight) + bias
            assert np.allclose(run(module, x), expected, rtol=0, atol=1e-12)

    def test_pooling(self, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]) -> None:
        x = np.random.default_rng(1).normal(size=(*size, 3)) - 5
        for words, fill, reduce in [
            ("max", -np.inf, lambda w: w.max((0, 1))),
            ("avg nopadcount", np.nan, lambda w: np.nanmean(w, (0, 1))),
            ("avg", 0.0, lambda w: w.mean((0, 1))),
        ]:
            item = f"pool {kernel[0]}x{kernel[1]} /{stride[0]}x{stride[1]} same {words}"
            module = build_module(graph_of(item, f"{size[0]}x{size[1]}x3"))
            output = run(module, x)
            for i, j, window in windows(x, kernel, stride, (1, 1), fill):
                assert np.allclose(output[i, j], reduce(window), rtol=0, atol=1e-12), (words, i, j)

    def test_transposed_convolution(
        self, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
    ) -> None:
        """It is the gradient of TensorFlow's SAME convolution of a map that is `stride` times as large."""
        item = f"deconv {kernel[0]}x{kernel[1]}x2 same /{stride[0]}x{stride[1]} nobias"
        module = build_module(graph_of(item, f"{size[0]}x{size[1]}x3")).double()
        (weight,) = (p.detach().numpy() for p in module.parameters())  # (in, out, rows, columns)
        x = np.random.default_rng(2).normal(size=(*size, 3))
        large = (size[0] * stride[0], size[1] * stride[1])
        (top, bottom), (left, right) = (same_padding(n, k, s, 1) for n, k, s in zip(large, kernel, stride, strict=True))
        padded = np.zeros((large[0] + top + bottom, large[1] + left + right, 2))
        for i, j in np.ndindex(*size):
            rows = slice(i * stride[0], i * stride[0] + kernel[0])
            columns = slice(j * stride[1], j * stride[1] + kernel[1])
            padded[rows, columns] += np.einsum("c,cohw->hwo", x[i, j], weight)
        expected = padded[top : top + large[0], left : left + large[1]]
        assert np.allclose(run(module, x), expected, rtol=0, atol=1e-12)


def run(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """A module's output for one example, both with channels last."""
    with torch.no_grad():
        output = module(torch.from_numpy(x).movedim(-1, 0)[None])
    return output[0].movedim(0, -1).numpy()


def test_pooling_with_padding_of_its_own_on_each_side() -> None:
    x = np.random.default_rng(3).normal(size=(7, 8, 2)) - 3
    padded = np.pad(x, ((1, 0), (2, 1), (0, 0)), constant_values=-np.inf)
    counted = np.pad(x, ((1, 0), (2, 1), (0, 0)), constant_values=0)
    real = np.pad(x, ((1, 0), (2, 1), (0, 0)), constant_values=np.nan)
    for words, cells, reduce in [
        ("max", padded, np.max),
        ("avg", counted, np.mean),
        ("avg nopadcount", real, np.nanmean),
    ]:
        module = build_module(graph_of(f"pool 4 /3 {words} pad=[1, 0, 2, 1]", "7x8x2"))
        output = run(module, x)
        assert output.shape == (2, 3, 2)
        for i, j in np.ndindex(2, 3):
            expected = reduce(cells[3 * i : 3 * i + 4, 3 * j : 3 * j + 4], axis=(0, 1))
            assert np.allclose(output[i, j], expected, rtol=0, atol=1e-12), words


@pytest.mark.parametrize(
    ("pool", "unpool", "input"),
    [
        ("pool 2", "unpool 2", "9x7x3"),
        ("pool 3 /2 same", "unpool 3 /2 same", "8x9x3"),
        ("pool 2 /1 same", "unpool 2 /1 same", "5x6x3"),
        ("pool 4 /2 pad=[1, 2, 2, 0]", "unpool 4 /2 pad=[1, 2, 2, 0]", "8x9x3"),
        ("pool 3 /2 ceil", "unpool 3 /2", "8x6x3"),
        ("pool 3 /2 pad=[1, 0]", "unpool 3 /2 pad=[1, 0]", "9x3"),
        ("pool 3 /2 pad=[1, 0, 0, 1, 1, 1]", "unpool 3 /2 pad=[1, 0, 0, 1, 1, 1]", "5x6x7x2"),
    ],
)
def test_unpooling_puts_every_maximum_back(pool: str, unpool: str, input: str) -> None:
    kind, *rest = unpool.split()
    graph = graph_of(f"{pool} as p, {kind} {rest[0]} p {' '.join(rest[1:])}", input)
    module = build_module(graph)
    x = batch(first_shape(graph)) - 10
    restored = module(x)
    assert restored.shape == x.shape
    at = restored != 0
    assert torch.equal(restored[at], x[at])
    pooled = build_module(graph_of(pool, input))(x)
    for example, channel in np.ndindex(*x.shape[:2]):
        assert set(restored[example, channel][at[example, channel]].tolist()) == set(
            pooled[example, channel].flatten().tolist()
        )


def test_connection_table_is_a_masked_convolution() -> None:
    """LeNet-5's C3: 60 kernels of 5x5 and 16 biases are the 1,516 parameters of the paper."""
    table = [[i % 6, (i + 1) % 6, (i + 2) % 6] for i in range(6)]
    table += [sorted({i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6}) for i in range(6)]
    table += [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
    module = build_module(graph_of(f"conv 5x5x16 connect={table}", "14x14x6"))
    weight, bias = module.parameters()
    assert weight.numel() + bias.numel() == 1516
    dense = torch.zeros(16, 6, 5, 5)
    rows = iter(weight)
    for output, inputs in enumerate(table):
        for channel in inputs:
            dense[output, channel] = next(rows)
    x = torch.randn(2, 6, 14, 14)
    assert torch.allclose(module(x), nn.functional.conv2d(x, dense, bias), atol=1e-6)


def test_subsample_is_coefficient_times_sum_plus_bias() -> None:
    module = build_module(graph_of("subsample 3x2 /2x1 init=lecun", "7x6x3"))
    weight, bias = (p.detach().numpy() for p in module.double().parameters())
    x = np.random.default_rng(4).normal(size=(7, 6, 3))
    output = run(module, x)
    assert output.shape == (3, 5, 3)
    for i, j in np.ndindex(3, 5):
        assert np.allclose(output[i, j], weight * x[2 * i : 2 * i + 3, j : j + 2].sum((0, 1)) + bias, atol=1e-12)


def test_digits_are_bitmaps() -> None:
    module = build_module(graph_of("rbf 10 centres=digits", "84"))
    centres = module.state_dict()["rbf10.centres"]
    assert centres.shape == (10, 84)
    assert set(centres.unique().tolist()) == {-1.0, 1.0}
    distances = module(centres)
    assert torch.equal(distances.diagonal(), torch.zeros(10))
    assert (distances + 1000 * torch.eye(10)).min() >= 4 * 10  # any two digits differ in ten cells or more
    rows = [line.split()[7] for line in DIGITS.strip().splitlines()]
    assert "".join("#" if cell > 0 else "." for cell in centres[7]) == "".join(rows)


def test_rbf_is_squared_distance() -> None:
    module = build_module(graph_of("rbf 4", "2x3x2"))
    (centres,) = module.parameters()
    assert set(centres.unique().tolist()) <= {-1.0, 1.0}
    x = torch.randn(5, 2, 2, 3)
    assert torch.allclose(module(x), torch.cdist(x.flatten(1), centres) ** 2, atol=1e-4)


def test_step_thresholds_and_passes_gradients() -> None:
    module = build_module(graph_of("step", "5"))
    x = torch.tensor([[-1.0, -0.0, 0.0, 1e-9, 3.0]], requires_grad=True)
    output = module(x)
    assert output.tolist() == [[0, 0, 0, 1, 1]]
    output.backward(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    assert x.grad is not None
    assert x.grad.tolist() == [[1, 2, 3, 4, 5]]


def test_scaled_tanh_maps_one_to_one() -> None:
    x = torch.tensor([[-1.0, 0.0, 1.0]], dtype=torch.float64)
    assert torch.allclose(build_module(graph_of("tanh scaled", "3"))(x), x, atol=1e-4)


def test_noise_and_dropout_are_for_training_alone() -> None:
    x = torch.ones(1, 4, 50, 50)
    for item, deviation in [("noise 0.5", 0.5), ("dropout 0.5", 1.0), ("dropout 0.5 spatial", None)]:
        module = build_module(graph_of(item, "50x50x4"))
        assert torch.equal(module.eval()(x), x)
        torch.manual_seed(0)
        noisy = module.train()(x)
        if deviation is not None:
            assert abs(float((noisy - x).std()) - deviation) < 0.03
        else:
            assert all(channel.unique().numel() == 1 for channel in noisy[0])


def test_rearranging_kinds_follow_the_written_order() -> None:
    x = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(float)  # height, width, channels
    chw = x.transpose(2, 0, 1)
    cases = {
        "permute 1x0x2": x.transpose(1, 0, 2),
        "permute 2x0x1": x.transpose(2, 0, 1),
        "permute 1x2x0": x.transpose(1, 2, 0),
        "tokens": x.reshape(6, 4),
        "flatten": chw.reshape(24),
        "reshape 4x3x2": chw.reshape(2, 4, 3).transpose(1, 2, 0),
        "reshape 6x4": chw.reshape(4, 6).T,
        "slice 1 3": x[..., 1:3],
        "roll shift=[1, -1]": np.roll(x, (1, -1), (0, 1)),
        "shuffle 2": x[..., [0, 2, 1, 3]],
        "crop cells=[0, 1, 2, 0]": x[:1, 2:],
        "pad cells=[0, 1, 2, 0]": np.pad(x, ((0, 1), (2, 0), (0, 0))),
        "crop size=1x1": x[:1, 1:2],
        "pad 1 reflect": np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="reflect"),
        "pad 1 replicate": np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge"),
        "pad 2 circular": np.pad(x, ((2, 2), (2, 2), (0, 0)), mode="wrap"),
        "scale 3 -2": 3 * x - 2,
        "l2norm": x / np.linalg.norm(x, axis=-1, keepdims=True),
        "upsample 2x1": x.repeat(2, 0),
        "linear 4 init=zeros": np.zeros((2, 3, 4)),
    }
    for item, expected in cases.items():
        module = build_module(graph_of(item, "2x3x4")).double()
        output = module(torch.from_numpy(x).movedim(-1, 0)[None])[0].detach()
        assert np.allclose(output.movedim(0, -1).numpy(), expected, atol=1e-12), item


def test_ln_and_rmsnorm_normalise_channels() -> None:
    x = np.random.default_rng(5).normal(2, 3, size=(3, 4, 8))
    ln = run(build_module(graph_of("ln eps=0", "3x4x8")).double(), x)
    assert np.allclose(ln, (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True))
    rms = run(build_module(graph_of("rmsnorm eps=1e-9", "3x4x8")).double(), x)
    assert np.allclose(rms, x / np.sqrt((x**2).mean(-1, keepdims=True)))


# --- first values -----------------------------------------------------------------------------------------------

FANS = {
    "conv 5x5x64": ("9x9x32", 25 * 32, 25 * 64),
    "conv 3x3x96 groups=3": ("9x9x96", 9 * 32, None),
    "dwconv 7x7": ("9x9x512", 49, None),
    "deconv 4x4x64 /2": ("9x9x32", 16 * 32, 16 * 64),
    "deconv 4x4x64 /2 groups=4": ("9x9x32", 16 * 8, None),
    "dense 300": ("8x8x10", 640, 300),
    "linear 300": ("8x640", 640, 300),
}


@pytest.mark.parametrize("item", FANS)
def test_initial_values_follow_their_formulas(item: str) -> None:
    shape, fan_in, fan_out = FANS[item]
    torch.manual_seed(0)

    def weights(init: str) -> tuple[torch.Tensor, torch.Tensor]:
        weight, bias = build_module(graph_of(f"{item} {init}", shape)).parameters()
        return weight.detach(), bias.detach()

    weight, bias = weights("init=lecun")
    assert 0.99 * 2.4 / fan_in < weight.abs().max() <= 2.4 / fan_in
    assert 0.5 * 2.4 / fan_in < bias.abs().max() <= 2.4 / fan_in
    assert abs(float(weight.std()) / (2.4 / fan_in / 3**0.5) - 1) < 0.05
    weight, bias = weights("init=he")
    assert abs(float(weight.std()) / (2 / fan_in) ** 0.5 - 1) < 0.05
    assert not bias.any()
    weight, _ = weights("init=normal std=0.3")
    assert abs(float(weight.std()) / 0.3 - 1) < 0.05
    weight, _ = weights("init=trunc_normal")
    assert abs(float(weight.std()) / 0.02 - 1) < 0.05
    assert not weights("init=zeros")[0].any()
    if fan_out is not None:
        weight, _ = weights("init=glorot")
        bound = (6 / (fan_in + fan_out)) ** 0.5
        assert 0.99 * bound < weight.abs().max() <= bound
        weight, _ = weights("init=he_fan_out")
        assert abs(float(weight.std()) / (2 / fan_out) ** 0.5 - 1) < 0.05


def test_lecun_start_of_a_connection_table_is_per_map() -> None:
    table = [[0]] * 40 + [list(range(10))] * 40
    item = f"conv 3x3x80 connect={table} init="
    weight, bias = (p.detach() for p in build_module(graph_of(item + "lecun", "5x5x10")).parameters())
    few, many = weight[:40], weight[40:]
    assert 0.9 * 2.4 / 9 < few.abs().max() <= 2.4 / 9
    assert 0.9 * 2.4 / 90 < many.abs().max() <= 2.4 / 90
    assert bias[40:].abs().max() <= 2.4 / 90 < bias[:40].abs().max() <= 2.4 / 9
    weight, bias = (p.detach() for p in build_module(graph_of(item + "he", "5x5x10")).parameters())
    assert not bias.any()
    assert abs(float(weight[:40].std()) / (2 / 9) ** 0.5 - 1) < 0.1
    assert abs(float(weight[40:].std()) / (2 / 90) ** 0.5 - 1) < 0.1


def test_dirac_is_the_identity() -> None:
    for item in ("conv 3x3x4 same", "conv 3x3x4 same groups=2", "dwconv 5x5 same", "deconv 3x3x4 pad=1"):
        module = build_module(graph_of(f"{item} init=dirac", "6x7x4"))
        x = torch.randn(2, 4, 6, 7)
        assert torch.allclose(module(x), x, atol=1e-6), item


def test_partial_dirac_keeps_other_filters() -> None:
    module = build_module(graph_of("conv 3x3x7 same nobias init=partial_dirac", "6x5x3"))
    (weight,) = (p.detach() for p in module.parameters())
    x = torch.randn(2, 3, 5, 6).transpose(2, 3)
    made = module(x).detach()
    assert torch.allclose(made[:, :3], x, atol=1e-6)
    bound = 1 / 27**0.5  # PyTorch's own: uniform within 1 / sqrt(fan-in)
    assert weight[3:].abs().max() <= bound
    assert 0.7 * bound < weight[3:].abs().max()
    fewer = build_module(graph_of("conv 3x3x2 same nobias init=partial_dirac", "6x5x3"))
    assert torch.allclose(fewer(x), x[:, :2], atol=1e-6)


@pytest.mark.parametrize(
    ("item", "input", "factor"),
    [
        ("deconv 4x4x3 /2 pad=1", "6x5x3", 2),
        ("deconv 4x4x3 /2 pad=1 groups=3", "6x5x3", 2),
        ("deconv 8x2 /4 pad=2", "9x2", 4),
        ("deconv 4x4x4x2 /2 pad=1", "4x5x6x2", 2),
    ],
)
def test_bilinear_start_interpolates(item: str, input: str, factor: int) -> None:
    graph = graph_of(f"{item} nobias init=bilinear", input)
    x = batch(first_shape(graph))
    made = build_module(graph)(x).detach()
    modes = {3: "linear", 4: "bilinear", 5: "trilinear"}
    expected = nn.functional.interpolate(x, scale_factor=factor, mode=modes[x.dim()])
    inner = (slice(None), slice(None), *(slice(factor, -factor) for _ in range(x.dim() - 2)))
    assert torch.allclose(made[inner], expected[inner], atol=1e-6)


@pytest.mark.parametrize("kind", [k for k in KINDS if issubclass(k, WeightedLayer)], ids=lambda kind: kind.kind)
def test_every_start_and_freeze_runs(kind: type[Layer]) -> None:
    example = next(e for e in kind.examples if not re.search("init|frozen|noaffine|digits", e.item))
    affine = " affine" if kind.kind == "instancenorm" else ""
    for argument in kind.arguments:
        if argument.name in ("init", "frozen"):
            for option in argument.type.words():
                item = f"{example.item}{affine} {argument.name}={option}"
                if not [d for d in problems_of(item, example.input) if d.severity == "error"]:
                    build_module(graph_of(item, example.input))
                else:
                    assert argument.name == "frozen", item
    module = build_module(graph_of(f"{example.item}{affine} frozen", example.input))
    assert not any(p.requires_grad for p in module.parameters())


def test_norms_start_around_a_scale_of_one() -> None:
    module = build_module(graph_of("bn init=normal std=0.02", "4x4x4000"))
    weight, bias = (p.detach() for p in module.parameters())
    assert abs(float(weight.mean()) - 1) < 0.01
    assert abs(float(weight.std()) - 0.02) < 0.002
    assert not bias.any()


def test_padding_token_starts_at_zero() -> None:
    for init in ("default", "glorot", "normal"):
        (weight,) = build_module(graph_of(f"embedding 50x8 padding=3 init={init}", "7 tokens")).parameters()
        assert not weight[3].any()
        assert weight[4].any()
