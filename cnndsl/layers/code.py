"""PyTorch as data: what a layer becomes, without importing torch.

`codegen` turns these values into text, and is the only place that knows how names, numbers and strings
are written in Python.
"""

from __future__ import annotations

from typing import Any

from cnndsl.record import Record


class Input(Record):
    """The layer's n-th input tensor, batch first."""

    index: int = 0  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


class Module(Record):
    """The layer's own submodule; `suffix` tells several apart."""

    suffix: str = ""


class Call(Record):
    """`function(*args, **kwargs)`. Arguments are numbers, strings, tuples, Calls, Inputs or Modules.

    `function` is a dotted name (`nn.Conv2d`, `F.relu`), a method (`.flatten`, called on the first
    argument) or a Module, which is called.
    """

    function: str | Module
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()


class Attribute(Record):
    """`owner.name`, such as a submodule's weight."""

    owner: Any
    name: str


class Slice(Record):
    """`start:stop` inside a Subscript; None leaves an end open."""

    start: int | None = None
    stop: int | None = None


class Subscript(Record):
    """`owner[index, …]`; each index a number or a Slice."""

    owner: Any
    index: tuple[int | Slice, ...]  # type: ignore[assignment]


class Binary(Record):
    """`left operator right`, for `+`, `-`, `*` and `/`."""

    operator: str
    left: Any
    right: Any


class Support(Record):
    """A class or function, in PyTorch's terms alone, that the written module needs beside it."""

    name: str
    source: str


class Code(Record):
    """What a layer becomes.

    modules: the submodules to make, each a suffix (`""` for the only one) and a constructor's Call.
    forward: the expression that gives the output (a tuple of expressions for several outputs).
    support: classes that the written file must hold for it.
    layout: where the channels stand in the tensors it takes and gives: `first` (N, C, …), `last`
        (N, …, C), or `any`, for operations to which it is the same.
    setup: calls made once, after the modules: initialisation, freezing.
    extended: for a kind with `extra_outputs`, the expression that gives a tuple of the first output and
        the extra ones; used instead of `forward` where one of those is wanted, and then needs
        `extended_support` besides.
    """

    forward: Any
    modules: tuple[tuple[str, Call], ...] = ()
    support: tuple[Support, ...] = ()
    layout: str = "first"
    setup: tuple[Call, ...] = ()
    extended: Any = None
    extended_support: tuple[Support, ...] = ()


X = Input(0)
SELF = Module("")


def call(function: str | Module, *args: Any, **kwargs: Any) -> Call:
    """A Call, written like one."""
    return Call(function, args, tuple(kwargs.items()))
