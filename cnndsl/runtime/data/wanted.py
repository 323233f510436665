"""What a source is read for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.checks import check
from cnndsl.recipe.pair import Pair, check_pair
from cnndsl.recipe.sources import Source
from cnndsl.recipe.task import task_of
from cnndsl.runtime.errors import MismatchError
from cnndsl.shape import Shape


def _agree(source: Source) -> None:
    """Takes any facts about a source."""


def _silent(text: str) -> None:
    """Says nothing."""


class Wanted(NamedTuple):
    """Where to look, and what for.

    data_root: the folder that was named for data, if one was; beside: the folder of the spec. seed: where made-up
    examples begin. input, output: the network's ends, channels first, without sides of 1 behind the outputs' channels.
    task: the kind of target (`cnndsl.recipe.task.Task`). tokens: how many different tokens an input may hold, 0 for
    numbers. given: arrays from Python, by their parts' names.
    agree: called with the source once more is known of it (its classes, the size of its images), before the long work;
    raises if that does not fit the network. say: called with sentences about work that takes its time.
    """

    data_root: str | None
    seed: int
    input: tuple[int, ...]
    output: tuple[int, ...]
    task: str = "class"
    tokens: int = 0
    beside: Path | None = None
    given: dict[str, Any] | None = None
    agree: Callable[[Source], None] = _agree
    say: Callable[[str], None] = _silent

    @property
    def of_classes(self) -> bool:
        """Whether an example's target is one class."""
        return self.task in ("class", "pair")


def wanted_for(
    graph: Graph,
    recipe: Recipe,
    data_root: str | None = None,
    beside: str | None = None,
    say: Callable[[str], None] = _silent,
) -> Wanted:
    """What a complete graph and its recipe want of their data; what does not fit it raises MismatchError.

    beside: the folder of the spec, where that is not the one that its name says.
    """
    task = task_of(recipe.data, recipe.loss, graph)
    output = channels_first(task.output)
    if all(side == 1 for side in output[1:]):
        output = output[:1]

    def agree(source: Source) -> None:
        found = check(recipe._replace(data=source), graph, graph.span)
        errors = tuple(one for one in found if one.severity == "error")
        if errors:
            raise MismatchError(errors)

    place = beside_spec(graph) if beside is None else Path(beside)
    return Wanted(
        data_root, recipe.seed, channels_first(task.input), output, task.kind, task.tokens, place, None, agree, say
    )


def beside_spec(graph: Graph | Pair) -> Path | None:
    """The folder of the file that a network was read from; None where it was read from none."""
    spec = Path(graph.span.source.name)
    return spec.parent if spec.is_file() else None


def wanted_for_pair(pair: Pair, recipe: Recipe, data_root: str | None = None, beside: str | None = None) -> Wanted:
    """What two networks that train each other want of their data: examples for the discriminator, without targets."""
    wanted = wanted_for(pair.discriminator, recipe, data_root, beside)

    def agree(source: Source) -> None:
        found = check_pair(recipe._replace(data=source), pair)
        if found:
            raise MismatchError(tuple(found))

    return wanted._replace(output=wanted.input, agree=agree)


def channels_first(shape: Shape) -> tuple[int, ...]:
    """The sizes of one example as PyTorch holds it; of tokens, the length alone."""
    return shape.sizes if shape.tokens else (shape.channels, *shape.spatial)
