"""What a layer kind is: one class that holds everything the tool knows about it.

Subclass `Layer`, declare the arguments, and write the rules. Rules see sizes only; they know nothing of
spans, files or PyTorch objects. A rule refuses with `LayerError`, or returns `Condition`s, which the
caller checks on integers, on vectors of sizes, or keeps as constraints on symbols.
"""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import REQUIRED, Argument, Choice, Flag, Number, Tensor, Tensors
from cnndsl.layers.code import SELF, Attribute, Call, Code, Support, call
from cnndsl.record import Record
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


class Condition(Record):
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


class Inferred(Record):
    """What a shape rule gives: the outputs' shapes, and what must hold for them to be right."""

    outputs: tuple[Shape, ...]
    conditions: tuple[Condition, ...] = ()


class Weight(Record):
    """A tensor that belongs to a layer, named and shaped as in the module's state dict.

    `kind` is `parameter` (learned), `frozen` (a parameter without gradient) or `buffer` (running
    statistics, fixed centres: in the state dict but not a parameter).
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "parameter"


class Operation(Record):
    """One primitive operation on one example; counters are tables over `primitive`.

    For weighted sums (`conv`, `linear`, …): each of `weights` is used at `positions` places, and every
    output element has a bias if `bias`. `window` is the inputs that one output of a pool, an
    interpolation or a local norm sees; `links` is how many all outputs see together, where their windows
    differ. A norm takes statistics of `positions` groups of cells and has `weights` scales. `learned` says
    whether its weights are learned, not frozen. `inputs` and `outputs` count elements.

    It works on what the operation before it made, the first on the layer's first input; `source` is the number of
    the input that it takes instead.
    """

    primitive: str
    inputs: Size
    outputs: Size
    positions: Size = 0
    weights: Size = 0
    bias: bool = False
    window: Size = 0
    links: Size = 0
    learned: bool = True
    source: int | None = None


class Window(Record):
    """What one output sees along one axis: `size` inputs `dilation` apart, the first at `-pad`.

    The next output begins `stride / upscale` inputs further on. Where `upscale` is not 1, outputs see
    windows that begin at different inputs and may differ in size: `size` is the largest, and n + 1
    neighbouring outputs together see at most `dilation * (size - 1) + 1 + (slack + n * stride) // upscale`
    inputs, slack below upscale. (Think of the inputs as standing `upscale` cells apart. This is exact but for
    a transposed convolution that is both strided and dilated.)

    A `stride` of 0 says that every output sees the whole axis. `then` is a window over what this one gives: what sees
    a block of cells of which it is itself one sees what a pool sees, upsampled to the old size.
    """

    size: Size = 1
    stride: Size = 1
    dilation: Size = 1
    pad: Size = 0
    upscale: Size = 1
    slack: Size = 0
    then: Window | None = None


WHOLE = Window(stride=0)
"""Every output sees the whole axis, and there are as many outputs as inputs."""


class Example(Record):
    """An item as written and an input it fits, for the reference and the contract test.

    Where the kind needs others before it, `item` is a line of items of which it is the last.
    """

    item: str
    input: str
    """The input's shape as written: `32x32x3`; for a merge, several with commas."""

    def spec(self, network: str = "Example") -> str:
        """A network that is this item on its input; a merge gets its inputs by name."""
        sizes = self.input.split(", ")
        if len(sizes) == 1:
            return f"network {network}\ninput {self.input}\n{self.item}\n"
        names = "abcdefgh"[: len(sizes)]
        inputs = "".join(f"input {name} {size}\n" for name, size in zip(names, sizes, strict=True))
        kind, *words = self.item.split()
        return f"network {network}\n{inputs}from a, {' '.join([kind, *names[1:], *words])}\n"


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
    """How many tensors it takes, not counting those that Tensor arguments name; None: any number, as merges
    take. Rules get the inputs, then the tensors of the given Tensor arguments in order of declaration."""
    takes_tokens = False
    """Whether the input is a sequence of integers."""
    refusal: LayerError | None = None
    """Why no layer of the kind can be made at all."""

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

    @property
    def extra_outputs(self) -> tuple[str, ...]:
        """Names of the outputs after the first, which exist only where a Tensor argument asks for one."""
        return ()

    def check(self) -> None:
        """Refuses arguments that don't go together, whatever the input. Raises LayerError."""

    def infer(self, *inputs: Shape) -> Inferred:
        """The outputs' shapes: the first, then `extra_outputs`. The default keeps the input's."""
        return Inferred((self.take(inputs[0]),))

    def tensors(self) -> tuple[tuple[str, int], ...]:
        """The tensors that its Tensor arguments name, each with the number of the output it takes."""
        found: list[tuple[str, int]] = []
        for argument in self.arguments:
            value = getattr(self, argument.name)
            if isinstance(argument.type, Tensor) and isinstance(value, str):
                found.append((value, argument.type.output))
            elif isinstance(argument.type, Tensors):
                found += [(name, 0) for name in value]
        return tuple(found)

    def take(self, x: Shape) -> Shape:
        """The input, once it is known to be of the sort that the kind works on. Raises LayerError."""
        if x.tokens and not self.takes_tokens:
            raise LayerError("TokensNotNumbers", None, kind=self.kind, input=x)
        if self.takes_tokens and not x.tokens:
            raise LayerError("NumbersNotTokens", None, kind=self.kind, input=x)
        return x

    def take_map(self, x: Shape) -> Shape:
        """The input, once it is known to have at least one spatial axis. Raises LayerError."""
        if self.take(x).rank == 0:
            raise LayerError("NeedsPositions", None, kind=self.kind, input=x)
        return x

    def take_sequence(self, x: Shape, argument: str | None = None) -> Shape:
        """The input, once it is known to have a length and channels; `argument` named it. Raises LayerError."""
        if self.take(x).rank != 1:
            raise LayerError("NeedsSequence", argument, kind=self.kind, input=x)
        return x

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The tensors that the layer owns, in the order of the state dict."""
        return ()

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        """The primitive operations of one forward pass of one example, in order."""
        raise NotImplementedError(type(self).__name__)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        """What one output sees of the input, along each spatial axis of the input."""
        return (Window(),) * inputs[0].rank

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        """For each spatial axis of the output, the input's axis that it runs along; None if it mixes several."""
        return tuple(range(inputs[0].rank))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        """The PyTorch that does it."""
        raise NotImplementedError(type(self).__name__)


class Elementwise(Layer):
    """A kind that computes every element from the same element of its input, and learns nothing."""

    primitive = ""
    """Its operation, if that is not named as the kind."""

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation(self.primitive or self.kind, inputs[0].elements, outputs[0].elements),)

    def expression(self) -> Any:
        """The output, as PyTorch computes it from the input X."""
        raise NotImplementedError(type(self).__name__)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(self.expression(), layout="any")


INITS = {
    "default": "PyTorch's own way",
    "lecun": "weights and biases uniform within 2.4 / fan-in of their unit (LeCun et al. 1998)",
    "glorot": "uniform within sqrt(6 / (fan-in + fan-out)) (Glorot & Bengio 2010)",
    "he": "normal, deviation sqrt(2 / fan-in) (He et al. 2015)",
    "he_fan_out": "normal, deviation sqrt(2 / fan-out), as torchvision's ResNets",
    "normal": "normal with deviation `std`",
    "trunc_normal": "normal with deviation `std`, drawn again beyond ±2 (as PyTorch does: 2, not 2 deviations)",
    "orthogonal": "orthogonal rows (Saxe et al. 2014)",
    "dirac": "the identity, as far as there are channels",
    "partial_dirac": "the identity for as many outputs as there are inputs, the others in PyTorch's own way",
    "whiten": (
        "what makes patches of the training images uncorrelated and of variance 1, in every direction with both signs, "
        "the widest first; `train` sets it, elsewhere weights start in PyTorch's own way"
    ),
    "bilinear": "linear interpolation of each channel, whatever the rank (Long et al. 2015)",
    "zeros": "all zero",
}
"""What `init=` may say. All but `default` and `lecun` start biases at zero."""
WHITEN = "whiten"
"""The start that needs training data."""


def init_argument(*options: str, default: str = INITS["default"]) -> Argument:
    """The argument `init` of a kind to which these of INITS apply; `default` says what `default` means to it."""
    meanings = {**INITS, "default": default}
    meaning = "how the weights start: " + "; ".join(f"`{option}` {meanings[option]}" for option in options)
    return Argument("init", Choice(*options), default="default", help=meaning, bare=False)


STD = Argument("std", Number(minimum=0), default=None, help="standard deviation of a normal start; 0.02 if not given")
FROZEN = Argument(
    "frozen",
    Choice("none", "all", "weight", "bias"),
    default="none",
    help="what training leaves as it is: `frozen` everything, `frozen=weight` only the weight",
    words={"frozen": "all"},
    bare=False,
)
L2 = Argument("l2", Number(minimum=0), default=0.0, help="factor of this layer's squared weights in the loss")

_WEIGHT, _BIAS = Attribute(SELF, "weight"), Attribute(SELF, "bias")


class Setup(Record):
    """Calls made once after a layer's modules, and the functions they need."""

    calls: tuple[Call, ...] = ()
    support: tuple[Support, ...] = ()


class WeightedLayer(Layer):
    """A kind with learned weights: takes `init=`, `std=`, `frozen` and `l2=` besides its own arguments.

    Its module calls its parameters `weight` and `bias`, unless the kind overrides `learned` and `initial`.
    """

    common = (
        init_argument(
            "default", "lecun", "glorot", "he", "he_fan_out", "normal", "trunc_normal", "orthogonal", "zeros"
        ),
        STD,
        FROZEN,
        L2,
    )

    init: str
    std: float | None
    frozen: str
    l2: float

    def learned(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return ("weight", "bias") if self.__dict__.get("bias", False) else ("weight",)

    def check(self) -> None:
        values = self.__dict__
        names = self.learned()
        for argument, unset in (("init", "default"), ("frozen", "none"), ("l2", 0.0)):
            if not names and values.get(argument, unset) != unset:
                raise LayerError("NothingLearned", argument, kind=self.kind, name=argument)
        if self.frozen not in ("none", "all", *names):
            raise LayerError("NothingToFreeze", "frozen", kind=self.kind, name=self.frozen, known=list(names))
        if values.get("std") is not None and not values["init"].endswith("normal"):
            raise LayerError("WithoutEffect", "std", kind=self.kind, name="std", needs="`init=normal`")

    def learns(self, name: str = "weight") -> bool:
        """Whether training changes the parameter of that name."""
        return name in self.learned() and self.frozen not in ("all", name)

    def parameter(self, name: str, shape: tuple[int, ...]) -> Weight:
        """A parameter of the layer, frozen if the layer says so."""
        return Weight(name, shape, "frozen" if self.frozen in ("all", name) else "parameter")

    def parameters(self, weight: tuple[int, ...], bias: tuple[int, ...]) -> tuple[Weight, ...]:
        """The weight and, if the layer has one, the bias, of these shapes."""
        shapes = {"weight": weight, "bias": bias}
        return tuple(self.parameter(name, shapes[name]) for name in self.learned())

    def fan_in(self, *inputs: Shape) -> Size:
        """How many inputs a unit of the layer has."""
        raise NotImplementedError(type(self).__name__)

    def initial(self, *inputs: Shape) -> Setup:
        """What gives the parameters their first values, where that is not PyTorch's own way."""
        if self.init == "default":
            return Setup()
        if self.init == "lecun":
            return Setup((call("lecun_uniform_", SELF, self.fan_in(*inputs)),), (_LECUN,))
        bias = tuple(call("nn.init.zeros_", _BIAS) for name in self.learned() if name == "bias")
        return Setup((self.initial_weight(*inputs), *bias))

    def initial_weight(self, *inputs: Shape) -> Call:
        """The call that fills the weight."""
        if self.init in ("normal", "trunc_normal"):
            return call(f"nn.init.{self.init}_", _WEIGHT, std=self.deviation)
        return _INITIAL[self.init]

    @property
    def deviation(self) -> float:
        """The standard deviation of a normal start."""
        return 0.02 if self.std is None else self.std

    def setup(self, *inputs: Shape) -> Setup:
        """Everything to do once after the modules are made: initialise, then freeze."""
        first = self.initial(*inputs)
        if self.frozen == "none":
            return first
        target = SELF if self.frozen == "all" else Attribute(SELF, self.frozen)
        return Setup((*first.calls, call(".requires_grad_", target, False)), first.support)

    def made(
        self,
        forward: Any,
        module: Call,
        inputs: tuple[Shape, ...],
        support: tuple[Support, ...] = (),
        layout: str = "first",
    ) -> Code:
        """The Code of a layer with one module, set up as the layer's arguments ask."""
        setup = self.setup(*inputs)
        return Code(forward, (("", module),), (*support, *setup.support), layout, setup.calls)


_INITIAL = {
    "glorot": call("nn.init.xavier_uniform_", _WEIGHT),
    "he": call("nn.init.kaiming_normal_", _WEIGHT, nonlinearity="relu"),
    "he_fan_out": call("nn.init.kaiming_normal_", _WEIGHT, mode="fan_out", nonlinearity="relu"),
    "orthogonal": call("nn.init.orthogonal_", _WEIGHT),
    "zeros": call("nn.init.zeros_", _WEIGHT),
}

_LECUN = Support(
    "lecun_uniform_",
    '''def lecun_uniform_(module, fan_in):
    """Start weights and biases uniform within 2.4 / fan_in (LeCun et al. 1998, appendix A)."""
    for parameter in module.parameters(recurse=False):
        nn.init.uniform_(parameter, -2.4 / fan_in, 2.4 / fan_in)
''',
)


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
    "WHOLE",
    "Argument",
    "Choice",
    "Code",
    "Condition",
    "Elementwise",
    "Example",
    "Flag",
    "Inferred",
    "Layer",
    "LayerError",
    "Operation",
    "Setup",
    "Weight",
    "WeightedLayer",
    "Window",
    "axes",
    "init_argument",
]
