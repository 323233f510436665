"""Reading `train:` blocks: every setting checked, what is not said completed with defaults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label, closest, problem
from cnndsl.elaborate.settings import Setting
from cnndsl.graph import Graph
from cnndsl.layers.base import LayerError
from cnndsl.layers.bind import Given, written
from cnndsl.recipe.base import LAYERS, Option, SettingKind, option
from cnndsl.recipe.chains import joined
from cnndsl.recipe.checks import check
from cnndsl.recipe.recipe import Part, Recipe, complete, plain_value
from cnndsl.recipe.settings import BY_NAME
from cnndsl.record import Record
from cnndsl.source import Span


def read(
    settings: Sequence[Setting], graph: Graph, span: Span, *, declared: bool = True
) -> tuple[Recipe, list[Diagnostic]]:
    """The recipe that a `train:` block at `span` means for this network, and what is wrong with it.

    A setting that is wrong has its default in the recipe. An empty list gives the default recipe. declared: whether the
    network is as its file has it; of another one it is no error if the recipe does not fit.
    """
    settings = joined(settings)
    reading = read_settings(settings, {"outputs": _outputs(graph)})
    recipe = complete(_main_loss(reading, graph) | reading.values, reading.parts)._replace(settings=tuple(settings))
    diagnostics = reading.diagnostics
    # What follows from a mistake above is not reported: without the data or loss meant, nothing can be compared.
    meant = not reading.failed & {"data", "loss", "metrics"}
    if meant and graph.complete:
        found = check(recipe, graph, span)
        wrong = next((d for d in found if d.severity == "error"), None)
        if wrong is not None and not declared:
            found = [problem("RecipeNotApplicable", span, name=graph.name, why=wrong.message_text())]
        diagnostics += found
    return recipe, diagnostics


def _outputs(graph: Graph) -> dict[str, str]:
    """What a line may call each output: its own name, or that of the layer that gives it."""
    layers = {graph.nodes[output.edge.node].name: output.name for output in graph.outputs}
    named = {name: output for name, output in layers.items() if any(n.named and n.name == name for n in graph.nodes)}
    own = {output.name: output.name for output in graph.outputs}
    return own | {name: output for name, output in named.items() if name not in own}


def _main_loss(reading: Reading, graph: Graph) -> dict[str, Any]:
    """The loss on the network's result, which what is said of no output in particular follows."""
    main = next((output.name for output in graph.outputs if not output.training), None)
    return {part.setting: part.value for part in reading.parts if (part.setting, part.name) == ("loss", main)}


class Reading(Record):
    """What the lines of a block mean, by the settings' names and for parts; the names of those that are wrong."""

    values: dict[str, Any]
    parts: tuple[Part, ...]
    failed: set[str]
    diagnostics: list[Diagnostic]


def read_settings(settings: Sequence[Setting], known: dict[str, dict[str, str]]) -> Reading:
    """Every line by itself. `known` has what a line may call each part that it may be about: of `outputs` or
    `networks`."""
    reading = Reading({}, (), set(), [])
    places: dict[tuple[str, str | None], Span] = {}
    parts: list[Part] = []
    for setting in joined(settings):
        kind = BY_NAME.get(setting.name)
        if kind is None:
            reading.diagnostics.append(_unknown_setting(setting))
            continue
        try:
            part, rest = _part(kind, setting, known.get(kind.parts))
            if (setting.name, part) in places:
                first = Label(places[setting.name, part], "first set here")
                raise _SettingError(problem("SettingTwice", setting.span, labels=(first,), name=setting.name))
            places[setting.name, part] = setting.span
            value = _value(kind, rest)
        except _SettingError as refused:
            reading.diagnostics.extend(refused.diagnostics)
            reading.failed.add(setting.name)
            continue
        if part is None:
            reading.values[setting.name] = value
        else:
            parts.append(Part(setting.name, part, value))
    return reading._replace(parts=tuple(parts))


def _part(kind: SettingKind, setting: Setting, known: dict[str, str] | None) -> tuple[str | None, Setting]:
    """The part that a line is about, if its first word names one, and the line without that word."""
    if kind.parts == LAYERS:
        return _layers(kind, setting)
    words = [g.value for g in setting.given[:2] if g.form in ("word", "value") and isinstance(g.value, str)]
    if known is None or len(words) < 2:
        return None, setting
    first, second = words
    names_part = first in known and not (kind.find(first) and not kind.find(second))
    if not names_part and (kind.find(first) or not kind.find(second)):
        return None, setting
    if not names_part:
        near = closest(first, known)
        raise _SettingError(
            problem(
                "UnknownPart",
                setting.spans[0],
                notes=(f"the {kind.parts} are {', '.join(known)}",) if known else (),
                fixes=_respell(setting.spans[0], near),
                setting=kind.name,
                part=first,
                parts=kind.parts,
                near=near,
            )
        )
    return known[first], setting._replace(given=setting.given[1:], spans=setting.spans[1:])


def _layers(kind: SettingKind, setting: Setting) -> tuple[str | None, Setting]:
    """The layers that a line is about, by the name that it begins with; none where it is `off`."""
    first = setting.given[0] if setting.given else None
    if first is not None and first.form in ("word", "value") and isinstance(first.value, str):
        if first.value == "off" and not setting.given[1:]:
            return None, setting
        return first.value, setting._replace(given=setting.given[1:], spans=setting.spans[1:])
    meaning = "the name of a layer, a block or a parameter, or `norms`"
    example = f"{kind.name} head 10"
    raise _SettingError(
        problem("MissingArgument", setting.span, kind=kind.name, name=LAYERS, meaning=meaning, example=example)
    )


class _SettingError(Exception):
    """A setting that is wrong."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics = diagnostics


def _value(kind: SettingKind, setting: Setting) -> Any:
    """What a setting's line means. Raises _SettingError."""
    if kind.several:
        return _several(kind, setting)
    if kind.chained:
        return _chained(kind, setting)
    if kind.form is not None:
        form = kind.form
        return _bound(lambda: option(form, _without_off(kind, setting)), setting, 0)
    if kind.options:
        chosen = _choice(kind, setting, 0)
        return _option_of(kind, chosen, setting, 1)
    return _bound(lambda: plain_value(kind, setting.given), setting, 0)


def _without_off(kind: SettingKind, setting: Setting) -> Sequence[Given]:
    """What is given to a setting of several arguments: at least one, where `off` alone stands for none."""
    if [(g.form, g.value) for g in setting.given] == [("word", "off")]:
        return ()
    if not setting.given:
        assert kind.form is not None
        first = kind.form.arguments[0]
        raise LayerError("MissingArgument", None, kind=kind.name, name=first.name, meaning=first.help, example=None)
    if kind.form is not None and kind.form.gathers:
        words = [g.value for g in setting.given if g.form in ("word", "value") and isinstance(g.value, str)]
        others = [g for g in setting.given if not (g.form in ("word", "value") and isinstance(g.value, str))]
        return [*([Given("named", tuple(words), kind.form.arguments[0].name)] if words else []), *others]
    return setting.given


def _several(kind: SettingKind, setting: Setting) -> Any:
    if not setting.given:
        _choice(kind, setting, 0)
    chosen = [_choice(kind, setting, index) for index in range(len(setting.given))]
    return tuple(option(one) for one in dict.fromkeys(chosen))


def _chained(kind: SettingKind, setting: Setting) -> Any:
    """The choices of a line with commas, each with its arguments; `none` alone stands for none."""
    made: list[Any] = []
    wrong: list[Diagnostic] = []
    for one in (setting, *setting.chain):
        try:
            if one is setting:
                made.append(_option_of(kind, _choice(kind, one, 0), one, 1))
            elif (found := kind.find(one.name)) is not None:
                made.append(_option_of(kind, found, one, 0))
            else:
                wrong.append(_unknown_choice(kind, one.name, one.name_span, BY_NAME))
        except _SettingError as refused:
            wrong += refused.diagnostics
    if wrong:
        raise _SettingError(*wrong)
    nothing = [one for one in made if one.name == "none"]
    if nothing and len(made) > 1:
        raise _SettingError(problem("NeedsArgument", setting.span, name="none", needs="to stand alone"))
    return () if nothing else tuple(made)


def _option_of(kind: SettingKind, chosen: type[Option], setting: Setting, skipped: int) -> Any:
    """The option of what is given behind the first `skipped` words. Raises _SettingError."""
    given = setting.given[skipped:]
    return _bound(lambda: option(chosen, given, f"{kind.name} {chosen.name}"), setting, skipped)


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
        raise _SettingError(_unknown_choice(kind, given.value, setting.spans[index]))
    return found


def _unknown_choice(kind: SettingKind, word: str, span: Span, others: Iterable[str] = ()) -> Diagnostic:
    """That a word names no choice of a setting, nor one of the `others` that might stand there."""
    names = [o.name for o in kind.options]
    known = [*names, *others]
    near = next((n for n in [CALLED_ELSEWHERE.get(word.lower())] if n in known), closest(word, known))
    notes = (f"its choices are {', '.join(names)}",)
    fixes = _respell(span, near)
    return problem("UnknownChoice", span, notes=notes, fixes=fixes, setting=kind.name, word=word, near=near)


CALLED_ELSEWHERE = {
    "acc": "accuracy", "ce": "cross_entropy", "nll": "cross_entropy", "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy", "l2": "mse", "l1": "mae", "batch_size": "batch",
    "num_epochs": "epochs", "n_epochs": "epochs", "max_epochs": "epochs", "dataset": "data", "criterion": "loss",
    "loss_fn": "loss", "scheduler": "schedule", "lr_scheduler": "schedule", "optim": "optimizer", "metric": "metrics",
    "validation_split": "validation", "val_split": "validation", "clip_grad": "clip", "patience": "early_stopping",
    "amp": "precision", "mixed_precision": "precision",
    "lr_mult": "rate", "lr_scale": "rate", "param_groups": "rate",
}  # fmt: skip
"""What other libraries call settings and their choices."""
OF_OPTIMIZERS = {"lr": "lr", "learning_rate": "lr", "momentum": "momentum", "weight_decay": "weight_decay"}
"""What is said with the optimizer here, and its argument's name."""


def _respell(span: Span, near: str | None) -> tuple[Fix, ...]:
    return (Fix(f"did you mean `{near}`?", (Edit(span, near),)),) if near else ()


def _unknown_setting(setting: Setting) -> Diagnostic:
    near = CALLED_ELSEWHERE.get(setting.name.lower()) or closest(setting.name, BY_NAME)
    near = near if near in BY_NAME else None
    notes = () if near else (f"the settings are {', '.join(BY_NAME)}",)
    if setting.name in OF_OPTIMIZERS:
        argument = OF_OPTIMIZERS[setting.name]
        near, notes = None, (f"it is an argument of the optimizer: `optimizer adam {argument}=…`",)
    return problem(
        "UnknownSetting",
        setting.name_span,
        notes=notes,
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
