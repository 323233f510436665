"""Expressions that are data (`cnndsl.layers.code`) made into functions of tensors.

The expressions come from the training vocabulary alone, never from a spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
from torch.nn import functional

from cnndsl.codegen.python import Names, expression
from cnndsl.layers.code import Support

_INPUTS = tuple(f"x{number}" for number in range(64))
"""What the inputs are called; no network has more codes."""

Function = Callable[..., Any]


def function(value: Any, support: Iterable[Support] = ()) -> Function:
    """A function of the expression's inputs, in their order; more may be given. `support` has what it calls."""
    text = expression(value, Names(_INPUTS, "layer"))
    names = _namespace(tuple(support))
    used = [number for number, name in enumerate(_INPUTS) if name in text]
    inputs = ", ".join(_INPUTS[: max(used, default=-1) + 1])
    made: Function = eval(f"lambda {inputs}, *others: {text}" if inputs else f"lambda *others: {text}", names)
    return made


@cache
def _namespace(support: tuple[Support, ...]) -> dict[str, Any]:
    names: dict[str, Any] = {"torch": torch, "F": functional}
    for one in support:
        exec(compile(one.source, f"<{one.name}>", "exec"), names)
    return names
