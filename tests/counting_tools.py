"""The tools that count, each as a function from a module and one example to the number that it prints."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import nn


def of_torch(module: nn.Module, x: torch.Tensor) -> int:
    """On the meta device: it does not see what a CPU does in one piece, attention's products and LSTMs."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        module.to("meta")(x.to("meta"))
    return int(counter.get_total_flops())


def of_fvcore(module: nn.Module, x: torch.Tensor) -> int:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(module, x)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return int(analysis.total())


def of_torchinfo(module: nn.Module, x: torch.Tensor) -> int:
    import torchinfo

    return int(torchinfo.summary(module, input_data=x, verbose=0).total_mult_adds)


def of_thop(module: nn.Module, x: torch.Tensor) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks distutils which version PyTorch has
        import thop

        return int(thop.profile(module, inputs=(x,), verbose=False)[0])


def of_ptflops(module: nn.Module, x: torch.Tensor) -> int:
    with _without("torchvision"):  # which it imports if it is there, and which may not fit this PyTorch
        from ptflops import get_model_complexity_info
    name = next(iter(type(module).forward.__code__.co_varnames[1:]))
    macs, _ = get_model_complexity_info(
        module,
        tuple(x.shape[1:]),
        as_strings=False,
        print_per_layer_stat=False,
        input_constructor=lambda _: {name: x},
        ost=io.StringIO(),
    )
    # In place of the input itself it gets it by name, which it warns of and takes for a batch of one.
    return int(macs)


def of_calflops(module: nn.Module, x: torch.Tensor) -> int:
    """Its part for Hugging Face's models needs three more packages; it is left out."""
    if "calflops" not in sys.modules:
        spec = find_spec("calflops")
        assert spec is not None
        package = ModuleType("calflops")
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules["calflops"] = package
    calculate = import_module("calflops.flops_counter").calculate_flops
    if next(module.parameters(), None) is None:
        module.register_parameter("unused", nn.Parameter(torch.zeros(1)))  # it asks the first one for its device
    flops, _, _ = calculate(module, args=[x], print_results=False, output_as_string=False)
    return int(flops)


@contextlib.contextmanager
def _without(name: str):  # type: ignore[no-untyped-def]
    """Let `import name` fail."""
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


TOOLS: dict[str, Callable[[nn.Module, torch.Tensor], int]] = {
    "torch": of_torch,
    "fvcore": of_fvcore,
    "torchinfo": of_torchinfo,
    "thop": of_thop,
    "ptflops": of_ptflops,
    "calflops": of_calflops,
}


def printed(tool: str, module: nn.Module, x: torch.Tensor) -> int:
    """What the tool prints for the module in evaluation. What it says besides is not shown."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return TOOLS[tool](module.eval(), x)
