"""Lines of PyTorch that are no spec: what is said to be meant by them has PyTorch's own shapes and weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnndsl.diagnostics import Diagnostic
from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source
from cnndsl.syntax.foreign import foreign_call

SHAPES = {1: "24x8", 2: "24x20x8", 3: "12x10x8x8", 0: "8"}
LINES = [
    (2, "nn.Conv2d(8, 32, 3)"),
    (2, "nn.Conv2d(8, 32, 3, 2, 1)"),
    (2, "nn.Conv2d(8, 32, kernel_size=(5, 3), stride=(2, 1), padding=(2, 1), bias=False)"),
    (2, "nn.Conv2d(8, 16, 3, groups=4, dilation=2)"),
    (1, "nn.Conv1d(8, 4, 5, padding=2)"),
    (3, "nn.Conv3d(in_channels=8, out_channels=4, kernel_size=3)"),
    (2, "nn.ConvTranspose2d(8, 32, 2, 2)"),
    (2, "nn.ConvTranspose2d(8, 4, kernel_size=4, stride=2, padding=1, bias=False)"),
    (2, "nn.MaxPool2d(2)"),
    (2, "nn.MaxPool2d(3, 2, 1)"),
    (2, "nn.MaxPool2d(kernel_size=3, stride=1, padding=1)"),
    (2, "nn.MaxPool2d(2, stride=2)"),
    (2, "nn.AvgPool2d((3, 2))"),
    (1, "nn.AvgPool1d(3, stride=2)"),
    (2, "nn.AdaptiveAvgPool2d((1, 1))"),
    (2, "nn.AdaptiveAvgPool2d(6)"),
    (2, "nn.BatchNorm2d(8)"),
    (0, "nn.Linear(8, 10)"),
    (0, "nn.Linear(in_features=8, out_features=10, bias=False)"),
    (2, "nn.ReLU(inplace=True)"),
    (2, "nn.LeakyReLU(0.2)"),
    (2, "nn.SiLU()"),
    (2, "nn.Dropout(0.25)"),
    (2, "nn.Flatten()"),
]


def fault_of(line: str, rank: int = 2) -> Diagnostic:
    (error,) = check(Source("a.cnn", f"network A\ninput {SHAPES[rank]}\n{line}")).diagnostics
    return error


@pytest.mark.parametrize(("rank", "line"), LINES, ids=[line for _, line in LINES])
def test_a_line_of_pytorch_is_what_it_is_said_to_be(rank: int, line: str) -> None:
    error = fault_of(line, rank)
    assert (error.code, error.span.text) == ("E152", line)
    (fix,) = error.fixes
    (network,) = check(Source("a.cnn", f"network A\ninput {SHAPES[rank]}\n{fix.edits[0].text}")).networks
    ours = build_module(network.graph).eval()
    theirs: nn.Module = eval(line).eval()
    mine, other = list(ours.state_dict().values()), list(theirs.state_dict().values())
    assert [value.shape for value in mine] == [value.shape for value in other]
    ours.load_state_dict(dict(zip(ours.state_dict(), other, strict=True)))
    sizes = [int(size) for size in SHAPES[rank].split("x")]
    x = torch.randn(2, sizes[-1], *sizes[:-1])
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("Conv2D(32, 3, activation='relu')", "conv 3x3x32, relu"),
        ("model.add(layers.Conv2D(32, (3, 3), activation='relu', input_shape=(28, 28, 1)))", "conv 3x3x32, relu"),
        ("layers.Conv2D(64, 3, padding='same', strides=2, use_bias=False),", "conv 3x3x64 /2 same nobias"),
        ("Conv2DTranspose(64, 2, strides=2)", "deconv 2x2x64 /2"),
        ("MaxPooling2D()", "pool 2"),
        ("AveragePooling2D(pool_size=3, strides=2)", "pool 3 avg /2"),
        ("GlobalAveragePooling2D()", "globalpool avg"),
        ("x = Dense(10, activation='softmax')(x)", "dense 10, softmax"),
        ("hidden = keras.layers.Dense(units=100)", "dense 100 as hidden"),
        ("self.conv1 = nn.Conv2d(1, 6, 5)", "conv 5x5x6 as conv1"),
        ("Activation('relu')", "relu"),
        ("nn.LSTM(28, 64)", None),
        ("Conv2D(n, 3)", None),
        ("nn.Conv2d(1, 8, 3, padding_mode='circular')", None),
        ("Anything(3, a=4)", None),
        ("Conv2D(32)", None),
        ("LeakyReLU()", None),
    ],
)
def test_what_is_meant(line: str, meant: str | None) -> None:
    error = fault_of(line)
    assert error.code == "E152"
    assert [fix.edits[0].text for fix in error.fixes] == ([meant] if meant else [])


@pytest.mark.parametrize(
    "line", ["relu", "conv 3x3x8", "let f(x) = x", "network A(depth=3)", "x = (3", "(3)", "a(b)(c)"]
)
def test_other_lines_are_left_alone(line: str) -> None:
    assert foreign_call(line) is None


# --- whole programs -------------------------------------------------------------------------------------------------

LENET = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)
"""
STAGES = """
import torch.nn as nn
import torch.nn.functional as F

class Stages(nn.Module):
    def __init__(self):
        super(Stages, self).__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d((1, 1)),
        )
        self.head = nn.Linear(8, 4)

    def forward(self, images):
        images = self.features(images)
        images = images.view(images.size(0), -1)
        return F.log_softmax(self.head(images), dim=1)
"""


@pytest.mark.parametrize("program", [LENET, STAGES], ids=["lenet", "stages"])
def test_a_program_of_pytorch_is_the_spec_that_is_written_for_it(program: str) -> None:
    (error,) = check(Source("a.cnn", program)).diagnostics
    assert error.code == "E160"
    (fix,) = error.fixes
    (edit,) = fix.edits
    assert edit.span.text == program
    (network,) = check(Source("a.cnn", edit.text)).networks
    names: dict[str, type[nn.Module]] = {}
    exec(program, names)
    ours, theirs = build_module(network.graph).eval(), names[network.graph.name]().eval()
    mine, other = list(ours.state_dict().values()), list(theirs.state_dict().values())
    assert [value.shape for value in mine] == [value.shape for value in other]
    ours.load_state_dict(dict(zip(ours.state_dict(), other, strict=True)))
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return self.fc2(x)", "return self.fc2(x) + x"),  # two branches
        ("x = torch.flatten(x, 1)", "y = torch.flatten(x, 1)"),  # what comes out is not used
        ("F.relu(self.conv2(x))", "F.relu(self.conv1(x))"),  # weights used twice
        ("nn.Conv2d(3, 6, 5)", "nn.Conv2d(3, width, 5)"),  # not a plain number
        ("nn.Linear(120, 10)", "Head(120, 10)"),  # a class of its own
        ("nn.MaxPool2d(2, 2)", "nn.MaxPool2d(2, 2, return_indices=True)"),
    ],
)
def test_a_program_that_is_no_chain_is_left_as_it_is(old: str, new: str) -> None:
    (error,) = check(Source("a.cnn", LENET.replace(old, new))).diagnostics
    assert (error.code, error.fixes) == ("E160", ())
    assert error.help_text() is not None


def test_names_of_python_that_are_names_of_a_spec() -> None:
    """`from`, `class` and their like begin lines of a spec, too, where nothing of Python follows."""
    text = "block class(c):\n    conv 1x1x{c}\nnetwork A\ninput 4x4x1\nclass 2 as imported\nfrom imported, class 3\n"
    assert check(Source("a.cnn", text)).diagnostics == ()
