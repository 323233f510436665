"""What can be said of a recipe and a network together before any data is read."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest, problem
from cnndsl.graph import Edge, Graph
from cnndsl.layers.base import LayerError
from cnndsl.recipe.augment_checks import check_augmentations
from cnndsl.recipe.ends import End, Term, codes, ends, main_end, terms
from cnndsl.recipe.recipe import Recipe
from cnndsl.recipe.selection import Selected, learned, names, selected
from cnndsl.shape import Shape
from cnndsl.source import Span

SOFTMAXES = ("softmax", "sigmoid")
"""Kinds whose outputs a further softmax would flatten. A `logsoftmax` stays what it is under another one."""
DISTANCES = "rbf"


def check(recipe: Recipe, graph: Graph, span: Span) -> list[Diagnostic]:
    """Everything wrong or odd about training `graph` this way; `span` is the recipe's own place."""
    of_two = [p.value.name for p in recipe.parts if getattr(p.value, "of_two", False)]
    of_two += [recipe.loss.name] if recipe.loss.of_two else []
    if of_two:
        return [problem("LossOfTwo", recipe.place("loss") or span, loss=of_two[0])]
    inputs = _check_inputs(recipe, graph, span)
    found = inputs or _check_outputs(recipe, graph, span)
    if found and recipe.place("data") is None and any(type(d).__name__ in _OF_DATA for d in found):
        return [problem("NoData", span, why=found[0].message_text())]
    if inputs:
        return inputs
    return [
        *found,
        *_check_weights(graph),
        *_check_freeze(recipe, graph),
        *_check_rates(recipe, graph),
        *_check_metrics(recipe, graph),
        *_check_endings(recipe, graph),
        *_check_rule(recipe, graph),
        *_check_curvature(recipe, graph),
        *_check_watching(recipe),
        *check_means(recipe),
        *_check_views(recipe, graph),
        *check_augmentations(recipe, graph),
    ]


_OF_DATA = {
    "InputMismatch",
    "InputTooSmallToPad",
    "InputTooLargeToCrop",
    "ClassesMismatch",
    "NotOnePrediction",
    "NotAMap",
    "TableMismatch",
    "SeveralEnds",
}
"""Problems that other data would not have."""


def input_shapes(graph: Graph) -> tuple[Shape, ...]:
    """The shapes of a complete graph's inputs."""
    return tuple(shape for index in graph.inputs if (shape := graph.shape_of(Edge(index))) is not None)


# --- inputs ---------------------------------------------------------------------------------------------------------


def _check_inputs(recipe: Recipe, graph: Graph, span: Span) -> list[Diagnostic]:
    count = len(graph.inputs)
    node = graph.nodes[graph.inputs[0]]
    if count == 2 and not takes_pairs(graph):
        return [
            _unpaired(
                recipe, graph.nodes[graph.inputs[1]].span, "its inputs have different shapes", "give both one shape"
            )
        ]
    if count > 2:
        where = recipe.place("data") or span
        return [problem("SeveralEnds", where, count=count, ends="inputs", data=recipe.data.name)]
    try:
        recipe.data.check_input(input_shapes(graph)[0])
    except LayerError as error:
        return [_at(error, node.span, recipe)]
    return []


def takes_pairs(graph: Graph) -> bool:
    """Whether a network is given pairs of examples: it has two inputs of one shape."""
    shapes = input_shapes(graph)
    return len(shapes) == 2 and shapes[0] == shapes[1]


def _unpaired(recipe: Recipe, span: Span, why: str, advice: str) -> Diagnostic:
    return problem("NotForPairs", span, labels=_label(recipe, "data"), why=why, advice=advice)


# --- outputs --------------------------------------------------------------------------------------------------------


def _check_outputs(recipe: Recipe, graph: Graph, span: Span) -> list[Diagnostic]:
    by_name = {end.name: end for end in ends(graph)}
    chosen = terms(recipe, graph)
    taken = {name for term in chosen for name in term.outputs}
    found = [
        problem("MissingLoss", end.node.span, labels=_label(recipe, "loss"), output=end.name, shape=str(end.shape))
        for end in by_name.values()
        if end.name not in taken
    ]
    for term in chosen:
        found += _check_term(recipe, graph, term, by_name[term.outputs[0]])
    return found


def _check_term(recipe: Recipe, graph: Graph, term: Term, end: End) -> list[Diagnostic]:
    """One loss and the first output it is about."""
    loss = term.loss
    if loss.takes is not None and len(term.outputs) < loss.takes:
        return [problem("NeedsTwoCodes", end.node.span, labels=_label(recipe, "loss"), loss=loss.name, count=1)]
    if takes_pairs(graph):
        return _check_pair(recipe, term, end)
    if loss.takes == 2:
        return [_unpaired(recipe, end.node.span, f"`loss {loss.name}` has one input to compare", "have two inputs")]
    if loss.target == "input":
        return [*_check_image(recipe, graph, term, end), *_check_codes(graph, term, end)]
    if loss.target == "sequence":
        return _check_sequence(recipe, term, end)
    return _check_target(recipe, term, end)


def _check_pair(recipe: Recipe, term: Term, end: End) -> list[Diagnostic]:
    """Whether an output can say of two examples if they are of one class."""
    loss, data = term.loss, recipe.data
    if data.gives not in ("class", "") or data.of_values:
        why = f"`data {data.name}` has no classes"
        return [_unpaired(recipe, recipe.place("data") or end.node.span, why, "choose data with classes")]
    outputs = {"values": 1, "classes": 2}.get(loss.target, 0)
    if loss.takes == 2 or end.shape.elements == outputs:
        return []
    why = f"`loss {loss.name}` of {end.shape} does not say whether they are alike"
    advice = "end with `dense 1` and write `loss bce`, or give two codes and write `loss contrastive`"
    return [_unpaired(recipe, end.node.span, why, advice)]


def _check_image(recipe: Recipe, graph: Graph, term: Term, end: End) -> list[Diagnostic]:
    (shape,) = input_shapes(graph)
    if shape == end.shape:
        return []
    values = {"loss": term.loss.name, "output": str(end.shape), "input": str(shape)}
    return [problem("NotTheInput", end.node.span, labels=_label(recipe, "loss"), **values)]


def _check_codes(graph: Graph, term: Term, end: End) -> list[Diagnostic]:
    if term.loss.takes is not None:
        return []
    edges = codes(graph)
    if not edges:
        advice = "put `gaussian mu logvar` between encoder and decoder, or write `loss reconstruction`"
        what = "a `gaussian` layer, and there is none"
        return [problem("CodesNotGiven", end.node.span, what=what, advice=advice, here="made of no sample")]
    missing = [graph.nodes[edge.node] for edge in edges if edge not in {output.edge for output in graph.outputs}]
    if not missing:
        return []
    node = next(node for node in graph.nodes if node.kind == "gaussian")
    names = ", ".join(f"`{node.name}`" for node in missing)
    lines = " and ".join(f"`output {node.name}`" for node in missing)
    what = f"the mean and the log-variance of `{node.name}` as outputs: {names} {'are' if missing[1:] else 'is'} none"
    return [problem("CodesNotGiven", node.span, what=what, advice=f"add {lines} below", here="sampled from here")]


def _check_sequence(recipe: Recipe, term: Term, end: End) -> list[Diagnostic]:
    if end.shape.rank != 1:
        why = f"needs a row of places, such as 26x37, but the network ends with {end.shape}"
        return [problem("NotASequence", end.node.span, labels=_label(recipe, "loss"), why=why)]
    if recipe.data.gives not in ("sequence", ""):
        why = f"needs sequences as targets, but `data {recipe.data.name}` gives one for each example"
        return [problem("NotASequence", recipe.place("data") or end.node.span, why=why)]
    blank = getattr(term.loss, "blank", 0)
    if blank >= end.shape.channels:
        why = f"takes output {blank} for none, but there are {end.shape.channels}"
        return [problem("NotASequence", recipe.place("loss") or end.node.span, why=why)]
    return _source_takes(recipe, term, end)


def _check_target(recipe: Recipe, term: Term, end: End) -> list[Diagnostic]:
    shape, data = end.shape, recipe.data
    if any(side != 1 for side in shape.spatial) and data.gives != "map":
        if data.of_places:
            return []
        values = {"shape": str(shape), "loss": term.loss.name, "data": data.name}
        return [problem("NotOnePrediction", end.node.span, labels=_label(recipe, "data"), **values)]
    if data.gives == "map" and all(side == 1 for side in shape.spatial):
        values = {"shape": str(shape), "data": data.name, "outputs": shape.channels}
        return [problem("NotAMap", end.node.span, labels=_label(recipe, "data"), **values)]
    return _source_takes(recipe, term, end)


def _source_takes(recipe: Recipe, term: Term, end: End) -> list[Diagnostic]:
    """Whether the data has as many classes or values as the output needs."""
    try:
        recipe.data.check_output(term.loss.classes(end.shape.channels), term.loss.target)
    except LayerError as error:
        return [_at(error, end.node.span, recipe)]
    return []


def _at(error: LayerError, span: Span, recipe: Recipe) -> Diagnostic:
    """A source's refusal: at the recipe's own line if an argument is to blame, else at the network's."""
    place = recipe.place("data")
    if error.argument is not None and place is not None:
        return problem(error.problem, place, labels=(Label(span, "for this"),), **error.values)
    return problem(error.problem, span, labels=_label(recipe, "data"), **error.values)


def _label(recipe: Recipe, setting: str) -> tuple[Label, ...]:
    place = recipe.place(setting)
    return (Label(place, f"the {setting}"),) if place is not None else ()


# --- the rest of the recipe -----------------------------------------------------------------------------------------


def _check_weights(graph: Graph) -> list[Diagnostic]:
    if learned(graph):
        return []
    return [problem("NothingToTrain", graph.span, name=graph.name)]


def _not_learning(graph: Graph, name: str) -> tuple[str, str | None] | None:
    """Why nothing learns of what a line is about, and the name that may be meant; None if something does."""
    chosen = selected(graph, name)
    if not chosen:
        return f"there is no layer, block or parameter called `{name}`", closest(name, names(graph))
    if _learning(graph, chosen):
        return None
    return f"`{name}` does not learn" if chosen[0].parameter else f"`{name}` has no weights that learn", None


def _learning(graph: Graph, chosen: list[Selected]) -> set[tuple[int, str]]:
    """The parameters among these that learn: the number of the layer, and the name."""
    has = learned(graph)
    return {(node.index, p) for node, only in chosen for p in has.get(node.index, ()) if only in (None, p)}


def _check_freeze(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    place, freeze = recipe.place("freeze"), recipe.freeze
    if place is None or not freeze.layers:
        return []
    wrong = [found for name in freeze.layers if (found := _not_learning(graph, name)) is not None]
    if wrong:
        return [problem("NothingFrozen", place, why=why, near=near) for why, near in wrong]
    left = {(index, p) for index, parameters in learned(graph).items() for p in parameters}
    if left - _frozen(recipe, graph):
        return []
    return [problem("NothingFrozen", place, why=f"nothing would be left to learn{freeze.when}", near=None)]


def _frozen(recipe: Recipe, graph: Graph) -> set[tuple[int, str]]:
    """What `freeze` is about of what would learn."""
    return {one for name in recipe.freeze.layers for one in _learning(graph, selected(graph, name))}


def _check_rates(recipe: Recipe, graph: Graph) -> Iterator[Diagnostic]:
    frozen = _frozen(recipe, graph) if recipe.freeze.throughout else set()
    for part in recipe.parts:
        place = recipe.place_of(part)
        if part.setting != "rate" or place is None:
            continue
        wrong = _not_learning(graph, part.name)
        if wrong is None and _learning(graph, selected(graph, part.name)) <= frozen:
            wrong = f"`{part.name}` is frozen throughout", None
        if wrong is not None:
            why, near = wrong
            fixes = (Fix(f"did you mean `{near}`?", (Edit(place, near),)),) if near else ()
            yield problem("RateOfNothing", place, fixes=fixes, why=why, near=near)


def _check_metrics(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    where = recipe.place("metrics")
    if where is None:
        return []
    loss = terms(recipe, graph)[0].loss
    of_values = loss.target in ("values", "input")
    has_classes = recipe.data.classes is not None or loss.target == "classes" or loss.decides or takes_pairs(graph)
    classes = loss.classes(main_end(graph).shape.channels)
    found = []
    for metric in recipe.metrics:
        why = None
        if (metric.target == "sequence") != (loss.target == "sequence"):
            about = "about" if loss.target == "sequence" else "not about"
            why = f"does not fit `loss {loss.name}`, which is {about} sequences"
        elif metric.target == "classes" and (not has_classes or loss.target == "input"):
            why = "compares classes, but the targets are values"
        elif metric.target == "values" and not of_values:
            why = f"compares values, but `loss {loss.name}` is about classes"
        elif metric.target == "classes" and classes < metric.fewest_classes:
            why = f"needs {metric.fewest_classes} classes, but there are {classes}"
        if why is not None:
            found.append(problem("MetricMismatch", where, metric=metric.name, why=why))
    return found


def _check_endings(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    by_name = {end.name: end for end in ends(graph)}
    found = []
    for term in terms(recipe, graph):
        loss, node = term.loss, by_name[term.outputs[0]].node
        values = {"kind": node.kind, "loss": loss.name}
        labels = _label(recipe, "loss")
        if loss.name in ("cross_entropy", "focal") and node.kind in SOFTMAXES:
            found.append(problem("SoftmaxBeforeLoss", node.span, labels=labels, **values))
        elif loss.smallest and node.kind != DISTANCES:
            found.append(problem("DistancesExpected", node.span, labels=labels, **values))
        elif not loss.smallest and loss.target == "classes" and node.kind == DISTANCES:
            found.append(problem("DistancesAsScores", node.span, labels=labels, **values))
    return found


def _check_rule(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """Rosenblatt's rule is one for a single layer."""
    if recipe.optimizer.name != "perceptron":
        return []
    trained, node = list(learned(graph)), main_end(graph).node
    why, span = None, recipe.place("optimizer") or node.span
    if node.kind != "step":
        why, span = f"the network ends in `{node.kind}`", node.span
    elif len(trained) > 1:
        why, span = f"{len(trained)} layers learn", graph.nodes[trained[0]].span
    elif recipe.loss.name != "half_squared":
        why, span = f"`loss {recipe.loss.name}` is not its own", recipe.place("loss") or span
    return [] if why is None else [problem("NoPerceptron", span, labels=_label(recipe, "optimizer"), why=why)]


_SUMS = ("conv", "dwconv", "deconv", "dense", "linear", "subsample")
"""Kinds of layers that add up weights times inputs, whose curvature `sdlm` knows."""
MOST_OUTPUTS = 1000


def _check_curvature(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """The diagonal Levenberg-Marquardt optimizer is for networks of sums."""
    if recipe.optimizer.name != "sdlm":
        return []
    end = main_end(graph)
    why, span = None, end.node.span
    other = next((graph.nodes[n] for n in learned(graph) if graph.nodes[n].kind not in _SUMS), None)
    if other is not None:
        why, span = f"the weights of `{other.kind}` are not factors of its inputs", other.span
    elif end.shape.elements != end.shape.channels or end.shape.channels > MOST_OUTPUTS:
        why = f"{end.shape} are too many outputs"
    elif recipe.loss.takes != 1:
        why, span = f"`loss {recipe.loss.name}` compares several outputs", recipe.place("loss") or span
    return [] if why is None else [problem("NotForCurvature", span, labels=_label(recipe, "optimizer"), why=why)]


def _check_watching(recipe: Recipe) -> list[Diagnostic]:
    watching = ["schedule"] if recipe.schedule.watches else []
    watching += ["early_stopping"] if recipe.early_stopping.patience else []
    if not recipe.validation:
        places = [(name, recipe.place(name)) for name in watching]
        return [problem("NeedsValidation", place, setting=name) for name, place in places if place is not None]
    known = ["loss", *(name for metric in recipe.metrics for name in metric.columns())]
    place = recipe.place("early_stopping")
    if recipe.early_stopping.on not in known and place is not None:
        return [problem("UnknownMetric", place, name=recipe.early_stopping.on, known=", ".join(known))]
    return []


def check_means(recipe: Recipe) -> Iterator[Diagnostic]:
    """What leaves weights that are not those which move."""
    place = recipe.place("lookahead")
    if recipe.ema.decay and recipe.lookahead.k and place is not None:
        yield problem("TwoMeans", place, labels=_label(recipe, "ema"))


def _check_views(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    found = []
    place = recipe.place("tta")
    if (recipe.tta.mirror or recipe.tta.shift) and place is not None:
        shape, end = input_shapes(graph)[0], main_end(graph)
        if shape.rank != 2 or shape.tokens:
            found.append(problem("NeedsImages", place, why=f"the input is {shape}"))
        elif recipe.tta.fill == "reflect" and recipe.tta.shift >= min(shape.spatial):
            why = f"{shape} can't be mirrored at its border {recipe.tta.shift} cells deep"
            found.append(problem("NeedsImages", place, why=why))
        elif any(side != 1 for side in end.shape.spatial):
            found.append(problem("NeedsImages", place, why=f"it gives {end.shape}"))
    place = recipe.place("droppath")
    if recipe.droppath.last is not None and place is not None and all(n.kind != "droppath" for n in graph.nodes):
        found.append(problem("NothingToDrop", place))
    return found
