"""`cnndsl draw --watch`, as a process of its own: what it answers to whom, how it redraws, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

from cnndsl.cli.serve import MOST_CONNECTIONS
from tests.browser import Page, chromium, needs_chromium, opened

__all__ = ["chromium", "opened"]  # fixtures

ROOT = Path(__file__).parents[1]
PATIENCE = 30
"""Seconds after which what was waited for is taken not to come: no measure of speed."""
GOOD = "network N\ninput 8x8x1\nconv 3x3x4 as first, relu\npool 2\ndense 10\n"
TWO = GOOD + "\nnetwork M\ninput 8x8x1\ndense 3\n"


class Serving:
    """The program, its output read as it comes."""

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "cnndsl", "draw", "n.cnn", "--watch", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, text: str) -> str:
        """All that is printed, up to a line with this text."""
        seen: list[str] = []
        while not seen or text not in seen[-1]:
            try:
                seen.append(self.lines.get(timeout=PATIENCE))
            except Empty:
                pytest.fail(f"no {text!r} after {''.join(seen)}")
        return "".join(seen)

    @property
    def port(self) -> int:
        """The port that it tells."""
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", self.until("http://"))
        assert found is not None
        return int(found[1])

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


Start = Callable[..., Serving]
Open = Callable[..., Page]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Start]:
    started: list[Serving] = []

    def start(*words: str, text: str | None = GOOD, **environment: str) -> Serving:
        if text is not None:
            (tmp_path / "n.cnn").write_text(text)
        started.append(Serving(tmp_path, *words, **environment))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def save(path: Path, text: str) -> None:
    """Save as most editors do: another file, renamed over the old one."""
    other = path.with_suffix(".tmp")
    other.write_text(text)
    other.replace(path)


# --- over the wire --------------------------------------------------------------------------------------------------


def ask(port: int, request: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer to a raw request; the connection is closed by the other side."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode("latin-1"))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.decode("utf-8", "replace").partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def get(
    port: int, path: str = "/", host: str | None = None, more: str = "", method: str = "GET"
) -> tuple[int, Any, str]:
    named = f"127.0.0.1:{port}" if host is None else host
    return ask(port, f"{method} {path} HTTP/1.1\nHost: {named}\n{more}\n")


class Stream:
    """The stream of events, read by hand."""

    def __init__(self, port: int, more: str = "") -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.connection.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}\r\n".encode())
        self.file = self.connection.makefile("r", encoding="utf-8")
        while (self.file.readline()).strip():
            pass  # the headers

    def event(self) -> tuple[str, dict[str, Any]]:
        """The next event's id and data."""
        fields: dict[str, str] = {}
        while True:
            line = self.file.readline()
            assert line, "the stream has ended"
            if line.strip() and ": " in line:
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
            elif not line.strip() and "data" in fields:
                assert fields["event"] == "model"
                return fields["id"], json.loads(fields["data"])

    def rest(self) -> str:
        return self.file.read()

    def close(self) -> None:
        self.file.close()
        self.connection.close()


def test_the_page_is_served(serving: Start) -> None:
    one = serving("--port", "0")
    status, headers, body = get(one.port)
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert "connect-src 'self'" in body
    assert '"conv 3x3x4"' in body
    assert one.end() == 0


def test_only_this_machines_own_page_is_answered(serving: Start) -> None:
    port = serving("--port", "0").port
    own = f"http://127.0.0.1:{port}"
    assert get(port, host=f"localhost:{port}")[0] == 200
    assert get(port, host=f"LOCALHOST:{port}", more=f"Origin: {own}\n")[0] == 200
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        "localhost:1",
        f"127.0.0.1:{port}.evil.example",
        "",
    ):
        assert get(port, host=host)[0] == 403, host
        assert get(port, "/events", host=host)[0] == 403, host
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", f"{own}.evil.example", "file://"):
        assert get(port, more=f"Origin: {origin}\n")[0] == 403, origin
        assert get(port, "/events", more=f"Origin: {origin}\n")[0] == 403, origin
    assert ask(port, "GET / HTTP/1.1\n\n")[0] == 403
    assert ask(port, f"GET / HTTP/1.1\nHost: 127.0.0.1:{port}\nHost: evil.example\n\n")[0] == 403
    assert get(port, more=f"Origin: {own}\nOrigin: http://evil.example\n")[0] == 403


def test_there_is_nothing_else(serving: Start) -> None:
    port = serving("--port", "0").port
    for path in ("/n.cnn", "/../n.cnn", "/events/", "/?x", "/favicon.ico", "/%2e%2e/n.cnn", "*"):
        status, _, body = get(port, path)
        assert status == 404, path
        assert "network" not in body
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert get(port, method=method)[0] == 501
    assert get(port, method="HEAD")[2] == ""
    assert ask(port, f"GET / HTTP/1.1\nHost: 127.0.0.1:{port}\nX: {'y' * 70_000}\n\n")[0] == 431


def test_only_loopback_listens(serving: Start) -> None:
    port = serving("--port", "0").port
    listening = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) == port
    ]
    assert [address.split(":")[0] for address in listening] == ["0100007F"]


def test_events_tell_of_each_save(serving: Start, tmp_path: Path) -> None:
    port = serving("--port", "0").port
    stream = Stream(port)
    first, model = stream.event()
    assert model["title"] == "N"
    save(tmp_path / "n.cnn", GOOD.replace("dense 10", "dense 20"))
    second, model = stream.event()
    assert second != first
    assert [piece["title"] for piece in model["network"]["inside"]["pieces"]][-1] == "dense 20"
    stream.close()
    again = Stream(port, f"Last-Event-ID: {second}\r\n")
    save(tmp_path / "n.cnn", GOOD.replace("dense 10", "dense 30"))
    third, model = again.event()  # not the second once more
    assert third not in (first, second)
    assert model["network"]["inside"]["pieces"][-1]["title"] == "dense 30"
    again.close()
    other = Stream(port, "Last-Event-ID: of-an-earlier-run\r\n")
    assert other.event()[0] == third
    other.close()


def test_a_line_that_can_not_be_read_keeps_the_last_picture(serving: Start, tmp_path: Path) -> None:
    stream = Stream(serving("--port", "0").port)
    stream.event()
    save(tmp_path / "n.cnn", GOOD.replace("pool 2", "pool ("))
    _, model = stream.event()
    assert model["stale"]
    assert [piece["title"] for piece in model["network"]["inside"]["pieces"]][-2] == "pool 2"
    assert "pool (" in model["files"][0]["text"]
    assert model["notes"][0]["severity"] == "error"
    save(tmp_path / "n.cnn", GOOD.replace("pool 2", "polo 2"))
    _, model = stream.event()
    assert "stale" not in model
    assert [piece.get("fault", "")[:4] for piece in model["network"]["inside"]["pieces"]] == ["", "", "E201", ""]
    while "did you mean" not in model["notes"][0]["text"]:
        _, model = stream.event()  # fixes come later
    (tmp_path / "n.cnn").unlink()
    _, model = stream.event()
    assert model["stale"]
    assert "there is no file n.cnn" in model["notes"][0]["message"]
    stream.close()


def test_connections_are_bounded(serving: Start) -> None:
    one = serving("--port", "0")
    port = one.port
    streams = [Stream(port) for _ in range(MOST_CONNECTIONS)]
    for stream in streams:
        stream.event()
    assert get(port)[0] == 503
    for stream in streams:
        stream.close()
    deadline = time.monotonic() + PATIENCE
    while get(port)[0] != 200:  # a stream notices that its reader is gone when it next says something
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(number: int, serving: Start) -> None:
    one = serving("--port", "0")
    stream = Stream(one.port)
    stream.event()
    assert one.end(number) == 0
    assert stream.rest() == ""
    stream.close()
    left: list[str] = []
    while not one.lines.empty():
        left.append(one.lines.get())
    assert "".join(left).strip() == ""


def test_the_exit_code_is_that_of_the_last_drawing(serving: Start) -> None:
    one = serving("--port", "0", text=GOOD.replace("conv", "cnov"))
    one.until("1 error in n.cnn")
    assert one.end() == 1


def test_a_port_in_use(serving: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one = serving("--port", str(port))
        assert f"Port {port} is in use: name another, or leave --port out." in one.until("Port")
        assert one.process.wait(PATIENCE) == 2


def test_two_at_once_have_ports_of_their_own(serving: Start) -> None:
    first, second = serving(), serving()
    assert first.port != second.port


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "x.html"), "leave out -o"),
        (("--format", "svg"), "leave out -o and --format"),
        (("m.cnn",), "--watch needs one file"),
        (("--port", "70000"), "70000 is not in the range"),
        (("--unfold", "nothing"), "has no layer or block 'nothing'"),
    ],
)
def test_options_that_do_not_fit(words: tuple[str, ...], said: str, serving: Start) -> None:
    one = serving(*words)
    one.until(said)
    assert one.process.wait(PATIENCE) == 2


def test_one_of_several_networks_has_to_be_chosen(serving: Start) -> None:
    one = serving(text=TWO)
    assert "There are 2 networks (N, M): draw one, as in n.cnn:N." in one.until("There are")
    assert one.process.wait(PATIENCE) == 2


def test_a_file_may_come_later(serving: Start, tmp_path: Path) -> None:
    one = serving("--port", "0", text=None)
    port = one.port
    assert "there is no file n.cnn" in one.until("no file")
    stream = Stream(port)
    _, model = stream.event()
    assert model["network"] is None
    save(tmp_path / "n.cnn", GOOD)
    while model["network"] is None:
        _, model = stream.event()
    stream.close()
    assert one.end() == 0


def test_the_browser_is_opened(serving: Start, tmp_path: Path) -> None:
    opener = tmp_path / "open.sh"
    opener.write_text('#!/bin/sh\necho "opened $1"\n')
    opener.chmod(0o755)
    one = serving("--port", "0", "--open", BROWSER=f"{opener} %s")
    assert "opened http://127.0.0.1:" in one.until("opened")


# --- in a browser ---------------------------------------------------------------------------------------------------


def version(page: Page) -> str:
    found: str = page.evaluate("document.documentElement.dataset.live")
    return found


def saved(page: Page, path: Path, text: str) -> float:
    """Save, and wait until it is drawn. Returns after how many milliseconds it was."""
    page.evaluate(
        "() => { window.drawn = null; new MutationObserver((_, me) => { me.disconnect(); requestAnimationFrame(() => "
        "{ window.drawn = performance.timeOrigin + performance.now(); }); })"
        ".observe(document.documentElement, {attributes: true, attributeFilter: ['data-live']}); }"
    )
    begun = time.time() * 1000
    save(path, text)
    page.wait("window.drawn")
    drawn: float = page.evaluate("window.drawn")
    return drawn - begun


@needs_chromium
def test_a_save_is_drawn_in_the_open_page(serving: Start, opened: Open, tmp_path: Path) -> None:
    page = opened(f"http://127.0.0.1:{serving('--port', '0').port}/")
    assert page.locator("#live").text_content() == "live"
    page.box("first").click()
    page.press("+", "+")
    page.still()
    place = page.box("first").locator(".face").bounding_box()
    times = [saved(page, tmp_path / "n.cnn", GOOD.replace("10", str(n))) for n in range(11, 16)]
    print(f"redrawn in {', '.join(f'{t:.0f}' for t in times)} ms")
    assert "dense 15" in page.locator("#world").text_content()
    page.still()
    assert page.box("first").locator(".face").bounding_box() == place
    assert page.locator(".selected").get_attribute("data-key") == "first"
    assert page.locator("#spec").text_content().count("dense 15") == 1


@needs_chromium
def test_what_is_folded_stays_folded(serving: Start, opened: Open, tmp_path: Path) -> None:
    text = "block unit(n):\n    conv 3x3x{n} pad=1, relu\n    conv 1x1x{n}\n" + GOOD.replace(
        "pool 2", "unit 4 as u\nunit 5 as v"
    )
    page = opened(f"http://127.0.0.1:{serving('--port', '0', text=text).port}/")
    page.box("u").locator(".toggle").click()
    page.still()
    saved(page, tmp_path / "n.cnn", text.replace("dense 10", "unit 7 as w\ndense 10"))
    page.still()
    shown = page.shown()
    assert not [key for key in shown if key.startswith("u.")]
    assert [key for key in shown if key.startswith("v.")]
    assert [key for key in shown if key.startswith("w.")]  # what is new is as the program would open it


@needs_chromium
def test_errors_are_shown_in_place(serving: Start, opened: Open, tmp_path: Path) -> None:
    page = opened(f"http://127.0.0.1:{serving('--port', '0').port}/")
    assert page.locator("#notes").is_hidden()
    saved(page, tmp_path / "n.cnn", GOOD.replace("pool 2", "polo 2"))
    page.wait("document.querySelector('#notes pre')?.textContent.includes('did you mean')")
    assert page.locator("#notes > details > summary").text_content() == "1 error"
    assert page.locator(".faulty > .face").count() == 1
    assert page.locator("#spec .line.error .number").text_content() == "4"
    assert page.evaluate("[...CSS.highlights.get('error')].map(String)") == ["polo"]
    page.locator("#notes li button").click()
    assert page.locator("#details .fault").text_content().startswith("E201, line 4")
    saved(page, tmp_path / "n.cnn", GOOD.replace("pool 2", "pool ("))
    assert "the picture is the last that could be drawn" in page.locator("#notes").text_content()
    assert "polo" in page.locator("#world").text_content()
    assert page.evaluate("[...CSS.highlights.get('error')].map(String)") == ["("]
    saved(page, tmp_path / "n.cnn", GOOD)
    assert page.locator("#notes").is_hidden()
    assert page.locator(".faulty > .face").count() == 0


@needs_chromium
def test_a_page_finds_the_next_run(serving: Start, opened: Open) -> None:
    one = serving("--port", "0")
    port = one.port
    page = opened(f"http://127.0.0.1:{port}/")
    page.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET")
    before = version(page)
    assert one.end() == 0
    page.wait("document.getElementById('live').textContent === 'not connected'")
    serving("--port", str(port), text=GOOD.replace("dense 10", "dense 77"))
    page.wait("document.getElementById('live').textContent === 'live'")
    page.wait("document.getElementById('world').textContent.includes('dense 77')")
    assert version(page) != before


@needs_chromium
def test_another_site_reads_nothing(serving: Start, opened: Open, chromium: Any) -> None:
    port = serving("--port", "0").port
    page = chromium.new_context().new_page()
    page.goto("data:text/html,<p>elsewhere</p>")
    for path in ("", "events"):
        asked = f"fetch('http://127.0.0.1:{port}/{path}').then((r) => r.text(), () => 'refused')"
        assert page.evaluate(asked) == "refused"
    page.evaluate(
        f"document.body.append(Object.assign(document.createElement('iframe'), {{src: 'http://127.0.0.1:{port}/'}}))"
    )
    page.wait_for_timeout(300)
    assert all(frame.evaluate("document.getElementById('world')") is None for frame in page.frames)
    page.context.close()
