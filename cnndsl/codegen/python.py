"""Values of `cnndsl.layers.code` as Python text, broken over lines where they are long."""

from __future__ import annotations

from typing import Any

from cnndsl.codegen.holes import Function, Repeated, Text
from cnndsl.layers.code import Attribute, Binary, Call, Input, Module, Slice, Subscript

WIDTH = 100


class Names:
    """What the places of an expression are called: its inputs, and its layer's module."""

    def __init__(self, inputs: tuple[str, ...], module: str) -> None:
        self.inputs = inputs
        self.module = module


def expression(value: Any, names: Names) -> str:
    """An expression on one line."""
    if isinstance(value, Input):
        return names.inputs[value.index]
    if isinstance(value, Module):
        return f"self.{names.module}{'_' + value.suffix if value.suffix else ''}"
    if isinstance(value, Call):
        return _call(value, names)
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Function):
        return value.name
    if isinstance(value, Repeated):
        return _repeated(value, names)
    if isinstance(value, Attribute):
        return f"{_operand(value.owner, names)}.{value.name}"
    if isinstance(value, Subscript):
        return f"{_operand(value.owner, names)}[{', '.join(_index(i, names) for i in value.index)}]"
    if isinstance(value, Binary):
        return f"{_side(value, value.left, names)} {value.operator} {_side(value, value.right, names, right=True)}"
    if isinstance(value, tuple):
        inner = ", ".join(expression(v, names) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(expression(v, names) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {expression(v, names)}" for k, v in value.items()) + "}"
    return literal(value)


def _repeated(value: Repeated, names: Names) -> str:
    """`*(value for _ in range(times))`."""
    made = expression(value.value, names)
    if value.times == 1 and not value.grows:
        return made
    return f"*({made} for {'i' if value.grows else '_'} in range({expression(value.times, names)}))"


def literal(value: Any) -> str:
    """A number, string, truth value or None in Python's notation."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    if isinstance(value, str):
        text = repr(value)
        return '"' + text[1:-1] + '"' if text[0] == "'" and '"' not in text else text
    return repr(value)


def _call(value: Call, names: Names) -> str:
    args = [expression(a, names) for a in value.args]
    options = [f"{name}={expression(v, names)}" for name, v in value.kwargs]
    function = value.function
    if isinstance(function, str) and function.startswith("."):
        return f"{_operand(value.args[0], names)}{function}({', '.join(args[1:] + options)})"
    callee = function if isinstance(function, str) else expression(function, names)
    return f"{callee}({', '.join(args + options)})"


def _arguments(value: Call, names: Names) -> list[str]:
    return [*(expression(a, names) for a in value.args), *(f"{n}={expression(v, names)}" for n, v in value.kwargs)]


def _operand(value: Any, names: Names) -> str:
    """What a dot or bracket may follow directly."""
    text = expression(value, names)
    return f"({text})" if isinstance(value, (Binary, int, float)) or _is_compound(value) else text


_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "@": 2}


def _is_compound(value: Any) -> bool:
    return isinstance(value, Text) and " " in value.text


def _side(owner: Binary, value: Any, names: Names, *, right: bool = False) -> str:
    """An operand, in parentheses where it binds less."""
    text = expression(value, names)
    if isinstance(value, Binary):
        own, inner = _BINDS[owner.operator], _BINDS[value.operator]
        if inner < own or (right and inner == own):
            return f"({text})"
    return f"({text})" if _is_compound(value) else text


def _index(index: Any, names: Names) -> str:
    if isinstance(index, Slice):
        start = "" if index.start is None else expression(index.start, names)
        stop = "" if index.stop is None else expression(index.stop, names)
        named = isinstance(index.start, Text) or isinstance(index.stop, Text)
        return f"{start} : {stop}".strip() if named else f"{start}:{stop}"
    return expression(index, names)


def statement(target: str, value: Any, names: Names, indent: str, comment: str = "") -> list[str]:
    """`target = value`, or only `value` if there is no target, with a comment; broken where it is too long."""
    start = f"{indent}{target} = " if target else indent
    line = start + expression(value, names)
    behind = f"  # {comment}" if comment else ""
    if len(line + behind) <= WIDTH:
        return [line + behind]
    if len(line) <= WIDTH:
        return [f"{indent}# {comment}", line]
    above = [f"{indent}# {comment}"] if comment else []
    return [*above, *_broken(start, value, names, indent)]


def _broken(start: str, value: Any, names: Names, indent: str, end: str = "") -> list[str]:
    """A value over several lines: one argument or item a line, those that fit whole."""
    line = start + expression(value, names) + end
    inner = indent + "    "
    if len(line) <= WIDTH:
        return [line]
    if type(value) is tuple:  # the named tuples of cnndsl.layers.code are no tuples of the written file
        if value and all(isinstance(v, (int, float, str)) for v in value):
            return [start + "(", *_filled(value, inner, names), f"{indent}){end}"]
        body = [text for v in value for text in _broken(inner, v, names, inner, ",")]
        return [f"{start}(", *body, f"{indent}){end}"]
    if isinstance(value, list):
        body = [text for v in value for text in _broken(inner, v, names, inner, ",")]
        return [f"{start}[", *body, f"{indent}]{end}"]
    if isinstance(value, dict):
        body = [text for k, v in value.items() for text in _broken(f"{inner}{literal(k)}: ", v, names, inner, ",")]
        return [f"{start}{{", *body, f"{indent}}}{end}"]
    if isinstance(value, Repeated):
        return _broken_repeated(start, value, names, indent, end)
    if isinstance(value, Call) and not (isinstance(value.function, str) and value.function.startswith(".")):
        callee = value.function if isinstance(value.function, str) else expression(value.function, names)
        if len(value.args) == 1 and not value.kwargs and isinstance(value.args[0], (list, dict)):
            return _broken(f"{start}{callee}(", value.args[0], names, indent, f"){end}")
        whole = inner + ", ".join(_arguments(value, names))
        if len(whole) <= WIDTH and not any(isinstance(a, Repeated) for a in value.args):
            return [f"{start}{callee}(", whole, f"{indent}){end}"]
        body = [text for a in value.args for text in _broken(inner, a, names, inner, ",")]
        body += [text for name, v in value.kwargs for text in _broken(f"{inner}{name}=", v, names, inner, ",")]
        return [f"{start}{callee}(", *body, f"{indent}){end}"]
    return [line]


def _broken_repeated(start: str, value: Repeated, names: Names, indent: str, end: str) -> list[str]:
    if value.times == 1 and not value.grows:
        return _broken(start, value.value, names, indent, end)
    inner = indent + "    "
    variable = "i" if value.grows else "_"
    behind = f"{inner}for {variable} in range({expression(value.times, names)})"
    return [f"{start}*(", *_broken(inner, value.value, names, inner), behind, f"{indent}){end}"]


def _filled(values: tuple[Any, ...], indent: str, names: Names) -> list[str]:
    """Numbers of a long tuple, as many on a line as fit."""
    lines = [indent]
    for value in values:
        text = expression(value, names) + ", "
        if len(lines[-1] + text) > WIDTH:
            lines.append(indent)
        lines[-1] += text
    return [line.rstrip() for line in lines]
