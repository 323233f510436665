"""`cnndsl predict`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.cli.training import device_option, need_torch, trained
from cnndsl.files import STDIN
from cnndsl.report.as_csv import row
from cnndsl.report.grid import Column, draw, fit
from cnndsl.terminal import Look, look_of, visible, write

if TYPE_CHECKING:
    from cnndsl.runtime.predict import Prediction, Predictor

    Told = list[tuple[Prediction, str | None]]
    """Predictions, and the files into which pictures of them were written."""

_SHOWN = 8
"""Most values of one example in the table."""


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--top", metavar="K", type=click.IntRange(min=1), default=1, help="Tell the K likeliest classes; 1.")
@click.option("--format", type=click.Choice(["table", "json", "csv"]), default="table", help="How to print them.")
@click.option("-o", "--output", metavar="FILE", help="Write the predictions into a file.")
@click.option(
    "--pictures", metavar="FOLDER", type=click.Path(path_type=Path), help="Write what is made of images as PNG files."
)
@device_option
@color_option
def predict(
    run: Path,
    inputs: tuple[str, ...],
    top: int,
    format: str,
    output: str | None,
    pictures: Path | None,
    device: str,
    color: str,
) -> int:
    """Tell what a run's network makes of new inputs, which are prepared as those of the run were.

    \b
    cnndsl predict runs/LeNet5-1 seven.png --top 3
    cnndsl predict runs/Flowers-2 photos/ --format csv -o photos.csv
    find . -name '*.jpg' | cnndsl predict runs/Flowers-2 -
    cnndsl predict runs/Spectra-1 new.csv
    cnndsl predict runs/UNet-1 scans/ --pictures masks/

    RUN is a run's folder. IMAGE is a picture, a folder with pictures, a .npy, .npz or .csv file with an example a row,
    or '-' for a list of them on standard input. Networks with two inputs take two pictures at a time. Exit code 1 if a
    file can't be read; the others are told.
    """
    need_torch()
    places = _places(inputs)

    def predicted() -> int:
        from cnndsl.runtime.predict import Predictor
        from cnndsl.runtime.trained import load_trained

        predictor = Predictor(load_trained(run, device), top)
        found: Told = []
        for one in predictor(places):
            if one.problem is not None:
                write(sys.stderr, visible(_problem(one)) + "\n")
            found.append((one._replace(picture=None), _kept(one, predictor, pictures)))
        look = look_of(sys.stdout, color) if output is None else Look()
        deliver(_WRITERS[format](found, predictor, look), output)
        return 1 if any(one.problem is not None for one, _ in found) else 0

    return trained(predicted, color)


def _places(inputs: tuple[str, ...]) -> list[str]:
    """The inputs, a list on standard input in the place of `-`. Raises click.UsageError."""
    if inputs.count(STDIN) > 1:
        raise click.UsageError("'-' can stand once: standard input is read once.")
    found: list[str] = []
    for one in inputs:
        found += _listed() if one == STDIN else [one]
    if not found:
        raise click.UsageError("Standard input names no files.")
    return found


def _listed() -> list[str]:
    """The lines of standard input: names of files, in whatever bytes the system has for them."""
    lines = os.fsdecode(sys.stdin.buffer.read()).splitlines() if sys.stdin is not None else []
    return [line for line in lines if line.strip()]


def _problem(one: Prediction) -> str:
    problem = str(one.problem)
    return f"error: {problem}" if one.name in problem else f"error: {one.name} {problem}"


def _kept(one: Prediction, predictor: Predictor, folder: Path | None) -> str | None:
    """Where the picture that was made was written, if it was to be. Raises WriteError."""
    if folder is None or one.picture is None:
        return None
    from cnndsl.runtime.saved_pictures import save

    return str(save(folder, one.name, one.picture, classes=predictor.kind == "map"))


# --- formats --------------------------------------------------------------------------------------------------------


def _json(found: Told, predictor: Predictor, look: Look) -> Iterable[str]:
    import json

    name = "share" if predictor.kind == "map" else _measure(predictor)
    rows = []
    for one, picture in found:
        data: dict[str, Any] = {"input": one.name}
        if one.problem is not None:
            data["error"] = one.problem
        if one.top:
            data["classes"] = [{"name": c.name, "number": c.number, name: c.value} for c in one.top]
        more = {"values": one.values, "read": one.read, "mse": one.difference, "picture": picture}
        rows.append(data | {key: value for key, value in more.items() if value is not None})
    return [json.dumps(rows, indent=2, ensure_ascii=False) + "\n"]


def _measure(predictor: Predictor) -> str:
    return "probability" if predictor.probable else "score"


def _csv(found: Told, predictor: Predictor, look: Look) -> Iterable[str]:
    """A row for each class that is told of each input; else a row for each input. Those with errors have none."""
    return map(row, _cells(found, predictor, every=True))


def _table(found: Told, predictor: Predictor, look: Look) -> Iterable[str]:
    head, *rows = _cells(found, predictor, every=False)
    if not rows:
        return []
    numbers = {"probability", "share", "score", "mse"}
    cells = [[visible(str(one)) for one in column] for column in zip(*rows, strict=True)]
    columns = [
        Column(title, column, right=title in numbers or title.startswith("value"), elastic=title == "input")
        for title, column in zip(map(str, head), cells, strict=True)
    ]
    return [line + "\n" for line in draw(fit(columns, look).columns, look)]


def _cells(found: Told, predictor: Predictor, *, every: bool) -> Iterable[Sequence[str | float]]:
    """Titles, then rows. every: whether all values are told, each input's name in all of its rows, numbers in full."""
    whole = [(one, picture) for one, picture in found if one.problem is None]
    pictures = any(picture is not None for _, picture in whole)
    more = ["picture"] if pictures else []
    if predictor.kind == "sequence":
        yield ["input", "read"]
        yield from ([one.name, " ".join(one.read or ())] for one, _ in whole)
    elif predictor.kind in ("values", "input"):
        yield from _of_values(whole, more, every=every)
    else:
        name = "share" if predictor.kind == "map" else _measure(predictor)
        ranked = predictor.top > 1
        yield ["input", *(["rank"] if every and ranked else []), "class", name, *more]
        for one, picture in whole:
            for rank, known in enumerate(one.top):
                first = every or rank == 0
                value = known.value if every else _shown(known.value, name)
                place = [rank + 1] if every and ranked else []
                yield [
                    one.name if first else "",
                    *place,
                    known.name,
                    value,
                    *((picture if first and picture else "") for _ in more),
                ]


def _shown(value: float, measure: str) -> str:
    return f"{value:.4g}" if measure == "score" else f"{value:.2%}"


def _of_values(whole: Told, more: list[str], *, every: bool) -> Iterable[Sequence[str | float]]:
    many = max((len(one.values) for one, _ in whole if one.values is not None), default=0)
    shown = many if every else min(many, _SHOWN)
    missed = any(one.difference is not None for one, _ in whole)
    titles = ["value"] if many == 1 else [f"value {n + 1}" for n in range(shown)]
    yield ["input", *titles, *(["mse"] if missed else []), *(["…"] if shown < many else []), *more]
    for one, picture in whole:
        values = [v if every else f"{v:.4g}" for v in (one.values or ())[:shown]]
        off = [] if one.difference is None else [one.difference if every else f"{one.difference:.4g}"]
        rest = [f"{many - shown:,} more"] if shown < many else []
        yield [one.name, *values, *off, *rest, *((picture or "") for _ in more)]


_WRITERS = {"table": _table, "json": _json, "csv": _csv}
