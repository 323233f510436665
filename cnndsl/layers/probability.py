"""Random variables within a network."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Tensors
from cnndsl.layers.base import Condition, Example, Inferred, Layer, LayerError, Operation
from cnndsl.layers.code import SELF, Call, Code, Input, Support, call
from cnndsl.shape import Shape


class Gaussian(Layer):
    """Gaussian sample: a random number for each pair of a mean and a logarithm of a variance, the cell in the middle
    of a variational autoencoder (Kingma & Welling 2014).

    In training it gives mean + exp(logvar / 2) * a normal random number, so that gradients reach both; in
    evaluation the mean. Both tensors have the shape of the result. They are named, mean first: `gaussian mu logvar`;
    or the mean is the current tensor, `gaussian logvar`; or they are two arms.

    PyTorch has no such module; the written file holds a small one.

    Surprises: the second tensor is the logarithm of the variance, not a deviation: what a `linear` layer gives can be
    negative. Sampling in evaluation too takes `.train()` of the module.
    """

    kind = "gaussian"
    family = "probability"
    fewest_inputs = 2
    most_inputs = 3
    arguments = (
        Argument(
            "names",
            Tensors(),
            default=(),
            positional=True,
            help="the mean and the log-variance; or the latter alone, if the current tensor is the mean",
        ),
    )
    examples = (Example("gaussian", "20, 20"), Example("gaussian", "7x7x4, 7x7x4"))

    names: tuple[str, ...]

    def infer(self, *inputs: Shape) -> Inferred:
        if len(inputs) == 3 and len(self.names) != 2:
            raise LayerError("WrongNumberOfInputs", None, name=self.kind, wanted="2 tensors", given=3)
        mean, logvar = inputs[-2:]
        if mean.tokens or logvar.tokens or mean.rank != logvar.rank:
            raise LayerError("ArmsOfOtherRank", None, kind=self.kind, inputs=inputs[-2:])
        values = {"kind": self.kind, "inputs": inputs[-2:], "checked": mean.axes}
        conditions = tuple(
            Condition(a, "==", b, "ArmsDiffer", None, {**values, "axis": axis})
            for a, b, axis in zip(mean.sizes, logvar.sizes, mean.axes, strict=True)
        )
        return Inferred((mean,), conditions)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        n = outputs[0].elements
        return (Operation("gaussian", n, n),)

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return tuple(range(inputs[-1].rank))

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        tensors = (Input(len(inputs) - 2), Input(len(inputs) - 1))
        return Code(Call(SELF, tensors), (("", call("Gaussian")),), (_GAUSSIAN,), layout="any")


_GAUSSIAN = Support(
    "Gaussian",
    '''class Gaussian(nn.Module):
    """In training a normal sample of this mean and log-variance (Kingma & Welling 2014), in evaluation the mean."""

    def forward(self, mean, logvar):
        if not self.training:
            return mean
        return mean + (logvar / 2).exp() * torch.randn_like(mean)
''',
)
