"""What `sizes` writes as JSON: docs/json.md tells the fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cnndsl.diagnostics import Diagnostic
from cnndsl.shape import Shape
from cnndsl.sizes import Allowed, Answer, At, Line
from cnndsl.sizes.patterns import as_ranges, pattern_of

VERSION = 1


def render(answers: Sequence[Answer], diagnostics: Sequence[Diagnostic]) -> str:
    """The document."""
    networks = [_answer(answer) for answer in answers]
    found = {"version": VERSION, "networks": networks, "diagnostics": [d.to_json() for d in diagnostics]}
    return json.dumps(found, indent=1) + "\n"


def _answer(answer: Answer) -> dict[str, Any]:
    first = answer.lines[0]
    return {
        "name": answer.name,
        "span": answer.graph.span.to_json(),
        "inputs": [{"name": name, **_shape(shape)} for name, shape in answer.inputs.items()],
        "axes": [
            {
                "name": axis.name,
                "declared": axis.declared,
                "places": [{"input": name, "axis": answer.inputs[name].axes[place]} for name, place in axis.places],
            }
            for axis in answer.axes
        ],
        "examined": {"first": int(first.sizes[0]), "last": int(first.sizes[-1])},
        "complete": answer.complete,
        "coupled": answer.coupled is not None,
        "pairs": {"fit": answer.pairs.fit, "of": answer.pairs.all, "first": list(answer.pairs.first)}
        if answer.pairs
        else None,
        "lines": [_line(line) for line in answer.lines],
        "inference": [_sets(line) for line in answer.inference],
        "weights_depend": list(answer.weighing),
        "where": [_where(one) for one in answer.allowed],
    }


def _sets(line: Line) -> dict[str, Any]:
    """The exact sets of a line, as ranges."""
    fits = pattern_of(line.sizes, line.fits())
    last = int(line.sizes[-1])
    return {
        "title": line.title,
        "axes": [axis.name for axis in line.axes],
        "smallest": fits.smallest,
        "fits": as_ranges(fits, last),
        "loses_nothing": as_ranges(pattern_of(line.sizes, line.lossless()), last),
        "unknown": as_ranges(pattern_of(line.sizes, line.unknown()), last),
    }


def _line(line: Line) -> dict[str, Any]:
    refused = []
    for one in line.refusals():
        mask = line.fits() & False
        mask[list(one.indexes)] = True
        refused.append(
            {
                "layer": one.name,
                "span": one.span.to_json(),
                "sizes": as_ranges(pattern_of(line.sizes, mask), int(line.sizes[-1])),
                "example": {"size": int(line.sizes[one.indexes[-1]]), "message": line.why(one.indexes[-1])},
            }
        )
    return {**_sets(line), "examples": [_example(line, index) for index in line.examples()], "refused": refused}


def _example(line: Line, index: int) -> dict[str, Any]:
    return {
        "size": int(line.sizes[index]),
        "inputs": [{"name": name, **_shape(shape)} for name, shape in line.inputs(index).items()],
        "outputs": [{"name": name, **_shape(shape)} for name, shape in line.outputs(index).items()],
        "left_out": [
            {"layer": layer, "axis": axis, "cells": cells, "of": size}
            for layer, axis, cells, size in line.losses(index)
        ],
    }


def _shape(shape: Shape) -> dict[str, Any]:
    return {"axes": list(shape.axes), "shape": list(shape.sizes)}


def _where(one: Allowed) -> dict[str, Any]:
    sizes = one.line.sizes
    return {
        "condition": one.text,
        "along": one.line.title,
        "smallest_misfit": None if one.misfit is None else int(sizes[one.misfit]),
        "smallest_lossy": None if one.lossy is None else int(sizes[one.lossy]),
        "excluded": as_ranges(pattern_of(sizes, one.excluded), int(sizes[-1])),
    }


def render_at(answers: Sequence[At], diagnostics: Sequence[Diagnostic]) -> str:
    """The document about one size."""
    found = {
        "version": VERSION,
        "networks": [_at(one) for one in answers],
        "diagnostics": [d.to_json() for d in diagnostics],
    }
    return json.dumps(found, indent=1) + "\n"


def _at(one: At) -> dict[str, Any]:
    refused = None
    if one.refused is not None:
        refused = dict(zip(("layer", "line", "message"), one.refused, strict=True))
    return {
        "name": one.name,
        "inputs": [{"name": name, **_shape(shape)} for name, shape in one.inputs.items()],
        "fits": one.refused is None,
        "refused": refused,
        "stages": [
            {
                "layer": stage.layer,
                "line": stage.line,
                "input": list(stage.input.sizes),
                "output": list(stage.output.sizes),
                "left_out": [{"axis": axis, "cells": cells, "of": size} for axis, cells, size in stage.losses],
            }
            for stage in one.stages
        ],
        "outputs": [{"name": name, **_shape(shape)} for name, shape in one.outputs.items()],
        "near": [
            {
                "along": near.title,
                "size": near.size,
                "fits": {"below": near.fits[0], "above": near.fits[1]},
                "loses_nothing": {"below": near.lossless[0], "above": near.lossless[1]},
            }
            for near in one.near
        ],
    }
