"""The one kind of pickle that data sets are published in, read without unpickling.

`pickletools` takes a file apart into its operations, and runs none of them. Here they are followed as far as plain
data go: dictionaries, lists, tuples, texts, numbers, and NumPy arrays of bytes, which are made from their bytes and
their sizes alone. Any other operation, and every other name that is to be looked up, ends the reading. No code of the
file is ever called, and no class of it imported.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

MAX_OPERATIONS = 2_000_000
"""Most operations that are followed: CIFAR-100 has some 200,000."""


class PickleError(ValueError):
    """Bytes that are no pickle of plain data; the text completes "the file …"."""


class _Name(NamedTuple):
    """A name that a pickle looks up: only these few are known, and none is looked up."""

    name: str


class _Array:
    """An array in the making: what `_reconstruct` begins and a state completes."""

    def __init__(self) -> None:
        self.made: Any = None


_KNOWN = {
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray _reconstruct",
    "numpy ndarray",
    "numpy dtype",
    "_codecs encode",
}
_MARK = object()


def read_pickle(content: bytes) -> dict[Any, Any]:
    """The dictionary that a pickle of plain data holds, arrays of bytes among its values; texts of Python 2 are bytes.

    Raises PickleError.
    """
    reader = _Reader()
    try:
        for number, (operation, argument, _) in enumerate(pickletools.genops(content)):
            if number > MAX_OPERATIONS:
                raise PickleError("is longer than any data set's")
            if operation.name == "STOP":
                # Only the dictionary itself is gone through: what is in its lists may lead in circles.
                return {key: _made(value) for key, value in _of(reader.pop(), dict).items()}
            reader.take(operation.name, argument)
    except PickleError:
        raise
    except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise PickleError(f"is no pickle of plain data ({type(error).__name__})") from None
    raise PickleError("is cut off")


def _made(value: Any) -> Any:
    """An array that was in the making as an array; any other value as it is."""
    if isinstance(value, _Array):
        return value.made
    return value


class _Reader:
    """A stack and a memory, as pickles use them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise PickleError("is no pickle of plain data (a mark where a value should be)")
        return value

    def to_mark(self) -> list[Any]:
        """Everything above the last mark, which is taken away, too."""
        at = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found

    def take(self, name: str, argument: Any) -> None:
        """One operation. Raises PickleError for any that plain data don't need."""
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _BYTES:
            self.stack.append(argument.encode("latin1"))
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memory[int(argument)] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memory[len(self.memory)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memory[int(argument)])
        elif name in _ACTIONS:
            _ACTIONS[name](self)
        elif name == "GLOBAL":
            self._name(argument)
        elif name not in ("PROTO", "FRAME"):
            raise PickleError(f"does more than hold plain data ({name})")

    def _name(self, name: str) -> None:
        if name not in _KNOWN:
            raise PickleError(f"asks for {name.replace(' ', '.')!r}, which no data set needs")
        self.stack.append(_Name(name.replace("numpy._core", "numpy.core")))

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        self._name(f"{module} {name}")

    def append(self) -> None:
        value = self.pop()
        _of(self.stack[-1], list).append(value)

    def appends(self) -> None:
        values = self.to_mark()
        _of(self.stack[-1], list).extend(values)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        _of(self.stack[-1], dict)[key] = value

    def set_items(self) -> None:
        values = self.to_mark()
        _of(self.stack[-1], dict).update(zip(values[::2], values[1::2], strict=True))

    def tuple_of(self, count: int) -> None:
        self.stack.append(tuple(reversed([self.pop() for _ in range(count)])))

    def reduce(self) -> None:
        """A call of one of the known names: what it would make is put there, nothing is called."""
        arguments, function = _of(self.pop(), tuple), _of(self.pop(), _Name)
        if function.name == "numpy.core.multiarray _reconstruct":
            if arguments[0] != _Name("numpy ndarray"):
                raise PickleError("makes an array of a kind of its own")
            self.stack.append(_Array())
        elif function.name == "numpy dtype":
            if arguments[0] not in ("u1", b"u1"):
                raise PickleError(f"holds an array of {arguments[0]!r}, where bytes (u1) are expected")
            self.stack.append("u1")
        elif function.name == "_codecs encode" and arguments[1] in ("latin1", b"latin1"):
            # How Python 3 writes bytes for Python 2.
            self.stack.append(_of(arguments[0], str).encode("latin1"))
        else:
            raise PickleError(f"calls {function.name.replace(' ', '.')}")

    def build(self) -> None:
        state, target = self.pop(), self.stack[-1]
        if isinstance(target, _Array):
            _, sizes, kind, columns_first, values = state
            if kind != "u1" or columns_first or prod(sizes) != len(values) or any(size < 0 for size in sizes):
                raise PickleError("holds an array that is not as large as it says")
            target.made = np.frombuffer(_of(values, bytes), np.uint8).reshape(sizes)
        elif target != "u1":
            raise PickleError("sets what plain data don't have")


def _of(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise PickleError(f"is no pickle of plain data (a {type(value).__name__} where a {kind.__name__} should be)")
    return value


_LITERALS = frozenset(
    """INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    BINBYTES SHORT_BINBYTES BINBYTES8""".split()  # noqa: SIM905
)
_BYTES = ("BINSTRING", "SHORT_BINSTRING")
"""Texts of Python 2, which pickletools decodes byte by byte."""
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_ACTIONS: dict[str, Callable[[_Reader], None]] = {
    "STACK_GLOBAL": _Reader.stack_name,
    "APPEND": _Reader.append,
    "APPENDS": _Reader.appends,
    "SETITEM": _Reader.set_item,
    "SETITEMS": _Reader.set_items,
    "DICT": lambda reader: reader.stack.append(_paired(reader.to_mark())),
    "LIST": lambda reader: reader.stack.append(reader.to_mark()),
    "TUPLE": lambda reader: reader.stack.append(tuple(reader.to_mark())),
    "TUPLE1": lambda reader: reader.tuple_of(1),
    "TUPLE2": lambda reader: reader.tuple_of(2),
    "TUPLE3": lambda reader: reader.tuple_of(3),
    "REDUCE": _Reader.reduce,
    "BUILD": _Reader.build,
    "POP": lambda reader: reader.stack.pop(),
}


def _paired(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))
