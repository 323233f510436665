"""Run the benchmarks and print one table: `python -m benchmarks [startup parsing compiled repair …]`."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module

ALL = ("startup", "parsing", "checking", "compiled", "repair", "zoo", "sizes", "drawing", "training")


def main(names: list[str]) -> int:
    unknown = set(names) - set(ALL)
    if unknown:
        print(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}\n")
    print("| what | found | bound | holds |\n|---|---|---|---|", flush=True)
    for name in names or ALL:
        for row in import_module(f"benchmarks.{name}").rows():
            holds = "" if row.holds is None else "yes" if row.holds else "**no**"
            print(f"| {row.what} | {row.found} | {row.bound} | {holds} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
