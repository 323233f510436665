"""Merges, branches, blocks and shared weights against PyTorch written by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)
from torch.utils.flop_counter import FlopCounterMode

from cnndsl.graph import Graph
from cnndsl.layers import all_kinds
from cnndsl.layers.base import Example, Layer
from cnndsl.layers.merge import Merge
from cnndsl.measure.analyse import analyse
from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

torch.set_num_threads(1)

MERGES = [(kind, example) for kind in all_kinds() if issubclass(kind, Merge) for example in kind.examples]


def graph_of(spec: str) -> Graph:
    checked = check(Source("t.cnn", spec))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []
    return checked.networks[0].graph


def batch(shape: str) -> Tensor:
    *spatial, channels = map(int, shape.split("x"))
    return torch.randn(2, channels, *spatial)


def centre(x: Tensor, spatial: torch.Size) -> Tensor:
    """The middle of a map, by slicing each axis by hand."""
    for axis, size in enumerate(spatial, 2):
        x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x


def merged(kind: str, tensors: list[Tensor], crop: bool) -> Tensor:
    if crop:
        smallest = torch.Size(min(t.shape[axis] for t in tensors) for axis in range(2, tensors[0].dim()))
        tensors = [centre(t, smallest) for t in tensors]
    stacked = {"add": sum, "concat": lambda ts: torch.cat(ts, 1), "absdiff": lambda ts: (ts[0] - ts[1]).abs()}
    if kind in stacked:
        return stacked[kind](tensors)
    result = tensors[0]
    for other in tensors[1:]:
        result = result * other if kind == "mul" else torch.where(result > other, result, other)
    return result


@pytest.mark.parametrize(("kind", "example"), MERGES, ids=[f"{e.item} of {e.input}" for _, e in MERGES])
def test_a_merge_gives_what_pytorch_gives(kind: type[Layer], example: Example) -> None:
    graph = graph_of(example.spec())
    tensors = [batch(shape) for shape in example.input.split(", ")]
    result = build_module(graph)(*tensors)
    assert torch.equal(result, merged(kind.kind, tensors, "crop" in example.item))
    (shape,) = graph.nodes[-1].results or ()
    assert tuple(result.shape[1:]) == (shape.channels, *shape.spatial)


BASIC = """
block basic(c, stride=1):
    add:
        | conv 3x3x{c} /{stride} pad=1 nobias, bn, relu, conv 3x3x{c} pad=1 nobias, bn
        | if stride > 1 or input.channels != c:
              conv 1x1x{c} /{stride} nobias, bn
    relu

network Residual
input 16x16x8
basic 8
basic 16 /2
"""


class Basic(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.down = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride > 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.down(x))


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """The weights of one module into another whose tensors come in the same order."""
    pairs = list(zip(source.state_dict().values(), target.state_dict().values(), strict=True))
    for a, b in pairs:
        b.copy_(a)


def test_a_residual_network_computes_what_the_one_by_hand_does() -> None:
    graph = graph_of(BASIC)
    ours, theirs = build_module(graph), nn.Sequential(Basic(8, 8, 1), Basic(8, 16, 2))
    copy_in_order(theirs, ours)
    x = torch.randn(2, 8, 16, 16)
    assert torch.allclose(ours.eval()(x), theirs.eval()(x), atol=1e-6)
    totals = analyse(graph).totals
    assert totals is not None
    assert totals.params == sum(p.numel() for p in theirs.parameters())
    with FlopCounterMode(display=False) as counter:
        theirs(x)
    assert 2 * totals.macs * len(x) == counter.get_total_flops()


UNET = """
block unet(c, depth):
    conv 3x3x{c}, relu
    if depth > 0:
        concat crop:
            | identity
            | pool 2, unet {2 * c} {depth - 1}, deconv 2x2x{c} /2
        conv 3x3x{c}, relu

network U
input 60x60x1
unet 4 2
"""


class Unet(nn.Module):
    def __init__(self, inputs: int, c: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, c, 3)
        if depth:
            self.inner = Unet(c, 2 * c, depth - 1)
            self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
            self.last = nn.Conv2d(2 * c, c, 3)
        self.depth = depth

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        if not self.depth:
            return x
        y = self.up(self.inner(F.max_pool2d(x, 2)))
        return F.relu(self.last(torch.cat([centre(x, y.shape[2:]), y], 1)))


def test_a_block_that_calls_itself_makes_a_u_net() -> None:
    ours, theirs = build_module(graph_of(UNET)), Unet(1, 4, 2)
    copy_in_order(theirs, ours)
    x = torch.randn(2, 1, 60, 60)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


SIAMESE = """
block tower:
    conv 3x3x4, relu, pool 2, dense 8

network Siamese
input left 12x12x1
input right 12x12x1
from left, tower as embed
from right, reuse embed
absdiff embed
dense 1, sigmoid as match
output match
"""


def test_reused_blocks_share_their_weights_and_count_once() -> None:
    graph = graph_of(SIAMESE)
    net = build_module(graph)
    left, right = torch.randn(3, 1, 12, 12), torch.randn(3, 1, 12, 12)
    totals = analyse(graph).totals
    assert totals is not None
    # By hand: 4 kernels of 3x3 and their biases, 100 inputs to 8 units, 8 to 1.
    assert totals.params == sum(p.numel() for p in net.parameters()) == (9 + 1) * 4 + (100 + 1) * 8 + 8 + 1
    assert torch.allclose(net(left, right), net(right, left))
    assert torch.allclose(net(left, left), net(right, right))
    with FlopCounterMode(display=False) as counter:
        net(left, right)
    assert 2 * totals.macs * len(left) == counter.get_total_flops()


def test_a_merge_left_with_one_arm_is_that_arm() -> None:
    graph = graph_of("network A\ninput 4x4x2\nadd:\n    if false:\n        | relu\n    | tanh\n")
    assert [node.kind for node in graph.nodes] == ["input", "tanh"]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("add:\n    | conv 3x3x3\n    | identity", "E331"),
        ("concat:\n    | globalpool, dense 3\n    | identity", "E332"),
        ("mul:\n    | conv 1x1x5\n    | identity", "E331"),
        ("add", "E215"),
        ("absdiff:\n    | relu\n    | tanh\n    | identity", "E215"),
        ("add:\n    if false:\n        | relu", "E217"),
        ("add nowhere", "E210"),
    ],
)
def test_merges_that_can_not_be(lines: str, code: str) -> None:
    checked = check(Source("t.cnn", f"network A\ninput 8x8x3\n{lines}\nrelu\n"))
    assert [d.code for d in checked.diagnostics] == [code]


SQUEEZE = """
network Squeeze
input 8x8x8
conv 3x3x8 same, relu
mul:
    | identity
    | globalpool avg, conv 1x1x2, relu, conv 1x1x8, sigmoid
max:
    | conv 3x3x8 same, tanh
    | conv 1x1x8
    | identity
concat:
    | conv 1x1x2
    | identity
relu
"""


@pytest.mark.parametrize("spec", [BASIC, UNET, SIAMESE, SQUEEZE], ids=["residual", "u-net", "siamese", "squeeze"])
@pytest.mark.parametrize("examples", [1, 3])
def test_saved_activations_are_those_that_autograd_keeps(spec: str, examples: int) -> None:
    graph = graph_of(spec)
    net = build_module(graph)
    shapes = [graph.nodes[i].shapes for i in graph.inputs]
    inputs = [torch.randn(examples, s[0].channels, *s[0].spatial) for s in shapes if s]
    own = {t.untyped_storage().data_ptr() for t in net.state_dict().values()}
    storages: dict[int, int] = {}
    alive = []

    def pack(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(*inputs)
    memory = analyse(graph, examples).memory
    assert memory is not None
    assert memory.saved == sum(storages.values())
