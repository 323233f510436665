"""What stops training, in a sentence for the user. None of these is a bug."""

from __future__ import annotations


class TrainingError(Exception):
    """Training can't begin or go on. `help` says what to do; `exit_code` is the command's."""

    exit_code = 1

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class DataError(TrainingError):
    """Data that is not there, not readable, or not what it says it is."""

    exit_code = 2


class WriteError(TrainingError):
    """Something could not be written: no space, no permission."""

    exit_code = 2


class RunError(TrainingError):
    """A run folder that can't be gone on with."""

    exit_code = 2


class NotFiniteError(TrainingError):
    """The loss became NaN or infinite."""
