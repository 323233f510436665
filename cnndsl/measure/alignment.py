"""Merges whose arms don't line up, as warnings."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Label, problem
from cnndsl.graph import Graph, Node
from cnndsl.measure import Analysis
from cnndsl.shape import SPATIAL_AXES
from cnndsl.source import Span


def check_alignment(graph: Graph, analysis: Analysis) -> list[Diagnostic]:
    """A warning for every place where arms with different strides or centres are merged."""
    found: list[Diagnostic] = []
    places: set[Span] = set()
    for index, mismatches in analysis.misaligned.items():
        node = graph.nodes[index]
        if node.span not in places:
            places.add(node.span)
            found.append(_warning(graph, node, mismatches))
    return found


def _warning(graph: Graph, node: Node, mismatches: tuple[Any, ...]) -> Diagnostic:
    first = mismatches[0]
    assert node.shapes is not None
    names = SPATIAL_AXES[node.shapes[0].rank]
    alike = [m for m in mismatches if (m.arms, m.jumps, m.centres) == (first.arms, first.jumps, first.centres)]
    values: dict[str, Any] = {"kind": node.kind, "axes": " and ".join(names[m.axis] for m in alike)}
    if first.jumps[0] != first.jumps[1]:
        texts = tuple(f"steps of {jump:,} input cell{'s' * (jump != 1)}" for jump in first.jumps)
        labels = _labels(graph, node, first.arms, texts)
        values |= {"first": _cells(2 * first.jumps[0]), "second": _cells(2 * first.jumps[1])}
        return problem("ArmsOfOtherStride", node.span, labels=labels, **values)
    ahead = first.centres[0] > first.centres[1]
    distance = abs(first.centres[0] - first.centres[1])
    texts = ("looks further on", "looks further back") if ahead else ("looks further back", "looks further on")
    values |= {"distance": _cells(distance), "cells": _number(distance, first.jumps[0])}
    return problem("ArmsApart", node.span, labels=_labels(graph, node, first.arms, texts), **values)


def _labels(graph: Graph, node: Node, arms: tuple[int, int], texts: tuple[str, ...]) -> tuple[Label, ...]:
    """The arms' last items, as far as they can be told apart, and where the blocks were called from."""
    ends = [graph.nodes[node.inputs[arm].node].span for arm in arms]
    found = [Label(span, text) for span, text in zip(ends, texts, strict=True) if span != node.span]
    if len(set(ends)) < len(ends):
        found = []
    calls = dict.fromkeys(reversed(node.calls))
    return (*found, *(Label(call, "called from here") for call in list(calls)[:3]))


def _cells(twice: int) -> str:
    """Half cells as text: `1 input cell`, `1.5 input cells`."""
    text = f"{twice // 2:,}{'.5' * (twice % 2)}"
    return f"{text} input cell{'s' * (twice != 2)}"


def _number(twice: int, jump: int) -> str:
    """So many cells of the tensor: `1`, `1.5`, `about 1.33`."""
    value = twice / (2 * jump)
    return f"{value:g}" if (4 * twice) % (2 * jump) == 0 else f"about {value:.2f}"
