"""`cnndsl runs`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.cli.training import trained
from cnndsl.numbers import abbreviated, grouped
from cnndsl.report.as_csv import row
from cnndsl.report.as_markdown import escaped
from cnndsl.report.grid import Column, draw, fit
from cnndsl.terminal import Look, look_of, visible

if TYPE_CHECKING:
    from cnndsl.runtime.listing import Run, Score


@click.command(context_settings=CONTEXT)
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--sort", metavar="COLUMN", help="Sort by a column: the best first, or the smallest. Else by name.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "--format", type=click.Choice(["table", "json", "csv", "markdown"]), default="table", help="How to print them."
)
@color_option
def runs(folders: tuple[Path, ...], sort: str | None, reverse: bool, format: str, color: str) -> int:
    """Compare runs: how far they came, how good they are, and what differs in their recipes.

    \b
    cnndsl runs                           those in the folder runs
    cnndsl runs runs/LeNet5-* --sort test_accuracy
    cnndsl runs here there --format csv

    FOLDER is a folder with runs in it, or a run's own.
    """

    def told() -> int:
        from cnndsl.runtime import listing

        found = listing.listed(listing.find(folders or (Path("runs"),)))
        if sort is not None:
            found = listing.in_order(found, _key(sort, listing.keys(found)))
        shown = found[::-1] if reverse else found
        deliver(_report(shown, listing.tests(shown), format, look_of(sys.stdout, color)), None)
        return 0

    return trained(told, color)


def _key(sort: str, keys: list[str]) -> str:
    """The column that is meant. Raises click.UsageError."""
    from cnndsl.diagnostics import closest

    wanted = sort.strip().replace(" ", "_").replace("-", "_")
    found = next((key for key in (wanted, f"test_{wanted}") if key in keys), None)
    if found is None:
        near = closest(wanted, [*keys, *(key.removeprefix("test_") for key in keys)])
        hint = f"Did you mean '{near}'?" if near else f"There are {', '.join(keys)}."
        raise click.UsageError(f"There is no column '{visible(sort)}' to sort by. {hint}")
    return found


def _report(found: Sequence[Run], tests: list[str], format: str, look: Look) -> Iterable[str]:
    if format == "json":
        return [_json(found)]
    if format == "csv":
        return _csv(found, tests)
    if format == "markdown":
        return _markdown(found, tests)
    return [_table(found, tests, look)] if found else ["no runs there\n"]


def _json(found: Sequence[Run]) -> str:
    import json

    rows: list[dict[str, Any]] = []
    for run in found:
        data = run._asdict()
        data["validation"] = None if run.validation is None else {run.validation.name: run.validation.value}
        data["train_losses"] = {score.name: score.value for score in run.train_losses}
        data["test"] = {score.name: score.value for score in run.test}
        data["differs"] = dict(run.differs)
        data["problem"] = run.problem or None
        rows.append(data)
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _csv(found: Sequence[Run], tests: list[str]) -> Iterable[str]:
    names = list(dict.fromkeys(score.name for run in found for score in run.train_losses))
    sides = [f"train_{name}_loss" for name in names]
    head = ["folder", "network", "params", "epochs", "planned", "state", "train_loss", *sides, "validation_metric"]
    head += ["validation", *(f"test_{name}" for name in tests), "seconds", "started", "differs", "problem"]
    yield row(head)
    for run in found:
        best = run.validation
        by_name = {score.name: score.value for score in run.test}
        done, planned, seconds = (None,) * 3 if run.problem else (run.epochs, run.planned, round(run.seconds, 3))
        cells = [visible(run.folder), visible(run.network), run.params, done, planned, run.state, run.train_loss]
        cells += [next((score.value for score in run.train_losses if score.name == name), None) for name in names]
        cells += [None, None] if best is None else [best.name, best.value]
        cells += [*map(by_name.get, tests), seconds, visible(run.started), visible(_differs(run)), visible(run.problem)]
        yield row(cells)


def _differs(run: Run) -> str:
    """As a recipe would write it: `optimizer sgd lr=0.1, epochs 3`."""
    return ", ".join(f"{name} {value}" for name, value in run.differs)


def _markdown(found: Sequence[Run], tests: list[str]) -> Iterable[str]:
    columns = _columns(found, tests)
    yield "| " + " | ".join(escaped(column.title) for column in columns) + " |\n"
    yield "| " + " | ".join("---:" if column.right else ":---" for column in columns) + " |\n"
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield "| " + " | ".join(map(escaped, cells)) + " |\n"


def _table(found: Sequence[Run], tests: list[str], look: Look) -> str:
    columns = [column for column in _columns(found, tests) if any(column.cells)]
    fitted = fit(columns, look)
    lines = draw(fitted.columns, look)
    if fitted.left_out:
        lines += ["", f"left out for want of room: {', '.join(fitted.left_out)}"]
    return "".join(line + "\n" for line in lines)


def _columns(found: Sequence[Run], tests: list[str]) -> list[Column]:
    sound = [run if not run.problem else None for run in found]

    def cells(of: Any) -> list[str]:
        return ["" if run is None else of(run) for run in sound]

    brief = Column("params", cells(lambda run: "?" if run.params is None else abbreviated(run.params)))
    columns = [
        Column("run", [visible(run.folder) for run in found], right=False, elastic=True),
        Column("network", cells(lambda run: visible(run.network)), right=False, leaves=2),
        Column(
            "params",
            cells(lambda run: "?" if run.params is None else grouped(run.params)),
            brief=lambda: brief,
            leaves=4,
        ),
        Column("epochs", cells(lambda run: f"{run.epochs}/{run.planned}")),
        Column("state", [run.state for run in found], right=False),
        Column("train loss", cells(_losses), leaves=3),
        Column("best validation", cells(lambda run: _named(run.validation)), right=False, short="validation", leaves=5),
    ]
    for name in tests:
        columns.append(
            Column(f"test {name}", cells(lambda run, name=name: _test(run, name)), leaves=int(name == "loss"))
        )
    return [
        *columns,
        Column("seconds", cells(lambda run: f"{run.seconds:,.1f}"), short="s", leaves=3),
        Column("started", cells(lambda run: visible(run.started[:16].replace("T", " "))), right=False, leaves=1),
        Column("what differs", [visible(run.problem or _differs(run)) for run in found], right=False, leaves=6),
    ]


def _losses(run: Run) -> str:
    """The last epoch's training loss, or those of two networks."""
    if run.train_loss is not None:
        return f"{run.train_loss:.4g}"
    return ", ".join(f"{score.name} {_number(score)}" for score in run.train_losses)


def _named(score: Score | None) -> str:
    return "" if score is None else f"{score.name} {_number(score)}"


def _test(run: Run, name: str) -> str:
    return next((_number(score) for score in run.test if score.name == name), "")


def _number(score: Score) -> str:
    return f"{score.value:.2%}" if score.share else f"{score.value:.4g}"
