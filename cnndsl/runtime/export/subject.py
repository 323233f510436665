"""What is exported: a network in evaluation mode, what its ends are called, and how its inputs are prepared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import cnndsl
from cnndsl.graph import Edge, Graph
from cnndsl.recipe.ends import ends
from cnndsl.recipe.task import vocabulary
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.data.wanted import channels_first
from cnndsl.runtime.errors import RunError
from cnndsl.runtime.module import build_module
from cnndsl.runtime.trained import load_part
from cnndsl.shape import Shape

CPU = torch.device("cpu")
_SEED = 0
_SHOWN = 5


class Subject(NamedTuple):
    """A network to be exported.

    prepare: how stored examples become its inputs, None where nothing was trained; inside: whether that is a part of
    what is exported, which then takes stored examples.
    """

    graph: Graph
    module: nn.Module
    prepare: Prepare | None = None
    inside: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what goes in."""
        return tuple(self.graph.nodes[index].name for index in self.graph.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what comes out; outputs for training alone are not there."""
        return tuple(end.name for end in ends(self.graph) if not end.training)

    def whole(self) -> Whole:
        """The module that is exported."""
        return Whole(self.module, self.prepare if self.inside else None).eval()

    def sizes(self, input: int) -> tuple[int, ...]:
        """One example of an input (the number of its node) as it is taken, channels first."""
        if self.inside and self.prepare is not None and self.prepare.image is not None:
            height, width, channels = self.prepare.image
            return channels, height, width
        return channels_first(_shape(self.graph, input))

    def dtype(self, input: int) -> torch.dtype:
        """What an input holds: bytes of pixels, numbers of tokens, or numbers."""
        if _shape(self.graph, input).tokens:
            return torch.int64
        return torch.uint8 if self.inside and self._pictures else torch.float32

    @property
    def _pictures(self) -> bool:
        return self.prepare is not None and self.prepare.image is not None

    def examples(self, count: int) -> tuple[Tensor, ...]:
        """So many random examples for each input; the same ones at each call."""
        random = torch.Generator().manual_seed(_SEED + count)
        return tuple(self._example(index, count, random) for index in self.graph.inputs)

    def _example(self, input: int, count: int, random: torch.Generator) -> Tensor:
        shape = _shape(self.graph, input)
        if shape.tokens:
            return torch.randint(vocabulary(self.graph, input), (count, *shape.spatial), generator=random)
        if not self._pictures:
            return torch.randn(count, *self.sizes(input), generator=random)
        assert self.prepare is not None
        assert self.prepare.image is not None
        height, width, channels = self.prepare.image
        pixels = torch.randint(256, (count, channels, height, width), generator=random).to(torch.uint8)
        return pixels if self.inside else self.prepare.on(CPU)(pixels)

    def about(self) -> dict[str, str]:
        """What a file says of itself, as texts by name: what lies deeper is JSON."""
        inputs = [
            {"name": name, "shape": ["N", *self.sizes(index)], "type": str(self.dtype(index)).removeprefix("torch.")}
            for name, index in zip(self.inputs, self.graph.inputs, strict=True)
        ]
        found = {
            "made_by": f"cnndsl {cnndsl.__version__}",
            "network": self.graph.name,
            "inputs": json.dumps(inputs),
            "inputs_are": self.taken(),
            "outputs": json.dumps(self.outputs),
        }
        if self.prepare is not None:
            found["preparation"] = json.dumps(self.prepare.to_json())
            if self.prepare.names:
                found["classes"] = json.dumps(self.prepare.names, ensure_ascii=False)
        return found

    def taken(self) -> str:
        """What the inputs are to be, in words."""
        if any(_shape(self.graph, index).tokens for index in self.graph.inputs):
            return "numbers of tokens"
        if self.prepare is None:
            return "as the network takes them"
        stored = "pixels from 0 to 255" if self._pictures else "values as they are in the data"
        return stored if self.inside else f"prepared: {stored}, {', '.join(steps(self.prepare))}"

    def ends_said(self) -> list[str]:
        """A line for each end."""
        lines = []
        for name, index in zip(self.inputs, self.graph.inputs, strict=True):
            kind = str(self.dtype(index)).removeprefix("torch.")
            lines.append(f"  input `{name}`: {kind}, {_times(self.sizes(index))}; {self.taken()}")
        names = self.prepare.names if self.prepare is not None else ()
        for end in ends(self.graph):
            if not end.training:
                classes = f"; classes {_some(names)}" if names and end.shape.channels == len(names) else ""
                lines.append(f"  output `{end.name}`: float32, {_times(channels_first(end.shape))}{classes}")
        return lines


def _shape(graph: Graph, input: int) -> Shape:
    shape = graph.shape_of(Edge(input))
    assert shape is not None
    return shape


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(["N", *map(str, sizes)])


def _some(names: tuple[str, ...]) -> str:
    if len(names) > 2 * _SHOWN:
        names = (*names[:_SHOWN], "…", *names[-1:])
    return ", ".join(names)


class Whole(nn.Module):
    """A network behind an attribute, whose own name means nothing to PyTorch's tools; and before it what makes its
    inputs of stored examples, where that is to be inside."""

    def __init__(self, network: nn.Module, prepare: Prepare | None) -> None:
        super().__init__()
        self.network = network
        self.prepare = prepare

    def forward(self, *inputs: Tensor) -> Any:
        if self.prepare is not None:
            inputs = tuple(map(self.prepare.on(CPU), inputs))
        return self.network(*inputs)


def trained(run: Path, network: str | None, *, inside: bool) -> Subject:
    """The network of a run, on the CPU; of two that train each other the one of this name, by itself the generator.
    Raises RunError."""
    found = load_part(run, network)
    if inside and found.prepare is None:
        raise RunError(
            f"{found.graph.name} takes random numbers: there is no preparation to put inside", "leave --raw away"
        )
    return Subject(found.graph, found.module, found.prepare, inside)


def untrained(graph: Graph) -> Subject:
    """A network with weights as training begins with them, always the same ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return Subject(graph, build_module(graph).eval())


def steps(prepare: Prepare) -> list[str]:
    """What is done to stored examples, in words."""
    done = []
    if prepare.image is not None and prepare.fit != "none":
        size = "x".join(map(str, prepare.size))
        done.append(
            {"pad": f"padded to {size}", "crop": f"the middle {size}", "resize": f"resized to {size}"}[prepare.fit]
        )
    unchanged = prepare.scale == (1.0,) and prepare.shift == (0.0,)
    if len(prepare.scale) == 1 and not unchanged:
        done.append(f"times {prepare.scale[0]:.6g} {added(prepare.shift[0], 6)}")
    elif not unchanged:
        more = ", …" if len(prepare.scale) > 3 else ""
        each = (f"{a:.6g} {added(b, 6)}" for a, b in zip(prepare.scale[:3], prepare.shift[:3], strict=True))
        done.append(f"channels times {', '.join(each)}{more}")
    if prepare.image is not None and len(prepare.input) == 1:
        done.append("flattened row by row")
    elif prepare.image is not None and prepare.input[0] != prepare.image[2]:
        done.append(f"the channel repeated {prepare.input[0]} times")
    return done or ["unchanged"]


def added(number: float, digits: int) -> str:
    """`+ 0.5` or `- 0.5`, to so many digits."""
    return f"{'-' if number < 0 else '+'} {abs(number):.{digits}g}"
