"""From a graph to a PyTorch module, by running the very source that `compile` prints."""

from __future__ import annotations

import linecache
import os
import sys
from itertools import count
from types import ModuleType
from typing import Any

from torch import nn

from cnndsl.codegen import class_name, emit
from cnndsl.graph import Graph
from cnndsl.spec import SpecError, checked_file, chosen, errors_of

_numbers = count(1)


def build_module(graph: Graph) -> nn.Module:
    """A new module of a network, made from the source that `cnndsl.codegen.emit` gives, weights initialised.

    The source is at `module.source`; tracebacks and `inspect.getsource` show its lines.
    Raises ValueError if the graph is not complete.
    """
    source = emit(graph)
    name = f"cnndsl_{graph.name}_{next(_numbers)}"
    file = f"<{name}>"
    namespace = ModuleType(name)
    namespace.__file__ = file
    # Registered, so that a module can be pickled by PyTorch's tools and its lines shown.
    sys.modules[name] = namespace
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), namespace.__dict__)
    module: nn.Module = getattr(namespace, class_name(graph))()
    module.source = source  # type: ignore[assignment]
    return module


def load(
    path: str | os.PathLike[str],
    network: str | None = None,
    *,
    input: str | tuple[int, ...] | None = None,
    root: str | None = None,
    **parameters: Any,
) -> nn.Module:
    """The module of a spec file, such as `cnndsl.load("lenet5.cnn")`.

    path: the file, `FILE:NETWORK`, or the name of a network that comes with cnndsl, as on the command line.
    network: which of the file's networks, if it has several.
    input: another input size, such as `"224x224x3"` or `(224, 224, 3)`. root: the folder that `use` may not leave.
    parameters: values for the network's parameters, as `--set` gives them.
    Raises SpecError if the file can't be read or has errors, ValueError if the choice of a network is left open.
    """
    checked = checked_file(path, network, input=input, root=root, parameters=parameters)
    if not checked.ok:
        raise SpecError(errors_of(checked))
    return build_module(chosen(checked, checked.networks).graph)
