"""Whether claims hold under `--set` and `--input`: only where these say what the file says."""

from __future__ import annotations

import pytest

from cnndsl.pipeline import Options, check
from cnndsl.source import Source

TEXT = """network Claims(width=4, act=relu, deep=false)
input 6x6x1
conv 3x3x{width}, {act}
if deep:
    dense 9
dense 2 -> 2
expect params == 1

network Wide = Claims(width=8):
    expect params == 1
"""


def said(text: str, network: str, sets: dict[str, str], size: str | None) -> tuple[bool, bool]:
    """Whether an expectation was found wrong, and whether a note says that none was checked."""
    found = check(Source("a.cnn", text), Options(sets=tuple(sets.items()), input=size, network=network)).diagnostics
    codes = {d.code for d in found}
    return "E502" in codes, "N504" in codes


@pytest.mark.parametrize(
    ("network", "sets", "size", "checked"),
    [
        ("Claims", {"width": "4"}, None, True),
        ("Claims", {"width": "2 * 2"}, None, True),
        ("Claims", {"width": "5"}, None, False),
        ("Claims", {"act": "relu", "deep": "false"}, None, True),
        ("Claims", {"act": "tanh"}, None, False),
        ("Claims", {"deep": "0"}, None, False),
        ("Claims", {}, "6x6x1", True),
        ("Claims", {}, "8x8x1", False),
        ("Claims", {"width": "4"}, "6x6x1", True),
        ("Claims", {"width": "6"}, "6x6x1", False),
        ("Claims", {"width": "4"}, "8x8x1", False),
        ("Wide", {"width": "8"}, None, True),
        ("Wide", {"width": "4"}, None, False),
        ("Wide", {"width": "8"}, "6x6x1", True),
    ],
)
def test_what_is_set_to_what_it_is_changes_nothing(
    network: str, sets: dict[str, str], size: str | None, checked: bool
) -> None:
    assert said(TEXT, network, sets, size) == (checked, not checked)


@pytest.mark.parametrize(
    ("line", "size", "checked"),
    [
        ("input HxWx1", "6x6x1", False),  # a size that only the command line gives
        ("input HxWx1 = 6x6x1", "6x6x1", True),
        ("input HxWx1 = 6x6x1", "6x7x1", False),
        ("input {[6, 6, 1]}", "6x6x1", True),
    ],
)
def test_open_sizes(line: str, size: str, checked: bool) -> None:
    text = f"network Open\n{line}\nconv 3x3x2\nexpect params == 1\n"
    assert said(text, "Open", {}, size) == (checked, not checked)
