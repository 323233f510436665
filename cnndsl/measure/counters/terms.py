"""What the tables of other tools' counts are made of: what a tool counts of an operation besides its
multiply-accumulates, and why."""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.layers.base import Layer, Operation
from cnndsl.measure.primitives import core_macs
from cnndsl.record import Record
from cnndsl.shape import Shape, product


class Step(Record):
    """One primitive operation of a layer on its inputs, as the rules see it."""

    operation: Operation
    layer: Layer
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


Amount = Callable[[Step], int]


class Term(Record):
    """What a tool counts besides an operation's multiply-accumulates, negative where it counts less, and why."""

    amount: Amount
    reason: str


Terms = dict[str, tuple[Term, ...]]
"""By primitive, how a tool's count of an operation differs from its multiply-accumulates. Where a tool looks at the
module's class and not at the operation, the kind stands before it: `attention.linear`."""


class Counter(Record):
    """One tool's way of counting.

    name: what `--count` calls it. tool: the package, with the version that was measured. unit: what the tool calls
    its number. convention: how it counts, in a sentence. terms: how it differs from core.
    """

    name: str
    tool: str
    unit: str
    convention: str
    terms: Terms

    def terms_of(self, kind: str, primitive: str) -> tuple[Term, ...]:
        """The terms for one of a layer's operations."""
        own = self.terms.get(f"{kind}.{primitive}")
        return self.terms.get(primitive, ()) if own is None else own

    @property
    def title(self) -> str:
        """The head of its column."""
        return self.unit if self.name == "core" else f"{self.name} {self.unit}"

    def said(self) -> str:
        """The convention as every output prints it."""
        if self.name == "core":
            return self.convention
        return f"{self.title}: as {self.tool} counts one example in evaluation; {self.convention}."


def core(step: Step) -> int:
    """The multiply-accumulates once more."""
    return int(core_macs(step.operation))


def uncounted(step: Step) -> int:
    """What takes the multiply-accumulates away."""
    return -core(step)


def inputs(times: int = 1) -> Amount:
    """So many for each element that goes in."""
    return lambda step: times * int(step.operation.inputs)


def outputs(times: int = 1) -> Amount:
    """So many for each element that comes out."""
    return lambda step: times * int(step.operation.outputs)


def norm(scaled: int, plain: int) -> Amount:
    """So many for each input, depending on whether there is a learned scale."""
    return lambda step: int(step.operation.inputs) * (scaled if step.operation.weights else plain)


def biases(step: Step) -> int:
    """One for every bias that is added."""
    return int(step.operation.outputs) if step.operation.bias else 0


def of_rank(amount: Amount, *ranks: int) -> Amount:
    """The amount where the layer works on so many spatial axes, else nothing."""
    return lambda step: amount(step) if step.inputs[0].rank in ranks else 0


def as_module(amount: Amount) -> Amount:
    """The amount where there is a module for it: `upsample to=…` can only be a call of `F.interpolate`."""
    return lambda step: 0 if getattr(step.layer, "to", None) is not None else amount(step)


def dense_zeros(times: int) -> Amount:
    """A connection table's kernels that are not there: they are multiplied as zeros."""
    return lambda step: times * int((step.operation.links - step.operation.weights) * step.operation.positions)


def parameters(step: Step) -> int:
    """Every parameter that PyTorch calls `weight` or `bias`."""
    weights = step.layer.weights(*step.inputs)
    return sum(int(product(w.shape)) for w in weights if w.kind != "buffer" and w.name in ("weight", "bias"))


def at_outputs(step: Step) -> int:
    """A transposed convolution's weights at each output position instead of each input position."""
    op = step.operation
    return int(op.weights * (op.outputs // step.outputs[0].channels - op.positions))


def steps(**times: int) -> Amount:
    """What a recurrent layer's gates do besides their sums: so many for each unit and step, by the layer's kind."""
    return lambda step: times[step.operation.primitive] * int(step.operation.outputs)


def recurrent_biases(step: Step) -> int:
    """Both biases of each sum at every step."""
    return int(step.operation.links)


def is_function(step: Step) -> bool:
    """Whether a linear map is a call of `F.linear`, not a module: that of queries, keys and values, of which the keys
    have no bias."""
    op, layer = step.operation, step.layer
    return op.bias and getattr(layer, "cosine", False) and op.outputs == 3 * op.inputs


def unless_function(amount: Amount) -> Amount:
    """The amount where a linear map is a module."""
    return lambda step: 0 if is_function(step) else amount(step)


def if_function(amount: Amount) -> Amount:
    """The amount where a linear map is a call of `F.linear`."""
    return lambda step: amount(step) if is_function(step) else 0


def hidden(times: int = 1) -> Amount:
    """So many for each hidden unit of the network that gives attention's biases."""
    return lambda step: times * int(step.operation.links)


TWO = "a multiply-accumulate counts as two operations, a multiplication and an addition"
ZEROS = "a connection table becomes a full convolution whose other kernels are zero"


def products_unseen(tool: str) -> str:
    """The reason where a tool overlooks matrix products that are no modules."""
    return f"{tool} does not see attention's two products, queries with keys and weights with values"


def functions_unseen(tool: str) -> str:
    """The reason where a tool overlooks calls of `F.linear`."""
    return f"{tool} sees modules alone, and the map of `cosine`'s queries, keys and values is a call of F.linear"


def no_rule(tool: str) -> str:
    """The reason where a tool overlooks a layer."""
    return f"{tool} has no rule for the layer and counts nothing"


TWICE = (Term(core, TWO),)


INSIDE_LRN = "the squares, the average pool and the scaling inside a local response norm count 1 for each element"


def inside_lrn(step: Step) -> int:
    """Two multiplications and an addition for each element, and the inputs of a pool that has padded channels."""
    op = step.operation
    return int(4 * op.inputs + (op.window - 1) * op.positions)
