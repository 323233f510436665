"""Run folders: what a training run leaves behind. A run never writes into another's folder.

spec.cnn            the spec, as it was read
uses.json           the files that it used, if there were any
recipe.json         network, every setting, how inputs are prepared, the environment
model.py            the PyTorch source that was trained
launch.json         what started the processes that train it, if there are several
metrics.csv         one line for each epoch
metrics.jsonl       the same, one JSON object a line
plots/              curves, confusions, mistakes, kernels and feature maps as SVG, when the run has ended
tensorboard/        the same for TensorBoard, where that is installed
checkpoints/        what `--resume` goes on from
model.safetensors   the weights, when the run has ended or was stopped
result.json         the last epoch's numbers, and the test's
"""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cnndsl
from cnndsl.files import KeptLibrary, Library
from cnndsl.runtime.errors import RunError
from cnndsl.runtime.files import write_error, write_file
from cnndsl.source import Source

if TYPE_CHECKING:
    import torch

VERSION = 1
SPEC, USES, RECIPE, SOURCE, METRICS = "spec.cnn", "uses.json", "recipe.json", "model.py", "metrics.csv"
CHECKPOINTS = "checkpoints"
METRICS_JSON, WEIGHTS, RESULT, LAUNCH = "metrics.jsonl", "model.safetensors", "result.json", "launch.json"
_MAX_JSON = 16 * 1024 * 1024


def create(out: Path, name: str) -> Path:
    """A new folder `out/name-1`, `-2`, …: the first that nobody has. Raises WriteError."""
    number = 1
    try:
        out.mkdir(parents=True, exist_ok=True)
        taken = [path.name[len(name) + 1 :] for path in out.glob(f"{name}-*")]
        number = 1 + max((int(n) for n in taken if n.isascii() and n.isdigit() and len(n) < 10), default=0)
        while True:
            run = out / f"{name}-{number}"
            try:
                run.mkdir()
            except FileExistsError:
                number += 1
                continue
            (run / CHECKPOINTS).mkdir()
            return run
    except OSError as error:
        raise write_error(out / f"{name}-{number}", error) from error


def launched_by(out: Path, name: str, agents: Sequence[str | None]) -> Path | None:
    """The newest run in `out` of a network of this name whose processes one of these launchers started."""
    found: list[tuple[float, Path]] = []
    for path in out.glob(f"{name}-*/{LAUNCH}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            if set(json.loads(path.read_text(encoding="utf-8"))["agents"]) & set(filter(None, agents)):
                found.append((path.stat().st_mtime, path.parent))
    return max(found)[1] if found else None


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Raises WriteError."""
    write_file(path, json.dumps(as_json(data), indent=2, ensure_ascii=False) + "\n")


def read_recipe(run: Path) -> dict[str, Any]:
    """What recipe.json holds. Raises RunError."""
    path = run / RECIPE
    try:
        if path.stat().st_size > _MAX_JSON:
            raise RunError(f"{path} is too large to be a run's")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise no_run(run) from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f"can't read {path}: {error}") from None
    except json.JSONDecodeError as error:
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise RunError(f"{path} is not of a run of this version of cnndsl")
    return data


def no_run(folder: Path) -> RunError:
    """Why a folder is no run's, and which may be meant."""
    if not folder.exists():
        return RunError(f"{folder} is no run folder: there is no such folder", "cnndsl runs lists those in runs")
    if not folder.is_dir():
        return RunError(f"{folder} is no run folder, but a file")
    inside = runs_in(folder)
    if inside:
        newest = max(inside, key=_changed)
        count = f"{len(inside):,} runs" if len(inside) > 1 else "a run"
        return RunError(f"{folder} holds {count}, but is none itself", f"pick one, such as the newest: {newest}")
    return RunError(f"{folder} is no run folder: it has no {RECIPE}", "runs that never began start anew")


def runs_in(folder: Path) -> list[Path]:
    """The folders in a folder that are runs', or were to be, in the order of their names and numbers."""
    try:
        found = [path for path in folder.iterdir() if (path / RECIPE).is_file() or (path / CHECKPOINTS).is_dir()]
    except OSError:
        return []
    return sorted(found, key=_named)


def _named(run: Path) -> tuple[str, int, str]:
    """`LeNet5-10` behind `LeNet5-9`."""
    name, _, number = run.name.rpartition("-")
    counted = number.isascii() and number.isdigit() and len(number) < 10
    return (name, int(number), "") if counted else (run.name, 0, "")


def _changed(run: Path) -> float:
    try:
        return (run / RECIPE).stat().st_mtime
    except OSError:
        return 0.0


def read_spec(run: Path) -> str:
    """The spec's text. Raises RunError."""
    try:
        return (run / SPEC).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"can't read {run / SPEC}: {error}") from None


def read_uses(run: Path, main: Source) -> Library | None:
    """The files that the spec used; None if it used none. Raises RunError."""
    path = run / USES
    if not path.exists():
        return None
    try:
        return KeptLibrary(main, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}") from None


def write_metrics(run: Path, history: list[dict[str, float]]) -> None:
    """metrics.csv: the history's keys, then a line for each epoch; metrics.jsonl: the same, an object for each.

    Raises WriteError.
    """
    lines = [",".join(history[0]) if history else "epoch"]
    lines += [",".join(repr(value) for value in row.values()) for row in history]
    write_file(run / METRICS, "\n".join(lines) + "\n")
    write_file(run / METRICS_JSON, "".join(json.dumps(as_json(row)) + "\n" for row in history))


def as_json(data: Any) -> Any:
    """Plain data without the numbers that JSON lacks: NaN and infinity become null."""
    if isinstance(data, dict):
        return {key: as_json(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [as_json(value) for value in data]
    return None if isinstance(data, float) and not isfinite(data) else data


def write_weights(run: Path, module: torch.nn.Module, about: dict[str, str]) -> None:
    """model.safetensors: the state dict, with `about` as its metadata. Raises WriteError.

    The metadata is one entry: several are written in an order that differs from run to run.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_file(run / WEIGHTS, save(tensors, {"cnndsl": json.dumps(about, sort_keys=True)}))


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file of safetensors, by their names. Raises RunError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except FileNotFoundError:
        raise RunError(f"there is no file {path}", "cnndsl runs lists the runs, each with its folder") from None
    except OSError as error:
        raise RunError(f"can't read {path}: {error}") from None
    except (SafetensorError, ValueError, json.JSONDecodeError):
        raise RunError(f"can't read {path}: it is damaged, or no file of safetensors") from None


def environment(device: torch.device) -> dict[str, Any]:
    """What a result may depend on besides the recipe."""
    import torch

    return {
        "cnndsl": cnndsl.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "numpy": version("numpy"),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
    }
