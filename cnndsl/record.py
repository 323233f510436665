"""Named tuples that cost little to declare.

`class Edge(Record)` with annotated fields makes what `typing.NamedTuple` makes: an immutable tuple with names. But
NamedTuple generates and runs code for each class, 0.16 ms of it, and a check loads eighty; a Record takes 0.02 ms,
which is a tenth of the whole start-up. Type checkers see it as a frozen dataclass.
"""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined]
from typing import Any, ClassVar, Self, dataclass_transform

_new = tuple.__new__


@dataclass_transform(frozen_default=True)
class Record(tuple[Any, ...]):
    """Base of named tuples: the annotated names are the fields, in order, with their defaults."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _count: ClassVar[int] = 0
    _defaults: ClassVar[tuple[Any, ...]] = ()
    """The defaults of the last fields."""
    _by_name: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        # From the class alone, its bases left out; `inspect` would take longer to import than all this saves.
        own = cls.__dict__.get("__annotations__", ())  # noqa: RUF063
        names = tuple(name for name in own if not name.startswith("_"))
        cls._fields = names
        cls._by_name = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        cls._defaults = tuple(cls._by_name.values())
        cls._count = len(names)
        for index, name in enumerate(names):
            setattr(cls, name, _tuplegetter(index, None))

    def __new__(cls, *values: Any, **named: Any) -> Self:
        if named or len(values) != cls._count:
            values = cls._complete(values, named)
        return _new(cls, values)

    @classmethod
    def _complete(cls, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """The values with those given by name and the defaults. Raises TypeError."""
        given = len(values)
        if not named and cls._count - len(cls._defaults) <= given < cls._count:
            return values + cls._defaults[given - cls._count :]
        complete, unused = [*values], len(named)
        for name in cls._fields[given:]:
            if name in named:
                complete.append(named[name])
                unused -= 1
            elif name in cls._by_name:
                complete.append(cls._by_name[name])
            else:
                raise TypeError(f"{cls.__name__}: {name} is missing")
        if unused or given > cls._count:
            fields = ", ".join(cls._fields)
            raise TypeError(f"{cls.__name__} takes {fields}; given {', '.join(named) or 'more'} besides")
        return tuple(complete)

    def _replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return _new(type(self), [changes.get(name, value) for name, value in zip(self._fields, self, strict=True)])

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({fields})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)
