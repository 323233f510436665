"""What figures write: sizes, and operations in as many words as there is room for."""

from __future__ import annotations

from cnndsl.draw.outline import Item
from cnndsl.draw.text import width
from cnndsl.numbers import UNKNOWN
from cnndsl.shape import Shape

FULL, ACTIVE, BARE, SHORT, NONE = 0, 1, 2, 3, 4
"""How much an operation says: all that belongs to it; activations only; nothing besides itself; its kernel alone;
nothing at all."""
PRINTED = {
    "bn": "BN",
    "ln": "LN",
    "gn": "GN",
    "lrn": "LRN",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "prelu": "PReLU",
    "leaky": "leaky ReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "RNN",
    "rbf": "RBF",
    "globalpool": "global pool",
    "adaptivepool": "adaptive pool",
    "hardswish": "h-swish",
    "hardsigmoid": "h-sigmoid",
    "clstoken": "class token",
    "posembed": "positions",
    "absdiff": "|a − b|",
    "pixelshuffle": "pixel shuffle",
    "layerscale": "layer scale",
}
"""Kinds whose names are written in another way in print."""
NORMS = frozenset({"bn", "ln", "gn", "instancenorm", "rmsnorm", "lrn", "l2norm"})
QUIET = frozenset({"dropout", "droppath", "noise"})
"""What regularises: it changes nothing of a network that is used."""
_HIDDEN = (
    "[",
    "pad",
    "nobias",
    "same",
    "ceil",
    "nopadcount",
    "outpad",
    "connect",
    "centres",
    "sides",
    "padding",
    "bias",
)
LONGEST_WORD = 14
STRIDE_ROOM = 1.4
"""How much longer than others a line may be that a stride ends: it says little on a line of its own."""


def size_text(shape: Shape | None) -> str:
    """A shape as it is printed: `28×28×6`."""
    return UNKNOWN if shape is None else str(shape).replace("x", "×")


def plane_text(shape: Shape | None) -> str:
    """A shape without its channels: `28×28`; the length of a sequence of tokens."""
    return UNKNOWN if shape is None else "×".join(map(str, shape.spatial))


def printed(title: str) -> str:
    """The kind of a layer's title as it is printed: `ReLU` for `relu`."""
    kind = title.split(" ")[0]
    return PRINTED.get(kind, kind)


def operation(item: Item, words: int = FULL) -> tuple[str, ...]:
    """What an item does, in the parts of which a label is made: `5×5 conv`, `/2`, `tanh`.

    words: FULL to NONE. Empty for an input.
    """
    if item.kind == "input":
        return ()
    if item.children or item.kind in ("block", "repeat"):
        return (item.title.split(" ")[0] if item.kind == "block" else item.title,)
    if words == NONE:
        return ()
    kind, *arguments = item.title.split(" ")
    said = [word for word in arguments if not word.startswith(_HIDDEN) and len(word) <= LONGEST_WORD]
    name = PRINTED.get(kind, kind)
    kernel = _kernel(item, said)
    rest = [word for word in said if not word[0].isdigit() and word[-1] not in ",]"]
    stride = [word.replace("x", "×") for word in rest if word.startswith("/") and word != "/1"]
    ways = [word.replace("=", " ") for word in rest if not word.startswith("/")]
    if kind == "pool" or kind == "globalpool":
        name = f"{'avg' if 'avg' in ways else 'max' if kind == 'pool' or 'max' in ways else 'avg'} pool"
        name = f"global {name}" if kind == "globalpool" else name
        ways = [way for way in ways if way not in ("avg", "max")]
    head = name if not kernel else f"{kernel} {name}" if "×" in kernel else f"{name} {kernel}"
    if words == SHORT:
        return (kernel or name,)
    parts = [head, *stride, *ways] if words < BARE else [head, *stride]
    if words == FULL:
        parts += [printed(title) for title in item.dress]
    elif words == ACTIVE:
        parts += [printed(t) for t in item.dress if t.split(" ")[0] not in NORMS | QUIET]
    return tuple(parts)


def _kernel(item: Item, said: list[str]) -> str:
    """The window of a layer that has one: `5×5`; empty for the others."""
    first = said[0] if said else ""
    if item.role not in ("convolution", "pooling") or not first[:1].isdigit() or item.kind == "adaptivepool":
        return ""
    sides = first.split("x")
    rank = item.shape.rank if item.shape is not None else len(sides)
    if item.kind == "unpool" and len(sides) == 1:
        sides = sides * rank
    if item.role == "convolution" and len(sides) > max(rank, 1):
        sides = sides[:-1]  # the channels are in the shape
    if len(sides) == 1 and rank > 1:
        sides = sides * rank
    return "×".join(sides)


def kernel_sides(item: Item) -> tuple[int, ...]:
    """The sides of a layer's window; empty if it has none."""
    said = item.title.split(" ")[1:]
    kernel = _kernel(item, said)
    return tuple(int(side) for side in kernel.split("×")) if kernel else ()


def lines(parts: tuple[str, ...], size: float, room: float) -> tuple[str, ...]:
    """The parts of a label in lines of about `room` points, none of them broken."""
    found: list[str] = []
    for part in parts:
        stride = part.startswith("/")
        longer = f"{found[-1]}{' ' if stride else ', '}{part}" if found else part
        if found and width(longer, size) <= (room * STRIDE_ROOM if stride else room):
            found[-1] = longer
        else:
            found.append(part)
    return tuple(line if i == len(found) - 1 else _open(line, found[i + 1]) for i, line in enumerate(found))


def _open(line: str, after: str) -> str:
    """A line that goes on: with a comma, unless a stride follows."""
    return line if after.startswith("/") else f"{line},"
