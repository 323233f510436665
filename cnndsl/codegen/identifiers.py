"""Names from a spec as Python identifiers: the one place where they are made safe."""

from __future__ import annotations

import builtins
import keyword
import re

# What a module's attributes must not hide: the public attributes of nn.Module (a test compares with PyTorch).
# fmt: off
MODULE_ATTRIBUTES = frozenset([
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile", "cpu",
    "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer", "get_extra_state",
    "get_parameter", "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers",
    "named_children", "named_modules", "named_parameters", "parameters", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
    "register_module", "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook",
    "requires_grad_", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train",
    "training", "type", "xpu", "zero_grad",
])
# fmt: on

# What `cnndsl.load` keeps with a module besides.
LOADED_ATTRIBUTES = frozenset({"source"})

# Python's own functions, but for one that PyTorch's authors use as a name too.
BUILTINS = frozenset(dir(builtins)) - {"input"}

# What the written file uses itself.
FILE_NAMES = frozenset({"torch", "nn", "F", "Tensor", "Callable", "self", "super", "math"})

_not_in_names = re.compile(r"[^0-9A-Za-z_]+")


def identifier(text: str) -> str:
    """A Python identifier that reads like `text`: `stage[0].conv1` becomes `stage_0_conv1`."""
    plain = _not_in_names.sub("_", text.replace("]", "")).strip("_") or "layer"
    if plain[0].isdigit():
        plain = "_" + plain
    return plain + "_" if keyword.iskeyword(plain) or keyword.issoftkeyword(plain) else plain


class Identifiers:
    """Identifiers that are all different, and different from those `reserved`."""

    def __init__(self, reserved: frozenset[str]) -> None:
        self.taken = set(reserved)

    def make(self, text: str, suffixes: tuple[str, ...] = ("",)) -> str:
        """A new identifier for a name; one that is taken gets a number behind.

        suffixes: what is put behind it, after a `_`, wherever it is used; those names are new as well.
        """
        plain = identifier(text)
        name, number = plain, 1
        while not self.taken.isdisjoint(_with_suffixes(name, suffixes)):
            number += 1
            name = f"{plain}{'' if plain.endswith('_') else '_'}{number}"
        self.taken.update(_with_suffixes(name, suffixes))
        return name


def _with_suffixes(name: str, suffixes: tuple[str, ...]) -> list[str]:
    return [f"{name}_{suffix}" if suffix else name for suffix in suffixes]


def attribute_names() -> Identifiers:
    """For the attributes of a module."""
    return Identifiers(MODULE_ATTRIBUTES | LOADED_ATTRIBUTES)


def variable_names(functions: frozenset[str] = frozenset()) -> Identifiers:
    """For the local variables of `forward`; `x` is the running tensor, `functions` are called there."""
    return Identifiers(FILE_NAMES | BUILTINS | functions | {"x"})


def class_names(others: frozenset[str] = frozenset()) -> Identifiers:
    """For the classes of a file, in which there are `others`."""
    return Identifiers(FILE_NAMES | BUILTINS | others)


def argument_names() -> Identifiers:
    """For the parameters of a class."""
    return Identifiers(FILE_NAMES | BUILTINS | {"i"})


def camel_case(name: str) -> str:
    """A class's name from a block's: `inverted_residual` becomes `InvertedResidual`."""
    return "".join(part[:1].upper() + part[1:] for part in identifier(name).split("_")) or "Block"
