"""The `cnndsl` command: everything that reads arguments, prints, and chooses an exit code.

Exit codes: 0 fine, 1 errors in a spec, 2 misuse or a file that can't be read or written, 130 interrupted.
Modules of commands are imported when the command is called; start-up is a feature.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

INTERRUPTED = 130
MISUSE = 2


def program() -> NoReturn:
    """The command line as a whole process, which ends with its exit code.

    Everything is written by then, and a command cleans up behind itself: nothing is left to do but to take the
    interpreter apart, which takes `check` a tenth of its time. PyTorch and threads have a say in how they end.
    """
    code = main()
    threads = sys.modules.get("threading")
    if "torch" in sys.modules or (threads is not None and threads.active_count() > 1):
        sys.exit(code)
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return the exit code. Never raises for what a user does."""
    try:
        code = _run(arguments)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = 0  # nobody reads on: that is the reader's choice, not an error
    except OSError as error:
        code = _complain(error)
    return _flushed(code)


def _run(arguments: list[str] | None) -> int:
    import gc

    # What a command makes it keeps until it ends, what it imports above all: collecting early would look at it again
    # and again.
    gc.set_threshold(100_000, 50, 100)

    import click

    from cnndsl.cli.commands import cli

    try:
        given = sys.argv[1:] if arguments is None else arguments
        result = cli.main(given, prog_name="cnndsl", standalone_mode=False, obj=tuple(given))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except SystemExit:
        raise BrokenPipeError from None  # how click ends where nobody reads its help
    return result if isinstance(result, int) else 0


def _complain(error: OSError) -> int:
    from cnndsl.terminal import visible

    where = visible(str(error.filename)) if error.filename else "standard output"
    if sys.stderr is not None:
        sys.stderr.write(f"error: can't write {where}: {error.strerror or error}\n")
    return MISUSE


def _flushed(code: int) -> int:
    """The exit code, once all output is out. Then the interpreter has nothing left to flush, or to fail at."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except OSError as error:
        from cnndsl.cli.output import discard

        discard(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            return _complain(error)
    return code
