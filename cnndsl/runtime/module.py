"""From a graph to a PyTorch module, by running the very source that `compile` prints."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping
from itertools import count
from types import ModuleType
from typing import Any

from torch import nn

from cnndsl.codegen import class_name, emit
from cnndsl.diagnostics import Diagnostic
from cnndsl.graph import Graph
from cnndsl.pipeline import Options, check
from cnndsl.source import Source
from cnndsl.zoo import locate, read

_numbers = count(1)


class SpecError(ValueError):
    """A spec with errors. `diagnostics` holds them; the text is what `cnndsl check` would print."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        from cnndsl.diagnostics.render import render_all

        super().__init__(render_all(diagnostics))
        self.diagnostics = diagnostics


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
    path: str,
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
    size = "x".join(map(str, input)) if isinstance(input, (tuple, list)) else input
    place = locate(str(path))
    source = read(place)
    if isinstance(source, Diagnostic):
        raise SpecError((source,))
    return build_module(load_graph(source, network or place.network, input=size, root=root, parameters=parameters))


def load_graph(
    source: Source,
    network: str | None,
    *,
    input: str | None = None,
    root: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Graph:
    """The one network of a source that is meant. Raises SpecError or ValueError."""
    sets = tuple((name, _as_text(value)) for name, value in (parameters or {}).items())
    checked = check(source, Options(sets, input, 1, network, root))
    if not checked.ok:
        raise SpecError(tuple(d for d in checked.diagnostics if d.severity == "error"))
    if len(checked.networks) != 1:
        names = ", ".join(one.graph.name for one in checked.networks)
        raise ValueError(f"{source.name} has several networks ({names}): say which")
    return checked.networks[0].graph


def _as_text(value: Any) -> str:
    """A Python value as a spec writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_as_text, value)) + "]"
    return str(value)
