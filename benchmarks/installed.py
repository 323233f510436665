"""A light installation: the wheel and click in an environment of their own, with bytecode, as users have it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def light() -> Iterator[Path]:
    """The `bin` folder of the environment, which goes away at the end."""
    os.environ.pop("PYTHONPATH", None)  # else what stands there would run, and not what is installed
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT)
        (wheel,) = (folder / "dist").iterdir()
        _run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
        scripts = folder / "env" / "bin"
        pip = (sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--no-index", "--no-deps")
        _run(*pip, wheel)
        (libraries,) = (folder / "env").glob("lib/python*/site-packages")
        shutil.copytree(Path(click.__file__).parent, libraries / "click")
        _run(scripts / "python", "-m", "compileall", "-q", libraries)
        yield scripts


def _run(*command: str | Path) -> None:
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
