"""Blocks in the emitted PyTorch: which share a class, what its parameters are called, and that it computes the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnndsl.codegen import emit, module_paths
from cnndsl.graph import INPUT, Edge, Graph, Node, Output
from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source


def graphs_of(text: str) -> list[Graph]:
    checked = check(Source("a.cnn", text))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []
    return [one.graph for one in checked.networks]


RESNET = """
block basic(c, stride=1):
    add:
        | conv 3x3x{c} /{stride} pad=1 nobias as conv1, bn as bn1, relu
          conv 3x3x{c} pad=1 nobias as conv2, bn as bn2
        | if stride > 1 or input.channels != c:
              conv 1x1x{c} /{stride} nobias as downsample[0], bn as downsample[1]
    relu

block bottleneck(c, stride=1):
    add:
        | conv 1x1x{c} nobias as conv1, bn as bn1, relu
          conv 3x3x{c} /{stride} pad=1 nobias as conv2, bn as bn2, relu
          conv 1x1x{4 * c} nobias as conv3, bn as bn3
        | if stride > 1 or input.channels != 4 * c:
              conv 1x1x{4 * c} /{stride} nobias as downsample[0], bn as downsample[1]
    relu

network ResNet(unit=basic, counts=[2, 2, 2, 2])
input 64x64x3
conv 7x7x64 /2 pad=3 nobias as conv1, bn as bn1, relu
pool 3 /2 pad=1
for i in range(counts[0]):
    {unit} 64 as layer1[i]
for i in range(counts[1]):
    {unit} 128 /{2 if i == 0 else 1} as layer2[i]
for i in range(counts[2]):
    {unit} 256 /{2 if i == 0 else 1} as layer3[i]
for i in range(counts[3]):
    {unit} 512 /{2 if i == 0 else 1} as layer4[i]
globalpool
dense 1000 as fc
network resnet18 = ResNet
network resnet50 = ResNet(unit=bottleneck, counts=[3, 4, 6, 3])
"""


def resnet_state(convolutions: int, counts: list[int], expansion: int) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the state dict of torchvision 0.28.0's ResNets, as its documentation of the model has
    them: conv1, bn1, layer1 … layer4 of blocks with conv1, bn1, … and downsample.0, downsample.1, and fc."""
    state: dict[str, tuple[int, ...]] = {}

    def conv(name: str, inputs: int, outputs: int, kernel: int) -> None:
        state[f"{name}.weight"] = (outputs, inputs, kernel, kernel)

    def norm(name: str, channels: int) -> None:
        state.update({f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")})
        state[f"{name}.num_batches_tracked"] = ()

    conv("conv1", 3, 64, 7)
    norm("bn1", 64)
    inputs = 64
    for stage, count in enumerate(counts):
        width = 64 * 2**stage
        for number in range(count):
            name = f"layer{stage + 1}.{number}"
            if convolutions == 2:
                sizes = [(inputs, width, 3), (width, width, 3)]
            else:
                sizes = [(inputs, width, 1), (width, width, 3), (width, expansion * width, 1)]
            for place, (before, after, kernel) in enumerate(sizes, 1):
                conv(f"{name}.conv{place}", before, after, kernel)
                norm(f"{name}.bn{place}", after)
            if number == 0 and (stage > 0 or inputs != expansion * width):
                conv(f"{name}.downsample.0", inputs, expansion * width, 1)
                norm(f"{name}.downsample.1", expansion * width)
            inputs = expansion * width
    state["fc.weight"], state["fc.bias"] = (1000, inputs), (1000,)
    return state


def test_names_in_a_spec_give_torchvisions_state_dict() -> None:
    _, resnet18, resnet50 = graphs_of(RESNET)
    expected = {resnet18.name: resnet_state(2, [2, 2, 2, 2], 1), resnet50.name: resnet_state(3, [3, 4, 6, 3], 4)}
    for graph in (resnet18, resnet50):
        state = {name: tuple(value.shape) for name, value in build_module(graph).state_dict().items()}
        assert state == expected[graph.name]
        assert list(state) == list(expected[graph.name])


def test_a_resnet_is_what_one_writes_by_hand() -> None:
    _, _, graph = graphs_of(RESNET)
    source = emit(graph)
    assert source.count("class ") == 2
    assert "self.with_downsample = stride > 1 or in_channels != 4 * c\n" in source
    assert "self.layer3 = nn.Sequential(\n" in source
    assert "            Bottleneck(512, 256, stride=2),\n" in source
    assert "            *(Bottleneck(1024, 256) for _ in range(5)),\n" in source
    assert len(source.splitlines()) < 90


@pytest.mark.parametrize(
    ("spec", "classes", "lines"),
    [
        # Calls that differ in numbers share a class, and what follows from a parameter is written so.
        (
            "block unit(c, k=3):\n    conv {k}x{k}x{2 * c} pad={k // 2}, bn, relu\nnetwork A\ninput 8x8x3\nunit 4\n"
            "unit 6 5\nunit 2",
            2,
            ["nn.Conv2d(in_channels, 2 * c, k, padding=k // 2)", "self.unit4 = Unit(3, 4, 3)"],
        ),
        # A row that grows.
        (
            "block grow(k):\n    concat:\n        | identity\n        | bn, relu, conv 3x3x{k} pad=1\n"
            "network A\ninput 8x8x3\nrepeat 4:\n    grow 5",
            2,
            ["nn.Sequential(*(Grow(3 + 5 * i) for i in range(4)))"],
        ),
        # Arms.
        (
            "network A\ninput 8x8x3\nconcat:\n    | conv 1x1x2, relu\n    | conv 1x1x3, conv 3x3x4 pad=1\n"
            "    | pool 3 /1 pad=1",
            1,
            ["x = torch.cat([branch1, branch2, branch3], 1)  # 8x8x9"],
        ),
        # An activation is a parameter like others.
        (
            "block unit(act):\n    conv 3x3x4 pad=1, {act}\nnetwork A\ninput 8x8x4\nunit relu\nunit silu",
            2,
            ["act: Callable[[Tensor], Tensor]", "x = self.act(x)", "Unit(F.silu)"],
        ),
        # A tensor from outside is one more argument of `forward`.
        (
            "block up(c, skip):\n    deconv 2x2x{c} /2\n    concat {skip}\n    conv 3x3x{c} pad=1\n"
            "network A\ninput 8x8x3\nconv 3x3x4 pad=1 as s, pool 2, conv 3x3x8 pad=1, up 4 s",
            2,
            ["def forward(self, x: Tensor, skip: Tensor) -> Tensor:", "x = self.up4(x, s)"],
        ),
        # What some calls do and others don't stands under a condition; a parameter of the block is one.
        (
            "block unit(c, se=false):\n    add:\n        | identity\n        | conv 3x3x{c} pad=1\n"
            "          if se:\n              conv 1x1x{c}, sigmoid\n"
            "          bn\n    relu, conv 1x1x{c}\nnetwork A\ninput 8x8x4\nunit 4\n"
            "unit 4 se",
            2,
            ["self.se = se", "        if self.se:", "self.unit4_2 = Unit(se=True)"],
        ),
        # Where an arm is the input itself and the other begins with a condition, it needs a name of its own.
        (
            "block unit(c, t):\n    add:\n        | identity\n        | if t > 1:\n"
            "              conv 1x1x{t * c}, relu\n"
            "          conv 3x3x{c} pad=1, bn, relu, conv 1x1x{c}\nnetwork A\ninput 8x8x4\nunit 4 1\nunit 4 2",
            2,
            [
                "        y = x\n        if self.with_conv1x1:\n            y = self.conv1x1(y)  # 8x8x8\n"
                "            y = F.relu(y)\n        y = self.conv3x3(y)\n"
            ],
        ),
    ],
)  # fmt: skip
def test_blocks_are_classes(spec: str, classes: int, lines: list[str]) -> None:
    (graph,) = graphs_of(spec)
    source = emit(graph)
    assert source.count("class ") == classes
    for line in lines:
        assert line in source
    assert_computes_what_its_nodes_say(graph)


def assert_computes_what_its_nodes_say(graph: Graph) -> None:
    """Run the graph node by node, each layer as a network of its own with the module's weights, and compare.

    The operations that reach PyTorch's kernels are the same, one by one, but for moves of the channels.
    """
    expected = Recorded()
    torch.manual_seed(1)
    module = build_module(graph).eval()
    paths = module_paths(graph)
    values: dict[tuple[int, int], torch.Tensor] = {}
    inputs = []
    for node in graph.nodes:
        assert node.shapes is not None
        if node.layer is None:
            shape = node.shapes[0]
            inputs.append(torch.randn(2, shape.channels, *shape.spatial))
            values[node.index, 0] = inputs[-1]
            continue
        if any(edge == (node.index, 1) for other in graph.nodes for edge in other.inputs):
            with torch.no_grad(), expected:
                y, indices = F.max_pool2d(values[node.inputs[0]], 2, return_indices=True)
            values[node.index, 0], values[node.index, 1] = y, indices
            continue
        alone = single_layer(graph, node.index).eval()
        if node.index in paths:
            state = {k: v for k, v in module.state_dict().items() if k.startswith(paths[node.index] + ".")}
            own = list(alone.state_dict())
            alone.load_state_dict(dict(zip(own, state.values(), strict=True)))
        with torch.no_grad(), expected:
            values[node.index, 0] = alone(*(values[edge] for edge in node.inputs))
    with torch.no_grad(), Recorded() as recorded:
        results = module(*inputs)
    assert recorded.operations() == expected.operations()
    results = results if isinstance(results, tuple) else (results,)
    main = [output for output in graph.outputs if not output.training]
    for output, result in zip(main, results, strict=True):
        assert torch.allclose(values[output.edge], result, atol=1e-5), output.name
    assert {path for path in paths.values() if "." in path or path} <= {name for name, _ in module.named_modules()}


class Recorded(TorchDispatchMode):
    """The names of the operations that reach PyTorch's kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))

    def operations(self) -> list[str]:
        """All but those that only lay tensors out otherwise."""
        views = ("aten.permute.default", "aten.clone.default", "aten._unsafe_view.default", "aten.view.default")
        return [name for name in self.names if name not in views]


def single_layer(graph: Graph, index: int) -> nn.Module:
    """A module of one layer of a graph."""
    node = graph.nodes[index]
    made = tuple(
        Node(number, f"input_{number}", INPUT, None, (), (graph.shape_of(edge),), node.span)  # type: ignore[arg-type]
        for number, edge in enumerate(node.inputs)
    )
    count = len(made)
    own = Node(count, "one", node.kind, node.layer, tuple(map(Edge, range(count))), node.shapes, node.span)
    one = Graph("One", (*made, own), tuple(range(count)), (Output("output", Edge(count)),), {}, node.span)
    return build_module(one)


SHARING = """
block tower(c):
    conv 3x3x{c} pad=1 as first, bn, relu
    reuse first
    dropout 0.5

network Shared
input left 8x8x4
input right 8x8x4
from left, tower 4 as embed
from right, reuse embed
absdiff embed
reuse embed as again, relu, add again
"""

INSIDE = """
block inner(c):
    conv 3x3x{c} pad=1 as k, relu
    add:
        | identity
        | reuse k

block outer(c):
    inner {c} as one
    reuse one
    ln, linear {c}, gelu, linear {c}

network Nested
input 8x8x4
outer 4 as a[0]
outer 4 as a[1]
reuse a[1]
pool 2 as p, conv 1x1x4, unpool 2 p
repeat 3:
    inner 4
output main
    inner 4
"""

SPECS = {
    "shared": SHARING,
    "nested": INSIDE.replace("output main\n    inner 4\n", ""),
    "results": (
        "block two(c):\n    conv 3x3x{c} pad=1, relu as half\n    pool 2\n"
        "network A\ninput 8x8x3\ntwo 4 as a, two 5 as b\nconv 1x1x2 as c\nfrom a, conv 1x1x3 as d\noutput d"
    ),
    "lists": (
        "block unit(c):\n    conv 3x3x{c} pad=1, bn, relu\nnetwork A\ninput 8x8x4\nfor i in range(3):\n"
        "    unit 4 as s[i][0], unit 4 as s[i][1], relu\nconv 1x1x4 as t[1], relu, conv 1x1x4 as t[3], bn as u[0]\n"
        "from s[0][0], unit 4 as v[0]\nfrom s[1][1], unit 4 as v[1], add u[0]"
    ),
    "u-net": (
        "block u(c, depth):\n    conv 3x3x{c} pad=1, relu\n    if depth > 0:\n        concat:\n            | identity\n"
        "            | pool 2, u {2 * c} {depth - 1}, deconv 2x2x{c} /2\n        conv 3x3x{c} pad=1\n"
        "network A\ninput 16x16x1\nu 4 3\nconv 1x1x2"
    ),
    "layouts": (
        "block encoder(c):\n    add:\n        | identity\n        | ln, linear {c}, gelu, linear {c}\n"
        "block next(c):\n    add:\n        | identity\n        | dwconv 3x3 pad=1, ln, linear {c}\n"
        "network A\ninput 6x6x4\nconv 1x1x4, ln\nencoder 4\nencoder 4\nnext 4\nnext 4\nencoder 4"
    ),
    "shortcut first": (
        "block unit(c):\n    add:\n        | if input.channels != c:\n              conv 1x1x{c}, bn\n"
        "        | conv 3x3x{c} pad=1, bn, relu, conv 3x3x{c} pad=1, bn\nnetwork A\ninput 8x8x4\nunit 4\nunit 6"
    ),
    "twice the same": (
        "block maybe(p):\n    if p == 3:\n        conv 3x3x4 pad=1\nblock unit(p):\n    conv 3x3x4 pad=1\n    relu\n"
        "    concat:\n        | maybe {p + 1}\n        | identity\n    conv 1x1x4\nnetwork A\ninput 8x8x4\nunit 1\n"
        "unit 2"
    ),
    "what repeats is written out": (
        "block inner(c):\n    conv 3x3x4\nblock outer(t):\n    inner 4 as n\n    from {t}\n"
        "network A\ninput 8x8x4\nrelu as r\nouter r as m\nreuse m\nconv 1x1x2"
    ),
    "nothing but its input": "block none(c):\n    if c > 5:\n        relu\nnetwork A\ninput 4\ndense 4, none 2, none 6",
}


@pytest.mark.parametrize("name", SPECS)
def test_nested_modules_compute_what_the_nodes_say(name: str) -> None:
    for graph in graphs_of(SPECS[name]):
        assert_computes_what_its_nodes_say(graph)


def test_a_block_that_calls_itself_is_one_class() -> None:
    (graph,) = graphs_of(SPECS["u-net"])
    source = emit(graph)
    assert source.count("class ") == 2
    assert "            self.pool2_u = U(c, 2 * c, depth - 1)\n" in source
    assert "        self.u4_3 = U(1, 4, 3)\n" in source


def test_shared_blocks_are_called_again() -> None:
    (graph,) = graphs_of(SHARING)
    source = emit(graph)
    assert source.count("self.embed(") == 3
    assert source.count("self.first(") == 2
    assert [name for name, _ in build_module(graph).named_children()] == ["embed"]


def test_outputs_that_only_serve_training() -> None:
    text = (
        "block head:\n    globalpool, dropout 0.5, dense 3\nnetwork A\ninput 8x8x3\nconv 3x3x4 as stem, relu\n"
        "output aux training:\n    head\nglobalpool, dense 3"
    )
    (graph,) = graphs_of(text)
    module = build_module(graph)
    seen: list[str] = []
    for name, one in module.named_modules():
        one.register_forward_hook(lambda *_, name=name: seen.append(name))
    x = torch.randn(2, 3, 8, 8)
    main, aux = module(x)
    assert main.shape == aux.shape == (2, 3)
    assert "aux_head.dense3" in seen
    seen.clear()
    assert module.eval()(x).shape == (2, 3)
    assert not any(name.startswith("aux") for name in seen)
    source = emit(graph)
    assert "-> Tensor | tuple[Tensor, Tensor]:" in source
    assert "        if self.training:\n            aux = self.aux_head(x)" in source
    assert source.count("self.training") == 2


PLAIN = [
    "conv 3x3x4 pad=1",
    "conv 1x1x{p}, conv 1x1x4 nobias",
    "bn",
    "relu",
    "dwconv 3x3 pad=1",
    "ln",
    "linear 4, gelu",
]


@st.composite
def blocks_and_calls(draw: st.DrawFn) -> str:
    """A spec with blocks whose calls differ in numbers and in what their conditions choose; all maps are 8x8x4."""

    def lines(level: int, indent: str) -> list[str]:
        found = []
        for _ in range(draw(st.integers(1, 3))):
            choice = draw(st.sampled_from(["plain", "plain", "call", "if", "add", "concat", "twice"]))
            inner = indent + "    "
            if choice == "call" and level > 0:
                block = draw(st.integers(0, level - 1))
                found.append(f"{indent}b{block} {{{draw(st.sampled_from(['p', 'p + 1', '2 * p', '3']))}}}{times()}")
            elif choice == "if":
                condition = draw(st.sampled_from(["p > 1", "p > 2", "p == 3", "flag", "not flag"]))
                found += [f"{indent}if {condition}:", *lines(level, inner)]
            elif choice in ("add", "concat"):
                found.append(f"{indent}{choice}:")
                arms = draw(st.integers(1, 3)) + (choice == "add")
                for _ in range(arms):
                    first, *rest = lines(level, "") if draw(st.booleans()) else ["identity"]
                    found += [f"{inner}| {first}", *(f"{inner}  {line}" for line in rest)]
                found += [f"{indent}conv 1x1x4"] * (choice == "concat")
            elif choice == "twice":
                name = f"n{draw(st.integers(0, 10**6))}_{len(found)}_{len(indent)}"
                found += [f"{indent}conv 3x3x4 pad=1 as {name}, relu, reuse {name}"]
            else:
                found.append(indent + draw(st.sampled_from(PLAIN)))
        return found

    def times() -> str:
        return draw(st.sampled_from(["", "", " flag=true", " * 2", " * {p}"]))

    count = draw(st.integers(1, 3))
    text = []
    for level in range(count):
        text += [f"block b{level}(p=1, flag=false):", *lines(level, "    ")]
    text += ["network Random", "let p = 2", "input 8x8x4"]
    for number in range(draw(st.integers(1, 5))):
        block = draw(st.integers(0, count - 1))
        name = draw(st.sampled_from(["", "", f" as s[{number}]", f" as one{number}"]))
        text.append(f"b{block} {draw(st.integers(1, 4))}{times()}{name}")
    return "\n".join(text) + "\n"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(blocks_and_calls())
def test_random_blocks_compute_what_the_nodes_say(spec: str) -> None:
    checked = check(Source("a.cnn", spec))
    assume(checked.ok and len(checked.networks[0].graph.nodes) < 150)
    graph = checked.networks[0].graph
    assert emit(graph) == emit(graph)
    assert_computes_what_its_nodes_say(graph)


# --- instances that the file does not have --------------------------------------------------------------------------

CB = """
block cb(c, norm=true, k=3):
    conv {k}x{k}x{c} same
    if norm:
        bn
    relu

network A
input 8x8x3
cb 8 norm=false
cb 16 k=5
"""
BASIC = """
block shortcut(c, stride):
    if stride > 1 or input.channels != c:
        conv 1x1x{c} /{stride} nobias, bn

block basic(c, stride=1):
    add:
        | conv 3x3x{c} /{stride} pad=1 nobias, bn, relu, conv 3x3x{c} pad=1 nobias, bn
        | shortcut {c} stride={stride}
    relu

network A
input 8x8x4
basic 4
basic 8 /2
basic 8
"""
INVERTED = """
block inverted(t, c, stride=1, drop=0.0):
    let wide = t * input.channels
    add:
        | if t > 1:
              conv 1x1x{wide} nobias, bn, relu6
          dwconv 3x3 /{stride} pad=1 nobias, bn, relu6
          conv 1x1x{c} nobias, bn
          if drop > 0 and stride == 1 and input.channels == c:
              droppath {drop}
        if stride == 1 and input.channels == c:
            | identity

network A
input 8x8x4
inverted 1 4
inverted 6 8 /2
inverted 6 8 drop=0.1
"""
OTHER_CALLS = [
    (CB, "cb 6", (3, 6, 3), {}),
    (CB, "cb 6 k=7 norm=false", (3, 6, 7), {"norm": False}),
    (CB, "cb 6 k=1", (3, 6, 1), {"norm": True}),
    (BASIC, "basic 3 /2", (3, 3), {"stride": 2}),
    (BASIC, "basic 3", (3, 3), {}),
    (BASIC, "basic 5", (3, 5), {}),
    (INVERTED, "inverted 1 5 /2", (3, 1, 5), {"stride": 2, "drop": 0.0}),
    (INVERTED, "inverted 1 3 drop=0.3", (3, 1, 3), {"drop": 0.3}),
    (INVERTED, "inverted 6 3", (3, 6, 3), {"drop": 0.0}),
    (INVERTED, "inverted 4 3 /2", (3, 4, 3), {"stride": 2, "drop": 0.0}),
    (INVERTED, "inverted 2 5 drop=0.3", (3, 2, 5), {"drop": 0.3}),
]


@pytest.mark.parametrize(("spec", "call", "args", "kwargs"), OTHER_CALLS)
def test_other_instances_are_what_the_spec_says(
    spec: str, call: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """A class is used with parameters that no call in its file has, and compared with a network that calls so."""
    (graph,) = graphs_of(spec)
    (wanted,) = graphs_of(spec[: spec.index("network")] + f"network B\ninput 8x8x3\n{call} as one\n")
    made: dict[str, Any] = {}
    exec(emit(graph), made)
    expected = build_module(wanted)
    block = call.split()[0].capitalize()
    module = made[block](*args, **kwargs)
    # Names count what is in the file, so that `conv1x1_2` here may be `conv1x1` there.
    ours, theirs = module.state_dict(), expected.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]
    module.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(module.eval()(x), expected.eval()(x))


def test_a_class_refuses_what_it_was_not_written_for() -> None:
    spec = (
        "block unit(c, deep=1):\n    conv 1x1x{c}\n    if deep > 2:\n        relu\n"
        "network A\ninput 4x4x3\nunit 4 deep=1\nunit 5 deep=2\n"
    )
    (graph,) = graphs_of(spec)
    made: dict[str, Any] = {}
    exec(emit(graph), made)
    assert "deep" not in emit(graph)
    spec = spec.replace("conv 1x1x{c}", "conv 1x1x{c * deep}")
    (graph,) = graphs_of(spec)
    exec(emit(graph), made)
    made["Unit"](3, 4, 2)
    with pytest.raises(ValueError, match="deep > 2"):
        made["Unit"](3, 4, 3)
