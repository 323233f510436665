"""The parameters of a class: those of the block that its numbers, as the spec writes them, depend on.

Every number of a class is a vector, with one place for each instance, and has an expression in each. Where the
expressions agree the class has that one; parameters that are the same in all instances are put in. A number whose
expression can't be said becomes a parameter of its own, so that each instance is given its exact value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.codegen.holes import Function, Text
from cnndsl.codegen.identifiers import argument_names
from cnndsl.codegen.symbolic import INPUT_CHANNELS
from cnndsl.record import Record
from cnndsl.symbols import (
    GIVEN,
    UNKNOWN,
    Expression,
    expression_of,
    folded,
    is_known,
    names_of,
    plain,
    replaced,
    simple,
    text_of,
    value_of,
)

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""Stands in a vector where an instance does not have what the number is for."""

Vector = tuple[Any, ...]

_DEFAULTS: dict[str, Any] = {"stride": 1, "dilation": 1, "groups": 1, "bias": True}


class Parameter(Record):
    """A parameter of a class. values: for each instance; default: None if there is none; meaning: what it is in the
    words of the block, or unknown."""

    name: str
    values: Vector
    default: Any = None
    meaning: Expression = UNKNOWN

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


class Names:
    """What the names in the expressions of a block stand for in some of its calls.

    varying: names that might be something else, though they are the same in these.
    """

    def __init__(self, values: Sequence[dict[str, Any]], varying: set[str]) -> None:
        self.values = values
        first = values[0]
        self.fixed = {
            name: one
            for name, one in first.items()
            if name not in varying and all(_same(v.get(name), one) for v in values)
        }
        """Those that are the same in all."""
        self.live = {
            name
            for name in first
            if name not in self.fixed and all(isinstance(v.get(name), (int, float)) for v in values)
        }
        """Those that a parameter can stand for."""

    def agreed(self, trees: Sequence[Expression]) -> Expression:
        """One expression for all of these; unknown if they differ, or can't be written with parameters."""
        found = folded(trees[0], self.fixed)
        if any(folded(one, self.fixed) != found for one in trees[1:]):
            return UNKNOWN
        return found if is_known(found) and names_of(found) <= self.live else UNKNOWN

    def gives(self, tree: Expression, vector: Vector) -> bool:
        """Whether an expression comes to these values, where there are any."""
        try:
            pairs = [(value_of(tree, v), one) for v, one in zip(self.values, vector, strict=True) if one is not ABSENT]
        except (ArithmeticError, TypeError, KeyError):
            return False
        return all(_same(a, b) for a, b in pairs)

    def condition(self, trees: Sequence[Expression], present: Sequence[bool]) -> Expression:
        """The condition that holds in just those calls; unknown if the spec's is not that, or can't be written."""
        found = self.agreed(trees)
        return found if found != UNKNOWN and self.gives(found, tuple(present)) else UNKNOWN

    def demands(self, asked: Sequence[Expression]) -> list[Expression]:
        """What must hold of the parameters for the class to be what the spec says: conditions that came out the same
        in all calls, though they might not have."""
        found: dict[Expression, None] = {}
        for one in asked:
            tree = self.agreed([one])
            if tree != UNKNOWN and names_of(tree):
                for wanted in (True, False):
                    if self.gives(tree, (wanted,) * len(self.values)):
                        found[tree if wanted else ("not", tree)] = None
        return list(found)


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


class Parameters:
    """The parameters of one class, found as expressions ask for them.

    values: for each instance, what the names in expressions stand for. varying: which of these must stay names.
    """

    def __init__(self, values: Sequence[dict[str, Any]], varying: set[str]) -> None:
        names = argument_names()
        self.meanings = Names(values, varying)
        self.identifiers = {name: names.make(name.lstrip(".")) for name in values[0] if name != INPUT_CHANNELS}
        self.identifiers[INPUT_CHANNELS] = names.make("in_channels")
        self.words = {
            name: tuple(v[name] for v in values)
            for name in values[0]
            if all(isinstance(v.get(name), str) for v in values)
        }
        self.names = names
        self.new: dict[str, Parameter] = {}
        self.used: set[str] = set()
        self.locals: dict[str, str] = {}
        """Expressions that have a name in the constructor, and those."""
        self.known: list[tuple[bool, Vector, Text, Any]] = []

    def expression(self, role: str, vector: Vector, owner: str = "", decider: Expression = UNKNOWN) -> Any:
        """A number that the spec writes so, or the Python that gives each instance its own.

        owner: the name of the module inside that it is for, if it is a parameter of that one. decider: the only
        condition on which what it is made from depends, if there is one.
        """
        found = self.following(vector, decider)
        return self._parameter(role, vector, owner) if found is None else found

    def following(self, vector: Vector, decider: Expression = UNKNOWN) -> Any:
        """As `expression`, but None where that would be a parameter of its own."""
        present = [v for v in vector if v is not ABSENT]
        exact = [plain(v) for v in present]
        trees = [expression_of(v) for v in present]
        if all(type(one) is tuple and len(one) == len(exact[0]) for one in exact) and all(
            type(one) is tuple for one in present
        ):
            parts = [
                self.following(tuple(v if v is ABSENT else v[n] for v in vector), decider) for n in range(len(exact[0]))
            ]
            return None if any(one is None for one in parts) else tuple(parts)
        if isinstance(exact[0], Function):
            names = frozenset().union(*map(names_of, trees))
            return exact[0] if names <= self.meanings.fixed.keys() and len(set(exact)) == 1 else None
        if all(tree == GIVEN for tree in trees) and all(_same(one, exact[0]) for one in exact):
            return exact[0]
        tree = self.meanings.agreed(trees)
        if tree == UNKNOWN and decider != UNKNOWN:
            tree = self._decided(decider, vector)
        if tree == UNKNOWN or not self.meanings.gives(tree, tuple(v if v is ABSENT else plain(v) for v in vector)):
            return None
        return exact[0] if tree[0] == "number" else self.text(tree)

    def _decided(self, decider: Expression, vector: Vector) -> Expression:
        """One expression where a condition holds, another where it does not."""
        sides: list[Expression] = []
        for wanted in (True, False):
            trees = [
                expression_of(one)
                for one, values in zip(vector, self.meanings.values, strict=True)
                if one is not ABSENT and bool(value_of(decider, values)) == wanted
            ]
            sides.append(self.meanings.agreed(trees) if trees else UNKNOWN)
        return simple("if", decider, *sides)

    def text(self, tree: Expression) -> Text:
        """An expression with the class's own names; one with a choice gets a name."""
        self.used |= names_of(tree)
        text = text_of(replaced(tree, {name: ("name", made) for name, made in self.identifiers.items()}))
        if tree[0] != "if":
            return Text(text)
        if text not in self.locals:
            self.locals[text] = self.names.make("hidden_channels")
        return Text(self.locals[text])

    def _parameter(self, role: str, vector: Vector, owner: str) -> Text:
        """A parameter of its own, or one there is already for just that: the same expressions, or the same place."""
        key = [None if v is ABSENT else (plain(v), expression_of(v)) for v in vector]
        for activation, other, text, known in self.known:
            if activation == (role == "activation") and known[0] == (role, owner) and known[1] == key:
                return text
            if activation and role == "activation" and _fits(vector, other):
                return text
        name = self._name(role, vector, owner)
        filler = _filler(next(plain(v) for v in vector if v is not ABSENT))
        values = tuple(filler if v is ABSENT else plain(v) for v in vector)
        self.new[name] = Parameter(name, values, filler if ABSENT in vector else None)
        text = Text(name)
        self.known.append((role == "activation", vector, text, ((role, owner), key)))
        return text

    def _name(self, role: str, vector: Vector, owner: str) -> str:
        if role == "activation":
            role = next((name for name, words in self.words.items() if _agree(words, vector)), role)
            if role in self.identifiers and role not in self.new:
                return self.identifiers[role]
        if owner and role in self.names.taken:
            role = f"{owner}_{role}"
        return self.names.make(role)

    def listed(self, defaults: dict[str, Any]) -> list[Parameter]:
        """The parameters in use, as a signature has them: those with defaults last.

        defaults: the block's own. Of these the ones are used that PyTorch has too, and truth values.
        """
        found = []
        order = [INPUT_CHANNELS, *(name for name in self.identifiers if name != INPUT_CHANNELS)]
        for name in order:
            if name in self.used:
                values = tuple(v[name] for v in self.meanings.values)
                own = defaults.get(name)
                usual = type(own) is bool or (own is not None and _same(own, _DEFAULTS.get(name)))
                default = own if usual and all(type(v) is type(own) for v in values) else None
                found.append(Parameter(self.identifiers[name], values, default, ("name", name)))
        found += [one._replace(default=_default(one)) for one in self.new.values()]
        return sorted(found, key=lambda one: one.default is not None)


def _fits(vector: Vector, other: Vector) -> bool:
    """Whether two vectors of functions are equal wherever both have any, and the second has all of the first's."""
    return all(
        v is ABSENT or (o is not ABSENT and plain(v) == plain(o) and expression_of(v) == expression_of(o))
        for v, o in zip(vector, other, strict=True)
    )


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
    pairs = {(word, plain(value).name) for word, value in zip(words, vector, strict=True) if value is not ABSENT}
    return len(pairs) == len({word for word, _ in pairs}) == len({name for _, name in pairs})


def _filler(value: Any) -> Any:
    """What an instance is given that has no use for a number such as `value`."""
    return type(value)() if type(value) in (int, float, bool) else value
