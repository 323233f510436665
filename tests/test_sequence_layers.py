"""Attention, recurrence and what stands around them, against formulas written here and PyTorch's own modules."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from test_layers import batch, graph_of
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnndsl.graph import Graph
from cnndsl.measure.analyse import analyse
from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

torch.set_num_threads(1)


def channels_last(module: nn.Module, x: Tensor) -> Tensor:
    """What a module makes of sequences (batch, length, channels), in that order."""
    with torch.no_grad():
        return module(x.movedim(-1, 1)).movedim(1, -1)


def spec_graph(spec: str) -> Graph:
    checked = check(Source("t.cnn", spec))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []
    return checked.networks[0].graph


TRANSFORMER = """
block encoder(heads, mlp, drop=0):
    add:
        | identity
        | ln eps=1e-6, attention {heads}, dropout {drop}
    add:
        | identity
        | ln eps=1e-6, linear {mlp}, gelu, dropout {drop}, linear {input.channels}, dropout {drop}

network ViT
input 32x32x3
conv 8x8x24 /8, tokens, clstoken, posembed, dropout 0.1     -> 17x24
encoder 4 48 * 2
encoder 4 48 0.1
ln eps=1e-6, token 0, dense 10
"""

DECODER = """
block decoder(heads, encoded):
    add:
        | identity
        | ln, attention {heads} causal
    add:
        | identity
        | ln, attention {heads} {encoded}
    add:
        | identity
        | ln, linear {4 * input.channels}, relu, linear {input.channels}

network Decoder
input text 9 tokens
input image 6x6x3
from image, conv 3x3x16 same, tokens, ln as seen
from text, embedding 50x16, posembed sincos
decoder 2 seen * 2
linear 50
"""

CONVNEXT = """
block cnblock(rate):
    add:
        | identity
        | dwconv 7x7 pad=3, ln eps=1e-6, linear {4 * input.channels}, gelu, linear {input.channels}
          layerscale 1e-6, droppath {rate}

network ConvNeXt
input 32x32x3
conv 4x4x8 /4, ln eps=1e-6
cnblock 0, cnblock 0.1
ln eps=1e-6, conv 2x2x16 /2
cnblock 0.2
globalpool avg, ln eps=1e-6, dense 10
"""

VAE = """
network VAE(z=5)
input 8x8x1
dense 40, relu as h
linear {z} as mu
from h, linear {z} as logvar
gaussian mu logvar as sample
dense 40, relu, dense 64, sigmoid, reshape 8x8x1
output mu
output logvar
"""

TEXT = """
network TextCNN
input 59 tokens
embedding 100x30, dropout 0.1 as words
concat:
    | conv 3x10, relu, globalpool max
    | conv 4x10, relu, globalpool max
    | conv 5x10, relu, globalpool max
dropout 0.5, dense 2
"""

CRNN = """
network CRNN(classes=37)
input 32x100x1
conv 3x3x8 same, relu, pool 2
conv 3x3x16 same, relu, pool 2 /2x1 pad=0x1
conv {here.height}x2x32, bn, relu
tokens
lstm 16 bidirectional * 2
linear {classes}    -> Lx37
"""

NETS = {"vit": TRANSFORMER, "decoder": DECODER, "convnext": CONVNEXT, "vae": VAE, "text": TEXT, "crnn": CRNN}


# --- attention ----------------------------------------------------------------------------------------------------


def attention_by_hand(x: Tensor, y: Tensor, heads: int, state: dict[str, Tensor], causal: bool) -> Tensor:
    """Attention of Vaswani et al. 2017, section 3.2, head by head."""
    c = x.shape[-1]
    if "in_proj_weight" in state:
        wq, wk, wv = state["in_proj_weight"].split(c)
    else:
        wq, wk, wv = (state[f"{name}_proj_weight"] for name in "qkv")
    bq, bk, bv = state["in_proj_bias"].split(c)
    q, k, v = x @ wq.T + bq, y @ wk.T + bk, y @ wv.T + bv
    parts = []
    for head in range(heads):
        cut = slice(head * c // heads, (head + 1) * c // heads)
        scores = q[..., cut] @ k[..., cut].mT / math.sqrt(c // heads)
        if causal:
            later = torch.ones(x.shape[1], y.shape[1]).triu(1).bool()
            scores = scores.masked_fill(later, -torch.inf)
        parts.append(scores.softmax(-1) @ v[..., cut])
    return torch.cat(parts, -1) @ state["out_proj.weight"].T + state["out_proj.bias"]


def state_of(module: nn.Module) -> dict[str, Tensor]:
    return {name.partition(".")[2]: tensor for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("words", ["", " causal", " dropout=0.3"])
@pytest.mark.parametrize("evaluated", [True, False])
def test_attention_is_the_papers(words: str, evaluated: bool) -> None:
    if "dropout" in words and not evaluated:
        return
    module = build_module(graph_of(f"attention 3{words} init=normal std=0.5", "7x12")).double().train(not evaluated)
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    expected = attention_by_hand(x, x, 3, state_of(module), "causal" in words)
    assert torch.allclose(channels_last(module, x), expected, atol=1e-12)


@pytest.mark.parametrize(("memory", "channels"), [("9x12", 12), ("5x8", 8)])
def test_cross_attention_looks_at_the_named_sequence(memory: str, channels: int) -> None:
    spec = f"network T\ninput a 7x12\ninput b {memory}\nfrom a, attention 3 b\n"
    graph = spec_graph(spec)
    module = build_module(graph).double()
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    y = torch.randn(2, int(memory.split("x")[0]), channels, dtype=torch.float64)
    with torch.no_grad():
        made = module(x.movedim(-1, 1), y.movedim(-1, 1)).movedim(1, -1)
    assert torch.allclose(made, attention_by_hand(x, y, 3, state_of(module), False), atol=1e-12)
    totals = analyse(graph).totals
    assert totals is not None
    assert totals.params == sum(p.numel() for p in module.parameters())
    on_meta = build_module(graph).to("meta")
    with FlopCounterMode(display=False) as counter:
        on_meta(x.float().movedim(-1, 1).to("meta"), y.float().movedim(-1, 1).to("meta"))
    assert 2 * 2 * totals.macs == counter.get_total_flops()


@pytest.mark.parametrize("item", ["attention 2", "attention 2 nobias"])
def test_attention_takes_the_weights_of_pytorchs_module(item: str) -> None:
    theirs = nn.MultiheadAttention(8, 2, bias="nobias" not in item, batch_first=True)
    module = build_module(graph_of(item, "5x8"))
    module.load_state_dict({f"attention2.{name}": value for name, value in theirs.state_dict().items()})
    x = torch.randn(3, 5, 8)
    with torch.no_grad():
        assert torch.allclose(channels_last(module, x), theirs(x, x, x)[0], atol=1e-6)


def test_a_block_of_a_transformer_is_pytorchs() -> None:
    theirs = nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0.0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    block = TRANSFORMER.partition("network")[0]
    ours = build_module(spec_graph(f"{block}network T\ninput 7x12\nencoder 3 20\n"))
    order = ("norm1", "self_attn", "norm2", "linear1", "linear2")
    state = theirs.state_dict()
    ordered = [tensor for part in order for name, tensor in state.items() if name.startswith(part)]
    ours.load_state_dict(dict(zip(ours.state_dict(), ordered, strict=True)))
    x = torch.randn(2, 7, 12)
    with torch.no_grad():
        assert torch.allclose(channels_last(ours, x), theirs(x), atol=1e-5)


def test_causal_attention_does_not_look_ahead() -> None:
    module = build_module(graph_of("attention 2 causal", "6x4")).eval()
    x = torch.randn(1, 6, 4)
    changed = x.clone()
    changed[0, 3:] += 1
    before, after = channels_last(module, x)[0], channels_last(module, changed)[0]
    assert torch.allclose(before[:3], after[:3], atol=1e-6)
    assert not torch.allclose(before[3:], after[3:], atol=1e-3)


# --- positions, tokens, scales --------------------------------------------------------------------------------------


def test_sinusoids_follow_their_formula() -> None:
    for channels in (8, 5):
        module = build_module(graph_of("posembed sincos", f"50x{channels}"))
        table = channels_last(module, torch.zeros(1, 50, channels))[0].numpy()
        for p, c in np.ndindex(50, channels):
            angle = p / 10000 ** (2 * (c // 2) / channels)
            assert abs(table[p, c] - (math.cos(angle) if c % 2 else math.sin(angle))) < 1e-5


def test_learned_positions_start_as_torchvisions() -> None:
    (weight,) = build_module(graph_of("posembed", "197x768")).parameters()
    assert weight.shape == (1, 197, 768)
    assert abs(float(weight.detach().std()) - 0.02) < 0.0005
    module = build_module(graph_of("posembed", "4x3x2"))
    (weight,) = module.parameters()
    x = torch.randn(2, 4, 3, 2)
    assert torch.equal(channels_last(module, x), x + weight)


def test_class_token_stands_in_front() -> None:
    module = build_module(graph_of("clstoken", "4x3"))
    (weight,) = module.parameters()
    assert not weight.any()
    nn.init.ones_(weight)
    x = torch.randn(2, 4, 3)
    made = channels_last(module, x)
    assert torch.equal(made[:, 1:], x)
    assert torch.equal(made[:, 0], torch.ones(2, 3))
    assert torch.equal(build_module(graph_of("clstoken, token 0", "4x3"))(x.movedim(-1, 1)), torch.zeros(2, 3))
    for position in (0, 2, -1, -4):
        taken = build_module(graph_of(f"token {position}", "4x3"))(x.movedim(-1, 1))
        assert torch.equal(taken, x[:, position])


def test_layer_scale_multiplies_channels() -> None:
    for shape in ("3x4x5", "4x5", "5", "2x3x4x5"):
        module = build_module(graph_of("layerscale 0.5", shape))
        (weight,) = module.parameters()
        assert torch.equal(weight, torch.full((5,), 0.5))
        weight.data = torch.arange(5.0)
        x = torch.randn(2, *map(int, shape.split("x")))
        assert torch.equal(channels_last(module, x), x * torch.arange(5.0))


def test_drop_path_drops_examples() -> None:
    module = build_module(graph_of("droppath 0.25", "3x3x2"))
    x = torch.randn(4000, 2, 3, 3)
    assert torch.equal(module.eval()(x), x)
    torch.manual_seed(0)
    made = module.train()(x)
    dropped = made.flatten(1).abs().amax(1) == 0
    assert abs(float(dropped.float().mean()) - 0.25) < 0.03
    assert torch.allclose(made[~dropped], x[~dropped] / 0.75)


# --- recurrence -------------------------------------------------------------------------------------------------------


def step(kind: str, x: Tensor, h: Tensor, c: Tensor, w: list[Tensor], relu: bool) -> tuple[Tensor, Tensor]:
    """One step as PyTorch's documentation of RNN, LSTM and GRU writes it."""
    wi, wh, bi, bh = w
    a, b = x @ wi.T + bi, h @ wh.T + bh
    if kind == "rnn":
        return ((a + b).relu() if relu else (a + b).tanh()), c
    if kind == "lstm":
        i, f, g, o = (a + b).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
    (ar, az, an), (br, bz, bn) = a.chunk(3, -1), b.chunk(3, -1)
    r, z = (ar + br).sigmoid(), (az + bz).sigmoid()
    return (1 - z) * (an + r * bn).tanh() + z * h, c


def recurrence_by_hand(item: str, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """All states of the last layer, and where each of its directions ends."""
    kind = item.split()[0]
    layer = 0
    while f"weight_ih_l{layer}" in state:
        runs, ends = [], []
        for end in ("", "_reverse"):
            if f"weight_ih_l{layer}{end}" not in state:
                continue
            wi, wh = state[f"weight_ih_l{layer}{end}"], state[f"weight_hh_l{layer}{end}"]
            zero = torch.zeros(len(wi), dtype=wi.dtype)
            w = [wi, wh, *(state.get(f"bias_{name}_l{layer}{end}", zero) for name in ("ih", "hh"))]
            h = c = torch.zeros(len(x), wh.shape[1], dtype=x.dtype)
            states = []
            for t in range(x.shape[1])[:: -1 if end else 1]:
                h, c = step(kind, x[:, t], h, c, w, "relu" in item)
                states.append(h)
            runs.append(torch.stack(states[:: -1 if end else 1], 1))
            ends.append(h)
        x, last = torch.cat(runs, -1), torch.cat(ends, -1)
        layer += 1
    return x, last


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "rnn relu"])
@pytest.mark.parametrize("words", ["", "nobias", "bidirectional", "layers=2 bidirectional", "layers=2 dropout=0.3"])
@pytest.mark.parametrize("last", ["", "last"])
def test_recurrence_is_what_its_formulas_say(kind: str, words: str, last: str) -> None:
    name, *more = kind.split()
    item = " ".join(word for word in (name, "5", *more, words, last) if word)
    module = build_module(graph_of(item, "6x3")).double().eval()
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    states, ends = recurrence_by_hand(item, x, state_of(module))
    made = channels_last(module, x)
    assert torch.allclose(made, ends if last else states, atol=1e-12)


GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (1, 2), (3, 1), (2, 2)])
def test_macs_of_recurrence_are_its_weights_at_every_step(kind: str, layers: int, directions: int) -> None:
    """By hand: per step and gate, each unit has a weighted sum of the input and one of the state."""
    words = f"layers={layers}" + (" bidirectional" if directions == 2 else "")
    length, channels, units = 11, 7, 5
    measured = analyse(graph_of(f"{kind} {units} {words}", f"{length}x{channels}")).layers[-1]
    assert measured is not None
    widths = [channels] + [units * directions] * (layers - 1)
    per_step = sum(directions * GATES[kind] * units * (width + units) for width in widths)
    assert measured.macs == length * per_step
    assert measured.params == per_step + layers * directions * 2 * GATES[kind] * units
    assert measured.connections == length * measured.params


def test_recurrent_weights_are_pytorchs() -> None:
    theirs = nn.LSTM(6, 4, 2, bidirectional=True, batch_first=True)
    module = build_module(graph_of("lstm 4 layers=2 bidirectional", "5x6"))
    module.load_state_dict({f"lstm4.{name}": value for name, value in theirs.state_dict().items()})
    x = torch.randn(3, 5, 6)
    with torch.no_grad():
        assert torch.allclose(channels_last(module, x), theirs(x)[0], atol=1e-6)


# --- probability ------------------------------------------------------------------------------------------------------

GAUSSIANS = [
    "input mu 3x2\ninput logvar 3x2\ngaussian mu logvar",
    "input mu 3x2\ninput logvar 3x2\nfrom mu, gaussian logvar",
    "input mu 3x2\ninput logvar 3x2\ngaussian:\n    | from mu\n    | from logvar",
]


@pytest.mark.parametrize("lines", GAUSSIANS)
def test_gaussian_samples_in_training_and_gives_the_mean_otherwise(lines: str) -> None:
    graph = spec_graph(f"network V\n{lines}\n")
    module = build_module(graph)
    mean = torch.tensor([1.0, -2.0]).repeat(3, 1).T.expand(20_000, 2, 3)
    logvar = torch.tensor([2.0, -3.0]).repeat(3, 1).T.expand(20_000, 2, 3)
    assert torch.equal(module.eval()(mean, logvar), mean)
    torch.manual_seed(0)
    sample = module.train()(mean, logvar)
    assert torch.allclose(sample.mean(0), mean[0], atol=0.1)
    assert torch.allclose(sample.std(0), (logvar[0] / 2).exp(), rtol=0.03)
    assert torch.unique(sample[:, 0]).numel() > 50_000


def test_gaussian_passes_gradients_to_both() -> None:
    graph = spec_graph("network V\ninput mu 4\ninput logvar 4\ngaussian mu logvar\n")
    mean, logvar = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    torch.manual_seed(1)
    sample = build_module(graph)(mean, logvar)
    sample.sum().backward()
    assert mean.grad is not None
    assert logvar.grad is not None
    assert torch.equal(mean.grad, torch.ones(3, 4))
    # d sample / d logvar = (sample - mean) / 2
    assert torch.allclose(logvar.grad, (sample - mean).detach() / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("input a 4\ninput b 5\ngaussian a b", "E331"),
        ("input a 4\ninput b 3x4\ngaussian a b", "E332"),
        ("input a 4\ngaussian", "E215"),
        ("input a 4\ngaussian:\n    | relu\n    | tanh\n    | identity", "E215"),
        ("input a 4\ngaussian a b", "E210"),
    ],
)
def test_gaussians_that_can_not_be(lines: str, code: str) -> None:
    assert [d.code for d in check(Source("t.cnn", f"network V\n{lines}\n")).diagnostics] == [code]


# --- memory -----------------------------------------------------------------------------------------------------------


def kept(graph: Graph, examples: int) -> tuple[int, int]:
    """Bytes that the tables say training keeps, and those that autograd does keep, parameters and buffers apart."""
    module = build_module(graph)
    inputs = []
    for index in graph.inputs:
        shapes = graph.nodes[index].shapes
        assert shapes is not None
        inputs.append(batch(shapes[0], examples))
    own = {t.untyped_storage().data_ptr() for t in module.state_dict().values()}
    storages: dict[int, int] = {}
    alive = []

    def pack(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(*inputs)
    memory = analyse(graph, examples).memory
    assert memory is not None
    return memory.saved, sum(storages.values())


@pytest.mark.parametrize("name", [name for name in NETS if name != "crnn"])
def test_saved_activations_are_those_that_autograd_keeps(name: str) -> None:
    for examples in (2, 5):
        said, found = kept(spec_graph(NETS[name]), examples)
        assert said == found


@pytest.mark.parametrize("name", NETS)
def test_networks_are_what_pytorch_says(name: str) -> None:
    graph = spec_graph(NETS[name])
    module = build_module(graph)
    shapes = [graph.nodes[index].shapes for index in graph.inputs]
    inputs = [batch(shape[0], 2) for shape in shapes if shape]
    totals = analyse(graph).totals
    assert totals is not None
    assert totals.params == sum(p.numel() for p in module.parameters())
    results = module(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    for output, result in zip(graph.outputs, results, strict=True):
        shape = graph.shape_of(output.edge)
        assert shape is not None
        assert tuple(result.shape) == (2, shape.channels, *shape.spatial)
    sum(result.sum() for result in results).backward()
    assert all(p.grad is not None for p in module.parameters())
    with FlopCounterMode(display=False) as counter:
        module.to("meta")(*(x.to("meta") for x in inputs))
    assert 2 * 2 * totals.macs == counter.get_total_flops()


def test_recurrent_memory_is_said_to_be_an_estimate() -> None:
    estimated = {name: analyse(spec_graph(spec)).memory.estimated for name, spec in NETS.items()}  # type: ignore[union-attr]
    assert {name for name, is_one in estimated.items() if is_one} == {"crnn"}
