"""A network in the formats of other programs. Each is compared with the network itself before it is given away.

A format is a row of FORMATS and a module with `write(subject, name, ending) -> Made`; nothing here is imported before
it is needed.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.runtime.export.subject import Subject


_TRAINING = ("torch", "numpy", "safetensors")


class Format(Record):
    """A row of FORMATS. module: in this package. endings: of files, the first unless another is asked for. packages:
    what it needs; extra: what pip installs for that. prepares: whether the preparation of inputs can be inside."""

    about: str
    module: str
    endings: tuple[str, ...]
    packages: tuple[str, ...] = _TRAINING
    extra: str = "cnndsl[train]"
    prepares: bool = False


FORMATS = {
    "onnx": Format(
        "for onnxruntime and many other programs",
        "onnx",
        (".onnx",),
        (*_TRAINING, "onnx", "onnxscript", "onnxruntime"),
        "cnndsl[export]",
        prepares=True,
    ),
    "torch-export": Format("for torch.export.load, which needs no source", "program", (".pt2",), prepares=True),
    "state-dict": Format("the weights by name, and the source of the network", "state_dict", (".safetensors", ".pt")),
    "source": Format("the source of the network alone", "source", (".py",)),
}


class File(Record):
    """One file of an export: how its name ends, and what it holds."""

    ending: str
    content: bytes


class Made(Record):
    """What a format made: its files, the main one first, and what is to be said of them, in lines."""

    files: tuple[File, ...]
    said: tuple[str, ...]


def of_file(path: str) -> str | None:
    """The format that a file's ending stands for; None if it is no format's."""
    ending = os.path.splitext(path)[1].lower()
    return next((name for name, one in FORMATS.items() if ending in one.endings), None)


def missing(format: str) -> tuple[str, ...]:
    """The packages that a format needs and that are not installed."""
    return tuple(name for name in FORMATS[format].packages if find_spec(name) is None)


def export(subject: Subject, format: str, name: str, ending: str) -> Made:
    """A network in a format. name: the stem of its files, without a folder; ending: one of the format's.

    Raises ExportError where a layer can't be written, or where the result computes something else.
    """
    made: Made = import_module(f"cnndsl.runtime.export.{FORMATS[format].module}").write(subject, name, ending)
    return made
