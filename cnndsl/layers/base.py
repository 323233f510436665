"""What a layer kind is: one class that holds everything the tool knows about it.

Subclass `Layer`, declare the arguments, and write the rules. Rules see sizes only; they know nothing of
spans, files or PyTorch objects. A rule refuses with `LayerError`, or returns `Condition`s, which the
caller checks on integers, on vectors of sizes, or keeps as constraints on symbols.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cnndsl.layers.arguments import REQUIRED, Argument, Choice, Flag, Number
from cnndsl.layers.code import Code
from cnndsl.shape import Shape, Size


class LayerError(Exception):
    """A layer that can't be: `problem` names a Diagnostic class, `values` fill its templates.

    `argument` is the name of the argument to blame, the index of one as it was given, or None for the
    layer as a whole.
    """

    def __init__(self, problem: str, argument: str | int | None = None, **values: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.argument = argument
        self.values = values


class Condition(NamedTuple):
    """`left relation right` must hold, or `problem` is reported at `argument` with `values`."""

    left: Size
    relation: str  # ">=", "==" or "%" (left is divisible by right)
    right: Size
    problem: str
    argument: str | None
    values: dict[str, Any]

    def holds(self) -> Any:
        """Whether it holds: a bool for integers, a boolean vector for NumPy vectors."""
        if self.relation == ">=":
            return self.left >= self.right
        if self.relation == "==":
            return self.left == self.right
        return self.left % self.right == 0

    def error(self) -> LayerError:
        return LayerError(self.problem, self.argument, **self.values)


class Inferred(NamedTuple):
    """What a shape rule gives: the outputs' shapes, and what must hold for them to be right."""

    outputs: tuple[Shape, ...]
    conditions: tuple[Condition, ...] = ()


class Weight(NamedTuple):
    """A tensor that belongs to a layer, named and shaped as in the module's state dict.

    `kind` is `parameter` (learned), `frozen` (a parameter without gradient) or `buffer` (running
    statistics, fixed centres: in the state dict but not a parameter).
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "parameter"


class Operation(NamedTuple):
    """One primitive operation on one example; counters are tables over `primitive`.

    For weighted sums (`conv`, `linear`, …): each of `weights` is used at `positions` places, and every
    output element has a bias if `bias`. `window` is the inputs that one output of a pool, an
    interpolation or a local norm sees. `inputs` and `outputs` count elements.
    """

    primitive: str
    inputs: Size
    outputs: Size
    positions: Size = 0
    weights: Size = 0
    bias: bool = False
    window: Size = 0


class Window(NamedTuple):
    """What one output sees along one axis: `size` inputs `dilation` apart, the first at `-pad`.

    The next output begins `stride / upscale` inputs further on.
    """

    size: Size = 1
    stride: Size = 1
    dilation: Size = 1
    pad: Size = 0
    upscale: Size = 1


class Example(NamedTuple):
    """An item as written and an input it fits, for the reference and the contract test."""

    item: str
    input: str
    """The input's shape as written: `32x32x3`."""


class Layer:
    """Base of all kinds. An instance is one layer's arguments, bound and checked, as attributes.

    Instances are immutable by convention; equal arguments make equal, equally hashed layers, which is
    what results are remembered by.
    """

    kind = ""
    aliases: tuple[str, ...] = ()
    family = ""
    """The heading that the reference lists the kind under."""
    arguments: tuple[Argument, ...] = ()
    pack: tuple[str, ...] = ()
    """Arguments that share the first written size: conv's `5x5x6` is `kernel` 5x5 and `channels` 6."""
    examples: tuple[Example, ...] = ()
    fewest_inputs = 1
    most_inputs: int | None = 1
    """None: any number, as merges take."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)
        self._key = (type(self), *(_frozen(values[a.name]) for a in self.arguments))
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layer) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        values = ", ".join(f"{a.name}={getattr(self, a.name)!r}" for a in self.arguments)
        return f"{type(self).__name__}({values})"

    def infer(self, *inputs: Shape) -> Inferred:
        """The outputs' shapes. The default keeps the input's."""
        return Inferred((inputs[0],))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The tensors that the layer owns, in the order of the state dict."""
        return ()

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        """The primitive operations of one forward pass of one example, in order."""
        raise NotImplementedError(type(self).__name__)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        """What one output sees of the input, along each spatial axis of the input."""
        return (Window(),) * inputs[0].rank

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        """The PyTorch that does it."""
        raise NotImplementedError(type(self).__name__)


INIT = Argument(
    "init",
    Choice("default", "lecun", "glorot", "he", "normal", "dirac", "zeros", "whiten"),
    default="default",
    help="how the weights start: PyTorch's own way, LeCun's (uniform within 2.4/fan-in), Glorot's, He's, …",
    bare=False,
)
FROZEN = Argument(
    "frozen",
    Choice("none", "all", "weight", "bias"),
    default="none",
    help="what training leaves as it is: `frozen` everything, `frozen=weight` only the weight",
    words={"frozen": "all"},
    bare=False,
)
L2 = Argument("l2", Number(minimum=0), default=0.0, help="factor of this layer's squared weights in the loss")


class WeightedLayer(Layer):
    """A kind with learned weights: takes `init=`, `frozen` and `l2=` besides its own arguments."""

    common = (INIT, FROZEN, L2)

    def parameter(self, name: str, shape: tuple[int, ...]) -> Weight:
        """A parameter of the layer, frozen if the layer says so."""
        frozen = self.__dict__["frozen"]
        return Weight(name, shape, "frozen" if frozen in ("all", name) else "parameter")


def axes(value: int | tuple[int, ...], rank: int, argument: str) -> tuple[int, ...]:
    """One value per spatial axis: a single number holds for all of them.

    Raises LayerError if the number of values is not the number of axes.
    """
    values = value if isinstance(value, tuple) else (value,)
    if len(values) == rank:
        return values
    if len(values) == 1:
        return values * rank
    raise LayerError("WrongNumberOfAxes", argument, name=argument, given=len(values), rank=rank)


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, _frozen(v)) for k, v in value.items())
    return value


__all__ = [
    "REQUIRED",
    "Argument",
    "Choice",
    "Code",
    "Condition",
    "Example",
    "Flag",
    "Inferred",
    "Layer",
    "LayerError",
    "Operation",
    "Weight",
    "WeightedLayer",
    "Window",
    "axes",
]
