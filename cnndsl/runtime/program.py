"""Training from a Python program: `cnndsl.train`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from cnndsl.diagnostics import Diagnostic
from cnndsl.files import kept_files
from cnndsl.graph import Graph
from cnndsl.pipeline import Checked, CheckedNetwork, CheckedPair, check
from cnndsl.recipe import Recipe
from cnndsl.recipe import read as read_recipe
from cnndsl.recipe.overrides import override, parse_settings
from cnndsl.recipe.pair import Pair, read_pair
from cnndsl.runtime import train as training
from cnndsl.runtime.job import Options
from cnndsl.runtime.module import build_module
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.trained import read_weights
from cnndsl.source import Source
from cnndsl.spec import Spec, SpecError, checked_file, errors_of, text_of

Row = dict[str, float]
PARTS = ("train", "validation", "test")
"""What given data may have apart."""


class Training(NamedTuple):
    """What a run came to.

    run: its folder. module: the trained network in evaluation mode, on the CPU; of two networks that train each other a
    `ModuleDict` of both. history: a row for each epoch, with the columns of metrics.csv. test: the loss and the metrics
    on the test examples, None if there were none. stopped: whether Ctrl-C ended it; `resume=run` goes on.
    """

    run: Path
    module: nn.Module
    history: tuple[Row, ...]
    test: Row | None
    stopped: bool


def train(
    spec: str | os.PathLike[str] | Spec | None = None,
    data: Any = None,
    *,
    network: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    resume: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "runs",
    data_root: str | os.PathLike[str] | None = None,
    device: str = "auto",
    limit: int | None = None,
    quiet: bool = False,
    init_from: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Training:
    """Train a network by its recipe, and leave a run folder, as `cnndsl train` does.

    spec: a file, `FILE:NETWORK`, the name of a network that comes with cnndsl, a spec's text (several lines), or what
    `cnndsl.load_spec` gave. network, parameters: which of its networks, and values for its parameters.
    data: instead of the recipe's, arrays of NumPy or tensors: `(inputs, targets)`, inputs alone where they are what the
    network is to give back, or a dictionary of those with `train` and, apart, `validation` and `test`. Images of bytes
    are fitted to the input, as N x H x W or with channels first or last; other numbers have its shape.
    settings: those of the recipe, each by its name with what its line would say: `epochs=3`, `optimizer="sgd lr=0.1"`.
    init_from: a run's folder, or a file of safetensors, whose weights it starts with as far as they fit.
    resume: a run's folder to go on with instead of a spec; of the settings only `epochs` may change, and data that were
    given before are given again.
    The others are the command's options.

    Raises SpecError for what is wrong with the spec or the settings, ValueError if the choice of a network is left
    open, and cnndsl.runtime.errors.TrainingError for what stops training.
    """
    options = Options(
        data_root=None if data_root is None else os.fspath(data_root),
        out=os.fspath(out),
        device=device,
        limit=limit,
        quiet=quiet,
        given=None if data is None else _parts(data),
        init_from=None if init_from is None else os.fspath(init_from),
    )
    if (spec is None) == (resume is None):
        raise ValueError("give a spec, or the folder of a run as `resume`")
    if resume is not None:
        return _resumed(Path(resume), options, settings)
    checked = _checked(spec, network, parameters or {})
    chosen = _chosen(checked)
    lines = [(name, _written(value)) for name, value in settings.items()]
    before = chosen.recipe.data.name if chosen.recipe is not None else None
    if options.given is not None and before != "arrays" and "data" not in settings:
        lines.append(("data", "arrays"))
    graph, recipe = _recipe(chosen, lines)
    sets = tuple((name, text_of(value)) for name, value in (parameters or {}).items())
    result = training.train(graph, recipe, options._replace(settings=sets, uses=kept_files(checked.library)))
    return _training(graph, result)


def _resumed(run: Path, options: Options, settings: Mapping[str, Any]) -> Training:
    others = sorted(set(settings) - {"epochs"})
    if others:
        raise ValueError(f"a resumed run keeps its settings: only `epochs` may change, not `{others[0]}`")
    graph, recipe = read_run(run)
    if "epochs" in settings:
        recipe = recipe._replace(epochs=int(settings["epochs"]))
    return _training(graph, training.resume(run, graph, recipe, options))


def _training(graph: Graph | Pair, result: training.Result) -> Training:
    assert result.run is not None
    weights = read_weights(result.run)
    module: nn.Module
    if isinstance(graph, Pair):
        module = nn.ModuleDict({one.name: build_module(one) for one in graph.graphs})
    else:
        module = build_module(graph)
    module.load_state_dict(weights)
    return Training(result.run, module.eval(), result.history, result.test, result.stopped)


def _parts(data: Any) -> dict[str, tuple[Any, Any]]:
    """Given data by parts, each inputs and targets. Raises ValueError for other parts."""
    if not isinstance(data, Mapping):
        return {"train": _both(data)}
    unknown = [str(name) for name in data if name not in PARTS]
    if unknown or "train" not in data:
        what = f"not {unknown[0]!r}" if unknown else "and `train` must be there"
        raise ValueError(f"the parts of data are {', '.join(PARTS)}, {what}")
    return {name: _both(part) for name, part in data.items()}


def _both(part: Any) -> tuple[Any, Any]:
    if isinstance(part, (tuple, list)):
        if len(part) != 2:
            raise ValueError(f"data are inputs and targets, (x, y), not {len(part)} arrays")
        return part[0], part[1]
    return part, None


def _checked(spec: Any, network: str | None, parameters: Mapping[str, Any]) -> Checked:
    """A spec without errors. Raises SpecError."""
    if isinstance(spec, Spec):
        if network is not None or parameters:
            raise ValueError("`network` and `parameters` are said to `cnndsl.load_spec`")
        checked = spec.checked._replace(networks=(spec.network,), pairs=())
    elif isinstance(spec, str) and "\n" in spec:
        from cnndsl.pipeline import Options as Checking

        sets = tuple((name, text_of(value)) for name, value in parameters.items())
        checked = check(Source("<text>", spec), Checking(sets, network=network))
    else:
        checked = checked_file(spec, network, input=None, root=None, parameters=parameters)
    if not checked.ok:
        raise SpecError(errors_of(checked))
    return checked


def _chosen(checked: Checked) -> CheckedNetwork | CheckedPair:
    """The only network, the only one with a recipe, or the only recipe for two. Raises ValueError."""
    every: list[CheckedNetwork | CheckedPair] = [*checked.networks, *checked.pairs]
    found = every if len(every) == 1 else [one for one in every if one.recipe is not None]
    if len(found) != 1:
        names = ", ".join(one.pair.name if isinstance(one, CheckedPair) else one.graph.name for one in every)
        raise ValueError(f"{checked.source.name} has several networks ({names}): say which")
    return found[0]


def _recipe(chosen: CheckedNetwork | CheckedPair, sets: list[tuple[str, str]]) -> tuple[Graph | Pair, Recipe]:
    """The network and its recipe with other settings. Raises SpecError."""
    others, diagnostics = parse_settings(sets)
    lines = override(chosen.recipe.settings if chosen.recipe is not None else (), others)
    graph: Graph | Pair
    if isinstance(chosen, CheckedPair):
        graph, recipe, found = read_pair(chosen.joint._replace(settings=tuple(lines)))
    else:
        graph = chosen.graph
        recipe, found = read_recipe(lines, graph, graph.span)
    errors: tuple[Diagnostic, ...] = tuple(d for d in (*diagnostics, *found) if d.severity == "error")
    if errors or recipe is None:
        raise SpecError(errors)
    return graph, recipe


def _written(value: Any) -> str:
    """A setting's value as its line would have it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return text_of(value)
