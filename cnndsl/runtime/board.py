"""Numbers of a run for TensorBoard, where that is installed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"
_BESIDE = ("epoch", "steps", "seconds")


class Board:
    """Writes each epoch's row into a run's folder for TensorBoard; does nothing where that is not installed.

    TensorBoard is imported with the first row: that takes a while. What it can't write it goes without: a full disk
    ends the run where something is written that must be.
    """

    def __init__(self, run: Path) -> None:
        self.folder = run / FOLDER
        self.there = find_spec("tensorboard") is not None
        self._writer: Any = None

    def add(self, history: Sequence[dict[str, float]]) -> None:
        """The numbers of the last epoch of these; before the first ones also those of epochs that may be missing.

        Epochs that come again, in a run that was gone on with, replace what stands there of them and of later ones.
        """
        if not self.there:
            return
        try:
            rows = history[-1:] if self._writer is not None else self._begin(history)
            for row in rows:
                for name, value in row.items():
                    part, _, rest = name.partition("_")
                    if name not in _BESIDE:
                        self._writer.add_scalar(f"{rest}/{part}" if rest else name, value, int(row["epoch"]))
            self._writer.flush()
        except Exception:  # of another's library, which may be there in part, or not fit another's
            self.close()
            self.there = False

    def _begin(self, history: Sequence[dict[str, float]]) -> Sequence[dict[str, float]]:
        """Opens a file; the rows to begin it with. A run that was killed may lack the epoch before the last one."""
        rows = history[-2:] if self.folder.exists() else history
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder), purge_step=int(rows[0]["epoch"]))
        return rows

    def close(self) -> None:
        """Nothing more will come."""
        if self._writer is not None:
            with suppress(Exception):
                self._writer.close()
            self._writer = None
