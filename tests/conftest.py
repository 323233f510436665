"""What several test files share."""

from __future__ import annotations

import os
import signal

import pytest

# A shell without job control starts what runs in its background with SIGINT ignored, and commands that tests start
# would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What somebody's shell says about drawing is not what tests expect. COLUMNS comes without a shell, too: pytest imports
# readline, which writes it where no Python code sees it, and pytest-xdist's workers inherit it.
for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(name, None)
    os.unsetenv(name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the expected outputs of tests/check instead of comparing"
    )
