"""A run made ready: the network, its data, the learner and the loop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.pair import Pair
from cnndsl.runtime import shared
from cnndsl.runtime.allocation import keep_freed_memory
from cnndsl.runtime.data import Examples
from cnndsl.runtime.data.feed import feed_for
from cnndsl.runtime.data.prepare import Prepared, prepare
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import beside_spec, wanted_for, wanted_for_pair
from cnndsl.runtime.depth import Depth
from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.faster import compiled, probe
from cnndsl.runtime.freezing import Freezing
from cnndsl.runtime.learners import Descent
from cnndsl.runtime.loop import Loop, own_seed
from cnndsl.runtime.memory import free
from cnndsl.runtime.module import build_module
from cnndsl.runtime.objective import Objective
from cnndsl.runtime.optimizing import penalties, rates
from cnndsl.runtime.processes import ALONE, Processes
from cnndsl.runtime.recorded import Recorded, recordable
from cnndsl.runtime.starting import start_from
from cnndsl.runtime.whitening import whiten


class Options(NamedTuple):
    """What belongs to a run but not to the recipe.

    data_root: folder of the data sets; beside: that of the spec, where data are looked for last, if it is not the one
    that the spec's name says, as in a run's folder; out: where run folders are made; device: `cpu`, `cuda` or `auto`;
    limit: at most so many examples of each part; dry_run: say what would be done, and do nothing;
    stream: where progress is written (standard output), color: `auto`, `always` or `never`; settings: the
    parameters set from outside, as written, that `resume` sets again; uses: the files that the spec used, as
    `cnndsl.files.kept_files` gives them; keep: how many checkpoints are kept; deterministic: only algorithms that give
    the same bits each time; compiled: whether `torch.compile` is to make the network faster; sync_bn: whether batch
    norms see the batches of all processes; processes: those that train together, as this one sees them; given: arrays
    that a Python program hands over, inputs and targets by parts (cnndsl.runtime.data.wanted); init_from: a run's
    folder or a file of safetensors whose weights it starts with, as far as they fit.
    """

    data_root: str | None = None
    beside: str | None = None
    out: str = "runs"
    device: str = "auto"
    limit: int | None = None
    quiet: bool = False
    dry_run: bool = False
    stream: Any = None
    color: str = "auto"
    settings: tuple[tuple[str, str], ...] = ()
    uses: dict[str, Any] | None = None
    keep: int = 2
    deterministic: bool = False
    compiled: bool = False
    sync_bn: bool = False
    processes: Processes = ALONE
    given: dict[str, Any] | None = None
    init_from: str | None = None

    def kept(self, graph: Graph | Pair) -> dict[str, Any]:
        """What a run on a network that goes on needs of them, as plain data."""
        root = None if self.data_root is None else os.path.abspath(self.data_root)
        begun = None if self.init_from is None else os.path.abspath(self.init_from)
        beside = self.beside or beside_spec(graph)
        places = {"data_root": root, "beside": None if beside is None else os.path.abspath(beside), "init_from": begun}
        return {**{name: getattr(self, name) for name in _KEPT}, **places}

    def again(self, kept: Any) -> Options:
        """These options with what a run was begun with, as `kept` gave it; values that can't be are left out."""
        given = kept if isinstance(kept, dict) else {}
        whole = {n: given[n] for n in ("limit", "keep") if type(given.get(n)) is int and given[n] > 0}
        switches = {n: given[n] for n in ("deterministic", "compiled", "sync_bn") if type(given.get(n)) is bool}
        begun = given.get("init_from")
        made = self._replace(**whole, **switches, init_from=begun if isinstance(begun, str) else None)
        return made.found(given)

    def found(self, kept: Any) -> Options:
        """These options with the places where a run had its data, as far as they are there, unless others are named."""
        given = kept if isinstance(kept, dict) else {}
        there = {
            name: given[name]
            for name in ("data_root", "beside")
            if isinstance(given.get(name), str) and os.path.isdir(given[name]) and getattr(self, name) is None
        }
        return self._replace(**there)


HELD = 0.5
"""The share of a GPU's free memory that one part of the examples may fill."""
_KEPT = ("limit", "keep", "deterministic", "compiled", "sync_bn")
DEFAULTS = Options()


class Job(NamedTuple):
    """A run that is ready to go.

    show: called with the run's folder after each epoch and its number, to leave pictures there.
    """

    graph: Graph | Pair
    recipe: Recipe
    options: Options
    prepared: Prepared
    loop: Loop
    show: Callable[[Path, int], None] | None = None


def device_of(wanted: str, processes: Processes = ALONE) -> torch.device:
    """The device of that name; `auto` is the GPU if there is one, of several processes each one's own. Raises
    TrainingError."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError("PyTorch finds no CUDA device here", "train with --device cpu")
    if wanted == "cuda" and processes.size > 1:
        torch.cuda.set_device(processes.local)
        return torch.device("cuda", processes.local)
    return torch.device(wanted)


@contextlib.contextmanager
def seeded(
    seed: int, device: torch.device, threads: int | None = None, *, deterministic: bool = False
) -> Iterator[torch.device]:
    """Seeded random numbers, and the same kernels at each run where that is asked for; everything as before at the end.

    A CPU's kernels give the same bits each time anyhow.
    """
    before = torch.get_num_threads()
    cudnn = torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic
    enabled = torch.are_deterministic_algorithms_enabled()
    # Sums depend on how many threads share them, so that a resumed run uses as many as it began with.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            if threads is not None and 0 < threads <= (os.cpu_count() or 1):
                torch.set_num_threads(threads)
            cudnn.benchmark, cudnn.deterministic = not deterministic, deterministic
            if deterministic and device.type == "cuda":
                # cuBLAS gives the same bits only with workspaces of its own, which it asks the environment about.
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            if deterministic != enabled:  # the call itself imports half of PyTorch's compiler: 70 MB
                torch.use_deterministic_algorithms(deterministic)
            torch.manual_seed(seed)
            yield device
        finally:
            if deterministic != enabled:
                torch.use_deterministic_algorithms(enabled)
            torch.set_num_threads(before)
            cudnn.benchmark, cudnn.deterministic = flags


def make(graph: Graph | Pair, recipe: Recipe, options: Options, device: torch.device) -> Job:
    """The network, its data and the loop. The seed must be set: it gives the weights."""
    processes = options.processes
    if isinstance(graph, Pair):
        if processes.size > 1:
            error = TrainingError(
                "two networks that train each other need one process", "leave --nproc or torchrun away"
            )
            raise processes.known(error)
        return _make_pair(graph, recipe, options, device)
    if options.compiled:
        with processes.together():
            probe(device)
    with processes.together(), processes.one_by_one("data"):
        module = build_module(graph)
        wanted = wanted_for(graph, recipe, options.data_root, options.beside)._replace(given=options.given)
        prepared = prepare(read(recipe.data, wanted), recipe, wanted.input, options.limit, wanted.task)
        if options.sync_bn:
            module = shared.synchronized(module, device)
    with processes.together():
        shared.compare(graph, recipe, prepared.split, processes)
    memory_format = memory_format_of(module, wanted.input)
    module = module.to(device).to(memory_format=memory_format)  # type: ignore[call-overload]
    split = prepared.split.each(lambda part: held(part, device))
    feed = feed_for(prepared.prepare, recipe, wanted, device, memory_format)
    whitened = whiten(module, graph, split.train, feed)
    begun = start_from(module, options.init_from) if options.init_from is not None else []
    processes.alike((*module.parameters(), *module.buffers()))
    said = (*prepared.said, *(f"{name} starts by whitening patches of the training images" for name in whitened))
    said += (*begun, *shared.said(graph, recipe, processes, sync_bn=options.sync_bn))
    depth = Depth(module, graph, recipe.droppath) if recipe.droppath.last is not None else None
    freezing = Freezing(module, graph, recipe.freeze) if recipe.freeze.layers else None
    objective = Objective(recipe, graph)
    bf16 = computes_bf16(recipe.precision, device)
    given = (module, recipe, objective, penalties(graph, module), device)
    further: dict[str, Any] = {
        "bf16": bf16,
        "depth": depth,
        "freezing": freezing,
        "rates": rates(module, graph, recipe),
    }
    if processes.size == 1:
        recorded = device.type == "cuda" and recordable(graph, recipe)
        learner = (Recorded if recorded else Descent)(*given, **further)
    else:
        learner = shared.Shared(*given, **further, processes=processes, unused=shared.unused(graph, recipe))
    if options.compiled:
        learner.forward = compiled(learner.forward)
    if device.type == "cpu":
        keep_freed_memory()
    if processes.rank:
        torch.manual_seed(own_seed(recipe.seed, processes.rank))
    loop = Loop(learner, recipe, split, feed, device, processes)
    return Job(graph, recipe, options, prepared._replace(said=said), loop)


def held(examples: Examples, device: torch.device) -> Examples:
    """The examples on the device, if they leave it room; else where they are, to be brought there batch by batch."""
    room = free(device) if device.type == "cuda" else None
    return examples if room is not None and examples.bytes > room * HELD else examples.to(device)


def memory_format_of(module: nn.Module, input: tuple[int, ...]) -> torch.memory_format:
    """How a network's weights and inputs lie in memory. Kernels of 2-D convolutions are faster where channels stand
    last, on CPUs and GPUs alike."""
    ranks = {p.dim() for p in module.parameters()}
    flat = 4 in ranks and 5 not in ranks and len(input) == 3
    return torch.channels_last if flat else torch.contiguous_format


def _make_pair(pair: Pair, recipe: Recipe, options: Options, device: torch.device) -> Job:
    """Two networks that train each other, their data and the loop."""
    from cnndsl.runtime.adversaries import Adversaries, save_samples

    wanted = wanted_for_pair(pair, recipe, options.data_root, options.beside)._replace(given=options.given)
    learner = Adversaries(pair, recipe, device, bf16=computes_bf16(recipe.precision, device))
    prepared = prepare(read(recipe.data, wanted), recipe, wanted.input, options.limit, wanted.task)
    if options.init_from is not None:
        prepared = prepared._replace(said=(*prepared.said, *learner.start(options.init_from)))
    if options.compiled:
        prepared = prepared._replace(said=(*prepared.said, "torch.compile is for one network: these two do without"))
    split = prepared.split.each(lambda part: held(part, device))
    feed = feed_for(prepared.prepare, recipe, wanted, device, torch.contiguous_format)

    def show(run: Path, epoch: int) -> None:
        save_samples(run, epoch, learner.samples(), prepared.prepare)

    return Job(pair, recipe, options, prepared, Loop(learner, recipe, split, feed, device), show)


def computes_bf16(precision: str, device: torch.device) -> bool:
    """Whether layers are to compute with 16 bits: `auto` only where the device has instructions for them.

    What the processor says decides, not the clock: so the same machine always computes the same.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
