"""What several test files share."""

from __future__ import annotations

import signal

import pytest

# A shell without job control starts what runs in its background with SIGINT ignored, and commands that tests start
# would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the expected outputs of tests/check instead of comparing"
    )
