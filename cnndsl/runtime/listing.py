"""Runs side by side, as their folders tell: what they are, how far they came, what differs. Without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any
from zlib import crc32

from cnndsl.pipeline import Options, check
from cnndsl.recipe import Recipe, from_json
from cnndsl.recipe.base import Option, plain
from cnndsl.recipe.metrics import Metric
from cnndsl.recipe.settings import BY_NAME, SETTINGS
from cnndsl.record import Record
from cnndsl.runtime import run_folder
from cnndsl.runtime.errors import RunError
from cnndsl.source import Source

SIDES = ("generator", "discriminator")
"""Two networks that train each other, as their losses are called."""
COMPLETE, STOPPED, NEVER_ENDED, DAMAGED = "complete", "stopped", "never ended", "damaged"
_MAX_HISTORY = 256 * 1024**2


class Score(Record):
    """A number by its name; share: whether it is printed as a percentage; rises: whether more is better."""

    name: str
    value: float
    share: bool = False
    rises: bool = False


class Run(Record):
    """One run. state: of the four above; `stopped` by the user, who may go on; a run that `never ended` goes on still,
    or was killed. problem: why it is damaged; then there is no more than its folder.

    params: None where its spec has errors. epochs: those done; planned: those of its recipe. train_loss: the last
    epoch's; validation: the best, of the recipe's first metric, or of the loss; test: the test's numbers. seconds: in
    epochs. started: local time, as ISO 8601 has it. choices: all that was set, by name; differs: what of it other runs
    of the network have otherwise.
    """

    folder: str
    state: str
    problem: str = ""
    network: str = ""
    params: int | None = None
    epochs: int = 0
    planned: int = 0
    train_loss: float | None = None
    train_losses: tuple[Score, ...] = ()
    validation: Score | None = None
    test: tuple[Score, ...] = ()
    seconds: float = 0.0
    started: str = ""
    choices: dict[str, str] = {}  # noqa: RUF012 - never changed
    differs: tuple[tuple[str, str], ...] = ()


def find(folders: Iterable[Path]) -> list[Path]:
    """The run folders among these folders and in them, each once. Raises RunError where one is no folder."""
    found: dict[Path, None] = {}
    for folder in folders:
        if not folder.is_dir():
            what = "is no folder" if folder.exists() else "is not there"
            raise RunError(f"{folder} {what}", "name the folder with your runs; `cnndsl train` makes them in runs")
        own = (folder / run_folder.RECIPE).exists() or (folder / run_folder.CHECKPOINTS).is_dir()
        found |= dict.fromkeys([folder] if own else run_folder.runs_in(folder))
    return list(found)


def listed(folders: Sequence[Path]) -> list[Run]:
    """The runs of these folders, and what differs among them."""
    known: dict[tuple[str, ...], int | None] = {}
    return _compared([_run(folder, known) for folder in folders])


def _run(folder: Path, known: dict[tuple[str, ...], int | None]) -> Run:
    try:
        about = run_folder.read_recipe(folder)
        recipe = from_json(about["recipe"])
        history = history_of(folder)
        result = result_of(folder)
        settings = {str(name): str(value) for name, value in dict(about["settings"]).items()}
        network = str(about["network"])
    except RunError as error:
        return Run(str(folder), DAMAGED, error.message.replace(f"{folder}/", "").removeprefix(f"{folder} "))
    except (KeyError, ValueError, TypeError) as error:
        return Run(str(folder), DAMAGED, f"{run_folder.RECIPE} is damaged: {error}")
    last = history[-1] if history else {}
    test = (result or {}).get("test") or {}
    return Run(
        str(folder),
        _state(folder, recipe, len(history), result),
        network=network,
        params=_params(folder, network, settings, known),
        epochs=len(history),
        planned=recipe.epochs,
        train_loss=last.get("train_loss"),
        train_losses=tuple(Score(name, last[f"train_{name}_loss"]) for name in SIDES if f"train_{name}_loss" in last),
        validation=_best(recipe, history),
        test=tuple(_score(recipe, str(name), float(v)) for name, v in test.items() if _is_number(v)),
        seconds=sum(row.get("seconds", 0.0) for row in history),
        started=str(about.get("started", "")),
        choices=_choices(folder, about, recipe, settings),
    )


def history_of(folder: Path) -> list[dict[str, float]]:
    """A row for each epoch; none where no epoch was finished. Raises RunError."""
    path = folder / run_folder.METRICS_JSON
    try:
        if path.stat().st_size > _MAX_HISTORY:
            raise RunError(f"{path} is too large to be a run's")
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    if not all(isinstance(row, dict) for row in rows):
        raise RunError(f"{path} is damaged: a line is no object")
    return [{name: float(value) for name, value in row.items() if _is_number(value)} for row in rows]


def result_of(folder: Path) -> dict[str, Any] | None:
    """What result.json holds; None where the run has not ended. Raises RunError."""
    path = folder / run_folder.RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("test"), dict | None):
        raise RunError(f"{path} is damaged: it holds no result")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _state(folder: Path, recipe: Recipe, done: int, result: dict[str, Any] | None) -> str:
    """A run that went on beyond its result has not ended again."""
    if (
        result is not None
        and result.get("epochs") == done
        and (done >= recipe.epochs or recipe.early_stopping.patience)
    ):
        return COMPLETE
    weights, epochs = folder / run_folder.WEIGHTS, folder / run_folder.METRICS_JSON
    try:
        # The weights are written last where a run is stopped.
        return STOPPED if weights.stat().st_mtime_ns >= epochs.stat().st_mtime_ns else NEVER_ENDED
    except OSError:
        return NEVER_ENDED


def _params(
    folder: Path, network: str, settings: dict[str, str], known: dict[tuple[str, ...], int | None]
) -> int | None:
    """The parameters of the run's network; runs of one spec are looked at once."""
    try:
        source = Source(str(folder / run_folder.SPEC), run_folder.read_spec(folder))
        library = run_folder.read_uses(folder, source)
    except RunError:
        return None
    key = (source.text, network, *(f"{name}={value}" for name, value in settings.items()))
    if library is not None or key not in known:
        checked = check(source, Options(sets=tuple(settings.items()), network=network), library=library)
        # Of two networks that train each other both count.
        names = {graph.name for one in checked.pairs for graph in one.pair.graphs}
        every = [one for one in checked.networks if one.graph.name in names] if names else list(checked.networks[:1])
        found = [one.analysis.totals.params for one in every if checked.ok and one.analysis.totals is not None]
        known[key] = sum(found) if found else None
    return known[key]


# --- numbers --------------------------------------------------------------------------------------------------------


def _metric(recipe: Recipe, name: str) -> Metric | None:
    return next((m for m in recipe.metrics if name in m.columns() or name.startswith(f"{m.name}_")), None)


def _score(recipe: Recipe, name: str, value: float) -> Score:
    metric = _metric(recipe, name)
    if metric is None and name.startswith("class_"):
        return Score(name, value, share=True, rises=True)
    return Score(name, value) if metric is None else Score(name, value, metric.share, metric.rises)


def _best(recipe: Recipe, history: list[dict[str, float]]) -> Score | None:
    """The best epoch's number on the validation part: of the first metric that has one column, else of the loss."""
    names = [*(name for metric in recipe.metrics for name in metric.columns()), "loss"]
    for name in names:
        found = [row[f"validation_{name}"] for row in history if f"validation_{name}" in row]
        if found:
            score = _score(recipe, name, found[0])
            return score._replace(value=(max if score.rises else min)(found))
    return None


# --- what differs ---------------------------------------------------------------------------------------------------


def _choices(folder: Path, about: dict[str, Any], recipe: Recipe, settings: dict[str, str]) -> dict[str, str]:
    """Everything that was chosen for a run, by name, as a recipe would write it; parameters as `set NAME`."""
    found = {name: as_written(value) for name, value in settings_of(recipe).items()}
    found |= {f"set {name}": value for name, value in settings.items()}
    options = about.get("options")
    if isinstance(options, dict) and options.get("limit") is not None:
        found["limit"] = as_written(options["limit"])
    try:
        found["spec"] = f"{crc32(run_folder.read_spec(folder).encode()):08x}"
    except RunError:
        found["spec"] = "missing"
    return found


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """The value of each line that a recipe could have, by what it begins with: `optimizer`, `rate head`."""
    found = {kind.name: getattr(recipe, kind.name) for kind in SETTINGS}
    return found | {f"{part.setting} {part.name}": part.value for part in recipe.parts}


def as_written(value: Any) -> str:
    """What stands behind a setting's name in a recipe: what is by default is left out of options."""
    if isinstance(value, Option):
        return value.brief().removeprefix(value.name).lstrip() or "off" if value.name in BY_NAME else value.brief()
    if isinstance(value, tuple):
        return ", ".join(map(as_written, value)) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return plain(value)


def _compared(runs: list[Run]) -> list[Run]:
    """The runs with what differs among those of one network; what others don't have at all counts, too."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.network, []).append(run)
    made = []
    for run in runs:
        others = groups[run.network]
        differs = tuple((n, v) for n, v in run.choices.items() if any(other.choices.get(n) != v for other in others))
        made.append(run._replace(differs=differs))
    return made


# --- order ----------------------------------------------------------------------------------------------------------


def keys(runs: Sequence[Run]) -> list[str]:
    """The columns that runs can be sorted by: their own, and the tests' numbers."""
    own = ["folder", "network", "params", "epochs", "state", "train_loss", "validation", "seconds", "started"]
    return [*own, *(f"test_{name}" for name in tests(runs))]


def tests(runs: Sequence[Run]) -> list[str]:
    """The names of the tests' numbers, in their order, as far as they are not about one class."""
    return list(dict.fromkeys(s.name for run in runs for s in run.test if not s.name.startswith("class_")))


def in_order(runs: Sequence[Run], key: str) -> list[Run]:
    """Runs by a column: the best first where it says how good they are, else the smallest; those without it last."""

    def place(run: Run) -> tuple[bool, Any]:
        score = run.validation if key == "validation" else None
        if key.startswith("test_"):
            score = next((s for s in run.test if s.name == key.removeprefix("test_")), None)
        if key.startswith("test_") or key == "validation":
            return (score is None, 0.0 if score is None else -score.value if score.rises else score.value)
        value = getattr(run, key)
        missing = value is None or (run.state == DAMAGED and key not in ("folder", "state"))
        return (missing, inf if missing and not isinstance(value, str) else value)

    return sorted(runs, key=place)
