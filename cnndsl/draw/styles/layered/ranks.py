"""Which rank each spot stands in, and how many it fills."""

from __future__ import annotations

from statistics import median

from cnndsl.draw.styles.layered.level import Level

TALL = 1.7
"""A spot this many times as long as most fills several ranks, if shorter ones stand beside it."""
MOST = 40
"""Ranks that one spot fills."""


def ranked(level: Level) -> tuple[list[int], list[int]]:
    """Each spot's first rank, and how many it fills: behind all that it takes from, as early as can be."""
    ones = [1] * len(level.spots)
    ranks = _ranks(level, ones)
    spans = _spans(level, ranks)
    return (ranks, ones) if spans == ones else (_ranks(level, spans), spans)


def _ranks(level: Level, spans: list[int]) -> list[int]:
    spots = level.spots
    ports = any(spot.first for spot in spots)
    ranks = [0 if spot.first or not ports else 1 for spot in spots]
    takes = [spot.first for spot in spots]
    nearest: list[int | None] = [None] * len(spots)
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
        nearest[number] = min((ranks[target] for target in behind), default=None)
        late = nearest[number]
        if not takes[number] and late is not None:
            ranks[number] = max(ranks[number], late - spans[number])
    return ranks


def _spans(level: Level, ranks: list[int]) -> list[int]:
    """How many ranks each spot fills: as many as usual spots would stand beside it, if there are any."""
    spots = level.spots
    lengths = [spot.along for spot in spots if not spot.port]
    usual = median(lengths) if lengths else 0.0
    shortest: dict[int, float] = {}
    for spot, rank in zip(spots, ranks, strict=True):
        if not spot.port:
            shortest[rank] = min(spot.along, shortest.get(rank, spot.along))
    gap = level.spacing.rank
    spans = []
    for spot, rank in zip(spots, ranks, strict=True):
        tall = spot.along > TALL * usual and shortest.get(rank, spot.along) < 0.6 * spot.along
        spans.append(min(MOST, max(1, round((spot.along + gap) / (usual + gap)))) if tall else 1)
    return spans


def slacks(level: Level, ranks: list[int], spans: list[int]) -> list[int]:
    """How many ranks later each spot could stand: 0 for those on the longest way."""
    end = max((rank + span for rank, span in zip(ranks, spans, strict=True)), default=0)
    latest = [end - span for span in spans]
    order = sorted(range(len(level.wires)), key=lambda w: -level.wires[w].source)
    for wire in (level.wires[w] for w in order):
        for target in wire.targets:
            latest[wire.source] = min(latest[wire.source], latest[target] - spans[wire.source])
    return [late - rank for late, rank in zip(latest, ranks, strict=True)]
