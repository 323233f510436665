"""Files written whole or not at all, and flushed to the disk."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cnndsl.files import write_whole
from cnndsl.runtime.errors import WriteError


def write_file(path: Path, content: bytes | str) -> None:
    """Put `content` at `path`, so that a reader sees the old file or the new one, also after a crash.

    Raises WriteError; then the old file, if there was one, stands as it was.
    """
    try:
        write_whole(str(path), content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise write_error(path, error) from error
    # The rename is flushed too, where folders can be opened (not on Windows).
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_error(path: Path, error: OSError) -> WriteError:
    """The sentence for a failed write."""
    return WriteError(f"can't write {path}: {error.strerror or error}")
