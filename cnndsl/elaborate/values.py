"""Arguments as written, evaluated: what binders take, with the place of each."""

from __future__ import annotations

from typing import Any

from cnndsl.elaborate.arithmetic import Budget, EvaluationError, View
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.graph import Edge
from cnndsl.layers.bind import Given, written
from cnndsl.shape import Shape
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line


class Tensor(View):
    """A tensor as expressions see it: `skip.channels`; as an argument it stands for the tensor itself.

    shape: None where an error left it unknown; then asking for a size is silent.
    """

    def __init__(self, name: str, edge: Edge, shape: Shape | None) -> None:
        self.name = name
        self.edge = edge
        self.shape = shape
        self.entries = {}

    @property
    def what(self) -> str:  # type: ignore[override]
        return f"the tensor `{self.name}`"

    @property
    def values(self) -> dict[str, Any]:  # type: ignore[override]
        """Its sizes by the names of its axes. Raises Silent."""
        if self.shape is None:
            raise Silent
        return {
            "shape": self.shape.sizes,
            "channels": self.shape.channels,
            **dict(zip(self.shape.axes, self.shape.sizes, strict=False)),
        }


class Indexed(dict[int, Tensor]):
    """The tensors named with an index: `stage[0]`, `stage[1]`."""


class LocalName(str):
    """A name given to a block: it keeps the frame it was written in, where a tensor's name is looked up."""

    __slots__ = ("frame",)
    frame: Any


def argument_value(node: Any, scope: Scope, budget: Budget) -> Any:
    """The value of what stands behind `name=`, after `/`, or as a parameter's default.

    A name is a name, never a variable. Raises EvaluationError or Silent.
    """
    if isinstance(node, tree.Reference):
        return reference_text(node, scope, budget)
    value = evaluate(node, scope, budget)
    return LocalName(value.name) if isinstance(value, Tensor) else value


def reference_text(reference: tree.Reference | tree.Brace, scope: Scope, budget: Budget) -> str:
    """A name with its indices evaluated: `stage[2].conv1`, or `{skip}`. Raises EvaluationError or Silent."""
    if isinstance(reference, tree.Brace):
        value = argument_value(reference, scope, budget)
        if not isinstance(value, str):
            raise EvaluationError("NotAName", reference, what="a tensor's name", value=written(value))
        return value
    parts = [reference.name]
    for step in reference.steps:
        if isinstance(step, str):
            parts.append(f".{step}")
            continue
        index = evaluate(step, scope, budget)
        if not isinstance(index, (int, str)) or isinstance(index, bool):
            raise EvaluationError("BadIndex", step, value=str(index))
        parts.append(f"[{index}]")
    return "".join(parts)


def given_arguments(
    arguments: tuple[Any, ...], line: Line, scope: Scope, budget: Budget, rest: tuple[list[Given], list[Span]] | None
) -> tuple[list[Given], list[Span]]:
    """The arguments of an item for a binder, and the place of each. Raises EvaluationError or Silent.

    rest: what `...` stands for in the block that the item is in, if it has one.
    """
    given: list[Given] = []
    places: list[Span] = []
    for argument in arguments:
        if isinstance(argument, tree.Rest):
            if rest is None:
                raise EvaluationError(
                    "NotHere", argument, what="`...`", why="only the body of a block has further arguments"
                )
            given += rest[0]
            places += rest[1]
            continue
        given.append(_given(argument, scope, budget))
        places.append(line.span(argument))
    return given, places


def _given(argument: Any, scope: Scope, budget: Budget) -> Given:
    if isinstance(argument, tree.Named):
        return Given("named", argument_value(argument.value, scope, budget), argument.name)
    if isinstance(argument, tree.Slash):
        return Given("slash", argument_value(argument.value, scope, budget))
    if isinstance(argument, tree.Text):
        return Given("value", argument.value)
    value = argument_value(argument, scope, budget)
    return Given("word" if isinstance(value, str) else "value", value)


def is_static(node: Any) -> bool:
    """Whether an argument says the same wherever it stands: no expression, no name with steps, no `...`."""
    if isinstance(node, (tree.Number, tree.Text, tree.Truth)):
        return True
    if isinstance(node, tree.Sides):
        return all(isinstance(side, tree.Number) for side in node.sides)
    if isinstance(node, tree.Reference):
        return not node.steps
    if isinstance(node, (tree.Named, tree.Slash)):
        return is_static(node.value)
    if isinstance(node, tree.Sequence):
        return all(is_static(item) for item in node.items)
    return False


NO_SCOPE = Scope()
