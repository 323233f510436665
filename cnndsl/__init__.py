"""cnndsl: a declarative language for convolutional networks, and its compiler.

`cnndsl.load("lenet5.cnn")` gives the PyTorch module of a spec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnndsl.runtime.module import SpecError, load

__version__ = "0.1.0"
__all__ = ["SpecError", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """`load` and `SpecError` need PyTorch, which is imported when one of them is first asked for."""
    if name in ("SpecError", "load"):
        from cnndsl.runtime import module

        return getattr(module, name)
    raise AttributeError(f"module 'cnndsl' has no attribute {name!r}")
