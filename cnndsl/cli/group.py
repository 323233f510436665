"""Training by several processes, as the command line sees it: who speaks, and with what code they end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.training import Failed, trained

if TYPE_CHECKING:
    from cnndsl.runtime.processes import Processes


@contextlib.contextmanager
def first_speaks() -> Iterator[None]:
    """Before processes know of each other only the first of each machine says what is wrong."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            yield
        except click.ClickException as error:
            raise click.exceptions.Exit(error.exit_code) from None


def started() -> bool:
    """Whether `--nproc` started this process. Raises click.UsageError where another launcher did."""
    if "CNNDSL_OUTCOME" in os.environ:
        return True
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        raise click.UsageError("Either torchrun starts the processes or --nproc does.")
    return False


def alone(what: str, nproc: int | None = None) -> None:
    """Raises click.UsageError where several processes would do what is for one."""
    if nproc is not None or os.environ.get("WORLD_SIZE", "1") != "1":
        raise click.UsageError(f"{what} is for one process: leave --nproc or torchrun away.")


def grouped(work: Callable[[Processes], int], device: str, color: str) -> int:
    """The exit code of what all processes do that were started together, or this one alone. Raises Failed.

    Started by `--nproc`, they leave the code that they agree on to the one that started them, which would start them
    again after any other end.
    """
    from cnndsl.runtime.errors import TrainingError
    from cnndsl.runtime.processes import OUTCOME, joined

    agreed = True

    def all_of_it() -> int:
        nonlocal agreed
        try:
            with joined(device) as processes:
                return work(processes)
        except TrainingError as error:
            agreed = error.agreed
            raise

    outcome = os.environ.get(OUTCOME)
    try:
        code = trained(all_of_it, color)
    except Failed as failed:
        if outcome is None or not agreed:
            raise
        failed.show()
        code = failed.exit_code
    if outcome is None or not agreed:
        return code
    if os.environ.get("RANK") == "0":
        Path(outcome).write_text(str(code), encoding="ascii")
    return 0
