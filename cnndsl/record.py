"""Named tuples that cost little to declare.

`class Edge(Record)` with annotated fields makes what `typing.NamedTuple` makes: an immutable tuple with names. But
NamedTuple generates and runs code for each class, 0.16 ms of it, and a check loads eighty; a Record takes 0.02 ms,
which is a tenth of the whole start-up. Type checkers see it as a frozen dataclass.
"""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined]
from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Record(tuple[Any, ...]):
    """Base of named tuples: the annotated names are the fields, in order, with their defaults."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[tuple[Any, ...]] = ()
    """The defaults of the last fields."""

    def __init_subclass__(cls) -> None:
        # From the class alone, its bases left out; `inspect` would take longer to import than all this saves.
        own = cls.__dict__.get("__annotations__", ())  # noqa: RUF063
        names = tuple(name for name in own if not name.startswith("_"))
        cls._fields = names
        cls._defaults = tuple(cls.__dict__[name] for name in names if name in cls.__dict__)
        for index, name in enumerate(names):
            setattr(cls, name, _tuplegetter(index, None))

    def __new__(cls, *values: Any, **named: Any) -> Self:
        if named or len(values) != len(cls._fields):
            values = cls._complete(values, named)
        return tuple.__new__(cls, values)

    @classmethod
    def _complete(cls, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """The values with those given by name and the defaults. Raises TypeError."""
        fields, defaults = cls._fields, cls._defaults
        complete = list(values)
        for index in range(len(values), len(fields)):
            name = fields[index]
            if name in named:
                complete.append(named.pop(name))
            elif index >= len(fields) - len(defaults):
                complete.append(defaults[index - len(fields)])
            else:
                raise TypeError(f"{cls.__name__}: {name} is missing")
        if named or len(complete) > len(fields):
            raise TypeError(f"{cls.__name__} takes {', '.join(fields)}; given {', '.join(named) or 'more'} besides")
        return tuple(complete)

    def _replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return tuple.__new__(
            type(self), (changes.get(name, value) for name, value in zip(self._fields, self, strict=True))
        )

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({fields})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)
