"""Checkpoints: everything that is needed to go on bit for bit, in files that can't be half there.

A file's name holds the first 16 hexadecimal digits of its SHA-256, so that a torn or damaged one is known
without a second file; the last few are kept. They hold tensors and plain data, and are loaded as such.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import torch

from cnndsl.runtime.errors import RunError
from cnndsl.runtime.files import write_file
from cnndsl.runtime.run_folder import CHECKPOINTS as FOLDER

_NAME = re.compile(r"epoch-([0-9]{6,})-step-([0-9]{8,})-([0-9a-f]{16})\.pt")


def save(run: Path, epoch: int, step: int, state: dict[str, Any], keep: int = 2) -> Path:
    """Write `state`, reached after `epoch` whole epochs and `step` steps more, and remove all but `keep`.

    Raises WriteError; the checkpoints before are kept then.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    name = f"epoch-{epoch:06}-step-{step:08}-{_digest(content)}.pt"
    path = run / FOLDER / name
    write_file(path, content)
    # Damaged ones may have later names: this one is kept whatever its place.
    for old in [other for other in found(run) if other != path][max(keep, 1) - 1 :]:
        with contextlib.suppress(OSError):
            old.unlink()
    return path


def load(run: Path) -> tuple[dict[str, Any] | None, list[Path]]:
    """The newest state that is whole, or None if there is none; and the newer files that are damaged. Raises
    RunError."""
    content, damaged = read(run)
    return (None if content is None else state_of(content, run)), damaged


def read(run: Path) -> tuple[bytes | None, list[Path]]:
    """The content of the newest checkpoint that is whole, if there is one; and the newer files that are damaged. Raises
    RunError."""
    damaged: list[Path] = []
    for path in found(run):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"can't read {path}: {error.strerror or error}") from None
        match = _NAME.fullmatch(path.name)
        if match and _digest(content) == match[3]:
            return content, damaged
        damaged.append(path)
    return None, damaged


def found(run: Path) -> list[Path]:
    """The checkpoint files of a run, the newest first."""
    matches = [(path, _NAME.fullmatch(path.name)) for path in (run / FOLDER).glob("epoch-*.pt")]
    numbered = [(int(match[1]), int(match[2]), path) for path, match in matches if match]
    return [path for *_, path in sorted(numbered, reverse=True)]


def state_of(content: bytes, run: Path) -> dict[str, Any]:
    """What a checkpoint of this run holds. Raises RunError."""
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise RunError(f"the newest file in {run / FOLDER} is no checkpoint: {error}".splitlines()[0]) from None
    if not isinstance(state, dict):
        raise RunError(f"the newest file in {run / FOLDER} is no checkpoint")
    return state


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
