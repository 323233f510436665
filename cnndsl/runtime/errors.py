"""What stops training, in a sentence for the user. None of these is a bug."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class TrainingError(Exception):
    """Training can't begin or go on. `help` says what to do; `exit_code` is the command's.

    agreed: of several processes, all know of it.
    """

    exit_code = 1
    agreed = False

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class DataError(TrainingError):
    """Data that is not there, not readable, or not what it says it is."""

    exit_code = 2


class MismatchError(TrainingError):
    """Data that does not fit the network: what `check` would have said, had it read them. `diagnostics` holds that."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(diagnostics[0].message_text())
        self.diagnostics = diagnostics


class WriteError(TrainingError):
    """Something could not be written: no space, no permission."""

    exit_code = 2


class RunError(TrainingError):
    """A run folder that can't be gone on with."""

    exit_code = 2


class NotFiniteError(TrainingError):
    """The loss became NaN or infinite in a step of an epoch, both counted from 0."""

    def __init__(self, message: str, help: str | None = None, epoch: int = 0, step: int = 0) -> None:
        super().__init__(message, help)
        self.epoch = epoch
        self.step = step


class ExportError(TrainingError):
    """A network that can't be written in another program's format, or that computes something else there."""


class ToldError(TrainingError):
    """What another process of the group says already; this one only ends, with the same exit code."""

    agreed = True

    def __init__(self, exit_code: int) -> None:
        super().__init__("another process failed")
        self.exit_code = exit_code


class LostError(TrainingError):
    """Another process of the group is gone, without having said why to this one."""

    def __init__(self) -> None:
        super().__init__("another process of this run ended, or can't be reached any more")
