"""What a run says while it goes: lines that stay, and on a terminal a bar under them."""

from __future__ import annotations

import os
import time
from typing import Any

from cnndsl.terminal import BOLD, DIM, look_of, visible, width_of, write

_INTERVAL = 0.1
_CELLS = 24


class Progress:
    """Lines and a bar on a stream. The bar is drawn on terminals only; a quiet one says nothing."""

    def __init__(self, stream: Any, *, quiet: bool = False, color: str = "auto") -> None:
        self.stream = stream
        self.look = look_of(stream, color)
        self.quiet = quiet
        self.live = not quiet and self.look.terminal and _moves()
        self._drawn = False
        self._unread = False
        self._next = 0.0
        self._began = 0.0

    def line(self, text: str, *styles: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self.clear()
            self._write(self.look.paint(visible(text), *styles) + "\n")

    def head(self, text: str) -> None:
        self.line(text, BOLD)

    def note(self, text: str) -> None:
        self.line(text, DIM)

    def begin(self) -> None:
        """An epoch begins: its bar appears when a moment has passed, so that quick ones don't flicker."""
        self._began = time.monotonic()
        self._next = self._began + _INTERVAL

    @property
    def due(self) -> bool:
        """Whether the bar is to be drawn again."""
        return self.live and time.monotonic() >= self._next

    def bar(self, title: str, done: int, total: int, examples: int, loss: float) -> None:
        """Draw the bar: `done` of `total` steps since `begin`, in which so many examples were seen."""
        now = time.monotonic()
        self._next = now + _INTERVAL
        elapsed = max(now - self._began, 1e-9)
        filled = _CELLS * done // max(1, total)
        full, empty = self.look.drawn("━", "#"), self.look.drawn("─", "-")
        bar = self.look.paint(full * filled, "36") + self.look.paint(empty * (_CELLS - filled), DIM)
        left = elapsed / max(1, done) * (total - done)
        said = f"  {done}/{total}  loss {loss:.4g}  {examples / elapsed:,.0f} examples/s  {_clock(left)} left"
        room = (self.look.width or 80) - width_of(title) - _CELLS - 2
        self._write(f"\r\x1b[2K{title} {bar}{said[: max(0, room)]}")
        self._drawn = True

    def clear(self) -> None:
        """Take the bar away."""
        if self._drawn:
            self._drawn = False
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        if self._unread:
            return
        try:
            write(self.stream, text)
            self.stream.flush()
        except BrokenPipeError:
            # Nobody reads on, as behind `| head`; the training is still wanted.
            self._unread = True


def _moves() -> bool:
    """Whether the terminal can move its cursor."""
    return os.environ.get("TERM") != "dumb"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
