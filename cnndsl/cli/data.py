"""`cnndsl data`: the published data sets that recipes name."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import deliver
from cnndsl.terminal import BOLD, DIM, look_of, visible, write

if TYPE_CHECKING:
    from cnndsl.datasets import DataSet, File

DIGITS = "1,797 handwritten digits of 8x8 in grey, 10 classes"
root_option = click.option(
    "--data-root", metavar="FOLDER", help="Where data sets lie; else CNNDSL_DATA, else the user's cache."
)


@click.group(context_settings=CONTEXT)
def data() -> None:
    """The published data sets that recipes name: which are here, and fetching them.

    \b
    cnndsl data list               where each data set lies
    cnndsl data fetch mnist        get one from its makers
    cnndsl data clean              remove the decoded images of `data folder`
    """


# --- list -----------------------------------------------------------------------------------------------------------


@data.command("list", context_settings=CONTEXT)
@root_option
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="How to print the list.")
@color_option
def list_(data_root: str | None, format: str, color: str) -> int:
    """List the published data sets, and where they are found."""
    from cnndsl.datasets import data_roots, found, published

    roots = data_roots(data_root)
    rows = [(name, one.about, found(one, roots)) for name, one in published().items()]
    deliver([_json(rows) if format == "json" else _text(rows, color)], None)
    return 0


def _json(rows: list[tuple[str, str, Path | None]]) -> str:
    import json

    digits = {"name": "digits", "about": DIGITS, "path": None, "here": _has_digits()}
    others = [
        {"name": name, "about": about, "path": None if path is None else str(path), "here": path is not None}
        for name, about, path in rows
    ]
    return json.dumps([digits, *others], indent=2) + "\n"


def _text(rows: list[tuple[str, str, Path | None]], color: str) -> str:
    look = look_of(sys.stdout, color)
    shown = [("digits", DIGITS, "inside scikit-learn" if _has_digits() else "not here: pip install 'cnndsl[train]'")]
    for name, about, path in rows:
        where = visible(str(path)) if path is not None else f"not here: cnndsl data fetch {name}"
        shown.append((name, about, where))
    width = max(len(name) for name, *_ in shown) + 2
    lines = [
        f"{look.paint(name.ljust(width), BOLD)}{where}\n{' ' * width}{look.paint(about, DIM)}\n"
        for name, about, where in shown
    ]
    sets, size = _decoded()
    if sets:
        lines.append(f"\n{sets} decoded image {_plural('folder', sets)}, {_bytes(size)}: cnndsl data clean\n")
    return "".join(lines)


def _has_digits() -> bool:
    from importlib.util import find_spec

    return find_spec("sklearn") is not None


# --- fetch ----------------------------------------------------------------------------------------------------------


@data.command(context_settings=CONTEXT)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@root_option
@click.option(
    "--mirror",
    "mirrors",
    metavar="URL",
    multiple=True,
    help="Where to fetch from; may be repeated. Else those of CNNDSL_MIRRORS, else the makers' own addresses.",
)
@click.option("--again", is_flag=True, help="Fetch what is found in another form as well, such as unpacked.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@color_option
def fetch(
    names: tuple[str, ...], data_root: str | None, mirrors: tuple[str, ...], again: bool, quiet: bool, color: str
) -> int:
    """Fetch published data sets, checked against their checksums.

    \b
    cnndsl data fetch mnist fashion_mnist
    cnndsl data fetch cifar10 --data-root ~/data
    cnndsl data fetch mnist --mirror https://example.org/data/

    A file that is whole is not fetched again; one whose transfer broke is gone on with.
    """
    from cnndsl.datasets import MIRRORS, data_roots

    root = data_roots(data_root)[0]
    chosen = mirrors or tuple(os.environ.get(MIRRORS, "").split())
    for one in [_named(name) for name in names]:
        _fetch(one, root, chosen, again, _Meter(quiet, color))
    return 0


def _named(name: str) -> DataSet:
    """The data set of that name. Raises click.UsageError."""
    from cnndsl.datasets import published
    from cnndsl.diagnostics import closest

    known = published()
    one = known.get(name.replace("-", "_").lower())
    if one is not None:
        return one
    if name == "digits":
        raise click.UsageError("The digits come with scikit-learn: there is nothing to fetch.")
    near = closest(name, known)
    guess = f"Did you mean '{near}'?" if near else f"There are {', '.join(known)}."
    raise click.UsageError(f"There is no data set '{visible(name)}' to fetch. {guess}")


def _fetch(one: DataSet, root: Path, mirrors: tuple[str, ...], again: bool, meter: _Meter) -> None:
    """Raises click.ClickException."""
    from cnndsl.datasets import found
    from cnndsl.datasets.fetch import FetchError, fetch

    there = found(one, [root])
    names = [file.name for file in one.files]
    if there is not None and not again and not any((root / one.folders[0] / name).is_file() for name in names):
        meter.line(f"{one.name} is in {visible(str(there))}")
        return
    meter.begin(one)
    try:
        for file, before in fetch(one, root, mirrors, meter.told):
            meter.done(file, before)
    except FetchError as error:
        meter.clear()
        raise _Failed(error.message, error.help) from None
    except KeyboardInterrupt:
        meter.clear()
        meter.line("stopped; what was received is kept, and the same command goes on from there")
        raise
    meter.line(f"{one.name} is in {visible(str(root / one.folders[0]))}")


class _Failed(click.ClickException):
    """A data set that could not be fetched."""

    exit_code = 2

    def __init__(self, message: str, help: str | None) -> None:
        super().__init__(f"{visible(message)}\nhelp: {visible(help)}" if help else visible(message))


class _Meter:
    """Says what has been fetched; on a terminal also how far a file is."""

    def __init__(self, quiet: bool, color: str) -> None:
        self.quiet = quiet
        self.look = look_of(sys.stdout, color)
        self.live = not quiet and self.look.terminal and os.environ.get("TERM") != "dumb"
        self.waiting: list[File] = []
        self.shown = ""

    def begin(self, one: DataSet) -> None:
        self.waiting = list(one.files)

    def told(self, done: int, total: int | None) -> None:
        text = f"{self.waiting[0].name}  {_bytes(done)}" + (f" of {_bytes(total)}" if total else "")
        if self.live and text != self.shown:
            self.shown = text
            write(sys.stdout, f"\r\x1b[2K{text}")
            sys.stdout.flush()

    def done(self, file: File, before: bool) -> None:
        self.waiting.pop(0)
        self.clear()
        self.line(f"  {file.name}{'  is there' if before else ''}", DIM)

    def clear(self) -> None:
        if self.shown:
            self.shown = ""
            write(sys.stdout, "\r\x1b[2K")

    def line(self, text: str, *styles: str) -> None:
        if not self.quiet:
            write(sys.stdout, self.look.paint(text, *styles) + "\n")
            sys.stdout.flush()


# --- clean ----------------------------------------------------------------------------------------------------------


@data.command(context_settings=CONTEXT)
def clean() -> int:
    """Remove the decoded images of `data folder`.

    They lie in the user's cache, and are decoded anew when they are needed.
    """
    sets, size = _decoded()
    for path in _decoded_files():
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _Failed(f"can't remove {path}: {error.strerror or error}", None) from None
    deliver([f"removed {_bytes(size)} of {sets} decoded image {_plural('folder', sets)}\n"], None)
    return 0


def _decoded_files() -> list[Path]:
    from cnndsl.datasets import decoded_folder

    folder = decoded_folder()
    return sorted(path for ending in ("u8", "json", "part") for path in folder.glob(f"*.{ending}"))


def _decoded() -> tuple[int, int]:
    """How many image folders are kept decoded, and how many bytes that takes."""
    files = [(path, _size(path)) for path in _decoded_files()]
    return sum(path.suffix == ".u8" for path, _ in files), sum(size for _, size in files)


def _size(path: Any) -> int:
    try:
        return int(path.stat().st_size)
    except OSError:
        return 0


def _bytes(count: int) -> str:
    """A number of bytes for people: in thousands or millions, to the tenth."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"
