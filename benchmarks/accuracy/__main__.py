"""`python -m benchmarks.accuracy DATA_ROOT [NETWORK …] [--choose] [--seeds N]`: the table of benchmarks/RESULTS.md."""

from __future__ import annotations

import argparse

from benchmarks.accuracy import SEEDS, TARGETS, row, run

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data_root", help="the folder that holds mnist and fashion_mnist")
parser.add_argument("networks", nargs="*", default=[target.network for target in TARGETS])
parser.add_argument("--choose", action="store_true", help="measure on 5,000 validation images instead of the test's")
parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds")
given = parser.parse_args()
print(
    "| network | accuracy, mean and deviation of the seeds | time | wanted | holds |\n|---|---|---|---|---|", flush=True
)
for target in TARGETS:
    if target.network in given.networks:
        found = [run(target, seed, given.data_root, choosing=given.choose) for seed in range(given.seeds)]
        print(row(target, found), flush=True)
