"""Numbers of a run for TensorBoard, where that is installed."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"
_BESIDE = ("epoch", "steps", "seconds")


class Board:
    """Writes each epoch's row into a run's folder for TensorBoard; does nothing where that is not installed.

    TensorBoard is imported with the first row: that takes a while.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.there = find_spec("tensorboard") is not None
        self._writer: Any = None

    def add(self, row: dict[str, float]) -> None:
        """The numbers of an epoch; those of later ones, of a run that was gone on with, no longer count."""
        if not self.there:
            return
        epoch = int(row["epoch"])
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.run / FOLDER), purge_step=epoch)
        for name, value in row.items():
            part, _, rest = name.partition("_")
            if name not in _BESIDE:
                self._writer.add_scalar(f"{rest}/{part}" if rest else name, value, epoch)
        with suppress(OSError):  # a full disk ends the run where something is written that must be
            self._writer.flush()

    def close(self) -> None:
        """Nothing more will come."""
        if self._writer is not None:
            self._writer.close()
