"""How much memory training needs, by the network's analysis, and how much there is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from cnndsl.graph import Graph
from cnndsl.measure.analyse import analyse
from cnndsl.numbers import bytes_text
from cnndsl.recipe import Recipe
from cnndsl.recipe.pair import Pair
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.processes import ALONE, Processes

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Where Linux says how much memory a container may have, and has."""


def needed(graph: Graph | Pair, recipe: Recipe, batch: int, processes: Processes = ALONE) -> int:
    """The bytes that a step on `batch` examples needs: weights, gradients, optimizer, saved activations, and the mean
    of the weights. Data and PyTorch itself come on top.

    Of several processes each needs so many, for its share of the examples, and for the gradients that it sends.
    """
    total = 0
    share = -(-batch // processes.size)
    for one in graph.graphs if isinstance(graph, Pair) else (graph,):
        chosen = recipe.of("optimizer", one.name) or recipe.optimizer
        memory = analyse(one, share, chosen.states).memory
        assert memory is not None
        copies = bool(recipe.averages) + (processes.size > 1)
        total += memory.training + copies * memory.weights
    return total


def free(device: torch.device, processes: Processes = ALONE) -> int | None:
    """The bytes that this process can still have, if the others of this machine take as many; None where nobody
    says."""
    if device.type == "cuda":
        there, _ = torch.cuda.mem_get_info(device)
        return int(there + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    common = [amount // processes.locals for amount in (_of_system(), *_of_containers()) if amount is not None]
    own = _of_limits()
    found = [*common, *([] if own is None else [own])]
    return max(0, min(found)) if found else None


def _of_system() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def _of_containers() -> Iterator[int]:
    for limit, used in _CGROUPS:
        with suppress(OSError, ValueError):
            yield int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii"))


def _of_limits() -> int | None:
    """What is left of the address space, where that is bounded."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return limit - pages * resource.getpagesize()
    return None


def fitting(graph: Graph | Pair, recipe: Recipe, room: int, processes: Processes = ALONE) -> int | None:
    """The largest batch below the recipe's, halved again and again, that needs no more than `room` bytes; of several
    processes, in each."""
    batch = recipe.batch // 2
    while batch and needed(graph, recipe, batch, processes) > room:
        batch //= 2
    return batch or None


def shortage(graph: Graph | Pair, recipe: Recipe, device: torch.device, processes: Processes = ALONE) -> TrainingError:
    """That the memory did not do, and what would."""
    room = free(device, processes)
    need = needed(graph, recipe, recipe.batch, processes)
    each = _each(processes)
    said = f"there is not enough memory for batches of {recipe.batch}: a step needs about {bytes_text(need)}{each}"
    if room is not None:
        said += f", and {bytes_text(room)} are free{each and ' for each'}"
    batch = fitting(graph, recipe, min(room, need - 1) if room is not None else need - 1, processes)
    if batch is None:
        return TrainingError(said, "make the network or its input smaller, or train on a machine with more memory")
    factor = -(-recipe.batch // batch) * recipe.accumulate
    advice = f"`batch {batch}` needs about {bytes_text(needed(graph, recipe, batch, processes))}"
    return TrainingError(said, f"{advice}; with `accumulate {factor}` a step still sees as many examples")


def warning(graph: Graph | Pair, recipe: Recipe, device: torch.device, processes: Processes = ALONE) -> str | None:
    """A sentence where a step is sure to need more memory than there is; None where it may do."""
    room = free(device, processes)
    need = needed(graph, recipe, recipe.batch, processes)
    if room is None or need <= room:
        return None
    batch = fitting(graph, recipe, room, processes)
    fits = f"; `batch {batch}` would fit" if batch is not None else ""
    each = _each(processes)
    there = f"{bytes_text(room)} are free{each and ' for each'}"
    return f"a step needs about {bytes_text(need)} of memory{each}, but {there}{fits}"


def _each(processes: Processes) -> str:
    """Where there are several processes, that a number is one's."""
    return f" in each of {processes.size} processes" if processes.size > 1 else ""


@contextmanager
def watched(graph: Graph | Pair, recipe: Recipe, device: torch.device, processes: Processes = ALONE) -> Iterator[None]:
    """Turns what PyTorch raises, "out of memory" in its several ways above all, into one sentence."""
    try:
        yield
    except ValueError as error:  # such as a batch norm that is given a single value
        raise TrainingError(f"PyTorch can't train this: {str(error).splitlines()[0]}") from error
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            advice = "train without --deterministic" if "deterministic" in str(error) else None
            raise TrainingError(f"PyTorch can't train this: {str(error).splitlines()[0]}", advice) from error
        short = shortage(graph, recipe, device, processes)
    else:
        return
    # Raised out here, so that the traceback no longer holds the tensors that filled the memory.
    raise short
