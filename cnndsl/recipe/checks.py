"""What can be said of a recipe and a network together before any data is read."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic, Label, problem
from cnndsl.graph import Graph, Node
from cnndsl.layers.base import LayerError
from cnndsl.recipe.recipe import Recipe
from cnndsl.shape import Shape
from cnndsl.source import Span

SOFTMAXES = ("softmax", "sigmoid")
"""Kinds whose outputs a further softmax would flatten. A `logsoftmax` stays what it is under another one."""
DISTANCES = "rbf"


def check(recipe: Recipe, graph: Graph, span: Span) -> list[Diagnostic]:
    """Everything wrong or odd about training `graph` this way; `span` is the recipe's own place."""
    if ends := _several_ends(recipe, graph, span):
        return ends
    found = [*_check_input(recipe, graph, span), *_check_output(recipe, graph, span)]
    if found and recipe.place("data") is None:
        return [problem("NoData", span, why=found[0].message_text())]
    return [*found, *_check_weights(graph), *_check_metrics(recipe, graph), *_check_ending(recipe, graph)]


def main_output(graph: Graph) -> tuple[Node, Shape]:
    """The node that gives the network's result, and the result's shape. The graph must be complete."""
    edge = next(o.edge for o in graph.outputs if not o.training)
    shape = graph.shape_of(edge)
    assert shape is not None
    return graph.nodes[edge.node], shape


def _several_ends(recipe: Recipe, graph: Graph, span: Span) -> list[Diagnostic]:
    outputs = [o for o in graph.outputs if not o.training]
    if len(outputs) < len(graph.outputs):
        return [problem("NotYet", recipe.place("data") or span, what="training with auxiliary outputs")]
    for ends, count in (("inputs", len(graph.inputs)), ("outputs", len(outputs))):
        if count != 1:
            where = recipe.place("data") or span
            return [problem("SeveralEnds", where, count=count, ends=ends, data=recipe.data.name)]
    return []


def _check_input(recipe: Recipe, graph: Graph, span: Span) -> list[Diagnostic]:
    node = graph.nodes[graph.inputs[0]]
    shape = graph.shape_of(graph.outputs[0].edge._replace(node=node.index, output=0))
    assert shape is not None
    try:
        recipe.data.check_input(shape)
    except LayerError as error:
        return [_at(error, node.span, recipe)]
    return []


def _check_output(recipe: Recipe, graph: Graph, span: Span) -> list[Diagnostic]:
    node, shape = main_output(graph)
    if any(side != 1 for side in shape.spatial):
        if recipe.loss.target == "values" and recipe.data.classes is None and recipe.data.name == "synthetic":
            return []
        values = {"shape": str(shape), "loss": recipe.loss.name, "data": recipe.data.name}
        return [problem("NotOnePrediction", node.span, labels=_data_label(recipe), **values)]
    try:
        recipe.data.check_output(shape.channels, recipe.loss.target)
    except LayerError as error:
        return [_at(error, node.span, recipe)]
    return []


def _at(error: LayerError, span: Span, recipe: Recipe) -> Diagnostic:
    """A source's refusal: at the recipe's own line if an argument is to blame, else at the network's."""
    place = recipe.place("data")
    if error.argument is not None and place is not None:
        return problem(error.problem, place, labels=(Label(span, "for this"),), **error.values)
    return problem(error.problem, span, labels=_data_label(recipe), **error.values)


def _data_label(recipe: Recipe) -> tuple[Label, ...]:
    place = recipe.place("data")
    return (Label(place, "the data"),) if place is not None else ()


def _check_weights(graph: Graph) -> list[Diagnostic]:
    for node in graph.nodes:
        if node.layer is None:
            continue
        inputs = [shape for edge in node.inputs if (shape := graph.shape_of(edge)) is not None]
        if any(weight.kind == "parameter" for weight in node.layer.weights(*inputs)):
            return []
    return [problem("NothingToTrain", graph.span, name=graph.name)]


def _check_metrics(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    _, shape = main_output(graph)
    where = recipe.place("metrics")
    if where is None:
        return []
    has_classes = recipe.data.classes is not None or recipe.loss.target == "classes"
    found = []
    for metric in recipe.metrics:
        why = None
        if metric.target == "classes" and not has_classes:
            why = "compares classes, but the targets are values"
        elif metric.target == "values" and recipe.loss.target == "classes":
            why = f"compares values, but `loss {recipe.loss.name}` is about classes"
        elif metric.target == "classes" and shape.channels < metric.fewest_classes:
            why = f"needs {metric.fewest_classes} classes, but there are {shape.channels}"
        if why is not None:
            found.append(problem("MetricMismatch", where, metric=metric.name, why=why))
    return found


def _check_ending(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    node, _ = main_output(graph)
    values = {"kind": node.kind, "loss": recipe.loss.name}
    place = recipe.place("loss")
    labels = (Label(place, "the loss"),) if place is not None else ()
    if recipe.loss.name == "cross_entropy" and node.kind in SOFTMAXES:
        return [problem("SoftmaxBeforeLoss", node.span, labels=labels, **values)]
    if recipe.loss.smallest and node.kind != DISTANCES:
        return [problem("DistancesExpected", node.span, labels=labels, **values)]
    if not recipe.loss.smallest and recipe.loss.target == "classes" and node.kind == DISTANCES:
        return [problem("DistancesAsScores", node.span, labels=labels, **values)]
    return []
