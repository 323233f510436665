"""Processes that train one network together: who they are, what they tell each other, and how they end together.

A process alone is a group of one, `ALONE`, which is asked the same and does nothing for it. What is told goes as JSON
or as tensors: nothing that comes over a network is unpickled here.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist

from cnndsl.runtime.errors import LostError, ToldError, TrainingError

OUTCOME = "CNNDSL_OUTCOME"
"""Names the file in which processes started by `--nproc` leave the exit code that they agree on."""
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What a launcher, such as torchrun, says to each of its processes."""
WAIT = timedelta(minutes=10)
"""So long a process waits for the others within a step; then they are taken for lost."""
READING = timedelta(days=1)
"""So long it waits for another one that reads the data: decoding a large set of images takes a while."""
ASKED = 0.2
"""Seconds, more or less, between two looks at whether any process was asked to stop."""


class Share(NamedTuple):
    """A process' rows of a batch, from `start` to `end` of `whole`; all of it, in a process alone.

    idle: there was none for it; these are another's, to keep step with, and count nothing.
    """

    start: int
    end: int
    whole: int
    idle: bool = False


class Processes(NamedTuple):
    """The group, as one of its processes sees it.

    rank: its number, from 0; size: how many there are; local, locals: the same among those of this machine. agent: what
    started it, in words that fit nothing else; none where nobody would start it again. store: where its processes leave
    words for each other, if there are several.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    locals: int = 1
    agent: str | None = None
    store: Any = None

    @property
    def leads(self) -> bool:
        """Whether it is the one that speaks and writes."""
        return self.rank == 0

    # --- work ---------------------------------------------------------------------------------------------------------

    @property
    def threads(self) -> int | None:
        """How many threads each of the processes of a machine should compute with; None alone, for PyTorch's choice."""
        wanted = os.environ.get("OMP_NUM_THREADS", "1")
        if self.size == 1:
            return None
        if wanted.isdecimal() and int(wanted) > 1:  # torchrun writes 1 where the user says nothing
            return int(wanted)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // self.locals)

    def share(self, rows: int, batch: int) -> Share:
        """Which rows of so many are this process', in batches of `batch`: nearly equal parts, without gaps or
        overlaps. Where that would leave a process a single row of a larger batch, fewer processes take part: batch norm
        can't normalize one."""
        least = 2 if batch >= 2 * self.size else 1
        parts = max(1, min(self.size, rows // least))
        if self.rank >= parts:
            return Share(0, min(rows, least), rows, idle=True)
        each, over = divmod(rows, parts)
        start = self.rank * each + min(self.rank, over)
        return Share(start, start + each + (self.rank < over), rows)

    def command(self, run: Path) -> str:
        """What goes on with a run in as many processes."""
        if OUTCOME in os.environ:
            return f"cnndsl train --resume {run} --nproc {self.size}"
        if self.size == 1:
            return f"cnndsl train --resume {run}"
        where = f"--nproc-per-node {self.size}" if self.size == self.locals else "…"
        return f"torchrun {where} -m cnndsl train --resume {run}"

    # --- words --------------------------------------------------------------------------------------------------------

    def added(self, sums: Tensor) -> Tensor:
        """The sums over all processes: the same bits in each."""
        if self.size > 1:
            sums = sums.clone()
            dist.all_reduce(sums)
        return sums

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """What each has of a tensor that is of the same shape in all, in the order of their ranks."""
        if self.size == 1:
            return [tensor]
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(found, tensor)
        return found

    def exchanged(self, data: Any) -> list[Any]:
        """The plain data of each, in the order of their ranks."""
        if self.size == 1:
            return [data]
        content = json.dumps(data).encode()
        sizes = [int(one) for one in self.gathered(torch.tensor(len(content)))]
        padded = torch.frombuffer(bytearray(content.ljust(max(sizes))), dtype=torch.uint8)
        found = self.gathered(padded)
        return [json.loads(bytes(one[:size].tolist())) for one, size in zip(found, sizes, strict=True)]

    def told(self, data: Any) -> Any:
        """The plain data of the one that leads."""
        return self.exchanged(data if self.leads else None)[0]

    def content(self, content: bytes | None) -> bytes | None:
        """The bytes of the one that leads."""
        if self.size == 1:
            return content
        count = self.told(None if content is None else len(content))
        if count is None:
            return None
        whole = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content is not None else None
        sent = whole if whole is not None else torch.empty(count, dtype=torch.uint8)
        if count:
            dist.broadcast(sent, 0)
        return content if content is not None else sent.numpy().tobytes()

    @torch.no_grad()
    def alike(self, tensors: Sequence[Tensor]) -> None:
        """Make tensors those of the one that leads."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    # --- ends ---------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def together(self) -> Iterator[bool]:
        """What succeeds in all processes or in none: where a TrainingError is raised in one, that one says it and the
        others raise ToldError. Gives whether this is the one that leads."""
        if self.size == 1:
            yield True
            return
        found = None
        try:
            yield self.leads
        except TrainingError as error:
            found = error
        codes = self.exchanged(None if found is None else found.exit_code)
        speaker = next((rank for rank, code in enumerate(codes) if code is not None), None)
        if speaker is None:
            return
        if speaker != self.rank or found is None:
            raise ToldError(codes[speaker])
        if self.rank:
            found.message = f"process {self.rank}: {found.message}"
        found.agreed = True
        raise found

    def known(self, error: TrainingError) -> TrainingError:
        """What to raise for an error that all processes have met at the same place: one of them says it."""
        error.agreed = True
        return error if self.leads else ToldError(error.exit_code)

    @contextlib.contextmanager
    def one_by_one(self, name: str) -> Iterator[None]:
        """The first process of each machine does this before its others, which then find what it left in caches."""
        if self.size == 1:
            yield
            return
        first = f"{name}/{self.rank - self.local}"
        if self.local:
            self.store.wait([first], READING)
        try:
            yield
        finally:
            if not self.local:
                self.store.set(first, "done")

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turns what PyTorch raises where another process is gone into LostError."""
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not _is_loss(error):
                raise
        else:
            return
        if self.leads:
            raise LostError
        silent = ToldError(LostError.exit_code)
        silent.agreed = False
        raise silent


ALONE = Processes()


def _is_loss(error: RuntimeError) -> bool:
    """Whether an error is of what lies between processes."""
    said = str(error).lower()
    return isinstance(error, dist.DistError) or any(word in said for word in ("gloo", "nccl", "connection", "socket"))


# --- coming together -------------------------------------------------------------------------------------------------


def launched() -> bool:
    """Whether this process is one of several, or of those that a launcher would start again."""
    return all(os.environ.get(name) for name in VARIABLES)


@contextlib.contextmanager
def joined(device: str) -> Iterator[Processes]:
    """The group that this process was started in: by torchrun, by `--nproc`, or alone. Raises TrainingError."""
    if not launched():
        yield ALONE
        return
    processes = _of_environment()
    if processes.size > 1:
        try:
            processes = _meet(processes, device)
        except TrainingError as error:
            raise error if not processes.local else ToldError(error.exit_code) from None
    try:
        yield processes
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _of_environment() -> Processes:
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local, there = int(os.environ.get("LOCAL_RANK", rank)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
    except ValueError as error:
        raise TrainingError(f"what the launcher says of the processes can't be read: {error}") from None
    return Processes(rank, size, local, there, _agent())


def _agent() -> str | None:
    """Which launcher started this process: the same when it is started again, and no other."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    parent = os.getppid()
    began = ""
    with contextlib.suppress(OSError, IndexError):
        # Field 22 of proc_pid_stat(5), counted behind the name, which may hold blanks.
        began = Path(f"/proc/{parent}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    return f"{socket.gethostname()} {parent} {began} {os.environ['TORCHELASTIC_RUN_ID']}"


def _meet(processes: Processes, device: str) -> Processes:
    """Make the group of PyTorch's. Raises TrainingError."""
    from torch._C._distributed_c10d import PrefixStore, TCPStore  # not in every build of PyTorch

    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu and processes.locals > torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise TrainingError(
            f"{processes.locals} processes on this machine need as many GPUs, and there are {there}",
            "start as many as there are GPUs, or train with --device cpu",
        )
    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # A launcher's store lives as long as the launcher: what an earlier group left there must not be read again.
    agents = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    again = f"cnndsl/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{processes.size}"
    try:
        found = TCPStore(*place, is_master=not agents and processes.leads, timeout=WAIT, multi_tenant=True)
        store = PrefixStore(again, found)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=store,
            rank=processes.rank,
            world_size=processes.size,
            timeout=WAIT,
        )
        processes.exchanged(None)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the processes did not find each other at {place[0]}:{place[1]}: {str(error).splitlines()[0]}",
            "see whether all machines reach that address; GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME name the network",
        ) from None
    return processes._replace(store=store)


class Agreement:
    """Whether to stop, asked after each step: the same answer in all processes, at the same step.

    They ask each other every so many steps, as many as take about `ASKED` seconds in the slowest of them.
    """

    def __init__(self, asked: Callable[[], bool], processes: Processes) -> None:
        self.asked = asked
        self.processes = processes
        self._every = 1
        self._left = 1
        self._since = time.monotonic()

    def __call__(self) -> bool:
        self._left -= 1
        if self._left:
            return False
        mine = torch.tensor([float(self.asked()), time.monotonic() - self._since])
        stop, seconds = torch.stack(self.processes.gathered(mine)).amax(0).tolist()
        self._every = max(1, min(2 * self._every, int(self._every * ASKED / max(seconds, 1e-6))))
        self._left, self._since = self._every, time.monotonic()
        return bool(stop)
