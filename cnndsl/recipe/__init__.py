"""Training recipes: `train:` blocks read, checked against the network, and completed with defaults.

Nothing here imports torch: `cnndsl check` validates recipes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest, problem
from cnndsl.elaborate.settings import Setting
from cnndsl.graph import Graph
from cnndsl.layers.base import LayerError
from cnndsl.layers.bind import Given, bind_values, written
from cnndsl.recipe.base import Option, SettingKind, option, plain
from cnndsl.recipe.losses import CrossEntropy, Loss, Mse
from cnndsl.recipe.metrics import Accuracy, MeanAbsoluteError, Metric
from cnndsl.recipe.normalizations import Normalization
from cnndsl.recipe.optimizers import Adam, Optimizer
from cnndsl.recipe.schedules import Constant, Schedule
from cnndsl.recipe.settings import BY_NAME, SETTINGS
from cnndsl.recipe.sources import Digits, Source, Table
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


def read(settings: Sequence[Setting], graph: Graph, span: Span) -> tuple[Recipe, list[Diagnostic]]:
    """The recipe that a `train:` block at `span` means for this network, and what is wrong with it.

    A setting that is wrong has its default in the recipe. An empty list gives the default recipe.
    """
    from cnndsl.recipe.checks import check

    diagnostics: list[Diagnostic] = []
    values: dict[str, Any] = {}
    places: dict[str, Span] = {}
    for setting in settings:
        kind = BY_NAME.get(setting.name)
        if kind is None:
            diagnostics.append(_unknown_setting(setting))
        elif setting.name in places:
            first = Label(places[setting.name], "first set here")
            diagnostics.append(problem("SettingTwice", setting.span, labels=(first,), name=setting.name))
        else:
            places[setting.name] = setting.span
            try:
                values[setting.name] = _value(kind, setting)
            except _SettingError as refused:
                diagnostics.append(refused.diagnostic)
    recipe = _complete(values)._replace(settings=tuple(settings))
    # What follows from a mistake above is not reported: without the data or loss meant, nothing can be compared.
    meant = all(name in values or name not in places for name in ("data", "loss", "metrics"))
    if meant and graph.complete:
        diagnostics += check(recipe, graph, span)
    return recipe, diagnostics


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
    return _plain_value(kind, [Given("named", data, kind.name)])


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


def _complete(values: dict[str, Any]) -> Recipe:
    """The recipe of the settings given, the others by default. Defaults may depend on the data and the loss."""
    data = values.get("data") or option(Digits)
    loss = values.get("loss") or option(Mse if isinstance(data, Table) else CrossEntropy)
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


class _SettingError(Exception):
    """A setting that is wrong."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


def _value(kind: SettingKind, setting: Setting) -> Any:
    """What a setting's line means. Raises _SettingError."""
    if kind.several:
        return _several(kind, setting)
    if kind.options:
        chosen = _choice(kind, setting, 0)
        return _bound(lambda: option(chosen, setting.given[1:], f"{kind.name} {chosen.name}"), setting, 1)
    return _bound(lambda: _plain_value(kind, setting.given), setting, 0)


def _plain_value(kind: SettingKind, given: Sequence[Given]) -> Any:
    """The value of a setting that has no options. Raises LayerError."""
    assert kind.argument is not None
    return bind_values(kind.name, (kind.argument,), given)[kind.argument.name]


def _several(kind: SettingKind, setting: Setting) -> Any:
    if not setting.given:
        _choice(kind, setting, 0)
    chosen = [_choice(kind, setting, index) for index in range(len(setting.given))]
    return tuple(option(one) for one in dict.fromkeys(chosen))


def _choice(kind: SettingKind, setting: Setting, index: int) -> type[Option]:
    """The option that the `index`-th word names. Raises _SettingError."""
    known = ", ".join(o.name for o in kind.options)
    given = setting.given[index] if index < len(setting.given) else None
    if given is None or given.form not in ("word", "value") or not isinstance(given.value, str):
        if given is not None and given.form == "value":
            word = written(given.value)
            raise _SettingError(
                problem(
                    "UnknownChoice",
                    setting.spans[index],
                    notes=(f"its choices are {known}",),
                    setting=kind.name,
                    word=word,
                    near=None,
                )
            )
        first = kind.options[0].name
        raise _SettingError(problem("MissingChoice", setting.span, setting=kind.name, known=known, first=first))
    found = kind.find(given.value)
    if found is None:
        near = closest(given.value, [o.name for o in kind.options])
        raise _SettingError(
            problem(
                "UnknownChoice",
                setting.spans[index],
                notes=(f"its choices are {known}",),
                fixes=_respell(setting.spans[index], near),
                setting=kind.name,
                word=given.value,
                near=near,
            )
        )
    return found


def _respell(span: Span, near: str | None) -> tuple[Fix, ...]:
    return (Fix(f"write `{near}`", (Edit(span, near),)),) if near else ()


def _unknown_setting(setting: Setting) -> Diagnostic:
    near = closest(setting.name, BY_NAME)
    return problem(
        "UnknownSetting",
        setting.name_span,
        notes=() if near else (f"the settings are {', '.join(BY_NAME)}",),
        fixes=_respell(setting.name_span, near),
        name=setting.name,
        near=near,
    )


def _bound(make: Any, setting: Setting, skipped: int) -> Any:
    """What `make` gives; a LayerError from it is put at its place. Raises _SettingError."""
    try:
        return make()
    except LayerError as error:
        raise _SettingError(blame(error, setting, skipped)) from None


def blame(error: LayerError, setting: Setting, skipped: int) -> Diagnostic:
    """The diagnostic of a LayerError about a setting of whose given the first `skipped` were not bound."""
    argument = error.argument
    span = setting.span
    if isinstance(argument, int):
        span = setting.spans[argument + skipped]
    elif argument is not None:
        named = (s for g, s in zip(setting.given, setting.spans, strict=True) if g.name == argument)
        worded = (s for g, s in zip(setting.given, setting.spans, strict=True) if g.value == argument)
        span = next(named, None) or next(worded, None) or setting.span
    return problem(error.problem, span, **error.values)


__all__ = ["SETTINGS", "Recipe", "Setting", "from_json", "read"]
