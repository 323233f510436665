"""Which rank each spot stands in, and how many it fills."""

from __future__ import annotations

from cnndsl.draw.styles.layered.level import Level, usual

TALL = 2.5
"""A spot this many times as long as most fills several ranks, if shorter ones stand beside it."""
SHORTER = 0.6
"""Of its length, at most."""
MINOR = 100_000
MOST = 40
"""Ranks that one spot fills."""


def ranked(level: Level, single: frozenset[int] = frozenset()) -> tuple[list[int], list[int]]:
    """Each spot's first rank, and how many it fills: behind all that it takes from, as early as can be. single: those
    that must not fill more than one."""
    ones = [1] * len(level.spots)
    ranks = _ranks(level, ones)
    spans = [1 if number in single else span for number, span in enumerate(_spans(level, ranks))]
    return (ranks, ones) if spans == ones else (_ranks(level, spans), spans)


def _ranks(level: Level, spans: list[int]) -> list[int]:
    spots = level.spots
    ports = any(spot.first for spot in spots)
    ranks = [0 if spot.first or not ports else 1 for spot in spots]
    takes = [spot.first for spot in spots]
    targets: list[list[int]] = [[] for _ in spots]
    for wire in level.wires:
        targets[wire.source].extend(wire.targets)
    for number, behind in enumerate(targets):
        for target in behind:
            takes[target] = True
            ranks[target] = max(ranks[target], ranks[number] + spans[number])
    end = max((ranks[n] + spans[n] for n, spot in enumerate(spots) if not spot.last), default=0)
    for number, behind in reversed(list(enumerate(targets))):
        if spots[number].last:
            ranks[number] = max(end, 1)
        elif not takes[number] and behind:
            ranks[number] = max(ranks[number], min(ranks[target] for target in behind) - spans[number])
    return ranks


def _spans(level: Level, ranks: list[int]) -> list[int]:
    """How many ranks each spot fills: those of the shorter spots that stand beside it and behind them."""
    spots, gap = level.spots, level.spacing.rank
    rows: dict[int, list[float]] = {}
    for spot, rank in zip(spots, ranks, strict=True):
        rows.setdefault(rank, [])
        if not spot.port:
            rows[rank].append(spot.along)
    most = usual([length for row in rows.values() for length in row])
    spans = []
    for spot, rank in zip(spots, ranks, strict=True):
        tall = spot.along > TALL * most and min(rows[rank], default=spot.along) < SHORTER * spot.along
        spans.append(_covered(spot.along, rank, rows, gap) if tall and not spot.port else 1)
    return spans


def _covered(length: float, rank: int, rows: dict[int, list[float]], gap: float) -> int:
    """How many ranks, from one on, are together as long as a spot, equally long ones aside."""
    left, span = length, 0
    while left > gap and span < MOST:
        short = [other for other in rows.get(rank + span, ()) if other < SHORTER * length]
        if not short:
            break
        left -= max(short) + gap
        span += 1
    return max(1, span)


def slacks(level: Level, ranks: list[int], spans: list[int]) -> list[int]:
    """How many ranks later each spot could stand: 0 for those on the longest way, MINOR more for minor ones."""
    main = [n for n, spot in enumerate(level.spots) if not spot.minor]
    end = max((ranks[n] + spans[n] for n in main or range(len(ranks))), default=0)
    latest = [end - span for span in spans]
    for wire in sorted(level.wires, key=lambda w: -w.source):
        for target in wire.targets:
            if not level.spots[target].minor or level.spots[wire.source].minor:
                latest[wire.source] = min(latest[wire.source], latest[target] - spans[wire.source])
    return [
        late - rank + (MINOR if spot.minor else 0) for late, rank, spot in zip(latest, ranks, level.spots, strict=True)
    ]
