"""`--nproc`: the processes of a group started on this machine, by the launcher that torchrun uses.

They meet at 127.0.0.1 and nowhere else; torchrun's own rendezvous would listen on every network of the machine.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from torch._C._distributed_c10d import PrefixStore, TCPStore
from torch.distributed.elastic.agent.server.api import WorkerSpec
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousInfo, RendezvousStoreInfo

from cnndsl.runtime.errors import TrainingError
from cnndsl.runtime.processes import OUTCOME

INTERRUPTED = 130
_HOST = "127.0.0.1"
_TIMEOUT = timedelta(minutes=10)


class Loopback(RendezvousHandler):
    """One machine's processes meet at a port of its own that nobody else reaches; at a new one after each restart."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex
        self._store: TCPStore | None = None

    def next_rendezvous(self) -> RendezvousInfo:
        with socket.socket() as listening:
            listening.bind((_HOST, 0))
            listening.listen()
            port = listening.getsockname()[1]
            self._store = TCPStore(
                _HOST,
                port,
                is_master=True,
                wait_for_workers=False,
                timeout=_TIMEOUT,
                master_listen_fd=listening.detach(),
            )
        return RendezvousInfo(PrefixStore("agent", self._store), 0, 1, RendezvousStoreInfo(_HOST, port))

    def get_backend(self) -> str:
        return "loopback"

    @property
    def use_agent_store(self) -> bool:
        return True

    def get_run_id(self) -> str:
        return self.name

    def is_closed(self) -> bool:
        return False

    def set_closed(self) -> None:
        pass

    def num_nodes_waiting(self) -> int:
        return 0

    def shutdown(self) -> bool:
        return True


def launch(arguments: Sequence[str], count: int, restarts: int) -> int:
    """Run `cnndsl` with these arguments in so many processes, all of them again at most `restarts` times after one of
    them was killed or crashed; the exit code. Raises TrainingError where that did not help."""
    # What the launcher would say is said below, in one sentence.
    logging.disable(logging.CRITICAL)
    for name, text in _environment().items():
        os.environ.setdefault(name, text)
    with tempfile.TemporaryDirectory(prefix="cnndsl-") as folder:
        outcome = Path(folder) / "outcome"
        os.environ[OUTCOME] = str(outcome)
        spec = WorkerSpec(
            role="train",
            local_world_size=count,
            entrypoint=sys.executable,
            args=(*_python(), *arguments),
            rdzv_handler=Loopback(),
            max_restarts=restarts,
            monitor_interval=0.1,
        )
        try:
            result = LocalElasticAgent(spec, DefaultLogsSpecs()).run()
        except SignalException as stopped:
            # Stopped by a signal they have ended as they do alone, and said so.
            return INTERRUPTED if stopped.sigval in (signal.SIGINT, signal.SIGTERM) else 128 + stopped.sigval
        with suppress(OSError, ValueError):
            return int(outcome.read_text(encoding="ascii"))
    first = min(result.failures.values(), key=lambda failure: failure.timestamp, default=None)
    if first is None:
        return 0
    raise TrainingError(
        f"process {first.local_rank} {_ended(first.exitcode)}{_after(restarts)}",
        None if restarts else "--max-restarts N starts all again, which go on from the last checkpoint",
    )


def _python() -> tuple[str, ...]:
    """How this interpreter runs cnndsl: from the folder where it is only if that is how it runs here."""
    module = Path(sys.argv[0]).name == "__main__.py"
    return ("-m", "cnndsl") if module and not sys.flags.safe_path else ("-P", "-m", "cnndsl")


def _environment() -> dict[str, str]:
    """What the processes should find in their environment unless it says otherwise."""
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    names = {} if loopback is None else {"GLOO_SOCKET_IFNAME": loopback}
    return {"OMP_NUM_THREADS": "1", **names}


def _ended(code: int) -> str:
    if code >= 0:
        return f"failed with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _after(restarts: int) -> str:
    return f", also after {restarts} {'restart' if restarts == 1 else 'restarts'}" if restarts else ""
