"""Writes counters.csv: what the tools print for the networks of tests/counted.py.

    python tests/reference/measure_counters.py

A cell is empty where a tool fails: fvcore can't trace unpooling with this PyTorch.

It needs torchinfo, fvcore, thop, ptflops and calflops beside torch; the versions go into the file's first line.
"""

from __future__ import annotations

import csv
import sys
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from counted import CASES, Case  # noqa: E402
from counting_tools import TOOLS, printed  # noqa: E402


def main() -> None:
    versions = ", ".join(f"{tool} {version(tool)}" for tool in TOOLS)
    with (FOLDER / "counters.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {versions}\n")
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", *TOOLS])
        for name, case in CASES.items():
            rows.writerow([name, *(_cell(tool, case) for tool in TOOLS)])


def _cell(tool: str, case: Case) -> int | str:
    try:
        return printed(tool, case.module(), case.inputs())
    except TypeError:
        return ""


if __name__ == "__main__":
    main()
