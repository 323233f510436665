"""Merges: several tensors to one."""

from __future__ import annotations

from functools import reduce
from typing import Any

from cnndsl.layers.arguments import Argument, Flag, Tensors
from cnndsl.layers.base import Condition, Example, Inferred, Layer, LayerError, Operation
from cnndsl.layers.code import Binary, Code, Input, Slice, Subscript, call
from cnndsl.shape import Shape, Size, maximum, minimum

NAMES = Argument("names", Tensors(), default=(), positional=True, help="tensors to merge besides the current one")
CROP = Argument("crop", Flag(), default=False, help="cuts every tensor, about its centre, to the smallest")


class Merge(Layer):
    """What merges share: the tensors of their arms, or the current one and those named, of one size."""

    family = "merge"
    fewest_inputs = 2
    most_inputs: int | None = None
    arguments = (NAMES, CROP)

    names: tuple[str, ...]
    crop: bool

    def infer(self, *inputs: Shape) -> Inferred:
        ranks = {x.rank for x in inputs}
        if any(x.tokens for x in inputs) or len(ranks) != 1:
            raise LayerError("ArmsOfOtherRank", None, kind=self.kind, inputs=inputs)
        spatial, conditions = self.spatial(inputs)
        channels, more = self.channels(inputs)
        conditions += more
        checked = tuple(dict.fromkeys(condition.values["axis"] for condition in conditions))
        for condition in conditions:
            condition.values["checked"] = checked
        return Inferred((Shape((*spatial, channels)),), conditions)

    def spatial(self, inputs: tuple[Shape, ...]) -> tuple[tuple[Size, ...], tuple[Condition, ...]]:
        """The spatial sizes of the result, and that the inputs have them."""
        first = inputs[0]
        if self.crop:
            smallest = list(first.spatial)
            for x in inputs[1:]:
                smallest = [minimum(a, b) for a, b in zip(smallest, x.spatial, strict=True)]
            return tuple(smallest), ()
        return first.spatial, self.equal(inputs, range(first.rank))

    def channels(self, inputs: tuple[Shape, ...]) -> tuple[Size, tuple[Condition, ...]]:
        """The channels of the result, and what must hold for them."""
        return inputs[0].channels, self.equal(inputs, (inputs[0].rank,))

    def equal(self, inputs: tuple[Shape, ...], axes: Any) -> tuple[Condition, ...]:
        """That all inputs agree on these axes."""
        values = {"kind": self.kind, "inputs": inputs}
        return tuple(
            Condition(x.sizes[axis], "==", inputs[0].sizes[axis], "ArmsDiffer", None, {**values, "axis": x.axes[axis]})
            for x in inputs[1:]
            for axis in axes
        )

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return tuple(range(inputs[0].rank))

    def tensors_of(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Any, ...]:
        """The inputs as expressions, cut to the result's size where they are cropped."""
        spatial = outputs[0].spatial
        return tuple(_cropped(Input(i), x.spatial, spatial) if self.crop else Input(i) for i, x in enumerate(inputs))


class _Pairwise(Merge):
    """A merge that combines its inputs two by two, from the left."""

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        size = outputs[0].elements
        return (Operation(self.kind, size, size),) * (len(inputs) - 1)

    def combined(self, left: Any, right: Any) -> Any:
        """The expression that combines two."""
        raise NotImplementedError(type(self).__name__)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        result, *others = self.tensors_of(inputs, outputs)
        for other in others:
            result = self.combined(result, other)
        return Code(result, layout="first" if self.crop else "any")


class Add(_Pairwise):
    """Sum of its inputs, element by element: what a residual connection ends in.

    All inputs have one shape. PyTorch: `x + y`.
    """

    kind = "add"
    examples = (Example("add", "8x8x4, 8x8x4"), Example("add crop", "8x9x4, 6x6x4, 10x8x4"))

    def combined(self, left: Any, right: Any) -> Any:
        return Binary("+", left, right)


class Mul(_Pairwise):
    """Product of its inputs, element by element; a size of 1 is repeated along its axis (squeeze and excitation).

    PyTorch: `x * y`.
    """

    kind = "mul"
    examples = (Example("mul", "8x8x4, 8x8x4"), Example("mul", "8x8x4, 1x1x4"), Example("mul", "4, 4"))

    def equal(self, inputs: tuple[Shape, ...], axes: Any) -> tuple[Condition, ...]:
        """That all inputs agree on these axes, those of size 1 apart."""
        values = {"kind": self.kind, "inputs": inputs, "ones": True}
        conditions = []
        for axis in axes:
            wide = [x for x in inputs if not _is_one(x.sizes[axis])]
            known = all(isinstance(x.sizes[axis], int) for x in wide)
            for i, x in enumerate(wide[1:]):
                said = {**values, "axis": x.axes[axis]}
                for other in wide[: 1 if known else i + 1]:
                    left, right = _repeatable(x.sizes[axis], other.sizes[axis])
                    conditions.append(Condition(left, "==", right, "ArmsDiffer", None, said))
        return tuple(conditions)

    def spatial(self, inputs: tuple[Shape, ...]) -> tuple[tuple[Size, ...], tuple[Condition, ...]]:
        sizes, conditions = super().spatial(inputs)
        return (sizes if self.crop else tuple(_widest(inputs, i) for i in range(inputs[0].rank))), conditions

    def channels(self, inputs: tuple[Shape, ...]) -> tuple[Size, tuple[Condition, ...]]:
        return _widest(inputs, inputs[0].rank), self.equal(inputs, (inputs[0].rank,))

    def combined(self, left: Any, right: Any) -> Any:
        return Binary("*", left, right)


class Max(_Pairwise):
    """The larger of its inputs, element by element (maxout). All inputs have one shape. PyTorch: `torch.maximum`."""

    kind = "max"
    examples = (Example("max", "8x8x4, 8x8x4"), Example("max", "8x8x4, 8x8x4, 8x8x4"))

    def combined(self, left: Any, right: Any) -> Any:
        return call("torch.maximum", left, right)


class AbsDiff(Merge):
    """The distance of two inputs, element by element: |x - y|, as Siamese networks compare.

    PyTorch: `(x - y).abs()`.
    """

    kind = "absdiff"
    most_inputs = 2
    examples = (Example("absdiff", "64, 64"), Example("absdiff crop", "8x8x4, 6x7x4"))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        size = outputs[0].elements
        return Operation("subtract", size, size), Operation("abs", size, size)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        left, right = self.tensors_of(inputs, outputs)
        return Code(call(".abs", Binary("-", left, right)), layout="first" if self.crop else "any")


class Concat(Merge):
    """Its inputs one behind the other along the channels, in the order of the arms.

    The spatial sizes agree, or are cropped to the smallest (`concat crop`, as U-Net does). PyTorch: `torch.cat`.
    """

    kind = "concat"
    examples = (Example("concat", "8x8x4, 8x8x3"), Example("concat crop", "9x8x4, 6x6x3, 7x7x1"))

    def channels(self, inputs: tuple[Shape, ...]) -> tuple[Size, tuple[Condition, ...]]:
        return sum(x.channels for x in inputs), ()

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        return (Operation("concat", outputs[0].elements, outputs[0].elements),)

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        return Code(call("torch.cat", list(self.tensors_of(inputs, outputs)), 1))


def _cropped(tensor: Input, spatial: tuple[Size, ...], wanted: tuple[Size, ...]) -> Input | Subscript:
    """A channels-first tensor cut to a size about its centre; the odd cell goes at the end."""
    if spatial == wanted:
        return tensor
    cuts = []
    for size, smaller in zip(spatial, wanted, strict=True):
        before = (size - smaller) // 2
        cuts.append(Slice() if size == smaller else Slice(before, before + smaller))
    return Subscript(tensor, (Slice(), Slice(), *cuts))


def _is_one(size: Size) -> bool:
    """Whether a size is known to be 1; vectors and symbols are not."""
    return isinstance(size, int) and size == 1


def _repeatable(a: Size, b: Size) -> tuple[Size, Size]:
    """What must be equal for two sizes, neither known to be 1, to be the same once sizes of 1 are repeated."""
    if isinstance(a, int) and isinstance(b, int):
        return a, b
    return (a - b) * (a - 1) * (b - 1), 0


def _widest(inputs: tuple[Shape, ...], axis: int) -> Size:
    """The size of an axis once sizes of 1 are repeated."""
    wide = [x.sizes[axis] for x in inputs if not _is_one(x.sizes[axis])]
    if all(isinstance(size, int) for size in wide):
        return wide[0] if wide else 1
    return reduce(maximum, wide)
