"""Normalisation."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Count, Flag, Number
from cnndsl.layers.base import (
    FROZEN,
    L2,
    STD,
    Condition,
    Elementwise,
    Example,
    Inferred,
    Layer,
    LayerError,
    Operation,
    Setup,
    Weight,
    WeightedLayer,
    init_argument,
)
from cnndsl.layers.code import SELF, Attribute, Call, Code, X, call
from cnndsl.shape import Shape, product

AFFINE = Argument(
    "affine", Flag(), default=True, words={"noaffine": False}, help="learns a scale, and a shift, per channel"
)
BIAS = Argument("bias", Flag(), default=True, words={"nobias": False}, help="learns a shift per channel")
INIT = init_argument("default", "normal", "zeros")


def epsilon(default: float | None, help: str = "added to the variance, so that nothing is divided by zero") -> Argument:
    """The argument `eps`."""
    return Argument("eps", Number(minimum=0), default=default, help=help)


class _Norm(WeightedLayer):
    """What norms with a learned scale and shift share. `init=normal` is around a scale of 1."""

    family = "normalisation"
    common = (INIT, STD, FROZEN, L2)
    primitive = ""

    affine: bool
    bias: bool

    def check(self) -> None:
        if not self.affine and not self.__dict__.get("bias", True):
            raise LayerError("Exclusive", "bias", kind=self.kind, first="nobias", second="noaffine")
        super().check()

    def learned(self) -> tuple[str, ...]:
        if not self.affine:
            return ()
        return ("weight", "bias") if self.__dict__.get("bias", False) else ("weight",)

    def initial(self, *inputs: Shape) -> Setup:
        weight = Attribute(SELF, "weight")
        if self.init == "normal":
            return Setup((call("nn.init.normal_", weight, mean=1.0, std=self.deviation),))
        return Setup((call("nn.init.zeros_", weight),)) if self.init == "zeros" else Setup()

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = (inputs[0].channels,)
        return self.parameters(channels, channels)

    def _groups(self, x: Shape) -> Any:
        """How many statistics are taken."""
        raise NotImplementedError

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        scales = x.channels if self.affine else 0
        return (Operation(self.primitive, x.elements, x.elements, self._groups(x), scales, learned=self.learns()),)

    def _without_bias(self, code: Code) -> Code:
        """The code for a module that has a scale but no shift, whatever the version of PyTorch."""
        if self.affine and not self.bias:
            return code._replace(setup=(call(".register_parameter", SELF, "bias", None), *code.setup))
        return code


class BatchNorm(_Norm):
    """Batch normalisation: each channel to mean 0 and variance 1 over the batch and all positions, then a learned
    scale and shift (Ioffe & Szegedy 2015).

    y = (x - mean) / sqrt(variance + eps) * weight + bias. In evaluation the mean and variance are running ones:
    running = (1 - momentum) * running + momentum * batch.

    PyTorch: `nn.BatchNorm1d` (also after `dense`), `nn.BatchNorm2d`, `nn.BatchNorm3d`.

    Surprises: Keras and TensorFlow give momentum the other way round, their default 0.99 is `momentum=0.01`, and
    their eps is 1e-3. The running variance is the unbiased one. `frozen` freezes scale and shift, not the running
    statistics. Caffe keeps scale and shift in a layer of their own.
    """

    kind = "bn"
    primitive = "batch_norm"
    arguments = (
        epsilon(1e-5),
        Argument("momentum", Number(0, 1), default=0.1, help="share of the new batch in the running statistics"),
        AFFINE,
        BIAS,
        *_Norm.common,
    )
    examples = (
        Example("bn", "8x8x16"),
        Example("bn", "64"),
        Example("bn eps=1e-3 momentum=0.01", "12x16"),
        Example("bn noaffine", "3x4x5x6"),
        Example("bn nobias", "8x8x16"),
        Example("bn init=zeros", "8x8x16"),
        Example("bn init=normal std=0.02 frozen=weight", "8x8x16"),
        Example("bn frozen l2=1e-4", "8x8x16"),
    )

    eps: float
    momentum: float

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = (inputs[0].channels,)
        statistics = (Weight(name, channels, "buffer") for name in ("running_mean", "running_var"))
        return (*super().weights(*inputs), *statistics, Weight("num_batches_tracked", (), "buffer"))

    def _groups(self, x: Shape) -> Any:
        return x.channels

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        options = _options(self, {"eps": 1e-5, "momentum": 0.1, "affine": True})
        module = call(f"nn.BatchNorm{max(x.rank, 1)}d", x.channels, **options)
        return self._without_bias(self.made(Call(SELF, (X,)), module, inputs))


class LayerNorm(_Norm):
    """Layer normalisation over channels: at every position the channels to mean 0 and variance 1, then a learned scale
    and shift per channel (Ba, Kiros & Hinton 2016; as Transformers and ConvNeXt use it).

    PyTorch: `nn.LayerNorm(channels)` on the last axis of a channels-last tensor.

    Surprises: positions are never mixed; a norm over channels and positions together is `gn 1`, with a scale per
    channel. Keras' eps is 1e-3.
    """

    kind = "ln"
    primitive = "layer_norm"
    arguments = (epsilon(1e-5), AFFINE, BIAS, *_Norm.common)
    examples = (
        Example("ln", "197x768"),
        Example("ln eps=1e-6", "7x5x8"),
        Example("ln nobias", "64"),
        Example("ln noaffine", "3x4x5x6"),
        Example("ln frozen init=zeros", "12"),
    )

    eps: float

    def _groups(self, x: Shape) -> Any:
        return product(x.spatial)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        options = _options(self, {"eps": 1e-5})
        if not self.affine:
            options["elementwise_affine"] = False
        elif not self.bias:
            options["bias"] = False
        return self.made(
            Call(SELF, (X,)), call("nn.LayerNorm", x.channels, **options), inputs, layout="last" if x.rank else "any"
        )


class GroupNorm(_Norm):
    """Group normalisation: channels in groups, each group with its positions to mean 0 and variance 1, then a learned
    scale and shift per channel (Wu & He 2018).

    `gn 32` makes 32 groups. `gn 1` normalises the whole tensor.

    PyTorch: `nn.GroupNorm`.

    Surprises: the number is how many groups there are, not how many channels are in one.
    """

    kind = "gn"
    primitive = "group_norm"
    arguments = (
        Argument("groups", Count(), positional=True, unit="groups", help="how many groups"),
        epsilon(1e-5),
        AFFINE,
        BIAS,
        *_Norm.common,
    )
    examples = (
        Example("gn 4", "7x5x8"),
        Example("gn 1 eps=1e-6", "9x8"),
        Example("gn 2 noaffine", "3x4x5x6"),
        Example("gn 3 nobias", "4x4x6"),
        Example("gn 4 init=zeros", "16"),
    )

    groups: int
    eps: float

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take(inputs[0])
        values = {"kind": self.kind, "name": "groups", "groups": self.groups, "inputs": x.channels, "outputs": None}
        return Inferred((x,), (Condition(x.channels, "%", self.groups, "GroupsDoNotDivide", "groups", values),))

    def _groups(self, x: Shape) -> Any:
        return self.groups

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        options = _options(self, {"eps": 1e-5, "affine": True})
        module = call("nn.GroupNorm", self.groups, x.channels, **options)
        return self._without_bias(self.made(Call(SELF, (X,)), module, inputs))


class InstanceNorm(_Norm):
    """Instance normalisation: each channel of each example to mean 0 and variance 1 over its positions (Ulyanov,
    Vedaldi & Lempitsky 2016).

    PyTorch: `nn.InstanceNorm1d`, `nn.InstanceNorm2d`, `nn.InstanceNorm3d`.

    Surprises: as in PyTorch nothing is learned unless `affine` is said.
    """

    kind = "instancenorm"
    primitive = "instance_norm"
    arguments = (
        epsilon(1e-5),
        Argument("affine", Flag(), default=False, help="learns a scale and a shift per channel"),
        *_Norm.common,
    )
    examples = (
        Example("instancenorm", "7x5x8"),
        Example("instancenorm affine", "12x4"),
        Example("instancenorm affine eps=1e-3 init=normal std=0.02", "3x4x5x2"),
        Example("instancenorm affine frozen=bias", "3x4x2"),
    )

    eps: float

    def learned(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.affine else ()

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take_map(inputs[0])
        condition = Condition(product(x.spatial), ">=", 2, "OnePosition", None, {"kind": self.kind, "input": x})
        return Inferred((x,), (condition,))

    def _groups(self, x: Shape) -> Any:
        return x.channels

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        options = _options(self, {"eps": 1e-5, "affine": False})
        return self.made(Call(SELF, (X,)), call(f"nn.InstanceNorm{x.rank}d", x.channels, **options), inputs)


class RMSNorm(_Norm):
    """Root-mean-square normalisation over channels: at every position, x / sqrt(mean of x² + eps) * weight (Zhang &
    Sennrich 2019).

    PyTorch: `nn.RMSNorm(channels)` on the last axis of a channels-last tensor.

    Surprises: no mean is subtracted and there is no shift; eps is the number format's own (1.2e-7) unless given.
    """

    kind = "rmsnorm"
    primitive = "rms_norm"
    arguments = (
        epsilon(None, "added to the mean square; the number format's smallest step if not given"),
        AFFINE,
        *_Norm.common,
    )
    examples = (
        Example("rmsnorm", "12x64"),
        Example("rmsnorm eps=1e-6", "7x5x8"),
        Example("rmsnorm noaffine", "64"),
        Example("rmsnorm frozen", "3x2x2x4"),
    )

    eps: float | None

    def _groups(self, x: Shape) -> Any:
        return product(x.spatial)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        options = _options(self, {"eps": None})
        if not self.affine:
            options["elementwise_affine"] = False
        return self.made(
            Call(SELF, (X,)), call("nn.RMSNorm", x.channels, **options), inputs, layout="last" if x.rank else "any"
        )


class LocalResponseNorm(Layer):
    """Local response normalisation: every cell divided by a sum over neighbouring channels (Krizhevsky et al. 2012).

    y = x / (k + alpha / size * sum of x² over `size` channels around)^beta.

    PyTorch: `F.local_response_norm`.

    Surprises: alpha is divided by the size, as in PyTorch and Caffe; the AlexNet paper and TensorFlow don't
    divide. The paper's n = 5, k = 2, alpha = 1e-4, beta = 0.75 is `lrn 5 alpha=5e-4 k=2`.
    """

    kind = "lrn"
    family = "normalisation"
    arguments = (
        Argument("size", Count(), default=5, positional=True, unit="channels", help="how many channels are summed"),
        Argument("alpha", Number(), default=1e-4, help="factor of the mean square"),
        Argument("beta", Number(), default=0.75, help="exponent"),
        Argument("k", Number(), default=1.0, help="what is added to the sum"),
    )
    examples = (
        Example("lrn 5", "7x5x8"),
        Example("lrn 4 alpha=5e-4 beta=0.5 k=2", "7x5x8"),
        Example("lrn", "9x6"),
        Example("lrn 3 k=2", "3x4x5x6"),
    )

    size: int
    alpha: float
    beta: float
    k: float

    def infer(self, *inputs: Shape) -> Inferred:
        return Inferred((self.take_map(inputs[0]),))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        return (Operation("local_response_norm", x.elements, x.elements, product(x.spatial), window=self.size),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        options = _options(self, {"alpha": 1e-4, "beta": 0.75, "k": 1.0})
        return Code(call("F.local_response_norm", X, self.size, **options))


class L2Norm(Elementwise):
    """L2 normalisation: at every position the channels, as a vector, to length 1.

    y = x / max(length of x, eps).

    PyTorch: `F.normalize(x, dim=1)`.

    Surprises: nothing is learned; SSD's L2 normalisation has a scale of 20 behind it (`scale 20`).
    """

    kind = "l2norm"
    family = "normalisation"
    primitive = "l2_norm"
    arguments = (epsilon(1e-12, "the least length that is divided by"),)
    examples = (Example("l2norm", "128"), Example("l2norm eps=1e-6", "7x5x8"), Example("l2norm", "9x4"))

    eps: float

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        return (Operation("l2_norm", x.elements, x.elements, product(x.spatial)),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call("F.normalize", X, dim=1, **_options(self, {"eps": 1e-12})))


def _options(layer: Layer, defaults: dict[str, Any]) -> dict[str, Any]:
    """The layer's arguments among these that differ from PyTorch's defaults."""
    values = layer.__dict__
    return {name: values[name] for name, default in defaults.items() if values[name] != default}
