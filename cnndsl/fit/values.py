"""What may vary, as it is written: `width`, `width=8..256:8`, `width=16,32,64`, `input=32..512:32`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from cnndsl.diagnostics import closest
from cnndsl.fit import Axis
from cnndsl.graph import Graph
from cnndsl.layers.bind import written
from cnndsl.terminal import visible

LARGEST = 1 << 20
"""The largest value of a range that has no end."""
MOST_VALUES = 1 << 20
"""Values of one axis."""

_RANGE = re.compile(
    r"(?P<low>[0-9][0-9_]*(?:\.[0-9]+)?)\.\.(?P<high>[0-9][0-9_]*(?:\.[0-9]+)?)?(?::(?P<step>[0-9][0-9_]*(?:\.[0-9]+)?))?"
)


class BadAxis(Exception):  # noqa: N818
    """A text that says nothing that can vary; the message says why."""


def axis(text: str, graph: Graph) -> Axis:
    """What a text says of a network. Raises BadAxis."""
    name, equals, values = (part.strip() for part in text.partition("="))
    inputs = [graph.nodes[i].name for i in graph.inputs]
    sizes = name == "input" or (name in inputs and name not in graph.parameters)
    if sizes and name == "input" and name not in inputs:
        if len(inputs) != 1:
            raise BadAxis(f"there are several inputs: {', '.join(inputs)}; name the one that varies")
        name = inputs[0]
    if not sizes and name not in graph.parameters:
        known = [*graph.parameters, "input"]
        guess = closest(name, known)
        suggestion = f"did you mean {guess}?" if guess else f"there are {', '.join(known)}"
        raise BadAxis(f"the network has no parameter '{visible(name)}'; {suggestion}")
    if equals and not values:
        raise BadAxis(f"'{visible(text)}' names no values, such as {name}=8..256:8 or {name}=16,32,64")
    if not equals:
        return _bare(name, sizes, graph)
    found = _RANGE.fullmatch(values)
    if found is None and ".." in values:
        raise BadAxis(f"'{visible(values)}' is no range, such as 8..256, or 8..256:8 for multiples of 8")
    if found is not None:
        return Axis(name, _range(found), sizes, found["high"] is None)
    return Axis(name, _listed(values), sizes)


def _bare(name: str, sizes: bool, graph: Graph) -> Axis:
    """A name alone: every whole number from 1 on; false and true for a switch."""
    value = 1 if sizes else graph.parameters[name]
    if isinstance(value, bool):
        return Axis(name, (False, True))
    if not isinstance(value, int):
        raise BadAxis(
            f"{name} is {visible(written(value))}, no whole number: name the values to try, as in {name}=…,…".replace(
                "…,…", "A,B,C"
            )
        )
    return Axis(name, range(1, LARGEST + 1), sizes, True)


def _range(found: re.Match[str]) -> Sequence[Any]:
    """The whole numbers of a range, or with a step its multiples. Raises BadAxis."""
    low, step = Decimal(found["low"].replace("_", "")), Decimal((found["step"] or "1").replace("_", ""))
    high = Decimal((found["high"] or str(LARGEST)).replace("_", ""))
    if not step:
        raise BadAxis("a range's step can't be 0")
    if found["step"] is None and low % 1:
        raise BadAxis(f"'{found[0]}' needs a step, such as {found[0]}:0.25")
    first, last = low // step + (low % step > 0), high // step
    count = int(last - first) + 1
    if count < 1:
        what = f"multiple of {step}" if found["step"] else "number"
        raise BadAxis(f"there is no {what} from {low} to {high}")
    if count > MOST_VALUES:
        raise BadAxis(f"'{found[0]}' are {count:,} values; {MOST_VALUES:,} can be searched")
    if step % 1 == 0:
        return range(int(first * step), int(last * step) + 1, int(step))
    return tuple(float((first + i) * step) for i in range(count))


def _listed(text: str) -> Sequence[Any]:
    """Values as they are listed; numbers from small to large. Raises BadAxis."""
    values = [_value(part.strip()) for part in text.split(",")]
    if "" in values:
        raise BadAxis(f"'{visible(text)}' has an empty place; write values with commas, such as 16,32,64")
    if len(set(map(repr, values))) != len(values):
        raise BadAxis(f"'{visible(text)}' names a value twice")
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return tuple(sorted(values)) if numbers else tuple(values)


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def setting_text(value: Any) -> str:
    """A value as `--set` takes it."""
    return written(value)
