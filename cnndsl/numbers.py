"""Numbers as people read them."""

from __future__ import annotations

from typing import Any

UNKNOWN = "?"
_COUNTS = ("", "k", "M", "G", "T", "P")
_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def grouped(count: Any) -> str:
    """A count with thousands separators; a symbol as it is; `?` if it is unknown."""
    if count is None:
        return UNKNOWN
    return f"{count:,}" if isinstance(count, int) else str(count)


def abbreviated(count: Any) -> str:
    """A count in at most five characters or so: `999`, `61.7k`, `4.09G`."""
    if count is None:
        return UNKNOWN
    return "".join(_scaled(count, _COUNTS)) if isinstance(count, int) else str(count)


def bytes_text(count: int) -> str:
    """A number of bytes to three digits: `0 B`, `247 kB`, `1.35 GB`; 1 kB is 1,000 bytes."""
    return " ".join(_scaled(count, _BYTES))


def _scaled(count: int, units: tuple[str, ...]) -> tuple[str, str]:
    """Three digits and a unit, each unit a thousand of the one before. In integers: counts have no limit."""
    power, divisor = 0, 1
    while power + 1 < len(units) and 2 * count >= 1999 * divisor:
        power, divisor = power + 1, divisor * 1000
    hundredths, tenths, whole = (_rounded(scale * count, divisor) for scale in (100, 10, 1))
    if power == 0 or tenths >= 1000:
        return f"{whole:,}", units[power]
    if hundredths >= 1000:
        return f"{tenths // 10}.{tenths % 10}", units[power]
    return f"{hundredths // 100}.{hundredths % 100:02}", units[power]


def _rounded(a: int, b: int) -> int:
    return (2 * a + b) // (2 * b)


def share(part: Any, whole: Any) -> str:
    """A part of a whole in percent: `28.2%`, `<0.1%`; nothing for no part, or where one is unknown."""
    if not isinstance(part, int) or not isinstance(whole, int) or not part or not whole:
        return ""
    tenths = _rounded(1000 * part, whole)
    if not tenths:
        return "<0.1%"
    return "100%" if part == whole else f"{tenths // 10}.{tenths % 10}%"


def axes_text(sizes: tuple[Any, ...] | None) -> str:
    """Sizes per axis as they are written: `5x5`."""
    return "" if sizes is None else "x".join(map(str, sizes))
