"""Memory that a step frees is kept for the next one.

glibc gives large blocks back to the system when they are freed, or does not: that hangs on where they happen to lie. A
step then asks for tens of megabytes anew, each page of which the system clears: up to a third of the time of a step.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of settings in glibc's malloc.h."""
_LARGEST_BLOCK = 2**30
"""Bytes from which on a block is a mapping of its own, given back when it is freed."""
_ALLOWED = 32 * 2**20
"""The most that glibc before 2.35 takes for that."""
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """From now on this process keeps what it frees, after giving back what it has no use for.

    Where the user has settings for malloc they stay. Elsewhere than with glibc nothing happens.
    """
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        if not library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK):
            library.mallopt(_MMAP_THRESHOLD, _ALLOWED)
        library.mallopt(_TRIM_THRESHOLD, _NEVER)
