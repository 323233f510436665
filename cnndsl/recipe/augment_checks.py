"""Whether a recipe's augmentations can be made on what the network takes, and what they do to its targets."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic, problem
from cnndsl.graph import Graph
from cnndsl.recipe.augmentations import Augmentation
from cnndsl.recipe.recipe import Recipe
from cnndsl.recipe.task import Task, task_of
from cnndsl.source import Span

_AXES = {0: "rows of numbers", 1: "curves", 2: "images", 3: "volumes"}


def check_augmentations(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """Everything wrong or odd about the recipe's augmentations."""
    where = recipe.place("augment")
    if where is None or not recipe.augment:
        return []
    task = task_of(recipe.data, recipe.loss, graph)
    axes = _axes(recipe, task)
    found: list[Diagnostic] = []
    for one in recipe.augment:
        why = _why_not(one, recipe, task, axes)
        if why is not None:
            found.append(problem("AugmentationMismatch", _place(recipe, one, where), name=one.name, why=why))
        elif one.mirrors and recipe.data.handed:
            found.append(problem("MirroredWriting", _place(recipe, one, where), data=recipe.data.name))
    return found


def _place(recipe: Recipe, one: Augmentation, where: Span) -> Span:
    """The part of the line that says it."""
    line = next(setting for setting in recipe.settings if setting.name == "augment")
    behind = next((setting.span for setting in line.chain if setting.name == one.name), None)
    if behind is not None:
        return behind
    return where._replace(end=line.spans[-1].end) if line.chain and line.spans else where


def _axes(recipe: Recipe, task: Task) -> int:
    """How many spatial axes the examples have that are augmented: an image's two, also where it is flattened later."""
    return 2 if recipe.data.image is not None else task.input.rank


def _why_not(one: Augmentation, recipe: Recipe, task: Task, axes: int) -> str | None:
    if task.input.tokens:
        return "changes numbers, but the input holds tokens"
    if not one.fewest_axes <= axes <= one.most_axes:
        wanted = _AXES[one.fewest_axes] if one.fewest_axes == one.most_axes else f"{_AXES[one.fewest_axes]} or images"
        return f"works on {wanted}, but the input is {task.input}"
    if getattr(one, "vertical", False) and axes < 2:
        return f"has no top and bottom in an input of {task.input}: leave out `vertical`"
    if not one.mixes:
        return None
    if task.kind not in ("class", "values", "map") or (task.kind == "map" and one.name == "cutmix"):
        what = {"input": "the input itself", "pair": "pairs", "sequence": "sequences", "map": "maps"}[task.kind]
        return f"mixes targets, which can't be done where they are {what}"
    if recipe.loss.smallest:
        return f"makes shares of several classes, of which `loss {recipe.loss.name}` takes one"
    return None
