"""What `sizes` prints: pure functions from answers to text."""

from __future__ import annotations

from cnndsl.shape import Shape
from cnndsl.sizes import Answer, At, Line, Near, Stage
from cnndsl.sizes.patterns import Pattern, Run, pattern_of

MOST_RUNS = 6
"""Runs of sizes that are written out before an ellipsis."""
MOST_LOSSES = 2
"""Layers in a line of a table that leave something out, before the others are only counted."""
AGAIN = 3
"""How often a rule is shown at work."""


def fits_text(line: Line, ellipsis: str) -> str:
    """Which sizes of a line fit."""
    return sizes_text(pattern_of(line.sizes, line.fits()), line, ellipsis)


def lossless_text(line: Line, ellipsis: str) -> str:
    """Which sizes of a line fit and lose nothing."""
    fits, lossless = line.fits(), line.lossless()
    if bool((fits == lossless).all()) and bool(fits.any()):
        return "all that fit"
    return sizes_text(pattern_of(line.sizes, lossless), line, ellipsis)


def sizes_text(pattern: Pattern, line: Line, ellipsis: str) -> str:
    """A set of sizes: `every size from 21`, `multiples of 16 from 32`, `63-65, 95-97, ... (every 32)`."""
    low, high = int(line.sizes[0]), int(line.sizes[-1])
    parts = [_runs_text(pattern.alone, ellipsis)] if pattern.alone else []
    if pattern.period:
        parts.append(_rule_text(pattern, low, high, ellipsis))
    return ", and ".join(parts) or "none"


def _rule_text(pattern: Pattern, low: int, high: int, ellipsis: str) -> str:
    period, first = pattern.period, pattern.again[0].first
    if period == 1:
        return "every size" if first == low and not pattern.alone else f"every size from {first}"
    moved = [Run(run.first + n * period, run.last + n * period) for n in range(AGAIN) for run in pattern.again]
    shown = ", ".join(map(_run_text, [run for run in moved if run.last <= high][: max(AGAIN, 2 * len(pattern.again))]))
    if len(pattern.again) > 1 or first != pattern.again[0].last:
        return f"{shown}, {ellipsis} (the same every {period})"
    if first % period:
        return f"every {ordinal(period)} size from {first}: {shown}, {ellipsis}"
    start = "" if first == period else f" from {first}"
    return f"multiples of {period}{start}: {shown}, {ellipsis}"


def _runs_text(runs: tuple[Run, ...], ellipsis: str) -> str:
    shown = ", ".join(map(_run_text, runs[:MOST_RUNS]))
    if len(runs) <= MOST_RUNS:
        return shown
    count = sum(run.last - run.first + 1 for run in runs)
    return f"{shown}, {ellipsis}, {_run_text(runs[-1])} ({count} sizes)"


def _run_text(run: Run) -> str:
    return str(run.first) if run.first == run.last else f"{run.first}-{run.last}"


def ordinal(number: int) -> str:
    """`2nd`, `16th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def reasons(line: Line) -> list[tuple[int, str, str]]:
    """Why the largest size below the smallest that fits does not, and the first above it that does not: the size, the
    layer and its line, the sentence."""
    fits, unknown = line.fits(), line.unknown()
    known = [index for index in range(len(fits)) if not fits[index] and not unknown[index]]
    smallest = next((index for index in range(len(fits)) if fits[index]), None)
    if smallest is None:
        # Of sizes that all fail, the one that the spec has says most.
        below, above = sorted(known, key=lambda index: abs(int(line.sizes[index]) - line.axes[0].declared))[:1], []
    else:
        below = [index for index in known if index < smallest][-1:]
        above = [index for index in known if index > smallest][:1]
    found = []
    for index in (*below, *above):
        failure, why = line.failure(index), line.why(index)
        assert failure is not None
        assert why is not None
        found.append((int(line.sizes[index]), f"`{failure.name}`, line {failure.span.line}", why))
    return found


def shapes_text(shapes: dict[str, Shape]) -> str:
    """`4x4x2`; with names where there are several."""
    if len(shapes) == 1:
        return str(next(iter(shapes.values())))
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def losses_text(line: Line, index: int, most: int | None = None) -> str:
    """What a size loses: `pool2: 1 of 13 in height`; of more layers than `most`, how many more there are."""
    found: dict[str, list[str]] = {}
    for layer, axis, cells, size in line.losses(index):
        found.setdefault(f"{layer}: {cells} of {size}", []).append(axis)
    texts = [f"{text} in {' and '.join(axes)}" for text, axes in found.items()]
    more = f"; and {len(texts) - most} more" if most is not None and len(texts) > most else ""
    return "; ".join(texts[:most]) + more


def notes(answer: Answer, ellipsis: str) -> list[str]:
    """What else is to be said."""
    found = []
    names = " and ".join(axis.name for axis in answer.axes)
    if answer.coupled is not None:
        found.append(f"{names} depend on each other by {answer.coupled}{_pairs_text(answer, ellipsis)}")
    for line in answer.inference:
        found.append(f"without what only serves training: {line.title}: {fits_text(line, ellipsis)}")
    if answer.weighing:
        layers = ", ".join(f"`{name}`" for name in answer.weighing[:3]) + (
            f", {ellipsis}" if answer.weighing[3:] else ""
        )
        found.append(f"the weights of {layers} depend on the input size: those learned at one size don't fit another")
    for one in answer.allowed:
        found += _where(one.text, answer, one.line, one.misfit, one.lossy)
        excluded = pattern_of(one.line.sizes, one.excluded)
        if not excluded.empty:
            found.append(f"`where {one.text}` leaves out sizes that fit: {sizes_text(excluded, one.line, ellipsis)}")
    if not answer.complete:
        for line in answer.lines:
            unknown = pattern_of(line.sizes, line.unknown())
            if not unknown.empty:
                found.append(f"not examined, as that would take too long: {sizes_text(unknown, line, ellipsis)}")
    return found


def _pairs_text(answer: Answer, ellipsis: str) -> str:
    if answer.pairs is None:
        return ""
    shown = ", ".join(f"{first}x{second}" for first, second in answer.pairs.first)
    more = f", {ellipsis}" if answer.pairs.fit > len(answer.pairs.first) else ""
    return f"; of {answer.pairs.all:,} pairs {answer.pairs.fit:,} fit{': ' if shown else ''}{shown}{more}"


def _where(text: str, answer: Answer, line: Line, misfit: int | None, lossy: int | None) -> list[str]:
    if misfit is not None:
        return [f"`where {text}` allows sizes that don't fit, from {int(line.sizes[misfit])}: {line.why(misfit)}"]
    if lossy is not None:
        lost = losses_text(line, lossy)
        return [f"all that `where {text}` allows fits, but from {int(line.sizes[lossy])} some lose cells: {lost}"]
    return [f"all that `where {text}` allows fits, and loses nothing"]


def verdict(at: At) -> str:
    """Whether the size fits."""
    given = f"input {shapes_text(at.inputs)}"
    if at.refused is None:
        lost = any(stage.losses for stage in at.stages)
        return f"{given} fits{', but some of it is left out' if lost else ', and nothing is left out'}"
    layer, line, why = at.refused
    return f"{given} does not fit: {why} (`{layer}`, line {line})"


def stage_cells(stage: Stage) -> tuple[str, str, str, str, str]:
    """A layer's name, its line, what goes in, what comes out, and what is left out."""
    found: dict[str, list[str]] = {}
    for axis, cells, size in stage.losses:
        found.setdefault(f"{cells} of {size}", []).append(axis)
    left = "; ".join(f"{text} in {' and '.join(axes)}" for text, axes in found.items())
    return stage.layer, str(stage.line), str(stage.input), str(stage.output), left


def near_texts(near: Near) -> list[str]:
    """The sizes next to one, in sentences."""
    found = [f"{near.title}, nearest that fit: {_both(near.fits)}"]
    if near.lossless != near.fits:
        found.append(f"{near.title}, nearest that lose nothing: {_both(near.lossless)}")
    return found


def _both(sizes: tuple[int | None, int | None]) -> str:
    return " and ".join(str(size) for size in sizes if size is not None) or "none"
