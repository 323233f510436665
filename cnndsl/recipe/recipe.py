"""A recipe with everything set, and its JSON form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.diagnostics import problem
from cnndsl.elaborate.settings import Setting
from cnndsl.layers.base import LayerError
from cnndsl.layers.bind import Given, bind_values
from cnndsl.recipe.augmentations import Augmentation
from cnndsl.recipe.base import Option, SettingKind, option, plain
from cnndsl.recipe.losses import CrossEntropy, HalfSquared, Loss, Mse
from cnndsl.recipe.metrics import Accuracy, Errors, MeanAbsoluteError, MeanSquaredError, Metric
from cnndsl.recipe.normalizations import NORMALIZATIONS, Normalization
from cnndsl.recipe.optimizers import Adam, Optimizer, Perceptron
from cnndsl.recipe.schedules import Constant, Schedule
from cnndsl.recipe.settings import BY_NAME, SETTINGS
from cnndsl.recipe.sources import Digits, Source
from cnndsl.recipe.training import Checkpoints, EarlyStopping, Ema, Freeze, Lookahead, Rate, StochasticDepth, Tta
from cnndsl.record import Record
from cnndsl.source import Source as Text
from cnndsl.source import Span

PARTS = "parts"
"""Where the JSON form has what is about parts of the network alone."""


class Part(Record):
    """A setting's value for one part: an output or, of two networks, one."""

    setting: str
    name: str
    value: Any

    def __str__(self) -> str:
        """As a recipe writes it."""
        return f"{self.setting} {self.name} {_as_text(BY_NAME[self.setting], self.value)}"


class Recipe(Record):
    """How a network is trained; everything is set, by the recipe or by default.

    validation: a share (a float below 1) or a number of training examples; clip: 0 for none.
    settings: the lines that it was read from; parts: what is set for parts of the network alone.
    """

    data: Source
    augment: tuple[Augmentation, ...]
    normalize: Normalization
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    rate: Rate
    metrics: tuple[Metric, ...]
    epochs: int
    batch: int
    accumulate: int
    validation: float | int
    test: bool
    shuffle: bool
    clip: float
    ema: Ema
    lookahead: Lookahead
    early_stopping: EarlyStopping
    droppath: StochasticDepth
    freeze: Freeze
    tta: Tta
    precision: str
    checkpoint: Checkpoints
    seed: int
    settings: tuple[Setting, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def averages(self) -> bool:
        """Whether what is measured and left are other weights than those that move."""
        return bool(self.ema.decay or self.lookahead.k)

    def place(self, name: str) -> Span | None:
        """The line that sets `name`, or None if that is by default."""
        return next((setting.span for setting in self.settings if setting.name == name), None)

    def place_of(self, part: Part) -> Span | None:
        """The name of a part in the line that is about it."""
        lines = (s for s in self.settings if s.name == part.setting and s.given and s.given[0].value == part.name)
        return next((setting.spans[0] for setting in lines), None)

    def of(self, setting: str, part: str) -> Any:
        """What is set for a part alone, or None."""
        return next((p.value for p in self.parts if (p.setting, p.name) == (setting, part)), None)

    def to_json(self) -> dict[str, Any]:
        """Every setting as plain data, from which `from_json` makes an equal recipe."""
        found = {kind.name: _as_json(getattr(self, kind.name)) for kind in SETTINGS}
        if self.parts:
            found[PARTS] = [{"setting": p.setting, "name": p.name, "value": _as_json(p.value)} for p in self.parts]
        return found

    def lines(self) -> list[str]:
        """As a `train:` block would say it, every default written out."""
        whole = [f"{kind.name} {_as_text(kind, getattr(self, kind.name))}".rstrip() for kind in SETTINGS]
        return [*whole, *map(str, self.parts)]


def from_json(data: dict[str, Any]) -> Recipe:
    """The recipe that `to_json` wrote. A setting that is younger than the text has its default.

    Raises ValueError, with a sentence, if it is no recipe.
    """
    needed = {kind.name for kind in SETTINGS if kind.initial is None}
    if not isinstance(data, dict) or set(data) - {PARTS, *BY_NAME} or needed - set(data):
        raise ValueError("the settings are not those of a recipe")
    try:
        values = {k.name: _from_json(k, data[k.name]) if k.name in data else k.initial for k in SETTINGS}
        parts = tuple(_part_from_json(one) for one in data.get(PARTS, []))
        return Recipe(**values, parts=parts)
    except LayerError as error:
        said = problem(error.problem, Span(Text("", ""), 0, 0), **error.values).message_text()
        raise ValueError(f"a setting of the recipe is wrong: {said}") from None


def _part_from_json(data: Any) -> Part:
    kind = BY_NAME.get(str(data.get("setting"))) if isinstance(data, dict) else None
    if kind is None or not kind.parts or not isinstance(data.get("name"), str):
        raise ValueError("a part of the recipe is not known")
    return Part(kind.name, data["name"], _from_json(kind, data.get("value")))


def _from_json(kind: SettingKind, data: Any) -> Any:
    if kind.several or kind.chained:
        return tuple(_option_from_json(kind, one) for one in data)
    if kind.options or kind.form is not None:
        return _option_from_json(kind, data)
    return plain_value(kind, [Given("named", data, kind.name)])


def _option_from_json(kind: SettingKind, data: Any) -> Any:
    name = str(data.get("name")) if isinstance(data, dict) else ""
    chosen = kind.find(name) if kind.form is None else kind.form if kind.form.name == name else None
    if chosen is None:
        raise ValueError(f"`{kind.name}` of the recipe is not known")
    given = [Given("named", value, name) for name, value in data.items() if name != "name"]
    return option(chosen, [one for one in given if one.value is not None])


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_as_json(one) for one in value]
    return value.to_json() if isinstance(value, Option) else value


def _as_text(kind: SettingKind, value: Any) -> str:
    if kind.form is not None:
        return str(value).partition(" ")[2]
    if kind.chained:
        return ", ".join(str(one) for one in value) or "none"
    if isinstance(value, tuple):
        return " ".join(str(one) for one in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return plain(value)


def complete(values: dict[str, Any], parts: tuple[Part, ...] = ()) -> Recipe:
    """The recipe of the settings given, the others by default. Defaults may depend on the data and the loss."""
    data = values.get("data") or option(Digits)
    loss = values.get("loss") or option(_default_loss(data, values.get("optimizer")))
    defaults: dict[str, Any] = {
        "normalize": option(_default_normalization(data, loss)),
        "optimizer": option(Adam),
        "schedule": option(Constant),
        "metrics": _default_metrics(data, loss),
        "validation": data.validation,
    }
    for kind in SETTINGS:
        defaults.setdefault(kind.name, kind.initial)
    return Recipe(**{**defaults, **values, "data": data, "loss": loss}, parts=parts)


def _default_normalization(data: Source, loss: Loss) -> type[Normalization]:
    """A network that gives back its input is given 0 to 1, which it can give."""
    name = "unit" if loss.target == "input" and data.normalization == "standard" else data.normalization
    return next(one for one in NORMALIZATIONS if one.name == name)


def _default_loss(data: Source, optimizer: Optimizer | None) -> type[Loss]:
    if isinstance(optimizer, Perceptron):
        return HalfSquared
    return Mse if data.of_values else CrossEntropy


def _default_metrics(data: Source, loss: Loss) -> tuple[Metric, ...]:
    if loss.target == "sequence":
        return (option(Errors),)
    if loss.target == "input":
        return () if loss.name == "reconstruction" else (option(MeanSquaredError),)
    if loss.target == "values" and data.classes is None:
        return (option(MeanAbsoluteError),)
    return (option(Accuracy),)


def plain_value(kind: SettingKind, given: Sequence[Given]) -> Any:
    """The value of a setting that has no options. Raises LayerError."""
    assert kind.argument is not None
    return bind_values(kind.name, (kind.argument,), given)[kind.argument.name]
