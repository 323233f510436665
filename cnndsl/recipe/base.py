"""What the training vocabulary is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from cnndsl.layers.arguments import Argument, BadValue, Text, Type
from cnndsl.layers.bind import Given, bind_values
from cnndsl.record import Record

_SAID: Any = object()
LAYERS = "layers"
"""The parts that a line of a setting for some layers is about."""


class Option:
    """Base of all choices a recipe can make. An instance holds its arguments, checked, as attributes.

    One class holds everything the tool knows about a choice: its name, arguments with defaults, units and
    help, its documentation (the docstring) and what it means, without importing torch. Instances are
    immutable by convention and compare by content.
    """

    name = ""
    arguments: tuple[Argument, ...] = ()
    gathers = False
    """Whether the words in a row are its first argument, a list."""
    unsaid: ClassVar[dict[str, Any]] = {}
    """Values of arguments that are not worth a word: they ask for nothing."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def check(self) -> None:
        """Refuses arguments that don't go together. Raises LayerError."""

    def values(self) -> dict[str, Any]:
        """Every argument by name."""
        return {a.name: self.__dict__[a.name] for a in self.arguments}

    def to_json(self) -> dict[str, Any]:
        """`{"name": …, argument: value, …}`, from which `from_json` makes an equal option."""
        return {"name": self.name, **self.values()}

    def brief(self, without: Sequence[str] = ()) -> str:
        """As a recipe would write it: arguments that are as they are by default are left out, and those named."""
        told = [a for a in self.arguments if self.__dict__[a.name] != a.default and a.name not in without]
        return " ".join((self.name, *(self._given(a, self.__dict__[a.name]) for a in told)))

    def _given(self, argument: Argument, value: Any) -> str:
        """An argument as a recipe gives it: a file's name alone, in quotes; words that are gathered in a row."""
        if argument.positional and isinstance(argument.type, Text):
            return f'"{value}"'
        if self.gathers and argument is self.arguments[0]:
            return " ".join(map(plain, value))
        return f"{argument.name}={plain(value)}"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Option) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash((type(self), *self.values().values()))

    def __str__(self) -> str:
        """As a recipe writes it, with every argument that asks for something."""
        said = {name: value for name, value in self.values().items() if self.unsaid.get(name, _SAID) != value}
        return " ".join((self.name, *(f"{name}={plain(value)}" for name, value in said.items())))

    __repr__ = __str__


def option(kind: type[Option], given: Sequence[Given] = (), owner: str = "") -> Any:
    """The option of class `kind` with these arguments. Raises LayerError."""
    made = kind(**bind_values(owner or kind.name, kind.arguments, given))
    made.check()
    return made


class SettingKind(Record):
    """One setting of the vocabulary.

    options: what its first word may name; `several` lets a line name more than one of them, and
    `chained` lets more follow behind commas, each with arguments of its own; either makes a tuple. A setting
    without options has one `argument`, or the arguments of its `form`. What holds if a recipe says nothing: `default`
    says it in words, `initial` is its value unless that depends on other settings.
    parts: what a line may be about alone, named by its first word: `outputs` or `networks`; `layers` if it must be
    about some; empty if nothing.
    """

    name: str
    help: str
    default: str
    options: tuple[type[Option], ...] = ()
    argument: Argument | None = None
    initial: Any = None
    several: bool = False
    chained: bool = False
    form: type[Option] | None = None
    parts: str = ""

    def find(self, word: str) -> type[Option] | None:
        """The option of that name. Hyphens count as underscores, as published names are spelled both ways."""
        word = word.replace("-", "_")
        return next((o for o in self.options if o.name == word), None)


class Portion(Type):
    """A share of the examples (0.1) or a number of them (5_000); 0 for none."""

    wanted = "a share from 0 to below 1 such as 0.1, or a number of examples such as 5_000"

    def convert(self, value: Any) -> float | int:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
            raise BadValue(self.wanted)
        if value < 1:
            return float(value)
        if value != int(value):
            raise BadValue(self.wanted)
        return int(value)


def portion(value: float | int, total: int) -> int:
    """How many of `total` examples a Portion is, rounded to the nearest."""
    return value if isinstance(value, int) else round(value * total)


class Seed(Type):
    """What random numbers start from."""

    wanted = "a whole number from 0 to 2**63 - 1"

    def convert(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise BadValue(self.wanted)
        return value


class Switch(Type):
    """`on` or `off`."""

    wanted = "on or off"

    def words(self) -> dict[str, Any]:
        return {"on": True, "off": False}

    def convert(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise BadValue(self.wanted)


def plain(value: Any) -> str:
    """A value as a recipe writes it: of a number all digits that tell it from others."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(plain(v) for v in value) + "]"
    return str(value)
