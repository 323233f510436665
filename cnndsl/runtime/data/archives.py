"""Files that may be packed: plain, gzipped, or in a tar archive. Their claims are not trusted: reading is bounded."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cnndsl.runtime.errors import DataError

CHUNK = 1 << 20
MAX_ARCHIVE = 2 * 1024**3
"""Most bytes that are unpacked from one archive: ten times CIFAR's."""
MAX_MEMBERS = 100_000
_AGAIN = "fetch the file again"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes] | Any]:
    """A regular file, unpacked while it is read if it is gzipped. What goes wrong is raised as DataError."""
    try:
        with open(path, "rb") as raw:
            if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
                raise DataError(f"{path} is no file")
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield unzipped
    except EOFError:
        raise DataError(f"{path} is cut off: its gzip data ends early", _AGAIN) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: its gzip data can't be unpacked ({error})", "fetch it again") from None
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}") from None


def read_exactly(path: Path, file: IO[bytes] | Any, wanted: int) -> bytearray:
    """The next `wanted` bytes of `path`. Raises DataError if there are fewer; never reads more."""
    content = bytearray()
    while len(content) < wanted:
        piece = file.read(min(CHUNK, wanted - len(content)))
        if not piece:
            raise DataError(
                f"{path} is cut off: it says that it holds {wanted:,} values, but ends after {len(content):,}", _AGAIN
            )
        content += piece
    return content


def read_all(path: Path, most: int) -> bytes:
    """A whole file, unpacked if it is gzipped. Raises DataError if it holds more than `most` bytes."""
    content = bytearray()
    with opened(path) as file:
        while piece := file.read(CHUNK):
            content += piece
            if len(content) > most:
                raise DataError(f"{path} holds more than {most:,} bytes, which its data set does not")
    return bytes(content)


def read_members(path: Path, names: frozenset[str], most: int) -> dict[str, bytes]:
    """The files of a tar archive, gzipped or not, that bear these names in whatever folder.

    Nothing is written to the disk. Raises DataError, also where one of them holds more than `most` bytes.
    """
    found: dict[str, bytes] = {}
    try:
        with opened(path) as file:
            bounded = _Bounded(path, file)
            for number, (member, content) in enumerate(_members(bounded)):
                if number > MAX_MEMBERS:
                    raise DataError(f"{path} holds more than {MAX_MEMBERS:,} files")
                name = member.name.rsplit("/", 1)[-1]
                if content is None or name not in names:
                    continue
                if member.size > most:
                    raise DataError(f"{path} holds a {name} of {member.size:,} bytes, which its data set does not")
                found[name] = content.read(most + 1)
                if len(found[name]) != member.size:
                    raise DataError(f"{path} is cut off in {name}", _AGAIN)
            # The checksum of what is packed stands at the very end.
            while bounded.read(CHUNK):
                pass
    except tarfile.TarError as error:
        raise DataError(f"{path} is no tar archive, or a damaged one ({error})", "fetch it again") from None
    return found


def _members(file: Any) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    """Everything in an archive, and what to read it from if it is a file."""
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for member in archive:
            yield member, archive.extractfile(member) if member.isreg() else None


class _Bounded:
    """A file that ends in a DataError where it is longer than any data set."""

    def __init__(self, path: Path, file: IO[bytes] | Any) -> None:
        self.path, self.file, self.left = path, file, MAX_ARCHIVE

    def read(self, size: int) -> bytes:
        piece: bytes = self.file.read(size)
        self.left -= len(piece)
        if self.left < 0:
            raise DataError(f"{self.path} unpacks to more than {MAX_ARCHIVE:,} bytes")
        return piece
