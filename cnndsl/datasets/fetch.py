"""Fetching published data sets: from mirrors, checked, resumed where a connection broke, there whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cnndsl import __version__
from cnndsl.datasets import DataSet, File

CHUNK = 1 << 18
TIMEOUT = 30.0
"""Seconds without a byte after which a mirror is given up."""
TRIES = 3
"""How often a mirror is asked again after its connection broke, each time from where it broke."""
_MARGIN = 1 << 20
"""Bytes that a file may have beyond what is known of it."""

Told = Callable[[int, int | None], None]
"""Is told how many bytes are there, and of how many, if that is known."""


class FetchError(Exception):
    """A file that could not be fetched: the sentence, and what to do."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class _Refused(Exception):  # noqa: N818
    """A mirror that does not have the file, or not the right one; the text says why."""


def _nobody(done: int, total: int | None) -> None:
    """Listens to nothing."""


def fetch(data: DataSet, root: Path, mirrors: Sequence[str] = (), told: Told = _nobody) -> Iterator[tuple[File, bool]]:
    """Bring each file of a data set below `root`; gives each once it is there, and whether it was there before.

    mirrors: asked instead of the set's own: for a file by its name, then for one in a folder of the set's name.
    Raises FetchError; what was received of a file by then is kept beside its place, and the next call goes on from it.
    """
    folder = root / data.folders[0]
    below = dict.fromkeys(("", data.folders[0] + "/", data.name + "/"))
    given = [_address(mirror) + path for mirror in mirrors for path in below]
    addresses = given or [_address(mirror) for mirror in data.mirrors]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(
            f"can't make the folder {folder}: {error.strerror or error}", "name another: --data-root"
        ) from None
    for file in data.files:
        place = folder / file.name
        if place.is_file() and matches(place, file):
            yield file, True
            continue
        _bring(file, place, [address + file.name for address in addresses], told)
        yield file, False


def _address(mirror: str) -> str:
    """A mirror's address, ending with a slash. Raises FetchError if it is none."""
    try:
        parts = urlsplit(mirror)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise FetchError(f"{mirror!r} is no address of a mirror", "it begins with https:// or http://")
    return mirror if mirror.endswith("/") else mirror + "/"


def _bring(file: File, place: Path, addresses: Sequence[str], told: Told) -> None:
    """One file from the first mirror that has it as it should be. Raises FetchError."""
    reasons = []
    for address in dict.fromkeys(addresses):
        try:
            _from(address, file, place, told)
            return
        except _Refused as refused:
            reasons.append(f"{address}: {refused}")
        except OSError as error:
            raise FetchError(
                f"can't write {place}: {error.strerror or error}", "make room, or name --data-root"
            ) from None
    raise FetchError(
        f"{file.name} could not be fetched; " + "; ".join(reasons),
        "try again, name another mirror (--mirror), or put the file into the folder yourself",
    )


def _from(address: str, file: File, place: Path, told: Told) -> None:
    """The file from one address. Raises _Refused; OSError where it can't be written."""
    part = place.with_name(place.name + ".part")
    begun = part.exists()
    for attempt in range(TRIES):
        try:
            _receive(address, file, part, told)
            break
        except _Broken as broken:
            if attempt + 1 == TRIES:
                kept = _bytes(part)
                raise _Refused(
                    f"{broken}" + (f"; what was received, {kept:,} bytes, is kept" if kept else "")
                ) from None
    if not matches(part, file):
        part.unlink(missing_ok=True)
        if begun:
            # What was there before may have been another mirror's, or another version's.
            return _from(address, file, place, told)
        raise _Refused("what it gives has another checksum than the published file")
    _settle(part, place)
    return None


class _Broken(Exception):  # noqa: N818
    """A connection that broke; the text says how."""


def _receive(address: str, file: File, part: Path, told: Told) -> None:
    """What is missing of a file behind what is there. Raises _Refused, _Broken; OSError where it can't be written."""
    start = _bytes(part)
    headers = {"User-Agent": f"cnndsl/{__version__}"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:
            # There is nothing behind what is there: whether that is the whole is for the checksum to say.
            return
        if error.code >= 500:
            raise _Broken(f"the server answers {error.code} {error.reason}") from None
        raise _Refused(f"the server answers {error.code} {error.reason}") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise _Broken(f"no connection ({getattr(reason, 'strerror', None) or reason})") from None
    with response:
        if start and not _goes_on(response, start):
            start = 0
        total = _length(response, start)
        with open(part, "ab" if start else "wb") as out:
            done = start
            for piece in _pieces(response):
                done += len(piece)
                if done > file.size + _MARGIN:
                    raise _Refused(f"it sends more than the {file.size:,} bytes that the file has")
                out.write(piece)
                told(done, total)
        if total is not None and done < total:
            raise _Broken(f"the connection ended after {done:,} of {total:,} bytes")


def _goes_on(response: Any, start: int) -> bool:
    """Whether an answer goes on where it was asked to, and does not begin anew."""
    return bool(response.status == 206 and str(response.headers.get("Content-Range", "")).startswith(f"bytes {start}-"))


def _length(response: Any, start: int) -> int | None:
    length = str(response.headers.get("Content-Length", ""))
    return start + int(length) if length.isascii() and length.isdigit() else None


def _pieces(response: Any) -> Iterator[bytes]:
    """What is sent. Raises _Broken where that ends early."""
    while True:
        try:
            piece = response.read(CHUNK)
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise _Broken(f"the connection broke ({getattr(error, 'strerror', None) or error})") from None
        if not piece:
            return
        yield piece


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _settle(part: Path, place: Path) -> None:
    """Put a whole file in its place, flushed to the disk. Raises OSError."""
    with open(part, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, place)
    with suppress(OSError):
        descriptor = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def matches(path: Path, file: File) -> bool:
    """Whether a file is the published one, by its checksum; never unpacks more than it should hold."""
    digest, size = hashlib.sha256(), 0
    try:
        with open(path, "rb") as raw:
            source: Any = gzip.GzipFile(fileobj=raw) if file.unpacked else raw
            while piece := source.read(CHUNK):
                size += len(piece)
                if size > file.size:
                    return False
                digest.update(piece)
    except (OSError, EOFError, zlib.error):
        return False
    return digest.hexdigest() == file.digest
