"""Whole programs of PyTorch and Keras as specs: the layers in the order in which they are applied.

A program is translated only where all of it is understood: a chain of layers, of which each takes what the one before
it gives. Nothing is run; what the text says is looked at.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from cnndsl.record import Record
from cnndsl.syntax.foreign import ACTIVATIONS, Unknown, called_name, items_of, plain_arguments

LONGEST = 100_000
"""Characters of a program that is looked at."""

_PLAIN = ("view", "reshape", "flatten")
_SAME = ("contiguous", "float", "to")
_FAILURES = (Unknown, ValueError, AttributeError, IndexError, TypeError, KeyError, RecursionError)


class Spec(Record):
    """A program as a spec. guess: what of it is a guess, as the end of a sentence."""

    text: str
    guess: str


def is_program(text: str) -> bool:
    """Whether a text is a Python program, as far as its syntax goes."""
    return _tree(text) is not None


def _tree(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text) if len(text) <= LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def translated(text: str) -> Spec | None:
    """The network that a program describes; None if not all of it is understood."""
    tree = _tree(text)
    if tree is None:
        return None
    try:
        return _module(tree) or _script(tree)
    except _FAILURES:
        return None


def _spec(name: str, chain: _Chain, size: str | None, guess: str) -> Spec | None:
    if not chain.lines:
        return None
    size = size or "32x32x3"
    return Spec("\n".join([f"network {name}", f"input {size}", *chain.lines]) + "\n", guess)


class _Chain:
    """The lines that were made so far, and how many layers there were when each variable was made."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.made: dict[str, int] = {}
        self.layers: dict[str, list[ast.Call]] = {}
        self.used: set[str] = set()
        self.size: str | None = None
        self.channels: int | None = None
        self.features: int | None = None

    def call(self, call: ast.Call, name: str = "") -> None:
        """Apply a layer that is made by a call of a library's class."""
        called = called_name(call)
        if called == "Sequential":
            for one in _members(call):
                self.call(one)
            return
        given, named = plain_arguments(call)
        if called in ("Input", "InputLayer"):
            self._input(named.get("shape") or named.get("input_shape") or (given[0] if given else None))
            return
        if not self.lines:
            self._first(called, given, named)
        items = items_of(called, given, named)
        if items is None:
            raise Unknown
        if name and not name[-1].isdigit() and name not in ("fc", "conv", "pool", "bn", "relu"):
            items[0] += f" as {name}"
        self.count += 1
        only = len(items) == 1 and " " not in items[0] and items[0] in {*ACTIVATIONS.values(), "bn"} and self.lines
        if only:
            self.lines[-1] += f", {items[0]}"
        else:
            self.lines.append(", ".join(items))

    def _first(self, called: str, given: list[Any], named: dict[str | None, Any]) -> None:
        """What the first layer says of the input."""
        if self.size is None and (shape := named.get("input_shape")) is not None:
            self._input(shape)
        if self.size is None and isinstance(number := named.get("input_dim"), int):
            self.size = str(number)
        if called.lower().startswith("conv"):
            self.channels = named.get("in_channels", given[0] if given else None)
        elif called == "Linear":
            self.size = str(named.get("in_features", given[0] if given else None))

    def _input(self, shape: Any) -> None:
        if not isinstance(shape, (tuple, list)) or not all(type(side) is int for side in shape):
            raise Unknown
        self.size = "x".join(map(str, shape))

    def value(self, node: ast.expr) -> None:
        """Apply what an expression applies to the tensor that the last one gave."""
        if isinstance(node, ast.Name):
            if self.made.get(node.id) != self.count:
                raise Unknown  # a branch
            return
        if not isinstance(node, ast.Call):
            raise Unknown
        function = node.func
        if isinstance(function, ast.Call):  # Keras: Dense(10)(x)
            self.value(node.args[0])
            self.call(function)
        elif isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "self":
            self.value(node.args[0])
            self._own(function.attr)
        elif isinstance(function, ast.Attribute) and function.attr in (*_PLAIN, *_SAME) and not _is_module(function):
            self.value(function.value)
            if function.attr in _PLAIN:
                self._flatten()
        elif called_name(node) in ("Input", "InputLayer"):
            self.call(node)
        else:
            self._function(node)

    def _flatten(self) -> None:
        self.lines.append("flatten")
        self.count += 1

    def _own(self, name: str) -> None:
        """Apply a layer that the module has under a name."""
        calls = self.layers[name]
        if name in self.used and any(called_name(c).startswith(("Conv", "Linear", "BatchNorm")) for c in calls):
            raise Unknown  # shared weights
        self.used.add(name)
        for call in calls:
            self.call(call)

    def _function(self, node: ast.Call) -> None:
        """Apply a function such as `F.relu(x)` or `torch.flatten(x, 1)`."""
        self.value(node.args[0])
        name = called_name(node)
        if name == "flatten":
            self._flatten()
            return
        rest = ast.Call(ast.Name(name.replace("_", "")), node.args[1:], node.keywords)
        if rest.func.id not in (*ACTIVATIONS, "maxpool2d", "avgpool2d", "dropout", "adaptiveavgpool2d"):  # type: ignore[attr-defined]
            raise Unknown
        rest.keywords = [k for k in rest.keywords if k.arg not in ("training", "dim", "axis")]
        if rest.func.id in ACTIVATIONS:  # type: ignore[attr-defined]
            rest.args = []
        self.call(rest)


def _is_module(function: ast.Attribute) -> bool:
    return getattr(function.value, "id", "") in ("torch", "F", "nn", "tf", "keras")


def _members(call: ast.Call) -> list[ast.Call]:
    """The layers that a `Sequential` is made of."""
    members = call.args[0].elts if call.args and isinstance(call.args[0], (ast.List, ast.Tuple)) else call.args
    if not all(isinstance(one, ast.Call) for one in members):
        raise Unknown
    return [one for one in members if isinstance(one, ast.Call)]


# --- PyTorch --------------------------------------------------------------------------------------------------------


def _module(tree: ast.Module) -> Spec | None:
    """The network of a class with `__init__` and `forward`; None if there is no such class."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        functions = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
        if {"__init__", "forward"} <= set(functions):
            chain = _Chain()
            _read_layers(functions["__init__"], chain)
            _read_forward(functions["forward"], chain)
            size, guess = chain.size, ""
            if size is None:
                size, guess = f"32x32x{chain.channels or 3}", "; the input's height and width are a guess"
            return _spec(node.name, chain, size, guess)
    return None


def _read_layers(function: ast.FunctionDef, chain: _Chain) -> None:
    for statement in function.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
            call = statement.value
            if not isinstance(call, ast.Call):
                raise Unknown
            chain.layers[statement.targets[0].attr] = _members(call) if called_name(call) == "Sequential" else [call]


def _read_forward(function: ast.FunctionDef, chain: _Chain) -> None:
    _, argument = function.args.args
    chain.made[argument.arg] = 0
    for statement in function.body:
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            chain.value(statement.value)
            chain.made[target.id] = chain.count  # type: ignore[attr-defined]
        elif isinstance(statement, ast.Return) and statement.value is not None:
            chain.value(statement.value)
        elif not isinstance(statement, ast.Expr):
            raise Unknown


# --- Keras ----------------------------------------------------------------------------------------------------------


def _script(tree: ast.Module) -> Spec | None:
    """The network that a script makes line by line: a `Sequential`, or layers that are called."""
    chain = _Chain()
    model = ""
    for statement in tree.body:
        value = getattr(statement, "value", None)
        if not isinstance(statement, (ast.Assign, ast.Expr)) or not isinstance(value, ast.Call):
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        name = getattr(target, "id", "")
        called = "" if isinstance(value.func, ast.Call) else called_name(value)
        if called == "add" and _owner(value) == model:
            chain.call(value.args[0])  # type: ignore[arg-type]
        elif called == "Sequential":
            model = name
            chain.call(value)
        elif called in ("", "Input"):
            chain.value(value)
            chain.made[name] = chain.count
    if chain.size is None and chain.channels is None:
        return None
    guess = "" if chain.size is not None else "; the input's height and width are a guess"
    return _spec("Model", chain, chain.size or f"32x32x{chain.channels}", guess)


def _owner(call: ast.Call) -> str:
    """`model` of `model.add(…)`."""
    found: str = getattr(getattr(call.func, "value", None), "id", "")
    return found
