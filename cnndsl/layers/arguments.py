"""Arguments as typed fields: what a layer kind or a training setting may be given.

A type turns a value as written (an int, a float, a tuple of sizes, a name, a string, a list) into the
value that rules see, or raises `BadValue` with what it wanted. Types are plain objects: declaring an
argument runs no code generation.
"""

from __future__ import annotations

from typing import Any

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED", "__slots__": ()})()
"""The default of an argument that has none."""


class BadValue(Exception):  # noqa: N818
    """A value of the wrong type or range; `wanted` completes "this must be …"."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class Type:
    """Base of argument types. `wanted` says what it accepts, in words for a message."""

    wanted = "a value"

    def words(self) -> dict[str, Any]:
        """Bare words that set an argument of this type, and the values they stand for."""
        return {}

    def convert(self, value: Any) -> Any:
        """The value that rules see. Raises BadValue."""
        raise NotImplementedError


LARGEST = 2**31 - 1
"""The largest whole number that an argument may be: no tensor has a longer side."""


def _alone(value: Any) -> Any:
    """The only side of a size that has one; any other value as it is."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _whole(value: Any) -> int | None:
    """An integer, or a float that is one; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def _within(value: Any, minimum: int | None) -> int | None:
    """The value as a whole number from `minimum` (None: -LARGEST) to LARGEST; else None."""
    whole = _whole(value)
    lowest = -LARGEST if minimum is None else minimum
    return whole if whole is not None and lowest <= whole <= LARGEST else None


class Count(Type):
    """A whole number of at least `minimum`."""

    def __init__(self, minimum: int = 1) -> None:
        self.minimum = minimum
        self.wanted = f"a whole number from {minimum} to {LARGEST:_}"

    def convert(self, value: Any) -> int:
        whole = _within(_alone(value), self.minimum)
        if whole is None:
            raise BadValue(self.wanted)
        return whole


class Integer(Type):
    """Any whole number, negative ones included."""

    wanted = "a whole number"

    def convert(self, value: Any) -> int:
        whole = _within(_alone(value), None)
        if whole is None:
            raise BadValue(self.wanted)
        return whole


class Number(Type):
    """A finite number in `[minimum, maximum]`; `below` makes the upper end exclusive."""

    def __init__(self, minimum: float | None = None, maximum: float | None = None, *, below: bool = False) -> None:
        self.minimum, self.maximum, self.below = minimum, maximum, below
        if minimum is not None and maximum is not None:
            self.wanted = f"a number from {minimum} to {'below ' if below else ''}{maximum}"
        elif minimum is not None:
            self.wanted = f"a number of at least {minimum}"
        else:
            self.wanted = "a number"

    def convert(self, value: Any) -> float:
        value = _alone(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadValue(self.wanted)
        try:
            number = float(value)
        except OverflowError:
            raise BadValue(self.wanted) from None
        too_low = self.minimum is not None and number < self.minimum
        too_high = self.maximum is not None and (number > self.maximum or (self.below and number == self.maximum))
        if number != number or number in (float("inf"), float("-inf")) or too_low or too_high:
            raise BadValue(self.wanted)
        return number


class Sizes(Type):
    """One whole number per axis (`5x5`), or one for all axes (`2`); always a tuple.

    `minimum` bounds each (None: negative ones too); `fewest` and `most` bound how many there may be.
    """

    def __init__(self, minimum: int | None = 1, fewest: int = 1, most: int = 3) -> None:
        self.minimum, self.fewest, self.most = minimum, fewest, most
        sizes = "a size such as 2 or 3x3" if fewest == 1 else "a size such as 28x28x1"
        self.wanted = f"{sizes} of at most {most} sides"
        if minimum is not None:
            self.wanted += f", each from {minimum} to {LARGEST:_}"

    def convert(self, value: Any) -> tuple[int, ...]:
        values = value if isinstance(value, (tuple, list)) else (value,)
        whole = tuple(w for w in (_within(v, self.minimum) for v in values) if w is not None)
        if len(whole) != len(values) or not self.fewest <= len(whole) <= self.most:
            raise BadValue(self.wanted)
        return whole


class Sides(Type):
    """Cells on each side of each axis: one number, `0x1` per axis, or `[top, bottom, left, right]`.

    Converted to a tuple of one number for all axes or one per axis; a list, which has a pair per axis, to
    `("sides", (…))`.
    """

    wanted = "a number, a size such as 0x1, or a list such as [top, bottom, left, right], none negative"

    def convert(self, value: Any) -> Any:
        values = value if isinstance(value, (tuple, list)) else (value,)
        whole = tuple(w for w in (_within(v, 0) for v in values) if w is not None)
        if len(whole) != len(values) or len(whole) not in ((2, 4, 6) if isinstance(value, list) else (1, 2, 3)):
            raise BadValue(self.wanted)
        return ("sides", whole) if isinstance(value, list) else whole


class Padding(Sides):
    """Zeros around the input: what Sides takes, `valid` for none, or `same`, which stays the word."""

    wanted = "`same`, `valid`, " + Sides.wanted

    def words(self) -> dict[str, Any]:
        return {"same": "same", "valid": "valid"}

    def convert(self, value: Any) -> Any:
        if isinstance(value, str):
            if value not in ("same", "valid"):
                raise BadValue(self.wanted)
            return "same" if value == "same" else (0,)
        return super().convert(value)


class Choice(Type):
    """One of some words."""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.wanted = "one of " + ", ".join(options)

    def words(self) -> dict[str, Any]:
        return {option: option for option in self.options}

    def convert(self, value: Any) -> str:
        if isinstance(value, str) and value in self.options:
            return value
        raise BadValue(self.wanted)


class Flag(Type):
    """True or false: the argument's own name sets it, or the words that the argument declares."""

    wanted = "true or false"

    def convert(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise BadValue(self.wanted)


class Text(Type):
    """A string or a name."""

    def __init__(self, wanted: str = "a name or a string") -> None:
        self.wanted = wanted

    def convert(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        raise BadValue(self.wanted)


class Tensor(Type):
    """The name of a tensor made before (`as p1`); the elaborator makes it a further input of the layer.

    `output` is which of that layer's outputs: 0, or the number of one of its `extra_outputs`.
    """

    wanted = "the name of a layer above"

    def __init__(self, output: int = 0) -> None:
        self.output = output

    def convert(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        raise BadValue(self.wanted)


class Tensors(Type):
    """Any number of names of tensors made before, as merges take: each becomes a further input of the layer."""

    wanted = "names of layers above"

    def convert(self, value: Any) -> tuple[str, ...]:
        names = value if isinstance(value, (list, tuple)) else (value,)
        if not all(isinstance(name, str) for name in names):
            raise BadValue(self.wanted)
        return tuple(names)


class ListOf(Type):
    """A list whose members have a type of their own, `fewest` to `most` of them."""

    def __init__(self, member: Type, fewest: int = 0, most: int | None = None) -> None:
        self.member, self.fewest, self.most = member, fewest, most
        self.wanted = f"a list, each member {member.wanted}"

    def convert(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise BadValue(self.wanted)
        if len(value) < self.fewest or (self.most is not None and len(value) > self.most):
            raise BadValue(self.wanted)
        return tuple(self.member.convert(v) for v in value)


class Argument:
    """One argument: its name, type, default, help, and the ways of writing it.

    `positional`: a number or size without a name may set it, in the order of declaration.
    `words`: bare words that set it besides the type's own (`{"nobias": False}`).
    `bare`: whether the type's own words set it without `name=`.
    `slash`: `/2` sets it. `unit` completes the reference's tables ("cells", "channels").
    """

    __slots__ = ("default", "help", "name", "positional", "slash", "type", "unit", "words")

    def __init__(
        self,
        name: str,
        type: Type,
        *,
        default: Any = REQUIRED,
        help: str,
        unit: str = "",
        positional: bool = False,
        slash: bool = False,
        words: dict[str, Any] | None = None,
        bare: bool = True,
    ) -> None:
        self.name = name
        self.type = type
        self.default = default
        self.help = help
        self.unit = unit
        self.positional = positional
        self.slash = slash
        own = {name: True} if isinstance(type, Flag) and bare else type.words() if bare else {}
        self.words = {**own, **(words or {})}

    def __repr__(self) -> str:
        return f"Argument({self.name!r})"
