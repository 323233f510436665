"""The comparison of two networks as JSON: every layer of both, and the whole mapping of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from cnndsl.compare import Pair, Side
from cnndsl.compare.checkpoint import Loaded, Loading
from cnndsl.diagnostics import Diagnostic
from cnndsl.measure import CONVENTION
from cnndsl.report.as_json import memory_data, shape_data, totals_data, value_data
from cnndsl.report.difference import Alone, Difference

VERSION = 1
"""Rises when a field changes its meaning or goes; new fields may come without."""


def render(found: Sequence[Difference], alone: Sequence[Alone], diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    """The document in pieces, a layer to a line."""
    yield f'{{\n"version": {VERSION},\n"convention": {json.dumps(CONVENTION)},\n"comparisons": ['
    for i, one in enumerate(found):
        yield ",\n" if i else "\n"
        yield from _comparison(one)
    yield '\n],\n"alone": '
    yield json.dumps([{"in": "b" if one.mark == "+" else "a", **_side(one.side)} for one in alone])
    yield ',\n"diagnostics": ' + json.dumps([one.to_json() for one in diagnostics]) + "\n}\n"


def _comparison(one: Difference) -> Iterator[str]:
    comparison = one.comparison
    head = {
        "equal": comparison.equal,
        "a": _side(comparison.a),
        "b": _side(comparison.b),
        "parameters": [change._asdict() for change in comparison.parameters],
        "checkpoint": None if one.loading is None else _loading(one.loading),
    }
    yield json.dumps(head)[:-1] + ', "layers": ['
    for i, pair in enumerate(comparison.pairs):
        yield (",\n " if i else "\n ") + json.dumps(_pair(comparison.a, comparison.b, pair))
    yield "\n]}"


def _side(side: Side) -> dict[str, Any]:
    graph, analysis = side.graph, side.analysis
    return {
        "name": graph.name,
        "file": side.label,
        "parameters": {name: value_data(value) for name, value in graph.parameters.items()},
        "totals": totals_data(analysis.totals),
        "memory": memory_data(analysis.memory),
    }


def _pair(a: Side, b: Side, pair: Pair) -> dict[str, Any]:
    return {
        "what": pair.what,
        "a": _layer(a, pair.a),
        "b": _layer(b, pair.b),
        "changes": [change._asdict() for change in pair.changes],
        "moved": pair.moved,
        "renamed": pair.renamed,
    }


def _layer(side: Side, index: int | None) -> dict[str, Any] | None:
    if index is None:
        return None
    node, measure = side.graph.nodes[index], side.analysis.layers[index]
    names = ("params", "macs", "receptive_field", "stride", "saved")
    return {
        "id": index,
        "name": node.name,
        "kind": node.kind,
        "span": node.span.to_json(),
        "outputs": [shape_data(shape) for shape in (node.results or (None,))],
        **{name: None if measure is None else value_data(getattr(measure, name)) for name in names},
    }


def _loading(loading: Loading) -> dict[str, Any]:
    return {
        "mapping": loading.mapping,
        "tensors": [_loaded(one) for one in loading.tensors],
        "unused": [{"name": one.name, "shape": list(one.shape)} for one in loading.unused],
    }


def _loaded(one: Loaded) -> dict[str, Any]:
    return {
        "name": one.tensor.name,
        "shape": list(one.tensor.shape),
        "how": one.how,
        "from": None if one.source is None else {"name": one.source.name, "shape": list(one.source.shape)},
        "name_is_another_layers": one.mistaken,
    }
