"""Printing: results to standard output or into a file, diagnostics to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from cnndsl.diagnostics import Diagnostic
from cnndsl.files import STDIN, is_same, write_whole
from cnndsl.terminal import look_of, visible, write


def deliver(pieces: Iterable[str], path: str | None) -> None:
    """Write the result to standard output, or whole into the file at `path`.

    Raises click.ClickException with exit code 2 if that fails; that nobody reads on is no failure.
    """
    if path is not None and path != STDIN:
        _save("".join(pieces).encode("utf-8", "backslashreplace"), path)
        return
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        for piece in pieces:
            write(sys.stdout, piece)
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise CannotWrite("standard output", error) from error


def deliver_file(content: bytes, path: str | None) -> None:
    """Write what is a file, byte for byte, to standard output or into the file at `path`; raises as `deliver`."""
    if path is not None and path != STDIN:
        _save(content, path)
        return
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise CannotWrite("standard output", error) from error


def _save(content: bytes, path: str) -> None:
    try:
        write_whole(path, content)
    except BrokenPipeError:
        return
    except (OSError, ValueError) as error:
        raise CannotWrite(path, error) from error


class CannotWrite(click.ClickException):
    """A result that could not be written: no space, no permission, no such folder."""

    exit_code = 2

    def __init__(self, where: str, error: Exception) -> None:
        shown = visible(where) or "''"
        super().__init__(f"can't write {shown}: {getattr(error, 'strerror', None) or error}")


def discard(stream: Any) -> None:
    """Let what a stream still holds go nowhere, so that nothing fails when the program ends."""
    if stream is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def show(diagnostics: Sequence[Diagnostic], color: str, *, below: bool = False) -> None:
    """Draw diagnostics on standard error. Where that can't be written, nothing can be said.

    `below` says that a result was printed before: in one terminal, an empty line parts them.
    """
    if not diagnostics or sys.stderr is None:
        return
    from cnndsl.diagnostics.render import render_all

    apart = below and sys.stdout is not None and sys.stdout.isatty() and sys.stderr.isatty()
    try:
        write(sys.stderr, "\n" * apart + render_all(diagnostics, look_of(sys.stderr, color)))
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def keep_inputs(output: str | None, inputs: Iterable[str]) -> None:
    """Refuse to write over a file that is read. Raises click.UsageError."""
    for path in inputs:
        if output is not None and path != STDIN and is_same(output, path):
            raise click.UsageError(f"--output {visible(output)} would overwrite the spec itself.")


def exit_code(diagnostics: Sequence[Diagnostic]) -> int:
    """2 if a file could not be read or an option is wrong, 1 for errors in a spec, else 0."""
    if not diagnostics:
        return 0
    from cnndsl.diagnostics.render import of_option, unread

    if any(unread(d) or (d.severity == "error" and of_option(d)) for d in diagnostics):
        return 2
    return 1 if any(d.severity == "error" for d in diagnostics) else 0
