"""The parameters of a class: what differs between its instances, under names that a reader expects.

Every number of a class is a vector, with one place for each instance. If it is the same in all, it stays a number;
else it is a parameter of the block, or follows from one (`4 * width`), or becomes a parameter of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.codegen.holes import Function, Text
from cnndsl.codegen.identifiers import argument_names
from cnndsl.record import Record

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""Stands in a vector where an instance does not have what the number is for."""

Vector = tuple[Any, ...]

_DEFAULTS: dict[str, Any] = {"stride": 1, "dilation": 1, "groups": 1, "bias": True}


class Parameter(Record):
    """A parameter of a class. values: for each instance; default: None if there is none."""

    name: str
    values: Vector
    default: Any = None

    def annotation(self) -> str:
        """Its type, as Python writes it."""
        return " | ".join(dict.fromkeys(map(_type_of, self.values)))


def _type_of(value: Any) -> str:
    if isinstance(value, Function):
        return "Callable[[Tensor], Tensor]"
    if type(value) is tuple:
        inner = " | ".join(dict.fromkeys(map(_type_of, value)))
        return f"tuple[{inner}, ...]"
    return type(value).__name__


class Parameters:
    """The parameters of one class, found as expressions ask for them."""

    def __init__(
        self, own: dict[str, Vector], words: dict[str, tuple[str, ...]], in_channels: Vector, out_channels: Vector
    ) -> None:
        names = argument_names()
        self.own = {names.make(name): values for name, values in own.items()}
        self.words = words
        self.names = names
        self.input = names.make("in_channels")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.new: dict[str, Parameter] = {}
        self.used: dict[str, None] = {}
        self.known: dict[Any, Any] = {}

    def expression(self, role: str, vector: Vector, owner: str = "") -> Any:
        """A number that is the same in all instances, or the Python that gives each its own.

        owner: the name of the module inside that it is for, if it is a parameter of that one.
        """
        key = (role == "activation", tuple((type(v), v) for v in vector))
        if key not in self.known:
            self.known[key] = self._expression(role, vector, owner)
        return self.known[key]

    def _expression(self, role: str, vector: Vector, owner: str) -> Any:
        present = [v for v in vector if v is not ABSENT]
        if _constant(present):
            return present[0]
        for (activation, other), known in self.known.items():
            if activation == (role == "activation") and isinstance(known, Text) and ABSENT in vector:
                pairs = zip(vector, other, strict=True)
                if all(v is ABSENT or (type(v), v) == o for v, o in pairs):
                    return known
        found = self._follows(vector, halves=role == "padding")
        if found is None:
            found = self._add(role, vector, owner)
        return self._use(found)

    def following(self, vector: Vector) -> Any:
        """As `expression`, but None where that would be a parameter of its own."""
        present = [v for v in vector if v is not ABSENT]
        if _constant(present):
            return present[0]
        found = self._follows(vector)
        return self._use(found) if found is not None else None

    def _use(self, found: tuple[str, tuple[str, ...]]) -> Text:
        text, names = found
        self.used.update(dict.fromkeys(names))
        return Text(text)

    def _candidates(self) -> list[tuple[str, Vector]]:
        added = [(one.name, one.values) for one in self.new.values()]
        return [*self.own.items(), (self.input, self.in_channels), *added]

    def _follows(self, vector: Vector, *, halves: bool = False) -> tuple[str, tuple[str, ...]] | None:
        """A vector as an expression of parameters, and their names; None if it is none."""
        candidates = self._candidates()
        for name, values in candidates:
            if all(v is ABSENT or (type(v) is type(p) and v == p) for v, p in zip(vector, values, strict=True)):
                return name, (name,)
        present = [n for n, v in enumerate(vector) if v is not ABSENT]
        if any(type(vector[n]) is not int for n in present):
            return None
        whole = {name: [v[n] for n in present] for name, v in candidates if all(type(v[n]) is int for n in present)}
        wanted = [vector[n] for n in present]
        for name, numbers in whole.items():
            text = _relation(name, list(zip(wanted, numbers, strict=True)), halves=halves)
            if text is not None:
                return text, (name,)
        return _combination(wanted, whole)

    def _add(self, role: str, vector: Vector, owner: str) -> tuple[str, tuple[str, ...]]:
        """A parameter of its own."""
        if role in ("in_channels", "out_channels", "channels"):
            same = all(v is ABSENT or v == c for v, c in zip(vector, self.out_channels, strict=True))
            role = "out_channels" if same else "hidden_channels"
        elif role == "activation":
            role = next((name for name, words in self.words.items() if _agree(words, vector)), role)
        if owner and role in self.names.taken:
            role = f"{owner}_{role}"
        name = self.names.make(role)
        filler = _filler(next(v for v in vector if v is not ABSENT))
        values = tuple(filler if v is ABSENT else v for v in vector)
        self.new[name] = Parameter(name, values, filler if ABSENT in vector else None)
        return name, (name,)

    def condition(self, role: str, vector: tuple[bool, ...]) -> Text:
        """What holds for the instances where `vector` is true."""
        found = self._known_condition(vector)
        if found is None:
            name = self.names.make(role)
            self.new[name] = Parameter(name, vector)
            found = name, (name,)
        self.used.update(dict.fromkeys(found[1]))
        return Text(found[0])

    def _known_condition(self, vector: tuple[bool, ...]) -> tuple[str, tuple[str, ...]] | None:
        numbers: list[tuple[str, Vector]] = []
        for name, values in [*self.own.items(), *((one.name, one.values) for one in self.new.values())]:
            if all(type(v) is bool for v in values):
                if values == vector:
                    return name, (name,)
                if tuple(not v for v in values) == vector:
                    return f"not {name}", (name,)
            elif all(type(v) in (int, float) for v in values):
                numbers.append((name, values))
        for least in (0, 1):
            for name, values in numbers:
                if tuple(v > least for v in values) == vector:
                    return f"{name} > {least}", (name,)
        return self._channels_condition(vector, numbers)

    def _channels_condition(
        self, vector: tuple[bool, ...], numbers: list[tuple[str, Vector]]
    ) -> tuple[str, tuple[str, ...]] | None:
        """`in_channels != channels`, `stride > 1 or in_channels != channels`, and their contraries."""
        outputs = self._follows(self.out_channels)
        if outputs is None or self.input in outputs[1]:
            return None
        text, names = outputs
        differ = tuple(a != b for a, b in zip(self.in_channels, self.out_channels, strict=True))
        names = (self.input, *names)
        if differ == vector:
            return f"{self.input} != {text}", names
        if all(d != v for d, v in zip(differ, vector, strict=True)):
            return f"{self.input} == {text}", names
        for other, values in numbers:
            either = tuple(d or v > 1 for d, v in zip(differ, values, strict=True))
            if either == vector:
                return f"{other} > 1 or {self.input} != {text}", (other, *names)
            if all(e != v for e, v in zip(either, vector, strict=True)) and min(values) == 1:
                return f"{other} == 1 and {self.input} == {text}", (other, *names)
        return None

    def listed(self) -> list[Parameter]:
        """The parameters in use, as a signature has them: those with defaults last."""
        found = []
        if self.input in self.used:
            found.append(Parameter(self.input, self.in_channels))
        found += [Parameter(name, values) for name, values in self.own.items() if name in self.used]
        found += [one for name, one in self.new.items() if name in self.used]
        found = [one._replace(default=_default(one)) for one in found]
        return sorted(found, key=lambda one: one.default is not None)


def _default(one: Parameter) -> Any:
    if one.default is not None:
        return one.default
    kinds = {type(v) for v in one.values}
    wanted = _DEFAULTS.get(one.name)
    if wanted is not None and type(wanted) in kinds:
        return wanted
    return False if kinds == {bool} else None


def _agree(words: tuple[str, ...], vector: Vector) -> bool:
    """Whether equal words stand for equal functions."""
    pairs = {(word, value.name) for word, value in zip(words, vector, strict=True) if value is not ABSENT}
    return len(pairs) == len({word for word, _ in pairs}) == len({name for _, name in pairs})


def _constant(values: Sequence[Any]) -> bool:
    first = values[0]
    return all(type(v) is type(first) and v == first for v in values)


def _filler(value: Any) -> Any:
    """What an instance is given that has no use for a number such as `value`."""
    return type(value)() if type(value) in (int, float, bool) else value


def _combination(wanted: list[int], given: dict[str, list[int]]) -> tuple[str, tuple[str, ...]] | None:
    """A product of two parameters, or one divided by another, that is what is wanted."""
    varying = {name: values for name, values in given.items() if not _constant(values)}
    names = list(varying)
    for first, a in varying.items():
        for second, b in varying.items():
            if names.index(first) < names.index(second) and all(
                x * y == v for x, y, v in zip(a, b, wanted, strict=True)
            ):
                return f"{first} * {second}", (first, second)
            if first != second and all(y > 0 and v * y == x for x, y, v in zip(a, b, wanted, strict=True)):
                return f"{first} // {second}", (first, second)
    return None


def _relation(name: str, pairs: list[tuple[int, int]], *, halves: bool) -> str | None:
    """How the first of each pair follows from the second, which is called `name`."""
    value, given = pairs[0]
    if given > 0 and value > given and value % given == 0:
        times = value // given
        if all(v == times * p for v, p in pairs):
            return f"{times} * {name}"
    if value > 0 and given > value and given % value == 0:
        part = given // value
        if all(v * part == p for v, p in pairs):
            return f"{name} // {part}"
    more = value - given
    if abs(more) <= 2 and all(v - p == more for v, p in pairs):
        return f"{name} {'+' if more > 0 else '-'} {abs(more)}"
    if halves and all(v == p // 2 for v, p in pairs):
        return f"{name} // 2"
    return None
