"""Values of `cnndsl.layers.code` as Python text, broken over lines where they are long."""

from __future__ import annotations

from typing import Any

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
    return literal(value)


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


def _operand(value: Any, names: Names) -> str:
    """What a dot or bracket may follow directly."""
    text = expression(value, names)
    return f"({text})" if isinstance(value, (Binary, int, float)) else text


_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "@": 2}


def _side(owner: Binary, value: Any, names: Names, *, right: bool = False) -> str:
    """An operand, in parentheses where it binds less."""
    text = expression(value, names)
    if isinstance(value, Binary):
        own, inner = _BINDS[owner.operator], _BINDS[value.operator]
        if inner < own or (right and inner == own):
            return f"({text})"
    return text


def _index(index: Any, names: Names) -> str:
    if isinstance(index, Slice):
        start = "" if index.start is None else str(index.start)
        stop = "" if index.stop is None else str(index.stop)
        return f"{start}:{stop}"
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
    if isinstance(value, Call) and not (isinstance(value.function, str) and value.function.startswith(".")):
        callee = value.function if isinstance(value.function, str) else expression(value.function, names)
        body = [text for a in value.args for text in _broken(inner, a, names, inner, ",")]
        body += [text for name, v in value.kwargs for text in _broken(f"{inner}{name}=", v, names, inner, ",")]
        return [f"{start}{callee}(", *body, f"{indent}){end}"]
    return [line]


def _filled(values: tuple[Any, ...], indent: str, names: Names) -> list[str]:
    """Numbers of a long tuple, as many on a line as fit."""
    lines = [indent]
    for value in values:
        text = expression(value, names) + ", "
        if len(lines[-1] + text) > WIDTH:
            lines.append(indent)
        lines[-1] += text
    return [line.rstrip() for line in lines]
