"""Tables and curves in text files: one example a line. What is missing or no number is told with its place."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from cnndsl.diagnostics import closest
from cnndsl.layers.bind import Given
from cnndsl.recipe.base import option
from cnndsl.recipe.sources.files import Csv
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.folders import find_named
from cnndsl.runtime.data.parts import keep_test
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

MAX_FILE = 4 * 1024**3
MAX_COLUMNS = 1_000_000
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
_SNIFFED = 10


class Table(NamedTuple):
    """What a file holds: the columns' names, the numbers of the chosen inputs and targets, N x columns each, the cells
    of a target that is no number, and how many rows stand before the first example."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.float64]
    labels: list[str] | None
    said: str


def read_csv(source: Any, wanted: Wanted) -> Raw:
    """The rows of a file as examples. Raises DataError, and what `wanted.agree` raises."""
    path = find_named(source.name, wanted, source.file, folder=False)
    table = read_table(path, source, named=wanted.of_classes)
    facts: dict[str, Any] = {"columns": (table.inputs.shape[1], table.targets.shape[1])}
    names: tuple[str, ...] = ()
    if table.labels is not None:
        names = tuple(sorted(set(table.labels)))
        facts |= {"columns": (table.inputs.shape[1], 1), "classes": len(names), "names": names}
    wanted.agree(source.known(**facts))
    inputs = torch.from_numpy(table.inputs).reshape(len(table.inputs), *wanted.input)
    examples = Examples(inputs, *_targets(path, table, names, wanted))
    raw = keep_test(examples, source.test, source.name)
    said = [table.said, *([f"{len(names)} classes: {', '.join(names[:12])}"] if names else [])]
    return raw._replace(names=names, said=tuple(said))


def read_rows(path: Path, source: Any, count: int) -> NDArray[np.float32]:
    """The inputs of new examples, N x count: of a file that has these columns alone, or all that `source` has, a
    `data csv`; None for none. Raises DataError."""
    looks = {name: getattr(source, name) for name in ("header", "delimiter")} if isinstance(source, Csv) else {}
    named = {"file": path.name, "targets": 0, **looks}
    alone = option(Csv, [Given("named", value, name) for name, value in named.items()])
    known = source if isinstance(source, Csv) else alone
    table = read_table(path, known if _columns_of(path, known) != count else alone, named=True)
    found = table.inputs.shape[1]
    if found != count:
        raise DataError(f"{path} has {found:,} {_plural('column', found)} of inputs, but the network takes {count:,}")
    return table.inputs


def _columns_of(path: Path, source: Any) -> int:
    """How many cells the first row has. Raises DataError."""
    with _opened(path, source) as (file, delimiter):
        _, first = next(_cells(path, file, delimiter), (0, []))
        return len(first)


def _targets(path: Path, table: Table, names: tuple[str, ...], wanted: Wanted) -> tuple[Any, Any]:
    """The targets as classes or as values."""
    if wanted.task == "input":
        return None, None
    if table.labels is not None:
        numbers = {name: number for number, name in enumerate(names)}
        return torch.tensor([numbers[label] for label in table.labels]), None
    if not wanted.of_classes:
        return None, torch.from_numpy(table.targets.astype(np.float32)).reshape(len(table.targets), *wanted.output)
    classes = table.targets[:, 0]
    highest = wanted.output[0] - 1 if wanted.task == "class" and wanted.output[0] > 1 else 2**31
    wrong = np.argwhere((classes != np.floor(classes)) | (classes < 0) | (classes > highest))
    if len(wrong):
        row = int(wrong[0, 0])
        raise DataError(
            f"{path} has the target {classes[row]:g} in its example {row + 1:,}, which is no class: a whole number "
            f"from 0 to {highest}",
            "for values that are not classes, write `loss mse`",
        )
    return torch.from_numpy(classes.astype(np.int64)), None


# --- the file -------------------------------------------------------------------------------------------------------


def read_table(path: Path, source: Any, *, named: bool) -> Table:
    """The columns that the source's arguments choose; `named` lets the target be a name. Raises DataError."""
    with _opened(path, source) as (file, delimiter):
        return _rows(path, _cells(path, file, delimiter), source, named, delimiter)


@contextmanager
def _opened(path: Path, source: Any) -> Iterator[tuple[Any, str]]:
    """The file, and what parts its cells. What goes wrong is raised as DataError."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise DataError(f"{path} has more than {MAX_FILE:,} bytes")
        with open(path, encoding="utf-8-sig", newline="") as file:
            head = [line for _, line in zip(range(_SNIFFED), file, strict=False)]
            file.seek(0)
            yield file, DELIMITERS.get(source.delimiter) or _delimiter(head)
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}") from None


def _delimiter(head: Sequence[str]) -> str:
    """What parts as many cells, more than one, in every one of the first lines: else a comma."""
    for delimiter in (",", ";", "\t", " "):
        try:
            counts = {len(row) for row in csv.reader(head, delimiter=delimiter, skipinitialspace=True) if row}
        except csv.Error:
            continue
        if len(counts) == 1 and counts.pop() > 1:
            return delimiter
    return ","


def _cells(path: Path, file: Any, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the number of the line it ends on."""
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if delimiter == " ":
                row = [cell for cell in row if cell]
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"line {reader.line_num:,} of {path} can't be read: {error}") from None


def _rows(path: Path, rows: Iterator[tuple[int, list[str]]], source: Any, named: bool, delimiter: str) -> Table:
    line, first = next(rows, (0, None))
    if first is None:
        raise DataError(f"{path} is empty")
    width = len(first)
    if width > MAX_COLUMNS:
        raise DataError(f"{path} has more than {MAX_COLUMNS:,} columns")
    header = _header(first, source, named)
    inputs, targets = _columns(path, header, width, source)
    text = named and len(targets) == 1
    numbers, labels = array("f"), []
    target_numbers = array("d")
    lines = []
    pending = [] if header is not None else [(line, first)]
    for line, row in _chained(pending, rows):
        if len(row) != width:
            where = f"the first has {width:,}"
            raise DataError(
                f"line {line:,} of {path} has {len(row):,} cells, but {where}",
                None if width > 1 else f"cells are parted by {_said_delimiter(delimiter)}: say `delimiter=` otherwise",
            )
        try:
            numbers.extend([float(row[column]) for column in inputs])
            if text:
                labels.append(row[targets[0]].strip())
            else:
                target_numbers.extend([float(row[column]) for column in targets])
        except ValueError:
            raise _no_number(path, line, row, [*inputs, *(() if text else targets)], header) from None
        lines.append(line)
    if not lines:
        raise DataError(f"{path} has a header, but no rows")
    values = np.frombuffer(numbers, np.float32).reshape(len(lines), len(inputs))
    goals = np.frombuffer(target_numbers, np.float64).reshape(len(lines), 0 if text else len(targets))
    for found, columns in ((values, inputs), (goals, targets)):
        _all_finite(path, found, columns, lines, header)
    for line, label in zip(lines, labels, strict=False):
        if not label:
            raise DataError(f"line {line:,} of {path} has no target: {_column(targets[0], header)} is empty")
    if header is None and source.header == "auto" and len(labels) > 2 and _alone(labels):
        # A class of one example is none: what stands there is the column's name.
        header, labels, lines, values = [cell.strip() for cell in first], labels[1:], lines[1:], values[1:]
    said = f"{len(lines):,} rows of {len(inputs):,} inputs and {len(targets):,} {_plural('target', len(targets))}"
    if header is not None:
        shown = ", ".join(header[column] for column in targets[:5])
        said += f" ({shown})" if targets else ""
    if text and all(_number(label) is not None for label in labels):
        return Table(values, np.array([[float(label)] for label in labels]), None, said)
    return Table(values, goals, labels if text else None, said)


def _alone(labels: list[str]) -> bool:
    """Whether the first label is a word that no other example has."""
    return _number(labels[0]) is None and labels.count(labels[0]) == 1


def _chained(pending: list[Any], rows: Iterator[Any]) -> Iterator[Any]:
    yield from pending
    yield from rows


def _header(first: list[str], source: Any, named: bool) -> list[str] | None:
    """The columns' names, if the first row has them: by itself, if a cell is no number that is no name of a class."""
    if source.header == "no":
        return None
    words = [cell for cell in first if cell.strip() and _number(cell) is None]
    # One word alone may be the class of the first example.
    if source.header == "auto" and (not words or (named and len(words) == 1 and len(first) > 1)):
        return None
    return [cell.strip() for cell in first]


def _columns(path: Path, header: list[str] | None, width: int, source: Any) -> tuple[list[int], list[int]]:
    """The numbers of the columns with inputs, and of those with targets. Raises DataError."""
    targets = _chosen(path, header, width, source.targets)
    without = _chosen(path, header, width, source.without) if source.without else []
    inputs = [column for column in range(width) if column not in {*targets, *without}]
    if not inputs:
        raise DataError(f"{path} has {width:,} {_plural('column', width)}, which leaves none for inputs")
    return inputs, [column for column in targets if column not in without]


def _chosen(path: Path, header: list[str] | None, width: int, said: Any) -> list[int]:
    if isinstance(said, int):
        if said > width:
            raise DataError(f"{path} has {width:,} {_plural('column', width)}, so that {said:,} can't be targets")
        return list(range(width - said, width))
    names = (said,) if isinstance(said, str) else said
    if names == ("first",) and (header is None or "first" not in header):
        return [0]
    if header is None:
        raise DataError(
            f"{path} has no header that names its columns", "write `header=yes`, or say how many: targets=1"
        )
    for name in names:
        if name not in header:
            near = closest(name, header)
            raise DataError(
                f"{path} has no column {name!r}; it has {', '.join(header[:20])}{', …' if len(header) > 20 else ''}",
                f"did you mean {near!r}?" if near else None,
            )
        if header.count(name) > 1:
            raise DataError(f"{path} has several columns {name!r}")
    return [header.index(name) for name in names]


# --- what is wrong with a cell --------------------------------------------------------------------------------------


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _no_number(path: Path, line: int, row: list[str], columns: list[int], header: list[str] | None) -> DataError:
    column = next(c for c in columns if _number(row[c]) is None)
    cell, where = row[column].strip(), _column(column, header)
    if not cell:
        return DataError(f"line {line:,} of {path} has no value: {where} is empty", "fill it in, or remove the line")
    shown = cell if len(cell) <= 40 else cell[:37] + "..."
    advice = None
    if _number(cell.replace(",", ".")) is not None:
        advice = "decimals are written with a point"
    elif header is None:
        advice = "if the first line names the columns, write `header=yes`; columns to leave out go into `without=`"
    else:
        advice = "columns to leave out go into `without=`; a class needs a loss on classes"
    return DataError(f"line {line:,} of {path} has {shown!r} in {where}, which is no number", advice)


def _all_finite(
    path: Path, values: NDArray[Any], columns: list[int], lines: list[int], header: list[str] | None
) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = (int(n) for n in wrong[0])
        where = _column(columns[column], header)
        raise DataError(
            f"line {lines[row]:,} of {path} has {values[row, column]} in {where}, which is no finite number"
        )


def _column(column: int, header: list[str] | None) -> str:
    return f"column {column + 1:,}" + (f" ({header[column]})" if header is not None else "")


def _said_delimiter(delimiter: str) -> str:
    return next(name for name, sign in DELIMITERS.items() if sign == delimiter)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"
