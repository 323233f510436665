"""Recipes for two networks that are trained against each other: a generator and a discriminator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Diagnostic, Label, problem
from cnndsl.elaborate.joint import Joint
from cnndsl.graph import Graph
from cnndsl.layers.base import LayerError
from cnndsl.recipe.adversarial import NonSaturating
from cnndsl.recipe.base import option
from cnndsl.recipe.chains import joined
from cnndsl.recipe.checks import check_means, input_shapes
from cnndsl.recipe.ends import main_end
from cnndsl.recipe.normalizations import Range, Standard, Unit
from cnndsl.recipe.optimizers import Adam
from cnndsl.recipe.read import read_settings
from cnndsl.recipe.recipe import Recipe, complete
from cnndsl.recipe.selection import learned
from cnndsl.record import Record
from cnndsl.source import Span

ENDS = {"tanh": Range, "sigmoid": Unit}
"""What examples are normalized to, by the layer with which the generator ends."""
RATE, BETA1 = 2e-4, 0.5
"""Adam's for both networks, as DCGAN's paper has it (Radford et al. 2015, section 4)."""
ALONE = ("accumulate", "droppath", "early_stopping", "freeze", "metrics", "rate", "test", "tta", "validation")
"""Settings of one network that measures itself."""


class Pair(Record):
    """Two networks in one recipe: the generator makes examples of random numbers, the discriminator gives each example
    one score. `span` is the place of the recipe's header."""

    name: str
    generator: Graph
    discriminator: Graph
    span: Span

    @property
    def graphs(self) -> tuple[Graph, Graph]:
        """Both, the generator first."""
        return self.generator, self.discriminator


def read_pair(joint: Joint) -> tuple[Pair, Recipe | None, list[Diagnostic]]:
    """The networks and the recipe that a `train … of` block means, and what is wrong with it; no recipe if that is."""
    pair = Pair(joint.name, *joint.graphs, joint.span)
    if not all(graph.complete and graph.outputs for graph in pair.graphs):
        return pair, None, []
    settings = joined(joint.settings)
    reading = read_settings(settings, {"networks": {graph.name: graph.name for graph in pair.graphs}})
    values = _defaults(pair, reading.parts) | reading.values
    recipe = complete(values, reading.parts)._replace(settings=tuple(settings))
    diagnostics = [*reading.diagnostics, *_check_settings(recipe)]
    if not reading.failed & {"data", "loss"}:
        diagnostics += check_pair(recipe, pair, joint.places)
    failed = any(found.severity == "error" for found in diagnostics)
    return pair, None if failed else recipe, diagnostics


def _defaults(pair: Pair, parts: Any) -> dict[str, Any]:
    """What holds if a recipe says nothing."""
    own = next((part.value for part in parts if part.name == pair.generator.name), None)
    adam = Adam(**{**option(Adam).values(), "lr": RATE, "beta1": BETA1})
    return {
        "loss": option(NonSaturating),
        "optimizer": own if own is not None and len(parts) == 2 else adam,
        "normalize": option(ENDS.get(main_end(pair.generator).node.kind, Standard)),
        "metrics": (),
        "validation": 0,
        "test": False,
    }


def _check_settings(recipe: Recipe) -> Iterator[Diagnostic]:
    for name in ALONE:
        place = recipe.place(name)
        if place is not None:
            yield problem("NotForTwo", place, what=f"`{name}`")
    for line in recipe.settings:
        chosen = recipe.of("optimizer", str(line.given[0].value)) if line.given else None
        chosen = chosen or recipe.optimizer
        if line.name == "optimizer" and chosen.of_one:
            yield problem("NotForTwo", line.span, what=f"`optimizer {chosen.name}`")
    place = recipe.place("schedule")
    if recipe.schedule.watches and place is not None:
        yield problem("NotForTwo", place, what=f"`schedule {recipe.schedule.name}`")


def check_pair(recipe: Recipe, pair: Pair, places: tuple[Span, Span] | None = None) -> list[Diagnostic]:
    """Whether both networks can be trained in this way. places: of their names, where they are known."""
    generator, discriminator = pair.graphs
    for graph, place in zip(pair.graphs, places or (generator.span, discriminator.span), strict=True):
        several = "inputs" if len(graph.inputs) != 1 else "outputs" if len(graph.outputs) != 1 else None
        if several is not None:
            why = f"`{graph.name}` has several {several}"
            return [problem("NotAdversaries", place, why=why, advice=f"give it one {several[:-1]}")]
        if not learned(graph):
            return [problem("NothingToTrain", place, name=graph.name)]
    made, taken, score = main_end(generator), input_shapes(discriminator)[0], main_end(discriminator)
    labels = (Label(discriminator.nodes[discriminator.inputs[0]].span, f"takes {taken}"),)
    if made.shape != taken:
        advice = f"end `{generator.name}` with {taken}, or give `{discriminator.name}` the input {made.shape}"
        if main_end(discriminator).shape == input_shapes(generator)[0]:
            advice = f"name the generator first: `of {discriminator.name}, {generator.name}`"
        why = f"`{generator.name}` makes {made.shape}, but `{discriminator.name}` takes {taken}"
        return [problem("NotAdversaries", made.node.span, labels=labels, why=why, advice=advice)]
    if score.shape.elements != 1:
        why = f"`{discriminator.name}` gives {score.shape}, not one value that says whether an example is real"
        return [problem("NotAdversaries", score.node.span, why=why, advice="end it with `dense 1`")]
    if input_shapes(generator)[0].tokens or taken.tokens:
        why, advice = "tokens can't be made by small changes", "give both networks numbers"
        return [problem("NotAdversaries", generator.span, why=why, advice=advice)]
    return [*_check_loss(recipe, pair), *_check_data(recipe, pair), *check_means(recipe)]


def _check_loss(recipe: Recipe, pair: Pair) -> Iterator[Diagnostic]:
    loss, end = recipe.loss, main_end(pair.discriminator).node
    place = recipe.place("loss") or pair.span
    if not loss.of_two:
        advice = "write `loss non_saturating`, as DCGAN has it, `loss hinge` or `loss least_squares`"
        yield problem("NotAdversaries", place, why=f"`loss {loss.name}` is for one network", advice=advice)
    elif end.kind == "sigmoid" and not getattr(loss, "bounded", False):
        why = f"`loss {loss.name}` is of scores without bounds, but `{pair.discriminator.name}` ends in `sigmoid`"
        advice = "remove the `sigmoid`, or write `loss non_saturating`"
        yield problem("NotAdversaries", end.span, labels=(Label(place, "the loss"),), why=why, advice=advice)


def _check_data(recipe: Recipe, pair: Pair) -> Iterator[Diagnostic]:
    try:
        recipe.data.check_input(input_shapes(pair.discriminator)[0])
    except LayerError as error:
        place = recipe.place("data")
        labels = (Label(place, "the data"),) if place is not None else ()
        node = pair.discriminator.nodes[pair.discriminator.inputs[0]]
        yield problem(error.problem, node.span, labels=labels, **error.values)
