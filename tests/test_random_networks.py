"""Random networks with branches, blocks, loops and shared weights against PyTorch.

A text is made of parts that keep height and width, so that every merge fits; how many channels there are is known
while it is written, and `check`, the compiled module and PyTorch's own counter have to agree with that.
"""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source

torch.set_num_threads(1)

SIDE = 6
KEEPING = (
    "bn", "relu", "gelu", "identity", "dwconv 3x3 same", "pool 3 /1 pad=1", "gn 2", "lrn 3", "leaky 0.1", "dropout 0.1",
    "conv 3x3x{here.channels} same", "conv 1x1x{here.channels} nobias", "prelu", "shuffle 2", "scale 0.5", "ln",
    "layerscale 1e-2", "droppath 0.1",
)  # fmt: skip
BLOCKS = """
block wide(c, times=1):
    conv 3x3x{c} same nobias, bn, relu
    if times > 1:
        wide {c} {times - 1}

block residual(unit=relu):
    let c = input.channels
    add:
        | identity
        | conv 1x1x{c // 2}, {unit}
          conv 3x3x{c} same

block weigh():
    mul:
        | identity
        | globalpool, conv 1x1x{input.channels}, sigmoid

block beside(other, c):
    conv 1x1x{c}
    concat {other}
"""


class Writer:
    """Writes the lines of one network. `names` are the tensors that can be named, with their channels."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.names: dict[str, int] = {}
        self.shared: dict[str, tuple[int, int]] = {}
        self.count = 0

    def part(self, channels: int, indent: str, depth: int, *, naming: bool) -> int:
        """One part behind a tensor of so many channels; returns how many there are then."""
        kinds = ["keep", "keep", "conv", "block", "repeat", "named", "reuse", "if"] + ["add", "concat", "mul"] * (
            depth > 0
        )
        kind = self.draw(st.sampled_from(kinds))
        if kind == "conv":
            channels = self.draw(st.sampled_from([2, 4, 8]))
            times = self.draw(st.sampled_from(["", " * 2"]))
            self.lines.append(f"{indent}conv 3x3x{channels} same{times}")
        elif kind == "block":
            return self.block(channels, indent)
        elif kind == "repeat":
            item = self.draw(st.sampled_from(["residual", "conv 3x3x{here.channels} same, relu", "weigh"]))
            self.lines += [f"{indent}repeat {self.draw(st.integers(0, 3))}:", f"{indent}    {item}"]
        elif kind == "named" and naming:
            return self.named(channels, indent)
        elif kind == "reuse":
            fitting = [name for name, (given, _) in self.shared.items() if given == channels]
            if fitting and naming:
                name = self.draw(st.sampled_from(fitting))
                self.lines.append(f"{indent}reuse {name}")
                return self.shared[name][1]
        elif kind == "if":
            self.lines += [f"{indent}if here.channels > 3:", f"{indent}    conv 1x1x6", f"{indent}else:"]
            self.lines.append(f"{indent}    conv 1x1x2")
            return 6 if channels > 3 else 2
        elif kind in ("add", "concat", "mul"):
            return self.merge(kind, channels, indent, depth)
        else:
            self.lines.append(indent + self.draw(st.sampled_from(KEEPING)))
        return channels

    def block(self, channels: int, indent: str) -> int:
        kind = self.draw(st.sampled_from(["wide", "residual", "weigh", "beside"]))
        if kind == "wide":
            c, times = self.draw(st.sampled_from([2, 4])), self.draw(st.integers(1, 3))
            self.lines.append(f"{indent}wide {c} {times}")
            return c
        if kind == "beside" and self.names:
            name = self.draw(st.sampled_from(sorted(self.names)))
            self.lines.append(f"{indent}beside {name} 2")
            return 2 + self.names[name]
        unit = self.draw(st.sampled_from(["", " tanh"])) if kind == "residual" else ""
        self.lines.append(f"{indent}{'weigh' if kind == 'beside' else kind}{unit}")
        return channels

    def named(self, channels: int, indent: str) -> int:
        """A layer or a block with a name, which later parts can take or share."""
        self.count += 1
        name = f"n{self.count}"
        c = self.draw(st.sampled_from([2, 4]))
        item = self.draw(st.sampled_from([f"conv 3x3x{c} same", f"wide {c} 2"]))
        self.lines.append(f"{indent}{item} as {name}")
        self.names[name] = c
        self.shared[name] = (channels, c)
        return c

    def merge(self, kind: str, channels: int, indent: str, depth: int) -> int:
        self.lines.append(f"{indent}{kind}:")
        total = 0
        for _ in range(self.draw(st.integers(2, 3))):
            self.lines.append(f"{indent}    | identity")
            inner = channels
            for _ in range(self.draw(st.integers(0, 2))):
                inner = self.part(inner, f"{indent}      ", depth - 1, naming=False)
            if kind != "concat" and inner != channels:
                self.lines.append(f"{indent}      conv 1x1x{channels}")
                inner = channels
            total += inner
        return total if kind == "concat" else channels


@st.composite
def networks(draw: st.DrawFn) -> tuple[str, int]:
    """A spec, and how many channels its result has."""
    writer = Writer(draw)
    channels = 4
    for _ in range(draw(st.integers(1, 7))):
        channels = writer.part(channels, "", 2, naming=True)
    if channels % 2:
        writer.lines.append("conv 1x1x4")
        channels = 4
    if writer.names and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(writer.names)))
        writer.lines += [f"output {name} training:" if draw(st.booleans()) else f"output side{name}:"]
        writer.lines[-1] = writer.lines[-1].replace(f"output {name} training", "output aux training")
        writer.lines += [f"    from {name}, globalpool, dense 3"]
    return f"{BLOCKS}\nnetwork Random\ninput {SIDE}x{SIDE}x4\nconv 1x1x4\n" + "\n".join(writer.lines) + "\n", channels


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_random_networks_are_what_pytorch_says(made: tuple[str, int]) -> None:
    text, channels = made
    checked = check(Source("random.cnn", text))
    errors = [d for d in checked.diagnostics if d.severity == "error"]
    if any(d.code in ("E304", "E305", "E318", "E319") for d in errors):
        return  # an odd number of channels in two groups
    assert errors == [], (text, errors)
    (network,) = checked.networks
    graph, totals = network.graph, network.analysis.totals
    assert totals is not None
    result = graph.shape_of(next(o.edge for o in graph.outputs if not o.training))
    assert result is not None
    assert result.sizes == (SIDE, SIDE, channels), text
    with torch.device("meta"):
        module = build_module(graph)
        assert sum(p.numel() for p in module.parameters()) == totals.params, text
        x = torch.zeros(2, 4, SIDE, SIDE)
        for training, macs in ((False, totals.macs), (True, totals.macs + totals.auxiliary_macs)):
            module.train(training)
            with FlopCounterMode(display=False) as counter:
                given_back = module(x)
            first = given_back[0] if isinstance(given_back, tuple) else given_back
            assert tuple(first.shape) == (2, channels, SIDE, SIDE), text
            assert counter.get_total_flops() == 2 * 2 * macs, text
    for node in graph.nodes:
        assert node.shapes is not None
