"""The argument RUN of commands: a run's folder, and sentences for what is none."""

from __future__ import annotations

import os
from pathlib import Path

from cnndsl.cli.training import Failed

_MARK = "recipe.json"
_SHOWN = 3


def run_of(text: str, instead: str = "") -> Path:
    """The folder that is named. `instead`: what may be done with a spec, for which runs are taken.

    Raises Failed where it is no run's folder.
    """
    if os.path.isfile(os.path.join(text, _MARK)):
        return Path(text)
    if _is_spec(text):
        raise Failed(
            f"{text} is a spec, which has no trained weights",
            f"cnndsl train {text}, then give the run's folder{instead}",
            2,
        )
    if not os.path.isdir(text):
        near = _runs(os.path.dirname(text) or ".") or _runs("runs")
        raise Failed(f"there is no run folder {text}", _meant(near) or "cnndsl train FILE makes one", 2)
    raise Failed(f"{text} is no run folder: it has no {_MARK}", _meant(_runs(text)), 2)


def part_of(text: str) -> tuple[str, str | None]:
    """A run's folder and the network of it that is meant, as in `runs/gan-1:Generator`; None for the run's own."""
    folder, colon, network = text.rpartition(":")
    if colon and os.path.isdir(folder) and not os.path.exists(text):
        return folder, network
    return text, None


def _is_spec(text: str) -> bool:
    from cnndsl.zoo import find

    if os.path.isdir(text):
        return False
    return os.path.isfile(text) or ".cnn" in text or (os.sep not in text and find(text.partition(":")[0]) is not None)


def _runs(folder: str) -> list[str]:
    """The run folders in a folder, the latest first."""
    try:
        found = [entry.path for entry in os.scandir(folder) if os.path.isfile(os.path.join(entry.path, _MARK))]
    except OSError:
        return []
    return sorted((os.path.normpath(path) for path in found), key=os.path.getmtime, reverse=True)


def _meant(runs: list[str]) -> str | None:
    if not runs:
        return None
    more = ", …" if len(runs) > _SHOWN else ""
    return f"did you mean {' or '.join(runs)}?" if len(runs) <= 2 else f"there are {', '.join(runs[:_SHOWN])}{more}"
