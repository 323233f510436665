"""`cnndsl eval`."""

from __future__ import annotations

import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.cli.training import data_root_option, device_option, need_torch, trained
from cnndsl.report.grid import Column, draw
from cnndsl.terminal import Look, look_of, visible

if TYPE_CHECKING:
    from cnndsl.runtime.measure import Measured

PARTS = ("test", "validation", "train")
_WHOLE = 20
"""Most classes whose confusions are printed as a table; of more, the pairs that are confused most often."""
_PAIRS = 10


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--on", "part", type=click.Choice(PARTS), default="test", show_default=True, help="Which examples.")
@data_root_option
@device_option
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Use at most N examples.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
@color_option
def eval(  # noqa: A001 - the command's name
    run: Path, part: str, data_root: str | None, device: str, limit: int | None, format: str, color: str
) -> int:
    """Measure a run's network on a part of its data: losses, metrics, and which classes it confuses.

    \b
    cnndsl eval runs/LeNet5-1
    cnndsl eval runs/LeNet5-1 --on validation --format json

    RUN is a run's folder. The numbers are those of the recipe, with the weights that the run ended with.
    """
    need_torch()

    def measured() -> int:
        from cnndsl.runtime.measure import measure
        from cnndsl.runtime.trained import as_of, load_trained

        network = load_trained(run, device)
        found = measure(network, part, data_root, limit)
        if format == "json":
            deliver([_json(run, network.graph.name, found)], None)
        else:
            where = f"{network.graph.name} in {run}{as_of(run)}, {_part(part)} of {network.recipe.data.titled()}"
            deliver([_text(where, found, look_of(sys.stdout, color))], None)
        return 0

    return trained(measured, color)


def _part(part: str) -> str:
    return {"train": "the training examples", "validation": "the validation examples", "test": "the test"}[part]


# --- figures --------------------------------------------------------------------------------------------------------


def of_classes(confusion: list[list[int]]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and how many examples there are, of each class; None where nothing can be divided."""
    found = []
    for number, row in enumerate(confusion):
        right, there, said = row[number], sum(row), sum(other[number] for other in confusion)
        found.append(
            {
                "precision": right / said if said else None,
                "recall": right / there if there else None,
                "f1": 2 * right / (there + said) if there + said else None,
                "examples": there,
            }
        )
    return found


def _json(run: Path, name: str, found: Measured) -> str:
    import json

    data: dict[str, Any] = {
        "run": str(run),
        "network": name,
        "part": found.part,
        "examples": found.count,
        "metrics": {key: value if isfinite(value) else None for key, value in found.values.items()},
    }
    if found.confusion is not None:
        confusion = found.confusion.tolist()
        named = zip(found.names, of_classes(confusion), strict=True)
        data["classes"] = [{"name": name, **figures} for name, figures in named]
        data["confusion"] = confusion
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


# --- text -----------------------------------------------------------------------------------------------------------


def _text(where: str, found: Measured, look: Look) -> str:
    said = "  ".join(f"{name} {value:{'.2%' if share else '.4g'}}" for name, (value, share) in found.shown.items())
    count = "1 example" if found.count == 1 else f"{found.count:,} examples"
    lines = [f"{visible(where)}: {count}", said]
    if found.confusion is not None:
        confusion = found.confusion.tolist()
        names = [visible(name) for name in found.names]
        lines += ["", *_classes(names, confusion, look)]
        lines += ["", *(_matrix(names, confusion, look) if len(names) <= _WHOLE else _pairs(names, confusion))]
    return "\n".join(lines) + "\n"


def _classes(names: list[str], confusion: list[list[int]], look: Look) -> list[str]:
    figures = of_classes(confusion)
    columns = [Column("class", names, right=False, elastic=True)]
    columns += [Column(name, [_share(one[name]) for one in figures]) for name in ("precision", "recall", "f1")]
    return draw([*columns, Column("examples", [f"{one['examples']:,}" for one in figures])], look)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _matrix(names: list[str], confusion: list[list[int]], look: Look) -> list[str]:
    """A row for each class, a column for what its examples were taken for."""
    columns = [Column("true", names, right=False)]
    for number, name in enumerate(names):
        columns.append(Column(name, [f"{row[number]:,}" if row[number] else "." for row in confusion]))
    return ["taken for", *draw(columns, look)]


def _pairs(names: list[str], confusion: list[list[int]]) -> list[str]:
    size = range(len(names))
    pairs = sorted((-confusion[t][f], t, f) for t in size for f in size if t != f and confusion[t][f])
    if not pairs:
        return ["no class was taken for another"]
    told = [
        f"  {names[t]} for {names[f]}: {'once' if count == -1 else f'{-count:,} times'}"
        for count, t, f in pairs[:_PAIRS]
    ]
    return ["taken for another most often (the whole table: --format json)", *told]
