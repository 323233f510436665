"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cnndsl.runtime.errors import WriteError


def write_file(path: Path, content: bytes | str) -> None:
    """Put `content` at `path`: a temporary file beside it, flushed to the disk, then renamed over it.

    A reader sees the old file or the new one, also after a crash. Raises WriteError; then the old file, if
    there was one, stands as it was.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise write_error(path, error) from error
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    """Flush the rename itself, where folders can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_error(path: Path, error: OSError) -> WriteError:
    """The sentence for a failed write."""
    return WriteError(f"can't write {path}: {error.strerror or error}")
