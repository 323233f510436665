"""Layers written as other libraries' Python has them: `nn.Conv2d(1, 32, 3)`, `Dense(10, activation="relu")`.

Only lines that can't be read are looked at. What a call of PyTorch or Keras means is written as a spec has it, where
all of its arguments have a place there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cnndsl.syntax.fault import SyntaxFault

_call = re.compile(
    r"(?P<target>(?:self\.)?[A-Za-z_]\w*\s*=\s*|(?:\w+\.)?add\(\s*)?(?:[A-Za-z_]\w*\.)*(?P<name>[A-Z]\w*)\s*\(.*\)\s*,?"
)
_plain_call = re.compile(r"(?P<name>[a-z]\w*)\((?P<arguments>[\w\s.,=/]*)\)")

ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "elu": "elu", "selu": "selu", "celu": "celu", "gelu": "gelu", "silu": "silu",
    "swish": "silu", "mish": "mish", "sigmoid": "sigmoid", "tanh": "tanh", "softmax": "softmax",
    "logsoftmax": "logsoftmax", "softplus": "softplus", "hardswish": "hardswish", "hardsigmoid": "hardsigmoid",
    "prelu": "prelu",
}  # fmt: skip


class Unknown(Exception):  # noqa: N818 (says that there is no translation)
    """An argument that has no place in a spec, or is no plain value."""


def foreign_call(text: str) -> SyntaxFault | None:
    """The fault of a line that is a call, as other libraries write layers, if it is one."""
    stripped = text.strip()
    found = _call.fullmatch(stripped)
    start = len(text) - len(text.lstrip())
    if found is not None:
        plain = _translated(stripped)
        fix = (f"write `{plain}`", plain) if plain is not None else None
        return SyntaxFault(
            "ForeignCall", start, start + len(stripped), fix=fix, ends=True, applicability="likely",
            name=found["name"], plain=plain,
        )  # fmt: skip
    found = _plain_call.fullmatch(stripped)
    if found is None:
        return None
    words = [word.strip() for word in found["arguments"].split(",") if word.strip()]
    numbers = [word for word in words if word.isdigit()]
    if len(numbers) == 3:
        words = [_one_size(numbers), *words[3:]] if words[:3] == numbers else []
    elif len(numbers) == 2:
        words = ["x".join(numbers), *words[2:]] if words[:2] == numbers and len(set(numbers)) == 1 else []
    plain = " ".join([found["name"], *words])
    at = start + len(found["name"])
    simple = len(numbers) < 4 and (words or not found["arguments"].strip()) and not any(" " in word for word in words)
    return SyntaxFault(
        "Parentheses", at, at + 1, fix=(f"write `{plain}`", plain) if simple else None,
        fix_at=(start, start + len(stripped)), ends=True, applicability="likely", name=found["name"],
    )  # fmt: skip


def _one_size(numbers: list[str]) -> str:
    """Three numbers as kernel and channels: two equal ones are the kernel, else it is PyTorch's order: channels in,
    channels out, kernel."""
    first, second, third = numbers
    if first == second:
        return f"{first}x{second}x{third}"
    return f"{second}x{third}x{first}" if second == third else f"{third}x{third}x{second}"


def _translated(text: str) -> str | None:
    """A line of PyTorch or Keras as a spec has it; None if something in it has no place there."""
    import ast  # Only for a line that can't be read.

    name = ""
    try:
        (statement,) = ast.parse(text.rstrip(",").strip()).body
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        value: Any = statement.value  # type: ignore[attr-defined]
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "add":
            value = value.args[0]
        if isinstance(value.func, ast.Call):  # Keras: Conv2D(8, 3)(x)
            value = value.func
        called = called_name(value)
        given, named = plain_arguments(value)
        made = items_of(called, given, named)
    except (Unknown, SyntaxError, ValueError, AttributeError, IndexError, TypeError, KeyError, RecursionError):
        return None
    if made is not None and name and name.isascii() and name not in ("x", "out", "y", "model"):
        first, *others = made
        made = [f"{first} as {name}", *others]
    return None if made is None else ", ".join(made)


def plain_arguments(call: Any) -> tuple[list[Any], dict[str | None, Any]]:
    """The values of a call's arguments, by place and by name. Raises ValueError where one is not a plain value."""
    return [_plain(one) for one in call.args], {one.arg: _plain(one.value) for one in call.keywords}


def _plain(node: Any) -> Any:
    """A value as it is written; products, as in `32 * 7 * 7`, are multiplied."""
    import ast

    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _plain(node.left), _plain(node.right)
        if type(left) is type(right) is int:
            return left * right
    return ast.literal_eval(node)


def called_name(call: Any) -> str:
    """The last part of what a call calls: `Conv2d` of `nn.Conv2d(3, 8, 3)`. Raises AttributeError."""
    name: str = call.func.attr if hasattr(call.func, "attr") else call.func.id
    return name


def items_of(called: str, given: list[Any], named: dict[str | None, Any]) -> list[str] | None:
    """The items that a call makes, without what is said only about the input; None where there is no such layer.
    Raises Unknown."""
    word = called.lower()
    rank = int(word[-2]) if re.search(r"[123]d$", word) else 0
    base = re.sub(r"[123]d(?=$|transpose$)", "", word)
    if rank == 0 and (sized := re.search(r"([123])dtranspose$", word)):
        rank = int(sized[1])
    keras = called.removesuffix("Transpose").endswith("D") or "units" in named or "filters" in named
    for ignored in ("input_shape", "input_dim", "name", "inplace", "kernel_initializer", "data_format"):
        named.pop(ignored, None)
    if base in ACTIVATIONS and not given:
        return [ACTIVATIONS[base]]
    make = _MAKERS.get(base)
    if make is None:
        return None
    activation = named.pop("activation", None)
    made = make(rank, keras, given, named)
    if named:
        raise Unknown
    if activation in (None, "linear"):
        return [made]
    return [made, ACTIVATIONS[str(activation)]]


def _take(given: list[Any], named: dict[str | None, Any], *names: str, default: Any = None) -> Any:
    """The next argument, by place or by one of its names."""
    if given:
        return given.pop(0)
    for name in names:
        if name in named:
            return named.pop(name)
    return default


def _sides(value: Any, rank: int) -> str:
    sides = tuple(value) if isinstance(value, (tuple, list)) else (value,) * max(rank, 1)
    if not all(type(side) is int for side in sides):
        raise Unknown
    return "x".join(map(str, sides))


def _window(rank: int, named: dict[str | None, Any], stride: Any, padding: Any) -> list[str]:
    """What a window's stride, padding, dilation and groups are in a spec, where they are not 1 or none."""
    words = []
    if stride not in (None, 1) and (not isinstance(stride, (tuple, list)) or set(stride) != {1}):
        words.append(f"/{stride}" if isinstance(stride, int) else f"/{_sides(stride, rank)}")
    if padding == "same":
        words.append("same")
    elif padding not in (None, 0, "valid"):
        words.append(f"pad={padding}" if isinstance(padding, int) else f"pad={_sides(padding, rank)}")
    for one, other in (("dilation", "dilation_rate"), ("groups", "groups")):
        value = _take([], named, one, other, default=1)
        if value not in (1, (1, 1)):
            words.append(f"{one}={_sides(value, 1)}")
    if _take([], named, "bias", "use_bias", default=True) is False:
        words.append("nobias")
    return words


def _convolution(kind: str) -> Callable[..., str]:
    def make(rank: int, keras: bool, given: list[Any], named: dict[str | None, Any]) -> str:
        if not keras:
            _take(given, named, "in_channels")
        channels = _take(given, named, "out_channels", "filters")
        kernel = _take(given, named, "kernel_size")
        stride = _take(given, named, "stride", "strides")
        padding = _take(given, named, "padding")
        if type(channels) is not int or kernel is None or given:
            raise Unknown
        return " ".join([kind, f"{_sides(kernel, rank)}x{channels}", *_window(rank, named, stride, padding)])

    return make


def _pool(mode: str) -> Callable[..., str]:
    def make(rank: int, _: bool, given: list[Any], named: dict[str | None, Any]) -> str:
        kernel = _take(given, named, "kernel_size", "pool_size", default=2)
        stride = _take(given, named, "stride", "strides")
        padding = _take(given, named, "padding")
        if given:
            raise Unknown
        if stride == kernel:
            stride = None
        size = str(kernel) if isinstance(kernel, int) else _sides(kernel, rank)
        words = [f"/{stride}"] if stride == 1 else []
        return " ".join(["pool", size, *mode.split(), *words, *_window(rank, named, stride, padding)])

    return make


def _units(kind: str) -> Callable[..., str]:
    def make(_rank: int, _keras: bool, given: list[Any], named: dict[str | None, Any]) -> str:
        if kind == "dense" and (len(given) > 1 or "out_features" in named):
            _take(given, named, "in_features")
        units = _take(given, named, "out_features", "units", "hidden_size")
        if type(units) is not int or given:
            raise Unknown
        return " ".join([kind, str(units), *_window(1, named, None, None)])

    return make


def _without(item: str) -> Callable[..., str]:
    """A layer whose arguments say what a spec knows by itself."""

    def make(_rank: int, _keras: bool, given: list[Any], named: dict[str | None, Any]) -> str:
        given.clear()
        _take([], named, "num_features", "axis", "start_dim", "dim")
        return item

    return make


def _number(kind: str, default: float | None, *names: str) -> Callable[..., str]:
    def make(_rank: int, _keras: bool, given: list[Any], named: dict[str | None, Any]) -> str:
        value = _take(given, named, *names, default=default)
        if not isinstance(value, (int, float)) or given:
            raise Unknown
        return f"{kind} {value}"

    return make


def _adaptive(_rank: int, _keras: bool, given: list[Any], named: dict[str | None, Any]) -> str:
    size = _take(given, named, "output_size", default=1)
    sides = set(size) if isinstance(size, (tuple, list)) else {size}
    return "globalpool avg" if sides == {1} else f"adaptivepool {_sides(size, 1)}"


def _activation(_rank: int, _keras: bool, given: list[Any], named: dict[str | None, Any]) -> str:
    return ACTIVATIONS[str(_take(given, named, "activation"))]


_MAKERS: dict[str, Callable[..., str]] = {
    "conv": _convolution("conv"),
    "convtranspose": _convolution("deconv"),
    "convtransposed": _convolution("deconv"),
    "maxpool": _pool(""),
    "maxpooling": _pool(""),
    "avgpool": _pool("avg"),
    "averagepooling": _pool("avg"),
    "linear": _units("dense"),
    "dense": _units("dense"),
    "batchnorm": _without("bn"),
    "batchnormalization": _without("bn"),
    "layernorm": _without("ln"),
    "flatten": _without("flatten"),
    "softmax": _without("softmax"),
    "logsoftmax": _without("logsoftmax"),
    "globalaveragepooling": _without("globalpool avg"),
    "globalmaxpooling": _without("globalpool max"),
    "dropout": _number("dropout", 0.5, "p", "rate"),
    "leakyrelu": _number("leaky", None, "negative_slope", "alpha"),
    "adaptiveavgpool": _adaptive,
    "activation": _activation,
}
