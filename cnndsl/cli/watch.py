"""`--watch`: again at each save.

Files are asked for their times twenty times a second: that takes a few microseconds each, works on every system, in
containers and on network drives, and sees what editors do: write in place, rename over, delete and make again.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterable

from cnndsl.record import Record
from cnndsl.terminal import DIM, look_of, write

PAUSE = 0.04
"""Seconds between two looks."""
_PATIENCE = 2
"""Looks for which a file that is gone or empty is waited for: a save may be under way."""

Stamp = tuple[int, int, int] | None


class Round(Record):
    """One check: its exit code, what prints it (and gives the code, if that is not known before), the files that it
    read, and folders in which one that it lacked may appear."""

    code: int
    display: Callable[[], int]
    files: tuple[str, ...]
    folders: tuple[str, ...] = ()


def watch(run: Callable[[], Round], files: Iterable[str], color: str, did: str = "checked") -> int:
    """Run at once and whenever a file changes, until Ctrl-C. Returns the exit code of the last round.

    `files` are those to look at before the first round tells which it read. did: what a round does, for people.
    """
    code = 0
    before = {path: _stamp(path) for path in files}
    try:
        while True:
            begun, start = time.time_ns(), time.perf_counter()
            one = run()
            taken = time.perf_counter() - start
            code = one.code
            for path in (*one.files, *one.folders):
                if path not in before:
                    before[path] = _stamp_since(path, begun)
            code = _show(one, taken, color, did)
            gc.collect()  # switched off while a check runs; here nobody waits
            watched = (*one.files, *one.folders)
            _wait({path: before[path] for path in watched}, set(one.files))
            before = {path: _stamp(path) for path in watched}
    except KeyboardInterrupt:
        return code


def _stamp_since(path: str, begun: int) -> Stamp:
    """The stamp of a file that was first read in the round that begun then; none that is true if it was saved since."""
    stamp = _stamp(path)
    return (0, 0, 0) if stamp is not None and stamp[0] >= begun else stamp


def _stamp(path: str) -> Stamp:
    """What changes when a file is saved; None if there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _wait(watched: dict[str, Stamp], files: set[str]) -> None:
    """Until something has changed, and no file is just being replaced."""
    patience = _PATIENCE
    while True:
        changed = [path for path, before in watched.items() if _stamp(path) != before]
        if changed:
            unfinished = any(path in files and (_stamp(path) or (0, 0, 0))[1] == 0 for path in changed)
            if not unfinished or patience == 0:
                return
            patience -= 1
        time.sleep(PAUSE)


def _show(one: Round, taken: float, color: str, did: str) -> int:
    """The result in place of the last one on a terminal, else below it. Raises BrokenPipeError where nobody reads."""
    look = look_of(sys.stdout, color)
    terminal = look.terminal
    count = len(one.files)
    now = time.strftime("%H:%M:%S")
    said = f"{now}  {did} in {taken * 1000:,.0f} ms, watching {count} file{'s' * (count != 1)}"
    clear = "\x1b[H\x1b[2J" if terminal else ""
    hint = " (Ctrl-C ends)" if terminal else ""
    write(sys.stdout, f"{clear}{look.paint(said + hint, DIM)}\n\n")
    sys.stdout.flush()
    code = one.display()
    if not terminal:
        write(sys.stdout, "\n")
        sys.stdout.flush()
    return code
