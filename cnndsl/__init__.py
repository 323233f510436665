"""cnndsl: a declarative language for convolutional networks, and its compiler.

`cnndsl.load("lenet5.cnn")` gives the PyTorch module of a spec, `cnndsl.load_spec("lenet5.cnn")` the spec itself: its
numbers, and its drawing in a notebook; `cnndsl.train("lenet5.cnn", data=(images, classes))` trains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnndsl.runtime.module import load
    from cnndsl.runtime.program import train
    from cnndsl.spec import Spec, SpecError, load_spec

__version__ = "0.1.0"
__all__ = ["Spec", "SpecError", "__version__", "load", "load_spec", "train"]


def __getattr__(name: str) -> Any:
    """What is imported when it is first asked for: `load` and `train` need PyTorch, the rest the compiler."""
    if name == "load":
        from cnndsl.runtime.module import load

        return load
    if name == "train":
        from importlib import import_module

        return import_module("cnndsl.runtime.program").train
    if name in ("Spec", "SpecError", "load_spec"):
        from cnndsl import spec

        return getattr(spec, name)
    raise AttributeError(f"module 'cnndsl' has no attribute {name!r}")
