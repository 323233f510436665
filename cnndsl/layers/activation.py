"""Activations: functions of single cells, and of the channels at a position."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Choice, Flag, Number
from cnndsl.layers.base import FROZEN, L2, Elementwise, Example, Operation, Setup, Weight, WeightedLayer
from cnndsl.layers.code import SELF, Binary, Call, Code, Support, X, call
from cnndsl.shape import Shape, product


class _Activation(Elementwise):
    """What activations share."""

    family = "activation"
    function = ""
    """The function that computes it from the input alone."""

    def expression(self) -> Any:
        return call(self.function, X)


class ReLU(_Activation):
    """Rectified linear unit: max(x, 0) (Nair & Hinton 2010).

    PyTorch: `F.relu`. Its slope at exactly 0 counts as 0.
    """

    kind = "relu"
    function = "F.relu"
    examples = (Example("relu", "8x8x4"), Example("relu", "10"), Example("relu", "9x3"), Example("relu", "2x3x4x5"))


class ReLU6(_Activation):
    """ReLU with a ceiling: min(max(x, 0), 6) (MobileNet).

    PyTorch: `F.relu6`.
    """

    kind = "relu6"
    function = "F.relu6"
    examples = (Example("relu6", "8x8x4"),)


class LeakyReLU(_Activation):
    """Leaky ReLU: x where it is positive, slope * x elsewhere (Maas et al. 2013).

    PyTorch: `F.leaky_relu`, slope 0.01.

    Surprises: Keras' default slope is 0.3, Darknet's 0.1, TensorFlow's 0.2.
    """

    kind = "leaky"
    primitive = "leaky_relu"
    arguments = (Argument("slope", Number(), default=0.01, positional=True, help="slope left of 0"),)
    examples = (Example("leaky", "8x8x4"), Example("leaky 0.2", "8x8x4"))

    slope: float

    def expression(self) -> Any:
        return call("F.leaky_relu", X) if self.slope == 0.01 else call("F.leaky_relu", X, self.slope)


class PReLU(WeightedLayer):
    """Parametric ReLU: leaky ReLU whose slope is learned (He et al. 2015).

    One slope for the layer, or with `perchannel` one for each channel. The number is the slope at the start.

    PyTorch: `nn.PReLU`, start 0.25.

    Surprises: Keras learns a slope for every cell and starts at 0; the paper's own networks have one per channel.
    Leave it out of weight decay: decay draws the slope to 0.
    """

    kind = "prelu"
    family = "activation"
    arguments = (
        Argument("slope", Number(), default=0.25, positional=True, help="slope left of 0 at the start"),
        Argument("perchannel", Flag(), default=False, help="learns a slope for each channel"),
        FROZEN,
        L2,
    )
    examples = (
        Example("prelu", "8x8x4"),
        Example("prelu 0.1 perchannel", "8x8x4"),
        Example("prelu perchannel", "12"),
        Example("prelu frozen", "9x4"),
    )

    slope: float
    perchannel: bool

    def initial(self, *inputs: Shape) -> Setup:
        return Setup()

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self.parameters((inputs[0].channels if self.perchannel else 1,), ())

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        return (Operation("prelu", x.elements, x.elements),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        options: dict[str, Any] = {"num_parameters": inputs[0].channels} if self.perchannel else {}
        if self.slope != 0.25:
            options["init"] = self.slope
        layout = "first" if self.perchannel else "any"
        return self.made(Call(SELF, (X,)), call("nn.PReLU", **options), inputs, layout=layout)


ALPHA = Argument("alpha", Number(), default=1.0, positional=True, help="limit far left of 0, negated")


class ELU(_Activation):
    """Exponential linear unit: x where it is positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016).

    PyTorch: `F.elu`.
    """

    kind = "elu"
    arguments = (ALPHA,)
    examples = (Example("elu", "8x8x4"), Example("elu 0.5", "10"))

    alpha: float

    def expression(self) -> Any:
        return call("F.elu", X) if self.alpha == 1 else call("F.elu", X, self.alpha)


class SELU(_Activation):
    """Scaled ELU: 1.0507 * (x where positive, 1.6733 * (exp(x) - 1) elsewhere) (Klambauer et al. 2017).

    PyTorch: `F.selu`. It keeps mean 0 and variance 1 only where weights start normal with variance 1 / fan-in, which
    for layers of n inputs is `init=normal std={n ** -0.5}`.
    """

    kind = "selu"
    function = "F.selu"
    examples = (Example("selu", "8x8x4"),)


class CELU(_Activation):
    """Continuously differentiable ELU: x where positive, alpha * (exp(x / alpha) - 1) elsewhere (Barron 2017).

    PyTorch: `F.celu`.
    """

    kind = "celu"
    arguments = (Argument("alpha", Number(1e-6), default=1.0, positional=True, help="limit far left of 0, negated"),)
    examples = (Example("celu", "8x8x4"), Example("celu 0.5", "10"))

    alpha: float

    def expression(self) -> Any:
        return call("F.celu", X) if self.alpha == 1 else call("F.celu", X, self.alpha)


class GELU(_Activation):
    """Gaussian error linear unit: x * Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016).

    `gelu tanh` is the approximation 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))) of GPT-2 and BERT.

    PyTorch: `F.gelu`, `F.gelu(x, approximate="tanh")`.

    Surprises: JAX approximates by default, PyTorch and Keras don't.
    """

    kind = "gelu"
    arguments = (Argument("approximate", Choice("none", "tanh"), default="none", help="`tanh`: the approximation"),)
    examples = (Example("gelu", "8x8x4"), Example("gelu tanh", "10"))

    approximate: str

    def expression(self) -> Any:
        return call("F.gelu", X) if self.approximate == "none" else call("F.gelu", X, approximate="tanh")


class SiLU(_Activation):
    """SiLU, also called swish: x * sigmoid(x) (Elfwing et al. 2018; Ramachandran et al. 2017).

    PyTorch: `F.silu`.
    """

    kind = "silu"
    aliases = ("swish",)
    function = "F.silu"
    examples = (Example("silu", "8x8x4"), Example("swish", "10"))


class Mish(_Activation):
    """Mish: x * tanh(softplus(x)) (Misra 2019).

    PyTorch: `F.mish`.
    """

    kind = "mish"
    function = "F.mish"
    examples = (Example("mish", "8x8x4"),)


class HardSwish(_Activation):
    """Hard swish: x * min(max(x + 3, 0), 6) / 6 (MobileNetV3, Howard et al. 2019).

    PyTorch: `F.hardswish`.
    """

    kind = "hardswish"
    function = "F.hardswish"
    examples = (Example("hardswish", "8x8x4"),)


class HardSigmoid(_Activation):
    """Hard sigmoid: min(max(x + 3, 0), 6) / 6.

    PyTorch: `F.hardsigmoid`.

    Surprises: Theano's and Keras 2's is min(max(0.2 x + 0.5, 0), 1), a little steeper; Keras 3's is this one.
    """

    kind = "hardsigmoid"
    function = "F.hardsigmoid"
    examples = (Example("hardsigmoid", "8x8x4"),)


class Sigmoid(_Activation):
    """Logistic sigmoid: 1 / (1 + exp(-x)).

    PyTorch: `torch.sigmoid`.
    """

    kind = "sigmoid"
    function = "torch.sigmoid"
    examples = (Example("sigmoid", "8x8x4"), Example("sigmoid", "1"))


class Tanh(_Activation):
    """Hyperbolic tangent. `tanh scaled` is LeCun's 1.7159 * tanh(2/3 * x), which maps ±1 to ±1 (LeCun et al. 1998,
    appendix A).

    PyTorch: `torch.tanh`.
    """

    kind = "tanh"
    arguments = (Argument("scaled", Flag(), default=False, help="LeCun's 1.7159 * tanh(2/3 * x)"),)
    examples = (Example("tanh", "8x8x4"), Example("tanh scaled", "14x14x6"))

    scaled: bool

    def expression(self) -> Any:
        if self.scaled:
            return Binary("*", 1.7159, call("torch.tanh", Binary("*", Binary("/", 2, 3), X)))
        return call("torch.tanh", X)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        n = inputs[0].elements
        tanh = Operation("tanh", n, n)
        return (Operation("scale", n, n), tanh, Operation("scale", n, n)) if self.scaled else (tanh,)


class Softplus(_Activation):
    """Softplus: log(1 + exp(beta * x)) / beta, a smooth ReLU.

    PyTorch: `F.softplus`, which is linear from beta * x = 20 on.
    """

    kind = "softplus"
    arguments = (Argument("beta", Number(1e-6), default=1.0, positional=True, help="how sharp the bend is"),)
    examples = (Example("softplus", "8x8x4"), Example("softplus 2", "10"))

    beta: float

    def expression(self) -> Any:
        return call("F.softplus", X) if self.beta == 1 else call("F.softplus", X, beta=self.beta)


class _OverChannels(_Activation):
    """What functions of all channels of a position share."""

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        return (Operation(self.primitive or self.kind, x.elements, x.elements, product(x.spatial)),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call(self.function, X, dim=1))


class Softmax(_OverChannels):
    """Softmax over channels: exp(x) divided by its sum over the channels of a position.

    PyTorch: `F.softmax(x, dim=1)`.

    Surprises: `loss cross_entropy` takes logits, so a network that is trained with it ends without softmax.
    """

    kind = "softmax"
    function = "F.softmax"
    examples = (Example("softmax", "10"), Example("softmax", "8x8x4"), Example("softmax", "9x4"))


class LogSoftmax(_OverChannels):
    """Logarithm of softmax over channels, computed without overflow.

    PyTorch: `F.log_softmax(x, dim=1)`.
    """

    kind = "logsoftmax"
    primitive = "log_softmax"
    function = "F.log_softmax"
    examples = (Example("logsoftmax", "10"), Example("logsoftmax", "8x8x4"))


class Step(_Activation):
    """Hard threshold: 1 where x is greater than 0, else 0; the perceptron's activation (Rosenblatt 1958).

    Its gradient passes straight through, as if it were the identity (Bengio et al. 2013): with the loss
    ½(t - y)² and plain gradient descent each update is then Rosenblatt's rule.

    PyTorch has no such function: `torch.heaviside` and comparisons have no gradient. The written file holds one.
    """

    kind = "step"
    examples = (Example("step", "1"), Example("step", "8x8x4"))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call("Step.apply", X), support=(_STEP,), layout="any")


_STEP = Support(
    "Step",
    '''class Step(torch.autograd.Function):
    """1 where the input is greater than 0, else 0; the gradient passes straight through."""

    @staticmethod
    def forward(x):
        return (x > 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return gradient
''',
)
