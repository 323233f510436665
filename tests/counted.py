"""Small networks as specs, and as the modules that a user of PyTorch would write by hand for them.

`tests/test_counters.py` compares the counts of the one with what the tools say of the other;
`tests/reference/measure_counters.py` writes what they say into a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source


class Case(NamedTuple):
    """The lines of a network, the size of its input as a spec writes it, and the module."""

    lines: str
    size: str
    module: Callable[[], nn.Module]

    @property
    def spec(self) -> str:
        return f"network Case\ninput {self.size}\n{self.lines}\n"

    def inputs(self) -> torch.Tensor:
        """One example, channels first."""
        sizes = self.size.removesuffix(" tokens").split("x")
        if self.size.endswith("tokens"):
            return torch.zeros(1, *map(int, sizes), dtype=torch.long)
        *spatial, channels = map(int, sizes)
        return torch.randn(1, channels, *spatial)


class Apply(nn.Module):
    """A module that does what a function of its input does, with modules of its own to call."""

    def __init__(self, function: Callable[..., torch.Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, *self.parts)


def last(module: nn.Module) -> Apply:
    """A module that works on the last axis, on a tensor with its channels first."""
    return Apply(lambda x, m: m(x.movedim(1, -1)).movedim(-1, 1), module)


def one(module: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(module())


class Residual(nn.Module):
    """Two convolutions around which the input is added, multiplied, concatenated and compared."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + self.first(x)
        y = y * self.second(y)
        return torch.maximum(torch.cat((x, y), 1), torch.cat((y, x), 1))


class Reused(nn.Module):
    """One convolution and one activation, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.conv(self.act(self.conv(x))))


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


class Attention(nn.Module):
    """Self-attention of a sequence with its channels first."""

    def __init__(self, channels: int, heads: int, **options: Any) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(channels, heads, batch_first=True, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.movedim(1, -1)
        y, _ = self.attend(x, x, x, need_weights=False)
        return y.movedim(-1, 1)


class Causal(Attention):
    """The same, but that positions look back only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.movedim(1, -1)
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device)
        y, _ = self.attend(x, x, x, need_weights=False, attn_mask=mask, is_causal=True)
        return y.movedim(-1, 1)


def written(lines: str, size: str) -> Callable[[], nn.Module]:
    """The module that is written for a kind which PyTorch does not have."""
    checked = check(Source("case.cnn", f"network Case\ninput {size}\n{lines}\n"))
    return lambda: build_module(checked.networks[0].graph)


class Cross(nn.Module):
    """What a convolution makes of a sequence attends to that sequence."""

    def __init__(self, channels: int, other: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(other, channels, 3)
        self.attend = nn.MultiheadAttention(channels, 2, kdim=other, vdim=other, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x).movedim(1, -1)
        x = x.movedim(1, -1)
        return self.attend(y, x, x, need_weights=False)[0].movedim(-1, 1)


def recurrent(module: nn.Module) -> nn.Module:
    return last(Apply(lambda x, m: m(x)[0], module))


IMAGE, LINE, BLOCK, SEQUENCE = "5x6x4", "9x4", "3x4x5x4", "7x8"

CASES = {
    "lenet5": Case(
        "conv 5x5x6, relu, pool 2, conv 5x5x16, relu, pool 2, dense 120, relu, dense 84, relu, dense 10",
        "32x32x1",
        lenet,
    ),
    # convolutions
    "conv": Case("conv 3x3x8 /2 pad=1", IMAGE, one(lambda: nn.Conv2d(4, 8, 3, 2, 1))),
    "conv groups": Case("conv 3x3x8 groups=2 nobias", IMAGE, one(lambda: nn.Conv2d(4, 8, 3, groups=2, bias=False))),
    "conv 1d": Case("conv 3x8 dilation=2", LINE, one(lambda: nn.Conv1d(4, 8, 3, dilation=2))),
    "conv 3d": Case("conv 3x3x3x8 pad=1", BLOCK, one(lambda: nn.Conv3d(4, 8, 3, padding=1))),
    "conv same": Case(
        "conv 3x3x8 /2 same", "6x6x4", lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(4, 8, 3, 2))
    ),
    "dwconv": Case("dwconv 3x3 pad=1 multiplier=2", IMAGE, one(lambda: nn.Conv2d(4, 8, 3, padding=1, groups=4))),
    "deconv": Case("deconv 3x3x6 /2", IMAGE, one(lambda: nn.ConvTranspose2d(4, 6, 3, 2))),
    "deconv nobias": Case(
        "deconv 4x6 /2 pad=1 nobias", LINE, one(lambda: nn.ConvTranspose1d(4, 6, 4, 2, 1, bias=False))
    ),
    "deconv groups": Case(
        "deconv 3x3x8 /2 pad=1 outpad=1 dilation=2 groups=4",
        IMAGE,
        one(lambda: nn.ConvTranspose2d(4, 8, 3, 2, 1, 1, dilation=2, groups=4)),
    ),
    "deconv of a vector": Case("deconv 4x4x3", "1x1x4", one(lambda: nn.ConvTranspose2d(4, 3, 4))),
    # matrix products
    "dense": Case("dense 7", IMAGE, lambda: nn.Sequential(nn.Flatten(), nn.Linear(120, 7))),
    "linear": Case("linear 7", LINE, lambda: last(nn.Linear(4, 7))),
    "linear nobias": Case("linear 7 nobias", IMAGE, lambda: last(nn.Linear(4, 7, bias=False))),
    "embedding": Case("embedding 50x8", "7 tokens", one(lambda: nn.Embedding(50, 8))),
    # pools
    "pool": Case("pool 3 /2 pad=1", IMAGE, one(lambda: nn.MaxPool2d(3, 2, 1))),
    "pool 1d": Case("pool 2", LINE, one(lambda: nn.MaxPool1d(2))),
    "pool 3d": Case("pool 2", BLOCK, one(lambda: nn.MaxPool3d(2))),
    "pool avg": Case("pool 3 /2 avg pad=1", IMAGE, one(lambda: nn.AvgPool2d(3, 2, 1))),
    "pool avg 1d": Case("pool 2 avg", LINE, one(lambda: nn.AvgPool1d(2))),
    "pool avg 3d": Case("pool 2 avg", BLOCK, one(lambda: nn.AvgPool3d(2))),
    "globalpool": Case("globalpool", IMAGE, one(lambda: nn.AdaptiveAvgPool2d(1))),
    "globalpool 1d": Case("globalpool", LINE, one(lambda: nn.AdaptiveAvgPool1d(1))),
    "globalpool 3d": Case("globalpool", BLOCK, one(lambda: nn.AdaptiveAvgPool3d(1))),
    "globalpool max": Case("globalpool max", IMAGE, one(lambda: nn.AdaptiveMaxPool2d(1))),
    "adaptivepool": Case("adaptivepool 7x7", "13x11x4", one(lambda: nn.AdaptiveAvgPool2d(7))),
    "adaptivepool 1d": Case("adaptivepool 3", "10x4", one(lambda: nn.AdaptiveAvgPool1d(3))),
    "adaptivepool 3d": Case("adaptivepool 3", "7x8x10x2", one(lambda: nn.AdaptiveAvgPool3d(3))),
    "adaptivepool max": Case("adaptivepool 3 max", IMAGE, one(lambda: nn.AdaptiveMaxPool2d(3))),
    # norms
    "bn": Case("bn", IMAGE, one(lambda: nn.BatchNorm2d(4))),
    "bn noaffine": Case("bn noaffine", IMAGE, one(lambda: nn.BatchNorm2d(4, affine=False))),
    "bn of a vector": Case("bn", "12", one(lambda: nn.BatchNorm1d(12))),
    "ln": Case("ln", IMAGE, lambda: last(nn.LayerNorm(4))),
    "ln nobias": Case("ln nobias", LINE, lambda: last(nn.LayerNorm(4, bias=False))),
    "ln noaffine": Case("ln noaffine", LINE, lambda: last(nn.LayerNorm(4, elementwise_affine=False))),
    "gn": Case("gn 2", IMAGE, one(lambda: nn.GroupNorm(2, 4))),
    "gn noaffine": Case("gn 2 noaffine", IMAGE, one(lambda: nn.GroupNorm(2, 4, affine=False))),
    "instancenorm": Case("instancenorm", IMAGE, one(lambda: nn.InstanceNorm2d(4))),
    "instancenorm affine": Case("instancenorm affine", IMAGE, one(lambda: nn.InstanceNorm2d(4, affine=True))),
    "rmsnorm": Case("rmsnorm", LINE, lambda: last(nn.RMSNorm(4))),
    "lrn": Case("lrn 3", IMAGE, one(lambda: nn.LocalResponseNorm(3))),
    "lrn 1d": Case("lrn 3", LINE, one(lambda: nn.LocalResponseNorm(3))),
    "l2norm": Case("l2norm", IMAGE, lambda: Apply(lambda x: F.normalize(x, dim=1))),
    # activations
    "relu": Case("relu", IMAGE, one(nn.ReLU)),
    "relu6": Case("relu6", IMAGE, one(nn.ReLU6)),
    "leaky": Case("leaky", IMAGE, one(nn.LeakyReLU)),
    "prelu": Case("prelu", IMAGE, one(nn.PReLU)),
    "prelu perchannel": Case("prelu perchannel", IMAGE, one(lambda: nn.PReLU(4))),
    "elu": Case("elu", IMAGE, one(nn.ELU)),
    "selu": Case("selu", IMAGE, one(nn.SELU)),
    "celu": Case("celu", IMAGE, one(nn.CELU)),
    "gelu": Case("gelu", IMAGE, one(nn.GELU)),
    "gelu tanh": Case("gelu tanh", IMAGE, one(lambda: nn.GELU(approximate="tanh"))),
    "silu": Case("silu", IMAGE, one(nn.SiLU)),
    "mish": Case("mish", IMAGE, one(nn.Mish)),
    "hardswish": Case("hardswish", IMAGE, one(nn.Hardswish)),
    "hardsigmoid": Case("hardsigmoid", IMAGE, one(nn.Hardsigmoid)),
    "sigmoid": Case("sigmoid", IMAGE, one(nn.Sigmoid)),
    "tanh": Case("tanh", IMAGE, one(nn.Tanh)),
    "tanh scaled": Case("tanh scaled", IMAGE, lambda: Apply(lambda x: 1.7159 * torch.tanh(2 / 3 * x))),
    "softplus": Case("softplus", IMAGE, one(nn.Softplus)),
    "softmax": Case("softmax", IMAGE, one(lambda: nn.Softmax(dim=1))),
    "logsoftmax": Case("logsoftmax", IMAGE, one(lambda: nn.LogSoftmax(dim=1))),
    # sampling
    "upsample": Case("upsample 2", IMAGE, one(lambda: nn.Upsample(scale_factor=2))),
    "upsample 1d": Case("upsample 2", LINE, one(lambda: nn.Upsample(scale_factor=2))),
    "upsample 3d": Case("upsample 2", BLOCK, one(lambda: nn.Upsample(scale_factor=2))),
    "linear 1d": Case("upsample 2 linear", LINE, one(lambda: nn.Upsample(scale_factor=2, mode="linear"))),
    "bilinear": Case("upsample 2 bilinear", IMAGE, one(lambda: nn.Upsample(scale_factor=2, mode="bilinear"))),
    "bicubic": Case("upsample 2 bicubic", IMAGE, one(lambda: nn.Upsample(scale_factor=2, mode="bicubic"))),
    "trilinear": Case("upsample 2 trilinear", BLOCK, one(lambda: nn.Upsample(scale_factor=2, mode="trilinear"))),
    "upsample size": Case("upsample size=11x13", IMAGE, one(lambda: nn.Upsample(size=(11, 13)))),
    "upsample one size": Case("upsample size=11", IMAGE, one(lambda: nn.Upsample(size=11))),
    "upsample to": Case(
        "identity as x, pool 2, upsample to=x bilinear",
        "10x12x4",
        lambda: Apply(lambda x, p: F.interpolate(p(x), size=x.shape[2:], mode="bilinear"), nn.MaxPool2d(2)),
    ),
    "pixelshuffle": Case("pixelshuffle 2", IMAGE, one(lambda: nn.PixelShuffle(2))),
    "unpool": Case(
        "pool 2 as p, unpool 2 p",
        "6x8x4",
        lambda: Apply(lambda x, p, u: u(*p(x)), nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)),
    ),
    # what is nothing in evaluation, or only moves cells
    "dropout": Case("dropout, dropout spatial", IMAGE, lambda: nn.Sequential(nn.Dropout(), nn.Dropout2d())),
    "pad": Case("pad 1, pad 2 reflect", IMAGE, lambda: nn.Sequential(nn.ZeroPad2d(1), nn.ReflectionPad2d(2))),
    "flatten": Case("flatten", IMAGE, one(nn.Flatten)),
    # attention and recurrence
    "attention": Case("attention 2", SEQUENCE, lambda: Attention(8, 2)),
    "attention nobias": Case("attention 2 nobias", SEQUENCE, lambda: Attention(8, 2, bias=False)),
    "attention causal": Case("attention 4 causal", SEQUENCE, lambda: Causal(8, 4)),
    "attention dropout": Case("attention 2 dropout=0.1", SEQUENCE, lambda: Attention(8, 2, dropout=0.1)),
    "attention to": Case("identity as seen, conv 3x8, attention 2 seen", SEQUENCE, lambda: Cross(8, 8)),
    "attention to others": Case("identity as seen, conv 3x12, attention 2 seen", SEQUENCE, lambda: Cross(12, 8)),
    **{
        f"window attention{line.removeprefix('windowattention 2 3')}": Case(line, size, written(line, size))
        for line, size in (
            ("windowattention 2 3", "6x9x8"),
            ("windowattention 2 3 nobias", "6x9x8"),
            ("windowattention 2 3 shift=1", "7x8x8"),
            ("windowattention 2 3 grid", "6x9x8"),
            ("windowattention 2 3 cosine", "6x9x8"),
            ("windowattention 2 3 shift=1 cosine nobias", "7x9x8"),
        )
    },
    "rnn": Case("rnn 6", SEQUENCE, lambda: recurrent(nn.RNN(8, 6, batch_first=True))),
    "rnn nobias": Case("rnn 6 relu nobias", SEQUENCE, lambda: recurrent(nn.RNN(8, 6, bias=False, batch_first=True))),
    "lstm": Case("lstm 6", SEQUENCE, lambda: recurrent(nn.LSTM(8, 6, batch_first=True))),
    "lstm stacked": Case(
        "lstm 6 layers=2 bidirectional",
        SEQUENCE,
        lambda: recurrent(nn.LSTM(8, 6, num_layers=2, bidirectional=True, batch_first=True)),
    ),
    "gru": Case("gru 6", SEQUENCE, lambda: recurrent(nn.GRU(8, 6, batch_first=True))),
    "gru stacked": Case(
        "gru 6 layers=2 nobias",
        SEQUENCE,
        lambda: recurrent(nn.GRU(8, 6, num_layers=2, bias=False, batch_first=True)),
    ),
    # branches
    "merges": Case(
        """identity as x
conv 3x3x4 pad=1
add x as y
conv 3x3x4 pad=1
mul y as z
concat x as right
from x, concat z
max right""",
        IMAGE,
        Residual,
    ),
    "reuse": Case("conv 3x3x4 pad=1 as c, relu, reuse c, relu", IMAGE, Reused),
}
