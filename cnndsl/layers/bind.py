"""From arguments as written to a layer: one binder for every kind, and for training settings.

The binder knows no spans. It gets what was written as a list of `Given`, and blames by index; who keeps
the spans (the elaborator) turns that into a place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cnndsl.layers.arguments import REQUIRED, Argument, BadValue, Tensor, Tensors
from cnndsl.layers.base import Layer, LayerError
from cnndsl.record import Record


class Given(Record):
    """One argument as written and evaluated.

    form: `value` (a number, size, list or string without a name), `word` (a bare name), `named`
    (`name=value`) or `slash` (`/2`). A size is a tuple, also when it has one side.
    """

    form: str
    value: Any
    name: str = ""


def bind(kind: type[Layer], given: Sequence[Given]) -> Layer:
    """The layer of class `kind` with these arguments, checked against each other. Raises LayerError."""
    if kind.refusal is not None:
        raise kind.refusal
    example = kind.examples[0].item if kind.examples else None
    layer = kind(**bind_values(kind.kind, kind.arguments, given, kind.pack, example))
    layer.check()
    return layer


def bind_values(
    owner: str,
    arguments: tuple[Argument, ...],
    given: Sequence[Given],
    pack: tuple[str, ...] = (),
    example: str | None = None,
) -> dict[str, Any]:
    """Every argument's value, converted, defaults filled in. `example` is a right use, for messages.

    Raises LayerError with the index of the argument to blame, or None if one is missing.
    """
    binding = _Binding(owner, arguments, pack, example)
    for index, one in enumerate(given):
        binding.take(index, one)
    return binding.finish()


def places_of(kind: type[Layer], given: Sequence[Given]) -> dict[str, int]:
    """Which written argument set each argument of the kind, as far as they can be bound."""
    binding = _Binding(kind.kind, kind.arguments, kind.pack, None)
    for index, one in enumerate(given):
        try:
            binding.take(index, one)
        except LayerError:
            break
    return binding.set_by


class _Binding:
    """The values set so far, and which written argument set each."""

    def __init__(self, owner: str, arguments: tuple[Argument, ...], pack: tuple[str, ...], example: str | None) -> None:
        self.owner = owner
        self.example = example
        self.arguments = arguments
        self.pack = pack
        self.values: dict[str, Any] = {}
        self.set_by: dict[str, int] = {}

    def take(self, index: int, given: Given) -> None:
        if given.form == "named":
            self._named(index, given)
        elif given.form == "slash":
            argument = next((a for a in self.arguments if a.slash), None)
            if argument is None:
                raise LayerError("NoStride", index, kind=self.owner, value=written(given.value))
            self._set(index, argument, given.value)
        elif given.form == "word":
            self._word(index, given.value)
        else:
            self._positional(index, given.value)

    def _named(self, index: int, given: Given) -> None:
        for argument in self.arguments:
            if argument.name == given.name:
                value = given.value
                if isinstance(value, str) and value in argument.words:
                    value = argument.words[value]
                self._set(index, argument, value)
                return
        raise LayerError(
            "UnknownArgument", index, kind=self.owner, name=given.name, known=[a.name for a in self.arguments]
        )

    def _word(self, index: int, word: str) -> None:
        for argument in self.arguments:
            if word in argument.words:
                self._set(index, argument, argument.words[word])
                return
        for argument in self.arguments:
            if isinstance(argument.type, Tensors):
                self.values[argument.name] = (*self.values.get(argument.name, ()), word)
                self.set_by.setdefault(argument.name, index)
                return
        for argument in self._open_positionals():
            if isinstance(argument.type, Tensor) or argument.type.words():
                self._set(index, argument, word)
                return
        names = [a.name for a in self.arguments]
        raise LayerError("UnknownWord", index, kind=self.owner, word=word, known=list(self.known_words()), names=names)

    def _positional(self, index: int, value: Any) -> None:
        if self.pack and self.pack[0] not in self.set_by and isinstance(value, tuple) and len(value) > 1:
            head, last = self.pack
            by_name = {a.name: a for a in self.arguments}
            self._set(index, by_name[head], value[:-1])
            self._set(index, by_name[last], value[-1])
            return
        argument = next(self._open_positionals(), None)
        if argument is None and isinstance(value, bool) and len(self.arguments) == 1:
            # What is nothing but on or off may be said as `true` or `false`, too.
            argument = next((a for a in self.arguments if value in a.words.values()), None)
        if argument is None:
            raise LayerError("TooManyArguments", index, kind=self.owner, value=written(value))
        self._set(index, argument, value)

    def _open_positionals(self) -> Iterator[Argument]:
        return (a for a in self.arguments if a.positional and a.name not in self.set_by)

    def _set(self, index: int, argument: Argument, value: Any) -> None:
        if argument.name in self.set_by:
            raise LayerError(
                "ArgumentTwice", index, kind=self.owner, name=argument.name, first=self.set_by[argument.name]
            )
        try:
            self.values[argument.name] = argument.type.convert(value)
        except BadValue as bad:
            raise LayerError(
                "BadArgument", index, kind=self.owner, name=argument.name, value=written(value), wanted=bad.wanted
            ) from None
        self.set_by[argument.name] = index

    def finish(self) -> dict[str, Any]:
        for argument in self.arguments:
            if argument.name not in self.values:
                if argument.default is REQUIRED:
                    raise LayerError(
                        "MissingArgument",
                        None,
                        kind=self.owner,
                        name=argument.name,
                        meaning=argument.help,
                        example=self.example,
                    )
                self.values[argument.name] = argument.default
        return self.values

    def known_words(self) -> Iterable[str]:
        return (word for a in self.arguments for word in a.words)


def written(value: Any) -> str:
    """A value as a user writes it, for a message; long ones are cut."""
    if isinstance(value, tuple):
        text = "x".join(written(v) for v in value[:60])
    elif isinstance(value, list):
        text = f"[{', '.join(written(v) for v in value[:60])}]"
    elif isinstance(value, dict):
        text = f"{{{', '.join(f'{written(k)}: {written(value[k])}' for k in list(value)[:60])}}}"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        text = f"{value:.1f}"
    elif isinstance(value, int) and value.bit_length() > 200:
        text = f"a number of {value.bit_length()} bits"
    elif isinstance(value, (str, int, float)):
        text = str(value)
    else:
        # Functions and tensors of the spec say what they are.
        text = "a function" if callable(value) else str(getattr(value, "what", "something else"))
    return text if len(text) <= 60 else text[:57] + "..."


__all__ = ["Given", "bind", "bind_values", "places_of", "written"]
