"""`torch.compile` for a network's forward pass, and its failures in a sentence: it needs compilers of its own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import torch

from cnndsl.runtime.errors import TrainingError

ADVICE = "train without --compile"


def probe(device: torch.device) -> None:
    """Compile a single addition, before a run is begun. Raises TrainingError where that can't be."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(8, device=device))
    except Exception as error:  # of a library's compiler: many kinds, OSError among them
        raise _failed(error) from error


def compiled(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The function made faster when it is first called on inputs of a kind. That raises TrainingError where PyTorch's
    compiler fails; what the function itself raises is raised as it is."""
    # It would have products of 32 bits in TF32, too: fewer digits, which nobody asked for.
    warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")
    fast = torch.compile(forward)

    def run(*inputs: Any) -> Any:
        try:
            return fast(*inputs)
        except Exception as error:
            if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise _failed(error) from error
            raise

    return run


def _failed(error: Exception) -> TrainingError:
    text = str(error)
    if "InvalidCxxCompiler" in text or "InvalidCxxCompiler" in type(error).__name__:
        named = os.environ.get("CXX")
        tried = f"; CXX is {named}" if named else ""
        return TrainingError(f"torch.compile found no C++ compiler that works{tried}", f"install g++, or {ADVICE}")
    # Of a compiler that complains, its own words say more than that it did.
    _, _, output = text.partition("\nOutput:\n")
    first = next((line.strip() for line in (output or text).splitlines() if line.strip()), type(error).__name__)
    return TrainingError(f"torch.compile failed: {first}", ADVICE)
