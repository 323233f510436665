"""A page on loopback that is told of changes: what `cnndsl draw --watch` serves.

There are two routes, `/` for the page and `/events` for what changes in it (server-sent events). Nobody but this
machine is answered, and of the pages in its browser only this one: the server listens on 127.0.0.1 alone, and a
request whose Host or Origin is another is refused, so that no other site can read a spec through a name that leads
here (DNS rebinding).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from select import select
from threading import BoundedSemaphore, Condition, Thread
from typing import Any

from cnndsl.record import Record

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 32
PATIENCE = 10.0
"""Seconds that a client may take to send a request, or to take what it is sent."""
HEARTBEAT = 10
"""Seconds after which a silent stream says something, so that clients that are cut off are noticed."""
_REFUSED = (
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\ntoo many connections\n"
)


class Shown(Record):
    """What is served: its version, a function that makes the whole page, and the same as an event's data."""

    version: str
    page: Callable[[], str]
    event: str


class Site:
    """What is shown now; whoever waits for something newer is woken."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.shown: Shown | None = None
        self.closed = False
        self._begun = time.time_ns()
        self._count = 0

    def show(self, page: Callable[[str], str], event: str) -> None:
        """Show something else. page: makes the whole page, given its version; event: JSON without line ends."""
        with self.changed:
            self._count += 1
            # Clients that were connected to an earlier run of the program have its versions.
            version = f"{self._begun:x}-{self._count}"
            self.shown = Shown(version, lambda: page(version), event)
            self.changed.notify_all()

    def newer(self, version: str | None, seconds: float) -> Shown | None:
        """What is shown, as soon as it is not of that version; None if nothing comes in time, or nothing more will."""
        with self.changed:
            self.changed.wait_for(lambda: self.closed or self._is_other(version), seconds)
            return self.shown if not self.closed and self._is_other(version) else None

    def _is_other(self, version: str | None) -> bool:
        return self.shown is not None and self.shown.version != version

    def close(self) -> None:
        """End all streams."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


class Server(ThreadingHTTPServer):
    """Serves a site, to so many clients at once. Raises OSError if the port is taken; 0 takes a free one."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.free = BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((LOOPBACK, port), _Handler)
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}
        if self.server_port == 80:
            self.hosts |= {LOOPBACK, "localhost"}

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/"

    def server_bind(self) -> None:
        """As the base class, without asking for the machine's name, which may ask the network."""
        if os.name == "posix":  # elsewhere it would let two programs have one port
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def start(self) -> None:
        """Serve in a thread, until `stop`."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        """Take no more requests, and end the streams."""
        self.site.close()
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        request.settimeout(0.2)
        with suppress(OSError):  # it does not matter whether it hears why
            request.sendall(_REFUSED)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go away at any time."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = PATIENCE
    server_version = "cnndsl"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self._is_ours():
            self.send_error(403, "this page is for this machine's own browser")
        elif self.path == "/":
            self._page()
        elif self.path == "/events" and self.command == "GET":
            self._events()
        else:
            self.send_error(404, "nothing here")

    def _is_ours(self) -> bool:
        hosts = self.headers.get_all("Host", [])
        origins = self.headers.get_all("Origin", [])
        return len(hosts) == 1 and hosts[0].lower() in self.server.hosts and all(map(self._is_own, origins))

    def _is_own(self, origin: str) -> bool:
        return origin.lower().removeprefix("http://") in self.server.hosts and origin.lower().startswith("http://")

    def _page(self) -> None:
        shown = self.server.site.newer(None, PATIENCE)
        if shown is None:
            self.send_error(503, "nothing is drawn yet")
            return
        content = shown.page().encode("utf-8", "backslashreplace")
        self._begin("text/html; charset=utf-8", len(content))
        if self.command == "GET":
            self.wfile.write(content)

    def _events(self) -> None:
        """All versions from the newest on, each when it comes, but the one that the client has."""
        version = self.headers.get("Last-Event-ID")
        self._begin("text/event-stream; charset=utf-8")
        self.wfile.write(b"retry: 500\n\n")
        silent = 0
        while not self.server.site.closed and not self._is_gone():
            shown = self.server.site.newer(version, 1.0)
            silent = 0 if shown else silent + 1
            if shown is not None:
                version = shown.version
                text = f"id: {version}\nevent: model\ndata: {shown.event}\n\n"
                self.wfile.write(text.encode("utf-8", "backslashreplace"))
            elif silent % HEARTBEAT == 0:
                self.wfile.write(b":\n\n")

    def _is_gone(self) -> bool:
        """Whether the client has closed the connection; a client of a stream has nothing more to say."""
        readable, _, _ = select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _begin(self, kind: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in (
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "frame-ancestors 'none'"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal shows what is wrong with the spec, not who asks for it."""
