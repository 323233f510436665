"""Whether a run that goes on is the one that its checkpoint was written in: what was set otherwise then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from cnndsl.recipe import Recipe, from_json
from cnndsl.runtime import run_folder
from cnndsl.runtime.errors import RunError
from cnndsl.runtime.listing import as_written, settings_of

KEY = "recipe"
"""Where a checkpoint's state has the recipe that it was written with."""
FREE = ("epochs",)
"""Settings that a run may be gone on with otherwise."""
_NAMED = 3


def kept(recipe: Recipe) -> dict[str, str]:
    """What a checkpoint says of its run besides the loop's state."""
    return {KEY: json.dumps(run_folder.as_json(recipe.to_json()))}


def check(state: Mapping[str, Any], recipe: Recipe, module: Mapping[str, Tensor], run: Path) -> None:
    """Raises RunError where the checkpoint was written with other settings, or by another network."""
    found = [*_settings(state, recipe), *tensors(state.get("learner", {}).get("model", {}), module)]
    if found:
        raise RunError(
            f"the checkpoint of {run} is of another run: {some(found)}",
            f"put {run_folder.SPEC} and {run_folder.RECIPE} back, or begin anew with --init-from {run}",
        )


def _settings(state: Mapping[str, Any], recipe: Recipe) -> list[str]:
    """Each setting that is not as it was. Checkpoints of earlier versions don't say how it was."""
    try:
        then = settings_of(from_json(json.loads(state[KEY])))
    except (KeyError, ValueError, TypeError):
        return []
    now = settings_of(recipe)
    names = [name for name in dict.fromkeys([*then, *now]) if name not in FREE and then.get(name) != now.get(name)]
    texts = [{name: as_written(value) for name, value in one.items()} for one in (then, now)]
    return [_differs(name, *(text.get(name) for text in texts)) for name in names]


def tensors(then: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> list[str]:
    """Each tensor of a network that has another shape than it had, or is only there or here."""
    names = [name for name in dict.fromkeys([*now, *then]) if _shape(then.get(name)) != _shape(now.get(name))]
    return [_differs(name, _shape(then.get(name)), _shape(now.get(name))) for name in names]


def some(found: Sequence[str]) -> str:
    """The first differences, and how many more there are."""
    more = f"; and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return "; ".join(found[:_NAMED]) + more


def _shape(tensor: Any) -> str | None:
    return ("x".join(map(str, tensor.shape)) or "a number") if isinstance(tensor, Tensor) else None


def _differs(name: str, then: str | None, now: str | None) -> str:
    return f"{name} {then or 'not there'} then, {now or 'not there'} now"
