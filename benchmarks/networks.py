"""ResNet-152, DenseNet-201 and EfficientNet-B7 written by hand in PyTorch, and counted as people count them:
`python -m benchmarks.networks resnet152 torchinfo meta` (or `fvcore`; or `cpu`, with real weights).
"""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor, nn

# --- ResNet ---------------------------------------------------------------------------------------------------------


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != 4 * width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + self.shortcut(x))


def resnet152() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for stage, count in enumerate((3, 8, 36, 3)):
        for unit in range(count):
            width = 64 * 2**stage
            layers.append(Bottleneck(channels, width, 2 if stage and not unit else 1))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


# --- DenseNet -------------------------------------------------------------------------------------------------------


class DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(self.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(self.relu(self.norm2(out)))], 1)


def densenet201() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    channels, growth = 64, 32
    for stage, count in enumerate((6, 12, 48, 32)):
        if stage:
            layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
            channels //= 2
        for _ in range(count):
            layers.append(DenseLayer(channels, growth))
            channels += growth
    layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(channels, 1000))


# --- EfficientNet ---------------------------------------------------------------------------------------------------


def conv(channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.act = nn.SiLU(inplace=True)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc2(self.act(self.fc1(self.pool(x)))))


class MBConv(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = channels * expand
        layers = [*conv(channels, wide, 1), nn.SiLU(inplace=True)] if expand > 1 else []
        layers += [*conv(wide, wide, kernel, stride, wide), nn.SiLU(inplace=True)]
        layers += [SqueezeExcite(wide, max(1, channels // 4)), *conv(wide, out, 1)]
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


# For each stage: expansion, kernel, stride, channels, layers.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def widened(channels: int, factor: float) -> int:
    """The nearest multiple of 8, at most a tenth below."""
    wanted = channels * factor
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def efficientnet_b7() -> nn.Module:
    wide, deep = 2.0, 3.1
    channels = widened(32, wide)
    layers: list[nn.Module] = [*conv(3, channels, 3, 2), nn.SiLU(inplace=True)]
    for expand, kernel, stride, out, count in STAGES:
        for unit in range(math.ceil(count * deep)):
            layers.append(MBConv(channels, widened(out, wide), kernel, 1 if unit else stride, expand))
            channels = widened(out, wide)
    layers += [*conv(channels, 4 * channels, 1), nn.SiLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(0.5), nn.Linear(4 * channels, 1000))


# --- counting -------------------------------------------------------------------------------------------------------

NETWORKS = {"resnet152": (resnet152, 224), "densenet201": (densenet201, 224), "efficientnet_b7": (efficientnet_b7, 600)}


def main(name: str, tool: str, device: str) -> None:
    """Build a network and print what a tool counts of it."""
    build, side = NETWORKS[name]
    with torch.device(device):
        net = build().eval()
    if tool == "torchinfo":
        import torchinfo

        print(torchinfo.summary(net, (1, 3, side, side), device=device, verbose=0))
    else:
        from fvcore.nn import FlopCountAnalysis, flop_count_table, parameter_count

        with torch.no_grad():
            print(flop_count_table(FlopCountAnalysis(net, torch.empty(1, 3, side, side, device=device))))
        print(parameter_count(net)[""])


if __name__ == "__main__":
    main(*sys.argv[1:])
