"""Fetching data sets, from a server of our own on this machine: whole, broken, wrong, without ranges."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cnndsl.cli import main
from cnndsl.datasets import DataSet, File, found, published
from cnndsl.datasets.fetch import TRIES, FetchError, fetch, matches

CONTENT = bytes(range(256)) * 4000
PACKED = gzip.compress(CONTENT, mtime=1)
IMAGES = File("images.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), False)
LABELS = File("labels.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), True)


class Server(ThreadingHTTPServer):
    """Serves `files` by their paths. What it was asked: the path and the range.

    ranges: whether it can begin in the middle; drop: after how many bytes of an answer it hangs up; answers: codes
    that it gives first.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.asked: list[tuple[str, str | None]] = []
        self.ranges, self.told_length = True, True
        self.drop: int | None = None
        self.answers: list[int] = []
        self.moved: dict[str, str] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        given = self.headers.get("Range")
        self.server.asked.append((self.path, given))
        if self.server.answers:
            self.send_error(self.server.answers.pop(0))
            return
        if self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.end_headers()
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(given.removeprefix("bytes=").removesuffix("-")) if given and self.server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.told_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content) if self.server.drop is None else start + self.server.drop
        self.wfile.write(content[start:end])
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server({"/images.bin": CONTENT, "/labels.gz": PACKED})
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def data(server: Server, *files: File) -> DataSet:
    return DataSet("set_one", "a set", ("set-one",), (server.address,), files or (IMAGES, LABELS))


def bring(one: DataSet, root: Path, *mirrors: str) -> list[tuple[str, bool]]:
    return [(file.name, before) for file, before in fetch(one, root, mirrors)]


def test_files_are_fetched_once(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    for before in (False, True):
        got = [(file.name, there) for file, there in fetch(data(server), tmp_path, (), lambda *n: told.append(n))]
        assert got == [("images.bin", before), ("labels.gz", before)]
    assert (tmp_path / "set-one" / "images.bin").read_bytes() == CONTENT
    assert sorted(path.name for path in (tmp_path / "set-one").iterdir()) == ["images.bin", "labels.gz"]
    assert server.asked == [("/images.bin", None), ("/labels.gz", None)]
    assert (len(CONTENT), len(CONTENT)) in told
    assert [done for done, total in told if total == len(CONTENT)] == sorted({d for d, t in told if t == len(CONTENT)})


def test_a_packed_file_may_be_packed_otherwise(server: Server, tmp_path: Path) -> None:
    server.files["/labels.gz"] = gzip.compress(CONTENT, compresslevel=1)
    assert bring(data(server, LABELS), tmp_path) == [("labels.gz", False)]


def test_a_damaged_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    bring(data(server), tmp_path)
    for name, content in (("images.bin", CONTENT[:-1]), ("labels.gz", PACKED[:-5])):
        (tmp_path / "set-one" / name).write_bytes(content)
        assert (name, False) in bring(data(server), tmp_path)
    assert bring(data(server), tmp_path) == [("images.bin", True), ("labels.gz", True)]


def test_a_broken_transfer_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.drop = 400_000
    assert bring(data(server, IMAGES), tmp_path) == [("images.bin", False)]
    assert [given for _, given in server.asked] == [None, "bytes=400000-", "bytes=800000-"]
    assert (tmp_path / "set-one" / "images.bin").read_bytes() == CONTENT


def test_what_was_received_is_kept_for_the_next_time(server: Server, tmp_path: Path) -> None:
    server.drop = 100_000
    with pytest.raises(FetchError, match=r"ended after 300,000 of 1,024,000 bytes; what was received, 300,000 bytes"):
        bring(data(server, IMAGES), tmp_path)
    assert not (tmp_path / "set-one" / "images.bin").exists()
    server.drop, server.asked = None, []
    assert bring(data(server, IMAGES), tmp_path) == [("images.bin", False)]
    assert server.asked == [("/images.bin", "bytes=300000-")]


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set-one").mkdir()
    (tmp_path / "set-one" / "images.bin.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    assert bring(data(server, IMAGES), tmp_path) == [("images.bin", False)]
    assert (tmp_path / "set-one" / "images.bin").read_bytes() == CONTENT


def test_what_was_kept_may_be_of_something_else(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set-one").mkdir()
    for kept in (b"x" * 1000, CONTENT + b"more", CONTENT):
        (tmp_path / "set-one" / "images.bin").unlink(missing_ok=True)
        (tmp_path / "set-one" / "images.bin.part").write_bytes(kept)
        assert bring(data(server, IMAGES), tmp_path) == [("images.bin", False)]
        assert (tmp_path / "set-one" / "images.bin").read_bytes() == CONTENT


def test_a_wrong_file_is_never_taken(server: Server, tmp_path: Path) -> None:
    server.files["/images.bin"] = CONTENT[:-1] + b"!"
    with pytest.raises(FetchError, match="has another checksum than the published file"):
        bring(data(server, IMAGES), tmp_path)
    assert list((tmp_path / "set-one").iterdir()) == []


def test_a_file_without_end_is_given_up(server: Server, tmp_path: Path) -> None:
    server.files["/images.bin"] = bytes(8_000_000)
    server.told_length = False
    with pytest.raises(FetchError, match="sends more than the 1,024,000 bytes that the file has"):
        bring(data(server, IMAGES), tmp_path)
    assert (tmp_path / "set-one" / "images.bin.part").stat().st_size < 3_000_000


def test_a_packed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(bytes(200_000_000), compresslevel=1))
    assert not matches(path, LABELS)


def test_other_mirrors_are_asked_in_their_order(server: Server, tmp_path: Path) -> None:
    server.files = {"/wrong/images.bin": b"x", "/other/set-one/images.bin": CONTENT}
    mirrors = [server.address + name for name in ("none/", "wrong", "other")]
    assert bring(data(server, IMAGES), tmp_path, *mirrors) == [("images.bin", False)]
    assert [path for path, _ in server.asked] == [
        "/none/images.bin", "/none/set-one/images.bin", "/none/set_one/images.bin",
        "/wrong/images.bin", "/wrong/set-one/images.bin", "/wrong/set_one/images.bin",
        "/other/images.bin", "/other/set-one/images.bin",
    ]  # fmt: skip


def test_a_server_in_trouble_is_asked_again_and_one_that_moved_is_followed(server: Server, tmp_path: Path) -> None:
    server.answers = [503, 500]
    server.moved = {"/images.bin": "/elsewhere"}
    server.files = {"/elsewhere": CONTENT}
    assert bring(data(server, IMAGES), tmp_path) == [("images.bin", False)]
    server.answers = [503] * TRIES
    with pytest.raises(FetchError, match="the server answers 503"):
        bring(data(server, LABELS), tmp_path)
    server.answers = [404]
    with pytest.raises(FetchError, match="the server answers 404 Not Found"):
        bring(data(server, LABELS), tmp_path)


def test_no_server_and_no_address(server: Server, tmp_path: Path) -> None:
    gone = Server({})
    address = gone.address
    gone.server_close()
    with pytest.raises(FetchError, match="no connection"):
        bring(data(server, IMAGES), tmp_path, address)
    for wrong in ("ftp://127.0.0.1/", "file:///etc/", "127.0.0.1", "", "http://", "http://[/"):
        with pytest.raises(FetchError, match="is no address of a mirror"):
            bring(data(server, IMAGES), tmp_path, wrong)


def test_a_redirect_to_a_file_is_not_followed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENT)
    server.moved = {"/images.bin": (tmp_path / "secret").as_uri()}
    with pytest.raises(FetchError, match="could not be fetched"):
        bring(data(server, IMAGES), tmp_path)


def test_a_folder_that_can_t_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match="can't make the folder"):
        bring(data(server, IMAGES), tmp_path / "file")
    (tmp_path / "set-one" / "images.bin.part").mkdir(parents=True)
    with pytest.raises(FetchError, match=r"can't write .*images\.bin"):
        bring(data(server, IMAGES), tmp_path)


# --- the table ------------------------------------------------------------------------------------------------------


def test_the_table_of_published_sets() -> None:
    for name, one in published().items():
        assert one.name == name
        assert one.mirrors
        assert all(mirror.startswith(("https://", "http://")) and mirror.endswith("/") for mirror in one.mirrors)
        assert all(len(file.digest) == 64 and int(file.digest, 16) and file.size > 0 for file in one.files)
    # An IDX file of 60,000 images of 28x28 has 16 bytes before them, one of labels 8; CIFAR's sizes are its authors'.
    sizes = [file.size for file in published()["mnist"].files]
    assert sizes == [16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000]


# --- the command ----------------------------------------------------------------------------------------------------


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "CNNDSL_MIRRORS": "", **environment}
    command = [sys.executable, "-m", "cnndsl", "data", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=whole)


def test_list_says_where_data_sets_lie(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte", "t10k-images.idx3-ubyte"):
        (folder / name).write_bytes(b"")
    assert found(published()["mnist"], [tmp_path]) is None
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    done = run("list", "--data-root", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"mnist          {folder}\n" in done.stdout
    assert f"cifar10        {tmp_path / 'cifar-10-python.tar.gz'}\n" in done.stdout
    assert "cifar100       not here: cnndsl data fetch cifar100\n" in done.stdout
    assert '"path": null' in run("list", "--data-root", str(tmp_path), "--format", "json").stdout


def test_fetch_with_a_wrong_file_or_no_server(server: Server, tmp_path: Path) -> None:
    server.files = {"/mnist/train-images-idx3-ubyte.gz": PACKED}
    done = run("fetch", "mnist", "--data-root", str(tmp_path), "--mirror", server.address)
    assert done.returncode == 2
    assert "has another checksum than the published file" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "mnist").iterdir()) == []
    done = run("fetch", "mnist", CNNDSL_DATA=str(tmp_path), CNNDSL_MIRRORS=f"{server.address}none")
    assert done.returncode == 2
    assert f"{server.address}none/train-images-idx3-ubyte.gz: the server answers 404" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fetch"], "Missing argument 'NAME...'"),
        (["fetch", "mnits"], "There is no data set 'mnits' to fetch. Did you mean 'mnist'?"),
        (["fetch", "digits"], "there is nothing to fetch"),
        (["fetch", "mnist", "--mirror", "nowhere"], "'nowhere' is no address of a mirror"),
        (["get"], "No such command 'get'"),
    ],
)
def test_wrong_uses(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run(*arguments, CNNDSL_DATA=str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr


def test_fetch_as_a_user_sees_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cnndsl.datasets.published", lambda: {"set_one": data(server)})
    monkeypatch.delenv("CNNDSL_MIRRORS", raising=False)
    command = ["data", "fetch", "set-one", "--data-root", str(tmp_path)]
    for there in ("", "  is there"):
        assert main(command) == 0
        folder = tmp_path / "set-one"
        assert capsys.readouterr().out == f"  images.bin{there}\n  labels.gz{there}\nset_one is in {folder}\n"
    assert main([*command, "-q"]) == 0
    assert capsys.readouterr().out == ""


def test_clean_removes_decoded_images(tmp_path: Path) -> None:
    folder = tmp_path / "cnndsl" / "decoded"
    folder.mkdir(parents=True)
    for name, size in (("a.u8", 1_000_000), ("a.json", 500), ("b.u8", 200_000), ("c.part", 5), ("other.txt", 7)):
        (folder / name).write_bytes(bytes(size))
    where = {"XDG_CACHE_HOME": str(tmp_path), "CNNDSL_DATA": str(tmp_path)}
    assert "2 decoded image folders, 1.2 MB: cnndsl data clean" in run("list", **where).stdout
    assert run("clean", **where).stdout == "removed 1.2 MB of 2 decoded image folders\n"
    assert [path.name for path in folder.iterdir()] == ["other.txt"]
    assert run("clean", **where).stdout == "removed 0 bytes of 0 decoded image folders\n"
