"""Benchmarks: `python -m benchmarks` (or `make bench`) runs them all and prints one table.

Everything is a ratio of things measured in one run, in turns, so that a busy machine slows both sides. None of this is
a test: a figure that misses its bound is shown, and nothing fails.
"""
