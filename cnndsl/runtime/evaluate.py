"""Expressions that are data (`cnndsl.layers.code`) made into functions of tensors.

The expressions come from the training vocabulary alone, never from a spec.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from cnndsl.layers.code import Attribute, Binary, Call, Input

_ROOTS = {"F": functional, "torch": torch}
_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}

Function = Callable[..., Any]


def function(expression: Any) -> Function:
    """A function of the expression's inputs, in their order."""
    if isinstance(expression, Input):
        index = expression.index
        return lambda *inputs: inputs[index]
    if isinstance(expression, Binary):
        combine = _OPERATORS[expression.operator]
        left, right = function(expression.left), function(expression.right)
        return lambda *inputs: combine(left(*inputs), right(*inputs))
    if isinstance(expression, Attribute):
        owner, name = function(expression.owner), expression.name
        return lambda *inputs: getattr(owner(*inputs), name)
    if isinstance(expression, Call):
        return _call(expression)
    return lambda *inputs: expression


def _call(expression: Call) -> Function:
    name = expression.function
    assert isinstance(name, str)
    parts = [function(argument) for argument in expression.args]
    options = dict(expression.kwargs)
    if name.startswith("."):
        method = name[1:]

        def call_method(*inputs: Any) -> Any:
            owner, *rest = (part(*inputs) for part in parts)
            return getattr(owner, method)(*rest, **options)

        return call_method
    root, *path = name.split(".")
    called: Any = _ROOTS[root]
    for attribute in path:
        called = getattr(called, attribute)
    return lambda *inputs: called(*(part(*inputs) for part in parts), **options)
