"""Kinds whose module has several weights and biases, under names of its own."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.base import FROZEN, L2, STD, Setup, Weight, WeightedLayer, init_argument
from cnndsl.layers.code import SELF, Attribute, Call, Subscript, call
from cnndsl.record import Record
from cnndsl.shape import Shape


class Named(Record):
    """A parameter of a module: its name in the state dict, and its shape. Biases have `bias` in their names."""

    name: str
    shape: tuple[int, ...]

    @property
    def sort(self) -> str:
        """`weight` or `bias`: what `frozen=` calls it."""
        return "bias" if "bias" in self.name else "weight"


class SeveralWeights(WeightedLayer):
    """A weighted kind with more than a `weight` and a `bias`. `frozen=weight` and `frozen=bias` are about all of a
    sort; `init=` fills every weight, and all but `default` start every bias at zero."""

    common = (init_argument("default", "glorot", "orthogonal", "normal", "trunc_normal", "zeros"), STD, FROZEN, L2)

    bias: bool

    def named(self, *inputs: Shape) -> tuple[Named, ...]:
        """Its parameters, in the order of the state dict."""
        raise NotImplementedError(type(self).__name__)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        kinds = {sort: "parameter" if self.learns(sort) else "frozen" for sort in ("weight", "bias")}
        return tuple(Weight(one.name, one.shape, kinds[one.sort]) for one in self.named(*inputs))

    def initial(self, *inputs: Shape) -> Setup:
        if self.init == "default":
            return Setup()
        return Setup(tuple(self._filled(one) for one in self.named(*inputs)))

    def _filled(self, one: Named) -> Call:
        """The call that gives one parameter its first values."""
        target = _attribute(one.name)
        if one.sort == "bias":
            return call("nn.init.zeros_", target)
        if self.init in ("normal", "trunc_normal"):
            return call(f"nn.init.{self.init}_", target, std=self.deviation)
        return call(_FILLS[self.init], target)

    def setup(self, *inputs: Shape) -> Setup:
        first = self.initial(*inputs)
        if self.frozen == "none":
            return first
        if self.frozen == "all":
            targets: list[Any] = [SELF]
        else:
            targets = [_attribute(one.name) for one in self.named(*inputs) if one.sort == self.frozen]
        return Setup((*first.calls, *(call(".requires_grad_", target, False) for target in targets)), first.support)


_FILLS = {
    "glorot": "nn.init.xavier_uniform_",
    "orthogonal": "nn.init.orthogonal_",
    "zeros": "nn.init.zeros_",
}


def _attribute(name: str) -> Attribute:
    """A parameter of the layer's module, such as `out_proj.weight` or, of its part's first member, `mlp.0.weight`."""
    owner: Any = SELF
    *parts, last = name.split(".")
    for part in parts:
        owner = Subscript(owner, (int(part),)) if part.isdigit() else Attribute(owner, part)
    return Attribute(owner, last)
