"""Specs of the zoo with one thing broken, and what has to hold for each: used by the tests, and run alone it writes
a log: `python tests/mutations.py COUNT SEED`."""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from cnndsl.diagnostics.render import render_all
from cnndsl.pipeline import Checked, check
from cnndsl.record import Record
from cnndsl.source import Source

ROOT = Path(__file__).resolve().parent.parent
MOST_SECONDS = 2.0
"""Processor time that a check may take. The largest files of the zoo hold dozens of networks and take most of it
unbroken, so only what takes longer than its original does, and longer than this, is too slow."""
LINES_READ = 12
"""Lines behind the broken one that are looked at for where the network is impossible from."""


class Mutation(Record):
    """A spec with one thing broken: the file, what was done, the number of the line, the text before and after.

    moved: how many lines there are more behind the broken one. last: the last line that is another.
    """

    file: str
    what: str
    line: int
    before: str
    text: str
    moved: int
    last: int


# --- what is broken ---------------------------------------------------------------------------------------------------


def _size(line: str, rng: random.Random) -> str | None:
    """Another number in place of one."""
    found = list(re.finditer(r"(?<![\w.#-])\d+", line.split("#")[0]))
    if not found:
        return None
    one = rng.choice(found)
    number = int(one.group())
    other = rng.choice([number + 1, number - 1, number * 2, number // 2, 0, number * 7, number + 13])
    return f"{line[: one.start()]}{other}{line[one.end() :]}" if other != number else None


def _word(line: str, rng: random.Random) -> str | None:
    """A misspelt word: two letters swapped, one doubled, one left out, one replaced."""
    found = list(re.finditer(r"[A-Za-z_]{2,}", line.split("#")[0]))
    if not found:
        return None
    one = rng.choice(found)
    word, at = one.group(), rng.randrange(len(one.group()) - 1)
    other = rng.choice(
        [
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 :],
            word[:at] + rng.choice("aeioqxz") + word[at + 1 :],
        ]
    )
    return f"{line[: one.start()]}{other}{line[one.end() :]}" if other != word else None


def _indentation(line: str, rng: random.Random) -> str | None:
    if not line.strip():
        return None
    depth = len(line) - len(line.lstrip())
    other = rng.choice([0, max(depth - 4, 0), depth + 4, depth + 1, max(depth - 1, 0)])
    return " " * other + line.lstrip() if other != depth else None


def _name(line: str, rng: random.Random) -> str | None:
    """Another name where one is given, or used."""
    found = list(re.finditer(r"(?<=\bas )\w+|(?<=\bfrom )\w+|(?<=\breuse )\w+|(?<=[{( ])[a-z]\w*(?=[}) *])", line))
    if not found:
        return None
    one = rng.choice(found)
    return f"{line[: one.start()]}{rng.choice(['other', 'x', one.group() + '2'])}{line[one.end() :]}"


def _punctuation(line: str, rng: random.Random) -> str | None:
    found = [m.start() for m in re.finditer(r"[,:|(){}\[\]=]", line.split("#")[0])]
    if not found:
        return None
    at = rng.choice(found)
    return line[:at] + rng.choice(["", "", ";", "{", ")"]) + line[at + 1 :]


CHANGES: dict[str, Callable[[str, random.Random], str | None]] = {
    "size": _size,
    "word": _word,
    "indentation": _indentation,
    "name": _name,
    "punctuation": _punctuation,
}
KINDS = [*CHANGES, "deleted line", "swapped lines", "doubled line"]


def mutations(files: list[Path], count: int, seed: int) -> Iterator[Mutation]:
    """So many mutations, the same for the same seed."""
    rng = random.Random(seed)
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    made = 0
    while made < count:
        file = rng.choice(files)
        one = _mutated(file.name, texts[file].split("\n"), rng.choice(KINDS), rng)
        if one is not None and one.text != one.before:
            made += 1
            yield one


def _mutated(file: str, lines: list[str], what: str, rng: random.Random) -> Mutation | None:
    told = [n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    at = rng.choice(told)
    changed, moved, last = list(lines), 0, at
    if what == "deleted line":
        del changed[at]
        moved = -1
    elif what == "doubled line":
        changed.insert(at, lines[at])
        moved = 1
    elif what == "swapped lines":
        other = min(at + rng.randint(1, 3), len(lines) - 1)
        changed[at], changed[other] = lines[other], lines[at]
        last = other
    else:
        new = CHANGES[what](lines[at], rng)
        if new is None:
            return None
        changed[at] = new
    return Mutation(file, what, at + 1, "\n".join(lines), "\n".join(changed), moved, last + 1)


# --- what has to hold -------------------------------------------------------------------------------------------------


def checked(file: str, text: str) -> Checked:
    return check(Source(f"specs/{file}", text))


@cache
def _seconds_unbroken(file: str, text: str) -> float:
    start = time.process_time()
    checked(file, text)
    return time.process_time() - start


def examine(mutation: Mutation) -> str:
    """What became of it: `fine`, or `error`, or `error far on`; raises AssertionError if something does not hold."""
    start = time.process_time()
    result = checked(mutation.file, mutation.text)
    render_all(result.diagnostics)
    seconds = time.process_time() - start
    if seconds > MOST_SECONDS:
        assert seconds < 2 * _seconds_unbroken(mutation.file, mutation.before) + 0.5, f"{seconds:.1f} s"
    errors = [one for one in result.diagnostics if one.severity == "error"]
    assert bool(errors) != result.ok
    if not errors:
        return "fine"
    lines = [one.span.source.position(one.span.start)[0] for one in errors]
    # Where the network is impossible from is seen by reading less of it. An error has to stand there, or before.
    broken = first_broken(mutation)
    if broken is not None:
        assert min(lines) <= broken, f"line {broken} breaks it, but the first error stands on line {min(lines)}"
    return "error" if min(lines) <= mutation.line else "error further on"


def first_broken(mutation: Mutation) -> int | None:
    """The first line from which on the broken text is wrong wherever it is cut off, while the original is right; None
    if no such line is found."""
    before, after = mutation.before.split("\n"), mutation.text.split("\n")

    def wrong(last: int) -> bool | None:
        """Whether the broken text is, as far as this line; None where the original can't be cut there either."""
        if not checked(mutation.file, "\n".join(before[: last - mutation.moved])).ok:
            return None
        return not checked(mutation.file, "\n".join(after[:last])).ok

    found = None
    for last in range(mutation.last, min(len(after), mutation.last + LINES_READ) + 1):
        now = wrong(last)
        if now is not None:
            found = (found or last) if now else None
    return found


def main(count: int, seed: int) -> int:
    """Examine so many and print what became of them; the number of those for which something does not hold."""
    files = sorted((ROOT / "specs").glob("*.cnn"))
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    failures = 0
    for number, mutation in enumerate(mutations(files, count, seed)):
        try:
            outcome = examine(mutation)
        except Exception as error:
            failures += 1
            outcome = "FAILED"
            print(f"{number}: {mutation.file}:{mutation.line} {mutation.what}: {type(error).__name__}: {error}")
        outcomes[mutation.what][outcome] += 1
    print(f"{count:,} mutations of {len(files)} specs, seed {seed}: {failures} failures")
    for kind, counted in outcomes.items():
        print(f"{kind:<14}", ", ".join(f"{outcome} {n:,}" for outcome, n in sorted(counted.items())))
    return failures


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]))))
