"""IDX files, the format of MNIST: a magic number, the sizes, then the values.

The header is two zero bytes, a byte for the type of the values (8: unsigned bytes, the only one taken here), a
byte for the number of dimensions, then each size as a big-endian 32-bit number. Files may be gzipped. What a
header claims is never trusted: reading is bounded, and goes on only as far as there is data.
Format: "The IDX file format", LeCun, Cortes, Burges, THE MNIST DATABASE.
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.errors import DataError

MAX_BYTES = 2 * 1024**3
"""Most values that are read from one file: 40 times MNIST."""
_CHUNK = 1 << 20
_UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The values of an IDX file of unsigned bytes with so many dimensions. Raises DataError."""
    try:
        with open(path, "rb") as raw:
            if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
                raise DataError(f"{path} is no file")
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                return _read(path, raw, dimensions)
            with gzip.GzipFile(fileobj=raw) as unzipped:
                return _read(path, unzipped, dimensions)
    except EOFError:
        raise DataError(f"{path} is cut off: its gzip data ends early", "fetch the file again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: its gzip data can't be unpacked ({error})", "fetch it again") from None
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}") from None


def _read(path: Path, file: IO[bytes] | Any, dimensions: int) -> NDArray[np.uint8]:
    sizes = _sizes(path, file, dimensions)
    wanted = prod(sizes)
    if wanted > MAX_BYTES:
        shown = " x ".join(f"{size:,}" for size in sizes)
        raise DataError(f"{path} says that it holds {shown} values; at most {MAX_BYTES:,} are read")
    values = bytearray()
    while len(values) < wanted:
        piece = file.read(min(_CHUNK, wanted - len(values)))
        if not piece:
            raise DataError(
                f"{path} is cut off: it says that it holds {wanted:,} values, but ends after {len(values):,}",
                "fetch the file again",
            )
        values += piece
    if file.read(1):
        raise DataError(f"{path} goes on after the {wanted:,} values that it says it holds")
    return np.frombuffer(values, dtype=np.uint8).reshape(sizes)


def _sizes(path: Path, file: IO[bytes] | Any, dimensions: int) -> tuple[int, ...]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DataError(f"{path} is no IDX file: it begins with {_shown(magic)}, not with two zero bytes")
    if magic[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} holds values of IDX type 0x{magic[2]:02x}; only unsigned bytes (0x08) are read")
    if magic[3] != dimensions:
        what = {1: "labels", 3: "images"}.get(dimensions, "values")
        raise DataError(f"{path} has {magic[3]} dimensions, where {what} have {dimensions}")
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{path} is cut off in its header")
    return tuple(int.from_bytes(header[i : i + 4], "big") for i in range(0, len(header), 4))


def _shown(data: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in data) or "nothing"
