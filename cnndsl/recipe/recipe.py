"""A recipe with everything set, and its JSON form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.elaborate.settings import Setting
from cnndsl.layers.base import LayerError
from cnndsl.layers.bind import Given, bind_values
from cnndsl.recipe.base import Option, SettingKind, option, plain
from cnndsl.recipe.losses import CrossEntropy, Loss, Mse
from cnndsl.recipe.metrics import Accuracy, MeanAbsoluteError, Metric
from cnndsl.recipe.normalizations import Normalization
from cnndsl.recipe.optimizers import Adam, Optimizer
from cnndsl.recipe.schedules import Constant, Schedule
from cnndsl.recipe.settings import BY_NAME, SETTINGS
from cnndsl.recipe.sources import Digits, Source
from cnndsl.record import Record
from cnndsl.source import Span


class Recipe(Record):
    """How a network is trained; everything is set, by the recipe or by default.

    validation: a share (a float below 1) or a number of training examples; clip: 0 for none.
    settings: the lines that it was read from.
    """

    data: Source
    normalize: Normalization
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    metrics: tuple[Metric, ...]
    epochs: int
    batch: int
    validation: float | int
    test: bool
    shuffle: bool
    clip: float
    seed: int
    settings: tuple[Setting, ...] = ()

    def place(self, name: str) -> Span | None:
        """The line that sets `name`, or None if that is by default."""
        return next((setting.span for setting in self.settings if setting.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Every setting as plain data, from which `from_json` makes an equal recipe."""
        return {
            kind.name: [m.to_json() for m in self.metrics] if kind.several else _as_json(getattr(self, kind.name))
            for kind in SETTINGS
        }

    def lines(self) -> list[str]:
        """As a `train:` block would say it, every default written out."""
        return [f"{kind.name} {_as_text(getattr(self, kind.name))}" for kind in SETTINGS]


def from_json(data: dict[str, Any]) -> Recipe:
    """The recipe that `to_json` wrote. Raises ValueError, with a sentence, if it is not one."""
    if not isinstance(data, dict) or set(data) != set(BY_NAME):
        raise ValueError("the settings are not those of a recipe")
    try:
        return Recipe(**{kind.name: _from_json(kind, data[kind.name]) for kind in SETTINGS})
    except LayerError as error:
        raise ValueError(f"a setting of the recipe is wrong ({error.problem}: {error.values})") from None


def _from_json(kind: SettingKind, data: Any) -> Any:
    if kind.several:
        return tuple(_option_from_json(kind, one) for one in data)
    if kind.options:
        return _option_from_json(kind, data)
    return plain_value(kind, [Given("named", data, kind.name)])


def _option_from_json(kind: SettingKind, data: Any) -> Any:
    chosen = kind.find(str(data.get("name"))) if isinstance(data, dict) else None
    if chosen is None:
        raise ValueError(f"`{kind.name}` of the recipe is not known")
    return option(chosen, [Given("named", value, name) for name, value in data.items() if name != "name"])


def _as_json(value: Any) -> Any:
    return value.to_json() if isinstance(value, Option) else value


def _as_text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(str(one) for one in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return plain(value)


def complete(values: dict[str, Any]) -> Recipe:
    """The recipe of the settings given, the others by default. Defaults may depend on the data and the loss."""
    data = values.get("data") or option(Digits)
    loss = values.get("loss") or option(Mse if data.of_values else CrossEntropy)
    of_values = loss.target == "values" and data.classes is None
    defaults: dict[str, Any] = {
        "normalize": option(BY_NAME["normalize"].find(data.normalization) or Normalization),
        "optimizer": option(Adam),
        "schedule": option(Constant),
        "metrics": (option(MeanAbsoluteError if of_values else Accuracy),),
        "validation": data.validation,
    }
    for kind in SETTINGS:
        defaults.setdefault(kind.name, kind.initial)
    return Recipe(**{**defaults, **values, "data": data, "loss": loss})


def plain_value(kind: SettingKind, given: Sequence[Given]) -> Any:
    """The value of a setting that has no options. Raises LayerError."""
    assert kind.argument is not None
    return bind_values(kind.name, (kind.argument,), given)[kind.argument.name]
