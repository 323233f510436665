"""What layers are called in pictures: their items with every value put in, as short as people write them."""

from __future__ import annotations

import re
from typing import Any

from cnndsl.graph import INPUT, Node
from cnndsl.layers.arguments import Argument, Flag, Tensor, Tensors
from cnndsl.layers.base import Layer
from cnndsl.layers.bind import written
from cnndsl.shape import Shape

UNSEEN = frozenset({"bias", "init", "std", "frozen", "l2", "eps", "momentum"})
"""Arguments that change no tensor's shape and nothing that a figure tells: a picture leaves them out."""
SIDES = "sides"
"""What a size begins with that has a number for each side."""
FAMILIES = {
    "convolution": "convolution",
    "pooling": "pooling",
    "dense": "dense",
    "merge": "merge",
    "normalisation": "normalisation",
    "activation": "activation",
    "attention and sequence": "attention",
}
"""The roles that families of kinds have in pictures; all others are `other`."""


def role_of(node: Node) -> str:
    """The role of a node's colour: its family, `input`, or `other`."""
    if node.kind == INPUT:
        return "input"
    return FAMILIES.get(node.layer.family, "other") if node.layer is not None else "unknown"


def title_of(node: Node) -> str:
    """A node's item as one would write it with its numbers: `conv 3x3x64 /2`."""
    if node.kind == INPUT:
        return node.name
    return f"{node.kind} {arguments_text(node.layer)}".rstrip() if node.layer is not None else node.kind


def arguments_text(layer: Layer) -> str:
    """A layer's arguments that say what it does, in the order in which people write them: `3x3x64 /2 same`."""
    packed = [getattr(layer, name, None) for name in layer.pack]
    words = [written((*packed[0], packed[1]))] if packed and isinstance(packed[0], tuple) else []
    late: list[str] = []
    for argument in layer.arguments:
        if (words and argument.name in layer.pack) or argument.name in UNSEEN:
            continue
        said = _said(argument, getattr(layer, argument.name))
        (late if argument.slash or not argument.positional else words).append(said)
    return " ".join(word for word in [*words, *late] if word)


def _said(argument: Argument, value: Any) -> str:
    """One argument, empty if it is as always."""
    if value is None or _same(value, argument.default) or isinstance(argument.type, (Tensor, Tensors)):
        return ""
    if isinstance(value, tuple) and value[:1] == (SIDES,):
        value = value[1][0] if len(set(value[1])) == 1 else [*value[1]]
    if isinstance(value, tuple) and value and all(v == value[0] for v in value) and not argument.positional:
        value = value[0]
    if argument.slash:
        return f"/{written(value)}"
    word = next((word for word, meant in argument.words.items() if meant == value), None)
    if word is not None:
        return word
    if isinstance(argument.type, Flag):
        return f"{argument.name}={written(value)}"
    short = f"{value:g}" if isinstance(value, float) else written(value)
    return short if argument.positional else f"{argument.name}={short}"


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default, which may be one number for all axes."""
    per_axis = isinstance(value, tuple) and isinstance(default, tuple) and len(default) == 1
    return value == default or (per_axis and value == default * len(value))


def shortened(title: str, before: Shape | None, after: Shape | None) -> str:
    """A layer's title without padding that only keeps a map as large as it is, or as its stride makes it."""
    if before is None or after is None or before.rank != after.rank:
        return title
    stride = re.search(r" /([0-9x]+)", title)
    steps = [int(step) for step in stride[1].split("x")] if stride else [1]
    if len(steps) not in (1, before.rank):
        return title
    steps *= before.rank if len(steps) == 1 else 1
    kept = all(-(-a // step) == b for a, step, b in zip(before.spatial, steps, after.spatial, strict=True))
    return re.sub(r" (same|pad=[0-9x]+)(?= |$)", "", title) if kept else title
