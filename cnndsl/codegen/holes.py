"""The numbers in what a step becomes: two steps may differ in nothing else, and then one class serves for both.

A number (or tuple of numbers, truth value, activation function) in a step's code is a hole, with a role that says what
it is for. `holes_of` takes a step apart into its form, which has none, and the values of its holes; `filled` puts
expressions into the places of the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cnndsl.codegen.plan import Step
from cnndsl.layers.code import Attribute, Binary, Call, Slice, Subscript, X
from cnndsl.record import Record
from cnndsl.symbols import expression_of, plain, with_expression


class Text(Record):
    """Python that stands for itself."""

    text: str


class Function(Record):
    """A function of one tensor, such as `F.relu`, as a value."""

    name: str


class Repeated(Record):
    """`*(value for i in range(times))`, among the arguments of a call; only the value if it is made once.

    grows: whether `i` stands in the value.
    """

    value: Any
    times: Any
    grows: bool = False


Hole = tuple[str, Any]
"""A role and a value."""
Visit = Callable[[str, Any], Any]

_ROLES = {
    "nn.Conv": ("in_channels", "out_channels", "kernel_size"),
    "nn.BatchNorm": ("channels",),
    "nn.InstanceNorm": ("channels",),
    "nn.LayerNorm": ("channels",),
    "nn.RMSNorm": ("channels",),
    "nn.GroupNorm": ("groups", "channels"),
    "nn.Linear": ("in_features", "out_features"),
    "nn.Embedding": ("words", "channels"),
    "nn.Dropout": ("rate",),
    "F.max_pool": ("", "kernel_size"),
    "F.avg_pool": ("", "kernel_size"),
    "F.adaptive": ("", "size"),
}
"""What the arguments of these functions are for, by the beginning of their names."""

_SLIDING = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "nn.ConvTranspose": {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "bias": True, "dilation": 1},
    "nn.Conv": _SLIDING,
    "nn.BatchNorm": {"eps": 1e-5, "momentum": 0.1, "affine": True},
    "nn.LayerNorm": {"eps": 1e-5, "elementwise_affine": True},
    "nn.Linear": {"bias": True},
}
"""PyTorch's defaults of arguments that one of two equal layers may have and the other not."""

_FORM = Text("…")


def _of(table: dict[str, Any], function: Any, otherwise: Any) -> Any:
    if not isinstance(function, str):
        return otherwise
    return next((value for name, value in table.items() if function.startswith(name)), otherwise)


def _is_value(value: Any) -> bool:
    if type(value) is tuple:
        return all(map(_is_value, value))
    return isinstance(value, (int, float))


def walk(value: Any, visit: Visit, role: str = "value") -> Any:
    """A value of cnndsl.layers.code with what `visit` gives for each of its numbers."""
    if _is_value(value):
        return visit(role, value)
    if type(value) is tuple:
        return tuple(walk(v, visit, role) for v in value)
    if isinstance(value, list):
        return [walk(v, visit, role) for v in value]
    if isinstance(value, Call):
        return _walk_call(value, visit)
    if isinstance(value, Attribute):
        return Attribute(walk(value.owner, visit), value.name)
    if isinstance(value, Subscript):
        return Subscript(walk(value.owner, visit), tuple(walk(i, visit, "index") for i in value.index))
    if isinstance(value, Slice):
        start = None if value.start is None else visit("start", value.start)
        return Slice(start, None if value.stop is None else visit("stop", value.stop))
    if isinstance(value, Binary):
        return Binary(value.operator, walk(value.left, visit, "factor"), walk(value.right, visit, "factor"))
    return value


def _walk_call(value: Call, visit: Visit) -> Any:
    function = value.function
    if is_function(value):
        return visit("activation", Function(str(function)))
    roles = _of(_ROLES, function, ())
    args = tuple(walk(a, visit, roles[i] if i < len(roles) else "value") for i, a in enumerate(value.args))
    given, defaults = dict(value.kwargs), _of(_DEFAULTS, function, {})
    kwargs = []
    for name in dict.fromkeys((*defaults, *given)):
        made = walk(given.get(name, defaults.get(name)), visit, name)
        if name not in defaults or type(made) is not type(defaults[name]) or made != defaults[name]:
            kwargs.append((name, made))
    return Call(function, args, tuple(kwargs))


def is_function(value: Any) -> bool:
    """Whether a value is a function of the first input and nothing else, such as `F.relu(x)`."""
    if not isinstance(value, Call) or value.args != (X,) or value.kwargs or not isinstance(value.function, str):
        return False
    return value.function.startswith(("F.", "torch."))


def form_of(value: Any, holes: list[Hole]) -> Any:
    """A value without its numbers, which are added to `holes`. It can be hashed."""

    def visit(role: str, hole: Any) -> Any:
        holes.append((role, hole))
        return _FORM

    return _hashable(walk(value, visit))


def _hashable(value: Any) -> Any:
    if isinstance(value, tuple):
        return (type(value).__name__, *map(_hashable, value))
    return ("list", *map(_hashable, value)) if isinstance(value, list) else value


def filler(expressions: Iterator[Any]) -> Visit:
    """For `walk`: puts these expressions into the places of the numbers, in order."""

    def visit(role: str, hole: Any) -> Any:
        made = next(expressions)
        return Call(made.text if isinstance(made, Text) else made.name, (X,)) if isinstance(hole, Function) else made

    return visit


class Piece(Record):
    """Parts of a row that are made alike: equal ones, or ones whose numbers grow by the same each time.

    steps[k]: what the k-th hole of `form` grows by; None if it stays as it is.
    """

    form: Any
    times: int
    starts: tuple[Hole, ...]
    steps: tuple[int | None, ...]


def pieces_of(parts: list[tuple[Any, list[Hole]]]) -> list[Piece]:
    """The parts of a row, each a form and holes, with as little repetition as possible."""
    pieces: list[Piece] = []
    at = 0
    while at < len(parts):
        form, holes = parts[at]
        end = at + 1
        while end < len(parts) and _alike(parts[end], parts[at]):
            end += 1
        steps: tuple[int | None, ...] = (None,) * len(holes)
        if end == at + 1:
            grown = _growth(parts, at)
            if grown is not None:
                steps, end = grown
        pieces.append(Piece(form, end - at, tuple(holes), steps))
        at = end
    return pieces


def _alike(one: tuple[Any, list[Hole]], other: tuple[Any, list[Hole]]) -> bool:
    """Whether two parts are made alike, and the spec says so."""
    if one != other:
        return False
    pairs = zip(one[1], other[1], strict=True)
    return all(expression_of(a) == expression_of(b) for (_, a), (_, b) in pairs)


def _growth(parts: list[tuple[Any, list[Hole]]], at: int) -> tuple[tuple[int | None, ...], int] | None:
    """How the numbers of at least three parts grow from one to the next, and where that ends."""
    steps = _difference(parts, at)
    if steps is None:
        return None
    end = at + 2
    while (more := _difference(parts, end - 1)) == steps and [*map(expression_of, more or ())] == [
        *map(expression_of, steps)
    ]:
        end += 1
    return (tuple(step or None for step in steps), end) if end - at > 2 else None


def _difference(parts: list[tuple[Any, list[Hole]]], at: int) -> list[int] | None:
    if at + 1 >= len(parts) or parts[at][0] != parts[at + 1][0]:
        return None
    found = []
    for (_, a), (_, b) in zip(parts[at][1], parts[at + 1][1], strict=True):
        before, after = expression_of(a), expression_of(b)
        if before == after and plain(a) == plain(b) and type(plain(a)) is type(plain(b)):
            found.append(0)
        elif type(a) is int and type(b) is int:
            found.append(b - a)
        elif isinstance(a, int) and isinstance(b, int) and after[:2] == ("+", before):
            found.append(with_expression(plain(b) - plain(a), after[2]))
        else:
            return None
    return found


def grown(start: Any, step: Any) -> Any:
    """`start + step * i`."""
    text = str(step.text if isinstance(step, Text) else step)
    first = str(start.text if isinstance(start, Text) else start)
    times = f"({text}) * i" if " " in text else "i" if text == "1" else f"{text} * i"
    return Text(f"{first} + {times}" if first != "0" else times)


def own_parts(step: Step) -> tuple[Any, ...]:
    """What makes a layer's modules: constructors, and what is done to them afterwards."""
    assert step.code is not None
    return (*(constructor for _, constructor in step.code.modules), *step.code.setup) if step.owner is None else ()
